"""Searches and force reports of a store linked to the footage beside them; what is found is kept as sidecars.

Part by part: the records of one force and month, and the clips of the same force that may change their links. So memory
does not grow with the store, and only what a changed month can reach is linked again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from disprop.codelists import code_lookup, codelist, nearest
from disprop.errors import UsageError
from disprop.io.store.manifest import Manifest, read_manifest
from disprop.io.store.reader import Store
from disprop.io.store.sidecars import Neighbours, Reach, Sidecar, add_sidecars, sidecar_key
from disprop.linkage import (
    NO_TIME,
    RECORDS,
    Clips,
    ClockOffset,
    Events,
    Links,
    LinkSettings,
    corrected,
    estimate_offsets,
    link,
    video_link,
)
from disprop.months import month_label
from disprop.provenance import digest

Progress = Callable[[int, int, str], None]

VIDEO = "video"
"""Name of the sidecar."""
LINKED_KINDS = ("search", "force_report")
FOOTAGE = "footage"
RECORDS_CLOCK = "records"
"""Stands, among systems, for the records' own clock."""

DAY = 86_400
LONGEST_CLIP = DAY
"""No camera runs for longer: a clip that says so has a wrong end, and is taken as its start alone."""
LARGEST_OFFSET = DAY
"""Clocks are looked for this far off: what footage is in reach must not depend on the clock that is found."""

_EVENT = {
    "event_time": "seconds", "time_precision": "precision", "officer": "key", "other_officer": "key",
    "reference": "key", "video_recorded": "label",
}  # fmt: skip
_CLIP = {
    "event_time": "seconds", "end_time": "seconds", "officer": "key", "reference": "key", "system": "label",
    "deleted_time": "seconds",
}  # fmt: skip
_LABELS = codelist("video_link").groups


@dataclass(frozen=True)
class Clock:
    """What was found out about one clock from the records of one part and its footage.

    seconds: by how many it is ahead; summer_seconds: by how many more in UK summer time. pairs: of a record and a clip,
    that say so; none: not known. spread: seconds between the quartiles of what they say. by: what they share. pattern:
    the name of an error of a whole hour. corrected: whether it was taken off (see `disprop.linkage.corrected`).
    """

    kind: str
    force: str
    month: str
    system: str
    seconds: int
    summer_seconds: int
    pairs: int
    spread: int
    by: str
    pattern: str
    corrected: bool


@dataclass(frozen=True)
class Linked:
    """What `link_store` did.

    parts linked, `unchanged` (linked before, from the same records, footage and settings), and `without_footage`: those
    of months of which the store has no footage extract, which stay not linked rather than be called without video.
    records: of the parts linked. found: how many of them by label of the codelist `video_link`. clocks: one entry a
    part and system. overlong: clips that claim to last more than a day, taken as their start alone.
    """

    parts: int = 0
    unchanged: int = 0
    without_footage: int = 0
    records: int = 0
    found: Mapping[str, int] = field(default_factory=dict)
    clocks: tuple[Clock, ...] = ()
    overlong: int = 0
    nothing_to_look_by: int = 0


def link_store(
    path: str | PathLike[str],
    *,
    settings: LinkSettings | None = None,
    clocks: Mapping[str, int] | None = None,
    kinds: Sequence[str] = LINKED_KINDS,
    progress: Progress | None = None,
) -> Linked:
    """Link the records of a store to its footage, and keep the result beside them as the sidecar `video`.

    A part is linked again only when its records, any footage in reach of it, or the settings changed; a second run
    changes nothing. All sidecars of a run are one transaction: after a crash the store is the old one or the new one.
    Clips of other forces are not looked at. Where a force has several footage datasets in a month (two systems), all of
    them count. The clock of each system is estimated from the part and its footage, and corrected where that is sure.

    A record whose month has no footage extract at all stays blank (never linked): that an extract is not there does not
    say that there was no video. So does a record with nothing to look by: one of which the time of day is not known, or
    that has neither an officer, nor a second one, nor a reference. Whatever its tick-box says, no footage could be
    found for it, so that it says nothing of video.

    settings: tolerances, retention and `as_of`; a new `as_of` links everything again, so name a month's end rather than
    today. Its `offsets` are by number: give `clocks` here, seconds that a system's clock is ahead, by the system's own
    label (`records` for the records' own clock); these are taken as given. progress: called as `progress(parts done,
    parts in all, force and month)`.

    Raises UsageError for a kind that is not linked, or a clock of a system of which the store has no footage;
    InputRefused for a folder that is no store, or while another process changes it.

    >>> import tempfile
    >>> import disprop as dp
    >>> from disprop.io.store import add
    >>> folder = tempfile.mkdtemp() + "/store"
    >>> _ = add(folder, dp.read_frame(dp.synthetic.make_records(months=("2023-04",))))
    >>> link_store(folder)
    Linked(parts=0, unchanged=0, without_footage=1, records=0, found={}, clocks=(), overlong=0, nothing_to_look_by=0)
    """
    run = _Run.of(Path(path), settings or LinkSettings(), dict(clocks or {}), kinds)
    todo = [(row, reach, inputs) for row, reach, inputs in run.reached() if not run.is_current(row, inputs)]
    account = _Account()
    add_sidecars(path, _sidecars(run, todo, account, progress), name=VIDEO)
    return account.linked(run.unchanged, run.without_footage)


# What to link --------------------------------------------------------------------------------------------------------


@dataclass
class _Run:
    """One run over one manifest: the records to link, the footage, and how."""

    records: Store
    footage: Store
    settings: LinkSettings
    clocks: dict[str, int]
    near: Neighbours
    keys: set[str]
    clips_of: dict[str, dict[str, Any]]
    unchanged: int = 0
    without_footage: int = 0

    @classmethod
    def of(cls, folder: Path, settings: LinkSettings, clocks: dict[str, int], kinds: Sequence[str]) -> _Run:
        _refuse_unknown(kinds, settings)
        manifest = read_manifest(folder)
        footage = Store(folder, manifest, _of_kinds(manifest, [FOOTAGE]))
        keys = {one["key"] for one in manifest.sidecars() if one["name"] == VIDEO}
        rows = {row["part"].decode(): row for row in footage.rows()}
        _refuse_strange_clocks(clocks, footage, {row["scheme"] for row in rows.values()})
        records = Store(folder, manifest, _of_kinds(manifest, kinds))
        return cls(records, footage, settings, clocks, Neighbours(manifest), keys, rows)

    @property
    def digest(self) -> str:
        """Of everything that decides a link, besides the parts."""
        clocks = [f"{system}={seconds}" for system, seconds in sorted(self.clocks.items())]
        return digest("disprop-link-2", self.settings.digest(), str(LONGEST_CLIP), *clocks)

    def reached(self) -> Iterator[tuple[dict[str, Any], Reach, list[str]]]:
        """Parts to link, each with the footage parts that may change its links."""
        for row in sorted(self.records.rows(), key=lambda row: (row["kind"], row["force"], row["month"])):
            reach = reach_of(row["first"], row["last"], self._margin)
            inputs = self.near.parts(row["force"], reach)
            if self._has_footage(row, inputs):
                yield row, reach, inputs
            else:
                self.without_footage += 1

    @property
    def _margin(self) -> int:
        known = max(map(abs, self.clocks.values()), default=0)
        return self.settings.reach + LONGEST_CLIP + LARGEST_OFFSET + known

    def _has_footage(self, row: Mapping[str, Any], inputs: Sequence[str]) -> bool:
        """Whether there is an extract of the part's own month."""
        return any(self.clips_of[part]["month"] == row["month"] for part in inputs)

    def is_current(self, row: Mapping[str, Any], inputs: Sequence[str]) -> bool:
        """Whether the part was linked from just this; counts it if so."""
        current = sidecar_key(row["part"].decode(), settings=self.digest, inputs=inputs) in self.keys
        self.unchanged += current
        return current


def _refuse_unknown(kinds: Sequence[str], settings: LinkSettings) -> None:
    strange = set(kinds) - set(LINKED_KINDS)
    if strange:
        raise UsageError(f"{', '.join(sorted(strange))} cannot be linked to footage; {', '.join(LINKED_KINDS)} can")
    if settings.offsets or settings.summer_offsets:
        raise UsageError("offsets of the settings are by number, and a store has systems by name; give clocks=")


def _refuse_strange_clocks(clocks: Mapping[str, int], footage: Store, schemes: set[str]) -> None:
    labels = {label for scheme in schemes for label in footage.manifest.labels(scheme, "system") if label}
    known = [RECORDS_CLOCK, *sorted(labels)]
    for system in sorted({*clocks} - {*known}):
        raise UsageError(f"clock: the store has no footage of a system {system!r}{nearest(system, known)}")


def _of_kinds(manifest: Manifest, kinds: Sequence[str]) -> np.ndarray:
    words, at = manifest.words("kind")
    return np.flatnonzero(np.isin(at, [i for i, word in enumerate(words) if word in kinds]))


def reach_of(first: int, last: int, margin: int) -> Reach:
    """The months of footage that lie within `margin` seconds of the months `first` to `last`.

    >>> [month_label(month) for month in (reach_of(591, 591, 3600).first, reach_of(591, 591, 3600).last)]
    ['2019-03', '2019-05']
    """
    start, end = window(first, last, margin)
    return Reach(FOOTAGE, _month(start), _month(end))


def window(first: int, last: int, margin: int) -> tuple[int, int]:
    """Seconds UTC from `margin` before the month `first` to `margin` after the month `last`, in any clock of the UK."""
    start, end = (
        int(np.datetime64(month, "M").astype("datetime64[s]").astype(np.int64)) for month in (first, last + 1)
    )
    return start - margin - 3600, end + margin + 3600


def _month(seconds: int) -> int:
    return int(np.datetime64(seconds, "s").astype("datetime64[M]").astype(np.int64))


# Linking one part ----------------------------------------------------------------------------------------------------


@dataclass
class _Account:
    """What a run has done so far."""

    parts: int = 0
    records: int = 0
    found: Counter[str] = field(default_factory=Counter)
    clocks: list[Clock] = field(default_factory=list)
    overlong: int = 0
    nothing_to_look_by: int = 0

    def linked(self, unchanged: int, without_footage: int) -> Linked:
        found = {label: self.found[label] for label in _LABELS if self.found[label]}
        return Linked(
            self.parts, unchanged, without_footage, self.records, found, tuple(self.clocks), self.overlong,
            self.nothing_to_look_by,
        )  # fmt: skip


def _sidecars(
    run: _Run, todo: Sequence[tuple[dict[str, Any], Reach, list[str]]], account: _Account, progress: Progress | None
) -> Iterator[Sidecar]:
    for done, (row, reach, inputs) in enumerate(todo):
        if progress:
            progress(done, len(todo), f"{row['force']} {month_label(row['month'])}")
        systems = _systems(run, inputs)
        clips, overlong = _clips(run, row, inputs, systems)
        events = _events(run, row)
        links, clocks = _linked(run, row, events, clips, systems)
        unknown = nothing_to_look_by(events)
        found = Counter(dict(zip(_LABELS, np.bincount(video_link(links)[~unknown], minlength=len(_LABELS)).tolist())))
        account.parts += 1
        account.records += row["records"]
        account.found += found
        account.clocks += clocks
        account.overlong += overlong
        account.nothing_to_look_by += int(unknown.sum())
        note = {"found": dict(+found), "clocks": [vars(clock) for clock in clocks if clock.corrected]}
        yield Sidecar(row["part"].decode(), _columns(links, unknown), run.digest, inputs, reach, note)


def nothing_to_look_by(events: Events) -> np.ndarray:
    """Records that no footage can be found for: their time is not known, or they have no officer and no reference.

    >>> keys = np.array([[7, 0, 0, 7], [0, 0, 0, 0], [0, 9, 0, 0]], dtype=np.uint64)
    >>> nothing_to_look_by(Events(np.array([50, 50, 50, NO_TIME]), *keys, np.zeros(4, dtype=np.int8))).tolist()
    [False, False, True, True]
    """
    keys = (events.officer, events.other_officer, events.reference)
    return np.asarray((events.time == NO_TIME) | ~np.any([key != 0 for key in keys], axis=0))


def _linked(
    run: _Run, row: dict[str, Any], events: Events, clips: Clips, systems: Sequence[str]
) -> tuple[Links, list[Clock]]:
    given = {code: run.clocks[system] for code, system in enumerate(systems) if system in run.clocks}
    if RECORDS_CLOCK in run.clocks:
        given[RECORDS] = run.clocks[RECORDS_CLOCK]
    settings = replace(run.settings, offsets=given)
    estimates = [one for one in estimate_offsets(events, clips, settings) if one.system not in given]
    settings = corrected(settings, estimates)
    names = {**dict(enumerate(systems)), RECORDS: RECORDS_CLOCK}
    where = (row["kind"], row["force"], month_label(row["month"]))
    return link(events, clips, settings), [_clock(where, names, one) for one in estimates]


def _clock(where: tuple[str, str, str], names: Mapping[int, str], found: ClockOffset) -> Clock:
    off = corrected(LinkSettings(), [found])
    return Clock(
        *where, names[found.system], found.seconds, found.summer_seconds, found.n_pairs, found.spread, found.by,
        found.pattern, corrected=bool(off.offsets or off.summer_offsets),
    )  # fmt: skip


def _events(run: _Run, row: dict[str, Any]) -> Events:
    columns = run.records.codes(row, _EVENT)
    time = columns["event_time"].astype(np.int64)
    time[columns["time_precision"] == 0] = NO_TIME
    keys = {name: columns[name] for name in ("officer", "other_officer", "reference")}
    return Events(time=time, said=_said(run, row, columns["video_recorded"]), **keys)


def _said(run: _Run, row: Mapping[str, Any], codes: np.ndarray) -> np.ndarray:
    """The tick-box: 1 video, 0 none, -1 not known."""
    labels = run.records.manifest.labels(row["scheme"], "video_recorded")
    meaning = np.array(codelist("flag").codes)[code_lookup("flag", row["scheme"], [label or None for label in labels])]
    return np.select([meaning == "yes", meaning == "no"], [1, 0], -1).astype(np.int8)[codes]


def _systems(run: _Run, inputs: Sequence[str]) -> list[str]:
    """The systems of some footage parts, in the order of their codes here."""
    schemes = {run.clips_of[part]["scheme"] for part in inputs}
    return sorted({label for scheme in schemes for label in run.footage.manifest.labels(scheme, "system")})


def _clips(run: _Run, row: Mapping[str, Any], inputs: Sequence[str], systems: Sequence[str]) -> tuple[Clips, int]:
    """The clips that may change the links of a part, and how many of them claim to last too long."""
    low, high = window(row["first"], row["last"], run._margin)
    pieces = [_piece(run, run.clips_of[part], systems, low, high) for part in inputs]
    columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    overlong = columns["end"] > columns["start"] + LONGEST_CLIP
    columns["end"][overlong] = columns["start"][overlong]
    return Clips(**columns), int(overlong.sum())


def _piece(run: _Run, row: dict[str, Any], systems: Sequence[str], low: int, high: int) -> dict[str, np.ndarray]:
    stored = run.footage.codes(row, _CLIP)
    near = np.flatnonzero((stored["event_time"] >= max(low, 0)) & (stored["event_time"] <= high))
    at = {name: values[near] for name, values in stored.items()}
    end = at["end_time"].astype(np.int64)
    labels = run.footage.manifest.labels(row["scheme"], "system")
    codes = np.array([systems.index(label) for label in labels], dtype=np.int16)
    return {
        "start": at["event_time"].astype(np.int64),
        "end": np.where(end == 0, NO_TIME, end),
        "officer": at["officer"],
        "reference": at["reference"],
        "system": codes[at["system"]],
        "deleted": at["deleted_time"].astype(np.int64),
    }


def _columns(links: Links, unknown: np.ndarray) -> dict[str, Any]:
    labels = pa.DictionaryArray.from_arrays(pa.array(video_link(links), mask=unknown), pa.array(_LABELS, pa.string()))
    start = pa.array(links.from_start.astype(np.int8), mask=links.from_start < 0)
    return {
        "video_link": labels,
        "video_clips": links.clips,
        "video_seconds": links.seconds,
        "video_from_start": pa.DictionaryArray.from_arrays(start, pa.array(["no", "yes"])),
    }
