"""Many audits of records whose truth is known: how often do the limits hold it?

Only counts matter: in each stratum a sample without replacement gives, for each group, how many records met the
standard and how many did not (a multivariate hypergeometric draw). Draws and Wilson limits are compiled and run on all
cores (`kernels.audits`); `estimate_counts` and `limits_of` say the same in numpy, for every other method. A result
depends on the seed alone, and a longer run begins with the audits of a shorter one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, xlogy

from disprop.audit.effective import size_of_equal_precision
from disprop.audit.sizes import check_open, normal_quantile
from disprop.errors import UsageError
from disprop.intervals import proportion_interval
from disprop.kernels import audits as kernel
from disprop.kernels._jit import cores

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
    """Counts by audit, stratum and cell: int64, shape (audits, strata, 2 x groups).

    Cells are group by group: records that meet the standard, records that do not. "these_records" draws without
    replacement from the records there are; "process" draws from the endless run of which they are one part, with
    the same shares.

    Raises: UsageError for an unknown target.
    """
    if target not in ("these_records", "process"):
        raise UsageError(f"target came as {target!r}; the choices are these_records, process")
    links = [_links(stratum, target) for stratum in strata]
    lengths = [chances.size for chances, _ in links]
    start = np.array([starts for _, starts in links]) + np.cumsum([0, *lengths[:-1]])[:, None]
    chances = np.concatenate([chances for chances, _ in links])
    sample = np.array([stratum.sample for stratum in strata])
    counts = np.zeros((audits, len(strata), 2 * len(strata[0].records)), np.int64)
    _in_chunks(audits, lambda part: kernel.draw(np.uint64(seed), part.start, sample, start, chances, counts[part]))
    return counts


def _links(stratum: TrueStratum, target: str) -> tuple[Array, Array]:
    """Cumulative chances of each link of a stratum's chain, end to end, and where row 0 of each link would start.

    A row is for a number still to draw, and has sample + 1 entries; the first link needs only the whole sample's.
    """
    cells = np.column_stack([stratum.met, np.subtract(stratum.records, stratum.met)]).ravel()
    width = stratum.sample + 1
    tables, starts, at = [], [], 0
    for cell in range(len(cells) - 1):
        left = np.arange(stratum.sample if cell == 0 else 0, width)
        tables.append(_cumulative(int(cells[cell]), int(cells[cell:].sum()), left, width, target).ravel())
        starts.append(at - int(left[0]) * width)
        at += tables[-1].size
    return np.concatenate(tables), np.array(starts)


def _cumulative(cell: int, records: int, left: Array, width: int, target: str) -> Array:
    """P(at most x of `left` records drawn are of the cell), x along the row; 1 from the largest x on."""
    x, n = np.arange(width)[None, :], left[:, None]
    rest = records - cell
    if target == "these_records":
        possible = (x <= cell) & (x <= n) & (n - x <= rest) & (n <= records)
        kept = [np.where(possible, value, 0) for value in (x, n, n - x)]
        logs = _choose(cell, kept[0]) + _choose(rest, kept[2]) - _choose(records, kept[1])
    else:
        possible = (x <= n) & (records > 0)
        kept = [np.where(possible, value, 0) for value in (x, n)]
        share = cell / max(records, 1)
        logs = _choose(kept[1], kept[0]) + xlogy(kept[0], share) + xlogy(kept[1] - kept[0], 1 - share)
    total = np.cumsum(np.where(possible, np.exp(logs), 0.0), axis=1)
    top = np.minimum(cell, n) if target == "these_records" else n
    return np.where(x >= top, 1.0, total)


def _choose(n: Array | int, k: Array) -> Array:
    whole = np.asarray(n, float)
    return gammaln(whole + 1) - gammaln(k + 1.0) - gammaln(whole - k + 1)


def _in_chunks(audits: int, work: Callable[[slice], None]) -> None:
    """The work on slices of the audits, on all cores; each slice writes its own rows only."""
    size = max(1, -(-audits // (4 * cores())))
    parts = [slice(begin, min(begin + size, audits)) for begin in range(0, audits, size)]
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, parts))


def wilson_limits(
    strata: Sequence[TrueStratum],
    counts: Array,
    *,
    group: int | None,
    target: str,
    confidence: float = 0.95,
    capped: bool = True,
) -> tuple[Array, Array]:
    """Wilson limits on the effective sizes, one pair per audit, compiled; nan where the group is empty."""
    check_open(confidence=confidence)
    sample, weight, kept = _weights(strata, target)
    low, high = np.empty(len(counts)), np.empty(len(counts))
    squared, chosen = normal_quantile(confidence) ** 2, -1 if group is None else group

    def work(part: slice) -> None:
        kernel.wilson(counts[part], chosen, sample, weight, kept, squared, int(capped), low[part], high[part])

    _in_chunks(len(counts), work)
    return low, high


def _weights(strata: Sequence[TrueStratum], target: str) -> tuple[Array, Array, Array]:
    """Records drawn, weight of each, and 1 - f (1 for the process), by stratum."""
    sample = np.array([stratum.sample for stratum in strata], float)
    total = np.array([stratum.total for stratum in strata], float)
    return sample, total / sample, 1 - sample / total if target == "these_records" else np.ones(len(strata))


class CountEstimate(NamedTuple):
    """Share, variance, records and even effective size of a group, one of each per audit."""

    share: Array
    variance: Array
    records: Array
    even_size: Array


def estimate_counts(strata: Sequence[TrueStratum], counts: Array, group: int | None, target: str) -> CountEstimate:
    """`survey.domain_mean` and `effective.even_size` on counts instead of records; NaN for an empty group."""
    sample, weight, kept = _weights(strata, target)
    cells = slice(None) if group is None else slice(2 * group, 2 * group + 2)
    chosen = counts[:, :, cells].astype(float)
    met, unmet = chosen[..., 0::2].sum(axis=2), chosen[..., 1::2].sum(axis=2)
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
    counts = draw_audits(strata, audits=audits, seed=seed, target=target)
    if method == "wilson":
        low, high = wilson_limits(strata, counts, group=group, target=target, confidence=confidence, capped=capped)
    else:
        found = estimate_counts(strata, counts, group, target)
        low, high = limits_of(found, method=method, confidence=confidence, capped=capped)
    given = ~np.isnan(low)
    low, high = low[given], high[given]
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
    fixed = ~np.isfinite(size)  # every record drawn, or none of the group
    size = np.where(fixed, 1.0, size)
    limits = proportion_interval(events=found.share * size, trials=size, confidence=confidence, method=method)
    return np.where(fixed, found.share, limits.low), np.where(fixed, found.share, limits.high)


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
