"""Drawing from a lodged commitment, once its beacon value is out; and reading such a draw again."""

from __future__ import annotations

import datetime
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disprop.audit.changes import frame_changes
from disprop.audit.commitment import PROOF_KIND, VERSION, Commitment, Ledger, Proof, encode, sha256
from disprop.audit.drawing import draw_order, draw_seed, list_bytes
from disprop.audit.frame import RECORD_ID, Frame, as_text_table, build_frame
from disprop.audit.planning import Plan
from disprop.errors import Refused, UsageError


@dataclass(frozen=True)
class Drawn:
    """A draw: the plan, the proof, and the list (strata, place, role, record_id, ticket) with its domains."""

    plan: Plan
    proof: Proof
    list: Any  # pyarrow.Table
    domains: Any  # pyarrow.Table, one row for each of the list

    @property
    def number(self) -> int:
        return self.proof.number


def draw(
    ledger: str | Path,
    *,
    beacon_value: str,
    beacon_date: datetime.date | None = None,
    number: int | None = None,
    records: Any = None,
    salt: bytes | None = None,
) -> Drawn:
    """Draw the sample of a commitment (the latest by default) and lodge the list and the proof beside it.

    Corner cases. Only lodged files count. With `records` (and the salt, where the frame has grounds) today's
    records are compared first, and a frame that changed since the commitment is refused, naming what changed.
    A beacon of a later date than the announced one is taken as: those before were missed; the proof says so. A
    date that the commitment does not name is refused. Drawing twice with the same value gives the same list and
    changes nothing; with another value it is refused.

    Raises: Refused, UsageError, InputRefused.
    """
    book = Ledger(ledger)
    number = number or book.latest()
    commitment, plan, frame = book.commitment(number), book.plan(number), book.frame(number)
    _check_lodged(commitment, book.read(number, "plan.json"), frame)
    if records is not None:
        _check_unchanged(frame, build_frame(records, columns=plan.columns, salt=salt))
    drawn, proof = make_draw(
        commitment, plan, frame, beacon_value=beacon_value, beacon_date=beacon_date or commitment.beacon.dates[0]
    )
    _lodge(book, number, list_bytes(drawn), proof)
    return Drawn(plan, proof, drawn, _domains(frame, drawn, plan))


def read_draw(ledger: str | Path, *, number: int | None = None) -> Drawn:
    """A draw that was lodged. Raises InputRefused when the list is missing, UsageError when none is drawn yet."""
    book = Ledger(ledger)
    number = number or book.latest()
    if not book.has(number, "proof.json"):
        raise UsageError(f"commitment {number} is not drawn yet: run `disprop audit draw` when its beacon value is out")
    plan, content = book.plan(number), book.read(number, "draw.csv")
    drawn = parse_list(content)
    return Drawn(plan, book.proof(number), drawn, _domains(book.frame(number), drawn, plan))


def make_draw(
    commitment: Commitment, plan: Plan, frame: Frame, *, beacon_value: str, beacon_date: datetime.date
) -> tuple[Any, Proof]:
    """The list and its proof: a pure function of what was lodged and of the beacon."""
    if beacon_date not in commitment.beacon.dates:
        dates = ", ".join(map(str, commitment.beacon.dates))
        raise UsageError(f"the beacon date {beacon_date} is not one that the commitment names ({dates})")
    plan_digest = bytes.fromhex(commitment.plan_sha256)
    seed = draw_seed(frame_digest=frame.digest, plan_digest=plan_digest, beacon=beacon_value)
    drawn = draw_order(frame, sizes=plan.draw_sizes(), seed=seed)
    proof = Proof(
        kind=PROOF_KIND,
        version=VERSION,
        number=commitment.number,
        commitment_sha256=sha256(commitment.to_bytes()),
        beacon_date=beacon_date,
        beacon_value=beacon_value.strip(),
        missed_dates=tuple(date for date in commitment.beacon.dates if date < beacon_date),
        seed=seed.hex(),
        draw_sha256=sha256(list_bytes(drawn)),
    )
    return drawn, proof


def parse_list(content: bytes) -> Any:
    """A lodged list as a table, with `place` as whole numbers."""
    import pyarrow as pa

    table = as_text_table(pa.BufferReader(content), None)
    at = table.column_names.index("place")
    return table.set_column(at, "place", table.column("place").cast(pa.int64()))


def reviewers_list(drawn: Drawn) -> bytes:
    """The list as the reviewers need it, and no more: row, list number, place, role and record id."""
    import csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("list", "place", "role", RECORD_ID))
    columns = [drawn.list.column(name).to_pylist() for name in ("place", "role", RECORD_ID)]
    writer.writerows(zip(stratum_numbers(drawn), *columns))
    return text.getvalue().encode()


def stratum_numbers(drawn: Drawn) -> list[int]:
    """1 for the first stratum of the plan, and so on: lets reserves be matched without telling who is who."""
    order = {size.stratum: at for at, size in enumerate(drawn.plan.sizes, 1)}
    return [order[stratum] for stratum in list_strata(drawn)]


def list_strata(drawn: Drawn) -> list[tuple[str, ...]]:
    """The stratum of each row of the list."""
    columns = [drawn.list.column(name).to_pylist() for name in drawn.plan.strata]
    return list(zip(*columns)) if columns else [()] * drawn.list.num_rows


def _check_lodged(commitment: Commitment, plan: bytes, frame: Frame) -> None:
    if frame.digest.hex() != commitment.frame_sha256:
        raise Refused("the lodged frame is not the one that was committed: run `disprop audit verify` to see where")
    if sha256(plan) != commitment.plan_sha256:
        raise Refused("the lodged plan is not the one that was committed: ask for the file as it was lodged")


def _check_unchanged(lodged: Frame, now: Frame) -> None:
    changes = frame_changes(lodged, now)
    if changes:
        raise Refused(f"the records changed after the commitment: {'; '.join(changes)}")


def _lodge(book: Ledger, number: int, content: bytes, proof: Proof) -> None:
    for part, wanted in (("draw.csv", content), ("proof.json", encode(proof))):
        if not book.has(number, part):
            book.write(number, part, wanted)
        elif book.read(number, part) != wanted:
            raise Refused(f"commitment {number} is drawn already, with another beacon value or list: see its {part}")


def _domains(frame: Frame, drawn: Any, plan: Plan) -> Any:
    import pyarrow.compute as pc

    rows = pc.index_in(drawn.column(RECORD_ID), frame.table.column(RECORD_ID))
    names = [name for name in plan.columns.labels if name in frame.table.column_names]
    return frame.table.select(names).take(rows)
