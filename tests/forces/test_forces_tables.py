"""Table functions over forces: figures by hand from the cells, corners said in words."""

import numpy as np
import pandas as pd
import pytest

import disprop as dp
from disprop.errors import AxisMismatch, InputRefused, UsageError
from disprop.results import COLUMNS
from tests.forces import naive
from tests.forces.invented import FORCES, PEOPLE, POPULATION, steady, tally_of

COUNTS = steady()
TALLY = tally_of(COUNTS)
MEASURED = ("rate_ratio", "search_rate", "find_rate")


def total(force, group=None, counts=COUNTS):
    return sum(n for (f, _, g), n in counts.items() if f == force and group in (None, g))


def sides(force, group="Black"):
    """(events, resident-years, reference events, reference resident-years) of one force over the year."""
    return total(force, group), PEOPLE[force][group], total(force, "White"), PEOPLE[force]["White"]


def ratio(force, group="Black"):
    a, n1, c, n0 = sides(force, group)
    return (a / n1) / (c / n0)


def of(frame, group="Black"):
    return frame[frame["ethnicity_self"] == group].set_index("force")


# Funnel, lines, ranks ----------------------------------------------------------------------------------------------


def test_funnel_of_ratios_by_hand():
    found = of(dp.funnel(TALLY, POPULATION, confidence=[0.95]))
    logs = [np.log(ratio(force)) for force in found.index]
    errors = [np.sqrt(1 / a + 1 / c) for a, _, c, _ in (sides(force) for force in found.index)]
    tau2, centre = naive.dersimonian_laird(logs, errors)
    half = naive.NORMAL.inv_cdf(0.975) * np.sqrt(np.square(errors) + tau2)
    assert found["estimate"].tolist() == pytest.approx([ratio(force) for force in found.index])
    assert found["low"].tolist() == pytest.approx(np.exp(centre - half).tolist())
    assert found["high"].tolist() == pytest.approx(np.exp(centre + half).tolist())
    outside = (found["estimate"] > found["high"]) | (found["estimate"] < found["low"])
    assert found["flag"].fillna("").str.contains("limits").tolist() == outside.tolist()


def test_funnel_has_one_row_a_level_in_the_usual_order_of_forces():
    found = dp.funnel(TALLY, POPULATION)
    black = found[found["ethnicity_self"] == "Black"]
    assert black["confidence"].tolist() == [0.95] * 6 + [0.998] * 6
    assert black["force"].tolist()[:6] == sorted(FORCES, key=list(dp.census(2021).axis("force").codes).index)
    assert list(found.columns[2:]) == [column.name for column in COLUMNS]
    assert set(found["measure"]) == {"funnel, rate_ratio"}


def test_funnel_of_rates_is_per_1000_about_the_rates():
    found = dp.funnel(TALLY, POPULATION, measure="search_rate", method="naive", confidence=[0.95])
    rates = {force: total(force) / sum(PEOPLE[force].values()) * 1_000 for force in FORCES}
    assert dict(zip(found["force"], found["estimate"])) == pytest.approx(rates)
    assert (found["low"] < sum(rates.values()) / 6).all()
    assert (found["high"] > found["low"]).all()
    limits = found.set_index("force")
    assert limits["low"]["suffolk"] > limits["low"]["kent"]


def test_funnel_of_find_rates():
    rows = {
        (force, "2019-04", outcome, linked): n
        for i, force in enumerate(FORCES)
        for outcome, linked, n in (("Arrest", "yes", 20 + 15 * i), ("No further action", "no", 100))
    }
    found = dp.funnel(tally_of(rows, ("outcome", "linked")), measure="find_rate", confidence=[0.95]).set_index("force")
    assert found["estimate"]["kent"] == pytest.approx(20 / 120)
    assert ((found["low"] >= 0) & (found["high"] <= 1)).all()
    assert found["unit"].unique().tolist() == ["share of searches"]


def test_a_force_without_a_figure_says_why_and_takes_no_part():
    counts = {key: n for key, n in COUNTS.items() if key[:2] != ("kent", "2019-08")}
    named = dp.funnel(tally_of(counts, scope=("2019-04", "2020-03", FORCES)), POPULATION, confidence=[0.95])
    kent = of(named).loc["kent"]
    assert np.isnan([kent["estimate"], kent["low"], kent["high"]]).all()
    assert "missing 2019-08" in kent["flag"]
    without = dp.funnel(tally_of({k: n for k, n in COUNTS.items() if k[0] != "kent"}), POPULATION, confidence=[0.95])
    rest = of(named).drop("kent")
    assert rest["high"].tolist() == pytest.approx(of(without)["high"].tolist())


@pytest.mark.parametrize("function", [dp.funnel, dp.outlier_lines])
def test_too_few_forces_give_no_lines_and_say_so(function):
    found = function(tally_of({k: n for k, n in COUNTS.items() if k[0] in FORCES[:2]}), POPULATION)
    assert found[["low", "high"]].isna().all().all()
    assert found["flag"].str.contains("no li").all()


@pytest.mark.parametrize("more_normal", [False, True])
def test_outlier_lines_by_hand_marked_as_a_replica(more_normal):
    found = of(dp.outlier_lines(TALLY, POPULATION, more_normal=more_normal))
    scale = "log" if "logarithms" in found["method"].iloc[0] else "raw"
    low, _, high = naive.lines(found["estimate"].tolist(), scale)
    assert found["low"].unique() == pytest.approx([low])
    assert found["high"].unique() == pytest.approx([high])
    assert found["flag"].str.contains("replica of the inspectorate's rule").all()
    assert found["flag"].str.contains("typically leave 32%").all()
    above = found["estimate"] > high
    assert found["flag"].str.contains("above the line").tolist() == above.tolist()
    assert found["method"].str.contains("Shapiro-Wilk p").all()


def test_ranks_are_ranges_and_never_a_rank():
    found = of(dp.rank_range(TALLY, POPULATION))
    assert found["estimate"].isna().all()
    months = sorted({key[1] for key in COUNTS})
    phi = {
        force: naive.month_phi(*([COUNTS[force, m, g] for m in months] for g in ("Black", "White"))) for force in FORCES
    }
    errors = [np.sqrt(phi[f] * (1 / a + 1 / c)) for f in found.index for a, _, c, _ in [sides(f)]]
    expected = naive.ranks([np.log(ratio(f)) for f in found.index], errors, 0.95)
    assert list(zip(found["low"], found["high"])) == expected
    assert set(found["unit"]) == {"place among 6"}


def test_ranks_of_rates_use_the_dispersion_of_each_force_among_all():
    found = dp.rank_range(TALLY, POPULATION, measure="search_rate").set_index("force")
    months = sorted({key[1] for key in COUNTS})
    by_month = {
        f: [sum(n for (g, m, _), n in COUNTS.items() if (g, m) == (f, month)) for month in months] for f in FORCES
    }
    whole = np.sum(list(by_month.values()), axis=0)
    errors = [np.sqrt(naive.month_phi(by_month[f], whole - by_month[f]) / total(f)) for f in found.index]
    logs = [np.log(total(f) / sum(PEOPLE[f].values())) for f in found.index]
    assert list(zip(found["low"], found["high"])) == naive.ranks(logs, errors, 0.95)


@pytest.mark.parametrize("function", [dp.funnel, dp.outlier_lines, dp.rank_range])
def test_what_cannot_be_compared_is_refused(function):
    with pytest.raises(UsageError, match="contains the group"):
        function(TALLY, POPULATION, reference="everyone")
    with pytest.raises(UsageError, match="population"):
        function(TALLY)
    with pytest.raises(UsageError, match="cannot be compared"):
        function(TALLY, POPULATION, measure="arrest_share")
    with pytest.raises(AxisMismatch):
        function(TALLY, measure="find_rate")


# Most similar groups ------------------------------------------------------------------------------------------------

GROUPS = dp.similar_groups({"Kent": ["kent", "Essex", "sussex"], "essex": ["essex", "surrey"]}, dated="2019-11")


def test_groups_are_not_symmetric_and_a_force_may_have_none():
    assert GROUPS.of("kent") == ("kent", "essex", "sussex")
    assert GROUPS.of("sussex") == ()


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"kent": ["essex"]}, "itself"),
        ({"kent": ["kent", "essex", "Essex"]}, "twice"),
        ({"city-of-london": ["city-of-london"]}, "no force is like it"),
        (
            {"kent": ["kent", "essex", "sussex", "surrey", "norfolk", "suffolk", "dorset", "gwent", "durham"]},
            "8 is the most",
        ),
        ({"kent": ["kent", "Narnia"]}, "Narnia"),
    ],
)
def test_groups_that_cannot_be(members, why):
    with pytest.raises(UsageError, match=why):
        dp.similar_groups(members, dated="2019-11")


def test_average_of_rates_is_sum_over_sum():
    found = dp.similar_group_average(TALLY, POPULATION, groups=GROUPS, measure="search_rate").set_index("force")
    people = sum(sum(PEOPLE[f].values()) for f in GROUPS.of("kent"))
    assert found["estimate"]["kent"] == pytest.approx(1_000 * sum(map(total, GROUPS.of("kent"))) / people)
    assert "most similar group of 2019-11: Kent, Essex, Sussex" in found["flag"]["kent"]
    assert found["flag"]["sussex"] == "no most similar group"


def test_average_of_ratios_is_within_forces_with_the_crude_one_beside():
    found = dp.similar_group_average(TALLY, POPULATION, groups=GROUPS)
    kent = found[(found["force"] == "kent") & (found["ethnicity_self"] == "Black")]
    strata = [sides(force) for force in GROUPS.of("kent")]
    a, n1, c, n0 = np.sum(strata, axis=0)
    assert kent["estimate"].tolist() == pytest.approx([naive.mantel_haenszel(strata), (a / n1) / (c / n0)])
    assert kent["method"].str.split(":").str[0].tolist() == ["Mantel-Haenszel within forces", "pooled crude"]


def test_the_force_is_compared_with_the_others_only():
    found = dp.against_similar(TALLY, POPULATION, groups=GROUPS)
    kent = found[(found["force"] == "kent") & (found["ethnicity_self"] == "Black")].iloc[0]
    others = naive.mantel_haenszel([sides("essex"), sides("sussex")])
    assert kent["estimate"] == pytest.approx(ratio("kent") / others)
    assert kent["low"] < kent["estimate"] < kent["high"]
    rates = dp.against_similar(TALLY, POPULATION, groups=GROUPS, measure="search_rate").set_index("force")
    rest = sum(map(total, ("essex", "sussex"))) / sum(sum(PEOPLE[f].values()) for f in ("essex", "sussex"))
    assert rates["estimate"]["kent"] == pytest.approx(total("kent") / sum(PEOPLE["kent"].values()) / rest)
    assert rates["denominator"]["kent"] == pytest.approx(rest * sum(PEOPLE["kent"].values()))


def test_find_rates_of_a_group_and_of_the_others():
    finds = {"kent": (30, 100), "essex": (10, 60), "sussex": (25, 200)}
    rows = {
        (force, "2019-04", outcome, linked): n
        for force, (yes, all_) in finds.items()
        for outcome, linked, n in (("Arrest", "yes", yes), ("No further action", "no", all_ - yes))
    }
    tally = tally_of(rows, ("outcome", "linked"))
    average = dp.similar_group_average(tally, groups=GROUPS, measure="find_rate").set_index("force")
    assert average["estimate"]["kent"] == pytest.approx(65 / 360)
    against = dp.against_similar(tally, groups=GROUPS, measure="find_rate").set_index("force")
    assert against["estimate"]["kent"] == pytest.approx(30 / 100 - 35 / 260)
    assert against["unit"]["kent"] == "difference in share"


def test_a_member_without_files_withholds_by_name_or_is_left_out_by_name():
    some = tally_of({key: n for key, n in COUNTS.items() if key[0] != "sussex"}, scope=("2019-04", "2020-03", FORCES))
    for function, row in ((dp.similar_group_average, 0), (dp.against_similar, 0)):
        whole = function(some, POPULATION, groups=GROUPS)
        kent = whole[(whole["force"] == "kent") & (whole["ethnicity_self"] == "Black")].iloc[row]
        assert np.isnan(kent["estimate"])
        assert "not computable: sussex: " in kent["flag"]
        covered = function(some, POPULATION, groups=GROUPS, holes="covered")
        kent = covered[(covered["force"] == "kent") & (covered["ethnicity_self"] == "Black")].iloc[row]
        assert "without sussex: " in kent["flag"]
        strata = [sides("kent"), sides("essex")]
        expected = (
            naive.mantel_haenszel(strata) if function is dp.similar_group_average else ratio("kent") / ratio("essex")
        )
        assert kent["estimate"] == pytest.approx(expected)


def test_a_force_alone_in_its_group_has_no_others():
    groups = dp.similar_groups({"kent": ["kent"]}, dated="2019-11")
    found = dp.against_similar(TALLY, POPULATION, groups=groups)
    assert found.loc[found["force"] == "kent", "flag"].tolist() == ["no other force in its most similar group"]


def test_further_axes_are_kept():
    found = dp.similar_group_average(TALLY, POPULATION, groups=GROUPS, measure="search_rate", by=["ethnicity_self"])
    black = found[(found["force"] == "kent") & (found["ethnicity_self"] == "Black")].iloc[0]
    people = sum(PEOPLE[f]["Black"] for f in GROUPS.of("kent"))
    assert black["estimate"] == pytest.approx(1_000 * sum(total(f, "Black") for f in GROUPS.of("kent")) / people)
    against = dp.against_similar(TALLY, POPULATION, groups=GROUPS, measure="search_rate", by=["ethnicity_self"])
    assert set(against["ethnicity_self"].dropna()) == {"White", "Mixed", "Asian", "Black", "Other"}


# Declared files -----------------------------------------------------------------------------------------------------


def test_groups_and_breaks_from_files(tmp_path):
    (tmp_path / "groups.csv").write_text("force,member,dated\n kent ,kent,2019-11\n\nkent,essex,2019-11\n")
    members, dated = dp.read_similar_groups(tmp_path / "groups.csv")
    assert dp.similar_groups(members, dated=dated).of("kent") == ("kent", "essex")
    (tmp_path / "breaks.csv").write_text("\ufeffMonth,Note,Force\n2019-10,new form,\n2019-11,new system,Kent\n")
    breaks = dp.declared_breaks(dp.read_breaks(tmp_path / "breaks.csv"))
    assert [tuple(one) for one in breaks] == [("2019-10", "new form", None), ("2019-11", "new system", "kent")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("force,member\nkent,kent\n", "columns"),
        ("force,member,dated\nkent,kent,2019\nkent,essex,2020\n", "one date.*line 3"),
        ("force,member,dated\nkent,,2019\n", "line 2: no member"),
        ("force,member,dated\nkent,kent,2019,more\n", "line 2: 4 cells"),
        ("force,member,dated\n", "no line"),
        ("", "none"),
    ],
)
def test_group_files_that_are_refused(tmp_path, text, why):
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(InputRefused, match=why):
        dp.read_similar_groups(tmp_path / "groups.csv")
    with pytest.raises(InputRefused):
        dp.read_similar_groups(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("one", [("2019-13", "note"), ("2019-10", ""), ("2019-10", "note", "Narnia")])
def test_breaks_that_are_refused(one):
    with pytest.raises(UsageError):
        dp.declared_breaks([one])


# The law -----------------------------------------------------------------------------------------------------------

EVERY = [
    *(lambda t, p, f=f, m=m: f(t, p, measure=m, by=["ethnicity_self"] if m == "search_rate" else [])
      for f in (dp.funnel, dp.outlier_lines, dp.rank_range) for m in ("rate_ratio", "search_rate")),
    *(lambda t, p, f=f, m=m: f(t, p, groups=GROUPS, measure=m)
      for f in (dp.similar_group_average, dp.against_similar) for m in ("rate_ratio", "search_rate")),
    lambda t, p: dp.ratio_against_rest(t, p),
    lambda t, p: dp.rate_change(t, p, before=("2019-04", "2019-09"), after=("2019-10", "2020-03")),
    lambda t, p: dp.rate_ratio_change(t, p, before=("2019-04", "2019-09"), after=("2019-10", "2020-03")),
    lambda t, p: dp.rolling("rate_ratio", t, p, months=6),
    lambda t, p: dp.control_chart(t, p),
    lambda t, p: dp.change_points(t, p, draws=19),
    lambda t, p: dp.screening_list(t, p),
    lambda t, p: dp.months_needed(t, p),
    lambda t, p: dp.shrunken_rates(t, p, by=["force", "ethnicity_self"]),
    lambda t, p: dp.shrunken_ratios(t, p, by=["force"]),
    lambda t, p: dp.sentinels(t),
]  # fmt: skip


@pytest.mark.parametrize("compute", EVERY)
def test_figure_of_the_whole_is_figure_of_the_sum(compute):
    keys = sorted({key[:2] for key in COUNTS})
    np.random.default_rng(4).shuffle(keys)
    pieces = [{k: n for k, n in COUNTS.items() if k[:2] in set(map(tuple, some))} for some in np.array_split(keys, 5)]
    together = dp.fold([tally_of(piece) for piece in pieces])
    assert together.difference(TALLY) is None
    pd.testing.assert_frame_equal(compute(TALLY, POPULATION), compute(together, POPULATION), check_exact=True)
