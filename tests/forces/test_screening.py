"""Array functions over many figures: against slow definitions, at their corners, and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from disprop.errors import Refused, UsageError
from disprop.screening import (
    adjusted_p,
    change_point,
    false_alarm_level,
    funnel_limits,
    months_to_precision,
    natural,
    proportion_points,
    rank_interval,
    rate_alarm,
    rate_points,
    rate_ratio_p,
    rate_ratio_points,
    ratio_change_interval,
    sd_lines,
    share_alarm,
    shrunken_proportion_interval,
    shrunken_rate_interval,
)
from disprop.screening.shrinkage import gamma_centre, gamma_mean
from tests.forces import naive

NAN = float("nan")
figures = st.lists(st.floats(0.2, 20), min_size=4, max_size=12, unique=True)
points = st.lists(st.tuples(st.floats(-2, 2), st.floats(0.01, 0.6)), min_size=3, max_size=10)


# Lines ------------------------------------------------------------------------------------------------------------


@given(figures)
def test_lines_are_a_standard_deviation_from_the_mean(values):
    found = sd_lines(values=values)
    assert (found.low, found.centre, found.high) == pytest.approx(naive.lines(values, found.scale))
    assert found.side.tolist() == [(v > found.high) - (v < found.low) for v in values]


@given(figures)
def test_the_rule_takes_raw_unless_only_logs_pass(values):
    found = sd_lines(values=values)
    assert found.scale == ("log" if found.p_raw < 0.05 <= found.p_log else "raw")
    assert sd_lines(values=values, more_normal=True).scale == ("log" if found.w_log > found.w_raw else "raw")


def test_both_failing_the_source_says_raw_and_the_other_reading_may_say_log():
    values = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 90.0, 95.0, 99.0, 400.0]
    found = sd_lines(values=values)
    assert max(found.p_raw, found.p_log) < 0.05
    assert (found.scale, sd_lines(values=values, more_normal=True).scale) == ("raw", "log")


def test_a_zero_has_no_logarithm_and_a_missing_value_no_side():
    found = sd_lines(values=[0.0, 1.0, NAN, 2.0, 3.0, 40.0])
    assert found.scale == "raw"
    assert math.isnan(found.p_log)
    assert found.side.tolist() == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("values", [[1.0, 2.0], [3.0, 3.0, 3.0, 3.0], [1.0, NAN, 2.0]])
def test_lines_that_cannot_be_drawn_are_refused(values):
    with pytest.raises(Refused):
        sd_lines(values=values)


@pytest.mark.parametrize("values", [[1.0, 2.0, math.inf], [[1.0, 2.0, 3.0]]])
def test_lines_of_what_is_no_row_of_numbers(values):
    with pytest.raises(UsageError):
        sd_lines(values=values)


# Funnels ----------------------------------------------------------------------------------------------------------


@given(points)
def test_additive_spread_is_dersimonian_and_lairds(found):
    estimate, error = zip(*found)
    limits = funnel_limits(estimate=estimate, error=error)
    tau2, centre = naive.dersimonian_laird(estimate, error)
    assert limits.tau2 == pytest.approx(tau2, abs=1e-12)
    assert limits.centre == pytest.approx(centre, abs=1e-12)
    widths = [math.sqrt(s * s + tau2) for s in error]
    assert limits.z.tolist() == pytest.approx([(y - centre) / w for y, w in zip(estimate, widths)], abs=1e-9)


@given(points, st.sampled_from([0.0, 0.1, 0.2]))
def test_multiplicative_spread_is_the_winsorised_mean_square(found, share):
    estimate, error = zip(*found)
    limits = funnel_limits(estimate=estimate, error=error, method="multiplicative", winsorise=share, confidence=0.95)
    phi = naive.winsorised_phi(estimate, error, share)
    assert limits.phi == pytest.approx(phi, abs=1e-9)
    half = naive.NORMAL.inv_cdf(0.975) * np.array(error) * math.sqrt(max(1, phi))
    assert (limits.high - limits.low)[0].tolist() == pytest.approx((2 * half).tolist())


@given(points)
def test_no_limit_is_narrower_than_the_naive_one(found):
    estimate, error = zip(*found)
    naive_limits, *wider = (
        funnel_limits(estimate=estimate, error=error, method=m) for m in ("naive", "multiplicative", "additive")
    )
    for limits in wider:
        assert (limits.high - limits.low >= naive_limits.high - naive_limits.low - 1e-12).all()


def test_a_force_without_a_figure_takes_no_part():
    some = funnel_limits(estimate=[0.1, NAN, 0.5, 0.9, 0.3], error=[0.1, 0.1, 0.1, 0.1, NAN])
    rest = funnel_limits(estimate=[0.1, 0.5, 0.9], error=[0.1, 0.1, 0.1])
    assert some.tau2 == rest.tau2
    assert np.isnan(some.z).tolist() == [False, True, False, False, True]
    assert some.z[[0, 2, 3]].tolist() == rest.z.tolist()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"estimate": [0.1, 0.2], "error": [1, 1]}, Refused),
        ({"estimate": [0.1, 0.2, NAN], "error": [1, 1, 1]}, Refused),
        ({"estimate": [0.1, 0.2, 0.3], "error": [1, 0, 1]}, UsageError),
        ({"estimate": [0.1, 0.2, 0.3], "error": [1, 1, 1], "method": "magic"}, UsageError),
        ({"estimate": [0.1, 0.2, 0.3], "error": [1, 1, 1], "winsorise": 0.5}, UsageError),
        ({"estimate": [0.1, 0.2, 0.3], "error": [1, 1, 1], "confidence": 95}, UsageError),
    ],
)
def test_a_funnel_that_cannot_be_drawn(wrong, error):
    with pytest.raises(error):
        funnel_limits(**wrong)


def test_points_of_corners():
    ratios = rate_ratio_points(
        events=[0, 5, 5, 5], exposure=[10, 10, 0, 10], reference_events=[5, 0, 5, 5], reference_exposure=20
    )
    assert np.isnan(ratios.estimate).tolist() == [True, True, True, False]
    rates = rate_points(events=[0, 3, 3], exposure=[10, 0, 10]).estimate.tolist()
    assert rates == pytest.approx([0.0, NAN, math.sqrt(2)], nan_ok=True)
    assert proportion_points(events=[0, 7], trials=[7, 7]).estimate.tolist() == pytest.approx([0, math.pi / 2])


@given(st.floats(0.01, 0.99), st.floats(0.1, 30))
def test_every_scale_has_its_way_back(share, rate):
    trials = proportion_points(events=[share], trials=[1.0])
    rates = rate_points(events=[rate], exposure=[2.0], target=3.0)
    ratio = rate_ratio_points(events=[rate], exposure=[1.0], reference_events=[2.0], reference_exposure=[1.0])
    back = [natural(one.estimate, scale=one.scale, target=one.target)[0] for one in (trials, rates, ratio)]
    assert back == pytest.approx([share, rate / 2, rate / 2])


# Ranks ------------------------------------------------------------------------------------------------------------


@given(points, st.sampled_from([0.5, 0.9, 0.95]))
def test_ranks_are_those_of_every_pair(found, confidence):
    estimate, error = zip(*found)
    ranks = rank_interval(estimate=estimate, error=error, confidence=confidence)
    assert list(zip(ranks.low, ranks.high)) == naive.ranks(estimate, error, confidence)


def test_ranges_of_ranks_hold_the_true_ranks_together():
    rng = np.random.default_rng(7)
    truth = np.array([0.0, 0.1, 0.2, 0.2001, 0.9, 1.5, 1.6, 3.0])
    rank = stats.rankdata(-truth, method="min")
    error = np.array([0.05, 0.2, 0.1, 0.3, 0.1, 0.2, 0.05, 0.4])
    draws = rng.normal(truth, error, (2_000, len(truth)))
    held = [((r.low <= rank) & (rank <= r.high)).all() for r in (rank_interval(estimate=y, error=error) for y in draws)]
    assert np.mean(held) >= 0.95


def test_a_missing_figure_has_no_rank_and_does_not_move_the_others():
    ranks = rank_interval(estimate=[1.0, NAN, 5.0], error=[0.1, 0.1, 0.1])
    assert ranks.low.tolist() == pytest.approx([2.0, NAN, 1.0], nan_ok=True)
    assert rank_interval(estimate=[2.0], error=[1.0]).high.tolist() == [1.0]
    with pytest.raises(UsageError):
        rank_interval(estimate=[1.0, 2.0], error=[0.0, 1.0])


# Alarms -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(0, 200), st.sampled_from([6, 12, 24]), st.sampled_from([0.05, 0.01, 1 / 500]))
def test_a_count_rings_when_its_exact_tail_is_spent(x, past, months, level):
    alarm = rate_alarm(events=x, exposure=1, base_events=past, base_exposure=months, level=level)
    assert alarm.signal == naive.rings(x, past, 1 / (months + 1), level / 2)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([0.05, 0.01]))
def test_a_share_rings_when_its_exact_tail_is_spent(x, m, level):
    x, share, many = min(x, m), 0.3, 10**12
    alarm = share_alarm(events=x, trials=m, base_events=share * many, base_trials=many, level=level)
    low = 1 - naive.binomial_tail(x + 1, m, share) <= level / 2
    high = naive.binomial_tail(x, m, share) <= level / 2
    assert alarm.signal == high - low


def test_dispersion_widens_and_its_own_uncertainty_widens_more():
    counts = {"events": 100, "exposure": 1, "base_events": 1200, "base_exposure": 12, "level": 0.02}
    plain, spread, guessed = (
        rate_alarm(**counts, **more) for more in ({}, {"dispersion": 3.0}, {"dispersion": 3.0, "degrees": 11})
    )
    assert guessed.low < spread.low < plain.low < 100 < plain.high < spread.high < guessed.high
    assert plain.expected == guessed.expected == 100


def test_alarms_at_their_corners():
    none = rate_alarm(
        events=[1, 1, NAN, 0], exposure=[0, 1, 1, 1], base_events=[5, 5, 5, 0], base_exposure=[6, 0, 6, 6], level=0.05
    )
    assert np.isnan(none.high).tolist() == [True, True, True, False]
    assert none.signal.tolist() == [0, 0, 0, 0]
    never = share_alarm(
        events=[0, 5, 0], trials=[5, 5, 0], base_events=[0, 90, 0], base_trials=[90, 90, 90], level=0.01
    )
    assert never.signal.tolist() == [0, 0, 0]
    with pytest.raises(UsageError):
        rate_alarm(events=1, exposure=1, base_events=1, base_exposure=1, level=0.05, dispersion=0.5)
    with pytest.raises(UsageError):
        share_alarm(events=2, trials=1, base_events=1, base_trials=1, level=0.05)
    with pytest.raises(UsageError):
        false_alarm_level(cells=0, looks_a_year=12)


@pytest.mark.parametrize("phi", [1.0, 3.0])
def test_the_budget_of_false_alarms_is_kept(phi):
    """Five cells a month for a year, judged by 24 months before; nothing changes; on average one alarm or fewer."""
    rng = np.random.default_rng(11)
    level = false_alarm_level(cells=5, looks_a_year=12)
    rate, years = 40.0, 400
    shape = (years, 5, 36)
    means = np.full(shape, rate) if phi == 1 else rng.gamma(rate / (phi - 1), phi - 1, shape)
    counts = rng.poisson(means).astype(float)
    past = counts[..., :24]
    spread = ((past - past.mean(-1, keepdims=True)) ** 2).sum(-1) / past.mean(-1) / 23
    rung = rate_alarm(
        events=counts[..., 24:],
        exposure=1.0,
        base_events=past.sum(-1)[..., None],
        base_exposure=24.0,
        dispersion=np.maximum(1, spread)[..., None],
        degrees=23,
        level=level,
    )
    alarms = (rung.signal != 0).sum(axis=(1, 2)).mean()
    assert 0.1 < alarms <= 1.0


def test_a_real_change_rings():
    assert rate_alarm(events=90, exposure=1, base_events=960, base_exposure=24, level=1 / 60, degrees=23).signal == 1


# Change -----------------------------------------------------------------------------------------------------------

counts = st.tuples(st.integers(1, 500), st.integers(1, 9_000), st.integers(1, 500), st.integers(1, 9_000))
names = ("events", "exposure", "reference_events", "reference_exposure")


@given(counts, counts, st.floats(1, 5), st.floats(1, 5))
def test_ratio_change_is_the_delta_method(now, base, phi, base_phi):
    sides = dict(zip(names, now)) | {f"base_{name}": value for name, value in zip(names, base)}
    found = ratio_change_interval(**sides, dispersion=phi, base_dispersion=base_phi)
    assert tuple(found) == pytest.approx(naive.ratio_change(now, base, phi, base_phi))


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 5, 5, 5), (0.0, 0.0, math.inf)),
        ((5, 0, 5, 5), (NAN, 0.0, math.inf)),
        ((5, 5, 0, 5), (NAN, 0.0, math.inf)),
        ((5, 5, 5, 0), (NAN, 0.0, math.inf)),
        ((NAN, 5, 5, 5), (NAN, NAN, NAN)),
    ],
)
def test_ratio_change_of_zero_counts(counts, expected):
    a, c, b, d = counts
    sides = {"exposure": 10, "reference_exposure": 10, "base_exposure": 10, "base_reference_exposure": 10}
    found = ratio_change_interval(events=a, reference_events=c, base_events=b, base_reference_events=d, **sides)
    assert tuple(found) == pytest.approx(expected, nan_ok=True)


@given(st.integers(5, 900), st.integers(5, 900), st.integers(1, 36), st.floats(1, 4))
def test_months_to_precision_counts_months(a, c, months, phi):
    found = months_to_precision(events=a, reference_events=c, months=months, dispersion=phi)
    assert found == naive.months_still(a, c, months, phi)


def test_months_to_precision_at_its_corners():
    none = months_to_precision(events=[0, 5, 5], reference_events=[5, 0, 5], months=[12, 12, 0])
    assert np.isnan(none).all()
    assert months_to_precision(events=10_000, reference_events=10_000, months=12) == 0
    with pytest.raises(UsageError):
        months_to_precision(events=1, reference_events=1, months=1, half_width=0)


# Change points ----------------------------------------------------------------------------------------------------

series = st.lists(st.tuples(st.integers(0, 60), st.integers(60, 90)), min_size=6, max_size=14)


@given(series, st.booleans())
def test_change_point_is_the_likeliest_split(found, of_trials):
    events, exposure = zip(*found)
    point = change_point(events=events, exposure=exposure, of_trials=of_trials, draws=20)
    _, statistic = naive.best_split(events, exposure, of_trials)
    assert point.statistic == pytest.approx(max(0, statistic), abs=1e-8)
    whole = naive.log_likelihood(sum(events), sum(exposure), of_trials)
    parts = [(sum(events[s]), sum(exposure[s])) for s in (slice(0, point.at), slice(point.at, None))]
    gained = 2 * (sum(naive.log_likelihood(*part, of_trials) for part in parts) - whole)
    assert gained == pytest.approx(statistic, abs=1e-8)


def test_chance_of_a_change_is_uniform_when_nothing_changes():
    """Also for months that vary three times as much as chance, because the months themselves are shuffled."""
    rng = np.random.default_rng(5)
    series = rng.poisson(rng.gamma(20, 2, (150, 24)))
    p = [change_point(events=x, exposure=np.ones(24), draws=99).p for x in series]
    assert 0.4 < np.mean(p) < 0.6
    assert np.mean(np.array(p) <= 0.05) < 0.11


def test_change_point_keeps_its_position_over_missing_months_and_repeats_itself():
    events = [10, 12, NAN, 9, 11, 30, 31, 28, 33]
    one, other = (change_point(events=events, exposure=[1.0] * 9, seed=3) for _ in range(2))
    assert one == other
    assert (one.at, one.before, one.after) == (5, 10.5, 30.5)


def test_change_point_at_its_corners():
    nothing = change_point(events=[0] * 8, exposure=[5] * 8)
    assert (nothing.statistic, nothing.p) == (0.0, 1.0)
    with pytest.raises(Refused):
        change_point(events=[1] * 5, exposure=[1] * 5)
    with pytest.raises(UsageError):
        change_point(events=[5] * 8, exposure=[1] * 8, of_trials=True)


# Many looks -------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=1, max_size=15))
def test_adjusted_p_is_its_definition(p):
    assert adjusted_p(p_values=p, method="holm").tolist() == pytest.approx(naive.holm(p))
    assert adjusted_p(p_values=p).tolist() == pytest.approx(naive.benjamini_hochberg(p))


def test_a_p_that_is_missing_was_not_looked_at():
    found = adjusted_p(p_values=[[0.01, NAN], [0.04, 0.03]], method="holm")
    assert found == pytest.approx(np.array([[0.03, NAN], [0.06, 0.06]]), nan_ok=True)
    assert adjusted_p(p_values=[]).tolist() == []
    with pytest.raises(UsageError):
        adjusted_p(p_values=[1.2])
    with pytest.raises(UsageError):
        adjusted_p(p_values=[0.2], method="sidak")


@given(st.integers(0, 300), st.integers(1, 300), st.floats(0.1, 9), st.floats(1, 4))
def test_p_agrees_with_the_score_interval(a, c, n1, phi):
    from disprop.intervals import rate_ratio_interval

    sides = {"events": a, "exposure": n1, "reference_events": c, "reference_exposure": 1.0, "dispersion": phi}
    interval = rate_ratio_interval(**sides)
    p = rate_ratio_p(**sides)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (not interval.low <= 1 <= interval.high)


# Shrinkage --------------------------------------------------------------------------------------------------------


def cells(seed=1, n=20):
    rng = np.random.default_rng(seed)
    t = rng.lognormal(3, 1, n)
    return rng.poisson(rng.gamma(5, 0.2, n) * t).astype(float), t


def test_a_shrunken_rate_lies_between_its_own_and_the_common_one():
    x, t = cells()
    found = shrunken_rate_interval(events=x, exposure=t, fewest=0)
    own = x / t
    mixed = (1 - found.weight) * own + found.weight * found.centre
    assert found.estimate == pytest.approx(mixed, rel=0.05)
    assert (np.abs(found.estimate - found.centre) <= np.abs(own - found.centre) + 0.05).all()
    assert (found.low < found.estimate).all()
    assert (found.estimate < found.high).all()
    assert (np.diff(found.weight[np.argsort(t)]) < 0).all()


@given(st.integers(0, 200), st.floats(0.5, 90), st.floats(0.2, 50), st.floats(0.1, 3))
def test_the_gamma_posterior_is_conjugate(x, t, shape, centre):
    found = gamma_mean(np.array([float(x)]), np.array([t]), np.array([[shape]]), np.array([[shape / centre]]))
    assert [part.item() for part in found] == pytest.approx(naive.gamma_posterior(x, t, shape, centre))


def test_the_common_rate_given_the_strength_is_the_likeliest():
    x, t = cells()
    k, b = gamma_centre(x, t, np.array([[4.0]]), np.array([[0.0]]))
    centre = float((k / b).item())
    likelihood = [stats.nbinom.logpmf(x, 4, 4 / (4 + t * m)).sum() for m in centre * np.array([0.999, 1, 1.001])]
    assert likelihood[1] == max(likelihood)


@pytest.mark.parametrize(("strength", "least"), [(3.0, 0.92), (12.0, 0.90), (1e6, 0.97)])
def test_shrunken_intervals_hold_the_truth_on_average_over_cells(strength, least):
    rng = np.random.default_rng(3)
    held, held_shares = [], []
    for _ in range(25):
        t = rng.lognormal(3, 1, 25)
        rate = rng.gamma(strength, 1 / strength, 25)
        found = shrunken_rate_interval(events=rng.poisson(rate * t), exposure=t, fewest=0)
        held.append((found.low <= rate) & (rate <= found.high))
        share, n = rng.beta(0.2 * strength, 0.8 * strength, 25), np.ceil(t) + 5
        found = shrunken_proportion_interval(events=rng.binomial(n.astype(int), share), trials=n, fewest=0)
        held_shares.append((found.low <= share) & (share <= found.high))
    assert np.mean(held) >= least
    assert np.mean(held_shares) >= least


def test_shrinkage_beats_the_raw_rates():
    rng = np.random.default_rng(9)
    t = rng.lognormal(2, 1, 60)
    rate = rng.gamma(8, 1 / 8, 60)
    x = rng.poisson(rate * t)
    found = shrunken_rate_interval(events=x, exposure=t, fewest=0)
    assert ((found.estimate - rate) ** 2).mean() < 0.5 * ((x / t - rate) ** 2).mean()


def test_dispersed_counts_are_drawn_in_further():
    x, t = cells()
    plain, spread = (shrunken_rate_interval(events=x, exposure=t, dispersion=phi, fewest=0) for phi in (1.0, 4.0))
    assert (spread.weight > plain.weight).all()


def test_too_little_is_refused_not_shrunk():
    x, t = cells()
    t[3], t[4], x[5] = 0.5, 0.0, NAN
    x[3], x[4] = 1, 0
    usable = ~np.isnan(x) & (t > 0)
    expected = t * x[usable].sum() / t[usable].sum()
    found = shrunken_rate_interval(events=x, exposure=t)
    assert found.given.tolist() == (usable & (expected >= 5)).tolist()
    assert not found.given[[3, 4, 5]].any()
    assert np.isnan(found.estimate).tolist() == (~found.given).tolist()
    shares = shrunken_proportion_interval(events=[1] * 12, trials=[9] + [30] * 11)
    assert shares.given.tolist() == [False] + [True] * 11


@pytest.mark.parametrize(
    "call",
    [
        lambda: shrunken_rate_interval(events=[1] * 9, exposure=[1] * 9),
        lambda: shrunken_rate_interval(events=[0] * 12, exposure=[1] * 12),
        lambda: shrunken_proportion_interval(events=[5] * 12, trials=[5] * 12),
    ],
)
def test_cells_that_cannot_be_shrunk_are_refused(call):
    with pytest.raises(Refused):
        call()
