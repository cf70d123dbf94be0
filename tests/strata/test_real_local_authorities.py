"""The check figures of the local-authority file: Black and White searches of 331 areas in 2019, 2020 and 2021.

Its "Black" includes Mixed White-and-Black; calendar years; searches with a place only.
"""

import numpy as np
import pandas as pd
import pytest

from disprop.intervals import decompose_ratio, mantel_haenszel_rate_ratio, within_strata_excess
from tests.strata import naive

pytestmark = pytest.mark.real

COLUMNS = {
    "events": "Black_stopped",
    "exposure": "Black_population",
    "reference_events": "White_stopped",
    "reference_exposure": "White_population",
}


@pytest.fixture(scope="module")
def areas(real_data):
    return pd.read_csv(real_data / "published" / "local_authority_black_white_2019_2021.csv")


def counts(rows):
    return {name: rows[column].to_numpy(dtype=float) for name, column in COLUMNS.items()}


@pytest.mark.parametrize(
    ("year", "crude", "within_forces", "within_areas", "force", "area"),
    [
        (2019, 6.5757, 3.1785, 2.8680, 3.1804, 2.8303),
        (2020, 5.3372, 2.7821, 2.5497, 2.7850, 2.5140),
        (2021, 4.4381, 2.5710, 2.3463, 2.5742, 2.3165),
    ],
)
def test_ratios_at_three_levels(areas, year, crude, within_forces, within_areas, force, area):
    rows = areas[areas["date"] == year]
    assert (len(rows), rows["force_code"].nunique()) == (331, 43)
    by_force = rows.groupby("force_code")[list(COLUMNS.values())].sum()
    assert round(mantel_haenszel_rate_ratio(**counts(by_force)).estimate, 4) == within_forces
    assert round(mantel_haenszel_rate_ratio(**counts(rows)).estimate, 4) == within_areas
    found = decompose_ratio(**counts(rows), force=rows["force_code"])
    assert found.ratio.round(4).tolist() == [crude, force, area]
    assert np.exp(found.log_step.sum()) == pytest.approx(found.ratio[0], rel=1e-14)
    assert not found.left_out.any()
    plain = naive.levels(rows[list(COLUMNS.values())].to_numpy().tolist(), rows["force_code"].tolist())
    assert found.expected == pytest.approx(plain, rel=1e-12)


def test_excess_of_2019_splits_exactly(areas):
    rows = areas[areas["date"] == 2019]
    found = decompose_ratio(**counts(rows), force=rows["force_code"])
    assert round(found.events - found.expected[0], 1) == 76_317.5 == round(found.excess_step.sum(), 1)
    assert round(found.excess_step[2], 1) == 58_204.4
    assert round(within_strata_excess(**counts(rows)).estimate, 1) == 58_204.4


def test_excess_of_the_west_midlands_in_2019(areas):
    rows = areas[(areas["date"] == 2019) & (areas["force"] == "West Midlands")]
    found = decompose_ratio(**counts(rows), force=rows["force_code"])
    assert len(rows) == 7
    assert found.excess_step[0] == 0
    assert round(found.excess_step.sum(), 1) == 3_721.6
    assert round(found.excess_step[2], 1) == 3_397.0
