"""The waterfall of a ratio over a tally of areas, and the twin of the crude ratio, against plain counts of rows."""

import random
from collections import Counter

import numpy as np
import pandas as pd
import pytest

import disprop as dp
from disprop.areas import NEAR_NOTE, PLACED_NOTE
from disprop.errors import Refused, UsageError
from disprop.intervals import rate_ratio_interval
from disprop.measures.decomposed import MOVED, NO_TWIN, WITHIN_AREAS
from disprop.measures.unknowns import RESEMBLE
from disprop.provenance import Account
from disprop.tallies import fold
from tests import naive as plain
from tests.invent import AREAS, EVERYWHERE, PEOPLE, POPULATION, many, with_places
from tests.sources import Rows, by_part
from tests.strata import naive

ROWS = with_places(many(6_000, search_type="Person search", force=("kent", "west-midlands")))
AREAS_OF_ALL = [area for areas in AREAS.values() for area in areas]
FACTORS = ["ratio_between_forces", "ratio_between_areas", WITHIN_AREAS]


def tally_of(rows, **options):
    return dp.tally(Rows(rows), by=["area", "ethnicity_self"], **options)


def counted(rows, group, area=None, force=None):
    groups = naive_groups(group)
    return sum(
        plain.group5(row["ethnicity_self"]) in groups
        and (area is None or row["area"] == area)
        and (force is None or row["force"] == force)
        for row in rows
    )


def naive_groups(group):
    return tuple(g for g in plain.GROUPS if g != "Black") if group == "everyone else" else (group,)


def years(group, area):
    groups = naive_groups(group)
    return sum(EVERYWHERE[{"area": area, "ethnicity_self": g}] for g in groups) * 8 / 12


def strata_of(rows, group="Black", reference="White", areas=AREAS_OF_ALL, force=None):
    return [
        (counted(rows, group, k, force), years(group, k), counted(rows, reference, k, force), years(reference, k))
        for k in areas
    ]


def home(area):
    return next(force for force, areas in AREAS.items() if area in areas)


def parts_of(frame, **codes):
    for column, code in {"ethnicity_self": "Black", **codes}.items():
        frame = frame[frame[column] == code]
    assert frame["measure"].is_unique
    return frame.set_index("measure")


def test_the_population_by_area_is_the_population():
    rolled = EVERYWHERE.project(["force", "ethnicity_self"])
    assert (rolled.counts == POPULATION.counts).all()
    assert rolled.total == sum(sum(people.values()) for people in PEOPLE.values() if people)


@pytest.mark.parametrize("reference", ["White", "everyone else"])
def test_all_forces_together(reference):
    found = parts_of(dp.area_decomposition(tally_of(ROWS), EVERYWHERE, by=[], reference=reference))["estimate"]
    strata = strata_of(ROWS, reference=reference)
    expected = naive.levels(strata, [home(area) for area in AREAS_OF_ALL])
    a = sum(s[0] for s in strata)
    assert found["rate_ratio"] == pytest.approx(a / expected[0])
    assert found["rate_ratio_within_forces"] == pytest.approx(a / expected[1])
    assert found[WITHIN_AREAS] == pytest.approx(a / expected[2])
    assert np.prod(found[FACTORS]) == pytest.approx(found["rate_ratio"], rel=1e-13)
    assert found["excess_searches"] == pytest.approx(a - expected[0])
    assert found["excess_between_forces"] == pytest.approx(expected[1] - expected[0])
    assert found["excess_between_areas"] == pytest.approx(expected[2] - expected[1])
    assert found["excess_within_areas"] == pytest.approx(a - expected[2])
    assert found["mantel_haenszel_within_areas"] == pytest.approx(naive.mantel_haenszel_rates(strata, 0.95)[0])
    by_force = [
        naive.pooled([s for s, k in zip(strata, AREAS_OF_ALL) if home(k) == f]) for f in ("kent", "west-midlands")
    ]
    assert found["mantel_haenszel_within_forces"] == pytest.approx(naive.mantel_haenszel_rates(by_force, 0.95)[0])
    statistic, freedom = naive.breslow_day_of_rates(strata)
    assert found["breslow_day_within_areas"] == pytest.approx(statistic / freedom)


# Not recorded --------------------------------------------------------------------------------------------------------


def shared_out(rows, group, officers):
    """Count of a group in the areas that take part, their unknown records shared out; plain loops over the rows."""
    stratum = (
        (lambda r: (r["month"], r["ethnicity_officer"], r["area"]))
        if officers
        else (lambda r: (r["month"], None, r["area"]))
    )
    stated, wider, every = Counter(), Counter(), Counter()
    for row in rows:
        of = plain.group5(row["ethnicity_self"])
        if of in plain.GROUPS:
            month, officer, area = stratum(row)
            stated[month, officer, area, of] += 1
            wider[officer, area, of] += 1
            every[of] += 1
    total = sum(stated[key] for key in stated if key[3] in naive_groups(group) and key[2] in AREAS_OF_ALL)
    for row in rows:
        month, officer, area = stratum(row)
        if area not in AREAS_OF_ALL or plain.group5(row["ethnicity_self"]) in plain.GROUPS:
            continue
        shares = [
            {g: stated[month, officer, area, g] for g in plain.GROUPS},
            {g: wider[officer, area, g] for g in plain.GROUPS},
            {g: every[g] for g in plain.GROUPS},
        ]
        share = next(s for s in shares if sum(s.values()))
        total += sum(share[g] for g in naive_groups(group)) / sum(share.values())
    return total


@pytest.mark.parametrize("officers", [True, False])
@pytest.mark.parametrize("reference", ["White", "everyone else"])
def test_not_recorded_is_one_step_further_with_its_rule_named(officers, reference):
    axes = ["area", "ethnicity_self"] + ["ethnicity_officer"] * officers
    some = ROWS[:900]  # few enough that some strata have nobody stated
    found = parts_of(dp.area_decomposition(dp.tally(Rows(some), by=axes), EVERYWHERE, by=[], reference=reference))
    a, c = (shared_out(some, group, officers) for group in ("Black", reference))
    n1, n0 = (sum(years(group, area) for area in AREAS_OF_ALL) for group in ("Black", reference))
    row = found.loc["rate_ratio_allocated"]
    assert row.estimate == pytest.approx((a / n1) / (c / n0), rel=1e-12)
    assert row.numerator == pytest.approx(a)
    steps = found.loc[[*FACTORS, "ratio_not_recorded"], "estimate"]
    assert np.log(steps).sum() == pytest.approx(np.log(row.estimate), abs=1e-12)
    rule = "allocated within month x ethnicity_officer x area" if officers else "allocated within month x area"
    assert row.method == found.loc["ratio_not_recorded", "method"] == rule
    assert RESEMBLE in row.flag
    assert found.loc["rate_ratio", "bound_low"] < row.estimate < found.loc["rate_ratio", "bound_high"]


def test_not_recorded_by_force_is_of_each_force_alone():
    axes = ["area", "ethnicity_self", "ethnicity_officer"]
    kent = [row for row in ROWS if row["force"] == "kent"]
    both, alone = (dp.area_decomposition(dp.tally(Rows(rows), by=axes), EVERYWHERE) for rows in (ROWS, kent))
    for measure in ("ratio_not_recorded", "rate_ratio_allocated"):
        one, other = (parts_of(frame, force="kent").loc[measure, "estimate"] for frame in (both, alone))
        assert one == pytest.approx(other, rel=1e-12)


def test_with_all_recorded_there_is_no_step():
    stated = [row for row in ROWS if plain.group5(row["ethnicity_self"]) in plain.GROUPS]
    found = parts_of(dp.area_decomposition(tally_of(stated), EVERYWHERE, by=[]))
    assert found.loc["ratio_not_recorded", "estimate"] == 1
    assert found.loc["rate_ratio_allocated", "estimate"] == found.loc["rate_ratio", "estimate"]


@pytest.mark.parametrize("force", ["kent", "west-midlands"])
def test_one_force_is_looked_at_in_its_own_areas(force):
    frame = dp.area_decomposition(tally_of(ROWS), EVERYWHERE)
    found, strata = parts_of(frame, force=force), strata_of(ROWS, areas=AREAS[force], force=force)
    assert not {"rate_ratio_within_forces", "ratio_between_forces", "mantel_haenszel_within_forces"} & set(found.index)
    crude, (a, e, _) = naive.expected([naive.pooled(strata)])[1], naive.expected(strata)
    assert found.loc["rate_ratio", "estimate"] == pytest.approx(a / crude)
    assert found.loc["ratio_between_areas", "estimate"] == pytest.approx(e / crude, rel=1e-12)
    assert found.loc[WITHIN_AREAS, ["numerator", "denominator", "estimate"]].tolist() == pytest.approx([a, e, a / e])
    all_of_it = sum(plain.group5(r["ethnicity_self"]) in ("Black", "White") and r["force"] == force for r in ROWS)
    nowhere = sum(
        plain.group5(r["ethnicity_self"]) in ("Black", "White")
        and r["force"] == force
        and r["area"] in (None, "unmapped")
        for r in ROWS
    )
    abroad = all_of_it - nowhere - sum(s[0] + s[2] for s in strata)
    assert nowhere > 0 < abroad
    assert (
        f"of {all_of_it:,} searches of the two groups {nowhere:,} have no place and {abroad:,} lie in areas of other"
        in found.loc[WITHIN_AREAS, "flag"]
    )


def test_limits_are_those_of_the_effective_counts_and_the_month_dispersion():
    found = parts_of(dp.area_decomposition(tally_of(ROWS), EVERYWHERE, confidence=0.9), force="kent")
    strata = strata_of(ROWS, areas=AREAS["kent"], force="kent")
    months = sorted({row["month"] for row in ROWS})
    monthly = [
        tuple(counted([r for r in ROWS if r["month"] == m], g, force="kent") for g in ("Black", "White"))
        for m in months
    ]
    phi = plain.month_dispersion(monthly)
    assert phi > 1
    row = found.loc[WITHIN_AREAS]
    assert [row.low, row.high] == pytest.approx(naive.within_ratio(strata, 0.9, phi)[1:], rel=1e-6)
    assert row.method == f"score, month dispersion {phi:.2f}"
    excess = found.loc["excess_within_areas"]
    assert [excess.low, excess.high] == pytest.approx(naive.within_excess(strata, 0.9, phi)[1:])
    mh = found.loc["mantel_haenszel_within_areas"]
    assert [mh.low, mh.high] == pytest.approx(naive.mantel_haenszel_rates(strata, 0.9, phi)[1:])


def test_bounds_give_the_unknown_of_each_area_to_one_side():
    row = parts_of(dp.area_decomposition(tally_of(ROWS), EVERYWHERE), force="kent").loc[WITHIN_AREAS]
    unknown = [
        sum(
            plain.group5(r["ethnicity_self"]) not in plain.GROUPS and (r["area"], r["force"]) == (k, "kent")
            for r in ROWS
        )
        for k in AREAS["kent"]
    ]
    strata = strata_of(ROWS, areas=AREAS["kent"], force="kent")
    to_reference = naive.expected([(a, n1, c + u, n0) for (a, n1, c, n0), u in zip(strata, unknown)])
    to_group = naive.expected([(a + u, n1, c, n0) for (a, n1, c, n0), u in zip(strata, unknown)])
    assert row.bound_low == pytest.approx(to_reference[0] / to_reference[1])
    assert row.bound_high == pytest.approx(to_group[0] / to_group[1])
    assert row.n_unknown == sum(unknown)


def test_one_area_alone_is_the_crude_ratio():
    rows = [{**row, "area": "E07000105"} for row in ROWS if row["force"] == "kent"]
    people = EVERYWHERE.select(force=["kent"], area=["E07000105"])
    found = parts_of(dp.area_decomposition(tally_of(rows), people))
    crude = parts_of(
        dp.rate_ratio(dp.tally(Rows(rows), by=["ethnicity_self"]), people.project(["force", "ethnicity_self"]))
    )
    for measure in ("rate_ratio", WITHIN_AREAS):
        row, wanted = found.loc[measure], crude.loc["rate_ratio"]
        assert (
            row[["verdict", "method", "verdict_holds"]].tolist()
            == wanted[["verdict", "method", "verdict_holds"]].tolist()
        )
        names = ["numerator", "denominator", "estimate", "low", "high", "bound_low", "bound_high"]
        assert row[names].tolist() == pytest.approx(wanted[names].tolist(), rel=1e-12)


def test_areas_without_the_reference_are_named_and_left_out_at_all_levels():
    people = without_residents(EVERYWHERE, "E08000026", "White")
    found = parts_of(dp.area_decomposition(tally_of(ROWS), people), force="west-midlands")
    strata = strata_of(ROWS, areas=["E08000025", "E08000029"], force="west-midlands")
    assert found.loc["rate_ratio", "estimate"] == pytest.approx(
        sum(s[0] for s in strata) / naive.expected([naive.pooled(strata)])[1]
    )
    assert found.loc[WITHIN_AREAS, "numerator"] == sum(s[0] for s in strata)
    assert "left out, no residents of the reference (White): E08000026" in found.loc[WITHIN_AREAS, "flag"]


def without_residents(population, area, group):
    counts = population.counts.copy()
    counts[:, population.axis("area").index(area), :, population.axis("ethnicity_self").index(group)] = 0
    gone = population.total - int(counts.sum())
    account = population.account.exclude("taken away", gone)
    return type(population)(
        population.axes, counts, population.unit, population.kind, account=account,
        missing=population.missing, vintage=population.vintage,
    )  # fmt: skip


def test_an_area_searched_by_two_forces_keeps_one_population():
    rows = [{**row, "area": random.Random(i).choice(AREAS_OF_ALL)} for i, row in enumerate(ROWS)]
    found = parts_of(dp.area_decomposition(tally_of(rows), EVERYWHERE, by=[])).loc[WITHIN_AREAS]
    a, e, _ = naive.expected(strata_of(rows))
    assert [found.numerator, found.denominator] == pytest.approx([a, e])
    whole = dp.search_rate(tally_of(rows), EVERYWHERE, by=["area", "ethnicity_self"])
    one = whole[(whole["area"] == "E07000105") & (whole["ethnicity_self"] == "Black")].iloc[0]
    assert one.denominator == pytest.approx(years("Black", "E07000105"))
    assert one.numerator == counted(rows, "Black", "E07000105")


def test_rates_by_force_and_area_have_rows_where_there_are_searches_or_residents():
    found = dp.search_rate(tally_of(ROWS), EVERYWHERE, by=["force", "area", "ethnicity_self"])
    kent = found[found["force"] == "kent"]
    assert set(kent[kent["estimate"].notna()]["area"]) == set(AREAS["kent"])
    assert set(kent["area"]) == set(AREAS_OF_ALL)
    assert kent[~kent["area"].isin(AREAS["kent"])]["flag"].str.contains("no residents").all()
    assert "btp" not in set(found["force"])


def test_a_force_without_residents_has_no_parts_and_is_left_out_of_all_forces():
    rows = ROWS + with_places(many(300, search_type="Person search", force="btp"))
    found = dp.area_decomposition(tally_of(rows), EVERYWHERE, by=["force"])
    btp = found[found["force"] == "btp"]
    assert btp["estimate"].isna().all()
    assert btp["flag"].str.contains("denominator unavailable").all()
    together = dp.area_decomposition(tally_of(rows), EVERYWHERE, by=[])
    alone = dp.area_decomposition(tally_of(ROWS), EVERYWHERE, by=[])
    assert together["estimate"].tolist() == pytest.approx(alone["estimate"].tolist(), nan_ok=True)
    assert together["flag"].str.contains("without British Transport Police").all()


def test_holes_withhold_every_part():
    period = ("2019-04", "2019-12")
    found = dp.area_decomposition(tally_of(ROWS, period=period), EVERYWHERE)
    numbers = ["estimate", "low", "high", "numerator", "denominator"]
    assert found[found["measure"] != "rate_ratio"].loc[:, "estimate"].isna().all()
    assert found["flag"].str.startswith("not computable: missing 2019-12").all()
    assert found[~found["measure"].str.startswith("rate_ratio")][numbers].isna().all(axis=None)
    assert dp.area_decomposition(tally_of(ROWS, period=period), EVERYWHERE, holes="covered")["estimate"].notna().any()


def test_rows_of_an_area_a_group_without_residents_or_the_group_itself_are_refused():
    tally = tally_of(ROWS)
    with pytest.raises(UsageError, match="leave it out of by"):
        dp.area_decomposition(tally, EVERYWHERE, by=["area"])
    with pytest.raises(UsageError, match=r"census\(2021, by=\['force', 'area', 'ethnicity_self'\]\)"):
        dp.area_decomposition(tally, POPULATION)
    with pytest.raises(UsageError, match="everyone else"):
        dp.area_decomposition(tally, EVERYWHERE, reference="everyone")


def test_anonymous_points_and_edges_are_said_where_areas_came_from_places():
    tally = tally_of(ROWS)
    noted = type(tally)(
        tally.axes, tally.counts, tally.unit, tally.kind, tally.parts,
        tally.account + Account(notes={PLACED_NOTE: 200, NEAR_NOTE: 3}), tally.scope,
    )  # fmt: skip
    flags = dp.area_decomposition(noted, EVERYWHERE)["flag"]
    assert flags.str.contains(f"{MOVED}, 1.5% of those read within 50 m of another area", regex=False).all()
    assert not dp.area_decomposition(tally, EVERYWHERE)["flag"].str.contains(MOVED).any()


# the twin


def test_every_crude_ratio_has_its_twin_below_it():
    tally = tally_of(ROWS)
    found = dp.rate_ratio(tally, EVERYWHERE, by=["force"])
    assert found["measure"].tolist() == ["rate_ratio", WITHIN_AREAS] * (len(found) // 2)
    assert found["ethnicity_self"].tolist()[::2] == found["ethnicity_self"].tolist()[1::2]
    crude = dp.rate_ratio(tally.project(["force", "month", "ethnicity_self"]), POPULATION, by=["force"])
    pd.testing.assert_frame_equal(found[::2].reset_index(drop=True), crude)
    parts = dp.area_decomposition(tally, EVERYWHERE, by=["force"])
    twins = parts[parts["measure"] == WITHIN_AREAS].reset_index(drop=True)
    pd.testing.assert_frame_equal(found[1::2].reset_index(drop=True), twins)


def test_no_twin_by_area_nor_without_areas():
    tally = tally_of(ROWS)
    assert set(dp.rate_ratio(tally, EVERYWHERE)["measure"]) == {"rate_ratio"}
    assert set(dp.rate_ratio(tally, EVERYWHERE, by=["area"])["measure"]) == {"rate_ratio"}
    nowhere = tally_of([{**row, "area": None} for row in ROWS])
    assert set(dp.rate_ratio(nowhere, EVERYWHERE, by=["force"])["measure"]) == {"rate_ratio"}


def test_without_residents_by_area_the_crude_ratio_says_so():
    found = dp.rate_ratio(tally_of(ROWS), POPULATION, by=["force"])
    assert set(found["measure"]) == {"rate_ratio"}
    assert found["flag"].str.endswith(NO_TWIN).all()


def test_the_twin_against_everyone_is_that_against_everyone_else_moved():
    """With one area, R to everyone is a share over another, whose Wilson limits the crude row has."""
    rows = [{**row, "area": "E07000105"} for row in ROWS if row["force"] == "kent"]
    people = EVERYWHERE.select(force=["kent"], area=["E07000105"])
    found = dp.rate_ratio(tally_of(rows), people, by=[], reference="everyone")
    crude, twin = found[::2].reset_index(drop=True), found[1::2].reset_index(drop=True)
    for name in ("estimate", "low", "high", "bound_low", "bound_high"):
        assert twin[name].tolist() == pytest.approx(crude[name].tolist(), rel=1e-9)
    assert twin["verdict"].tolist() == crude["verdict"].tolist()
    assert twin["method"].str.startswith("wilson").all()


def test_the_twin_against_everyone_has_the_variance_that_a_simulation_has():
    rng = np.random.default_rng(5)
    n1, other = np.array([3_000.0, 500.0]), np.array([20_000.0, 40_000.0])
    w = n1 / (n1 + other)
    a, o = rng.poisson([90, 10], (40_000, 2)), rng.poisson([300, 200], (40_000, 2))
    drawn = np.log(a.sum(axis=1) / ((a + o) @ w)).std()
    found = twin_against_everyone(n1, other, np.array([90, 10]), np.array([300, 200]))
    assert np.log(found.high / found.low) / 2 / 1.96 == pytest.approx(drawn, rel=0.03)


def twin_against_everyone(n1, other, a, o):
    from disprop.measures.decomposed import ratios_of_strata
    from disprop.measures.pairs import Pairs
    from disprop.measures.strata import Strata

    none, text, month = np.zeros(1), np.array([""], dtype=object), np.zeros(1, dtype=bool)
    pairs = Pairs(
        {"g": ["Black"]}, "everyone", none, none, none, none, none, none, month, none, text, text, none, none, ""
    )
    zero = np.zeros((1, 2))
    strata = Strata(pairs, ("x", "y"), a[None], n1[None], (a + o)[None], (n1 + other)[None], zero, none, none, none)
    return ratios_of_strata(strata, np.ones(1), 0.95, WITHIN_AREAS).iloc[0]


def test_the_twin_obeys_the_law():
    whole = dp.rate_ratio(tally_of(ROWS), EVERYWHERE, by=["force"])
    pieces = [tally_of(piece) for piece in by_part(ROWS)]
    random.Random(3).shuffle(pieces)
    pd.testing.assert_frame_equal(whole, dp.rate_ratio(fold(pieces), EVERYWHERE, by=["force"]), check_exact=True)


def test_small_counts_have_mid_p_limits():
    rows = [r for r in ROWS if r["force"] == "kent"][:160]
    row = parts_of(dp.rate_ratio(tally_of(rows), EVERYWHERE, by=["force"])).loc[WITHIN_AREAS]
    a, e, v = naive.expected(strata_of(rows, areas=AREAS["kent"], force="kent"))
    worth = e * e / v
    months = len({r["month"] for r in rows})
    scale = e / (8 / 12)  # every month of the span is covered
    assert months == 8
    assert scale > 0
    wanted = rate_ratio_interval(events=a, exposure=e, reference_events=worth, reference_exposure=worth, method="mid_p")
    if row.method == "mid_p":
        assert [row.low, row.high] == pytest.approx([wanted.low, wanted.high])
    else:
        assert row.high / row.low >= wanted.high / wanted.low


def test_an_area_without_searches_keeps_its_residents():
    rows = [row for row in ROWS if row["area"] not in ("E07000106", "E08000029")]
    found = parts_of(dp.area_decomposition(tally_of(rows), EVERYWHERE, by=[]))["estimate"]
    strata = strata_of(rows)
    expected = naive.levels(strata, [home(area) for area in AREAS_OF_ALL])
    a = sum(s[0] for s in strata)
    assert found["rate_ratio"] == pytest.approx(a / expected[0])
    assert found[WITHIN_AREAS] == pytest.approx(a / expected[2])


def test_records_without_any_area_have_no_parts_to_show():
    nowhere = tally_of([{**row, "area": None} for row in ROWS])
    with pytest.raises(Refused, match="no search has an area"):
        dp.area_decomposition(nowhere, EVERYWHERE)


def placeless(row, index, force="kent"):
    """Two of three searches of the force lose their place."""
    return {**row, "area": None} if row["force"] == force and index % 3 else row


def test_a_force_most_of_whose_searches_have_no_place_is_withheld():
    rows = [placeless(row, i) for i, row in enumerate(ROWS)]
    found = dp.area_decomposition(tally_of(rows), EVERYWHERE, by=["force"])
    kent = found[found["force"] == "kent"]
    n = sum(r["force"] == "kent" for r in rows)
    nowhere = sum(r["force"] == "kent" and r["area"] in (None, "unmapped") for r in rows)
    assert kent["estimate"].isna().all()
    assert kent["flag"].str.startswith(f"not computable: {nowhere:,} of {n:,} searches have no place").all()
    assert found[found["force"] == "west-midlands"]["estimate"].notna().all()
    ratios = dp.rate_ratio(tally_of(rows), EVERYWHERE, by=["force"])
    of_kent = ratios[ratios["force"] == "kent"].set_index("measure")["estimate"]
    assert of_kent["rate_ratio"].notna().all()
    assert of_kent[WITHIN_AREAS].isna().all()


def test_of_all_forces_together_it_is_left_out_by_name_residents_and_all():
    rows = [placeless(row, i) for i, row in enumerate(ROWS)]
    found = parts_of(dp.area_decomposition(tally_of(rows), EVERYWHERE, by=[]))
    strata = strata_of(rows, areas=AREAS["west-midlands"])
    assert found.loc["rate_ratio", "estimate"] == pytest.approx(
        sum(s[0] for s in strata) / naive.expected([naive.pooled(strata)])[1]
    )
    assert found.loc["ratio_between_forces", "estimate"] == pytest.approx(1)
    assert "left out, most searches have no place: Kent;" in found.loc[WITHIN_AREAS, "flag"]


def test_lists_and_averages_take_twins_as_they_are():
    """A twin is no look of its own, and an average of forces keeps it under its crude ratio."""
    tally = tally_of(ROWS)
    listed = dp.screening_list(tally, EVERYWHERE, by=["force"])
    plainly = dp.screening_list(tally.project(["force", "month", "ethnicity_self"]), POPULATION, by=["force"])
    assert listed["measure"].tolist() == ["rate_ratio", WITHIN_AREAS] * (len(listed) // 2)
    assert listed["flag"].tolist()[::2] == plainly["flag"].tolist()
    groups = dp.similar_groups({"kent": ["kent", "west-midlands"]}, dated="2019-11")
    average = dp.similar_group_average(tally, EVERYWHERE, groups=groups)
    black = average[(average["force"] == "kent") & (average["ethnicity_self"] == "Black")]
    assert black["method"].str.partition(":")[0].tolist() == [
        "Mantel-Haenszel within forces", "pooled crude", "pooled within areas",
    ]  # fmt: skip
