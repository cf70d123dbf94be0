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

from disprop import provenance
from disprop.codelists import ANY, BLANK, NONE, UNMAPPED, Codelist, Crosswalk, codelist, crosswalk, nearest
from disprop.errors import (
    AxisMismatch,
    CodelistMismatch,
    DispropError,
    InputRefused,
    MultiChoiceError,
    UnitMismatch,
    UsageError,
)
from disprop.months import month_label, month_number
from disprop.provenance import PART, Account
from disprop.records import OPEN_LISTS

if TYPE_CHECKING:
    import pandas as pd

OPEN = ("month", "force", *OPEN_LISTS)
"""Axes whose codes are those that occur: two tallies may hold different ones, and their sum holds both."""

AREA = "area"
"""The open axis of local authorities: its codes are ONS codes, `blank` (no place) and `unmapped` (in no area)."""

FORMAT = "disprop-tally-1"


@dataclass(frozen=True)
class Axis:
    """One axis: its name, the codelist (with version) it counts in, and its codes in order."""

    name: str
    codelist: str
    codes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def known(self) -> Codelist:
        """The codelist behind the axis (not for `month` and the open lists, which have none)."""
        return codelist(self.codelist.split("@")[0])

    @property
    def groups(self) -> tuple[str, ...]:
        """Codes that name something recorded."""
        if self._unlisted:
            return tuple(c for c in self.codes if c not in (BLANK, UNMAPPED))
        return tuple(c for c in self.codes if c in self.known.groups)

    @property
    def unknowns(self) -> tuple[str, ...]:
        """Codes that name something not known."""
        known = (BLANK, UNMAPPED) if self._unlisted else self.known.unknowns
        return tuple(c for c in self.codes if c in known)

    @property
    def is_multi(self) -> bool:
        """Whether a record may stand under several codes; its codes `any` and `none` count each record once.

        Published tables count uses of tactics, not records: their axis has neither code, and its sum is uses.
        """
        return ANY in self.codes and not self._unlisted

    @property
    def _unlisted(self) -> bool:
        return self.codelist == "month" or self.codelist in OPEN_LISTS

    def index(self, code: str) -> int:
        if code not in self.codes:
            raise UsageError(f"{self.name} has no {code!r}{nearest(code, self.codes)}")
        return self.codes.index(code)


def coded_axis(name: str, of: str, codes: Collection[str] | None = None) -> Axis:
    """An axis over the codelist `of`, in its current version; `codes` keeps some of them only."""
    this = codelist(of)
    return Axis(
        name,
        f"{of}@{this.version}",
        this.codes if codes is None else tuple(c for c in this.codes if c in codes),
    )


def month_axis(months: Iterable[int]) -> Axis:
    """The axis of analysis months, in time order."""
    return Axis("month", "month", tuple(month_label(m) for m in sorted(set(months))))


def open_axis(name: str, codes: Iterable[str]) -> Axis:
    """An axis of an open list: those codes, in order, what is not known last."""
    return Axis(name, name, tuple(sorted(set(codes), key=lambda code: (code in (BLANK, UNMAPPED), code))))


def area_axis(areas: Iterable[str]) -> Axis:
    """The axis of local authorities: those codes, in order, what is not known last."""
    return open_axis(AREA, areas)


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

    `counts` has one dimension an axis. `missing` (same shape, residents only) marks cells that have no denominator;
    unknown codes are not missing: nobody in a Census is blank, so their 0 is true.
    `vintage` names the population's source and year. `parts` says which submissions the counts come from.

    Raises DispropError at construction when the account does not balance with the cells.
    """

    axes: tuple[Axis, ...]
    counts: np.ndarray
    unit: str
    kind: str = "search"
    parts: np.ndarray = field(default_factory=provenance.parts)
    account: Account = field(default_factory=Account)
    scope: Scope = field(default_factory=Scope)
    missing: np.ndarray | None = None
    vintage: str = ""

    def __post_init__(self) -> None:
        shape = tuple(len(axis) for axis in self.axes)
        if self.counts.shape != shape or self.counts.dtype != np.int64:
            raise DispropError(f"counts are {self.counts.dtype} {self.counts.shape}; the axes want int64 {shape}")
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
    def total(self) -> int:
        """Records counted, each once."""
        return int(self._once(self.counts).sum())

    def _once(self, counts: np.ndarray, named: Collection[str] = ()) -> np.ndarray:
        """Counts in which every record stands once: of axes of items that are not named, `any` and `none` alone."""
        for at, axis in enumerate(self.axes):
            if axis.is_multi and axis.name not in named:
                counts = counts.take([axis.index(ANY), axis.index(NONE)], axis=at)
        return counts

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
        where: list[Any] = [slice(None)] * len(self.axes)
        for name, code in key.items():
            at, axis = self._at(name), self.axis(name)
            where[at] = slice(axis.index(code), axis.index(code) + 1)
        return int(self._once(self.counts[tuple(where)], key).sum())

    def __repr__(self) -> str:
        shape = " x ".join(f"{axis.name} ({len(axis)})" for axis in self.axes)
        return f"<Tally of {self.total:,} {self.unit}: {shape or 'one cell'}; {len(self.parts)} parts>"

    def frame(self, *, zeros: bool = False) -> pd.DataFrame:
        """Long table: one column an axis and `n`; cells of 0 are left out unless `zeros`."""
        import pandas as pd

        where = np.indices(self.counts.shape).reshape(len(self.axes), -1) if self.axes else np.zeros((0, 1), int)
        n = self.counts.reshape(-1)
        keep = np.ones(n.shape, bool) if zeros else n != 0
        columns = {a.name: np.array(a.codes, dtype=object)[i[keep]] for a, i in zip(self.axes, where)}
        return pd.DataFrame({**columns, "n": n[keep]})

    # Equality ------------------------------------------------------------------------------------------------------

    def difference(self, other: Tally) -> str | None:
        """The first difference in words, or None when both are the same tally."""
        for name in ("unit", "kind", "vintage", "scope", "account"):
            if getattr(self, name) != getattr(other, name):
                return f"{name}: {getattr(self, name)} against {getattr(other, name)}"
        if self.axes != other.axes:
            return f"axes: {_axes_text(self)} against {_axes_text(other)}"
        unlike = np.argwhere(self.counts != other.counts)
        if len(unlike):
            cell = ", ".join(f"{a.name}={a.codes[i]}" for a, i in zip(self.axes, unlike[0]))
            at = tuple(unlike[0])
            return f"{len(unlike):,} cells differ, first {cell}: {self.counts[at]:,} against {other.counts[at]:,}"
        if not np.array_equal(self.parts, other.parts):
            return f"parts: {len(self.parts)} against {len(other.parts)}, or other versions of them"
        if not np.array_equal(_mask(self), _mask(other)):
            return "denominators are missing in other cells"
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and self.difference(other) is None

    __hash__ = None  # type: ignore[assignment]

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
        axes = tuple(_merge_axis(a, b) for a, b in zip(self.axes, other.axes))
        missing = None
        if self.missing is not None or other.missing is not None:
            missing = _spread(~_mask(self), self.axes, axes) == 0
            missing &= _spread(~_mask(other), other.axes, axes) == 0
        return replace(
            self,
            axes=axes,
            counts=_spread(self.counts, self.axes, axes) + _spread(other.counts, other.axes, axes),
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
        rest = tuple(i for i in range(len(self.axes)) if i not in order)
        by = tuple(sorted(order))
        turn = [by.index(i) for i in order]
        counts = np.asarray(self.counts.sum(axis=rest, dtype=np.int64)).transpose(turn)
        missing = None if self.missing is None else np.asarray(self.missing.any(axis=rest)).transpose(turn)
        return replace(
            self,
            axes=tuple(self.axes[i] for i in order),
            counts=counts.copy(),
            missing=missing,
        )

    def records(self, name: str) -> Tally:
        """The tally of records without an axis of items: each record once, whatever items it has."""
        at, axis = self._at(name), self.axis(name)
        if not axis.is_multi:
            raise UsageError(f"a record has one {name} at most; project() sums over it")
        counts = np.ascontiguousarray(self._once(self.counts).sum(axis=at, dtype=np.int64))
        return replace(self, axes=(*self.axes[:at], *self.axes[at + 1 :]), counts=counts)

    def recode(self, name: str, to: str, *, rename: str | None = None) -> Tally:
        """The same counts with one axis in a coarser codelist, through its crosswalk."""
        at, axis = self._at(name), self.axis(name)
        if axis.is_multi:
            raise MultiChoiceError(f"a record may have several of {name}: tally by the coarser axis instead")
        walk: Crosswalk = crosswalk(axis.known.name, to)
        lookup = np.array([walk.lookup[walk.source.index(code)] for code in axis.codes], dtype=np.int64)
        return self._regroup(at, lookup, coded_axis(rename or name, to, codelist(to).items))

    def _regroup(self, at: int, lookup: np.ndarray, axis: Axis) -> Tally:
        axes = (*self.axes[:at], axis, *self.axes[at + 1 :])
        counts = _sum_into(self.counts, at, lookup, len(axis))
        missing = None if self.missing is None else _sum_into(self.missing, at, lookup, len(axis)) > 0
        return replace(self, axes=axes, counts=counts, missing=None if missing is None else np.asarray(missing))

    def widen(self, name: str, codes: Iterable[str]) -> Tally:
        """The same counts with more codes on an open axis: no records there; of residents, no denominator there."""
        at, axis = self._at(name), self.axis(name)
        axes = (*self.axes[:at], _merge_axis(axis, replace(axis, codes=tuple(codes))), *self.axes[at + 1 :])
        missing = self.missing
        if self.unit == "residents":
            missing = _spread(~_mask(self), self.axes, axes) == 0
        return replace(self, axes=axes, counts=_spread(self.counts, self.axes, axes), missing=missing)

    def combine(self, first: str, second: str, *, into: Axis, rule: Callable[[str, str], str]) -> Tally:
        """Replace two axes by one: the code of each pair is `rule(code of first, code of second)`.

        The new axis stands last.
        """
        one, two = self.axis(first), self.axis(second)
        rest = [name for name in self.names if name not in (first, second)]
        turned = self.project([*rest, first, second])
        pairs = [into.index(rule(a, b)) for a in one.codes for b in two.codes]
        flat = turned.counts.reshape(*turned.counts.shape[:-2], len(pairs))
        counts = _sum_into(flat, flat.ndim - 1, np.array(pairs, dtype=np.int64), len(into))
        return replace(turned, axes=(*turned.axes[:-2], into), counts=counts)

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
        keep = [i for i, code in enumerate(axis.codes) if code in wanted or (axis.is_multi and code in (ANY, NONE))]
        kept = replace(axis, codes=tuple(axis.codes[i] for i in keep))
        counts = self.counts.take(keep, axis=at)
        left_out = self.total - int(self._once(counts).sum()) if not axis.is_multi else 0
        return replace(
            self,
            axes=(*self.axes[:at], kept, *self.axes[at + 1 :]),
            counts=counts,
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

        at = np.nonzero(np.atleast_1d((self.counts != 0) | _mask(self)))
        columns = {
            axis.name: pa.DictionaryArray.from_arrays(i.astype(np.int32), pa.array(axis.codes, pa.string()))
            for axis, i in zip(self.axes, at)
        }
        columns["n"] = pa.array(np.atleast_1d(self.counts)[at])
        if self.missing is not None:
            columns["missing"] = pa.array(np.atleast_1d(self.missing)[at])
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
    counts = np.zeros(shape, dtype=np.int64)
    counts[at] = table["n"].to_numpy() if axes else table["n"].to_numpy().sum()
    missing = None
    if "missing" in table.column_names:
        missing = np.zeros(shape, dtype=bool)
        missing[at] = table["missing"].to_numpy() if axes else table["missing"].to_numpy().any()
    scope = dict(header["scope"])
    if scope["forces"] is not None:
        scope["forces"] = tuple(scope["forces"])
    return Tally(
        axes=axes,
        counts=counts,
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
        known = np.array([axis.index(code) for code in chunk.dictionary.to_pylist()], dtype=np.int64)
        found.append(known[chunk.indices.to_numpy()])
    return np.concatenate(found)


def _axes_text(tally: Tally) -> str:
    return " x ".join(f"{a.name} ({a.codelist})" for a in tally.axes) or "one cell"


def _mask(tally: Tally) -> np.ndarray:
    return np.zeros(tally.counts.shape, dtype=bool) if tally.missing is None else tally.missing


def _merge_axis(one: Axis, other: Axis) -> Axis:
    if one == other:
        return one
    if one.codelist != other.codelist:
        raise CodelistMismatch(f"{one.name}: {one.codelist} cannot be added to {other.codelist}; recode one side")
    if one.name not in OPEN:
        raise AxisMismatch(
            f"{one.name} holds {', '.join(one.codes)} on one side and {', '.join(other.codes)} on the other"
        )
    if one.name == "force":
        return replace(one, codes=tuple(c for c in one.known.codes if c in one.codes or c in other.codes))
    if one.name in OPEN_LISTS:
        return open_axis(one.name, {*one.codes, *other.codes})
    return replace(one, codes=tuple(sorted({*one.codes, *other.codes})))


def _spread(values: np.ndarray, of: Sequence[Axis], to: Sequence[Axis]) -> np.ndarray:
    """Place values over the axes `of` into zeros over the axes `to`."""
    if tuple(of) == tuple(to):
        return values.astype(np.int64)
    out = np.zeros([len(axis) for axis in to], dtype=np.int64)
    out[np.ix_(*([big.index(c) for c in small.codes] for small, big in zip(of, to)))] = values
    return out


def _sum_into(values: np.ndarray, at: int, lookup: np.ndarray, size: int) -> np.ndarray:
    """Sum slices of one dimension into `size` slices, slice i going to lookup[i]."""
    moved = np.moveaxis(values, at, 0)
    out = np.zeros((size, *moved.shape[1:]), dtype=np.int64)
    np.add.at(out, lookup, moved)
    return np.ascontiguousarray(np.moveaxis(out, 0, at))


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
