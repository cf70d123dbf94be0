"""Rates and ratios standardised for age over a tally, against plain counts of rows."""

import numpy as np
import pandas as pd
import pytest

import disprop as dp
from disprop.errors import CodelistMismatch, UsageError
from disprop.measures.verdicts import NOT_COMPUTABLE, TOO_FEW
from tests import naive as plain
from tests.invent import EVERYWHERE, POPULATION, many, residents
from tests.sources import Rows
from tests.strata import naive

AGES = ("under 10", "10-17", "18-24", "25-34", "over 34")
MONTHS = 8
PEOPLE = EVERYWHERE.project(["force", "age_band", "ethnicity_self"])


def some(n=6_000, seed=1, ages=(*AGES[1:] * 12, None), **fixed):
    return many(
        n, seed, **{"search_type": "Person search", "force": ("kent", "west-midlands"), "age_band": ages, **fixed}
    )


ROWS = some()


def tally_of(rows, *axes, **options):
    return dp.tally(Rows(rows), by=["age_band", "ethnicity_self", *axes], **options)


def counted(rows, group, age="any", force="kent"):
    return sum(
        plain.group5(r["ethnicity_self"]) == group and r["force"] == force and (age == "any" or r["age_band"] == age)
        for r in rows
    )


def unknown_group(rows, age="any", force="kent"):
    return sum(
        plain.group5(r["ethnicity_self"]) not in plain.GROUPS and r["force"] == force and age in ("any", r["age_band"])
        for r in rows
    )


def years(group, age, force="kent"):
    return PEOPLE[{"force": force, "age_band": age, "ethnicity_self": group}] * MONTHS / 12


EVERYONE = [PEOPLE[{"age_band": age}] for age in AGES]


def strata(rows, group, standard=EVERYONE, force="kent"):
    return [(counted(rows, group, k, force), years(group, k, force) / 1000, w) for k, w in zip(AGES, standard)]


def one(frame, **codes):
    for column, code in codes.items():
        frame = frame[frame[column] == code]
    assert len(frame) == 1
    return frame.iloc[0]


# rates


@pytest.mark.parametrize("method", ["byar", "exact"])
@pytest.mark.parametrize("group", ["White", "Black", "Other"])
def test_rate_is_that_of_known_ages_times_all_over_known(group, method):
    row = one(
        dp.age_standardised_rate(tally_of(ROWS), PEOPLE, method=method, confidence=0.9),
        force="kent",
        ethnicity_self=group,
    )
    rate, low, high, _ = naive.direct(strata(ROWS, group), 0.9, method)
    whole, lacking = counted(ROWS, group), counted(ROWS, group, None)
    assert 0 < lacking <= 0.05 * whole
    scale = whole / (whole - lacking)
    assert [row.estimate, row.low, row.high] == pytest.approx([rate * scale, low * scale, high * scale])
    assert row.numerator == whole
    assert row.denominator == pytest.approx(sum(years(group, k) for k in AGES))
    assert row["method"] == f"dobson, {method}"
    assert f"{lacking:,} of {whole:,} searches have no age" in row.flag
    assert "to the ages of everyone in invented: these are not the actual rates" in row.flag


def test_bounds_put_the_unknown_where_it_weighs_least_and_most():
    row = one(dp.age_standardised_rate(tally_of(ROWS), PEOPLE), force="kent", ethnicity_self="Black")
    rate = naive.direct(strata(ROWS, "Black"), 0.95, "byar")[0]
    pull = [w / sum(EVERYONE) / (years("Black", k) / 1000) for k, w in zip(AGES, EVERYONE)]
    lacking = counted(ROWS, "Black", None)
    assert row.bound_low == pytest.approx(rate + min(pull) * lacking)
    strangers = sum(p * unknown_group(ROWS, k) for p, k in zip(pull, AGES))
    assert row.bound_high == pytest.approx(rate + strangers + max(pull) * (lacking + unknown_group(ROWS, None)))
    assert row.n_unknown == unknown_group(ROWS)


def test_many_unknown_ages_leave_bounds_and_most_unknown_ages_nothing():
    rows = some(ages=(*AGES[1:] * 2, None)) + some(seed=2, n=3_000, force="kent", ages=(None, None, "18-24"))
    frame = dp.age_standardised_rate(tally_of(rows), PEOPLE)
    ours, other = (one(frame, force=force, ethnicity_self="Black") for force in ("kent", "west-midlands"))
    share = counted(rows, "Black", None) / counted(rows, "Black")
    assert 0.05 < share < 0.5
    for row in (ours, other):
        assert row[["estimate", "low", "high", "method"]].isna().all()
        assert row.bound_low < row.bound_high
        assert "bounds only: " in row.flag
    mostly = some(force="kent", ages=(None, None, None, "18-24"))
    row = one(dp.age_standardised_rate(tally_of(mostly), PEOPLE), force="kent", ethnicity_self="Black")
    assert row[["estimate", "low", "high", "bound_low", "bound_high"]].isna().all()
    n, all_of_them = counted(mostly, "Black", None), counted(mostly, "Black")
    assert row.flag.startswith(f"refused: {n:,} of {all_of_them:,} searches have no age; standardised")


def test_below_10_searches_no_rate_is_given():
    rows = [r for r in ROWS if plain.group5(r["ethnicity_self"]) != "Black"]
    few = [r for r in ROWS if plain.group5(r["ethnicity_self"]) == "Black" and r["force"] == "kent" and r["age_band"]]
    for n, given in ((9, False), (10, True)):
        frame = dp.age_standardised_rate(tally_of(rows + few[:n]), PEOPLE)
        row = one(frame, force="kent", ethnicity_self="Black")
        assert pd.notna(row.estimate) == given
        assert pd.notna(row.bound_high) == given
        assert ("fewer than 10 searches of known age: not given" in row.flag) != given


def test_standards():
    tally, given = tally_of(ROWS), PEOPLE.select(force="west-midlands")
    own = [PEOPLE[{"force": "kent", "age_band": age}] for age in AGES]
    theirs = [PEOPLE[{"force": "west-midlands", "age_band": age}] for age in AGES]
    for standard, weights, said in (
        ("own force", own, "to the ages of all groups of the force"),
        (given, theirs, "to the ages of invented"),
    ):
        row = one(dp.age_standardised_rate(tally, PEOPLE, standard=standard), force="kent", ethnicity_self="Black")
        whole, lacking = counted(ROWS, "Black"), counted(ROWS, "Black", None)
        rate = naive.direct(strata(ROWS, "Black", weights), 0.95, "byar")[0]
        assert row.estimate == pytest.approx(rate * whole / (whole - lacking))
        assert said in row.flag


def test_a_standard_of_the_groups_own_ages_gives_the_actual_rate():
    rows = [{**r, "age_band": r["age_band"] or "18-24"} for r in ROWS]
    own = PEOPLE.select(force="kent", ethnicity_self="Black")
    row = one(dp.age_standardised_rate(tally_of(rows), PEOPLE, standard=own), force="kent", ethnicity_self="Black")
    actual = dp.search_rate(tally_of(rows), PEOPLE, by=["force", "ethnicity_self"])
    assert row.estimate == pytest.approx(one(actual, force="kent", ethnicity_self="Black").estimate)


def test_what_is_no_standard_is_refused():
    tally = tally_of(ROWS)
    with pytest.raises(UsageError, match="'everyone', 'own force' or a tally"):
        dp.age_standardised_rate(tally, PEOPLE, standard="Europe")
    with pytest.raises(UsageError, match="needs rows by force"):
        dp.age_standardised_rate(tally, PEOPLE, by=["ethnicity_self"], standard="own force")
    with pytest.raises(UsageError, match="counts searches"):
        dp.age_standardised_rate(tally, PEOPLE, standard=tally)
    with pytest.raises(UsageError, match=r"give one by force, age_band, ethnicity_self"):
        dp.age_standardised_rate(tally, POPULATION)
    finer = dp.census(2021, by=["age"])
    odd = type(finer)(
        (type(finer.axes[0])("age_band", finer.axes[0].codelist, finer.axes[0].codes),), finer.counts, finer.unit,
        finer.kind, account=finer.account,
    )  # fmt: skip
    with pytest.raises(CodelistMismatch, match="the standard is in age@"):
        dp.age_standardised_rate(tally, PEOPLE, standard=odd)


def test_groups_that_the_census_withholds_have_no_rate():
    rows = some(2_000, force=("dyfed-powys", "kent"))
    frame = dp.age_standardised_rate(tally_of(rows), dp.census(2021, by=["force", "age_band", "ethnicity_self"]))
    withheld = one(frame, force="dyfed-powys", ethnicity_self="Black")
    assert pd.isna(withheld.estimate)
    assert withheld.flag.startswith("not computable: denominator unavailable")
    assert one(frame, force="kent", ethnicity_self="White").estimate > 0


def test_a_group_without_residents_of_some_age_has_no_rate():
    counts = PEOPLE.counts.copy()
    counts[PEOPLE.axis("force").index("kent"), 4, PEOPLE.axis("ethnicity_self").index("Black")] = 0
    gone = PEOPLE.total - int(counts.sum())
    people = type(PEOPLE)(
        PEOPLE.axes, counts, "residents", account=PEOPLE.account.exclude("taken away", gone), missing=PEOPLE.missing
    )
    for frame in (dp.age_standardised_rate(tally_of(ROWS), people), dp.age_standardised_ratio(tally_of(ROWS), people)):
        row = one(frame, force="kent", ethnicity_self="Black")
        assert pd.isna(row.estimate)
        assert "not computable: no residents of some age" in row.flag
    indirect = dp.age_standardised_ratio(tally_of(ROWS), people, method="indirect")
    assert one(indirect, force="kent", ethnicity_self="Black").estimate > 0


def test_holes_withhold_and_covered_gives():
    tally = tally_of(ROWS, period=("2019-04", "2019-12"))
    withheld = dp.age_standardised_rate(tally, PEOPLE)
    assert withheld["estimate"].isna().all()
    assert withheld["flag"].str.startswith("not computable: missing 2019-12").all()
    given = dp.age_standardised_rate(tally, PEOPLE, holes="covered")
    assert given["estimate"].tolist() == pytest.approx(
        dp.age_standardised_rate(tally_of(ROWS), PEOPLE)["estimate"].tolist()
    )


# ratios


def dispersion(rows, group, force):
    months = sorted({r["month"] for r in rows})
    pairs = [
        tuple(counted([r for r in rows if r["month"] == m], g, force=force) for g in (group, "White")) for m in months
    ]
    return plain.month_dispersion(pairs)


def scaled(rows, group, force):
    whole, lacking = counted(rows, group, force=force), counted(rows, group, None, force)
    return whole / (whole - lacking)


@pytest.mark.parametrize("force", ["kent", "west-midlands"])
@pytest.mark.parametrize("group", ["Black", "Mixed"])
def test_direct_ratio(group, force):
    row = one(dp.age_standardised_ratio(tally_of(ROWS), PEOPLE), force=force, ethnicity_self=group)
    phi = dispersion(ROWS, group, force)
    sides = (strata(ROWS, group, force=force), strata(ROWS, "White", force=force))
    scale = scaled(ROWS, group, force) / scaled(ROWS, "White", force)
    wanted = [figure * scale for figure in naive.direct_ratio(*sides, 0.95, phi)]
    assert [row.estimate, row.low, row.high] == pytest.approx(wanted, rel=1e-6)
    assert row["method"].startswith("direct, score" if phi == 1 else f"direct, score, month dispersion {phi:.2f}")
    assert row.numerator == counted(ROWS, group, force=force)
    assert row.numerator / row.denominator == pytest.approx(row.estimate)


def pairs_of(rows, group, force):
    return [
        (
            counted(rows, group, k, force),
            years(group, k, force),
            counted(rows, "White", k, force),
            years("White", k, force),
        )
        for k in AGES
    ]


@pytest.mark.parametrize("group", ["Black", "Mixed"])
def test_indirect_ratio(group):
    found = dp.age_standardised_ratio(tally_of(ROWS), PEOPLE, method="indirect")
    row = one(found, force="kent", ethnicity_self=group)
    phi = dispersion(ROWS, group, "kent")
    whole, pairs = counted(ROWS, group), pairs_of(ROWS, group, "kent")
    _, e, v = naive.expected(pairs)
    e_whole = e * scaled(ROWS, "White", "kent")
    estimate, low, high = naive.score_ratio(whole, e_whole, e * e / v, e * e / v, 0.95, phi)
    assert [row.estimate, row.low, row.high] == pytest.approx([estimate, low, high], rel=1e-6)
    assert "at the group's own ages" in row.flag


@pytest.mark.parametrize("method", ["direct", "indirect"])
def test_bounds_of_a_ratio_are_reached_and_not_passed(method):
    """No way of giving the unknown ages and groups, of many tried, leaves the bounds; one comes near each of them."""
    rows = [r for r in ROWS if r["force"] == "kent"]
    row = one(dp.age_standardised_ratio(tally_of(rows), PEOPLE, method=method), ethnicity_self="Black")
    found = [ratio_of(told(rows, seed), method) for seed in range(8)]
    assert row.bound_low < min(found) < max(found) < row.bound_high
    for side, bound in (("White", row.bound_low), ("Black", row.bound_high)):
        extreme = [ratio_of(told(rows, a, c, side), method) for a in AGES for c in AGES]
        best = min(extreme) if side == "White" else max(extreme)
        assert best == pytest.approx(bound, rel=1e-9)


def told(rows, black_age, white_age=None, side=None):
    """The rows with every unknown told: to `side` and the ages given, or (with a number) by chance."""
    rng = np.random.default_rng(black_age if side is None else 0)
    done = []
    for row in rows:
        group = plain.group5(row["ethnicity_self"])
        if group not in plain.GROUPS:
            group = side or rng.choice(["White", "Black", "Asian"])
        age = row["age_band"] or (rng.choice(AGES) if side is None else (black_age if group == "Black" else white_age))
        done.append((group, age))
    return done


def ratio_of(told_rows, method):
    n = {(g, k): 0 for g in plain.GROUPS for k in AGES}
    for pair in told_rows:
        n[pair] += 1
    if method == "direct":
        rates = [
            sum(w * n[g, k] / years(g, k) for k, w in zip(AGES, EVERYONE)) / sum(EVERYONE) for g in ("Black", "White")
        ]
        return rates[0] / rates[1]
    return sum(n["Black", k] for k in AGES) / sum(years("Black", k) * n["White", k] / years("White", k) for k in AGES)


def test_same_ages_change_nothing():
    """Where residents of both groups have the ages of the standard, direct, indirect and crude ratios are one."""
    rows = [{**r, "age_band": r["age_band"] or "18-24"} for r in ROWS]
    flat = flat_population()
    crude = dp.rate_ratio(dp.tally(Rows(rows), by=["ethnicity_self"]), flat.project(["force", "ethnicity_self"]))
    for method in ("direct", "indirect"):
        found = dp.age_standardised_ratio(tally_of(rows), flat, method=method)
        for name in ("estimate", "low", "high", "bound_low", "bound_high"):
            assert found[name].tolist() == pytest.approx(crude[name].tolist(), rel=1e-9), (method, name)
        assert found["verdict"].tolist() == crude["verdict"].tolist()
        assert found["verdict_holds"].tolist() == crude["verdict_holds"].tolist()


def flat_population():
    shares = {"under 10": 1, "10-17": 1, "18-24": 1, "25-34": 2, "over 34": 5}
    counts = np.zeros(PEOPLE.counts.shape, dtype=np.int64)
    for k, share in shares.items():
        counts[:, PEOPLE.axis("age_band").index(k)] = POPULATION.counts // 10 * share
    account = residents({"kent": {"White": int(counts.sum())}}).account
    return type(PEOPLE)(
        PEOPLE.axes, counts, "residents", "residents", account=account, missing=PEOPLE.missing, vintage="flat"
    )


def test_few_searches_are_too_few_to_say_directly_and_can_be_said_indirectly():
    rows = [r for r in ROWS if plain.group5(r["ethnicity_self"]) != "Black"]
    few = [r for r in ROWS if plain.group5(r["ethnicity_self"]) == "Black" and r["force"] == "kent" and r["age_band"]]
    tally = tally_of(rows + few[:9])
    direct = one(dp.age_standardised_ratio(tally, PEOPLE), force="kent", ethnicity_self="Black")
    assert direct.verdict == TOO_FEW
    assert direct[["estimate", "low", "high", "bound_low"]].isna().all()
    indirect = dp.age_standardised_ratio(tally, PEOPLE, method="indirect")
    row = one(indirect, force="kent", ethnicity_self="Black")
    assert row.low < row.estimate < row.high


def test_unknown_ages_on_either_side_leave_bounds_or_nothing():
    rows = some(ages=(*AGES[1:] * 2, None))
    frame = dp.age_standardised_ratio(tally_of(rows), PEOPLE)
    given = frame[frame["force"] != "btp"]
    assert given[["estimate", "low", "high", "method", "verdict_holds", "point_against_band"]].isna().all(axis=None)
    assert (given["verdict"] == NOT_COMPUTABLE).all()
    assert (given["bound_low"] < given["bound_high"]).all()
    white_without = [{**r, "age_band": None} if plain.group5(r["ethnicity_self"]) == "White" else r for r in ROWS]
    refused = dp.age_standardised_ratio(tally_of(white_without), PEOPLE)
    assert refused[["estimate", "bound_low", "bound_high"]].isna().all(axis=None)
    assert refused["flag"].str.startswith("refused: ").all()


def test_everyone_and_other_methods_are_refused():
    with pytest.raises(UsageError, match="everyone else"):
        dp.age_standardised_ratio(tally_of(ROWS), PEOPLE, reference="everyone")
    with pytest.raises(UsageError, match="'direct' or 'indirect'"):
        dp.age_standardised_ratio(tally_of(ROWS), PEOPLE, method="regression")
    others = dp.age_standardised_ratio(tally_of(ROWS), PEOPLE, reference="everyone else")
    assert others["estimate"].notna().all()


def test_standardised_ratio_covers_the_truth():
    """Drawn from known rates by age: 95% limits of the direct ratio hold the true one about 95 times in 100."""
    from disprop.intervals import directly_standardised_ratio

    rng = np.random.default_rng(11)
    n1, n0, w = np.array([200.0, 900.0, 1_500.0]), np.array([6_000.0, 9_000.0, 50_000.0]), np.array([1.0, 1.0, 6.0])
    rate1, rate0 = np.array([0.05, 0.04, 0.01]), np.array([0.03, 0.012, 0.004])
    a, c = rng.poisson(n1 * rate1, (20_000, 3)), rng.poisson(n0 * rate0, (20_000, 3))
    found = directly_standardised_ratio(events=a, exposure=n1, reference_events=c, reference_exposure=n0, standard=w)
    true = (w @ rate1) / (w @ rate0)
    missed = np.mean(found.low > true), np.mean(found.high < true)
    assert 0.94 < 1 - sum(missed) < 0.965
    assert max(missed) < 0.035
