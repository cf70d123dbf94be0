"""One night, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from disprop.codelists import codelists, force_code
from disprop.disclosure import FEWEST_RECORDS
from disprop.errors import InputRefused
from disprop.io.store.durable import file_digest
from disprop.io.store.manifest import read_manifest
from disprop.io.store.reader import Store, open_store
from disprop.io.store.retention import purge
from disprop.linking import link_store
from disprop.months import month_label
from disprop.nightly.checks import refuse_in_vain
from disprop.nightly.config import Config
from disprop.nightly.extracts import Arrival, Intake, Progress, forget, take_in, total
from disprop.nightly.figures import MANIFEST, Axes, Made, figures, manifest, wanted
from disprop.nightly.history import gone, shrunk, unfed
from disprop.nightly.index import INDEX, Told, index_page
from disprop.nightly.log import Log, Say
from disprop.nightly.publish import KEPT, is_current, prepare, put, switch
from disprop.nightly.tallying import TallyCache
from disprop.provenance import digest
from disprop.records import Source
from disprop.tallies import Tally, load

LIBRARIES = ("disprop", "numpy", "scipy", "pandas", "pyarrow")
FOOTAGE = "footage"
LOST = ("unfed", "shrunk")
"""What became less, as it stands among what a run is made from."""


@dataclass(frozen=True)
class Outcome:
    """How a night ended: which run `current` leads to, whether it is new there, and what somebody should look at."""

    run: str
    published: bool
    warnings: tuple[str, ...] = ()


def check(config: Config) -> list[str]:
    """Whether a night could begin: every mapping, key and extract is found, every file can be opened, and every table
    can be made; what there is, in words, one line an extract. Nothing is written and no record is read.

    Raises InputRefused where something is missing, UsageError where a table cannot be made, whatever the records.
    """
    lines = []
    for asked in config.extracts:
        arrival = Arrival.of(asked, skip=config.on_error == "skip")
        lines.append(
            f"{asked.path}: {len(arrival.files):,} files, by {asked.mapping or 'the layout of data.police.uk'}"
        )
    if config.population is not None:
        load(config.population)
    refuse_in_vain(config)
    return lines


def run_nightly(config: Config, *, say: Say | None = None, progress: Progress | None = None) -> Outcome:
    """Take in the extracts, and publish the figures if anything about them is new.

    The caller holds the right to the folder (`only_one`). say: called with a line a step. progress: as readers call it.

    Raises DispropError where something is refused: then nothing was published, and running again goes on from what was
    stored.
    """
    out = Path(config.out)
    log = Log(out / "nightly.jsonl", say)
    with log.step("prepare") as counts:
        counts["leftovers_removed"] = prepare(out)
        refuse_in_vain(config)
    intakes = _read(config, out, log, progress)
    _keep_within_retention(config, log)
    _link(config, log)
    with log.step("look back") as counts:
        made_from = _made_from(config, intakes)
        missed = gone(config, intakes) if made_from["unfed"] else []
        counts |= {"files_gone": len(missed)} | {f"warnings_{name}": len(made_from[name]) for name in LOST}
    run = digest("disprop-nightly-1", msgspec.json.encode(made_from, order="sorted").decode())
    with log.step("compare") as counts:
        counts["run"], counts["new"] = run, not is_current(out, run)
    if is_current(out, run):
        return Outcome(run, published=False)
    if not (out / run).is_dir():
        _make(config, intakes, made_from, run, log)
    with log.step("publish") as counts:
        switch(out, run)
        counts["run"] = run
        forget(out / KEPT / "extracts", intakes)
    told = msgspec.json.decode((out / run / MANIFEST).read_bytes())
    lost = [f"file {name} that an earlier night read is gone; its records stay" for name in missed]
    return Outcome(run, published=True, warnings=(*told["warnings"], *lost))


# Steps ---------------------------------------------------------------------------------------------------------------


def _read(config: Config, out: Path, log: Log, progress: Progress | None) -> list[Intake]:
    with log.step("read") as counts:
        taken = take_in(config, out / KEPT / "extracts", progress)
        account = total(taken.intakes)
        counts |= {
            "extracts": len(taken.intakes),
            "extracts_read": taken.read,
            "files": sum(len(one.files) for one in taken.intakes),
            "files_left_out": sum(len(one.left_out) for one in taken.intakes),
            "parts_added": taken.changed.added,
            "parts_replaced": taken.changed.replaced,
            "records_stored": taken.changed.records,
            "rows_quarantined": sum(account.quarantined.values()),
        }
    return taken.intakes


def _keep_within_retention(config: Config, log: Log) -> None:
    if config.retention is None:
        return
    with log.step("retention") as counts:
        done = purge(config.store, reason=config.retention.reason, before=config.retention.before)
        counts |= {"records_removed": done.records, "parts_changed": done.parts}


def _link(config: Config, log: Log) -> None:
    """Links to footage, where the store has any and the file says how."""
    if config.link is None or FOOTAGE not in read_manifest(Path(config.store)).words("kind")[0]:
        return
    with log.step("link") as counts:
        linked = link_store(config.store, **config.link_arguments)
        counts |= {"parts_linked": linked.parts, "parts_unchanged": linked.unchanged, "records_linked": linked.records}
        counts["parts_without_footage"] = linked.without_footage


def _make(config: Config, intakes: Sequence[Intake], made_from: Mapping[str, Any], run: str, log: Log) -> None:
    out = Path(config.out)
    told = [one.told | {"files": one.files} for one in intakes]
    with log.step("tally") as counts:
        cache = TallyCache(out / KEPT / "tallies")
        made = _tallied(config, cache)
        counts |= {"parts_tallied": cache.made, "parts_known": cache.found}
    with log.step("measure") as counts:
        files = figures(made, told)
        warnings = [*_warnings(config, intakes), *made_from["unfed"], *made_from["shrunk"], *made.warnings]
        counts |= {"files": len(files), "warnings": len(warnings)}
    with log.step("write") as counts:
        files[INDEX] = index_page(Told(made, run, made_from, warnings, tuple(files)))
        files[MANIFEST] = manifest(made, run, made_from, warnings, files)
        put(out, run, files)
        counts |= {"files": len(files), "bytes": sum(map(len, files.values())), "tallies_forgotten": cache.forget()}


def _warnings(config: Config, intakes: Sequence[Intake]) -> list[str]:
    """What follows from settings and extracts."""
    few = config.disclosure_threshold
    quarantined = sorted(total(intakes).quarantined.items())
    return [
        *([f"disclosure_threshold is {few}; {FEWEST_RECORDS} or more is advised"] if few < FEWEST_RECORDS else []),
        *(f"{n:,} rows could not be read: {reason}" for reason, n in quarantined),
        *(f"file left out, it could not be read: {name}" for one in intakes for name in one.left_out),
    ]


# What the figures are made from --------------------------------------------------------------------------------------


def _tallied(config: Config, cache: TallyCache) -> Made:
    tallies: dict[str, dict[Axes, Tally]] = {}
    sources: dict[str, Source] = {}
    for kind, lists in wanted(config).items():
        store = _of_force(open_store(config.store, kind=kind), config)
        sources[kind] = store
        found = cache.tallies(store, lists)
        tallies[kind] = {axes: _in_scope(tally, config) for axes, tally in zip(lists, found)}
    return Made(config, tallies, sources)


def _of_force(store: Store, config: Config) -> Store:
    if config.force is None:
        return store
    keep = np.flatnonzero(store.parts["force"] == force_code(config.force))
    return replace(store, chosen=store.chosen[keep])


def _in_scope(tally: Tally, config: Config) -> Tally:
    """The force and the period asked for; `last_months` ends with the last month that a part is of."""
    if config.force is not None:
        tally = tally.select(force=force_code(config.force))
    if config.last_months is not None:
        last = int(tally.parts["month"].max())
        return tally.between(month_label(last - config.last_months + 1), month_label(last))
    if config.first is not None and config.last is not None:
        return tally.between(config.first, config.last)
    return tally


def _made_from(config: Config, intakes: Sequence[Intake]) -> dict[str, Any]:
    """All that decides a figure, as plain values, without a place of a file or an instant: the same store, extracts and
    settings give the same, whatever way led there."""
    held = read_manifest(Path(config.store))
    parts = {
        f"{part['kind']} {part['dataset']} {part['force']} {month_label(int(part['month']))}": bytes(
            part["part"]
        ).decode()
        for part in held.parts
    }
    return {
        "versions": {name: version(name) for name in LIBRARIES},
        "codelists": codelists(),
        "settings": config.said,
        "population": _population(config),
        "extracts": [one.told for one in intakes],
        "parts": dict(sorted(parts.items())),
        "unfed": unfed(config, intakes),
        "shrunk": shrunk(config),
        "sidecars": sorted(f"{one['part']} {one['name']} {one['key']}" for one in held.sidecars()),
    }


def _population(config: Config) -> dict[str, str]:
    from disprop.io.census import census_digests

    if config.population is None:
        return dict(census_digests())
    try:
        return {Path(config.population).name: file_digest(Path(config.population))}
    except OSError as why:
        raise InputRefused(f"population {config.population}: {why.strerror or why}; check the path") from why
