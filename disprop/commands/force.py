"""`disprop force`: use of force from published tables, beside searches and arrests, by incident and person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from disprop.commands.options import (
    FILE,
    OK,
    Asked,
    by_option,
    holes_option,
    population_option,
    reading,
    records_options,
    residents,
    rows_options,
    split_axes,
    tally_of,
    warn,
    with_options,
    write_rows,
)

if TYPE_CHECKING:
    from disprop.tallies import Tally

REPORTS = "force_report"
GROUPS = ("ethnicity_officer", "age_band", "gender", "health")
PUBLISHED = ("uses", "apart", "reports", "rate", "ratio")
FORCE_AND_GROUP = "force,ethnicity_officer"


def reports_options(meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Force reports beside the records of another kind."""
    return with_options(
        click.option("--reports", multiple=True, required=True, help=meaning),
        click.option("--reports-mapping", type=FILE, help="TOML mapping of the reports."),
    )


@click.group()
def force() -> None:
    """Use of force: published tables, figures beside searches and arrests, incidents and people, jumps in recording.

    Rates, ratios and shares of a force's own reports: disprop measure force_rate, force_ratio, ...

    \b
    Examples:
      disprop force published tables.ods --show ratio --by force --perceived
      disprop force beside searches data/ --reports reports.csv --by force,ethnicity_officer
      disprop force incidents reports.csv --guess
    """


@force.command()
@click.argument("file", type=FILE)
@click.option("--show", type=click.Choice(PUBLISHED), default="uses", show_default=True, help="What to show.")
@click.option("--group", type=click.Choice(GROUPS), default=GROUPS[0], show_default=True, help="Whom tactics are by.")
@by_option("force", "force, tactic, tactic_class, tactic_use")
@click.option("--reference", default=None, help="ratio: group compared with; default White, or the first group.")
@click.option("--year", help="Financial year, such as 2018/19, where the file does not say.")
@click.option("--perceived", is_flag=True, help="Allow rates by ethnicity as the officer perceives it, flagged.")
@with_options(population_option, rows_options)
def published(
    file: str, show: str, group: str, by: str, reference: str | None, year: str | None, perceived: bool,
    population: str | None, form: str, out: str | None,
) -> int:  # fmt: skip
    """Home Office published tables of a year: uses of tactics, what stands apart, reports, rates, ratios.

    Uses of tactics, reports and incidents are units of their own and are never added up. Tactical communication is not
    force, and stands apart with the reports that name no tactic.

    \b
    Examples:
      disprop force published tables.ods --show uses --by tactic_class
      disprop force published tables.ods --show ratio --by force --perceived --format csv
    """
    from disprop.io.force.tables import read_force_reports, read_force_tables
    from disprop.measures.force.rates import force_rate, force_ratio

    axes = [axis for axis in split_axes(by) if axis != group]
    if show == "reports":
        write_rows(read_force_reports(file, by="force" if "force" in axes else group, year=year).frame(), form, out)
        return OK
    tables = read_force_tables(file, by=group, year=year)
    counted = tables.apart if show == "apart" else tables.tactics
    if show in ("uses", "apart"):
        write_rows(_in_lists(counted, axes).project([*axes, group]).frame(), form, out)
        return warn(counted.account)
    base = ["ethnicity_self"] if group == GROUPS[0] else [group]
    people = residents(population, ["force", *base], kind=REPORTS)
    if show == "rate":
        rows = force_rate(counted, people, by=[*axes, group], perceived=perceived)
    else:
        first = reference or ("White" if group == GROUPS[0] else counted.axis(group).groups[0])
        rows = force_ratio(counted, people, of=group, reference=first, by=axes, perceived=perceived)
    write_rows(rows, form, out)
    return warn(counted.account)


@force.command()
@click.argument("what", type=click.Choice(["searches", "arrests"]))
@records_options
@reports_options("Force reports: files, a store, a published table.")
@by_option(FORCE_AND_GROUP, "Axes of both sides.")
@with_options(holes_option, rows_options)
def beside(
    what: str, asked: Asked, reports: tuple[str, ...], reports_mapping: str | None, by: str, holes: Any, form: str,
    out: str | None,
) -> int:  # fmt: skip
    """Force reports per 100 searches, or per 100 arrests, by groups that both sides define alike.

    The two are set beside each other, not joined. Officer-defined ethnicity goes with officer-defined ethnicity.

    \b
    Example:
      disprop force beside searches data/ --reports reports.csv --by force,ethnicity_officer
    """
    from disprop.measures.force.items import ITEMS
    from disprop.measures.force.per_100 import force_per_100_arrests, force_per_100_searches

    axes = split_axes(by)
    kind = "search" if what == "searches" else "custody"
    other = tally_of(asked, [axis for axis in axes if axis not in ITEMS], kind=kind)
    counted = _reports(replace(asked, source=reports, mapping=reports_mapping), axes)
    compute = force_per_100_searches if what == "searches" else force_per_100_arrests
    write_rows(compute(counted, other, by=axes, holes=holes), form, out)
    return warn(counted.account) or warn(other.account)


@force.command()
@records_options
@by_option("force", "Axes, comma-separated.")
@click.option("--guess", is_flag=True, help="Unnamed ones by minute and local authority: no bound.")
@rows_options
def incidents(asked: Asked, by: str, guess: bool, form: str, out: str | None) -> int:
    """How many incidents the reports are of: beside the reports, never in their place.

    \b
    Examples:
      disprop force incidents store/ --by force
      disprop force incidents reports.csv --guess
    """
    from disprop.measures.force.events import incident_tally
    from disprop.measures.force.events import incidents as count_incidents

    with reading(asked, kind=REPORTS) as records:
        counted = incident_tally(
            records, by=split_axes(by), guess=guess, force=asked.forces or None, period=asked.period
        )
    write_rows(count_incidents(counted, by=split_axes(by)), form, out)
    return warn(counted.counted.account)


@force.command()
@records_options
@by_option("force", "Axes, comma-separated.")
@rows_options
def people(asked: Asked, by: str, form: str, out: str | None) -> int:
    """How many people force was used on: beside the reports, where they have keys of persons.

    \b
    Example:
      disprop force people store/ --by force,gender
    """
    from disprop.measures.force.events import people_subject_to_force
    from disprop.persons import person_tally

    with reading(asked, kind=REPORTS) as records:
        counted = person_tally(records, by=split_axes(by), force=asked.forces or None, period=asked.period)
    write_rows(people_subject_to_force(counted, by=split_axes(by)), form, out)
    return warn(counted.counted.account)


@force.command()
@records_options
@rows_options
def recording(asked: Asked, form: str, out: str | None) -> int:
    """Months at which compliant handcuffing jumps: a change of recording before one of policing.

    \b
    Example:
      disprop force recording reports.csv --from 2023-04 --to 2025-03
    """
    from disprop.measures.force.recording import handcuffing_recording

    counted = tally_of(asked, ["tactic"], kind=REPORTS)
    rows = handcuffing_recording(counted)
    if rows.empty and form == "table" and out is None:
        click.echo("No jump was found in the share of compliant handcuffing.")
    else:
        write_rows(rows, form, out)
    return warn(counted.account)


@force.command()
@records_options
@reports_options("Force reports, with keys of the same secret.")
@click.option("--minutes", type=click.IntRange(0, 720), default=30, show_default=True, help="Between the two times.")
@by_option(FORCE_AND_GROUP, "Axes of the rows.")
@rows_options
def search(
    asked: Asked, reports: tuple[str, ...], reports_mapping: str | None, minutes: int, by: str, form: str,
    out: str | None,
) -> int:  # fmt: skip
    """Share of searches in which force was used to effect them, by reports joined through reference, officer, time.

    \b
    Example:
      disprop force search store/ --reports store/ --by force,ethnicity_officer
    """
    from disprop.measures.force.events import with_force_used
    from disprop.measures.force.shares import force_in_search_share
    from disprop.plan import tally

    axes, other = split_axes(by), replace(asked, source=reports, mapping=reports_mapping)
    with reading(asked, kind="search") as searches, reading(other, kind=REPORTS) as found:
        joined = with_force_used(searches, found, window=60 * minutes)
        counted = tally(joined, by=[*axes, "force_used"], force=asked.forces or None, period=asked.period)
    write_rows(force_in_search_share(counted, by=axes), form, out)
    return warn(counted.account)


def _reports(asked: Asked, axes: list[str]) -> Tally:
    """Force reports; or uses of tactics, where a published spreadsheet is given."""
    if len(asked.source) == 1 and asked.source[0].lower().endswith((".ods", ".xlsx")):
        from disprop.io.force.tables import read_force_tables

        group = next((axis for axis in axes if axis in GROUPS), GROUPS[0])
        return read_force_tables(asked.source[0], by=group).tactics
    return tally_of(asked, axes, kind=REPORTS)


def _in_lists(counted: Tally, axes: list[str]) -> Tally:
    """Uses of tactics in the coarser list that is asked for."""
    for name in ("tactic_class", "tactic_use"):
        if name in axes:
            counted = counted.recode("tactic", name, rename=name)
    return counted
