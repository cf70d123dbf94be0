"""Find rates compared: plain arithmetic, section 60 apart, withheld where a side is."""

import numpy as np
import pytest

import disprop as dp
from disprop.errors import UsageError
from disprop.intervals import proportion_difference_interval, proportion_ratio_interval
from disprop.measures.outcome_test import INFRA_MARGINALITY, SECTION_60
from tests import naive
from tests.invent import many
from tests.sources import Rows

BLACK = "Black/African/Caribbean/Black British - African"
DRUGS = "Misuse of Drugs Act 1971 (section 23)"
AXES = ["ethnicity_self", "outcome", "linked", "legislation"]


def kent(n, seed=1, **fixed):
    given = {"linked": ("True", "False"), "outcome": ("Arrest", "A no further action disposal")} | fixed
    rows = many(n, seed=seed, force="kent", search_type="Person search", **given)
    return [{**row, "legislation": fixed.get("legislation", DRUGS)} for row in rows]


def counted(rows, group):
    mine = [row for row in rows if naive.group5(row["ethnicity_self"]) == group]
    return sum(naive.linked_positive(row) == "yes" for row in mine), len(mine)


SOME = kent(3000)


@pytest.mark.parametrize(
    ("measure", "interval", "options"),
    [
        (dp.find_rate_difference, proportion_difference_interval, {"method": "miettinen_nurminen"}),
        (dp.find_rate_ratio, proportion_ratio_interval, {}),
    ],
)
def test_comparisons_are_the_intervals_of_the_plain_counts(measure, interval, options):
    frame = measure(dp.tally(Rows(SOME), by=AXES), by=["force"]).set_index("ethnicity_self")
    c, n0 = counted(SOME, "White")
    for group in ("Mixed", "Asian", "Black", "Other"):
        a, n1 = counted(SOME, group)
        expected = interval(events=a, trials=n1, reference_events=c, reference_trials=n0, **options)
        row = frame.loc[group]
        assert (row.estimate, row.low, row.high) == pytest.approx(tuple(expected))
        assert INFRA_MARGINALITY in row["flag"]
        assert row.reference == "White"


def test_section_60_is_left_out_where_it_can_be_told():
    with_60 = SOME + kent(2000, seed=3, legislation=SECTION_60)
    apart = dp.find_rate_difference(dp.tally(Rows(with_60), by=AXES), by=["force"])
    alone = dp.find_rate_difference(dp.tally(Rows(SOME), by=AXES), by=["force"])
    assert apart["estimate"].tolist() == alone["estimate"].tolist()
    assert apart["flag"].str.contains("section 60: needs no suspicion").all()
    blind = dp.find_rate_difference(dp.tally(Rows(with_60), by=AXES[:3]), by=["force"])
    assert blind["flag"].str.contains("section 60 searches are in").all()


def test_by_object_compares_within_each_object():
    frame = dp.find_rate_ratio(dp.tally(Rows(SOME), by=[*AXES, "object"]), by=["object"])
    drugs = [row for row in SOME if row["object"] == "Controlled drugs"]
    (a, n1), (c, n0) = counted(drugs, "Black"), counted(drugs, "White")
    row = frame[(frame["object"] == "Controlled drugs") & (frame["ethnicity_self"] == "Black")].iloc[0]
    assert row.estimate == pytest.approx(a / n1 / (c / n0))


def test_a_withheld_side_withholds_the_comparison_and_leaves_bounds():
    blanks = kent(3000, seed=5, linked=("True", "False", None), outcome="Arrest")
    frame = dp.find_rate_difference(dp.tally(Rows(blanks), by=AXES), by=["force"])
    assert frame["estimate"].isna().all()
    assert frame["flag"].str.startswith("bounds only").all()
    assert (frame["bound_low"] < frame["bound_high"]).all()
    refused = dp.find_rate_difference(dp.tally(Rows(kent(500, linked=None)), by=AXES), by=["force"])
    assert np.isnan(refused["bound_low"]).all()
    assert refused["flag"].str.startswith("refused").all()


def test_a_cell_without_searches_of_the_reference_keeps_its_row_and_says_so():
    rows = SOME + [{**row, "object": "Fireworks"} for row in kent(20, seed=9, ethnicity_self=BLACK)]
    frame = dp.find_rate_difference(dp.tally(Rows(rows), by=[*AXES, "object"]), by=["object"])
    lone = frame[frame["object"] == "Fireworks"].iloc[0]
    assert (lone.ethnicity_self, np.isnan(lone.estimate)) == ("Black", True)
    assert lone["flag"].startswith("not computable: no search of the reference group")


def test_an_unknown_reference_is_named():
    with pytest.raises(UsageError, match="did you mean 'White'"):
        dp.find_rate_ratio(dp.tally(Rows(SOME), by=AXES), reference="Whit")
