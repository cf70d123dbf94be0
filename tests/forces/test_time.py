"""Changes, rolling years, charts and change points: by hand from the cells, and never across a break."""

import numpy as np
import pytest

import disprop as dp
from disprop.errors import UsageError
from tests.forces import naive
from tests.forces.invented import FORCES, PEOPLE, POPULATION, months_from, steady, tally_of

KENT = ("kent",)
TWO_YEARS = steady(KENT, months=24, first="2018-04", seed=3)
TALLY = tally_of(TWO_YEARS)
BEFORE, AFTER = ("2018-04", "2019-03"), ("2019-04", "2020-03")


def by_month(group, months, counts=TWO_YEARS, force="kent"):
    return [
        sum(n for (f, m, g), n in counts.items() if (f, m) == (force, month) and group in (None, g)) for month in months
    ]


def year(first):
    return months_from(first, 12)


def black(frame):
    return frame[frame["ethnicity_self"] == "Black"].iloc[0]


# Changes -----------------------------------------------------------------------------------------------------------


def test_rate_change_by_hand():
    found = dp.rate_change(TALLY, POPULATION, before=BEFORE, after=AFTER, by=["force"]).iloc[0]
    now, then = by_month(None, year("2019-04")), by_month(None, year("2018-04"))
    assert found["estimate"] == pytest.approx(sum(now) / sum(then))
    assert found["denominator"] == pytest.approx(sum(then))
    assert found["method"] == f"score, month dispersion {naive.month_phi(now, then):.2f}"


def test_rate_ratio_change_by_hand():
    found = black(dp.rate_ratio_change(TALLY, POPULATION, before=BEFORE, after=AFTER))
    sides, phis = [], []
    for months in (year("2019-04"), year("2018-04")):
        a, c = by_month("Black", months), by_month("White", months)
        sides.append((sum(a), PEOPLE["kent"]["Black"], sum(c), PEOPLE["kent"]["White"]))
        phis.append(naive.month_phi(a, c))
    assert (found["estimate"], found["low"], found["high"]) == pytest.approx(naive.ratio_change(*sides, *phis))
    assert found["reference"] == "White; 2018-04 to 2019-03"


def test_a_change_of_three_times_is_seen():
    counts = {key: 3 * n if key[2] == "Black" and key[1] >= "2019-04" else n for key, n in TWO_YEARS.items()}
    found = black(dp.rate_ratio_change(tally_of(counts), POPULATION, before=BEFORE, after=AFTER))
    assert found["verdict"] == "higher"
    assert found["low"] > 2


def test_a_hole_withholds_the_change_and_says_which_period():
    counts = {key: n for key, n in TWO_YEARS.items() if key[1] != "2018-07"}
    tally = tally_of(counts, scope=("2018-04", "2020-03", KENT))
    for function in (dp.rate_change, dp.rate_ratio_change):
        found = function(tally, POPULATION, before=BEFORE, after=AFTER).iloc[0]
        assert np.isnan(found["estimate"])
        assert "not computable: before: missing 2018-07" in found["flag"]
    covered = dp.rate_change(tally, POPULATION, before=BEFORE, after=AFTER, by=["force"], holes="covered").iloc[0]
    then = sum(n for (_, m, _), n in counts.items() if m < "2019-04")
    assert covered["estimate"] == pytest.approx(sum(by_month(None, year("2019-04"))) / 12 / (then / 11))


def test_months_that_are_not_the_same_calendar_months_say_so():
    found = dp.rate_change(TALLY, POPULATION, before=("2018-04", "2018-09"), after=("2018-10", "2019-03"))
    assert found["flag"].str.contains("season").all()
    assert not dp.rate_change(TALLY, POPULATION, before=BEFORE, after=AFTER)["flag"].str.contains("season").any()


def test_a_change_that_may_be_in_the_recording_says_so():
    counts = {key: 12 * n if key[2] == "not stated" and key[1] >= "2019-04" else n for key, n in TWO_YEARS.items()}
    found = dp.rate_ratio_change(tally_of(counts), POPULATION, before=BEFORE, after=AFTER)
    assert found["flag"].str.contains("may be in the recording").all()


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (("2018-04", "2018-09"), ("2019-04", "2020-03"), "equal length"),
        (("2018-04", "2019-03"), ("2019-03", "2020-02"), "share no record"),
        (("2019-03", "2018-04"), ("2019-04", "2020-03"), "backwards"),
    ],
)
def test_periods_that_cannot_be_compared(before, after, why):
    for function in (dp.rate_change, dp.rate_ratio_change):
        with pytest.raises(UsageError, match=why):
            function(TALLY, POPULATION, before=before, after=after)


def test_a_force_against_the_rest_leaves_the_force_out():
    counts = steady()
    found = dp.ratio_against_rest(tally_of(counts), POPULATION)
    kent = found[(found["force"] == "kent") & (found["ethnicity_self"] == "Black")].iloc[0]

    def sides(forces):
        events = [
            sum(n for (f, _, g), n in counts.items() if f in forces and g == group) for group in ("Black", "White")
        ]
        people = [sum(PEOPLE[f][group] for f in forces) for group in ("Black", "White")]
        return events[0], people[0], events[1], people[1]

    rest = [force for force in FORCES if force != "kent"]
    months = year("2019-04")
    phi = naive.month_phi(by_month("Black", months, counts), by_month("White", months, counts))
    pooled = [np.sum([by_month(g, months, counts, f) for f in rest], axis=0) for g in ("Black", "White")]
    expected = naive.ratio_change(sides(["kent"]), sides(rest), phi, naive.month_phi(*pooled))
    assert (kent["estimate"], kent["low"], kent["high"]) == pytest.approx(expected)


def test_the_rest_of_the_country_says_whom_it_is_without():
    counts = {key: n for key, n in steady().items() if key[:2] != ("essex", "2019-06")}
    found = dp.ratio_against_rest(tally_of(counts, scope=("2019-04", "2020-03", FORCES)), POPULATION)
    kent = found[found["force"] == "kent"]
    assert kent["flag"].str.contains("the rest is without 1 of the forces").all()
    assert found.loc[found["force"] == "essex", "estimate"].isna().all()
    with pytest.raises(UsageError, match="more than one"):
        dp.ratio_against_rest(TALLY, POPULATION)


# Rolling -----------------------------------------------------------------------------------------------------------


def test_rolling_is_the_measure_on_each_window():
    found = dp.rolling("search_rate", TALLY, POPULATION, by=["force"])
    assert found["month"].tolist() == months_from("2019-03", 13)
    for last, estimate in zip(found["month"][::4], found["estimate"][::4]):
        window = TALLY.between(months_from("2018-04", 24)[months_from("2018-04", 24).index(last) - 11], last)
        assert estimate == dp.search_rate(window, POPULATION, by=["force"])["estimate"].item()


def test_no_window_goes_across_a_break():
    breaks = dp.declared_breaks([("2019-01", "new form")])
    found = dp.rolling("rate_ratio", TALLY, POPULATION, breaks=breaks).set_index("month")
    broken = [m for m in found.index if "2019-01" <= m <= "2019-11"]
    assert found.loc[broken, ["estimate", "low", "high", "verdict"]].isna().all().all()
    assert found.loc[broken, "flag"].str.contains("a break declared at 2019-01: new form").all()
    assert found.loc["2019-12", "estimate"].notna().all()


def test_a_break_of_one_force_leaves_the_others():
    tally = tally_of(steady(("kent", "essex"), months=13))
    breaks = dp.declared_breaks([("2019-10", "new form", "essex")])
    found = dp.rolling("search_rate", tally, POPULATION, by=["force"], breaks=breaks)
    assert found.set_index("force")["estimate"].isna().groupby("force").all().to_dict() == {
        "essex": True,
        "kent": False,
    }


def test_a_window_that_does_not_fit():
    with pytest.raises(UsageError, match="does not fit"):
        dp.rolling("search_rate", TALLY, POPULATION, months=25)
    with pytest.raises(UsageError):
        dp.rolling("search_rate", TALLY, POPULATION, months=0)


# Charts ------------------------------------------------------------------------------------------------------------


def chart(counts, **options):
    found = dp.control_chart(tally_of(counts), POPULATION, **options)
    return found[found["ethnicity_self"] == "Black"].set_index("month") if "ethnicity_self" in found else found


def test_a_chart_judges_each_month_by_the_months_before():
    found = chart(TWO_YEARS)
    assert found["flag"].iloc[:6].tolist() == ["not assessed: fewer than 6 months before"] * 6
    at = "2019-01"
    months = months_from("2018-04", 9)
    a, c = by_month("Black", months), by_month("White", months)
    now, other = by_month("Black", [at])[0], by_month("White", [at])[0]
    row = found.loc[at]
    share = sum(a) / sum(a + c)
    assert row["denominator"] == pytest.approx(share * (now + other))
    assert row["estimate"] == pytest.approx(now / PEOPLE["kent"]["Black"] / (other / PEOPLE["kent"]["White"]))
    phi = naive.dispersion(a, [x + y for x, y in zip(a, c)], True)
    assert row["method"] == f"exact, dispersion {phi:.2f} on 8 df"
    assert row["low"] < row["estimate"] < row["high"]


def test_a_chart_rings_for_the_group_but_not_for_everybody():
    jump = {key: 3 * n if key[1] == "2020-03" and key[2] == "Black" else n for key, n in TWO_YEARS.items()}
    busy = {key: 3 * n if key[1] == "2020-03" else n for key, n in TWO_YEARS.items()}
    assert chart(jump).loc["2020-03", "flag"] == "above the control limits"
    assert chart(busy).loc["2020-03", "flag"] != "above the control limits"
    rates = chart(busy, measure="search_rate", by=["force", "ethnicity_self"])
    assert rates.loc["2020-03", "flag"] == "above the control limits"


def test_a_chart_starts_again_at_a_break_and_draws_it():
    found = chart(TWO_YEARS, breaks=dp.declared_breaks([("2019-06", "new system")]))
    assert "a break declared here: new system" in found.loc["2019-06", "flag"]
    assert found.loc[months_from("2019-06", 6), "low"].isna().all()
    assert "on 5 df" in found.loc["2019-12", "method"]


def test_a_hole_is_neither_judged_nor_judged_by():
    counts = {key: n for key, n in TWO_YEARS.items() if key[1] != "2018-08"}
    found = chart(counts)
    assert np.isnan(found.loc["2018-08", "estimate"]) if "2018-08" in found.index else True
    assert "on 7 df" in found.loc["2019-01", "method"]


def test_the_level_of_a_look_keeps_the_budget():
    found = chart(TWO_YEARS)
    assert found["confidence"].unique() == pytest.approx([1 - 1 / (4 * 12)])
    assert chart(TWO_YEARS, cells=215)["confidence"].unique() == pytest.approx([1 - 1 / 2_580])


def test_find_rates_are_charted():
    rng = np.random.default_rng(2)
    counts = {}
    for i, month in enumerate(months_from("2018-04", 14)):
        found = int(rng.binomial(300, 0.2)) if i < 13 else 120
        counts["kent", month, "Arrest", "yes"] = found
        counts["kent", month, "No further action", "no"] = 300 - found
    chart = dp.control_chart(tally_of(counts, ("outcome", "linked")), measure="find_rate")
    assert chart["flag"].str.contains("above the control limits").tolist() == [False] * 13 + [True]
    assert chart["estimate"].iloc[-1] == pytest.approx(0.4)


def test_what_cannot_be_charted():
    with pytest.raises(UsageError, match="cannot be compared"):
        dp.control_chart(TALLY, POPULATION, measure="arrest_share")
    with pytest.raises(UsageError, match="population"):
        dp.change_points(TALLY)
    with pytest.raises(UsageError, match="contains the group"):
        dp.control_chart(TALLY, POPULATION, reference="everyone")


# Change points -----------------------------------------------------------------------------------------------------


def test_a_change_of_level_is_found_at_its_month():
    counts = {key: 2 * n if key[2] == "Black" and key[1] >= "2019-02" else n for key, n in TWO_YEARS.items()}
    found = dp.change_points(tally_of(counts), POPULATION).set_index("ethnicity_self")
    assert found.loc["Black", "month"] == "2019-02"
    before, after = (
        [sum(by_month(g, months, counts)) for g in ("Black", "White")]
        for months in (months_from("2018-04", 10), months_from("2019-02", 14))
    )
    assert found.loc["Black", "estimate"] == pytest.approx(after[0] / after[1] / (before[0] / before[1]))
    chances = found["flag"].str.extract(r"change (\S+) if")[0].astype(float)
    assert chances["Black"] < 0.01 < chances.drop("Black").min()


def test_change_points_stay_on_their_side_of_a_break():
    counts = {key: 2 * n if key[2] == "Black" and key[1] >= "2019-04" else n for key, n in TWO_YEARS.items()}
    breaks = dp.declared_breaks([("2019-04", "new form")])
    found = dp.change_points(tally_of(counts), POPULATION, breaks=breaks)
    black = found[found["ethnicity_self"] == "Black"]
    assert len(black) == 2
    assert black["month"].iloc[0] < "2019-04" < black["month"].iloc[1]
    assert not black["flag"].str.contains("change 0.00").any()


def test_a_stretch_too_short_for_a_change_says_so():
    found = dp.change_points(tally_of(steady(KENT, months=5)), POPULATION)
    assert found["flag"].str.contains("not assessed").all()
    assert found["month"].isna().all()
