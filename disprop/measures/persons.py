"""About people, not searches: how many were searched, how often, and how many searches are on people searched again.

Searches and people are two figures and are never mixed: 1,792 of 24,867 searches were on people searched more than
once, which says nothing about how many people those are. A person counts inside the period and inside one force.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from disprop.coverage import month_coverage
from disprop.intervals import proportion_interval, rate_interval
from disprop.measures.alike import laid_on
from disprop.measures.exposed import Exposed, Holes, default_by, expose, month_counts
from disprop.measures.rates import PER, search_rate
from disprop.persons import Meetings, PersonTally
from disprop.results import groups_of, join_flags, not_computable, result_frame, text_where
from disprop.tallies import Axis, Tally

if TYPE_CHECKING:
    import pandas as pd

NO_KEY = "no record names a person"
PARTLY = "on the months there are"


@dataclass(frozen=True)
class _Cells:
    """Flattened cells: who was met in them, records with and without a key, months behind them."""

    axes: tuple[Axis, ...]
    met: Meetings
    records: np.ndarray
    covered: np.ndarray
    period: np.ndarray

    @property
    def size(self) -> int:
        return len(self.records)

    @property
    def people(self) -> np.ndarray:
        return self.met.people(self.size)

    @property
    def keyed(self) -> np.ndarray:
        """Records that name a person."""
        return self.met.records(self.size)

    @property
    def groups(self) -> dict[str, list[str]]:
        """Codes of the cells that have records."""
        return groups_of(self.axes, self.records.reshape([len(axis) for axis in self.axes]) > 0)

    def frame(self, values: dict[str, object]) -> pd.DataFrame:
        """Result rows of the cells that have records; array values are of all cells."""
        keep = self.records > 0
        flag = np.where(self.keyed == 0, NO_KEY, np.where(self.covered < self.period, PARTLY, ""))
        every = {
            "n_unknown": self.records - self.keyed,
            "covered_months": self.covered,
            "period_months": self.period,
            "flag": flag,
            **values,
        }
        rows = {name: value[keep] if isinstance(value, np.ndarray) else value for name, value in every.items()}
        return result_frame(self.groups, rows)


def _cells(persons: PersonTally, by: Sequence[str] | None) -> _Cells:
    """The cells of the axes `by`, over the covered months."""
    names = default_by(persons.counted) if by is None else list(by)
    cover = month_coverage(persons.counted)
    cut = persons.covered_only(cover)
    axes = tuple(cut.counted.axis(name) for name in names)
    records = cut.counted.project(names).counts
    months = (np.broadcast_to(some, records.shape).reshape(-1) for some in month_counts(cover, axes))
    return _Cells(axes, cut.meetings(names), records.reshape(-1), *months)


def repeat_search_share(
    persons: PersonTally, *, by: Sequence[str] | None = None, confidence: float = 0.95
) -> pd.DataFrame:
    """Share of searches that were on people searched more than once, in the period and in the row's cell.

    Searches that name no person are left out of the share and bound it: it is lowest if each of them was of somebody
    not searched otherwise, highest if each was of somebody searched before, those searched once first. No search names
    a person: no figure. Times are counted inside the row's cell: somebody recorded once under one group and once under
    another is searched once in each, so that rows by group may hold fewer repeats than the row without. The share grows
    with the period: shares of a month and of a year are not comparable.

    share = sum(m where m > 1) / sum(m), m the searches of one person; limits: Wilson 1927 on n / deff searches, because
    searches of one person are not independent: deff = sum((y - share m)^2) / (n share (1 - share)), y = m where m > 1
    and else 0, the sum over people (linearised ratio; Cochran 1977, section 3.12).

    persons: see `person_tally`. by: axes of the rows; default every axis but month.
    Returns one row a cell, columns as in `disprop.results.COLUMNS`, unit "share of searches".
    Raises AxisMismatch for an axis that was not counted by.

    >>> import disprop as dp
    >>> people = dp.person_tally(dp.synthetic.make_encounters().source("search"))
    >>> repeat_search_share(people)[["numerator", "denominator", "estimate", "low", "high"]].round(3)
       numerator  denominator  estimate    low   high
    0     1419.0      20188.0      0.07  0.063  0.079
    """
    cells = _cells(persons, by)
    repeats, keyed = cells.met.repeats(cells.size), cells.keyed
    with np.errstate(divide="ignore", invalid="ignore"):
        share = repeats / keyed
    deff = _design_effect(cells, share)
    interval = proportion_interval(events=repeats / deff, trials=keyed / deff, confidence=confidence)
    low, high = repeat_bounds(
        repeats=repeats, people_once=cells.people - _people_again(cells), keyed=keyed, unknown=cells.records - keyed
    )
    given = keyed > 0
    return cells.frame(
        {
            "measure": "repeat_search_share",
            "numerator": repeats,
            "denominator": keyed,
            "estimate": share,
            "low": np.where(given, interval.low, np.nan),
            "high": np.where(given, interval.high, np.nan),
            "confidence": confidence,
            "method": text_where(given, [f"wilson, person-clustered {d:.2f}" for d in deff]),
            "unit": f"share of {persons.counted.unit}",
            "bound_low": low,
            "bound_high": high,
        }
    )


def repeat_bounds(
    *, repeats: np.ndarray, people_once: np.ndarray, keyed: np.ndarray, unknown: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest share of searches on people searched more than once, whoever the unknown were of.

    Least: each unknown search was of somebody else. Greatest: each was of somebody searched at least once more; as far
    as they go, of those known to be searched once, who then count twice. One search in all is of nobody twice.

    All arguments are counts, arrays of one shape: searches on people known to repeat, people known to be searched once,
    searches that name a person, searches that do not.

    >>> [bound.round(3).tolist() for bound in repeat_bounds(repeats=np.array([1792]), people_once=np.array([23_075]),
    ...                                                     keyed=np.array([24_867]), unknown=np.array([133]))]
    [[0.072], [0.082]]
    """
    total = keyed + unknown
    with np.errstate(divide="ignore", invalid="ignore"):
        low = repeats / total
        high = np.where(total == 1, 0.0, (repeats + unknown + np.minimum(unknown, people_once)) / total)
    return low, high


def _people_again(cells: _Cells) -> np.ndarray:
    """People with more than one record in the cell."""
    return np.bincount(cells.met.cell[cells.met.n > 1], minlength=cells.size)


def _design_effect(cells: _Cells, share: np.ndarray) -> np.ndarray:
    """How many times the variance of the share exceeds that of independent searches; at least 1."""
    once = cells.people - _people_again(cells)
    squares = cells.met.squares(cells.size) - once
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = ((1 - share) ** 2 * squares + share**2 * once) / (cells.keyed * share * (1 - share))
        all_again = squares / cells.keyed
    return np.maximum(np.nan_to_num(np.where(share == 1, all_again, inner), nan=1.0, posinf=1.0), 1.0)


def people_searched(persons: PersonTally, *, by: Sequence[str] | None = None) -> pd.DataFrame:
    """How many people were searched, in the period: a count of people, kept apart from the count of searches.

    Searches that name no person bound it: from none of them adding a person (one, where nobody else is known) to each
    adding one. Somebody recorded under two groups is one person in each row, so that rows do not add up. Not a sample:
    no limits.

    Arguments, columns and errors as `repeat_search_share`; numerator: people; denominator: searches that name them.

    >>> import disprop as dp
    >>> people = dp.person_tally(dp.synthetic.make_encounters().source("search"))
    >>> people_searched(people)[["numerator", "denominator", "unit"]]
       numerator  denominator    unit
    0    19119.0      20188.0  people
    """
    cells = _cells(persons, by)
    people, unknown = cells.people, cells.records - cells.keyed
    given = cells.keyed > 0
    return cells.frame(
        {
            "measure": "people_searched",
            "numerator": np.where(given, people, np.nan),
            "denominator": cells.keyed,
            "estimate": np.where(given, people, np.nan),
            "unit": "people",
            "bound_low": _fewest_people(people, unknown),
            "bound_high": people + unknown,
        }
    )


def _fewest_people(people: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    return np.where((people == 0) & (unknown > 0), 1, people)


def person_rate(
    persons: PersonTally,
    population: Tally,
    *,
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    holes: Holes = "whole",
    perceived: bool = False,
) -> pd.DataFrame:
    """People searched at least once in the period, per 1,000 residents, with the search rate beside.

    Not per year: people do not add up over months as searches do, so that the rate of two years is less than twice that
    of one; compare periods of one length only. Withheld where the search rate is, for the same reasons. Rows are by
    force, as a person counts within one. Bounds: if no search that names no person, or no group, was of somebody else
    of the group; if each was of another one.

    rate = people / residents x 1,000, residents those of the covered months on average; limits: exact Poisson (Garwood
    1936), people being independent.

    persons: see `person_tally`; population, holes, perceived: as `search_rate`. by: axes of the rows; default every
    axis but month; `force` is always among them.

    Returns the rows of measure "person_rate", unit "people per 1,000 residents in the period", then those of
    "search_rate". Raises as `search_rate`.

    >>> import disprop as dp
    >>> people = dp.person_tally(dp.synthetic.make_encounters().source("search"), by=["ethnicity_self"])
    >>> rates = person_rate(people, dp.synthetic.population())
    >>> rates[["ethnicity_self", "measure", "estimate", "low", "high"]].iloc[[0, 3, 5, 8]].round(2)
      ethnicity_self      measure  estimate    low   high
    0          White  person_rate      6.78   6.65   6.90
    3          Black  person_rate     19.60  18.73  20.51
    5          White  search_rate      7.15   7.02   7.29
    8          Black  search_rate     20.52  19.62  21.45
    """
    import pandas as pd

    counted, wanted = persons.counted, default_by(persons.counted) if by is None else list(by)
    names = wanted if "force" in wanted else ["force", *wanted]
    found = expose(counted, population, names, holes=holes, perceived=perceived)
    rows = _person_rows(_cells(persons, names), found, confidence)
    beside = search_rate(counted, population, by=names, confidence=confidence, holes=holes, perceived=perceived)
    return pd.concat([rows, beside], ignore_index=True)


def _person_rows(cells: _Cells, found: Exposed, confidence: float) -> pd.DataFrame:
    people, without, keyed = (
        laid_on(found.axes, cells.axes, values.reshape([len(axis) for axis in cells.axes]))
        for values in (cells.people, cells.records - cells.keyed, cells.keyed)
    )
    keep = found.rows()
    unknown = (replace(found, n=people + without).unknown() + without)[keep]
    n_unknown = (found.unknown() + without)[keep]
    with np.errstate(divide="ignore", invalid="ignore"):
        residents = (found.years * 12 / found.covered)[keep]
    people, why = people[keep], np.where(found.years[keep] > 0, "", "no residents")
    keyless = (keyed == 0) & (found.n > 0)
    why = np.array([a or b for a, b in zip(found.reason[keep], why)], dtype=object)
    why = np.where((why == "") & keyless[keep], NO_KEY, why)
    open_to = (why == "") & (residents > 0)
    base = np.where(open_to, residents, np.nan) / PER
    rate = rate_interval(events=people, exposure=base, confidence=confidence, method="exact")
    return result_frame(
        found.groups(keep),
        {
            "measure": "person_rate",
            "numerator": people,
            "denominator": residents,
            "estimate": rate.estimate,
            "low": rate.low,
            "high": rate.high,
            "confidence": confidence,
            "method": "exact",
            "unit": "people per 1,000 residents in the period",
            "bound_low": people / base,
            "bound_high": (people + unknown) / base,
            "n_unknown": n_unknown,
            "covered_months": found.covered[keep],
            "period_months": found.period[keep],
            "population_vintage": found.vintage,
            "flag": [join_flags(not_computable(reason), also) for reason, also in zip(why, found.flag[keep])],
        },
    )
