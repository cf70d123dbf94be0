"""What links to a record, and why nothing does, as the text says, in slow plain Python. Imports nothing from disprop.

A record is a dict of time, officer, other_officer, reference, said; a clip of start, end, officer, reference, system,
deleted. Keys of 0 are no keys, times of None not known, deleted of 0 kept. Settings are a dict.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
DAY = 86_400
RECORDS = -1


def link(records, clips, settings):
    """For each record: tier, reason, clips, seconds, from the start."""
    return [link_one(record, clips, settings) for record in records]


def pairs(records, clips, settings):
    """Every link: number of the record, number of the clip, tier."""
    return [
        (i, j, tier)
        for i, record in enumerate(records)
        for j, clip in enumerate(clips)
        if kept(clip, settings) and (tier := tier_of(record, clip, settings))
    ]


def link_one(record, clips, settings):
    linked = [(clip, tier_of(record, clip, settings)) for clip in clips if kept(clip, settings)]
    linked = [(clip, tier) for clip, tier in linked if tier]
    if not linked:
        return 0, why_not(record, clips, settings), 0, 0, -1
    t = right(record["time"], RECORDS, settings)
    spans = [span(clip, settings) for clip, _ in linked]
    window = (t - settings["after"], t + settings["before"])
    running = any(start <= t < end for start, end in spans)
    return min(tier for _, tier in linked), "", len(linked), covered(spans, *window), int(running)


def tier_of(record, clip, settings):
    """Tier by which a clip links to a record, deleted or not; None when it does not."""
    if record["time"] is None or clip["start"] is None:
        return None
    t = right(record["time"], RECORDS, settings)
    start, end = span(clip, settings)
    believed = distance(t, start, end) <= settings["reference_within"]
    if believed and carries_reference(record, clip) and officers_agree(record, clip):
        return 1
    if equal_keys(record["officer"], clip["officer"]):
        within = start - settings["before"] <= t <= end + settings["after"]
        return 2 if within else None
    if equal_keys(record["other_officer"], clip["officer"]):
        before = min(settings["another_before"], settings["before"])
        after = min(settings["another_after"], settings["after"])
        within = start - before <= t <= end + after
        return 3 if within else None
    return None


def why_not(record, clips, settings):
    gone = [clip for clip in clips if not kept(clip, settings)]
    if any(tier_of(record, clip, settings) for clip in gone):
        return "expired"
    if any(contradicts(record, clip, settings) for clip in clips if kept(clip, settings)):
        return "ambiguous"
    if record["said"] == 0:
        return "not worn"
    t = right(record["time"], RECORDS, settings)
    days = settings["retention_days"]
    if t is not None and days is not None and t + days * DAY < settings["as_of"]:
        return "expired"
    officers = [key for key in (record["officer"], record["other_officer"]) if key]
    if t is not None and officers and not any(seen_that_day(t, clip, officers, settings) for clip in clips):
        return "no footage"
    return "not linked"


def contradicts(record, clip, settings):
    if not carries_reference(record, clip) or record["time"] is None or clip["start"] is None:
        return False
    t = right(record["time"], RECORDS, settings)
    return distance(t, *span(clip, settings)) <= settings["contradicted_within"]


def seen_that_day(t, clip, officers, settings):
    """Whether one of the officers has a clip that touches the UK local day of t."""
    if clip["officer"] not in officers or clip["start"] is None:
        return False
    today = datetime.fromtimestamp(t, UTC).astimezone(LONDON).date()
    first = datetime(today.year, today.month, today.day, tzinfo=LONDON).timestamp()
    tomorrow = today + timedelta(days=1)
    after = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=LONDON).timestamp()
    start, end = span(clip, settings)
    return start < after and end >= first


def kept(clip, settings):
    gone = clip["deleted"] != 0 and (settings["as_of"] is None or clip["deleted"] <= settings["as_of"])
    return not gone


def span(clip, settings):
    start = right(clip["start"], clip["system"], settings)
    end = right(clip["end"], clip["system"], settings)
    return start, start if end is None or end < start else end


def right(time, system, settings):
    """A time by the right clock."""
    if time is None:
        return None
    summer = datetime.fromtimestamp(time, UTC).astimezone(LONDON).utcoffset() != timedelta(0)
    return time - settings["offsets"].get(system, 0) - (settings["summer_offsets"].get(system, 0) if summer else 0)


def distance(t, start, end):
    return 0 if start <= t <= end else min(abs(start - t), abs(t - end))


def equal_keys(one, another):
    return one != 0 and one == another


def carries_reference(record, clip):
    return equal_keys(record["reference"], clip["reference"])


def officers_agree(record, clip):
    known = record["officer"] != 0 and clip["officer"] != 0
    return not known or clip["officer"] in (record["officer"], record["other_officer"])


def covered(spans, low, high):
    """Seconds from low to high that lie in one of the spans at least: counted one by one."""
    return sum(any(start <= second < end for start, end in spans) for second in range(low, high))
