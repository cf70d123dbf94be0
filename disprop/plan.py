"""From a source of records to tallies: what is asked for -> the columns needed -> one pass over the batches.

Labels are bound here, late: each batch brings its own vocabulary, and a small table turns it into codes while
counting. Every tally has the axes `force` and `month`, because coverage and every denominator need them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop import cells as counting
from disprop.batches import each_item, hours_of, labels_of, numbers_of, open_codes, rows_where
from disprop.cells import Counts, Keyed
from disprop.cluster import run, tasks_for
from disprop.codelists import UNMAPPED, code_lookup, codelist, force_code
from disprop.errors import InputRefused, MultiChoiceError, UsageError
from disprop.fused import FORCE_RULE, PERIOD_RULE, VEHICLE_RULE, count_fused, describe, plan_fused
from disprop.kernels.counts import count_cells
from disprop.numbered import Numbered, force_entries, month_entries
from disprop.partial import Cells, Partial, Wanted, is_numbered, merged, pack, unpacked
from disprop.provenance import Account, merge_counts
from disprop.records import HOUR, VEHICLE_ONLY, AxisSpec, Source, axis_spec, is_source, split_items
from disprop.tallies import Axis, Scope, Tally, coded_axis, month_axis, open_axis, period

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[int, int, str], None]

_ALWAYS = ("force", "month")


def tally(
    source: Any,
    by: Sequence[str],
    *,
    force: str | Sequence[str] | None = None,
    period: tuple[str, str] | None = None,
    vehicle_only: bool = False,
    client: Any = None,
) -> Tally:
    """Count records by the axes named; `force` and `month` are always among the axes.

    Vehicle-only searches have no person and are left out, counted under a named rule, unless `vehicle_only`. Records
    of other forces or outside the period are left out and counted likewise. Labels that no codelist knows are counted
    as `unmapped`, and listed in the account.

    source: paths (folders, globs, CSV, zip, JSON), a record store, a reader's source, a pandas or Arrow table of
        canonical columns.
    by: axis names, see `disprop.records.KINDS`. At most one of them may be an axis of items (`tactic`), and one an
        open list (`area`, `command_unit`, `officer`).
    force: keep these forces only (code, name or alias). period: first and last month, "YYYY-MM", both included.
    client: a `distributed.Client`, to count files that every worker of its cluster can read; the tally is the same.

    Raises UsageError for an unknown axis or force, InputRefused when the source cannot be read safely.

    >>> import pandas as pd
    >>> records = pd.DataFrame({
    ...     "force": "west-midlands", "month": ["2019-04", "2019-04", "2019-05"],
    ...     "search_type": "Person search", "ethnicity_self": ["Black", "White", "White"],
    ... })
    >>> tally(records, by=["ethnicity_self"])
    <Tally of 3 searches: force (1) x month (2) x ethnicity_self (8); 2 parts>
    """
    return scan(source, [by], force=force, period=period, vehicle_only=vehicle_only, client=client)[0]


def scan(
    source: Any,
    wanted: Sequence[Sequence[str]],
    *,
    force: str | Sequence[str] | None = None,
    period: tuple[str, str] | None = None,
    vehicle_only: bool = False,
    client: Any = None,
) -> list[Tally]:
    """Several tallies in one pass over the records; arguments as for `tally`, one list of axes a tally.

    >>> import disprop as dp
    >>> april = dp.synthetic.make_records(months=("2023-04",))
    >>> for counted in scan(april, [["ethnicity_self"], ["object", "outcome"]]):
    ...     counted
    <Tally of 1,594 searches: force (1) x month (1) x ethnicity_self (8); 1 parts>
    <Tally of 1,594 searches: force (1) x month (1) x object (19) x outcome (12); 1 parts>
    """
    records = as_source(source)
    request = make_request(force, period, vehicle_only)
    specs = [wanted_axes(by, records.kind) for by in wanted]
    client = client or getattr(records, "client", None)
    if client is not None:
        return _scan_on_cluster(client, records, specs, request)
    if hasattr(records, "mapped"):
        plan = plan_fused(records, specs, request.scope, vehicle_only=vehicle_only)
        if plan is not None:
            return count_fused(plan)
    return scan_batches(records, specs, request)


def scan_batches(records: Source, specs: Sequence[tuple[AxisSpec, ...]], request: Request) -> list[Tally]:
    """Several tallies, batch by batch: the plain way, for every source, that the fused one is tested against."""
    cubes, rules = _count(records, specs, request)
    return [cube.tally(records, request, rules) for cube in cubes]


def _scan_on_cluster(client: Any, records: Any, specs: Sequence[tuple[AxisSpec, ...]], request: Request) -> list[Tally]:
    """Several tallies, each piece of the source counted on some worker; the pieces are merged in a tree."""
    if not hasattr(records, "split"):
        raise UsageError(f"{type(records).__name__} cannot be counted on a cluster; give paths of CSV or Parquet")
    pieces = records.split(tasks_for(client))
    counted = unpacked(run(client, partial(_count_piece, specs=specs, request=request), pieces, merged))
    counted.check(range(len(pieces)))
    records.gather(counted.found[number] for number in range(len(pieces)))
    cubes = [_Cube(axes) for axes in specs]
    for cube, cells in zip(cubes, counted.tallies):
        cube.take(cells)
    return [cube.tally(records, request, counted.rules) for cube in cubes]


def _count_piece(number: int, piece: Any, *, specs: Sequence[tuple[AxisSpec, ...]], request: Request) -> dict[str, Any]:
    """One task: the counts of a piece of a source, packed."""
    cubes, rules = _count(piece, specs, request)
    return pack(Partial([cube.held() for cube in cubes], rules, {number: piece.found()}))


def _count(
    records: Source, specs: Sequence[tuple[AxisSpec, ...]], request: Request
) -> tuple[list[_Cube], dict[str, int]]:
    """Counts of one pass over a source, and how many rows each rule left out."""
    cubes = [_Cube(axes) for axes in specs]
    rules: dict[str, int] = {}
    for some in _pieces(records, specs, request):
        if isinstance(some, Partial):
            rules = merge_counts(rules, some.rules)
            for cube, cells in zip(cubes, some.tallies):
                cube.take(cells)
            continue
        kept, left_out = apply_rules(some, request, records.scheme)
        rules = merge_counts(rules, left_out)
        for cube in cubes:
            cube.add(kept, records.scheme)
    return cubes, rules


def _pieces(
    records: Any, specs: Sequence[tuple[AxisSpec, ...]], request: Request
) -> Iterable[pa.RecordBatch | Partial]:
    """What a source gives: record batches, or counts where it can count by itself."""
    if _counts_itself(records, specs):
        return records.count(_wanted(specs, request))
    return records.batches({spec.column for axes in specs for spec in axes} | {*_ALWAYS, "search_type"})


def _counts_itself(records: Any, specs: Sequence[tuple[AxisSpec, ...]]) -> bool:
    """Whether a source can count these axes by itself: those on which a record has one code."""
    return hasattr(records, "count") and not any(spec.multi for axes in specs for spec in axes)


def _wanted(specs: Sequence[tuple[AxisSpec, ...]], request: Request) -> Wanted:
    scope = request.scope
    period = None if scope.first is None or scope.last is None else (scope.first, scope.last)
    return Wanted(tuple(specs), scope.forces, period, request.vehicle_only, (FORCE_RULE, PERIOD_RULE, VEHICLE_RULE))


def explain(
    source: Any,
    wanted: Sequence[Sequence[str]],
    *,
    force: str | Sequence[str] | None = None,
    period: tuple[str, str] | None = None,
    vehicle_only: bool = False,
) -> dict[str, str]:
    """How `scan` would count, in words, without counting: columns, parts, tallies, rules, kernel, threads.

    >>> import disprop as dp
    >>> april = dp.synthetic.make_records(months=("2023-04",))
    >>> explain(april, [["ethnicity_self"]])["columns"]
    'ethnicity_self force month search_type'
    """
    records, request = as_source(source), make_request(force, period, vehicle_only)
    specs = [wanted_axes(by, records.kind) for by in wanted]
    if hasattr(records, "mapped"):
        plan = plan_fused(records, specs, request.scope, vehicle_only=vehicle_only)
        if plan is not None:
            return describe(plan)
    plain = {
        "source": f"{type(records).__name__}: {records.kind} records of {records.dataset}, read whole",
        "columns": " ".join(sorted({spec.column for axes in specs for spec in axes} | {*_ALWAYS, "search_type"})),
        "tallies": "; ".join(" x ".join([*_ALWAYS, *(spec.name for spec in axes)]) for axes in specs),
        "rules": "none" if vehicle_only else VEHICLE_RULE,
        "kernel": "one batch at a time, numpy for few rows",
    }
    if _counts_itself(records, specs) and hasattr(records, "describe"):
        return plain | records.describe(_wanted(specs, request))
    return plain


def as_source(thing: Any) -> Source:
    """A source of records from whatever the caller has: a source, a path or several, a table."""
    if is_source(thing):
        return thing
    if isinstance(thing, (str, PathLike)):
        from disprop.io.store.reader import is_store, open_store

        if is_store(thing):
            return open_store(thing)
        thing = [thing]
    if isinstance(thing, (list, tuple)) and thing and all(isinstance(one, (str, PathLike)) for one in thing):
        from disprop.io.parquet_files import holds_parquet

        if holds_parquet(thing):
            from disprop.io.parquet import read_parquet

            return read_parquet(*thing)
        from disprop.io.police_uk import read_police_uk

        return read_police_uk(*thing)
    if hasattr(thing, "__arrow_c_stream__") or hasattr(thing, "iloc"):
        from disprop.io.frames import read_frame

        return read_frame(thing)
    raise UsageError(f"cannot read records from {type(thing).__name__}; give paths, a reader's source or a table")


@dataclass(frozen=True)
class Request:
    """Which records are asked for: of which forces and months, and whether vehicle-only searches count."""

    scope: Scope
    vehicle_only: bool


def make_request(force: str | Sequence[str] | None, months: tuple[str, str] | None, vehicle_only: bool) -> Request:
    """A request in codes and month numbers; raises UsageError for an unknown force or a period that ends too soon."""
    first, last = period(*months) if months else (None, None)
    named = (force,) if isinstance(force, str) else force
    forces = None if named is None else tuple(sorted({force_code(name) for name in named}))
    return Request(Scope(first, last, forces), vehicle_only)


def wanted_axes(by: Sequence[str], kind: str) -> tuple[AxisSpec, ...]:
    """The axes of one tally beside force and month; refuses two of a sort that a tally can have one of."""
    specs = tuple(axis_spec(name, kind) for name in dict.fromkeys(by) if name not in _ALWAYS)
    several, opened = ([spec.name for spec in specs if sort(spec)] for sort in (_is_multi, _is_open))
    if len(several) > 1:
        raise MultiChoiceError(
            f"{several[0]} cannot be tied to {several[1]}: a record has several of both; tally by one of them at a time"
        )
    if len(opened) > 1:
        raise UsageError(f"a tally can be by one of {', '.join(opened)}; name one")
    return specs


def _is_multi(spec: AxisSpec) -> bool:
    return spec.multi


def _is_open(spec: AxisSpec) -> bool:
    return spec.is_open


def apply_rules(batch: pa.RecordBatch, request: Request, scheme: str) -> tuple[pa.RecordBatch, dict[str, int]]:
    """The rows to count, and how many the first rule that fits left out."""
    undecided = np.ones(batch.num_rows, dtype=bool)
    left_out: dict[str, int] = {}
    for rule, fits in _rules(batch, request, scheme):
        left_out[rule] = int((fits & undecided).sum())
        undecided &= ~fits
    if undecided.all():
        return batch, {}
    return rows_where(batch, undecided), {rule: n for rule, n in left_out.items() if n}


def _rules(batch: pa.RecordBatch, request: Request, scheme: str) -> Iterable[tuple[str, np.ndarray]]:
    scope = request.scope
    if scope.forces is not None:
        codes, at = labels_of(batch, "force")
        yield FORCE_RULE, ~np.array([code in scope.forces for code in codes] + [False])[at]
    if scope.first is not None and scope.last is not None:
        month = numbers_of(batch["month"])
        yield PERIOD_RULE, (month < scope.first) | (month > scope.last)
    if not request.vehicle_only and "search_type" in batch.schema.names:
        codes, at = labels_of(batch, "search_type")
        vehicle = codelist("search_type").index(VEHICLE_ONLY)
        yield VEHICLE_RULE, np.append(code_lookup("search_type", scheme, codes) == vehicle, False)[at]


@dataclass
class _Cube:
    """Counts of one tally while its source is being read: an array over the coded axes for each force and month.

    What areas (or other codes of an open list) there are is known when all is read. Then, and where the coded axes have
    very many cells, what is counted is kept by the number of its cell.
    """

    specs: tuple[AxisSpec, ...]
    cells: dict[tuple[str, int, str], np.ndarray] = field(default_factory=dict)
    unmapped: dict[str, int] = field(default_factory=dict)
    number: Numbered | None = None

    def __post_init__(self) -> None:
        if is_numbered(self.specs):
            self.number = Numbered(counting.size(self.shape))

    @property
    def open(self) -> AxisSpec | None:
        return next((spec for spec in self.specs if spec.is_open), None)

    @property
    def coded(self) -> tuple[AxisSpec, ...]:
        return tuple(spec for spec in self.specs if not spec.is_open)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(codelist(spec.codelist)) for spec in self.coded)

    def add(self, batch: pa.RecordBatch, scheme: str) -> None:
        if batch.num_rows == 0:
            return
        force, month = labels_of(batch, "force"), numbers_of(batch["month"])
        forces = [force_code(str(label)) for label in force[0]]
        months, month_at = np.unique(month, return_inverse=True)
        columns = [force[1], month_at.astype(np.int32)]
        size = counting.size(self.shape)
        if self.number is None:
            tables = [_strided(np.arange(len(forces)), len(months) * size), _strided(np.arange(len(months)), size)]
        else:
            places, place_at = open_codes(batch, self.open) if self.open else ([""], np.zeros(len(month), np.int32))
            columns.append(place_at)
            tables = [force_entries(forces), month_entries(months), self.number.places_of(places) * size]
            tables = [_strided(table, 1) for table in tables]
        rows = None
        for spec, stride in zip(self.coded, _strides(self.shape)):
            vocabulary, indices = hours_of(batch) if spec.codelist == HOUR else labels_of(batch, spec.column)
            if spec.multi:
                rows, codes = each_item(spec, scheme, vocabulary, indices)
                self._note_unmapped_items(spec, scheme, vocabulary, indices)
                columns.append(codes)
                tables.append(_strided(np.arange(len(codelist(spec.codelist))), stride))
                continue
            codes = code_lookup(spec.codelist, scheme, [None, *vocabulary])
            columns.append(indices)
            tables.append(codes * stride)
            self._note_unmapped(spec, vocabulary, codes, indices)
        if rows is not None:
            fixed = len(columns) - len(self.coded)
            owners = [*([None] * fixed), *self.coded]
            columns = [c if spec is not None and spec.multi else c[rows] for c, spec in zip(columns, owners)]
        if self.number is not None:
            self.number.add([column + 1 for column in columns], tables)
            return
        out = np.zeros(len(forces) * len(months) * size, dtype=np.int64)
        count_cells(columns, tables, out)
        self._merge(forces, months.tolist(), out.reshape(len(forces), len(months), -1))

    def held(self) -> Cells:
        """What is counted so far."""
        return Cells(self.cells, self.unmapped, self.number)

    def take(self, cells: Cells) -> None:
        """Takes what was counted elsewhere."""
        held = self.held()
        held.add(cells)
        self.unmapped = held.unmapped

    def _note_unmapped(self, spec: AxisSpec, vocabulary: list, codes: np.ndarray, indices: np.ndarray) -> None:
        this = codelist(spec.codelist)
        if UNMAPPED not in this.codes:
            return
        strange = np.flatnonzero(codes[1:] == this.index(UNMAPPED))
        if strange.size:
            n = np.bincount(indices + 1, minlength=len(vocabulary) + 1)[1:]
            found = {f"{spec.column}: {vocabulary[i]}": int(n[i]) for i in strange if n[i]}
            self.unmapped = merge_counts(self.unmapped, found)

    def _note_unmapped_items(self, spec: AxisSpec, scheme: str, vocabulary: list, indices: np.ndarray) -> None:
        n = np.bincount(indices + 1, minlength=len(vocabulary) + 1)[1:]
        strange = codelist(spec.codelist).index(UNMAPPED)
        for label, records in zip(vocabulary, n.tolist()):
            items = split_items(label) if records else []
            for item, code in zip(items, code_lookup(spec.codelist, scheme, items).tolist()):
                if code == strange:
                    self.unmapped = merge_counts(self.unmapped, {f"{spec.column}: {item}": records})

    def _merge(self, forces: list[str], months: list[int], counts: np.ndarray) -> None:
        for i, j in np.argwhere(counts.any(axis=-1)):
            key, found = (forces[i], months[j], ""), counts[i, j].reshape(self.shape)
            if key in self.cells:
                self.cells[key] += found
            else:
                self.cells[key] = found.copy()

    def tally(self, records: Source, request: Request, rules: dict[str, int]) -> Tally:
        parts = records.parts
        if request.scope.forces is not None:
            parts = parts[np.isin(parts["force"], request.scope.forces)]
        axes, cells = self._by_number(parts, request) if self.number is not None else self._by_block(parts, request)
        account = records.account + Account(excluded=rules, unmapped=self.unmapped)
        return Tally(axes, cells, records.unit, records.kind, parts, account, request.scope)

    def _by_block(self, parts: np.ndarray, request: Request) -> tuple[tuple[Axis, ...], Counts]:
        force = coded_axis("force", "force", {*parts["force"].tolist(), *(key[0] for key in self.cells)})
        months = _within(request.scope, {*parts["month"].tolist(), *(key[1] for key in self.cells)})
        counts = np.zeros((len(force), len(months), *self.shape), dtype=np.int64)
        for (code, month, _), found in self.cells.items():
            counts[force.index(code), months.index(month)] = found
        axes = (force, month_axis(months), *(coded_axis(spec.name, spec.codelist) for spec in self.specs))
        return axes, counts

    def _by_number(self, parts: np.ndarray, request: Request) -> tuple[tuple[Axis, ...], Counts]:
        assert self.number is not None
        forces, months = self.number.slices()
        known = codelist("force").codes
        force = coded_axis(
            "force", "force", {*parts["force"].tolist(), *(known[i] for i in np.unique(forces).tolist())}
        )
        months_met = _within(request.scope, {*parts["month"].tolist(), *np.unique(months).tolist()})
        opened = open_axis(self.open.name if self.open else "", self.number.codes() if self.open else [""])
        axes = (
            force,
            month_axis(months_met),
            *(opened if spec.is_open else coded_axis(spec.name, spec.codelist) for spec in self.specs),
        )
        shape = tuple(len(axis) for axis in axes)
        at_force = np.array([force.codes.index(code) if code in force.codes else 0 for code in known])
        first = (at_force[forces] * len(months_met) + np.searchsorted(months_met, months)) * counting.size(shape[2:])
        behind = [spec.is_open for spec in self.specs].index(True) + 3 if self.open else 2
        at, n = self.number.cells(first, opened.codes, counting.size(shape[behind:]))
        return axes, counting.settled(Keyed(shape, at, n))


def _within(scope: Scope, months: set[int]) -> list[int]:
    if scope.first is None or scope.last is None:
        return sorted(months)
    return sorted(month for month in months if scope.first <= month <= scope.last)


def _strided(offsets: np.ndarray, stride: int) -> np.ndarray:
    """Cell offsets for a column without nulls: the entry for null repeats the first and is never used."""
    return np.concatenate([offsets[:1], offsets]).astype(np.int64) * stride


def _strides(shape: Sequence[int]) -> list[int]:
    return [int(np.prod(shape[i + 1 :], dtype=np.int64)) for i in range(len(shape))]


def refuse_empty(tallied: Tally) -> Tally:
    """The tally, unless nothing at all was read: then InputRefused, because a report on nothing misleads."""
    if len(tallied.parts) == 0:
        raise InputRefused("no file of the forces asked for was found; check the path and --force")
    return tallied
