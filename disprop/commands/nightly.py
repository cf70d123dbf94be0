"""`disprop nightly`: a few lines onto the night's work."""

from __future__ import annotations

import click

from disprop.commands.options import OK, WARNINGS, progress_bar

LOCKED = 5


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--check", "only_check", is_flag=True, help="Check the file, what it names, and every table; do nothing.")
def nightly(config: str, only_check: bool) -> int:
    """Take in new and revised extracts, and publish the figures: a new folder, and one switch of `current`.

    \b
    Examples:
      disprop nightly nightly.toml --check
      disprop nightly nightly.toml

    \b
    Exit codes: 0 published, or nothing new; 2 the file is wrong; 3 an extract, a mapping or a key was
    refused, nothing was published; 4 published, with warnings; 5 another night is at work.
    """
    from pathlib import Path

    from disprop.nightly import check, read_config, run_nightly
    from disprop.nightly.publish import only_one

    told = read_config(config)
    if only_check:
        for line in check(told):
            click.echo(line)
        return OK
    with only_one(Path(told.out)) as alone:
        if not alone:
            click.echo(f"disprop: another night is at work on {told.out}; wait for it to end", err=True)
            return LOCKED
        with progress_bar() as show:
            done = run_nightly(told, say=click.echo, progress=show)
    click.echo(f"published: {Path(told.out) / done.run}" if done.published else "nothing new")
    for warning in done.warnings:
        click.echo(f"warning: {warning}", err=True)
    return WARNINGS if done.warnings else OK
