"""Writes docs/benchmarks.md from the figures of the last `make bench`. Nothing on that page is typed by hand.

python -m benchmarks.page .benchmarks/latest.json
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
ENGINES = ("disprop", "numpy", "scipy", "pandas", "pyarrow", "numba", "polars", "duckdb", "statsmodels")


def page(figures: dict[str, Any]) -> str:
    """The page as Markdown."""
    cpu = figures["machine_info"].get("cpu", {})
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`; every figure is generated. Times are the median of the rounds, in seconds, on a machine",
        "that other work shares, so read the ratios, not the seconds. Each rival's answer is checked equal to ours",
        "before its time counts; what each run does is in the docstring named in the last column.",
        "",
        f"Machine: {cpu.get('brand_raw', platform.machine())}, {cpu.get('count', '?')} cores; "
        f"Python {figures['machine_info']['python_version']}; "
        + ", ".join(f"{name} {version(name)}" for name in ENGINES)
        + ".",
    ]
    rows = sorted(figures["benchmarks"], key=lambda row: (row["group"] or "", row["stats"]["median"]))
    for group, several in groupby(rows, key=lambda row: row["group"] or "other"):
        lines += [
            "",
            f"## {group}",
            "",
            "| run | median | least | most | rounds | against disprop |",
            "|---|---|---|---|---|---|",
        ]
        lines += _rows(list(several))
    return "\n".join(lines) + "\n"


def _rows(several: list[dict[str, Any]]) -> list[str]:
    ours = next((row["stats"]["median"] for row in several if "disprop" in (row["param"] or "")), None)
    return [
        f"| {row['param'] or row['name']} | {s['median']:.3f} | {s['min']:.3f} | {s['max']:.3f} | {s['rounds']} | "
        f"{'' if ours is None else format(s['median'] / ours, '.2f')} |"
        for row in several
        for s in [row["stats"]]
    ]


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(PAGE.parent.parent)}")
