"""Estimates from a reviewed sample: shares and totals for everyone and for groups, and differences between groups.

What is not known (a record that could not be reviewed, "cannot tell", not come to yet) is left out of the estimate,
which so assumes that in its stratum it resembles what was reviewed; the bounds assume nothing: every unknown
answer against the standard, and every one for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True)
class _Reviewed:
    """The part of a sample with known answers, as a design; and which strata have none."""

    sample: Sample
    design: Design
    missing: tuple[str, ...]


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
    target = check_arguments(sample, names, method, confidence, target)
    rows = [
        _row(sample, domain, group, inside, method, confidence, target)
        for domain, group, inside in _groups(sample, names)
    ]
    return rows_frame(rows, EXTRA)


def rows_frame(rows: list[dict[str, Any]], extra: Sequence[str]) -> pd.DataFrame:
    """Dictionaries as result rows: every result column, then the extra ones."""
    names = [column.name for column in COLUMNS]
    values = {name: [row.get(name) for row in rows] for name in names if any(name in row for row in rows)}
    frame = result_frame({name: [row[name] for row in rows] for name in ("domain", "group")}, values)
    for name in extra:
        frame[name] = [row.get(name) for row in rows]
    return frame


def check_arguments(sample: Sample, domains: Sequence[str], method: str, confidence: float, target: str | None) -> str:
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
    return target


def reviewed_part(sample: Sample, target: str) -> tuple[Sample, Design]:
    """The records with a known answer, and their design."""
    reviewed = _reviewed(sample, target)
    return reviewed.sample, reviewed.design


def _groups(sample: Sample, domains: Sequence[str]) -> list[tuple[str, str, Array]]:
    rows = [(ALL_RECORDS, ALL_RECORDS, np.ones(len(sample.met), bool))]
    for name in domains:
        values = sample.domains[name]
        rows += [(name, str(group), values == group) for group in sorted(set(values))]
    return rows


def _reviewed(sample: Sample, target: str) -> _Reviewed:
    """Known answers only. Each stratum's weight is its records over those left in it."""
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
    lost = np.setdiff1d(np.arange(len(sample.strata)), kept.stratum)
    lost = lost[~(sample.records[lost] == 0)]
    return _Reviewed(kept, _design(kept, target), tuple(sample.strata[at] for at in lost))


def _design(sample: Sample, target: str) -> Design:
    count = len(sample.met)
    records = sample.records[sample.stratum]
    if np.isnan(sample.records).any():
        return design(records=count, stratum=sample.stratum, cluster=sample.cluster)
    drawn = np.bincount(sample.stratum, minlength=len(sample.strata))
    weight = records / drawn[sample.stratum]
    population = records if target == "these_records" else None
    return design(records=count, weight=weight, stratum=sample.stratum, cluster=sample.cluster, population=population)


def _row(
    sample: Sample, domain: str, group: str, inside: Array, method: str, confidence: float, target: str
) -> dict[str, Any]:
    known = ~np.isnan(sample.met)
    reviewed = _reviewed(sample, target) if known.any() else None
    scope = inside & sample.in_scope
    counts = {
        "numerator": int((sample.met[scope & known] == MET).sum()),
        "denominator": int((scope & known).sum()),
        "n_unknown": int((scope & ~known).sum()),
    }
    head = {"measure": sample.measure, "domain": domain, "group": group} | counts
    tail = {"confidence": confidence, "method": method, "target": target, "unit": "share"}
    bounds = _bounds(sample, inside, method, confidence, target)
    if reviewed is None or not counts["denominator"]:
        empty = dict.fromkeys(("estimate", "low", "high", "effective_size", "design_effect"), math.nan)
        totals = dict.fromkeys(("records", "total", "total_low", "total_high"), math.nan)
        return head | empty | tail | bounds | totals | {"flag": "no record of this group was reviewed"}
    part = (inside & sample.in_scope)[known]
    share = domain_mean(reviewed.design, reviewed.sample.met, part)
    limits = _share_limits(reviewed, share, part, method, confidence, counts)
    figures = {
        "estimate": counts["numerator"] / counts["denominator"] if method == "hmicfrs" else share.value,
        "low": limits.low,
        "high": limits.high,
        "effective_size": limits.effective_size,
        "design_effect": design_effect(reviewed.design, reviewed.sample.met, part),
    }
    totals = _totals(reviewed, part, share, limits, confidence)
    return head | figures | tail | bounds | totals | {"flag": _flag(sample, reviewed, counts, part)}


def _share_limits(
    reviewed: _Reviewed, share: Estimate, part: Array, method: str, confidence: float, counts: dict[str, int]
) -> ShareInterval:
    met, drawn = counts["numerator"], counts["denominator"]
    if method == "hmicfrs":
        wald = proportion_interval(events=met, trials=drawn, confidence=confidence, method="wald")
        return ShareInterval(wald.low, wald.high, float(drawn))
    if method == "hypergeometric":
        return _exact(reviewed, part, met, drawn, confidence)
    return share_interval(reviewed.design, share, part, method=method, confidence=confidence)


def _exact(reviewed: _Reviewed, part: Array, met: int, drawn: int, confidence: float) -> ShareInterval:
    if len(reviewed.sample.strata) > 1 or np.isnan(reviewed.sample.records).any():
        raise Refused("'hypergeometric' is for a simple sample of a known number of records: use 'clopper_pearson'")
    if not part.all():
        return ShareInterval(math.nan, math.nan, math.nan)  # a group's own number of records is not known
    size = int(reviewed.sample.records[0])
    low, high = hypergeometric_limits(met=met, sample=drawn, records=size, confidence=confidence)
    return ShareInterval(low / size, high / size, math.nan)


def _bounds(sample: Sample, inside: Array, method: str, confidence: float, target: str) -> dict[str, float]:
    """The estimate, and its outer limit, with every unknown answer against and for the standard."""
    unknown = np.isnan(sample.met)
    part = inside & sample.in_scope
    method = "wilson" if method in ("hmicfrs", "hypergeometric") else method
    sides = []
    if part.any():
        for value in (NOT_MET, MET):
            filled = replace(sample, met=np.where(unknown, value, sample.met))
            plan = _design(filled, target)
            share = domain_mean(plan, filled.met, part)
            sides.append((share.value, share_interval(plan, share, part, method=method, confidence=confidence)))
    else:
        sides = [(math.nan, ShareInterval(math.nan, math.nan, 0.0))] * 2
    return {
        "bound_low": sides[0][0],
        "bound_high": sides[1][0],
        "bound_interval_low": sides[0][1].low,
        "bound_interval_high": sides[1][1].high,
    }


def _totals(
    reviewed: _Reviewed, part: Array, share: Estimate, limits: ShareInterval, confidence: float
) -> dict[str, float]:
    """Records in scope and how many meet the standard; nan when the number of records is not known."""
    names = ("records", "total", "total_low", "total_high")
    if np.isnan(reviewed.sample.records).any():
        return dict.fromkeys(names, math.nan)
    size = domain_total(reviewed.design, np.ones(len(part)), part)
    total = domain_total(reviewed.design, reviewed.sample.met, part)
    if size.variance <= 1e-18 * size.value**2:  # the group's size is known, so its share says it all
        low, high = limits.low * size.value, limits.high * size.value
    else:
        half = normal_quantile(confidence) * total.standard_error
        seen = float((reviewed.sample.met[part] == MET).sum())
        low, high = max(total.value - half, seen), total.value + half
    return dict(zip(names, (size.value, total.value, low, high)))


def _flag(sample: Sample, reviewed: _Reviewed, counts: dict[str, int], part: Array) -> str:
    notes = list(sample.notes)
    if reviewed.missing:
        notes.append(f"nothing was reviewed in {name_some(reviewed.missing)}: outside the estimate")
    drawn = np.bincount(reviewed.sample.stratum, minlength=len(sample.strata))
    single = [sample.strata[at] for at in np.flatnonzero((drawn == 1) & ~(sample.records == 1))]
    if single:
        notes.append(f"one record only in {name_some(single)}: its spread is taken from all records")
    if counts["n_unknown"]:
        notes.append(f"{counts['n_unknown']} {SEE_BOUNDS}")
    return "; ".join(notes)
