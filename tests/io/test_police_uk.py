"""The source as its callers see it: batches, parts, account, files; one path or many."""

import time
import tracemalloc
import zipfile

import pyarrow as pa
import pytest
from naive_reader import read_rows
from police_files import HEADER, KENT, PLAIN, csv_text, fields, rows_of, write_csv, write_text

import disprop.io.intake
from disprop.errors import BalanceError, InputRefused, UsageError
from disprop.io import rules
from disprop.io.police_uk import read_police_uk
from disprop.months import month_label, month_number
from disprop.provenance import part_row
from disprop.records import SEARCH, is_source

VARIED = [
    fields(Date="2019-03-31T23:19:00+00:00", Gender="", Latitude="", Longitude=""),
    fields(Date="2019-04-30T22:59:59+00:00", Outcome="", Outcome_linked=""),
    fields(Type="Vehicle search", Self="", Age=""),
    fields(Legislation="Poaching Prevention Act 1862 (section 2)", Policing='Op "X", part 2'),
]


@pytest.fixture
def folder(tmp_path):
    write_csv(tmp_path / "2019-04" / KENT, VARIED)
    write_csv(tmp_path / "2019-05" / "2019-05-kent-stop-and-search.csv", [fields(Date="2019-05-02T10:00:00+00:00")])
    write_csv(tmp_path / "2019-05" / "2019-05-essex-stop-and-search.csv", [])
    return tmp_path


def like_naive(row: dict) -> dict:
    """A record in the words of the naive reader."""
    moment = row["event_time"]
    return row | {"month": month_label(row["month"]), "event_time": moment and int(moment.timestamp())}


def test_records_are_those_of_the_naive_reader(folder):
    naive = [row for path in sorted(folder.rglob("*.csv")) for row in read_rows(path)]
    assert [like_naive(row) for row in rows_of(read_police_uk(folder))] == naive
    assert len(naive) == 5


def test_it_is_a_source_of_searches(folder):
    source = read_police_uk(folder)
    assert is_source(source)
    assert (source.kind, source.unit, source.dataset, source.scheme) == ("search", "searches", "police.uk", "police.uk")


def test_batches_have_the_columns_of_the_kind(folder):
    schema = next(iter(read_police_uk(folder).batches())).schema
    label = pa.dictionary(pa.int32(), pa.string())
    types = {"label": label, "month": pa.int32(), "time": pa.timestamp("s", "UTC"), "degrees": pa.float64()}
    expected = [(spec.name, types[spec.dtype]) for spec in SEARCH if spec.police_uk or spec.name in ("force", "month")]
    assert [(field.name, field.type) for field in schema] == expected


def test_only_the_columns_asked_for_are_coded(folder):
    for batch in read_police_uk(folder).batches({"gender", "latitude", "video_recorded"}):
        assert batch.schema.names == ["force", "month", "latitude", "gender", "video_recorded"]


def test_every_row_is_judged_whatever_the_columns(tmp_path):
    source = read_police_uk(write_csv(tmp_path / KENT, [*VARIED, fields(Date="soon")]))
    assert len(rows_of(source, set())) == 4
    assert source.account.quarantined == {rules.DATE_UNREADABLE: 1}


def test_a_column_that_is_not_one_is_named(folder):
    with pytest.raises(UsageError, match="did you mean 'gender'"):
        rows_of(read_police_uk(folder), {"gendre"})


def test_a_column_of_other_sources_is_read_where_it_stands(tmp_path):
    file = write_csv(tmp_path / KENT, [[*fields(), "Yes"]], header=[*HEADER, "video_recorded"])
    source = read_police_uk(file)
    assert [row["video_recorded"] for row in rows_of(source, {"video_recorded"})] == ["Yes"]
    assert source.account.notes == {}


def test_parts_name_files_and_rows(folder):
    source = read_police_uk(folder)
    found = {(part["force"], part["month"]): part for part in source.parts}
    rows = {key: part["rows"] for key, part in found.items()}
    assert rows == {("essex", 592): 0, ("kent", 591): 4, ("kent", 592): 1}
    digest = next(file.sha256 for file in source.files if file.name.endswith(KENT))
    expected = part_row(dataset="police.uk", kind="search", force="kent", month=591, files=[digest], rows=4)
    assert found["kent", 591].item() == (expected[0].encode(), expected[1].encode(), *expected[2:])


def test_a_month_file_fills_its_slot_with_every_row_that_came(tmp_path):
    source = read_police_uk(write_csv(tmp_path / KENT, [fields(Date="soon"), fields(), HEADER]))
    assert source.parts["rows"].tolist() == [2]
    assert source.account.counted == 1


def test_rows_of_another_london_month_stay_in_their_part(tmp_path):
    rows = [fields(), fields(Date="2019-04-30T23:30:00+00:00"), fields(Date="2019-03-31T22:59:59+00:00")]
    source = read_police_uk(write_csv(tmp_path / KENT, rows))
    assert [month_label(row["month"]) for row in rows_of(source)] == ["2019-04", "2019-05", "2019-03"]
    assert [(part["month"], part["rows"]) for part in source.parts] == [(591, 3)]
    assert source.account.notes == {
        f"{rules.LONDON_MONTH}: kent 2019-04 -> 2019-03": 1,
        f"{rules.LONDON_MONTH}: kent 2019-04 -> 2019-05": 1,
    }
    assert source.files[0].other_months == {590: 1, 592: 1}


def test_a_file_without_a_month_feeds_the_months_of_its_rows(tmp_path):
    dates = ("2019-04-10T12:00:00Z", "2019-04-30T23:30:00+00:00", "2019-06-01T00:00:00+01:00")
    source = read_police_uk(write_csv(tmp_path / "kent.csv", [fields(Date=date) for date in dates]))
    assert {(part["month"], part["rows"]) for part in source.parts} == {(591, 1), (592, 1), (593, 1)}
    assert source.intake_table()["month"].tolist() == ["2019-04 to 2019-06"]


def test_a_file_of_several_forces_feeds_each(tmp_path):
    rows = [["Kent Police", *fields()], ["essex", *fields()], ["kent", *fields()]]
    source = read_police_uk(write_csv(tmp_path / "2019-04.csv", rows, header=["force", *HEADER]))
    assert [row["force"] for row in rows_of(source)] == ["kent", "essex", "kent"]
    assert {(part["force"], part["rows"]) for part in source.parts} == {("essex", 1), ("kent", 2)}
    assert source.intake_table()["force"].tolist() == ["essex, kent"]


def test_a_blank_date_in_a_month_file_has_a_month_and_no_instant(tmp_path):
    (row,) = rows_of(read_police_uk(write_csv(tmp_path / KENT, [fields(Date="")])))
    assert (row["month"], row["event_time"]) == (month_number("2019-04"), None)


def test_swapped_and_impossible_places(tmp_path):
    rows = [
        fields(Latitude="-1.85", Longitude="52.48"),
        fields(Latitude="0", Longitude="0"),
        fields(Latitude="52.48", Longitude=""),
        fields(Latitude="inf", Longitude="-1.85"),
        fields(Latitude="-1.85", Longitude=""),
    ]
    found = rows_of(read_police_uk(write_csv(tmp_path / KENT, rows)), {"latitude", "longitude"})
    assert [(row["latitude"], row["longitude"]) for row in found] == [
        (52.48, -1.85),
        (None, None),
        (52.48, None),
        (None, -1.85),
        (None, None),
    ]


def test_paths_of_every_kind_together(folder, tmp_path):
    path = tmp_path / "more.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("2019-06/2019-06-kent-stop-and-search.csv", csv_text([fields(Date="2019-06-02T10:00:00Z")]))
    single = write_csv(tmp_path / "one" / "stops.csv", [fields(Date="2019-07-02T10:00:00Z")])
    source = read_police_uk(folder / "2019-04", f"{folder}/2019-05/*kent*.csv", path, str(single), force="kent")
    assert len(rows_of(source)) == 7
    assert sorted(source.parts["month"].tolist()) == [591, 592, 593, 594]


def test_one_file_given_twice_is_read_once(folder):
    source = read_police_uk(folder, folder / "2019-04", folder / "2019-04" / KENT)
    assert len(rows_of(source)) == 5
    assert source.account.notes == {rules.SAME_CONTENT: 2}


def test_a_path_that_looks_like_a_glob_and_is_a_file(tmp_path):
    file = write_csv(tmp_path / "[new]" / KENT, [PLAIN.values()])
    assert len(rows_of(read_police_uk(file))) == 1


def test_no_path_at_all():
    with pytest.raises(UsageError, match="no path"):
        read_police_uk()


def test_an_unknown_force_is_named_at_once(folder):
    with pytest.raises(UsageError, match="did you mean"):
        read_police_uk(folder, force="west-midland")


def test_batches_may_be_read_again(folder):
    source = read_police_uk(folder)
    first, again = rows_of(source), rows_of(source)
    assert first == again
    assert source.account.read == 5


def test_the_account_asked_first_reads_once(folder):
    source = read_police_uk(folder)
    assert source.account.read == source.account.counted == 5
    assert len(source.files) == 3


def test_a_read_that_breaks_off_leaves_no_account(tmp_path):
    write_csv(tmp_path / KENT, VARIED)
    write_text(tmp_path / "2019-05-kent-stop-and-search.csv", "<html>")
    source = read_police_uk(tmp_path)
    batches = source.batches()
    assert next(batches).num_rows == 4
    with pytest.raises(InputRefused):
        next(batches)
    with pytest.raises(InputRefused):
        _ = source.account


def test_the_intake_table_has_one_row_a_file_and_balances(folder, tmp_path):
    write_csv(tmp_path / "2019-06-kent-stop-and-search.csv", [HEADER, fields(), fields(Date="?")])
    table = read_police_uk(folder).intake_table()
    assert (table["read"] == table["yielded"] + table["excluded"] + table["quarantined"]).all()
    odd = table.iloc[0]
    assert (odd["force"], odd["month"], odd["read"], odd["yielded"]) == ("kent", "2019-06", 3, 1)
    assert odd["reasons"] == f"{rules.DATE_UNREADABLE}: 1; {rules.REPEATED_HEADER}: 1"
    assert rules.LONDON_MONTH not in odd["reasons"]


def test_progress_counts_bytes_to_the_end(folder):
    seen = []
    source = read_police_uk(folder, progress=lambda done, total, name: seen.append((done, total, name)))
    rows_of(source)
    total = sum(path.stat().st_size for path in folder.rglob("*.csv"))
    assert seen[-1] == (total, total, str(folder / "2019-05" / "2019-05-kent-stop-and-search.csv"))
    assert [done for done, *_ in seen] == sorted(done for done, *_ in seen)


def test_a_row_dropped_inside_the_reader_makes_the_balance_fail(folder, monkeypatch):
    original = disprop.io.intake._FileReader._encoded

    def losing(self, texts, *columns):
        return original(self, [text[1:] for text in texts], *(column[1:] for column in columns))

    monkeypatch.setattr(disprop.io.intake._FileReader, "_encoded", losing)
    with pytest.raises(BalanceError, match=rf"{KENT}: 4 rows came, 3 are accounted for"):
        rows_of(read_police_uk(folder))


def test_one_endless_line_is_passed_over_in_little_time_and_memory(tmp_path):
    file = tmp_path / KENT
    with file.open("wb") as out:
        out.write(csv_text([fields()]).encode())
        for _ in range(100):
            out.write(b"x" * 1_000_000)
        out.write(b"\n" + csv_text([fields()]).partition("\n")[2].encode())
    source = read_police_uk(file)
    started = time.process_time()
    assert len(rows_of(source)) == 2
    assert time.process_time() - started < 3
    assert source.account.quarantined == {rules.TOO_LONG: 1}
    tracemalloc.start()
    rows_of(source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000_000


def test_a_long_file_is_read_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(disprop.io.archive, "CHUNK", 5_000)
    rows = [fields(Date=f"2019-04-{i % 28 + 1:02d}T12:00:00+00:00") for i in range(500)]
    file = write_csv(tmp_path / KENT, rows)
    source = read_police_uk(file)
    assert len(list(source.batches())) > 10
    assert [like_naive(row) for row in rows_of(source)] == read_rows(file)
    assert source.parts["rows"].tolist() == [500]
