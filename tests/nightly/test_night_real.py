"""A night over real files of data.police.uk."""

import pandas as pd
import pytest

import disprop as dp
from tests.nightly.night import TABLES, log, night


@pytest.mark.real
def test_real_files_are_published_once(real_data, tmp_path):
    extracts = real_data / "police_uk" / "*" / "*-kent-*.csv"
    path = tmp_path / "nightly.toml"
    path.write_text(
        f'store = "store"\nout = "out"\nreport = false\nfrom = "2019-04"\nto = "2020-03"\n'
        f'[[extracts]]\npath = "{extracts}"\n{TABLES}'
    )
    assert night(path).published
    assert not night(path).published
    assert log(tmp_path, "read")[0]["parts_added"] == 12
    counted = dp.tally(str(extracts), by=["ethnicity_self"], period=("2019-04", "2020-03"))
    residents = dp.census(by=["force", "ethnicity_self"])
    expected = dp.rate_ratio(counted, residents, by=["force", "ethnicity_self"])
    found = pd.read_parquet(tmp_path / "out" / "current" / "rate_ratio.parquet")
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert found["numerator"].sum() == 254 + 319 + 909 + 59
