"""Writes docs/benchmarks.md from the figures of the last `make bench`. Nothing on that page is typed by hand.

python -m benchmarks.page .benchmarks

The folder holds one file of figures for each file of benchmarks; `make bench` makes one after the other, so that some
may be made again without the rest.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
OURS = (
    lambda label: label in ("disprop", "test_ours") or label.endswith("-disprop"),
    lambda label: label.startswith("disprop"),
)
"""Whether a run is the one that others are compared with: surely, else perhaps."""
ENGINES = ("disprop", "numpy", "scipy", "pandas", "pyarrow", "numba", "polars", "duckdb", "statsmodels")


def page(several: Sequence[dict[str, Any]]) -> str:
    """The page as Markdown."""
    machine = several[0]["machine_info"]
    cpu = machine.get("cpu", {})
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`; every figure is generated. Times are the median of the rounds, in seconds, on a machine",
        "that other work shares, so read the ratios, not the seconds. Each rival's answer is checked equal to ours",
        "before its time counts; what each run does is in the docstrings of the file named.",
        "",
        f"Machine: {cpu.get('brand_raw', platform.machine())}, {cpu.get('count', '?')} cores; "
        f"Python {machine['python_version']}; " + ", ".join(f"{name} {version(name)}" for name in ENGINES) + ".",
    ]
    every = [row for figures in several for row in figures["benchmarks"]]
    rows = sorted(every, key=lambda row: (row["group"] or "", row["stats"]["median"]))
    for group, same in groupby(rows, key=lambda row: row["group"] or "other"):
        runs = list(same)
        lines += [
            "",
            f"## {group}",
            "",
            f"    python -m pytest {runs[0]['fullname'].split('::')[0]} --benchmark-only",
            "",
            "| run | median | least | most | rounds | against disprop |",
            "|---|---|---|---|---|---|",
        ]
        lines += _rows(runs)
        lines += _more(runs)
    return "\n".join(lines) + "\n"


def _rows(several: list[dict[str, Any]]) -> list[str]:
    ours = next((row["stats"]["median"] for is_ours in OURS for row in several if is_ours(_label(row))), None)
    return [
        f"| {_label(row)} | {s['median']:.3f} | {s['min']:.3f} | {s['max']:.3f} | {s['rounds']} | "
        f"{'' if ours is None else format(s['median'] / ours, '.2f')} |"
        for row in several
        for s in [row["stats"]]
    ]


def _label(row: dict[str, Any]) -> str:
    """Which run a row is of: as it calls itself, else its parameter, else its function."""
    return str(row["extra_info"].get("run") or row["param"] or row["name"])


def _more(runs: list[dict[str, Any]]) -> list[str]:
    """What else a run measured: memory, counts."""
    told = [(_label(row), what, value) for row in runs for what, value in row["extra_info"].items() if what != "run"]
    lines = [
        f"- {name}: {what} {format(value, '.4g') if isinstance(value, float) else value}" for name, what, value in told
    ]
    return ["", *lines] if lines else []


def figures(folder: Path) -> list[dict[str, Any]]:
    """What each file of benchmarks gave, by name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


if __name__ == "__main__":
    PAGE.write_text(page(figures(Path(sys.argv[1]))), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(PAGE.parent.parent)}")
