"""Group against reference: the counts, resident-years and remarks that every comparison of rates starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.codelists import nearest
from disprop.errors import UsageError
from disprop.measures.alike import searches_alike
from disprop.measures.dispersion import month_dispersion
from disprop.measures.exposed import Exposed, Holes, default_by, expose
from disprop.results import groups_of, join_flags, not_computable, result_frame
from disprop.tallies import Axis, Tally

if TYPE_CHECKING:
    import pandas as pd

    from disprop.persons import PersonTally

EVERYONE = "everyone"
EVERYONE_ELSE = "everyone else"
COMBINED = "ethnic minorities combined"
"""Replica of the inspectorate's figure: everyone but the White group, as one group, against White."""

MIXED_FORCES = "forces together: differences between forces are in it, name force in by to see within each"


@dataclass(frozen=True)
class Pairs:
    """Group against reference, one row a comparison: counts, resident-years, monthly counts, remarks.

    `a_alike` and `c_alike`: how many searches are on the person of a search, on average (sum of m^2 / sum of m); None
    where nobody said who was searched.
    """

    groups: dict[str, list[str]]
    reference: str
    a: np.ndarray
    n1: np.ndarray
    c: np.ndarray
    n0: np.ndarray
    a_month: np.ndarray
    c_month: np.ndarray
    month_used: np.ndarray
    unknown: np.ndarray
    reason: np.ndarray
    flag: np.ndarray
    covered: np.ndarray
    period: np.ndarray
    vintage: str
    a_alike: np.ndarray | None = None
    c_alike: np.ndarray | None = None

    @property
    def phi(self) -> np.ndarray:
        """How uneven the months are beyond chance, see `month_dispersion`."""
        return month_dispersion(self.a_month, self.c_month, self.month_used)

    @property
    def expected(self) -> np.ndarray:
        """Count of the group at the reference rate."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.n1 * self.c / self.n0


def pair_up(
    tally: Tally, population: Tally, of: str, reference: str, by: Sequence[str] | None, holes: Holes, perceived: bool,
    *, persons: PersonTally | None = None,
) -> Pairs:  # fmt: skip
    """Every comparison along the axis `of` against the reference, within each cell of the axes `by`.

    Arguments and errors as `disprop.measures.ratios.rate_ratio`.
    """
    rest = default_by(tally, without=[of]) if by is None else [name for name in by if name != of]
    found = expose(tally, population, [*rest, of], holes=holes, perceived=perceived)
    if of not in found.populated:
        raise UsageError(f"residents are not known by {of}; compare along {', '.join(population.names)}")
    axis = found.axes[-1]
    group, other = sides(axis, reference)
    keep = found.rows()[..., 0] if not len(group) else found.rows()[..., [axis.index(axis.groups[0])]][..., 0]
    pairs = _flatten(found, axis, group, other, keep, reference)
    if persons is not None:
        pairs = _with_persons(pairs, persons, found, group, other, np.atleast_1d(keep))
    if "force" in rest or len(np.unique(tally.parts["force"])) <= 1:
        return pairs
    return replace(pairs, flag=np.array([join_flags(flag, MIXED_FORCES) for flag in pairs.flag], dtype=object))


def refuse_everyone(reference: str) -> None:
    """For figures in which the group may be no part of what it is compared with."""
    if reference == EVERYONE:
        raise UsageError("the reference 'everyone' contains the group; give a group or 'everyone else'")


def sides(axis: Axis, reference: str) -> tuple[np.ndarray, np.ndarray]:
    """0/1 matrices, comparison x code: what is in the group, and what in its reference."""
    known = np.array([code in axis.groups for code in axis.codes], dtype=np.int64)
    each = np.eye(len(axis), dtype=np.int64)[known == 1]
    if reference == EVERYONE:
        return each, np.tile(known, (len(each), 1))
    if reference == EVERYONE_ELSE:
        return each, known - each
    if reference == COMBINED:
        white = np.array([[code == "White" for code in axis.codes]], dtype=np.int64)
        if not white.any():
            raise UsageError(f"'{COMBINED}' needs the 5 groups; {axis.name} has {', '.join(axis.groups)}")
        return known - white, white
    if reference not in axis.groups:
        choices = (*axis.groups, EVERYONE_ELSE, EVERYONE, COMBINED)
        raise UsageError(f"no reference {reference!r} in {axis.name}{nearest(reference, choices)}")
    named = np.array([code == reference for code in axis.codes], dtype=np.int64)
    rest = each[~(each @ named).astype(bool)]
    return rest, np.tile(named, (len(rest), 1))


def _flatten(
    found: Exposed, axis: Axis, group: np.ndarray, other: np.ndarray, keep: np.ndarray, reference: str
) -> Pairs:
    """Slices x comparisons, as rows."""

    def cut(values: np.ndarray) -> np.ndarray:
        return np.atleast_2d(values[keep])

    n, years, unknown = cut(found.n), cut(found.years), cut(found.unknown())
    by_month = found.by_month[keep].reshape(len(n), len(axis), -1)
    reason, flag = cut(found.reason), cut(found.flag)
    label = COMBINED if reference == COMBINED else None
    names = [label or axis.codes[int(row.argmax())] for row in group]
    rest = groups_of(found.axes[:-1], keep)
    groups = {name: np.repeat(codes, len(group)).tolist() for name, codes in rest.items()}
    groups[axis.name] = names * len(n)
    n1, n0 = years @ group.T, years @ other.T
    a, c = n @ group.T, n @ other.T
    return Pairs(
        groups=groups,
        reference="White" if reference == COMBINED else reference,
        a=a.reshape(-1),
        n1=n1.reshape(-1),
        c=c.reshape(-1),
        n0=n0.reshape(-1),
        a_month=np.einsum("gk,skm->sgm", group, by_month).reshape(a.size, -1),
        c_month=np.einsum("gk,skm->sgm", other - group * other, by_month).reshape(a.size, -1),
        month_used=found.month_used if by_month.shape[-1] == len(found.month_used) else np.ones(1, bool),
        unknown=np.repeat(unknown[:, 0], len(group)),
        reason=_reasons(reason, group, other, n1, n0),
        flag=_gather(flag, group + other > 0),
        covered=np.repeat(cut(found.covered)[:, 0], len(group)),
        period=np.repeat(cut(found.period)[:, 0], len(group)),
        vintage=found.vintage,
    )


def _with_persons(
    pairs: Pairs, persons: PersonTally, found: Exposed, group: np.ndarray, other: np.ndarray, slices: np.ndarray
) -> Pairs:
    """The comparisons with what is known of the people searched; remarks where searches name nobody."""
    unnamed = np.zeros(pairs.a.shape, dtype=np.int64)
    alike = []
    for side in (group, other):
        size, without = searches_alike(persons, found, side)
        alike.append(size[slices].reshape(-1))
        unnamed += without[slices].reshape(-1)
    remarks = [f"{n:,} searches name no person: each is taken as of somebody else" if n else "" for n in unnamed]
    flag = np.array([join_flags(*both) for both in zip(pairs.flag, remarks)], dtype=object)
    return replace(pairs, a_alike=alike[0], c_alike=alike[1], flag=flag)


def _gather(remarks: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Remarks of every code that takes part in a comparison, joined."""
    joined = [join_flags(*(remarks[s, k] for k in np.flatnonzero(row))) for s in range(len(remarks)) for row in member]
    return np.array(joined, dtype=object)


def _reasons(reason: np.ndarray, group: np.ndarray, other: np.ndarray, n1: np.ndarray, n0: np.ndarray) -> np.ndarray:
    why = _gather(reason, group + other > 0)
    empty = ((n1 <= 0) | (n0 <= 0)).reshape(-1)
    return np.where((why == "") & empty, "no residents", why)


def pair_frame(pairs: Pairs, values: dict[str, Any]) -> pd.DataFrame:
    """Result rows of the comparisons; `values` adds to, or replaces, what every comparison states."""
    return result_frame(
        pairs.groups,
        {
            "numerator": pairs.a,
            "denominator": np.where(pairs.reason == "", pairs.expected, np.nan),
            "reference": pairs.reference,
            "n_unknown": pairs.unknown,
            "covered_months": pairs.covered,
            "period_months": pairs.period,
            "population_vintage": pairs.vintage,
            "flag": [join_flags(not_computable(why), flag) for why, flag in zip(pairs.reason, pairs.flag)],
            **values,
        },
    )
