"""Looks for raw identifiers in files: plain, in compressed and columnar files, and as hashes made without the key.

Plain Python, numpy and Arrow; nothing of disprop. It knows what raw identifiers look like, so that all of them are
looked for at once, and of every hash the first and the last 8 bytes, in either byte order, so that a cut hash is found.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SORTS = ("officer", "other_officer", "person", "reference", "incident", "media", "device")
LOOKS = (r"PC\d{4}", r"P\d{8}", r"URN\d{8}", r"INC\d{8}", r"MED\d{10}", r"BW\d{5}")
"""What an identifier of the invented force looks like."""
HASHED = 500


class Search:
    """Everything that would give away one of some identifiers: all of them plain, about HASHED of them as hashes (what
    hashes one without the key hashes all)."""

    def __init__(self, identifiers):
        self.raw = {text.casefold() for text in identifiers}
        some = sorted(identifiers)[:: max(1, len(identifiers) // HASHED)]
        digests = [digest for text in some for said in variants(text) for digest in hashed(said)]
        self.hex = {part.hex() for digest in digests for part in (digest[:8], digest[-8:])}
        ends = [part for digest in digests for part in (digest[:8], digest[-8:])]
        whole = np.array([int.from_bytes(end, order) for end in ends for order in ("little", "big")], np.uint64)
        self.numbers = np.unique(whole)

    def found(self, blob: bytes) -> list[str]:
        return [*self._plain(blob), *self._hex(blob), *self._numbers(blob)]

    def _plain(self, blob: bytes) -> Iterator[str]:
        for look in LOOKS:
            for encoding, pattern in (("plain", look.encode()), ("UTF-16", spread(look))):
                for match in re.finditer(pattern, blob, re.IGNORECASE):
                    text = match[0].replace(b"\0", b"").decode()
                    if text.casefold() in self.raw:
                        yield f"{text} ({encoding})"

    def _hex(self, blob: bytes) -> Iterator[str]:
        for match in re.finditer(rb"[0-9a-fA-F]{16,}", blob):
            text = match[0].decode().lower()
            yield from (f"{at} (hash in hexadecimal)" for at in {text[:16], text[-16:]} & self.hex)

    def _numbers(self, blob: bytes) -> Iterator[str]:
        for start in range(8):
            n = (len(blob) - start) // 8
            windows = np.frombuffer(blob, dtype="<u8", count=max(n, 0), offset=min(start, len(blob)))
            at = np.searchsorted(self.numbers, windows)
            hits = windows[self.numbers[np.minimum(at, len(self.numbers) - 1)] == windows]
            yield from (f"{hit:016x} (hash as bytes)" for hit in hits.tolist())


def spread(look: str) -> bytes:
    """A pattern of UTF-16, whichever byte order."""
    return b"\0?".join(piece.encode() for piece in re.findall(r"\\d\{\d+\}|.", look)).replace(b"\\d", b"(?:\\d\0?)")


def variants(text: str) -> list[bytes]:
    """What could be hashed without a key: the text as given or folded, alone or with a prefix of its sort."""
    said = [text, text.casefold(), text.lower(), text.upper()]
    with_prefix = [f"{sort}{joint}{one}" for sort in SORTS for joint in ("\0", ":", "") for one in said[:2]]
    return [one.encode() for one in dict.fromkeys([*said, *with_prefix])]


def hashed(said: bytes) -> list[bytes]:
    cut = hashlib.blake2b(said, digest_size=8).digest()
    return [*(hashlib.new(name, said).digest() for name in ("md5", "sha1", "sha256", "blake2b")), cut]


# What files hold -----------------------------------------------------------------------------------------------------


def blobs(path: Path) -> Iterator[tuple[str, bytes]]:
    """The bytes of a file, and of all that is packed in it, unpacked."""
    yield from unpacked(path.name, path.read_bytes())


def unpacked(name: str, blob: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, blob
    if blob[:2] == b"\x1f\x8b":
        yield from unpacked(f"{name} (gzip)", gzip.decompress(blob))
    if blob[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            for member in archive.namelist():
                yield f"{name}: name of a member", member.encode()
                yield from unpacked(f"{name}: {member}", archive.read(member))
    if blob[:4] == b"PAR1":
        yield from columns(name, pq.read_table(io.BytesIO(blob)))
    if blob[:6] == b"ARROW1":
        yield from columns(name, pa.ipc.open_file(pa.BufferReader(blob)).read_all())


def columns(name: str, table: pa.Table) -> Iterator[tuple[str, bytes]]:
    """Every value of a table, as text and as the bytes of numbers; and what the schema says."""
    yield f"{name}: schema", str(table.schema.metadata).encode() + str(table.schema).encode()
    for column in table.column_names:
        values = table[column].combine_chunks()
        if isinstance(values, pa.DictionaryArray):
            values = values.dictionary
        if isinstance(values, pa.ChunkedArray):
            values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0)
        yield f"{name}: {column}", "\n".join(map(str, values.to_pylist())).encode()
        if pa.types.is_integer(values.type) and values.type.bit_width == 64:
            yield f"{name}: {column} as numbers", values.fill_null(0).to_numpy().tobytes()
        if pa.types.is_binary(values.type) or pa.types.is_fixed_size_binary(values.type):
            yield f"{name}: {column} as bytes", b"\n".join(value or b"" for value in values.to_pylist())


def leaks(search: Search, paths: Iterator[Path]) -> list[str]:
    """Where anything was found."""
    return [f"{path.name}: {name}: {hit}" for path in paths for name, blob in blobs(path) for hit in search.found(blob)]
