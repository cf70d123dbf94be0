"""The official tables: read as they are, and their own figures recomputed from their own counts."""

import numpy as np
import pytest
from police_files import write_text

import disprop.intervals
from disprop.errors import InputRefused
from disprop.io import rules
from disprop.io.published import read_ethnicity_facts, read_local_authority_ratios

HEADER = (
    "Measure,Time,Time_type,Ethnicity,Ethnicity_type,Geography,Geography_type, Number of stop and searches ,"
    'Population by ethnicity,"Rate per 1,000 population by ethnicity",Notes\n'
)


def facts(folder, *numbers: str):
    rows = "".join(f"Searches,2006/07,Financial year,All,All,Avon & Somerset,Force,{three},\n" for three in numbers)
    return read_ethnicity_facts(write_text(folder / "facts.csv", HEADER + rows))


def test_padding_thousands_and_signs_for_nothing(tmp_path):
    table = facts(tmp_path, '"15,018","1,599,555",9.39', " -   ,12, -   ", "7, N/A , N/A ", ",-,NA")
    assert table.rows["events"].tolist()[0] == 15_018
    assert table.rows["population"].tolist()[:2] == [1_599_555, 12]
    assert table.rows["rate"].isna().tolist() == [False, True, True, True]
    assert table.blanks == {
        ("events", "-"): 1,
        ("events", ""): 1,
        ("population", "N/A"): 1,
        ("population", "-"): 1,
        ("rate", "-"): 1,
        ("rate", "N/A"): 1,
        ("rate", "NA"): 1,
    }


@pytest.mark.parametrize("cell", ["many", "1 000", '"1,00"', "..", "*", "1.2.3"])
def test_any_other_word_is_refused_by_line_and_column(tmp_path, cell):
    with pytest.raises(InputRefused, match=rf"line 3: {rules.BAD_CELL}.*Population by ethnicity"):
        facts(tmp_path, "1,2,3", f"1,{cell},3")


def test_another_table_is_refused(tmp_path):
    with pytest.raises(InputRefused, match=rf"{rules.REQUIRED_COLUMN}; wanted date, la"):
        read_local_authority_ratios(write_text(tmp_path / "other.csv", HEADER))
    with pytest.raises(InputRefused, match=rules.MISSING_FILE):
        read_local_authority_ratios(tmp_path / "absent.csv")
    with pytest.raises(InputRefused, match=rules.NO_PERMISSION):
        read_local_authority_ratios(tmp_path)


@pytest.mark.real
def test_every_official_rate_follows_from_its_count_and_population(real_data):
    """11,424 rates to 2 decimals; the others have a sign for nothing in place of count or population."""
    table = read_ethnicity_facts(real_data / "published" / "ethnicity_facts_and_figures_2006_2018.csv")
    rows = table.rows.dropna(subset=["events", "population", "rate"])
    assert len(table.rows) == 13_104
    assert len(rows) == 11_424
    assert table.blanks == {
        ("events", "-"): 126,
        ("population", "N/A"): 1_554,
        ("rate", "N/A"): 1_554,
        ("rate", "-"): 126,
    }
    rate = rows["events"] / rows["population"] * 1000
    assert (np.abs(rate - rows["rate"]) <= 0.005 + 1e-9).all()


@pytest.mark.real
def test_every_local_ratio_and_interval_is_katz_log(real_data):
    """989 ratios, 923 intervals; 66 rows without a Black search have ratio 0, 4 without a White one have none."""
    table = read_local_authority_ratios(real_data / "published" / "local_authority_black_white_2019_2021.csv")
    rows = table.rows
    found = disprop.intervals.proportion_ratio_interval(
        events=rows["events"],
        trials=rows["trials"],
        reference_events=rows["reference_events"],
        reference_trials=rows["reference_trials"],
        method="katz_log",
    )
    given = rows["risk_ratio"].notna()
    whole = given & rows["high"].notna()
    no_black, no_white = rows["events"] == 0, rows["reference_events"] == 0
    assert (len(rows), given.sum(), whole.sum()) == (993, 989, 923)
    assert ((no_black & ~no_white).sum(), no_white.sum()) == (66, 4)
    np.testing.assert_allclose(found.estimate[given], rows["risk_ratio"][given], rtol=1e-12)
    np.testing.assert_allclose(found.low[whole], rows["low"][whole], rtol=1e-12)
    np.testing.assert_allclose(found.high[whole], rows["high"][whole], rtol=1e-12)
    assert (found.estimate[no_black & ~no_white] == 0).all()
    assert (found.low[no_black] == 0).all()
    assert np.isnan(found.estimate[no_white]).all()
    assert np.isinf(found.high[no_white]).all()
