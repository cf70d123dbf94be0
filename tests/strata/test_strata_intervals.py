"""Functions over strata against their slow definitions, the corners decided in prose, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disprop import intervals
from disprop.errors import UsageError
from tests.strata import naive

NAMES = ("events", "exposure", "reference_events", "reference_exposure")
TRIALS = ("events", "trials", "reference_events", "reference_trials")

COUNTS = st.integers(0, 40)
EXPOSURE = st.sampled_from([0, 1, 3, 17, 250, 4_000])
STRATUM = st.tuples(COUNTS, EXPOSURE, COUNTS, EXPOSURE)
STRATA = st.lists(STRATUM, min_size=1, max_size=5)
CONFIDENCE = st.sampled_from([0.5, 0.95, 0.998])
DISPERSION = st.sampled_from([1.0, 2.5])
TABLE = st.tuples(st.integers(0, 9), st.integers(0, 30), st.integers(0, 9), st.integers(0, 30)).map(
    lambda t: (t[0], t[0] + t[1], t[2], t[2] + t[3])
)


def columns(strata, names=NAMES):
    return dict(zip(names, np.array(strata, dtype=float).T))


def close(found, wanted, rtol=1e-7):
    np.testing.assert_allclose(np.array(list(found), dtype=float), wanted, rtol=rtol, atol=1e-11)


def in_order(strata):
    """Counts only where there is exposure, so that a ratio exists wherever the definition has one."""
    return [(a if n1 else 0, n1, c if n0 else 0, n0) for a, n1, c, n0 in strata]


# the definitions


@given(STRATA, CONFIDENCE, DISPERSION)
def test_mantel_haenszel_rate_ratio(strata, confidence, phi):
    found = intervals.mantel_haenszel_rate_ratio(**columns(strata), confidence=confidence, dispersion=phi)
    close(found, naive.mantel_haenszel_rates(strata, confidence, phi))


@given(st.lists(TABLE, min_size=1, max_size=5), CONFIDENCE)
def test_mantel_haenszel_risk_ratio(strata, confidence):
    found = intervals.mantel_haenszel_risk_ratio(**columns(strata, TRIALS), confidence=confidence)
    close(found, naive.mantel_haenszel_risks(strata, confidence))


@given(st.lists(TABLE, min_size=2, max_size=5))
def test_breslow_day(strata):
    found = intervals.breslow_day(**columns(strata, TRIALS))
    kept = [(a, n1, c, n0) for a, n1, c, n0 in strata if n1 and n0 and 0 < a + c < n1 + n0]
    if (
        len(kept) < 2
        or not any(a * (n0 - c) for a, n1, c, n0 in kept)
        or not any(c * (n1 - a) for a, n1, c, n0 in kept)
    ):
        assert np.isnan(found.statistic)
        assert np.isnan(found.p_value)
        return
    close(found[:2], naive.breslow_day(strata), rtol=1e-6)


@given(STRATA)
def test_breslow_day_of_rates(strata):
    found = intervals.breslow_day_of_rates(**columns(strata))
    kept = [s for s in strata if s[1] and s[3] and s[0] + s[2]]
    if len(kept) < 2 or not any(s[0] for s in kept) or not any(s[2] for s in kept):
        assert np.isnan(found.statistic)
        return
    close(found[:2], naive.breslow_day_of_rates(strata))


@given(STRATA, CONFIDENCE, DISPERSION)
def test_within_strata(strata, confidence, phi):
    strata = in_order(strata)
    options = {"confidence": confidence, "dispersion": phi}
    observed, expected, variance = naive.expected(strata)
    found = intervals.expected_within_strata(**columns(strata))
    close(found, (observed, expected, expected**2 / variance if expected else 0.0))
    close(intervals.within_strata_excess(**columns(strata), **options), naive.within_excess(strata, confidence, phi))
    ratio = intervals.within_strata_rate_ratio(**columns(strata), **options)
    close(ratio, naive.within_ratio(strata, confidence, phi), rtol=1e-6)


@given(STRATA, st.lists(st.sampled_from("ABC"), min_size=5, max_size=5))
def test_decomposition(strata, force):
    found = intervals.decompose_ratio(**columns(strata), force=force[: len(strata)])
    wanted = naive.levels(strata, force)
    close(found.expected, wanted)
    observed = sum(s[0] for s in strata if s[3])
    assert found.events == observed
    assert found.left_out.tolist() == [s[3] == 0 for s in strata]
    for ratio, one in zip(found.ratio, wanted):
        assert ratio == pytest.approx(observed / one) if one else np.isnan(ratio)
    if all(wanted) and observed:
        assert found.log_step.sum() == pytest.approx(np.log(found.ratio[0]))
        assert np.exp(found.log_step) == pytest.approx(
            [wanted[1] / wanted[0], wanted[2] / wanted[1], observed / wanted[2]]
        )
    assert found.excess_step == pytest.approx(
        [wanted[1] - wanted[0], wanted[2] - wanted[1], observed - wanted[2]], abs=1e-9
    )


AGES = st.lists(
    st.tuples(COUNTS, st.sampled_from([0, 5, 40, 900]), st.sampled_from([0, 3, 10])), min_size=1, max_size=4
)


@given(AGES, CONFIDENCE, st.sampled_from(["byar", "exact"]))
def test_directly_standardised_rate(ages, confidence, method):
    x, n, w = np.array(ages, dtype=float).T
    found = intervals.directly_standardised_rate(events=x, exposure=n, standard=w, confidence=confidence, method=method)
    close(found, naive.direct(ages, confidence, method)[:3])


@given(AGES, AGES, CONFIDENCE, DISPERSION)
def test_directly_standardised_ratio(one, other, confidence, phi):
    size = min(len(one), len(other))
    one = one[:size]
    other = [(x, n, w) for (x, n, _), (_, _, w) in zip(other[:size], one)]
    (a, n1, w), (c, n0, _) = (np.array(side, dtype=float).T for side in (one, other))
    found = intervals.directly_standardised_ratio(
        events=a, exposure=n1, reference_events=c, reference_exposure=n0, standard=w,
        confidence=confidence, dispersion=phi,
    )  # fmt: skip
    close(found, naive.direct_ratio(one, other, confidence, phi), rtol=1e-6)


@given(st.lists(STRATUM.filter(lambda s: s[3]), min_size=1, max_size=4), CONFIDENCE, st.sampled_from(["byar", "exact"]))
def test_indirectly_standardised_ratio(strata, confidence, method):
    found = intervals.indirectly_standardised_ratio(**columns(strata), confidence=confidence, method=method)
    if sum(n1 * c for _, n1, c, _ in strata) == 0:
        assert np.isnan(found).all()
        return
    close(found, naive.indirect(strata, confidence, method))


# what follows from the definitions


@given(STRATUM.filter(lambda s: all(s)), CONFIDENCE, DISPERSION)
def test_one_stratum_is_the_plain_ratio(stratum, confidence, phi):
    one = columns([stratum])
    plain = intervals.rate_ratio_interval(**columns(stratum), confidence=confidence, dispersion=phi)
    close(intervals.within_strata_rate_ratio(**one, confidence=confidence, dispersion=phi), plain)
    assert intervals.mantel_haenszel_rate_ratio(**one, confidence=confidence).estimate == pytest.approx(plain.estimate)


@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=2, max_size=5), st.integers(1, 9))
def test_strata_sized_as_the_standard_give_the_crude_rates(counts, times):
    a, c = np.array(counts, dtype=float).T
    w = np.arange(1.0, len(a) + 1)
    found = intervals.directly_standardised_ratio(
        events=a, exposure=w * 5, reference_events=c, reference_exposure=w * times, standard=w
    )
    if a.sum() < 10 or c.sum() < 10:
        assert np.isnan(found).all()
        return
    one = {"events": a.sum(), "reference_events": c.sum()}
    plain = intervals.rate_ratio_interval(**one, exposure=w.sum() * 5, reference_exposure=w.sum() * times)
    close(found, plain)


def test_many_rows_at_once_are_the_rows_one_by_one():
    rng = np.random.default_rng(1)
    many = {name: rng.integers(1, 30, (2, 3, 4)).astype(float) for name in NAMES}
    confidence, phi = np.array([[0.9, 0.95, 0.99]] * 2), np.array([[1.0, 2.0, 3.0], [4.0, 1.0, 1.5]])
    for name in ("mantel_haenszel_rate_ratio", "within_strata_rate_ratio", "within_strata_excess"):
        function = getattr(intervals, name)
        together = function(**many, confidence=confidence, dispersion=phi)
        assert together.low.shape == (2, 3)
        for at in np.ndindex(2, 3):
            one = {key: values[at] for key, values in many.items()}
            alone = function(**one, confidence=float(confidence[at]), dispersion=float(phi[at]))
            assert type(alone.estimate) is float
            assert [column[at] for column in together] == pytest.approx(list(alone))


def test_agreement_of_many_rows():
    rng = np.random.default_rng(2)
    many = {name: rng.integers(1, 30, (3, 4)).astype(float) for name in NAMES}
    together = intervals.breslow_day_of_rates(**many)
    for i in range(3):
        alone = intervals.breslow_day_of_rates(**{key: values[i] for key, values in many.items()})
        assert type(alone.p_value) is float
        assert [column[i] for column in together] == pytest.approx(list(alone))


def test_person_clusters():
    group, reference = [1, 2, 2, 9], [1] * 30 + [4]
    found = intervals.person_clustered_variance(searches=group, reference_searches=reference)
    assert found == pytest.approx((1 + 4 + 4 + 81) / 14**2 + (30 + 16) / 34**2)
    once = intervals.person_clustered_variance(searches=[1] * 5, reference_searches=[1] * 20)
    assert once == pytest.approx(1 / 5 + 1 / 20)
    assert intervals.person_clustered_variance(searches=[], reference_searches=[1]) == np.inf


def test_person_clusters_against_a_bootstrap_of_people():
    rng = np.random.default_rng(3)
    m, k = rng.geometric(0.6, 400), rng.geometric(0.8, 900)
    draws = [np.log(rng.choice(m, m.size).sum() / rng.choice(k, k.size).sum()) for _ in range(3_000)]
    # People, not totals, are drawn: a total of a fixed number of people lacks the variance of their number.
    of_sizes = 1 / m.size + 1 / k.size
    closed = intervals.person_clustered_variance(searches=m, reference_searches=k)
    assert np.var(draws) + of_sizes == pytest.approx(closed, rel=0.1)


# corners and refusals

ONE = {"events": [5.0, 6.0], "exposure": [50.0, 60.0], "reference_events": [7.0, 8.0]}
FULL = {**ONE, "reference_exposure": [70.0, 80.0]}
RATIOS = ("mantel_haenszel_rate_ratio", "within_strata_rate_ratio", "within_strata_excess")


@pytest.mark.parametrize("name", RATIOS)
def test_a_missing_count_gives_none(name):
    for key in FULL:
        missing = {**FULL, key: [np.nan, 3.0]}
        assert np.isnan(getattr(intervals, name)(**missing)).all(), key


def test_a_missing_count_gives_no_test():
    assert np.isnan(intervals.breslow_day_of_rates(**{**FULL, "events": [np.nan, 3.0]}).statistic)


@pytest.mark.parametrize("name", RATIOS)
def test_dispersion_below_1_is_refused(name):
    with pytest.raises(UsageError, match="1 or more"):
        getattr(intervals, name)(**FULL, dispersion=0.5)


@pytest.mark.parametrize("name", [*RATIOS, "breslow_day_of_rates", "indirectly_standardised_ratio"])
def test_no_strata_and_negative_counts_are_refused(name):
    function = getattr(intervals, name)
    with pytest.raises(UsageError, match="at least one"):
        function(**{key: [] for key in FULL})
    with pytest.raises(UsageError, match="events is -1"):
        function(**{**FULL, "events": [-1.0, 2.0]})


def test_shapes_methods_and_labels_are_refused_by_name():
    with pytest.raises(UsageError, match="do not go together"):
        intervals.within_strata_rate_ratio(**{**FULL, "events": [1.0, 2.0, 3.0]})
    with pytest.raises(UsageError, match="no method 'gamma'"):
        intervals.directly_standardised_rate(events=[20], exposure=[9], standard=[1], method="gamma")
    with pytest.raises(UsageError, match="one label for each of the 2 areas"):
        intervals.decompose_ratio(**FULL, force=["A"])
    with pytest.raises(UsageError, match="one count of searches a person"):
        intervals.person_clustered_variance(searches=[-1], reference_searches=[1])
    with pytest.raises(UsageError, match="must be one of trials"):
        intervals.mantel_haenszel_risk_ratio(events=[3], trials=[2], reference_events=[1], reference_trials=[2])


def test_below_10_events_a_direct_rate_is_not_given():
    ages = {"exposure": [10.0, 20.0], "standard": [1.0, 1.0]}
    assert np.isnan(intervals.directly_standardised_rate(events=[4, 5], **ages)).all()
    assert np.isfinite(intervals.directly_standardised_rate(events=[4, 6], **ages)).all()


def test_a_low_limit_is_never_below_0():
    uneven = {"events": [19.0, 1.0], "exposure": [1_000.0, 1.0], "standard": [1.0, 1.0]}
    assert intervals.directly_standardised_rate(**uneven).low == 0
    assert naive.direct([(19, 1_000, 1), (1, 1, 1)], 0.95, "byar")[1] == 0


def test_no_reference_events_no_estimate():
    none = {**FULL, "reference_events": [0.0, 0.0]}
    for name in ("mantel_haenszel_rate_ratio", "within_strata_rate_ratio"):
        estimate, low, high = getattr(intervals, name)(**none)
        assert (np.isnan(estimate), low, high) == (True, 0, np.inf)
    assert np.isnan(intervals.decompose_ratio(**none, force=[0, 1]).ratio).all()


def test_no_events_of_the_group_is_a_ratio_of_0():
    none = {**FULL, "events": [0.0, 0.0]}
    found = intervals.decompose_ratio(**none, force=["A", "B"])
    assert found.ratio.tolist() == [0, 0, 0]
    assert found.log_step[2] == -np.inf
    assert np.isfinite(found.log_step[:2]).all()
    assert intervals.within_strata_rate_ratio(**none).low == 0
