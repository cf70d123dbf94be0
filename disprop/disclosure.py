"""What may be shown of officers and persons: the last step before an output, never before a measure, never stored.

Here is primary suppression only: a row about one officer or person made of too few records is emptied. Secondary
suppression (a hidden row that follows from a total and the rows shown), rounding, and what earlier releases give away
come later: until then, publish no totals beside a table by officer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from disprop.errors import UsageError
from disprop.records import PERSONAL
from disprop.results import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

FEWEST_RECORDS = 10
"""Records that a row about one officer or person needs."""
CONFIDENTIAL = "[c]"
"""Shorthand of the Government Analysis Function: confidential."""

_FIGURES = tuple(column.name for column in COLUMNS if column.dtype != "text" and column.name != "confidence")
_SAID = ("verdict", "verdict_holds", "point_against_band")
_NOBODY = ("blank", "unmapped")


def suppressed(
    rows: pd.DataFrame,
    *,
    fewest: int = FEWEST_RECORDS,
    axes: Sequence[str] = PERSONAL,
    source_public: bool = False,
) -> pd.DataFrame:
    """Result rows, or the rows of a tally, with those of an officer or person emptied that have too few records.

    Corner cases first. A table without a column of `axes` comes back as it is, and so do rows about nobody (`blank`).
    A table of many axes, which names them in a column `axis`, is about people where that is one of `axes`. A row that
    does not say how many records it is made of is emptied. A true zero is too few as well: in a table by area it hides
    nobody, but here it is a statement about one person. Rows already suppressed stay so.

    An emptied row shows nobody: its pseudonym becomes `[c]`, and every figure of it is gone, the derived ones too
    (limits, bounds, months, verdicts), because a count follows from any of them. `flag` says why. The row itself stays,
    so that it can be seen that something is hidden; its other columns of groups stay too.

    The records of a row are its `n` (a tally), its denominator where it is a share of records, else its numerator.

    fewest: records that a row needs. axes: columns whose codes are somebody. source_public: the records are already
    public one by one, so that nothing is hidden.
    Raises UsageError for a threshold below 1.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"officer": ["00c2e1", "07f3aa", "blank"], "n": [12, 9, 3]})
    >>> suppressed(rows)
      officer     n                       flag
    0  00c2e1    12
    1     [c]  <NA>  [c] fewer than 10 records
    2   blank     3
    """
    if fewest < 1:
        raise UsageError(f"the threshold is {fewest} records; it must be 1 or more")
    people = _people(rows, axes)
    if source_public or not people or not len(rows):
        return rows
    somebody = np.any([~rows[name].isin(_NOBODY) & about for name, about in people.items()], axis=0)
    hidden = somebody & ~(_records(rows) >= fewest)
    return _emptied(rows, hidden, people, f"{CONFIDENTIAL} fewer than {fewest} records") if hidden.any() else rows


def _people(rows: pd.DataFrame, axes: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns that hold codes of people, and the rows in which they do."""
    people = {name: np.ones(len(rows), dtype=bool) for name in axes if name in rows}
    if "axis" in rows:
        about = rows["axis"].isin(axes).to_numpy()
        if about.any():
            people["category" if "category" in rows else "axis"] = about
    return people


def _records(rows: pd.DataFrame) -> np.ndarray:
    """How many records each row is made of; NaN where that is not known."""
    if "n" in rows:
        return rows["n"].to_numpy(dtype=float, na_value=np.nan)
    if "numerator" not in rows or "unit" not in rows:
        return np.full(len(rows), np.nan)
    share = rows["unit"].fillna("").str.startswith("share of").to_numpy()
    over, under = (rows[name].to_numpy(dtype=float, na_value=np.nan) for name in ("numerator", "denominator"))
    return np.where(share, under, over)


def _emptied(rows: pd.DataFrame, hidden: np.ndarray, people: Mapping[str, np.ndarray], why: str) -> pd.DataFrame:
    import pandas as pd

    out = rows.copy()
    for name, about in people.items():
        out[name] = out[name].astype("str").where(~(hidden & about) | out[name].isin(_NOBODY), CONFIDENTIAL)
    for name in ("n", *_FIGURES):
        if name in out:
            whole = pd.api.types.is_integer_dtype(out[name])
            out[name] = out[name].astype("Int64" if whole else "float64").mask(hidden)
    for name in _SAID:
        if name in out:
            out[name] = out[name].mask(hidden)
    flag = out["flag"] if "flag" in out else pd.Series("", index=out.index)
    out["flag"] = flag.mask(hidden, why)
    return out
