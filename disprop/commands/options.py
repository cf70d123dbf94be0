"""What commands share: the options that say which records, and reading them; writing rows; warnings, exit codes."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from disprop.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from disprop.tallies import Tally

OK, USAGE, REFUSED, WARNINGS = 0, 2, 3, 4

FORMATS = ("table", "csv", "parquet", "json")
FILE = click.Path(exists=True, dir_okay=False)


@dataclass(frozen=True)
class Asked:
    """Which records a command was asked for, and how to read them: the values of `records_options`."""

    source: tuple[str, ...]
    forces: tuple[str, ...] = ()
    period: tuple[str, str] | None = None
    quarantine: str | None = None
    mapping: str | None = None
    key_file: str | None = None
    kind: str | None = None

    @property
    def force(self) -> str | None:
        """The one force asked for, which files that name none are taken to be of."""
        return self.forces[0] if len(self.forces) == 1 else None


def months_asked(first: str | None, last: str | None) -> tuple[str, str] | None:
    """The period of --from and --to; raises UsageError when only one of them was given."""
    if (first is None) != (last is None):
        raise UsageError("give both --from and --to, or neither")
    return None if first is None or last is None else (first, last)


mapping_option = click.option(
    "--mapping", type=FILE, help="TOML mapping by which extracts of a force's own systems are read."
)
key_option = click.option(
    "--key-file",
    type=FILE,
    help="Secret that officer and person identifiers are hashed with; default: the environment's DISPROP_KEY.",
)


def records_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Arguments that every command reading records shares; the command gets them as one `asked`."""

    @wraps(command)
    def gathered(
        source: tuple[str, ...],
        forces: tuple[str, ...],
        first: str | None,
        last: str | None,
        quarantine: str | None,
        mapping: str | None,
        key_file: str | None,
        kind: str | None,
        **given: Any,
    ) -> Any:
        asked = Asked(source, forces, months_asked(first, last), quarantine, mapping, key_file, kind)
        return command(asked=asked, **given)

    return with_options(
        click.argument("source", nargs=-1, required=True),
        click.option("--force", "forces", multiple=True, metavar="ID", help="Keep this force only; may be repeated."),
        click.option("--from", "first", metavar="YYYY-MM", help="First month of the period."),
        click.option("--to", "last", metavar="YYYY-MM", help="Last month of the period, included."),
        click.option("--quarantine", type=click.Path(dir_okay=False), help="Write the rows that cannot be read here."),
        mapping_option,
        key_option,
        click.option("--kind", help="Kind of record; needed where a store has several: search, force_report, ..."),
    )(gathered)


def rows_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How result rows are written."""
    return with_options(
        click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True),
        click.option("--out", type=click.Path(dir_okay=False), help="Write to this file instead of the screen."),
    )(command)


def with_options(*options: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Several options as one decorator, shown in this order."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


population_option = click.option("--population", type=FILE, help="Residents: a saved tally instead of Census 2021.")
areas_option = click.option(
    "--areas",
    type=FILE,
    help="Boundaries of local authorities (TopoJSON or GeoJSON): the area of each search is found from its place.",
)
holes_option = click.option(
    "--covered",
    "holes",
    flag_value="covered",
    default="whole",
    help="Where months are missing, give rates on the months there are instead of withholding them.",
)
confidence_option = click.option("--confidence", type=float, default=0.95, show_default=True)
figure_options = with_options(population_option, holes_option, rows_options)
"""Whom figures are divided by, what missing months do, and how the rows are written."""
scheduler_option = click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Count on the Dask cluster of this scheduler; the result is the same.",
)


def by_option(default: str, meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The axes that rows are by, or records counted by; those that stand in by default."""
    return click.option("--by", default=default, show_default=bool(default), metavar="AXES", help=meaning)


def compared_options(of: str, reference: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The axis along which groups are compared, and with which of them, each with its help."""
    return with_options(
        click.option("--of", "of", default="ethnicity_self", show_default=True, help=of),
        click.option("--reference", default="White", show_default=True, help=reference),
    )


def retention_asked(_: click.Context, __: click.Parameter, text: str | None) -> list[tuple[str | None, int]] | None:
    """How long footage was kept, as `84 until 2024-12, 365`: days, and the month before which it was so."""
    if text is None:
        return None
    pieces = [re.fullmatch(r"\s*(\d+)(?:\s+until\s+(\d{4}-\d{2}))?\s*", piece) for piece in text.split(",")]
    if not all(pieces):
        raise UsageError(f"--retention {text!r}: write days, such as '84 until 2024-12, 365'")
    return [(piece[2], int(piece[1])) for piece in pieces if piece]


def footage_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How long footage was kept, for the measures of video."""
    return with_options(
        click.option(
            "--retention",
            callback=retention_asked,
            metavar="DAYS",
            help="Days that footage is kept: '84 until 2024-12, 365'.",
        ),
        click.option("--as-of", metavar="YYYY-MM-DD", help="Day on which retention is judged."),
    )(command)


# Reading -------------------------------------------------------------------------------------------------------------


@contextmanager
def reading(
    asked: Asked, *, areas: str | None = None, scheduler: str | None = None, kind: str | None = None
) -> Iterator[Any]:
    """The records asked for, to be counted on a scheduler's cluster where one is given.

    Where boundaries of areas are given, each record has the area that its place lies in. `kind` is the kind of record
    wanted; searches, unless a store or a mapping holds another. Asking for another with --kind is a usage error.
    """
    if kind is not None and asked.kind not in (None, kind):
        raise UsageError(f"this is a figure of the kind {kind}; leave out --kind {asked.kind}")
    with _reading_on(asked, scheduler, kind) as records:
        if kind is not None and records.kind != kind:
            from disprop.records import KINDS

            raise UsageError(f"{KINDS[kind].unit} are wanted; these are {records.unit}")
        if areas is None:
            yield records
            return
        from disprop.areas import places_summary, read_boundaries, with_areas

        placed = with_areas(records, read_boundaries(areas))
        yield placed
        click.echo(places_summary(placed.account), err=True)


def tally_of(asked: Asked, by: Sequence[str], **how: Any) -> Tally:
    """The records asked for, counted by these axes. how: as in `reading`."""
    from disprop.plan import tally

    with reading(asked, **how) as records:
        return tally(records, by=by, force=asked.forces or None, period=asked.period)


@contextmanager
def _reading_on(asked: Asked, scheduler: str | None, kind: str | None) -> Iterator[Any]:
    with _reading_here(asked, kind) as records:
        if scheduler is None:
            yield records
            return
        from disprop.cluster import connected

        with connected(scheduler) as client:
            records.client = client
            yield records


@contextmanager
def _reading_here(asked: Asked, kind: str | None) -> Iterator[Any]:
    """The records behind the paths, with progress when a person is watching; or those of a record store."""
    if asked.mapping is not None:
        from disprop.io.mapping.extracts import read_mapped

        with progress_bar() as show:
            yield read_mapped(
                *asked.source, mapping=asked.mapping, key=asked.key_file, force=asked.force,
                quarantine=asked.quarantine, progress=show,
            )  # fmt: skip
        return
    if len(asked.source) == 1 and (Path(asked.source[0]) / "FORMAT").is_file():
        from disprop.io.store.reader import open_store

        yield open_store(asked.source[0], kind=kind or asked.kind)
        return
    if (kind or asked.kind) == "force_report":
        from disprop.io.force.files import read_force_files

        with progress_bar() as show:
            yield read_force_files(*asked.source, force=asked.force, quarantine=asked.quarantine, progress=show)
        return
    from disprop.io.parquet_files import holds_parquet
    from disprop.io.police_uk import read_police_uk

    if holds_parquet(asked.source):
        from disprop.io.parquet import read_parquet

        yield read_parquet(*asked.source, force=asked.force, quarantine=asked.quarantine)
        return
    with progress_bar() as show:
        yield read_police_uk(*asked.source, force=asked.force, quarantine=asked.quarantine, progress=show)


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None] | None]:
    """A function that shows progress, where a person is watching and rich is installed."""
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


def residents(path: str | None, axes: Sequence[str], *, kind: str = "search") -> Tally:
    """Residents from a saved tally, else Census 2021 by those of the axes that it has.

    Use of force has age bands of its own, which are made of the Census's finer ones.
    """
    if path is not None:
        from disprop.tallies import load

        return load(path)
    from disprop.io.census import census

    if kind == "force_report":
        axes = ["age" if axis == "age_band" else axis for axis in axes]
    return census(2021, by=["force", *(axis for axis in dict.fromkeys(axes) if axis in _CENSUS_AXES)])


_CENSUS_AXES = ("area", "ethnicity_self", "ethnicity_self_19", "age", "age_band", "gender")


def split_axes(by: str) -> list[str]:
    """Axis names of a comma-separated option; one named twice counts once."""
    return [*dict.fromkeys(name.strip() for name in by.split(",") if name.strip())]


# Writing -------------------------------------------------------------------------------------------------------------


def write_rows(frame: pd.DataFrame, form: str, out: str | None) -> None:
    """Result rows to the screen or a file, in the form asked for; rows about one officer or person only where they
    are made of enough records."""
    from disprop.disclosure import suppressed

    frame = suppressed(frame)
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


def warn(account: Any) -> int:
    """Say what was not counted and why it matters; the exit code says whether there was anything."""
    for label, n in account.unmapped.items():
        click.echo(f"warning: {n:,} records have a label that no codelist knows: {label}", err=True)
    for reason, n in account.quarantined.items():
        click.echo(f"warning: {n:,} rows could not be read: {reason}", err=True)
    return WARNINGS if account.unmapped or account.quarantined else OK
