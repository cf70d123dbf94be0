"""What an interval allows to be said of a ratio, in the fixed words, first that is true."""

from __future__ import annotations

import numpy as np

from disprop.results import text_where

NOT_COMPUTABLE = "not computable"
TOO_FEW = "too few to say"
HIGHER = "higher"
LOWER = "lower"
WITHIN = "within the band"
HIGHER_UNCERTAIN = "higher, size uncertain"
LOWER_UNCERTAIN = "lower, size uncertain"
NO_CLEAR_DIFFERENCE = "no clear difference"

VERDICTS = (
    NOT_COMPUTABLE,
    TOO_FEW,
    HIGHER,
    LOWER,
    WITHIN,
    HIGHER_UNCERTAIN,
    LOWER_UNCERTAIN,
    NO_CLEAR_DIFFERENCE,
)

BAND = (0.8, 1.25)
FEWEST = 10

HOLDS = "holds"
DEPENDS = "depends on the unknowns"


def verdict(
    *,
    low: np.ndarray,
    high: np.ndarray,
    count: np.ndarray,
    reference_count: np.ndarray,
    expected: np.ndarray,
    computable: np.ndarray,
) -> np.ndarray:
    """The verdict on each ratio, from its limits; edges belong to the band.

    First that is true: 1 not computable; 2 too few to say: the reference count, or the larger of the group's count and
    the count expected at the reference rate, is below 10; 3 higher: low > 1.25; 4 lower: high < 0.8; 5 within
    the band: both limits in it (two one-sided tests at 2.5% each); 6 higher (lower), size uncertain: low > 1
    (high < 1); 7 no clear difference, which does not show that there is none.

    All arguments broadcast; low and high are ratios, counts are events. Returns an object array of strings.

    >>> verdict(low=np.array([2.68, 0.9, 0.7]), high=np.array([3.15, 1.1, 1.6]), count=np.array([3684, 500, 30]),
    ...         reference_count=np.array([9629, 900, 60]), expected=np.array([1268, 500, 30]),
    ...         computable=np.array([True, True, True])).tolist()
    ['higher', 'within the band', 'no clear difference']
    """
    rules = [
        (~np.asarray(computable), NOT_COMPUTABLE),
        ((reference_count < FEWEST) | (np.maximum(count, expected) < FEWEST), TOO_FEW),
        (low > BAND[1], HIGHER),
        (high < BAND[0], LOWER),
        ((low >= BAND[0]) & (high <= BAND[1]), WITHIN),
        (low > 1, HIGHER_UNCERTAIN),
        (high < 1, LOWER_UNCERTAIN),
    ]
    shape = np.broadcast_shapes(*(np.shape(where) for where, _ in rules))
    conditions = [np.broadcast_to(where, shape) for where, _ in rules]
    words = [np.array(word, dtype=object) for _, word in rules]
    return np.select(conditions, words, default=np.array(NO_CLEAR_DIFFERENCE, dtype=object))


def point_against_band(ratio: np.ndarray) -> np.ndarray:
    """The point alone against the band, because the inspectorate reads it so: above, within or below; null if none.

    >>> point_against_band(np.array([2.9, 1.25, 0.5, np.nan])).tolist()
    ['above', 'within', 'below', None]
    """
    words = np.select([ratio > BAND[1], ratio < BAND[0]], ["above", "below"], default="within").astype(object)
    return text_where(~np.isnan(ratio), words)
