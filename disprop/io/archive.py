"""Paths, folders, globs and zip archives -> the members to read, each a stream of bytes; nothing is unpacked."""

from __future__ import annotations

import glob
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from io import BufferedIOBase
from pathlib import Path
from typing import NoReturn, cast

from disprop.io.names import is_named_stop_and_search, is_other_police_uk
from disprop.io.rules import (
    CHANGED,
    DAMAGED,
    EMPTY_FILE,
    ENCRYPTED,
    LINK_LOOP,
    MISSING_FILE,
    NESTED,
    NO_PERMISSION,
    NOTHING_TO_READ,
    OTHER_FILE,
    OTHER_POLICE_UK,
    SAME_CONTENT,
    refuse,
)
from disprop.io.sniff import HEAD, is_workbook, looks_like_searches

CHUNK = 1 << 22
_TABLES = (".csv", ".json")
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError)

Progress = Callable[[int, int, str], None]


class Archive:
    """A zip archive, opened when first needed and kept open while its members are read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None

    def zip(self) -> zipfile.ZipFile:
        if self._zip is None:
            try:
                self._zip = zipfile.ZipFile(self.path)
            except OSError as why:
                _refuse_os(str(self.path), why)
            except _BROKEN as why:
                refuse(DAMAGED, str(self.path), f"{why}; download or copy it again")
        return self._zip

    def close(self) -> None:
        if self._zip is not None:
            self._zip.close()
            self._zip = None


@dataclass(frozen=True)
class Member:
    """One file, or one member of an archive: `name` as shown, `path` as it is read for force and month."""

    name: str
    path: str
    size: int
    file: Path
    archive: Archive | None = None
    info: zipfile.ZipInfo | None = None

    def open(self) -> BufferedIOBase:
        if self.archive is None or self.info is None:
            return self.file.open("rb")
        return cast("BufferedIOBase", self.archive.zip().open(self.info))  # a ZipExtFile, typed as plain IO

    def stamp(self) -> tuple[int, ...]:
        """What changes when the file on disk is written, replaced or cut."""
        found = self.file.stat()
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class Stream:
    """A member being read: digest, length and progress are kept on the way; any failure refuses it by name.

    Use as a context: leaving it without an error checks that the file did not change meanwhile.
    """

    def __init__(self, member: Member, progress: Callable[[int], None] | None = None) -> None:
        self.member, self.progress = member, progress
        self.bytes = 0
        self._digest = sha256()

    def __enter__(self) -> Stream:
        with _refusing(self.member):
            self._stamp = self.member.stamp()
            self._raw = self.member.open()
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._raw.close()
        if kind is None:
            with _refusing(self.member):
                self._check()

    def chunks(self) -> Iterator[bytes]:
        while chunk := self._read():
            yield chunk
            if self.progress:
                self.progress(self.bytes)

    def read_into(self, room: memoryview) -> None:
        """Read all of the member at once; `room` has one byte more than it should need."""
        with _refusing(self.member):
            while n := self._raw.readinto(room[self.bytes :]):
                self._digest.update(room[self.bytes : self.bytes + n])
                self.bytes += n

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def _read(self) -> bytes:
        with _refusing(self.member):
            chunk = self._raw.read(CHUNK)
        self._digest.update(chunk)
        self.bytes += len(chunk)
        return chunk

    def _check(self) -> None:
        if self._stamp != self.member.stamp() or self.bytes != self.member.size:
            refuse_changed(self.member.name)


def refuse_changed(name: str) -> NoReturn:
    refuse(CHANGED, name, "wait until nothing writes to it, or copy it elsewhere, and read again")


@contextmanager
def _refusing(member: Member) -> Iterator[None]:
    """Whatever can go wrong in reading bytes becomes a refusal that names the member."""
    try:
        yield
    except OSError as why:
        _refuse_os(member.name, why)
    except _BROKEN as why:
        refuse(DAMAGED, member.name, f"{why}; download or copy it again")


def _refuse_os(name: str, why: OSError) -> NoReturn:
    if isinstance(why, FileNotFoundError):
        refuse(MISSING_FILE, name, "check the path")
    refuse(NO_PERMISSION, name, f"{why.strerror or why}; check its permissions, or copy it elsewhere")


def digest_of(member: Member) -> str:
    """SHA-256 of a member's bytes."""
    with Stream(member) as stream:
        for _ in stream.chunks():
            pass
        return stream.sha256


@dataclass
class Found:
    """What the paths hold: members to read, in a stable order; names left aside, by rule."""

    members: list[Member] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def skip(self, rule: str, name: str) -> None:
        self.skipped.setdefault(rule, []).append(name)

    def close(self) -> None:
        for archive in {member.archive for member in self.members if member.archive}:
            archive.close()


def find_members(paths: Iterable[str | os.PathLike[str]]) -> Found:
    """The members that files, folders, globs and zip archives hold.

    A file given by its own name must be read, or the read is refused. In folders, globs and archives, files named as
    stop and search must be; others are read when their first bytes show its columns, else left aside and counted.
    """
    found, seen = Found(), set[tuple[int, int]]()
    for path in paths:
        for file, named in _files(path, found):
            if not named and file.suffix.lower() not in (".zip", *_TABLES):
                found.skip(OTHER_FILE, str(file))
            elif _again(file, seen):
                found.skip(SAME_CONTENT, str(file))
            elif file.suffix.lower() == ".zip":
                _add_archive(file, found)
            else:
                _add_file(file, named, found)
    found.members = [member for member in found.members if not _is_empty(member)]
    if not found.members:
        left = "; ".join(f"{rule}: {len(names)}" for rule, names in found.skipped.items()) or "it is empty"
        refuse(NOTHING_TO_READ, ", ".join(map(str, paths)), f"no stop and search file there ({left}); check the path")
    return found


def _is_empty(member: Member) -> bool:
    if member.size == 0:
        refuse(EMPTY_FILE, member.name, "a month without searches has a header; download it again or leave it out")
    return False


def _again(file: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether this very file (by any name) came before."""
    try:
        found = file.stat()
    except OSError as why:
        _refuse_os(str(file), why)
    except ValueError as why:
        refuse(MISSING_FILE, repr(str(file)), f"{why}; check the path")
    if not stat.S_ISREG(found.st_mode):
        refuse(NO_PERMISSION, str(file), "it is neither a file nor a folder")
    key = (found.st_dev, found.st_ino)
    came_before = key in seen
    seen.add(key)
    return came_before


def _files(path: str | os.PathLike[str], found: Found) -> Iterator[tuple[Path, bool]]:
    """Files under a path, with whether each was given by its own name."""
    place = Path(os.path.expanduser(path))
    if os.path.isdir(place):
        for file in _walk(place, found):
            yield file, False
    elif os.path.exists(place) or not glob.has_magic(os.fspath(path)):
        yield place, True
    else:
        yield from _globbed(place, found)


def _globbed(pattern: Path, found: Found) -> Iterator[tuple[Path, bool]]:
    matched = sorted(glob.glob(str(pattern), recursive=True))
    if not matched:
        refuse(MISSING_FILE, str(pattern), "no path matches; check it, and quote it so that the shell leaves it alone")
    for one in map(Path, matched):
        for file in _walk(one, found) if one.is_dir() else [one]:
            yield file, False


def _walk(folder: Path, found: Found) -> Iterator[Path]:
    """Files of a tree in name order; each folder once, whatever links lead to it. Hidden files are not data."""
    visited = set[tuple[int, int]]()
    for here, folders, files in os.walk(folder, followlinks=True, onerror=_refuse_folder):
        at = os.stat(here)
        if (at.st_dev, at.st_ino) in visited:
            folders.clear()
            found.notes[LINK_LOOP] = found.notes.get(LINK_LOOP, 0) + 1
            continue
        visited.add((at.st_dev, at.st_ino))
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (Path(here, name) for name in sorted(files) if not _is_hidden(name))


def _refuse_folder(why: OSError) -> NoReturn:
    _refuse_os(str(why.filename), why)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _add_file(file: Path, named: bool, found: Found) -> None:
    member = Member(str(file), str(file), file.stat().st_size, file)
    if named and not is_other_police_uk(file.name):
        found.members.append(member)
    else:
        _consider(member, found)


def _add_archive(file: Path, found: Found) -> None:
    archive = Archive(file)
    if is_workbook(archive.zip().namelist()):
        return found.skip(OTHER_FILE, str(file))
    for info in sorted(archive.zip().infolist(), key=lambda info: info.filename):
        if not info.is_dir() and not any(map(_is_hidden, info.filename.split("/"))):
            _consider(_zip_member(file, archive, info), found)
    if not any(member.archive is archive for member in found.members):
        archive.close()
    return None


def _zip_member(file: Path, archive: Archive, info: zipfile.ZipInfo) -> Member:
    name = f"{file}:{info.filename}"
    suffix = Path(info.filename).suffix.lower()
    if suffix == ".zip":
        refuse(NESTED, name, "unpack the outer archive and give the inner one")
    if suffix in _TABLES and info.flag_bits & 1 and not is_other_police_uk(info.filename):
        refuse(ENCRYPTED, name, "unpack it with its password and give the files")
    return Member(name, info.filename, info.file_size, file, archive, info)


def _consider(member: Member, found: Found) -> None:
    """Take a member that nobody named by itself, or leave it aside under a rule."""
    if is_other_police_uk(member.path):
        found.skip(OTHER_POLICE_UK, member.name)
    elif (is_named_stop_and_search(member.path) and member.path.lower().endswith(_TABLES)) or (
        member.path.lower().endswith(_TABLES) and looks_like_searches(_head(member))
    ):
        found.members.append(member)
    else:
        found.skip(OTHER_FILE, member.name)


def _head(member: Member) -> bytes:
    with _refusing(member), member.open() as raw:
        return raw.read(HEAD)
