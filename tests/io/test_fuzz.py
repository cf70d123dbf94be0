"""Mangled files are read, put aside or refused; they never crash the reader, and the account always balances."""

import json
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from police_files import KENT, balances, csv_text, fields, record, rows_of

from disprop.errors import BalanceError, DispropError
from disprop.io.police_uk import read_police_uk

ROWS = [
    fields(),
    fields(Policing='Op "X"\nweek 2', Gender=""),
    fields(Date="2019-04-30 23:30:00.5", Removal="1.0"),
    fields(Latitude="-1.8", Longitude="52.4"),
    fields(Date="2019-04-02"),
]
TEXT = csv_text(ROWS).encode()
ANSWER = json.dumps([record(), record(location=None), record(outcome=False)]).encode()

edits = st.lists(
    st.tuples(
        st.integers(0, 2_000),
        st.integers(0, 40),
        st.one_of(
            st.binary(max_size=6),
            st.sampled_from(
                [b'"', b",", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"2019-13-01", b"\x96", b"," * 20, TEXT]
            ),
        ),
    ),
    min_size=1,
    max_size=6,
)


def mangled(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """The content with pieces cut out and others put in."""
    for at, cut, new in changes:
        content = content[:at] + new + content[at + cut :]
    return content


def read_or_refuse(*paths, **how) -> None:
    """Reads and checks the balance, or checks that a refusal is one line; anything else fails the test."""
    source, rows, refusal = attempt(*paths, **how)
    assert "\n" not in refusal
    if refusal:
        return
    assert balances(source)
    assert source.account.counted == len(rows)
    assert all(row["month"] is not None for row in rows)


def attempt(*paths, **how):
    try:
        source = read_police_uk(*paths, **how)
        return source, rows_of(source), ""
    except BalanceError:
        raise
    except DispropError as refusal:
        return None, [], str(refusal)


many = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(changes=edits, month_file=st.booleans())
def test_mangled_csv(tmp_path, changes, month_file):
    file = tmp_path / (KENT if month_file else "stops.csv")
    file.write_bytes(mangled(TEXT, changes))
    read_or_refuse(file, force="kent")


@many
@given(changes=edits, encoding=st.sampled_from(["utf-16", "utf-16-le", "utf-16-be"]))
def test_mangled_utf_16(tmp_path, changes, encoding):
    file = tmp_path / KENT
    file.write_bytes(mangled(TEXT.decode().encode(encoding), changes))
    read_or_refuse(file)


@many
@given(changes=edits)
def test_mangled_json(tmp_path, changes):
    file = tmp_path / "2023-01-kent.json"
    file.write_bytes(mangled(ANSWER, changes))
    read_or_refuse(file)


@many
@given(content=st.binary(max_size=300))
def test_any_bytes(tmp_path, content):
    file = tmp_path / KENT
    file.write_bytes(content)
    read_or_refuse(file)


@many
@given(content=st.binary(max_size=300))
def test_any_bytes_after_a_header(tmp_path, content):
    file = tmp_path / KENT
    file.write_bytes(csv_text([]).encode() + content)
    read_or_refuse(file)


@many
@given(changes=edits)
def test_mangled_archive(tmp_path, changes):
    file = tmp_path / "2019-04.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"2019-04/{KENT}", TEXT)
    file.write_bytes(mangled(file.read_bytes(), changes))
    read_or_refuse(file)


def test_the_mangled_content_is_good_before_it_is_mangled(tmp_path):
    (tmp_path / KENT).write_bytes(TEXT)
    (tmp_path / "2023-01-kent.json").write_bytes(ANSWER)
    source = read_police_uk(tmp_path)
    assert len(rows_of(source)) == len(ROWS) + 3
    assert not source.account.quarantined


@pytest.mark.parametrize("cut", range(0, len(TEXT), 7))
def test_a_file_cut_off_anywhere_invents_nothing(tmp_path, cut):
    """Every row read from a cut-off file is a row of the whole, bar blanks at the cut."""
    whole = tmp_path / "whole" / KENT
    whole.parent.mkdir()
    whole.write_bytes(TEXT)
    expected = rows_of(read_police_uk(whole))
    file = tmp_path / KENT
    file.write_bytes(TEXT[:cut])
    try:
        found = rows_of(read_police_uk(file))
    except DispropError:
        return
    assert all(row in expected or row | {"more_thorough": None} == row for row in found)
    assert len(found) <= len(expected)
    assert found[:-1] == expected[: max(len(found) - 1, 0)]
