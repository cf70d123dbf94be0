"""Exact limits for a simple sample from a finite number of records: the hypergeometric test turned round.

Of `records` records, `sample` were drawn and `met` of these met the standard. The limits are the smallest and
largest number M of all records that a two-sided test would not reject:
P(X >= met | M) > alpha / 2 and P(X <= met | M) > alpha / 2. Right where a large part of the records is drawn.

Source: Buonaccorsi (1987), The American Statistician 41(3).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import gammaln

from disprop.errors import UsageError

TIE = 1e-9  # a probability this close to alpha / 2 is equal to it: such an M is rejected


def hypergeometric_limits(*, met: int, sample: int, records: int, confidence: float = 0.95) -> tuple[int, int]:
    """The lowest and highest count of all records that may meet the standard, as whole numbers.

    Corner cases. Never fewer than the `met` seen, never more than records - (sample - met). When every record was
    drawn both limits are `met`. A value of M whose tail equals alpha / 2 exactly is left out.

    Raises: UsageError unless 0 <= met <= sample <= records and sample > 0.

    >>> hypergeometric_limits(met=17, sample=50, records=60)
    (17, 24)
    >>> hypergeometric_limits(met=84, sample=97, records=26372)
    (20620, 24435)
    """
    if not 0 <= met <= sample <= records or sample == 0:
        raise UsageError(
            f"met={met}, sample={sample}, records={records}; wanted 0 <= met <= sample <= records, sample > 0"
        )
    tail = (1 - confidence) / 2 * (1 + TIE)

    def at_least(count: int) -> bool:
        return _tail(range(met, min(sample, count) + 1), count, sample, records) > tail

    def at_most(count: int) -> bool:
        return _tail(range(max(0, sample - records + count), met + 1), count, sample, records) > tail

    least, most = met, records - (sample - met)
    return _first(at_least, least, most), most - _first(lambda back: at_most(most - back), 0, most - least)


def _tail(met: range, count: int, sample: int, records: int) -> float:
    """Sum of hypergeometric probabilities over `met`, when `count` of the records meet the standard."""
    x = np.arange(met.start, met.stop)
    return float(
        np.exp(_log_choose(count, x) + _log_choose(records - count, sample - x) - _log_choose(records, sample)).sum()
    )


def _log_choose(n: int, k: np.ndarray | int) -> np.ndarray:
    return gammaln(n + 1.0) - gammaln(np.asarray(k) + 1.0) - gammaln(n - np.asarray(k) + 1.0)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first whole number from low to high for which a rising condition holds; it does at `high`."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
