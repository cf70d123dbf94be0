"""Bytes -> CSV rows, carefully: in bounded memory, with line numbers, and with nothing swallowed.

A row is a line, or several when a quoted field holds line breaks. Rows are counted here by counting line ends, apart
from the splitting into fields, so that a row lost on the way shows in the balance.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from disprop.io.rules import (
    BLANK_LINE,
    DELIMITER,
    EXTRA_BLANKS,
    LINE_BREAK,
    LONE_CR,
    NOT_CSV,
    NUL,
    OPEN_QUOTE,
    TOO_LONG,
    TRUNCATED,
    WIDTH,
    refuse,
)
from disprop.io.sniff import split_header
from disprop.io.text_rows import Bad, Block

LINE_LIMIT = 65_536
SPAN_LIMIT = 20


@dataclass
class _Parsed:
    """Rows of one text, by index of their first line; `spans` holds those of several lines."""

    rows: list[list[str]] = field(default_factory=list)
    at: list[int] | range = field(default_factory=list)
    spans: dict[int, int] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)
    left: int | None = None


class CsvRows:
    """Rows of one CSV text. `count` is complete once `blocks` is exhausted.

    `split` finds the fields of the header line and the delimiter.
    """

    spelling = "police_uk"

    def __init__(
        self,
        name: str,
        texts: Iterable[str],
        notes: Counter[str],
        split: Callable[[str], tuple[list[str], str]] = split_header,
    ) -> None:
        self.notes = notes
        self._split_header = split
        self._line_ends = 0
        self._apart = 0  # lines that are no row of their own: header, blank lines, further lines of a row
        self._texts = self._whole_lines(_line_ends_plain(texts, notes))
        self._line = 1
        self._first = self._read_header(name)

    @property
    def count(self) -> int:
        return self._line_ends - self._apart

    def _read_header(self, name: str) -> str:
        """Takes the header, the first line that is not blank; returns the text after it."""
        text = next((text for text in self._texts if self._skip_blank(text)), "")
        line, _, rest = text[self._blank(text) :].partition("\n")
        if len(line) > LINE_LIMIT or "\0" in line:
            refuse(NOT_CSV, name, "its first line is no header; give a CSV whose first line names its columns")
        fields, self.delimiter = self._split_header(line)
        while fields and not fields[-1].strip():
            fields.pop()
        self.header = fields
        self._apart += 1
        self._line += 1
        if self.delimiter != ",":
            self.notes[DELIMITER] += 1
        return rest

    def _skip_blank(self, text: str) -> bool:
        """Counts the blank lines that a text starts with; whether anything follows."""
        blank = self._blank(text)
        self._apart += blank
        self._line += blank
        return len(text) > blank

    @staticmethod
    def _blank(text: str) -> int:
        return len(text) - len(text.lstrip("\n"))

    def blocks(self) -> Iterator[Block]:
        pending = ""
        for text in chain([self._first] if self._first else [], self._texts):
            block, pending = self._block(pending + text, final=False)
            yield block
        while pending:
            block, pending = self._block(pending, final=True)
            yield block

    def _whole_lines(self, texts: Iterable[str]) -> Iterator[str]:
        """Text cut at line ends; a line beyond the limit is cut short, so that it stays recognisable and small."""
        carry = ""
        for text in texts:
            text = carry + text
            cut = text.rfind("\n") + 1
            carry = text[cut : cut + LINE_LIMIT + 1]
            if cut:
                self._line_ends += text.count("\n", 0, cut)
                yield text[:cut]
        if carry:
            self._line_ends += 1
            yield carry

    def _block(self, text: str, *, final: bool) -> tuple[Block, str]:
        """Rows of a text of whole lines, and the text of a row that may go on in the next."""
        lines = text.split("\n")
        open_end = lines[-1] != ""
        if not open_end:
            lines.pop()
        parsed = _parse(
            lines, _unreadable(text, lines), len(self.header), self.delimiter, quoted='"' in text, final=final
        )
        end = len(lines) if parsed.left is None else parsed.left
        pending = "" if parsed.left is None else "\n".join(lines[end:]) + ("" if open_end else "\n")
        block = self._checked(parsed, lines, open_end=open_end)
        self._line += end
        return block, pending

    def _checked(self, parsed: _Parsed, lines: Sequence[str], *, open_end: bool) -> Block:
        """The block of rows as wide as the header; others are put aside."""
        further = sum(span - 1 for span in parsed.spans.values())
        self._apart += further
        if parsed.spans:
            self.notes[LINE_BREAK] += len(parsed.spans)
        rows, at = parsed.rows, parsed.at
        if set(map(len, rows)) - {len(self.header)}:
            rows, at = self._fitting(parsed, last=len(lines) - 1 if open_end else -1)
        raw = _raw(lines, at, parsed.spans)
        bad = [Bad(self._line + i, reason, lines[i]) for i, reason in sorted(parsed.bad.items())]
        numbers = range(self._line, self._line + len(rows)) if isinstance(at, range) else [self._line + i for i in at]
        ends_open = open_end and len(at) > 0 and at[-1] + parsed.spans.get(at[-1], 1) == len(lines)
        return Block(rows, numbers, raw, bad, ends_open)

    def _fitting(self, parsed: _Parsed, *, last: int) -> tuple[list[list[str]], list[int]]:
        rows, at = [], []
        width = len(self.header)
        for i, fields in zip(parsed.at, parsed.rows):
            if len(fields) < 2 and not "".join(fields).strip():
                self._apart += 1
                self.notes[BLANK_LINE] += 1
            elif len(fields) >= width and not any(map(str.strip, fields[width:])):
                if len(fields) > width:
                    self.notes[EXTRA_BLANKS] += 1
                rows.append(fields[:width])
                at.append(i)
            else:
                parsed.bad[i] = TRUNCATED if i == last and len(fields) < width else WIDTH
        return rows, at


def _line_ends_plain(texts: Iterable[str], notes: Counter[str]) -> Iterator[str]:
    """Text whose lines all end in a line feed; a carriage return at the end of a piece waits for the next."""
    held = ""
    for text in texts:
        text = held + text
        held = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r")
        if "\r" in text:
            text = text.replace("\r\n", "\n")
            if alone := text.count("\r"):
                notes[LONE_CR] += alone
                text = text.replace("\r", "\n")
        yield text
    if held:
        notes[LONE_CR] += 1
        yield "\n"


def _unreadable(text: str, lines: Sequence[str]) -> dict[int, str]:
    """Lines that are not even split: too long, or with a NUL."""
    bad: dict[int, str] = {}
    if "\0" in text:
        bad |= {i: NUL for i, line in enumerate(lines) if "\0" in line}
    if max(map(len, lines), default=0) > LINE_LIMIT:
        bad |= {i: TOO_LONG for i, line in enumerate(lines) if len(line) > LINE_LIMIT}
    return bad


def _parse(lines: list[str], bad: dict[int, str], width: int, delimiter: str, *, quoted: bool, final: bool) -> _Parsed:
    """Split lines into rows; unreadable lines are walls that no quoted field reaches across."""
    parsed = _Parsed(bad=bad)
    if not bad and not quoted:
        parsed.rows, parsed.at = list(csv.reader(lines, delimiter=delimiter)), range(len(lines))
        return parsed
    at: list[int] = []
    parsed.at = at
    walls = [*sorted(bad), len(lines)]
    start = 0
    for wall in walls:
        _parse_run(parsed, at, lines, start, wall, width, delimiter, may_go_on=not final and wall == len(lines))
        start = wall + 1
    return parsed


def _parse_run(
    parsed: _Parsed,
    at: list[int],
    lines: list[str],
    start: int,
    stop: int,
    width: int,
    delimiter: str,
    *,
    may_go_on: bool,
) -> None:
    while start < stop:
        feed = _Feed(lines, start, stop)
        for fields in _rows(feed, delimiter):
            first, n = feed.first, feed.next - feed.first
            if feed.ended and may_go_on and feed.next == stop:
                parsed.left = first
                return
            if feed.ended or (n > 1 and not _is_safe(fields, width, delimiter)):
                parsed.bad[first] = OPEN_QUOTE
                start = first + 1
                break
            parsed.rows.append(fields)
            at.append(first)
            if n > 1:
                parsed.spans[first] = n
            feed.first = feed.next
        else:
            start = feed.next


def _rows(feed: _Feed, delimiter: str) -> Iterator[list[str]]:
    """Rows of a feed; one that the csv module gives up on comes as an open one."""
    reader = csv.reader(feed, delimiter=delimiter)
    try:
        yield from reader
    except csv.Error:
        feed.ended = True
        yield []


def _is_safe(fields: list[str], width: int, delimiter: str) -> bool:
    """Whether a row over several lines may be believed: it fits, and no field has swallowed the size of a row."""
    return len(fields) == width and all(text.count(delimiter) < width - 1 for text in fields if "\n" in text)


class _Feed:
    """Lines for csv.reader, at most SPAN_LIMIT a row; `ended` says that it asked for more within a row."""

    def __init__(self, lines: Sequence[str], start: int, stop: int) -> None:
        self.lines, self.stop = lines, stop
        self.first = self.next = start
        self.ended = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self.next == self.stop or self.next - self.first == SPAN_LIMIT:
            self.ended = self.next > self.first
            raise StopIteration
        self.next += 1
        return self.lines[self.next - 1] + "\n"


def _raw(lines: Sequence[str], at: Sequence[int], spans: dict[int, int]) -> Callable[[int], str]:
    def text(row: int) -> str:
        first = at[row]
        return "\n".join(lines[first : first + spans.get(first, 1)])

    return text
