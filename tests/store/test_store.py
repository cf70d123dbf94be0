"""The record store: what goes in comes out, once, in order, and only ever whole."""

import json
import random

import numpy as np
import pyarrow as pa
import pytest

import disprop as dp
from disprop.errors import BalanceError, InputRefused, RevisionError, UsageError
from disprop.io.store import add, is_store, open_store
from disprop.io.store.manifest import FORMAT, current, ledger_path
from tests.invent import many
from tests.sources import COLUMNS, Rows
from tests.store.slots import filed

BY = ["ethnicity_self", "gender", "linked"]


def plain(source):
    """Every row as (force, month, labels), in the order in which they come."""
    return [row for batch in source.batches() for row in batch.to_pylist()]


def test_rows_come_back_by_part_in_the_order_of_their_source(stored):
    some = many(300)
    back = plain(stored(Rows(some)))
    parts = sorted({(row["force"], row["month"]) for row in some})
    expected = [row for part in parts for row in some if (row["force"], row["month"]) == part]
    assert [{name: row[name] for name in COLUMNS} for row in back] == [
        {name: row.get(name) for name in COLUMNS} for row in expected
    ]


def test_a_tally_of_a_store_is_that_of_its_source(stored):
    some = Rows(many(300), empty=[("kent", "2020-01")])
    assert dp.tally(stored(some), by=BY).difference(dp.tally(some, by=BY)) is None


def test_adding_again_changes_nothing(folder):
    first = add(folder, Rows(many(50)))
    again = add(folder, Rows(many(50)))
    assert (again.added, again.replaced, again.unchanged) == (0, 0, first.added)
    assert again.transaction == first.transaction == 1


def test_a_month_published_again_replaces_and_the_ledger_says_so(folder, stored):
    old, new = many(30, force="kent", month="2019-04"), many(20, 2, force="kent", month="2019-04")
    add(folder, filed(old), filed(many(5, force="btp", month="2019-04")))
    assert add(folder, filed(new, "2")).replaced == 1
    assert open_store(folder).account.read == 25
    head, line = map(json.loads, ledger_path(folder, 2).read_text().splitlines())
    assert (head["action"], line["change"], line["force"]) == ("add", "replaced", "kent")
    assert line["was"] == filed(old).parts["part"][0].decode()


def test_a_reader_keeps_to_the_manifest_that_it_opened(folder):
    add(folder, filed(many(30, force="kent", month="2019-04")))
    before = open_store(folder)
    add(folder, filed(many(20, 2, force="kent", month="2019-04"), "2"))
    assert dp.tally(before, by=BY, vehicle_only=True).total == 30
    assert dp.tally(open_store(folder), by=BY, vehicle_only=True).total == 20


def test_the_slot_is_the_months_file_and_the_axis_the_months_own(stored):
    some = [row | {"file_month": "2019-05" if row["month"] == "2019-06" else row["month"]} for row in many(200)]
    store = stored(filed(some))
    assert "2019-06" not in {str(row["month"]) for row in store.rows()}
    assert dp.tally(store, by=BY).difference(dp.tally(filed(some), by=BY)) is None


def test_vocabularies_only_grow_and_codes_keep_their_meaning(folder):
    add(folder, filed(many(40, gender=("Male", None), force="kent")))
    old = open_store(folder).labels("gender")
    add(folder, filed(many(40, gender=("Robot", "Female"), force="btp")))
    new = open_store(folder).labels("gender")
    assert old == ["", "Male"]
    assert new[: len(old)] == old
    assert set(new) == {"", "Male", "Female", "Robot"}


def test_more_labels_than_a_byte_holds(stored):
    rows = many(600, force="kent", month="2019-04", search_type="Person search")
    for i, row in enumerate(rows):
        row["ethnicity_self"] = f"strange {i}"
    store = stored(Rows(rows, batch_rows=70))
    assert store.rows()[0]["ethnicity_self:width"] == 2
    assert dp.tally(store, by=BY).difference(dp.tally(Rows(rows), by=BY)) is None
    assert len(dp.tally(store, by=BY).account.unmapped) == 600


def test_times_and_places_come_back(stored):
    table = dp.synthetic.make_records(months=("2023-04", "2023-05"))
    back = pa.Table.from_batches(stored(dp.read_frame(table)).batches())
    for name in ("event_time", "latitude", "longitude", "month", "gender"):
        assert back[name].to_pylist() == table[name].to_pylist(), name


def test_derived_hours_are_those_of_the_uk_clock(stored):
    rows = pa.table(
        {
            "force": ["kent", "kent", "kent"],
            "month": ["2019-06", "2019-06", "2019-06"],
            "event_time": pa.array([1_560_000_000, 0, None], pa.timestamp("s", "UTC")),
        }
    ).slice(0, 3)
    rows = rows.set_column(2, "event_time", pa.array([1_560_034_800, 1_546_300_800, None], pa.timestamp("s", "UTC")))
    store = stored(dp.read_frame(rows))

    (row,) = store.rows()
    hours = store.codes(row, {"hour": "hour"})["hour"]
    assert hours.tolist() == [0, 0, 24]  # 8 June 23:00 UTC is 9 June 00:00 in summer; 1 January 00:00 UTC is 00:00


def test_a_segment_opens_with_any_arrow_tool(folder):
    add(folder, Rows(many(100)))
    tables = [pa.ipc.open_file(path).read_all() for path in (folder / "segments").glob("*.arrow")]
    assert sum(table.num_rows for table in tables) == 100
    assert {label for table in tables for label in table["gender"].to_pylist()} == {"", "Male", "Female"}


def test_another_kind_of_record_is_kept_apart_with_its_keys(folder):
    class Reports(Rows):
        def batches(self, columns=None):
            for batch in super().batches(columns):
                keys = np.arange(batch.num_rows, dtype=np.uint64) + np.uint64(2**63)
                yield batch.append_column("officer_key", pa.array(keys, mask=keys % 2 == 0))

    rows = many(20, force="kent", month="2019-04")
    add(folder, Reports(rows, kind="force_report", unit="force reports"), Rows(rows))
    with pytest.raises(UsageError, match="kinds force_report, search; name one with kind="):
        open_store(folder)
    store = open_store(folder, kind="force_report")
    keys = [row["officer_key"] for row in plain(store)]
    assert keys == [None if i % 2 == 0 else 2**63 + i for i in range(20)]
    tally = dp.tally(store, by=["gender"], vehicle_only=True)
    assert (tally.unit, tally.total) == ("force reports", 20)


def test_two_datasets_of_one_month_are_refused_until_one_is_named(folder):
    rows = many(10, force="kent", month="2019-04")
    add(folder, Rows(rows), Rows(rows[:4], dataset="home-office"))
    with pytest.raises(UsageError, match=r"kent 2019-04 is filled by home-office and police\.uk"):
        open_store(folder)
    assert open_store(folder, dataset="home-office").account.read == 4
    with pytest.raises(UsageError, match="no dataset 'homeoffice'; did you mean 'home-office'"):
        open_store(folder, dataset="homeoffice")


def test_two_sources_with_one_slot_are_refused_and_nothing_is_stored(folder):
    add(folder, filed(many(10, force="btp")))
    before = current(folder)
    one = many(10, force="kent", month="2019-04")
    with pytest.raises(RevisionError):
        add(folder, filed(one), filed(one, "2"))
    assert current(folder) == before


def test_a_lost_row_is_refused_and_nothing_is_stored(folder):
    class Loses(Rows):
        def batches(self, columns=None):
            for batch in super().batches(columns):
                yield batch.slice(1)

    with pytest.raises(BalanceError, match="nothing was stored"):
        add(folder, Loses(many(10)))
    assert current(folder)["number"] == 0


def test_a_source_that_fails_leaves_the_store_as_it_was(folder):
    class Breaks(Rows):
        def batches(self, columns=None):
            yield next(super().batches(columns))
            raise InputRefused("line 51 is broken")

    add(folder, Rows(many(10)))
    before = sorted(path for path in folder.rglob("*"))
    with pytest.raises(InputRefused, match="line 51"):
        add(folder, Breaks(many(100, 2)))
    assert sorted(path for path in folder.rglob("*")) == before


def test_a_column_of_another_type_is_refused(folder):
    class Odd(Rows):
        def batches(self, columns=None):
            for batch in super().batches(columns):
                yield batch.append_column("weight", pa.array([1.5] * batch.num_rows, pa.float32()))

    with pytest.raises(InputRefused, match="column weight is float"):
        add(folder, Odd(many(10)))


def test_a_second_writer_is_refused_while_one_writes(folder):
    class Adds(Rows):
        def batches(self, columns=None):
            add(folder, Rows(many(3)))
            yield from super().batches(columns)

    with pytest.raises(InputRefused, match="another process is changing this store"):
        add(folder, Adds(many(10)))


def test_what_is_no_store_or_a_newer_one_is_refused(folder, tmp_path):
    with pytest.raises(InputRefused, match="is no record store"):
        open_store(tmp_path)
    add(folder, Rows(many(3)))
    assert is_store(folder)
    assert not is_store(tmp_path)
    (folder / "FORMAT").write_text("disprop-store-2\n")
    with pytest.raises(InputRefused, match=f"'disprop-store-2'; this disprop reads '{FORMAT}'"):
        open_store(folder)


def test_a_folder_with_other_files_is_not_made_a_store(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(InputRefused, match="holds other files"):
        add(tmp_path, Rows(many(3)))


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_truncated_segment_is_refused_at_opening_not_a_crash(folder, cut):
    add(folder, Rows(many(50)))
    segment = next((folder / "segments").glob("*.arrow"))
    segment.write_bytes(segment.read_bytes()[:cut])
    with pytest.raises(InputRefused, match=r"its manifest says|cannot be read"):
        dp.tally(open_store(folder), by=BY)


def test_a_missing_segment_is_refused(folder):
    add(folder, Rows(many(50)))
    next((folder / "segments").glob("*.arrow")).unlink()
    with pytest.raises(InputRefused, match="cannot be read"):
        dp.tally(open_store(folder), by=BY)


def test_a_path_to_a_store_is_read_as_one(folder):
    add(folder, Rows(many(50)))
    assert dp.tally(folder, by=BY) == dp.tally(Rows(many(50)), by=BY)


def test_any_order_of_adding_gives_the_same_tally(tmp_path):
    rows = many(400)
    months = sorted({row["month"] for row in rows})
    tallies = []
    for seed in range(3):
        order = random.Random(seed).sample(months, len(months))
        for month in order:
            add(tmp_path / str(seed), Rows([row for row in rows if row["month"] == month]))
        tallies.append(dp.tally(tmp_path / str(seed), by=BY))
    assert tallies[0] == tallies[1] == tallies[2] == dp.tally(Rows(rows), by=BY)
