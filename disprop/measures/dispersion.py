"""How much more uneven the months are than chance makes them: what limits are widened by, and verdicts more so."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, stdtrit

MONTHS_FOR_DISPERSION = 6
"""With fewer months, how uneven they are cannot be told."""


def month_dispersion(group: np.ndarray, reference: np.ndarray, used: np.ndarray) -> np.ndarray:
    """phi = max(1, X^2 / (k - 1)) of the group's share of (group + reference) over the k months that have records.

    Conditioning on the month's total takes out whatever moves both groups alike. 1 with fewer than 6 months: there it
    cannot be told. X^2 = sum over months of (a - n p)^2 / (n p (1 - p)), n = a + c, p the share over all months.

    group, reference: counts, shape (..., months). used: bool, shape (months,). Returns shape (...).

    >>> month_dispersion(np.array([[10, 30, 10, 30, 10, 30]]), np.full((1, 6), 100), np.ones(6, bool)).round(2)
    array([5.03])
    """
    a, n = group[..., used].astype(float), (group + reference)[..., used].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = a.sum(axis=-1, keepdims=True) / n.sum(axis=-1, keepdims=True)
        terms = np.where(n > 0, (a - n * p) ** 2 / (n * p * (1 - p)), 0.0)
        k = (n > 0).sum(axis=-1)
        phi = np.nan_to_num(terms).sum(axis=-1) / (k - 1)
    return np.where(k >= MONTHS_FOR_DISPERSION, np.maximum(phi, 1.0), 1.0)


def judged_dispersion(
    dispersion: np.ndarray, group: np.ndarray, reference: np.ndarray, used: np.ndarray, *, confidence: float = 0.95
) -> np.ndarray:
    """The dispersion that a verdict reckons with: wider than the one printed, because k months only estimate it.

    Limits of ln(ratio) are z sqrt(phi) standard errors away; a phi estimated from k months asks for t on k - 1 degrees
    of freedom in z's place: phi (t / z)^2. Where there is no dispersion (phi = 1) it stays 1: chance alone needs no
    estimate. With phi as printed, "higher" is wrong in up to 4% of draws on the band's edge
    (docs/decisions/0015-verdicts-under-dispersion.md).

    Arguments as `month_dispersion`, and its result. Source: Student (1908) Biometrika 6:1.

    >>> months = np.full((1, 12), 10)
    >>> judged_dispersion(np.array([4.4]), months, months, np.ones(12, bool)).round(2)
    array([5.55])
    """
    k = ((group + reference)[..., used] > 0).sum(axis=-1)
    level = 0.5 + confidence / 2
    return np.where(dispersion > 1, dispersion * (stdtrit(np.maximum(k - 1, 1), level) / ndtri(level)) ** 2, 1.0)
