"""The second public door: who was searched, for figures that are about people and not about searches.

A tally counts searches, and cannot say how many people they were: somebody searched in April and again in May stands in
both months' tallies once. What merges is the searches of *each person*, by the keyed hash of the person. So a person
tally holds one entry a person and cell beside an ordinary tally of the same records. It names nobody, but it is about
single people: it is made to be counted, not to be published or kept.

A person is a key *within a force*. Two forces number people each in its own way, and hash with keys of their own: the
same person met by two forces is two people here, and cannot be matched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.batches import hours_of, labels_of, open_codes
from disprop.codelists import code_lookup, force_code
from disprop.coverage import Coverage, covered_only
from disprop.errors import BalanceError, MultiChoiceError, UnitMismatch
from disprop.months import month_label
from disprop.plan import apply_rules, as_source, make_request, tally, wanted_axes
from disprop.records import HOUR, AxisSpec, Source
from disprop.tallies import Axis, Tally

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PERSON = "person"


@dataclass(frozen=True)
class Meetings:
    """How often each person stands in each cell: `cell` (position over some axes) and `n` records, one entry a person
    and cell."""

    cell: np.ndarray
    n: np.ndarray

    def people(self, cells: int) -> np.ndarray:
        """People in each of the cells."""
        return np.bincount(self.cell, minlength=cells)

    def records(self, cells: int) -> np.ndarray:
        """Records of theirs in each of the cells."""
        return _sums(self.cell, self.n, cells)

    def squares(self, cells: int) -> np.ndarray:
        """Sum of m^2 over the people of each cell, m their records in it."""
        return _sums(self.cell, self.n**2, cells)

    def repeats(self, cells: int) -> np.ndarray:
        """Records of people who have more than one in the cell."""
        return _sums(self.cell, np.where(self.n > 1, self.n, 0), cells)


@dataclass(frozen=True, eq=False)
class PersonTally:
    """An ordinary tally, and the records of each person in each of its cells.

    counted: all records, with a person key or without. person, cell, n: one entry a person (uint64) and cell (position
    in the flattened cells of `counted`), ascending by cell and person; `n` is the person's records there.
    key_ids: force -> identifier of the key that its persons were hashed with, where the source says.

    Raises BalanceError when a cell has more records of persons than records.
    """

    counted: Tally
    person: np.ndarray
    cell: np.ndarray
    n: np.ndarray
    key_ids: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.without_key < 0).any():
            raise BalanceError("a cell has more records of persons than records; this is a defect, please report it")

    @property
    def without_key(self) -> np.ndarray:
        """Records that name no person, by cell; shape as `counted.counts`."""
        keyed = _sums(self.cell, self.n, self.counted.counts.size)
        return np.asarray(self.counted.counts - keyed.reshape(self.counted.counts.shape))

    def __repr__(self) -> str:
        people = len(np.unique(np.stack([self._positions("force").astype(np.uint64), self.person]), axis=1).T)
        return f"<PersonTally of {people:,} people: {self.counted!r}>"

    def __add__(self, other: PersonTally) -> PersonTally:
        """Both, a person of both sides being one; raises what adding two tallies raises, and UnitMismatch where the
        same force hashed its persons with two different keys."""
        for force in {*self.key_ids} & {*other.key_ids}:
            if self.key_ids[force] != other.key_ids[force]:
                raise UnitMismatch(
                    f"persons of {force} were hashed with two keys ({self.key_ids[force]} and {other.key_ids[force]}): "
                    "nobody on one side can be found on the other; read both with one key"
                )
        counted = self.counted + other.counted
        entries = [_entries(side.person, _moved(side, counted), side.n) for side in (self, other)]
        return PersonTally(counted, *_entries(*map(np.concatenate, zip(*entries))), {**self.key_ids, **other.key_ids})

    # Looking ---------------------------------------------------------------------------------------------------------

    def meetings(self, by: Sequence[str], *, among: Sequence[tuple[str, Sequence[str]]] = ()) -> Meetings:
        """Records of each person in each cell of the axes `by`, in this order, months and all else put together.

        among: (axis, codes): only the records with these codes.
        """
        axes = [self.counted.axis(name) for name in by]
        cell = np.ravel_multi_index([self._positions(name) for name in by], [len(axis) for axis in axes]) if by else 0
        cell = np.broadcast_to(np.asarray(cell, dtype=np.int64), self.n.shape)
        keep = np.ones(len(self.n), dtype=bool)
        for name, codes in among:
            keep &= np.isin(self.counted.axis(name).codes, codes)[self._positions(name)]
        force, person = self._positions("force")[keep], self.person[keep]
        order = np.lexsort((person, force, cell[keep]))
        cells, force, person = cell[keep][order], force[order], person[order]
        first = _first_of_each(cells, force, person)
        return Meetings(cells[first], _sums(np.cumsum(first) - 1, self.n[keep][order], int(first.sum())))

    def by_times(self, by: Sequence[str] = ()) -> pd.DataFrame:
        """How many people were searched once, twice, ...: a row a cell of `by` and number of times, with `people` and
        `searches`. Times are counted inside the cell."""
        import pandas as pd

        met = self.meetings(by)
        pairs, people = np.unique(np.stack([met.cell, met.n]), axis=1, return_counts=True)
        at = np.unravel_index(pairs[0], [len(self.counted.axis(name)) for name in by]) if by else ()
        groups = {name: np.array(self.counted.axis(name).codes, dtype=object)[i] for name, i in zip(by, at)}
        return pd.DataFrame({**groups, "times_searched": pairs[1], "people": people, "searches": pairs[1] * people})

    def _positions(self, name: str) -> np.ndarray:
        """Position on an axis of each entry."""
        return _positions(self.counted, self.cell, name)

    # Cutting ---------------------------------------------------------------------------------------------------------

    def select(self, **codes: str | Sequence[str]) -> PersonTally:
        """Only the records with these codes, as `Tally.select`; people are those who are left."""
        return self._cut(self.counted.select(**codes))

    def between(self, first: str, last: str) -> PersonTally:
        """Only the analysis months of a period, both ends included."""
        return self._cut(self.counted.between(first, last))

    def covered_only(self, cover: Coverage) -> PersonTally:
        """Only the records of covered force-months; see `disprop.coverage.covered_only`."""
        return self._cut(covered_only(self.counted, cover), used=cover.covered)

    def _cut(self, counted: Tally, used: np.ndarray | None = None) -> PersonTally:
        """The entries that have a place in a tally of fewer records; `used` says of which forces and months."""
        cell = _moved(self, counted)
        keep = cell >= 0
        if used is not None:
            force, month = (_positions(counted, np.maximum(cell, 0), name) for name in ("force", "month"))
            keep &= used[force, month]
        return PersonTally(counted, *_entries(self.person[keep], cell[keep], self.n[keep]), self.key_ids)


def person_tally(
    source: Any,
    by: Sequence[str] = (),
    *,
    force: str | Sequence[str] | None = None,
    period: tuple[str, str] | None = None,
    vehicle_only: bool = False,
) -> PersonTally:
    """Records counted by the axes named, and the records of each person: for figures about people.

    A person counts inside the period asked and inside one force. Records without a person key are counted and kept
    apart: each could be a person not met before, or one who was. Public files have no person keys: there nobody can be
    told from anybody.

    Arguments and errors as `disprop.tally`; MultiChoiceError for an axis of items.

    >>> import disprop as dp
    >>> made = dp.synthetic.make_encounters(months=["2023-04", "2023-05"])
    >>> people = person_tally(made.source("search"), by=["ethnicity_self"])
    >>> people.by_times().head(3)
       times_searched  people  searches
    0               1    3225      3225
    1               2      41        82
    2               3       8        24
    """
    records, request = as_source(source), make_request(force, period, vehicle_only)
    specs = wanted_axes(by, records.kind)
    for spec in specs:
        if spec.multi:
            raise MultiChoiceError(f"a record has several items of {spec.name}: people cannot be parted by it")
    counted = tally(records, by, force=force, period=period, vehicle_only=vehicle_only)
    columns = {spec.column for spec in specs} | {"force", "month", "search_type", PERSON}
    none = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    found = [none]
    for batch in records.batches(columns):
        kept, _ = apply_rules(batch, request, records.scheme)
        found.append(_batch_entries(kept, counted, specs, records))
    entries = _entries(*map(np.concatenate, zip(*found)))
    key_id = getattr(records, "key_id", "")
    return PersonTally(counted, *entries, dict.fromkeys(counted.axis("force").codes, key_id) if key_id else {})


def names_people(records: Any) -> bool:
    """Whether a source has a column that says who was met, as far as it says so (`columns`) before it is read.

    >>> import disprop as dp
    >>> names_people(dp.synthetic.make_encounters(months=["2023-06"]).source("search"))
    True
    >>> names_people(dp.read_frame(dp.synthetic.make_records(months=["2023-06"])))
    False
    """
    return PERSON in getattr(records, "columns", ())


Entries = tuple[np.ndarray, np.ndarray, np.ndarray]


def _batch_entries(batch: pa.RecordBatch, counted: Tally, specs: Sequence[AxisSpec], records: Source) -> Entries:
    """Person, cell and number of records of the rows that name a person."""
    if batch.num_rows == 0 or PERSON not in batch.schema.names:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    person = batch[PERSON].fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
    by_name = {spec.name: spec for spec in specs}
    places = [_places(batch, axis, by_name.get(axis.name), records.scheme) for axis in counted.axes]
    cell = np.ravel_multi_index(places, counted.counts.shape)
    known = person != 0
    return _entries(person[known], cell[known], np.ones(int(known.sum()), dtype=np.int64))


def _places(batch: pa.RecordBatch, axis: Axis, spec: AxisSpec | None, scheme: str) -> np.ndarray:
    """Position on the axis of each row."""
    if axis.name == "month":
        months, at = np.unique(batch["month"].to_numpy(zero_copy_only=False), return_inverse=True)
        return np.array([axis.index(month_label(month)) for month in months.tolist()], dtype=np.int64)[at]
    if spec is None:
        codes, at = labels_of(batch, "force")
        return np.array([axis.index(force_code(str(code))) for code in codes], dtype=np.int64)[at]
    if spec.is_open:
        opened, at = open_codes(batch, spec)
        return np.array([axis.codes.index(code) if code in axis.codes else -1 for code in opened], dtype=np.int64)[at]
    vocabulary, at = hours_of(batch) if spec.codelist == HOUR else labels_of(batch, spec.column)
    return code_lookup(spec.codelist, scheme, [None, *vocabulary])[at + 1].astype(np.int64)


def _entries(person: np.ndarray, cell: np.ndarray, n: np.ndarray) -> Entries:
    """Entries in order of cell and person, each pair once."""
    order = np.lexsort((person, cell))
    person, cell = person[order], cell[order]
    first = _first_of_each(cell, person)
    return person[first], cell[first], _sums(np.cumsum(first) - 1, n[order], int(first.sum()))


def _positions(of: Tally, cell: np.ndarray, name: str) -> np.ndarray:
    """Position on an axis of cells given by their place in the flattened tally."""
    shape = tuple(len(axis) for axis in of.axes)
    if cell.size == 0:
        return np.zeros(0, dtype=np.int64)
    return np.unravel_index(cell, shape)[of.names.index(of.axis(name).name)]


def _moved(of: PersonTally, to: Tally) -> np.ndarray:
    """Where the cell of each entry lies in another tally with the same axes; -1 where it has no such cell."""
    if not len(of.cell):
        return of.cell
    places, gone = [], np.zeros(len(of.cell), dtype=bool)
    for there in to.axes:
        codes = of.counted.axis(there.name).codes
        lookup = np.array([there.codes.index(code) if code in there.codes else -1 for code in codes], dtype=np.int64)
        place = lookup[of._positions(there.name)]
        gone |= place < 0
        places.append(np.maximum(place, 0))
    if gone.all():
        return np.full(len(gone), -1, dtype=np.int64)
    return np.where(gone, -1, np.ravel_multi_index(places, [len(axis) for axis in to.axes]))


def _first_of_each(*columns: np.ndarray) -> np.ndarray:
    """Whether a row differs from the one before, in sorted columns."""
    first = np.ones(len(columns[0]), dtype=bool)
    first[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return first


def _sums(at: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Whole-number sums of values by position."""
    out = np.zeros(size, dtype=np.int64)
    np.add.at(out, at, values)
    return out
