"""From mapped parts to tallies in one pass: meaning bound late, rules folded into the look-ups, parts skipped.

The slow road (`plan`, batch by batch) is the truth that this one is tested against: every tally here equals the one
counted there from the same source, to the last cell, part and note of the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from disprop.codelists import UNMAPPED, code_lookup, codelist
from disprop.errors import InputRefused
from disprop.kernels.scan import (
    LARGEST_GROUP,
    LEFT_OUT,
    ROWS_BEFORE_LOADING,
    Counted,
    Scan,
    cut,
    scan_numpy,
    scan_parts,
    workers,
)
from disprop.months import month_label
from disprop.provenance import Account
from disprop.records import VEHICLE_ONLY, AxisSpec, Mapped
from disprop.tallies import Scope, Tally, coded_axis, month_axis

VEHICLE_RULE = "vehicle-only search: no person was searched"
PERIOD_RULE = "outside the period"
FORCE_RULE = "not selected: force"

CODES_A_NUMBER = 1 << 16
"""A column with more labels than this is no axis of a fused scan."""

_numpy_rows = 0  # counted by numpy so far in this process; only speed depends on it


@dataclass(frozen=True)
class FusedPlan:
    """How several tallies will be counted: what is read, what is skipped, what is added up where."""

    source: Any
    mapped: Mapped
    wanted: tuple[tuple[AxisSpec, ...], ...]
    scope: Scope
    read: np.ndarray
    not_selected: int
    outside: int
    forces: tuple[str, ...]
    months: np.ndarray
    groups: tuple[tuple[str, ...], ...]
    rule: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns read, in the order in which they are packed."""
        return tuple(name for group in self.groups for name in group)

    @property
    def rows(self) -> int:
        return int(self.mapped.records[self.read].sum())

    def shape(self, t: int) -> tuple[int, ...]:
        return tuple(len(codelist(spec.codelist)) for spec in self.wanted[t])

    def compiled(self) -> bool:
        """Whether the kernel counts: numpy until it has cost as much as loading the kernel would have."""
        return self.rows + _numpy_rows >= ROWS_BEFORE_LOADING

    def describe(self) -> dict[str, str]:
        """The plan in words, as `--explain` prints it."""
        months = [month_label(int(month)) for month in self.months]
        tallies = [" x ".join(["force", "month", *(spec.name for spec in specs)]) for specs in self.wanted]
        cells = [len(self.forces) * len(months) * int(np.prod(self.shape(t))) for t in range(len(self.wanted))]
        scan = _scan(self) if self.compiled() and len(self.read) else None
        threads = len(_cuts(self, scan)) - 1 if scan else 1
        return {
            "source": f"record store, {len(self.mapped.records):,} parts of {self.source.kind} ({self.source.dataset})",
            "columns": "; ".join(" ".join(group) for group in self.groups)
            or "none: rows are counted from the manifest",
            "parts": f"{len(self.read):,} read, {len(self.mapped.records) - len(self.read):,} skipped",
            "records": f"{self.rows:,} read, {self.not_selected + self.outside:,} in parts skipped",
            "months": f"{months[0]} to {months[-1]}" if months else "none",
            "tallies": "; ".join(f"{tally} ({n:,} cells)" for tally, n in zip(tallies, cells)),
            "rules": VEHICLE_RULE if self.rule else "none",
            "kernel": "compiled, packed columns" if self.compiled() else "numpy (few rows)",
            "threads": str(threads),
        }


def plan_fused(
    source: Any, wanted: Sequence[Sequence[AxisSpec]], scope: Scope, *, vehicle_only: bool
) -> FusedPlan | None:
    """The plan of a scan over mapped parts; None when batches must be read: too many labels, an axis that no label
    alone gives (areas, items, hours), or a column that stands beside the parts."""
    if not all(spec.by_label for specs in wanted for spec in specs):
        return None
    mapped = source.mapped()
    absent = {spec.column for specs in wanted for spec in specs if spec.column not in mapped.offset}
    if absent and absent & {*source.beside.columns}:
        return None
    kept = np.ones(len(mapped.records), dtype=bool)
    if scope.forces is not None:
        kept = np.isin(mapped.force, [i for i, code in enumerate(mapped.forces) if code in scope.forces])
    inside = kept.copy()
    if scope.first is not None and scope.last is not None:
        inside &= (mapped.first <= scope.last) & (mapped.last >= scope.first)
    rule = not vehicle_only and "search_type" in mapped.offset
    needed = dict.fromkeys(spec.column for specs in wanted for spec in specs)
    columns = [name for name in needed if name in mapped.offset]
    if rule:
        columns = [*columns, *({"search_type"} - set(columns))]
    sizes = {name: len(mapped.labels(name)) for name in columns}
    if sizes and max(sizes.values()) > CODES_A_NUMBER:
        return None
    return FusedPlan(
        source=source,
        mapped=mapped,
        wanted=tuple(tuple(specs) for specs in wanted),
        scope=scope,
        read=_in_place_order(mapped, np.flatnonzero(inside & (mapped.records > 0))),
        not_selected=int(mapped.records[~kept].sum()),
        outside=int(mapped.records[kept & ~inside].sum()),
        forces=_forces(mapped, kept),
        months=_months(mapped, kept, inside, source.parts["month"], scope),
        groups=_groups(sizes),
        rule=rule,
    )


def _in_place_order(mapped: Mapped, read: np.ndarray) -> np.ndarray:
    """Parts by force and month, so that their counts and, mostly, their bytes come one after another."""
    return read[np.lexsort((mapped.last[read], mapped.first[read], mapped.force[read]))]


def _forces(mapped: Mapped, kept: np.ndarray) -> tuple[str, ...]:
    found = {mapped.forces[i] for i in np.unique(mapped.force[kept])}
    return tuple(code for code in codelist("force").codes if code in found)


def _months(mapped: Mapped, kept: np.ndarray, inside: np.ndarray, part_months: np.ndarray, scope: Scope) -> np.ndarray:
    """Months that the tallies may need: those of the parts, and those that records of mixed parts may be of."""
    mixed = np.flatnonzero(inside & (mapped.first != mapped.last))
    spans = {(int(a), int(b)) for a, b in zip(mapped.first[mixed], mapped.last[mixed])}
    plain = np.unique(mapped.first[inside & (mapped.records > 0)])
    found = np.unique(np.concatenate([part_months[kept], plain, *(np.arange(a, b + 1) for a, b in spans)]))
    if scope.first is not None and scope.last is not None:
        found = found[(found >= scope.first) & (found <= scope.last)]
    return found.astype(np.int64)


def _groups(sizes: dict[str, int]) -> tuple[tuple[str, ...], ...]:
    """Columns that share a packed number: as few groups as first fit gives."""
    groups: list[tuple[int, tuple[str, ...]]] = []
    for name, size in sizes.items():
        for i, (product, names) in enumerate(groups):
            if product * size <= LARGEST_GROUP:
                groups[i] = (product * size, (*names, name))
                break
        else:
            groups.append((size, (name,)))
    return tuple(names for _, names in groups)


# Binding -------------------------------------------------------------------------------------------------------------


def _scan(plan: FusedPlan) -> Scan:
    """The plan as arrays."""
    mapped, read = plan.mapped, plan.read
    sizes = [len(mapped.labels(name)) for name in plan.columns]
    segments, segment = np.unique(mapped.segment[read], return_inverse=True)
    force, month = _positions(plan)
    mixed = mapped.first[read] != mapped.last[read]
    slices = np.where(mixed, -1, force * len(plan.months) + month)
    slice_row, table = _month_tables(plan, force, mixed)
    files = mapped.files(segments)
    columns = _columns(plan)
    _check_inside(files, segment, columns, mapped.records[read])
    return Scan(
        files=files,
        parts=np.ascontiguousarray(np.stack([segment, mapped.records[read], slices], axis=1), dtype=np.int64),
        columns=columns,
        slices=table,
        slice_row=slice_row,
        first_month=int(mapped.first[read].min()),
        group_start=np.cumsum([0, *(len(group) for group in plan.groups), 1]).astype(np.int64),
        sizes=np.array([*sizes, int(mapped.last[read].max()) + 1], dtype=np.int64),
        tables=[_tables(plan, t) for t in range(len(plan.wanted))],
        cells=np.array([np.prod(plan.shape(t), dtype=np.int64) for t in range(len(plan.wanted))], dtype=np.int64),
        n_slices=len(plan.forces) * len(plan.months),
    )


def _positions(plan: FusedPlan) -> tuple[np.ndarray, np.ndarray]:
    """Of each part read: its force on the axis, and the month of its first record on the axis (if it is there)."""
    mapped, read = plan.mapped, plan.read
    on_axis = np.array([plan.forces.index(code) if code in plan.forces else -1 for code in mapped.forces], np.int64)
    return on_axis[mapped.force[read]], np.searchsorted(plan.months, mapped.first[read])


def _month_tables(plan: FusedPlan, force: np.ndarray, mixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For parts of mixed months: which row of the table each takes (that of its force), and the table."""
    if not mixed.any():
        return np.zeros(len(force), dtype=np.int64), np.zeros((1, 1), dtype=np.int64)
    first, last = int(plan.mapped.first[plan.read].min()), int(plan.mapped.last[plan.read].max())
    months = np.arange(first, last + 1)
    at = np.searchsorted(plan.months, months)
    known = np.isin(months, plan.months)
    rows = np.arange(len(plan.forces))[:, None] * len(plan.months) + at
    return force, np.ascontiguousarray(np.where(known, rows, -1), dtype=np.int64)


def _columns(plan: FusedPlan) -> np.ndarray:
    mapped, read = plan.mapped, plan.read
    out = np.zeros((len(read), len(plan.columns) + 1, 2), dtype=np.int64)
    for c, name in enumerate([*plan.columns, "month"]):
        out[:, c, 0], out[:, c, 1] = mapped.offset[name][read], mapped.width[name][read]
    return out


def _check_inside(files: Sequence[np.ndarray], segment: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> None:
    """No column may reach beyond its file: reading there would end the process."""
    sizes = np.array([file.size for file in files], dtype=np.int64)
    if len(rows) and ((columns[:, :, 0] + columns[:, :, 1] * rows[:, None]).max(axis=1) > sizes[segment]).any():
        raise InputRefused("the manifest points beyond the end of a segment; run `disprop store verify` on the store")


def _tables(plan: FusedPlan, t: int) -> list[np.ndarray | None]:
    """For each group, the entry of every packed number: its share of the cell, or LEFT_OUT."""
    specs, shape = plan.wanted[t], plan.shape(t)
    strides = [int(np.prod(shape[i + 1 :], dtype=np.int64)) for i in range(len(shape))]
    entries: dict[str, np.ndarray] = {}
    constant = 0
    for spec, stride in zip(specs, strides):
        if spec.column not in plan.columns:  # the source lacks the column: all is blank
            constant += int(_codes(plan, spec, [""])[0]) * stride
            continue
        codes = _codes(plan, spec, plan.mapped.labels(spec.column)) * stride
        entries[spec.column] = entries.get(spec.column, np.int64(0)) + codes
    if plan.rule:
        left_out = np.where(_is_vehicle(plan), LEFT_OUT, 0)
        entries["search_type"] = entries.get("search_type", np.int64(0)) + left_out
    tables = [_table(plan, group, entries) for group in plan.groups]
    return _with_constant(plan, tables, constant)


def _with_constant(plan: FusedPlan, tables: list[np.ndarray | None], constant: int) -> list[np.ndarray | None]:
    """Add what is the same for every row to the first table."""
    if constant == 0 or not tables:
        return tables
    at = next((g for g, table in enumerate(tables) if table is not None), 0)
    size = int(np.prod([len(plan.mapped.labels(name)) for name in plan.groups[at]]))
    found = tables[at]
    tables[at] = (np.zeros(size, np.int32) if found is None else found) + np.int32(constant)
    return tables


def _codes(plan: FusedPlan, spec: AxisSpec, labels: Sequence[str]) -> np.ndarray:
    return code_lookup(spec.codelist, plan.source.scheme, [label or None for label in labels])


def _is_vehicle(plan: FusedPlan) -> np.ndarray:
    labels = plan.mapped.labels("search_type")
    vehicle = codelist("search_type").index(VEHICLE_ONLY)
    codes = code_lookup("search_type", plan.source.scheme, [label or None for label in labels])
    return np.asarray((codes == vehicle) & (np.arange(len(labels)) > 0))


def _table(plan: FusedPlan, group: Sequence[str], entries: dict[str, np.ndarray]) -> np.ndarray | None:
    if not entries.keys() & set(group):
        return None
    table = np.zeros(1, dtype=np.int64)
    for name in group:
        own = entries.get(name, np.zeros(len(plan.mapped.labels(name)), dtype=np.int64))
        table = (table[:, None] + own).reshape(-1)
    return np.ascontiguousarray(np.maximum(table, LEFT_OUT), dtype=np.int32)


def _cuts(plan: FusedPlan, scan: Scan, threads: int | None = None) -> np.ndarray:
    """Where the parts are divided among threads: only where no slice is met on both sides."""
    mapped, read = plan.mapped, plan.read
    force, first, last = mapped.force[read].astype(np.int64), mapped.first[read], mapped.last[read]
    reach = np.maximum.accumulate(force * (1 << 20) + last)
    breaks = np.ones(len(read), dtype=bool)
    breaks[1:] = reach[:-1] < force[1:] * (1 << 20) + first[1:]
    rows = mapped.records[read]
    return cut(rows, breaks, threads or workers(int(rows.sum()), int(breaks.sum())))


# Counting ------------------------------------------------------------------------------------------------------------


def count_fused(plan: FusedPlan, *, threads: int | None = None) -> list[Tally]:
    """The tallies of a plan, in the order in which they were wanted."""
    counted = _count(plan, threads)
    if counted.damaged:
        raise InputRefused(
            f"{counted.damaged:,} codes have no label in the store's vocabularies: it is damaged; "
            "run `disprop store verify` and restore it from a copy"
        )
    rules = {
        FORCE_RULE: plan.not_selected,
        PERIOD_RULE: plan.outside + counted.outside,
        VEHICLE_RULE: counted.left_out,
    }
    parts = plan.source.parts
    if plan.scope.forces is not None:
        parts = parts[np.isin(parts["force"], plan.scope.forces)]
    account = plan.source.account + Account(excluded={rule: n for rule, n in sorted(rules.items()) if n})
    months = _months_met(plan, counted.counts[0], parts["month"])
    return [_tally(plan, t, counts, months, parts, account) for t, counts in enumerate(counted.counts)]


def _count(plan: FusedPlan, threads: int | None) -> Counted:
    global _numpy_rows
    if not len(plan.read):
        slices = len(plan.forces) * len(plan.months)
        empty = [np.zeros((slices, *plan.shape(t)), dtype=np.int64) for t in range(len(plan.wanted))]
        return Counted(empty, 0, 0, 0, "none", 1)
    scan = _scan(plan)
    if threads is None and not plan.compiled():
        _numpy_rows += plan.rows
        return scan_numpy(scan)
    return scan_parts(scan, _cuts(plan, scan, threads))


def _months_met(plan: FusedPlan, counts: np.ndarray, part_months: np.ndarray) -> np.ndarray:
    """Which months stand on the axis: those of parts, and those that a counted record is of."""
    met = np.isin(plan.months, part_months)
    if not met.all():
        cells = counts.reshape(len(plan.forces), len(plan.months), counts[0].size if len(counts) else 1)
        met |= cells.any(axis=(0, 2))
    return met


def _tally(
    plan: FusedPlan, t: int, counts: np.ndarray, months: np.ndarray, parts: np.ndarray, account: Account
) -> Tally:
    specs, shape = plan.wanted[t], plan.shape(t)
    cells = counts.reshape(len(plan.forces), len(plan.months), *shape)
    cells = cells if months.all() else np.ascontiguousarray(cells[:, months])
    axes = (
        coded_axis("force", "force", plan.forces),
        month_axis(plan.months[months].tolist()),
        *(coded_axis(spec.name, spec.codelist) for spec in specs),
    )
    unmapped = _unmapped(plan, specs, cells)
    account = account + Account(unmapped=unmapped) if unmapped else account
    return Tally(axes, cells, plan.source.unit, plan.source.kind, parts, account, plan.scope)


def _unmapped(plan: FusedPlan, specs: Sequence[AxisSpec], cells: np.ndarray) -> dict[str, int]:
    """Counted rows of each label that no codelist knows; looked for only where the tally holds any."""
    found: dict[str, int] = {}
    for i, spec in enumerate(specs):
        at = codelist(spec.codelist).index(UNMAPPED)
        labels = plan.mapped.labels(spec.column)
        strange = np.flatnonzero(_codes(plan, spec, labels) == at)
        if strange.size and spec.column in plan.columns and cells.take(at, axis=2 + i).any():
            counts = _label_counts(plan, spec.column)
            for code in strange[strange > 0].tolist():
                name, n = f"{spec.column}: {labels[code]}", int(counts[code])
                found |= {name: found.get(name, 0) + n} if n else {}
    return found


def _label_counts(plan: FusedPlan, column: str) -> np.ndarray:
    """Counted rows of each label of a column, under the rules of the plan."""
    labels = plan.mapped.labels(column)
    entries = {column: np.arange(len(labels), dtype=np.int64)}
    if plan.rule:
        entries["search_type"] = entries.get("search_type", np.int64(0)) + np.where(_is_vehicle(plan), LEFT_OUT, 0)
    scan = _scan(plan)
    one = replace(
        scan,
        parts=np.where(np.arange(3) == 2, np.minimum(scan.parts, 0), scan.parts),
        slices=np.minimum(scan.slices, 0),
        tables=[[_table(plan, group, entries) for group in plan.groups]],
        cells=np.array([len(labels)], dtype=np.int64),
        n_slices=1,
    )
    if not plan.compiled():
        return scan_numpy(one).counts[0][0]
    return scan_parts(one, np.array([0, len(plan.read)])).counts[0][0]
