"""The frame: every record that could be drawn, laid out so that anyone gets the same bytes and the same digest.

The layout is part of the published protocol (docs/audit.md). A change to one byte of it is a new version.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from disprop.errors import InputRefused, UsageError

RECORD_ID = "record_id"
GROUNDS_HASH = "grounds_hash"
SALT_BYTES = 32

Stratum = tuple[str, ...]


@dataclass(frozen=True)
class FrameColumns:
    """Which columns of the records make the frame.

    `record_id=None` means that the records carry no identifier: a row hash and an occurrence number stand in.
    `grounds` is the free-text column of which only a salted hash enters the frame.
    """

    record_id: str | None = RECORD_ID
    strata: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    grounds: str | None = None

    def __post_init__(self) -> None:
        for name in self.labels:
            if not unicodedata.is_normalized("NFC", name):
                raise UsageError(f"column name {name!r} is not in Unicode NFC, as the frame's header is: rename it")
            if name in (RECORD_ID, GROUNDS_HASH):
                raise UsageError(
                    f"a stratum or domain column is named {name!r}, which the frame keeps for itself: rename it"
                )
            if name in (self.record_id, self.grounds):
                raise UsageError(f"column {name!r} is asked for twice: as a stratum or domain, and as id or grounds")

    @property
    def labels(self) -> tuple[str, ...]:
        """Strata, then the domains that are not strata already: the order of the frame's columns."""
        return self.strata + tuple(name for name in self.domains if name not in self.strata)

    @property
    def needs_salt(self) -> bool:
        return self.record_id is None or self.grounds is not None


@dataclass(frozen=True)
class Frame:
    """The canonical frame: its columns as text, sorted, and the very bytes that are hashed."""

    table: Any  # pyarrow.Table
    strata: tuple[str, ...]
    content: bytes
    header_length: int
    line_ends: np.ndarray  # offset in content after each record's line
    stratum_starts: np.ndarray  # first row of each stratum, and the number of rows at the end

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.content).digest()

    @property
    def records(self) -> int:
        return int(self.table.num_rows)

    def stratum_list(self) -> list[Stratum]:
        first = self.table.select(list(self.strata)).take(self.stratum_starts[:-1])
        columns = [first.column(name).to_pylist() for name in self.strata]
        return list(zip(*columns)) if columns else [()] * (len(self.stratum_starts) - 1)

    def stratum_sizes(self) -> dict[Stratum, int]:
        return dict(zip(self.stratum_list(), np.diff(self.stratum_starts).tolist()))

    def stratum_digests(self) -> dict[Stratum, str]:
        """SHA-256 of each stratum's lines: names the stratum when a lodged frame has been altered."""
        ends = np.concatenate([[self.header_length], self.line_ends])[self.stratum_starts]
        return {
            stratum: hashlib.sha256(self.content[begin:end]).hexdigest()
            for stratum, begin, end in zip(self.stratum_list(), ends[:-1].tolist(), ends[1:].tolist())
        }


def new_salt() -> bytes:
    """32 random bytes. Keep them: without them a later change to the grounds text cannot be named."""
    return secrets.token_bytes(SALT_BYTES)


def build_frame(records: Any, *, columns: FrameColumns, salt: bytes | None = None) -> Frame:
    """The canonical frame of a table of records.

    Corner cases. A blank stratum or domain is a value of its own. A blank or repeated record id is refused by
    name. A null is the same as a blank. Numbers are written as integers; a column of decimals or dates is
    refused, because two machines may write it differently: give it as text. Text is put into Unicode NFC, so
    that two ways of writing the same accent are the same record. No text may contain the NUL character.

    Args: `records` is the path of a CSV file (UTF-8), a pandas DataFrame or an Arrow table. `salt` (32 bytes) is
    needed when there is a grounds column or no record id.

    Raises: InputRefused, naming column and row; UsageError for a salt that is missing or of the wrong length.

    >>> import pyarrow as pa
    >>> frame = build_frame(pa.table({"record_id": ["b", "a"], "unit": ["N", "N"]}),
    ...                     columns=FrameColumns(strata=("unit",)))
    >>> frame.content
    b'record_id,unit\\na,N\\nb,N\\n'
    """
    _check_salt(salt, columns)  # before a large file is read
    source = as_text_table(records, None if columns.record_id is None else _wanted(columns))
    ids = record_ids(source, columns, salt)
    fields = {RECORD_ID: ids} | {name: source.column(name) for name in columns.labels}
    if columns.grounds is not None and salt is not None:
        fields[GROUNDS_HASH] = _grounds_hashes(ids, source.column(columns.grounds), salt)
    return canonical(pa.table(fields), columns.strata)


def parse_frame(content: bytes, *, strata: Sequence[str]) -> Frame:
    """A frame from its lodged bytes. Raises InputRefused when they are not in the canonical form."""
    frame = canonical(as_text_table(pa.BufferReader(content), None), tuple(strata))
    if frame.content != content:
        raise InputRefused("the lodged frame is not in canonical form (order, quoting or line ends): lodge it again")
    return frame


def grounds_hash(*, salt: bytes, record_id: str, grounds: str) -> str:
    """SHA-256(salt || record_id || 0x00 || grounds), as hex. The id keeps equal phrases from looking equal."""
    return hashlib.sha256(salt + record_id.encode() + b"\0" + grounds.encode()).hexdigest()


def as_text_table(records: Any, names: Sequence[str] | None) -> Any:
    """The named columns of a CSV path, a DataFrame or an Arrow table, all as NFC text; all columns when None."""
    table = _as_arrow(records, names)
    names = list(dict.fromkeys(table.column_names if names is None else names))
    return pa.table({name: _text(one_column(table, name), name) for name in names})


def _wanted(columns: FrameColumns) -> list[str]:
    names = [columns.record_id, *columns.labels, columns.grounds]
    return [name for name in names if name is not None]


def _as_arrow(records: Any, names: Sequence[str] | None) -> Any:
    if isinstance(records, pa.Table):
        return records
    if isinstance(records, (str, Path, pa.BufferReader)):
        return _read_csv(records, names)
    if hasattr(records, "to_csv"):  # a pandas DataFrame, without importing pandas
        return _from_pandas(records)
    raise UsageError(
        f"records came as {type(records).__name__}; wanted a CSV path, a pandas DataFrame or an Arrow table"
    )


def _from_pandas(records: Any) -> Any:
    try:
        return pa.Table.from_pandas(records, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as why:
        raise InputRefused(f"a column holds values of several kinds ({why}): give it as text") from why


def _read_csv(source: str | Path | pa.BufferReader, wanted: Sequence[str] | None) -> Any:
    """All columns as text; the wanted ones only, where each of them is there once."""
    from pyarrow import csv

    parse = csv.ParseOptions(newlines_in_values=True)
    blocks = csv.ReadOptions(block_size=1 << 26)
    try:
        with csv.open_csv(source, read_options=blocks, parse_options=parse) as first:
            names = first.schema.names
        if isinstance(source, pa.BufferReader):
            source.seek(0)
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()),
            strings_can_be_null=False,
            include_columns=list(wanted) if wanted and all(names.count(name) == 1 for name in wanted) else None,
        )
        return csv.read_csv(source, read_options=blocks, parse_options=parse, convert_options=convert)
    except (pa.ArrowInvalid, FileNotFoundError) as why:
        raise InputRefused(f"{_named(source)} cannot be read as a UTF-8 CSV file: {why}") from why


def _named(source: Any) -> str:
    return "the frame" if isinstance(source, pa.BufferReader) else str(source)


def one_column(table: Any, name: str) -> Any:
    found = table.schema.get_all_field_indices(name)
    if len(found) == 1:
        return table.column(found[0])
    if not found:
        raise InputRefused(f"there is no column {name!r}; the columns are {', '.join(map(repr, table.column_names))}")
    raise InputRefused(f"column {name!r} occurs {len(found)} times: rename all but one")


def _text(column: Any, name: str) -> Any:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean, pa.types.is_null)
    if not any(is_kind(kind) for is_kind in known) and kind != pa.string_view():
        raise InputRefused(f"column {name!r} came as {kind}; wanted text or whole numbers: convert it to text first")
    text = pc.utf8_normalize(column.cast(kind).cast(pa.large_string()).fill_null(""), form="NFC").combine_chunks()
    row = pc.index(pc.match_substring(text, "\0"), True).as_py()
    if row >= 0:
        raise InputRefused(f"column {name!r}, record {row + 1}: a NUL character, which no field may contain: remove it")
    return text


def _check_salt(salt: bytes | None, columns: FrameColumns) -> None:
    if columns.needs_salt and salt is None:
        raise UsageError(
            "a salt is needed (grounds column, or no record id): give the one kept at the commitment "
            "(--salt FILE), or make one with new_salt() and keep it"
        )
    if salt is not None and len(salt) != SALT_BYTES:
        raise UsageError(f"the salt has {len(salt)} bytes; wanted {SALT_BYTES}, as new_salt() makes")


def record_ids(source: Any, columns: FrameColumns, salt: bytes | None) -> Any:
    """The records' ids, checked; made from the rows and the salt where there is no column of them."""
    _check_salt(salt, columns)
    if columns.record_id is None:
        return _row_ids(source, salt or b"")
    ids = source.column(columns.record_id).combine_chunks()
    blank = pc.index(ids, "").as_py()
    if blank >= 0:
        raise InputRefused(
            f"record {blank + 1} has no {columns.record_id!r}; every record needs one, or give record_id=None"
        )
    counts = pc.value_counts(ids)
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        raise InputRefused(
            f"{columns.record_id!r} {repeated[0].as_py()!r} is on more than one record "
            f"({len(repeated)} ids repeat): remove the copies, or give record_id=None"
        )
    return ids


def _row_ids(source: Any, salt: bytes) -> Any:
    """First 32 hex digits of SHA-256(salt || row as an RFC 4180 line), a hyphen, and which copy of the row it is."""
    lines = _lines(source)
    hashes = [hashlib.sha256(salt + line.encode()).hexdigest()[:32] for line in lines.to_pylist()]
    seen: dict[str, int] = {}
    ids = []
    for row_hash in hashes:
        seen[row_hash] = seen.get(row_hash, 0) + 1
        ids.append(f"{row_hash}-{seen[row_hash]}")
    return pa.array(ids, pa.large_string())


def _grounds_hashes(ids: Any, grounds: Any, salt: bytes) -> Any:
    sha256 = hashlib.sha256
    keys = pc.binary_join_element_wise(ids, grounds, pa.scalar("\0", pa.large_string())).cast(pa.large_binary())
    return pa.array([sha256(salt + key).hexdigest() for key in each_value(keys)], pa.large_string())


def each_value(values: Any) -> Iterator[bytes]:
    """Each value's bytes, sliced from one buffer (half the time of to_pylist)."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    content, ends = _content(array)
    start = 0
    for end in ends.tolist():
        yield content[start:end]
        start = end


def _content(array: Any) -> tuple[bytes, np.ndarray]:
    """All values of one text array end to end, and the offset after each."""
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    if not len(array):
        return b"", np.empty(0, np.int64)
    return bytes(memoryview(array.buffers()[2])[offsets[0] : offsets[-1]]), offsets[1:] - offsets[0]


def canonical(table: Any, strata: tuple[str, ...]) -> Frame:
    """Text columns (record_id among them) sorted and laid out as a Frame."""
    _check_layout(table, strata)
    keys = [(name, "ascending") for name in (*strata, RECORD_ID)]
    table = table.take(pc.sort_indices(table, sort_keys=keys)).combine_chunks()
    header = _header(table)
    body, ends = _content(_ended_lines(table))
    return Frame(table, strata, header + body, len(header), ends + len(header), _starts(table, strata))


def _check_layout(table: Any, strata: tuple[str, ...]) -> None:
    for name in (*strata, RECORD_ID):
        one_column(table, name)
    if not table.num_rows:
        raise InputRefused("the frame has no records: nothing can be drawn")


def _large(text: str) -> Any:
    return pa.scalar(text, pa.large_string())


def _lines(table: Any) -> Any:
    """RFC 4180 lines without their ends: a field is quoted only when it holds a comma, a quote or a line end."""
    columns = [_quoted(table.column(name)) for name in table.column_names]
    lines = pc.binary_join_element_wise(*columns, _large(","))
    return lines.combine_chunks() if isinstance(lines, pa.ChunkedArray) else lines


def _ended_lines(table: Any) -> Any:
    return pc.binary_join_element_wise(_lines(table), _large(""), _large("\n"))


def _header(table: Any) -> bytes:
    return ",".join(_quoted(pa.array(table.column_names, pa.large_string())).to_pylist()).encode() + b"\n"


def csv_bytes(table: Any) -> bytes:
    """A table of text and whole numbers in the frame's own layout: header, lines, one line feed after each."""
    text = pa.table({name: table.column(name).cast(pa.large_string()) for name in table.column_names})
    return _header(text) + _content(_ended_lines(text.combine_chunks()))[0]


def _quoted(column: Any) -> Any:
    needs = pc.match_substring_regex(column, '[",\r\n]')
    if not pc.any(needs).as_py():
        return column
    doubled = pc.replace_substring(column, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise(_large('"'), doubled, _large('"'), _large("")), column)


def _starts(table: Any, strata: tuple[str, ...]) -> np.ndarray:
    changes = np.zeros(table.num_rows, bool)
    changes[0] = True
    for name in strata:
        codes = table.column(name).combine_chunks().dictionary_encode().indices.to_numpy()
        changes[1:] |= codes[1:] != codes[:-1]
    return np.append(np.flatnonzero(changes), table.num_rows)
