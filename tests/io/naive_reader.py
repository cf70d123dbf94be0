"""What reading well-formed police.uk CSV files means, in plain Python; imports nothing from disprop."""

import csv
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

LABELS = {
    "Type": "search_type",
    "Part of a policing operation": "operation",
    "Policing operation": "operation_name",
    "Gender": "gender",
    "Age range": "age_band",
    "Self-defined ethnicity": "ethnicity_self",
    "Officer-defined ethnicity": "ethnicity_officer",
    "Legislation": "legislation",
    "Object of search": "object",
    "Outcome": "outcome",
    "Outcome linked to object of search": "linked",
    "Removal of more than just outer clothing": "more_thorough",
}
LONDON = ZoneInfo("Europe/London")


def read_rows(path: Path) -> list[dict]:
    """One dict a search: force (from the file's name), London month, UTC seconds, labels (None = blank), degrees."""
    force = re.fullmatch(r"\d{4}-\d{2}-(.+)-stop-and-search\.csv", path.name)[1]
    with path.open(encoding="utf-8", newline="") as file:
        return [{"force": force, **read_row(row)} for row in csv.DictReader(file)]


def read_row(row: dict) -> dict:
    moment = datetime.fromisoformat(row["Date"])
    return {
        "month": moment.astimezone(LONDON).strftime("%Y-%m"),
        "event_time": int(moment.timestamp()),
        "latitude": float(row["Latitude"]) if row["Latitude"] else None,
        "longitude": float(row["Longitude"]) if row["Longitude"] else None,
        **{name: row[header] or None for header, name in LABELS.items()},
    }


def count_rows(path: Path) -> int:
    """Rows after the header, as Python's csv module sees them."""
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for row in csv.reader(file) if row) - 1


def utc_month(path: Path) -> Counter:
    with path.open(encoding="utf-8", newline="") as file:
        return Counter(row["Date"][:7] for row in csv.DictReader(file))
