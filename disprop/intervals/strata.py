"""What every function over strata does first: counts side by side, strata along the last axis."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from disprop.errors import UsageError
from disprop.intervals.interval import FloatArray, aligned, refuse_narrower


class PerStratum(NamedTuple):
    """Arguments ready to use: `counts` in the order given, shape (..., strata); `dispersion`, `tail`, shape (...)."""

    counts: list[FloatArray]
    dispersion: FloatArray
    tail: FloatArray


def per_stratum(*, confidence: ArrayLike = 0.95, dispersion: ArrayLike = 1.0, **counts: ArrayLike) -> PerStratum:
    """The counts broadcast to (..., strata), and what holds for all strata together broadcast to (...).

    A number where an array is wanted is one stratum. Raises UsageError as `aligned` does, for a dispersion below 1, and
    for no strata at all.
    """
    arrays = {name: np.atleast_1d(values) for name, values in counts.items()}
    level, phi = (np.asarray(values)[..., None] for values in (confidence, dispersion))
    *columns, phi, tail = aligned(**arrays, dispersion=phi, confidence=level)
    if tail.shape[-1] == 0:
        raise UsageError(f"no strata: {', '.join(counts)} are empty along the last axis; give at least one")
    refuse_narrower(phi)
    return PerStratum(columns, phi[..., 0], tail[..., 0])
