"""`disprop mapping`: proposing a mapping for a force's own extracts, and checking it."""

from __future__ import annotations

from pathlib import Path

import click

from disprop.commands.options import FILE, OK, WARNINGS
from disprop.errors import UsageError


@click.group()
def mapping() -> None:
    """Read extracts of a force's own systems: propose a mapping for them, and check it.

    \b
    Examples:
      disprop mapping init extract.csv --out searches.toml
      disprop mapping check searches.toml extract.csv
    """


@mapping.command()
@click.argument("file", type=click.Path(exists=True), metavar="FILE_OR_FOLDER")
@click.option("--kind", help="Kind of record: search, force_report, footage, custody; default: what fits best.")
@click.option("--out", type=click.Path(dir_okay=False), help="Write the mapping to this file; it must not exist yet.")
def init(file: str, kind: str | None, out: str | None) -> int:
    """Propose a mapping from an extract's own headers and values, and list what it could not place.

    \b
    Example:
      disprop mapping init extract.csv --kind search --out searches.toml

    \b
    Exit codes: 0 nothing to settle, 2 usage, 3 file refused, 4 edits are listed.
    """
    from disprop.io.mapping.propose import propose_mapping

    found = propose_mapping(file, kind=kind)
    if out is None:
        click.echo(found.text, nl=False)
    elif Path(out).exists():
        raise UsageError(f"{out} is there already; give another name, or remove it")
    else:
        Path(out).write_text(found.text, encoding="utf-8")
        click.echo(f"The mapping is at {out}")
    for n, edit in enumerate(found.edits, start=1):
        answers = f" Likely: {', '.join(edit.answers)}." if edit.answers else ""
        click.echo(f"edit {n}: {'.'.join(edit.key)}: {edit.question}{answers}", err=True)
    return WARNINGS if found.edits else OK


@mapping.command()
@click.argument("mapping", type=FILE)
@click.argument("file", nargs=-1, required=True)
@click.option("--force", metavar="ID", help="Force of extracts that name none, where the mapping names none.")
def check(mapping: str, file: tuple[str, ...], force: str | None) -> int:
    """Say how far a mapping covers its extracts: columns, values, rows, first problems. No key is needed.

    \b
    Example:
      disprop mapping check searches.toml extract.csv

    \b
    Exit codes: 0 every row and value is understood, 2 usage, 3 refused, 4 some rows or values are not.
    """
    from disprop.io.mapping.check import check_mapping

    found = check_mapping(mapping, *file, force=force)
    for line in found.lines():
        click.echo(line)
    return OK if found.complete else WARNINGS
