"""The real files: every row of 541 monthly files accounted for, and figures known beforehand."""

from collections import Counter

import pytest
from naive_reader import count_rows, read_rows, utc_month

from disprop.errors import InputRefused
from disprop.io import rules
from disprop.io.police_uk import read_police_uk
from disprop.months import month_label

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def public(real_data):
    """The 541 files read in one call: the source, and searches by type and by (force, month)."""
    source = read_police_uk(real_data / "police_uk")
    types = Counter()
    for batch in source.batches({"search_type"}):
        types.update(batch["search_type"].to_pylist())
    return source, types


def test_every_row_of_541_files(public):
    source, types = public
    assert len(source.files) == 541
    assert source.account.read == source.account.counted == 525_978
    assert types == {"Person search": 401_276, "Person and Vehicle search": 112_324, "Vehicle search": 12_378}
    assert not source.account.excluded
    assert not source.account.quarantined


def test_counts_a_file_are_those_of_the_csv_module(public, real_data):
    source, _ = public
    theirs = {str(path): count_rows(path) for path in sorted((real_data / "police_uk").rglob("*.csv"))}
    assert {file.name: file.read for file in source.files} == theirs


def test_eight_rows_lie_in_another_london_month(public):
    source, _ = public
    assert source.account.notes == {
        f"{rules.LONDON_MONTH}: avon-and-somerset 2019-04 -> 2019-05": 4,
        f"{rules.LONDON_MONTH}: avon-and-somerset 2019-05 -> 2019-06": 2,
        f"{rules.LONDON_MONTH}: avon-and-somerset 2019-08 -> 2019-09": 2,
    }
    assert sum(file.other_months.total() for file in source.files) == 8


def test_by_utc_month_861_rows_would_differ(real_data):
    paths = sorted((real_data / "police_uk").rglob("*.csv"))
    assert sum(n for path in paths for month, n in utc_month(path).items() if month != path.name[:7]) == 861


def test_parts_are_the_force_months_with_their_rows(public):
    source, _ = public
    rows = {(file.force, file.month): file.read for file in source.files}
    assert {(part["force"], part["month"]): part["rows"] for part in source.parts} == rows


@pytest.mark.parametrize(
    "name",
    [
        "2019-07/2019-07-west-midlands-stop-and-search.csv",
        "2019-04/2019-04-avon-and-somerset-stop-and-search.csv",
        "2016-06/2016-06-metropolitan-stop-and-search.csv",
    ],
)
def test_records_are_those_of_the_naive_reader(real_data, name):
    path = real_data / "police_uk" / name
    found = [row for batch in read_police_uk(path).batches() for row in batch.to_pylist()]
    ours = [
        row | {"month": month_label(row["month"]), "event_time": int(row["event_time"].timestamp())} for row in found
    ]
    assert ours == read_rows(path)


def test_an_older_publication_beside_the_newer_is_refused(real_data):
    with pytest.raises(InputRefused, match=rf"{rules.TWO_FILES}.*20 other force-months.*without the other"):
        read_police_uk(real_data / "police_uk", real_data / "police_uk_older")


def test_an_older_publication_alone_is_read(real_data):
    source = read_police_uk(real_data / "police_uk_older")
    assert len(source.parts) == 21
    assert source.account.read == source.account.counted > 0


def test_the_mangled_welsh_file(real_data):
    folder = real_data / "police_uk_mangled"
    with pytest.raises(InputRefused, match="--force ID"):
        read_police_uk(folder).account  # noqa: B018 - asking for the account reads
    source = read_police_uk(folder, force="unknown")
    assert source.account.read == source.account.counted == 2_178
    assert source.account.notes == {rules.INDEX_COLUMN: 1, rules.FORCE_GIVEN: 1, rules.NUMBER_FLAG: 743}


@pytest.mark.parametrize(
    ("name", "force", "rows", "parts"),
    [
        ("2024-09.json", "kent", 3_253, {("kent", "2024-09"): 3_253}),
        ("stops-Jan2023.json", "unknown", 165, {("unknown", "2023-01"): 165}),
        (
            "stop_and_searches_2024-01.json",
            None,
            170,
            {("leicestershire", "2024-01"): 72, ("derbyshire", "2024-01"): 57, ("nottinghamshire", "2024-01"): 41},
        ),
    ],
)
def test_answers_of_the_interface(real_data, name, force, rows, parts):
    source = read_police_uk(real_data / "police_uk_api" / name, force=force)
    assert source.account.read == source.account.counted == rows
    assert {(part["force"], month_label(part["month"])): part["rows"] for part in source.parts} == parts
