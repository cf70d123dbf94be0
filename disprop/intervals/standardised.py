"""Rates and ratios standardised over strata, such as age bands: the strata stand along the last axis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from disprop.intervals.interval import FloatArray, Floats, Interval, choose, interval
from disprop.intervals.rate import METHODS as RATE_METHODS
from disprop.intervals.rate import rate_interval
from disprop.intervals.rate_ratio import rate_ratio_interval
from disprop.intervals.strata import per_stratum

FEWEST = 10
"""A directly standardised rate stands on at least this many events: below, single strata decide it."""

METHODS = {name: RATE_METHODS[name] for name in ("byar", "exact")}


def directly_standardised_rate(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    standard: ArrayLike,
    confidence: ArrayLike = 0.95,
    method: str = "byar",
) -> Interval:
    """The rate that the group would have if its strata were as large as those of the standard population.

    Corner cases first. Below 10 events it is not given: all three are NaN. A stratum without exposure has no rate,
    so neither has the whole, unless the standard has nobody there either; strata in which the standard has nobody
    count for nothing, events included. A missing count (NaN) gives NaN throughout. The low limit is never below 0.

    rate = sum(w x / n) / sum(w), with x events and n exposure in a stratum, w the standard. Its variance is
    sum((w / n)^2 x) / sum(w)^2, and the limits are those of the count X = sum(x), brought to that scale:
    rate + sqrt(variance / X) (limit of X - X). Limits of X: Byar's, or exact (Garwood) with `method="exact"`.

    Strata stand along the last axis, which the result lacks: events of shape (..., strata) give (...). `standard` is
    of shape (strata,) or any that broadcasts; `confidence` of shape (...). Unit: events per unit of exposure.

    Raises UsageError for negative or infinite counts, a confidence outside 0 to 1, an unknown method, no strata, or
    shapes that do not go together.

    Sources: Dobson, Kuulasmaa, Eberle and Scherer (1991) Stat Med 10:457; Breslow and Day (1987), volume II, for
    Byar's limits.

    Deaths per 1,000 in two towns with the same rates at each age, the second with more old people:

    >>> x = dict(events=[[40, 60], [20, 120]], exposure=[[20.0, 10.0], [10.0, 20.0]])
    >>> found = directly_standardised_rate(**x, standard=[60, 40])
    >>> found.estimate, found.low.round(2), found.high.round(2)
    (array([3.6, 3.6]), array([2.92, 2.95]), array([4.39, 4.34]))
    """
    choose(method, METHODS, "directly_standardised_rate")
    counts, _, tail = per_stratum(confidence=confidence, events=events, exposure=exposure, standard=standard)
    found = _direct(*counts)
    limits = rate_interval(events=found.events, exposure=1, confidence=1 - 2 * tail, method=method)
    with np.errstate(all="ignore"):
        scale = np.sqrt(found.variance / found.events)
        low, high = (found.rate + scale * (limit - found.events) for limit in limits[1:])
    return interval(found.rate, np.maximum(low, 0), high)


def directly_standardised_ratio(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    reference_events: ArrayLike,
    reference_exposure: ArrayLike,
    standard: ArrayLike,
    confidence: ArrayLike = 0.95,
    dispersion: ArrayLike = 1.0,
) -> Interval:
    """How many times the reference's standardised rate the group's standardised rate may be.

    Corner cases first. Not given (NaN) where either rate is not: below 10 events on a side, or a stratum without
    exposure. A missing count (NaN) gives NaN throughout. With one stratum, or with strata whose sizes are in the same
    proportions as the standard's, it is `rate_ratio_interval`.

    The limits are the score limits of `rate_ratio_interval` on the effective counts of `effective_events`, group
    against reference, divided by the `dispersion`.

    Shapes as `directly_standardised_rate`; `dispersion` like `confidence`, 1 or more. Raises UsageError likewise.

    Sources: effective counts, Fay (1999) Commun Stat Theory Methods 28:2141; score limits as `rate_ratio_interval`.

    >>> one, other = dict(events=[40, 60], exposure=[20.0, 10.0]), dict(reference_events=[30, 40])
    >>> found = directly_standardised_ratio(**one, **other, reference_exposure=[20.0, 10.0], standard=[60, 40])
    >>> [round(figure, 2) for figure in found]
    [1.44, 1.06, 1.96]
    """
    counts, phi, tail = per_stratum(
        confidence=confidence,
        dispersion=dispersion,
        events=events,
        exposure=exposure,
        reference_events=reference_events,
        reference_exposure=reference_exposure,
        standard=standard,
    )
    a, n1, c, n0, w = counts
    group, reference = _effective(_direct(a, n1, w)), _effective(_direct(c, n0, w))
    return rate_ratio_interval(
        events=group.events,
        exposure=group.exposure,
        reference_events=reference.events,
        reference_exposure=reference.exposure,
        confidence=1 - 2 * tail,
        dispersion=phi,
    )


def effective_events(*, events: ArrayLike, exposure: ArrayLike, standard: ArrayLike) -> Effective:
    """The plain count, and its exposure, that would be as sure as the directly standardised rate is.

    Corner cases, shapes and errors as `directly_standardised_rate`: NaN where that is not given.

    A rate d with variance v: d^2 / v events over an exposure of d / v. Strata sized as the standard give the count
    itself; the less alike they are, the fewer events it is worth.

    >>> found = effective_events(events=[40, 60], exposure=[20.0, 10.0], standard=[60, 40])
    >>> round(found.events, 1), round(found.events / found.exposure, 1)
    (98.2, 3.6)
    """
    counts, _, _ = per_stratum(events=events, exposure=exposure, standard=standard)
    found = _effective(_direct(*counts))
    return found if np.ndim(found.events) else Effective(*map(float, found))


def indirectly_standardised_ratio(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    reference_events: ArrayLike,
    reference_exposure: ArrayLike,
    confidence: ArrayLike = 0.95,
    method: str = "byar",
) -> Interval:
    """Events of the group over those expected if the reference's rate held in each stratum: observed / expected.

    Corner cases first. No events: ratio 0, low 0, high given. No events expected: no estimate, all three NaN. A
    stratum in which the reference has no exposure has no rate to expect from: NaN throughout, unless the group has no
    exposure there either. A missing count (NaN) gives NaN throughout.

    ratio = O / E, O = sum(x), E = sum(n m / M) with m events and M exposure of the reference. Limits: those of the
    count O over E, Byar's (exact below 10 events) or exact (Garwood). The reference's rates are taken as known, as
    where it is a whole country: where it is a group with chance variation of its own, or holds the group itself, use
    `within_strata_rate_ratio`.

    Shapes and errors as `directly_standardised_rate`; methods `byar` (default) and `exact`. Unit: a ratio; times the
    reference's own rate it is the indirectly standardised rate.

    Source: Breslow and Day (1987), volume II, chapter 2.

    >>> found = indirectly_standardised_ratio(events=[6, 14], exposure=[100, 100],
    ...                                       reference_events=[40, 90], reference_exposure=[1_000, 1_000])
    >>> [round(figure, 3) for figure in found]
    [1.538, 0.939, 2.376]
    """
    choose(method, METHODS, "indirectly_standardised_ratio")
    counts, _, tail = per_stratum(
        confidence=confidence,
        events=events,
        exposure=exposure,
        reference_events=reference_events,
        reference_exposure=reference_exposure,
    )
    x, n, m, whole = counts
    with np.errstate(all="ignore"):
        expected = np.where((n == 0) & (whole == 0), 0.0, n * m / whole).sum(axis=-1)
        expected = np.where(expected > 0, expected, np.nan)
    return rate_interval(events=x.sum(axis=-1), exposure=expected, confidence=1 - 2 * tail, method=method)


class Effective(NamedTuple):
    """Events over an exposure."""

    events: Floats
    exposure: Floats


def _effective(found: _Direct) -> Effective:
    with np.errstate(all="ignore"):
        return Effective(found.rate**2 / found.variance, found.rate / found.variance)


class _Direct(NamedTuple):
    rate: FloatArray
    variance: FloatArray
    events: FloatArray


def _direct(x: FloatArray, n: FloatArray, w: FloatArray) -> _Direct:
    """Rate, variance and events of the strata in which the standard has anybody; NaN below FEWEST events."""
    with np.errstate(all="ignore"):
        share = w / w.sum(axis=-1, keepdims=True)
        weight = np.where(w == 0, 0.0, share / np.where(n > 0, n, np.nan))
        x = np.where(w == 0, 0.0, x)
        total = x.sum(axis=-1)
        given = total >= FEWEST
        rate, variance = (weight * x).sum(axis=-1), (weight**2 * x).sum(axis=-1)
    return _Direct(*(np.where(given, value, np.nan) for value in (rate, variance, total)))
