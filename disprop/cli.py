"""The command line: each command a few lines onto the library.

Exit codes: 0 ok, 2 usage, 3 input refused, 4 written, with warnings.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from disprop.errors import DispropError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from disprop.tallies import Tally

OK, USAGE, REFUSED, WARNINGS = 0, 2, 3, 4

FORMATS = ("table", "csv", "parquet", "json")


class Commands(click.Group):
    """A group whose rarely used subgroups are imported when they are asked for."""

    later: ClassVar[dict[str, tuple[str, str]]] = {
        "audit": ("disprop.audit.commands", "audit"),
        "forces": ("disprop.commands_forces", "forces"),
        "months": ("disprop.commands_forces", "months"),
        "looks": ("disprop.commands_forces", "looks"),
        "sentinels": ("disprop.commands_forces", "sentinels"),
        "store": ("disprop.commands_store", "store"),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self.later])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.later:
            return super().get_command(ctx, cmd_name)
        from importlib import import_module

        module, name = self.later[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command


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


def _months(first: str | None, last: str | None) -> tuple[str, str] | None:
    if (first is None) != (last is None):
        raise UsageError("give both --from and --to, or neither")
    return None if first is None or last is None else (first, last)


def records_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Arguments that every command reading records shares."""
    options = [
        click.argument("source", nargs=-1, required=True),
        click.option("--force", "forces", multiple=True, metavar="ID", help="Keep this force only; may be repeated."),
        click.option("--from", "first", metavar="YYYY-MM", help="First month of the period."),
        click.option("--to", "last", metavar="YYYY-MM", help="Last month of the period, included."),
        click.option("--quarantine", type=click.Path(dir_okay=False), help="Write the rows that cannot be read here."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def rows_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How result rows are written."""
    options = [
        click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True),
        click.option("--out", type=click.Path(dir_okay=False), help="Write to this file instead of the screen."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


population_option = click.option(
    "--population",
    type=click.Path(exists=True, dir_okay=False),
    help="Residents: a saved tally instead of Census 2021.",
)
areas_option = click.option(
    "--areas",
    type=click.Path(exists=True, dir_okay=False),
    help="Boundaries of local authorities (TopoJSON or GeoJSON): the area of each search is found from its place.",
)
holes_option = click.option(
    "--covered",
    "holes",
    flag_value="covered",
    default="whole",
    help="Where months are missing, give rates on the months there are instead of withholding them.",
)


scheduler_option = click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Count on the Dask cluster of this scheduler; the result is the same.",
)


@contextmanager
def _reading(
    source: Sequence[str], forces: Sequence[str], quarantine: str | None, scheduler: str | None = None
) -> Iterator[Any]:
    """The records behind the paths, with progress when a person is watching; or those of a record store.

    With a scheduler, they are to be counted on its cluster.
    """
    if scheduler is not None:
        from disprop.cluster import connected

        with _reading(source, forces, quarantine) as records, connected(scheduler) as client:
            records.client = client
            yield records
        return
    if len(source) == 1 and (Path(source[0]) / "FORMAT").is_file():
        from disprop.io.store.reader import open_store

        yield open_store(source[0])
        return
    from disprop.io.parquet_files import holds_parquet
    from disprop.io.police_uk import read_police_uk

    only = forces[0] if len(forces) == 1 else None
    if holds_parquet(source):
        from disprop.io.parquet import read_parquet

        yield read_parquet(*source, force=only, quarantine=quarantine)
        return
    with _progress() as show:
        yield read_police_uk(*source, force=only, quarantine=quarantine, progress=show)


@contextmanager
def _reading_with_areas(
    source: Sequence[str],
    forces: Sequence[str],
    quarantine: str | None,
    areas: str | None,
    scheduler: str | None = None,
) -> Iterator[Any]:
    """The records behind the paths, each with the area that its place lies in where boundaries are given."""
    with _reading(source, forces, quarantine, scheduler) as records:
        if areas is None:
            yield records
            return
        from disprop.areas import places_summary, read_boundaries, with_areas

        placed = with_areas(records, read_boundaries(areas))
        yield placed
        click.echo(places_summary(placed.account), err=True)


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    try:
        from rich.progress import Progress
    except ImportError:
        yield None
        return
    with Progress(transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=Path(name).name)


def _population(path: str | None, axes: Sequence[str]) -> Tally:
    if path is not None:
        from disprop.tallies import load

        return load(path)
    from disprop.io.census import census

    return census(2021, by=["force", *(axis for axis in dict.fromkeys(axes) if axis in _CENSUS_AXES)])


_CENSUS_AXES = ("area", "ethnicity_self", "ethnicity_self_19", "age_band", "gender")


def _write(frame: pd.DataFrame, form: str, out: str | None) -> None:
    """Result rows to the screen or a file, in the form asked for."""
    if form == "parquet":
        if out is None:
            raise UsageError("Parquet cannot be shown on the screen; give --out FILE")
        frame.to_parquet(out, index=False)
        return
    text = _TEXT[form](frame)
    if out is None:
        click.echo(text)
    else:
        Path(out).write_text(text + "\n", encoding="utf-8")


def _as_table(frame: pd.DataFrame) -> str:
    """Plain columns; those that say nothing in any row are left out on the screen."""
    import pandas as pd

    shown = frame.dropna(axis="columns", how="all")
    shown = shown.loc[:, [not (shown[c] == "").all() for c in shown.columns]]
    with pd.option_context("display.max_colwidth", 60):
        return str(shown.to_string(index=False, float_format=lambda value: f"{value:,.4g}", na_rep=""))


_TEXT: dict[str, Callable[[Any], str]] = {
    "table": _as_table,
    "csv": lambda frame: frame.to_csv(index=False).rstrip("\n"),
    "json": lambda frame: frame.to_json(orient="records", indent=1),
}


def _warn(account: Any) -> int:
    """Say what was not counted and why it matters; the exit code says whether there was anything."""
    for label, n in account.unmapped.items():
        click.echo(f"warning: {n:,} records have a label that no codelist knows: {label}", err=True)
    for reason, n in account.quarantined.items():
        click.echo(f"warning: {n:,} rows could not be read: {reason}", err=True)
    return WARNINGS if account.unmapped or account.quarantined else OK


@cli.command()
@records_options
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Folder for the report.")
@areas_option
@population_option
@holes_option
@scheduler_option
def report(
    source: tuple[str, ...],
    forces: tuple[str, ...],
    first: str | None,
    last: str | None,
    quarantine: str | None,
    out: str,
    areas: str | None,
    population: str | None,
    holes: str,
    scheduler: str | None,
) -> int:
    """Write the report on one force: a page, its tables as CSV, and a manifest.

    \b
    Example:
      disprop report data/ --force west-midlands --from 2019-04 --to 2020-03 --out out/wm
    """
    from disprop.job import make_report

    if len(forces) > 1:
        raise UsageError("a report is about one force; give --force once")
    with _reading_with_areas(source, forces, quarantine, areas, scheduler) as records:
        written = make_report(
            records,
            out,
            population=_population(population, ["ethnicity_self", *(["area"] if areas else [])]),
            by_area=areas is not None,
            force=forces[0] if forces else None,
            period=_months(first, last),
            holes=holes,
            command=" ".join(["disprop", *sys.argv[1:]]),
        )
    click.echo(f"The report is at {written[0]}")
    return _warn(records.account)


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
@click.option("--confidence", type=float, default=0.95, show_default=True)
@areas_option
@click.option("--explain", is_flag=True, help="Print how the records would be counted, and count nothing.")
@population_option
@holes_option
@rows_options
@scheduler_option
def measure(name: str, by: str, form: str, out: str | None, explain: bool, **options: Any) -> int:
    """Compute one measure as rows, one a group.

    \b
    Measures: search_rate, rate_ratio, excess_searches, find_rate, linked_find_where_known,
      positive_outcome_share, arrest_share, more_thorough_search_share, share_on_video,
      find_rate_difference, find_rate_ratio, tipping_share, rate_ratio_allocated,
      rate_ratio_imputed, agreement_matrix, agreement_share, hmicfrs,
      age_standardised_rate, age_standardised_ratio, area_decomposition

    \b
    Examples:
      disprop measure rate_ratio data/ --by force,ethnicity_self --from 2019-04 --to 2020-03
      disprop measure find_rate data/ --by force,object --force hertfordshire --format csv
    """
    from disprop.measures import measure as named

    wanted = named(name)
    axes = _split(by)
    options["period"] = _months(options.pop("first"), options.pop("last"))
    if explain:
        return _explain(wanted, axes, **options)
    frame, account = _measure(wanted, axes, **options)
    _write(frame, form, out)
    return _warn(account)


def _explain(
    wanted: Any, axes: list[str], *, source: tuple[str, ...], forces: tuple[str, ...],
    period: tuple[str, str] | None, quarantine: str | None, **_: Any,
) -> int:  # fmt: skip
    from disprop.plan import explain

    with _reading(source, forces, quarantine) as records:
        plan = explain(records, [[*axes, *wanted.axes]], force=forces or None, period=period)
    for name, text in plan.items():
        click.echo(f"{name:<9}{text}")
    return OK


def _split(by: str) -> list[str]:
    return [name.strip() for name in by.split(",") if name.strip()]


def _measure(
    wanted: Any,
    axes: list[str],
    *,
    source: tuple[str, ...],
    forces: tuple[str, ...],
    period: tuple[str, str] | None,
    quarantine: str | None,
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
        arguments["of"] = next((axis for axis in axes if axis.startswith("ethnicity")), "ethnicity_self")
        axes = [*axes, arguments["of"]] if arguments["of"] not in axes else axes
    if "confidence" in wanted.parameters:
        arguments["confidence"] = confidence
    more = [*wanted.axes, *(["area"] if areas and wanted.compares and wanted.population else [])]
    with _reading_with_areas(source, forces, quarantine, areas, scheduler) as records:
        inputs = [refuse_empty(tally(records, by=[*axes, *more], force=forces or None, period=period))]
    account = inputs[0].account
    if wanted.population:
        base = ["ethnicity_self"] if "ethnicity_officer" in axes else []
        inputs.append(_population(population, [*axes, *more, *base]))
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
def tally(
    source: tuple[str, ...],
    forces: tuple[str, ...],
    first: str | None,
    last: str | None,
    quarantine: str | None,
    by: str,
    areas: str | None,
    scheduler: str | None,
    form: str,
    out: str | None,
) -> int:
    """Count records by axes. With --format parquet the file is a saved tally, which merges.

    \b
    Example:
      disprop tally data/ --by ethnicity_self,object --force kent
    """
    from disprop.plan import tally as count

    with _reading_with_areas(source, forces, quarantine, areas, scheduler) as records:
        counted = count(records, by=_split(by), force=forces or None, period=_months(first, last))
    if form == "parquet" and out is not None:
        counted.save(out)
    else:
        _write(counted.frame(), form, out)
    return _warn(counted.account)


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
    from disprop.io.census import census as residents
    from disprop.io.census import census_digests

    if digests:
        for name, digest in census_digests().items():
            click.echo(f"{digest}  {name}")
        return OK
    counted = residents(2021, by=_split(by))
    if form == "parquet" and out is not None:
        counted.save(out)
    else:
        _write(counted.frame(zeros=True), form, out)
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
