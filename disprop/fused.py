"""From mapped parts to tallies in one pass: meaning bound late, rules folded into the look-ups, parts skipped.

The slow road (`plan`, batch by batch) is the truth that this one is tested against: every tally here equals the one
counted there from the same source, to the last cell, part and note of the account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from disprop import cells as counting
from disprop.cells import Counts, Keyed
from disprop.codelists import BLANK, UNMAPPED, code_lookup, codelist
from disprop.errors import InputRefused
from disprop.kernels import keyed
from disprop.kernels.scan import (
    LARGEST_GROUP,
    LEFT_OUT,
    ROWS_BEFORE_LOADING,
    Scan,
    cut,
    scan_numpy,
    scan_parts,
    workers,
)
from disprop.months import month_label
from disprop.provenance import Account
from disprop.records import HOUR, JOINT, VEHICLE_ONLY, AxisSpec, Mapped
from disprop.tallies import Axis, Scope, Tally, coded_axis, month_axis, open_axis

VEHICLE_RULE = "vehicle-only search: no person was searched"
PERIOD_RULE = "outside the period"
FORCE_RULE = "not selected: force"

CODES_A_NUMBER = 1 << 16
"""A column with more labels than this is no axis of a fused scan."""

_HOURS = [*(f"{hour:02d}" for hour in range(24)), ""]
"""Labels of the store's codes of the hour: the last stands for none."""

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
    joint: Mapping[str, int] = field(default_factory=dict)  # radix of each column, where one number stands for all
    opened: Mapping[str, Axis] = field(default_factory=dict)  # of every label, until those that occur are known

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns whose codes are counted by, in the order in which they are packed."""
        return tuple(name for group in self.groups for name in group)

    @property
    def read_columns(self) -> dict[str, int]:
        """Columns read, and how many codes each has."""
        if self.joint:
            return {JOINT: prod(self.joint.values())}
        return {name: len(self.labels(name)) for name in self.columns}

    @property
    def rows(self) -> int:
        return int(self.mapped.records[self.read].sum())

    def shape(self, t: int) -> tuple[int, ...]:
        return tuple(
            len(self.opened[spec.name]) if spec.is_open else len(codelist(spec.codelist)) for spec in self.wanted[t]
        )

    def is_keyed(self, t: int) -> bool:
        """Whether only the cells that are not 0 are kept of a tally."""
        cells = len(self.forces) * len(self.months) * counting.size(self.shape(t))
        return counting.is_keyed(cells, self.rows)

    def labels(self, column: str) -> list[str]:
        """The label of each code of a column; "" is blank. A joint number knows those of its time alone."""
        found = _HOURS if column == HOUR else self.mapped.labels(column)
        return found[: self.joint.get(column, len(found))]

    def compiled(self) -> bool:
        """Whether the kernel counts: numpy until it has cost as much as loading the kernel would have."""
        return self.rows + _numpy_rows >= ROWS_BEFORE_LOADING

    def describe(self) -> dict[str, str]:
        """The plan in words, as `--explain` prints it."""
        months = [month_label(int(month)) for month in self.months]
        tallies = [" x ".join(["force", "month", *(spec.name for spec in specs)]) for specs in self.wanted]
        cells = [len(self.forces) * len(months) * counting.size(self.shape(t)) for t in range(len(self.wanted))]
        form = [", only those that are not 0 are kept" if self.is_keyed(t) else "" for t in range(len(self.wanted))]
        scan = _scan(self) if self.compiled() and len(self.read) else None
        threads = len(_cuts(self, scan)) - 1 if scan else 1
        return {
            "source": f"record store, {len(self.mapped.records):,} parts of {self.source.kind} ({self.source.dataset})",
            "columns": (f"{JOINT} ({' '.join(self.joint)})" if self.joint else "; ".join(map(" ".join, self.groups)))
            or "none: rows are counted from the manifest",
            "parts": f"{len(self.read):,} read, {len(self.mapped.records) - len(self.read):,} skipped",
            "records": f"{self.rows:,} read, {self.not_selected + self.outside:,} in parts skipped",
            "months": f"{months[0]} to {months[-1]}" if months else "none",
            "tallies": "; ".join(f"{tally} ({n:,} cells{how})" for tally, n, how in zip(tallies, cells, form)),
            "rules": VEHICLE_RULE if self.rule else "none",
            "kernel": "compiled, packed columns" if self.compiled() else "numpy (few rows)",
            "threads": str(threads),
        }


def plan_fused(
    source: Any, wanted: Sequence[Sequence[AxisSpec]], scope: Scope, *, vehicle_only: bool
) -> FusedPlan | None:
    """The plan of a scan over mapped parts; None when batches must be read: too many labels, or an axis that no label
    alone gives (items, pseudonyms)."""
    if any(spec.multi for specs in wanted for spec in specs):
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
    needed = dict.fromkeys(_column(spec) for specs in wanted for spec in specs)
    columns = [name for name in needed if name in mapped.offset]
    if rule:
        columns = [*columns, *({"search_type"} - set(columns))]
    read = _in_place_order(mapped, np.flatnonzero(inside & (mapped.records > 0)))
    sizes = {name: len(_HOURS if name == HOUR else mapped.labels(name)) for name in columns}
    if needed and not columns and len(read):
        return None
    if (sizes and max(sizes.values()) > CODES_A_NUMBER) or not _all_by_label(source, wanted, read):
        return None
    plan = FusedPlan(
        source=source,
        mapped=mapped,
        wanted=tuple(tuple(specs) for specs in wanted),
        scope=scope,
        read=read,
        not_selected=int(mapped.records[~kept].sum()),
        outside=int(mapped.records[kept & ~inside].sum()),
        forces=_forces(mapped, kept),
        months=_months(mapped, kept, inside, source.parts["month"], scope),
        groups=_groups(sizes),
        rule=rule,
        opened={
            spec.name: open_axis(spec.name, _open_codes(mapped.labels(spec.column) if spec.column in columns else [""]))
            for spec in {spec for specs in wanted for spec in specs if spec.is_open}
        },
    )
    return _with_joint(plan, mapped.joint(read))


def _with_joint(plan: FusedPlan, joint: Mapping[str, int]) -> FusedPlan:
    """The plan reading one number, where that stands for several columns and for all that are needed."""
    if len(plan.columns) < 2 or not {*plan.columns} <= {*joint} or any(map(plan.is_keyed, range(len(plan.wanted)))):
        return plan
    return replace(plan, joint=joint, groups=(tuple(joint),))


def _column(spec: AxisSpec) -> str:
    """The column of codes that an axis reads."""
    return HOUR if spec.codelist == HOUR else spec.column


def _all_by_label(source: Any, wanted: Sequence[Sequence[AxisSpec]], read: np.ndarray) -> bool:
    """Whether codes of labels, or of hours in every part, are there for every axis; a key is no such code."""
    specs = {spec for several in wanted for spec in several if not spec.by_label}
    mapped, kinds = source.mapped(), source.manifest.columns
    return all(
        HOUR in mapped.offset and bool(mapped.width[HOUR][read].all())
        if spec.codelist == HOUR
        else kinds.get(spec.column, "label") == "label"
        for spec in specs
    )


def _open_codes(labels: Sequence[str]) -> list[str]:
    """The code on an open axis of each label."""
    return [label.strip() or BLANK for label in labels]


def _in_place_order(mapped: Mapped, read: np.ndarray) -> np.ndarray:
    """Parts by force and month, as the axes have them, so that their counts come one after another."""
    return read[np.lexsort((mapped.last[read], mapped.first[read], _force_order(mapped)[read]))]


def _force_order(mapped: Mapped) -> np.ndarray:
    """Of each part, the position of its force in the codelist."""
    known = {code: i for i, code in enumerate(codelist("force").codes)}
    return np.array([known.get(code, len(known)) for code in mapped.forces], dtype=np.int64)[mapped.force]


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


def _scan(plan: FusedPlan) -> Scan:
    """The plan as arrays, with those of its tallies that are counted as arrays."""
    mapped, read = plan.mapped, plan.read
    segments, segment = np.unique(mapped.segment[read], return_inverse=True)
    force, month = _positions(plan)
    mixed = mapped.first[read] != mapped.last[read]
    slices = np.where(mixed, -1, force * len(plan.months) + month)
    slice_row, table = _month_tables(plan, force, mixed)
    files = mapped.files(segments)
    columns = _columns(plan)
    arrays = [t for t in range(len(plan.wanted)) if not plan.is_keyed(t)]
    _check_inside(files, segment, columns, mapped.records[read])
    return Scan(
        files=files,
        parts=np.ascontiguousarray(np.stack([segment, mapped.records[read], slices], axis=1), dtype=np.int64),
        columns=columns,
        slices=table,
        slice_row=slice_row,
        first_month=int(mapped.first[read].min()),
        group_start=np.cumsum([0, *(1 if plan.joint else len(group) for group in plan.groups), 1]).astype(np.int64),
        sizes=np.array([*plan.read_columns.values(), int(mapped.last[read].max()) + 1], dtype=np.int64),
        tables=[_tables(plan, t) for t in arrays],
        cells=np.array([counting.size(plan.shape(t)) for t in arrays], dtype=np.int64),
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
    names = [*plan.read_columns, "month"]
    out = np.zeros((len(read), len(names), 2), dtype=np.int64)
    for c, name in enumerate(names):
        out[:, c, 0], out[:, c, 1] = mapped.offset[name][read], mapped.width[name][read]
    return out


def _check_inside(files: Sequence[np.ndarray], segment: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> None:
    """No column may reach beyond its file: reading there would end the process."""
    sizes = np.array([file.size for file in files], dtype=np.int64)
    if len(rows) and ((columns[:, :, 0] + columns[:, :, 1] * rows[:, None]).max(axis=1) > sizes[segment]).any():
        raise InputRefused("the manifest points beyond the end of a segment; run `disprop store verify` on the store")


def _key_scan(plan: FusedPlan, scan: Scan, t: int) -> keyed.KeyScan:
    """The same parts, to be counted by the numbers of the cells of one tally."""
    entries, constant = _entries(plan, t, keyed.LEFT_OUT)
    size = counting.size(plan.shape(t))
    used = [c for c, name in enumerate(plan.columns) if name in entries]
    first = np.where(scan.parts[:, 2] < 0, -1, scan.parts[:, 2] * size + constant)
    return keyed.KeyScan(
        files=scan.files,
        parts=np.ascontiguousarray(np.stack([scan.parts[:, 0], scan.parts[:, 1], first], axis=1)),
        columns=np.ascontiguousarray(scan.columns[:, [*used, -1]]),
        slices=np.where(scan.slices < 0, keyed.LEFT_OUT, scan.slices * size + constant),
        slice_row=scan.slice_row,
        first_month=scan.first_month,
        tables=[np.ascontiguousarray(entries[plan.columns[c]], dtype=np.int64) for c in used],
    )


def _entries(plan: FusedPlan, t: int, left_out: int) -> tuple[dict[str, np.ndarray], int]:
    """What each code of a column adds to the cell, strides and rules folded in; and what every row adds."""
    specs, shape = plan.wanted[t], plan.shape(t)
    entries: dict[str, np.ndarray] = {}
    constant = 0
    for i, spec in enumerate(specs):
        name, stride = _column(spec), counting.size(shape[i + 1 :])
        if name not in plan.columns:  # the source lacks the column: all is blank
            constant += int(_codes(plan, spec, [""])[0]) * stride
            continue
        entries[name] = entries.get(name, np.int64(0)) + _codes(plan, spec, plan.labels(name)) * stride
    if plan.rule:
        entries["search_type"] = entries.get("search_type", np.int64(0)) + np.where(_is_vehicle(plan), left_out, 0)
    return entries, constant


def _tables(plan: FusedPlan, t: int) -> list[np.ndarray | None]:
    """For each group, the entry of every packed number: its share of the cell, or LEFT_OUT."""
    entries, constant = _entries(plan, t, LEFT_OUT)
    return _with_constant(plan, [_table(plan, group, entries) for group in plan.groups], constant)


def _with_constant(plan: FusedPlan, tables: list[np.ndarray | None], constant: int) -> list[np.ndarray | None]:
    """Add what is the same for every row to the first table."""
    if constant == 0 or not tables:
        return tables
    at = next((g for g, table in enumerate(tables) if table is not None), 0)
    size = counting.size([len(plan.labels(name)) for name in plan.groups[at]])
    found = tables[at]
    tables[at] = (np.zeros(size, np.int32) if found is None else found) + np.int32(constant)
    return tables


def _codes(plan: FusedPlan, spec: AxisSpec, labels: Sequence[str]) -> np.ndarray:
    """Position on the axis of each label; of one that no counted row has, any."""
    if spec.is_open:
        at = {code: i for i, code in enumerate(plan.opened[spec.name].codes)}
        return np.array([at.get(code, 0) for code in _open_codes(labels)], dtype=np.int64)
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
        own = entries.get(name, np.zeros(len(plan.labels(name)), dtype=np.int64))
        table = (table[:, None] + own).reshape(-1)
    return np.ascontiguousarray(np.maximum(table, LEFT_OUT), dtype=np.int32)


def _cuts(plan: FusedPlan, scan: Scan, threads: int | None = None) -> np.ndarray:
    """Where the parts are divided among threads: only where no slice is met on both sides."""
    mapped, read = plan.mapped, plan.read
    force, first, last = _force_order(mapped)[read], mapped.first[read], mapped.last[read]
    reach = np.maximum.accumulate(force * (1 << 20) + last)
    breaks = np.ones(len(read), dtype=bool)
    breaks[1:] = reach[:-1] < force[1:] * (1 << 20) + first[1:]
    rows = mapped.records[read]
    return cut(rows, breaks, threads or workers(int(rows.sum()), int(breaks.sum())))


@dataclass(frozen=True)
class _Result:
    """Counts of each tally, and how many rows lay outside the period, were left out by rule, or are damaged."""

    cells: list[Counts]
    outside: int
    left_out: int
    damaged: int


def count_fused(plan: FusedPlan, *, threads: int | None = None) -> list[Tally]:
    """The tallies of a plan, in the order in which they were wanted."""
    plan = _with_codes_met(plan)
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
    months = _months_met(plan, counted.cells[0], parts["month"])
    return [_tally(plan, t, cells, months, parts, account) for t, cells in enumerate(counted.cells)]


def _with_codes_met(plan: FusedPlan) -> FusedPlan:
    """The plan with open axes of those codes alone that counted records have."""
    specs = {spec.name: spec for specs in plan.wanted for spec in specs if spec.is_open}
    met = {}
    for name, spec in specs.items():
        if not len(plan.read):
            met[name] = open_axis(name, ())
        elif spec.column in plan.columns:
            codes, counts = _open_codes(plan.labels(spec.column)), _label_counts(plan, spec.column)
            met[name] = open_axis(name, (code for code, n in zip(codes, counts) if n))
    return replace(plan, opened={**plan.opened, **met})


def _count(plan: FusedPlan, threads: int | None) -> _Result:
    global _numpy_rows
    tallies = range(len(plan.wanted))
    shapes = [(len(plan.forces), len(plan.months), *plan.shape(t)) for t in tallies]
    none = np.zeros(0, dtype=np.int64)
    if not len(plan.read):
        return _Result([counting.placed(shape, [none] * len(shape), none) for shape in shapes], 0, 0, 0)
    scan, compiled = _scan(plan), threads is not None or plan.compiled()
    cuts = _cuts(plan, scan, threads) if compiled else np.zeros(0, dtype=np.int64)
    _numpy_rows += 0 if compiled else plan.rows
    cells: dict[int, Counts] = {}
    found = (0, 0, 0)
    for t in tallies:
        if plan.is_keyed(t):
            one = _key_scan(plan, scan, t)
            of_keys = keyed.scan_keys(one, cuts) if compiled else keyed.scan_keys_numpy(one)
            counted, found = of_keys[0], of_keys[1:]
            cells[t] = Keyed(shapes[t], *counted)
    arrays = [t for t in tallies if t not in cells]
    if arrays:
        dense = scan_parts(scan, cuts) if compiled else scan_numpy(scan)
        cells |= {t: counts.reshape(shapes[t]) for t, counts in zip(arrays, dense.counts)}
        found = (dense.left_out, dense.outside, found[2] + dense.damaged)
    return _Result([cells[t] for t in tallies], outside=found[1], left_out=found[0], damaged=found[2])


def _months_met(plan: FusedPlan, cells: Counts, part_months: np.ndarray) -> np.ndarray:
    """Which months stand on the axis: those of parts, and those that a counted record is of."""
    met = np.isin(plan.months, part_months)
    if not met.all():
        met |= counting.dense(counting.project(cells, [1])) > 0
    return met


def _tally(plan: FusedPlan, t: int, cells: Counts, months: np.ndarray, parts: np.ndarray, account: Account) -> Tally:
    specs = plan.wanted[t]
    cells = cells if months.all() else counting.take(cells, np.flatnonzero(months).tolist(), 1)
    axes = (
        coded_axis("force", "force", plan.forces),
        month_axis(plan.months[months].tolist()),
        *(plan.opened[spec.name] if spec.is_open else coded_axis(spec.name, spec.codelist) for spec in specs),
    )
    unmapped = _unmapped(plan, specs, cells)
    account = account + Account(unmapped=unmapped) if unmapped else account
    return Tally(axes, cells, plan.source.unit, plan.source.kind, parts, account, plan.scope)


def _unmapped(plan: FusedPlan, specs: Sequence[AxisSpec], cells: Counts) -> dict[str, int]:
    """Counted rows of each label that no codelist knows; looked for only where the tally holds any."""
    found: dict[str, int] = {}
    for i, spec in enumerate(specs):
        if not spec.by_label or spec.column not in plan.columns:
            continue
        at, labels = codelist(spec.codelist).index(UNMAPPED), plan.labels(spec.column)
        strange = np.flatnonzero(_codes(plan, spec, labels) == at)
        if strange.size and counting.total(counting.take(cells, [at], 2 + i)):
            counts = _label_counts(plan, spec.column)
            for code in strange[strange > 0].tolist():
                name, n = f"{spec.column}: {labels[code]}", int(counts[code])
                found |= {name: found.get(name, 0) + n} if n else {}
    return found


def _label_counts(plan: FusedPlan, column: str) -> np.ndarray:
    """Counted rows of each label of a column, under the rules of the plan."""
    labels = plan.labels(column)
    entries = {column: np.arange(len(labels), dtype=np.int64)}
    if plan.rule:
        entries["search_type"] = entries.get("search_type", np.int64(0)) + np.where(_is_vehicle(plan), LEFT_OUT, 0)
    scan = _scan(replace(plan, wanted=()))
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
    cuts = cut(scan.parts[:, 1], np.ones(len(plan.read), dtype=bool), workers(plan.rows, len(plan.read)))
    with ThreadPoolExecutor(len(cuts) - 1) as pool:  # each with counts of its own: all fill the same few
        counts = list(pool.map(lambda i: scan_parts(one, cuts[i : i + 2]).counts[0][0], range(len(cuts) - 1)))
    return np.asarray(np.sum(counts, axis=0, dtype=np.int64))
