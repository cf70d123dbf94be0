"""`disprop persons`: figures about people, for records that say by a keyed hash who was met."""

from __future__ import annotations

from typing import Any

import click

from disprop.commands.options import (
    Asked,
    by_option,
    compared_options,
    confidence_option,
    figure_options,
    reading,
    records_options,
    residents,
    split_axes,
    warn,
    write_rows,
)

MEASURES = ("repeat_search_share", "people_searched", "person_rate", "rate_ratio")


@click.command()
@click.argument("name", metavar="MEASURE", type=click.Choice(MEASURES))
@records_options
@by_option("force,ethnicity_self", "Axes of the rows.")
@compared_options("rate_ratio: axis compared.", "rate_ratio: group compared with.")
@confidence_option
@figure_options
def persons(
    name: str, asked: Asked, by: str, of: str, reference: str, population: str | None, holes: Any, confidence: float,
    form: str, out: str | None,
) -> int:  # fmt: skip
    """People, not searches: how many, how often, per 1,000 residents; and ratios that allow for people searched again.

    Needs records that name people by a keyed hash: a record store, or extracts read by a mapping. A person counts
    inside the period and inside one force.

    \b
    Measures: repeat_search_share, people_searched, person_rate, rate_ratio

    \b
    Examples:
      disprop persons repeat_search_share store/ --from 2023-04 --to 2024-03
      disprop persons rate_ratio extracts/ --mapping searches.toml --key-file secret.key
    """
    import disprop

    axes = split_axes(by)
    axes += [of] if name == "rate_ratio" and of not in axes else []
    with reading(asked, kind="search") as records:
        people = disprop.person_tally(records, by=axes, force=asked.forces or None, period=asked.period)
    if name == "people_searched":
        frame = disprop.people_searched(people, by=axes)
    elif name == "repeat_search_share":
        frame = disprop.repeat_search_share(people, by=axes, confidence=confidence)
    elif name == "person_rate":
        there = residents(population, axes)
        frame = disprop.person_rate(people, there, by=axes, confidence=confidence, holes=holes)
    else:
        frame = disprop.rate_ratio(
            people.counted,
            residents(population, axes),
            of=of,
            reference=reference,
            by=axes,
            confidence=confidence,
            holes=holes,
            persons=people,
        )
    write_rows(frame, form, out)
    return warn(people.counted.account)
