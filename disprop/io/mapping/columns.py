"""A mapping: how one extract of a force's own system says what the canonical columns say. TOML, strict.

Validation: amber; every key and every refusal is under test, on extracts made up after field names in public use. No
real extract of a force's own system has been read with it yet.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from disprop.codelists import SCHEMES, codelist, force_code, labels, nearest, normalise
from disprop.errors import InputRefused, UsageError
from disprop.io.dates import TIME_ZONES
from disprop.io.mapping.times import FORMATS, check_formats
from disprop.keys import sort_of
from disprop.records import KINDS, Column, Kind, kind_of

NEUTRAL = "police.uk"
"""Code scheme under which no short code of an ethnic group means anything: what holds where none was declared."""

ROLES = {"time": ("date", "time", "duration"), "age_band": ("years",)}
"""What a source column may be of a canonical one: of a time its date, its time of day, or (not of event_time) how long
after it; of an age band the age in years."""

TAKEN = ("police.uk", "home-office", "frame", "parquet")
NAME_LENGTH = 24
DERIVED = ("video_link", "video_clips", "video_seconds", "video_from_start", "force_used")
MODES = ("one", "several")


class ColumnMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One mapping, as `read_mapping` gives it: every name checked, every target understood.

    name: the dataset that the records belong to. kind: a name of `records.KINDS`. columns: source column -> canonical
    column, `event_time:date` and `event_time:time` where a time stands in two columns, `end_time:duration` where its
    length is given. values: canonical column -> source value -> label, blank for none. items: canonical column of
    items -> source column of yes and no -> item. keys: canonical key column -> sort of identifier. force, scheme,
    schemes, time_zone, date_formats, delimiter, encoding, separator, ignore, months: see docs/mapping.md.
    """

    name: str
    kind: str
    columns: dict[str, str]
    force: str | None = None
    scheme: str | None = None
    schemes: dict[str, str] = msgspec.field(default_factory=dict)
    time_zone: str | None = None
    date_formats: list[str] = msgspec.field(default_factory=list)
    delimiter: str | None = None
    encoding: str | None = None
    separator: str = ";"
    months: str = "one"
    ignore: list[str] = msgspec.field(default_factory=list)
    values: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    items: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    keys: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def of_kind(self) -> Kind:
        return KINDS[self.kind]

    @property
    def specs(self) -> dict[str, Column]:
        """The kind's columns that a source can bring, by name."""
        return {spec.name: spec for spec in self.of_kind.columns if spec.name not in DERIVED}

    @property
    def digest(self) -> str:
        """SHA-256 of what the mapping says; comments, order and spacing of the file do not count."""
        return sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def key_columns(self) -> list[str]:
        """Canonical columns that are filled with keyed hashes."""
        return [name for name in self.columns.values() if name in self.specs and self.specs[name].dtype == "key"]

    def sort_of(self, column: str) -> str:
        """The sort of identifier that a key column holds."""
        return self.keys.get(column, sort_of(column))

    def scheme_of(self, column: str) -> str:
        """The code scheme of a column's labels."""
        return self.schemes.get(column) or self.scheme or NEUTRAL

    def codelists(self, column: str) -> list[str]:
        """The closed codelists that a column is counted in; none where any label is as good as another."""
        return [
            spec.codelist
            for spec in self.of_kind.axes
            if spec.column == column and (spec.by_label or spec.multi) and column not in ("force", "month")
        ]

    def understands(self, column: str, label: str, *, scheme: str | None = None) -> bool:
        """Whether a codelist of the column knows a label under its scheme."""
        wanted, word = scheme or self.scheme_of(column), normalise(label)
        return any(word in labels(name, wanted) for name in self.codelists(column))


def header_key(text: str) -> str:
    """The form in which headers are compared: case and inner white space do not matter.

    >>> header_key(" Collar  No ")
    'collar no'
    """
    return normalise(text.replace("\ufeff", ""))


def split_role(target: str) -> tuple[str, str]:
    """The canonical column and the role of a target.

    >>> split_role("event_time:date"), split_role("officer")
    (('event_time', 'date'), ('officer', ''))
    """
    name, _, role = target.partition(":")
    return name.strip(), role.strip()


def read_mapping(path: str | os.PathLike[str]) -> ColumnMapping:
    """The mapping in a TOML file, checked.

    Raises InputRefused for a file that cannot be read, is no TOML, or says something that is not understood: the
    message names the key, with the nearest known name.

    >>> from pathlib import Path
    >>> _ = Path("searches.toml").write_text('''
    ... name = "kent-searches"
    ... kind = "search"
    ... [columns]
    ... "Date of search" = "event_tme"
    ... ''')
    >>> read_mapping("searches.toml")
    Traceback (most recent call last):
    ...
    disprop.errors.InputRefused: searches.toml: columns, 'Date of search': no column 'event_tme' of searches; ...
    """
    name = Path(path).name
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as why:
        raise InputRefused(f"{name} cannot be read: {why}; give a TOML mapping in UTF-8") from why
    return parse_mapping(text, name=name)


def parse_mapping(text: str, *, name: str = "the mapping") -> ColumnMapping:
    """The mapping that a TOML text says, checked; `name` is what messages call it."""
    try:
        told = msgspec.toml.decode(text)
        _known_keys(told)
        mapping = msgspec.convert(told, ColumnMapping)
        _check(mapping)
    except msgspec.ValidationError as why:
        raise InputRefused(f"{name}: {why}") from why
    except msgspec.DecodeError as why:
        raise InputRefused(f"{name} is no TOML: {why}") from why
    except (_Wrong, UsageError) as why:
        raise InputRefused(f"{name}: {why}") from why
    return mapping


class _Wrong(Exception):
    """Something in a mapping that is not understood."""


def _wrong(where: str, what: str) -> NoReturn:
    raise _Wrong(f"{where}: {what}")


def _known_keys(told: Mapping[str, Any]) -> None:
    fields = ColumnMapping.__struct_fields__
    for key in told:
        if key not in fields:
            _wrong("unknown key", f"{key!r}{nearest(key, fields)}")


def _check(mapping: ColumnMapping) -> None:
    """Everything that can be judged without the extract."""
    _check_head(mapping)
    _check_columns(mapping)
    _check_items(mapping)
    _check_headers(mapping)
    _check_times(mapping)
    _check_schemes(mapping)
    _check_keys(mapping)
    _check_values(mapping)


def _check_head(mapping: ColumnMapping) -> None:
    kind_of(mapping.kind)
    if not re.fullmatch(r"[\w.-]+", mapping.name) or len(mapping.name) > NAME_LENGTH or mapping.name in TAKEN:
        _wrong(
            "name",
            f"{mapping.name!r} names no dataset; take letters, digits, '-', '.' or '_', at most {NAME_LENGTH}, "
            f"and none of {', '.join(TAKEN)}",
        )
    if mapping.force is not None:
        force_code(mapping.force)
    _one_of("time_zone", mapping.time_zone, TIME_ZONES)
    _one_of("scheme", mapping.scheme, SCHEMES)
    _one_of("months", mapping.months, MODES)
    if mapping.delimiter is not None and len(mapping.delimiter) != 1:
        _wrong("delimiter", f"{mapping.delimiter!r} is not one character")
    if not mapping.separator:
        _wrong("separator", "is empty; give what stands between two items of one cell")
    if mapping.encoding is not None:
        _check_encoding(mapping.encoding)


def _one_of(key: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        _wrong(key, f"{value!r} is not one of {', '.join(known)}")


def _check_encoding(name: str) -> None:
    try:
        codecs.lookup(name)
    except LookupError:
        _wrong("encoding", f"no encoding {name!r}; for instance utf-8 or cp1252")


def _check_columns(mapping: ColumnMapping) -> None:
    seen: dict[str, str] = {}
    for header, target in mapping.columns.items():
        column, role = split_role(target)
        spec = _spec(mapping, "columns", header, column)
        roles = ROLES.get(column if column in ROLES else spec.dtype, ())
        if role and role not in roles:
            may = f"{', '.join(roles)} may follow" if roles else "nothing may follow"
            _wrong(f"columns, {header!r}", f"{target!r} is not understood; {may} {column}:")
        if target == "event_time:duration":
            _wrong(f"columns, {header!r}", "event_time has no duration; end_time may")
        if target in seen and spec.dtype != "items":
            _wrong(f"columns, {header!r}", f"{seen[target]!r} gives {target} already; leave one out")
        seen[target] = header
    for target in seen:
        column, role = split_role(target)
        if role and column in seen:
            _wrong(f"columns, {seen[target]!r}", f"{seen[column]!r} gives the whole of {column} already; leave one out")
        if role == "time" and f"{column}:date" not in seen:
            _wrong(f"columns, {seen[target]!r}", f"a time of day alone dates nothing; give {column}:date too")
        if role == "duration" and f"{column}:date" in seen:
            _wrong(f"columns, {seen[target]!r}", f"{seen[f'{column}:date']!r} dates {column} already; leave one out")
    if not {"event_time", "event_time:date", "month"} & set(seen):
        _wrong(
            "columns", 'no source column is "event_time" (or "event_time:date"); name the one that dates the records'
        )


def _spec(mapping: ColumnMapping, where: str, key: str, column: str) -> Column:
    if column not in mapping.specs:
        _wrong(
            f"{where}, {key!r}" if key else where,
            f"no column {column!r} of {mapping.of_kind.unit}{nearest(column, mapping.specs)}",
        )
    return mapping.specs[column]


def _check_items(mapping: ColumnMapping) -> None:
    for column, flags in mapping.items.items():
        if _spec(mapping, "items", "", column).dtype != "items":
            _wrong("items", f"{column} holds one label a record; map its source column in [columns]")
        for header, item in flags.items():
            if not item.strip():
                _wrong(f"items.{column}, {header!r}", "no item; name it, or leave the line out")
            _check_target(mapping, f"items.{column}, {header!r}", column, item)


def _check_headers(mapping: ColumnMapping) -> None:
    seen: dict[str, str] = {}
    places = [("columns", mapping.columns), ("ignore", mapping.ignore)]
    places += [(f"items.{column}", flags) for column, flags in mapping.items.items()]
    for where, headers in places:
        for header in headers:
            if header_key(header) in seen:
                _wrong(f"{where}, {header!r}", f"stands in {seen[header_key(header)]} already; leave one out")
            seen[header_key(header)] = where


def _check_times(mapping: ColumnMapping) -> None:
    wrong = check_formats(mapping.date_formats)
    if wrong:
        _wrong("date_formats", f"{wrong}; {FORMATS}")


def _check_schemes(mapping: ColumnMapping) -> None:
    for column, scheme in mapping.schemes.items():
        _spec(mapping, "schemes", "", column)
        _one_of(f"schemes, {column}", scheme, SCHEMES)


def _check_keys(mapping: ColumnMapping) -> None:
    for column, sort in mapping.keys.items():
        if _spec(mapping, "keys", "", column).dtype != "key" or column not in mapping.columns.values():
            _wrong("keys", f"{column} is no key column that [columns] fills; leave it out")
        if not sort.strip() or "\0" in sort:
            _wrong(f"keys, {column}", 'no sort of identifier; for instance "officer"')


def _check_values(mapping: ColumnMapping) -> None:
    filled = {split_role(target)[0] for target in mapping.columns.values()} | set(mapping.items)
    for column, table in mapping.values.items():
        dtype = _spec(mapping, "values", "", column).dtype
        if column not in filled:
            _wrong("values", f"no source column gives {column}; map one in [columns], or leave the table out")
        if dtype not in ("label", "items", "key"):
            _wrong("values", f"{column} is a {dtype}, whose values are not mapped")
        folded: dict[str, str] = {}
        for value, target in table.items():
            if folded.setdefault(normalise(value), target) != target:
                _wrong(f"values.{column}, {value!r}", "is given twice, with two meanings")
            if dtype == "key" and target.strip():
                _wrong(f"values.{column}", 'an identifier may be mapped to "" (none) alone')
            if dtype != "key":
                _check_target(mapping, f"values.{column}, {value!r}", column, target)


def _check_target(mapping: ColumnMapping, where: str, column: str, target: str) -> None:
    """A target must be a label that the column's codelist understands; blank says none."""
    if not target.strip():
        return
    if column == "force":
        force_code(target)
    elif mapping.codelists(column) and not mapping.understands(column, target):
        _wrong(where, f"{target!r} is no label of {column}{nearest(target, _targets(mapping, column))}")


def _targets(mapping: ColumnMapping, column: str) -> Iterable[str]:
    """Codes that a value of the column may be mapped to."""
    return dict.fromkeys(code for name in mapping.codelists(column) for code in codelist(name).codes)
