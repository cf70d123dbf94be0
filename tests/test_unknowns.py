"""Tipping, allocation, imputation and agreement against plain arithmetic."""

from collections import Counter
from math import exp, log
from statistics import mean, variance

import numpy as np
import pytest

import disprop as dp
from disprop.errors import UsageError
from disprop.measures.unknowns import RESEMBLE, pool_log_ratios
from tests import naive
from tests.invent import PEOPLE, POPULATION, many
from tests.sources import Rows

SOME = many(3000, force="kent", search_type="Person search")
TALLY = dp.tally(Rows(SOME), by=["ethnicity_self", "ethnicity_officer"])
KENT = PEOPLE["kent"]


def group(row):
    return naive.group5(row["ethnicity_self"])


def by_group(frame):
    return frame.set_index("ethnicity_self")


def test_the_tipping_share_brings_the_ratio_to_one():
    more_unknown = SOME + many(9000, seed=2, force="kent", search_type="Person search", ethnicity_self=None)
    tally = dp.tally(Rows(more_unknown), by=["ethnicity_self"])
    frame = by_group(dp.tipping_share(tally, POPULATION, by=["force"]))
    counts = Counter(group(row) for row in more_unknown)
    unknown = sum(n for g, n in counts.items() if g not in naive.GROUPS)
    assert frame["estimate"].notna().any()
    for name, row in frame.iterrows():
        if np.isnan(row.estimate):
            assert "no share of the unknowns" in row["flag"]
            continue
        a, c = counts[name] + row.estimate * unknown, counts["White"] + (1 - row.estimate) * unknown
        assert naive.ratio(a, KENT[name], c, KENT["White"]) == pytest.approx(1)


def test_where_no_share_tips_it_says_so():
    frame = by_group(dp.tipping_share(TALLY, POPULATION, by=["force"]))
    assert np.isnan(frame.loc["Black", "estimate"])
    assert frame.loc["Black", "flag"] == "no share of the unknowns brings the ratio to 1"
    with pytest.raises(UsageError, match="two sides"):
        dp.tipping_share(TALLY, POPULATION, reference="everyone")


def test_a_force_without_residents_shares_out_nothing_among_the_others():
    rows = SOME + many(2000, seed=4, force="btp", search_type="Person search")
    pooled = dp.tally(Rows(rows), by=["ethnicity_self", "ethnicity_officer"])
    for measure in (dp.rate_ratio_allocated, dp.rate_ratio_imputed):
        alone, both = (by_group(measure(tally, POPULATION, by=[])) for tally in (TALLY, pooled))
        assert both["numerator"].tolist() == alone["numerator"].tolist()
        assert both["estimate"].tolist() == alone["estimate"].tolist()


def plain_allocation(rows, strata):
    """Stated + unknown shared out like the stated of the stratum, every stratum having stated records."""
    counts = Counter((tuple(row[s] for s in strata), group(row)) for row in rows)
    total = Counter()
    for stratum in {key[0] for key in counts}:
        stated = {g: counts[(stratum, g)] for g in naive.GROUPS}
        unknown = sum(n for (s, g), n in counts.items() if s == stratum and g not in naive.GROUPS)
        for g, n in stated.items():
            total[g] += n + unknown * n / sum(stated.values())
    return total


def test_unknowns_are_allocated_within_strata():
    total = plain_allocation(SOME, ("month", "ethnicity_officer"))
    frame = by_group(dp.rate_ratio_allocated(TALLY, POPULATION))
    for name in ("Mixed", "Asian", "Black", "Other"):
        assert frame.loc[name, "numerator"] == pytest.approx(total[name])
        ratio = naive.ratio(total[name], KENT[name], total["White"], KENT["White"])
        assert frame.loc[name, "estimate"] == pytest.approx(ratio)
    assert frame["flag"].str.contains(RESEMBLE).all()


def test_allocating_within_the_whole_force_changes_no_ratio():
    recorded = by_group(dp.rate_ratio(TALLY, POPULATION, by=["force"]))
    one_stratum = [{**row, "ethnicity_officer": "White"} for row in SOME]
    tally = dp.tally(Rows(one_stratum), by=["ethnicity_self", "ethnicity_officer"])
    allocated = by_group(dp.rate_ratio_allocated(tally, POPULATION, strata=("ethnicity_officer",)))
    assert allocated["estimate"].tolist() == pytest.approx(recorded["estimate"].tolist())


def test_a_stratum_without_stated_records_borrows_from_other_months():
    rows = [row for row in SOME if row["month"] != "2019-04" or group(row) not in naive.GROUPS]
    tally = dp.tally(Rows(rows), by=["ethnicity_self", "ethnicity_officer"])
    allocated = dp.rate_ratio_allocated(tally, POPULATION, reference="everyone else")
    stated = sum(group(row) in naive.GROUPS for row in rows)
    assert allocated["numerator"].sum() == pytest.approx(len(rows))
    assert allocated["n_unknown"].iloc[0] == len(rows) - stated


def test_imputation_centres_on_the_allocation_and_is_wider_than_the_counts_alone():
    imputed = by_group(dp.rate_ratio_imputed(TALLY, POPULATION, imputations=400))
    total = plain_allocation(SOME, ("month", "ethnicity_officer"))
    for name in ("Asian", "Black", "Mixed"):
        ratio = naive.ratio(total[name], KENT[name], total["White"], KENT["White"])
        assert imputed.loc[name, "estimate"] == pytest.approx(ratio, rel=0.03)
        half = 1.959964 * (1 / total[name] + 1 / total["White"]) ** 0.5
        assert log(imputed.loc[name, "high"] / imputed.loc[name, "low"]) / 2 > half


def test_imputation_depends_on_the_seed_and_force_alone():
    other_force = many(500, force="west-midlands", search_type="Person search")
    both = dp.tally(Rows(SOME + other_force), by=["ethnicity_self", "ethnicity_officer"])
    alone = dp.rate_ratio_imputed(TALLY, POPULATION)
    among = dp.rate_ratio_imputed(both, POPULATION)
    assert among[among["force"] == "kent"]["estimate"].tolist() == alone["estimate"].tolist()
    assert dp.rate_ratio_imputed(TALLY, POPULATION, seed=2)["estimate"].tolist() != alone["estimate"].tolist()


def test_pooling_is_rubins_rules():
    from scipy.stats import t

    a, c, n1, n0 = [20, 24, 22], [40, 38, 39], 1.0, 2.0
    logs = [log(x / n1 / (y / n0)) for x, y in zip(a, c)]
    within, between = mean(1 / x + 1 / y for x, y in zip(a, c)), (1 + 1 / 3) * variance(logs)
    half = t.ppf(0.975, 2 * (1 + within / between) ** 2) * (within + between) ** 0.5
    expected = [exp(mean(logs) + shift) for shift in (0, -half, half)]
    ours = pool_log_ratios(np.array([a]).reshape(1, 3, 1), np.array(n1), np.array([c]).reshape(1, 3, 1), np.array(n0))
    assert [float(x[0, 0]) for x in ours] == pytest.approx(expected)


def test_a_zero_in_an_imputation_leaves_no_estimate_and_no_variation_is_normal():
    same = np.full((1, 3, 1), 30)
    estimate, _, high = pool_log_ratios(same, np.array(1.0), same, np.array(1.0))
    assert (estimate[0, 0], log(high[0, 0])) == (1, pytest.approx(1.959964 * (2 / 30) ** 0.5, rel=1e-6))
    zero = same * np.array([1, 0, 1])[None, :, None]
    assert np.isnan(pool_log_ratios(zero, np.array(1.0), same, np.array(1.0))[0]).all()


def test_agreement_is_counted_pair_by_pair():
    pairs = Counter((group(row), row["ethnicity_officer"] or "blank") for row in SOME)
    matrix = dp.agreement_matrix(TALLY).set_index(["ethnicity_self", "ethnicity_officer"])
    assert matrix["numerator"].to_dict() == dict(pairs)
    both = {(s, o): n for (s, o), n in pairs.items() if s in naive.GROUPS and o in naive.GROUPS}
    share = dp.agreement_share(TALLY).iloc[0]
    assert share.estimate == sum(n for (s, o), n in both.items() if s == o) / sum(both.values())
    assert share.n_unknown == len(SOME) - sum(both.values())


def test_strata_and_rows_are_checked():
    with pytest.raises(UsageError, match="by force or over all forces"):
        dp.rate_ratio_allocated(TALLY, POPULATION, by=["month"])
    with pytest.raises(UsageError, match="strata need an axis"):
        dp.rate_ratio_imputed(TALLY, POPULATION, strata=("ethnicity_self",))
