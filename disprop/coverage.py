"""Which force-months were submitted, and what that leaves to divide by.

A force-month is in one of four states: submitted, empty (a file with no rows: an observed month without records),
missing (no file: never a zero) or suspected partial (far fewer rows than the months before it). Missing and suspected
partial months are holes: no rate is printed over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from disprop.codelists import ANY, NONE
from disprop.errors import UsageError
from disprop.months import month_label
from disprop.tallies import Axis, Tally, coded_axis, month_axis

if TYPE_CHECKING:
    import pandas as pd

STATES = ("missing", "suspected partial", "empty", "submitted")
MISSING, PARTIAL, EMPTY, SUBMITTED = range(4)

TRAILING, FEWEST = 12, 6
PARTIAL_SHARE, WARNING_SHARE = 0.20, 0.60

HOLE_RULE = "month not covered"
NO_RESIDENTS_RULE = "force without residents"


@dataclass(frozen=True)
class Coverage:
    """State of every force-month of a period.

    `state` has one row a force and one column a month, holding positions in STATES; `low` marks submitted months
    below 60% of the median of the months before (a warning); `rows` the rows read.
    """

    forces: tuple[str, ...]
    months: tuple[int, ...]
    state: np.ndarray
    low: np.ndarray
    rows: np.ndarray
    named: bool

    @cached_property
    def covered(self) -> np.ndarray:
        """Force-months that a rate may use: submitted or empty."""
        return self.state >= EMPTY

    def frame(self) -> pd.DataFrame:
        """One row a force-month: force, month, state, rows, warning."""
        import pandas as pd

        f, m = np.indices(self.state.shape).reshape(2, -1)
        return pd.DataFrame(
            {
                "force": np.array(self.forces, dtype=object)[f],
                "month": [month_label(self.months[i]) for i in m],
                "state": np.array(STATES, dtype=object)[self.state.reshape(-1)],
                "rows": self.rows.reshape(-1),
                "warning": np.where(self.low.reshape(-1), "below 60% of the months before", ""),
            }
        )

    def holes(self, force: int) -> str:
        """The holes of one force in words, empty when there are none."""
        return "; ".join(
            self._in_state(force, state) for state in (MISSING, PARTIAL) if (self.state[force] == state).any()
        )

    def hole_name(self, force: int, month: int) -> str:
        """One hole in words, as `missing 2019-07`."""
        return f"{STATES[self.state[force, month]]} {month_label(self.months[month])}"

    def _in_state(self, force: int, state: int) -> str:
        """The months of one force in one state, as `missing 2019-07, 2019-08`."""
        months = np.flatnonzero(self.state[force] == state)
        return f"{STATES[state]} {', '.join(month_label(self.months[m]) for m in months)}"


def month_coverage(tally: Tally) -> Coverage:
    """Coverage of the tally's scope; without a named period, of the span of its parts.

    A submitted month is suspected partial when its rows are below 20% of the median of up to 12 submitted months
    before it (at least 6, else it is not assessed); below 60% is a warning. An empty month that fails the same test is
    suspected partial too, because an empty file from a force that searches every day is not a month without searches.

    >>> import disprop as dp
    >>> records = dp.synthetic.make_records(months=("2023-04", "2023-06"))
    >>> month_coverage(dp.tally(records, by=[])).frame()
                 force    month      state  rows warning
    0  synthetic-shire  2023-04  submitted  1628
    1  synthetic-shire  2023-05    missing     0
    2  synthetic-shire  2023-06  submitted  1825
    """
    parts = tally.parts
    scope = tally.scope
    occurring = {*parts["force"].tolist(), *(scope.forces or ())}
    forces = coded_axis("force", "force", occurring).codes
    months = _months(tally)
    state = np.zeros((len(forces), len(months)), dtype=np.int8)
    low = np.zeros(state.shape, dtype=bool)
    rows = np.zeros(state.shape, dtype=np.int64)
    for i, force in enumerate(forces):
        for month, (n, at, warn) in _force_states(parts[parts["force"] == force]).items():
            if month in months:
                j = months.index(month)
                state[i, j], low[i, j], rows[i, j] = at, warn, n
    return Coverage(forces, months, state, low, rows, scope.first is not None)


def _months(tally: Tally) -> tuple[int, ...]:
    if tally.scope.first is not None and tally.scope.last is not None:
        return tuple(range(tally.scope.first, tally.scope.last + 1))
    months = tally.parts["month"].tolist()
    return tuple(range(min(months), max(months) + 1)) if months else ()


def _force_states(parts: np.ndarray) -> dict[int, tuple[int, int, bool]]:
    """month -> (rows, state, warning) for one force, in time order; partial months do not judge later ones."""
    found: dict[int, tuple[int, int, bool]] = {}
    trail: list[int] = []
    for part in np.sort(parts, order="month"):
        n = int(part["rows"])
        recent = trail[-TRAILING:]
        median = float(np.median(recent)) if len(recent) >= FEWEST else 0.0
        state = EMPTY if n == 0 else SUBMITTED
        if n < PARTIAL_SHARE * median:
            state = PARTIAL
        found[int(part["month"])] = (n, state, state != PARTIAL and n < WARNING_SHARE * median)
        if state == SUBMITTED:
            trail.append(n)
    return found


def resident_months(population: Tally, cover: Coverage) -> Tally:
    """Exposure: residents x covered months, as a tally over force, month and the population's other axes.

    A force that the population does not know has no denominator: its cells are missing.
    """
    if population.unit != "residents":
        raise UsageError(f"a population counts residents; this tally counts {population.unit}")
    rest = [name for name in population.names if name != "force"]
    people = population.project(["force", *rest])
    known = people.axis("force").codes
    shape = (len(cover.forces), *people.counts.shape[1:])
    residents, missing = np.zeros(shape, dtype=np.int64), np.ones(shape, dtype=bool)
    for i, force in enumerate(cover.forces):
        if force in known:
            at = known.index(force)
            residents[i] = people.counts[at]
            missing[i] = False if people.missing is None else people.missing[at]
    spread = (slice(None), slice(None), *(None for _ in rest))
    counts = residents[:, None] * cover.covered[spread].astype(np.int64)
    return replace(
        people,
        axes=(coded_axis("force", "force", cover.forces), month_axis(cover.months), *people.axes[1:]),
        cells=counts,
        missing=np.ascontiguousarray(np.broadcast_to(missing[:, None], counts.shape)),
        unit="resident-months",
        account=replace(people.account, read=int(counts.sum()), excluded={}, quarantined={}),
    )


def covered_only(tally: Tally, cover: Coverage) -> Tally:
    """The counts of covered force-months over exactly the force and month axes of the coverage.

    What falls in a hole (or outside the period) is counted as excluded by `month not covered`.
    """
    rest = [name for name in tally.names if name not in ("force", "month")]
    turned = tally.project(["force", "month", *rest])
    axes = (coded_axis("force", "force", cover.forces), month_axis(cover.months), *turned.axes[2:])
    counts = np.zeros([len(axis) for axis in axes], dtype=np.int64)
    here = _common(turned.axes[0], axes[0]), _common(turned.axes[1], axes[1])
    (from_f, to_f), (from_m, to_m) = here
    counts[np.ix_(to_f, to_m)] = turned.counts[np.ix_(from_f, from_m)]
    counts *= cover.covered[(slice(None), slice(None), *(None for _ in rest))]
    account = turned.account.exclude(HOLE_RULE, turned.total - _records(counts, axes))
    return replace(turned, axes=axes, cells=counts, account=account)


def _records(counts: np.ndarray, axes: Sequence[Axis]) -> int:
    """Records in the cells, each once: of an axis of items, `any` and `none` alone."""
    for at, axis in enumerate(axes):
        if axis.is_multi:
            counts = counts.take([axis.index(ANY), axis.index(NONE)], axis=at)
    return int(counts.sum())


def _common(one: Axis, other: Axis) -> tuple[list[int], list[int]]:
    shared = [code for code in one.codes if code in other.codes]
    return [one.index(code) for code in shared], [other.index(code) for code in shared]


SUPPORT_MONTHS, SUPPORT_EXPECTED = 3, 10.0
NEVER_SHARE = 0.2
"""A group that never occurs is lacking when even a fifth of the overall rate would let SUPPORT_EXPECTED be expected."""


def lacks_support(tally: Tally, axis: str, population: Tally | None = None) -> np.ndarray:
    """Force-months whose labels lack a group: bool, force x month x group of the tally's `axis`.

    A group is lacking where none of its labels occurs in a force-month that has records, although its share in the
    force's other months (at least 3) lets 10 or more be expected. Fewer expected: a true zero. Where a population is
    given, a group without residents is never lacking; and a group that occurs in no month at all is lacking where even
    a fifth of the force's rate over all known groups would let 10 or more be expected, because then the vocabulary,
    not the policing, is what leaves it out.
    """
    counts = tally.project(["force", "month", axis]).counts.astype(float)
    totals = counts.sum(axis=2)
    others = counts.sum(axis=1, keepdims=True) - counts
    other_totals = totals.sum(axis=1, keepdims=True) - totals
    other_months = (totals > 0).sum(axis=1, keepdims=True) - (totals > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.nan_to_num(others / other_totals[..., None]) * totals[..., None]
    lacking = (counts == 0) & (expected >= SUPPORT_EXPECTED) & (other_months >= SUPPORT_MONTHS)[..., None]
    groups = np.isin(tally.axis(axis).codes, tally.axis(axis).groups)
    if population is None or axis not in population.names:
        return lacking & groups
    residents = _residents(tally, axis, population)
    never = _never(counts.sum(axis=1) * groups, residents * groups)[:, None, :] & (totals > 0)[..., None]
    return (lacking | never) & groups & (residents > 0)[:, None, :]


def _never(counts: np.ndarray, residents: np.ndarray) -> np.ndarray:
    """Groups (force x group) that never occur although many residents make that incredible."""
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = residents * counts.sum(axis=1, keepdims=True) / residents.sum(axis=1, keepdims=True)
    return (counts == 0) & (np.nan_to_num(expected) * NEVER_SHARE >= SUPPORT_EXPECTED)


def _residents(tally: Tally, axis: str, population: Tally) -> np.ndarray:
    """Residents by force of the tally x group; none for a force that the population does not know."""
    people = population.project(["force", axis])
    known = people.axis("force").codes
    none = np.zeros(people.counts.shape[1], dtype=np.int64)
    return np.array([people.counts[known.index(f)] if f in known else none for f in tally.axis("force").codes])


def without_residents(population: Tally, forces: Sequence[str]) -> tuple[str, ...]:
    """Which of the forces have no residents at all in this population (British Transport Police)."""
    people = population.project(["force"])
    known = people.axis("force").codes
    return tuple(f for f in forces if f not in known or people.counts[known.index(f)] == 0)
