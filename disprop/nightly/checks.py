"""What can be known before any record is read: that every table can be made, of records that come, under one key.

Each table is made once of a month of invented records, with the residents and the options that it will have. A refusal
that does not hang on the records then comes at once, not after hours of reading; what hangs on them comes later still.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from disprop.errors import (
    AxisMismatch,
    CodelistMismatch,
    MultiChoiceError,
    Refused,
    UnitMismatch,
    UsageError,
)
from disprop.io.mapping.columns import read_mapping
from disprop.io.store.manifest import read_manifest
from disprop.io.store.reader import is_store
from disprop.job import WANTED, measure_all
from disprop.keys import read_key
from disprop.nightly.config import Config, Extracts, Table
from disprop.nightly.figures import SEARCH, Axes, Made, axes_of, rows, wanted
from disprop.plan import scan
from disprop.records import KINDS
from disprop.tallies import AREA, Tally

if TYPE_CHECKING:
    import pyarrow as pa

    from disprop.synthetic import Encounters
    from disprop.synthetic.sources import TableSource

MONTH = "2023-04"
NOWHERE = ("kent", "E07000105")
"""Force and area of the invented records where the residents name none."""
IN_VAIN = (UsageError, Refused, AxisMismatch, CodelistMismatch, MultiChoiceError, UnitMismatch,
           TypeError, ValueError, AttributeError, KeyError)  # fmt: skip
"""Refusals, and Python's own, that no other records would help against; those for want of records are none."""


def refuse_in_vain(config: Config) -> None:
    """Raises UsageError where a night would read everything and then fail for what the file says.

    That is: two keys, figures of a kind of record that neither extracts nor store have, a table or report that its
    measure refuses whatever the records.
    """
    _refuse_two_keys(config.extracts)
    _refuse_kinds_that_never_come(config)
    for table in config.tables:
        _try_table(config, table)
    if config.report:
        _try_report(config)


def _refuse_two_keys(extracts: Sequence[Extracts]) -> None:
    """One key for all: nobody can join what is hashed with two, and the store refuses it in the end."""
    keyed = [one for one in extracts if one.mapping is not None and read_mapping(one.mapping).key_columns]
    keys: dict[str, Extracts] = {}
    for one in keyed:
        keys.setdefault(read_key(one.key_file).key_id, one)
    if len(keys) > 1:
        first, second = list(keys.values())[:2]
        raise UsageError(
            f"[[extracts]] {first.path} and {second.path} have two keys, which nobody can join; give both the same "
            "key_file"
        )


def _refuse_kinds_that_never_come(config: Config) -> None:
    come = {SEARCH if one.mapping is None else read_mapping(one.mapping).kind for one in config.extracts}
    store = Path(config.store)
    held = {str(kind) for kind in read_manifest(store).parts["kind"]} if is_store(store) else set()
    for kind in wanted(config):
        if kind not in come | held:
            named = next((f"[[tables]] {one.file}" for one in config.tables if one.records == kind), "the report")
            what = "leave it out" if named != "the report" else "set report = false"
            raise UsageError(f"{named} is of {KINDS[kind].unit}, which no [[extracts]] bring; add one, or {what}")


# On trial ------------------------------------------------------------------------------------------------------------


def _try_table(config: Config, table: Table) -> None:
    try:
        axes = axes_of(table)
        rows(_invented(config, table.records, [axes]), table)
    except IN_VAIN as why:
        raise UsageError(
            f"[[tables]] {table.file} cannot be made by {', '.join(table.by) or 'nothing'}: {why}"
        ) from why


def _try_report(config: Config) -> None:
    try:
        made = _invented(config, SEARCH, WANTED)
        measure_all([made.tallies[SEARCH][axes] for axes in WANTED], made.residents(["ethnicity_self"]))
    except IN_VAIN as why:
        raise UsageError(f"the report cannot be made: {why}; give another population, or set report = false") from why


def _invented(config: Config, kind: str, lists: Sequence[Axes]) -> Made:
    """Tallies of invented records by each list of axes, at a place where the residents live."""
    nobody = Made(config, {}, {})
    force, area = NOWHERE if config.population is None else _somewhere(nobody.residents([], kind=kind))
    source = _records(kind, force, area)
    return Made(config, {kind: dict(zip(lists, scan(source, lists)))}, {kind: source})


def _somewhere(residents: Tally) -> tuple[str, str]:
    """A force, and an area of it, that has residents."""
    lived = residents.project([name for name in ("force", AREA) if name in residents.names]).frame()
    known = [lived[name].iloc[0] if name in lived and len(lived) else "" for name in ("force", AREA)]
    return known[0] or NOWHERE[0], known[1] or NOWHERE[1]


@cache
def _records(kind: str, force: str, area: str) -> TableSource:
    from disprop.synthetic.encounters import TABLES
    from disprop.synthetic.sources import TableSource

    table = getattr(_encounters(), TABLES[kind])
    says = partial(_everywhere, rows=table.num_rows)
    table = table.drop_columns(["force"]).append_column("force", says(force))
    if any(column.name == AREA for column in KINDS[kind].columns):
        table = table.drop_columns([name for name in [AREA] if name in table.column_names])
        table = table.append_column(AREA, says(area))
    return TableSource(kind, table, [MONTH])


@cache
def _encounters() -> Encounters:
    from disprop.synthetic import make_encounters

    return make_encounters(months=[MONTH])


def _everywhere(label: str, *, rows: int) -> pa.Array:
    """A column that says the same of every record."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), [label])
