"""The frame: same bytes for everyone, and refused by name where it cannot be."""

import hashlib

import pandas as pd
import pyarrow as pa
import pytest
import second_draw
from hypothesis import given, settings
from hypothesis import strategies as st

from disprop.audit.frame import FrameColumns, build_frame, grounds_hash, parse_frame
from disprop.errors import InputRefused, UsageError

SALT = bytes(range(32))

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
rows = st.lists(
    st.fixed_dictionaries({"id": text.filter(bool), "unit": text, "group": text, "grounds": text}),
    min_size=1,
    max_size=12,
).filter(lambda found: len({second_draw.nfc(row["id"]) for row in found}) == len(found))


def table(found):
    return pa.table({name: pa.array([row[name] for row in found], pa.string()) for name in found[0]})


def test_layout():
    frame = build_frame(
        pa.table({"record_id": ["b", 'a"1', "c"], "unit": ["N, E", "N, E", ""], "extra": [1, 2, 3]}),
        columns=FrameColumns(strata=("unit",)),
    )
    assert frame.content == b'record_id,unit\nc,\n"a""1","N, E"\nb,"N, E"\n'
    assert frame.digest == hashlib.sha256(frame.content).digest()
    assert frame.stratum_sizes() == {("",): 1, ("N, E",): 2}
    assert frame.stratum_digests()[("",)] == hashlib.sha256(b"c,\n").hexdigest()


@given(rows)
@settings(max_examples=60, deadline=None)
def test_the_second_implementation_lays_out_the_same_bytes(found):
    columns = FrameColumns(record_id="id", strata=("unit",), domains=("group",), grounds="grounds")
    frame = build_frame(table(found), columns=columns, salt=SALT)
    assert frame.content == second_draw.frame_bytes(
        found, list(found[0]), strata=["unit"], domains=["group"], grounds="grounds", id_column="id", salt=SALT
    )
    assert parse_frame(frame.content, strata=("unit",)).content == frame.content


@given(rows)
@settings(max_examples=30, deadline=None)
def test_records_without_ids(found):
    doubled = found + found[:1]
    columns = FrameColumns(record_id=None, strata=("unit", "group"))
    frame = build_frame(table(doubled), columns=columns, salt=SALT)
    slow = second_draw.frame_bytes(doubled, list(found[0]), strata=["unit", "group"], id_column=None, salt=SALT)
    assert frame.content == slow
    assert frame.records == len(doubled)


@given(rows, st.randoms())
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_records_does_not_matter(found, chance):
    columns = FrameColumns(record_id="id", strata=("unit",))
    shuffled = chance.sample(found, len(found))
    assert build_frame(table(found), columns=columns).content == build_frame(table(shuffled), columns=columns).content


def test_csv_pandas_and_arrow_give_the_same_frame(tmp_path):
    found = pd.DataFrame(
        {"record_id": [10, 9, 8], "unit": pd.Categorical(["é", "N", None]), "seen": [True, False, True]}
    )
    columns = FrameColumns(strata=("unit", "seen"))
    from_pandas = build_frame(found, columns=columns)
    path = tmp_path / "records.csv"
    path.write_text("﻿record_id,unit,seen\n10,e\u0301,true\n9,N,false\n8,,true\n", encoding="utf-8")
    assert from_pandas.content == build_frame(path, columns=columns).content
    assert from_pandas.content == build_frame(pa.Table.from_pandas(found), columns=columns).content


def test_a_field_may_run_over_lines(tmp_path):
    path = tmp_path / "records.csv"
    path.write_bytes(b'record_id,grounds\na,"two\nlines"\nb,"say ""no"""\n')
    frame = build_frame(path, columns=FrameColumns(grounds="grounds"), salt=SALT)
    expected = grounds_hash(salt=SALT, record_id="a", grounds="two\nlines")
    assert frame.table.column("grounds_hash")[0].as_py() == expected


def test_equal_grounds_do_not_look_equal():
    frame = build_frame(
        pa.table({"record_id": ["a", "b"], "grounds": ["same", "same"]}),
        columns=FrameColumns(grounds="grounds"),
        salt=SALT,
    )
    assert len(set(frame.table.column("grounds_hash").to_pylist())) == 2


@pytest.mark.parametrize(
    ("records", "columns", "words"),
    [
        ({"record_id": ["a", "a"]}, {}, "'a' is on more than one record"),
        ({"record_id": ["a", None]}, {}, "record 2 has no 'record_id'"),
        ({"record_id": ["a", "b\0"]}, {}, "record 2: a NUL character"),
        ({"record_id": [1.5, 2.5]}, {}, "came as double"),
        ({"other": ["a"]}, {}, "no column 'record_id'; the columns are 'other'"),
        ({"record_id": ["a"]}, {"strata": ("unit",)}, "no column 'unit'"),
        ({"record_id": pa.array([], pa.string())}, {}, "no records"),
    ],
)
def test_refusals_name_what_is_wrong(records, columns, words):
    with pytest.raises(InputRefused, match=words):
        build_frame(pa.table(records), columns=FrameColumns(**columns))


def test_a_column_that_occurs_twice_is_refused(tmp_path):
    path = tmp_path / "records.csv"
    path.write_text("record_id,unit,unit\na,N,S\n")
    with pytest.raises(InputRefused, match="unit"):
        build_frame(path, columns=FrameColumns(strata=("unit",)))


@pytest.mark.parametrize("content", [b"record_id\na\xff\n", b'record_id,unit\na\n"', b""])
def test_a_broken_file_is_refused(tmp_path, content):
    path = tmp_path / "records.csv"
    path.write_bytes(content)
    with pytest.raises(InputRefused, match="records"):
        build_frame(path, columns=FrameColumns())


def test_a_missing_file_and_a_list_are_refused(tmp_path):
    with pytest.raises(InputRefused, match="none"):
        build_frame(tmp_path / "none.csv", columns=FrameColumns())
    with pytest.raises(UsageError, match="came as list"):
        build_frame([1], columns=FrameColumns())
    with pytest.raises(InputRefused, match="several kinds"):
        build_frame(pd.DataFrame({"record_id": ["a", b"x", 3]}), columns=FrameColumns())


def test_the_salt_is_asked_for_and_measured():
    records = pa.table({"record_id": ["a"], "grounds": ["x"]})
    with pytest.raises(UsageError, match="salt is needed"):
        build_frame(records, columns=FrameColumns(grounds="grounds"))
    with pytest.raises(UsageError, match="has 3 bytes"):
        build_frame(records, columns=FrameColumns(grounds="grounds"), salt=b"abc")


@pytest.mark.parametrize("names", [{"strata": ("grounds_hash",)}, {"strata": ("g",), "grounds": "g"}])
def test_reserved_and_repeated_names(names):
    with pytest.raises(UsageError, match=r"named|asked for twice"):
        FrameColumns(**names)


@pytest.mark.parametrize(
    "content",
    [b"record_id,unit\nb,N\na,N\n", b'record_id,unit\n"a",N\n', b"record_id,unit\r\na,N\r\n", b"record_id,unit\na,N"],
)
def test_a_lodged_frame_must_be_canonical(content):
    with pytest.raises(InputRefused, match="canonical"):
        parse_frame(content, strata=("unit",))


def test_a_decomposed_column_name_is_refused():
    with pytest.raises(UsageError, match="not in Unicode NFC"):
        FrameColumns(strata=("unite\u0301",))
