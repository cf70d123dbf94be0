"""Root finding between two ends that a closed form gives."""

from collections.abc import Callable

import numpy as np

from disprop.intervals.interval import FloatArray

_FLOAT = np.finfo(np.float64)
_SMALLEST = float(_FLOAT.smallest_normal)
_MOST_STEPS = 2_046  # halvings from the widest bracket of float64 numbers to the narrowest


def root(function: Callable[..., FloatArray], low: FloatArray, high: FloatArray, *args: FloatArray) -> FloatArray:
    """Where the monotone `function(x, *args)` is 0 between `low` and `high`, element by element, to 4 ulp.

    The ends come from closed forms that hold the root, so that ends of one sign mean a root at an end
    (to rounding, or because the limit itself lies at a corner): the end nearer to 0 is returned.
    A missing end gives NaN.

    Source: Chandrupatla (1997) Advances in Engineering Software 28:145.

    >>> root(lambda x, square: x * x - square, np.zeros(3), np.full(3, 2.0), np.array([2.0, 4.0, 5.0]))
    array([1.41421356, 2.        , 2.        ])
    """
    columns = np.broadcast_arrays(low, high, *args)
    with np.errstate(all="ignore"):
        return _narrowed(function, *map(np.ravel, columns)).reshape(columns[0].shape)


def _narrowed(function: Callable[..., FloatArray], x1: FloatArray, x2: FloatArray, *args: FloatArray) -> FloatArray:
    """The root lies between x1, the last place looked at, and x2; x3 was given up last. f1, f2, f3: heights there."""
    out, which = np.empty(x1.shape), np.arange(x1.size)
    f1, f2 = function(x1, *args), function(x2, *args)
    x3, f3 = x2, f2
    for _ in range(_MOST_STEPS):
        is_first = np.abs(f1) < np.abs(f2)
        nearer, height = np.where(is_first, x1, x2), np.where(is_first, f1, f2)
        width, least = np.abs(x2 - x1), 4 * (_FLOAT.eps * np.abs(nearer) + _SMALLEST)
        left = (np.sign(f1) != np.sign(f2)) & ~(np.abs(height) <= _SMALLEST)
        missing = left & (~np.isfinite(width) | (np.isnan(f1) & np.isnan(f2)))
        out[which] = np.where(missing, np.nan, nearer)
        left &= ~missing & (width >= least)
        if not left.any():
            break
        which, args = which[left], tuple(column[left] for column in args)
        width, least, x1, f1, x2, f2, x3, f3 = (column[left] for column in (width, least, x1, f1, x2, f2, x3, f3))
        x = x1 + np.clip(_share(x1, f1, x2, f2, x3, f3), least / width / 2, 1 - least / width / 2) * (x2 - x1)
        f = function(x, *args)
        goes_on = np.sign(f) == np.sign(f1)  # the root is still between x and x2
        x3, f3 = np.where(goes_on, x1, x2), np.where(goes_on, f1, f2)
        x2, f2 = np.where(goes_on, x2, x1), np.where(goes_on, f2, f1)
        x1, f1 = x, f
    return out


def _share(
    x1: FloatArray, f1: FloatArray, x2: FloatArray, f2: FloatArray, x3: FloatArray, f3: FloatArray
) -> FloatArray:
    """How far from x1 to x2 to look next: where the parabola through the three, x as a function of height, is at 0.

    Where that parabola would not be monotone between them, half-way.
    """
    x, f = (x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2)
    parabola = f1 / (f1 - f2) * f3 / (f3 - f2) - (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f2 - f3)
    return np.where((1 - np.sqrt(1 - x) < f) & (f < np.sqrt(x)), parabola, 0.5)
