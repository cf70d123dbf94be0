"""The picture of the intervals: one line for each group on a scale from 0 to 100%, as SVG that stands in the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

BLUE, ORANGE, INK, GREY = "#12436D", "#F46A25", "#1F2328", "#BFBFBF"
WIDTH, LEFT, RIGHT, TOP, STEP, BOTTOM = 780, 250, 170, 16, 34, 46
LONGEST = 26  # characters of a label that fit to the left of the scale

Row = Mapping[str, Any]


def interval_picture(rows: Sequence[Row], *, name: str, title: str) -> str:
    """A dot and a line for each row's estimate and limits; a dashed line for its bounds, where something is unknown.

    Each row carries label, mark (its short form), text, estimate, low, high, bound_low, bound_high and n_unknown. A
    row without an estimate is drawn as its words only. The figures stand beside each line, and in the description
    for those who cannot see it.
    """
    height = TOP + STEP * len(rows) + BOTTOM
    drawn = [_row(row, TOP + STEP * (at + 0.5)) for at, row in enumerate(rows)]
    described = "; ".join(f"{row['label']}: {row['text']}" for row in rows)
    return (
        f'<svg class="picture" role="img" aria-labelledby="{name}-title {name}-description" '
        f'viewBox="0 0 {WIDTH} {height}" xmlns="http://www.w3.org/2000/svg" font-size="15" fill="{INK}">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-description">{escape(described)}</desc>'
        f"{_scale(height)}{''.join(drawn)}</svg>"
    )


def _x(share: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)


def _scale(height: float) -> str:
    bottom = height - BOTTOM
    ticks = [
        f'<line x1="{_x(at / 100)}" x2="{_x(at / 100)}" y1="{TOP - 8}" y2="{bottom}" stroke="{GREY}"/>'
        f'<text x="{_x(at / 100)}" y="{bottom + 18}" text-anchor="middle" font-size="13">{at}%</text>'
        for at in (0, 25, 50, 75, 100)
    ]
    label = f'<text x="{_x(0.5)}" y="{bottom + 38}" text-anchor="middle" font-size="13">share of records</text>'
    return "".join(ticks) + label


def _row(row: Row, y: float) -> str:
    label = f'<text x="{LEFT - 14}" y="{y + 5}" text-anchor="end">{escape(_short(row["mark"]))}</text>'
    text = f'<text x="{WIDTH - RIGHT + 14}" y="{y + 5}" font-size="13">{escape(row["text"])}</text>'
    if row["estimate"] != row["estimate"]:
        return label + text
    return label + _bounds(row, y) + _interval(row, y) + text


def _interval(row: Row, y: float) -> str:
    return (
        f'<line x1="{_x(row["low"])}" x2="{_x(row["high"])}" y1="{y}" y2="{y}" stroke="{BLUE}" stroke-width="3"/>'
        f'<circle cx="{_x(row["estimate"])}" cy="{y}" r="6" fill="{BLUE}"/>'
    )


def _bounds(row: Row, y: float) -> str:
    if not row["n_unknown"]:
        return ""
    low, high, under = _x(row["bound_low"]), _x(row["bound_high"]), y + 10
    ends = "".join(
        f'<line x1="{x}" x2="{x}" y1="{under - 4}" y2="{under + 4}" stroke="{ORANGE}"/>' for x in (low, high)
    )
    return f'<line x1="{low}" x2="{high}" y1="{under}" y2="{under}" stroke="{ORANGE}" stroke-dasharray="4 3"/>{ends}'


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"
