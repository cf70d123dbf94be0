"""Rates, ratios and shares against the plain definitions, and every corner in the open."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import disprop as dp
from disprop.errors import AxisMismatch, CodelistMismatch, Refused, UsageError
from disprop.intervals import proportion_interval, rate_interval, rate_ratio_interval
from disprop.measures import MEASURES, measure
from disprop.measures.dispersion import judged_dispersion, month_dispersion
from disprop.measures.exposed import PERCEIVED
from disprop.measures.pairs import COMBINED, MIXED_FORCES
from disprop.measures.ratios import CAUTIOUS, widest_limits
from disprop.measures.verdicts import VERDICTS, verdict
from disprop.results import COLUMNS
from disprop.tallies import Axis, Tally
from tests import naive
from tests.invent import (
    CHOICES,
    EVERYWHERE,
    PEOPLE,
    POPULATION,
    SELF,
    many,
    residents,
    rows,
    with_force_used,
    with_places,
    with_possession,
    with_video,
)
from tests.sources import Rows

MONTHS = CHOICES["month"]
PERIOD = (MONTHS[0], MONTHS[-1])
KNOWN = tuple(label for label in SELF if naive.group5(label) in naive.GROUPS)


def counted(some, *axes, force="kent", **options):
    return dp.tally(Rows(some), by=["ethnicity_self", *axes], force=force, **options)


def kent(n=4000, **fixed):
    return many(n, force="kent", search_type="Person search", **fixed)


def row(frame, **codes):
    found = frame
    for column, code in codes.items():
        found = found[found[column] == code]
    assert len(found) == 1, found
    return found.iloc[0]


# Rates ---------------------------------------------------------------------------------------------------------------


def test_search_rate_equals_the_plain_definition():
    some = kent()
    frame = dp.search_rate(counted(some, period=PERIOD), POPULATION)
    n = naive.counts(some, lambda r: naive.group5(r["ethnicity_self"]))
    unknown = sum(c for (group,), c in n.items() if group not in naive.GROUPS)
    for group in naive.GROUPS:
        people, found = PEOPLE["kent"][group], row(frame, ethnicity_self=group)
        assert found.numerator == n[(group,)]
        assert found.estimate == pytest.approx(naive.rate(n[(group,)], people, 8), rel=1e-12)
        assert found.bound_high == pytest.approx(naive.rate(n[(group,)] + unknown, people, 8), rel=1e-12)
        assert found.n_unknown == unknown
        limits = rate_interval(events=n[(group,)], exposure=people * 8 / 12 / 1000)
        assert (found.low, found.high) == pytest.approx((limits.low, limits.high), rel=1e-12)


def test_every_result_has_every_column_in_order():
    some = with_force_used(with_video(with_possession(with_places(kent(500)))))
    for spec in (spec for spec in MEASURES.values() if spec.kind == "search"):
        tally = counted(some, *spec.axes)
        arguments = [tally, EVERYWHERE] if spec.population else [tally]
        options = {"by": ["force", "ethnicity_self"]} if "by" in spec.parameters else {"vintage": "2021_22"}
        frame = spec(*arguments, **options)
        assert list(frame.columns[-len(COLUMNS) :]) == [column.name for column in COLUMNS]
        assert len(frame)


def test_a_hole_in_a_named_period_withholds_the_rate_and_covered_gives_it_on_the_months_there_are():
    some = kent(1000, month=MONTHS[:7])
    tally = counted(some, period=PERIOD)
    withheld = dp.search_rate(tally, POPULATION)
    assert withheld["estimate"].isna().all()
    assert withheld["flag"].str.startswith("not computable: missing 2019-11").all()
    given_ = dp.search_rate(tally, POPULATION, holes="covered")
    white = row(given_, ethnicity_self="White")
    assert white.estimate == pytest.approx(naive.rate(white.numerator, PEOPLE["kent"]["White"], 7))
    assert white.flag.startswith("on 7 of 8 months, per year; missing 2019-11")
    assert (white.covered_months, white.period_months) == (7, 8)


def test_a_suspected_partial_month_is_a_hole_for_counts_and_exposure_alike():
    some = kent(1400, month=MONTHS[:7]) + kent(5, month=MONTHS[7])
    frame = dp.search_rate(counted(some, period=PERIOD), POPULATION, holes="covered")
    whole = dp.search_rate(counted(kent(1400, month=MONTHS[:7])), POPULATION)
    assert frame["estimate"].tolist() == pytest.approx(whole["estimate"].tolist())
    assert frame["flag"].str.contains("suspected partial 2019-11").all()


def test_an_unnamed_period_uses_the_span_as_covered():
    some = kent(900, month=(MONTHS[0], MONTHS[2]))
    white = row(dp.search_rate(counted(some), POPULATION), ethnicity_self="White")
    assert white.estimate == pytest.approx(naive.rate(white.numerator, PEOPLE["kent"]["White"], 2))
    assert white.flag.startswith("on 2 of 3 months")


def test_rates_by_month_are_yearly_rates_of_each_month():
    some = kent(2000)
    frame = dp.search_rate(counted(some, period=PERIOD), POPULATION, by=["month", "ethnicity_self"])
    n = naive.counts(some, lambda r: r["month"], lambda r: naive.group5(r["ethnicity_self"]))
    june = row(frame, month="2019-06", ethnicity_self="Black")
    assert june.estimate == pytest.approx(naive.rate(n[("2019-06", "Black")], PEOPLE["kent"]["Black"], 1))
    assert (june.covered_months, june.period_months) == (1, 1)
    assert june.n_unknown == sum(c for (m, g), c in n.items() if m == "2019-06" and g not in naive.GROUPS)


def test_pooled_forces_leave_out_those_without_residents_by_name():
    some = many(3000, search_type="Person search")
    tally = dp.tally(Rows(some), by=["ethnicity_self"], period=PERIOD)
    frame = dp.search_rate(tally, POPULATION, by=["ethnicity_self"])
    white = row(frame, ethnicity_self="White")
    both = [r for r in some if r["force"] != "btp" and naive.group5(r["ethnicity_self"]) == "White"]
    people = PEOPLE["kent"]["White"] + PEOPLE["west-midlands"]["White"]
    assert white.estimate == pytest.approx(naive.rate(len(both), people, 8))
    without = sum(r["force"] != "btp" for r in some)
    totals = f"{without:,} searches in all, with it {len(some):,}"
    assert f"without British Transport Police (force without residents): {totals}" in white.flag
    assert (white.covered_months, white.period_months) == (16, 16)


def test_a_force_without_residents_has_no_rate_but_the_reason():
    some = many(100, force="btp", search_type="Person search")
    frame = dp.search_rate(counted(some, force="btp"), POPULATION)
    assert frame["estimate"].isna().all()
    assert frame["flag"].str.contains("denominator unavailable").all()
    assert frame["numerator"].sum() > 0


def test_city_of_london_is_flagged():
    some = many(300, force="city-of-london", search_type="Person search")
    people = residents({"city-of-london": {"White": 6000, "Black": 200, "Asian": 1400, "Mixed": 400, "Other": 500}})
    frame = dp.search_rate(counted(some, force="city-of-london"), people)
    assert frame["flag"].str.contains("residents are not the people who are there by day").all()


def test_rates_by_what_residents_are_not_known_by_use_all_residents():
    some = kent(1000)
    tally = counted(some, "object", period=PERIOD)
    drugs = row(dp.search_rate(tally, POPULATION), ethnicity_self="White", object="Controlled drugs")
    assert drugs.denominator == pytest.approx(PEOPLE["kent"]["White"] * 8 / 12)
    assert {*dp.search_rate(tally, POPULATION)["object"]} == {"Controlled drugs", "Stolen goods", "blank"}


def test_officer_defined_rates_are_refused_unless_asked_for():
    tally = dp.tally(Rows(kent(500)), by=["ethnicity_officer"])
    with pytest.raises(Refused, match="no matching Census base"):
        dp.search_rate(tally, POPULATION)
    frame = dp.search_rate(tally, POPULATION, perceived=True)
    assert frame["flag"].str.contains(PERCEIVED).all()
    assert np.isnan(row(frame, ethnicity_officer="Mixed").estimate)
    assert row(frame, ethnicity_officer="White").estimate > 0


def test_numerator_and_denominator_must_define_groups_alike():
    ethnicity = POPULATION.axis("ethnicity_self")
    older = Axis(ethnicity.name, "ethnicity_5@0.9", ethnicity.codes)
    other = Tally((POPULATION.axes[0], older), POPULATION.counts, "residents", "residents", account=POPULATION.account)
    with pytest.raises(CodelistMismatch, match="define groups alike"):
        dp.search_rate(counted(kent(50)), other)


def test_projecting_the_month_away_leaves_nothing_to_judge_coverage_by():
    with pytest.raises(AxisMismatch, match="month is wanted"):
        dp.search_rate(counted(kent(50)).project(["force", "ethnicity_self"]), POPULATION)


def test_an_axis_twice_and_an_unknown_choice_are_usage_errors():
    with pytest.raises(UsageError, match="twice"):
        dp.search_rate(counted(kent(50)), POPULATION, by=["force", "force"])
    with pytest.raises(UsageError, match="'whole' or 'covered'"):
        dp.search_rate(counted(kent(50)), POPULATION, holes="ignore")


def test_a_group_whose_labels_never_occur_is_withheld_with_the_reason():
    some = kent(40_000, ethnicity_self=tuple(k for k in KNOWN if not k.startswith("Other")))
    frame = dp.search_rate(counted(some), POPULATION)
    other = row(frame, ethnicity_self="Other")
    assert np.isnan(other.estimate)
    assert "no label of Other occurs in any month of kent" in other.flag
    ratio = row(dp.rate_ratio(counted(some), POPULATION), ethnicity_self="Other")
    assert ratio.verdict == "not computable"


def test_a_tally_of_some_groups_only_is_divided_by_those_residents():
    some = kent(1000)
    two = counted(some).select(ethnicity_self=["White", "Black"])
    both, all_ = (dp.search_rate(tally, POPULATION).set_index("ethnicity_self") for tally in (two, counted(some)))
    assert both["estimate"].tolist() == all_.loc[["White", "Black"], "estimate"].tolist()
    assert dp.rate_ratio(two, POPULATION, by=["force"])["ethnicity_self"].tolist() == ["Black"]


# Ratios --------------------------------------------------------------------------------------------------------------


def sides(some, group, reference="White"):
    n = naive.counts(some, lambda r: naive.group5(r["ethnicity_self"]))
    return n[(group,)], PEOPLE["kent"][group], n[(reference,)], PEOPLE["kent"][reference]


def test_rate_ratio_equals_the_plain_definition():
    some = kent()
    frame = dp.rate_ratio(counted(some, period=PERIOD), POPULATION)
    unknown = sum(naive.group5(r["ethnicity_self"]) not in naive.GROUPS for r in some)
    assert frame["ethnicity_self"].tolist() == ["Mixed", "Asian", "Black", "Other"]
    for group in ("Mixed", "Asian", "Black", "Other"):
        a, n1, c, n0 = sides(some, group)
        found = row(frame, ethnicity_self=group)
        assert found.estimate == pytest.approx(naive.ratio(a, n1, c, n0))
        assert found.denominator == pytest.approx(n1 * c / n0)
        assert found.bound_low == pytest.approx(naive.ratio(a, n1, c + unknown, n0))
        assert found.bound_high == pytest.approx(naive.ratio(a + unknown, n1, c, n0))
        assert found.verdict in VERDICTS


def test_the_limits_are_the_widest_available_and_say_which():
    some = kent(3000, month=MONTHS) + kent(900, month=MONTHS[0], ethnicity_self=SELF[5])
    frame = dp.rate_ratio(counted(some, period=PERIOD), POPULATION)
    a, n1, c, n0 = sides(some, "Black")
    by_month = naive.counts(some, lambda r: r["month"], lambda r: naive.group5(r["ethnicity_self"]))
    phi = naive.month_dispersion([(by_month[(m, "Black")], by_month[(m, "White")]) for m in MONTHS])
    assert phi > 5
    years = {"exposure": n1 * 8 / 12, "reference_exposure": n0 * 8 / 12}
    wide = rate_ratio_interval(events=a, reference_events=c, **years, dispersion=phi)
    black = row(frame, ethnicity_self="Black")
    assert (black.low, black.high) == pytest.approx((wide.low, wide.high))
    assert black.method == f"score, month dispersion {phi:.2f}"


def test_west_midlands_prints_the_limits_of_the_method_book():
    counts = {"events": 3684, "exposure": 236_047, "reference_events": 9629, "reference_exposure": 1_793_173}
    low, high, _ = widest_limits(
        **{name: np.array([value]) for name, value in counts.items()}, dispersion=np.array([4.378])
    )
    assert (low.round(2), high.round(2)) == (2.68, 3.15)


def test_the_dispersion_that_a_verdict_reckons_with_is_students():
    months, used = np.full((2, 14), 30), np.arange(14) < 12
    found = judged_dispersion(np.array([2.0, 1.0]), months, months, used)
    t, z = 2.200985160, 1.959963985  # tables: 97.5% on 11 degrees of freedom, and of the normal
    assert found == pytest.approx([2 * (t / z) ** 2, 1.0])
    assert judged_dispersion(np.array([2.0]), months[:1, :6], months[:1, :6], used[:6]) == pytest.approx(
        2 * (2.570581836 / z) ** 2
    )


def test_a_verdict_allows_for_a_dispersion_that_is_an_estimate():
    """Limits as printed that just clear the band: the verdict is the more careful one, and says so."""
    base = [kent(1000, month=month, ethnicity_self=SELF[0]) for month in MONTHS]
    seen = set()
    for extra in range(34, 50, 2):
        black = [kent(extra + 25 * (i % 2), month=m, ethnicity_self=SELF[5]) for i, m in enumerate(MONTHS)]
        tally = counted([record for some in (*base, *black) for record in some], period=PERIOD)
        found = row(dp.rate_ratio(tally, POPULATION), ethnicity_self="Black")
        if found.low > 1.25 and found.verdict != "higher":
            assert found.verdict == "higher, size uncertain"
            assert CAUTIOUS in found.flag
            seen.add("careful")
        elif found.low > 1.25:
            assert CAUTIOUS not in found.flag
            seen.add("sure")
    assert seen == {"careful", "sure"}


def test_small_counts_use_mid_p_without_six_months():
    some = kent(120, month=MONTHS[:3])
    tally = counted(some)
    black = row(dp.rate_ratio(tally, POPULATION), ethnicity_self="Black")
    a, n1, c, n0 = sides(some, "Black")
    assert min(a, c) < 50
    limits = rate_ratio_interval(
        events=a, exposure=n1 / 4, reference_events=c, reference_exposure=n0 / 4, method="mid_p"
    )
    assert (black.low, black.high, black.method) == (pytest.approx(limits.low), pytest.approx(limits.high), "mid_p")


def test_reference_everyone_else_is_all_other_known_groups():
    some = kent()
    frame = dp.rate_ratio(counted(some, period=PERIOD), POPULATION, reference="everyone else")
    n = naive.counts(some, lambda r: naive.group5(r["ethnicity_self"]))
    others = [g for g in naive.GROUPS if g != "White"]
    white = row(frame, ethnicity_self="White")
    c, n0 = sum(n[(g,)] for g in others), sum(PEOPLE["kent"][g] for g in others)
    assert white.estimate == pytest.approx(naive.ratio(n[("White",)], PEOPLE["kent"]["White"], c, n0))
    assert len(frame) == 5


def test_reference_everyone_contains_the_group_and_uses_wilson():
    some = kent(600, month=MONTHS[:2])
    frame = dp.rate_ratio(counted(some), POPULATION, reference="everyone")
    n = naive.counts(some, lambda r: naive.group5(r["ethnicity_self"]))
    known, people = sum(n[(g,)] for g in naive.GROUPS), sum(PEOPLE["kent"].values())
    black = row(frame, ethnicity_self="Black")
    share = proportion_interval(events=n[("Black",)], trials=known)
    scale = people / PEOPLE["kent"]["Black"]
    assert black.estimate == pytest.approx(n[("Black",)] / known * scale)
    assert (black.low, black.high) == pytest.approx((share.low * scale, share.high * scale))
    unknown = sum(c for (g,), c in n.items() if g not in naive.GROUPS)
    assert black.bound_low == pytest.approx(n[("Black",)] / (known + unknown) * scale)
    assert black.bound_high == pytest.approx((n[("Black",)] + unknown) / (known + unknown) * scale)


def test_ethnic_minorities_combined_is_everyone_but_white_against_white():
    some = kent()
    frame = dp.rate_ratio(counted(some), POPULATION, reference=COMBINED)
    n = naive.counts(some, lambda r: naive.group5(r["ethnicity_self"]))
    a = sum(n[(g,)] for g in naive.GROUPS if g != "White")
    n1 = sum(PEOPLE["kent"][g] for g in naive.GROUPS if g != "White")
    found = row(frame, ethnicity_self=COMBINED)
    assert found.estimate == pytest.approx(naive.ratio(a, n1, n[("White",)], PEOPLE["kent"]["White"]))
    assert found.reference == "White"


def test_forces_together_say_that_the_ratio_mixes_them():
    some = many(3000, search_type="Person search", force=("kent", "west-midlands"))
    tally = dp.tally(Rows(some), by=["ethnicity_self"])
    assert dp.rate_ratio(tally, POPULATION, by=[])["flag"].str.contains(MIXED_FORCES).all()
    assert not dp.rate_ratio(tally, POPULATION, by=["force"])["flag"].str.contains(MIXED_FORCES).any()
    assert not dp.rate_ratio(tally.select(force="kent"), POPULATION, by=[])["flag"].str.contains(MIXED_FORCES).any()


def test_no_reference_searches_give_no_estimate_a_low_and_no_high():
    some = kent(40, month=MONTHS[0], ethnicity_self=SELF[5])
    black = row(dp.rate_ratio(counted(some), POPULATION), ethnicity_self="Black")
    assert np.isnan(black.estimate)
    assert black.low > 0
    assert np.isnan(black.high)
    assert black.verdict == "too few to say"


def test_no_group_searches_give_zero_with_an_upper_limit():
    some = kent(60, month=MONTHS[0], ethnicity_self=SELF[0])
    black = row(dp.rate_ratio(counted(some), POPULATION), ethnicity_self="Black")
    assert (black.estimate, black.low) == (0, 0)
    assert black.high > 0
    assert black.verdict == "too few to say"


def test_an_unknown_reference_is_named():
    with pytest.raises(UsageError, match="did you mean 'White'"):
        dp.rate_ratio(counted(kent(50)), POPULATION, reference="Wite")


def test_ratios_need_residents_by_what_is_compared():
    with pytest.raises(UsageError, match="residents are not known by gender"):
        dp.rate_ratio(dp.tally(Rows(kent(50)), by=["gender"]), POPULATION, of="gender", reference="Male")


def test_a_verdict_that_depends_on_the_unknowns_says_so():
    known = kent(800, month=MONTHS[:2], ethnicity_self=KNOWN)
    sure = dp.rate_ratio(counted(known), POPULATION)
    assert (sure["verdict_holds"] == "holds").all()
    hidden = known + kent(4000, month=MONTHS[:2], ethnicity_self=SELF[8])
    black = row(dp.rate_ratio(counted(hidden), POPULATION), ethnicity_self="Black")
    assert black.verdict == "higher"
    assert black.verdict_holds == "depends on the unknowns"


def test_excess_is_the_count_beyond_the_reference_rate():
    some = kent()
    frame = dp.excess_searches(counted(some), POPULATION)
    a, n1, c, n0 = sides(some, "Black")
    black = row(frame, ethnicity_self="Black")
    assert black.estimate == pytest.approx(a - n1 * c / n0)
    assert black.low < black.estimate < black.high
    assert black.unit == "searches"
    with pytest.raises(UsageError, match="against itself"):
        dp.excess_searches(counted(some), POPULATION, reference="everyone")


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=14))
def test_month_dispersion_is_the_plain_one(pairs):
    a, c = np.array(pairs).T
    ours = month_dispersion(a, c, np.ones(len(pairs), bool))
    if sum(x + y for x, y in pairs):
        assert ours == pytest.approx(naive.month_dispersion(pairs))


limits = st.floats(0, 5)


@given(limits, limits, st.integers(0, 40), st.integers(0, 40), st.floats(0, 40), st.booleans())
def test_verdicts_in_the_stated_order(one, other, count, reference_count, expected, computable):
    low, high = sorted((one, other))
    arguments = (low, high, count, reference_count, expected, computable)
    names = ("low", "high", "count", "reference_count", "expected", "computable")
    ours = verdict(**{name: np.array([value]) for name, value in zip(names, arguments)})
    assert ours[0] == naive.verdict(*arguments)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.8, 1.25, "within the band"), (1.25, 2, "higher, size uncertain"), (0.5, 0.8, "lower, size uncertain"),
     (1.2500001, 2, "higher"), (0.5, 0.7999999, "lower"), (1, 1.3, "no clear difference")],
)  # fmt: skip
def test_edges_belong_to_the_band(low, high, said):
    at = {"count": np.array(50), "reference_count": np.array(50), "expected": np.array(50.0)}
    assert verdict(low=np.array(low), high=np.array(high), computable=np.array(True), **at) == said


# Shares --------------------------------------------------------------------------------------------------------------


@given(rows)
def test_linked_finds_are_the_plain_three_states(some):
    tally = dp.tally(Rows(some), by=["ethnicity_self", "outcome", "linked"])
    frame = dp.find_rate(tally, by=[]) if tally.total else pd.DataFrame({"n_unknown": []})
    states = [naive.linked_positive(r) for r in naive.persons(some)]
    if len(frame):
        found = frame.iloc[0]
        assert found.n_unknown == states.count("unknown")
        positive = [r for r in naive.persons(some) if naive.outcome_class(r["outcome"]) == "positive"]
        blank = [r for r in positive if naive.flag(r["linked"]) == "unknown"]
        if positive and len(blank) / len(positive) >= 0.95:
            assert np.isnan(found.bound_low)
            assert "refused" in found.flag
        else:
            assert found.bound_low == states.count("yes") / len(states)
            assert found.bound_high == (states.count("yes") + states.count("unknown")) / len(states)


def finds(n, **fixed):
    return dp.tally(Rows(kent(n, **fixed)), by=["outcome", "linked"])


def test_a_find_rate_is_given_when_nearly_all_is_known():
    found = dp.find_rate(finds(500, linked=("True", "False"), outcome=CHOICES["outcome"][:2])).iloc[0]
    assert found.estimate == found.numerator / found.denominator
    assert found.low < found.estimate < found.high
    assert found.bound_low == found.bound_high == found.estimate


def test_more_than_five_percent_unknown_leaves_bounds_only():
    known = kent(900, linked=("True", "False"), outcome="Arrest")
    for blanks, given_ in ((47, True), (48, False)):
        tally = dp.tally(Rows(known + kent(blanks, linked=None, outcome="Arrest")), by=["outcome", "linked"])
        found = dp.find_rate(tally).iloc[0]
        assert (not np.isnan(found.estimate)) == given_
        assert found.bound_low < found.bound_high
        assert ("bounds only" in found.flag) != given_


def test_a_force_that_leaves_the_flag_blank_is_refused():
    found = dp.find_rate(finds(300, linked=None)).iloc[0]
    assert "refused" in found.flag
    assert np.isnan([found.estimate, found.bound_low, found.bound_high, found.numerator]).all()


def test_a_group_is_never_given_where_the_force_is_refused():
    good = kent(20, ethnicity_self=SELF[5], linked="True", outcome="Arrest")
    bad = kent(2000, ethnicity_self=SELF[0], linked=None, outcome="Arrest")
    frame = dp.find_rate(counted(good + bad, "outcome", "linked"))
    assert frame["estimate"].isna().all()


def test_the_two_rules_differ_where_flags_stand_on_no_action_records():
    tally = finds(400, linked=("True",), outcome=CHOICES["outcome"][:2])
    ours, flag_alone = (dp.find_rate(tally, rule=rule).iloc[0] for rule in ("linked_positive", "linked"))
    assert flag_alone.estimate == 1
    assert ours.estimate < 0.7
    with pytest.raises(UsageError, match="linked_positive"):
        dp.find_rate(tally, rule="any")


def test_where_known_is_refused_when_blanks_depend_on_the_outcome():
    uneven = kent(300, outcome="Arrest", linked="True") + kent(300, outcome=CHOICES["outcome"][0], linked=None)
    tally = dp.tally(Rows(uneven), by=["outcome", "linked"])
    found = dp.linked_find_where_known(tally).iloc[0]
    assert np.isnan(found.estimate)
    assert "refused" in found.flag
    even = finds(400, linked=("True", "False"), outcome=CHOICES["outcome"][:2])
    assert dp.linked_find_where_known(even).iloc[0].estimate > 0


def test_where_known_is_refused_when_there_is_nothing_to_compare_blanks_with():
    found = dp.linked_find_where_known(finds(100, linked=("True", None), outcome=("Arrest",))).iloc[0]
    assert np.isnan(found.estimate)
    assert found.flag.startswith("refused: without records of both kinds")


def test_any_find_is_known_from_old_labels_only():
    new = finds(300, outcome=("A no further action disposal", "Arrest"))
    assert "refused" in dp.find_rate(new, find="any_find").iloc[0].flag
    old = finds(300, outcome=("Nothing found - no further action", "Article found - Detailed outcome unavailable"))
    found = dp.find_rate(old, find="any_find").iloc[0]
    assert 0 < found.estimate < 1
    with pytest.raises(UsageError, match="any_find"):
        dp.find_rate(old, find="find")


def test_linked_finds_are_never_more_than_any_finds_where_both_are_known():
    labels = ("Nothing found - no further action", "Article found - Detailed outcome unavailable")
    tally = finds(500, outcome=labels, linked=("True", "False"))
    linked, any_ = dp.find_rate(tally).iloc[0], dp.find_rate(tally, find="any_find").iloc[0]
    assert linked.bound_low <= any_.estimate


def test_positive_outcomes_and_arrests_are_shares_of_the_known_with_bounds():
    some = kent(600)
    tally = dp.tally(Rows(some), by=["outcome"])
    kinds = [naive.outcome_class(r["outcome"]) for r in some]
    found = dp.positive_outcome_share(tally).iloc[0]
    known = kinds.count("positive") + kinds.count("no_action")
    assert found.estimate == kinds.count("positive") / known
    assert found.bound_high == (kinds.count("positive") + kinds.count("unknown")) / len(kinds)
    arrests = sum(r["outcome"] == "Arrest" for r in some)
    assert dp.arrest_share(tally).iloc[0].numerator == arrests


def test_more_thorough_searches_and_those_of_children():
    some = kent(600, more_thorough=("True", "False"))
    tally = dp.tally(Rows(some), by=["more_thorough", "age_band"])
    everyone = dp.more_thorough_search_share(tally, by=[]).iloc[0]
    assert everyone.estimate == sum(r["more_thorough"] == "True" for r in some) / 600
    children = [r for r in some if r["age_band"] == "10-17"]
    found = dp.more_thorough_search_share(tally, by=[], age_band="10-17").iloc[0]
    assert found.denominator == len(children)
    assert found.flag == "ages 10-17"


def test_blank_is_not_no():
    tally = dp.tally(Rows(kent(100, more_thorough=None)), by=["more_thorough", "age_band"])
    assert "refused" in dp.more_thorough_search_share(tally, by=[]).iloc[0].flag


def test_share_on_video_reads_the_tick_box():
    some = kent(400, video_recorded=("yes", "no"))
    found = dp.share_on_video(dp.tally(Rows(some), by=["video_recorded"])).iloc[0]
    assert found.numerator == sum(r["video_recorded"] == "yes" for r in some)
    assert found.flag == "by tick-box"


def test_a_share_on_months_that_are_not_all_there_says_so():
    some = kent(200, month=MONTHS[:6])
    found = dp.positive_outcome_share(dp.tally(Rows(some), by=["outcome"], period=PERIOD)).iloc[0]
    assert (found.covered_months, found.period_months) == (6, 8)
    assert "on the months there are" in found.flag


def test_a_share_counts_what_the_rate_counts_and_says_how_many_months_are_behind_each_row():
    full = [row for month in MONTHS[:7] for row in kent(100, month=(month,))]
    partial = kent(5, month=(MONTHS[7],))
    tally = dp.tally(Rows(full + partial), by=["outcome", "linked"])
    whole = dp.find_rate(tally, by=["force"], rule="linked").iloc[0]
    assert whole.denominator == 700
    assert (whole.covered_months, whole.period_months) == (7, 8)
    months = dp.find_rate(tally, by=["month"], rule="linked")
    assert len(months) == 7
    assert months[["covered_months", "period_months"]].eq(1).to_numpy().all()
    assert not months.flag.str.contains("on the months there are").any()


def test_a_hole_in_one_force_is_not_said_of_another():
    rows = kent(200, month=MONTHS) + [dict(row, force="surrey") for row in kent(100, month=MONTHS[:6])]
    found = dp.positive_outcome_share(dp.tally(Rows(rows), by=["outcome"], period=PERIOD), by=["force"])
    flags = found.set_index("force").flag
    assert "on the months there are" in flags["surrey"]
    assert "on the months there are" not in flags["kent"]


def test_limits_of_an_outcome_share_do_not_stand_alone_where_many_outcomes_are_unknown():
    few = dp.tally(Rows(kent(100, outcome=("Arrest",))), by=["outcome"])
    many = dp.tally(Rows(kent(100, outcome=(*["A no further action disposal"] * 9, None))), by=["outcome"])
    assert dp.arrest_share(few).iloc[0].flag == ""
    assert dp.arrest_share(many).iloc[0].flag == "more than 5% of outcomes are not known: see the bounds"


def test_an_unknown_measure_is_named():
    with pytest.raises(UsageError, match="did you mean 'rate_ratio'"):
        measure("rate_rato")
