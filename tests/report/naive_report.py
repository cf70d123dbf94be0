"""Rounding as a person would do it, digit by digit, on exact decimals. Imports nothing from disprop."""

from decimal import ROUND_HALF_EVEN, Decimal

THRESHOLDS = ("0", "0.8", "1", "1.25")


def rounded(value: float, places: int) -> Decimal:
    return Decimal(value).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)


def count(value: float | None) -> str:
    return "[x]" if value is None else f"{rounded(value, 0):,}"


def rate(value: float | None) -> str:
    if value is None:
        return "[x]"
    if value == 0:
        return "0"
    places = 1
    while rounded(value, places) == 0 and places < 3:
        places += 1
    return f"{rounded(value, places):,}"


def ratio(value: float | None, places: int = 1) -> str:
    """More places while fewer would put the value on, or across, a threshold that it does not touch."""
    if value is None:
        return "[x]"
    if value == 0:
        return "0"
    while places < 3 and any(
        (Decimal(value) > Decimal(float(edge))) != (rounded(value, places) > Decimal(edge))
        or (Decimal(value) < Decimal(float(edge))) != (rounded(value, places) < Decimal(edge))
        for edge in THRESHOLDS
    ):
        places += 1
    return f"{rounded(value, places):,}"


def percent(share: float | None) -> str:
    """Whole, or one place below 10."""
    if share is None:
        return "[x]"
    few = _hundred(share, 1)
    return _named_ends(share, few if few < 10 else _hundred(share, 0), "over 99%")


def percent_1(share: float | None) -> str:
    return "[x]" if share is None else _named_ends(share, _hundred(share, 1), "over 99.9%")


def _hundred(share: float, places: int) -> Decimal:
    return (Decimal(share) * 100).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)


def _named_ends(share: float, shown: Decimal, nearly_all: str) -> str:
    if shown == 0:
        return "under 0.1%" if share > 0 else "0%"
    if shown == 100:
        return nearly_all if share < 1 else "100%"
    return f"{shown}%"


def span(low: float | None, high: float | None, style) -> str:
    if low is None and high is None:
        return "[x]"
    if high is None:
        return f"{style(low)} or more"
    if low != high and style(low) == style(high):
        style = finer(style)
    return f"{style(low)} to {style(high)}"


def finer(style):
    """One more place for limits that would look alike."""
    if style is rate:
        return lambda value: "0" if value == 0 else f"{rounded(value, 2):,}"
    if style is ratio:
        return lambda value: ratio(value, 2)
    return percent_1 if style is percent else style


def bounds(low: float | None, high: float | None, style) -> str:
    return style(low) if style(low) == style(high) else span(low, high, style)


def more_or_fewer(value: float | None) -> str:
    if value is None:
        return "[x]"
    whole = int(rounded(value, 0))
    return "0" if whole == 0 else f"{abs(whole):,} {'more' if whole > 0 else 'fewer'}"
