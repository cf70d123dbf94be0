"""How far a mapping covers its extracts: columns, values, rows; nothing is counted or stored."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from disprop.io.mapping.columns import ColumnMapping, read_mapping
from disprop.io.mapping.extracts import read_mapped
from disprop.io.quarantine import QuarantinedRow
from disprop.io.rules import UNMAPPED_COLUMN
from disprop.keys import KeyedHash
from disprop.months import month_label
from disprop.provenance import Account
from disprop.records import split_items

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class MappingCheck:
    """What `check_mapping` found.

    `values[column]` counts the labels of a coded column (of a column of items, each item), `unmapped[column]` those
    that no codelist understands. `months` counts the records of each force-month. `problems` are the first rows put
    aside, without raw identifiers.
    """

    mapping: ColumnMapping
    account: Account
    months: dict[tuple[str, str], int]
    problems: list[QuarantinedRow]
    values: dict[str, Counter[str]] = field(default_factory=dict)
    unmapped: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def left_out(self) -> list[str]:
        """Columns of the extracts that the mapping does not name."""
        return [note.partition(": ")[2] for note in self.account.notes if note.startswith(f"{UNMAPPED_COLUMN}: ")]

    @property
    def complete(self) -> bool:
        """Whether every row could be read and every coded value is understood."""
        return not self.account.quarantined and not any(self.unmapped.values()) and self.account.read > 0

    def lines(self) -> Iterator[str]:
        """The check in words."""
        account, columns = self.account, self.mapping.columns
        yield f"{account.read:,} rows read: {account.counted:,} {self.mapping.of_kind.unit}"
        for what, counts in (("excluded", account.excluded), ("put aside", account.quarantined)):
            yield from (f"  {n:,} {what}: {reason}" for reason, n in counts.items())
        yield from (f"  {force} {month}: {n:,}" for (force, month), n in sorted(self.months.items()))
        yield f"{len(columns) + sum(map(len, self.mapping.items.values())):,} columns placed"
        yield from (f"  left out: {header}" for header in self.left_out)
        for column, counts in self.values.items():
            strange = self.unmapped[column]
            n = sum(strange.values())
            yield f"{column}: {sum(counts.values()) - n:,} understood, {n:,} not"
            yield from (f"  {n:,} not understood: {label}" for label, n in strange.most_common())
        yield from (
            f"noted: {note}: {n:,}" for note, n in account.notes.items() if not note.startswith(UNMAPPED_COLUMN)
        )
        for row in self.problems[:5]:
            yield f"{row.file}, line {row.line}: {row.reason}" + (f", {row.column} {row.value}" if row.column else "")


def check_mapping(
    mapping: str | os.PathLike[str] | ColumnMapping, *paths: str | os.PathLike[str], force: str | None = None
) -> MappingCheck:
    """How far a mapping covers its extracts, without the key: a throw-away one is used, and nothing is kept.

    Raises InputRefused where the mapping or a file is refused; the message says what to change.

    >>> from pathlib import Path
    >>> _ = Path("extract.csv").write_text("Sex,When\\nM,2019-04-01\\nX,2019-04-02\\n")
    >>> _ = Path("kent.toml").write_text('''
    ... name = "kent-searches"
    ... kind = "search"
    ... force = "kent"
    ... columns = {Sex = "gender", When = "event_time"}
    ... values = {gender = {M = "Male"}}
    ... ''')
    >>> found = check_mapping("kent.toml", "extract.csv")
    >>> found.complete, dict(found.unmapped["gender"])
    (False, {'X': 1})
    """
    how = mapping if isinstance(mapping, ColumnMapping) else read_mapping(mapping)
    source = read_mapped(*paths, mapping=how, key=KeyedHash(secrets.token_bytes(32)), force=force)
    named = [spec.name for spec in how.specs.values() if how.codelists(spec.name)]
    values: dict[str, Counter[str]] = {}
    for batch in source.batches():
        for name in (one for one in named if one in batch.schema.names):
            values.setdefault(name, Counter()).update(_counts(how, name, batch[name]))
    months = {(part["force"], month_label(int(part["month"]))): int(part["rows"]) for part in source.parts}
    found = MappingCheck(how, source.account, months, source.quarantined, values)
    for name, counts in values.items():
        strange = {label: n for label, n in counts.items() if not how.understands(name, label, scheme=source.scheme)}
        found.unmapped[name] = Counter(strange)
    return found


def _counts(mapping: ColumnMapping, name: str, column: pa.DictionaryArray) -> Counter[str]:
    """How often each label occurs; of a column of items, each item."""
    indices = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    counts = np.bincount(indices + 1, minlength=len(column.dictionary) + 1)[1:].tolist()
    found = Counter[str]()
    for label, n in zip(column.dictionary.to_pylist(), counts):
        for one in split_items(label) if mapping.specs[name].dtype == "items" else [label]:
            found[one] += n
    return +found
