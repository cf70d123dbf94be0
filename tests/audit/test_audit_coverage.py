"""Designs with known truth: the limits hold it as often as they say, oversampled strata and domains included."""

import re
from collections import Counter
from itertools import product
from math import comb, factorial, prod
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2

from disprop.audit.comparison import compare
from disprop.audit.estimation import estimate
from disprop.audit.sample import sample_from_table
from disprop.audit.simulate import (
    DESIGNS,
    TrueStratum,
    coverage,
    draw_audits,
    estimate_counts,
    limits_of,
    wilson_limits,
)
from disprop.errors import UsageError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
SMALL_DOMAIN = (TrueStratum(60, (3000, 1000, 100), (2700, 850, 80)), TrueStratum(60, (400, 400, 50), (300, 350, 45)))


@pytest.mark.parametrize("target", ["these_records", "process"])
@pytest.mark.parametrize("name", DESIGNS)
def test_wilson_is_near_nominal(name, target):
    """Wilson is near nominal on average, not everywhere: no design below 93.5%, none misses one side by 5%."""
    strata, group = DESIGNS[name]
    found = coverage(strata, audits=8000, seed=21, group=group, target=target)
    assert found.covered > 0.935
    assert max(found.missed_below, found.missed_above) < 0.05


def test_the_mean_over_all_designs_is_nominal():
    shares = [coverage(strata, audits=8000, seed=22, group=group).covered for strata, group in DESIGNS.values()]
    assert np.mean(shares) > 0.95


@pytest.mark.parametrize("name", DESIGNS)
def test_clopper_pearson_never_falls_below(name):
    strata, group = DESIGNS[name]
    found = coverage(strata, audits=4000, seed=23, group=group, method="clopper_pearson")
    assert found.covered > 0.95 - 2.5 * np.sqrt(0.95 * 0.05 / 4000)


def test_the_cap_is_what_keeps_oversampled_designs_honest():
    strata, group = DESIGNS["strongly oversampled, few failures"]
    bare = coverage(strata, audits=4000, seed=24, group=group, capped=False)
    kept = coverage(strata, audits=4000, seed=24, group=group)
    assert bare.covered < 0.3
    assert kept.covered > 0.95


def test_a_domain_of_five_records_is_wide_but_honest():
    found = coverage(SMALL_DOMAIN, audits=8000, seed=25, group=2)
    assert found.mean_width > 0.5
    assert 0.92 < found.covered < 0.96
    assert 0 < found.no_estimate < 0.02


def test_the_page_shows_what_the_simulation_gives():
    """Same table within the noise of a smaller run: the page cannot drift from the code."""
    lines = re.findall(
        r"^\| (.+?) \| ([\d.]+)% \| .* \| ([\d.]+)% \| ([\d.]+)% \|$", PAGE.read_text(encoding="utf-8"), re.M
    )
    shown = {name: [float(share) for share in shares] for name, *shares in lines}
    assert set(DESIGNS) == set(shown)
    for name, (strata, group) in DESIGNS.items():
        wilson = coverage(strata, audits=8000, seed=26, group=group).covered
        bare = coverage(strata, audits=8000, seed=26, group=group, capped=False).covered
        assert shown[name][0] == pytest.approx(100 * wilson, abs=1.2)
        assert shown[name][2] == pytest.approx(100 * bare, abs=2)


@pytest.mark.parametrize("target", ["these_records", "process"])
@pytest.mark.parametrize("group", [None, 0, 1])
def test_the_formulas_on_counts_are_those_on_records(group, target):
    strata = (TrueStratum(6, (20, 9), (14, 5)), TrueStratum(5, (5, 0), (4, 0)), TrueStratum(1, (3, 4), (1, 2)))
    counts = draw_audits(strata, audits=16, seed=1)
    found = estimate_counts(strata, counts, group, target)
    low, high = limits_of(found, method="wilson", confidence=0.95)
    compiled = wilson_limits(strata, counts, group=group, target=target)
    np.testing.assert_allclose(compiled, (low, high), rtol=1e-12, atol=1e-12)
    sizes = {str(at): stratum.total for at, stratum in enumerate(strata)}
    for audit in range(16):
        rows = [
            (str(at), str(which), met)
            for at in range(3)
            for which in range(2)
            for side, met in ((0, "yes"), (1, "no"))
            for _ in range(counts[audit, at, 2 * which + side])
        ]
        table = pa.table(dict(zip(("stratum", "group", "met"), map(list, zip(*rows)))))
        sample = sample_from_table(table, met="met", strata=["stratum"], records=sizes, domains=["group"])
        frame = estimate(sample, domains=["group"], target=target)
        row = frame[frame["group"] == ("all records" if group is None else str(group))]
        if row.empty:
            assert np.isnan(found.share[audit])
            continue
        expected = row.iloc[0][["estimate", "low", "high"]].tolist()
        assert [found.share[audit], low[audit], high[audit]] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_simulated_draws_are_without_replacement():
    strata = [TrueStratum(5, (3, 4), (2, 1))]
    counts = draw_audits(strata, audits=500, seed=2)
    assert (counts.sum(axis=(1, 2)) == 5).all()
    assert (counts <= np.array([[[2, 1, 1, 3]]])).all()
    with pytest.raises(UsageError, match="these_records, process"):
        coverage(strata, audits=10, seed=1, target="all")


@pytest.mark.parametrize("target", ["these_records", "process"])
def test_simulated_draws_follow_the_exact_chances(target):
    """Every possible draw of a small stratum, against products of binomial coefficients or the multinomial law."""
    stratum = TrueStratum(4, (5, 4), (3, 1))
    cells, audits = (3, 2, 1, 3), 40_000
    counts = draw_audits([stratum], audits=audits, seed=3, target=target)[:, 0]
    found = Counter(map(tuple, counts.tolist()))
    statistic = 0.0
    possible = [each for each in product(range(5), repeat=4) if sum(each) == 4]
    for each in possible:
        if target == "these_records":
            chance = prod(comb(cell, x) for cell, x in zip(cells, each)) / comb(9, 4)
        else:
            chance = factorial(4) * prod((cell / 9) ** x / factorial(x) for cell, x in zip(cells, each))
        if chance == 0:
            assert found[each] == 0
            continue
        statistic += (found[each] - audits * chance) ** 2 / (audits * chance)
    assert 0.001 < chi2.sf(statistic, len(found) - 1) < 0.999


def test_strata_are_drawn_independently():
    counts = draw_audits([TrueStratum(10, (40,), (20,)), TrueStratum(10, (40,), (20,))], audits=20_000, seed=4)
    assert abs(np.corrcoef(counts[:, 0, 0], counts[:, 1, 0])[0, 1]) < 0.02


def test_a_longer_run_begins_with_a_shorter_one():
    strata = DESIGNS["small domain across strata"][0]
    long, short = (draw_audits(strata, audits=audits, seed=5) for audits in (1001, 37))
    np.testing.assert_array_equal(long[:37], short)
    assert (draw_audits(strata, audits=37, seed=6) != short).any()


def test_limits_of_a_difference_hold_the_truth():
    """Two groups across two strata drawn at different rates: the difference is held 19 times in 20."""
    chance = np.random.default_rng(5)
    group = np.array((["a"] * 700 + ["b"] * 300 + ["a"] * 60 + ["b"] * 140), object)
    stratum = np.repeat(["one", "two"], [1000, 200])
    met = chance.random(1200) < np.where(group == "a", 0.9, 0.75)
    truth = met[group == "a"].mean() - met[group == "b"].mean()
    held, audits = 0, 250
    for _ in range(audits):
        drawn = np.concatenate([chance.choice(1000, 80, replace=False), 1000 + chance.choice(200, 60, replace=False)])
        table = pa.table({"met": met[drawn], "group": group[drawn], "stratum": stratum[drawn]})
        sample = sample_from_table(
            table, met="met", strata=["stratum"], records={"one": 1000, "two": 200}, domains=["group"]
        )
        row = compare(sample, domain="group", reference="b").iloc[0]
        held += row["low"] <= truth <= row["high"]
    assert held / audits > 0.92
