"""Invented encounters: searches, force reports, arrests and footage that belong together, with what is true of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zlib import crc32

import numpy as np
import pyarrow as pa

from disprop.errors import UsageError
from disprop.months import month_number
from disprop.records import KINDS, kind_of
from disprop.synthetic import force_forms as forms
from disprop.synthetic.draw import Chances, chances, places
from disprop.synthetic.encounter_month import FLAG, UNITS, WHY, make_month
from disprop.synthetic.footage import MISSING, RIGHT, WRONG, Columns
from disprop.synthetic.known_people import ANYONE, REPEAT_SHARE, KnownPeople, known_people
from disprop.synthetic.noise import SYSTEMS, Noise, described
from disprop.synthetic.records import DATASET, NOTICE, YEAR
from disprop.synthetic.sources import TableSource
from disprop.synthetic.truth import Truth, default_truth

TABLES = {"search": "searches", "force_report": "force_reports", "footage": "footage", "custody": "custody"}
"""Kind of record -> its name here."""

LATER = "video_link", "video_clips", "video_seconds", "video_from_start", "force_used"
"""Columns that linking adds; nothing here has them."""

TAGS = {RIGHT: "right", MISSING: "missing", WRONG: "wrong"}
BY = ("exact reference", "officer and time", "another officer")

TEXTS: Mapping[str, Callable[[int], str]] = {
    "officer": "PC{:04d}".format,
    "other_officer": "PC{:04d}".format,
    "person": "P{:08d}".format,
    "reference": "URN{:08d}".format,
    "incident": "INC{:08d}".format,
    "media": "MED{:010d}".format,
    "device": "BW{:05d}".format,
}
"""Identifiers as the invented force writes them."""


@dataclass(frozen=True)
class EncounterTruth:
    """What is true of invented encounters, as Arrow tables; rows are named by their position in the record tables.

    records: one row a search and force report: kind, row, encounter, true_time, footage (what is true: footage,
        expired, not uploaded, not worn, no footage), n_clips and seconds of the clips there are, and from_start
        (whether one was running at the true time).
    clips: one row a clip of `footage`, in its order: row, encounter, true_start, true_end, reference_is (right,
        missing, wrong), on_record (whether it shows a search or force report).
    links: one row a record and a clip that shows it: kind, row, clip, by (the best evidence there is: exact
        reference, officer and time, another officer).
    persons: one row a person searched: person (as text), searches (in these months), known (met again and again).
    clocks: by how many seconds the clock of each system is fast.
    noise: the noise, as plain values.
    """

    records: pa.Table
    clips: pa.Table
    links: pa.Table
    persons: pa.Table
    clocks: Mapping[str, int]
    noise: Mapping[str, object]


@dataclass(frozen=True)
class Encounters:
    """Tables of canonical columns (`disprop.records.KINDS`), and what is true of them.

    Officers, persons, references, clips and cameras are numbers that stand for keyed hashes. `raw` has the same tables,
    by the same names, with identifiers as the invented force writes them: text. `months` are those that were made.
    """

    months: tuple[str, ...]
    searches: pa.Table
    force_reports: pa.Table
    footage: pa.Table
    custody: pa.Table
    raw: Mapping[str, pa.Table]
    truth: EncounterTruth

    def source(self, kind: str) -> TableSource:
        """The records of one kind (`search`, `force_report`, `footage`, `custody`) as a source to tally.

        Raises UsageError for another kind.
        """
        return TableSource(kind_of(kind).name, getattr(self, TABLES[kind]), self.months)


def make_encounters(
    truth: Truth | None = None,
    *,
    months: Sequence[str] = YEAR,
    seed: int = 1,
    noise: Noise | None = None,
    repeat_share: float = REPEAT_SHARE,
    as_of: str | None = None,
) -> Encounters:
    """Searches, force reports, footage and arrests of one invented force, who attended and who was met, and the truth.

    The searches are those of `make_records` with the same truth, months and seed, except that known people are always
    described alike, that the tick-box for video follows the footage, and that times are as the form states them.
    `month` is the month of the recorded time: the late form of a search just before midnight may lie in the month
    after. A month's encounters depend on the truth, the seed, the force, the settings and that month alone.

    truth: what to draw from (default: `default_truth()`). months: `YYYY-MM`, UK local.
    noise: how encounters are recorded, see `Noise`; `CLEAN` and `MILD` are two of it.
    repeat_share: share of a year's searches of people that are on people searched more than once in that year (default
        as published: 1,792 of 24,867). Fewer in fewer months, more in more.
    as_of: day of the extract, `YYYY-MM-DD`, from its first instant (UTC): clips uploaded later are not in it, and those
        older than `noise.retention_days` are deleted. Default: long after, with all clips uploaded.

    Raises UsageError for a month or day that is not one, a retention without a day, a share that cannot be made.

    >>> made = make_encounters(months=["2023-06"])
    >>> made.searches.num_rows, made.force_reports.num_rows, made.footage.num_rows
    (1825, 887, 5277)
    >>> made.raw["searches"].select(["officer", "person", "reference"]).slice(0, 1).to_pylist()
    [{'officer': 'PC0099', 'person': 'P00000498', 'reference': 'URN08900000'}]
    """
    drawing = prepared(truth, seed=seed, noise=noise, repeat_share=repeat_share, as_of=as_of)
    if not months:
        raise UsageError("no month to make; give at least one")
    return as_tables(drawing, drawing.columns([month_number(month) for month in months]), months)


@dataclass(frozen=True)
class Drawing:
    """All that encounters are drawn from."""

    truth: Truth
    ready: Chances
    known: KnownPeople
    seed: int
    noise: Noise
    as_of: int | None

    def columns(self, months: Sequence[int]) -> dict[str, Columns]:
        """The columns of each kind of record, month after month."""
        each = [
            make_month(
                self.truth, self.ready, self.known, month, seed=self.seed, noise=self.noise, as_of=self.as_of
            ).tables
            for month in months
        ]
        return {
            kind: {name: np.concatenate([tables[kind][name] for tables in each]) for name in each[0][kind]}
            for kind in TABLES
        }


def prepared(truth: Truth | None, *, seed: int, noise: Noise | None, repeat_share: float, as_of: str | None) -> Drawing:
    """Arguments as `make_encounters`, and its errors."""
    truth, noise = truth or default_truth(), noise or Noise()
    if noise.retention_days is not None and as_of is None:
        raise UsageError(f"retention_days is {noise.retention_days}, counted back from a day: give as_of='YYYY-MM-DD'")
    ready = chances(truth)
    known = known_people(truth, ready, repeat_share=repeat_share, seed=seed)
    return Drawing(truth, ready, known, seed, noise, None if as_of is None else _seconds(as_of))


def _seconds(day: str) -> int:
    try:
        return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise UsageError(f"{day!r} is not a day; write it as YYYY-MM-DD") from None


def as_tables(drawing: Drawing, columns: Mapping[str, Columns], months: Sequence[str]) -> Encounters:
    """Arrow tables of the columns drawn: canonical, raw, and what is true of them."""
    every = columns["footage"]
    columns = dict(columns) | {"footage": {name: values[every["listed"]] for name, values in every.items()}}
    made = {name: Drawn(drawing.truth, drawing.ready, kind, columns[kind]) for kind, name in TABLES.items()}
    return Encounters(
        months=tuple(months),
        **{name: drawn.table(hashed=True) for name, drawn in made.items()},
        raw={name: drawn.table(hashed=False) for name, drawn in made.items()},
        truth=_truth(columns, drawing.noise),
    )


# Tables --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """One table as drawn, to be written as Arrow columns."""

    truth: Truth
    ready: Chances
    kind: str
    columns: Columns

    def table(self, *, hashed: bool) -> pa.Table:
        """The canonical columns in order; identifiers as numbers like keyed hashes, or as text."""
        specs = [column for column in KINDS[self.kind].columns if column.name not in LATER]
        makers = {"label": self._label, "items": self._items, "degrees": self._degrees, "time": self._time}
        makers |= {"key": self._hashed if hashed else self._text, "month": lambda name: pa.array(self.columns[name])}
        fields = {column.name: makers[column.dtype](column.name) for column in specs}
        return pa.table(fields).replace_schema_metadata({"dataset": DATASET, "notice": NOTICE})

    @property
    def rows(self) -> int:
        return len(self.columns["encounter_at"])

    def _numbers(self, name: str) -> np.ndarray:
        """Whole numbers that name somebody or something; -1 for none."""
        given = {
            "reference": self.columns["reference"] if self.kind == "footage" else self.columns["number"],
            "incident": self.columns["number"],
            "device": self.columns["officer"],
        }
        return np.asarray(given[name] if name in given else self.columns[name])

    def _hashed(self, name: str) -> pa.Array:
        numbers = self._numbers(name)
        return pa.array(_mixed(f"{self.truth.force} {_sort(name)}", numbers), mask=numbers < 0)

    def _text(self, name: str) -> pa.Array:
        distinct, at = np.unique(self._numbers(name), return_inverse=True)
        words = [TEXTS[name](number) if number >= 0 else None for number in distinct.tolist()]
        return pa.array(words, pa.string()).take(pa.array(at))

    def _time(self, name: str) -> pa.Array:
        which = {"end_time": "said_end", "uploaded_time": "uploaded", "deleted_time": "deleted"}
        seconds = self.columns[which.get(name, name)]
        none = seconds == 0 if name == "deleted_time" else np.zeros(self.rows, bool)
        return pa.array(seconds, mask=none).cast(pa.timestamp("s", tz="UTC"))

    def _degrees(self, name: str) -> pa.Array:
        at = np.vstack([places(self.truth.force), [np.nan, np.nan]])[self.columns["place"]]
        return pa.array(at[:, 0 if name == "latitude" else 1], from_pandas=True)

    def _items(self, name: str) -> pa.Array:
        if name == "category":
            return _labelled(np.where(self.columns["tagged"] == MISSING, 0, 1), ["Uncategorised", "Policing"])
        names = {"tactics": forms.TACTICS, "reasons": forms.REASON_NAMES}
        names |= {"impact_factors": forms.FACTOR_NAMES, "outcomes": forms.OUTCOME_NAMES}
        return _labelled(*forms.joined(names[name], self.columns[name]))

    def _label(self, name: str) -> pa.Array:
        if name == "force":
            return _labelled(np.zeros(self.rows, int), [self.truth.force])
        if name not in self.columns and name not in ("system", "status", "recorded_on_source"):
            return _labelled(np.full(self.rows, -1), [])
        return _labelled(*self._choices(name))

    def _choices(self, name: str) -> tuple[np.ndarray, Sequence[str]]:
        """Positions among labels; -1, or one past the last label, is blank."""
        if self.kind == "force_report" and name == "age_band":
            return self.columns[name], forms.AGE_BANDS
        lists: dict[str, tuple[str, ...]] = {
            "command_unit": UNITS, "video_recorded": FLAG, "possession_only": FLAG, "health": tuple(forms.HEALTH),
            "officer_injury": tuple(forms.INJURY), "person_injury": tuple(forms.INJURY), "system": SYSTEMS,
        }  # fmt: skip
        if name == "status":
            return np.where(self.columns["deleted"] > 0, 1, 0), ("Active", "Deleted")
        if name == "recorded_on_source":
            return self.columns["by_upload"].astype(int), ("device", "upload")
        return self.columns[name], lists.get(name) or self.ready.labels[name]


def _labelled(choices: np.ndarray, labels: Sequence[str]) -> pa.DictionaryArray:
    blank = (choices < 0) | (choices >= len(labels))
    indices = pa.array(np.asarray(choices, dtype=np.int32), mask=blank)
    return pa.DictionaryArray.from_arrays(indices, pa.array(labels, pa.string()))


def _sort(name: str) -> str:
    return "officer" if name == "other_officer" else name


def _mixed(sort: str, numbers: np.ndarray) -> np.ndarray:
    """Numbers of 64 bits that look like hashes, one for each number of a sort (SplitMix64; Steele and others, 2014)."""
    z = numbers.astype(np.uint64) + np.uint64(crc32(sort.encode()) << 32) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


# Truth ---------------------------------------------------------------------------------------------------------------


def _truth(columns: Mapping[str, Columns], noise: Noise) -> EncounterTruth:
    clips = columns["footage"]
    links = {kind: _links(columns[kind], clips) for kind in ("search", "force_report")}
    shown = np.concatenate([columns[kind]["number"] for kind in links])
    return EncounterTruth(
        records=pa.concat_tables([_records_truth(kind, columns[kind], clips, links[kind]) for kind in links]),
        clips=pa.table(
            {
                "row": np.arange(len(clips["start"])),
                "encounter": clips["number"],
                "true_start": _instants(clips["start"]),
                "true_end": _instants(clips["end"]),
                "reference_is": _labelled(clips["tagged"], [TAGS[i] for i in range(3)]).cast(pa.string()),
                "on_record": np.isin(clips["number"], shown),
            }
        ),
        links=pa.concat_tables([_links_truth(kind, columns[kind], clips, links[kind]) for kind in links]),
        persons=_persons_truth(columns["search"]),
        clocks={system: round(noise.clock.get(system, 0)) for system in SYSTEMS},
        noise=described(noise),
    )


def _instants(seconds: np.ndarray) -> pa.Array:
    return pa.array(seconds).cast(pa.timestamp("s", tz="UTC"))


def _links(records: Columns, clips: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Rows of records and of the clips, still kept, that show them."""
    kept = np.flatnonzero(clips["deleted"] == 0)
    kept = kept[np.argsort(clips["number"][kept], kind="stable")]
    numbers = clips["number"][kept]
    first, end = (np.searchsorted(numbers, records["number"], side=side) for side in ("left", "right"))
    row = np.repeat(np.arange(len(first)), end - first)
    within = np.arange(len(row)) - np.repeat(np.cumsum(end - first) - (end - first), end - first)
    return row, kept[np.repeat(first, end - first) + within]


def _records_truth(kind: str, records: Columns, clips: Columns, links: tuple[np.ndarray, np.ndarray]) -> pa.Table:
    row, clip = links
    n = len(records["number"])
    length = clips["end"][clip] - clips["start"][clip]
    running = clips["start"][clip] <= records["true_time"][row]
    return pa.table(
        {
            "kind": pa.array([kind]).take(pa.array(np.zeros(n, int))),
            "row": np.arange(n),
            "encounter": records["number"],
            "true_time": _instants(records["true_time"]),
            "footage": _labelled(records["why"], WHY).cast(pa.string()),
            "n_clips": np.bincount(row, minlength=n),
            "seconds": np.bincount(row, weights=length, minlength=n).astype(np.int64),
            "from_start": np.bincount(row[running], minlength=n) > 0,
        }
    )


def _links_truth(kind: str, records: Columns, clips: Columns, links: tuple[np.ndarray, np.ndarray]) -> pa.Table:
    row, clip = links
    tagged = clips["tagged"][clip] == RIGHT
    own = clips["officer"][clip] == records["officer"][row]
    return pa.table(
        {
            "kind": pa.array([kind]).take(pa.array(np.zeros(len(row), int))),
            "row": row,
            "clip": clip,
            "by": _labelled(np.select([tagged, own], [0, 1], 2), BY).cast(pa.string()),
        }
    )


def _persons_truth(searches: Columns) -> pa.Table:
    person, n = np.unique(searches["person"][searches["person"] >= 0], return_counts=True)
    words = [TEXTS["person"](number) for number in person.tolist()]
    return pa.table({"person": pa.array(words, pa.string()), "searches": n, "known": person < ANYONE})
