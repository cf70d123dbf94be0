"""What a ratio over forces and areas is made of: differences between forces, between areas, and within areas."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from disprop.errors import UsageError
from disprop.intervals.interval import FloatArray
from disprop.intervals.strata import per_stratum

LEVELS = ("crude", "force", "area")
STEPS = ("between forces", "between areas within forces", "within areas")


class Decomposition(NamedTuple):
    """`expected` and `ratio` at each of LEVELS, `log_step` and `excess_step` for each of STEPS: shape (..., 3).

    `events` of the group, shape (...); `left_out`, shape (..., areas): the areas in which the reference has nobody.
    """

    events: FloatArray
    expected: FloatArray
    ratio: FloatArray
    log_step: FloatArray
    excess_step: FloatArray
    left_out: np.ndarray


def decompose_ratio(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    reference_events: ArrayLike,
    reference_exposure: ArrayLike,
    force: ArrayLike,
) -> Decomposition:
    """Split a rate ratio over areas, exactly, into what lies between forces, between their areas, and within areas.

    Corner cases first. An area in which the reference has no exposure is left out at all three levels, its events and
    residents with it, and marked. No reference events: nothing is expected, the ratios and steps are NaN. No events of
    the group: the ratios are 0, the last step minus infinity; the other steps do not depend on the group's events.
    A missing count (NaN) gives NaN throughout. One force: the first step is 0. An area belongs to one force and has
    one population, whoever made the searches in it.

    With a, n1 events and exposure of the group, c, n0 those of the reference: at level L (all areas as one; the areas
    of each force as one; each area) E_L = sum over its parts k of n1k ck / n0k, R_L = a / E_L. Then

        ln R_crude = ln(R_crude / R_force) + ln(R_force / R_area) + ln R_area
        a - E_crude = (E_force - E_crude) + (E_area - E_force) + (a - E_area)

    The order matters, and is the one that asks least of the reader: whole, force, area.

    Areas stand along the last axis: counts of shape (..., areas), `force` of shape (areas,), any labels. Units: ratio,
    natural logarithm, events.

    Raises UsageError for negative or infinite counts, a `force` of another length, no areas, or shapes that do not go
    together.

    Two forces, alike within every area: the first searches four times as much, and has more of the group's residents.

    >>> found = decompose_ratio(events=[40, 40, 5, 10], exposure=[10, 10, 5, 10], reference_events=[80, 80, 30, 60],
    ...                         reference_exposure=[20, 20, 30, 60], force=["A", "A", "B", "B"])
    >>> found.ratio.round(3).tolist(), np.exp(found.log_step).round(3).tolist()
    ([1.411, 1.0, 1.0], [1.411, 1.0, 1.0])
    >>> found.excess_step.round(1).tolist()
    [27.7, 0.0, 0.0]
    """
    counts, _, _ = per_stratum(
        events=events, exposure=exposure, reference_events=reference_events, reference_exposure=reference_exposure
    )
    left_out = counts[3] == 0
    a, n1, c, n0 = (np.where(left_out, 0.0, values) for values in counts)
    of_force = _membership(force, a.shape[-1])
    observed = a.sum(axis=-1)
    expected = np.stack([_expected(n1, c, n0, to) for to in (np.ones_like(of_force[:, :1]), of_force, None)], axis=-1)
    with np.errstate(all="ignore"):
        expected = np.where(np.isnan(observed)[..., None], np.nan, expected)
        ratio = np.where(expected > 0, observed[..., None] / expected, np.nan)
        log_expected = np.where(expected > 0, np.log(expected), np.nan)
        last = np.log(ratio[..., 2:])
    return Decomposition(
        events=observed,
        expected=expected,
        ratio=ratio,
        log_step=np.concatenate([np.diff(log_expected, axis=-1), last], axis=-1),
        excess_step=np.diff(np.concatenate([expected, observed[..., None]], axis=-1), axis=-1),
        left_out=left_out,
    )


def _membership(force: ArrayLike, areas: int) -> FloatArray:
    """0/1 matrix, areas x forces."""
    labels = np.asarray(force)
    if labels.shape != (areas,):
        raise UsageError(f"force has shape {labels.shape}: give one label for each of the {areas} areas")
    _, at = np.unique(labels, return_inverse=True)
    return np.eye(at.max() + 1)[at]


def _expected(n1: FloatArray, c: FloatArray, n0: FloatArray, to: FloatArray | None) -> FloatArray:
    """Events expected at the reference's rates in the parts that the matrix `to` gathers areas into (None: areas)."""
    n1, c, n0 = (values if to is None else values @ to for values in (n1, c, n0))
    with np.errstate(all="ignore"):
        return np.asarray(np.where(n0 == 0, 0.0, n1 * c / n0).sum(axis=-1))
