"""Estimates from a reviewed sample: shares and totals for everyone and for groups, and differences between groups.

What is not known (a record that could not be reviewed, "cannot tell", not come to yet) is left out of the estimate,
which so assumes that in its stratum it resembles what was reviewed; the bounds assume nothing: every unknown
answer against the standard, and every one for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from disprop.audit.commitment import name_some
from disprop.audit.effective import METHODS, ShareInterval, share_interval
from disprop.audit.finite import hypergeometric_limits
from disprop.audit.sample import MET, NOT_MET, Sample
from disprop.audit.sizes import check_open, normal_quantile
from disprop.audit.survey import (
    Design,
    Estimate,
    design,
    design_effect,
    domain_mean,
    domain_total,
)
from disprop.errors import Refused, UsageError
from disprop.intervals import proportion_interval
from disprop.results import COLUMNS, result_frame

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray

ALL_METHODS = (*METHODS, "hypergeometric", "hmicfrs")
TARGETS = ("these_records", "process")
ALL_RECORDS = "all records"
SEE_BOUNDS = "not known: see the bounds"

EXTRA = (
    "target",
    "effective_size",
    "design_effect",
    "bound_interval_low",
    "bound_interval_high",
    "records",
    "total",
    "total_low",
    "total_high",
)


class Rule(NamedTuple):
    """How a figure is made: method of the limits, confidence, and what they are about."""

    method: str
    confidence: float
    target: str

    @property
    def design_based(self) -> Rule:
        """The same, with the default method in place of those that are for plain counts only."""
        return self._replace(method="wilson") if self.method in ("hmicfrs", "hypergeometric") else self


def estimate(
    sample: Sample,
    *,
    domains: Sequence[str] | None = None,
    method: str = "wilson",
    confidence: float = 0.95,
    target: str | None = None,
) -> pd.DataFrame:
    """One row for all records, then one for each group of each domain (all the sample's domains by default).

    Corner cases. Strata drawn whole (certainty strata) add no uncertainty about these records. A stratum of which
    one record was drawn takes its deviation from the mean over all: on the wide side. A stratum without any known
    answer is outside the estimate, inside the bounds, and flagged by name. An empty group has a row without an
    estimate. p = 0 and p = 1 have limits of honest width (see `effective`).

    Args:
        method: "wilson" (default), "clopper_pearson" (coverage at or above the confidence), "korn_graubard", "logit",
            "normal"; "hypergeometric" (exact; all records of a simple sample only); "hmicfrs" (replica of the
            inspectorate's: Wald on the plain counts, unweighted, cut to 0 and 1).
        target: "these_records" (the records of the period; with finite-population correction; the default where
            their number is known) or "process" (how such records come about; without).

    Returns domain, group, and the columns of every result row: numerator and denominator are plain counts, bound_low
    and bound_high the estimate with every unknown against, and for. Then EXTRA: target, effective_size,
    design_effect, bound_interval_low and bound_interval_high (outer limits of the bounds), records (in scope, known
    or estimated), total, total_low, total_high.

    Raises: UsageError for an unknown method, target or domain; Refused where a method does not apply.

    >>> import pyarrow as pa
    >>> from disprop.audit.sample import sample_from_table
    >>> reviewed = sample_from_table(pa.table({"met": ["yes"] * 84 + ["no"] * 13}), met="met", records=26372)
    >>> row = estimate(reviewed).iloc[0]
    >>> print(f"{row['estimate']:.2%}, {row['low']:.2%} to {row['high']:.2%}")
    86.60%, 78.43% to 91.99%
    >>> row = estimate(reviewed, method="hmicfrs").iloc[0]
    >>> print(f"{row['estimate']:.1%} +/- {50 * (row['high'] - row['low']):.1f}")
    86.6% +/- 6.8
    """
    names = list(sample.domains) if domains is None else list(domains)
    rule = check_arguments(sample, names, method, confidence, target)
    rows = [_row(sample, domain, group, inside, rule) for domain, group, inside in _groups(sample, names)]
    return rows_frame(rows, EXTRA)


def rows_frame(rows: list[dict[str, Any]], extra: Sequence[str]) -> pd.DataFrame:
    """Dictionaries as result rows: every result column, then the extra ones."""
    names = [column.name for column in COLUMNS]
    values = {name: [row.get(name) for row in rows] for name in names if any(name in row for row in rows)}
    frame = result_frame({name: [row[name] for row in rows] for name in ("domain", "group")}, values)
    for name in extra:
        frame[name] = [row.get(name) for row in rows]
    return frame


def check_arguments(sample: Sample, domains: Sequence[str], method: str, confidence: float, target: str | None) -> Rule:
    """The rule, its target filled in. Raises UsageError or Refused, naming what does not go together."""
    check_open(confidence=confidence)
    if method not in ALL_METHODS:
        raise UsageError(f"method came as {method!r}; the choices are {', '.join(ALL_METHODS)}")
    for name in domains:
        if name not in sample.domains:
            raise UsageError(f"there is no domain {name!r}; the sample has {', '.join(sample.domains) or 'none'}")
    known = not np.isnan(sample.records).any()
    target = target or ("these_records" if known and sample.cluster is None else "process")
    if target not in TARGETS:
        raise UsageError(f"target came as {target!r}; the choices are {', '.join(TARGETS)}")
    if target == "these_records" and not known:
        raise UsageError(
            "target 'these_records' needs the number of records in every stratum: give it, or use 'process'"
        )
    if target == "these_records" and sample.cluster is not None:
        raise Refused("single records were drawn, so clusters say nothing about these records: use target 'process'")
    return Rule(method, confidence, target)


def reviewed_part(sample: Sample, target: str) -> tuple[Sample, Design]:
    """The records with a known answer, and their design: each stratum's weight is its records over those left in it."""
    known = ~np.isnan(sample.met)
    kept = replace(
        sample,
        record_id=sample.record_id[known],
        met=sample.met[known],
        in_scope=sample.in_scope[known],
        stratum=sample.stratum[known],
        domains={name: values[known] for name, values in sample.domains.items()},
        cluster=None if sample.cluster is None else sample.cluster[known],
    )
    return kept, _design(kept, target)


def _groups(sample: Sample, domains: Sequence[str]) -> list[tuple[str, str, Array]]:
    rows = [(ALL_RECORDS, ALL_RECORDS, np.ones(len(sample.met), bool))]
    for name in domains:
        values = sample.domains[name]
        rows += [(name, str(group), values == group) for group in sorted(set(values))]
    return rows


def _design(sample: Sample, target: str) -> Design:
    count = len(sample.met)
    records = sample.records[sample.stratum]
    if np.isnan(sample.records).any():
        return design(records=count, stratum=sample.stratum, cluster=sample.cluster)
    drawn = np.bincount(sample.stratum, minlength=len(sample.strata))
    weight = records / drawn[sample.stratum]
    population = records if target == "these_records" else None
    return design(records=count, weight=weight, stratum=sample.stratum, cluster=sample.cluster, population=population)


def _row(sample: Sample, domain: str, group: str, inside: Array, rule: Rule) -> dict[str, Any]:
    known, scope = ~np.isnan(sample.met), inside & sample.in_scope
    counts = {
        "numerator": int((sample.met[scope & known] == MET).sum()),
        "denominator": int((scope & known).sum()),
        "n_unknown": int((scope & ~known).sum()),
    }
    head = {"measure": sample.measure, "domain": domain, "group": group, "unit": "share"} | counts | rule._asdict()
    bounds = _bounds(sample, inside, rule.design_based)
    if not counts["denominator"]:
        blank = dict.fromkeys(("estimate", "low", "high", *EXTRA[1:3], *EXTRA[5:]), math.nan)
        return head | blank | bounds | {"flag": "no record of this group was reviewed"}
    figures = _figures(sample, scope[known], counts, rule)
    bounds = _around(bounds, figures) if rule == rule.design_based else bounds
    return head | bounds | figures | {"flag": _flag(sample, counts)}


def _around(bounds: dict[str, float], figures: dict[str, float]) -> dict[str, float]:
    """Bounds that take in the estimate and its limits.

    An unknown answer elsewhere in a stratum changes that stratum's weight, so a group without any of its own could
    otherwise have an estimate a little outside its bounds.
    """
    pairs = {"bound_low": "estimate", "bound_interval_low": "low"}
    lower = {bound: min(bounds[bound], figures[name]) for bound, name in pairs.items()}
    pairs = {"bound_high": "estimate", "bound_interval_high": "high"}
    return lower | {bound: max(bounds[bound], figures[name]) for bound, name in pairs.items()}


def _figures(sample: Sample, part: Array, counts: dict[str, int], rule: Rule) -> dict[str, float]:
    """Estimate, limits and totals of the known answers in one part of them."""
    kept, plan = reviewed_part(sample, rule.target)
    share = domain_mean(plan, kept.met, part)
    limits = _limits(kept, plan, share, part, counts, rule)
    plain = rule.method == "hmicfrs"
    return {
        "estimate": counts["numerator"] / counts["denominator"] if plain else share.value,
        "low": limits.low,
        "high": limits.high,
        "effective_size": limits.effective_size,
        "design_effect": design_effect(plan, kept.met, part),
    } | ({} if plain else _totals(kept, plan, part, limits, rule.confidence))


def _limits(
    kept: Sample, plan: Design, share: Estimate, part: Array, counts: dict[str, int], rule: Rule
) -> ShareInterval:
    met, drawn = counts["numerator"], counts["denominator"]
    if rule.method == "hmicfrs":
        wald = proportion_interval(events=met, trials=drawn, confidence=rule.confidence, method="wald")
        return ShareInterval(wald.low, wald.high, float(drawn))
    if rule.method == "hypergeometric":
        return _exact(kept, part, met, drawn, rule.confidence)
    return share_interval(plan, share, part, method=rule.method, confidence=rule.confidence)


def _exact(kept: Sample, part: Array, met: int, drawn: int, confidence: float) -> ShareInterval:
    if len(kept.strata) > 1 or np.isnan(kept.records).any():
        raise Refused("'hypergeometric' is for a simple sample of a known number of records: use 'clopper_pearson'")
    if not part.all():
        return ShareInterval(math.nan, math.nan, math.nan)  # a group's own number of records is not known
    size = int(kept.records[0])
    low, high = hypergeometric_limits(met=met, sample=drawn, records=size, confidence=confidence)
    return ShareInterval(low / size, high / size, math.nan)


def _bounds(sample: Sample, inside: Array, rule: Rule) -> dict[str, float]:
    """The estimate, and its outer limit, with every unknown answer against and for the standard."""
    part = inside & sample.in_scope
    names = ("bound_low", "bound_interval_low", "bound_high", "bound_interval_high")
    if not part.any():
        return dict.fromkeys(names, math.nan)
    low, outer_low, _ = _filled(sample, NOT_MET, part, rule)
    high, _, outer_high = _filled(sample, MET, part, rule)
    return dict(zip(names, (low, outer_low, high, outer_high)))


def _filled(sample: Sample, value: float, part: Array, rule: Rule) -> tuple[float, float, float]:
    """Estimate and limits with one value for every unknown answer."""
    met = np.where(np.isnan(sample.met), value, sample.met)
    plan = _design(sample, rule.target)
    share = domain_mean(plan, met, part)
    limits = share_interval(plan, share, part, method=rule.method, confidence=rule.confidence)
    return share.value, limits.low, limits.high


def _totals(kept: Sample, plan: Design, part: Array, limits: ShareInterval, confidence: float) -> dict[str, float]:
    """Records in scope and how many meet the standard; nan when the number of records is not known."""
    names = ("records", "total", "total_low", "total_high")
    if np.isnan(kept.records).any():
        return dict.fromkeys(names, math.nan)
    size = domain_total(plan, np.ones(len(part)), part)
    total = domain_total(plan, kept.met, part)
    if size.variance <= 1e-18 * size.value**2:  # the group's size is known, so its share says it all
        low, high = limits.low * size.value, limits.high * size.value
    else:
        half = normal_quantile(confidence) * total.standard_error
        seen = float((kept.met[part] == MET).sum())
        low, high = max(total.value - half, seen), total.value + half
    return dict(zip(names, (size.value, total.value, low, high)))


def _flag(sample: Sample, counts: dict[str, int]) -> str:
    reviewed = np.bincount(sample.stratum[~np.isnan(sample.met)], minlength=len(sample.strata))
    missing = [sample.strata[at] for at in np.flatnonzero((reviewed == 0) & (sample.records != 0))]
    single = [sample.strata[at] for at in np.flatnonzero((reviewed == 1) & (sample.records != 1))]
    notes = list(sample.notes)
    if missing:
        notes.append(f"nothing was reviewed in {name_some(missing)}: outside the estimate")
    if single:
        notes.append(f"one record only in {name_some(single)}: its spread is taken from all records")
    if counts["n_unknown"]:
        notes.append(f"{counts['n_unknown']} {SEE_BOUNDS}")
    return "; ".join(notes)
