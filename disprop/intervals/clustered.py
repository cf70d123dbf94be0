"""How much repeated searches of the same people widen a ratio."""

import numpy as np
from numpy.typing import ArrayLike

from disprop.errors import UsageError
from disprop.intervals.interval import FloatArray


def person_clustered_variance(*, searches: ArrayLike, reference_searches: ArrayLike) -> float:
    """Variance of ln(rate ratio) when the same person may be searched several times.

    Corner cases first. Everybody searched once: 1 / a + 1 / c, the variance of Poisson counts. Nobody searched on a
    side: infinite, there is no ratio. A person with 0 searches changes nothing. Needs a person key, which public files
    do not have.

    variance = sum(m^2) / a^2 + sum(m^2) / c^2, m the searches of one person, a = sum(m) over the group's people and
    c = sum(m) over the reference's: people are independent, their searches are not. Over 1 / a + 1 / c it is a
    dispersion, to give to `rate_ratio_interval` beside that of months; the verdict takes the widest.

    searches, reference_searches: one number a person, one-dimensional, of any two lengths.

    Raises UsageError for negative or missing numbers, or an array of another shape.

    Source: the delta method, with people as independent clusters.

    Four people of the group, one of them searched 7 times, against 10 people searched once each:

    >>> person_clustered_variance(searches=[1, 1, 1, 7], reference_searches=[1] * 10)
    0.62
    """
    return sum(
        _of_one_side(name, m) for name, m in (("searches", searches), ("reference_searches", reference_searches))
    )


def _of_one_side(name: str, searches: ArrayLike) -> float:
    m: FloatArray = np.asarray(searches, dtype=np.float64)
    if m.ndim != 1 or not np.all(m >= 0):
        raise UsageError(f"{name} has shape {m.shape} or numbers below 0: give one count of searches a person")
    total = float(m.sum())
    return float((m**2).sum()) / total**2 if total else float("inf")
