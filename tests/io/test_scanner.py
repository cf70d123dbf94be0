"""The compiled scanner against the careful reader: same records, same account, same refusal, on every file."""

import re
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from police_files import KENT, csv_text, fields, write_csv, write_text

from disprop.errors import BalanceError, DispropError, InputRefused
from disprop.io import archive, csv_scan
from disprop.io.police_uk import read_police_uk
from disprop.kernels import _jit as jit
from disprop.kernels import csv as kernel
from disprop.kernels.csv import _seconds as kernel_seconds

NEVER = 1 << 60
MAY = "2019-05-kent-stop-and-search.csv"
ESSEX = "2019-04-essex-stop-and-search.csv"
REGULAR = [
    fields(),
    fields(Gender="", Outcome="", Latitude="", Longitude=""),
    fields(Date="2019-04-30T23:30:00+00:00", Policing="Operation Évora"),
    fields(Date="2019-04-01T00:30:59+01:00", Age="over 34", Latitude="52", Longitude="-1.123456789"),
    fields(Type="Vehicle search", Latitude="51.50", Longitude="0.0"),
]
TEXT = csv_text(REGULAR).encode()


def write_regular(folder, *names):
    """Files of the regular rows, each with content of its own."""
    for i, name in enumerate(names):
        write_csv(folder / name, [*REGULAR, fields(Policing=f"{i:03d}")])


@contextmanager
def scanner_from(size):
    """The scanner taken for reads of at least so many bytes, and the names of the files it left to the reader."""
    left = []

    def careful(member, *rest):
        left.append(member.name)
        return read_file(member, *rest)

    read_file, fewest = csv_scan.read_file, csv_scan.FEWEST_BYTES
    csv_scan.read_file, csv_scan.FEWEST_BYTES = careful, size
    try:
        yield left
    finally:
        csv_scan.read_file, csv_scan.FEWEST_BYTES = read_file, fewest


def outcome(paths, columns, how):
    """All that a read tells: schema, records, account, files, parts, rows put aside; or its refusal."""
    try:
        source = read_police_uk(*paths, **how)
        batches = list(source.batches(columns))
        told = source.account, source.files, source.parts.tolist(), source.quarantined
    except BalanceError:
        raise
    except DispropError as refusal:
        return str(refusal)
    return {str(batch.schema) for batch in batches}, words(batches), *told


def words(batches):
    """All records as one table, labels as plain text: dictionaries may differ from batch to batch."""
    table = pa.Table.from_batches(batches, batches[0].schema if batches else pa.schema([]))
    plain = [pa.string() if pa.types.is_dictionary(kind) else kind for kind in table.schema.types]
    return table.cast(pa.schema(list(zip(table.column_names, plain)))).combine_chunks()


def both_ways(*paths, columns=None, **how):
    """What the scanner tells, after checking that the careful reader tells the same; and the files it left."""
    with scanner_from(NEVER):
        careful = outcome(paths, columns, how)
    with scanner_from(0) as left:
        scanned = outcome(paths, columns, how)
    assert scanned == careful
    return scanned, left


def test_regular_files_are_scanned(tmp_path):
    write_regular(tmp_path, KENT, MAY, ESSEX)
    write_text(tmp_path / "2019-06-kent-stop-and-search.csv", csv_text([]))
    (schemas, records, account, *_), left = both_ways(tmp_path)
    assert left == []
    assert len(schemas) == 1
    assert account.read == len(records) == 3 * len(REGULAR) + 3
    assert {note.partition(":")[0] for note in account.notes} == {"in another London month than its file"}


@pytest.mark.parametrize("columns", [set(), {"gender"}, {"longitude"}, {"part_month", "video_recorded", "area"}])
def test_wanted_columns(tmp_path, columns):
    write_csv(tmp_path / KENT, REGULAR)
    _, left = both_ways(tmp_path, columns=columns)
    assert left == []


def test_carriage_return_and_line_feed(tmp_path):
    write_csv(tmp_path / KENT, REGULAR, end="\r\n")
    _, left = both_ways(tmp_path)
    assert left == []


def test_labels_that_begin_alike_are_told_apart(tmp_path):
    alike = ["Male", "Males", "Male and more", "Male and mor", "Mal", "Male and more", "Male", "", "Male and moss"]
    last = ["True", "Tru", "True", "False", "", "True"]
    rows = [fields(Gender=alike[i % 9], Outcome=alike[i * 5 % 9], Removal=last[i % 6]) for i in range(400)]
    write_csv(tmp_path / KENT, rows)
    assert both_ways(tmp_path)[1] == []


@jit.kernel("void(uint8[::1], int64[::1])", wraps=True)
def seconds_of(text, out):
    for i in range(out.size):
        out[i] = kernel_seconds(text, 26 * i)


def plain_seconds(text):
    """UTC seconds of a date in the one plain form, by the standard library; else None."""
    if not re.fullmatch(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-5][0-9]", text):
        return None
    try:
        moment = datetime.fromisoformat(text.decode())
        return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


@pytest.mark.parametrize("date", [b"2019-04-30T23:30:00+00:00", b"2000-02-29T19:59:59-11:09"])
def test_every_byte_at_every_place_of_a_date(date):
    texts = [date[:place] + bytes([byte]) + date[place + 1 :] for place in range(25) for byte in range(256)]
    found = np.zeros(len(texts), dtype=np.int64)
    seconds_of(np.frombuffer(b",".join(texts), dtype=np.uint8), found)
    ours = [seconds if seconds > -(2**62) else None for seconds in found.tolist()]
    differ = [(text, one, two) for text, one, two in zip(texts, ours, map(plain_seconds, texts)) if one != two]
    assert sum(one is not None for one in ours) > 25
    assert differ == []


@pytest.mark.parametrize("place", ["52.1.2", "52.", ".5", "-", "52-1", "5 2", "52.1x"])
def test_a_place_that_is_no_plain_decimal_is_left_to_the_careful_reader(tmp_path, place):
    write_csv(tmp_path / KENT, [fields(), fields(Latitude=place)])
    assert len(both_ways(tmp_path)[1]) == 1


@pytest.mark.parametrize("name", ["stops.csv", "kent.csv", "2019-04/stops.csv"])
def test_names_that_lack_force_or_month(tmp_path, name):
    write_csv(tmp_path / name, REGULAR)
    _, left = both_ways(tmp_path, force="kent")
    assert left == []


def test_notes_go_to_the_file_that_they_are_about(tmp_path):
    write_csv(tmp_path / KENT, [fields(), fields(Gender="NA", Removal="1.0")])
    write_csv(tmp_path / MAY, [fields(Date="2019-05-02T00:00:00+00:00", Gender=" ")])
    (_, records, _, files, *_), left = both_ways(tmp_path)
    assert left == []
    assert records["gender"].to_pylist() == ["Male", None, None]
    assert [sorted(file.notes.values()) for file in files] == [[1, 1], []]


IRREGULAR = {
    "quote": csv_text([fields(Policing='Op "X"')]),
    "no line end": csv_text(REGULAR)[:-1],
    "half a row": csv_text(REGULAR)[:-40],
    "blank line": csv_text(REGULAR) + "\n",
    "lone carriage return": csv_text(REGULAR).replace("Male", "Ma\rle"),
    "two carriage returns": csv_text(REGULAR, end="\r\r\n"),
    "NUL": csv_text(REGULAR).replace("Male", "Ma\0le"),
    "not UTF-8": csv_text(REGULAR).encode().replace(b"Male", b"M\xe4le"),
    "byte order mark": b"\xef\xbb\xbf" + TEXT,
    "UTF-16": csv_text(REGULAR).encode("utf-16"),
    "one field more": csv_text([fields(), [*fields(), ""]]),
    "one field less": csv_text([fields(), fields()[:-1]]),
    "empty row": csv_text([fields(), [""] * 15]),
    "header again": csv_text(REGULAR) + csv_text(REGULAR),
    "other order": csv_text([fields()[::-1]], header=csv_text([]).strip().split(",")[::-1]),
    "semicolons": csv_text(REGULAR, delimiter=";"),
    "long line": csv_text([fields(Policing="x" * 70_000)]),
    "endless first line": "Type" * 50_000,
    "web page": "<html>",
    "date only": csv_text([fields(Date="2019-04-02")]),
    "date without offset": csv_text([fields(Date="2019-04-02T10:00:00")]),
    "date with Z": csv_text([fields(Date="2019-04-02T10:00:00Z")]),
    "date with a space": csv_text([fields(Date="2019-04-02 10:00:00+00:00")]),
    "no date": csv_text([fields(Date="")]),
    "31 April": csv_text([fields(Date="2019-04-31T10:00:00+00:00")]),
    "29 February 2019": csv_text([fields(Date="2019-02-29T10:00:00+00:00")]),
    "day 0": csv_text([fields(Date="2019-04-00T10:00:00+00:00")]),
    "month 0": csv_text([fields(Date="2019-00-01T10:00:00+00:00")]),
    "month 13": csv_text([fields(Date="2019-13-01T10:00:00+00:00")]),
    "hour 24": csv_text([fields(Date="2019-04-02T24:00:00+00:00")]),
    "minute 60": csv_text([fields(Date="2019-04-02T10:60:00+00:00")]),
    "second 60": csv_text([fields(Date="2019-04-02T10:00:60+00:00")]),
    "offset of 24 hours": csv_text([fields(Date="2019-04-02T10:00:00+24:00")]),
    "offset behind a comma": csv_text([fields(Date="2019-04-02T10:00:00,00:00")], delimiter=";").replace(";", ","),
    "year 1971": csv_text([fields(Date="1971-12-31T23:59:59+00:00")]),
    "year 2101": csv_text([fields(Date="2101-01-01T00:00:00+00:00")]),
    "letter in a date": csv_text([fields(Date="2019-04-0OT10:00:00+00:00")]),
    "swapped places": csv_text([fields(Latitude="-0.1", Longitude="51.5")]),
    "place outside": csv_text([fields(Latitude="0", Longitude="0")]),
    "word for a place": csv_text([fields(Latitude="north", Longitude="-0.1")]),
    "blank word for a place": csv_text([fields(Latitude="NA", Longitude="NA")]),
    "exponent": csv_text([fields(Latitude="5.15e1")]),
    "many digits": csv_text([fields(Latitude="51.123456789012345678")]),
    "point alone": csv_text([fields(Longitude=".")]),
    "point first": csv_text([fields(Longitude=".5")]),
    "point last": csv_text([fields(Latitude="51.")]),
    "sign alone": csv_text([fields(Longitude="-")]),
    "plus": csv_text([fields(Latitude="+51.5")]),
    "two points": csv_text([fields(Latitude="51.5.5")]),
    "space before a number": csv_text([fields(Latitude=" 51.5")]),
    "too many labels": csv_text([fields(Policing=f"Operation {i}") for i in range(kernel.WORDS + 1)]),
}


@pytest.mark.parametrize("what", IRREGULAR)
def test_a_file_that_is_not_regular_is_left_to_the_careful_reader(tmp_path, what):
    write_regular(tmp_path, "2019-04-avon-and-somerset-stop-and-search.csv", MAY)
    irregular = write_text(tmp_path / KENT, IRREGULAR[what])
    told, left = both_ways(tmp_path)
    assert left == [str(irregular)]
    if not isinstance(told, str):
        assert len(told[3]) == 3


REGULAR_STILL = {
    "leap day": [fields(Date="2020-02-29T10:00:00+00:00")],
    "century leap day": [fields(Date="2000-02-29T23:59:59+00:00")],
    "offsets": [fields(Date=f"2019-04-02T10:15:00{offset}") for offset in ("+05:30", "-23:59", "-00:00", "+23:59")],
    "first and last second": [fields(Date=date) for date in ("1972-01-01T00:00:00+00:00", "2100-12-31T23:59:59+00:00")],
    "whole degrees": [fields(Latitude="51", Longitude="-1"), fields(Latitude="51.0000000", Longitude="-0")],
    "one place blank": [fields(Latitude=""), fields(Longitude="")],
    "fourteen digits": [fields(Latitude="51.123456789012", Longitude="-0.0000000000001")],
    "limits": [fields(Latitude="49.0", Longitude="-9"), fields(Latitude="61.5", Longitude="2.5")],
    "as many labels as fit": [fields(Policing=f"Operation {i}") for i in range(kernel.WORDS)],
    "lengths around 8": [fields(Object="x" * i, Outcome="x" * i + "y") for i in range(35)],
}


@pytest.mark.parametrize("what", REGULAR_STILL)
def test_corners_of_what_is_regular(tmp_path, what):
    write_csv(tmp_path / "kent.csv", REGULAR_STILL[what])
    _, left = both_ways(tmp_path)
    assert left == []


many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
edits = st.lists(
    st.tuples(
        st.integers(0, len(TEXT)),
        st.integers(0, 3),
        st.one_of(
            st.binary(max_size=2),
            st.sampled_from(
                [b'"', b",", b"\n", b"\r\n", b"\r", b"\0", b"9", b"-", b".", b" ", "é".encode(), b"NA", b"1"]
            ),
        ),
    ),
    max_size=3,
)


@many
@given(changes=st.tuples(edits, edits))
def test_mangled_files(tmp_path, changes):
    for name, edited in zip((KENT, MAY), changes):
        content = TEXT
        for at, cut, new in edited:
            content = content[:at] + new + content[at + cut :]
        (tmp_path / name).write_bytes(content)
    both_ways(tmp_path)


label = st.text(st.characters(exclude_characters='",\r\n\0', exclude_categories=["Cs"]), max_size=20)
rows = st.lists(
    st.builds(
        lambda labels, date, north: fields(
            Date=date, Latitude=north, **dict(zip(("Gender", "Outcome", "Removal"), labels))
        ),
        st.lists(label, min_size=3, max_size=3),
        st.datetimes().map(lambda moment: f"{moment.replace(microsecond=0).isoformat()}+01:00"),
        st.decimals(40, 70, places=7).map(str),
    ),
    max_size=8,
)


@many
@given(contents=st.lists(rows, min_size=1, max_size=3))
def test_any_rows(tmp_path, contents):
    for name, content in zip((KENT, MAY, ESSEX), contents):
        write_csv(tmp_path / name, content)
    both_ways(tmp_path)


def test_archive_members_are_scanned(tmp_path):
    with zipfile.ZipFile(tmp_path / "2019-04.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i, name in enumerate((KENT, ESSEX)):
            archive.writestr(f"2019-04/{name}", csv_text([*REGULAR, fields(Policing=str(i))]))
    told, left = both_ways(tmp_path)
    assert left == []
    assert len(told[3]) == 2


def test_groups_hold_files_in_order(tmp_path, monkeypatch):
    """Small files go together; one batch ends where the next file would make the group too large."""
    names = [f"2019-{month:02d}-kent-stop-and-search.csv" for month in range(1, 9)]
    write_regular(tmp_path, *names)
    monkeypatch.setattr(csv_scan, "GROUP", 3 * (tmp_path / KENT).stat().st_size)
    both_ways(tmp_path)
    with scanner_from(0):
        source = read_police_uk(tmp_path)
        assert [batch.num_rows for batch in source.batches()] == [18, 18, 12]
        assert [file.name for file in source.files] == [str(tmp_path / name) for name in names]


@pytest.fixture
def in_pieces(monkeypatch):
    """Files larger than 2,000 bytes are large, and read in pieces of 700."""
    monkeypatch.setattr(csv_scan, "GROUP", 2_000)
    monkeypatch.setattr(archive, "CHUNK", 700)


def test_a_large_file_is_scanned_in_pieces(tmp_path, in_pieces):
    write_csv(tmp_path / KENT, [fields(Gender=f"label {i % 40}", Date=DATES[i % 3]) for i in range(300)])
    write_regular(tmp_path, ESSEX)
    (_, records, account, files, *_), left = both_ways(tmp_path)
    assert left == []
    assert len(records) == account.read == 300 + len(REGULAR) + 1
    assert sorted(file.read for file in files) == [len(REGULAR) + 1, 300]


DATES = ["2019-04-30T23:30:00+00:00", "2019-04-01T00:30:59+01:00", "2019-04-12T10:00:00+00:00"]


@pytest.mark.parametrize("where", [0, 150, 299])
def test_a_large_file_that_is_not_regular_anywhere_is_read_carefully_whole(tmp_path, in_pieces, where):
    rows = [fields(Gender=f"label {i % 40}") for i in range(300)]
    rows[where] = fields(Date="30/04/2019")
    write_csv(tmp_path / KENT, rows)
    assert len(both_ways(tmp_path)[1]) == 1


@pytest.mark.parametrize("end", ["", "x", "\n\n"])
def test_a_large_file_that_ends_strangely_is_read_carefully(tmp_path, in_pieces, end):
    text = csv_text([fields() for _ in range(50)])
    (tmp_path / KENT).write_text(text.rstrip("\n") + end, encoding="utf-8")
    assert len(both_ways(tmp_path)[1]) == 1


def test_a_large_file_that_names_no_force_or_has_a_line_without_end(tmp_path, in_pieces):
    write_csv(tmp_path / "2019-04.csv", [fields() for _ in range(50)])
    assert both_ways(tmp_path, force="kent")[1] == []
    (tmp_path / KENT).write_bytes(TEXT + b"a" * 100_000)
    assert len(both_ways(tmp_path / KENT)[1]) == 1


def test_a_large_file_that_changes_between_the_two_times_is_refused(tmp_path, in_pieces, monkeypatch):
    write_csv(tmp_path / KENT, [fields() for _ in range(50)])
    was = csv_scan._is_regular

    def change(one, *rest):
        found = was(one, *rest)
        text = (tmp_path / KENT).read_text(encoding="utf-8")
        (tmp_path / KENT).write_text(text.replace("Male", '"Male"'), encoding="utf-8")
        return found

    monkeypatch.setattr(csv_scan, "_is_regular", change)
    with scanner_from(0), pytest.raises(InputRefused, match="changed"):
        list(read_police_uk(tmp_path).batches())


def test_progress_ends_with_every_byte(tmp_path):
    write_regular(tmp_path, KENT, ESSEX)
    size = (tmp_path / KENT).stat().st_size
    calls = []
    with scanner_from(0):
        list(read_police_uk(tmp_path, progress=lambda *call: calls.append(call)).batches())
    assert [call[:2] for call in calls] == [(size, 2 * size), (2 * size, 2 * size)]


def test_a_read_given_up_early_ends_quietly(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_scan, "GROUP", len(TEXT))
    write_regular(tmp_path, KENT, ESSEX, MAY)
    with scanner_from(0):
        batches = read_police_uk(tmp_path).batches()
        assert next(batches).num_rows == len(REGULAR) + 1
        batches.close()


def test_small_reads_do_not_load_the_kernel(tmp_path, monkeypatch):
    write_csv(tmp_path / KENT, REGULAR)
    monkeypatch.setattr(kernel, "scan", None)
    assert read_police_uk(tmp_path).account.read == len(REGULAR)


def test_reading_and_counting_import_no_pandas(tmp_path):
    """It takes longer to import than most reads take: it waits until a frame is made."""
    write_regular(tmp_path, KENT, MAY, ESSEX)
    code = (
        "import sys; from disprop.io import csv_scan; from disprop.plan import tally; csv_scan.FEWEST_BYTES = 0\n"
        "counted = tally(sys.argv[1], by=['ethnicity_self'])\n"
        "assert counted.account.read, counted; assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_the_kernel_as_plain_python(tmp_path, monkeypatch):
    write_csv(tmp_path / KENT, [*REGULAR, *REGULAR_STILL["lengths around 8"], *REGULAR_STILL["offsets"]])
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setattr(csv_scan, "interpreted", lambda: False)
    _, left = both_ways(tmp_path)
    assert left == []


def test_months_begin_where_the_careful_reader_lets_them_begin():
    from disprop.months import london_month

    starts = csv_scan._month_starts()
    months = csv_scan._FIRST_MONTH + np.arange(len(starts) - 1)
    assert np.array_equal(london_month(starts[:-1]), months)
    assert np.array_equal(london_month(starts[1:] - 1), months)


@pytest.mark.real
def test_real_files(real_data):
    _, left = both_ways(real_data / "police_uk")
    assert left == []


@pytest.mark.real
def test_older_and_mangled_real_files(real_data):
    both_ways(real_data / "police_uk_older")
    both_ways(real_data / "police_uk_mangled", force="unknown")
