"""Work everything out and write the page: `python -m disprop.validation`."""

from __future__ import annotations

import argparse
from pathlib import Path

from disprop.validation import every_interval, page, recovery, verdict_errors, what_unknowns_do


def main() -> None:
    """Work everything out and write the page."""
    parser = argparse.ArgumentParser(prog="python -m disprop.validation", description=__doc__)
    parser.add_argument("--out", default="docs/coverage.md", help="page to write (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=200, help="seeds of the invented force (default: %(default)s)")
    parser.add_argument("--draws", type=int, default=20_000, help="draws a row of verdicts (default: %(default)s)")
    chosen = parser.parse_args()
    made = page(
        list(every_interval()),
        verdict_errors(draws=chosen.draws),
        recovery(runs=chosen.runs),
        what_unknowns_do(runs=min(chosen.runs, 20)),
    )
    Path(chosen.out).write_text(made, encoding="utf-8")
    print(f"wrote {chosen.out}")


if __name__ == "__main__":
    main()
