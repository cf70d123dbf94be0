"""The main job on the real files: the check figures of the method book, and a plain pandas script beside the engine."""

import numpy as np
import pandas as pd
import pytest

import disprop as dp
from disprop.coverage import month_coverage
from tests import naive

YEAR = ("2019-04", "2020-03")


@pytest.fixture(scope="session")
def forces_of(real_data):
    """Tallies of some forces' files in a period."""

    def forces_of(*forces, by, period=YEAR):
        paths = [str(real_data / "police_uk" / "*" / f"*-{force}-stop-and-search.csv") for force in forces]
        return dp.tally(paths, by=by, force=forces, period=period)

    return forces_of


@pytest.fixture(scope="session")
def west_midlands(forces_of):
    return forces_of("west-midlands", by=["ethnicity_self", "outcome", "linked"])


def test_west_midlands_counts(west_midlands):
    counts = {group: west_midlands[{"ethnicity_self": group}] for group in west_midlands.axis("ethnicity_self").codes}
    assert west_midlands.total == 23_043
    assert {g: counts[g] for g in ("White", "Asian", "Black", "Mixed")} == {
        "White": 9_629, "Asian": 6_670, "Black": 3_684, "Mixed": 1_940,
    }  # fmt: skip
    assert counts["not stated"] + counts["blank"] + counts["unmapped"] == 1_120


def test_black_white_ratio_and_interval_agree_with_a_plain_pandas_script(real_data, west_midlands):
    files = (real_data / "police_uk").glob("*/*-west-midlands-stop-and-search.csv")
    year = pd.concat(pd.read_csv(f) for f in files if YEAR[0] <= f.name[:7] <= YEAR[1])
    people = year[year["Type"] != "Vehicle search"]["Self-defined ethnicity"].dropna()
    a, c = people.str.startswith("Black").sum(), people.str.startswith("White").sum()
    ratio = (a / 236_047) / (c / 1_793_173)

    ours = dp.rate_ratio(west_midlands, dp.census(2021), by=[]).set_index("ethnicity_self").loc["Black"]
    assert ours.estimate == pytest.approx(ratio, rel=1e-12)
    assert round(ratio, 3) == 2.906

    shares = [(r.Black, r.White) for r in months_of(year).itertuples()]
    phi = naive.month_dispersion(shares)
    z2, n, x = 1.959963984540054**2, (a + c) / phi, a / phi
    middle, half = (x + z2 / 2) / (n + z2), np.sqrt(z2 * (x * (n - x) / n + z2 / 4)) / (n + z2)
    limits = [p / (1 - p) * 1_793_173 / 236_047 for p in (middle - half, middle + half)]
    assert [ours.low, ours.high] == pytest.approx(limits, rel=1e-9)
    assert (round(phi, 1), round(limits[0], 2), round(limits[1], 2)) == (4.4, 2.68, 3.15)
    assert (round(ours.bound_low, 2), round(ours.bound_high, 2)) == (2.60, 3.79)


def months_of(year):
    """White and Black searches a month by UK local time, in plain pandas."""
    people = year[year["Type"] != "Vehicle search"]
    month = pd.to_datetime(people["Date"], utc=True).dt.tz_convert("Europe/London").dt.strftime("%Y-%m")
    group = people["Self-defined ethnicity"].map(naive.group5, na_action="ignore")
    return pd.crosstab(month, group)[["White", "Black"]]


def test_west_midlands_linked_finds_are_bounds_only(west_midlands):
    found = dp.find_rate(west_midlands, by=["force"]).iloc[0]
    assert np.isnan(found.estimate)
    assert found.numerator == 870
    assert found.n_unknown == 5_352 - 870
    assert (round(found.bound_low, 3), round(found.bound_high, 3)) == (0.038, 0.232)
    assert found.flag.startswith("bounds only: 4,482 of 23,043 are unknown")
    where_known = dp.linked_find_where_known(west_midlands, by=["force"]).iloc[0]
    assert round(where_known.numerator / where_known.denominator, 3) == 0.514
    assert np.isnan(where_known.estimate)
    assert "refused" in where_known.flag


def test_metropolitan_linked_finds_are_refused(forces_of):
    tally = forces_of("metropolitan", by=["outcome", "linked"], period=("2018-04", "2018-12"))
    found = dp.find_rate(tally, by=["force"]).iloc[0]
    assert np.isnan([found.estimate, found.bound_low, found.bound_high]).all()
    assert found.flag.startswith("refused: 31,563 of 31,563")


def test_hertfordshire_is_given_and_derbyshires_rules_differ(forces_of):
    tally = forces_of("hertfordshire", "derbyshire", by=["outcome", "linked"])
    ours, alone = (
        dp.find_rate(tally, by=["force"], rule=rule).set_index("force") for rule in ("linked_positive", "linked")
    )
    assert ours.loc["hertfordshire", "estimate"] == pytest.approx(0.211, abs=0.0005)
    assert ours.loc["derbyshire", "estimate"] == pytest.approx(0.213, abs=0.0005)
    assert alone.loc["derbyshire", "estimate"] > 0.9


def test_west_midlands_has_no_label_for_the_other_group_and_gets_no_ratio_of_zero(west_midlands):
    other = dp.rate_ratio(west_midlands, dp.census(2021), by=[]).set_index("ethnicity_self").loc["Other"]
    assert other.verdict == "not computable"
    assert "no label of Other occurs in any month of west-midlands" in other.flag


def test_forces_with_holes_say_which(forces_of):
    tally = forces_of("gwent", "greater-manchester", by=["ethnicity_self"])
    cover = month_coverage(tally)
    assert dict(zip(cover.forces, cover.covered.sum(axis=1).tolist())) == {"greater-manchester": 3, "gwent": 11}
    withheld = dp.search_rate(tally, dp.census(2021), by=["force"])
    assert withheld["estimate"].isna().all()
    assert withheld["flag"].str.startswith("not computable: missing").all()
    given = dp.search_rate(tally, dp.census(2021), by=["force"], holes="covered")
    assert given["flag"].str.contains("on 3 of 12 months|on 11 of 12 months").all()


def test_every_label_of_the_real_files_is_known(real_data):
    tally = dp.tally(
        str(real_data / "police_uk"),
        by=["ethnicity_self"],
    )
    assert tally.account.unmapped == {}
    assert tally.account.read == 525_978
    assert tally.total == 401_276 + 112_324
