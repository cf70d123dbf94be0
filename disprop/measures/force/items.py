"""Use of force by item: the tally of records that have a tactic or a reason, and published years among months."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from disprop.codelists import ANY
from disprop.errors import UnitMismatch, UsageError
from disprop.measures.exposed import default_by
from disprop.months import month_label
from disprop.provenance import part_row, parts
from disprop.results import join_flags
from disprop.tallies import Axis, Tally, month_axis

if TYPE_CHECKING:
    import pandas as pd

REPORTS, TACTICS = "force reports", "tactics"
ITEMS = ("tactic", "tactic_class", "tactic_use", "reason", "impact_factor", "force_outcome")
"""Axes of which a report may have several codes."""
OF_TACTICS = ("tactic_class", "tactic_use")
"""Coarser lists that a published table of tactics can be told in."""

ONE_YEAR = "a year's total: the limits are of chance alone, without the spread between months"
SEVERAL_USES = "uses of tactics: several may be of one report, so that the limits are too narrow"
NOT_JUDGED = (
    "no verdict: how wide the limits should be is not known, from a published year without months or reports to go by"
)
PERCEIVED_TOO = "age and gender as the officer perceives them"


def having(tally: Tally, axis: str, code: str) -> Tally:
    """The records that have an item, each once: the tally without the axis. Others are excluded, by name.

    Of a published table of uses: the uses of that tactic.

    >>> import disprop as dp, pandas as pd
    >>> rows = {"force": ["kent"] * 3, "month": ["2023-04"] * 3, "tactics": ["Shield", "Shield | Baton drawn", None]}
    >>> reports = dp.tally(dp.read_frame(pd.DataFrame(rows), kind="force_report"), by=["tactic"])
    >>> having(reports, "tactic", "Shield")
    <Tally of 2 force reports: force (1) x month (1); 1 parts>
    """
    at, this = tally.names.index(axis), tally.axis(axis)
    counts = np.ascontiguousarray(tally.counts.take(this.index(code), axis=at))
    account = tally.account.exclude(f"without {axis} {code}", tally.total - int(counts.sum()))
    return replace(tally, axes=(*tally.axes[:at], *tally.axes[at + 1 :]), cells=counts, account=account)


def without_items(tally: Tally) -> Tally:
    """The tally without its axis of items: each record once; of published uses, all of them."""
    name = items_axis(tally)
    if name is None:
        return tally
    if tally.axis(name).is_multi:
        return tally.records(name)
    return tally.project([one for one in tally.names if one != name])


def items_axis(tally: Tally) -> str | None:
    """The one axis of items that a tally has, or None."""
    return next((name for name in tally.names if name in ITEMS), None)


def check_unit(tally: Tally, *units: str) -> None:
    """Raises UnitMismatch where a tally counts something else: reports, tactics, searches are never taken one for
    the other."""
    if tally.unit not in units:
        raise UnitMismatch(f"{' or '.join(units)} are wanted; this tally counts {tally.unit}")


def as_months(tally: Tally) -> Tally:
    """A published year as a tally of months, to be divided by a year: all of it stands in the first month.

    Nothing by month may be read from it, and no measure here does: a year without months has no spread between them.
    """
    if "month" in tally.names:
        return tally
    first, last = tally.scope.first, tally.scope.last
    if first is None or last is None or "force" not in tally.names:
        raise UsageError("a published tally needs its forces and its year; read it with read_force_tables")
    months = month_axis(range(first, last + 1))
    turned = tally.project(["force", *(name for name in tally.names if name != "force")])
    counts = np.zeros((turned.counts.shape[0], len(months), *turned.counts.shape[1:]), dtype=np.int64)
    counts[:, 0] = turned.counts
    rows = (
        part_row(
            dataset=str(part["dataset"]), kind=str(part["kind"]), force=str(part["force"]), month=month,
            files=[part["part"].decode()], rows=int(part["rows"]) if month == first else 0,
        )
        for part in tally.parts
        for month in range(first, last + 1)
    )  # fmt: skip
    axes = (turned.axes[0], months, *turned.axes[1:])
    return replace(turned, axes=axes, cells=counts, parts=parts(rows))


def each_item(
    tally: Tally,
    by: Sequence[str] | None,
    compute: Callable[[Tally, list[str]], pd.DataFrame],
    *,
    measure: str,
    of: str = "",
) -> pd.DataFrame:
    """Rows of `compute(tally, axes of the rows)`, under each item where the rows are by an axis of items.

    Under items the code `any` stands for the records that have one at all. `measure` names the rows; `of` is the axis
    compared, where there is one.
    """
    import pandas as pd

    first = "" if "month" in tally.names or tally.scope.first is None else f" in {month_label(tally.scope.first)}"
    tally, names, remark = _ready(tally, by, of)
    axis = next((name for name in names if name in ITEMS), None)
    rest = [name for name in names if name != axis]
    if axis is None:
        found = compute(without_items(tally), rest)
    else:
        each = [_marked(compute(having(tally, axis, code), rest), axis, code, names) for code in _codes(tally, axis)]
        found = pd.concat(each, ignore_index=True) if each else compute(without_items(tally), rest).iloc[:0]
    found["measure"] = measure
    flags = (flag.replace(first, " in the year") if first else flag for flag in found["flag"])
    found["flag"] = [join_flags(flag, *remark) for flag in flags]
    return found


def _ready(tally: Tally, by: Sequence[str] | None, of: str) -> tuple[Tally, list[str], list[str]]:
    """The tally with months and in the items asked for, the axes of the rows, and what to keep in mind."""
    check_unit(tally, REPORTS, TACTICS)
    names = list(default_by(tally)) if by is None else list(by)
    yearly = "month" not in tally.names
    if yearly and "month" in names:
        raise UsageError("a published year has no months; leave month out of by")
    for name in OF_TACTICS:
        if name in names and name not in tally.names and tally.unit == TACTICS:
            tally = tally.recode("tactic", name, rename=name)
    remark = [ONE_YEAR] if yearly else []
    remark += [SEVERAL_USES] if tally.unit == TACTICS and "tactic" not in names else []
    remark += [PERCEIVED_TOO] if {"age_band", "gender"} & {*names, of} else []
    return as_months(tally), names, remark


def _codes(tally: Tally, axis: str) -> list[str]:
    """Items that occur, and `any` where records are counted."""
    this: Axis = tally.axis(axis)
    codes = [code for code in this.groups if tally[{axis: code}]]
    return [*codes, ANY] if this.is_multi else codes


def _marked(frame: pd.DataFrame, axis: str, code: str, names: list[str]) -> pd.DataFrame:
    """The rows with a column that names their item, where the axis stands among those asked for."""
    frame.insert(min(names.index(axis), len(frame.columns)), axis, code)
    return frame
