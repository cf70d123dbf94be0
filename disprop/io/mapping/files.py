"""Extracts as they lie in files -> columns of text by header, CSV and Parquet alike; rows that are none put apart."""

from __future__ import annotations

import codecs
import csv
import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from disprop.io.archive import Member, Stream, digest_of
from disprop.io.csv_rows import CsvRows
from disprop.io.frame_columns import as_text
from disprop.io.mapping.columns import ColumnMapping, header_key
from disprop.io.parquet_files import ENDINGS, MAGIC, refusing
from disprop.io.rules import (
    BAD_EXTRACT,
    DUPLICATE_NAME,
    EMPTY_FILE,
    EMPTY_ROW,
    MISSING_FILE,
    NO_LINE_END,
    NO_PERMISSION,
    NOTHING_TO_READ,
    REPEATED_HEADER,
    refuse,
)
from disprop.io.sniff import DELIMITERS, HEAD, kind_of
from disprop.io.text_rows import Bad, Block, decoded

if TYPE_CHECKING:
    import pyarrow as pa

TEXT_ENDINGS = (".csv", ".txt", ".tsv")
ROWS = 1 << 16


@dataclass
class Piece:
    """Some rows of one extract. `columns[header]` holds texts, null for blank; `lines[i]` says where row i stands.

    `left_out[i]` is the rule by which row i is no record; `bad` are rows that could not be told apart into columns.
    """

    columns: dict[str, pa.Array]
    lines: Sequence[int]
    bad: list[Bad] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return len(self.lines)


class Extract(Protocol):
    """One file: its headers, each name once, and its rows; `count` and `sha256` hold once `pieces` is exhausted."""

    name: str
    header: list[str]

    @property
    def count(self) -> int: ...

    @property
    def sha256(self) -> str: ...

    def pieces(self, headers: Iterable[str]) -> Iterator[Piece]: ...

    def close(self) -> None: ...


def find_extracts(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Member], list[str]]:
    """The files of paths, folders and globs, and the names of those whose bytes came before.

    Raises InputRefused where a path does not exist, a file is empty, or nothing is found.
    """
    found: dict[Path, Member] = {}
    for path in paths:
        for file in _files(Path(os.path.expanduser(path))):
            found.setdefault(file.resolve(), _member(file))
    if not found:
        refuse(NOTHING_TO_READ, ", ".join(map(str, paths)), "no CSV or Parquet file there; check the path")
    return _each_once(list(found.values()))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        return [one for one in sorted(path.rglob("*")) if one.is_file() and _is_data(one.relative_to(path))]
    matched = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(str(path)) else []
    if not matched:
        refuse(MISSING_FILE, str(path), "check the path")
    return [file for one in map(Path, matched) for file in ([one] if one.is_file() else _files(one))]


def _is_data(inside: Path) -> bool:
    hidden = any(part.startswith(".") for part in inside.parts)
    return inside.suffix.lower() in (*TEXT_ENDINGS, *ENDINGS) and not hidden


def _member(file: Path) -> Member:
    try:
        size = file.stat().st_size
    except OSError as why:
        refuse(NO_PERMISSION, str(file), f"{why.strerror or why}; check its permissions")
    if size == 0:
        refuse(EMPTY_FILE, str(file), "an extract without records has a header; export it again or leave it out")
    return Member(str(file), str(file), size, file)


def _each_once(members: list[Member]) -> tuple[list[Member], list[str]]:
    """Files whose bytes are those of an earlier one are left aside; only files of one size are compared."""
    sizes = Counter(member.size for member in members)
    digests: dict[str, str] = {}
    kept: list[Member] = []
    for member in members:
        digest = digest_of(member) if sizes[member.size] > 1 else member.name
        if digests.setdefault(digest, member.name) == member.name:
            kept.append(member)
    return kept, [member.name for member in members if member not in kept]


def open_extract(member: Member, mapping: ColumnMapping | None, notes: Counter[str]) -> Extract:
    """The file opened, its header read; delimiter and encoding are the mapping's, or found out."""
    with member.open() as raw:
        is_parquet = raw.read(len(MAGIC)) == MAGIC
    return ParquetExtract(member, notes) if is_parquet else CsvExtract(member, mapping, notes)


class CsvExtract:
    """An extract as CSV."""

    def __init__(self, member: Member, mapping: ColumnMapping | None, notes: Counter[str]) -> None:
        self.name, self._notes = member.name, notes
        self._stream = Stream(member)
        self._stream.__enter__()
        try:
            self._open(member, mapping, notes)
        except BaseException:
            self.close()
            raise

    def _open(self, member: Member, mapping: ColumnMapping | None, notes: Counter[str]) -> None:
        """Reads the header; the rows stay for `pieces`."""
        chunks = self._stream.chunks()
        first = next(chunks, b"")
        kind = kind_of(first[:HEAD])
        if kind is not None:
            refuse(BAD_EXTRACT, member.name, f"it is {kind[0]}; {kind[1]}")
        encoding = mapping.encoding if mapping else None
        whole = chain([first], chunks)
        texts = decoded(first[:HEAD], whole, notes) if encoding is None else _declared(self.name, whole, encoding)
        delimiter = mapping.delimiter if mapping else None
        self._rows = CsvRows(member.name, texts, notes, split=lambda line: _split(line, delimiter))
        self.header = unique_names(self._rows.header, notes)
        self._again = [header_key(text) for text in self._rows.header]
        if len(self.header) < 2:
            refuse(BAD_EXTRACT, member.name, "its first line names one column; declare its delimiter in the mapping")

    @property
    def count(self) -> int:
        return self._rows.count

    @property
    def sha256(self) -> str:
        return self._stream.sha256

    def close(self) -> None:
        self._stream.__exit__(Exception, None, None)

    def pieces(self, headers: Iterable[str]) -> Iterator[Piece]:
        places = {header: self.header.index(header) for header in headers}
        for block in self._rows.blocks():
            yield self._piece(block, places)
        self._stream.__exit__(None, None, None)

    def _piece(self, block: Block, places: dict[str, int]) -> Piece:
        import pyarrow as pa

        texts = list(zip(*block.rows)) if block.rows else [()] * len(self.header)
        columns = {header: pa.array(texts[place], pa.string()) for header, place in places.items()}
        left_out = {i: rule for i, row in enumerate(block.rows) if (rule := self._no_record(row))}
        if block.open_end and block.rows:
            self._notes[NO_LINE_END] += 1
        return Piece(columns, block.lines, block.bad, left_out)

    def _no_record(self, row: list[str]) -> str:
        if not any(text and not text.isspace() for text in row):
            return EMPTY_ROW
        if row[0].strip("\ufeff ").casefold() != self._again[0]:
            return ""
        return REPEATED_HEADER if [header_key(text) for text in row] == self._again else ""


class ParquetExtract:
    """An extract as Parquet."""

    def __init__(self, member: Member, notes: Counter[str]) -> None:
        from pyarrow import parquet

        self.name = member.name
        self._member = member
        with refusing(member.name):
            self._file = parquet.ParquetFile(member.file, memory_map=False)
        self._names = list(self._file.schema_arrow.names)
        self.header = unique_names(self._names, notes)
        self.count, self.sha256 = 0, ""

    def close(self) -> None:
        self._file.close()

    def pieces(self, headers: Iterable[str]) -> Iterator[Piece]:
        self.sha256 = digest_of(self._member)
        places = {header: self.header.index(header) for header in headers}
        batches = self._file.iter_batches(ROWS, columns=[self._names[place] for place in places.values()])
        while True:
            with refusing(self.name):
                batch = next(batches, None)
            if batch is None:
                break
            columns = {header: as_text(batch.column(self._names[place])) for header, place in places.items()}
            lines = range(self.count + 1, self.count + batch.num_rows + 1)
            self.count += batch.num_rows
            yield Piece(columns, lines)
        self.close()


def unique_names(header: Sequence[str], notes: Counter[str]) -> list[str]:
    """Headers as a mapping names them: trimmed, one without a name by its place, a repeated one with its number.

    >>> unique_names(["Date ", "", "date"], Counter())
    ['Date', 'column 2', 'date [2]']
    """
    seen, found = Counter[str](), []
    for place, text in enumerate(header, start=1):
        name = " ".join(text.replace("\ufeff", "").split()) or f"column {place}"
        seen[header_key(name)] += 1
        times = seen[header_key(name)]
        if times > 1:
            notes[f"{DUPLICATE_NAME}: {name}"] += 1
        found.append(f"{name} [{times}]" if times > 1 else name)
    return found


def _declared(name: str, chunks: Iterable[bytes], encoding: str) -> Iterator[str]:
    """Text of chunks by the declared encoding; what it does not fit is refused."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).removeprefix("\ufeff")
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as why:
        refuse(BAD_EXTRACT, name, f"it is not all {encoding} ({why.reason}); declare another encoding, or none")


def _split(line: str, delimiter: str | None) -> tuple[list[str], str]:
    """Fields of the header line: by the declared delimiter, else by the one that finds most of them."""
    tried = [delimiter] if delimiter else list(DELIMITERS)
    fields = [(next(csv.reader([line], delimiter=one), []), one) for one in tried]
    return max(fields, key=lambda found: len(found[0]))
