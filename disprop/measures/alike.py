"""Searches of the same person: how many of them a search of a group stands among."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from disprop.errors import UsageError
from disprop.measures.exposed import Exposed
from disprop.tallies import Axis

if TYPE_CHECKING:
    from disprop.persons import PersonTally


def searches_alike(persons: PersonTally, found: Exposed, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of m^2 / sum of m over the people of each group of codes, and the searches of it that name no person.

    Everybody searched once: 1. Nobody searched: 1. A search that names no person is taken as the only one of somebody:
    that is the least that it can add.

    found: counts over axes, the last of which is parted. members: 0/1, shape (groups, codes of that axis).
    Both results have the shape of the axes before the last, and one dimension more, of groups.
    Raises UsageError when the person tally counts other records than those found, AxisMismatch for a missing axis.
    """
    cut = persons.covered_only(found.cover)
    names = [axis.name for axis in found.axes]
    own = tuple(cut.counted.axis(name) for name in names)
    _refuse_others(laid_on(found.axes, own, cut.counted.project(names).counts), found)
    alike, unnamed, done = [], [], {}
    for row in members:
        codes = tuple(code for code, inside in zip(found.axes[-1].codes, row) if inside)
        if codes not in done:
            done[codes] = _squares(cut, found, own, codes)
        squares, keyed = done[codes]
        records = (found.n * row).sum(axis=-1)
        unnamed.append(records - keyed)
        with np.errstate(divide="ignore", invalid="ignore"):
            alike.append(np.where(records > 0, (squares + unnamed[-1]) / records, 1.0))
    return np.stack(alike, axis=-1), np.stack(unnamed, axis=-1)


def _squares(
    cut: PersonTally, found: Exposed, own: tuple[Axis, ...], codes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of m^2 and of m over the people with these codes, on the axes found but the last."""
    *rest, of = own
    met = cut.meetings([axis.name for axis in rest], among=[(of.name, codes)])
    shape = [len(axis) for axis in rest]
    size = int(np.prod(shape, dtype=np.int64))
    squares, keyed = (
        laid_on(found.axes[:-1], rest, values.reshape(shape)) for values in (met.squares(size), met.records(size))
    )
    return squares, keyed


def _refuse_others(counts: np.ndarray, found: Exposed) -> None:
    if not np.array_equal(counts, found.n):
        raise UsageError(
            f"the person tally counts {int(counts.sum()):,} where the tally counts {int(found.n.sum()):,}, or others; "
            "make both of the same records, forces and period, by the same axes"
        )


def laid_on(axes: Sequence[Axis], own: Sequence[Axis], values: np.ndarray) -> np.ndarray:
    """Values over axes of their own, on the axes given: the codes that both have (areas without searches: 0)."""
    shared = [[code for code in mine.codes if code in axis.codes] for mine, axis in zip(own, axes)]
    out = np.zeros([len(axis) for axis in axes], dtype=values.dtype)
    here = np.ix_(*([mine.codes.index(code) for code in codes] for mine, codes in zip(own, shared)))
    there = np.ix_(*([axis.codes.index(code) for code in codes] for axis, codes in zip(axes, shared)))
    out[there] = values[here]
    return out
