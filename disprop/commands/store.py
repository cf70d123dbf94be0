"""`disprop store`: each command a few lines onto the record store."""

from __future__ import annotations

import click

from disprop.commands.options import OK, REFUSED, WARNINGS, key_option, mapping_option
from disprop.errors import UsageError

_STORE = click.argument("path", type=click.Path(file_okay=False))
_KIND = click.option("--kind", help="Kind of record; needed where the store has several.")
_ONE_KIND = click.option("--kind", help="One kind of record only.")
_ONE_DATASET = click.option("--dataset", help="One dataset only.")
_DATASET = click.option("--dataset", help="One dataset only; needed where two fill the same months.")


@click.group()
def store() -> None:
    """Keep records in a store, and look after it.

    \b
    Examples:
      disprop store add searches.store data/
      disprop measure rate_ratio searches.store --by force,ethnicity_self
    """


@store.command()
@_STORE
@click.argument("source", nargs=-1, required=True)
@click.option("--force", metavar="ID", help="Force of files that name none.")
@click.option("--kind", default="search", show_default=True, help="What Parquet or CSV of canonical columns holds.")
@mapping_option
@key_option
def add(
    path: str, source: tuple[str, ...], force: str | None, kind: str, mapping: str | None, key_file: str | None
) -> int:
    """Add records: police.uk files, archives, Parquet, or a force's own extracts by a mapping (which names the kind).

    What is there already is replaced, never added twice.

    \b
    Examples:
      disprop store add searches.store data/ --force kent
      disprop store add kent.store extract.csv --mapping searches.toml --key-file secret.key
    """
    from disprop.io.store.exchange import sources
    from disprop.io.store.writer import add as add_to

    without_rows: list[str] = []
    if mapping is not None:
        from disprop.io.mapping.extracts import read_mapped

        extracts = read_mapped(*source, mapping=mapping, key=key_file, force=force)
        done = add_to(path, extracts)
        without_rows = [file.name for file in extracts.files if not file.read]
    else:
        done = add_to(path, *sources(source, force=force, kind=kind))
    click.echo(
        f"{done.added:,} parts added, {done.replaced:,} replaced, {done.unchanged:,} there already; "
        f"{done.records:,} records written"
    )
    for reason, n in done.account.quarantined.items():
        click.echo(f"warning: {n:,} rows could not be read: {reason}", err=True)
    for name in without_rows:
        click.echo(f"warning: no rows in {name}: no month is known, nothing observed", err=True)
    return WARNINGS if done.account.quarantined or without_rows else OK


@store.command("list")
@_STORE
@_ONE_KIND
@_ONE_DATASET
def list_parts(path: str, kind: str | None, dataset: str | None) -> int:
    """List the parts of every kind: dataset, kind, force, month, records, and the part's id.

    \b
    Example:
      disprop store list kent.store --kind search
    """
    from disprop.io.store.exchange import listed
    from disprop.months import month_label

    for row in listed(path, kind=kind, dataset=dataset):
        about = (row["dataset"], row["kind"], row["force"], month_label(row["month"]))
        click.echo("\t".join([*about, str(row["records"]), row["part"].decode()]))
    return OK


@store.command()
@_STORE
def verify(path: str) -> int:
    """Check every file of a store: digests, lengths, labels, and the chain of ledgers.

    \b
    Example:
      disprop store verify searches.store
    """
    from disprop.io.store.maintenance import verify as faults

    found = faults(path)
    for fault in found:
        click.echo(fault, err=True)
    click.echo("sound" if not found else f"{len(found)} faults; restore the store from a copy")
    return REFUSED if found else OK


@store.command()
@_STORE
@click.option("--grace-days", default=7.0, show_default=True, help="Keep files that are no longer used for so long.")
def compact(path: str, grace_days: float) -> int:
    """Merge small files into one a year, and delete what is no longer used.

    \b
    Example:
      disprop store compact searches.store
    """
    from disprop.io.store.maintenance import compact as merge

    done = merge(path, grace_days=grace_days)
    click.echo(f"{done.segments_before:,} segments before, {done.segments_after:,} now; {done.deleted:,} files deleted")
    return OK


@store.command()
@_STORE
@click.argument("out", type=click.Path(dir_okay=False))
@_KIND
@_DATASET
def export(path: str, out: str, kind: str | None, dataset: str | None) -> int:
    """Write every record to one Parquet or CSV file, by its ending.

    \b
    Example:
      disprop store export searches.store searches.parquet
    """
    from disprop.io.store.exchange import export as write
    from disprop.io.store.reader import open_store

    click.echo(f"{write(open_store(path, kind=kind, dataset=dataset), out):,} records written to {out}")
    return OK


@store.command()
@_STORE
@click.option("--before", metavar="YYYY-MM", help="Remove the records of earlier months.")
@click.option("--person", "persons", multiple=True, metavar="KEY", help="Remove the records of this person's key.")
@click.option("--reason", required=True, help="Why; kept in the ledger, so name nobody in it.")
def purge(path: str, before: str | None, persons: tuple[str, ...], reason: str) -> int:
    """Remove records for good. The old files go when `store compact` next runs after the grace period.

    A person is named by the pseudonym that stands in the store: 16 hexadecimal digits.

    \b
    Examples:
      disprop store purge searches.store --before 2015-04 --reason "kept for seven years"
      disprop store purge kent.store --person 47f4d56b8665fa10 --reason "expunged"
    """
    from disprop.io.store.retention import purge as remove

    if before is None and not persons:
        raise UsageError("name what to remove: --before YYYY-MM, or --person KEY")
    done = remove(path, before=before, persons=[_pseudonym(text) for text in persons], reason=reason)
    click.echo(f"{done.records:,} records removed from {done.parts:,} parts, {done.emptied:,} of which are gone")
    return OK


def _pseudonym(text: str) -> int:
    """A key as it is written: 16 hexadecimal digits. What was typed is not repeated: it may be somebody's number."""
    if len(text) != 16 or not set(text.lower()) <= set("0123456789abcdef"):
        raise UsageError("--person wants the pseudonym in the store, 16 hexadecimal digits, not an identifier")
    return int(text, 16)
