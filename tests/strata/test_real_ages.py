"""Ages made equal on the real files, beside a plain pandas script, and what the Census and the files do not allow."""

import numpy as np
import pandas as pd
import pytest

import disprop as dp

pytestmark = pytest.mark.real

AGES = ("under 10", "10-17", "18-24", "25-34", "over 34")
YEAR = ("2019-04", "2020-03")


@pytest.fixture(scope="module")
def residents():
    return dp.census(2021, by=["force", "age_band", "ethnicity_self"])


@pytest.fixture(scope="module")
def searches(real_data):
    forces = ("hertfordshire", "west-midlands", "south-wales", "dyfed-powys")
    paths = [str(real_data / "police_uk" / "*" / f"*-{force}-stop-and-search.csv") for force in forces]
    return dp.tally(paths, by=["age_band", "ethnicity_self"], period=YEAR)


def of_black_people(frame, force):
    return frame[(frame["force"] == force) & (frame["ethnicity_self"] == "Black")].iloc[0]


def test_hertfordshire_agrees_with_a_plain_pandas_script(real_data, searches, residents):
    files = (real_data / "police_uk").glob("*/*-hertfordshire-stop-and-search.csv")
    rows = pd.concat(pd.read_csv(file) for file in files if YEAR[0] <= file.name[:7] <= YEAR[1])
    rows = rows[rows["Type"] != "Vehicle search"]
    rates = {}
    for group in ("Black", "White"):
        mine = rows[rows["Self-defined ethnicity"].str.startswith(group, na=False)]
        by_age = mine["Age range"].value_counts().reindex(AGES, fill_value=0).to_numpy()
        people = [residents[{"force": "hertfordshire", "age_band": k, "ethnicity_self": group}] for k in AGES]
        standard = np.array([residents[{"age_band": k}] for k in AGES])
        rates[group] = (standard * by_age / people).sum() / standard.sum() * 1000 * len(mine) / by_age.sum()
    found = dp.age_standardised_rate(searches, residents)
    assert of_black_people(found, "hertfordshire").estimate == pytest.approx(rates["Black"], rel=1e-12)
    ratio = of_black_people(dp.age_standardised_ratio(searches, residents), "hertfordshire")
    assert ratio.estimate == pytest.approx(rates["Black"] / rates["White"], rel=1e-12)
    assert (round(ratio.estimate, 2), round(ratio.low, 2), round(ratio.high, 2)) == (2.82, 2.36, 3.37)
    assert ratio.verdict == "higher"
    crude = of_black_people(dp.rate_ratio(searches, residents, by=["force"]), "hertfordshire")
    assert round(crude.estimate, 2) == 3.62


def test_what_is_not_known_leaves_bounds_or_nothing(searches, residents):
    found = dp.age_standardised_ratio(searches, residents)
    bounded = of_black_people(found, "west-midlands")
    assert pd.isna(bounded.estimate)
    assert (round(bounded.bound_low, 2), round(bounded.bound_high, 2)) == (2.00, 3.49)
    assert bounded.flag.startswith("bounds only: 2,284 of 13,313 searches have no age")
    refused = of_black_people(found, "south-wales")
    assert refused[["estimate", "bound_low", "bound_high"]].isna().all()
    assert refused.flag.startswith("refused: 9,833 of 9,833 searches have no age")
    withheld = of_black_people(found, "dyfed-powys")
    assert withheld.flag.startswith("not computable: denominator unavailable")


def test_the_default_standard_has_the_ages_of_england_and_wales(residents):
    ours, theirs = (
        population.project(["age_band"]).counts for population in (residents, dp.census(2021, by=["age_band"]))
    )
    assert ours.sum() / theirs.sum() == pytest.approx(0.981, abs=0.001)
    assert ours / ours.sum() == pytest.approx(theirs / theirs.sum(), abs=0.003)
