"""Searches for drugs: possession apart from supply, against plain counting, and what is refused."""

import numpy as np
import pytest

import disprop as dp
from disprop.errors import Refused
from disprop.intervals import proportion_difference_interval, proportion_interval
from tests import naive
from tests.invent import many, with_possession
from tests.sources import Rows

AXES = ["object", "possession_only", "ethnicity_self", "outcome", "linked"]
SURE = ("yes", "yes", "no")
ANSWERED = {"linked": ("True", "False"), "outcome": ("Arrest", "A no further action disposal")}


def kent(n=1200, says=SURE, **fixed):
    rows = many(n, force="kent", search_type="Person search", **(ANSWERED | fixed))
    return with_possession(rows, says=says)


def counted(rows, by=AXES):
    return dp.tally(Rows(rows), by=by)


def drugs_of(rows, said):
    return [r for r in rows if r["object"] == "Controlled drugs" and r["possession_only"] in said]


def finds(rows):
    return sum(naive.linked_positive(row) == "yes" for row in rows), len(rows)


def test_the_share_is_plain_counting_and_blank_is_not_supply():
    rows = kent(says=(*SURE * 7, None))
    found = dp.possession_only_share(counted(rows), by=[]).set_index("measure")
    yes, no, unknown = (len(drugs_of(rows, (said,))) for said in ("yes", "no", None))
    assert 0 < unknown / (yes + no + unknown) < 0.05
    row, wanted = found.loc["possession_only_share"], proportion_interval(events=yes, trials=yes + no)
    assert (row.numerator, row.denominator, row.n_unknown) == (yes, yes + no, unknown)
    assert [row.estimate, row.low, row.high] == pytest.approx([wanted.estimate, wanted.low, wanted.high])
    assert [row.bound_low, row.bound_high] == pytest.approx(
        [yes / (yes + no + unknown), (yes + unknown) / (yes + no + unknown)]
    )


def test_of_all_searches_the_others_are_a_known_no_and_no_object_is_unknown():
    rows = kent(object=("Controlled drugs", *["Stolen goods"] * 40, None))
    row = dp.possession_only_share(counted(rows), by=[]).set_index("measure").loc["possession_only_share_of_all"]
    yes, nothing = len(drugs_of(rows, ("yes",))), sum(r["object"] is None for r in rows)
    assert 0 < nothing < 60
    assert (row.numerator, row.denominator, row.n_unknown) == (yes, len(rows) - nothing, nothing)
    assert row.estimate == pytest.approx(yes / (len(rows) - nothing))


def test_a_share_much_of_which_is_unknown_has_bounds_only():
    row = dp.possession_only_share(counted(kent(says=("yes", "no", None))), by=[]).iloc[0]
    assert np.isnan(row.estimate)
    assert row.bound_low < 0.5 < row.bound_high
    assert row.flag.startswith("bounds only")


def test_an_object_whose_detail_is_not_there_is_unknown():
    rows = kent(object=("Controlled drugs", "Detailed object of search unavailable"))
    row = dp.possession_only_share(counted(rows), by=[]).iloc[1]
    assert row.n_unknown == sum(r["object"] != "Controlled drugs" for r in rows)


def test_records_without_the_column_are_refused_with_the_reason():
    rows = many(300, force="kent")
    found = dp.possession_only_share(counted(rows), by=[])
    assert found["estimate"].isna().all()
    assert found["flag"].str.startswith("refused").all()
    with pytest.raises(Refused, match="no search for drugs says whether it was for possession only"):
        dp.drug_find_rate(counted(rows))


def test_find_rates_are_plain_counting_and_the_difference_that_of_the_counts():
    rows = kent(says=(*SURE, None))
    found = dp.drug_find_rate(counted(rows), by=[]).set_index(["measure", "drug_search"])
    kinds = {"possession only": ("yes",), "supply": ("no",), "not known": (None,)}
    counts = {kind: finds(drugs_of(rows, said)) for kind, said in kinds.items()}
    for kind, (yes, known) in counts.items():
        row, wanted = found.loc[("drug_find_rate", kind)], proportion_interval(events=yes, trials=known)
        assert (row.numerator, row.denominator) == (yes, known)
        assert [row.estimate, row.low, row.high] == pytest.approx([wanted.estimate, wanted.low, wanted.high])
    (a, n), (c, m) = counts["possession only"], counts["supply"]
    sides = {"events": a, "trials": n, "reference_events": c, "reference_trials": m}
    wanted = proportion_difference_interval(**sides, method="miettinen_nurminen")
    row = found.loc[("drug_find_rate_difference", "possession only")]
    assert [row.estimate, row.low, row.high] == pytest.approx([wanted.estimate, wanted.low, wanted.high])
    assert row.reference == "supply"


def test_by_group_each_difference_is_of_its_own_group():
    rows = kent(4000)
    found = dp.drug_find_rate(counted(rows), by=["ethnicity_self"])
    black = [r for r in rows if naive.group5(r["ethnicity_self"]) == "Black"]
    (a, n), (c, m) = (finds(drugs_of(black, (said,))) for said in ("yes", "no"))
    row = found[(found["measure"] == "drug_find_rate_difference") & (found["ethnicity_self"] == "Black")].iloc[0]
    assert row.estimate == pytest.approx(a / n - c / m)


def test_the_few_that_say_do_not_stand_for_the_rest():
    rows = kent(says=("yes", "no", *[None] * 78))
    found = dp.drug_find_rate(counted(rows), by=[]).set_index(["measure", "drug_search"])
    refused = found.loc[[("drug_find_rate", "possession only"), ("drug_find_rate", "supply")]]
    assert refused["estimate"].isna().all()
    assert refused["flag"].str.startswith("refused").all()
    assert np.isnan(found.loc[("drug_find_rate_difference", "possession only"), "estimate"])
    assert found.loc[("drug_find_rate", "not known"), "estimate"] > 0


def test_find_rate_by_object_and_answer_gives_the_same_rates():
    tally = counted(kent())
    plain = dp.find_rate(tally, by=["object", "possession_only"])
    plain = plain[plain["object"] == "Controlled drugs"].set_index("possession_only")["estimate"]
    ours = dp.drug_find_rate(tally, by=[]).set_index("drug_search")["estimate"]
    assert ours["supply"] == plain["no"]
    assert ours.loc["possession only"].iloc[0] == plain["yes"]


def test_the_invented_force_is_recovered():
    tally = dp.tally(dp.synthetic.make_records(seed=3), by=AXES)
    truth = dp.synthetic.implied(dp.synthetic.default_truth())["White"]["possession_only"]
    row = dp.possession_only_share(tally, by=[]).iloc[0]
    assert row.low <= truth <= row.high
    gap = dp.drug_find_rate(tally, by=[]).iloc[-1]
    assert gap.low <= 0 <= gap.high


def test_the_report_has_a_section_where_records_say_and_none_where_they_do_not(tmp_path):
    said = dp.synthetic.make_records(months=["2023-06", "2023-07"])
    silent = said.drop_columns(["possession_only"])
    pages = [
        dp.make_report(records, tmp_path / name, population=dp.synthetic.population())[0].read_text(encoding="utf-8")
        for name, records in (("said", said), ("silent", silent))
    ]
    assert "of searches for drugs were for possession alone" in pages[0]
    assert "Searches for possession of drugs" not in pages[1]
