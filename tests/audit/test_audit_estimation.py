"""Estimates: the check figures, the slow definition, and every corner by its stated rule."""

import math

import naive_audit
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit
from scipy.stats import beta

from disprop.audit.comparison import compare
from disprop.audit.effective import share_interval
from disprop.audit.estimation import estimate
from disprop.audit.finite import hypergeometric_limits
from disprop.audit.sample import pool, sample_from_table
from disprop.audit.survey import design, domain_mean
from disprop.errors import InputRefused, Refused, UsageError
from disprop.intervals import proportion_interval
from disprop.results import COLUMNS


def counts(met, unmet, **columns):
    return pa.table({"met": ["yes"] * met + ["no"] * unmet} | columns)


AUDIT = sample_from_table(counts(84, 13), met="met")
OF_26372 = sample_from_table(counts(84, 13), met="met", records=26372)


def limits(sample, row=0, **options):
    found = estimate(sample, **options).iloc[row]
    return [round(100 * found[name], 2) for name in ("low", "high")]


@pytest.mark.parametrize(
    ("sample", "method", "expected"),
    [
        (AUDIT, "wilson", [78.41, 92.00]),
        (OF_26372, "wilson", [78.43, 91.99]),
        (AUDIT, "clopper_pearson", [78.17, 92.67]),
        (AUDIT, "hmicfrs", [79.82, 93.38]),
        (OF_26372, "hmicfrs", [79.82, 93.38]),
    ],
)
def test_84_of_97(sample, method, expected):
    assert limits(sample, method=method) == expected


def test_the_replica_prints_86_6_and_6_8():
    row = estimate(OF_26372, method="hmicfrs").iloc[0]
    assert f"{100 * row['estimate']:.1f} +/- {50 * (row['high'] - row['low']):.1f}" == "86.6 +/- 6.8"


@pytest.mark.parametrize(("method", "expected"), [("wilson", [71.56, 93.12]), ("clopper_pearson", [70.83, 94.43])])
def test_35_of_41_alone_and_as_a_domain(method, expected):
    alone = sample_from_table(counts(35, 6), met="met")
    assert limits(alone, method=method) == expected
    groups = ["minority"] * 35 + ["white"] * 49 + ["minority"] * 6 + ["white"] * 7
    within = sample_from_table(counts(84, 13, group=groups), met="met", domains=["group"])
    assert estimate(within)["group"].tolist() == ["all records", "minority", "white"]
    assert limits(within, row=1, method=method) == expected


@pytest.mark.parametrize(
    ("met", "method", "expected"),
    [
        (0, "wilson", [0, 24.25]),
        (12, "wilson", [75.75, 100]),
        (0, "clopper_pearson", [0, 26.46]),
        (12, "clopper_pearson", [73.54, 100]),
        (0, "logit", [0, 26.46]),
        (12, "normal", [73.54, 100]),
    ],
)
def test_none_and_all_of_12(met, method, expected):
    assert limits(sample_from_table(counts(met, 12 - met), met="met"), method=method) == expected


def test_rows_carry_every_result_column():
    found = estimate(OF_26372)
    assert list(found.columns[:2]) == ["domain", "group"]
    assert list(found.columns[2 : 2 + len(COLUMNS)]) == [column.name for column in COLUMNS]
    row = found.iloc[0]
    assert (row["numerator"], row["denominator"], row["unit"], row["target"]) == (84, 97, "share", "these_records")
    assert row["records"] == pytest.approx(26372)
    assert row["total"] == pytest.approx(26372 * 84 / 97)
    assert row["total_low"] == pytest.approx(26372 * row["low"])
    assert estimate(AUDIT).iloc[0]["target"] == "process"
    assert math.isnan(estimate(AUDIT).iloc[0]["total"])


strata_strategy = st.lists(
    st.tuples(st.lists(st.sampled_from([0, 1]), min_size=2, max_size=12), st.integers(0, 40)), min_size=1, max_size=5
)


def stratified(strata, groups=None):
    """(answers, records beyond those drawn) per stratum -> table and sizes."""
    rows = [(f"s{at}", answer) for at, (answers, _) in enumerate(strata) for answer in answers]
    sizes = {f"s{at}": len(answers) + extra for at, (answers, extra) in enumerate(strata)}
    table = pa.table({"stratum": [name for name, _ in rows], "met": [answer for _, answer in rows]})
    if groups:
        table = table.append_column("group", pa.array([groups[at % len(groups)] for at in range(len(rows))]))
    return table, sizes


@given(strata_strategy)
@settings(max_examples=60, deadline=None)
def test_stratified_estimates_against_the_slow_definition(strata):
    table, sizes = stratified(strata, groups="abb")
    sample = sample_from_table(table, met="met", strata=["stratum"], records=sizes, domains=["group"])
    names = table.column("stratum").to_pylist()
    drawn = {name: names.count(name) for name in sizes}
    weights = [sizes[name] / drawn[name] for name in names]
    values = table.column("met").to_pylist()
    for row in estimate(sample, domains=["group"]).to_dict("records"):
        inside = [row["group"] in ("all records", group) for group in table.column("group").to_pylist()]
        if not any(inside):
            continue
        mean, variance = naive_audit.survey_mean(values, weights, names, range(len(names)), sizes, inside)
        assert row["estimate"] == pytest.approx(mean, rel=1e-12, abs=1e-12)
        size = slow_size(mean, variance, weights, names, sizes, drawn, inside)
        if math.isinf(size):
            assert (row["low"], row["high"]) == (row["estimate"], row["estimate"])
        else:
            wilson = proportion_interval(events=min(mean, 1.0) * size, trials=size)
            assert (row["low"], row["high"]) == pytest.approx((wilson.low, wilson.high), rel=1e-9, abs=1e-9)
        assert 0 <= row["low"] <= row["estimate"] + 1e-12
        assert row["estimate"] - 1e-12 <= row["high"] <= 1


def slow_size(mean, variance, weights, names, sizes, drawn, inside):
    """n_eff capped at the even size, by sums."""
    noise = sum((1 - drawn[n] / sizes[n]) * w * w for w, n, i in zip(weights, names, inside) if i)
    total = sum(w for w, i in zip(weights, inside) if i)
    even = total**2 / noise if noise > 0 else math.inf
    n = sum(inside)
    if mean < 1e-12 or mean > 1 - 1e-12 or variance < 1e-24 or n < 2:
        return even
    return min(n * mean * (1 - mean) / (n - 1) / variance, even)


def test_a_stratum_drawn_whole_adds_nothing():
    table, sizes = stratified([([1, 0, 1], 0), ([1] * 40 + [0] * 10, 950)])
    rows = estimate(sample_from_table(table, met="met", strata=["stratum"], records=sizes), domains=["stratum"])
    whole = rows.iloc[1]
    assert (whole["low"], whole["high"]) == (whole["estimate"], whole["estimate"])
    alone, one = stratified([([1] * 40 + [0] * 10, 950)])
    one_row = estimate(sample_from_table(alone, met="met", strata=["stratum"], records=one), domains=[]).iloc[0]
    width = (rows.iloc[0]["high"] - rows.iloc[0]["low"]) / (one_row["high"] - one_row["low"])
    assert width == pytest.approx(1000 / 1003, rel=0.01)


def test_every_record_reviewed_is_exact():
    sample = sample_from_table(counts(3, 2), met="met", records=5)
    for method in ("wilson", "clopper_pearson", "korn_graubard", "logit", "normal", "hypergeometric"):
        row = estimate(sample, method=method).iloc[0]
        assert (row["low"], row["high"]) == (0.6, 0.6)
    assert limits(sample, target="process") != [60.0, 60.0]


def test_a_stratum_with_one_record_is_flagged_and_wide():
    table, sizes = stratified([([1] * 20 + [0] * 20, 60), ([0], 29)])
    row = estimate(sample_from_table(table, met="met", strata=["stratum"], records=sizes), domains=[]).iloc[0]
    assert "one record only in 's1': its spread is taken from all records" in row["flag"]
    without, rest = stratified([([1] * 20 + [0] * 20, 60)])
    narrow = estimate(sample_from_table(without, met="met", strata=["stratum"], records=rest), domains=[]).iloc[0]
    assert row["high"] - row["low"] > narrow["high"] - narrow["low"]
    p = (100 * 0.5 + 0) / 130
    expected = (60 / 100) * (100 / 130) ** 2 * 0.25 / 39 + (29 / 30) * (30 / 130) ** 2 * p**2
    found = domain_mean(
        design(records=41, stratum=[0] * 40 + [1], population=[100] * 40 + [30]), np.array([1] * 20 + [0] * 21)
    )
    assert found.variance == pytest.approx(expected, rel=1e-9)


def test_unknown_answers_are_bounds():
    sample = sample_from_table(
        pa.table({"met": ["yes"] * 80 + ["no"] * 10 + ["", "cannot tell"]}), met="met", records=900
    )
    row = estimate(sample).iloc[0]
    assert (row["numerator"], row["denominator"], row["n_unknown"]) == (80, 90, 2)
    assert row["estimate"] == pytest.approx(80 / 90)
    assert (row["bound_low"], row["bound_high"]) == pytest.approx((80 / 92, 82 / 92))
    worst = sample_from_table(counts(80, 12), met="met", records=900)
    assert row["bound_interval_low"] == pytest.approx(estimate(worst).iloc[0]["low"])
    assert "2 not known: see the bounds" in row["flag"]


def test_a_stratum_without_answers_is_outside_the_estimate_inside_the_bounds():
    table = pa.table({"stratum": ["a"] * 20 + ["b"] * 5, "met": ["yes"] * 18 + ["no"] * 2 + [""] * 5})
    sample = sample_from_table(table, met="met", strata=["stratum"], records={"a": 100, "b": 50})
    rows = estimate(sample)
    assert "nothing was reviewed in 'b': outside the estimate" in rows.iloc[0]["flag"]
    assert rows.iloc[0]["estimate"] == pytest.approx(0.9)
    assert (rows.iloc[0]["bound_low"], rows.iloc[0]["bound_high"]) == pytest.approx((90 / 150, 140 / 150))
    assert math.isnan(rows.iloc[2]["estimate"])
    assert (rows.iloc[2]["bound_low"], rows.iloc[2]["bound_high"]) == (0, 1)
    assert rows.iloc[2]["flag"] == "no record of this group was reviewed"


def test_nothing_reviewed_at_all():
    row = estimate(sample_from_table(pa.table({"met": [""] * 5}), met="met", records=50)).iloc[0]
    assert math.isnan(row["estimate"])
    assert (row["bound_low"], row["bound_high"]) == (0, 1)


def test_process_is_wider_than_these_records():
    table, sizes = stratified([([1] * 30 + [0] * 10, 40), ([1] * 10 + [0] * 5, 5)])
    sample = sample_from_table(table, met="met", strata=["stratum"], records=sizes)
    here, process = (estimate(sample, target=target, domains=[]).iloc[0] for target in ("these_records", "process"))
    assert here["estimate"] == process["estimate"]
    assert process["high"] - process["low"] > 1.2 * (here["high"] - here["low"])


@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 30), st.sampled_from([0.90, 0.95]))
@settings(max_examples=40, deadline=None)
def test_hypergeometric_against_exact_fractions(sample, met, rest, confidence):
    from fractions import Fraction

    met = min(met, sample)
    tail = Fraction(1, 20) if confidence == 0.90 else Fraction(1, 40)
    slow = naive_audit.hypergeometric_limits(met, sample, sample + rest, tail)
    assert hypergeometric_limits(met=met, sample=sample, records=sample + rest, confidence=confidence) == slow


def test_hypergeometric_ties_and_refusals():
    # with 1 of 40 records meeting, one record drawn meets with chance exactly 1 / 40: that M is left out
    assert hypergeometric_limits(met=1, sample=1, records=40)[0] == 2
    for wrong in ({"met": 3, "sample": 2, "records": 9}, {"met": 0, "sample": 0, "records": 9}):
        with pytest.raises(UsageError, match="wanted 0 <= met"):
            hypergeometric_limits(**wrong)


def test_hypergeometric_is_for_simple_samples():
    row = estimate(sample_from_table(counts(17, 33), met="met", records=60), method="hypergeometric").iloc[0]
    assert (row["low"], row["high"]) == (17 / 60, 24 / 60)
    table, sizes = stratified([([1, 0], 5), ([1, 0], 5)])
    with pytest.raises(Refused, match="for a simple sample"):
        estimate(sample_from_table(table, met="met", strata=["stratum"], records=sizes), method="hypergeometric")
    with pytest.raises(Refused, match="for a simple sample"):
        estimate(AUDIT, method="hypergeometric")


def test_clusters_use_t_and_the_process():
    officers = [f"o{i // 4}" for i in range(40)]
    met = [1 if (i // 4) % 3 else 0 for i in range(36)] + [1, 1, 0, 0]
    table = pa.table({"met": met, "officer": officers})
    sample = sample_from_table(table, met="met", records=400, cluster="officer")
    row = estimate(sample, method="korn_graubard").iloc[0]
    mean, variance = naive_audit.survey_mean(met, [10] * 40, [0] * 40, officers, None, [True] * 40)
    assert row["target"] == "process"
    size = mean * (1 - mean) / variance * (stdtrit(39, 0.975) / stdtrit(9, 0.975)) ** 2
    expected = beta.ppf([0.025, 0.975], [size * mean, size * mean + 1], [size * (1 - mean) + 1, size * (1 - mean)])
    assert [row["low"], row["high"]] == pytest.approx(expected.tolist(), rel=1e-9)
    wilson = estimate(sample).iloc[0]
    plain = estimate(sample_from_table(table, met="met", records=400), target="process").iloc[0]
    assert wilson["high"] - wilson["low"] > 1.5 * (plain["high"] - plain["low"])
    with pytest.raises(Refused, match="clusters say nothing about these records"):
        estimate(sample, target="these_records")


def test_clusters_that_say_the_same_or_nothing():
    same = pa.table({"met": [1] * 12, "officer": [f"o{i // 4}" for i in range(12)]})
    row = estimate(sample_from_table(same, met="met", cluster="officer")).iloc[0]
    three = proportion_interval(events=3, trials=3)
    assert (row["low"], row["high"]) == pytest.approx((three.low, 1.0))  # three officers, not twelve records
    one = pa.table({"met": [1, 0, 1], "officer": ["o", "o", "o"]})
    row = estimate(sample_from_table(one, met="met", cluster="officer")).iloc[0]
    assert (row["low"], row["high"]) == (0, 1)


def test_the_cap_holds_where_one_oversampled_stratum_has_all_failures():
    table, sizes = stratified([([1] * 20, 8980), ([1] * 40 + [0] * 40, 220)])
    sample = sample_from_table(table, met="met", strata=["stratum"], records=sizes)
    row = estimate(sample, domains=[]).iloc[0]
    even = 1 / ((9000 / 9300) ** 2 * (1 - 20 / 9000) / 20 + (300 / 9300) ** 2 * (1 - 80 / 300) / 80)
    assert row["effective_size"] == pytest.approx(even)
    assert row["low"] < 0.85


def test_difference_is_the_classical_one_in_a_simple_sample():
    """Two groups of a simple sample: the covariance is zero and the limits are Newcombe's on the groups' own limits."""
    groups = ["a"] * 40 + ["b"] * 60
    table = pa.table({"met": [1] * 30 + [0] * 10 + [1] * 50 + [0] * 10, "group": groups})
    sample = sample_from_table(table, met="met", domains=["group"])
    row = compare(sample, domain="group", reference="b").iloc[0]
    from disprop.intervals import proportion_difference_interval

    newcombe = proportion_difference_interval(events=30, trials=40, reference_events=50, reference_trials=60)
    assert row["estimate"] == pytest.approx(30 / 40 - 50 / 60)
    assert (row["low"], row["high"]) == pytest.approx((newcombe.low, newcombe.high), abs=1e-9)


def test_verdicts():
    def verdicts(a, b, matters=0.1):
        table = counts(a[0], a[1], group=["a"] * sum(a))
        other = counts(b[0], b[1], group=["b"] * sum(b))
        sample = sample_from_table(pa.concat_tables([table, other]), met="met", domains=["group"])
        rows = compare(sample, domain="group", matters=matters)
        return dict(zip(rows["group"], rows["verdict"]))

    assert verdicts((35, 6), (49, 7)) == {"a": "too few to say", "b": "too few to say"}
    assert verdicts((20, 30), (45, 5)) == {"a": "lower", "b": "higher"}
    assert verdicts((900, 100), (905, 95)) == {"a": "no clear difference", "b": "no clear difference"}
    assert verdicts((35, 6), (49, 7), matters=0.5)["a"] == "no clear difference"


def test_verdicts_against_the_unknown_and_the_empty():
    met = ["yes"] * 30 + ["no"] * 2 + [""] * 20 + ["yes"] * 20 + ["no"] * 12
    table = pa.table({"met": met, "group": ["a"] * 52 + ["b"] * 32})
    row = compare(sample_from_table(table, met="met", domains=["group"]), domain="group", reference="b").iloc[0]
    assert (row["verdict"], row["verdict_holds"]) == ("higher", "depends on the unknowns")
    assert row["bound_low"] < 0 < row["estimate"]
    empty = pa.table({"met": ["yes", "no", ""], "group": ["a", "a", "b"]})
    rows = compare(sample_from_table(empty, met="met", domains=["group"]), domain="group")
    assert set(rows["verdict"]) == {"not computable"}
    assert rows["estimate"].isna().all()


def test_pooled_months_are_strata_of_their_own():
    first, second = (
        sample_from_table(counts(*met), met="met", records=size) for met, size in (((40, 10), 500), ((30, 20), 1500))
    )
    pooled = estimate(pool([first, second], ["2024-03", "2024-04"])).iloc[0]
    assert pooled["estimate"] == pytest.approx((0.8 * 500 + 0.6 * 1500) / 2000)
    table = pa.table({"met": ["yes"] * 40 + ["no"] * 10 + ["yes"] * 30 + ["no"] * 20, "m": ["3"] * 50 + ["4"] * 50})
    by_hand = sample_from_table(table, met="met", strata=["m"], records={"3": 500, "4": 1500})
    assert pooled["low"] == pytest.approx(estimate(by_hand).iloc[0]["low"])
    with pytest.raises(Refused, match="each period once"):
        pool([first, second], ["2024-03", "2024-03"])
    with pytest.raises(UsageError, match="one question at a time"):
        pool([first, sample_from_table(counts(1, 1), met="met", measure="other")], ["a", "b"])


def test_two_pooled_halves_are_the_whole():
    table, sizes = stratified([([1, 0, 1, 1], 6), ([0, 1, 0], 9)])
    whole = estimate(sample_from_table(table, met="met", strata=["stratum"], records=sizes), domains=[]).iloc[0]
    halves = [
        sample_from_table(table.filter(pa.compute.equal(table.column("stratum"), name)), met="met", records=sizes[name])
        for name in ("s0", "s1")
    ]
    pooled = estimate(pool(halves, ["s0", "s1"])).iloc[0]
    for name in ("estimate", "low", "high", "total", "effective_size"):
        assert pooled[name] == pytest.approx(whole[name])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "best"}, "the choices are wilson"),
        ({"target": "everyone"}, "these_records, process"),
        ({"domains": ["colour"]}, "no domain 'colour'"),
        ({"confidence": 95}, "confidence came as 95"),
        ({"target": "these_records"}, "needs the number of records"),
    ],
)
def test_wrong_arguments_are_named(options, words):
    with pytest.raises(UsageError, match=words):
        estimate(AUDIT, **options)


def test_wrong_samples_are_named():
    table = counts(3, 2, group=list("aabbb"))
    with pytest.raises(UsageError, match="one number, but there are strata"):
        sample_from_table(table, met="met", strata=["group"], records=9)
    with pytest.raises(UsageError, match="no number for stratum 'b'"):
        sample_from_table(table, met="met", strata=["group"], records={"a": 9})
    short = sample_from_table(table, met="met", records=3)
    with pytest.raises(UsageError, match="stratum 1 has 3 units, but 5 were drawn"):
        estimate(short)
    with pytest.raises(InputRefused, match="no column 'answer'"):
        sample_from_table(table, met="answer")
    grouped = sample_from_table(table, met="met", domains=["group"])
    with pytest.raises(UsageError, match="no group 'z'"):
        compare(grouped, domain="group", reference="z")
    with pytest.raises(UsageError, match="two populations"):
        design(records=2, population=[4, 5])
    plan = design(records=2)
    half = domain_mean(plan, np.array([1.0, 0.0]))
    with pytest.raises(UsageError, match="the choices are"):
        share_interval(plan, half, np.ones(2, bool), method="x")


def test_answers_may_be_booleans_and_numbers():
    for values in ([True, False, True], [1, 0, 1], ["YES", "No", "true"]):
        row = estimate(sample_from_table(pd.DataFrame({"met": values}), met="met")).iloc[0]
        assert (row["numerator"], row["denominator"]) == (2, 3)


def test_the_estimate_lies_within_its_bounds_where_the_unknowns_are_another_groups():
    """Unknown answers of group y change the weight of stratum a, and so the share of group x."""
    table = pa.table(
        {
            "stratum": ["a"] * 20 + ["b"] * 20,
            "group": (["x"] * 10 + ["y"] * 10) * 2,
            "met": ["yes"] * 10 + [""] * 8 + ["yes"] * 2 + ["no"] * 5 + ["yes"] * 15,
        }
    )
    sample = sample_from_table(table, met="met", strata=["stratum"], domains=["group"], records={"a": 400, "b": 400})
    group = estimate(sample, domains=["group"]).iloc[1]
    assert group["n_unknown"] == 0
    assert group["bound_low"] <= group["estimate"] <= group["bound_high"]
    assert group["bound_interval_low"] <= group["low"] < group["high"] <= group["bound_interval_high"]
    differences = compare(sample, domain="group")
    assert (differences["bound_low"] <= differences["estimate"]).all()
    assert (differences["estimate"] <= differences["bound_high"]).all()
