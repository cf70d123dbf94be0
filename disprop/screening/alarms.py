"""Control charts that keep a promise: so many false alarms a year, and no more, however many cells are watched."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, btdtria, btdtrib, ndtr, stdtrit

from disprop.errors import UsageError
from disprop.intervals.interval import FloatArray, Floats, aligned, refuse_more, refuse_narrower
from disprop.intervals.roots import root

BUDGET = 1.0
"""False alarms that a recipient should expect in a year, at most."""


class Alarm(NamedTuple):
    """What was expected of this look, the control limits around it, and the signal.

    `signal` is 1 above the upper limit, -1 below the lower one, 0 within or not assessed (limits NaN). Python numbers
    for scalar arguments, arrays otherwise.
    """

    expected: Floats
    low: Floats
    high: Floats
    signal: Any


def false_alarm_level(*, cells: int, looks_a_year: float, budget: float = BUDGET) -> float:
    """Error allowed at each look so that a recipient expects at most `budget` false alarms in a year.

    level = budget / (cells x looks a year), both sides together; never above 0.05.

    Raises UsageError where nothing is looked at, or the budget is 0 or less.

    Five groups watched every month:

    >>> round(false_alarm_level(cells=5, looks_a_year=12), 4)
    0.0167
    """
    if cells < 1 or looks_a_year <= 0 or budget <= 0:
        raise UsageError(f"nothing to watch: {cells} cells, {looks_a_year:g} looks a year, a budget of {budget:g}")
    return min(0.05, budget / (cells * looks_a_year))


def rate_alarm(
    *,
    events: ArrayLike,
    exposure: ArrayLike,
    base_events: ArrayLike,
    base_exposure: ArrayLike,
    level: float,
    dispersion: ArrayLike = 1.0,
    degrees: ArrayLike = np.inf,
) -> Alarm:
    """Control limits for a count, given the counts of the months before it.

    Corner cases first. No exposure now or before, or a missing count, is not assessed (NaN, signal 0). No events
    before: the expected count is 0, there is still an upper limit. A month without events is judged like any other;
    where too few are expected for a lower limit to exist, it is 0 and never signals.

    If nothing changed, the count x is binomial given x + X, with share t / (t + T) (t, T exposures now and before; X
    events before), which takes into account that the rate before is itself an estimate. The limits are those counts
    whose exact tail is the error of one side; counts are divided by `dispersion`, and where that was estimated, on
    `degrees` degrees of freedom, the error is made smaller as Student's t is wider than the normal.

    All arguments broadcast. level: error of one look, both sides (`false_alarm_level`). Limits are counts, not whole.

    Raises UsageError for negative counts, a dispersion below 1, a level outside 0 to 1.

    Sources: Przyborowski and Wilenski (1940) Biometrika 31:313; Shewhart (1931) for the chart.

    West Midlands searched 97 Black people a month for two years, then 140 in one month:

    >>> alarm = rate_alarm(events=140, exposure=1, base_events=24 * 97, base_exposure=24, level=1 / 60)
    >>> round(alarm.low, 1), round(alarm.high, 1), alarm.signal
    (73.3, 122.4, 1)
    """
    x, t, past, past_t, phi, tail = _aligned(
        level,
        dispersion,
        degrees,
        events=events,
        exposure=exposure,
        base_events=base_events,
        base_exposure=base_exposure,
    )
    with np.errstate(all="ignore"):
        t, past_t = np.where(t > 0, t, np.nan), np.where(past_t > 0, past_t, np.nan)
        low, high = _count_limits(past / phi, t / (t + past_t), tail)
        return _alarm(x, past * t / past_t, low * phi, high * phi)


def share_alarm(
    *,
    events: ArrayLike,
    trials: ArrayLike,
    base_events: ArrayLike,
    base_trials: ArrayLike,
    level: float,
    dispersion: ArrayLike = 1.0,
    degrees: ArrayLike = np.inf,
) -> Alarm:
    """Control limits for a share, given the shares of the months before it.

    For the share of a group among (group + reference), finds among searches, not stated among all: what moves both
    alike does not ring. Corner cases first. No trials now or before, or a missing count, is not assessed (NaN, signal
    0). None, or all, before can still be followed by a few, or all but a few, without a signal.

    Limits: the shares whose exact binomial tail is the error of one side, if the true share were P = (X + 1/2) /
    (M + 1), X of M before, and the trials were m / (dispersion x (1 + m / M)), because P is an estimate too. `level`,
    `dispersion` and `degrees` as in `rate_alarm`.

    Raises UsageError for negative counts, events above trials, a dispersion below 1, a level outside 0 to 1.

    Not stated had been 8% of 12,000 searches; this month it is 15% of 1,000:

    >>> alarm = share_alarm(events=150, trials=1_000, base_events=960, base_trials=12_000, level=1 / 60)
    >>> round(alarm.low, 3), round(alarm.high, 3), alarm.signal
    (0.059, 0.103, 1)
    """
    x, m, past, past_m, phi, tail = _aligned(
        level, dispersion, degrees, events=events, trials=trials, base_events=base_events, base_trials=base_trials
    )
    refuse_more("events", x, "trials", m)
    refuse_more("base_events", past, "base_trials", past_m)
    with np.errstate(all="ignore"):
        m, past_m = np.where(m > 0, m, np.nan), np.where(past_m > 0, past_m, np.nan)
        low, high = _share_limits((past + 0.5) / (past_m + 1), m / (phi * (1 + m / past_m)), tail)
        return _alarm(x / m, past / past_m, low, high)


def _aligned(level: float, dispersion: ArrayLike, degrees: ArrayLike, **counts: ArrayLike) -> list[FloatArray]:
    """Counts as arrays of one shape, then the dispersion, then the error of one side."""
    if not 0 < level < 1:
        raise UsageError(f"level is {level:g}: it must lie between 0 and 1, such as 1 / 60")
    *arrays, phi, _ = aligned(**counts, dispersion=dispersion, confidence=1 - level)
    refuse_narrower(phi)
    df = np.broadcast_to(np.asarray(degrees, dtype=float), phi.shape)
    student = ndtr(stdtrit(np.where(np.isinf(df), 1.0, df), level / 2))
    return [*arrays, phi, np.where(np.isinf(df), level / 2, student)]


def _alarm(value: FloatArray, expected: FloatArray, low: FloatArray, high: FloatArray) -> Alarm:
    assessed = ~np.isnan(value + expected + low + high)
    signal = (value > high).astype(np.int8) - (value < low).astype(np.int8)
    limits = (np.where(assessed, column, np.nan) for column in (expected, low, high))
    return Alarm(*(column if column.ndim else column.item() for column in (*limits, np.where(assessed, signal, 0))))


def _count_limits(past: FloatArray, share: FloatArray, tail: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Counts x whose binomial tails, of x + past with this share, are `tail`: I_share(x, past + 1), and from below."""
    low = btdtrib(np.where(past > 0, past, np.nan), tail, 1 - share) - 1
    high = btdtria(tail, past + 1, share)
    return np.where(np.isnan(past + share), np.nan, np.nan_to_num(np.maximum(low, 0))), np.asarray(high, dtype=float)


def _share_limits(p: FloatArray, n: FloatArray, tail: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shares of n trials whose binomial tails, at share p, are `tail`; an end where no count is that unlikely."""
    none, every = np.zeros_like(n), n.copy()
    low = root(_at_most, none, every, n, p, tail)
    high = root(_at_least, none, every, n, p, tail)
    return low / n, high / n


def _at_least(x: FloatArray, n: FloatArray, p: FloatArray, tail: FloatArray) -> FloatArray:
    return np.where(x > 0, betainc(x, n - x + 1, p), 1.0) - tail


def _at_most(x: FloatArray, n: FloatArray, p: FloatArray, tail: FloatArray) -> FloatArray:
    return np.where(x < n, betainc(n - x, x + 1, 1 - p), 1.0) - tail
