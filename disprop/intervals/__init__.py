"""Confidence intervals: array functions over events, trials and exposure.

Each function takes keyword arguments only, scalars or arrays, and returns an `Interval` of estimate, low and high.
`METHODS` names the methods of each function, the default first.

Functions over strata (age bands, areas) take the strata along the last axis: rates standardised for them, and one ratio
over all of them.
"""

from disprop.intervals import (
    proportion,
    proportion_difference,
    proportion_ratio,
    rate,
    rate_difference,
    rate_ratio,
)
from disprop.intervals.clustered import person_clustered_variance
from disprop.intervals.decomposition import Decomposition, decompose_ratio
from disprop.intervals.interval import Interval
from disprop.intervals.proportion import proportion_interval
from disprop.intervals.proportion_difference import proportion_difference_interval
from disprop.intervals.proportion_ratio import proportion_ratio_interval
from disprop.intervals.rate import rate_interval
from disprop.intervals.rate_difference import rate_difference_interval
from disprop.intervals.rate_ratio import rate_ratio_interval
from disprop.intervals.standardised import (
    directly_standardised_rate,
    directly_standardised_ratio,
    effective_events,
    indirectly_standardised_ratio,
)
from disprop.intervals.stratified import (
    Agreement,
    Expected,
    breslow_day,
    breslow_day_of_rates,
    expected_within_strata,
    mantel_haenszel_rate_ratio,
    mantel_haenszel_risk_ratio,
    within_strata_excess,
    within_strata_rate_ratio,
)

METHODS: dict[str, tuple[str, ...]] = {
    f"{module.__name__.rpartition('.')[2]}_interval": tuple(module.METHODS)
    for module in (proportion, rate, rate_ratio, rate_difference, proportion_ratio, proportion_difference)
}

__all__ = [
    "METHODS",
    "Agreement",
    "Decomposition",
    "Expected",
    "Interval",
    "breslow_day",
    "breslow_day_of_rates",
    "decompose_ratio",
    "directly_standardised_rate",
    "directly_standardised_ratio",
    "effective_events",
    "expected_within_strata",
    "indirectly_standardised_ratio",
    "mantel_haenszel_rate_ratio",
    "mantel_haenszel_risk_ratio",
    "person_clustered_variance",
    "proportion_difference_interval",
    "proportion_interval",
    "proportion_ratio_interval",
    "rate_difference_interval",
    "rate_interval",
    "rate_ratio_interval",
    "within_strata_excess",
    "within_strata_rate_ratio",
]
