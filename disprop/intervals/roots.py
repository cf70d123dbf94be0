"""Root finding between two ends that a closed form gives."""

from collections.abc import Callable

import numpy as np

from disprop.intervals.interval import FloatArray


def root(function: Callable[..., FloatArray], low: FloatArray, high: FloatArray, *args: FloatArray) -> FloatArray:
    """Where the monotone `function(x, *args)` is 0 between `low` and `high`, element by element, to 4 ulp.

    The ends come from closed forms that hold the root, so that ends of one sign mean a root at an end
    (to rounding, or because the limit itself lies at a corner): the end nearer to 0 is returned.
    A missing end gives NaN. The method is that of Chandrupatla (1997), as scipy has it.
    """
    from scipy.optimize.elementwise import find_root  # late: the closed forms do not need it

    with np.errstate(all="ignore"):
        found = find_root(function, (low, high), args=args)
        nearer = np.where(np.abs(function(low, *args)) < np.abs(function(high, *args)), low, high)
    return np.where(found.status == _ENDS_OF_ONE_SIGN, nearer, found.x)


_ENDS_OF_ONE_SIGN = -1
