"""Splitting text into rows: against Python's csv module where that is right, and where it would swallow rows."""

import csv
import io
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from police_files import HEADER, fields

from disprop.errors import InputRefused
from disprop.io import csv_rows, rules
from disprop.io.csv_rows import LINE_LIMIT, CsvRows
from disprop.io.text_rows import decoded

WIDTH = len(HEADER)


def read(text: str, *, chunk: int = 1 << 20) -> tuple[CsvRows, list[list[str]], list[tuple[int, str]], Counter]:
    """All rows, (line, reason) of the bad ones, and the notes, with the text coming in pieces."""
    notes = Counter()
    raw = text.encode()
    pieces = [raw[i : i + chunk] for i in range(0, len(raw), chunk)]
    rows = CsvRows("file", decoded(raw, pieces, notes), notes)
    blocks = list(rows.blocks())
    found = [row for block in blocks for row in block.rows]
    bad = [(one.line, one.reason) for block in blocks for one in block.bad]
    assert rows.count == len(found) + len(bad)
    return rows, found, bad, notes


def written(rows: list[list[str]], *, end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator=end, quoting=quoting).writerows([HEADER, *rows])
    return out.getvalue()


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
free_text = st.builds(lambda text: fields(Policing=text), cells)
tables = st.lists(free_text, max_size=12)


@given(
    rows=tables,
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    chunk=st.integers(1, 400),
)
def test_rows_are_those_of_the_csv_module(rows, end, quoting, chunk):
    """Whatever the pieces in which the bytes come. Line breaks within quotes are read as line feeds."""
    text = written(rows, end=end, quoting=quoting)
    # Python's csv module does not quote a carriage return when lines end in a line feed: that is a row cut in two.
    if end == "\n" and quoting == csv.QUOTE_MINIMAL and any("\r" in row[3] for row in rows):
        return
    _, found, bad, _ = read(text, chunk=chunk)
    theirs = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert found == [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in theirs]
    assert bad == []


@given(text=st.text(st.sampled_from('ab,"\n\r\0 '), max_size=120), chunk=st.integers(1, 50))
def test_pieces_do_not_matter(text, chunk):
    """Any text, cut anywhere, gives the same rows and the same bad lines."""
    text = written([]) + text
    _, *whole = read(text)
    _, *pieces = read(text, chunk=chunk)
    assert pieces == whole


def test_line_numbers_count_every_line():
    good = ",".join(fields())
    text = "\n".join([",".join(HEADER), good, "", "short", good, '"open', good]) + "\n"
    assert read(text)[2] == [(4, rules.WIDTH), (6, rules.OPEN_QUOTE)]


def test_a_stray_quote_swallows_nothing():
    good = ",".join(fields())
    open_quote = good.replace("Male", '"Male')
    lines = [",".join(HEADER), good, open_quote, *[good] * 30]
    _, found, bad, _ = read("\n".join(lines) + "\n")
    assert len(found) == 31
    assert bad == [(3, rules.OPEN_QUOTE)]


def test_two_stray_quotes_in_one_column_swallow_nothing_between():
    """Between them stands exactly one row's worth of fields, which the csv module takes for one long field."""
    good = ",".join(fields())
    lines = [",".join(HEADER), good.replace("Male", '"Male'), good, good.replace("Male", '"Male'), good]
    text = "\n".join(lines) + "\n"
    theirs = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert len(theirs) < 4
    _, found, bad, _ = read(text)
    assert found == [fields(), fields()]
    assert bad == [(2, rules.OPEN_QUOTE), (4, rules.OPEN_QUOTE)]


def test_a_quoted_field_may_go_on_for_twenty_lines_and_no_more():
    good, long = fields(Policing="\n" * 19), fields(Policing="\n" * 20)
    assert read(written([good]))[1] == [good]
    _, found, bad, _ = read(written([long, fields()]))
    assert found == [fields()]
    assert bad[0] == (2, rules.OPEN_QUOTE)


def test_a_row_open_at_the_end_of_one_piece_is_closed_in_the_next():
    text = written([fields(Policing="a\nb\nc"), fields()])
    for chunk in range(1, len(text)):
        assert read(text, chunk=chunk)[1] == [fields(Policing="a\nb\nc"), fields()]


def test_unreadable_lines_are_walls():
    """A NUL or an endless line inside an open quote ends it: neither it nor the rows after it are swallowed."""
    good = ",".join(fields())
    lines = [",".join(HEADER), good.replace("Male", '"Male'), "a\0b", "x" * (LINE_LIMIT + 1), good]
    _, found, bad, _ = read("\n".join(lines) + "\n")
    assert found == [fields()]
    assert bad == [(2, rules.OPEN_QUOTE), (3, rules.NUL), (4, rules.TOO_LONG)]


@pytest.mark.parametrize("chunk", [1000, LINE_LIMIT, 1 << 20])
def test_a_long_line_is_passed_over_and_counted_once(chunk):
    good = ",".join(fields())
    text = "\n".join([",".join(HEADER), good, "y" * 300_000, good]) + "\n"
    _, found, bad, _ = read(text, chunk=chunk)
    assert found == [fields(), fields()]
    assert bad == [(3, rules.TOO_LONG)]


def test_a_long_line_is_not_kept():
    """What is kept of a line without end is little more than the limit, however much of it comes."""
    longest = 0

    def pieces():
        nonlocal longest
        yield (",".join(HEADER) + "\n").encode()
        for _ in range(50):
            yield b"z" * 100_000
            longest = max(longest, len(lines.gi_frame.f_locals.get("carry", "")))

    notes = Counter()
    rows = CsvRows("file", decoded(b"", pieces(), notes), notes)
    lines = rows._texts
    (block,) = rows.blocks()
    assert [one.reason for one in block.bad] == [rules.TOO_LONG]
    assert LINE_LIMIT < longest <= LINE_LIMIT + 1


@pytest.mark.parametrize("first", ["x" * (LINE_LIMIT + 1), "a\0b"])
def test_a_first_line_that_is_no_header(first):
    with pytest.raises(InputRefused, match=rules.NOT_CSV):
        CsvRows("file", iter([first]), Counter())


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_text_without_any_line_has_no_header(text):
    assert CsvRows("file", iter([text]), Counter()).header == []


def test_blank_lines_before_the_header_are_passed_over():
    rows, found, _, _ = read("\n\r\n\n" + written([fields()]))
    assert rows.header == HEADER
    assert len(found) == 1


def test_a_header_that_ends_in_blank_columns_is_cut():
    _, found, bad, notes = read(",".join([*HEADER, "", ""]) + "\n" + ",".join([*fields(), "", ""]) + "\n")
    assert found == [fields()]
    assert bad == []
    assert notes[rules.EXTRA_BLANKS] == 1


def test_the_count_of_rows_is_independent_of_the_splitting(monkeypatch):
    """Losing a row while splitting shows in the count."""
    text = written([fields()] * 5)
    rows = CsvRows("file", iter([text]), Counter())
    original = csv_rows._parse

    def losing(*args, **how):
        parsed = original(*args, **how)
        parsed.rows, parsed.at = parsed.rows[1:], parsed.at[1:]
        return parsed

    monkeypatch.setattr(csv_rows, "_parse", losing)
    assert sum(len(block.rows) for block in rows.blocks()) == 4
    assert rows.count == 5
