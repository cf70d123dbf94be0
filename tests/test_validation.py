"""Coverage worked out, in its short form: the harness against plain sums, and the promises it holds the engine to."""

from math import comb, exp, factorial, sqrt

import numpy as np
import pytest

from disprop import intervals, validation

SHARES = tuple(np.round(np.arange(0.01, 1, 0.01), 2).tolist())
DEFAULTS = {function: methods[0] for function, methods in intervals.METHODS.items()}


def wilson(x, n, z=1.959963984540054):
    middle, half = (x + z * z / 2) / (n + z * z), z * sqrt(x * (n - x) / n + z * z / 4) / (n + z * z)
    return middle - half, middle + half


@pytest.mark.parametrize("share", [0.05, 0.37, 0.9])
def test_coverage_of_a_proportion_is_the_plain_sum(share):
    n = 23
    covered = sum(
        comb(n, x) * share**x * (1 - share) ** (n - x)
        for x in range(n + 1)
        if wilson(x, n)[0] <= share <= wilson(x, n)[1]
    )
    found = validation.proportions("wilson", trials=[n], shares=[share])
    assert found.covered[0] == pytest.approx(covered)
    assert found.covered + found.below + found.above == pytest.approx(1)


def test_coverage_of_a_rate_is_the_plain_sum():
    mean = 7.3
    limits = [intervals.rate_interval(events=x, exposure=1.0) for x in range(60)]
    chances = [exp(-mean) * mean**x / factorial(x) for x in range(60)]
    covered = sum(p for p, made in zip(chances, limits) if made.low <= mean <= made.high)
    assert validation.rates("exact", expected=[mean]).covered[0] == pytest.approx(covered)


def test_wilson_at_97_dips_where_the_method_book_says():
    found = validation.proportions("wilson", trials=[97], shares=tuple(np.arange(0.0005, 0.5, 0.0005)))
    assert found.covered.min() == pytest.approx(0.86, abs=0.015)
    assert found.covered.mean() > 0.945


SHORT = [
    validation.proportions(DEFAULTS["proportion_interval"], shares=SHARES),
    validation.rates(DEFAULTS["rate_interval"]),
    validation.rate_pairs("rate_ratio_interval", DEFAULTS["rate_ratio_interval"], expected=(10, 40)),
    validation.rate_pairs("rate_difference_interval", DEFAULTS["rate_difference_interval"], expected=(10, 40)),
    validation.proportion_pairs("proportion_ratio_interval", DEFAULTS["proportion_ratio_interval"], trials=(20, 41)),
    validation.proportion_pairs(
        "proportion_difference_interval", DEFAULTS["proportion_difference_interval"], trials=(20, 41)
    ),
]


@pytest.mark.parametrize("found", SHORT, ids=lambda found: found.function)
def test_every_default_is_nominal_on_average(found):
    assert found.covered.mean() >= validation.CONFIDENCE - 0.005


def test_exact_and_clopper_pearson_never_fall_below_nominal():
    assert validation.proportions("clopper_pearson", shares=SHARES).covered.min() >= 0.95
    assert validation.rates("exact").covered.min() >= 0.95
    assert validation.rate_pairs("rate_ratio_interval", "exact", expected=(10, 40)).covered.min() >= 0.95


def test_the_default_of_the_ratio_stays_near_nominal_where_verdicts_are_given():
    found = validation.rate_pairs("rate_ratio_interval", "score", expected=(10, 20, 40))
    assert found.covered.min() >= 0.936


def test_verdicts_are_seldom_wrong():
    found = validation.verdict_errors(draws=1000, seed=5)
    assert np.mean([one.higher for one in found]) <= 0.025
    assert np.mean([one.lower for one in found]) <= 0.025
    assert all(one.higher <= 0.025 for one in found if one.dispersion == 1 and one.ratio < 1.25)
    edge = [one for one in found if one.ratio == 1.25 and one.dispersion == 1]
    assert all(one.higher == pytest.approx(0.025, abs=0.015) for one in edge)


def test_dispersed_months_have_the_dispersion_asked_for():
    rng = np.random.Generator(np.random.Philox(key=3))
    total = np.full((20_000, 1), 200)
    counts = rng.binomial(total, validation._shares(0.3, total, 4.5, rng))
    assert counts.var() / (200 * 0.3 * 0.7) == pytest.approx(4.5, rel=0.05)


def test_the_truth_of_the_invented_force_is_recovered():
    found = validation.recovery(runs=3)
    assert {one.figure for one in found} == {"recorded_rate_ratio", "linked_positive"}
    held = sum(one.held * one.runs for one in found)
    assert held >= 0.85 * sum(one.runs for one in found)


def test_the_page_has_a_row_for_everything(tmp_path, monkeypatch):
    found = validation.page(SHORT, validation.verdict_errors(draws=50), [])
    assert all(f"| `{one.function}` | `{one.method}` |" in found for one in SHORT)
    assert "Over all rows `higher` is said" in found


def test_the_published_page_lists_every_method():
    from pathlib import Path

    page = (Path(__file__).parent.parent / "docs" / "coverage.md").read_text(encoding="utf-8")
    for function, methods in intervals.METHODS.items():
        for method in methods:
            if function.startswith(("rate", "proportion")):
                assert f"| `{function}` | `{method}` |" in page
