"""Somebody else's Parquet: whoever wrote it, in whatever types, the counts are those of its rows."""

from collections import Counter

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from naive_parquet import count, count_hours
from pyarrow import parquet

import disprop as dp
from disprop.errors import UsageError
from disprop.io.parquet import read_parquet
from disprop.io.rules import FRACTION, LONDON_MONTH, NO_OFFSET, SAME_CONTENT, UNKNOWN_COLUMN, WEAK_DIGEST
from disprop.partial import Partial
from disprop.records import axis_spec

BY = ["gender", "linked"]


def cells(tally):
    """Cells that are not 0, as the slow truth gives them."""
    frame = tally.project(["force", "month", *BY]).frame()
    return Counter({(row.force, row.month, row.gender, row.linked): row.n for row in frame.itertuples()})


def known(counts):
    """The slow truth's cells with the forces' codes for their names."""
    return Counter({(key[0].replace("Avon & Somerset", "avon-and-somerset"), *key[1:]): n for key, n in counts.items()})


def same_as_table(counted, of_table):
    """All but the names of parts, and the note on them, is as if the table had been read from memory."""
    notes = {name: n for name, n in counted.account.notes.items() if name != WEAK_DIGEST}
    assert counted.axes == of_table.axes
    assert np.array_equal(counted.counts, of_table.counts)
    assert notes == of_table.account.notes
    for name in ("read", "excluded", "quarantined", "unmapped"):
        assert getattr(counted.account, name) == getattr(of_table.account, name)
    for name in ("force", "month", "rows"):
        assert sorted(counted.parts[name].tolist()) == sorted(of_table.parts[name].tolist())


def only_counts(source, specs=(), **asked):
    """Whether no batch was left to the careful reader."""
    from disprop.partial import Wanted

    wanted = Wanted((tuple(specs),), None, None, False, ("a", "b", "c"))
    return all(isinstance(some, Partial) for some in source.count(wanted, **asked))


# Writers and types


def by_pyarrow(table, path):
    parquet.write_table(table, path, row_group_size=700)


def by_pandas(table, path):
    table.to_pandas().to_parquet(path, index=False)


def by_pandas_categories(table, path):
    frame = table.to_pandas()
    labels = ["force", "search_type", "gender", "ethnicity_self", "age_band", "object"]
    frame.astype(dict.fromkeys(labels, "category")).to_parquet(path, index=False)


def by_polars(table, path):
    pl.from_arrow(table).write_parquet(path, row_group_size=700)


def by_duckdb(table, path):
    connection = duckdb.connect().register("searches", table)
    connection.execute(f"copy searches to '{path}' (format parquet, row_group_size 2048)")


WRITERS = (by_pyarrow, by_pandas, by_pandas_categories, by_polars, by_duckdb)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_every_writer(write, searches, records, tmp_path):
    path = tmp_path / "searches.parquet"
    write(searches, path)
    counted = dp.tally(path, by=BY)
    assert cells(counted) == known(count(records))
    assert only_counts(read_parquet(path))
    same_as_table(counted, dp.tally(parquet.read_table(path), by=BY))


TEXTS = (
    pa.string(), pa.large_string(), pa.string_view(), pa.binary(),
    *(pa.dictionary(index, pa.string()) for index in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8())),
    pa.dictionary(pa.int32(), pa.large_string()),
)  # fmt: skip


@pytest.mark.parametrize("kind", TEXTS, ids=str)
def test_every_type_of_text(kind, searches, records, tmp_path):
    for name in ("force", "search_type", "gender", "object"):
        at = searches.column_names.index(name)
        column = searches[name].combine_chunks()
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        column = pa.array(column.to_pylist(), inner) if pa.types.is_string_view(inner) else column.cast(inner)
        column = column.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else column
        searches = searches.set_column(at, name, column)
    by_pyarrow(searches, tmp_path / "x.parquet")
    assert cells(dp.tally(tmp_path / "x.parquet", by=BY)) == known(count(records))
    assert only_counts(read_parquet(tmp_path / "x.parquet"))


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/New_York", None])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_every_type_of_time(unit, zone, searches, records, tmp_path):
    times = searches["event_time"].cast(pa.timestamp(unit, "UTC"))
    times = times.cast(pa.timestamp(unit, zone)) if zone else times.cast(pa.timestamp(unit))
    by_pyarrow(searches.set_column(1, "event_time", times), tmp_path / "x.parquet")
    counted = dp.tally(tmp_path / "x.parquet", by=BY)
    assert cells(counted) == known(count(records))
    assert only_counts(read_parquet(tmp_path / "x.parquet"))
    assert counted.account.notes.get(NO_OFFSET) == (None if zone else len(records))
    by_hour = dp.tally(tmp_path / "x.parquet", by=["hour"]).project(["hour"]).frame()
    assert dict(zip(by_hour["hour"], by_hour["n"])) == count_hours(records)
    assert only_counts(read_parquet(tmp_path / "x.parquet"), [axis_spec("hour")])


def test_files_without_instants_have_no_hours(searches, tmp_path):
    months = searches.drop(["event_time"]).append_column("month", pa.array(["2019-05"] * len(searches)))
    by_pyarrow(months, tmp_path / "x.parquet")
    counted = dp.tally(tmp_path / "x.parquet", by=["hour"])
    assert counted[{"hour": "blank"}] == counted.total > 1000
    same_as_table(counted, dp.tally(months, by=["hour"]))


def test_times_by_the_uk_clock_go_the_careful_way(searches, tmp_path):
    naive = searches["event_time"].cast(pa.timestamp("us"))
    table = searches.set_column(1, "event_time", naive)
    by_pyarrow(table, tmp_path / "x.parquet")
    source = read_parquet(tmp_path / "x.parquet", time_zone="Europe/London")
    same_as_table(dp.tally(source, by=BY), dp.tally(dp.read_frame(table, time_zone="Europe/London"), by=BY))


def test_fractions_of_a_second_are_noted(searches, tmp_path):
    times = pa.array([1_556_700_000_123, 1_556_700_001_000], pa.timestamp("ms", "UTC"))
    by_pyarrow(pa.table({"force": ["kent", "kent"], "event_time": times}), tmp_path / "x.parquet")
    assert dp.tally(tmp_path / "x.parquet", by=[]).account.notes[FRACTION] == 1


def test_slices_written_from_the_middle(searches, records, tmp_path):
    encoded = pa.table(
        {name: column.combine_chunks().slice(0) for name, column in zip(searches.column_names, searches)}
    )
    by_pyarrow(encoded.slice(1001, 777), tmp_path / "x.parquet")
    assert cells(dp.tally(tmp_path / "x.parquet", by=BY)) == known(count(records[1001:1778]))


@pytest.mark.parametrize("name", ["force", "event_time", "month", "search_type", "gender", "linked"])
def test_nulls_in_every_column(name, searches, tmp_path):
    table = searches.append_column("month", pa.array(["2019-05"] * len(searches)))
    column = table[name].to_pylist()
    column[5], column[2000] = None, None
    table = table.set_column(table.column_names.index(name), name, pa.array(column, table[name].type))
    by_pyarrow(table, tmp_path / "x.parquet")
    same_as_table(dp.tally(tmp_path / "x.parquet", by=BY), dp.tally(table, by=BY))


def test_a_column_that_is_null_throughout(searches, tmp_path):
    table = searches.drop(["gender"]).append_column("gender", pa.nulls(len(searches)))
    by_pyarrow(table, tmp_path / "x.parquet")
    same_as_table(dp.tally(tmp_path / "x.parquet", by=BY), dp.tally(table, by=BY))


@pytest.mark.parametrize("kind", [pa.string(), pa.int8(), pa.float64()], ids=str)
def test_flags_of_every_type(kind, searches, tmp_path):
    linked = searches["linked"].cast(pa.int8()).cast(kind)
    table = searches.set_column(searches.column_names.index("linked"), "linked", linked)
    by_pyarrow(table, tmp_path / "x.parquet")
    same_as_table(dp.tally(tmp_path / "x.parquet", by=BY), dp.tally(table, by=BY))


def test_police_uk_headers(searches, records, tmp_path):
    names = {
        "event_time": "Date",
        "search_type": "Type",
        "gender": "Gender",
        "linked": "Outcome linked to object of search",
    }
    table = searches.rename_columns([names.get(name, name) for name in searches.column_names])
    by_pyarrow(table, tmp_path / "x.parquet")
    assert cells(dp.tally(tmp_path / "x.parquet", by=BY)) == known(count(records))


# Rows that are not plain


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("force", ["kent", "narnia", None]),
        ("gender", ["Robot", "n/a", "Male"]),
        ("event_time", [0, 253_402_300_799, -2_208_988_800]),
    ],
)
def test_strange_values_are_put_aside_as_from_memory(name, values, searches, tmp_path):
    column = searches[name].to_pylist()
    kept = [value.timestamp() if name == "event_time" else value for value in column]
    kept[7], kept[8], kept[1500] = values
    kind = searches[name].type
    column = (
        pa.array([int(value) for value in kept], pa.int64()).cast(kind)
        if name == "event_time"
        else pa.array(kept, kind)
    )
    table = searches.set_column(searches.column_names.index(name), name, column)
    by_pyarrow(table, tmp_path / "x.parquet")
    counted = dp.tally(tmp_path / "x.parquet", by=BY, period=("2019-04", "2019-05"), force=["kent", "surrey"])
    same_as_table(counted, dp.tally(table, by=BY, period=("2019-04", "2019-05"), force=["kent", "surrey"]))


def test_quarantined_rows_stand_by_file_and_row(searches, tmp_path):
    forces = searches["force"].to_pylist()
    forces[1702] = "narnia"
    path = tmp_path / "x.parquet"
    by_pyarrow(searches.set_column(0, "force", pa.array(forces)), path)
    source = read_parquet(path, quarantine=tmp_path / "aside.csv")
    dp.tally(source, by=BY)
    (row,) = source.quarantined
    assert (row.file, row.line, row.value) == (str(path), 1703, "narnia")
    assert (tmp_path / "aside.csv").read_text().count("narnia") >= 1


def test_part_month_and_analysis_month_differ(tmp_path):
    times = pa.array([1_554_073_200, 1_554_073_199], pa.timestamp("s", "UTC"))  # 31 March 2019, 23:00 UTC
    table = pa.table({"force": ["kent", "kent"], "event_time": times, "month": pa.array([590, 590], pa.int32())})
    by_pyarrow(table, tmp_path / "x.parquet")
    counted = dp.tally(tmp_path / "x.parquet", by=[])
    assert counted.account.notes[LONDON_MONTH] == 1
    assert [counted[{"month": "2019-03"}], counted[{"month": "2019-04"}]] == [1, 1]
    assert counted.parts["month"].tolist() == [590]
    assert only_counts(read_parquet(tmp_path / "x.parquet"))


@pytest.mark.parametrize("months", [pa.array([591, 592, 592], pa.int16()), pa.array(["2019-04", "2019-05", "2019-05"])])
def test_months_alone(months, tmp_path):
    by_pyarrow(pa.table({"force": ["kent"] * 3, "month": months}), tmp_path / "x.parquet")
    counted = dp.tally(tmp_path / "x.parquet", by=[])
    assert counted.counts.tolist() == [[1, 2]]


def test_force_given(searches, records, tmp_path):
    by_pyarrow(searches.drop(["force"]), tmp_path / "x.parquet")
    counted = dp.tally(read_parquet(tmp_path / "x.parquet", force="kent"), by=BY)
    assert cells(counted) == count([row | {"force": "kent"} for row in records])


# Threads, layouts, counts beyond a byte


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("order", ["shuffled", "by force", "by time"])
def test_threads_and_order_change_nothing(threads, order, searches, tmp_path, monkeypatch):
    keys = {"by force": [("force", "ascending")], "by time": [("event_time", "ascending")]}
    table = searches.sort_by(keys[order]) if order in keys else searches
    monkeypatch.setattr(disprop_parquet(), "BATCH", 97)
    for i in range(3):
        parquet.write_table(table.slice(1000 * i, 1000), tmp_path / f"{i}.parquet", row_group_size=130)
    source = read_parquet(tmp_path)
    source._threads = threads
    same_as_table(dp.tally(source, by=[*BY, "age_band"]), dp.tally(table, by=[*BY, "age_band"]))


def disprop_parquet():
    import disprop.io.parquet as module

    return module


def test_cells_beyond_a_byte(tmp_path):
    n = 70_000
    table = pa.table(
        {"force": ["kent"] * n, "month": pa.array([591] * (n - 3) + [592] * 3, pa.int32()), "gender": ["Male"] * n}
    )
    by_pyarrow(table, tmp_path / "x.parquet")
    counted = dp.tally(tmp_path / "x.parquet", by=["gender"])
    assert counted[{"month": "2019-04", "gender": "Male"}] == n - 3


def test_several_tallies_and_one_column_on_two_axes(searches, tmp_path):
    by_pyarrow(searches, tmp_path / "x.parquet")
    wanted = [["ethnicity_self", "ethnicity_self_19"], ["gender"], [], ["linked", "gender", "search_type"]]
    several = dp.scan(tmp_path / "x.parquet", wanted, vehicle_only=True)
    for counted, of_table in zip(several, dp.scan(searches, wanted, vehicle_only=True)):
        same_as_table(counted, of_table)


def test_a_cube_too_large_goes_the_careful_way(searches, tmp_path, monkeypatch):
    import disprop.io.parquet_scan as scan

    by_pyarrow(searches, tmp_path / "x.parquet")
    monkeypatch.setattr(scan, "LARGEST", 10)
    same_as_table(dp.tally(tmp_path / "x.parquet", by=BY), dp.tally(searches, by=BY))
    assert not only_counts(read_parquet(tmp_path / "x.parquet"))


# Skipping, naming, choosing


def test_row_groups_that_cannot_match_are_not_decoded(searches, tmp_path):
    table = searches.sort_by([("force", "ascending"), ("event_time", "ascending")])
    parquet.write_table(table, tmp_path / "x.parquet", row_group_size=100)
    source = read_parquet(tmp_path / "x.parquet")
    source._threads = 1  # so that the cube has to grow from forces not asked for to those that are
    counted = dp.tally(source, by=BY, force="surrey")
    plain = dp.tally(table, by=BY, force="surrey")
    assert np.array_equal(counted.counts, plain.counts)
    assert counted.account.excluded == plain.account.excluded
    assert counted.account.notes["row group skipped by its statistics"] >= 15
    assert len(counted.parts) == len(plain.parts)


def test_months_far_before_the_period_are_not_decoded(tmp_path):
    months = pa.array(sorted([560, 578, 580, 591, 600] * 20), pa.int32())
    table = pa.table({"force": ["kent"] * 100, "month": months})
    parquet.write_table(table, tmp_path / "x.parquet", row_group_size=20)
    counted = dp.tally(tmp_path / "x.parquet", by=[], period=("2019-04", "2019-05"))
    assert counted.total == 20
    assert counted.account.excluded == {"outside the period": 80}
    assert counted.account.notes["row group skipped by its statistics"] == 3  # 580 is among the 12 months before
    assert sorted(counted.parts["month"].tolist()) == [580, 591]


def test_only_the_columns_needed_are_decoded(searches, tmp_path):
    by_pyarrow(searches, tmp_path / "x.parquet")
    data = bytearray((tmp_path / "x.parquet").read_bytes())
    column = parquet.read_metadata(tmp_path / "x.parquet").row_group(0).column(searches.column_names.index("object"))
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    (tmp_path / "x.parquet").write_bytes(data)
    same_as_table(dp.tally(tmp_path / "x.parquet", by=BY), dp.tally(searches, by=BY))


def test_a_part_is_named_by_its_footer_or_by_all_its_bytes(searches, tmp_path):
    for name in ("a.parquet", "b.parquet"):
        by_pyarrow(searches, tmp_path / name)
    weak = [dp.tally(read_parquet(tmp_path / name), by=[]) for name in ("a.parquet", "b.parquet")]
    full = [dp.tally(read_parquet(tmp_path / name, digest="full"), by=[]) for name in ("a.parquet", "b.parquet")]
    assert weak[0].account.notes[WEAK_DIGEST] == 1
    assert WEAK_DIGEST not in full[0].account.notes
    assert not np.array_equal(weak[0].parts["part"], weak[1].parts["part"])
    assert np.array_equal(full[0].parts["part"], full[1].parts["part"])
    assert not np.array_equal(full[0].parts["part"], weak[0].parts["part"])
    with pytest.raises(dp_error("OverlapError")):
        full[0] + full[1]


def dp_error(name):
    from disprop import errors

    return getattr(errors, name)


def test_the_same_bytes_twice_are_read_once(searches, tmp_path):
    for name in ("a.parquet", "b.parquet"):
        by_pyarrow(searches, tmp_path / name)
    (tmp_path / "c.parquet").symlink_to(tmp_path / "a.parquet")
    counted = dp.tally(tmp_path, by=BY)
    assert counted.account.read == len(searches)
    assert counted.account.notes[SAME_CONTENT] == 1


def test_unknown_columns_are_named(searches, tmp_path):
    by_pyarrow(searches.append_column("shoe size", pa.array([9] * len(searches))), tmp_path / "x.parquet")
    assert dp.tally(tmp_path / "x.parquet", by=[]).account.notes[f"{UNKNOWN_COLUMN}: shoe size"] == 1


def test_folders_globs_and_mixtures(searches, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    by_pyarrow(searches.slice(0, 500), tmp_path / "in" / "a.parquet")
    by_pyarrow(searches.slice(500), tmp_path / "in" / "deep" / "b.PARQUET")
    by_pyarrow(searches, tmp_path / "in" / "_metadata.parquet")
    assert dp.tally(tmp_path / "in", by=[]).account.read == len(searches)
    assert dp.tally(str(tmp_path / "in" / "*.parquet"), by=[]).account.read in (500, 3500)
    (tmp_path / "2019-04-kent-stop-and-search.csv").write_text("Type,Date\n")
    with pytest.raises(UsageError, match="read them apart"):
        dp.tally([tmp_path / "in", tmp_path / "2019-04-kent-stop-and-search.csv"], by=[])


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"scheme": "klingon"}, "scheme"), ({"digest": "strong"}, "weak, full"), ({"force": "narnia"}, "narnia")],
)
def test_arguments_are_checked(asked, words, searches, tmp_path):
    by_pyarrow(searches, tmp_path / "x.parquet")
    with pytest.raises(UsageError, match=words):
        read_parquet(tmp_path / "x.parquet", **asked)


def test_on_the_command_line(searches, tmp_path):
    from click.testing import CliRunner

    from disprop.cli import cli

    by_pyarrow(searches, tmp_path / "x.parquet")
    done = CliRunner().invoke(cli, ["tally", str(tmp_path / "x.parquet"), "--by", "gender", "--format", "csv"])
    assert done.output.startswith("force,month,gender,n\n")
