"""How often force is used, on whom, and against whom compared: rates and ratios of force reports and of tactics.

The ethnicity of a force report is the officer's perception. It has no matching Census base, so that rates per resident
are refused unless asked for by that name, and every row then says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from disprop.measures.exposed import Holes
from disprop.measures.force.items import NOT_JUDGED, each_item
from disprop.measures.rates import search_rate
from disprop.measures.ratios import rate_ratio
from disprop.measures.verdicts import NOT_COMPUTABLE, TOO_FEW
from disprop.results import join_flags
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd


def force_rate(
    tally: Tally,
    population: Tally,
    *,
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    holes: Holes = "whole",
    perceived: bool = False,
) -> pd.DataFrame:
    """Force reports, or uses of tactics, per 1,000 residents a year.

    A report is one officer's force on one person: three officers who hold one person are three reports. By an axis of
    items (`tactic`, `tactic_class`, `tactic_use`, `reason` ...) each item has its rate, and `any` is the rate of those
    that have one at all; without one, every report counts, those of tactical communication alone too. A weapon drawn
    and a weapon used are two tactics, and two codes of `tactic_use`. Officers rarely record Mixed: that rate is
    withheld.

    tally: unit force reports or tactics (`disprop.read_force_tables`; its year counts as 12 months). population: unit
    residents; by age give one with the axis `age`. perceived: allow ethnicity as the officer perceives it.
    Otherwise arguments, errors and columns as `search_rate`.

    >>> import disprop as dp, pandas as pd
    >>> rows = {"month": ["2023-04"] * 4, "ethnicity_officer": ["White", "Black", "Black", None],
    ...         "tactics": ["Shield", "CED drawn", "CED drawn | CED fired", "Shield"]}
    >>> reports = dp.tally(dp.read_frame(pd.DataFrame(rows), force="kent", kind="force_report"),
    ...                    by=["ethnicity_officer", "tactic_use"])
    >>> rates = force_rate(reports, dp.census(2021, by=["force", "ethnicity_self"]), perceived=True)
    >>> rates[rates["ethnicity_officer"] == "Black"][["tactic_use", "numerator", "estimate", "n_unknown"]].round(3)
                  tactic_use  numerator  estimate  n_unknown
    3   By hand or restraint        0.0     0.000          1
    8           Weapon drawn        2.0     0.423          0
    13           Weapon used        1.0     0.211          0
    18                   any        2.0     0.423          1
    """

    def rates(one: Tally, names: list[str]) -> pd.DataFrame:
        return search_rate(
            one, in_force_bands(population), by=names, confidence=confidence, holes=holes, perceived=perceived
        )

    return each_item(tally, by, rates, measure="force_rate")


def force_ratio(
    tally: Tally,
    population: Tally,
    *,
    of: str = "ethnicity_officer",
    reference: str = "White",
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    holes: Holes = "whole",
    perceived: bool = False,
) -> pd.DataFrame:
    """Rate of force on each group over the rate of the reference, with limits and a verdict, under each item asked for.

    What `rate_ratio` says holds here, under each tactic or class, but for published years. These have no months, so
    that their limits are of chance alone, and uses of tactics of one report are not independent: the limits are too
    narrow, nobody can tell from the table by how much, and a verdict by them would say too much. So there the ratio,
    its limits (flagged) and the point against the band are given, and no verdict but "not computable" and "too few to
    say", which are by counts.

    of: the axis compared: `ethnicity_officer` (with perceived=True), `age_band` or `gender`.
    Otherwise arguments as `force_rate`, errors and columns as `rate_ratio`; measure "force_ratio".

    >>> import disprop as dp, pandas as pd
    >>> rows = {"month": ["2023-04"] * 90, "ethnicity_officer": ["White"] * 60 + ["Black"] * 30, "tactics": "Shield"}
    >>> reports = dp.tally(dp.read_frame(pd.DataFrame(rows), force="kent", kind="force_report"),
    ...                    by=["ethnicity_officer", "tactic"])
    >>> ratios = force_ratio(reports, dp.census(2021, by=["force", "ethnicity_self"]), perceived=True)
    >>> ratios[ratios["ethnicity_officer"] == "Black"][["tactic", "estimate", "low", "high", "verdict"]].round(1)
       tactic  estimate  low  high verdict
    2  Shield      14.5  9.2  22.3  higher
    6     any      14.5  9.2  22.3  higher
    """

    def ratios(one: Tally, names: list[str]) -> pd.DataFrame:
        return rate_ratio(
            one,
            in_force_bands(population),
            of=of,
            reference=reference,
            by=[name for name in names if name != of],
            confidence=confidence,
            holes=holes,
            perceived=perceived,
        )

    rows = each_item(tally, by, ratios, measure="force_ratio", of=of)
    return _unjudged(rows) if "month" not in tally.names else rows


def _unjudged(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without the verdicts that hang on limits known to be too narrow."""
    judged = ~rows["verdict"].isin([NOT_COMPUTABLE, TOO_FEW])
    said = ["verdict", "verdict_holds"]
    rows[said] = rows[said].mask(judged)
    rows["flag"] = [join_flags(flag, NOT_JUDGED if off else "") for flag, off in zip(rows["flag"], judged)]
    return rows


def in_force_bands(population: Tally) -> Tally:
    """Residents with their ages in the bands of the use-of-force collection (11-17, not 10-17), where they have any."""
    return population.recode("age", "force_age_band", rename="age_band") if "age" in population.names else population
