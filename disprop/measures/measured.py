"""The figures that can be compared over forces, similar forces and months, and what they are of."""

from __future__ import annotations

from typing import Literal

from disprop.errors import UsageError
from disprop.tallies import Tally

Measured = Literal["rate_ratio", "search_rate", "find_rate"]


def residents_for(measure: str, population: Tally | None) -> Tally:
    """The population of a figure that is of residents: all but `find_rate`.

    Raises UsageError for a figure that cannot be compared, or without a population.
    """
    if measure not in ("search_rate", "rate_ratio"):
        raise UsageError(f"measure={measure!r} cannot be compared; give 'rate_ratio', 'search_rate' or 'find_rate'")
    if population is None:
        raise UsageError(f"{measure} is of residents: give the population, for instance disprop.census(2021)")
    return population
