"""One step further than the areas: what the records that state no ethnicity would add, shared out by a named rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from disprop.coverage import covered_only
from disprop.measures.exposed import cover_for
from disprop.measures.pairs import sides
from disprop.measures.strata import Strata
from disprop.measures.unknowns import STRATA, stated_shares
from disprop.tallies import AREA, Tally


def share_out(strata: Strata, tally: Tally, population: Tally, of: str, reference: str) -> tuple[Strata, str]:
    """The comparisons by area with the unknown records shared out, and the rule by which they were.

    The unknown records of an area go to the groups like the stated ones of the same month, officer-defined ethnicity
    (where the tally has it) and area; without any, like those of the same officer-defined ethnicity and area in all
    months; else like all. The records, months and areas are those of `strata`: what takes no part there takes none
    here.
    """
    names = [name for name in strata.pairs.groups if name != of]
    within = [name for name in STRATA if name in tally.names and name not in (of, *names)]
    cut = covered_only(tally, cover_for(tally, population, names)[0]).project([*names, *within, AREA, of])
    slices, row = _slices(cut, strata, names)
    given = np.array([_given(cut.counts[at], cut, strata.codes) for at in slices])[row]
    group, other = (side[np.arange(len(row)) % max(len(side), 1)] for side in sides(cut.axis(of), reference))
    known = np.isin(cut.axis(of).codes, cut.axis(of).groups)
    more, more_reference = (
        np.where(strata.n0 > 0, np.einsum("rkg,rg->rk", given, side[:, known]), 0.0) for side in (group, other)
    )
    rule = f"allocated within {' x '.join([*within, AREA])}"
    return replace(strata, a=strata.a + more, c=strata.c + more_reference), rule


def _slices(cut: Tally, strata: Strata, names: list[str]) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """Cells of the axes `names` that comparisons stand in, and the cell of each comparison."""
    codes = [[cut.axis(name).index(code) for code in strata.pairs.groups[name]] for name in names]
    cells = list(zip(*codes)) if names else [()] * len(strata.pairs.a)
    slices = list(dict.fromkeys(cells))
    return slices, np.array([slices.index(cell) for cell in cells], dtype=int)


def _given(counts: np.ndarray, cut: Tally, areas: Sequence[str]) -> np.ndarray:
    """What the groups of each of `areas` are given of its unknown records, area x group.

    counts: axes of the strata, then area x code. An area without any records gives nothing.
    """
    of = cut.axes[-1]
    known = np.isin(of.codes, of.groups)
    stated, unknown = counts[..., known], counts[..., ~known].sum(axis=-1)
    shared = unknown[..., None] * stated_shares(stated[None])[0]
    by_area = shared.reshape(prod(shared.shape[:-2]), *shared.shape[-2:]).sum(axis=0)
    given = dict(zip(cut.axis(AREA).codes, by_area))
    nothing = np.zeros(by_area.shape[-1])
    return np.array([given.get(area, nothing) for area in areas])
