"""Measures of force against plain counts: by item, per search, shares, injuries, jumps of recording."""

import random

import naive_force
import numpy as np
import pandas as pd
import pytest

import disprop as dp
from disprop.disclosure import suppressed
from disprop.errors import CodelistMismatch, Refused, UnitMismatch, UsageError
from disprop.intervals import rate_interval
from disprop.measures.force.items import having
from tests.invent import POPULATION, force_reports, many
from tests.sources import Rows

KINDS = {"force_report": "force reports", "custody": "arrests", "search": "searches"}
SOME = [row for row in force_reports(1200) if row["force"] == "kent"]
MONTHS = 8
APART = ("Tactical communication", "Not stated")
OFFICER = {"White": "White", "Black": "Black", "Asian": "Asian", "Other": "Other"}


def counted(rows, *axes, kind="force_report", **how):
    return dp.tally(Rows(rows, kind=kind, unit=KINDS[kind]), by=axes, **how)


def row(frame, **where):
    keep = np.logical_and.reduce([frame[name] == code for name, code in where.items()])
    assert keep.sum() == 1, frame
    return frame[keep].iloc[0]


def group(rows, name):
    return [one for one in rows if one["ethnicity_officer"] == name]


# Rates and ratios -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", ["Ground restraint", "CED fired"])
@pytest.mark.parametrize("name", ["White", "Black", "Asian"])
def test_the_rate_of_a_tactic_is_reports_that_have_it_by_resident_years(item, name):
    frame = dp.force_rate(counted(SOME, "ethnicity_officer", "tactic"), POPULATION, perceived=True)
    found = row(frame, tactic=item, ethnicity_officer=name)
    n = len(naive_force.with_item(group(SOME, name), "tactics", item))
    people = POPULATION[{"force": "kent", "ethnicity_self": name}]
    assert found.numerator == n > 0
    assert found.estimate == pytest.approx(n / (people * MONTHS / 12) * 1000, rel=1e-12)
    limits = rate_interval(events=n, exposure=people * MONTHS / 12 / 1000)
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high), rel=1e-12)
    assert found.unit == "force reports per 1,000 residents per year"
    assert "perceived ethnicity against self-described Census" in found.flag


def test_any_is_the_reports_that_have_force_and_without_items_every_report_counts():
    tally = counted(SOME, "ethnicity_officer", "tactic")
    by_item = dp.force_rate(tally, POPULATION, perceived=True)
    forceful = [one for one in group(SOME, "Black") if naive_force.forceful(one)]
    assert row(by_item, tactic="any", ethnicity_officer="Black").numerator == len(forceful)
    plain = dp.force_rate(tally, POPULATION, by=["ethnicity_officer"], perceived=True)
    assert row(plain, ethnicity_officer="Black").numerator == len(group(SOME, "Black")) > len(forceful)
    assert set(by_item["tactic"]) == {
        "Compliant handcuffing",
        "Handcuffing not stated",
        "Ground restraint",
        "CED drawn",
        "CED fired",
        "any",
    }


def test_drawn_stands_apart_from_used():
    frame = dp.force_rate(counted(SOME, "ethnicity_officer", "tactic_use"), POPULATION, perceived=True)
    for use, items in {"Weapon drawn": ["CED drawn"], "Weapon used": ["CED fired"]}.items():
        n = len(naive_force.with_item(group(SOME, "White"), "tactics", items[0]))
        assert row(frame, tactic_use=use, ethnicity_officer="White").numerator == n


def test_perceived_ethnicity_is_refused_unless_asked_for_and_mixed_always():
    tally = counted(SOME, "ethnicity_officer", "tactic")
    for compute in (dp.force_rate, dp.force_ratio):
        with pytest.raises(Refused, match="perceived ethnicity against self-described Census"):
            compute(tally, POPULATION)
    mixed = dp.force_ratio(tally, POPULATION, perceived=True)
    assert mixed[mixed["ethnicity_officer"] == "Mixed"]["estimate"].isna().all()


def test_the_ratio_under_an_item_is_the_rate_ratio_of_the_reports_that_have_it():
    tally = counted(SOME, "ethnicity_officer", "tactic")
    frame = dp.force_ratio(tally, POPULATION, perceived=True)
    alone = [one for one in SOME if "CED drawn" in (one["tactics"] or "").split(" | ")]
    expected = dp.rate_ratio(counted(alone, "ethnicity_officer"), POPULATION, of="ethnicity_officer", perceived=True)
    mine = frame[frame["tactic"] == "CED drawn"].drop(columns=["tactic", "measure"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, expected.drop(columns="measure"), check_exact=False, rtol=1e-12)


def test_ages_are_the_collections_own_and_never_those_of_searches():
    residents = dp.census(2021, by=["force", "age"])
    frame = dp.force_rate(counted(SOME, "age_band"), residents, by=["age_band"])
    found = row(frame, age_band="11-17")
    n, people = sum(one["age_band"] == "11-17" for one in SOME), residents[{"force": "kent", "age": "11-17"}]
    assert found.estimate == pytest.approx(n / (people * MONTHS / 12) * 1000, rel=1e-12)
    assert "as the officer perceives them" in found.flag
    with pytest.raises(CodelistMismatch, match="define groups alike"):
        dp.force_rate(counted(SOME, "age_band"), dp.census(2021, by=["force", "age_band"]), by=["age_band"])


def test_searches_are_no_force():
    searches = counted(many(50, force="kent"), "ethnicity_officer", kind="search")
    for compute in (dp.force_rate, dp.force_ratio):
        with pytest.raises(UnitMismatch, match="this tally counts searches"):
            compute(searches, POPULATION, perceived=True)


def test_leaving_records_out_by_item_keeps_the_account():
    tally = counted(SOME, "gender", "tactic")
    some = having(tally, "tactic", "CED fired")
    assert some.total == len(naive_force.with_item(SOME, "tactics", "CED fired"))
    assert some.account.excluded == {"without tactic CED fired": len(SOME) - some.total}


# Per search and arrest ------------------------------------------------------------------------------------------------

SEARCHES = [one for one in many(2500) if one["force"] == "kent" and one["search_type"] != "Vehicle search"]


def test_force_beside_searches_by_officer_is_shown_by_the_smaller_count():
    """Ten reports over three searches tell of three searches: such a row is hidden as one of three reports is."""
    frames = []
    for kind, counts in (("force_report", (12, 3, 12)), ("search", (3, 12, 11))):
        officers = [key + 1 for key, n in enumerate(counts) for _ in range(n)]
        rows = pd.DataFrame({"month": "2023-04", "officer": officers})
        frames.append(dp.tally(dp.read_frame(rows, force="kent", kind=kind), by=["officer"]))
    rows = dp.force_per_100_searches(*frames, by=["officer"])
    assert rows["n"].tolist() == [3, 3, 11]
    shown = suppressed(rows)
    assert shown["estimate"].notna().tolist() == [False, False, True]
    assert shown[["numerator", "denominator", "n"]].isna().all(axis=1).tolist() == [True, True, False]
    assert "n" not in dp.force_per_100_searches(*frames, by=["force"])


def test_force_per_100_searches_divides_what_is_defined_alike():
    searches = counted(SEARCHES, "ethnicity_officer", kind="search")
    frame = dp.force_per_100_searches(counted(SOME, "ethnicity_officer"), searches, by=["force", "ethnicity_officer"])
    unknown = {len([one for one in rows if one["ethnicity_officer"] is None]) for rows in (SEARCHES,)}.pop()
    u_reports = len([one for one in SOME if one["ethnicity_officer"] is None])
    for name in OFFICER:
        a, c = len(group(SOME, name)), len(group(SEARCHES, name))
        found = row(frame, force="kent", ethnicity_officer=name)
        assert (found.numerator, found.denominator) == (a, c)
        assert found.estimate == pytest.approx(100 * a / c, rel=1e-12)
        assert found.low < found.estimate < found.high
        assert found.bound_low == pytest.approx(100 * a / (c + unknown), rel=1e-12)
        assert found.bound_high == pytest.approx(100 * (a + u_reports) / c, rel=1e-12)
        assert "not joined" in found.flag
    assert set(frame["unit"]) == {"force reports per 100 searches"}


def test_force_to_effect_a_search_per_100_searches():
    searches = counted(SEARCHES, "ethnicity_officer", kind="search")
    reports = counted(SOME, "ethnicity_officer", "reason")
    frame = dp.force_per_100_searches(reports, searches, by=["reason", "ethnicity_officer"])
    wanted = naive_force.with_item(group(SOME, "Black"), "reasons", "Effect search")
    assert row(frame, reason="Effect search", ethnicity_officer="Black").numerator == len(wanted)


def test_only_months_that_both_cover_count_and_a_named_hole_withholds():
    searches = counted([one for one in SEARCHES if one["month"] != "2019-07"], kind="search")
    reports = counted(SOME)
    frame = dp.force_per_100_searches(reports, searches, by=["force"])
    kept = [one for one in SOME if one["month"] != "2019-07"]
    assert frame["numerator"].tolist() == [len(kept)]
    assert frame["flag"].str.contains("on the months that both cover").all()
    named = counted(SOME, period=("2019-04", "2019-11"))
    withheld = dp.force_per_100_searches(named, searches, by=["force"])
    assert withheld["estimate"].isna().all()
    assert withheld["flag"].str.contains("not covered on both sides").all()
    given = dp.force_per_100_searches(named, searches, by=["force"], holes="covered")
    assert given["estimate"].tolist() == frame["estimate"].tolist()


def test_what_is_defined_otherwise_is_refused():
    reports = counted(SOME, "ethnicity_officer", "age_band")
    with pytest.raises(Refused, match=r"the other has ethnicity_self.*tally both by ethnicity_officer"):
        dp.force_per_100_searches(reports, counted(SEARCHES, "ethnicity_self", kind="search"))
    with pytest.raises(CodelistMismatch, match="define groups alike"):
        dp.force_per_100_searches(reports, counted(SEARCHES, "age_band", kind="search"), by=["age_band"])
    with pytest.raises(UnitMismatch, match="arrests are wanted; this tally counts searches"):
        dp.force_per_100_arrests(reports, counted(SEARCHES, "ethnicity_officer", kind="search"))
    arrests = counted(
        [{"force": "kent", "month": "2019-04", "ethnicity_self": "White"}], "ethnicity_self", kind="custody"
    )
    with pytest.raises(Refused, match="cannot be divided"):
        dp.force_per_100_arrests(reports, arrests)


def test_a_force_on_one_side_only_is_left_out_by_name():
    both = [*SOME, *[{**one, "force": "essex"} for one in SOME[:20]]]
    frame = dp.force_per_100_searches(counted(both), counted(SEARCHES, kind="search"), by=[])
    assert frame["numerator"].tolist() == [len(SOME)]
    assert "without essex" in frame["flag"].iloc[0]


def test_two_tallies_added_on_each_side_give_the_same():
    halves = [[one for i, one in enumerate(sorted(rows, key=lambda one: one["month"])) if one["month"] in months]
              for rows in (SOME, SEARCHES) for months in (("2019-04", "2019-05"), ("2019-06", "2019-07"))]  # fmt: skip
    reports, searches = (
        sum(
            (counted(half, "ethnicity_officer", kind=kind) for half in some[1:]),
            counted(some[0], "ethnicity_officer", kind=kind),
        )
        for kind, some in (("force_report", halves[:2]), ("search", halves[2:]))
    )
    together = dp.force_per_100_searches(
        counted(halves[0] + halves[1], "ethnicity_officer"),
        counted(halves[2] + halves[3], "ethnicity_officer", kind="search"),
    )
    pd.testing.assert_frame_equal(dp.force_per_100_searches(reports, searches), together, check_exact=True)


# Shares ---------------------------------------------------------------------------------------------------------------


def test_compliant_handcuffing_of_reports_with_force_and_alone():
    rows = [
        one for one in SOME if "Bolas" not in (one["tactics"] or "") and "Handcuffing not" not in (one["tactics"] or "")
    ]
    tally = counted(rows, "gender", "tactic")
    alone = dp.tally(dp.only_tactic(Rows(rows, kind="force_report", unit="force reports")), by=["gender"])
    frame = dp.compliant_handcuffing_share(tally, by=["gender"], alone=alone)
    for gender in ("Male", "Female"):
        some = [one for one in rows if one["gender"] == gender and naive_force.forceful(one)]
        yes = naive_force.with_item(some, "tactics", "Compliant handcuffing")
        only = [one for one in yes if {*one["tactics"].split(" | ")} - {*APART} == {"Compliant handcuffing"}]
        found = row(frame, gender=gender, measure="compliant_handcuffing_share")
        assert (found.numerator, found.denominator) == (len(yes), len(some))
        assert found.estimate == pytest.approx(len(yes) / len(some))
        assert row(frame, gender=gender, measure="compliant_handcuffing_alone_share").numerator == len(only) > 0


def test_handcuffing_not_stated_and_tactics_not_understood_are_unknown():
    frame = dp.compliant_handcuffing_share(counted(SOME, "tactic"), by=[])
    every = [one for one in SOME if naive_force.forceful(one)]
    yes = naive_force.with_item(every, "tactics", "Compliant handcuffing")
    found = frame.iloc[0]
    unsaid = sum(len(naive_force.with_item(every, "tactics", item)) for item in ("Handcuffing not stated", "Bolas"))
    assert found.bound_low == pytest.approx(len(yes) / len(every))
    assert found.n_unknown == min(len(every) - len(yes), unsaid)
    assert np.isnan(found.estimate)
    assert found.flag.startswith("bounds only")


def test_alone_of_other_records_is_refused():
    alone = dp.tally(dp.only_tactic(Rows(SOME, kind="force_report", unit="force reports")), by=[])
    with pytest.raises(UsageError, match="other reports"):
        dp.compliant_handcuffing_share(
            counted([{**one, "force": "essex"} for one in SOME], "tactic"), by=[], alone=alone
        )


@pytest.mark.parametrize("who", ["officer", "person"])
def test_injuries_have_three_states_and_two_degrees(who):
    compute = {"officer": dp.officer_injury_share, "person": dp.person_injury_share}[who]
    frame = compute(counted(SOME, f"{who}_injury"), by=[])
    said = [one[f"{who}_injury"] for one in SOME]
    yes = {"any": ("Minor", "Severe", "Death", "Yes"), "severe or fatal": ("Severe", "Death")}
    no = {"any": ("None",), "severe or fatal": ("None", "Minor")}
    for degree in yes:
        found, n = row(frame, injury=degree), sum(word in yes[degree] for word in said)
        assert found.numerator == n
        assert found.n_unknown == len(said) - n - sum(word in no[degree] for word in said)
        assert found.bound_low == pytest.approx(n / len(said))


def test_injuries_by_tactic_and_over_a_hole():
    some = [one for one in SOME if one["month"] != "2019-07"]
    tally = counted(some, "person_injury", "tactic", period=("2019-04", "2019-11"))
    frame = dp.person_injury_share(tally, by=["tactic"])
    cuffed = naive_force.with_item(some, "tactics", "Compliant handcuffing")
    found = row(frame, tactic="Compliant handcuffing", injury="any")
    assert found.numerator == sum(one["person_injury"] in ("Minor", "Death") for one in cuffed)
    assert found.flag.endswith("on the months there are")


def test_the_share_to_effect_a_search_is_of_reports_that_give_a_reason():
    frame = dp.effect_search_share(counted(SOME, "reason"), by=[])
    yes = len(naive_force.with_item(SOME, "reasons", "Effect search"))
    reasoned = len([one for one in SOME if one["reasons"]])
    found = frame.iloc[0]
    assert (found.numerator, found.n_unknown) == (yes, len(SOME) - reasoned)
    assert found.bound_low == pytest.approx(yes / len(SOME))


# Jumps of recording ---------------------------------------------------------------------------------------------------


def reports_with(shares, n=400, seed=1, other=None):
    """Reports of kent, month by month: those with other force, and so many with compliant handcuffing beside."""
    rng = random.Random(seed)
    rows = []
    for i, share in enumerate(shares):
        month = f"{2023 + i // 12}-{i % 12 + 1:02d}"
        k = n if other is None else other[i]
        cuffed = round(k * share / (1 - share) * rng.uniform(0.95, 1.05))
        rows += [{"force": "kent", "month": month, "tactics": "Ground restraint"}] * k
        rows += [{"force": "kent", "month": month, "tactics": "Compliant handcuffing"}] * cuffed
    return counted(rows, "tactic")


def test_recovered_handcuffing_is_found_in_its_month_and_the_rise_is_told():
    """Kent, quarter 3 of 2024/25: use of force rose by 71.5% when missing compliant handcuffing was recovered."""
    before = 0.30
    after = 1 - (1 - before) / 1.715
    found = dp.handcuffing_recording(reports_with([before] * 9 + [after] * 6))
    assert found["month"].tolist() == ["2023-10"]
    assert "changed by +7" in found["flag"].iloc[0]
    assert found["low"].iloc[0] > 1.5


def test_a_drop_is_found_too_and_a_steady_force_has_none():
    assert dp.handcuffing_recording(reports_with([0.5] * 9 + [0.2] * 6))["month"].tolist() == ["2023-10"]
    for seed in range(5):
        assert dp.handcuffing_recording(reports_with([0.4] * 24, seed=seed)).empty


def test_a_rise_of_all_force_alike_is_no_change_of_recording():
    assert dp.handcuffing_recording(reports_with([0.4] * 15, other=[300] * 9 + [520] * 6)).empty


def test_too_few_months_say_nothing():
    assert dp.handcuffing_recording(reports_with([0.2] * 3 + [0.6] * 2)).empty


# A published year beside months ---------------------------------------------------------------------------------------


@pytest.fixture
def year(tmp_path):
    """A published year of kent: 30 uses on White people, 12 on Black people, by two tactics."""
    rows = ["Kent,Restraint,Ground restraint,20,8,0", "Kent,Firearms,*Total Firearms,10,4,5"]
    head = "Police Force,Type of force,Tactic,White,Black (or Black British),Not reported"
    path = tmp_path / "april2018-march2019.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return dp.read_force_tables(path).tactics


def test_a_published_year_is_divided_by_a_year_and_says_so(year):
    frame = dp.force_rate(year, POPULATION, by=["ethnicity_officer"], perceived=True)
    found = row(frame, ethnicity_officer="Black")
    people = POPULATION[{"force": "kent", "ethnicity_self": "Black"}]
    assert found.estimate == pytest.approx(12 / people * 1000, rel=1e-12)
    assert (found.unit, found.covered_months) == ("tactics per 1,000 residents per year", 12)
    assert found.bound_high == pytest.approx(17 / people * 1000, rel=1e-12)
    assert "a year's total" in found.flag
    assert "several may be of one report" in found.flag
    with pytest.raises(UsageError, match="no months"):
        dp.force_rate(year, POPULATION, by=["month"], perceived=True)


def test_a_published_year_by_class_is_summed_once(year):
    frame = dp.force_ratio(year, POPULATION, by=["tactic_class"], perceived=True)
    found = row(frame, tactic_class="Restraint", ethnicity_officer="Black")
    white, people = (POPULATION[{"force": "kent", "ethnicity_self": group}] for group in ("White", "Black"))
    assert found.estimate == pytest.approx((8 / people) / (20 / white), rel=1e-12)
    assert set(frame["tactic_class"]) == {"Restraint", "Firearms"}


def test_a_published_year_goes_with_searches_of_the_whole_year_only(year):
    months = tuple(f"{2018 + (m > 12)}-{(m - 1) % 12 + 1:02d}" for m in range(4, 16))
    some = many(900, force="kent", month=months, search_type="Person search")
    whole = dp.force_per_100_searches(year, counted(some, "ethnicity_officer", kind="search"), by=["ethnicity_officer"])
    found = row(whole, ethnicity_officer="Black")
    assert found.estimate == pytest.approx(100 * 12 / len(group(some, "Black")), rel=1e-12)
    assert found.unit == "tactics per 100 searches"
    short = [one for one in some if one["month"] != "2018-12"]
    withheld = dp.force_per_100_searches(
        year, counted(short, "ethnicity_officer", kind="search"), by=["ethnicity_officer"]
    )
    assert withheld["estimate"].isna().all()


def test_handcuffing_of_invented_reports_is_bounded_as_the_page_says():
    made = dp.synthetic.make_encounters(months=["2023-04", "2023-05", "2023-06"])
    (row,) = dp.compliant_handcuffing_share(dp.tally(made.source("force_report"), by=["tactic"])).to_dict("records")
    assert row["flag"].startswith("bounds only: 218 of 2,569 are unknown (8%)")
    assert np.isnan(row["estimate"])
