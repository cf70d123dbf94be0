"""Coverage and recovery: what the intervals, the verdicts and the whole road do when the truth is known.

    python -m disprop.validation --out docs/coverage.md

Coverage of an interval is worked out by adding up the chance of every outcome, not by drawing, wherever the outcomes
can be listed: those figures have no noise. The verdicts, with their dispersion between months, and the whole road from
records to figures are drawn from a seed.
"""

from disprop.validation.intervals import (
    CONFIDENCE,
    Coverage,
    every_interval,
    proportion_pairs,
    proportions,
    rate_pairs,
    rates,
)
from disprop.validation.page import page
from disprop.validation.recovery import Recovery, Unknowns, recovery, what_unknowns_do
from disprop.validation.verdicts import Verdicts, verdict_errors

__all__ = [
    "CONFIDENCE",
    "Coverage",
    "Recovery",
    "Unknowns",
    "Verdicts",
    "every_interval",
    "page",
    "proportion_pairs",
    "proportions",
    "rate_pairs",
    "rates",
    "recovery",
    "verdict_errors",
    "what_unknowns_do",
]
