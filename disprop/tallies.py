"""The tally: named axes x int64 counts, with a unit and the parts it was made from.

A tally is a small, auditable, person-free summary that merges. Adding needs disjoint parts, equal units and equal
codelists; each is refused by name otherwise. Store counts, divide last: a tally never holds a rate.

Invariant, checked whenever a tally is made: rows read = counts in the cells + rows excluded by a named rule + rows
quarantined by reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop import cells as counting
from disprop import provenance
from disprop.axes import AREA, OPEN, Axis, area_axis, coded_axis, merged_axis, month_axis, open_axis
from disprop.cells import Counts, Keyed
from disprop.codelists import ANY, NONE, Crosswalk, crosswalk
from disprop.errors import (
    AxisMismatch,
    DispropError,
    InputRefused,
    MultiChoiceError,
    UnitMismatch,
    UsageError,
)
from disprop.months import month_label, month_number
from disprop.provenance import PART, Account

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AREA", "OPEN", "Axis", "Scope", "Tally", "area_axis", "coded_axis", "fold", "load", "month_axis", "open_axis",
    "period",
]  # fmt: skip

FORMAT = "disprop-tally-1"


@dataclass(frozen=True)
class Scope:
    """What was asked for: a period (first and last month, both included) and forces; None = all there is.

    Coverage is judged against the scope, so that a month that was asked for and never came is a hole, not a zero.
    """

    first: int | None = None
    last: int | None = None
    forces: tuple[str, ...] | None = None

    def __or__(self, other: Scope) -> Scope:
        return Scope(_both(min, self.first, other.first), _both(max, self.last, other.last), self._forces(other))

    def _forces(self, other: Scope) -> tuple[str, ...] | None:
        if self.forces is None or other.forces is None:
            return None
        return tuple(sorted({*self.forces, *other.forces}))


def _both(pick: Callable[[int, int], int], one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else pick(one, other)


def period(first: str, last: str) -> tuple[int, int]:
    """Month numbers of a period `YYYY-MM` to `YYYY-MM`, both included; raises UsageError when it runs backwards."""
    start, end = month_number(first), month_number(last)
    if end < start:
        raise UsageError(f"the period runs backwards: from {first} to {last}")
    return start, end


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts over named axes.

    On an axis of items (a record may have several tactics) a record counts once under each of its items and once under
    `any` or `none`; these two alone count records. Summing over items would count records twice and is refused;
    `records` gives the tally without the axis.

    `cells` are the counts: an array with one dimension an axis or, where cells are many and mostly 0, only those that
    are not (`disprop.cells`); nothing that a tally can do shows which. `counts` is always the array. `missing` (same
    shape, residents only) marks cells that have no denominator; unknown codes are not missing: nobody in a Census is
    blank, so their 0 is true.
    `vintage` names the population's source and year. `parts` says which submissions the counts come from.

    Raises DispropError at construction when the account does not balance with the cells.
    """

    axes: tuple[Axis, ...]
    cells: Counts
    unit: str
    kind: str = "search"
    parts: np.ndarray = field(default_factory=provenance.parts)
    account: Account = field(default_factory=Account)
    scope: Scope = field(default_factory=Scope)
    missing: np.ndarray | None = None
    vintage: str = ""

    def __post_init__(self) -> None:
        shape = tuple(len(axis) for axis in self.axes)
        dtype = (self.cells.n if isinstance(self.cells, Keyed) else self.cells).dtype
        if self.cells.shape != shape or dtype not in (np.int64, np.int32):
            raise DispropError(f"counts are {dtype} {self.cells.shape}; the axes want int64 {shape}")
        if self.account.counted != self.total:
            raise DispropError(
                f"the account does not balance: {self.account.read:,} rows read, {self.account.counted:,} should be "
                f"counted, {self.total:,} are; this is a defect, please report it"
            )

    # Looking -------------------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    @property
    def counts(self) -> np.ndarray:
        """Every cell, int64, one dimension an axis; raises UsageError where that would take more than 2 GiB."""
        return counting.dense(self.cells)

    @property
    def total(self) -> int:
        """Records counted, each once."""
        return counting.total(self._once(self.cells))

    def _once(self, cells: Counts, named: Collection[str] = ()) -> Counts:
        """Counts in which every record stands once: of axes of items that are not named, `any` and `none` alone."""
        for at, axis in enumerate(self.axes):
            if axis.is_multi and axis.name not in named:
                cells = counting.take(cells, [axis.index(ANY), axis.index(NONE)], at)
        return cells

    def axis(self, name: str) -> Axis:
        """The axis of that name; raises AxisMismatch when the tally was not counted by it."""
        return self.axes[self._at(name)]

    def _at(self, name: str) -> int:
        if name not in self.names:
            raise AxisMismatch(
                f"this tally has the axes {', '.join(self.names) or '(none)'}; {name} is wanted: tally by it"
            )
        return self.names.index(name)

    def __getitem__(self, key: Mapping[str, str]) -> int:
        """Total of the cells with these codes: `tally[{"ethnicity_self": "Black"}]`."""
        cells = self.cells
        for name, code in key.items():
            cells = counting.take(cells, [self.axis(name).index(code)], self._at(name))
        return counting.total(self._once(cells, key))

    def __repr__(self) -> str:
        shape = " x ".join(f"{axis.name} ({len(axis)})" for axis in self.axes)
        return f"<Tally of {self.total:,} {self.unit}: {shape or 'one cell'}; {len(self.parts)} parts>"

    def frame(self, *, zeros: bool = False) -> pd.DataFrame:
        """Long table: one column an axis and `n`; cells of 0 are left out unless `zeros`."""
        import pandas as pd

        where, n = counting.every(self.counts) if zeros else counting.nonzero(self.cells)
        columns = {a.name: np.array(a.codes, dtype=object)[i] for a, i in zip(self.axes, where)}
        return pd.DataFrame({**columns, "n": n})

    # Equality ------------------------------------------------------------------------------------------------------

    def difference(self, other: Tally) -> str | None:
        """The first difference in words, or None when both are the same tally."""
        for name in ("unit", "kind", "vintage", "scope", "account"):
            if getattr(self, name) != getattr(other, name):
                return f"{name}: {getattr(self, name)} against {getattr(other, name)}"
        if self.axes != other.axes:
            return f"axes: {_axes_text(self)} against {_axes_text(other)}"
        unlike = counting.unlike(self.cells, other.cells)
        if unlike is not None:
            n, at, mine, theirs = unlike
            cell = ", ".join(f"{axis.name}={axis.codes[i]}" for axis, i in zip(self.axes, at))
            return f"{n:,} cells differ, first {cell}: {mine:,} against {theirs:,}"
        if not np.array_equal(self.parts, other.parts):
            return f"parts: {len(self.parts)} against {len(other.parts)}, or other versions of them"
        if _any_missing(self, other) and not np.array_equal(_mask(self), _mask(other)):
            return "denominators are missing in other cells"
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and self.difference(other) is None

    __hash__ = None  # type: ignore[assignment]  # compares by value, so it has no hash; typeshed has no word for that

    # Merging -------------------------------------------------------------------------------------------------------

    def __add__(self, other: Tally) -> Tally:
        """Sum of two tallies of disjoint parts; raises OverlapError, RevisionError, UnitMismatch, AxisMismatch or
        CodelistMismatch, each naming both sides."""
        if self.unit != other.unit or self.kind != other.kind:
            raise UnitMismatch(f"{self.unit} ({self.kind}) cannot be added to {other.unit} ({other.kind})")
        if self.vintage != other.vintage:
            raise UnitMismatch(f"{self.vintage or 'no vintage'} cannot be added to {other.vintage or 'no vintage'}")
        if self.names != other.names:
            raise AxisMismatch(
                f"{_axes_text(self)} cannot be added to {_axes_text(other)}; project both to the same axes"
            )
        axes = tuple(merged_axis(a, b) for a, b in zip(self.axes, other.axes))
        missing = None
        if _any_missing(self, other):
            missing = _missing_over(self, axes) & _missing_over(other, axes)
        return replace(
            self,
            axes=axes,
            cells=counting.add(_spread(self.cells, self.axes, axes), _spread(other.cells, other.axes, axes)),
            parts=provenance.union(self.parts, other.parts),
            account=self.account + other.account,
            scope=self.scope | other.scope,
            missing=missing,
        )

    # Reshaping down ------------------------------------------------------------------------------------------------

    def project(self, names: Sequence[str]) -> Tally:
        """Sum over every axis that is not named; the result has the axes in the order named.

        Raises MultiChoiceError where that would sum over items of which a record may have several.
        """
        several = [axis.name for axis in self.axes if axis.is_multi and axis.name not in names]
        if several:
            raise MultiChoiceError(
                f"a record may have several of {several[0]}, so that their sum counts records more than once; keep the "
                f"axis, or take records({several[0]!r}) first"
            )
        order = [self._at(name) for name in names]
        return replace(
            self,
            axes=tuple(self.axes[i] for i in order),
            cells=counting.project(self.cells, order),
            missing=None if self.missing is None else counting.dense(counting.project(self.missing, order)) > 0,
        )

    def records(self, name: str) -> Tally:
        """The tally of records without an axis of items: each record once, whatever items it has."""
        at, axis = self._at(name), self.axis(name)
        if not axis.is_multi:
            raise UsageError(f"a record has one {name} at most; project() sums over it")
        rest = [i for i in range(len(self.axes)) if i != at]
        cells = counting.project(self._once(self.cells), rest)
        return replace(self, axes=tuple(self.axes[i] for i in rest), cells=cells)

    def recode(self, name: str, to: str, *, rename: str | None = None) -> Tally:
        """The same counts with one axis in a coarser codelist, through its crosswalk."""
        at, axis = self._at(name), self.axis(name)
        if axis.is_multi:
            raise MultiChoiceError(f"a record may have several of {name}: tally by the coarser axis instead")
        walk: Crosswalk = crosswalk(axis.known.name, to)
        lookup = np.array([walk.lookup[walk.source.index(code)] for code in axis.codes], dtype=np.int64)
        return self._regroup(at, lookup, coded_axis(rename or name, to, walk.target.items))

    def _regroup(self, at: int, lookup: np.ndarray, axis: Axis) -> Tally:
        axes = (*self.axes[:at], axis, *self.axes[at + 1 :])
        missing = None
        if self.missing is not None:
            missing = counting.dense(counting.regroup(self.missing, at, lookup, len(axis))) > 0
        return replace(self, axes=axes, cells=counting.regroup(self.cells, at, lookup, len(axis)), missing=missing)

    def widen(self, name: str, codes: Iterable[str]) -> Tally:
        """The same counts with more codes on an open axis: no records there; of residents, no denominator there."""
        at, axis = self._at(name), self.axis(name)
        axes = (*self.axes[:at], merged_axis(axis, replace(axis, codes=tuple(codes))), *self.axes[at + 1 :])
        missing = self.missing
        if self.unit == "residents":
            missing = _missing_over(self, axes)
        return replace(self, axes=axes, cells=_spread(self.cells, self.axes, axes), missing=missing)

    def combine(self, first: str, second: str, *, into: Axis, rule: Callable[[str, str], str]) -> Tally:
        """Replace two axes by one: the code of each pair is `rule(code of first, code of second)`.

        The new axis stands last.
        """
        one, two = self.axis(first), self.axis(second)
        rest = [name for name in self.names if name not in (first, second)]
        turned = self.project([*rest, first, second])
        pairs = [into.index(rule(a, b)) for a in one.codes for b in two.codes]
        flat = counting.reshape(turned.cells, (*turned.cells.shape[:-2], len(pairs)))
        cells = counting.regroup(flat, len(flat.shape) - 1, np.array(pairs, dtype=np.int64), len(into))
        return replace(turned, axes=(*turned.axes[:-2], into), cells=cells)

    def select(self, **codes: str | Sequence[str]) -> Tally:
        """Keep only the cells with these codes; what is left out is counted as excluded by `not selected: <axis>`.

        Selecting items of a multi-choice axis leaves no record out: it keeps `any` and `none` too.
        Selecting forces narrows the scope and the parts to them. Selecting months narrows the period; the parts of
        other months stay, because earlier months are what a partial month is judged by.
        """
        return reduce(lambda tally, item: tally._select(*item), codes.items(), self)

    def _select(self, name: str, codes: str | Sequence[str]) -> Tally:
        axis, at = self.axis(name), self._at(name)
        wanted = (codes,) if isinstance(codes, str) else tuple(codes)
        if name not in OPEN:
            for code in wanted:
                axis.index(code)
        chosen = set(wanted)
        keep = [i for i, code in enumerate(axis.codes) if code in chosen or (axis.is_multi and code in (ANY, NONE))]
        kept = replace(axis, codes=tuple(axis.codes[i] for i in keep))
        cells = counting.take(self.cells, keep, at)
        left_out = self.total - counting.total(self._once(cells)) if not axis.is_multi else 0
        return replace(
            self,
            axes=(*self.axes[:at], kept, *self.axes[at + 1 :]),
            cells=cells,
            missing=None if self.missing is None else self.missing.take(keep, axis=at),
            account=self.account.exclude(f"not selected: {name}", left_out),
            **self._narrow(name, wanted),
        )

    def _narrow(self, name: str, wanted: tuple[str, ...]) -> dict[str, Any]:
        if name == "force":
            return {
                "parts": self.parts[np.isin(self.parts["force"], wanted)],
                "scope": replace(self.scope, forces=tuple(sorted(wanted))),
            }
        if name == "month":
            months = [month_number(code) for code in wanted]
            return {"scope": replace(self.scope, first=min(months), last=max(months))}
        return {}

    def between(self, first: str, last: str) -> Tally:
        """Keep only the analysis months of a period, both ends included."""
        start, end = period(first, last)
        narrowed = self.select(month=[month_label(m) for m in range(start, end + 1)])
        return replace(narrowed, scope=replace(narrowed.scope, first=start, last=end))

    # Keeping -------------------------------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write Parquet: one row a non-zero cell, with a JSON header that carries everything else."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        held = counting.nonzero(self.cells) if self.missing is None else counting.every(self.counts)
        kept = slice(None) if self.missing is None else (held[1] != 0) | self.missing.reshape(-1)
        at, n = [i[kept] for i in held[0]], held[1][kept]
        columns = {
            axis.name: pa.DictionaryArray.from_arrays(i.astype(np.int32), pa.array(axis.codes, pa.string()))
            for axis, i in zip(self.axes, at)
        }
        columns["n"] = pa.array(n)
        if self.missing is not None:
            columns["missing"] = pa.array(self.missing.reshape(-1)[kept])
        header = {
            "format": FORMAT,
            "unit": self.unit,
            "kind": self.kind,
            "vintage": self.vintage,
            "axes": [asdict(axis) for axis in self.axes],
            "scope": asdict(self.scope),
            "account": asdict(self.account),
            "parts": [[x.decode() if isinstance(x, bytes) else x for x in row] for row in self.parts.tolist()],
        }
        table = pa.table(columns).replace_schema_metadata({FORMAT: json.dumps(header)})
        pq.write_table(table, path)


def load(path: str | PathLike[str]) -> Tally:
    """Read a tally written by `Tally.save`; raises InputRefused when the file is something else.

    >>> import disprop as dp, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dp.synthetic.population().save(f"{folder}/residents.parquet")
    ...     load(f"{folder}/residents.parquet")
    <Tally of 2,060,000 residents: force (1) x ethnicity_self (8); 0 parts>
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputRefused(f"{Path(path).name} cannot be read as a tally: {error}") from error
    raw = (table.schema.metadata or {}).get(FORMAT.encode())
    if raw is None:
        raise InputRefused(
            f"{Path(path).name} is Parquet but not a tally; write one with Tally.save or `disprop tally`"
        )
    return _from_header(json.loads(raw), table)


def _from_header(header: Mapping[str, Any], table: Any) -> Tally:
    axes = tuple(Axis(a["name"], a["codelist"], tuple(a["codes"])) for a in header["axes"])
    shape = tuple(len(axis) for axis in axes)
    at = tuple(_positions(table[axis.name], axis) for axis in axes)
    missing = None
    if "missing" in table.column_names:
        missing = np.zeros(shape, dtype=bool)
        missing[at] = table["missing"].to_numpy() if axes else table["missing"].to_numpy().any()
    scope = dict(header["scope"])
    if scope["forces"] is not None:
        scope["forces"] = tuple(scope["forces"])
    return Tally(
        axes=axes,
        cells=counting.placed(shape, at, table["n"].to_numpy()),
        unit=header["unit"],
        kind=header["kind"],
        parts=np.array([tuple(row) for row in header["parts"]], dtype=PART),
        account=Account(**header["account"]),
        scope=Scope(**scope),
        missing=missing,
        vintage=header["vintage"],
    )


def _positions(column: Any, axis: Axis) -> np.ndarray:
    """Positions on the axis of a dictionary column, whose own dictionary may hold fewer codes in another order."""
    found = [np.empty(0, dtype=np.int64)]
    for chunk in column.chunks:
        known = np.array(axis.places(chunk.dictionary.to_pylist()), dtype=np.int64)
        found.append(known[chunk.indices.to_numpy()])
    return np.concatenate(found)


def _axes_text(tally: Tally) -> str:
    return " x ".join(f"{a.name} ({a.codelist})" for a in tally.axes) or "one cell"


def _mask(tally: Tally) -> np.ndarray:
    return np.zeros(tally.counts.shape, dtype=bool) if tally.missing is None else tally.missing


def _any_missing(one: Tally, other: Tally) -> bool:
    return one.missing is not None or other.missing is not None


def _missing_over(tally: Tally, axes: Sequence[Axis]) -> np.ndarray:
    """Where cells over other axes have no denominator: those that are missing, and those that the tally has not."""
    known = _spread((~_mask(tally)).astype(np.int64), tally.axes, axes)
    return np.asarray(counting.dense(known) == 0)


def _spread(cells: Counts, of: Sequence[Axis], to: Sequence[Axis]) -> Counts:
    """Place cells over the axes `of` into zeros over the axes `to`."""
    if tuple(of) == tuple(to):
        return cells
    return counting.spread(cells, [big.places(small.codes) for small, big in zip(of, to)], [len(axis) for axis in to])


def fold(tallies: Iterable[Tally]) -> Tally:
    """Sum of several tallies; raises UsageError when there are none.

    >>> import disprop as dp
    >>> each = [dp.synthetic.make_records(months=(month,)) for month in ("2023-04", "2023-05")]
    >>> fold(dp.tally(records, by=["gender"]) for records in each)
    <Tally of 3,336 searches: force (1) x month (2) x gender (5); 2 parts>
    """
    several = list(tallies)
    if not several:
        raise UsageError("nothing to add: give at least one tally")
    return reduce(Tally.__add__, several)
