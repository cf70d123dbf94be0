"""The command line: each command a few lines onto the library.

Exit codes: 0 ok, 2 usage, 3 input refused, 4 written, with warnings.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from disprop.commands.options import (
    OK,
    REFUSED,
    USAGE,
    Asked,
    areas_option,
    confidence_option,
    footage_options,
    holes_option,
    population_option,
    reading,
    records_options,
    residents,
    rows_options,
    scheduler_option,
    split_axes,
    tally_of,
    warn,
    write_rows,
)
from disprop.errors import DispropError, UsageError

if TYPE_CHECKING:
    import pandas as pd


LISTED = 62
"""Most letters of a command's line in the list of commands."""
GARBAGE = 200_000
"""Objects between two searches for garbage: some 20 MB at most. Importing pandas makes 100,000, none of it garbage."""


class Commands(click.Group):
    """A group whose rarely used commands are imported when they are asked for, not to be listed."""

    later: ClassVar[dict[str, tuple[str, str]]] = {
        "audit": ("disprop.commands.audit", "The audit of reasonable grounds: a sample whose every step..."),
        "force": ("disprop.commands.force", "Use of force: published tables, figures beside searches and..."),
        "forces": ("disprop.commands.forces", "Forces side by side: is one further from the others than..."),
        "link": ("disprop.commands.video", "Link searches and force reports to body-worn-video footage,..."),
        "looks": ("disprop.commands.forces", "Many looks at once: lists that say how much of them is..."),
        "mapping": ("disprop.commands.mapping", "Read extracts of a force's own systems: propose a mapping..."),
        "months": ("disprop.commands.forces", "Month by month: charts with a budget of false alarms,..."),
        "nightly": ("disprop.commands.nightly", "Take in new and revised extracts, and publish the figures:..."),
        "persons": ("disprop.commands.persons", "People, not searches: how many, how often, per 1,000..."),
        "sentinels": ("disprop.commands.forces", "What is odd about the files that came: missing, partial,..."),
        "store": ("disprop.commands.store", "Keep records in a store, and look after it."),
    }
    """Name of a command -> the module that has it under that name, and its line in the list of commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self.later])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.later:
            return super().get_command(ctx, cmd_name)
        from importlib import import_module

        command: click.Command = getattr(import_module(self.later[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing those that come later."""
        lines = {name: command.get_short_help_str(LISTED) for name, command in self.commands.items()}
        lines |= {name: line for name, (_, line) in self.later.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(lines.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="disprop", prog_name="disprop")
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
def cli(debug: bool) -> None:
    """Disproportionality in police powers: rates, ratios, find rates, and how sure we can be.

    \b
    Examples:
      disprop demo --out out/demo
      disprop report data/ --force west-midlands --from 2019-04 --to 2020-03 --out out/wm
      disprop measure rate_ratio data/ --by force,ethnicity_self --from 2019-04 --to 2020-03

    \b
    Exit codes: 0 ok, 2 usage, 3 input refused, 4 written, with warnings.
    """


def main() -> None:
    """Run the command line; a known error is one line and a documented exit code, a traceback only with --debug."""
    _start_short_process()
    debug = "--debug" in sys.argv[1:]
    if debug:
        sys.argv.remove("--debug")
    try:
        sys.exit(cli(prog_name="disprop", standalone_mode=False) or OK)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(USAGE)
    except click.Abort:
        click.echo("disprop: stopped", err=True)
        sys.exit(130)
    except DispropError as refused:
        if debug:
            raise
        click.echo(f"disprop: {refused}", err=True)
        sys.exit(USAGE if isinstance(refused, UsageError) else REFUSED)
    except OSError as failed:
        if debug:
            raise
        click.echo(f"disprop: {failed.filename or 'a file'}: {failed.strerror or failed}; check the path", err=True)
        sys.exit(REFUSED)


def _start_short_process() -> None:
    """Spare a process of a second what serves long ones only; before numpy is imported.

    Searches for garbage, while libraries are imported and once more at the end; and the threads that numpy and scipy
    start each, for linear algebra of which there is next to none here.
    """
    gc.set_threshold(GARBAGE)
    atexit.register(gc.freeze)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@cli.command()
@records_options
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Folder for the report.")
@areas_option
@population_option
@holes_option
@scheduler_option
def report(asked: Asked, out: str, areas: str | None, population: str | None, holes: str, scheduler: str | None) -> int:
    """Write the report on one force: a page, its tables as CSV, and a manifest.

    \b
    Example:
      disprop report data/ --force west-midlands --from 2019-04 --to 2020-03 --out out/wm
    """
    from disprop.job import make_report

    if len(asked.forces) > 1:
        raise UsageError("a report is about one force; give --force once")
    with reading(asked, areas=areas, scheduler=scheduler) as records:
        written = make_report(
            records,
            out,
            population=residents(population, ["ethnicity_self", *(["area"] if areas else [])]),
            by_area=areas is not None,
            force=asked.force,
            period=asked.period,
            holes=holes,
            command=" ".join(["disprop", *sys.argv[1:]]),
        )
    click.echo(f"The report is at {written[0]}")
    return warn(records.account)


@cli.command()
@click.argument("name")
@records_options
@click.option("--by", required=True, metavar="AXES", help="Axes of the rows, comma-separated: force,ethnicity_self")
@click.option("--reference", default=None, help="Group compared with; default White.")
@click.option(
    "--rule", type=click.Choice(["linked_positive", "linked"]), help="find_rate: what counts as a linked find."
)
@click.option("--find", type=click.Choice(["linked_find", "any_find"]), help="find_rate: which find.")
@click.option("--vintage", type=click.Choice(["2018_19", "2021_22"]), help="hmicfrs: whose rules.")
@click.option(
    "--perceived",
    is_flag=True,
    default=None,
    help="Allow rates by ethnicity_officer: perceived ethnicity against self-described Census, flagged.",
)
@footage_options
@confidence_option
@areas_option
@click.option("--explain", is_flag=True, help="Print how the records would be counted, and count nothing.")
@population_option
@holes_option
@rows_options
@scheduler_option
def measure(
    asked: Asked, name: str, by: str, form: str, out: str | None, explain: bool, scheduler: str | None, **options: Any
) -> int:
    """Compute one measure as rows, one a group.

    \b
    Measures: search_rate, rate_ratio, excess_searches, find_rate, linked_find_where_known,
      positive_outcome_share, arrest_share, more_thorough_search_share, share_on_video,
      share_linked_to_video, shrunken_share_linked_to_video, video_from_start_share,
      video_disagreement, video_agreement_share, linkage_bias, bounds_with_video,
      possession_only_share, drug_find_rate,
      find_rate_difference, find_rate_ratio, tipping_share, rate_ratio_allocated,
      rate_ratio_imputed, agreement_matrix, agreement_share, hmicfrs,
      age_standardised_rate, age_standardised_ratio, area_decomposition, force_in_search_share
    Of force reports: force_rate, force_ratio, compliant_handcuffing_share, effect_search_share,
      officer_injury_share, person_injury_share

    \b
    Examples:
      disprop measure rate_ratio data/ --by force,ethnicity_self --from 2019-04 --to 2020-03
      disprop measure find_rate data/ --by force,object --force hertfordshire --format csv
    """
    from disprop.measures import measure as named

    wanted = named(name)
    axes = split_axes(by)
    if explain:
        return _explain(wanted, axes, asked)
    frame, account = _measure(wanted, axes, asked, scheduler=scheduler, **options)
    write_rows(frame, form, out)
    return warn(account)


def _explain(wanted: Any, axes: list[str], asked: Asked) -> int:
    from disprop.plan import explain

    with reading(asked, kind=wanted.reads) as records:
        plan = explain(records, [[*axes, *wanted.axes]], force=asked.forces or None, period=asked.period)
    for name, text in plan.items():
        click.echo(f"{name:<9}{text}")
    return OK


def _measure(
    wanted: Any,
    axes: list[str],
    asked: Asked,
    *,
    areas: str | None,
    population: str | None,
    holes: str,
    scheduler: str | None,
    confidence: float,
    **choices: Any,
) -> tuple[pd.DataFrame, Any]:
    from disprop.plan import refuse_empty, tally

    arguments = {name: value for name, value in choices.items() if value is not None}
    strange = set(arguments) - set(wanted.parameters)
    if strange:
        raise UsageError(f"{wanted.name} does not take {', '.join(sorted(strange))}")
    if "vintage" in wanted.parameters and "vintage" not in arguments:
        raise UsageError(f"{wanted.name} follows one report's rules: give --vintage 2018_19 or 2021_22")
    if wanted.compares:
        arguments["of"] = next((axis for axis in axes if axis.startswith("ethnicity")), wanted.ethnicity)
        axes = [*axes, arguments["of"]] if arguments["of"] not in axes else axes
    if "confidence" in wanted.parameters:
        arguments["confidence"] = confidence
    more = [*wanted.axes, *(["area"] if areas and wanted.compares and wanted.population else [])]
    with reading(asked, areas=areas, scheduler=scheduler, kind=wanted.reads) as records:
        inputs = [refuse_empty(tally(records, by=[*axes, *more], force=asked.forces or None, period=asked.period))]
    account = inputs[0].account
    if wanted.population:
        base = ["ethnicity_self"] if "ethnicity_officer" in axes else []
        inputs.append(residents(population, [*axes, *more, *base], kind=wanted.kind))
    if "holes" in wanted.parameters:
        arguments["holes"] = holes
    if "by" in wanted.parameters:
        arguments["by"] = axes
    return wanted(*inputs, **arguments), account


@cli.command()
@records_options
@click.option(
    "--by", required=True, metavar="AXES", help="Axes to count by, comma-separated; force and month are added."
)
@areas_option
@rows_options
@scheduler_option
def tally(asked: Asked, by: str, areas: str | None, scheduler: str | None, form: str, out: str | None) -> int:
    """Count records by axes. With --format parquet the file is a saved tally, which merges.

    \b
    Example:
      disprop tally data/ --by ethnicity_self,object --force kent
    """
    counted = tally_of(asked, split_axes(by), areas=areas, scheduler=scheduler)
    if form == "parquet" and out is not None:
        counted.save(out)
    else:
        write_rows(counted.frame(), form, out)
    return warn(counted.account)


@cli.command()
@click.option("--by", default="force,ethnicity_self", show_default=True, metavar="AXES")
@click.option("--digests", is_flag=True, help="List the Census files in use and their SHA-256.")
@rows_options
def census(by: str, digests: bool, form: str, out: str | None) -> int:
    """Show Census 2021 residents, or save them as a tally with --format parquet.

    \b
    Example:
      disprop census --by force,ethnicity_self_19 --format csv
    """
    from disprop.io.census import census as count_residents
    from disprop.io.census import census_digests

    if digests:
        for name, digest in census_digests().items():
            click.echo(f"{digest}  {name}")
        return OK
    counted = count_residents(2021, by=split_axes(by))
    if form == "parquet" and out is not None:
        counted.save(out)
    else:
        write_rows(counted.frame(zeros=True), form, out)
    return OK


@cli.command()
@click.option(
    "--out", default="out/demo", show_default=True, type=click.Path(file_okay=False), help="Folder to write to."
)
@click.option("--seed", default=1, show_default=True, help="Another seed gives other invented records.")
def demo(out: str, seed: int) -> int:
    """Invent a force with known truth, and write its records and the report on them. Everything says SYNTHETIC.

    \b
    Example:
      disprop demo --out out/demo
    """
    from disprop.job import demo as invent

    written = invent(out, seed=seed)
    click.echo(f"Its records are in {Path(out) / 'records'}, its residents in {Path(out) / 'residents.parquet'}")
    click.echo(f"The report is at {written[0]}")
    return OK
