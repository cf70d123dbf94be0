"""Linkage where the truth is known, over a grid of noise: writes the table of docs/linkage.md.

    python -m benchmarks.linkage_grid

Two makers of records: `disprop.synthetic.make_encounters`, and `benchmarks.second_noise`, which shares nothing with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pyarrow as pa

from benchmarks.second_noise import Made, SecondNoise
from benchmarks.second_noise import make as make_second
from disprop.linkage import Clips, Events, LinkSettings, corrected, estimate_offsets, linked_pairs
from disprop.synthetic.encounters import Encounters, make_encounters
from disprop.synthetic.noise import CLEAN, MILD, Noise

PAGE = Path(__file__).resolve().parent.parent / "docs" / "linkage.md"
MARKS = ("<!-- grid: made by python -m benchmarks.linkage_grid -->", "<!-- end of grid -->")
MONTHS = [f"2023-{month:02d}" for month in range(1, 13)]

RECALL, PRECISION = 0.995, 0.999

FIRST: dict[str, Noise] = {
    "clean": CLEAN,
    "mild": MILD,
    "forms late: a quarter, median 25 minutes": replace(MILD, late=0.25, late_median=1500.0, late_spread=0.8),
    "forms late: half, median 50 minutes": replace(MILD, late=0.5, late_median=3000.0, late_spread=0.8),
    "clock 7 minutes ahead": replace(MILD, clock={"system B": 420.0}),
    "clock 45 minutes ahead": replace(MILD, clock={"system B": 2700.0}),
    "local time written as UTC": replace(MILD, local_as_utc=("system B",)),
    "no reference: 45%": replace(MILD, missing_reference=0.45),
    "no reference at all": replace(MILD, missing_reference=1.0),
    "wrong reference: 2%": replace(MILD, wrong_reference=0.02),
    "wrong reference: 20%": replace(MILD, wrong_reference=0.2),
    "split: 30%": replace(MILD, split=0.3),
    "busy and double-crewed": replace(MILD, double_crewed=0.8, busy=0.3, gap=300.0, other_footage=2.0),
    "footage missing: 10%": replace(MILD, not_worn=0.05, not_recorded=0.05),
    "middling": Noise(),
    "harsh": Noise(late=0.5, late_median=3000.0, missing_reference=0.8, wrong_reference=0.1, split=0.3,
                   double_crewed=0.8, busy=0.3, gap=60.0, not_worn=0.1, not_recorded=0.1, other_footage=2.0),
}  # fmt: skip
CALM = SecondNoise()
SECOND: dict[str, SecondNoise] = {
    "clean": SecondNoise(late=0, no_reference=0, paired=0, extra=0),
    "mild": CALM,
    "forms late: a quarter, up to 50 minutes": CALM._replace(late=0.25, late_most=3000),
    "forms late: half, up to 100 minutes": CALM._replace(late=0.5, late_most=6000),
    "clock 7 minutes ahead": CALM._replace(clock=420),
    "clock 45 minutes ahead": CALM._replace(clock=2700),
    "clock an hour ahead": CALM._replace(clock=3600),
    "no reference: 45%": CALM._replace(no_reference=0.45),
    "no reference at all": CALM._replace(no_reference=1.0),
    "wrong reference: 2%": CALM._replace(wrong_reference=0.02),
    "wrong reference: 20%": CALM._replace(wrong_reference=0.2),
    "in pieces of 5 minutes": CALM._replace(piece=300),
    "busy and double-crewed": CALM._replace(jobs=10, paired=0.8, extra=0.5),
    "footage missing: 10%": CALM._replace(failed=0.1),
    "harsh": SecondNoise(late=0.5, late_most=6000, no_reference=0.8, wrong_reference=0.1, piece=300, jobs=10,
                         paired=0.8, failed=0.2, extra=0.5),
}  # fmt: skip


class Score(NamedTuple):
    """What linkage got right: records in all, by tier, and pairs; each is (right, of)."""

    recall: tuple[int, int]
    precision: tuple[int, int]
    tier_recall: tuple[tuple[int, int], ...]
    tier_precision: tuple[tuple[int, int], ...]
    pair_recall: tuple[int, int]
    pair_precision: tuple[int, int]


def score(made: Made, settings: LinkSettings) -> Score:
    """A record is found when one of its own clips links to it, and right when one of the clips that link is its own.

    The tier that a record could be found by is the best evidence that its own clips hold. The tier that it was given
    is the best among the clips that link, and is right when one of its own clips links by that tier.
    """
    n, m = len(made.events), len(made.clips)
    found = linked_pairs(made.events, made.clips, settings)
    true = made.event * m + made.clip
    right = np.isin(found.event * m + found.clip, true)
    best, given = _best(_evidence(made), made.event, n), _best(found.tier, found.event, n)
    hit = _any(found.event[right], n)
    by_tier = [_any(found.event[right & (found.tier == tier)], n) for tier in (1, 2, 3)]
    return Score(
        _of(hit, best > 0),
        _of(hit, given > 0),
        tuple(_of(hit, best == tier) for tier in (1, 2, 3)),
        tuple(_of(by_tier[tier - 1], given == tier) for tier in (1, 2, 3)),
        (int(right.sum()), true.size),
        _of(right, np.ones(right.size, dtype=bool)),
    )


def _evidence(made: Made) -> np.ndarray:
    """Tier of each true pair, were all clocks and forms right."""
    events, clips = made.events, made.clips
    same = (events.reference[made.event] == clips.reference[made.clip]) & (events.reference[made.event] != 0)
    own = events.officer[made.event] == clips.officer[made.clip]
    return np.where(same, 1, np.where(own, 2, 3))


def _best(tiers: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """The least tier of each record; 0 = none."""
    best = np.full(n, 4)
    np.minimum.at(best, rows, tiers)
    return np.where(best == 4, 0, best)


def _any(rows: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(rows, minlength=n) > 0


def _of(right: np.ndarray, among: np.ndarray) -> tuple[int, int]:
    return int((right & among).sum()), int(among.sum())


def from_encounters(made: Encounters) -> Made:
    """The searches, then the force reports, of invented encounters, beside their footage."""
    parts = {"search": made.searches, "force_report": made.force_reports}
    footage, links = made.footage, made.truth.links
    kinds = links["kind"].to_numpy(zero_copy_only=False)
    shift = np.where(kinds == "search", 0, made.searches.num_rows)
    system = footage["system"].combine_chunks()
    clips = Clips(
        _seconds(footage["event_time"]), _seconds(footage["end_time"]), _keys(footage["officer"]),
        _keys(footage["reference"]), system.indices.to_numpy().astype(np.int16), _seconds(footage["deleted_time"]),
    )  # fmt: skip
    columns = {
        "time": [_seconds(table["event_time"]) for table in parts.values()],
        **{name: [_keys(table[name]) for table in parts.values()] for name in ("officer", "other_officer")},
        "reference": [_keys(made.searches["reference"]), _keys(_reference(made.force_reports))],
        "said": [np.full(table.num_rows, -1, dtype=np.int8) for table in parts.values()],
    }
    events = Events(**{name: np.concatenate(values) for name, values in columns.items()})
    return Made(events, clips, links["row"].to_numpy() + shift, links["clip"].to_numpy())


def _reference(table: pa.Table) -> pa.ChunkedArray:
    return table["reference"] if "reference" in table.column_names else table["incident"]


def _seconds(times: pa.ChunkedArray) -> np.ndarray:
    return times.cast(pa.int64()).fill_null(0).to_numpy()


def _keys(keys: pa.ChunkedArray) -> np.ndarray:
    return keys.cast(pa.uint64()).fill_null(0).to_numpy()


# The page


def grid() -> Iterator[tuple[str, str, str, Score]]:
    """Maker, noise, clocks (as they are, or corrected), score."""
    for name, noise in FIRST.items():
        made = from_encounters(make_encounters(months=MONTHS, noise=noise))
        yield from (
            ("first", name, clocks, result) for clocks, result in _scores(made, "clock" in name or "UTC" in name)
        )
    for name, second in SECOND.items():
        made = make_second(second)
        yield from (("second", name, clocks, result) for clocks, result in _scores(made, "clock" in name))


def _scores(made: Made, clocks: bool) -> Iterator[tuple[str, Score]]:
    yield "as they are" if clocks else "", score(made, LinkSettings())
    if clocks:
        found = estimate_offsets(made.events, made.clips)
        yield "corrected", score(made, corrected(LinkSettings(), found))


def _share(counts: tuple[int, int]) -> str:
    right, of = counts
    return f"{100 * right / of:.2f}" if of >= 50 else "-"


def table(rows: Sequence[tuple[str, str, str, Score]]) -> list[str]:
    """Markdown."""
    heads = ["maker", "noise", "clocks", "records", "recall", "precision"]
    heads += [f"tier {tier} {word}" for word in ("recall", "precision") for tier in (1, 2, 3)]
    heads += ["clips recall", "clips precision"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * 3 + "|---:" * (len(heads) - 3) + "|"]
    for maker, noise, clocks, got in rows:
        pairs = [got.recall, got.precision, *got.tier_recall, *got.tier_precision, got.pair_recall, got.pair_precision]
        cells = [maker, noise, clocks, f"{got.recall[1]:,}", *map(_share, pairs)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def broken(rows: Sequence[tuple[str, str, str, Score]]) -> list[str]:
    """Where recall or precision falls short of what the mildest corner must have."""
    lines = [f"Recall below {100 * RECALL:.1f}% or precision below {100 * PRECISION:.1f}%:", ""]
    for maker, noise, clocks, got in rows:
        if got.recall[0] < RECALL * got.recall[1] or got.precision[0] < PRECISION * got.precision[1]:
            named = f"{maker} maker, {noise}" + (f" (clocks {clocks})" if clocks else "")
            lines.append(f"- {named}: recall {_share(got.recall)}%, precision {_share(got.precision)}%")
    return lines


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=PAGE, help="Page whose table is written anew.")
def main(out: Path) -> None:
    before, rest = out.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    rows = list(grid())
    made = "\n".join([MARKS[0], "", *table(rows), "", *broken(rows), "", MARKS[1]])
    out.write_text(before + made + after, encoding="utf-8")
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
