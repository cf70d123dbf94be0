"""One ratio over many strata, such as areas: Mantel-Haenszel, within strata, and whether the strata agree.

The strata stand along the last axis. Inside this module a and c are events of group and reference, n1 and n0 their
exposures or trials, and `tail` the error left outside each limit.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, ndtri

from disprop.intervals.interval import FloatArray, Floats, Interval, interval, refuse_more
from disprop.intervals.rate_ratio import rate_ratio_interval
from disprop.intervals.strata import per_stratum


class Agreement(NamedTuple):
    """A test whether strata share one ratio: chi-square, its degrees of freedom, and the p value."""

    statistic: Floats
    degrees_of_freedom: Floats
    p_value: Floats


class Expected(NamedTuple):
    """Events of the group, those expected at the reference's rates, and how many reference events these are worth.

    `effective` reference events, all in one stratum, would leave `expected` as unsure as it is: E^2 / variance.
    """

    events: Floats
    expected: Floats
    effective: Floats


def mantel_haenszel_rate_ratio(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    reference_events: ArrayLike,
    reference_exposure: ArrayLike,
    confidence: ArrayLike = 0.95,
    dispersion: ArrayLike = 1.0,
) -> Interval:
    """The one rate ratio that the strata would share: Mantel and Haenszel's weighted mean of their ratios.

    Corner cases first. A stratum in which a side has no exposure says nothing and counts for nothing. No reference
    events in the strata that count: no estimate (NaN), limits 0 and infinity. No events of the group: ratio 0, limits
    0 and infinity (there is no standard error). A missing count (NaN) gives NaN throughout.

    ratio = R / S with R = sum(a n0 / t), S = sum(c n1 / t), t = n1 + n0; limits exp(log ratio -+ z se) with
    se^2 = dispersion x sum((a + c) n1 n0 / t^2) / (R S). Where the strata's ratios differ it is a mean with weights of
    its own: beside the ratio within strata (`within_strata_rate_ratio`), not instead of it.

    Strata stand along the last axis, which the result lacks: counts of shape (..., strata) give (...); `confidence`
    and `dispersion` are of shape (...). Unit: a ratio.

    Raises UsageError for negative or infinite counts, a confidence outside 0 to 1, a dispersion below 1, no strata, or
    shapes that do not go together.

    Sources: Rothman and Boice (1979) for the ratio; Greenland and Robins (1985) Biometrics 41:55 for its variance.

    >>> a = dict(events=[4, 2], exposure=[250, 40], reference_events=[6, 9], reference_exposure=[1_200, 1_500])
    >>> [round(figure, 2) for figure in mantel_haenszel_rate_ratio(**a)]
    [4.15, 1.54, 11.17]
    """
    counts, phi, tail = per_stratum(
        confidence=confidence,
        dispersion=dispersion,
        events=events,
        exposure=exposure,
        reference_events=reference_events,
        reference_exposure=reference_exposure,
    )
    a, n1, c, n0 = counts
    t = n1 + n0
    with np.errstate(all="ignore"):
        spread = _over_both((a + c) * n1 * n0 / t**2, n1, n0)
        return _pooled(_over_both(a * n0 / t, n1, n0), _over_both(c * n1 / t, n1, n0), phi * spread, tail)


def mantel_haenszel_risk_ratio(
    *,
    events: ArrayLike,
    trials: ArrayLike,
    reference_events: ArrayLike,
    reference_trials: ArrayLike,
    confidence: ArrayLike = 0.95,
) -> Interval:
    """The one ratio of proportions that the strata would share.

    Corner cases as `mantel_haenszel_rate_ratio`, with trials for exposure; where every trial of both sides is an
    event, the limits shrink to 1.

    ratio = R / S with R = sum(a n0 / t), S = sum(c n1 / t), t = n1 + n0 trials; limits exp(log ratio -+ z se) with
    se^2 = sum((n1 n0 (a + c) - a c t) / t^2) / (R S).

    Shapes and errors as `mantel_haenszel_rate_ratio`; UsageError also for more events than trials.

    Source: Greenland and Robins (1985) Biometrics 41:55.

    >>> a = dict(events=[3, 9], trials=[25, 60], reference_events=[2, 8], reference_trials=[30, 90])
    >>> [round(figure, 2) for figure in mantel_haenszel_risk_ratio(**a)]
    [1.71, 0.77, 3.78]
    """
    (a, n1, c, n0), tail = _of_trials(confidence, events, trials, reference_events, reference_trials)
    t = n1 + n0
    with np.errstate(all="ignore"):
        spread = _over_both((n1 * n0 * (a + c) - a * c * t) / t**2, n1, n0)
        return _pooled(_over_both(a * n0 / t, n1, n0), _over_both(c * n1 / t, n1, n0), spread, tail)


def breslow_day(
    *, events: ArrayLike, trials: ArrayLike, reference_events: ArrayLike, reference_trials: ArrayLike
) -> Agreement:
    """Whether the strata share one odds ratio: Breslow and Day's chi-square.

    Corner cases first. A stratum in which a side has no trials, or in which all or none of the trials are events, says
    nothing: it counts neither in the statistic nor in the degrees of freedom. Fewer than two strata that count, or no
    common odds ratio above 0: all three NaN but the degrees of freedom. It does not say how much strata differ: with
    many records a difference of no interest is found, with few records a large one is not.

    statistic = sum((a - A)^2 / V), A the events expected in the stratum under the Mantel-Haenszel odds ratio and
    the stratum's own margins, 1 / V = 1 / A + 1 / (n1 - A) + 1 / (m - A) + 1 / (n0 - m + A), m = a + c. Degrees of
    freedom: strata less 1. Without Tarone's correction, which is too small to matter here.

    Shapes and errors as `mantel_haenszel_risk_ratio`. For counts over an exposure: `breslow_day_of_rates`.

    Source: Breslow and Day (1980), volume I, section 4.4.

    >>> a = dict(events=[3, 9], trials=[25, 60], reference_events=[2, 8], reference_trials=[30, 90])
    >>> found = breslow_day(**a)
    >>> round(found.statistic, 4), found.degrees_of_freedom, round(found.p_value, 2)
    (0.0025, 1.0, 0.96)
    """
    (a, n1, c, n0), _ = _of_trials(0.95, events, trials, reference_events, reference_trials)
    m, t = a + c, n1 + n0
    counts = (n1 > 0) & (n0 > 0) & (m > 0) & (m < t)
    with np.errstate(all="ignore"):
        odds = _kept(a * (n0 - c) / t, counts) / _kept(c * (n1 - a) / t, counts)
        fitted = _fitted_events(n1, n0, m, odds[..., None])
        precision = 1 / fitted + 1 / (n1 - fitted) + 1 / (m - fitted) + 1 / (n0 - m + fitted)
        return _agreement((a - fitted) ** 2 * precision, counts, odds, a + n1 + c + n0)


def breslow_day_of_rates(
    *, events: ArrayLike, exposure: ArrayLike, reference_events: ArrayLike, reference_exposure: ArrayLike
) -> Agreement:
    """Whether the strata share one rate ratio: the chi-square of Breslow and Day's second volume.

    Corner cases as `breslow_day`: strata without exposure on a side, or without events, count for nothing.

    statistic = sum((a - A)^2 / V), A = (a + c) p and V = (a + c) p (1 - p), p = R n1 / (R n1 + n0), R the
    Mantel-Haenszel rate ratio. Degrees of freedom: strata less 1.

    Shapes and errors as `mantel_haenszel_rate_ratio`.

    Source: Breslow and Day (1987), volume II, section 3.6.

    >>> a = dict(events=[4, 2], exposure=[250, 40], reference_events=[6, 9], reference_exposure=[1_200, 1_500])
    >>> found = breslow_day_of_rates(**a)
    >>> round(found.statistic, 2), found.degrees_of_freedom, round(found.p_value, 2)
    (0.99, 1.0, 0.32)
    """
    (a, n1, c, n0), _, _ = per_stratum(
        events=events, exposure=exposure, reference_events=reference_events, reference_exposure=reference_exposure
    )
    counts = (n1 > 0) & (n0 > 0) & (a + c > 0)
    with np.errstate(all="ignore"):
        t = n1 + n0
        ratio = _kept(a * n0 / t, counts) / _kept(c * n1 / t, counts)
        share = ratio[..., None] * n1 / (ratio[..., None] * n1 + n0)
        terms = (a - (a + c) * share) ** 2 / ((a + c) * share * (1 - share))
        return _agreement(terms, counts, ratio, a + n1 + c + n0)


def expected_within_strata(
    *, events: ArrayLike, exposure: ArrayLike, reference_events: ArrayLike, reference_exposure: ArrayLike
) -> Expected:
    """Events of the group, and those expected had it met the reference's rate in each stratum.

    Corner cases first. A stratum in which the reference has no exposure has no rate to expect from: it is left out,
    the group's events with it. A missing count (NaN) gives NaN throughout.

    O = sum(a), E = sum(w c) with w = n1 / n0; the variance of E is sum(w^2 c), and E^2 / variance the effective count
    (0 where nothing is expected).

    Shapes and errors as `mantel_haenszel_rate_ratio`. Unit: events.

    >>> found = expected_within_strata(events=[6, 14], exposure=[100, 100], reference_events=[40, 90],
    ...                                reference_exposure=[1_000, 500])
    >>> found.events, round(found.expected, 2), round(found.effective, 2)
    (20.0, 22.0, 121.0)
    """
    counts, _, _ = per_stratum(
        events=events, exposure=exposure, reference_events=reference_events, reference_exposure=reference_exposure
    )
    found = _expected(*counts)
    return found if found.events.ndim else Expected(*map(float, found))


def within_strata_rate_ratio(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    reference_events: ArrayLike,
    reference_exposure: ArrayLike,
    confidence: ArrayLike = 0.95,
    dispersion: ArrayLike = 1.0,
) -> Interval:
    """How many times the reference's rate the group's rate is, stratum for stratum: events over events expected.

    Corner cases first. Strata in which the reference has no exposure are left out, events and all. No reference
    events: no estimate (NaN), limits 0 and infinity. No events of the group: ratio 0, low 0, high given. A missing
    count (NaN) gives NaN throughout. With one stratum it is `rate_ratio_interval`.

    ratio = O / E as `expected_within_strata` has them: the mean of the strata's ratios, each weighted by the events
    expected there. Limits: the score limits of `rate_ratio_interval` on O events against the effective count behind E,
    divided by the `dispersion`: the chance variation of both sides is in them. (`indirectly_standardised_ratio` takes
    the reference's rates as known.)

    Shapes and errors as `mantel_haenszel_rate_ratio`. Unit: a ratio.

    Sources: Breslow and Day (1987), volume II, chapter 2, for the ratio; effective counts after Dobson and others
    (1991) Stat Med 10:457.

    >>> a = dict(events=[6, 14], exposure=[100, 100], reference_events=[40, 90], reference_exposure=[1_000, 1_000])
    >>> [round(figure, 2) for figure in within_strata_rate_ratio(**a)]
    [1.54, 0.96, 2.45]
    """
    counts, phi, tail = per_stratum(
        confidence=confidence,
        dispersion=dispersion,
        events=events,
        exposure=exposure,
        reference_events=reference_events,
        reference_exposure=reference_exposure,
    )
    found = _expected(*counts)
    none = found.expected == 0
    limits = rate_ratio_interval(
        events=found.events,
        exposure=np.where(none, 1.0, found.expected),
        reference_events=found.effective,
        reference_exposure=np.where(none, 1.0, found.effective),
        confidence=1 - 2 * tail,
        dispersion=phi,
    )
    return interval(np.asarray(limits.estimate), np.where(none, 0.0, limits.low), np.where(none, np.inf, limits.high))


def within_strata_excess(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    reference_events: ArrayLike,
    reference_exposure: ArrayLike,
    confidence: ArrayLike = 0.95,
    dispersion: ArrayLike = 1.0,
) -> Interval:
    """Events of the group beyond those expected at the reference's rate in each stratum.

    Corner cases first. Strata in which the reference has no exposure are left out, events and all. No events on either
    side: 0, with limits that shrink to it. A missing count (NaN) gives NaN throughout. Negative where the group meets
    fewer events than expected.

    excess = O - E as `expected_within_strata` has them; limits -+ z sqrt(dispersion x (O + sum(w^2 c))), w = n1 / n0.

    Shapes and errors as `mantel_haenszel_rate_ratio`. Unit: events.

    >>> a = dict(events=[6, 14], exposure=[100, 100], reference_events=[40, 90], reference_exposure=[1_000, 1_000])
    >>> [round(figure, 1) for figure in within_strata_excess(**a)]
    [7.0, -2.0, 16.0]
    """
    counts, phi, tail = per_stratum(
        confidence=confidence,
        dispersion=dispersion,
        events=events,
        exposure=exposure,
        reference_events=reference_events,
        reference_exposure=reference_exposure,
    )
    observed, expected, effective = _expected(*counts)
    with np.errstate(all="ignore"):
        variance = observed + np.where(expected == 0, 0.0, expected**2 / effective)
    half = -ndtri(tail) * np.sqrt(phi * variance)
    return interval(observed - expected, observed - expected - half, observed - expected + half)


def _of_trials(
    confidence: ArrayLike, events: ArrayLike, trials: ArrayLike, others: ArrayLike, other_trials: ArrayLike
) -> tuple[list[FloatArray], FloatArray]:
    counts, _, tail = per_stratum(
        confidence=confidence,
        events=events,
        trials=trials,
        reference_events=others,
        reference_trials=other_trials,
    )
    refuse_more("events", counts[0], "trials", counts[1])
    refuse_more("reference_events", counts[2], "reference_trials", counts[3])
    return counts, tail


def _over_both(terms: FloatArray, n1: FloatArray, n0: FloatArray) -> FloatArray:
    """Sum over the strata in which both sides have any exposure; a missing exposure stays missing."""
    return _kept(terms, ~((n1 == 0) | (n0 == 0)))


def _kept(terms: FloatArray, counts: np.ndarray) -> FloatArray:
    return np.asarray(np.where(counts, terms, 0.0).sum(axis=-1))


def _pooled(above: FloatArray, below: FloatArray, spread: FloatArray, tail: FloatArray) -> Interval:
    """above / below with log limits; where a sum is 0 there is no standard error."""
    none, missing = (above == 0) | (below == 0), np.isnan(above + below)
    factor = np.exp(-ndtri(tail) * np.sqrt(spread / (above * below)))
    ratio = np.where(below == 0, np.nan, above / below)
    low = np.where(none, 0.0, ratio / factor)
    high = np.where(none, np.inf, ratio * factor)
    return interval(ratio, *(np.where(missing, np.nan, limit) for limit in (low, high)))


def _fitted_events(n1: FloatArray, n0: FloatArray, m: FloatArray, odds: FloatArray) -> FloatArray:
    """Events of the group that give the odds ratio with these margins: the root A of a quadratic, without loss.

    (odds - 1) A^2 - b A + odds n1 m = 0, b = odds (n1 + m) + n0 - m; the root between the margins is the smaller
    in size, and 2 C / (b + sqrt(b^2 - 4 (odds - 1) C)) keeps all its digits, odds 1 included.
    """
    b, product = odds * (n1 + m) + n0 - m, odds * n1 * m
    return 2 * product / (b + np.sqrt(b * b - 4 * (odds - 1) * product))


def _agreement(terms: FloatArray, counts: np.ndarray, common: FloatArray, given: FloatArray) -> Agreement:
    freedom = np.maximum(counts.sum(axis=-1) - 1.0, 0.0)
    told = (freedom > 0) & (common > 0) & np.isfinite(common) & ~np.isnan(given).any(axis=-1)
    statistic = np.where(told, _kept(terms, counts), np.nan)
    p_value = np.where(told, chdtrc(freedom, np.nan_to_num(statistic)), np.nan)
    values = (statistic, freedom, p_value)
    return Agreement(*(value if np.ndim(value) else float(value) for value in values))


def _expected(a: FloatArray, n1: FloatArray, c: FloatArray, n0: FloatArray) -> Expected:
    left_out = n0 == 0
    with np.errstate(all="ignore"):
        w = np.where(left_out, 0.0, n1 / n0)
        v = w / w.max(axis=-1, keepdims=True)  # equal weights become 1, and the effective count the plain one
        observed, expected, above, below = (
            np.asarray(terms.sum(axis=-1)) for terms in (np.where(left_out, 0.0, a), w * c, v * c, v * v * c)
        )
        effective = np.where(expected == 0, 0.0, above**2 / below)
    return Expected(observed, expected, effective)
