"""The slow truth: rows as plain Python values, counted one by one. Imports nothing from disprop."""

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
GENDERS = {"male": "Male", "female": "Female", "other": "Other"}


def london_month(instant):
    """`YYYY-MM` by the UK clock; an instant without a zone is UTC."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return aware.astimezone(LONDON).strftime("%Y-%m")


def gender(label):
    text = "" if label is None else str(label).strip().casefold()
    return GENDERS.get(text, "unmapped") if text else "blank"


def flag(value):
    text = "" if value is None else str(value).strip().casefold()
    return {"true": "yes", "yes": "yes", "1": "yes", "false": "no", "no": "no", "0": "no", "": "blank"}.get(
        text, "unmapped"
    )


def count(rows):
    """Counts by force, London month, gender and linked, of rows that are not of a vehicle alone."""
    found = Counter()
    for row in rows:
        if row["search_type"] == "Vehicle search":
            continue
        month = london_month(row["event_time"])
        found[row["force"], month, gender(row["gender"]), flag(row["linked"])] += 1
    return found


def count_hours(rows):
    """Counts by the hour that the UK clock shows, of rows that are not of a vehicle alone."""
    people = [row for row in rows if row["search_type"] != "Vehicle search"]
    return Counter(row["event_time"].astimezone(LONDON).strftime("%H") for row in people)


def instant(*parts):
    return datetime(*parts, tzinfo=UTC)
