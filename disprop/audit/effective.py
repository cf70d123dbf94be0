"""Limits of a share from a design-based estimate, through its effective sample size.

n_eff = n v_SRS / v with v_SRS = p (1 - p) / (n - 1): the simple sample that would be as precise. A simple sample
without finite-population correction has n_eff = n, so Wilson and Clopper-Pearson on n_eff are the plain ones.

One cap: n_eff is never more than the *even size*, 1 / sum of W^2 (1 - f) / n, which the design would have if the
spread were the same in every stratum (n / (1 - f) for a simple sample). Where a small stratum is oversampled and
the large one happens to show no failure, v is far too small: simulated coverage of the uncapped limits falls to
20% in such designs, and stays near or above nominal with the cap (docs/audit.md). The even size is also the
size used where v says nothing, at p = 0 and p = 1. It is infinite, so zero width, only when every record was drawn.

Sources: Wilson (1927), Journal of the American Statistical Association 22(158); Korn and Graubard (1998), Survey
Methodology 24(2); Dean and Pagano (2015), Journal of Survey Statistics and Methodology 3(4); Parker and others
(2017), Vital and Health Statistics 2(175), who cap n_eff at n.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit, stdtrit

from disprop.audit.sizes import normal_quantile
from disprop.audit.survey import Array, Design, Estimate
from disprop.errors import UsageError
from disprop.intervals import proportion_interval

METHODS = ("wilson", "clopper_pearson", "korn_graubard", "logit", "normal")

Limits = tuple[float, float]


class ShareInterval(NamedTuple):
    """Limits of a share, and the effective sample size they rest on."""

    low: float
    high: float
    effective_size: float


def normal_limits(estimate: Estimate, *, quantile: float) -> Limits:
    """Estimate plus and minus `quantile` standard errors, not cut to any range (R: confint of svymean)."""
    half = quantile * estimate.standard_error
    return estimate.value - half, estimate.value + half


def logit_limits(estimate: Estimate, *, quantile: float) -> Limits:
    """Normal limits on the log odds, carried back (R: svyciprop logit and xlogit). Undefined at 0 and 1."""
    share = estimate.value
    half = quantile * estimate.standard_error / (share * (1 - share))
    return float(expit(logit(share) - half)), float(expit(logit(share) + half))


def korn_graubard_limits(estimate: Estimate, *, confidence: float) -> Limits:
    """Clopper-Pearson on p (1 - p) / v, scaled by the squared ratio of t quantiles (R: svyciprop beta).

    This is the published form: a simple sample has size n - 1 here, where `clopper_pearson` has n.
    """
    share = estimate.value
    size = share * (1 - share) / estimate.variance * _degrees_factor(estimate, confidence)
    return _size_limits(share, size, "clopper_pearson", confidence)


def size_of_equal_precision(share: Any, variance: Any, records: Any) -> Any:
    """n v_SRS / v, elementwise: the simple sample that would be as precise; only for 0 < p < 1, v > 0 and n > 1."""
    return records / (records - 1) * share * (1 - share) / variance


def even_size(design: Design, inside: Array, *, units: Array | None = None) -> float:
    """The effective size if every stratum had the same spread. `units` counts other things than records."""
    units = np.arange(len(design.weight)) if units is None else units
    weight = np.bincount(units, design.weight * inside)
    kept = np.zeros(len(weight))
    kept[units] = 1 - design.fraction[design.stratum]
    noise = float((kept * weight**2).sum())
    return float(weight.sum() ** 2 / noise) if noise > 0 else math.inf


def share_interval(
    design: Design, estimate: Estimate, inside: Array, *, method: str = "wilson", confidence: float = 0.95
) -> ShareInterval:
    """Limits of a domain's share.

    Corner cases. An empty domain has none (nan). At p = 0 or 1, or with no variance, every method falls back on
    limits from the even size: Wilson on Wilson, the others on Clopper-Pearson; in a clustered sample whole clusters
    are then counted, because the records of one may all be alike. A domain drawn whole has zero width. A clustered
    sample uses t with clusters less strata as degrees of freedom; with none left the limits are 0 and 1. `normal`
    is cut to 0 and 1.

    Raises: UsageError for an unknown method.
    """
    if method not in METHODS:
        raise UsageError(f"method came as {method!r}; the choices are {', '.join(METHODS)}")
    if math.isnan(estimate.value):
        return ShareInterval(math.nan, math.nan, 0.0)
    if design.clustered and estimate.degrees_of_freedom < 1:
        return ShareInterval(0.0, 1.0, 0.0)
    cap = even_size(design, inside)
    if math.isinf(cap):
        return ShareInterval(estimate.value, estimate.value, cap)
    if _no_spread(estimate):
        size = even_size(design, inside, units=design.cluster)
        family = "wilson" if method == "wilson" else "clopper_pearson"
        return ShareInterval(*_size_limits(estimate.value, size, family, confidence), size)
    return _capped(estimate, cap, method, confidence, design.clustered)


def _capped(estimate: Estimate, cap: float, method: str, confidence: float, clustered: bool) -> ShareInterval:
    size = size_of_equal_precision(estimate.value, estimate.variance, estimate.records)
    if size > cap:
        estimate = estimate._replace(variance=estimate.variance * size / cap)
        size = cap
    if clustered:
        size *= _degrees_factor(estimate, confidence)
    low, high = _limits(estimate, size, method, confidence, clustered)
    return ShareInterval(max(low, 0.0), min(high, 1.0), size)


def _limits(estimate: Estimate, size: float, method: str, confidence: float, clustered: bool) -> Limits:
    if method in ("wilson", "clopper_pearson"):
        return _size_limits(estimate.value, size, method, confidence)
    if method == "korn_graubard":
        return korn_graubard_limits(estimate, confidence=confidence)
    quantile = t_quantile(estimate, confidence) if clustered else normal_quantile(confidence)
    limits = logit_limits if method == "logit" else normal_limits
    return limits(estimate, quantile=quantile)


def _size_limits(share: float, size: float, method: str, confidence: float) -> Limits:
    limits = proportion_interval(events=share * size, trials=size, confidence=confidence, method=method)
    return float(limits.low), float(limits.high)


def _no_spread(estimate: Estimate) -> bool:
    # rounding leaves about 1e-33 where the variance is zero
    return estimate.value in (0.0, 1.0) or estimate.variance <= 1e-24 or estimate.records < 2


def t_quantile(estimate: Estimate, confidence: float) -> float:
    """The two-sided t quantile on the estimate's degrees of freedom."""
    return float(stdtrit(estimate.degrees_of_freedom, 0.5 + confidence / 2))


def _degrees_factor(estimate: Estimate, confidence: float) -> float:
    return float((stdtrit(estimate.records - 1, 0.5 + confidence / 2) / t_quantile(estimate, confidence)) ** 2)
