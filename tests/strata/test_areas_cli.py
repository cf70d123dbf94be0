"""Areas from the command line: a measure, a tally and a report with boundaries, and without what they need."""

import json

import numpy as np
import pandas as pd
import pytest

import disprop as dp
from disprop.provenance import Account
from disprop.synthetic.residents import population
from disprop.tallies import Tally, area_axis

MONTHS = ("2023-04", "2023-05", "2023-06", "2023-07", "2023-08", "2023-09")
SPLIT = 1.08
"""Degrees east: where the two invented areas of the invented force meet."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Records in the public format, boundaries of two areas, and residents of both."""
    folder = tmp_path_factory.mktemp("areas")
    dp.synthetic.write_police_uk(folder / "files", months=MONTHS)
    west = [[0.8, 54.5], [SPLIT, 54.5], [SPLIT, 55.0], [0.8, 55.0], [0.8, 54.5]]
    east = [[SPLIT, 54.5], [1.4, 54.5], [1.4, 55.0], [SPLIT, 55.0], [SPLIT, 54.5]]
    features = [
        {"type": "Feature", "properties": {"AREACD": code}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        for code, ring in (("E99000001", west), ("E99000002", east))
    ]
    (folder / "areas.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    people = population()
    counts = np.stack([people.counts // 4, people.counts - people.counts // 4], axis=1)
    axes = (people.axes[0], area_axis(["E99000001", "E99000002"]), people.axes[1])
    Tally(
        axes, counts, people.unit, people.kind, account=Account(read=people.total), vintage=people.vintage
    ).save(folder / "residents.parquet")  # fmt: skip
    return folder


def with_areas(files, out):
    return ["--population", files / "residents.parquet", "--areas", files / "areas.json", "--out", out]


def test_a_ratio_with_boundaries_has_its_twin(run, files, tmp_path):
    options = with_areas(files, tmp_path / "rows.csv")
    code, _, err = run("measure", "rate_ratio", files / "files", "--by", "force", *options, "--format", "csv")
    rows = pd.read_csv(tmp_path / "rows.csv")
    assert code == 0
    assert rows["measure"].tolist() == ["rate_ratio", "rate_ratio_within_areas"] * 4
    assert "lie in an area" in err
    assert "have no place" in err


def test_the_decomposition_multiplies_to_the_crude_ratio(run, files, tmp_path):
    options = with_areas(files, tmp_path / "rows.csv")
    code, _, _ = run("measure", "area_decomposition", files / "files", "--by", "force", *options, "--format", "csv")
    rows = pd.read_csv(tmp_path / "rows.csv").set_index(["ethnicity_self", "measure"])["estimate"]
    assert code == 0
    factors = rows["Black", "ratio_between_areas"] * rows["Black", "rate_ratio_within_areas"]
    assert factors == pytest.approx(rows["Black", "rate_ratio"], rel=1e-9)


def test_without_boundaries_no_search_has_an_area(run, files):
    options = ["--population", files / "residents.parquet"]
    code, _, err = run("measure", "area_decomposition", files / "files", "--by", "force", *options)
    assert code == 3
    assert "no search has an area: add --areas FILE" in err
    assert len(err.strip().splitlines()) == 1


def test_a_tally_by_area_accounts_for_every_search(run, files, tmp_path):
    options = ["--by", "area", "--areas", files / "areas.json", "--format", "csv", "--out", tmp_path / "rows.csv"]
    assert run("tally", files / "files", *options)[0] == 0
    rows = pd.read_csv(tmp_path / "rows.csv")
    assert set(rows["area"]) == {"E99000001", "E99000002", "blank"}
    assert rows["n"].sum() == dp.tally(dp.read_police_uk(files / "files"), by=[]).total


def test_the_report_prints_both_ratios(run, files, tmp_path):
    options = with_areas(files, tmp_path)
    assert run("report", files / "files", *options)[0] == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "for the whole force and within its areas" in page
    twins = pd.read_csv(tmp_path / "rate_ratio_within_areas.csv")
    assert set(twins["measure"]) == {"rate_ratio_within_areas"}
    assert set(pd.read_csv(tmp_path / "rate_ratio.csv")["measure"]) == {"rate_ratio"}
    digest = dp.read_boundaries(files / "areas.json").digest
    assert digest in (tmp_path / "manifest.json").read_text(encoding="utf-8")


def test_without_boundaries_the_report_has_no_twin(run, files, tmp_path):
    assert run("report", files / "files", "--population", files / "residents.parquet", "--out", tmp_path)[0] == 0
    assert "within its areas" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "rate_ratio_within_areas.csv").exists()
