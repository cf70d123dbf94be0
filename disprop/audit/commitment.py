"""The commitment: what is lodged before the beacon value exists, in a ledger folder that the panel holds.

For each numbered commitment the folder holds, as plain files: `0001-frame.csv` (whose SHA-256 is the frame
digest), `0001-plan.json`, `0001-commitment.json`; after the draw also `0001-draw.csv` and `0001-proof.json`. Nothing is
ever overwritten. Each commitment carries the SHA-256 of the one before, so that none can be taken away unseen.
"""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from disprop.audit.frame import RECORD_ID, Frame, build_frame, parse_frame
from disprop.audit.planning import Plan, read_plan
from disprop.errors import InputRefused, Refused, UsageError

COMMITMENT_KIND, PROOF_KIND = "disprop audit commitment", "disprop audit proof"
VERSION = 1
NAMED = 5  # how many records a message names before it only counts them

Document = TypeVar("Document", bound=msgspec.Struct)


class Beacon(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public random value to come: who publishes it, how it is to be written down, and when.

    The first date is the one announced. The later ones are used in their order, each only if those before it were
    missed (no draw held, or nothing published).
    """

    name: str
    form: str
    dates: tuple[datetime.date, ...]


class Replaced(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The earlier commitment for the same period that this one replaces, and why."""

    number: int
    reason: str


class StratumDigest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """SHA-256 of one stratum's lines of the frame."""

    stratum: tuple[str, ...]
    records: int
    sha256: str


class Commitment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One numbered commitment for one period."""

    kind: str
    version: int
    number: int
    period: str
    committed_on: datetime.date
    records: int
    store_count: int | None
    frame_sha256: str
    plan_sha256: str
    strata: tuple[StratumDigest, ...]
    beacon: Beacon
    previous_sha256: str | None
    replaces: Replaced | None

    def to_bytes(self) -> bytes:
        return encode(self)


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the draw used, and the digest of the list that it gave."""

    kind: str
    version: int
    number: int
    commitment_sha256: str
    beacon_date: datetime.date
    beacon_value: str
    missed_dates: tuple[datetime.date, ...]
    seed: str
    draw_sha256: str


def encode(document: msgspec.Struct) -> bytes:
    """The bytes of a lodged document: JSON, indented by one space, with a line end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def decode(content: bytes, kind: type[Document], label: str, name: str) -> Document:
    """A lodged document from its bytes. Raises InputRefused for another kind, a newer version or a broken file."""
    try:
        document = msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as why:
        raise InputRefused(f"{name} is not a whole {label}: {why}") from why
    found, version = getattr(document, "kind", ""), getattr(document, "version", 0)
    if found != label or version != VERSION:
        raise InputRefused(f"{name} says {found!r}, version {version}; wanted {label!r}, version {VERSION}")
    if encode(document) != content:
        raise InputRefused(
            f"{name} is not as it was written (spaces, order or line ends): ask for the file as it was lodged"
        )
    return document


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Ledger:
    """The folder of commitments. Reading is by number; writing never replaces a file."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, number: int, part: str) -> Path:
        return self.folder / f"{number:04d}-{part}"

    def numbers(self) -> list[int]:
        found = self.folder.glob("[0-9][0-9][0-9][0-9]-commitment.json")
        return sorted(int(path.name[:4]) for path in found)

    def strays(self) -> list[str]:
        """Names of frames and plans whose commitment is not there."""
        found = sorted(path for kind in ("frame.csv", "plan.json") for path in self.folder.glob(f"[0-9]*-{kind}"))
        return [path.name for path in found if not path.with_name(f"{path.name[:4]}-commitment.json").exists()]

    def read(self, number: int, part: str) -> bytes:
        path = self.path(number, part)
        try:
            return path.read_bytes()
        except FileNotFoundError as why:
            raise InputRefused(f"{path} is missing: ask for the file as it was lodged") from why

    def has(self, number: int, part: str) -> bool:
        return self.path(number, part).exists()

    def write(self, number: int, part: str, content: bytes) -> None:
        """Write once. Files without their commitment, left by a run that was cut short, may be written again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(number, part)
        try:
            with path.open("xb" if self.has(number, "commitment.json") else "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError as why:
            raise Refused(f"{path} is there already, and what is lodged is never overwritten") from why

    def commitment(self, number: int) -> Commitment:
        content = self.read(number, "commitment.json")
        return decode(content, Commitment, COMMITMENT_KIND, self.path(number, "commitment.json").name)

    def plan(self, number: int) -> Plan:
        return read_plan(self.read(number, "plan.json"))

    def frame(self, number: int) -> Frame:
        return parse_frame(self.read(number, "frame.csv"), strata=self.plan(number).strata)

    def proof(self, number: int) -> Proof:
        name = self.path(number, "proof.json").name
        return decode(self.read(number, "proof.json"), Proof, PROOF_KIND, name)

    def latest(self) -> int:
        numbers = self.numbers()
        if not numbers:
            raise UsageError(f"{self.folder} holds no commitment: make one with `disprop audit commit`")
        return numbers[-1]


def commit(
    plan: Plan,
    records: Any,
    *,
    ledger: str | Path,
    beacon: Beacon,
    salt: bytes | None = None,
    committed_on: datetime.date | None = None,
    store_count: int | None = None,
    store_ids: Iterable[str] | None = None,
    reason: str | None = None,
) -> Commitment:
    """Lodge frame, plan and commitment for the plan's period, before the beacon value exists.

    Corner cases. One commitment a period: a second one needs a `reason`, and the first stays in the ledger and is
    listed as abandoned for ever. Records that changed since the plan are refused by stratum. With `store_count` (how
    many records of the period the store holds) a frame of another size is refused; with `store_ids` the omitted
    records are named. Keep the salt outside the ledger: with it anyone could test guesses at the grounds.

    Raises: UsageError, Refused, InputRefused, each naming what is wrong.
    """
    today = committed_on or datetime.datetime.now(datetime.UTC).date()
    _check_beacon(beacon, today)
    book = Ledger(ledger)
    frame = build_frame(records, columns=plan.columns, salt=salt)
    _check_sizes(plan, frame)
    check_store(frame, store_count, store_ids)
    replaces = _replaces(book, plan.period, reason)
    numbers = book.numbers()
    number = (numbers[-1] if numbers else 0) + 1
    sizes = frame.stratum_sizes()
    commitment = Commitment(
        kind=COMMITMENT_KIND,
        version=VERSION,
        number=number,
        period=plan.period,
        committed_on=today,
        records=frame.records,
        store_count=store_count,
        frame_sha256=frame.digest.hex(),
        plan_sha256=sha256(plan.to_bytes()),
        strata=tuple(StratumDigest(key, sizes[key], digest) for key, digest in frame.stratum_digests().items()),
        beacon=beacon,
        previous_sha256=sha256(book.read(numbers[-1], "commitment.json")) if numbers else None,
        replaces=replaces,
    )
    book.write(number, "frame.csv", frame.content)
    book.write(number, "plan.json", plan.to_bytes())
    book.write(number, "commitment.json", commitment.to_bytes())
    return commitment


def check_store(frame: Frame, store_count: int | None, store_ids: Iterable[str] | None) -> None:
    """Refuse a frame that does not hold what the store holds for the period, naming the records where it can."""
    problem = store_problem(frame, store_count, store_ids)
    if problem:
        raise Refused(f"{problem}: frame and store must hold the same records")


def store_problem(frame: Frame, store_count: int | None, store_ids: Iterable[str] | None) -> str | None:
    """How the frame differs from the store, in one sentence; None when it does not."""
    if store_ids is not None:
        ids, stored = set(frame.table.column(RECORD_ID).to_pylist()), set(store_ids)
        parts = [_named("omitted from the frame", stored - ids), _named("not in the store", ids - stored)]
        found = "; ".join(part for part in parts if part)
        return found or None
    if store_count is not None and store_count != frame.records:
        return f"the frame has {frame.records} records; the store holds {store_count} for the period"
    return None


def _named(what: str, ids: set[str]) -> str:
    if not ids:
        return ""
    return f"{len(ids)} {'record is' if len(ids) == 1 else 'records are'} {what}: {name_some(sorted(ids))}"


def name_some(names: Sequence[str]) -> str:
    """The first few names, quoted, and how many more there are.

    >>> name_some(["a", "b", "c", "d", "e", "f", "g"])
    "'a', 'b', 'c', 'd', 'e' and 2 more"
    """
    more = len(names) - NAMED
    return ", ".join(map(repr, names[:NAMED])) + (f" and {more} more" if more > 0 else "")


def _check_beacon(beacon: Beacon, today: datetime.date) -> None:
    if not beacon.name or not beacon.form or not beacon.dates:
        raise UsageError("a beacon needs a name, the form in which its value is written, and at least one date")
    if list(beacon.dates) != sorted(set(beacon.dates)):
        raise UsageError("the beacon's dates must rise: the announced one first, then those used if it is missed")
    if beacon.dates[0] <= today:
        raise UsageError(
            f"the beacon of {beacon.dates[0]} is not after the commitment ({today}), so its value may be known: "
            "choose a later one"
        )


def _check_sizes(plan: Plan, frame: Frame) -> None:
    planned, found = {size.stratum: size.records for size in plan.sizes}, frame.stratum_sizes()
    for stratum in sorted(planned.keys() | found.keys()):
        if planned.get(stratum, 0) != found.get(stratum, 0):
            raise Refused(
                f"stratum {stratum_name(stratum)!r} had {planned.get(stratum, 0)} records when the plan was made "
                f"and has {found.get(stratum, 0)} now: plan again from these records"
            )


def stratum_name(stratum: Sequence[str]) -> str:
    """A stratum for people: its values with slashes between; a blank value is said to be blank."""
    return " / ".join(part or "(blank)" for part in stratum) or "all records"


def _replaces(book: Ledger, period: str, reason: str | None) -> Replaced | None:
    same = [number for number in book.numbers() if book.commitment(number).period == period]
    if not same:
        if reason:
            raise UsageError(
                f"a reason was given, but the ledger has no commitment for {period} to replace: leave it out"
            )
        return None
    if not reason:
        raise Refused(
            f"the ledger has commitment {same[-1]} for {period} already. If it must be abandoned, give the reason: "
            "it stays in the ledger and `verify` lists it"
        )
    return Replaced(same[-1], reason)
