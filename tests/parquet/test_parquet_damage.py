"""Bad input: one clear error that names the file, and nothing counted."""

import os
import random

import pyarrow as pa
import pytest
from pyarrow import parquet

import disprop as dp
from disprop.errors import DispropError, InputRefused
from disprop.io.parquet import read_parquet

BY = ["gender", "linked"]


@pytest.fixture
def folder(searches, tmp_path):
    for i in range(3):
        parquet.write_table(searches.slice(1000 * i, 1000), tmp_path / f"{i}.parquet", row_group_size=300)
    return tmp_path


def overwrite(path, at, content):
    """Bytes changed in place, the time of the file kept."""
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def refused(source, words="", **asked):
    with pytest.raises(InputRefused) as caught:
        dp.tally(source, by=BY, **asked)
    text = str(caught.value)
    assert words in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("fast", [True, False])
def test_a_corrupt_row_group(folder, fast, monkeypatch):
    import disprop.io.parquet as module

    monkeypatch.setattr(module, "FEWEST_ROWS", 0 if fast else 10**9)
    column = parquet.read_metadata(folder / "1.parquet").row_group(2).column(0)
    overwrite(folder / "1.parquet", column.dictionary_page_offset, b"\xff" * column.total_compressed_size)
    assert "1.parquet" in refused(folder, "nothing was counted")


def test_flipped_bytes_are_refused_or_change_nothing_but_values(folder, searches):
    """Pages without a check sum can hide a changed value; never a lost row, a crash or another error."""
    rng = random.Random(5)
    path = folder / "0.parquet"
    content = path.read_bytes()
    said = []
    for _ in range(60):
        place = rng.randrange(4, len(content) - 8)
        overwrite(path, place, bytes([content[place] ^ (1 << rng.randrange(8))]))
        try:
            counted = dp.tally(path, by=BY)
            assert counted.account.read == 1000
        except DispropError as why:
            said.append(str(why))
        overwrite(path, place, content[place : place + 1])
    assert said
    assert all("0.parquet" in text for text in said)


def test_a_flipped_bit_under_a_check_sum_is_refused(searches, tmp_path):
    path = tmp_path / "x.parquet"
    parquet.write_table(searches, path, compression="none", write_page_checksum=True)
    column = parquet.read_metadata(path).row_group(0).column(searches.column_names.index("gender"))
    place = column.dictionary_page_offset + column.total_compressed_size - 3
    overwrite(path, place, bytes([path.read_bytes()[place] ^ 1]))
    refused(path, "x.parquet")


@pytest.mark.parametrize("keep", [0, 3, 11, 500])
def test_a_file_cut_short(folder, keep):
    content = (folder / "2.parquet").read_bytes()
    (folder / "2.parquet").write_bytes(content[:keep])
    refused(folder, "2.parquet")


def test_something_else_under_the_name(folder):
    (folder / "2.parquet").write_text("<html>Not found</html>")
    refused(folder, "2.parquet")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(["gender"]), "`gender` is absent here"),
        (
            lambda t: t.set_column(1, "event_time", t["event_time"].cast(pa.timestamp("s"))),
            "a time without a zone here",
        ),
        (lambda t: t.set_column(1, "event_time", t["event_time"].cast(pa.string())), "another schema"),
    ],
)
def test_another_schema(change, words, folder, searches):
    parquet.write_table(change(searches.slice(0, 10)), folder / "3.parquet")
    assert "3.parquet" in refused(folder, words)


def test_without_the_columns_that_are_needed(folder, searches):
    parquet.write_table(searches.drop(["event_time"]), folder / "3.parquet")
    refused(folder / "3.parquet", "neither `event_time` nor `month`")
    parquet.write_table(searches.drop(["force"]), folder / "3.parquet")
    refused(folder / "3.parquet", "no `force`")


def test_a_saved_tally_is_not_records(folder, searches):
    dp.tally(searches, by=BY).save(folder / "3.parquet")
    refused(folder, "saved tally")


def test_a_file_that_disappears(folder):
    source = read_parquet(folder)
    (folder / "1.parquet").unlink()
    refused(source, "1.parquet")
    refused(folder / "1.parquet", "no such file")


def test_a_file_that_is_replaced_meanwhile(folder, searches):
    source = read_parquet(folder)
    parquet.write_table(searches.slice(0, 1000), folder / "1.parquet")
    os.utime(folder / "1.parquet", ns=(0, 0))
    assert "1.parquet" in refused(source, "changed while it was read")


def test_nothing_to_read(tmp_path):
    with pytest.raises(InputRefused):
        read_parquet(tmp_path)


def test_not_one_row_readable(tmp_path):
    parquet.write_table(pa.table({"force": ["narnia"] * 20, "month": ["2019-04"] * 20}), tmp_path / "x.parquet")
    with pytest.raises(InputRefused, match="not one row could be read"):
        dp.tally(tmp_path / "x.parquet", by=[])
