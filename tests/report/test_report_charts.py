"""Drawings: where marks stand, and what is drawn when there is nothing to draw."""

import re

import pytest

from disprop.report.charts import BLUE, ORANGE, Mark, Scale, chart

RATIO = Scale("times", log=True)
SHARE = Scale("share", percent=True)


def drawn(marks, scale=RATIO, **more):
    return chart("c", "Title", marks, scale, text="words", synthetic=more.get("synthetic", False))


def colours(svg):
    return {colour.lower() for colour in re.findall(r"#[0-9a-fA-F]{6}\b", svg)}


def dots(svg):
    """Where estimates stand, from left to right: uses of the round marker."""
    round_marker = re.search(r'<path id="([^"]+)" d="M 0 \S+ \s*C', svg)
    places = re.findall(rf'href="#{re.escape(round_marker[1])}" x="([\d.]+)"', svg) if round_marker else []
    return [float(x) for x in places]


def test_estimates_stand_in_order_and_evenly_on_a_ratio_scale():
    svg = drawn([Mark("a", "1", 1.0, 0.9, 1.1), Mark("b", "2", 2.0, 1.8, 2.2), Mark("c", "4", 4.0, 3.6, 4.4)]).wide
    a, b, c = dots(svg)[:3]
    assert a < b < c
    assert c - b == pytest.approx(b - a, rel=1e-3)


@pytest.mark.parametrize("scale", [RATIO, SHARE])
def test_everything_that_is_drawn_lies_in_the_box(scale):
    marks = [Mark("a", "", 0.1, 0.05, 0.4, 0.02, 0.9), Mark("b", "", bound_low=0.01, bound_high=0.99)]
    for svg in (drawn(marks, scale).wide, drawn(marks, scale).narrow):
        width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])
        outside_markers = re.sub(r"<defs>.*?</defs>", "", svg, flags=re.DOTALL)
        xs = [float(x) for x in re.findall(r"[ML] (-?[\d.]+) -?[\d.]+", outside_markers)]
        xs += [float(x) for x in re.findall(r'<use [^>]*x="(-?[\d.]+)"', svg)]
        assert len(xs) > 10
        assert min(xs) >= 0
        assert max(xs) <= width


def test_bounds_have_their_own_colour_and_brackets():
    interval = drawn([Mark("a", "", 0.2, 0.1, 0.3)], SHARE).wide
    bounds = drawn([Mark("a", "", bound_low=0.1, bound_high=0.3)], SHARE).wide
    assert BLUE.lower() in colours(interval)
    assert ORANGE.lower() not in colours(interval)
    assert ORANGE.lower() in colours(bounds)
    assert BLUE.lower() not in colours(bounds)
    assert "stroke-dasharray" in bounds


@pytest.mark.parametrize(
    "mark",
    [
        Mark("zero", "0 (0 to 0.2)", 0.0, 0.0, 0.2),
        Mark("no upper limit", "2 or more", None, 2.0, None),
        Mark("nothing", "cannot be given"),
        Mark("zero bounds", "0%, bounds", bound_low=0.0, bound_high=0.0),
        Mark("tiny", "0.001", 0.0001, 0.00001, 0.001),
        Mark("vast", "9,000", 9_000.0, 8_000.0, 10_000.0),
        Mark("a very long name for a group of people indeed", "under 0.1% (under 0.1% to over 99%)", 0.5, 0.0, 1.0),
    ],
    ids=lambda mark: mark.label,
)
@pytest.mark.parametrize("scale", [RATIO, SHARE, Scale("rate")])
def test_corner_cases_are_drawn_with_their_words(mark, scale):
    made = drawn([mark], scale)
    for svg in (made.wide, made.narrow):
        assert mark.label in svg
        assert mark.text in svg
        assert "nan" not in svg
        assert "inf" not in svg


def test_only_ratios_have_the_band():
    assert "band 0.8 to 1.25" in drawn([Mark("a", "1", 1.0, 0.9, 1.1)]).wide
    assert "band" not in drawn([Mark("a", "1", 1.0, 0.9, 1.1)], SHARE).wide


def test_nothing_of_the_machine_or_the_day_is_written():
    svg = drawn([Mark("a", "1", 1.0, 0.9, 1.1)]).wide
    assert not re.search(r"http|metadata|Matplotlib|xmlns|<\?xml|20\d\d-", svg)


def test_invented_figures_are_marked_in_the_drawing():
    made = drawn([Mark("a", "1", 1.0)], synthetic=True)
    assert made.title == "SYNTHETIC: Title"
    assert "SYNTHETIC: invented records" in made.wide
    assert "SYNTHETIC: invented records" in made.narrow
