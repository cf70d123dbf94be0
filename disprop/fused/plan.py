"""What is read, what is skipped and what is added up where, when several tallies are wanted of mapped parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from disprop import cells as counting
from disprop.codelists import BLANK, codelist
from disprop.kernels.scan import LARGEST_GROUP, kernel_pays
from disprop.records import HOUR, JOINT, AxisSpec, Mapped
from disprop.tallies import Axis, Scope, open_axis

VEHICLE_RULE = "vehicle-only search: no person was searched"
PERIOD_RULE = "outside the period"
FORCE_RULE = "not selected: force"

CODES_A_NUMBER = 1 << 16
"""A column with more labels than this is no axis of a fused scan."""

_HOURS = [*(f"{hour:02d}" for hour in range(24)), ""]
"""Labels of the store's codes of the hour: the last stands for none."""


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
        """Whether the kernel counts, or numpy."""
        return kernel_pays(self.rows)


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
    needed = dict.fromkeys(column_of(spec) for specs in wanted for spec in specs)
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
            spec.name: open_axis(spec.name, open_codes(mapped.labels(spec.column) if spec.column in columns else [""]))
            for spec in {spec for specs in wanted for spec in specs if spec.is_open}
        },
    )
    return _with_joint(plan, mapped.joint(read))


def _with_joint(plan: FusedPlan, joint: Mapping[str, int]) -> FusedPlan:
    """The plan reading one number, where that stands for several columns and for all that are needed."""
    if len(plan.columns) < 2 or not {*plan.columns} <= {*joint} or any(map(plan.is_keyed, range(len(plan.wanted)))):
        return plan
    return replace(plan, joint=joint, groups=(tuple(joint),))


def column_of(spec: AxisSpec) -> str:
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


def open_codes(labels: Sequence[str]) -> list[str]:
    """The code on an open axis of each label."""
    return [label.strip() or BLANK for label in labels]


def _in_place_order(mapped: Mapped, read: np.ndarray) -> np.ndarray:
    """Parts by force and month, as the axes have them, so that their counts come one after another."""
    place = force_order(mapped)[read] << 40 | mapped.first[read].astype(np.int64) << 20 | mapped.last[read]
    return read[np.argsort(place)]  # one number sorts faster than three


def force_order(mapped: Mapped) -> np.ndarray:
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
