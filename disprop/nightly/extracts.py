"""Extracts into the store: what is new or revised is read, in one transaction; what was read before is not read again.

Of every extract a small record is kept (an `Intake`): which files, with which digests, fed which slots of which store,
and what became of their rows. It names no place of a file, so that what is published does not depend on one.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from disprop.errors import InputRefused
from disprop.io.archive import find_members
from disprop.io.mapping.columns import read_mapping
from disprop.io.mapping.extracts import read_mapped
from disprop.io.mapping.files import find_extracts
from disprop.io.names import is_named_stop_and_search
from disprop.io.police_uk import read_police_uk
from disprop.io.store.durable import file_digest, publish
from disprop.io.store.manifest import current, ledger_path, read_manifest
from disprop.io.store.reader import is_store
from disprop.io.store.writer import Changed, add
from disprop.keys import read_key
from disprop.months import month_label
from disprop.nightly.config import Config, Extracts
from disprop.provenance import READER_VERSION, Account, digest

Progress = Callable[[int, int, str], None]
TABLES = (".csv", ".json", ".parquet", ".tsv", ".txt", ".zip")
LEFT_OUT = "file could not be read and was left out"


@dataclass(frozen=True)
class Intake:
    """What one extract brought.

    fingerprint: of its files and of how they are read. store: which store took it; transaction: at which it was there.
    kind, dataset: of its records. slots: those it feeds. files: one entry a file read. left_out: names of files that
    could not be read. account: what became of every row.
    """

    fingerprint: str
    store: str
    transaction: int
    kind: str
    dataset: str
    slots: list[str]
    files: list[dict[str, Any]]
    left_out: list[str]
    account: Account

    @property
    def told(self) -> dict[str, Any]:
        """What the manifest says of it."""
        files = {one["file"]: one["sha256"] for one in self.files}
        return {
            "kind": self.kind, "dataset": self.dataset, "files": files, "left_out": self.left_out,
            "account": asdict(self.account),
        }  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """What the night took in: an `Intake` of each extract, how many of them were read, and what the store did."""

    intakes: list[Intake]
    read: int
    changed: Changed


def take_in(config: Config, kept: Path, progress: Progress | None = None) -> Taken:
    """Read the extracts that are new or revised into the store; all of them, or none.

    kept: folder of the records of earlier nights.

    Raises InputRefused, naming the file, where one cannot be read safely (unless `on_error` is `skip`); RevisionError
    or InputRefused where two extracts feed one slot.
    """
    store = Path(config.store)
    skip = config.on_error == "skip"
    arrivals = [Arrival.of(one, skip=skip, progress=progress) for one in config.extracts]
    known = [_known(kept, arrival.fingerprint, store) for arrival in arrivals]
    todo = [arrival for arrival, intake in zip(arrivals, known) if intake is None]
    if not todo:
        return Taken([one for one in known if one], 0, Changed(current(store)["number"]))
    if skip:
        todo = [arrival.readable() for arrival in todo]
    taken = {slot for intake in known if intake for slot in intake.slots}
    purged = _purged(store)
    sources = {arrival.fingerprint: _Apart(arrival.source(), taken, purged) for arrival in todo}
    changed = add(store, *sources.values())
    read = {arrival.fingerprint: _intake(arrival, sources[arrival.fingerprint], store) for arrival in todo}
    for intake in read.values():
        _keep(kept, intake)
    intakes = [one or read[arrival.fingerprint] for arrival, one in zip(arrivals, known)]
    return Taken(intakes, len(todo), changed)


# What lies there -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arrival:
    """One extract as it lies there now: its files, and a digest of them and of how they will be read."""

    asked: Extracts
    files: tuple[Path, ...]
    left_out: tuple[str, ...]
    fingerprint: str
    progress: Progress | None

    @classmethod
    def of(cls, asked: Extracts, *, skip: bool = False, progress: Progress | None = None) -> Arrival:
        """Raises InputRefused where there is no file, or where the mapping or the key cannot be read.

        skip: whether files that cannot be read will be left out, so that they may be there.
        """
        files = tuple(_files(asked, skip=skip))
        how = [asked.force or "", READER_VERSION, *_reading(asked)]
        seen = [f"{_name(file, asked)} {_digest(file)}" for file in files]
        return cls(asked, files, (), digest("disprop-extract-1", *how, *seen), progress)

    def source(self, *paths: Path) -> Any:
        """The records: of all its files, or of those given."""
        wanted = [str(path) for path in paths] or [self.asked.path]
        if self.left_out and not paths:
            wanted = [str(path) for path in self.files]
        if self.asked.mapping is None:
            return read_police_uk(*wanted, force=self.asked.force, progress=self.progress)
        return read_mapped(
            *wanted, mapping=self.asked.mapping, key=self.asked.key_file, force=self.asked.force,
            progress=self.progress,
        )  # fmt: skip

    def readable(self) -> Arrival:
        """The same without the files that cannot be read; raises InputRefused where none can."""
        faults = {file: why for file in self.files if (why := _fault(self.source, file))}
        good = tuple(file for file in self.files if file not in faults)
        if not good:
            raise InputRefused(f"no file of {self.asked.path} can be read; first: {next(iter(faults.values()))}")
        return replace(self, files=good, left_out=tuple(_name(file, self.asked) for file in faults))


def _fault(source: Callable[[Path], Any], file: Path) -> str:
    """Why a file cannot be read; nothing when it can."""
    try:
        for _ in source(file).batches({"force"}):
            pass
    except InputRefused as why:
        return str(why)
    return ""


def _files(asked: Extracts, *, skip: bool) -> list[Path]:
    """The files that the reader of this extract would read, archives whole; with `skip`, also those that it refuses."""
    try:
        files = sorted({member.file for member in _members(asked)})
    except InputRefused:
        files = _all_files(asked) if skip else []
        if not files:
            raise
    if not files:
        raise InputRefused(f"{asked.path} holds no file to read; check the path")
    return files


def _members(asked: Extracts) -> list[Any]:
    if asked.mapping is not None:
        return find_extracts([asked.path])[0]
    found = find_members([asked.path])
    found.close()
    return found.members


def _all_files(asked: Extracts) -> list[Path]:
    """Files under the path that are extracts, or may have been before they were broken."""
    path = asked.path
    there = [Path(path)] if Path(path).exists() else [Path(one) for one in glob.glob(path, recursive=True)]
    files = [file for one in there for file in (one.rglob("*") if one.is_dir() else [one])]
    tables = sorted(file for file in files if file.suffix.lower() in TABLES and file.is_file())
    return [file for file in tables if asked.mapping or len(tables) == 1 or _may_hold_searches(file)]


def _may_hold_searches(file: Path) -> bool:
    """Whether a file among others is named, or reads, like searches of data.police.uk."""
    if file.suffix.lower() == ".zip" or is_named_stop_and_search(file.name):
        return True
    among_others = f"{glob.escape(str(file.parent))}/[{file.name[0]}]{glob.escape(file.name[1:])}"
    try:
        find_members([among_others]).close()
    except InputRefused:
        return False
    return True


def _reading(asked: Extracts) -> list[str]:
    """What decides how rows are read, besides the files."""
    if asked.mapping is None:
        return []
    mapping = read_mapping(asked.mapping)
    needs_key = bool(mapping.key_columns) or asked.key_file is not None
    return [mapping.digest, read_key(asked.key_file).key_id if needs_key else ""]


def _digest(file: Path) -> str:
    try:
        return file_digest(file)
    except OSError as why:
        raise InputRefused(f"{file} cannot be read: {why.strerror or why}; check its permissions") from why


def _name(file: Path | str, asked: Extracts) -> str:
    """Name of a file (or member of an archive) from the folder that was asked for, without the way there."""
    home = _home(asked.path)
    inside = Path(file).is_relative_to(home)
    return str(Path(file).relative_to(home)) if inside else Path(file).name


def _home(path: str) -> Path:
    """The folder that was asked for, or the one below which a glob looks."""
    whole = Path(path)
    if not whole.exists():
        whole = Path(*takewhile(lambda part: not glob.has_magic(part), whole.parts))
    return whole if whole.is_dir() else whole.parent


# What was taken ------------------------------------------------------------------------------------------------------


class _Apart:
    """A source whose slots may not be those of an extract that is not read again this night, and whose parts, where
    records of them were purged, count as the parts that the purge left: so that reading brings nobody back."""

    def __init__(self, source: Any, taken: set[str], purged: dict[bytes, bytes]) -> None:
        self._source, self._taken, self._purged = source, taken, purged

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    @property
    def parts(self) -> np.ndarray:
        parts = self._source.parts.copy()
        for row in parts:
            if row["slot"].item().decode() in self._taken:
                where = f"{row['dataset']} {row['kind']} {row['force']} {month_label(int(row['month']))}"
                raise InputRefused(f"two [[extracts]] bring {where}; leave one out")
        parts["part"] = [self._purged.get(part, part) for part in parts["part"].tolist()]
        return parts


def _purged(store: Path) -> dict[bytes, bytes]:
    """Ids of parts before anything of them was purged -> their ids now, for live parts."""
    if not is_store(store):
        return {}
    now = {bytes(part): bytes(part) for part in read_manifest(store).parts["part"].tolist()}
    for number in range(current(store)["number"], 0, -1):
        for line in _purge_lines(ledger_path(store, number)):
            if line["part"].encode() in now:
                now[line["was"].encode()] = now[line["part"].encode()]
    return now


def _purge_lines(ledger: Path) -> list[dict[str, Any]]:
    head, *lines = ledger.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines] if json.loads(head)["action"] == "purge" else []


def _intake(arrival: Arrival, source: Any, store: Path) -> Intake:
    files = [_told(account, arrival.asked) for account in source.files]
    left_out = Account(notes={LEFT_OUT: len(arrival.left_out)}) if arrival.left_out else Account()
    return Intake(
        arrival.fingerprint, _identity(store), current(store)["number"], source.kind, source.dataset,
        sorted(slot.decode() for slot in source.parts["slot"].tolist()), files, list(arrival.left_out),
        source.account + left_out,
    )  # fmt: skip


def _told(account: Any, asked: Extracts) -> dict[str, Any]:
    """One file in plain words: what it was, and what became of its rows."""
    months = sorted({month for _, month in account.slots})
    return {
        "file": _name(account.name, asked),
        "force": ", ".join(sorted({force for force, _ in account.slots})) or account.force or "",
        "months": [months[0], months[-1]] if months else [],
        "sha256": account.sha256,
        "bytes": account.bytes,
        "read": account.read,
        "yielded": account.yielded,
        "excluded": dict(sorted(account.excluded.items())),
        "quarantined": dict(sorted(account.quarantined.items())),
        "notes": dict(sorted(account.notes.items())),
    }


def _identity(store: Path) -> str:
    """Which store this is: the digest of its first ledger, which never changes."""
    first = ledger_path(store, 1)
    return file_digest(first) if first.exists() else ""


def _known(kept: Path, fingerprint: str, store: Path) -> Intake | None:
    """The record of an extract that this store took before, in a state that it still has or has left behind."""
    path = kept / f"{fingerprint}.json"
    if not path.exists() or not is_store(store):
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    intake = Intake(**{**told, "account": Account(**told["account"])})
    same = intake.store == _identity(store) and intake.transaction <= current(store)["number"]
    return intake if same else None


def _keep(kept: Path, intake: Intake) -> None:
    text = json.dumps(asdict(intake), ensure_ascii=False, indent=1)
    publish(kept / f"{intake.fingerprint}.json", lambda file: file.write(text.encode()))


def forget(kept: Path, intakes: Iterable[Intake]) -> int:
    """Delete the records of extracts that are no longer what they were; returns how many."""
    live = {f"{one.fingerprint}.json" for one in intakes}
    old = [path for path in kept.glob("*.json") if path.name not in live]
    for path in old:
        path.unlink()
    return len(old)


def total(intakes: Sequence[Intake]) -> Account:
    """The accounts of all extracts as one."""
    return sum((one.account for one in intakes), Account())
