"""Comparisons split over one axis more: the areas, or the ages, that a comparison is made within."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from disprop.errors import UsageError
from disprop.measures.exposed import Exposed, Holes, default_by, expose
from disprop.measures.pairs import Pairs, pair_up, sides
from disprop.tallies import Tally


@dataclass(frozen=True)
class Strata:
    """The comparisons of `pairs`, split: arrays of comparisons x strata.

    `codes` names the strata. `unknown` counts records whose group is not known. `..._elsewhere`, one a comparison,
    count the records whose stratum is not known: the group's, the reference's, and those of no known group.
    """

    pairs: Pairs
    codes: tuple[str, ...]
    a: np.ndarray
    n1: np.ndarray
    c: np.ndarray
    n0: np.ndarray
    unknown: np.ndarray
    a_elsewhere: np.ndarray
    c_elsewhere: np.ndarray
    unknown_elsewhere: np.ndarray


def split(
    tally: Tally,
    population: Tally,
    stratum: str,
    *,
    of: str,
    reference: str,
    by: Sequence[str] | None,
    holes: Holes,
    perceived: bool,
) -> Strata:
    """Every comparison along `of` against the reference, split over the axis `stratum`.

    by: axes of the rows besides; default every axis of the tally but the month, `of` and the stratum.

    Raises UsageError where `by` names the stratum or residents are not known by it, and what `pair_up` raises.
    """
    rest = split_by(tally, population, stratum, of, by)
    pairs = pair_up(tally, population, of, reference, rest, holes, perceived)
    found = expose(tally, population, [*rest, stratum, of], holes=holes, perceived=perceived)
    at = _positions(found, pairs)
    group, other = (side[np.arange(len(pairs.a)) % max(len(side), 1)] for side in sides(found.axes[-1], reference))
    n, years = (np.asarray(values[at] if at else [values] * len(pairs.a)) for values in (found.n, found.years))
    a, c, n1, n0 = (np.einsum("rkc,rc->rk", of_all, side) for of_all in (n, years) for side in (group, other))
    unknown = found.unknown(within=stratum)[..., 0]
    unknown = np.asarray(unknown[at] if at else [unknown] * len(pairs.a))
    known = np.isin(found.axes[-2].codes, found.axes[-2].groups)
    return Strata(
        pairs=pairs,
        codes=found.axes[-2].groups,
        a=a[:, known],
        n1=n1[:, known],
        c=c[:, known],
        n0=n0[:, known],
        unknown=unknown[:, known],
        a_elsewhere=a[:, ~known].sum(axis=-1),
        c_elsewhere=c[:, ~known].sum(axis=-1),
        unknown_elsewhere=unknown[:, ~known].sum(axis=-1),
    )


def split_by(tally: Tally, population: Tally, stratum: str, of: str | None, by: Sequence[str] | None) -> list[str]:
    """Axes of the rows when figures are split over the stratum; raises UsageError where they cannot be.

    of: the axis compared along, left out of the rows; none for rates.
    """
    if by is not None and stratum in by:
        raise UsageError(f"rows by {stratum} are not split by {stratum}; leave it out of by")
    if stratum not in population.names:
        wanted = ["force", stratum, of or "ethnicity_self"]
        raise UsageError(
            f"residents are not known by {stratum}: this population has {', '.join(population.names)}; "
            f"give one by {', '.join(wanted)}, as disprop.census(2021, by={wanted})"
        )
    return default_by(tally, without=[of or "", stratum]) if by is None else [name for name in by if name != of]


def _positions(found: Exposed, pairs: Pairs) -> tuple[np.ndarray, ...]:
    """Where each comparison's row stands along the axes before the stratum."""
    axes = found.axes[:-2]
    return tuple(np.array([axis.index(code) for code in pairs.groups[axis.name]], dtype=int) for axis in axes)
