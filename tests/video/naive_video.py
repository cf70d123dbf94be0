"""What measures of video mean, in plain Python over rows: slow, and without anything of disprop."""

from datetime import date, timedelta

LINKED = ("exact reference", "officer and time", "another officer")
NOT_FOUND = ("no footage", "not linked", "not worn")


def link_of(row, retention=None, as_of=None):
    """The row's `video_link`; `expired` where its month has a day older than its footage was kept."""
    if retention is not None and is_expired(row["month"], retention, as_of):
        return "expired"
    return row.get("video_link") or "blank"


def is_expired(month, retention, as_of):
    year, number = map(int, month.split("-"))
    for before, days in retention:
        if before is None or month < before:
            return days is not None and date(year, number, 1) + timedelta(days=days) < date.fromisoformat(as_of)
    raise AssertionError("retention has no end")


def counts(rows, **how):
    """Records linked, not found, not known, expired, and all."""
    links = [link_of(row, **how) for row in rows]
    linked = sum(link in LINKED for link in links)
    absent = sum(link in NOT_FOUND for link in links)
    expired = links.count("expired")
    return {
        "linked": linked, "not found": absent, "expired": expired,
        "not known": len(links) - linked - absent - expired, "all": len(links),
    }  # fmt: skip


def share_linked(rows, **how):
    found = counts(rows, **how)
    return found["linked"], found["linked"] + found["not found"]


def matrix(rows):
    """(tick-box, what was found) -> records."""
    said = {"yes": "yes", "no": "no"}
    found = {}
    for row in rows:
        one = counts([row])
        pair = said.get(row["video_recorded"], "blank"), next(name for name in one if one[name])
        found[pair] = found.get(pair, 0) + 1
    return found


def bias(rows, column):
    """category -> (unlinked, all unlinked, linked, all linked); records never linked left out."""
    known = [row for row in rows if row.get("video_link")]
    linked = [row for row in known if row["video_link"] in LINKED]
    unlinked = [row for row in known if row["video_link"] not in LINKED]
    return {
        category: (
            sum((row[column] or "blank") == category for row in unlinked), len(unlinked),
            sum((row[column] or "blank") == category for row in linked), len(linked),
        )
        for category in {row[column] or "blank" for row in known}
    }  # fmt: skip


def bounds(finds_low, finds_high, with_video, without_video):
    """Every record without video as no, then as yes."""
    n = with_video + without_video
    return finds_low / n, (finds_high + without_video) / n
