"""The draw: who is in the sample follows from three digests and nothing else.

    seed   = SHA-256("disprop-draw-1" || frame digest || plan digest || beacon value)
    ticket = SHA-256(seed || 0x00 || stratum || 0x00 || record_id)

Records are sorted by ticket within their stratum; the first are the sample, the next are the reserves. Nobody
can choose a ticket, because the beacon value is not known when frame and plan are lodged.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from disprop.audit.frame import RECORD_ID, Frame, Stratum, csv_bytes, each_value
from disprop.errors import Refused, UsageError

DRAW_LABEL = b"disprop-draw-1"
SAMPLE, RESERVE = "sample", "reserve"


def draw_seed(*, frame_digest: bytes, plan_digest: bytes, beacon: str) -> bytes:
    """SHA-256 of the label, the two digests (32 raw bytes each) and the beacon value as NFC text, end to end.

    The beacon value is stripped of white space at both ends; a blank one is refused (UsageError).

    >>> draw_seed(frame_digest=bytes(32), plan_digest=bytes(32), beacon="1-2-3").hex()[:16]
    'b38d532c582ba739'
    """
    value = unicodedata.normalize("NFC", beacon).strip()
    if not value or "\0" in value:
        raise UsageError(
            f"the beacon value came as {beacon!r}; wanted the published value, as the commitment says to write it"
        )
    return hashlib.sha256(DRAW_LABEL + frame_digest + plan_digest + value.encode()).digest()


def stratum_key(stratum: Stratum) -> bytes:
    """The stratum as it enters a ticket: the values of its columns joined by 0x00; empty for a simple draw."""
    return "\0".join(stratum).encode()


def draw_order(frame: Frame, *, sizes: Mapping[Stratum, tuple[int, int]], seed: bytes) -> Any:
    """The drawn list, an Arrow table: the strata columns, place, role, record_id, ticket.

    `sizes` gives each stratum's (sample, reserves). Rows come stratum by stratum in byte order, by place within.
    A stratum with fewer records than its sample is refused; reserves stop where the records do. Equal tickets
    (which nobody has ever seen) are ordered by record_id.

    Raises: Refused when frame and sizes do not list the same strata.

    >>> import pyarrow as pa
    >>> from disprop.audit.frame import FrameColumns, build_frame
    >>> frame = build_frame(pa.table({"record_id": ["a", "b", "c"]}), columns=FrameColumns())
    >>> draw_order(frame, sizes={(): (1, 1)}, seed=bytes(32)).column("record_id").to_pylist()
    ['c', 'b']
    """
    _check_strata(frame, sizes)
    ids = list(each_value(frame.table.column(RECORD_ID)))
    starts = frame.stratum_starts.tolist()
    parts = [
        _draw_stratum(ids[begin:end], begin, stratum, sizes[stratum], seed)
        for stratum, begin, end in zip(frame.stratum_list(), starts[:-1], starts[1:])
    ]
    rows = np.concatenate([rows for rows, _, _ in parts])
    drawn = frame.table.select([*frame.strata, RECORD_ID]).take(rows)
    return pa.table(
        {name: drawn.column(name) for name in frame.strata}
        | {
            "place": np.concatenate([np.arange(1, len(rows) + 1) for rows, _, _ in parts]),
            "role": pa.array([role for _, roles, _ in parts for role in roles], pa.large_string()),
            RECORD_ID: drawn.column(RECORD_ID),
            "ticket": pa.array([ticket for _, _, tickets in parts for ticket in tickets], pa.large_string()),
        }
    )


def list_bytes(drawn: Any) -> bytes:
    """The drawn list as the bytes that are lodged, laid out like the frame."""
    return csv_bytes(drawn)


def _check_strata(frame: Frame, sizes: Mapping[Stratum, tuple[int, int]]) -> None:
    counts = frame.stratum_sizes()
    for stratum in sorted(counts.keys() ^ sizes.keys()):
        where = "frame" if stratum in counts else "plan"
        raise Refused(f"stratum {' / '.join(stratum)!r} is in the {where} only: plan again from this frame")
    for stratum, (sample, _) in sizes.items():
        if sample > counts[stratum]:
            raise Refused(
                f"stratum {' / '.join(stratum)!r} has {counts[stratum]} records; the plan wants {sample}: plan again"
            )


def _draw_stratum(
    ids: list[bytes], first_row: int, stratum: Stratum, size: tuple[int, int], seed: bytes
) -> tuple[np.ndarray, list[str], list[str]]:
    sample, reserves = size
    prefix = seed + b"\0" + stratum_key(stratum) + b"\0"
    digests = b"".join([hashlib.sha256(prefix + record_id).digest() for record_id in ids])
    words = np.frombuffer(digests, ">u8").reshape(-1, 4)
    order = np.lexsort(words.T[::-1])[: sample + reserves]  # stable, so equal tickets stay in record_id order
    tickets = [digests[32 * i : 32 * i + 32].hex() for i in order.tolist()]
    roles = [SAMPLE] * min(sample, len(order)) + [RESERVE] * max(0, len(order) - sample)
    return order + first_row, roles, tickets
