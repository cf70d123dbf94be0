"""Confidence intervals: array functions over events, trials and exposure.

Each function takes keyword arguments only, scalars or arrays, and returns an `Interval` of estimate, low and high.
`METHODS` names the methods of each function, the default first.
"""

from disprop.intervals import (
    proportion,
    proportion_difference,
    proportion_ratio,
    rate,
    rate_difference,
    rate_ratio,
)
from disprop.intervals.interval import Interval
from disprop.intervals.proportion import proportion_interval
from disprop.intervals.proportion_difference import proportion_difference_interval
from disprop.intervals.proportion_ratio import proportion_ratio_interval
from disprop.intervals.rate import rate_interval
from disprop.intervals.rate_difference import rate_difference_interval
from disprop.intervals.rate_ratio import rate_ratio_interval

METHODS: dict[str, tuple[str, ...]] = {
    f"{module.__name__.rpartition('.')[2]}_interval": tuple(module.METHODS)
    for module in (proportion, rate, rate_ratio, rate_difference, proportion_ratio, proportion_difference)
}

__all__ = [
    "METHODS",
    "Interval",
    "proportion_difference_interval",
    "proportion_interval",
    "proportion_ratio_interval",
    "rate_difference_interval",
    "rate_interval",
    "rate_ratio_interval",
]
