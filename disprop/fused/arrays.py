"""A plan as arrays: where each column of each part stands, and what each code of a column adds to the cell of a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from disprop import cells as counting
from disprop.codelists import code_lookup, codelist
from disprop.errors import InputRefused
from disprop.fused.plan import FusedPlan, column_of, force_order, open_codes
from disprop.kernels import keyed
from disprop.kernels.scan import LEFT_OUT, Scan, cut, workers
from disprop.records import VEHICLE_ONLY, AxisSpec


def scan_arrays(plan: FusedPlan) -> Scan:
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
    """No column may reach beyond its file, where reading would end the process, nor begin between two codes."""
    offset, width = columns[:, :, 0], columns[:, :, 1]
    sizes = np.array([file.size for file in files], dtype=np.int64)
    beyond = (offset + width * rows[:, None]).max(axis=1, initial=0) > sizes[segment]
    if beyond.any() or (offset % np.maximum(width, 1)).any():
        raise InputRefused("the manifest points where no column can be; run `disprop store verify` on the store")


def key_arrays(plan: FusedPlan, scan: Scan, t: int) -> keyed.KeyScan:
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
        name, stride = column_of(spec), counting.size(shape[i + 1 :])
        if name not in plan.columns:  # the source lacks the column: all is blank
            constant += int(codes_of(plan, spec, [""])[0]) * stride
            continue
        entries[name] = entries.get(name, np.int64(0)) + codes_of(plan, spec, plan.labels(name)) * stride
    if plan.rule:
        entries["search_type"] = entries.get("search_type", np.int64(0)) + np.where(is_vehicle(plan), left_out, 0)
    return entries, constant


def _tables(plan: FusedPlan, t: int) -> list[np.ndarray | None]:
    """For each group, the entry of every packed number: its share of the cell, or LEFT_OUT."""
    entries, constant = _entries(plan, t, LEFT_OUT)
    return _with_constant(plan, [group_table(plan, group, entries) for group in plan.groups], constant)


def _with_constant(plan: FusedPlan, tables: list[np.ndarray | None], constant: int) -> list[np.ndarray | None]:
    """Add what is the same for every row to the first table."""
    if constant == 0 or not tables:
        return tables
    at = next((g for g, table in enumerate(tables) if table is not None), 0)
    size = counting.size([len(plan.labels(name)) for name in plan.groups[at]])
    found = tables[at]
    tables[at] = (np.zeros(size, np.int32) if found is None else found) + np.int32(constant)
    return tables


def codes_of(plan: FusedPlan, spec: AxisSpec, labels: Sequence[str]) -> np.ndarray:
    """Position on the axis of each label; of one that no counted row has, any."""
    if spec.is_open:
        at = {code: i for i, code in enumerate(plan.opened[spec.name].codes)}
        return np.array([at.get(code, 0) for code in open_codes(labels)], dtype=np.int64)
    return code_lookup(spec.codelist, plan.source.scheme, [label or None for label in labels])


def is_vehicle(plan: FusedPlan) -> np.ndarray:
    labels = plan.labels("search_type")
    vehicle = codelist("search_type").index(VEHICLE_ONLY)
    codes = code_lookup("search_type", plan.source.scheme, [label or None for label in labels])
    return np.asarray((codes == vehicle) & (np.arange(len(labels)) > 0))


def group_table(plan: FusedPlan, group: Sequence[str], entries: dict[str, np.ndarray]) -> np.ndarray | None:
    if not entries.keys() & set(group):
        return None
    table = np.zeros(1, dtype=np.int64)
    for name in group:
        own = entries.get(name, np.zeros(len(plan.labels(name)), dtype=np.int64))
        table = (table[:, None] + own).reshape(-1)
    return np.ascontiguousarray(np.maximum(table, LEFT_OUT), dtype=np.int32)


def cut_parts(plan: FusedPlan, scan: Scan, threads: int | None = None) -> np.ndarray:
    """Where the parts are divided among threads: only where no slice is met on both sides."""
    mapped, read = plan.mapped, plan.read
    force, first, last = force_order(mapped)[read], mapped.first[read], mapped.last[read]
    reach = np.maximum.accumulate(force * (1 << 20) + last)
    breaks = np.ones(len(read), dtype=bool)
    breaks[1:] = reach[:-1] < force[1:] * (1 << 20) + first[1:]
    rows = mapped.records[read]
    return cut(rows, breaks, threads or workers(int(rows.sum()), int(breaks.sum())))
