"""Tallies of the store, part by part: a part that was tallied before, by the same axes, is not read again.

One saved tally a part and list of axes, in a file named by what it was made from and by its own digest: a file that is
not whole, or was changed, is not believed, and its part is tallied again. The tallies are then added up, two and two.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np

from disprop.codelists import codelists
from disprop.errors import DispropError, InputRefused
from disprop.io.mapping.columns import DERIVED
from disprop.io.store import durable
from disprop.io.store.reader import Store
from disprop.io.store.sidecars import current_sidecars
from disprop.plan import scan
from disprop.provenance import digest
from disprop.records import axis_spec
from disprop.tallies import Tally, load

FORMAT = "disprop-nightly-tally-1"


@dataclass
class TallyCache:
    """Saved tallies in a folder. `made` and `found` count the parts tallied and those taken as they were."""

    folder: Path
    made: int = 0
    found: int = 0
    used: set[str] = field(default_factory=set)

    def tallies(self, store: Store, wanted: Sequence[tuple[str, ...]]) -> list[Tally]:
        """A tally by each list of axes, over all parts of the store.

        Equal to `scan(store, wanted)`, whichever parts were tallied before. Raises InputRefused for a store without
        parts.
        """
        if not len(store.chosen):
            raise InputRefused("the store has no part to tally; check the extracts and force")
        saved = {path.stem.partition("-")[0]: path for path in self.folder.glob("*.parquet")}
        beside = _beside(store)
        each = [
            self._part(store, i, [key_of(store.parts[i], axes, beside) for axes in wanted], wanted, saved)
            for i in range(len(store.chosen))
        ]
        return [folded([tallies[i] for tallies in each]) for i in range(len(wanted))]

    def _part(
        self,
        store: Store,
        position: int,
        keys: Sequence[str],
        wanted: Sequence[tuple[str, ...]],
        saved: dict[str, Path],
    ) -> list[Tally]:
        """The tallies of one part, those that are not saved in one pass over it."""
        known = [_load(saved[key]) if key in saved else None for key in keys]
        missing = [i for i, tally in enumerate(known) if tally is None]
        if missing:
            one = replace(store, chosen=store.chosen[position : position + 1])
            for i, tally in zip(missing, scan(one, [wanted[i] for i in missing])):
                known[i] = tally
                saved[keys[i]] = self._save(keys[i], tally)
        self.made += bool(missing)
        self.found += not missing
        self.used |= {saved[key].name for key in keys}
        return [tally for tally in known if tally is not None]

    def _save(self, key: str, tally: Tally) -> Path:
        aside = self.folder / f"{durable.ASIDE}{uuid.uuid4().hex}"
        tally.save(aside)
        path = self.folder / f"{key}-{_content(aside)}.parquet"
        os.replace(aside, path)
        durable.after_step("rename tally")
        return path

    def forget(self) -> int:
        """Delete the tallies that were not used; returns how many."""
        old = [path for path in self.folder.glob("*.parquet") if path.name not in self.used]
        for path in old:
            path.unlink()
        return len(old)


def key_of(part: np.void, axes: Sequence[str], beside: Mapping[str, Sequence[str]]) -> str:
    """What a tally of one part is made from: part, axes, codelists, version of disprop, and the sidecars beside the
    part where an axis may count what they hold."""
    name, kind = part["part"].item().decode(), str(part["kind"])
    derived = any(axis_spec(axis, kind).column in DERIVED for axis in axes)
    return digest(FORMAT, *_versions(), name, kind, *axes, "/", *(beside.get(name, ()) if derived else ()))


@cache
def _versions() -> tuple[str, ...]:
    return version("disprop"), *(f"{name}@{number}" for name, number in sorted(codelists().items()))


def _beside(store: Store) -> dict[str, list[str]]:
    """Keys of the sidecars of each part that are not stale: what a stale one holds is not counted."""
    current = current_sidecars(store.manifest)
    return {part: sorted(one["key"] for one in entries) for part, entries in current.items()}


def folded(tallies: Sequence[Tally]) -> Tally:
    """The sum of several tallies, added up two and two so that small ones meet small ones.

    >>> import disprop as dp
    >>> months = ("2023-04", "2023-05", "2023-06")
    >>> each = [dp.tally(dp.synthetic.make_records(months=[month]), by=[]) for month in months]
    >>> folded(each) == each[0] + each[1] + each[2]
    True
    """
    several = list(tallies)
    while len(several) > 1:
        pairs = [several[i : i + 2] for i in range(0, len(several), 2)]
        several = [pair[0] + pair[1] if len(pair) == 2 else pair[0] for pair in pairs]
    return several[0]


def _content(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:32]


def _load(path: Path) -> Tally | None:
    """A saved tally; None when the file is not what its name says."""
    if path.stem.partition("-")[2] != _content(path):
        return None
    try:
        return load(path)
    except DispropError:
        return None
