"""Differences between groups in a reviewed sample, with a verdict in fixed words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.audit.effective import ShareInterval, share_interval
from disprop.audit.estimation import Rule, check_arguments, reviewed_part, rows_frame
from disprop.audit.sample import MET, NOT_MET, Sample
from disprop.audit.sizes import smallest_difference
from disprop.audit.survey import Design, Estimate, covariance, domain_mean, mean_scores
from disprop.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray

EVERYONE_ELSE = "everyone else"
MATTERS = 0.10

TOO_FEW, NO_CLEAR_DIFFERENCE, HIGHER, LOWER = "too few to say", "no clear difference", "higher", "lower"
NOT_COMPUTABLE = "not computable"
HOLDS, DEPENDS = "holds", "depends on the unknowns"

EXTRA = ("target", "share", "reference_share", "reference_denominator", "smallest_difference")


def compare(
    sample: Sample,
    *,
    domain: str,
    reference: str | None = None,
    method: str = "wilson",
    confidence: float = 0.95,
    target: str | None = None,
    matters: float = MATTERS,
) -> pd.DataFrame:
    """Each group of a domain against a reference group, or against everyone else: the difference in shares.

    The limits square the two groups' own limits and add their covariance (Newcombe's way, as extended by Zou and
    Donner 2008): at 0% and 100% they keep an honest width.

    Verdict, the first that holds: `not computable` (an empty side); `higher` or `lower` (the limits leave out 0);
    `too few to say` (the smallest difference below the reference that this sample would show with 80% power is more
    than `matters`, 10 points by default); `no clear difference`, which does not show that there is none. It `holds`
    when it is the same with every unknown answer turned against the group and for the reference, and the reverse.

    Returns as `estimate`, with the columns EXTRA after those of every result row.

    Raises: UsageError for an unknown domain or reference.

    >>> import pyarrow as pa
    >>> from disprop.audit.sample import sample_from_table
    >>> table = pa.table({"met": ["yes"] * 35 + ["no"] * 6 + ["yes"] * 49 + ["no"] * 7,
    ...                   "group": ["minority"] * 41 + ["white"] * 56})
    >>> reviewed = sample_from_table(table, met="met", domains=["group"])
    >>> compare(reviewed, domain="group", reference="white")["verdict"].tolist()
    ['too few to say']
    """
    rule = check_arguments(sample, [domain], method, confidence, target).design_based
    groups = sorted(set(sample.domains[domain]))
    if reference is not None and reference not in groups:
        raise UsageError(f"{domain!r} has no group {reference!r}; it has {', '.join(map(repr, groups))}")
    compared = [group for group in groups if group != reference]
    return rows_frame([_row(sample, domain, group, reference, rule, matters) for group in compared], EXTRA)


def _row(sample: Sample, domain: str, group: str, reference: str | None, rule: Rule, matters: float) -> dict[str, Any]:
    values, unknown = sample.domains[domain], np.isnan(sample.met) & sample.in_scope
    one, two = values == group, (values != group) if reference is None else (values == reference)
    figures = _difference(sample, one, two, rule)
    worst, best = (_difference(_filled(sample, against), one, two, rule) for against in (one, two))
    found = _verdict(figures, matters)
    holds = all(_verdict(extreme, matters) == found for extreme in (worst, best))
    return (
        {
            "measure": sample.measure,
            "domain": domain,
            "group": group,
            "reference": reference or EVERYONE_ELSE,
            "unit": "difference in shares",
            "n_unknown": int((unknown & (one | two)).sum()),
            "bound_low": float(np.fmin(worst["estimate"], figures["estimate"])),
            "bound_high": float(np.fmax(best["estimate"], figures["estimate"])),
            "verdict": found,
            "verdict_holds": HOLDS if holds else DEPENDS,
        }
        | figures
        | rule._asdict()
    )


def _filled(sample: Sample, against: Array) -> Sample:
    """Every unknown answer not met in the part given, and met outside it."""
    return replace(sample, met=np.where(np.isnan(sample.met), np.where(against, NOT_MET, MET), sample.met))


def _difference(sample: Sample, one: Array, two: Array, rule: Rule) -> dict[str, Any]:
    known = ~np.isnan(sample.met)
    parts = [(side & sample.in_scope)[known] for side in (one, two)]
    counts = {"denominator": int(parts[0].sum()), "reference_denominator": int(parts[1].sum())}
    if not all(counts.values()):
        blank = ("share", "reference_share", "estimate", "low", "high", "smallest_difference")
        return counts | dict.fromkeys(blank, math.nan)
    reviewed, plan = reviewed_part(sample, rule.target)
    met = reviewed.met
    shares = [domain_mean(plan, met, part) for part in parts]
    limits = [
        share_interval(plan, share, part, method=rule.method, confidence=rule.confidence)
        for share, part in zip(shares, parts)
    ]
    low, high = combine_limits(shares, limits, _correlation(plan, met, parts[0], parts[1]))
    sizes = [max(limit.effective_size, 1.0) for limit in limits]
    return counts | {
        "numerator": int((met[parts[0]] == MET).sum()),
        "share": shares[0].value,
        "reference_share": shares[1].value,
        "estimate": shares[0].value - shares[1].value,
        "low": low,
        "high": high,
        "smallest_difference": _noticeable(shares[1].value, sizes, rule.confidence),
    }


def combine_limits(
    shares: Sequence[Estimate], limits: Sequence[ShareInterval], correlation: float
) -> tuple[float, float]:
    """Limits of a difference from the limits of its two sides (method of variance estimates recovery)."""
    (p1, p2), (one, two) = (share.value for share in shares), limits

    def reach(first: float, second: float) -> float:
        return math.sqrt(max(first**2 + second**2 - 2 * correlation * first * second, 0.0))

    return p1 - p2 - reach(p1 - one.low, two.high - p2), p1 - p2 + reach(one.high - p1, p2 - two.low)


def _correlation(plan: Design, met: Array, one: Array, two: Array) -> float:
    scores = np.column_stack([mean_scores(plan, met, part)[1] for part in (one, two)])
    matrix = covariance(plan, scores)
    scale = math.sqrt(matrix[0, 0] * matrix[1, 1])
    return float(matrix[0, 1] / scale) if scale > 1e-24 else 0.0


def _noticeable(share: float, sizes: Sequence[float], confidence: float) -> float:
    """Smallest difference below the reference's share (kept off 0 and 1) that has 80% power."""
    if any(math.isinf(size) for size in sizes):
        return 0.0
    base = min(max(share, 0.01), 0.99)
    found = smallest_difference(share=base, sample=sizes[0], other_sample=sizes[1], confidence=confidence)
    return math.nan if found is None else found


def _verdict(figures: dict[str, Any], matters: float) -> str:
    if math.isnan(figures["estimate"]):
        return NOT_COMPUTABLE
    if figures["low"] > 0:
        return HIGHER
    if figures["high"] < 0:
        return LOWER
    noticeable = figures["smallest_difference"]
    return TOO_FEW if math.isnan(noticeable) or noticeable > matters else NO_CLEAR_DIFFERENCE
