"""Counts beside what they are divided by: the step that every rate and ratio shares.

Coverage decides which force-months count, the population gives resident-years over exactly those, and what stands in
the way (a hole, a vanished group, no residents) is a reason beside the cell, never a silent zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from disprop.codelists import codelist
from disprop.coverage import (
    NO_RESIDENTS_RULE,
    Coverage,
    covered_only,
    lacks_support,
    month_coverage,
    resident_months,
    without_residents,
)
from disprop.errors import CodelistMismatch, Refused, UsageError
from disprop.months import month_label
from disprop.results import groups_of, join_flags
from disprop.tallies import AREA, OPEN, Axis, Tally

Holes = Literal["whole", "covered"]

PERCEIVED = "perceived ethnicity against self-described Census"
CITY = "City of London: residents are not the people who are there by day"


@dataclass(frozen=True)
class Exposed:
    """Counts and resident-years over the axes asked for; every array has the shape of `axes`.

    `by_month` has a last dimension of months more. `reason` says why a cell cannot be computed (empty when it can),
    `flag` what to keep in mind. `populated` names the axes that divide the population; only their groups get rows.
    `cover` says which force-months count.
    """

    axes: tuple[Axis, ...]
    n: np.ndarray
    by_month: np.ndarray
    month_used: np.ndarray
    years: np.ndarray
    reason: np.ndarray
    flag: np.ndarray
    covered: np.ndarray
    period: np.ndarray
    populated: tuple[str, ...]
    vintage: str
    cover: Coverage

    def groups(self, keep: np.ndarray) -> dict[str, list[str]]:
        """Codes of each axis for the cells kept, one a row."""
        return groups_of(self.axes, keep)

    def rows(self) -> np.ndarray:
        """Cells that get a row: groups of the population's axes, and codes that occur of the others."""
        keep = np.ones(self.n.shape, dtype=bool)
        for at, axis in enumerate(self.axes):
            if axis.name in self.populated:
                wanted = np.isin(axis.codes, axis.groups)
            elif axis.name in ("force", "month"):
                continue
            else:
                wanted = self.n.sum(axis=tuple(i for i in range(self.n.ndim) if i != at)) > 0
            keep &= _along(wanted, at, keep.ndim)
        if AREA in self.populated:
            over = tuple(i for i, axis in enumerate(self.axes) if axis.name not in OPEN)
            keep &= (self.n + self.years).sum(axis=over, keepdims=True) > 0
        return keep

    def unknown(self, *, within: str = AREA) -> np.ndarray:
        """Records of each cell's slice whose group is unknown on some populated axis; codes of `within` are slices."""
        known, total = self.n.copy(), self.n
        of_people = [at for at, axis in enumerate(self.axes) if axis.name in self.populated and axis.name != within]
        for at in of_people:
            axis = self.axes[at]
            known = known * _along(np.isin(axis.codes, axis.groups), at, known.ndim)
        over = tuple(of_people)
        return np.broadcast_to((total - known).sum(axis=over, keepdims=True), self.n.shape)


def _along(values: np.ndarray, at: int, ndim: int) -> np.ndarray:
    """A one-dimensional array placed on dimension `at` of `ndim`."""
    return values.reshape([-1 if i == at else 1 for i in range(ndim)])


def default_by(tally: Tally, *, without: Iterable[str] = ()) -> list[str]:
    """Every axis of the tally but the month and those named."""
    return [name for name in tally.names if name != "month" and name not in without]


def expose(
    tally: Tally, population: Tally, by: Sequence[str], *, holes: Holes = "whole", perceived: bool = False
) -> Exposed:
    """Counts over the axes `by` beside the resident-years that go with them.

    holes: `whole` gives a reason instead of a figure where a force-month of a named period is missing or suspected
    partial; `covered` uses the covered force-months, counts and residents alike. A period that nobody named is the
    span of the files, used as covered.

    Raises Refused for officer-defined ethnicity unless `perceived`, CodelistMismatch when counts and residents define
    groups differently, UsageError for an axis twice or an unknown choice, AxisMismatch for an axis not tallied.
    """
    if holes not in ("whole", "covered"):
        raise UsageError(f"holes={holes!r} is not a choice; give 'whole' or 'covered'")
    if len(set(by)) != len(by):
        raise UsageError(f"an axis is named twice in {', '.join(by)}")
    population = _population_for(tally, population, by, perceived)
    tally, population = _with_the_same_areas(tally, population)
    cover, left_out = cover_for(tally, population, by)
    cut = covered_only(tally, cover)
    exposure = resident_months(population, cover)
    shared = [name for name in by if name in exposure.names]
    axes = tuple(cut.axis(name) for name in by)
    divided = exposure.project(shared)
    reason, flag = _remarks(tally, population, cover, axes, holes)
    missing = np.zeros(divided.counts.shape, bool) if divided.missing is None else divided.missing
    reason = _add(reason, _place(missing, divided, axes), "denominator unavailable")
    flag = _add(flag, np.ones((1,) * len(axes), bool), left_out)
    if perceived:
        reason = _add(reason, _is_code(axes, "ethnicity_officer", "Mixed"), "officers rarely record Mixed")
        flag = _add(flag, np.ones((1,) * len(axes), bool), PERCEIVED)
    months = cut.project([*[name for name in by if name != "month"], "month"])
    covered, period = month_counts(cover, axes)
    shape = tuple(len(axis) for axis in axes)
    return Exposed(
        axes=axes,
        n=cut.project(by).counts,
        by_month=months.counts if "month" not in by else cut.project(by).counts[..., None],
        month_used=np.asarray(cover.covered.any(axis=0)),
        years=np.broadcast_to(_place(divided.counts, divided, axes) / 12.0, shape),
        reason=np.broadcast_to(reason, shape),
        flag=np.broadcast_to(flag, shape),
        covered=np.broadcast_to(covered, shape),
        period=np.broadcast_to(period, shape),
        populated=tuple(name for name in by if name in population.names and name != "force"),
        vintage=population.vintage,
        cover=cover,
    )


def _population_for(tally: Tally, population: Tally, by: Sequence[str], perceived: bool) -> Tally:
    """The population with the axes that matter, officer-defined ethnicity standing on the self-described base."""
    if "ethnicity_officer" in by:
        if not perceived:
            raise Refused(
                "officer-defined ethnicity has no matching Census base: rates per resident are refused; "
                f"ask for them as '{PERCEIVED}' (perceived=True, or --perceived), or use ethnicity_self"
            )
        axes = tuple(
            replace(axis, name="ethnicity_officer") if axis.name == "ethnicity_self" else axis
            for axis in population.axes
        )
        population = replace(population, axes=axes)
    population = population.project(
        ["force", *[n for n in by if n in population.names and n not in ("force", "month")]]
    )
    for axis in population.axes[1:]:
        if axis.codelist != tally.axis(axis.name).codelist:
            raise CodelistMismatch(
                f"{axis.name}: counts are in {tally.axis(axis.name).codelist}, residents in {axis.codelist}; "
                "numerator and denominator must define groups alike"
            )
        if axis.name != AREA and axis.codes != tally.axis(axis.name).codes:
            population = population.select(**{axis.name: tally.axis(axis.name).codes})
    return population


def _with_the_same_areas(tally: Tally, population: Tally) -> tuple[Tally, Tally]:
    """Both with the areas of either: an area without searches has residents all the same."""
    if AREA not in population.names:
        return tally, population
    areas = {*tally.axis(AREA).codes, *population.axis(AREA).codes}
    return tally.widen(AREA, areas), population.widen(AREA, areas)


def cover_for(tally: Tally, population: Tally, by: Sequence[str]) -> tuple[Coverage, str]:
    """Coverage of the tally; where forces are pooled, those without residents are left out, by name."""
    cover = month_coverage(tally)
    if "force" in by:
        return cover, ""
    bare = without_residents(population, cover.forces)
    keep = [i for i, force in enumerate(cover.forces) if force not in bare]
    if not bare or not keep:
        return cover, ""
    fewer = Coverage(
        tuple(cover.forces[i] for i in keep),
        cover.months,
        cover.state[keep],
        cover.low[keep],
        cover.rows[keep],
        cover.named,
    )
    return fewer, _left_out(tally, bare)


def _left_out(tally: Tally, forces: Sequence[str]) -> str:
    """Which forces a pooled rate leaves out, and the totals with and without them."""
    names = ", ".join(codelist("force").label(force) for force in forces)
    counts = tally.project(["force"])
    others = sum(counts[{"force": code}] for code in counts.axis("force").codes if code not in forces)
    return f"without {names} ({NO_RESIDENTS_RULE}): {others:,} {tally.unit} in all, with it {counts.total:,}"


def _place(values: np.ndarray, of: Tally, axes: Sequence[Axis]) -> np.ndarray:
    """Values over the axes of a tally, as an array that broadcasts against `axes`."""
    return values.reshape([len(axis) if axis.name in of.names else 1 for axis in axes])


def _add(remarks: np.ndarray, where: np.ndarray, text: str) -> np.ndarray:
    """Add a remark to the cells where it holds."""
    if not text or not where.any():
        return remarks
    joined = np.frompyfunc(lambda old, here: join_flags(old, text if here else ""), 2, 1)
    return joined(*np.broadcast_arrays(remarks, where))


def _is_code(axes: Sequence[Axis], name: str, code: str) -> np.ndarray:
    for at, axis in enumerate(axes):
        if axis.name == name:
            return _along(np.array([c == code for c in axis.codes]), at, len(axes))
    return np.zeros((1,) * len(axes), dtype=bool)


def month_counts(cover: Coverage, axes: Sequence[Axis]) -> tuple[np.ndarray, np.ndarray]:
    """Covered force-months and force-months of the period behind each cell, broadcastable against `axes`."""
    names = [axis.name for axis in axes]
    over = tuple(i for i, name in enumerate(("force", "month")) if name not in names)
    covered = cover.covered.sum(axis=over, keepdims=True)
    period = np.ones_like(cover.covered, dtype=np.int64).sum(axis=over, keepdims=True)
    return _force_month(covered, names), _force_month(period, names)


def _force_month(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """A force x month array laid along the axes of that name; a dimension that is not named has length 1 and goes."""
    named = [name for name in names if name in ("force", "month")]
    kept = np.asarray(values[tuple(slice(None) if name in named else 0 for name in ("force", "month"))], values.dtype)
    kept = kept.T if named == ["month", "force"] else kept
    length = dict(zip(named, kept.shape))
    return kept.reshape([length.get(name, 1) for name in names])


def _remarks(
    tally: Tally, population: Tally, cover: Coverage, axes: Sequence[Axis], holes: Holes
) -> tuple[np.ndarray, np.ndarray]:
    """Reasons that withhold a figure, and flags beside it, per cell."""
    names = [axis.name for axis in axes]
    strict = holes == "whole" and cover.named
    reason_fm, flag_fm = _hole_remarks(cover, strict, "force" in names, "month" in names)
    reason, flag = _force_month(reason_fm, names), _force_month(flag_fm, names)
    for at, axis in enumerate(axes):
        if axis.name in ("ethnicity_self", "ethnicity_self_19", "ethnicity_officer"):
            reason = _support_remarks(tally, population, cover, axes, at, reason)
    return reason, flag


def _hole_remarks(cover: Coverage, strict: bool, by_force: bool, by_month: bool) -> tuple[np.ndarray, np.ndarray]:
    shape = (len(cover.forces) if by_force else 1, len(cover.months) if by_month else 1)
    reason, flag = np.full(shape, "", dtype=object), np.full(shape, "", dtype=object)
    for i in range(shape[0]):
        forces = [i] if by_force else list(range(len(cover.forces)))
        for j in range(shape[1]):
            months = [j] if by_month else list(range(len(cover.months)))
            reason[i, j], flag[i, j] = _cell_remarks(cover, forces, months, strict)
    return reason, flag


def _cell_remarks(cover: Coverage, forces: list[int], months: list[int], strict: bool) -> tuple[str, str]:
    used = cover.covered[np.ix_(forces, months)]
    holes = "; ".join(
        (f"{cover.forces[f]} " if len(forces) > 1 else "") + text
        for f in forces
        if (text := _holes_among(cover, f, months))
    )
    city = CITY if [cover.forces[f] for f in forces] == ["city-of-london"] else ""
    if not used.any():
        return f"no month covered: {holes}", city
    if holes and strict:
        return f"{holes} (ask for the covered months, --covered, to have the rate on the months there are)", city
    unit = "months" if len(forces) == 1 else "force-months"
    partly = f"on {int(used.sum())} of {used.size} {unit}, per year" if not used.all() else ""
    low = [f for f in forces if cover.low[f, months].any()]
    warning = "; ".join(f"{cover.forces[f]} has months below 60% of the months before" for f in low)
    return "", join_flags(partly, holes, warning, city)


def _holes_among(cover: Coverage, force: int, months: list[int]) -> str:
    if len(months) == len(cover.months):
        return cover.holes(force)
    return "" if cover.covered[force, months[0]] else cover.hole_name(force, months[0])


def _support_remarks(
    tally: Tally, population: Tally, cover: Coverage, axes: Sequence[Axis], at: int, reason: np.ndarray
) -> np.ndarray:
    """Withhold a group's figure where the labels of some covered force-month lack the group."""
    axis = axes[at]
    lacking = lacks_support(covered_only(tally, cover), axis.name, population)
    names = [a.name for a in axes]
    over = tuple(i for i, name in enumerate(("force", "month")) if name not in names)
    for f, g in np.argwhere(lacking.any(axis=1)):
        months = np.zeros(lacking.shape[:2], dtype=bool)
        months[f] = lacking[f, :, g]
        where = _force_month(np.asarray(months.any(axis=over, keepdims=True)), names)
        text = _lacking_text(cover, int(f), lacking[f, :, g], axis.codes[g])
        reason = _add(reason, where & _along(np.arange(len(axis)) == g, at, len(axes)), text)
    return reason


def _lacking_text(cover: Coverage, force: int, months: np.ndarray, group: str) -> str:
    if months[cover.covered[force]].all():
        return f"no label of {group} occurs in any month of {cover.forces[force]}: its vocabulary may lack the group"
    which = ", ".join(month_label(cover.months[m]) for m in np.flatnonzero(months))
    return f"labels of {cover.forces[force]} lack {group} in {which}"
