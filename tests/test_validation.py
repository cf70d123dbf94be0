"""Coverage worked out, in its short form: the harness against plain sums, and the promises it holds the engine to."""

import re
from math import comb, exp, factorial, sqrt

import numpy as np
import pandas as pd
import pytest

from disprop import intervals, validation
from disprop.validation.recovery import holding
from disprop.validation.verdicts import month_shares

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


VERDICTS = validation.verdict_errors(draws=4000, seed=5, months=(12,))


def test_higher_is_seldom_wrong_dispersion_included():
    assert np.mean([one.higher for one in VERDICTS]) <= 0.0125
    assert np.mean([one.lower for one in VERDICTS]) <= 0.0175
    noise = 3 * sqrt(0.025 * 0.975 / 4000)
    assert max(one.higher for one in VERDICTS) <= 0.025 + noise
    edge = [one for one in VERDICTS if one.ratio == 1.25]
    assert np.mean([one.higher for one in edge]) <= 0.025
    assert all(one.higher > 0.012 for one in edge)  # careful, not mute


def test_limits_as_printed_would_say_higher_too_often_on_the_edge():
    dispersed = [one for one in VERDICTS if one.ratio == 1.25 and one.dispersion > 1]
    assert np.mean([one.printed_higher for one in dispersed]) > 0.03
    assert all(one.higher < one.printed_higher and one.lower <= one.printed_lower for one in dispersed)


def test_a_short_period_is_no_more_often_wrong():
    found = validation.verdict_errors(draws=2000, seed=6, months=(6,))
    assert max(one.higher for one in found) <= 0.025 + 3 * sqrt(0.025 * 0.975 / 2000)
    assert max(one.printed_higher for one in found) > 0.04


def test_dispersed_months_have_the_dispersion_asked_for():
    rng = np.random.Generator(np.random.Philox(key=3))
    total = np.full((20_000, 1), 200)
    counts = rng.binomial(total, month_shares(0.3, total, 4.5, rng))
    assert counts.var() / (200 * 0.3 * 0.7) == pytest.approx(4.5, rel=0.05)


RUNS = 12
RECOVERED = validation.recovery(runs=RUNS, seed=900)
FIGURES = {
    "`rate_ratio`, limits as printed",
    "`rate_ratio`, limits that verdicts use",
    "`find_rate`",
    "`find_rate_difference`",
    "`find_rate`, controlled drugs",
    "`find_rate`, stolen goods",
    "`find_rate`, article for use in theft",
    "`positive_outcome_share`",
    "`arrest_share`",
    "`share_on_video`",
    "`possession_only_share`",
    "share not stated, of the true group",
    "`agreement_matrix`",
    "`rate_ratio_imputed`, the true ratio, officers right",
}


def test_every_truth_is_looked_for():
    assert {one.figure for one in RECOVERED} == FIGURES


@pytest.mark.parametrize("figure", sorted(FIGURES))
def test_the_truth_of_the_invented_force_is_recovered(figure):
    """At 95%, less what chance allows so few runs; groups of one run are taken as independent but for the reference."""
    of = [one for one in RECOVERED if one.figure == figure]
    n = sum(one.intervals for one in of)
    held = sum(one.held * one.intervals for one in of)
    assert n >= RUNS
    assert held / n >= 0.95 - 3 * sqrt(0.95 * 0.05 / n) - 0.02


def test_an_interval_of_another_truth_is_not_held():
    spoilt = pd.DataFrame({"ethnicity_self": ["Black"], "low": [2.8], "high": [3.1]})
    assert [held for *_, held in holding("x", spoilt, {"Black": 3.0})] == [True]
    assert [held for *_, held in holding("x", spoilt, {"Black": 3.3})] == [False]


def test_no_assumption_about_the_unknown_gets_all_the_way_and_bounds_hold_the_truth():
    black = next(one for one in validation.what_unknowns_do(runs=3) if one.group == "Black")
    assert black.recorded < black.allocated < black.true
    assert black.imputed == pytest.approx(black.allocated, rel=0.01)
    assert black.within_bounds == 1


def test_the_page_has_a_row_for_everything():
    unknowns = validation.what_unknowns_do(runs=1)
    found = validation.page(SHORT, VERDICTS, RECOVERED, unknowns)
    assert all(f"| `{one.function}` | `{one.method}` |" in found for one in SHORT)
    assert all(f"| {figure} | **all** |" in found for figure in FIGURES)
    most = max(one.higher for one in VERDICTS)
    assert f"| {most:.2%} |" in next(line for line in found.splitlines() if line.startswith("| 12 |"))
    assert all(f"| {one.group} | {one.recorded:.2f} |" in found for one in unknowns)


def test_the_published_page_lists_every_method():
    from pathlib import Path

    page = (Path(__file__).parent.parent / "docs" / "coverage.md").read_text(encoding="utf-8")
    for function, methods in intervals.METHODS.items():
        for method in methods:
            if function.startswith(("rate", "proportion")):
                assert f"| `{function}` | `{method}` |" in page


def test_the_published_page_looks_for_every_truth_and_keeps_the_promise():
    from pathlib import Path

    page = (Path(__file__).parent.parent / "docs" / "coverage.md").read_text(encoding="utf-8")
    assert all(f"| {figure} | **all** |" in page for figure in FIGURES)
    higher = [
        float(line.split("|")[4].strip(" %")) for line in page.splitlines() if re.match(r"\| (0.8|1|1.25) \|", line)
    ]
    assert len(higher) == 27
    assert max(higher) <= 2.6
