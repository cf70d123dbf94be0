"""Counting a plan: the kernels, and tallies from what they counted."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from disprop import cells as counting
from disprop.cells import Counts, Keyed
from disprop.codelists import UNMAPPED, codelist
from disprop.errors import InputRefused
from disprop.fused.arrays import codes_of, cut_parts, group_table, is_vehicle, key_arrays, scan_arrays
from disprop.fused.plan import FORCE_RULE, PERIOD_RULE, VEHICLE_RULE, FusedPlan, open_codes
from disprop.kernels import keyed
from disprop.kernels.scan import LEFT_OUT, cut, scan_numpy, scan_parts, spent_by_numpy, workers
from disprop.months import month_label
from disprop.provenance import Account
from disprop.records import JOINT, AxisSpec
from disprop.tallies import Tally, coded_axis, month_axis, open_axis


def describe(plan: FusedPlan) -> dict[str, str]:
    """The plan in words, as `--explain` prints it."""
    months = [month_label(int(month)) for month in plan.months]
    tallies = [" x ".join(["force", "month", *(spec.name for spec in specs)]) for specs in plan.wanted]
    cells = [len(plan.forces) * len(months) * counting.size(plan.shape(t)) for t in range(len(plan.wanted))]
    form = [", only those that are not 0 are kept" if plan.is_keyed(t) else "" for t in range(len(plan.wanted))]
    scan = scan_arrays(plan) if plan.compiled() and len(plan.read) else None
    threads = len(cut_parts(plan, scan)) - 1 if scan else 1
    return {
        "source": f"record store, {len(plan.mapped.records):,} parts of {plan.source.kind} ({plan.source.dataset})",
        "columns": (f"{JOINT} ({' '.join(plan.joint)})" if plan.joint else "; ".join(map(" ".join, plan.groups)))
        or "none: rows are counted from the manifest",
        "parts": f"{len(plan.read):,} read, {len(plan.mapped.records) - len(plan.read):,} skipped",
        "records": f"{plan.rows:,} read, {plan.not_selected + plan.outside:,} in parts skipped",
        "months": f"{months[0]} to {months[-1]}" if months else "none",
        "tallies": "; ".join(f"{tally} ({n:,} cells{how})" for tally, n, how in zip(tallies, cells, form)),
        "rules": VEHICLE_RULE if plan.rule else "none",
        "kernel": "compiled, packed columns" if plan.compiled() else "numpy (few rows)",
        "threads": str(threads),
    }


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
            codes, counts = open_codes(plan.labels(spec.column)), _label_counts(plan, spec.column)
            met[name] = open_axis(name, (code for code, n in zip(codes, counts) if n))
    return replace(plan, opened={**plan.opened, **met})


def _count(plan: FusedPlan, threads: int | None) -> _Result:
    tallies = range(len(plan.wanted))
    shapes = [(len(plan.forces), len(plan.months), *plan.shape(t)) for t in tallies]
    none = np.zeros(0, dtype=np.int64)
    if not len(plan.read):
        return _Result([counting.placed(shape, [none] * len(shape), none) for shape in shapes], 0, 0, 0)
    scan, compiled = scan_arrays(plan), threads is not None or plan.compiled()
    cuts = cut_parts(plan, scan, threads) if compiled else np.zeros(0, dtype=np.int64)
    if not compiled:
        spent_by_numpy(plan.rows)
    cells: dict[int, Counts] = {}
    found = (0, 0, 0)
    for t in tallies:
        if plan.is_keyed(t):
            one = key_arrays(plan, scan, t)
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
        strange = np.flatnonzero(codes_of(plan, spec, labels) == at)
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
        entries["search_type"] = entries.get("search_type", np.int64(0)) + np.where(is_vehicle(plan), LEFT_OUT, 0)
    scan = scan_arrays(replace(plan, wanted=()))
    one = replace(
        scan,
        parts=np.where(np.arange(3) == 2, np.minimum(scan.parts, 0), scan.parts),
        slices=np.minimum(scan.slices, 0),
        tables=[[group_table(plan, group, entries) for group in plan.groups]],
        cells=np.array([len(labels)], dtype=np.int64),
        n_slices=1,
    )
    if not plan.compiled():
        return scan_numpy(one).counts[0][0]
    cuts = cut(scan.parts[:, 1], np.ones(len(plan.read), dtype=bool), workers(plan.rows, len(plan.read)))
    with ThreadPoolExecutor(len(cuts) - 1) as pool:  # each with counts of its own: all fill the same few
        counts = list(pool.map(lambda i: scan_parts(one, cuts[i : i + 2]).counts[0][0], range(len(cuts) - 1)))
    return np.asarray(np.sum(counts, axis=0, dtype=np.int64))
