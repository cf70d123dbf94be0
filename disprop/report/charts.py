"""Charts: one row a group, drawn by matplotlib as SVG that stands in the page.

An estimate is a dot on the line of its interval; bounds from unknown records are a dashed line between brackets, in
another colour, because they are not a confidence interval. What cannot be drawn is said in words in its row. The same
inputs give the same bytes: ids come from the chart's name, and nothing of the date or the machine is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

from disprop.measures.verdicts import BAND
from disprop.report.blocks import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, INK, GREY, PALE, EDGE = "#12436D", "#E0601C", "#3D3D3D", "#BFBFBF", "#E4EDF5", "#7A8794"
"""Of the Government Analysis Function palette, but for the band, its edges, and an orange that is darker: what carries
a meaning stands out by 3 to 1 or more from white and from the band, as WCAG asks."""

WIDE, NARROW = 7.4, 3.45
"""Width of a drawing in units of 100 CSS pixels."""
LETTER = 0.078
"""Width of a letter at the size of the labels, generous: fonts that stand in are narrower."""
FONT = "DejaVu Sans"
"""Comes with matplotlib, so that text is measured alike everywhere."""
FONT_STACK = "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

LOG_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "disprop",
    "font.family": FONT,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "path.simplify": False,
}


@dataclass(frozen=True)
class Mark:
    """One row of a chart. `text` is its label; limits that are None are not drawn. `stem` draws a line from zero."""

    label: str
    text: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    bound_low: float | None = None
    bound_high: float | None = None


@dataclass(frozen=True)
class Scale:
    """The axis of a chart: its label; linear from 0, in percent or not, or logarithmic with the band around 1."""

    label: str
    log: bool = False
    percent: bool = False


def chart(name: str, title: str, marks: Sequence[Mark], scale: Scale, *, text: str, synthetic: bool) -> Chart:
    """The marks as a chart in two widths.

    name: unique on the page. title: the message. text: what the chart shows, in words.
    """
    title = f"SYNTHETIC: {title}" if synthetic else title
    drawings = [
        _inline(_draw(marks, scale, width, synthetic), f"{name}-{size}", title, text)
        for size, width in (("wide", WIDE), ("narrow", NARROW))
    ]
    return Chart(name, title, text, *drawings)


# Drawing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """Sizes in units of 100 CSS pixels; `y` of the rows counts down from the top."""

    width: float
    height: float
    left: float
    right: float
    first: float
    step: float
    axis: float
    narrow: bool

    def x(self, at: float) -> float:
        return at / self.width

    def y(self, at: float) -> float:
        return 1 - at / self.height

    def row(self, i: int) -> float:
        return self.first + i * self.step


def _layout(marks: Sequence[Mark], width: float, notes: int) -> _Layout:
    narrow = width < 5
    step, first = (0.68, 0.48) if narrow else (0.44, 0.26)
    names, texts = (max(len(value) for value in values) * LETTER + 0.26 for values in _columns(marks))
    axis = first + (len(marks) - 1) * step + 0.3
    height = axis + 0.62 + 0.24 * notes
    left, right = (0.12, width - 0.2) if narrow else (names, width - texts)
    return _Layout(width, height, left, right, first, step, axis, narrow)


def _columns(marks: Sequence[Mark]) -> tuple[list[str], list[str]]:
    return [mark.label for mark in marks], [mark.text for mark in marks]


def _draw(marks: Sequence[Mark], scale: Scale, width: float, synthetic: bool) -> str:
    """The chart as matplotlib writes it."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    keys = _keys(marks, scale)
    lay = _layout(marks, width, _key_rows(keys, width) + synthetic)
    with rc_context(SETTINGS):
        figure = Figure(figsize=(lay.width, lay.height))
        canvas = FigureCanvasSVG(figure)
        axes = figure.add_axes(
            (lay.x(lay.left), lay.y(lay.axis), lay.x(lay.right - lay.left), lay.y(0) - lay.y(lay.axis))
        )
        _set_scale(axes, marks, scale, lay)
        for i, mark in enumerate(marks):
            _draw_mark(axes, mark, lay.row(i), scale)
            _label(figure, mark, lay, lay.row(i))
        _draw_keys(figure, keys, lay)
        if synthetic:
            _words(figure, lay, lay.width - 0.05, lay.height - 0.12, "SYNTHETIC: invented records", "right", bold=True)
        out = StringIO()
        canvas.print_svg(out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue()


def _set_scale(axes: Axes, marks: Sequence[Mark], scale: Scale, lay: _Layout) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    axes.set_ylim(lay.axis, 0)
    axes.yaxis.set_major_locator(NullLocator())
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    values = [v for mark in marks for v in _drawn(mark)]
    if scale.log:
        low, high = _log_limits(values)
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(FixedLocator([tick for tick in LOG_TICKS if low <= tick <= high]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.axvspan(*BAND, color=PALE, linewidth=0, zorder=0)
        for edge in BAND:
            axes.axvline(edge, color=EDGE, linewidth=0.8, zorder=0)
        axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (2, 2)), zorder=1)
    else:
        axes.set_xlim(0, max([*values, 0.0]) * 1.04 or 1)
        axes.xaxis.set_major_locator(MaxNLocator(4 if lay.narrow else 6, steps=[1, 2, 2.5, 5, 10]))
        axes.grid(axis="x", color="#E3E3E3", linewidth=0.8, zorder=0)
    axes.xaxis.set_major_formatter(FuncFormatter(_percent_tick if scale.percent else _plain_tick))
    axes.tick_params(axis="x", length=3, color=INK, labelcolor=INK, labelsize=9)
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)
    axes.figure.patch.set_visible(False)
    _words(axes.figure, lay, (lay.left + lay.right) / 2, lay.axis + 0.4, scale.label, "center")


def _drawn(mark: Mark) -> list[float]:
    ends = (mark.estimate, mark.low, mark.high, mark.bound_low, mark.bound_high)
    return [value for value in ends if value is not None]


def _log_limits(values: Sequence[float]) -> tuple[float, float]:
    """Limits of a logarithmic axis: around every value above 0, and a little beyond 0.5 to 2 at least."""
    seen = [value for value in values if value > 0]
    return min([*seen, 0.5]) / 1.2, max([*seen, 2.0]) * 1.2


def _plain_tick(value: float, _: int) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def _percent_tick(value: float, _: int) -> str:
    return f"{value:.1%}".replace(".0%", "%")


def _draw_mark(axes: Axes, mark: Mark, y: float, scale: Scale) -> None:
    if mark.low is not None or mark.estimate is not None:
        _interval(axes, mark, y, scale)
    if mark.bound_low is not None and mark.bound_high is not None:
        _bounds(axes, mark.bound_low, mark.bound_high, y + 0.12 * (mark.estimate is not None))


def _interval(axes: Axes, mark: Mark, y: float, scale: Scale) -> None:
    left, right = axes.get_xlim()
    low = left if mark.low is None or (scale.log and mark.low <= 0) else mark.low
    high = right if mark.high is None else mark.high
    if not scale.log and mark.estimate is not None:
        axes.plot([0, mark.estimate], [y, y], color=GREY, linewidth=1.5, zorder=2, clip_on=False)
    axes.plot([low, high], [y, y], color=BLUE, linewidth=2.5, solid_capstyle="butt", zorder=3, clip_on=False)
    for x, pointed, arrow in ((low, scale.log and low == left, "<"), (high, mark.high is None, ">")):
        axes.plot([x], [y], zorder=3, clip_on=False, **(_ARROW | {"marker": arrow} if pointed else _CAP))
    if mark.estimate is not None and not (scale.log and mark.estimate <= 0):
        axes.plot([mark.estimate], [y], zorder=4, clip_on=False, **_DOT)


def _bounds(axes: Axes, low: float, high: float, y: float) -> None:
    left = axes.get_xlim()[0]
    goes_on = low < left
    low, high = max(low, left), max(high, left)
    axes.plot([low, high], [y, y], color=ORANGE, zorder=2, clip_on=False, **_DASHED)
    axes.plot([low], [y], zorder=3, clip_on=False, **(_GOES_ON if goes_on else _bracket(1)))
    axes.plot([high], [y], zorder=3, clip_on=False, **_bracket(-1))


def _bracket(inward: int) -> dict[str, Any]:
    """A square bracket that opens to the right (1) or to the left (-1)."""
    from matplotlib.path import Path

    shape = Path([(inward, -2), (0, -2), (0, 2), (inward, 2)], [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO])
    return {"marker": shape, "markerfacecolor": "none", "markeredgecolor": ORANGE, "markersize": 10} | _THICK


_THICK: dict[str, Any] = {"markeredgewidth": 2}
_CAP: dict[str, Any] = {"color": BLUE, "marker": "|", "markersize": 9} | _THICK
_ARROW: dict[str, Any] = {"color": BLUE, "markersize": 8}
_GOES_ON: dict[str, Any] = _ARROW | {"color": ORANGE, "marker": "<"}
_DOT: dict[str, Any] = {"color": BLUE, "marker": "o", "markersize": 7, "markeredgewidth": 0}
_DASHED: dict[str, Any] = {"linewidth": 2, "linestyle": (0, (3, 1.5))}


def _label(figure: Figure, mark: Mark, lay: _Layout, y: float) -> None:
    at = y - 0.27 if lay.narrow else y
    _words(figure, lay, 0.02, at, mark.label, "left", bold=True)
    _words(figure, lay, lay.width - 0.02, at, mark.text, "right")


def _words(figure: Any, lay: _Layout, x: float, y: float, text: str, align: str, *, bold: bool = False) -> None:
    figure.text(
        lay.x(x), lay.y(y), text, ha=align, va="center_baseline", fontsize=9.5, color=INK,
        fontweight="bold" if bold else "normal",
    )  # fmt: skip


# The key -----------------------------------------------------------------------------------------------------------

_KEY_ESTIMATE = "estimate with its interval"
_KEY_BOUNDS = "bounds, by what is unknown"
_KEY_BAND = "band 0.8 to 1.25"


def _keys(marks: Sequence[Mark], scale: Scale) -> list[str]:
    keys = [_KEY_ESTIMATE] if any(mark.estimate is not None for mark in marks) else []
    keys += [_KEY_BOUNDS] if any(mark.bound_low is not None for mark in marks) else []
    return keys + ([_KEY_BAND] if scale.log else [])


def _key_rows(keys: Sequence[str], width: float) -> int:
    return len(keys) if width < 5 else 1


def _draw_keys(figure: Figure, keys: Sequence[str], lay: _Layout) -> None:
    x, y = 0.04, lay.axis + 0.74
    for key in keys:
        for along, style in _key_strokes(key):
            _stroke(figure, [lay.x(x + at) for at in along], lay.y(y), style)
        _words(figure, lay, x + 0.42, y, key, "left")
        x, y = (x, y + 0.24) if lay.narrow else (x + 0.68 + len(key) * LETTER, y)


def _key_strokes(key: str) -> list[tuple[tuple[float, ...], dict[str, Any]]]:
    if key == _KEY_ESTIMATE:
        return [((0, 0.32), {"linewidth": 2.5} | _CAP), ((0.16,), _DOT)]
    if key == _KEY_BOUNDS:
        return [((0, 0.32), {"color": ORANGE} | _DASHED), ((0,), _bracket(1)), ((0.32,), _bracket(-1))]
    sides = {"color": EDGE, "marker": "|", "markersize": 11, "markeredgewidth": 0.8, "linestyle": "none"}
    return [((0, 0.32), {"color": PALE, "linewidth": 11, "solid_capstyle": "butt"}), ((0, 0.32), sides)]


def _stroke(figure: Figure, xs: Sequence[float], y: float, style: dict[str, Any]) -> None:
    from matplotlib.lines import Line2D

    figure.add_artist(Line2D(xs, [y] * len(xs), **style))


# Into the page -----------------------------------------------------------------------------------------------------


def _inline(svg: str, name: str, title: str, text: str) -> str:
    """The drawing as a part of a page: named, described, its ids its own, without size, metadata and name spaces."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]*)"', body)
    if box is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    inner = body[body.index(">") + 1 :]
    inner = re.sub(r'\bid="([^"]*)"', rf'id="{name}-\1"', inner)
    inner = re.sub(r'(?:xlink:)?href="#([^"]*)"', rf'href="#{name}-\1"', inner)
    inner = re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", inner)
    inner = inner.replace(f"'{FONT}'", FONT_STACK)
    head = (
        f'<svg class="drawing" viewBox="{box[1]}" role="img" aria-labelledby="{name}-title {name}-text">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-text">{escape(text)}</desc>'
    )
    return (head + inner).strip()
