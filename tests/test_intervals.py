"""Intervals against their slow definitions, the check figures, the corners decided in prose, and what is refused."""

import doctest
import subprocess
import sys
from itertools import product

import naive_intervals
import numpy as np
import pandas as pd
import pytest
from scipy.special import betaincc

from disprop import intervals
from disprop.errors import UsageError
from disprop.intervals import (
    METHODS,
    Interval,
    proportion_difference_interval,
    proportion_interval,
    proportion_ratio_interval,
    rate_difference_interval,
    rate_interval,
    rate_ratio_interval,
)

ONE_PROPORTION = ("events", "trials")
ONE_RATE = ("events", "exposure")
TWO_PROPORTIONS = ("events", "trials", "reference_events", "reference_trials")
TWO_RATES = ("events", "exposure", "reference_events", "reference_exposure")
ARGUMENTS = {
    "proportion_interval": ONE_PROPORTION,
    "rate_interval": ONE_RATE,
    "rate_ratio_interval": TWO_RATES,
    "rate_difference_interval": TWO_RATES,
    "proportion_ratio_interval": TWO_PROPORTIONS,
    "proportion_difference_interval": TWO_PROPORTIONS,
}
EVERY_METHOD = [(function, method) for function, methods in METHODS.items() for method in methods]

# the definitions


def shares(*trials):
    return [(x, n) for n in trials for x in sorted({0, 1, n // 2, n - 1, n})]


def pairs(singles):
    return [one + other for one, other in product(singles, singles)]


RATES = [(0, 3.5), (1, 3.5), (4, 10.0), (17, 2.0), (0, 100.0), (30, 100.0)]
CASES = {
    ONE_PROPORTION: shares(1, 2, 5, 12, 41),
    ONE_RATE: [(x, t) for x in (0, 1, 2, 9, 10, 33) for t in (0.5, 1000.0)],
    TWO_RATES: [case for case in pairs(RATES) if case[0] + case[2]],
    TWO_PROPORTIONS: [case for case in pairs(shares(1, 6, 23)) if case[0] + case[2]],
}


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.998])
@pytest.mark.parametrize(("function", "method"), EVERY_METHOD)
def test_agrees_with_the_definition(function, method, confidence):
    names = ARGUMENTS[function]
    cases = CASES[names]
    columns = dict(zip(names, np.array(cases, dtype=float).T))
    found = getattr(intervals, function)(**columns, confidence=confidence, method=method)
    wanted = np.array([naive_intervals.NAIVE[function][method](*case, confidence) for case in cases])
    np.testing.assert_allclose(np.column_stack(found[1:]), wanted, rtol=1e-8, atol=1e-12)


def test_every_method_has_a_definition():
    assert {name: tuple(methods) for name, methods in naive_intervals.NAIVE.items()} == METHODS


# check figures


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [
        ("wald", 79.82, 93.38),
        ("wilson", 78.41, 92.00),
        ("clopper_pearson", 78.17, 92.67),
        ("jeffreys", 78.78, 92.27),
        ("agresti_coull", 78.27, 92.13),
    ],
)
def test_reasonable_grounds_in_84_of_97(method, low, high):
    found = proportion_interval(events=84, trials=97, method=method)
    assert percent(found) == (86.60, low, high)


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [
        ("wald", 74.55, 96.18),
        ("wilson", 71.56, 93.12),
        ("clopper_pearson", 70.83, 94.43),
        ("jeffreys", 72.30, 93.65),
    ],
)
def test_reasonable_grounds_in_35_of_41(method, low, high):
    found = proportion_interval(events=35, trials=41, method=method)
    assert percent(found) == (85.37, low, high)


@pytest.mark.parametrize(("method", "far"), [("wilson", 24.25), ("clopper_pearson", 26.46)])
def test_none_and_all_of_12(method, far):
    assert percent(proportion_interval(events=0, trials=12, method=method)) == (0, 0, far)
    assert percent(proportion_interval(events=12, trials=12, method=method)) == (100, round(100 - far, 2), 100)


def percent(found):
    return tuple(round(100 * figure, 2) for figure in found)


def test_birmingham_2019():
    counts = {"events": 3_649, "trials": 155_559, "reference_events": 4_423, "reference_trials": 554_089}
    found = proportion_ratio_interval(**counts, method="katz_log")
    assert [round(figure, 6) for figure in found] == [2.938606, 2.813601, 3.069164]


def test_west_mercia_2019():
    counts = {"events": 151, "exposure": 21_659, "reference_events": 2_531, "reference_exposure": 1_220_835}
    found = rate_ratio_interval(**counts, method="log_wald")
    assert [round(figure, 3) for figure in found] == [3.363, 2.854, 3.963]


@pytest.mark.parametrize(("dispersion", "low", "high"), [(1.0, 2.80, 3.02), (4.4, 2.68, 3.15)])
def test_west_midlands_2019_20_with_and_without_dispersion(dispersion, low, high):
    counts = {"events": 3_684, "exposure": 236_047, "reference_events": 9_629, "reference_exposure": 1_793_173}
    found = rate_ratio_interval(**counts, dispersion=dispersion)
    assert round(found.estimate, 3) == 2.906
    assert (round(found.low, 2), round(found.high, 2)) == (low, high)


def test_more_searches_than_residents():
    found = rate_interval(events=250, exposure=220, method="byar")
    assert [round(100_000 * figure, 2) for figure in found] == [113_636.36, 99_984.95, 128_631.14]


# corners


@pytest.mark.parametrize("method", METHODS["proportion_interval"])
def test_no_trials_say_nothing(method):
    assert_same(proportion_interval(events=0, trials=0, method=method), (np.nan, 0, 1))


@pytest.mark.parametrize("method", METHODS["rate_interval"])
def test_no_exposure_has_no_rate(method):
    assert_same(rate_interval(events=[0, 5], exposure=0, method=method), np.full((3, 2), np.nan))


@pytest.mark.parametrize("exposures", [(0, 10), (10, 0), (0, 0)])
@pytest.mark.parametrize("function", [rate_ratio_interval, rate_difference_interval])
def test_no_exposure_on_either_side_has_no_comparison(function, exposures):
    for method in METHODS[function.__name__]:
        found = function(
            events=5, exposure=exposures[0], reference_events=3, reference_exposure=exposures[1], method=method
        )
        assert_same(found, (np.nan, np.nan, np.nan))


@pytest.mark.parametrize(("function", "method"), [pair for pair in EVERY_METHOD if "ratio" in pair[0]])
def test_zero_counts_of_a_ratio(function, method):
    first, _, second, _ = names = ARGUMENTS[function]
    ratio = getattr(intervals, function)
    has_error = method not in ("log_wald", "katz_log")
    no_reference = ratio(**dict(zip(names, (5, 56, 0, 29))), method=method)
    assert np.isnan(no_reference.estimate)
    assert np.isinf(no_reference.high)
    assert (no_reference.low > 0) == has_error
    no_group = ratio(**dict(zip(names, (0, 56, 5, 29))), method=method)
    assert (no_group.estimate, no_group.low) == (0, 0)
    assert np.isfinite(no_group.high) == has_error
    assert_same(ratio(**dict(zip(names, (0, 56, 0, 29))), method=method), (np.nan, 0, np.inf))
    assert {first, second} == {"events", "reference_events"}


@pytest.mark.parametrize("trials", [(0, 9), (9, 0), (0, 0)])
def test_no_trials_on_either_side(trials):
    counts = {"events": 0, "trials": trials[0], "reference_events": 0, "reference_trials": trials[1]}
    for method in METHODS["proportion_ratio_interval"]:
        assert_same(proportion_ratio_interval(**counts, method=method), (np.nan, 0, np.inf))
    for method in METHODS["proportion_difference_interval"]:
        assert_same(proportion_difference_interval(**counts, method=method), (np.nan, -1, 1))


REPLICAS = {"wald", "normal", "log_wald", "katz_log"}
EDGES = {
    ONE_PROPORTION: [(0, 1), (1, 1), (0, 10_000_000), (10_000_000, 10_000_000)],
    ONE_RATE: [(0, 1), (0, 1e9)],
    TWO_RATES: [(0, 1e6, 0, 2e3), (1, 1, 0, 1), (0, 1, 7, 1)],
    TWO_PROPORTIONS: [(0, 9, 0, 9), (9, 9, 9, 9), (9, 9, 0, 9), (0, 9, 9, 9), (1, 1, 0, 1), (1, 1, 1, 1)],
}


@pytest.mark.parametrize(("function", "method"), [pair for pair in EVERY_METHOD if pair[1] not in REPLICAS])
def test_limits_at_the_edges_have_width(function, method):
    for case in EDGES[ARGUMENTS[function]]:
        found = getattr(intervals, function)(**dict(zip(ARGUMENTS[function], case)), method=method)
        assert found.low < found.high
        assert np.isnan(found.estimate) or found.low <= found.estimate <= found.high


@pytest.mark.parametrize(("function", "method"), EVERY_METHOD)
def test_missing_counts_give_missing_figures(function, method):
    names = ARGUMENTS[function]
    for missing in names:
        counts = {name: [4.0, 4.0] for name in names} | {missing: [np.nan, 4.0]}
        found = getattr(intervals, function)(**counts, method=method)
        assert np.isnan([column[0] for column in found]).all()
        assert not np.isnan([column[1] for column in found]).any()


def test_miettinen_nurminen_is_widest_where_one_trial_in_all_leaves_no_freedom():
    counts = {"events": 0.2, "trials": 0.5, "reference_events": 0.1, "reference_trials": 0.5}
    ratio = proportion_ratio_interval(**counts, method="miettinen_nurminen")
    assert (ratio.low, ratio.high) == (0, np.inf)
    difference = proportion_difference_interval(**counts, method="miettinen_nurminen")
    assert (difference.low, difference.high) == (-1, 1)


def assert_same(found, wanted):
    np.testing.assert_array_equal(np.array(found), np.array(wanted))


# shapes and types


def test_scalars_give_floats_and_arrays_give_arrays():
    found = proportion_interval(events=1, trials=2)
    assert isinstance(found, Interval)
    assert [type(figure) for figure in found] == [float] * 3
    many = proportion_interval(events=[1], trials=2)
    assert [figure.shape for figure in many] == [(1,)] * 3
    assert [figure.shape for figure in proportion_interval(events=[], trials=[], method="mid_p")] == [(0,)] * 3


@pytest.mark.parametrize(("function", "method"), EVERY_METHOD)
def test_arrays_series_and_confidences_broadcast(function, method):
    names = ARGUMENTS[function]
    whole = np.array([[12.0], [30.0]])
    counts = {name: np.array([3.0, 0.0, 11.0]) if "events" in name else whole for name in names}
    confidence = np.array([0.9, 0.95, 0.99])
    call = getattr(intervals, function)
    together = np.array(call(**counts, confidence=confidence, method=method))
    assert together.shape == (3, 2, 3)
    for i, j in np.ndindex(2, 3):
        one = {name: np.broadcast_to(column, (2, 3))[i, j] for name, column in counts.items()}
        alone = call(**one, confidence=confidence[j], method=method)
        np.testing.assert_allclose(together[:, i, j], alone, rtol=1e-12)


def test_pandas_series_go_by_position():
    events, trials = pd.Series([1, 2], index=[5, 6]), pd.Series([10, 20], index=[6, 5], dtype="Int64")
    np.testing.assert_array_equal(proportion_interval(events=events, trials=trials).estimate, [0.1, 0.1])


def test_fractional_counts_lie_between_whole_ones():
    for method in METHODS["proportion_interval"]:
        low = proportion_interval(events=[30, 30.5, 31], trials=97, method=method).low
        assert low[0] < low[1] < low[2]


def test_exact_limits_keep_their_digits_where_scipys_quantile_does_not():
    high = proportion_interval(events=999, trials=14_401_644, confidence=0.99, method="clopper_pearson").high
    assert betaincc(1_000, 14_400_645, high) == pytest.approx(0.005, rel=1e-9)


def test_tiny_fractions_of_an_event_have_limits():
    found = proportion_interval(events=1.2e-6, trials=1.36, confidence=0.5, method="clopper_pearson")
    assert 0 <= found.low <= found.estimate <= found.high < 1
    ratio = rate_ratio_interval(events=0, exposure=45, reference_events=0.0049, reference_exposure=5, method="mid_p")
    assert ratio.low == 0
    assert ratio.high == pytest.approx(5 / 45 * 0.05 ** (-1 / 0.0049), rel=1e-9)


def test_dispersion_is_counts_divided():
    counts = {"events": 36, "exposure": 10.0, "reference_events": 90, "reference_exposure": 50.0}
    for method in ("score", "log_wald"):
        found = rate_ratio_interval(**counts, dispersion=3.0, method=method)
        divided = rate_ratio_interval(**(counts | {"events": 12, "reference_events": 30}), method=method)
        np.testing.assert_allclose(found, divided, rtol=1e-13)


# what is refused


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"events": -1, "trials": 5}, "events is -1: it must be a finite number"),
        ({"events": [1, -2], "trials": 5}, r"events is -2 \(row 1\)"),
        ({"events": 1, "trials": np.inf}, "trials is inf"),
        ({"events": [1, 6], "trials": [5, 5]}, r"events is 6 where trials is 5 \(row 1\)"),
        ({"events": "many", "trials": 5}, "events must be a number or an array of numbers; got 'many'"),
        ({"events": [1, 2], "trials": [1, 2, 3]}, r"events \(2,\), trials \(3,\)"),
        ({"events": 1, "trials": 5, "confidence": np.nan}, "confidence is nan: it must be a number between 0 and 1"),
        ({"events": 1, "trials": 5, "confidence": 95}, "confidence is 95"),
        ({"events": 1, "trials": 5, "confidence": 1.0}, "confidence is 1"),
        ({"events": 1, "trials": 5, "confidence": 0.0}, "confidence is 0"),
        ({"events": 1, "trials": 5, "method": "wilsn"}, "no method 'wilsn': .* Did you mean 'wilson'?"),
        ({"events": 1, "trials": 5, "method": "quux"}, "no method 'quux': choose one of wilson, .*wald.$"),
    ],
)
def test_refused(counts, words):
    with pytest.raises(UsageError, match=words):
        proportion_interval(**counts)


@pytest.mark.parametrize("function", [proportion_ratio_interval, proportion_difference_interval])
@pytest.mark.parametrize("names", [("events", "trials"), ("reference_events", "reference_trials")])
def test_more_events_than_trials_is_refused_on_either_side(function, names):
    counts = dict(zip(TWO_PROPORTIONS, (1, 5, 1, 5))) | {names[0]: 6}
    with pytest.raises(UsageError, match=f"{names[0]} is 6 where {names[1]} is 5"):
        function(**counts)


@pytest.mark.parametrize(
    ("method", "dispersion", "words"),
    [
        ("exact", 2.0, "method 'exact' is of whole counts and takes no dispersion"),
        ("mid_p", [1.0, 1.5], "got 1.5"),
        ("score", 0.5, r"dispersion is 0.5: it must be 1 or more.*max\(1, dispersion\)"),
    ],
)
def test_dispersion_refused(method, dispersion, words):
    with pytest.raises(UsageError, match=words):
        rate_ratio_interval(
            events=5, exposure=1, reference_events=5, reference_exposure=1, method=method, dispersion=dispersion
        )


def test_a_dispersion_of_1_is_none():
    counts = {"events": 5, "exposure": 1, "reference_events": 9, "reference_exposure": 1, "method": "exact"}
    assert rate_ratio_interval(**counts, dispersion=1.0) == rate_ratio_interval(**counts)


@pytest.mark.parametrize(("function", "names"), ARGUMENTS.items())
def test_arguments_go_by_name(function, names):
    with pytest.raises(TypeError):
        getattr(intervals, function)(*(5 for _ in names))


# docs and import


@pytest.mark.parametrize("function", METHODS)
def test_worked_examples(function):
    module = sys.modules[getattr(intervals, function).__module__]
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(("function", "method"), EVERY_METHOD)
def test_every_method_is_documented(function, method):
    assert f"`{method}`" in getattr(intervals, function).__doc__


@pytest.mark.parametrize("function", METHODS)
def test_the_default_is_the_first_method(function):
    counts = dict(zip(ARGUMENTS[function], (3, 10, 5, 40)))
    call = getattr(intervals, function)
    assert call(**counts) == call(**counts, method=METHODS[function][0], confidence=0.95)


def test_closed_forms_import_neither_statistics_nor_optimisation():
    script = (
        "import sys; from disprop import intervals; intervals.proportion_interval(events=1, trials=2); "
        "print([m for m in ('scipy.stats', 'scipy.optimize', 'pandas', 'numba') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
