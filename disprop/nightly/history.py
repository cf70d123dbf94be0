"""What became less since earlier nights: records that no file brings any more, and months that came again smaller.

Both follow from the store as it stands (its parts and its ledger, which one transaction changes together) and from the
extracts that are there, so that a night that was stopped and is run again says the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from disprop.io.store.manifest import ledger_path, read_manifest
from disprop.months import month_label
from disprop.nightly.config import Config
from disprop.nightly.extracts import Intake
from disprop.nightly.figures import MANIFEST
from disprop.nightly.publish import CURRENT
from disprop.records import KINDS

SHRUNK = 0.6
"""A month that comes again with a smaller share of its records than this is warned of."""
NAMED = 3


def shrunk(config: Config) -> list[str]:
    """A line for each month whose last version has less than `SHRUNK` of the records of the one that it replaced.

    It says so until the month comes again. What a purge took since, or had taken before, is not missed.
    """
    held = read_manifest(Path(config.store))
    live = {row["slot"].decode() for row in _of_force(held.parts, config)}
    records: dict[str, int] = {}
    last: dict[str, str] = {}
    for line in _versions(Path(config.store), held.number):
        before = records.get(line["was"] or "", 0)
        records[line["part"]] = line["records"]
        if line["change"] in ("added", "replaced"):
            last[line["slot"]] = _shrunk(line, before) if line["records"] < SHRUNK * before else ""
    return sorted(said for slot, said in last.items() if said and slot in live)


def _shrunk(line: dict[str, Any], before: int) -> str:
    where = f"{line['kind']} {line['force']} {line['month']}"
    return f"{where} came again with {line['records']:,} records, it had {before:,}"


def _versions(store: Path, number: int) -> Iterator[dict[str, Any]]:
    """The lines of all ledgers on versions of parts, in the order in which they were written."""
    for one in range(1, number + 1):
        ledger = ledger_path(store, one)
        for line in ledger.read_text(encoding="utf-8").splitlines()[1:] if ledger.exists() else []:
            told = json.loads(line)
            if "was" in told:
                yield told


def unfed(config: Config, intakes: Sequence[Intake]) -> list[str]:
    """A line for each kind of record of which the store has months that no file of this night brings."""
    fed = {slot.encode() for one in intakes for slot in one.slots}
    parts = _of_force(read_manifest(Path(config.store)).parts, config)
    alone = parts[[slot not in fed for slot in parts["slot"].tolist()]]
    return [_unfed(kind, alone[alone["kind"] == kind]) for kind in sorted({*alone["kind"].tolist()})]


def _unfed(kind: str, parts: np.ndarray) -> str:
    where = sorted({f"{row['force']} {month_label(int(row['month']))}" for row in parts})
    more = f" and {len(where) - NAMED:,} more" if len(where) > NAMED else ""
    return f"{KINDS[kind].unit} of {', '.join(where[:NAMED])}{more} come from no file that is there; their records stay"


def gone(config: Config, intakes: Sequence[Intake]) -> list[str]:
    """Names of files that the run before was made from and that are not there, as often as they are fewer.

    They follow from what was published last, not from the input: they are said, and never published.
    """
    manifest = Path(config.out) / CURRENT / MANIFEST
    if not manifest.exists():
        return []
    before = Counter(_names(msgspec.json.decode(manifest.read_bytes())["made_from"]["extracts"]))
    return sorted((before - Counter(_names([one.told for one in intakes]))).elements())


def _names(extracts: Collection[dict[str, Any]]) -> list[str]:
    """Names of the files of extracts, those that could not be read too."""
    return [name for one in extracts for name in (*one["files"], *one["left_out"])]


def _of_force(parts: np.ndarray, config: Config) -> np.ndarray:
    from disprop.codelists import force_code

    return parts if config.force is None else parts[parts["force"] == force_code(config.force)]
