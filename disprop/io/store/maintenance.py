"""Keeping a store in order: fewer and larger files, garbage removed, everything checked."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from disprop.io.store.durable import file_digest, left_aside, locked
from disprop.io.store.joint import joint_codes, joint_from_word, joint_sizes, joint_word
from disprop.io.store.manifest import Draft, check_format, commit, current, ledger_path, manifest_path, read_manifest
from disprop.io.store.segment import column_of, label_dtype, open_segment, places, write_segment
from disprop.io.store.sidecars import gather_sidecars
from disprop.io.store.writer import now, span
from disprop.records import JOINT

GRACE_DAYS = 7.0

Keep = Callable[[dict[str, Any], dict[str, np.ndarray]], np.ndarray | None]


@dataclass(frozen=True)
class Compacted:
    """What `compact` did: files that the store used before and uses now, and files deleted."""

    segments_before: int
    segments_after: int
    deleted: int


def compact(path: str | PathLike[str], *, grace_days: float = GRACE_DAYS) -> Compacted:
    """Merge the segments into one a kind, scheme and year, parts in the order of force and month; delete garbage.
    Sidecars are merged into one file a name, kind and year.

    Garbage is what CURRENT does not lead to: files that a stopped writer left, and old manifests and segments. A reader
    that opened the store before may still need them, so they go `grace_days` after they were written. Ledgers stay. A
    store that is in order already is left as it is.
    """
    folder = Path(path)
    check_format(folder)
    with locked(folder):
        manifest = read_manifest(folder)
        draft = Draft.of(manifest)
        before = len(manifest.segments)
        groups = _groups(draft)
        scattered = {key: rows for key, rows in groups.items() if _is_scattered(draft, rows)}
        for rows in scattered.values():
            rewrite(folder, draft, rows)
        gathered = gather_sidecars(folder, draft)
        if scattered or gathered:
            commit(folder, draft, iter([{"at": now(), "action": "compact"}]))
        after = read_manifest(folder)
        return Compacted(before, len(after.segments), _sweep(folder, after.segments, after.number, grace_days))


def _groups(draft: Draft) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(draft.rows.values(), key=lambda row: (row["force"], row["month"], row["dataset"])):
        groups[row["kind"], row["scheme"], row["month"] // 12].append(row)
    return groups


def rewrite(
    folder: Path, draft: Draft, rows: Sequence[dict[str, Any]], keep: Keep | None = None
) -> list[tuple[dict[str, Any], int]]:
    """Write parts again, into one new segment, and put them into the draft.

    keep: which rows of a part stay (a mask), None for all. Returns each row of the draft with the number of records
    that it lost. The caller drops what is empty.
    """
    kinds, labels = _held(draft, rows)
    spans: list[tuple[int, int, int]] = []

    def columns() -> Iterator[dict[str, np.ndarray]]:
        spans.clear()
        for row in rows:
            whole = open_segment(folder / "segments" / row["segment"], draft.segments[row["segment"]])
            part = {name: column_of(whole, row, name, kind) for name, kind in kinds.items()}
            mask = keep(row, part) if keep else None
            part = part if mask is None else {name: values[mask] for name, values in part.items()}
            spans.append(span(part["month"], row["month"]))
            yield part

    name, size, where = write_segment(folder, columns(), kinds, labels)
    draft.segments[name] = size
    lost = []
    for row, found, place in zip(rows, spans, where):
        lost.append((row, row["records"] - found[0]))
        row |= dict(zip(("records", "first", "last"), found)) | place | {"segment": name}
    return lost


def _held(draft: Draft, rows: Sequence[dict[str, Any]]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Columns that any of these parts holds, with their kinds, and the vocabularies that they have now."""
    held = [name for name in draft.columns if name != JOINT and any(row.get(f"{name}:width") for row in rows)]
    labels = {name: draft.vocabularies.get((rows[0]["scheme"], name), [""]) for name in held}
    return {name: draft.columns[name] for name in held}, labels


def _is_scattered(draft: Draft, rows: Sequence[dict[str, Any]]) -> bool:
    """Whether parts stand in several files, or their joint number is not of the vocabularies that there are now."""
    now_made_of = joint_word(joint_sizes(*_held(draft, rows)))
    return len({row["segment"] for row in rows}) > 1 or any(row.get(JOINT, "") != now_made_of for row in rows)


def _sweep(folder: Path, segments: Sequence[tuple[str, int]], number: int, grace_days: float) -> int:
    """Delete what CURRENT does not lead to and is older than the grace period; returns how many files."""
    wanted = {name for name, _ in segments} | _sidecar_files(folder)
    old = [one for one in (folder / "segments").glob("*.arrow") if one.name not in wanted]
    old += [one for one in (folder / "manifests").glob("*.arrow") if one != manifest_path(folder, number)]
    old += [one for one in (folder / "ledger").glob("*.jsonl") if int(one.stem) > number]
    old += list(left_aside(folder))
    deadline = time.time() - grace_days * 86_400
    dead = [one for one in old if one.stat().st_mtime <= deadline]
    for one in dead:
        one.unlink()
    return len(dead)


def _sidecar_files(folder: Path) -> set[str]:
    return {one["segment"] for one in read_manifest(folder).sidecars()}


# Checking ------------------------------------------------------------------------------------------------------------


def verify(path: str | PathLike[str]) -> list[str]:
    """Check every file that the store leads to; returns what is wrong, in words, or an empty list.

    Checked: the digest and length of every segment; that the manifest places every column where the file has it; that
    every code has a label; the manifest's own digest; and the chain of ledgers back to the first.
    """
    folder = Path(path)
    now_ = current(folder)
    if now_["number"] == 0:
        return []
    wrong = list(_ledger_faults(folder, now_))
    if file_digest(manifest_path(folder, now_["number"])) != now_["manifest"]:
        return [*wrong, f"manifests/{now_['number']:08d}.arrow is not the file that CURRENT names"]
    manifest = read_manifest(folder)
    draft = Draft.of(manifest)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in draft.rows.values():
        rows[row["segment"]].append(row)
    for name, size in manifest.segments:
        wrong += _segment_faults(folder, name, size, rows[name], draft)
    beside = {one["segment"]: one["bytes"] for one in manifest.sidecars()}
    return wrong + [
        f"segments/{name} (sidecar): {fault}"
        for name, size in beside.items()
        for fault in _file_faults(folder / "segments" / name, size)
    ]


def _ledger_faults(folder: Path, now_: Mapping[str, Any]) -> Iterator[str]:
    expected = now_["ledger"]
    for number in range(now_["number"], 0, -1):
        path = ledger_path(folder, number)
        if not path.exists() or file_digest(path) != expected:
            yield f"ledger/{path.name} is missing, or is not the file that its successor names"
            return
        with path.open(encoding="utf-8") as file:
            expected = json.loads(file.readline())["previous"]


def _file_faults(path: Path, size: int) -> list[str]:
    if not path.exists():
        return ["missing"]
    if path.stat().st_size != size:
        return [f"has {path.stat().st_size:,} bytes, the manifest says {size:,}"]
    if file_digest(path) != path.stem:
        return ["its bytes are not those that it was written with"]
    return []


def _segment_faults(folder: Path, name: str, size: int, rows: Sequence[dict[str, Any]], draft: Draft) -> list[str]:
    path = folder / "segments" / name
    faults = _file_faults(path, size)
    if not faults:
        try:
            batches = places(path)
        except pa.ArrowInvalid as why:
            return [f"segments/{name}: {why}"]
        whole = open_segment(path, size)
        faults = [fault for row in rows for fault in _part_faults(row, batches, whole, draft)]
    return [f"segments/{name}: {fault}" for fault in faults]


def _part_faults(
    row: Mapping[str, Any], batches: Sequence[Mapping[str, int]], whole: np.ndarray, draft: Draft
) -> Iterator[str]:
    about = f"{row['dataset']} {row['kind']} {row['force']} part {row['part'].decode()[:8]}"
    batch = batches[row["batch"]]
    for name, kind in draft.columns.items():
        width = row[f"{name}:width"]
        if row["records"] == 0 or width == 0:
            continue
        if row[f"{name}:offset"] != batch[f"{name}:offset"] + row["start"] * width or width != batch[f"{name}:width"]:
            yield f"{about}: {name} does not stand where the manifest says"
        elif kind == "label":
            labels = draft.vocabularies.get((row["scheme"], name), [""])
            codes = column_of(whole, row, name, kind)
            if int(codes.max()) >= len(labels) or np.dtype(label_dtype(len(labels))).itemsize < width:
                yield f"{about}: {name} has codes without a label"
        elif kind == "joint" and not _is_made_of(row, whole):
            yield f"{about}: its joint number does not say what its columns say"


def _is_made_of(row: Mapping[str, Any], whole: np.ndarray) -> bool:
    """Whether the joint number of every row is that of its columns."""
    sizes = joint_from_word(row[JOINT])
    codes = {name: column_of(whole, row, name, "label") for name in sizes}
    return bool((joint_codes(codes, sizes) == column_of(whole, row, JOINT, "joint")).all())
