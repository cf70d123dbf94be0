"""How often: searches per 1,000 residents a year."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from disprop.intervals import rate_interval
from disprop.measures.exposed import Exposed, Holes, default_by, expose
from disprop.results import join_flags, not_computable, result_frame
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

PER = 1_000


def search_rate(
    tally: Tally,
    population: Tally,
    *,
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    method: str = "exact",
    holes: Holes = "whole",
    perceived: bool = False,
) -> pd.DataFrame:
    """Searches per 1,000 residents a year, by group.

    A search is an event, not a person: above 1,000 per 1,000 is possible. A group without residents, a force without a
    Census population, a named period with a missing or suspected partial month, and a group that the labels of some
    month lack give no rate but the reason, in `flag`. Records whose group is not known are in `n_unknown`; the bounds
    are the rate if none, or all, of them belonged to the group. No searches among residents is a rate of 0, with an
    upper limit. Several forces pooled: those without residents are left out, by name.

    rate = searches / resident-years x 1,000, resident-years = residents x covered months / 12; limits: exact Poisson
    (Garwood 1936) unless `method` says otherwise.

    tally: unit searches, axes force and month among others. population: unit residents, see `disprop.census`.
    by: axes of the rows; default every axis of the tally but month. holes: "whole" or "covered", see `expose`.
    perceived: allow officer-defined ethnicity against the self-described Census, flagged.

    Returns one row a cell, columns as in `disprop.results.COLUMNS`, unit "searches per 1,000 residents per year".
    Raises AxisMismatch, CodelistMismatch, Refused, UsageError as `expose` does.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self"])
    >>> rates = search_rate(searches, dp.synthetic.population(), by=["ethnicity_self"])
    >>> rates[["ethnicity_self", "estimate", "low", "high"]].round(1)
      ethnicity_self  estimate   low  high
    0          White       7.2   7.0   7.3
    1          Mixed      13.2  12.4  14.2
    2          Asian      11.3  10.9  11.7
    3          Black      20.5  19.6  21.4
    4          Other       6.4   5.1   8.0
    """
    found = expose(tally, population, default_by(tally) if by is None else by, holes=holes, perceived=perceived)
    keep = found.rows()
    n, years, unknown = (np.atleast_1d(values[keep]) for values in (found.n, found.years, found.unknown()))
    reason = _no_residents(found)[keep]
    open_to = (reason == "") & (years > 0)
    rate = rate_interval(
        events=n, exposure=np.where(open_to, years, np.nan) / PER, confidence=confidence, method=method
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        bound_low, bound_high = (np.where(open_to, count / years * PER, np.nan) for count in (n, n + unknown))
    return result_frame(
        found.groups(keep),
        {
            "measure": "search_rate",
            "numerator": n,
            "denominator": np.where(years > 0, years, np.nan),
            "estimate": rate.estimate,
            "low": rate.low,
            "high": rate.high,
            "confidence": confidence,
            "method": method,
            "unit": f"{tally.unit} per 1,000 residents per year",
            "bound_low": bound_low,
            "bound_high": bound_high,
            "n_unknown": unknown,
            "covered_months": found.covered[keep],
            "period_months": found.period[keep],
            "population_vintage": found.vintage,
            "flag": [join_flags(not_computable(why), also) for why, also in zip(reason, found.flag[keep])],
        },
    )


def _no_residents(found: Exposed) -> np.ndarray:
    """Reasons, with `no residents` where the group has none in the covered months."""
    why = np.frompyfunc(lambda reason, years: reason or ("" if years > 0 else "no residents"), 2, 1)
    return np.asarray(why(found.reason, found.years), dtype=object)
