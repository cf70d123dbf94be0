"""What the first bytes of a file are: their encoding, and which kind of file."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Sequence

from disprop.io.columns import bind

HEAD = 1 << 16
DELIMITERS = ",;\t|"

_KINDS = (
    (b"PK\x03\x04", "a zip archive or a workbook", "name it .zip, or save the workbook as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "save it as CSV UTF-8"),
    (b"%PDF", "a PDF", "get the data as CSV"),
    (b"\x1f\x8b", "a gzip file", "unpack it"),
    (b"BZh", "a bzip2 file", "unpack it"),
    (b"\xfd7zXZ", "an xz file", "unpack it"),
    (b"7z\xbc\xaf", "a 7-zip archive", "unpack it"),
    (b"PAR1", "a Parquet file", "read it with pandas or pyarrow and give the table"),
    (b"ARROW1", "an Arrow file", "read it with pyarrow and give the table"),
    (b"\x89PNG", "a picture", "get the data as CSV"),
    (b"<", "a web page or XML", "download the file itself"),
    (b"{", "one JSON object", "give the list of searches that the interface answers"),
)


def encoding_of(head: bytes) -> str:
    """The codec for a text file by its first bytes: a byte order mark, or the NULs of UTF-16; else UTF-8.

    >>> encoding_of(b"\\xff\\xfeT\\0"), encoding_of(b"T\\0y\\0"), encoding_of(b"Type,Date")
    ('utf-16', 'utf-16-le', 'utf-8')
    """
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(head) >= 4 and head[0] and head[2] and head[1] == head[3] == 0:
        return "utf-16-le"
    if len(head) >= 4 and head[1] and head[3] and head[0] == head[2] == 0:
        return "utf-16-be"
    return "utf-8"


def kind_of(head: bytes) -> tuple[str, str] | None:
    """What a file is that is no CSV, and what to do about it; None when nothing speaks against CSV."""
    start = head.lstrip()[:16].lower()
    for magic, what, advice in _KINDS:
        if start.startswith(magic.lower()):
            return what, advice
    return None


def is_json_list(head: bytes) -> bool:
    return text_of(head).lstrip("\ufeff \t\r\n").startswith("[")


def text_of(head: bytes) -> str:
    return head.decode(encoding_of(head), errors="replace")


def is_workbook(members: Sequence[str]) -> bool:
    """Whether a zip's members are those of an office document."""
    return "[Content_Types].xml" in members or "mimetype" in members


def split_header(line: str) -> tuple[list[str], str]:
    """Fields and delimiter of a header line: the first delimiter that finds the required columns, else a comma."""
    for delimiter in DELIMITERS:
        fields = _fields(line, delimiter)
        if not bind(fields).missing:
            return fields, delimiter
    return _fields(line, ","), ","


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return [line]


def looks_like_searches(head: bytes) -> bool:
    """Whether a file that nobody named shows, in its first bytes, the columns of stop and search."""
    text = text_of(head)
    if is_json_list(head):
        return '"datetime"' in text and '"type"' in text
    first = next(iter(text.strip("\ufeff \t\r\n").splitlines()), "")
    return not bind(split_header(first)[0]).missing
