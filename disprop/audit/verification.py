"""The verifier: everything that anyone holding the ledger can check, offline, without trusting who wrote it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from disprop.audit.changes import altered_strata, frame_changes
from disprop.audit.commitment import Commitment, Ledger, name_some, sha256, store_problem
from disprop.audit.drawing import list_bytes
from disprop.audit.drawn import make_draw, parse_list
from disprop.audit.frame import RECORD_ID, Frame, as_text_table, build_frame, canonical, parse_frame
from disprop.audit.planning import Plan, read_plan
from disprop.errors import DispropError

HOLDS, FAILS, IRREGULAR, NOTE = "holds", "fails", "irregular", "note"


class Check(NamedTuple):
    """One thing that was checked: the commitment's number (0 = the ledger as a whole), how it went, and the words."""

    number: int
    result: str
    words: str


@dataclass(frozen=True)
class Verification:
    """Every check, in order. `holds` is False as soon as one fails; what is irregular is for people to judge."""

    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        return not self.failures

    @property
    def failures(self) -> list[Check]:
        return [check for check in self.checks if check.result == FAILS]

    @property
    def irregular(self) -> list[Check]:
        """Abandoned commitments and missed beacons."""
        return [check for check in self.checks if check.result == IRREGULAR]


def verify(
    ledger: str | Path,
    *,
    records: Any = None,
    salt: bytes | None = None,
    number: int | None = None,
    store_count: int | None = None,
    store_ids: Iterable[str] | None = None,
    today: datetime.date | None = None,
) -> Verification:
    """Check every commitment in the ledger: digests, chain, beacon dates, and each list drawn again bit for bit.

    `records`, `salt`, `store_count` and `store_ids` are compared with one commitment (`number`; the latest by
    default): records or grounds that changed since are named, and so are omitted records. Abandoned commitments and
    missed beacons are irregular, not failures: whether the reason is good is for the panel to judge.

    A changed lodged frame is named by stratum (the commitment holds a digest of each), and by record when `records`
    are given. The panel should compare the SHA-256 of each commitment with the one it was given at the time.
    """
    book = Ledger(ledger)
    book.latest()
    today = today or datetime.datetime.now(datetime.UTC).date()
    checks = list(_chain(book))
    for each in book.numbers():
        checks += _whole_commitment(book, each, today)
    chosen = number or book.latest()
    checks += _against_store(book, chosen, records, salt, store_count, None if store_ids is None else set(store_ids))
    return Verification(tuple(checks))


def _chain(book: Ledger) -> Iterator[Check]:
    numbers = book.numbers()
    missing = [str(number) for number in range(1, numbers[-1] + 1) if number not in numbers]
    if missing:
        yield Check(0, FAILS, f"commitment {', '.join(missing)} is missing from the ledger")
    for name in book.strays():
        yield Check(0, IRREGULAR, f"{name} stands without its commitment: taken away, or a run that was cut short")
    for before, number in zip(numbers[:-1], numbers[1:]):
        try:
            expected = book.commitment(number).previous_sha256
        except DispropError:
            continue  # said once, where the commitment itself is checked
        yield from _second_for_period(book, number)
        if before == number - 1 and expected != sha256(book.read(before, "commitment.json")):
            yield Check(number, FAILS, f"commitment {before} was altered after commitment {number} was made")


def _second_for_period(book: Ledger, number: int) -> Iterator[Check]:
    """One commitment a period: a second one must say which it replaces, and why."""
    second = book.commitment(number)
    for earlier in (each for each in book.numbers() if each < number):
        try:
            period = book.commitment(earlier).period
        except DispropError:
            continue
        if period == second.period and second.replaces is None:
            words = f"a second commitment for {period} that does not say why commitment {earlier} was abandoned"
            yield Check(number, FAILS, words)


def _whole_commitment(book: Ledger, number: int, today: datetime.date) -> list[Check]:
    try:
        commitment = book.commitment(number)
    except DispropError as why:
        return [Check(number, FAILS, str(why))]
    digest = sha256(book.read(number, "commitment.json"))
    checks = [
        Check(
            number,
            NOTE,
            f"period {commitment.period}, {commitment.records} records; SHA-256 of the commitment {digest}",
        )
    ]
    checks += _beacon(commitment)
    plan, plan_check = _lodged_plan(book, commitment)
    frame, frame_check = _lodged_frame(book, commitment, plan)
    checks += [plan_check, frame_check, *_counts(commitment, frame)]
    if _is_drawn(book, number):
        checks += _drawn(book, commitment, plan, frame, today)
    return checks + list(_abandoned(book, commitment, today))


def _is_drawn(book: Ledger, number: int) -> bool:
    """A list without its proof counts: a proof that was taken away must not make a draw look as if never held."""
    return book.has(number, "proof.json") or book.has(number, "draw.csv")


def _counts(commitment: Commitment, frame: Frame | None) -> list[Check]:
    """The commitment's own counts against the frame that was lodged with it."""
    if frame is None:
        return []
    said = {"": commitment.records, " in the store": commitment.store_count}
    return [
        Check(
            commitment.number,
            FAILS,
            f"the commitment says {count} records{where}; the frame lodged with it has {frame.records}",
        )
        for where, count in said.items()
        if count not in (None, frame.records)
    ]


def _beacon(commitment: Commitment) -> list[Check]:
    if commitment.beacon.dates[0] > commitment.committed_on:
        return []
    words = f"the beacon of {commitment.beacon.dates[0]} is not after the commitment ({commitment.committed_on})"
    return [Check(commitment.number, FAILS, words)]


def _lodged_plan(book: Ledger, commitment: Commitment) -> tuple[Plan | None, Check]:
    number = commitment.number
    try:
        content = book.read(number, "plan.json")
        if sha256(content) != commitment.plan_sha256:
            return None, Check(number, FAILS, "the lodged plan is not the one that was committed")
        return read_plan(content), Check(number, HOLDS, "the plan is the one that was committed")
    except DispropError as why:
        return None, Check(number, FAILS, str(why))


def _lodged_frame(book: Ledger, commitment: Commitment, plan: Plan | None) -> tuple[Frame | None, Check]:
    number = commitment.number
    try:
        content = book.read(number, "frame.csv")
    except DispropError as why:
        return None, Check(number, FAILS, str(why))
    if sha256(content) == commitment.frame_sha256 and plan is not None:
        return parse_frame(content, strata=plan.strata), Check(number, HOLDS, "the frame is the one that was committed")
    if sha256(content) == commitment.frame_sha256:
        return None, Check(number, HOLDS, "the frame is the one that was committed")
    return None, Check(
        number, FAILS, f"the lodged frame is not the one that was committed{_where(content, commitment, plan)}"
    )


def _where(content: bytes, commitment: Commitment, plan: Plan | None) -> str:
    try:
        frame = build_lodged(content, plan)
    except (DispropError, UnicodeDecodeError) as why:
        return f" ({why})"
    names = altered_strata(commitment, frame)
    return f"; altered in stratum {name_some(names)}" if names else "; its header or layout was altered"


def build_lodged(content: bytes, plan: Plan | None) -> Frame:
    """The frame that the lodged lines would make, whatever their order: to find where they were altered."""
    import pyarrow as pa

    return canonical(as_text_table(pa.BufferReader(content), None), plan.strata if plan else ())


def _drawn(
    book: Ledger, commitment: Commitment, plan: Plan | None, frame: Frame | None, today: datetime.date
) -> Iterator[Check]:
    number = commitment.number
    if plan is None or frame is None:
        yield Check(number, FAILS, "the draw cannot be repeated without the committed plan and frame")
        return
    try:
        proof, content = book.proof(number), book.read(number, "draw.csv")
        drawn, again = make_draw(
            commitment, plan, frame, beacon_value=proof.beacon_value, beacon_date=proof.beacon_date
        )
    except DispropError as why:
        yield Check(number, FAILS, str(why))
        return
    if proof.beacon_date > today:
        yield Check(number, FAILS, f"drawn with the beacon of {proof.beacon_date}, which is still to come")
    for date in proof.missed_dates:
        words = f"the beacon of {date} was taken as missed and that of {proof.beacon_date} used"
        yield Check(number, IRREGULAR, f"{words}: check that nothing was published")
    if content != list_bytes(drawn):
        yield Check(number, FAILS, f"the list is not the one that the draw gives{_first_difference(content, drawn)}")
    elif proof != again:
        yield Check(number, FAILS, "the proof does not belong to this commitment and list")
    else:
        beacon = f"the beacon value {proof.beacon_value!r} of {proof.beacon_date}"
        yield Check(number, HOLDS, f"the list follows from frame, plan and {beacon}, bit for bit")


def _first_difference(content: bytes, drawn: Any) -> str:
    try:
        found = parse_list(content).column(RECORD_ID).to_pylist()
    except (DispropError, ValueError, KeyError):
        return ""
    wanted = drawn.column(RECORD_ID).to_pylist()
    pairs = list(zip(found, wanted))
    row = next((at for at, (one, two) in enumerate(pairs) if one != two), None)
    if row is None:
        return f": it has {len(found)} rows where the draw gives {len(wanted)}" if len(found) != len(wanted) else ""
    return f": row {row + 1} is {found[row]!r} and should be {wanted[row]!r}"


def _abandoned(book: Ledger, commitment: Commitment, today: datetime.date) -> Iterator[Check]:
    number, last = commitment.number, commitment.beacon.dates[-1]
    drawn = _is_drawn(book, number)
    replaced = [(later, why) for later in book.numbers() if (why := _replacing(book, later, number))]
    if replaced:
        later, reason = replaced[0]
        when = "after its draw" if drawn else "before it was drawn"
        yield Check(number, IRREGULAR, f"abandoned {when}: replaced by commitment {later}, with the reason {reason!r}")
    elif not drawn and today > last:
        yield Check(number, IRREGULAR, f"abandoned: its last beacon, of {last}, has passed and nothing was drawn")
    elif not drawn:
        beacon = commitment.beacon
        yield Check(number, NOTE, f"waiting for the beacon {beacon.name!r} of {beacon.dates[0]}")


def _replacing(book: Ledger, later: int, number: int) -> str | None:
    """The reason with which commitment `later` replaces `number`; None when it does not, or cannot be read."""
    try:
        replaces = book.commitment(later).replaces
    except DispropError:
        return None
    return replaces.reason if replaces and replaces.number == number else None


def _against_store(
    book: Ledger, number: int, records: Any, salt: bytes | None, store_count: int | None, store_ids: set[str] | None
) -> Iterator[Check]:
    if records is None and store_count is None and store_ids is None:
        return
    try:
        frame = build_lodged(book.read(number, "frame.csv"), book.plan(number))
    except DispropError as why:
        yield Check(number, FAILS, f"today's records cannot be compared: {why}")
        return
    problem = store_problem(frame, store_count, store_ids)
    if problem:
        yield Check(number, FAILS, problem)
    elif store_count is not None or store_ids is not None:
        yield Check(number, HOLDS, f"the frame holds what the store holds: {frame.records} records")
    if records is not None:
        changes = frame_changes(frame, build_frame(records, columns=book.plan(number).columns, salt=salt))
        yield from (Check(number, FAILS, f"changed after the commitment: {change}") for change in changes)
        if not changes:
            yield Check(number, HOLDS, "the records are those of the frame, grounds text included")
