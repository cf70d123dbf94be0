"""A small world for nightlies: invented extracts, a configuration, and what a reader sees of the result."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from disprop.io.store import open_store
from disprop.nightly import read_config, run_nightly
from disprop.nightly.publish import only_one
from disprop.synthetic import population, write_police_uk
from disprop.synthetic.truth import default_truth

MONTHS = ("2023-04", "2023-05")
TABLES = """
[[tables]]
measure = "rate_ratio"
by = ["force", "ethnicity_self"]

[[tables]]
measure = "find_rate"
by = ["force", "object"]
"""
SEARCHES = """
[[extracts]]
path = "searches"
"""


def config(home: Path, *, head: str = "report = false", extracts: str = SEARCHES, tables: str = TABLES) -> Path:
    path = home / "nightly.toml"
    path.write_text(f'store = "store"\nout = "out"\npopulation = "residents.parquet"\n{head}\n{extracts}{tables}')
    return path


def few(share: float):
    """The invented force with so small a share of its searches."""
    truth = default_truth()
    return replace(truth, rate={group: rate * share for group, rate in truth.rate.items()})


def world(home: Path, *, months: tuple[str, ...] = MONTHS, seed: int = 1, share: float = 1.0, **how: str) -> Path:
    """Invented searches and residents, and the configuration of a nightly over them."""
    home.mkdir(parents=True, exist_ok=True)
    write_police_uk(home / "searches", [few(share)], months=months, seed=seed)
    population().save(home / "residents.parquet")
    return config(home, **how)


def revise(home: Path, month: str = MONTHS[-1], *, seed: int = 2, share: float = 1.0) -> None:
    """A month is published again, with other records."""
    write_police_uk(home / "searches", [few(share)], months=[month], seed=seed)


def night(path: Path, say=None):
    told = read_config(path)
    with only_one(Path(told.out)) as alone:
        assert alone
        return run_nightly(told, say=say)


def published(home: Path, out: str = "out") -> dict[str, bytes]:
    """What `current` leads to: every file, by name, with the run."""
    folder = home / out / "current"
    files = {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    return files | {"run": folder.readlink().name.encode()}


def content(home: Path, kind: str = "search"):
    """The records of a kind in the store, part by part, as a reader gets them, and the keys of what stands beside."""
    store = open_store(home / "store", kind=kind)
    rows = [(row["slot"], row["part"], row["records"]) for row in store.rows()]
    batches = [batch.to_pydict() for batch in store.batches()]
    beside = sorted((one["part"], one["name"], one["key"]) for one in store.manifest.sidecars())
    return rows, hashlib.sha256(repr(batches).encode()).hexdigest(), beside


def log(home: Path, step: str) -> list[dict]:
    lines = [json.loads(line) for line in (home / "out" / "nightly.jsonl").read_text().splitlines()]
    return [line for line in lines if line["step"] == step]


def is_whole(folder: Path) -> bool:
    """Whether a published folder has every file that its manifest lists, and no other."""
    told = json.loads((folder / "manifest.json").read_bytes())["files"]
    found = {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    found.pop("manifest.json")
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} == {
        name: one["sha256"] for name, one in told.items()
    }
