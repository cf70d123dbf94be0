"""Reports, incidents and people: what is counted through keys, and force joined to the searches it was used in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
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

GUESSED = "at least: reports of one minute and one local authority are taken for one incident"
GUESS = "minute and local authority"
"""What stands for a key where incidents are guessed."""
WITHOUT = {
    "incidents": "an incident: incident_tally(..., guess=True), or --guess, gives a lower bound",
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
    cell it has reports in. Reports without an incident's key are kept apart. Where no report has one, `guess=True`
    takes reports of one minute in one local authority for one incident: two incidents may be taken for one, so that
    this is a lower bound and never the figure.

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
    changed.key_id = GUESS if guess else changed.key_id
    return person_tally(changed, by, **asked)


def incidents(counted: PersonTally, *, by: Sequence[str] | None = None) -> pd.DataFrame:
    """How many incidents the reports are of: a count beside the reports, never in their place.

    Reports without a key bound it. Where the incidents were guessed (`incident_tally(..., guess=True)`) there is no
    figure, only the lower bound, and the reports themselves as the upper one. Rows need not add up: an incident on two
    people of two groups is one in each row.

    Numerator: incidents; denominator: reports that name one. Columns as in `disprop.results.COLUMNS`.

    >>> import disprop as dp
    >>> reports = dp.synthetic.make_encounters(months=["2023-04"]).source("force_report")
    >>> incidents(incident_tally(reports))[["measure", "numerator", "denominator", "unit"]]
         measure  numerator  denominator       unit
    0  incidents      627.0        809.0  incidents
    """
    rows = people_searched(counted, by=by)
    guessed = GUESS in counted.key_ids.values()
    return _relabelled(rows, "incidents", "incidents", guessed=guessed)


def people_subject_to_force(counted: PersonTally, *, by: Sequence[str] | None = None) -> pd.DataFrame:
    """How many people force was used on: a count beside the reports. counted: `person_tally` of force reports.

    Otherwise as `people_searched`.

    >>> import disprop as dp
    >>> reports = dp.synthetic.make_encounters(months=["2023-04"]).source("force_report")
    >>> people_subject_to_force(dp.person_tally(reports))[["measure", "numerator", "denominator", "unit"]]
                       measure  numerator  denominator    unit
    0  people_subject_to_force      623.0        809.0  people
    """
    return _relabelled(people_searched(counted, by=by), "people_subject_to_force", "people", guessed=False)


def _relabelled(rows: pd.DataFrame, measure: str, unit: str, *, guessed: bool) -> pd.DataFrame:
    rows = rows.assign(measure=measure, unit=unit)
    rows["flag"] = [flag.replace(NO_KEY, f"no report names {WITHOUT[measure]}") for flag in rows["flag"]]
    if guessed:
        rows["estimate"] = np.nan
        rows["flag"] = [join_flags(flag, GUESSED) for flag in rows["flag"]]
    return rows


def _incident_key(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The incident's key as the person's, which is what is counted."""
    import pyarrow as pa

    key = batch["incident"] if "incident" in batch.schema.names else pa.nulls(batch.num_rows, pa.uint64())
    return _with(batch, "person", key)


def _guessed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A key made of the minute and the local authority of each report; none where either is blank."""
    import pyarrow as pa

    place, known = _places(batch)
    seconds, dated = _seconds(batch)
    known = known & dated
    key = (seconds // 60).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ place
    return _with(batch, "person", pa.array(np.where(known, key, np.uint64(0)), pa.uint64(), mask=~known))


_NEEDED: dict[bool, tuple[str, ...]] = {False: ("incident",), True: ("event_time", "area")}


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

    A report counts where "Effect search" is among its reasons. It belongs to a search that quotes the same reference;
    else to searches of one of its officers within `window` seconds: then two searches close in time share it. A search
    without a reference, and without officer or time, cannot be joined: blank. Keys must be of one secret.

    searches, reports: sources of kinds search and force_report, for instance two stores.
    Raises UnitMismatch for other kinds, UsageError where the keys are of two secrets.

    >>> import disprop as dp
    >>> made = dp.synthetic.make_encounters(months=["2023-04"])
    >>> searches = dp.tally(with_force_used(made.source("search"), made.source("force_report")), by=["force_used"])
    >>> {code: searches[{"force_used": code}] for code in searches.axis("force_used").codes}
    {'by reference': 260, 'by officer and time': 6, 'no report': 1328, 'blank': 0, 'unmapped': 0}
    """
    of, by = as_source(searches), as_source(reports)
    if (of.kind, by.kind) != ("search", "force_report"):
        raise UnitMismatch(f"searches and force reports are wanted; these are {of.unit} and {by.unit}")
    ids = {getattr(side, "key_id", "") for side in (of, by)} - {""}
    if len(ids) > 1:
        raise UsageError("searches and reports were hashed with two keys: nothing can be joined; read both with one")
    found = _Reports.of(by)
    change = lambda batch: _with(batch, "force_used", found.of_searches(batch, window))  # noqa: E731
    return _Changed(of, change, ("reference", "officer", "other_officer", "event_time"), "force_used")


@dataclass(frozen=True)
class _Reports:
    """Reports of force to effect a search: their references, and officer and time of each, in order."""

    references: np.ndarray
    officers: np.ndarray
    moments: np.ndarray

    @staticmethod
    def of(source: Any) -> _Reports:
        references, officers, times = [_NO_KEYS], [_NO_KEYS], [np.zeros(0, np.int64)]
        for batch in source.batches({"reference", "officer", "other_officer", "event_time", "reasons"}):
            batch = _to_effect_search(batch, source.scheme)
            seconds, dated = _seconds(batch)
            references.append(_keys(batch, "reference"))
            for name in ("officer", "other_officer"):
                key = _keys(batch, name)
                officers.append(key[dated & (key > 0)])
                times.append(seconds[dated & (key > 0)])
        known = np.unique(np.concatenate(officers))
        moments = _moment(known, np.concatenate(officers), np.concatenate(times))
        quoted = np.unique(np.concatenate(references))
        return _Reports(quoted[quoted > 0], known, np.sort(moments))

    def of_searches(self, batch: pa.RecordBatch, window: int) -> pa.DictionaryArray:
        """How each search of a batch is joined, null where nothing could join it."""
        import pyarrow as pa

        reference, (seconds, dated) = _keys(batch, "reference"), _seconds(batch)
        quoted = np.isin(reference, self.references)
        near, able = np.zeros(batch.num_rows, bool), reference > 0
        for name in ("officer", "other_officer"):
            key = _keys(batch, name)
            able |= dated & (key > 0)
            at = np.isin(key, self.officers) & dated
            low, high = (_moment(self.officers, key[at], seconds[at] + shift) for shift in (-window, window))
            near[at] |= np.searchsorted(self.moments, low) < np.searchsorted(self.moments, high, side="right")
        how = np.where(quoted, 0, np.where(near, 1, 2)).astype(np.int32)
        return pa.DictionaryArray.from_arrays(pa.array(how, mask=~able), pa.array(JOINED_BY, pa.string()))


_NO_KEYS = np.zeros(0, np.uint64)
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
