"""Slow truth about invented encounters, from the exported files alone; and a second, simpler maker of encounters.

Imports nothing from disprop.
"""

import csv
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
TABLES = {"search": "searches", "force_report": "force_reports", "footage": "footage", "custody": "custody"}
REFERENCE = {"search": "Search URN", "force_report": "Incident URN"}
OFFICER = {"search": "Searching Officer", "force_report": "Collar No"}
TIMES = {"search": ("Date of Search", "Time of Search"), "force_report": ("UoF Date", "UoF Time")}
TIMES |= {"custody": ("Arrest Date", "Arrest Time")}

Z = 4.5
"""Standard deviations that a count may be off by chance."""


def off(found: int, trials: int, share: float) -> float:
    """Standard deviations between a count and what its share of the trials lets expect."""
    return (found - trials * share) / (trials * share * (1 - share)) ** 0.5


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def extracts(folder: Path, kind: str) -> dict[str, list[dict[str, str]]]:
    """Month -> the rows of its file."""
    return {path.stem[-7:]: read(path) for path in sorted((folder / TABLES[kind]).glob("*.csv"))}


def truth(folder: Path, name: str) -> list[dict[str, str]]:
    return read(folder / "truth" / f"{name}.csv")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def form_month(kind: str, row: dict[str, str]) -> str:
    day, _ = TIMES[kind]
    return f"{row[day][6:]}-{row[day][3:5]}"


def form_times(kind: str, row: dict[str, str]) -> list[datetime]:
    """The instants (UTC) that a form's local date and time may mean: two in the hour that comes twice."""
    day, clock = TIMES[kind]
    local = datetime.strptime(f"{row[day]} {row[clock]}", "%d/%m/%Y %H:%M")
    return sorted({local.replace(tzinfo=LONDON, fold=fold).astimezone(UTC) for fold in (0, 1)})


def links(folder: Path) -> dict[tuple[str, str, str], dict[tuple[str, str], str]]:
    """(kind, month, row) -> {(month, row) of a kept clip of its encounter: best evidence}, from scratch."""
    clips = defaultdict(list)
    files = extracts(folder, "footage")
    for clip in truth(folder, "clips"):
        row = files[clip["month"]][int(clip["row"])]
        if row["Deleted On"] == "":
            clips[clip["encounter"]].append((clip, row))
    found = {}
    for kind in ("search", "force_report"):
        forms = extracts(folder, kind)
        for record in (one for one in truth(folder, "records") if one["kind"] == kind):
            form = forms[record["month"]][int(record["row"])]
            best = {}
            for clip, row in clips[record["encounter"]]:
                own = "officer and time" if row["Owner Badge"] == form[OFFICER[kind]] else "another officer"
                by = "exact reference" if row["ID"] == form[REFERENCE[kind]] else own
                best[clip["month"], clip["row"]] = by
            found[kind, record["month"], record["row"]] = best
    return found


def repeat_share(rows: list[dict[str, str]]) -> tuple[int, int]:
    """Searches on people searched more than once, and searches on people."""
    times = Counter(row["Nominal Ref"] for row in rows if row["Nominal Ref"])
    return sum(n for n in times.values() if n > 1), times.total()


# A second maker of encounters --------------------------------------------------------------------------------------


@dataclass
class World:
    """Records and clips as plain rows, and which clip shows which record; times are seconds, 0 is nobody or nothing."""

    events: list[dict] = field(default_factory=list)
    clips: list[dict] = field(default_factory=list)
    shows: set[tuple[int, int]] = field(default_factory=set)
    offsets: dict[int, int] = field(default_factory=dict)


def other_world(
    n: int, *, seed: int, officers: int = 200, late: float = 0.1, most_late: int = 900,
    offsets: tuple[int, ...] = (0, 0),
    untagged: float = 0.3, mistagged: float = 0.0, torn: float = 0.1, pairs: float = 0.3, dark: float = 0.0,
    idle: float = 0.5,
) -> World:  # fmt: skip
    """Encounters made in another way than `disprop.synthetic` makes them: one after the other, from Python's `random`.

    Every officer works through encounters in turn; clips begin up to a minute and a half before and end when it is
    over; late forms are late by a uniform time. `dark` encounters have no footage, `idle` footage shows nothing.
    """
    rng, world = random.Random(seed), World(offsets=dict(enumerate(offsets)))
    free = [1_700_000_000 + rng.randrange(86_400) for _ in range(officers)]
    for number in range(1, n + 1):
        first = min(rng.sample(range(officers), 3), key=free.__getitem__)
        second = rng.choice([i for i in range(officers) if i != first]) if rng.random() < pairs else None
        start = max(free[first], free[second] if second is not None else 0) + rng.randrange(4_000, 40_000)
        lasts = rng.randrange(240, 1_500)
        crew = [first] if second is None else [first, second]
        for one in crew:
            free[one] = start + lasts
        if rng.random() < idle:
            _film(rng, world, [first], start - 3_900, 200, None, 0, untagged, 0.0, torn, n)
            free[first] = max(free[first], start + lasts)
        delay = rng.randrange(60, most_late) if rng.random() < late else 0
        world.events.append(
            {"time": start + delay, "officer": first + 1, "other": 0 if second is None else second + 1, "said": 1}
            | {"reference": number}
        )
        if rng.random() >= dark:
            filming = [one for one in crew if rng.random() < 0.8] or crew[:1]
            _film(rng, world, filming, start, lasts, number - 1, number, untagged, mistagged, torn, n)
    return world


def _film(rng, world, filming, start, lasts, event, number, untagged, mistagged, torn, n) -> None:
    for officer in filming:
        begins, ends = start - rng.randrange(1, 90), start + lasts
        cut = rng.randrange(begins + 30, ends - 30) if rng.random() < torn else ends
        system = officer % len(world.offsets)
        for one, other in [(begins, cut), (cut + 2, ends)][: 1 if cut == ends else 2]:
            chance = rng.random()
            tag = 0 if chance < untagged else 1 + rng.randrange(n) if chance < untagged + mistagged else number
            shift = world.offsets[system]
            if event is not None:
                world.shows.add((event, len(world.clips)))
            world.clips.append(
                {"start": one + shift, "end": other + shift, "officer": officer + 1, "reference": tag}
                | {"system": system, "deleted": 0}
            )
