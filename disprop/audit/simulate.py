"""Many audits of records whose truth is known: how often do the limits hold it?

Only counts matter: in each stratum a sample without replacement gives, for each group, how many records met the
standard and how many did not (a multivariate hypergeometric draw). The estimate and its limits are then the
formulas of `survey` and `effective`, on counts, for all audits at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from disprop.audit.effective import size_of_equal_precision
from disprop.errors import UsageError
from disprop.intervals import proportion_interval

Array = np.ndarray


@dataclass(frozen=True)
class TrueStratum:
    """One stratum of an invented period: how many are drawn; by group, the records and those that meet the standard."""

    sample: int
    records: tuple[int, ...]
    met: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.records)


class Coverage(NamedTuple):
    """How often the limits held the truth, on which side they missed, and how wide they were."""

    group: int | None
    method: str
    target: str
    audits: int
    truth: float
    covered: float
    missed_below: float
    missed_above: float
    mean_width: float
    no_estimate: float


def draw_audits(strata: Sequence[TrueStratum], *, audits: int, seed: int, target: str = "these_records") -> Array:
    """Counts by audit, stratum, group and (met, not met): int64, shape (audits, strata, groups, 2).

    "these_records" draws without replacement from the records there are; "process" draws from the endless run
    of which they are one part, with the same shares.
    """
    rng = np.random.default_rng(seed)
    drawn = [_draw_one(rng, stratum, audits, target) for stratum in strata]
    return np.stack(drawn, axis=1).reshape(audits, len(strata), -1, 2)


def _draw_one(rng: np.random.Generator, stratum: TrueStratum, audits: int, target: str) -> Array:
    records, met = np.array(stratum.records), np.array(stratum.met)
    cells = np.column_stack([met, records - met]).ravel()
    if target == "process":
        return rng.multinomial(stratum.sample, cells / cells.sum(), size=audits)
    return rng.multivariate_hypergeometric(cells, stratum.sample, size=audits, method="marginals")


class CountEstimate(NamedTuple):
    """Share, variance, records and even effective size of a group, one of each per audit."""

    share: Array
    variance: Array
    records: Array
    even_size: Array


def estimate_counts(strata: Sequence[TrueStratum], counts: Array, group: int | None, target: str) -> CountEstimate:
    """`survey.domain_mean` and `effective.even_size` on counts instead of records; NaN for an empty group."""
    sample = np.array([stratum.sample for stratum in strata], float)
    total = np.array([stratum.total for stratum in strata], float)
    kept = 1 - sample / total if target == "these_records" else np.ones(len(strata))
    weight = total / sample
    chosen = counts if group is None else counts[:, :, group : group + 1]
    met, unmet = (chosen[..., side].sum(axis=2).astype(float) for side in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = (met + unmet) @ weight
        share = met @ weight / size
        p = share[:, None]
        scores = met * (1 - p) - unmet * p
        squares = met * (1 - p) ** 2 + unmet * p**2
        factor = np.where(sample > 1, sample / np.maximum(sample - 1, 1), 0.0)
        spread = np.where(sample > 1, factor * (squares - scores**2 / sample), squares)
        variance = (spread * kept * weight**2).sum(axis=1) / size**2
        even = size**2 / ((met + unmet) @ (kept * weight**2))
    return CountEstimate(share, variance, (met + unmet).sum(axis=1), even)


def coverage(
    strata: Sequence[TrueStratum],
    *,
    audits: int,
    seed: int,
    group: int | None = None,
    method: str = "wilson",
    target: str = "these_records",
    confidence: float = 0.95,
    capped: bool = True,
) -> Coverage:
    """Coverage of one group's share (all records when None) under one design.

    Audits in which the group is empty have no estimate; they are counted apart and are not misses. `capped=False`
    leaves out the cap on the effective size, to show what it is for.

    >>> half = TrueStratum(sample=100, records=(1000,), met=(870,))
    >>> found = coverage([half], audits=2000, seed=1)
    >>> 0.93 < found.covered < 0.97
    True
    """
    if target not in ("these_records", "process"):
        raise UsageError(f"target came as {target!r}; the choices are these_records, process")
    counts = draw_audits(strata, audits=audits, seed=seed, target=target)
    found = estimate_counts(strata, counts, group, target)
    given = found.records > 0
    kept = CountEstimate(*(column[given] for column in found))
    low, high = limits_of(kept, method=method, confidence=confidence, capped=capped)
    truth = _truth(strata, group)
    below, above = high < truth - 1e-12, low > truth + 1e-12
    return Coverage(
        group=group,
        method=method,
        target=target,
        audits=audits,
        truth=truth,
        covered=float(1 - (below | above).mean()),
        missed_below=float(below.mean()),
        missed_above=float(above.mean()),
        mean_width=float((high - low).mean()),
        no_estimate=float(1 - given.mean()),
    )


def limits_of(found: CountEstimate, *, method: str, confidence: float, capped: bool = True) -> tuple[Array, Array]:
    """Wilson or Clopper-Pearson limits on the effective sizes, one pair per audit."""
    flat = (found.share <= 0) | (found.share >= 1) | (found.variance <= 1e-24) | (found.records < 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        precise = size_of_equal_precision(found.share, found.variance, found.records)
        size = np.where(flat, found.even_size, np.minimum(precise, found.even_size) if capped else precise)
    whole = np.isinf(size)
    size = np.where(whole, 1.0, size)
    limits = proportion_interval(events=found.share * size, trials=size, confidence=confidence, method=method)
    return np.where(whole, found.share, limits.low), np.where(whole, found.share, limits.high)


def _truth(strata: Sequence[TrueStratum], group: int | None) -> float:
    records = np.array([stratum.records for stratum in strata]).sum(axis=0)
    met = np.array([stratum.met for stratum in strata]).sum(axis=0)
    return float(met.sum() / records.sum() if group is None else met[group] / records[group])


def _simple(sample: int, records: int, met: int) -> TrueStratum:
    return TrueStratum(sample, (records,), (met,))


DESIGNS: dict[str, tuple[tuple[TrueStratum, ...], int | None]] = {
    "simple, 97 of 26,372": ((_simple(97, 26372, 22838),), None),
    "simple, 97 of 400": ((_simple(97, 400, 348),), None),
    "simple, 97 of 26,372, nearly all meet": ((_simple(97, 26372, 25845),), None),
    "proportional strata": ((_simple(50, 500, 450), _simple(100, 1000, 800), _simple(30, 300, 285)), None),
    "twelve strata of 5": (tuple(_simple(5, size, round(size * 0.87)) for size in range(400, 1600, 100)), None),
    "small strata oversampled": ((_simple(60, 5000, 4500), _simple(60, 900, 700), _simple(60, 150, 100)), None),
    "oversampled, few failures": ((_simple(60, 5000, 4900), _simple(60, 900, 870), _simple(60, 150, 140)), None),
    "strongly oversampled, few failures": ((_simple(20, 9000, 8900), _simple(80, 300, 150)), None),
    "one certainty stratum": ((_simple(10, 10, 7), _simple(100, 2000, 1700)), None),
    "large domain across strata": (
        (
            TrueStratum(60, (3000, 1000, 100), (2700, 850, 80)),
            TrueStratum(60, (400, 400, 50), (300, 350, 45)),
        ),
        0,
    ),
    "small domain across strata": (
        (
            TrueStratum(60, (3000, 1000, 100), (2700, 850, 80)),
            TrueStratum(60, (400, 400, 50), (300, 350, 45)),
        ),
        1,
    ),
    "domain of 100 in twenty small strata": (tuple(TrueStratum(6, (300, 100), (270, 80)) for _ in range(20)), 1),
}


def coverage_table(*, audits: int = 20_000, seed: int = 5) -> str:
    """Markdown: covered, and missed with the truth below and above the limits, for each invented design."""
    lines = [
        "| design | `wilson` | truth below | truth above | `clopper_pearson` | uncapped |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, (strata, group) in DESIGNS.items():
        wilson = coverage(strata, audits=audits, seed=seed, group=group)
        exact = coverage(strata, audits=audits, seed=seed, group=group, method="clopper_pearson")
        bare = coverage(strata, audits=audits, seed=seed, group=group, capped=False)
        shares = (wilson.covered, wilson.missed_above, wilson.missed_below, exact.covered, bare.covered)
        lines.append(f"| {name} | {' | '.join(f'{100 * share:.1f}%' for share in shares)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(coverage_table())
