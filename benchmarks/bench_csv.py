"""Monthly CSV files to the full intake account, every column coded, and a tally, beside Polars doing the tally alone.

Ours also validates every row, hashes every file, places every row in its month by UK local time and accounts for it.
"""

import polars as pl
import pytest

import disprop as dp
from disprop.io import csv_scan

ROUNDS = {"disprop": 11, "disprop, careful reader": 2, "polars, tally alone": 11}
BY = ["ethnicity_self", "age_band", "gender"]
COLUMNS = {"ethnicity_self": "Self-defined ethnicity", "age_band": "Age range", "gender": "Gender"}
NEVER = 1 << 60


class EveryColumn:
    """A source whose every column is coded, as the store keeps them, whatever the tally needs."""

    def __init__(self, source):
        self.source = source

    def __getattr__(self, name):
        return getattr(self.source, name)

    def batches(self, columns=None):
        return self.source.batches(None)


def disprop(paths):
    """Intake account and tally."""
    counted = dp.tally(EveryColumn(dp.read_police_uk(*paths)), by=BY, vehicle_only=True)
    assert counted.account.read == counted.account.counted
    return counted


def careful(paths):
    """The same by the careful reader alone."""
    fewest, csv_scan.FEWEST_BYTES = csv_scan.FEWEST_BYTES, NEVER
    try:
        return disprop(paths)
    finally:
        csv_scan.FEWEST_BYTES = fewest


def polars(paths):
    """The tally alone, by the files' own months and the labels as they came."""
    name = pl.col("path").str.extract(r"([^/]+)-stop-and-search\.csv$")
    scanned = pl.scan_csv([str(path) for path in paths], infer_schema=False, include_file_paths="path")
    named = scanned.with_columns(force=name.str.slice(8), month=name.str.slice(0, 7))
    return named.group_by("force", "month", *COLUMNS.values()).agg(n=pl.len()).collect()


RUNS = {"disprop": disprop, "disprop, careful reader": careful, "polars, tally alone": polars}


@pytest.fixture(scope="module")
def answers(files):
    return {name: run(files[0]) for name, run in RUNS.items()}


@pytest.mark.parametrize("name", RUNS)
def test_csv_to_tally(benchmark, files, answers, name):
    """In process, files in the page cache, imports done; each answer checked against ours before its time counts.

    In turn: before each round of one, another is run whose time does not count, so that both start from the same state.
    """
    agree(answers["disprop"], answers[name])
    benchmark.group = f"monthly CSV to account and tally, in process, {len(files[0])} files"
    other = RUNS["polars, tally alone" if name == "disprop" else "disprop"]

    def after_the_other():
        other(files[0])
        return (files[0],), {}

    benchmark.pedantic(RUNS[name], setup=after_the_other, rounds=ROUNDS[name], warmup_rounds=1)


def agree(ours, theirs):
    """Every cell, labels mapped by the codelists; months apart by a few rows that UK local time places elsewhere."""
    if isinstance(theirs, dp.Tally):
        assert ours == theirs or ours.frame().equals(theirs.frame())
        assert ours.account == theirs.account
        return
    expected = mapped(theirs)
    found = ours.frame(zeros=False).groupby(["force", *BY], observed=True)["n"].sum()
    assert found[found > 0].to_dict() == expected
    assert ours.account.counted == theirs["n"].sum()


def mapped(theirs):
    """Polars' counts by force and our codes, over all months."""
    from disprop.codelists import code_lookup, codelist
    from disprop.records import axis_spec

    cells = {}
    codes = {}
    for axis, column in COLUMNS.items():
        labels = theirs[column].unique().to_list()
        names = codelist(axis_spec(axis).codelist).codes
        found = code_lookup(axis_spec(axis).codelist, "police.uk", labels)
        codes[column] = {label: names[code] for label, code in zip(labels, found)}
    for row in theirs.iter_rows(named=True):
        key = (row["force"], *(codes[column][row[column]] for column in COLUMNS.values()))
        cells[key] = cells.get(key, 0) + row["n"]
    return cells
