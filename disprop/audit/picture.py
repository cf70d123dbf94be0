"""The picture of the intervals: one line for each group on a scale from 0 to 100%, as SVG that stands in the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

BLUE, ORANGE, INK, GREY = "#12436D", "#E0601C", "#1F2328", "#BFBFBF"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Layout:
    """Sizes in CSS pixels: the scale runs from `left` to `right`; words stand `above` a line, or beside it where 0."""

    width: float
    left: float
    right: float
    top: float
    step: float
    above: float
    longest: int
    """Characters of a label that fit."""

    def x(self, share: float) -> float:
        return round(self.left + (self.right - self.left) * share, 1)


WIDE = _Layout(width=780, left=250, right=610, top=16, step=34, above=0, longest=26)
NARROW = _Layout(width=348, left=12, right=332, top=10, step=58, above=20, longest=22)
BOTTOM = 46


def interval_picture(rows: Sequence[Row], *, name: str, title: str, narrow: bool = False) -> str:
    """A dot and a line for each row's estimate and limits; a dashed line for its bounds, where something is unknown.

    Each row carries label, mark (its short form), text, estimate, low, high, bound_low, bound_high and n_unknown. A
    row without an estimate is drawn as its words only. The figures stand beside each line, or above it in a narrow
    picture, and in the description for those who cannot see it.
    """
    lay = NARROW if narrow else WIDE
    height = lay.top + lay.step * len(rows) + BOTTOM
    drawn = [_row(row, lay, lay.top + lay.step * (at + 0.5)) for at, row in enumerate(rows)]
    described = "; ".join(f"{row['label']}: {row['text']}" for row in rows)
    return (
        f'<svg class="picture" role="img" aria-labelledby="{name}-title {name}-description" '
        f'viewBox="0 0 {lay.width} {height}" xmlns="http://www.w3.org/2000/svg" font-size="15" fill="{INK}">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-description">{escape(described)}</desc>'
        f"{_scale(lay, height)}{''.join(drawn)}</svg>"
    )


def _scale(lay: _Layout, height: float) -> str:
    bottom = height - BOTTOM
    ticks = [
        f'<line x1="{lay.x(at / 100)}" x2="{lay.x(at / 100)}" y1="{lay.top - 8}" y2="{bottom}" stroke="{GREY}"/>'
        f'<text x="{lay.x(at / 100)}" y="{bottom + 18}" text-anchor="middle" font-size="13">{at}%</text>'
        for at in (0, 25, 50, 75, 100)
    ]
    label = f'<text x="{lay.x(0.5)}" y="{bottom + 38}" text-anchor="middle" font-size="13">share of records</text>'
    return "".join(ticks) + label


def _row(row: Row, lay: _Layout, y: float) -> str:
    words = _words_above(row, lay, y) if lay.above else _words_beside(row, lay, y)
    if row["estimate"] != row["estimate"]:
        return words
    return words + _bounds(row, lay, y) + _interval(row, lay, y)


def _words_beside(row: Row, lay: _Layout, y: float) -> str:
    return (
        f'<text x="{lay.left - 14}" y="{y + 5}" text-anchor="end">{escape(_short(row["mark"], lay.longest))}</text>'
        f'<text x="{lay.right + 14}" y="{y + 5}" font-size="13">{escape(row["text"])}</text>'
    )


def _words_above(row: Row, lay: _Layout, y: float) -> str:
    return (
        f'<text x="0" y="{y - lay.above}" font-size="13" font-weight="bold">'
        f"{escape(_short(row['mark'], lay.longest))}</text>"
        f'<text x="{lay.width}" y="{y - lay.above}" text-anchor="end" font-size="13">{escape(row["text"])}</text>'
    )


def _interval(row: Row, lay: _Layout, y: float) -> str:
    low, high = lay.x(row["low"]), lay.x(row["high"])
    return (
        f'<line x1="{low}" x2="{high}" y1="{y}" y2="{y}" stroke="{BLUE}" stroke-width="3"/>'
        f'<circle cx="{lay.x(row["estimate"])}" cy="{y}" r="6" fill="{BLUE}"/>'
    )


def _bounds(row: Row, lay: _Layout, y: float) -> str:
    if not row["n_unknown"]:
        return ""
    low, high, under = lay.x(row["bound_low"]), lay.x(row["bound_high"]), y + 10
    stroke = f'stroke="{ORANGE}" stroke-width="2"'
    ends = "".join(f'<line x1="{x}" x2="{x}" y1="{under - 4}" y2="{under + 4}" {stroke}/>' for x in (low, high))
    return f'<line x1="{low}" x2="{high}" y1="{under}" y2="{under}" {stroke} stroke-dasharray="4 3"/>{ends}'


def _short(label: str, longest: int) -> str:
    return label if len(label) <= longest else label[: longest - 1] + "…"
