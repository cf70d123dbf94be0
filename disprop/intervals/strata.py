"""What every function over strata does first: counts side by side, strata along the last axis."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from disprop.errors import UsageError
from disprop.intervals.interval import FloatArray, aligned


class PerStratum(NamedTuple):
    """Arguments ready to use: `counts` in the order given, shape (..., strata); `overall` and `tail`, shape (...)."""

    counts: list[FloatArray]
    overall: list[FloatArray]
    tail: FloatArray


def per_stratum(
    *, confidence: ArrayLike = 0.95, overall: dict[str, ArrayLike] | None = None, **counts: ArrayLike
) -> PerStratum:
    """The counts broadcast to (..., strata), and what holds for all strata together broadcast to (...).

    A number where an array is wanted is one stratum. Raises UsageError as `aligned` does, and for no strata at all.
    """
    together = {name: np.asarray(values)[..., None] for name, values in (overall or {}).items()}
    arrays = {name: np.atleast_1d(values) for name, values in counts.items()}
    *columns, tail = aligned(confidence=np.asarray(confidence)[..., None], **arrays, **together)
    if tail.shape[-1] == 0:
        raise UsageError(f"no strata: {', '.join(counts)} are empty along the last axis; give at least one")
    return PerStratum(columns[: len(arrays)], [one[..., 0] for one in columns[len(arrays) :]], tail[..., 0])
