"""Parquet files that somebody else wrote: found, opened, named by a digest, and refused by name when damaged."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from disprop.errors import InputRefused, UsageError
from disprop.io.archive import refuse_changed
from disprop.io.columns import LABELS, PLACE, Binding, bind
from disprop.io.rules import BAD_TABLE, DAMAGED, MISSING_FILE, NO_PERMISSION, NOTHING_TO_READ, refuse
from disprop.tallies import FORMAT as TALLY

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import FileMetaData, ParquetFile

ENDINGS = (".parquet", ".parq", ".pq")
MAGIC = b"PAR1"
WEAK = "weak:"
"""How the digest of a file begins that was named by its footer, size and time, not by all its bytes."""
DATES = ("force", "month", "event_time")
CHUNK = 1 << 22


@dataclass(frozen=True)
class Foreign:
    """One Parquet file: where it is, what names its content, its footer, and where the canonical columns stand."""

    path: str
    stamp: tuple[int, ...]
    digest: str
    footer: FileMetaData
    schema: pa.Schema
    binding: Binding

    @property
    def name(self) -> str:
        return self.path

    def headers(self, columns: Iterable[str]) -> list[str]:
        """The file's own names of canonical columns, those that it has, in its order."""
        places = sorted(self.binding.at[name] for name in columns if name in self.binding.at)
        return [self.schema.names[place] for place in places]

    def bound(self, columns: Iterable[str]) -> Binding:
        """Where canonical columns stand in a batch of these columns alone; notes are those of the whole file."""
        wanted = set(columns)
        names = [name for name in sorted(self.binding.at, key=self.binding.at.__getitem__) if name in wanted]
        return Binding(at={name: i for i, name in enumerate(names)}, notes=self.binding.notes)

    def reader(self) -> ParquetFile:
        """The file, opened to be decoded: text comes as a dictionary, and pages with a check sum are checked."""
        from pyarrow import parquet

        with refusing(self.path):
            if stamp_of(self.path) != self.stamp:
                refuse_changed(self.path)
            texts = [field.name for field in self.schema if _is_text(field.type)]
            return parquet.ParquetFile(
                self.path,
                metadata=self.footer,
                read_dictionary=texts,
                memory_map=False,  # a mapped file that is cut short while it is read ends the process
                pre_buffer=False,
                page_checksum_verification=True,
            )

    def check_unchanged(self) -> None:
        with refusing(self.path):
            if stamp_of(self.path) != self.stamp:
                refuse_changed(self.path)


@contextmanager
def refusing(path: str) -> Iterator[None]:
    """Whatever can go wrong in reading a file becomes a refusal that names it."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError:
        refuse(MISSING_FILE, path, "it was there or was asked for, and is not; check the path")
    except PermissionError as why:
        refuse(NO_PERMISSION, path, f"{why.strerror}; ask for the right to read it")
    except (OSError, pa.ArrowException, UnicodeDecodeError, ValueError) as why:
        if isinstance(why, InputRefused):
            raise
        said = " ".join(str(why).split())[:200]
        raise InputRefused(f"{path}: cannot be decoded ({said}); nothing was counted, copy or write it again") from why


def stamp_of(path: str) -> tuple[int, ...]:
    """What changes when a file is written, replaced or cut."""
    found = os.stat(path)
    return (found.st_size, found.st_mtime_ns)


def open_foreign(path: str, *, digest: str, force: str | None) -> Foreign:
    """The file with its footer read; raises InputRefused when it is no Parquet of searches."""
    from pyarrow import parquet

    with refusing(path):
        stamp = stamp_of(path)
        raw = _footer_bytes(path, stamp[0])
        footer = parquet.read_metadata(path)
        schema = footer.schema.to_arrow_schema()
    if TALLY.encode() in (schema.metadata or {}):
        refuse(BAD_TABLE, path, "it is a saved tally; read it with disprop.load")
    return Foreign(path, stamp, _digest(path, raw, stamp, digest), footer, schema, _bound(path, schema, force))


def _footer_bytes(path: str, size: int) -> bytes:
    """The footer as it stands in the file."""
    with open(path, "rb") as file:
        file.seek(max(size - 8, 0))
        end = file.read(8)
        if end[4:] != MAGIC:
            refuse(DAMAGED, path, "it does not end as a Parquet file does: cut short, encrypted, or something else")
        length = int.from_bytes(end[:4], "little")
        file.seek(max(size - 8 - length, 0))
        return file.read(length)


def _digest(path: str, footer: bytes, stamp: tuple[int, ...], kind: str) -> str:
    if kind == "full":
        return content_digest(path)
    return WEAK + sha256(footer + repr(stamp).encode()).hexdigest()


def content_digest(path: str) -> str:
    """SHA-256 of all bytes of a file."""
    found = sha256()
    with refusing(path), open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _bound(path: str, schema: pa.Schema, force: str | None) -> Binding:
    """The canonical columns of a file, the needed ones among them."""
    binding = bind(schema.names, spelling="name", ignore=())
    if binding.twins:
        refuse(BAD_TABLE, path, f"two columns mean {', '.join(binding.twins)}; rename or drop one")
    if not {"event_time", "month"} & set(binding.at):
        refuse(BAD_TABLE, path, "it has neither `event_time` nor `month`; rename the column that dates the searches")
    if "force" not in binding.at and force is None:
        refuse(BAD_TABLE, path, "it has no `force`; add the column, or give force=")
    return binding


def find_files(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[str], int]:
    """Parquet files of the paths, each once, in order of their names; and how many other files stood beside them."""
    found: dict[str, str] = {}
    others = 0
    named = [os.fspath(path) for path in paths]
    for path in named:
        here, beside = _files_of(path)
        others += beside
        found |= {os.path.realpath(one): one for one in here}
    if not found:
        refuse(NOTHING_TO_READ, ", ".join(named), f"no file ends in {', '.join(ENDINGS)}")
    return sorted(found.values()), others


def _files_of(path: str) -> tuple[list[str], int]:
    if os.path.isdir(path):
        every = [str(one) for one in sorted(Path(path).rglob("*")) if one.is_file()]
    elif glob.has_magic(path) and not os.path.exists(path):
        every = [one for one in sorted(glob.glob(path, recursive=True)) if os.path.isfile(one)]
    else:
        return [path], 0
    if not every:
        refuse(MISSING_FILE, path, "nothing is there; check the path")
    kept = [one for one in every if is_parquet(one)]
    return kept, len(every) - len(kept)


def is_parquet(path: str | os.PathLike[str]) -> bool:
    """Whether a path is named as Parquet is; names that begin with a dot or underscore are other programs' notes.

    >>> is_parquet("searches.parquet"), is_parquet("searches.csv")
    (True, False)
    """
    name = os.path.basename(os.fspath(path))
    return name.lower().endswith(ENDINGS) and not name.startswith((".", "_"))


def holds_parquet(paths: Iterable[str | os.PathLike[str]]) -> bool:
    """Whether all the paths are Parquet files, globs of them, or folders of them; raises UsageError for a mixture."""
    every = list(paths)
    found = [_is_parquet_path(os.fspath(path)) for path in every]
    if any(found) and not all(found):
        raise UsageError(
            f"{every[found.index(True)]} is Parquet and {every[found.index(False)]} is not; read them apart and add"
        )
    return all(found)


def _is_parquet_path(path: str) -> bool:
    """A folder counts as Parquet when a Parquet file is met in it before any table of another form."""
    if not os.path.isdir(path):
        return is_parquet(path)
    for _, _, names in os.walk(path):
        if any(name.lower().endswith((".csv", ".json", ".zip")) for name in names):
            return False
        if any(map(is_parquet, names)):
            return True
    return False


def refuse_other_schema(files: list[Foreign]) -> None:
    """Files of one read must have the same canonical columns, of types that mean the same."""
    first = files[0]
    for other in files[1:]:
        for name in dict.fromkeys([*first.binding.at, *other.binding.at]):
            here, there = (_family(one, name) for one in (other, first))
            if here != there:
                refuse(
                    BAD_TABLE,
                    other.path,
                    f"`{name}` is {here} here and {there} in {first.path}: another schema; read them apart",
                )


def _family(file: Foreign, name: str) -> str:
    """What the type of a column means, whatever its width: an all-null column fits any."""
    import pyarrow as pa

    if name not in file.binding.at:
        return "absent"
    kind = file.schema.field(file.binding.at[name]).type
    if pa.types.is_timestamp(kind):
        return "a time with a zone" if kind.tz else "a time without a zone"
    return "text or a number" if name in LABELS or name in PLACE or _is_text(kind) else str(kind)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(inner)
        or pa.types.is_large_string(inner)
        or pa.types.is_string_view(inner)
        or pa.types.is_binary(inner)
        or pa.types.is_large_binary(inner)
    )
