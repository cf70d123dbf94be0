"""What the CSV and the JSON reader share: a block of rows, and bytes -> text without loss."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from disprop.io.rules import BYTE_ORDER_MARK, UTF_16, WINDOWS_1252
from disprop.io.sniff import encoding_of


@dataclass(frozen=True)
class Bad:
    """A row that cannot be read: where, why, and as it came."""

    line: int
    reason: str
    raw: str


@dataclass
class Block:
    """Some rows of one file. Every row is as wide as the header.

    `lines[i]` is the line (CSV) or record (JSON) number of row i, `raw(i)` its text as it came. `open_end` says that
    the last row is the last of the file and has no line end.
    """

    rows: list[list[str]]
    lines: Sequence[int]
    raw: Callable[[int], str]
    bad: list[Bad] = field(default_factory=list)
    open_end: bool = False


class Rows(Protocol):
    """Rows of one file. `count` (rows read, by a count of its own) is complete when `blocks` is exhausted."""

    header: list[str]
    spelling: str

    @property
    def count(self) -> int: ...

    def blocks(self) -> Iterator[Block]: ...


def decoded(head: bytes, chunks: Iterable[bytes], notes: Counter[str]) -> Iterator[str]:
    """Text of all chunks (`head` is the start of the first); bytes that are not UTF-8 are read as Windows-1252."""
    encoding = encoding_of(head)
    wide = encoding.startswith("utf-16")
    if wide:
        notes[UTF_16] += 1
    elif encoding == "utf-8-sig":
        notes[BYTE_ORDER_MARK] += 1
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace" if wide else "surrogateescape")
    for chunk in chunks:
        yield _mended(decoder.decode(chunk), notes)
    yield _mended(decoder.decode(b"", final=True), notes)


def _mended(text: str, notes: Counter[str]) -> str:
    if text.isascii():
        return text
    mended, n = _ESCAPED.subn(_windows_1252, text)
    if n:
        notes[WINDOWS_1252] += n
    return mended


_ESCAPED = re.compile("[\ud800-\udfff]")


def _windows_1252(match: re.Match[str]) -> str:
    return bytes([ord(match[0]) & 0xFF]).decode("cp1252", errors="replace")
