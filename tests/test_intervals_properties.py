"""What must hold for any counts: nesting, containment, symmetry, order, and units that cancel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disprop import intervals
from disprop.intervals import METHODS

PROPORTION = "proportion_interval"
RATE = "rate_interval"
EVERY_METHOD = [(function, method) for function, methods in METHODS.items() for method in methods]
REPLICAS = {"wald", "normal", "log_wald", "katz_log"}
OURS = [(function, method) for function, method in EVERY_METHOD if method not in REPLICAS]
RATIOS = [pair for pair in EVERY_METHOD if "ratio" in pair[0]]
DIFFERENCES = [pair for pair in EVERY_METHOD if "difference" in pair[0]]

sizes = st.one_of(st.integers(1, 60), st.integers(1, 10_000_000))
exposures = st.floats(1e-3, 1e9)
confidences = st.floats(0.8, 0.9999)
some = settings(max_examples=25, deadline=None)


@st.composite
def trials_and_events(draw):
    trials = draw(sizes)
    return trials, draw(st.integers(0, trials))


@st.composite
def counts_for(draw, function):
    """Arguments of one function: a group and, for comparisons, a reference."""
    is_rate = function.startswith("rate")
    (whole, part), (other_whole, other_part) = draw(trials_and_events()), draw(trials_and_events())
    if is_rate:
        whole, other_whole = draw(exposures), draw(exposures)
    name = "exposure" if is_rate else "trials"
    group = {"events": part, name: whole}
    if function in (PROPORTION, RATE):
        return group
    return group | {"reference_events": other_part, f"reference_{name}": other_whole}


def call(function, method, counts, confidence):
    return getattr(intervals, function)(**counts, confidence=confidence, method=method)


def swapped(counts):
    """The reference as the group, and the group as the reference."""
    return {name: counts[_other(name)] for name in counts}


def _other(name):
    return name.removeprefix("reference_") if name.startswith("reference_") else f"reference_{name}"


def slack(found):
    return 1e-11 * max(abs(figure) for figure in found if np.isfinite(figure))


@pytest.mark.parametrize(("function", "method"), EVERY_METHOD)
@some
@given(data=st.data())
def test_more_confidence_holds_less(function, method, data):
    counts = data.draw(counts_for(function))
    less, more = sorted(data.draw(st.tuples(confidences, confidences)))
    inner, outer = call(function, method, counts, less), call(function, method, counts, more)
    assert outer.low <= inner.low + slack(inner)
    assert outer.high >= inner.high - slack(inner)


@pytest.mark.parametrize(("function", "method"), EVERY_METHOD)
@some
@given(data=st.data())
def test_the_estimate_lies_between_its_limits(function, method, data):
    counts = data.draw(counts_for(function))
    found = call(function, method, counts, data.draw(confidences))
    assert found.low <= found.high
    if not np.isnan(found.estimate):
        assert found.low - slack(found) <= found.estimate <= found.high + slack(found)


@pytest.mark.parametrize(("function", "method"), OURS)
@some
@given(data=st.data())
def test_one_event_more_moves_both_limits_up(function, method, data):
    counts = data.draw(counts_for(function))
    if "trials" in counts and counts["events"] == counts["trials"]:
        counts["trials"] += 1
    confidence = data.draw(confidences)
    before = call(function, method, counts, confidence)
    after = call(function, method, counts | {"events": counts["events"] + 1}, confidence)
    assert after.low >= before.low - slack(after)
    assert after.high >= before.high - slack(after)


@pytest.mark.parametrize("method", METHODS[PROPORTION])
@some
@given(data=st.data())
def test_events_and_others_mirror(method, data):
    counts, confidence = data.draw(counts_for(PROPORTION)), data.draw(confidences)
    others = counts | {"events": counts["trials"] - counts["events"]}
    found, mirrored = call(PROPORTION, method, counts, confidence), call(PROPORTION, method, others, confidence)
    assert found.low == pytest.approx(1 - mirrored.high, rel=1e-9, abs=1e-14)
    assert found.high == pytest.approx(1 - mirrored.low, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize(("function", "method"), RATIOS)
@some
@given(data=st.data())
def test_a_ratio_turned_round_is_its_reciprocal(function, method, data):
    counts, confidence = data.draw(counts_for(function)), data.draw(confidences)
    found, turned = call(function, method, counts, confidence), call(function, method, swapped(counts), confidence)
    assert found.low * turned.high == pytest.approx(1, rel=1e-10) or (found.low, turned.high) == (0, np.inf)
    assert found.high * turned.low == pytest.approx(1, rel=1e-10) or (found.high, turned.low) == (np.inf, 0)


@pytest.mark.parametrize(("function", "method"), DIFFERENCES)
@some
@given(data=st.data())
def test_a_difference_turned_round_changes_sign(function, method, data):
    counts, confidence = data.draw(counts_for(function)), data.draw(confidences)
    found, turned = call(function, method, counts, confidence), call(function, method, swapped(counts), confidence)
    assert [found.low, found.high] == pytest.approx([-turned.high, -turned.low], rel=1e-10, abs=slack(found))


@pytest.mark.parametrize("method", METHODS["proportion_difference_interval"])
@some
@given(data=st.data())
def test_a_difference_of_the_others_changes_sign(method, data):
    function = "proportion_difference_interval"
    counts, confidence = data.draw(counts_for(function)), data.draw(confidences)
    others = counts | {
        "events": counts["trials"] - counts["events"],
        "reference_events": counts["reference_trials"] - counts["reference_events"],
    }
    found, turned = call(function, method, counts, confidence), call(function, method, others, confidence)
    assert [found.low, found.high] == pytest.approx([-turned.high, -turned.low], rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(("function", "method"), [pair for pair in EVERY_METHOD if pair[0].startswith("rate")])
@some
@given(data=st.data())
def test_the_unit_of_exposure_cancels(function, method, data):
    counts, confidence = data.draw(counts_for(function)), data.draw(confidences)
    scaled = {name: value * 1_000 if "exposure" in name else value for name, value in counts.items()}
    unit = 1 if "ratio" in function else 1_000
    found, in_thousands = call(function, method, counts, confidence), call(function, method, scaled, confidence)
    np.testing.assert_allclose(np.array(in_thousands) * unit, found, rtol=1e-9, atol=slack(found))


@pytest.mark.parametrize("method", ["score", "log_wald"])
@some
@given(data=st.data())
def test_dispersion_widens(method, data):
    function = "rate_ratio_interval"
    counts, phi = data.draw(counts_for(function)), data.draw(st.floats(1, 60))
    plain = intervals.rate_ratio_interval(**counts, method=method)
    dispersed = intervals.rate_ratio_interval(**counts, method=method, dispersion=phi)
    assert dispersed.low <= plain.low * (1 + 1e-12)
    assert dispersed.high >= plain.high * (1 - 1e-12)
    np.testing.assert_equal(dispersed.estimate, plain.estimate)


@some
@given(counts=counts_for("proportion_ratio_interval"), confidence=confidences)
def test_the_correction_of_miettinen_and_nurminen_widens(counts, confidence):
    for function, plain in (("proportion_ratio_interval", "koopman"), ("proportion_difference_interval", "mee")):
        narrow = call(function, plain, counts, confidence)
        wide = call(function, "miettinen_nurminen", counts, confidence)
        assert wide.low <= narrow.low + slack(narrow)
        assert wide.high >= narrow.high - slack(narrow)


@some
@given(counts=counts_for(PROPORTION), confidence=confidences)
def test_mid_p_lies_within_the_exact_limits(counts, confidence):
    inner, outer = (
        call(PROPORTION, "mid_p", counts, confidence),
        call(PROPORTION, "clopper_pearson", counts, confidence),
    )
    assert outer.low <= inner.low * (1 + 1e-12)
    assert outer.high >= inner.high * (1 - 1e-12)
