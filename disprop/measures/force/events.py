"""Reports, incidents and people: what is counted through keys, and force joined to the searches it was used in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.codelists import code_lookup, codelist
from disprop.errors import UnitMismatch, UsageError
from disprop.measures.persons import NO_KEY, people_searched
from disprop.persons import PersonTally, person_tally
from disprop.plan import as_source
from disprop.provenance import Account
from disprop.records import split_items
from disprop.results import join_flags

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

GUESSED = (
    "incidents where named, else distinct days, times and places: "
    "a sensitivity, neither a count of incidents nor a bound"
)
GUESS = "or time and place"
"""What stands for a key where an incident is not named."""
WITHOUT = {
    "incidents": "an incident: incident_tally(..., guess=True), or --guess, gives distinct times and places, no bound",
    "incidents_sensitivity": "an incident, or a time and a local authority",
    "people_subject_to_force": "a person",
}
OTHER_FORCE = "other force too"
NO_FORCE = "no force"
WINDOW = 30 * 60
"""Seconds by which a report's time may differ from its search's."""
JOINED_BY = ("by reference", "by officer and time", "no report")


# Incidents and people ------------------------------------------------------------------------------------------------


def incident_tally(records: Any, by: Sequence[str] = (), *, guess: bool = False, **asked: Any) -> PersonTally:
    """Force reports counted by the axes named, and the reports of each incident: as `person_tally`, of incidents.

    An incident may have several reports: one for each officer and person. It counts inside one force, and in each
    cell it has reports in. Reports without an incident's key are kept apart. `guess=True` takes those of them that
    have one minute and one local authority for one incident. That errs both ways: two incidents of a minute are taken
    for one, and one incident whose officers state different minutes for several. It shows how far the figure could
    lie from the number of reports, and bounds nothing; nor would days in the minute's place, since an incident may
    run past midnight or over a boundary.

    asked: force and period as in `disprop.tally`.

    >>> import disprop as dp
    >>> reports = dp.synthetic.make_encounters(months=["2023-04"]).source("force_report")
    >>> incident_tally(reports).counted
    <Tally of 809 force reports: force (1) x month (1); 1 parts>
    """
    source = as_source(records)
    if source.kind != "force_report":
        raise UnitMismatch(f"incidents are of force reports; these are {source.unit}")
    changed = _Changed(source, _guessed if guess else _incident_key, _NEEDED[guess])
    changed.key_id += f" {GUESS}" if guess else ""
    return person_tally(changed, by, **asked)


def incidents(counted: PersonTally, *, by: Sequence[str] | None = None) -> pd.DataFrame:
    """How many incidents the reports are of: a count beside the reports, never in their place.

    Reports without a key bound it. Of `incident_tally(..., guess=True)` there is neither figure nor bound: the rows are
    a sensitivity under a name of its own, `incidents_sensitivity`, with the distinct times and places as numerator.
    Rows need not add up: an incident on two people of two groups is one in each row.

    Numerator: incidents; denominator: reports that name one. Columns as in `disprop.results.COLUMNS`.

    >>> import disprop as dp
    >>> reports = dp.synthetic.make_encounters(months=["2023-04"]).source("force_report")
    >>> incidents(incident_tally(reports))[["measure", "numerator", "denominator", "unit"]]
         measure  numerator  denominator       unit
    0  incidents      627.0        809.0  incidents
    """
    rows = people_searched(counted, by=by)
    if not any(key_id.endswith(GUESS) for key_id in counted.key_ids.values()):
        return _relabelled(rows, "incidents", "incidents")
    rows = _relabelled(rows, "incidents_sensitivity", "distinct times and places")
    rows[["estimate", "bound_low", "bound_high"]] = np.nan
    rows["flag"] = [join_flags(flag, GUESSED) for flag in rows["flag"]]
    return rows


def people_subject_to_force(counted: PersonTally, *, by: Sequence[str] | None = None) -> pd.DataFrame:
    """How many people force was used on: a count beside the reports. counted: `person_tally` of force reports.

    Otherwise as `people_searched`.

    >>> import disprop as dp
    >>> reports = dp.synthetic.make_encounters(months=["2023-04"]).source("force_report")
    >>> people_subject_to_force(dp.person_tally(reports))[["measure", "numerator", "denominator", "unit"]]
                       measure  numerator  denominator    unit
    0  people_subject_to_force      623.0        809.0  people
    """
    return _relabelled(people_searched(counted, by=by), "people_subject_to_force", "people")


def _relabelled(rows: pd.DataFrame, measure: str, unit: str) -> pd.DataFrame:
    rows = rows.assign(measure=measure, unit=unit)
    rows["flag"] = [flag.replace(NO_KEY, f"no report names {WITHOUT[measure]}") for flag in rows["flag"]]
    return rows


def _incident_key(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The incident's key as the person's, which is what is counted."""
    import pyarrow as pa

    key = batch["incident"] if "incident" in batch.schema.names else pa.nulls(batch.num_rows, pa.uint64())
    return _with(batch, "person", key)


def _guessed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The incident's key; without one a key of the minute and the local authority; none where either is blank."""
    import pyarrow as pa

    named = _keys(batch, "incident")
    place, placed = _places(batch)
    seconds, dated = _seconds(batch)
    known = (named > 0) | (placed & dated)
    key = np.where(named > 0, named, (seconds // 60).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ place)
    return _with(batch, "person", pa.array(np.where(known, key, np.uint64(0)), pa.uint64(), mask=~known))


_NEEDED: dict[bool, tuple[str, ...]] = {False: ("incident",), True: ("incident", "event_time", "area")}


def _places(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """A number for the local authority of each row, the same in every batch, and whether it is known."""
    if "area" not in batch.schema.names:
        return np.zeros(batch.num_rows, np.uint64), np.zeros(batch.num_rows, bool)
    words = [*batch["area"].dictionary.to_pylist(), ""]
    numbers = [int.from_bytes(blake2b(word.encode(), digest_size=8).digest()) for word in words]
    at = batch["area"].indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.array(numbers, dtype=np.uint64)[at], at >= 0


def _seconds(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """Seconds UTC of each row's instant, and whether it has one."""
    import pyarrow as pa

    if "event_time" not in batch.schema.names:
        return np.zeros(batch.num_rows, np.int64), np.zeros(batch.num_rows, bool)
    times = batch["event_time"]
    stamps = times.cast(pa.timestamp("s", times.type.tz)).cast(pa.int64())
    return stamps.fill_null(0).to_numpy(zero_copy_only=False), times.is_valid().to_numpy(zero_copy_only=False)


def _keys(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """A key column, 0 for none."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, np.uint64)
    return batch[name].fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)


def _with(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    """The batch with a column in place of one of that name."""
    if name in batch.schema.names:
        batch = batch.drop_columns([name])
    return batch.append_column(name, column)


@dataclass
class _Changed:
    """The records of `source`, each batch changed; a `records.Source`. `needed` are columns that the change reads.

    A change may leave rows out: those are excluded by `rules`, which the change counts in.
    """

    source: Any
    change: Callable[[pa.RecordBatch], pa.RecordBatch]
    needed: Collection[str] = ()
    made: str = "person"
    rules: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kind, self.unit = self.source.kind, self.source.unit
        self.dataset, self.scheme = self.source.dataset, self.source.scheme
        self.key_id = getattr(self.source, "key_id", "")

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        self.rules.clear()
        for batch in self.source.batches(None if columns is None else (columns - {self.made}) | {*self.needed}):
            changed = self.change(batch)
            if changed.num_rows:
                yield changed

    @property
    def parts(self) -> np.ndarray:
        parts: np.ndarray = self.source.parts
        return parts

    @property
    def account(self) -> Account:
        account: Account = self.source.account
        return account + Account(excluded=dict(self.rules))


# One tactic alone ----------------------------------------------------------------------------------------------------


def only_tactic(records: Any, tactic: str = "Compliant handcuffing") -> Any:
    """A source of the force reports whose only force was one tactic; the others are excluded, by name.

    Tactical communication beside it is not force; a tactic that is not understood, or handcuffing not stated, is.

    >>> import disprop as dp, pandas as pd
    >>> rows = {"month": ["2023-04"] * 3, "tactics": ["Compliant handcuffing | Tactical communication",
    ...         "Compliant handcuffing | Ground restraint", "Tactical communication"]}
    >>> reports = dp.read_frame(pd.DataFrame(rows), force="kent", kind="force_report")
    >>> dp.tally(only_tactic(reports), by=[]).account.excluded
    {'no force': 1, 'other force too': 1}
    """
    source = as_source(records)
    if source.kind != "force_report":
        raise UnitMismatch(f"tactics are of force reports; these are {source.unit}")
    codelist("tactic").index(tactic)
    rules: dict[str, int] = {}
    return _Changed(source, lambda batch: _alone(batch, tactic, source.scheme, rules), ("tactics",), "", rules)


def _alone(batch: pa.RecordBatch, tactic: str, scheme: str, rules: dict[str, int]) -> pa.RecordBatch:
    import pyarrow as pa

    column = batch["tactics"]
    sets = [_force_items(label, scheme) for label in [*column.dictionary.to_pylist(), None]]
    at = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    keep = np.array([items == {tactic} for items in sets])[at]
    empty = np.array([not items for items in sets])[at]
    for rule, rows in ((NO_FORCE, empty), (OTHER_FORCE, ~empty & ~keep)):
        if rows.any():
            rules[rule] = rules.get(rule, 0) + int(rows.sum())
    return batch.filter(pa.array(keep))


def _force_items(label: str | None, scheme: str) -> set[str]:
    """Codes of the force in a set of tactics."""
    this = codelist("tactic")
    codes = {this.codes[at] for at in code_lookup("tactic", scheme, split_items(label)).tolist()}
    return {code for code in codes if code in this.groups or code == "unmapped"}


# Searches and the force used in them ---------------------------------------------------------------------------------


def with_force_used(searches: Any, reports: Any, *, window: int = WINDOW) -> Any:
    """The searches with the column `force_used`: whether a report of force to effect a search belongs to each.

    A report counts where "Effect search" is among its reasons. One with a reference belongs to the searches that quote
    it, and to no other, however near. One without belongs to the search of one of its officers within `window` seconds,
    where there is one alone; where several are so near, which of them it was is not known, and each is blank unless
    another report belongs to it. A search without a reference, and without officer or time, cannot be joined: blank.
    So a report joins one search by officer and time, or none. Keys must be of one secret.

    searches, reports: sources of kinds search and force_report, for instance two stores.
    Raises UnitMismatch for other kinds, UsageError where the keys are of two secrets.

    >>> import disprop as dp
    >>> made = dp.synthetic.make_encounters(months=["2023-04"])
    >>> searches = dp.tally(with_force_used(made.source("search"), made.source("force_report")), by=["force_used"])
    >>> {code: searches[{"force_used": code}] for code in searches.axis("force_used").codes}
    {'by reference': 260, 'by officer and time': 0, 'no report': 1334, 'blank': 0, 'unmapped': 0}
    """
    of, by = as_source(searches), as_source(reports)
    if (of.kind, by.kind) != ("search", "force_report"):
        raise UnitMismatch(f"searches and force reports are wanted; these are {of.unit} and {by.unit}")
    ids = {getattr(side, "key_id", "") for side in (of, by)} - {""}
    if len(ids) > 1:
        raise UsageError("searches and reports were hashed with two keys: nothing can be joined; read both with one")
    found = _Reports.of(by, of, window)

    def change(batch: pa.RecordBatch) -> pa.RecordBatch:
        return _with(batch, "force_used", found.of_searches(batch, window))

    return _Changed(of, change, _JOINING, "force_used")


_JOINING = ("reference", "officer", "other_officer", "event_time")


@dataclass(frozen=True)
class _Attended:
    """Who was at which record, and when: one entry a record and officer of it. Records without a time have none."""

    record: np.ndarray
    officer: np.ndarray
    second: np.ndarray

    @staticmethod
    def of(batches: Iterable[pa.RecordBatch]) -> _Attended:
        found, before = [(_NONE, _NO_KEYS, _NONE)], 0
        for batch in batches:
            seconds, dated = _seconds(batch)
            for name in ("officer", "other_officer"):
                key = _keys(batch, name)
                at = np.flatnonzero(dated & (key > 0))
                found.append((before + at, key[at], seconds[at]))
            before += batch.num_rows
        return _Attended(*map(np.concatenate, zip(*found)))

    def near(self, other: _Attended, window: int) -> np.ndarray:
        """For each entry, how many records of `other` one of its record's officers attended within the window."""
        known = np.unique(self.officer)
        at = np.flatnonzero(np.isin(other.officer, known))
        moments = _moment(known, other.officer[at], other.second[at])
        order = np.argsort(moments)
        low, high = (_moment(known, self.officer, self.second + shift) for shift in (-window, window))
        first, last = np.searchsorted(moments[order], low), np.searchsorted(moments[order], high, side="right")
        n = last - first
        place = np.arange(n.sum()) + np.repeat(first - np.cumsum(n) + n, n)
        pairs = np.unique(np.stack([np.repeat(self.record, n), other.record[at][order][place]]), axis=1)
        return np.bincount(pairs[0], minlength=self.record.max(initial=-1) + 1)[self.record]


@dataclass(frozen=True)
class _Reports:
    """Reports of force to effect a search: references; and of those without one officer and time, in order.

    sure: moments of reports near one search alone; unsure: of reports near several.
    """

    references: np.ndarray
    officers: np.ndarray
    sure: np.ndarray
    unsure: np.ndarray

    @staticmethod
    def of(reports: Any, searches: Any, window: int) -> _Reports:
        references, without = [_NO_KEYS], []
        for batch in reports.batches({*_JOINING, "reasons"}):
            batch = _to_effect_search(batch, reports.scheme)
            quoted = _keys(batch, "reference")
            references.append(quoted[quoted > 0])
            without.append(batch.filter(quoted == 0))
        nameless = _Attended.of(without)
        near = nameless.near(_Attended.of(searches.batches({*_JOINING})), window)
        known = np.unique(nameless.officer)
        moments = _moment(known, nameless.officer, nameless.second)
        return _Reports(
            np.unique(np.concatenate(references)), known, np.sort(moments[near == 1]), np.sort(moments[near > 1])
        )

    def of_searches(self, batch: pa.RecordBatch, window: int) -> pa.DictionaryArray:
        """How each search of a batch is joined, null where nothing could join it or where it is one of several."""
        import pyarrow as pa

        reference, (seconds, dated) = _keys(batch, "reference"), _seconds(batch)
        quoted, able = np.isin(reference, self.references), reference > 0
        sure, unsure = np.zeros(batch.num_rows, bool), np.zeros(batch.num_rows, bool)
        for name in ("officer", "other_officer"):
            key = _keys(batch, name)
            able |= dated & (key > 0)
            at = np.isin(key, self.officers) & dated
            low, high = (_moment(self.officers, key[at], seconds[at] + shift) for shift in (-window, window))
            for found, moments in ((sure, self.sure), (unsure, self.unsure)):
                found[at] |= np.searchsorted(moments, low) < np.searchsorted(moments, high, side="right")
        how = np.where(quoted, 0, np.where(sure, 1, 2)).astype(np.int32)
        blank = ~able | (unsure & (how == 2))
        return pa.DictionaryArray.from_arrays(pa.array(how, mask=blank), pa.array(JOINED_BY, pa.string()))


_NO_KEYS, _NONE = np.zeros(0, np.uint64), np.zeros(0, np.int64)
_SPAN = 1 << 33
"""More seconds than any instant has."""


def _moment(known: np.ndarray, officers: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Officer and second as one number, in order of both."""
    return np.searchsorted(known, officers).astype(np.int64) * _SPAN + seconds


def _to_effect_search(batch: pa.RecordBatch, scheme: str) -> pa.RecordBatch:
    import pyarrow as pa

    if "reasons" not in batch.schema.names:
        return batch.slice(0, 0)
    column, wanted = batch["reasons"], codelist("force_reason").index("Effect search")
    labels: Sequence[str | None] = [*column.dictionary.to_pylist(), None]
    has = np.array([wanted in code_lookup("force_reason", scheme, split_items(label)) for label in labels])
    at = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return batch.filter(pa.array(has[at]))
