"""Slow truth: every definition of the engine as plain Python over plain rows. Imports nothing from disprop.

Rows are dicts of column -> label, blank = None or "", `month` "YYYY-MM", `force` a code.
"""

from __future__ import annotations

from collections import Counter
from statistics import median

GROUPS = ("White", "Mixed", "Asian", "Black", "Other")
STARTS = {"White": "White", "Mixed": "Mixed", "Asian": "Asian", "Black": "Black", "Other ethnic group": "Other"}
NO_ACTION = {"A no further action disposal", "Nothing found - no further action"}
POSITIVE = {"Arrest", "Community resolution", "Summons / charged by post", "Suspect arrested"}


def group5(label: str | None) -> str:
    if not label:
        return "blank"
    if "not stated" in label.lower():
        return "not stated"
    for start, group in STARTS.items():
        if label.startswith(start):
            return group
    return "unmapped"


def outcome_class(label: str | None) -> str:
    if label in NO_ACTION:
        return "no_action"
    return "positive" if label in POSITIVE else "unknown"


def flag(label: str | None) -> str:
    return {"True": "yes", "False": "no"}.get(label or "", "unknown")


def persons(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row.get("search_type") != "Vehicle search"]


def counts(rows: list[dict], *keys) -> Counter:
    """Rows by the values of several functions of a row."""
    return Counter(tuple(key(row) for key in keys) for row in persons(rows))


def linked_positive(row: dict) -> str:
    kind, linked = outcome_class(row.get("outcome")), flag(row.get("linked"))
    if kind == "no_action" or linked == "no":
        return "no"
    if kind == "positive" and linked == "yes":
        return "yes"
    return "unknown"


def rate(n: int, residents: int, months: int) -> float:
    return n / (residents * months / 12) * 1000


def ratio(a: int, n1: float, c: int, n0: float) -> float:
    return (a / n1) / (c / n0)


def month_dispersion(pairs: list[tuple[int, int]]) -> float:
    """phi from (group, reference) counts of each month."""
    pairs = [(a, c) for a, c in pairs if a + c > 0]
    total_a, total = sum(a for a, _ in pairs), sum(a + c for a, c in pairs)
    p = total_a / total
    if len(pairs) < 6 or p in (0, 1):
        return 1.0
    x2 = sum((a - (a + c) * p) ** 2 / ((a + c) * p * (1 - p)) for a, c in pairs)
    return max(1.0, x2 / (len(pairs) - 1))


def month_states(rows_by_month: dict[int, int], months: list[int]) -> list[str]:
    """State of each month of one force, from month -> rows read (a month without a file is absent)."""
    states, trail = {}, []
    for month in sorted(rows_by_month):
        n = rows_by_month[month]
        before = trail[-12:]
        if len(before) >= 6 and n < 0.2 * median(before):
            states[month] = "suspected partial"
        else:
            states[month] = "empty" if n == 0 else "submitted"
            if n:
                trail.append(n)
    return [states.get(month, "missing") for month in months]


def verdict(low, high, count, reference_count, expected, computable) -> str:
    if not computable:
        return "not computable"
    if reference_count < 10 or max(count, expected) < 10:
        return "too few to say"
    if low > 1.25:
        return "higher"
    if high < 0.8:
        return "lower"
    if low >= 0.8 and high <= 1.25:
        return "within the band"
    if low > 1:
        return "higher, size uncertain"
    if high < 1:
        return "lower, size uncertain"
    return "no clear difference"
