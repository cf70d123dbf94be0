"""Resampling: how far a figure would move if the same work were done again, for figures without a closed form.

Records of one person (or officer, or patrol) are alike, so the unit that is drawn again is the *cluster*: all records
of one key together. Clusters that hold the same counts cannot be told apart by any figure made of counts; so they are
drawn by sort (`alike_clusters`), which is the same lottery, exactly, at a thousandth of the work. Where records are
the unit, each record is a cluster of its own (`records_as_clusters`).

Where the records never stand together in one place (partitions, nights), each cluster gets a weight made from its key
alone (`hashed_replicates`): replicates of parts then add up to replicates of the whole.

Everything depends on the seed alone: not on threads, chunks, or the order of records. A longer run begins with the
replicates of a shorter one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from disprop.errors import UsageError
from disprop.intervals.interval import FloatArray, Interval, choose
from disprop.kernels import clusters as kernel
from disprop.kernels import resample
from disprop.kernels._jit import cores

__all__ = [
    "Clusters",
    "alike_clusters",
    "bootstrap_interval",
    "hashed_replicates",
    "records_as_clusters",
    "resample_counts",
]

Counts: TypeAlias = NDArray[np.int64]
Statistic: TypeAlias = Callable[[Counts], FloatArray]

Sampler: TypeAlias = Callable[[Counts, np.uint64, int, Counts], None]

TILE = 256  # replicates drawn at a time
ROOM = 1 << 23  # numbers held at a time while replicates are made and measured (64 MiB)
FEWEST_RECORDS = 20_000  # below, numpy sorts clusters about as fast as the kernel, and the kernel need not be loaded
MOST_NUMBERS = 1 << 28  # records times cells that the kernel keeps room for; above, numpy
FEW_SORTS = 1 << 15  # room for sorts of clusters at the first attempt
COLUMNS = 64  # counters a tile of hashed replicates: 256 replicates, whose totals stay in the nearest cache


class Clusters(NamedTuple):
    """Clusters by sort. Clusters of one sort hold the same counts.

    held: int64, shape (sorts, cells): records in each cell in one cluster of this sort; no two rows are equal.
    n_clusters: int64, shape (sorts,): clusters of this sort.
    """

    held: Counts
    n_clusters: Counts

    @property
    def totals(self) -> Counts:
        """Records in each cell over all clusters."""
        return self.n_clusters @ self.held


def alike_clusters(*, keys: ArrayLike, cells: ArrayLike, n_cells: int) -> Clusters:
    """Clusters by sort, from the key and the cell of every record.

    No records: no sorts. A cell that never occurs is a column of zeros. The order of records does not matter, nor do
    the keys themselves: sorts are in ascending order of what they hold.

    keys, cells: whole numbers, shape (n,): the cluster of each record (a keyed hash, uint64), and its cell from 0.
    n_cells: how many cells there are.

    Raises UsageError for shapes that differ and for a cell outside 0 to n_cells - 1.

    Three people, searched twice, once and once, in groups 0 and 1:

    >>> alike_clusters(keys=[7, 7, 5, 9], cells=[0, 0, 1, 1], n_cells=2)
    Clusters(held=array([[0, 1],
           [2, 0]]), n_clusters=array([2, 1]))
    """
    key, cell = _records(keys, cells, n_cells)
    by_kernel = key.size >= FEWEST_RECORDS and n_cells <= kernel.MOST_CELLS and key.size * n_cells <= MOST_NUMBERS
    return (_alike_by_kernel if by_kernel else _alike_by_numpy)(key, cell, n_cells)


def records_as_clusters(counts: ArrayLike) -> Clusters:
    """Each record as a cluster of its own: `counts` records in each cell, shape (cells,).

    >>> records_as_clusters([3, 1])
    Clusters(held=array([[1, 0],
           [0, 1]]), n_clusters=array([3, 1]))
    """
    n_clusters = _counts("counts", counts)
    return Clusters(np.eye(n_clusters.size, dtype=np.int64), n_clusters)


def resample_counts(counts: ArrayLike, *, replicates: int, seed: int, method: str = "multinomial") -> Counts:
    """Counts drawn again: `replicates` rows, one column a count.

    A count of zero stays zero. Methods:

    - `multinomial`: the whole is fixed; as many draws as there were, each with the chance of its count. This is
      drawing the records (or clusters) themselves again with replacement, exactly.
    - `poisson`: each count varies around its own mean, and so does the whole: for events, whose number nobody fixed.

    counts: whole numbers, 0 or more, shape (cells,). seed: 0 to 2^64 - 1. Returns int64, shape (replicates, cells).

    Raises UsageError for counts, replicates or a seed that are not so, or an unknown method.

    Sources: Efron (1979) Annals of Statistics 7:1; random numbers from Philox 4x32-10, Salmon and others (2011);
    samplers from Hormann (1993), Journal of Statistical Computation and Simulation 46:101 and Insurance: Mathematics
    and Economics 12:39.

    >>> resample_counts([8, 0, 2], replicates=3, seed=1).sum(axis=1)
    array([10, 10, 10])
    """
    draw = choose(method, SAMPLERS, "resample_counts")
    return _drawn(draw, _counts("counts", counts), range(_positive("replicates", replicates)), seed)


def hashed_replicates(*, keys: ArrayLike, cells: ArrayLike, n_cells: int, replicates: int, seed: int) -> Counts:
    """Replicate totals made from keys alone, so that those of parts add up to those of the whole.

    Cluster q stands w times in replicate r, w being the Poisson(1) quantile of a random word addressed by the seed, q
    and r. The same key gets the same weight wherever its records are met, without processes having to talk. The
    number of clusters in a replicate varies. No records: all totals are 0.

    keys, cells, n_cells: as in `alike_clusters`. Returns int64, shape (replicates, n_cells).

    Formula: total[r, c] = sum over records i in cell c of w(keys[i], r), with w the number of limits
    floor(2^32 P(X <= k)), k = 0, 1, ..., X Poisson of mean 1, that are not above word r mod 4 of
    Philox 4x32-10(counter = (q mod 2^32, q div 2^32, r div 4, 3), key = (seed mod 2^32, seed div 2^32)).

    Sources: Chamandy and others (2012), "Estimating uncertainty for massive data streams"; Salmon and others (2011).

    >>> part = hashed_replicates(keys=[7, 7], cells=[0, 1], n_cells=2, replicates=5, seed=1)
    >>> rest = hashed_replicates(keys=[9], cells=[1], n_cells=2, replicates=5, seed=1)
    >>> whole = hashed_replicates(keys=[9, 7, 7], cells=[1, 0, 1], n_cells=2, replicates=5, seed=1)
    >>> bool((part + rest == whole).all())
    True
    """
    grouped = _grouped(*_records(keys, cells, n_cells), n_cells)
    out = np.zeros((_positive("replicates", replicates), n_cells), dtype=np.int64)
    blocks = -(-replicates // resample.LANES)

    def fill(tile: int) -> None:
        first, columns = tile * COLUMNS, min(COLUMNS, blocks - tile * COLUMNS)
        words = np.zeros((resample.LANES, columns), dtype=np.uint32)
        totals = np.zeros((n_cells, resample.LANES, columns), dtype=np.int64)
        resample.weigh(*grouped, _seed(seed), first, words, totals)
        rows = out[first * resample.LANES : (first + columns) * resample.LANES]
        rows[:] = totals.transpose(2, 1, 0).reshape(-1, n_cells)[: len(rows)]

    _in_threads(fill, -(-blocks // COLUMNS))
    return out


def bootstrap_interval(
    clusters: Clusters,
    statistic: Statistic,
    *,
    seed: int,
    replicates: int = 1999,
    confidence: float = 0.95,
    method: str = "percentile",
) -> Interval:
    """An interval for a figure made of counts, from clusters drawn again with replacement.

    Corner cases first. Where the figure has no value, or is the same in every replicate, drawing again cannot tell how
    far it would move, and both limits are NaN: one cluster alone, clusters all alike, a group without events (for a
    count of none, take an exact interval). A replicate in which the figure has no value (NaN: nothing divided by
    nothing) stands lowest for the low limit and highest for the high one, so it can only widen. A limit beyond the
    replicates is infinite: draw more. `bca` and `studentised` leave out each cluster in turn; where the figure then has
    no finite value, both limits are NaN, and so are those of `bca` where the figure lies beyond all replicates, and of
    `studentised` where leaving out a cluster never moves it. Fewer than about twenty clusters, or one that holds a
    large part of all records, carry too little for any of these.

    Methods:

    - `percentile` (default): the middle of the replicates.
    - `bca`: the same, corrected for bias and for a spread that changes with the figure (acceleration).
    - `studentised`: replicates of (figure - estimate) / its own standard error (jackknife over clusters). Give a
      statistic on a scale without ends: log ratio, not ratio.

    Limits are replicates themselves, the rank rounded outwards (rank p (B + 1)), never a mixture of two; so those of
    a rising function of a figure are that function of the limits.

    clusters: from `alike_clusters` or `records_as_clusters`.
    statistic: a function of totals, int64 of shape (..., cells), to numbers of shape (...).
    seed: 0 to 2^64 - 1; the same seed gives the same interval.

    Raises UsageError for too few replicates for the confidence (39 are the fewest for 95%), an unknown method, clusters
    of shapes that do not go together, a statistic of another shape.

    Sources: Efron and Tibshirani (1993) An Introduction to the Bootstrap, chapters 12 to 14; Davison and Hinkley
    (1997) Bootstrap Methods and their Application, section 5.2.

    Efron and Tibshirani's spatial test: 26 children, the variance of their scores; the book's own 2,000 draws gave
    100.8 to 233.9 by percentile and 115.8 to 259.6 by BCa, for 90% (another seed moves ours as far):

    >>> scores = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41]
    >>> children = Clusters(np.array([[1, score, score**2] for score in scores]), np.ones(26, dtype=np.int64))
    >>> def variance(totals):
    ...     n, total, squares = np.moveaxis(totals, -1, 0)
    ...     return squares / n - (total / n) ** 2
    >>> [round(x, 1) for x in bootstrap_interval(children, variance, seed=1, confidence=0.9)]
    [171.5, 98.1, 236.2]
    >>> [round(x, 1) for x in bootstrap_interval(children, variance, seed=1, confidence=0.9, method="bca")]
    [171.5, 115.3, 266.2]
    """
    limits = choose(method, {"percentile": _percentile, "bca": _bca, "studentised": _studentised}, "bootstrap_interval")
    clusters = _sound(clusters)
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is {confidence}: it must be between 0 and 1, such as 0.95")
    tail = (1 - confidence) / 2
    fewest = int(np.ceil(1 / tail - 1e-9)) - 1
    if _positive("replicates", replicates) < fewest:
        raise UsageError(f"{replicates} replicates are too few for confidence {confidence}: ask for {fewest} or more")
    estimate = float(_measured(statistic, clusters.totals))
    problem = _Problem(clusters, statistic, replicates, seed)
    figures = problem.figures()
    if np.isnan(estimate) or np.isclose(figures, estimate, rtol=1e-12, atol=0).all():
        return Interval(estimate, np.nan, np.nan)
    return Interval(estimate, *limits(problem, figures, estimate, tail))


# Intervals from replicates.


class _Problem(NamedTuple):
    clusters: Clusters
    statistic: Statistic
    replicates: int
    seed: int

    def draws(self, numbers_each: int) -> Iterator[Counts]:
        """Clusters of each sort in each replicate, a few rows at a time; work on a row takes `numbers_each` numbers."""
        rows = max(1, ROOM // max(1, numbers_each))
        for first in range(0, self.replicates, rows):
            replicates = range(first, min(first + rows, self.replicates))
            yield _drawn(_multinomials, self.clusters.n_clusters, replicates, self.seed)

    def figures(self) -> FloatArray:
        """The figure in each replicate."""
        held = self.clusters.held
        return np.concatenate([_measured(self.statistic, drawn @ held) for drawn in self.draws(held.shape[0])])


def _percentile(problem: _Problem, figures: FloatArray, estimate: float, tail: float) -> tuple[float, float]:
    return _limits(figures, tail, 1 - tail)


def _bca(problem: _Problem, figures: FloatArray, estimate: float, tail: float) -> tuple[float, float]:
    below = np.sum(figures < estimate) + (np.sum(figures == estimate) + np.sum(np.isnan(figures))) / 2
    bias = ndtri(below / figures.size)
    if np.isinf(bias):
        return np.nan, np.nan
    _, acceleration = _jackknife(problem.statistic, *problem.clusters)
    low, high = (_corrected(z, bias, float(acceleration)) for z in (ndtri(tail), -ndtri(tail)))
    return _limits(figures, low, high)


def _corrected(z: float, bias: float, acceleration: float) -> float:
    """Efron's share of the replicates for the normal quantile z; 0 or 1 where the correction has no end."""
    scale = 1 - acceleration * (bias + z)
    return float(ndtr(bias + (bias + z) / scale)) if not scale <= 0 else float(z > 0)


def _studentised(problem: _Problem, figures: FloatArray, estimate: float, tail: float) -> tuple[float, float]:
    held, statistic = problem.clusters.held, problem.statistic
    error = float(_jackknife(statistic, *problem.clusters)[0])
    if error == 0:  # nothing to measure distances by
        return np.nan, np.nan
    errors = [_jackknife(statistic, held, drawn)[0] for drawn in problem.draws(held.size)]
    with np.errstate(all="ignore"):
        distances = (figures - estimate) / np.concatenate(errors)
    low, high = _limits(distances, tail, 1 - tail)
    return estimate - error * high, estimate - error * low


def _limits(values: FloatArray, low_share: float, high_share: float) -> tuple[float, float]:
    """The values of ranks p (B + 1), rounded outwards; infinite beyond the outer ends, NaN where a share is."""
    if np.isnan(low_share) or np.isnan(high_share):
        return np.nan, np.nan
    low, high = np.floor((values.size + 1) * low_share + 1e-9), np.ceil((values.size + 1) * high_share - 1e-9)
    missing = np.isnan(values)
    from_below = np.sort(np.where(missing, -np.inf, values))
    from_above = np.sort(np.where(missing, np.inf, values))
    return (
        float(from_below[int(min(low, values.size)) - 1]) if low >= 1 else -np.inf,
        float(from_above[int(max(high, 1)) - 1]) if high <= values.size else np.inf,
    )


def _jackknife(statistic: Statistic, held: Counts, n_clusters: Counts) -> tuple[FloatArray, FloatArray]:
    """Standard error and acceleration from leaving out each cluster, for each row of `n_clusters` (..., sorts)."""
    totals = n_clusters @ held
    drawn = n_clusters > 0  # one that was not cannot be left out: counts below 0 are no counts
    left = _measured(statistic, totals[..., None, :] - np.where(drawn[..., None], held, 0))
    with np.errstate(all="ignore"):
        left = np.where(drawn, left, 0.0)
        n = n_clusters.sum(axis=-1)
        distance = (n_clusters * left).sum(axis=-1, keepdims=True) / n[..., None] - left
        square = (n_clusters * distance**2).sum(axis=-1)
        cube = (n_clusters * distance**3).sum(axis=-1)
        return np.sqrt((n - 1) / n * square), np.where(square == 0, 0.0, cube / (6 * square**1.5))


def _measured(statistic: Statistic, totals: Counts) -> FloatArray:
    with np.errstate(all="ignore"):
        figures = np.asarray(statistic(totals), dtype=np.float64)
    if figures.shape != totals.shape[:-1]:
        wanted = f"of shape {totals.shape[:-1]} for totals of shape {totals.shape}"
        raise UsageError(f"the statistic gave figures of shape {figures.shape}; want them {wanted}")
    return figures


# Replicates and the groups that they are made of.


def _drawn(sampler: Sampler, counts: Counts, replicates: range, seed: int) -> Counts:
    out = np.zeros((len(replicates), counts.size), dtype=np.int64)
    parts = cores()
    bounds = [len(replicates) * part // parts for part in range(parts + 1)]

    def fill(part: int) -> None:
        rows = out[bounds[part] : bounds[part + 1]]
        sampler(counts, _seed(seed), replicates.start + bounds[part], rows)

    _in_threads(fill, parts)
    return out


def _multinomials(counts: Counts, seed: np.uint64, first: int, out: Counts) -> None:
    resample.multinomials(counts, seed, first, np.empty((2, TILE)), np.empty(TILE, dtype=np.int64), out)


SAMPLERS: dict[str, Sampler] = {"multinomial": _multinomials, "poisson": resample.poissons}


def _in_threads(work: Callable[[int], None], parts: int) -> None:
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, range(parts)))


class _Grouped(NamedTuple):
    """Clusters in order of key; cluster p holds counts[e] records in cells[e], e from starts[p] to starts[p + 1]."""

    keys: NDArray[np.uint64]
    starts: Counts
    cells: Counts
    counts: Counts


def _grouped(key: NDArray[np.uint64], cell: Counts, n_cells: int) -> _Grouped:
    order = np.argsort(key)
    key = key[order]
    first = _first_of_each(key)
    cluster = np.cumsum(first) - 1
    pairs = np.sort(cluster * n_cells + cell[order])
    at = np.flatnonzero(_first_of_each(pairs))
    of, pair_cells = np.divmod(pairs[at], n_cells)
    starts = np.searchsorted(of, np.arange(first.sum() + 1))
    return _Grouped(key[first], starts, pair_cells, np.diff(at, append=pairs.size))


def _first_of_each(ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    return np.concatenate([np.ones(min(1, ordered.size), dtype=bool), ordered[1:] != ordered[:-1]])


def _told_apart(grouped: _Grouped) -> Counts:
    """A number for each cluster, the same for clusters that hold the same: told further apart pair by pair."""
    pairs = grouped.cells * (grouped.counts.max(initial=0) + 1) + grouped.counts
    kinds, pair = np.unique(pairs, return_inverse=True)
    n_pairs = np.diff(grouped.starts)
    sort = np.zeros(n_pairs.size, dtype=np.int64)
    for i in range(n_pairs.max(initial=0)):
        rows = np.flatnonzero(n_pairs > i)
        told = sort[rows] * kinds.size + pair[grouped.starts[rows] + i]
        sort[rows] = sort.max() + 1 + np.unique(told, return_inverse=True)[1]
    return sort


def _alike_by_numpy(key: NDArray[np.uint64], cell: Counts, n_cells: int) -> Clusters:
    grouped = _grouped(key, cell, n_cells)
    _, sort, n_clusters = np.unique(_told_apart(grouped), return_inverse=True, return_counts=True)
    held = np.zeros((n_clusters.size, n_cells), dtype=np.int64)
    held[np.repeat(sort, np.diff(grouped.starts)), grouped.cells] = grouped.counts
    return _in_order(held, n_clusters)


def _alike_by_kernel(key: NDArray[np.uint64], cell: Counts, n_cells: int) -> Clusters:
    """Little room is nearly always enough, and memory that nobody asked for need not be cleared."""
    records, edges = _in_buckets(key, cell)
    narrow = max(8, min(32, 64 // n_cells))
    found = _sorts(records, edges, n_cells, narrow, FEW_SORTS) or _sorts(records, edges, n_cells, 32, key.size)
    return _in_order(*(np.concatenate(column) for column in zip(*found)))


def _in_buckets(key: NDArray[np.uint64], cell: Counts) -> tuple[NDArray[np.uint64], Counts]:
    """Records in order of bucket, a share for each thread; bucket b of share t from edges[t, b] to edges[t, b + 1]."""
    bounds = np.arange(cores() + 1) * key.size // cores()
    records, edges = np.empty_like(key), np.zeros((cores(), kernel.MOST_CELLS + 1), dtype=np.int64)

    def work(part: int) -> None:
        rows = slice(bounds[part], bounds[part + 1])
        kernel.spread(key[rows], cell[rows], edges[part, 1:], records[rows])

    _in_threads(work, cores())
    return records, edges + bounds[:-1, None]


def _sorts(records: NDArray[np.uint64], edges: Counts, n_cells: int, bits: int, most: int) -> list[Clusters]:
    """Clusters by sort, from each thread its own; none where counters of `bits` bits or `most` sorts are too few."""
    word, place = np.divmod(np.arange(n_cells), 64 // bits)
    shift, full = (place * bits).astype(np.uint64), np.uint64(2**bits - 1)
    columns, biggest = int(word[-1]) + 2, int(np.diff(edges).sum(axis=0).max())
    found: list[Clusters] = []

    def work(part: int) -> None:
        slots, most_slots = (1 << (times * n).bit_length() for times, n in ((8, biggest), (2, most)))
        room = np.empty(biggest + 1, np.int64), np.zeros((slots, columns), np.uint64), np.zeros(most_slots, np.int64)
        held, n_clusters = np.empty((most, columns), np.uint64), np.empty(most, np.int64)
        sorts = kernel.alike(records, edges, part, cores(), word + 1, shift, full, *room, held, n_clusters)
        if sorts >= 0:
            unpacked = (held[:sorts, word + 1] >> shift) & full
            found.append(Clusters(unpacked.astype(np.int64), n_clusters[:sorts]))

    _in_threads(work, cores())
    return found if len(found) == cores() else []


def _in_order(held: Counts, n_clusters: Counts) -> Clusters:
    """Sorts in ascending order of what they hold, those that hold the same put together."""
    order = np.lexsort(held.T[::-1])
    held = held[order]
    first = np.concatenate([np.ones(min(1, order.size), dtype=bool), (held[1:] != held[:-1]).any(axis=1)])
    starts = np.flatnonzero(first)
    return Clusters(held[first], np.add.reduceat(n_clusters[order], starts) if starts.size else n_clusters)


# Arguments.


def _records(keys: ArrayLike, cells: ArrayLike, n_cells: int) -> tuple[NDArray[np.uint64], Counts]:
    _positive("n_cells", n_cells)
    key, cell = _whole("keys", keys).astype(np.uint64, copy=False), _whole("cells", cells).astype(np.int64, copy=False)
    if key.shape != cell.shape:
        raise UsageError(
            f"keys has shape {key.shape} and cells {cell.shape}: there must be one of each for every record"
        )
    if cell.size and (cell.min() < 0 or cell.max() >= n_cells):
        raise UsageError(
            f"cells run from {cell.min()} to {cell.max()}: with n_cells={n_cells}, from 0 to {n_cells - 1}"
        )
    return np.ascontiguousarray(key), np.ascontiguousarray(cell)


def _whole(name: str, values: ArrayLike) -> NDArray[np.integer]:
    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise UsageError(f"{name} is {array.dtype} of {array.ndim} dimensions: it must be one row of whole numbers")
    return array


def _counts(name: str, counts: ArrayLike) -> Counts:
    array = _whole(name, counts).astype(np.int64)
    if array.size and array.min() < 0:
        raise UsageError(f"{name} has {array.min()}: counts are 0 or more")
    return array


def _sound(clusters: Clusters) -> Clusters:
    held, n_clusters = np.asarray(clusters.held), _counts("n_clusters", clusters.n_clusters)
    if held.ndim != 2 or len(held) != n_clusters.size or held.dtype.kind not in "iu":
        raise UsageError(
            f"clusters.held is {held.dtype} of shape {held.shape} for {n_clusters.size} sorts: "
            "it must be whole numbers, a row for each sort"
        )
    return Clusters(held.astype(np.int64), n_clusters)


def _positive(name: str, number: int) -> int:
    if not isinstance(number, (int, np.integer)) or number < 1:
        raise UsageError(f"{name} is {number}: it must be a whole number, 1 or more")
    return int(number)


def _seed(seed: int) -> np.uint64:
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise UsageError(f"seed is {seed}: it must be a whole number from 0 to 2^64 - 1")
    return np.uint64(seed)
