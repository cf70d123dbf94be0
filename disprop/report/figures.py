"""Figures as a reader sees them. Rounding happens here, once; the CSV tables keep full precision.

Sentences and charts: rates and ratios to 1 decimal place, percentages whole, or to 1 place below 10. Tables: rates to
1 place, ratios to 2, percentages to 1. A ratio gets more places where fewer would move it across, or onto, a threshold
(0, 0.8, 1 or 1.25) that it does not touch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import groupby

from disprop.measures.verdicts import BAND
from disprop.months import month_label, month_number

NOT_AVAILABLE, NOT_APPLICABLE, LOW_RELIABILITY = "[x]", "[z]", "[u]"
SHORTHAND = {
    NOT_AVAILABLE: "not available: withheld or not known, for the reason given",
    NOT_APPLICABLE: "not applicable",
    LOW_RELIABILITY: "low reliability: too few searches to say",
}
THRESHOLDS = (0.0, BAND[0], 1.0, BAND[1])
MOST_PLACES = 3
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def count(value: float | None) -> str:
    """A whole number with thousands separated.

    >>> count(1267.5277)
    '1,268'
    """
    return NOT_AVAILABLE if value is None else f"{value:,.0f}"


def counted(value: float, thing: str) -> str:
    """A count with the thing counted, of which there may be one.

    >>> counted(1, "search"), counted(2588, "search"), counted(1, "row")
    ('1 search', '2,588 searches', '1 row')
    """
    many = f"{thing}es" if thing.endswith("ch") else f"{thing}s"
    return f"{count(value)} {thing if value == 1 else many}"


def rate(value: float | None) -> str:
    """A rate to 1 decimal place; more where it would round to 0 and is not.

    >>> rate(15.607), rate(0.0312), rate(1136.36), rate(0.0)
    ('15.6', '0.03', '1,136.4', '0')
    """
    if value == 0:
        return "0"
    return NOT_AVAILABLE if value is None else _keeping_side(value, 1, (0.0,))


def rate_2(value: float | None) -> str:
    """A rate to 2 decimal places, where limits would be alike with 1.

    >>> rate_2(7.0412), rate_2(0.0)
    ('7.04', '0')
    """
    if value == 0:
        return "0"
    return NOT_AVAILABLE if value is None else _keeping_side(value, 2, (0.0,))


def ratio(value: float | None, *, places: int = 1) -> str:
    """A ratio to 1 decimal place, more where that would hide which side of a threshold it is on.

    >>> ratio(2.906), ratio(1.04), ratio(0.796), ratio(1.25), ratio(0.0)
    ('2.9', '1.04', '0.796', '1.25', '0')
    """
    if value == 0:
        return "0"
    return NOT_AVAILABLE if value is None else _keeping_side(value, places, THRESHOLDS)


def ratio_2(value: float | None) -> str:
    """A ratio as tables show it."""
    return ratio(value, places=2)


def _keeping_side(value: float, places: int, thresholds: Sequence[float]) -> str:
    """The fewest places, from `places` to 3, that keep the value on its side of every threshold."""
    for more in range(places, MOST_PLACES + 1):
        text = f"{value:,.{more}f}"
        if _sides(float(text.replace(",", "")), thresholds) == _sides(value, thresholds):
            return text
    return f"{value:,.{MOST_PLACES}f}"


def _sides(value: float, thresholds: Sequence[float]) -> list[int]:
    return [(value > edge) - (value < edge) for edge in thresholds]


def percent(share: float | None) -> str:
    """A share as a percentage for a sentence: whole, or 1 place below 10.

    >>> percent(0.2323), percent(0.0378), percent(0.0002), percent(0.998), percent(0.0)
    ('23%', '3.8%', 'under 0.1%', 'over 99%', '0%')
    """
    if share is None:
        return NOT_AVAILABLE
    exact = Decimal(share)
    few = f"{exact:.1%}"
    return _off_the_ends(share, few if float(few[:-1]) < 10 else f"{exact:.0%}", "over 99%")


def percent_1(share: float | None) -> str:
    """A share as a percentage for a table: 1 place.

    >>> percent_1(0.2323), percent_1(0.0002), percent_1(1.0)
    ('23.2%', 'under 0.1%', '100%')
    """
    return NOT_AVAILABLE if share is None else _off_the_ends(share, f"{Decimal(share):.1%}", "over 99.9%")


def _off_the_ends(share: float, text: str, nearly_all: str) -> str:
    """The text, unless it rounds to none or to all what is neither."""
    if text in ("0%", "0.0%"):
        return "under 0.1%" if share > 0 else "0%"
    if text in ("100%", "100.0%"):
        return nearly_all if share < 1 else "100%"
    return text


def span(low: float | None, high: float | None, style: Callable[[float | None], str]) -> str:
    """Two limits; an interval may have no upper one. Limits that would look alike get another place.

    >>> span(2.68, 3.15, ratio), span(1.96, None, ratio), span(None, None, ratio)
    ('2.7 to 3.1', '2.0 or more', '[x]')
    >>> span(0.66, 0.74, ratio), span(0.184, 0.176, percent)
    ('0.66 to 0.74', '18.4% to 17.6%')
    """
    if low is None and high is None:
        return NOT_AVAILABLE
    if high is None:
        return f"{style(low)} or more"
    if style in _FINER and low != high and style(low) == style(high):
        style = _FINER[style]
    return f"{style(low)} to {style(high)}"


_FINER: dict[Callable[..., str], Callable[..., str]] = {rate: rate_2, ratio: ratio_2, percent: percent_1}


def bounds(low: float | None, high: float | None, style: Callable[[float | None], str]) -> str:
    """Two bounds; as one figure where they are the same.

    >>> bounds(0.034, 0.225, percent), bounds(0.0, 0.0, percent)
    ('3.4% to 23%', '0%')
    """
    return style(low) if style(low) == style(high) else span(low, high, style)


def more_or_fewer(value: float | None) -> str:
    """A difference of counts in words.

    >>> more_or_fewer(2416.47), more_or_fewer(-33.2), more_or_fewer(0.2)
    ('2,416 more', '33 fewer', '0')
    """
    if value is None:
        return NOT_AVAILABLE
    text = count(value)
    if text in ("0", "-0"):
        return "0"
    return f"{text[1:]} fewer" if text.startswith("-") else f"{text} more"


def times_in_100(confidence: float) -> str:
    """How often a method of that confidence is right.

    >>> times_in_100(0.95), times_in_100(0.998)
    ('95 times in 100', '998 times in 1,000')
    """
    whole = f"{confidence:.2%}".rstrip("0%").rstrip(".")
    return f"{whole} times in 100" if "." not in whole else f"{confidence * 1000:.0f} times in 1,000"


def interval_name(confidence: float) -> str:
    """`95% interval`."""
    return f"{confidence:.1%}".replace(".0%", "%") + " interval"


def month_name(label: str) -> str:
    """`April 2019` of `2019-04`."""
    return f"{MONTHS[int(label[5:7]) - 1]} {label[:4]}"


def months_named(labels: Sequence[str]) -> str:
    """Months in words, three or more in a row as a span.

    >>> months_named(["2019-07", "2019-08", "2019-09", "2019-12"])
    'July 2019 to September 2019 and December 2019'
    """
    numbered = enumerate(sorted(month_number(label) for label in labels))
    runs = [[month for _, month in run] for _, run in groupby(numbered, key=lambda pair: pair[1] - pair[0])]
    return listed([text for run in runs for text in _run(run)])


def _run(months: list[int]) -> list[str]:
    names = [month_name(month_label(month)) for month in months]
    return names if len(names) < 3 else [f"{names[0]} to {names[-1]}"]


def period_name(first: str, last: str) -> str:
    """`April 2019 to March 2020`, or one month."""
    return month_name(first) if first == last else f"{month_name(first)} to {month_name(last)}"


def in_period(period: str) -> str:
    """A period as a sentence has it.

    >>> in_period("April 2019"), in_period("April 2019 to March 2020")
    ('in April 2019', 'from April 2019 to March 2020')
    """
    return f"from {period}" if " to " in period else f"in {period}"


def listed(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([*([", ".join(items[:-1])] if len(items) > 1 else []), *items[-1:]])


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
