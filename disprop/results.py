"""The columns that every result row carries, whatever the measure. Not applicable is null, never left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from disprop.tallies import Axis


@dataclass(frozen=True)
class ResultColumn:
    """Name, dtype (`text`, `count` or `number`) and meaning of one result column."""

    name: str
    dtype: str
    meaning: str


COLUMNS = (
    ResultColumn("measure", "text", "What the row states: search_rate, rate_ratio, linked_find, ..."),
    ResultColumn("numerator", "number", "Count above the line: searches, finds."),
    ResultColumn("denominator", "number", "What it is divided by: resident-years, or searches where it is known."),
    ResultColumn("estimate", "number", "The figure; null where it is refused or cannot be computed."),
    ResultColumn("low", "number", "Lower confidence limit."),
    ResultColumn("high", "number", "Upper confidence limit; null where there is none."),
    ResultColumn("confidence", "number", "Confidence of the limits, for instance 0.95."),
    ResultColumn("method", "text", "How the limits were made."),
    ResultColumn("unit", "text", "Unit of the estimate."),
    ResultColumn("reference", "text", "Group compared with."),
    ResultColumn("verdict", "text", "What the interval allows to be said; one of the fixed verdicts."),
    ResultColumn("verdict_holds", "text", "Whether the verdict holds whatever the unknowns are."),
    ResultColumn("point_against_band", "text", "The point alone against the band 0.8 to 1.25."),
    ResultColumn("bound_low", "number", "Estimate if every unknown fell against the group."),
    ResultColumn("bound_high", "number", "Estimate if every unknown fell to the group."),
    ResultColumn("n_unknown", "count", "Records whose group, or whose answer, is not known."),
    ResultColumn("covered_months", "count", "Force-months that were submitted and used."),
    ResultColumn("period_months", "count", "Force-months in the period."),
    ResultColumn("population_vintage", "text", "Source and year of the population."),
    ResultColumn("flag", "text", "Why a figure is withheld, or what to keep in mind; empty when nothing."),
)


def result_frame(groups: Mapping[str, Sequence[str]], values: Mapping[str, Any]) -> pd.DataFrame:
    """Result rows: the group columns first, then every column of COLUMNS in order.

    groups: column name -> codes, one a row. values: result column -> one value a row, or one for all rows; columns
    not given are null. NaN and infinity (no limit) become null.

    Raises KeyError for a value column that is not a result column.
    """
    import pandas as pd

    unknown = set(values) - {column.name for column in COLUMNS}
    if unknown:
        raise KeyError(f"not result columns: {', '.join(sorted(unknown))}")
    rows = max([len(codes) for codes in groups.values()] or [_length(values)])
    columns: dict[str, Any] = {name: pd.Series(list(codes), dtype="str") for name, codes in groups.items()}
    for column in COLUMNS:
        columns[column.name] = _column(values.get(column.name), column.dtype, rows)
    return pd.DataFrame(columns)


def _length(values: Mapping[str, Any]) -> int:
    return max((len(v) for v in values.values() if np.ndim(v)), default=1)


def _column(value: Any, dtype: str, rows: int) -> pd.Series:
    import pandas as pd

    if dtype == "number":
        numbers = np.broadcast_to(np.asarray(np.nan if value is None else value, dtype=float), rows)
        return pd.Series(np.where(np.isfinite(numbers), numbers, np.nan))
    if dtype == "count":
        return pd.Series(
            np.broadcast_to(np.asarray(pd.NA if value is None else value, dtype=object), rows), dtype="Int64"
        )
    return pd.Series(np.broadcast_to(np.asarray(value, dtype=object), rows), dtype="str")


def groups_of(axes: Sequence[Axis], keep: np.ndarray) -> dict[str, list[str]]:
    """The group columns: codes of the cells of `axes` that are kept, one a row. keep: bool, one a cell."""
    where = np.nonzero(np.atleast_1d(keep))
    return {axis.name: np.array(axis.codes, dtype=object)[at].tolist() for axis, at in zip(axes, where)}


def group_names(rows: pd.DataFrame) -> list[str]:
    """The group columns of result rows, which stand before the result columns."""
    return list(rows.columns[: rows.columns.get_loc("measure")])


def restated(rows: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of a figure made from that of these rows: `values` replace columns; verdict and bounds are not passed on."""
    kept = {column.name: rows[column.name] for column in COLUMNS if column.name not in _OF_ONE_FIGURE}
    return result_frame({name: rows[name].tolist() for name in group_names(rows)}, {**kept, **values})


_OF_ONE_FIGURE = ("verdict", "verdict_holds", "point_against_band", "bound_low", "bound_high")


def text_where(given: np.ndarray, text: Any) -> np.ndarray:
    """The text (one, or one a row) where it is given, null elsewhere."""
    words = np.broadcast_to(np.asarray(text, dtype=object), np.shape(given)).copy()
    words[~np.asarray(given)] = None
    return words


def join_flags(*flags: str | None) -> str:
    """Several remarks as one, empty ones left out."""
    return "; ".join(dict.fromkeys(flag for flag in flags if flag))


def not_computable(why: str | None) -> str:
    """The remark on a figure that cannot be computed; empty where there is no reason."""
    return f"not computable: {why}" if why else ""
