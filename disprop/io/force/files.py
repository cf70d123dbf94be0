"""Files of force reports, whichever of the known forms they have: canonical columns, or the Metropolitan layout.

Validation: green for canonical columns (they are read as tables are), amber for the Metropolitan layout.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from disprop.errors import InputRefused, UsageError
from disprop.io.archive import Progress
from disprop.io.force.met import read_met_force
from disprop.io.frame_columns import NUMBERS
from disprop.io.frames import read_frame
from disprop.io.mapping.columns import header_key
from disprop.io.mapping.files import find_extracts
from disprop.io.parquet_files import MAGIC
from disprop.records import KINDS

if TYPE_CHECKING:
    import pyarrow as pa

    from disprop.io.archive import Member

MET_HEADERS = {"incidentdate", "tactic 1"}


def read_force_files(
    *paths: str | os.PathLike[str],
    force: str | None = None,
    quarantine: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Any:
    """Force reports from CSV or Parquet files, as a source to tally.

    Files in the Metropolitan layout go to `read_met_force`; others have canonical columns (`disprop.records.KINDS`) and
    go to `read_frame`. Anything else needs a mapping.

    >>> from pathlib import Path
    >>> _ = Path("reports.csv").write_text("force,month,tactics\\nkent,2023-04,Shield | Baton drawn\\n")
    >>> [batch["tactics"].to_pylist() for batch in read_force_files("reports.csv").batches()]
    [['Baton drawn | Shield']]
    """
    if not paths:
        raise UsageError("no path; give CSV or Parquet files, folders or globs")
    members, _ = find_extracts(paths)
    layouts = {_is_met(member) for member in members}
    if len(layouts) > 1:
        raise InputRefused("some files have the Metropolitan layout and others have not; read them apart")
    if layouts == {True}:
        return read_met_force(*paths, quarantine=quarantine, progress=progress)
    return read_frame(_table(members), kind="force_report", force=force, scheme="home-office", quarantine=quarantine)


def _is_met(member: Member) -> bool:
    with Path(member.name).open("rb") as file:
        line = file.readline(1 << 16).decode("cp1252", errors="replace")
    return {*map(header_key, line.replace('"', "").split(","))} >= MET_HEADERS


def _table(members: list[Member]) -> pa.Table:
    """The files as one table, in which what is not a number is text."""
    import pyarrow as pa

    return pa.concat_tables([_one(member.name) for member in members], promote_options="default")


def _one(name: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        with Path(name).open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return parquet.read_table(name)
        with Path(name).open("rb") as file:
            header = file.readline().decode("utf-8-sig").strip().replace('"', "").split(",")
        keys = {spec.name: NUMBERS[spec.dtype] for spec in KINDS["force_report"].columns if spec.dtype in NUMBERS}
        types = {column: keys.get(column, "string") for column in header}
        options = csv.ConvertOptions(column_types=types, strings_can_be_null=True)
        return csv.read_csv(name, convert_options=options)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as why:
        raise InputRefused(f"{name} cannot be read as a table of force reports: {why}") from why
