"""Which searches and force reports have body-worn-video footage, found by evidence and not by a tick-box.

A record is an *event*: an instant, the officer who made it, perhaps a second officer present, perhaps a reference. A
*clip* is a piece of footage: a start and an end, the officer who wore the camera, perhaps a reference, a system. Times
are whole seconds UTC; keys are 64-bit keyed hashes, 0 = none. The clock offset of a clip's system is subtracted from
its start and its end first, and that of the records' own clock from their time (`LinkSettings.offsets`).

**Corner cases, first.**

- A record without a time, or with a date alone, is not linked. A clip without a start does not exist.
- A clip that has no end, or ends before it starts, is a clip of no length at its start.
- All limits are included: a record exactly `before` seconds before a clip's start is in reach of it.
- A key of 0 equals nothing, not another 0. A second officer who is the first is no second officer.
- A clip deleted by `as_of` (at any time, if no `as_of` is given) links nothing; but see `expired`.
- Equal rows are different clips: each is counted.
- A clip that carries another reference than the record still links by officer and time: systems put different
  numbers into that field.

**How a clip links to a record.** The record's time is t, the clip runs from s to e, and its *distance* is 0 when
s <= t <= e, else the seconds to the nearer end.

- Tier 1, `exact reference`: both carry the same reference, the clip's officer is one of the record's two (or the
  officer of either is not known), and the distance is at most `reference_within`.
- Tier 2, `officer and time`: the clip is the officer's own, and s - before <= t <= e + after.
- Tier 3, `another officer`: the clip is the second officer's, and s - another_before <= t <= e + another_after, where
  these are never wider than `before` and `after`.

Every such clip is kept and counted once (`clips`), whatever its tier, and one clip may link to many records. The tier
of the record is the best among them. `seconds` is how long the union of the linked clips is within the record's window
[t - after, t + before], so that split and overlapping clips count once. `from_start` is 1 when some linked clip
was running at the record's time (s <= t < e), 0 when none was, -1 when the record is not linked.

**Why a record is not linked**, the first that holds:

1. `expired`: a deleted clip would have linked.
2. `ambiguous`: a clip that is still there carries the record's reference within `contradicted_within`, and does
   not link, being too far away in time or another officer's. So a wrong reference is seen, and never becomes tier 1
   silently.
3. `not worn`: the record says that there is no video (`said` is 0).
4. `expired`: at `as_of` the record is more than `retention_days` old.
5. `no footage`: an officer is known, and no clip of either officer, deleted or not, touches the UK local day of the
   record.
6. `not linked`: all else. It is not "no footage".

A record without a time, or with neither officer nor reference, cannot be linked whatever footage there is. These arrays
have no blank, so it has a reason here as any other; `disprop.linking`, which fills a store's columns, leaves it blank.
"""

from disprop.linkage.clocks import ClockOffset, corrected, estimate_offsets
from disprop.linkage.columns import (
    NO_TIME,
    REASONS,
    RECORDS,
    TIERS,
    Clips,
    Events,
    Links,
    LinkSettings,
    Pairs,
    video_link,
)
from disprop.linkage.join import link, linked_pairs
from disprop.linkage.partitions import link_partitioned

__all__ = [
    "NO_TIME",
    "REASONS",
    "RECORDS",
    "TIERS",
    "Clips",
    "ClockOffset",
    "Events",
    "LinkSettings",
    "Links",
    "Pairs",
    "corrected",
    "estimate_offsets",
    "link",
    "link_partitioned",
    "linked_pairs",
    "video_link",
]
