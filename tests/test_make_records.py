"""The generator of records at any size, through its own command."""

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import naive_synthetic as naive
import pyarrow as pa
import pytest
from pyarrow import parquet

from disprop.codelists import forces
from disprop.records import SEARCH

CHECKOUT = Path(__file__).resolve().parent.parent
ROWS = 30_000
EXTRA = ["small_area", "officer_key", "person_key"]


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.make_records", "--out", str(folder), "--months", "5", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def read(folder: Path) -> pa.Table:
    files = sorted((folder / "parquet").rglob("*.parquet"))
    return pa.concat_tables([parquet.read_table(file) for file in files]).unify_dictionaries()


@pytest.fixture(scope="module")
def ordered(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ordered")
    keys = ("--small-areas", "--officers", "3000", "--persons", "9000")
    assert make(folder, "--rows", str(ROWS), "--from", "2023-11", "--csv", "--workers", "1", *keys).returncode == 0
    return folder


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shuffled")
    assert make(folder, "--rows", "3e4", "--from", "2023-11", "--shuffled").returncode == 0
    return folder


def test_as_many_rows_as_asked_for_every_force_and_month(ordered, shuffled):
    territorial = {code for code, force in forces().items() if force.pfa_code}
    assert len(territorial) == 43
    for folder in (ordered, shuffled):
        table = read(folder)
        assert table.num_rows == ROWS
        assert set(table["force"].to_pylist()) == territorial
        assert len(set(table["month"].to_pylist())) == 5
        assert table.column_names[: len(SEARCH)] == [column.name for column in SEARCH]
        assert table.schema.metadata[b"dataset"] == b"synthetic"
        assert (folder / "SYNTHETIC.txt").read_text().startswith("SYNTHETIC")
    assert read(ordered).column_names[len(SEARCH) :] == EXTRA
    assert read(shuffled).column_names[len(SEARCH) :] == []


def test_the_month_is_that_of_the_uk_clock(ordered, shuffled):
    for folder in (ordered, shuffled):
        table = read(folder).select(["month", "event_time"]).slice(0, 4_000)
        for month, time in zip(table["month"].to_pylist(), table["event_time"].to_pylist()):
            assert naive.london_month(time.isoformat()) == f"{1970 + month // 12}-{month % 12 + 1:02d}"


def test_sorted_files_are_in_order_and_shuffled_ones_are_not(ordered, shuffled):
    for file in sorted((ordered / "parquet" / "2024").glob("*.parquet"))[:5]:
        one = parquet.read_table(file)
        times = one["event_time"].to_pylist()
        assert times == sorted(times)
        assert len(set(one["force"].to_pylist())) == 1
    part = parquet.read_table(next((shuffled / "parquet").glob("part-*.parquet")))
    months = part["month"].to_pylist()
    assert sum(a > b for a, b in zip(months, months[1:])) > 0.3 * len(months)


def test_csv_beside_it_holds_the_same_records(ordered):
    found = naive.read_rows(ordered / "csv")
    assert len(list((ordered / "csv").glob("*/*.csv"))) == 43 * 5
    assert len(found) == ROWS
    table = read(ordered)
    for name in ("Outcome", "Self-defined ethnicity", "Object of search"):
        column = next(column for column in SEARCH if column.police_uk == name)
        blank_or = {None: ""}
        counts = Counter(blank_or.get(value, value) for value in table[column.name].to_pylist())
        assert counts == Counter(row[name] for _, row in found)
    file = next((ordered / "csv" / "2023-12").glob("*-kent-*.csv"))
    with file.open(encoding="utf-8", newline="") as lines:
        assert {len(row) for row in csv.reader(lines)} == {15}


def test_keys_belong_to_one_force_and_a_person_to_one_group(ordered):
    rows = read(ordered).select(["force", "ethnicity_self", "search_type", *EXTRA]).to_pylist()
    forces_of: dict[tuple, set] = {}
    groups_of: dict[int, set] = {}
    for row in rows:
        assert (row["person_key"] is None) == (row["search_type"] == "Vehicle search")
        for key in EXTRA:
            forces_of.setdefault((key, row[key]), set()).add(row["force"])
        group = naive.group({"Self-defined ethnicity": row["ethnicity_self"] or ""})
        if row["person_key"] is not None and group not in ("", "not stated"):
            groups_of.setdefault(row["person_key"], set()).add(group)
    forces_of.pop(("person_key", None))
    assert max(map(len, forces_of.values())) == 1
    assert max(map(len, groups_of.values())) == 1
    searches = Counter(row["person_key"] for row in rows if row["person_key"] is not None)
    assert 7_500 < len(searches) <= 9_000
    busiest = Counter(row["officer_key"] for row in rows).most_common(1)[0][1]
    assert busiest > 5 * ROWS / 3_000, "some officers are far busier than others"


def test_same_rows_whatever_the_workers(ordered, tmp_path):
    keys = ("--small-areas", "--officers", "3000", "--persons", "9000")
    assert make(tmp_path, "--rows", str(ROWS), "--from", "2023-11", "--csv", "--workers", "2", *keys).returncode == 0
    one, two = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in (ordered, tmp_path))
    assert one == two


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rows", "1e4", "--csv", "--shuffled"), "contradict each other"),
        (("--rows", "0"), "a whole number of at least 1"),
        (("--rows", "1e4", "--persons", "100"), "ask for at least as many"),
        (("--rows", "1e4", "--from", "2023"), "is not a month"),
        (("--rows", "10.5"), "a whole number of at least 1"),
    ],
)
def test_refusals_say_what_to_do(tmp_path, arguments, words):
    run = make(tmp_path, *arguments)
    assert run.returncode == 2
    assert words in run.stderr
    assert "Traceback" not in run.stderr
