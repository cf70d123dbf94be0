"""What a nightly is told: one strict TOML file. A key that is not known is refused, with the nearest one that is."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import msgspec

from disprop.codelists import force_code, nearest
from disprop.errors import UsageError
from disprop.measures import Measure, measure
from disprop.months import month_number
from disprop.records import KINDS, axis_spec, kind_of
from disprop.tallies import period

ON_ERROR = ("stop", "skip")
CLOCKS = "clocks"
JOINED = "force_used"
"""Axis of a column that no store holds: it is made from searches and force reports together."""

FEWEST = 3
"""The least `disclosure_threshold`: of two records, each of the two that know theirs knows the other."""
NOT_OPTIONS = ("tally", "population", "persons", "alone", "of", "by")
"""Arguments of measures that a file cannot give, or gives by `by`."""


class Extracts(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[extracts]]`: where files lie, and how they are read.

    path: file, folder or glob. mapping: TOML mapping; without one the files are those of data.police.uk. key_file:
    secret that identifiers are hashed with; without one, the environment's. force: force of files that name none.
    """

    path: str
    mapping: str | None = None
    key_file: str | None = None
    force: str | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[tables]]`: a measure as rows.

    measure: its name. by: axes of the rows. kind: of which records, where the measure makes sense of several. name: of
    its files; the measure's, if not given. options: arguments of the measure, such as `rule` or `confidence`.
    """

    measure: str
    by: list[str]
    kind: str | None = None
    name: str | None = None
    options: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def file(self) -> str:
        """Name of its files, without the ending."""
        return self.name or self.measure

    @property
    def of(self) -> Measure:
        return measure(self.measure)

    @property
    def records(self) -> str:
        """The kind of its records."""
        return self.kind or self.of.kind


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """`[retention]`: records of analysis months before `before` ("YYYY-MM") are removed from the store for good."""

    before: str
    reason: str = "retention"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One nightly, as `read_config` gives it; paths are those of the file, made absolute.

    store, out: folders. extracts, tables: what comes in and what goes out. force: figures of this force only. first and
    last (`from` and `to`), or last_months: the period, otherwise all there is. population: saved tally of residents
    instead of the Census. report: whether a page is made of each force's searches. on_error: `stop` publishes
    nothing when a file cannot be read, `skip` leaves the file out and warns. link: settings of
    `LinkSettings`, and `clocks`, by how many seconds the clock of a system is known to be ahead; without it nothing is
    linked.
    """

    store: str
    out: str
    extracts: list[Extracts]
    tables: list[Table] = msgspec.field(default_factory=list)
    force: str | None = None
    first: str | None = msgspec.field(default=None, name="from")
    last: str | None = msgspec.field(default=None, name="to")
    last_months: int | None = None
    population: str | None = None
    report: bool = True
    on_error: str = "stop"
    disclosure_threshold: int = 10
    link: dict[str, Any] | None = None
    retention: Retention | None = None

    @property
    def link_arguments(self) -> dict[str, Any]:
        """`settings` and `clocks` for `link_store`; what is not given is as `LinkSettings` has it."""
        from disprop.linkage import LinkSettings

        given = {name: _seconds(value) for name, value in (self.link or {}).items()}
        known = [field.name for field in fields(LinkSettings) if not field.name.endswith("offsets")]
        _refuse_unknown(given, [*known, CLOCKS], "[link]")
        clocks = given.pop(CLOCKS, {})
        if not isinstance(clocks, dict) or not all(isinstance(seconds, int) for seconds in clocks.values()):
            raise UsageError(f"[link] {CLOCKS} is {clocks!r}; a table of systems and whole seconds is wanted")
        return {"settings": LinkSettings(**given), "clocks": clocks}

    @property
    def said(self) -> dict[str, Any]:
        """Everything that the figures depend on, without the places of files: it stands in the manifest."""
        whole: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in whole.items() if name not in ("store", "out", "extracts", "population")}


def read_config(path: str | os.PathLike[str]) -> Config:
    """The nightly that a TOML file describes, checked; a path in it is taken from the file's own folder.

    Raises UsageError for a file that cannot be read, or that says something that is not understood.

    >>> from pathlib import Path
    >>> _ = Path("nightly.toml").write_text('''
    ... store = "records.store"
    ... out = "published"
    ... extract = "extracts"
    ... ''')
    >>> read_config("nightly.toml")
    Traceback (most recent call last):
    ...
    disprop.errors.UsageError: nightly.toml: unknown key 'extract'; did you mean 'extracts'?
    """
    home, name = Path(path).resolve().parent, Path(path).name
    try:
        told = msgspec.toml.decode(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as why:
        raise UsageError(f"{name} cannot be read: {why}; give a TOML file in UTF-8") from why
    except msgspec.DecodeError as why:
        raise UsageError(f"{name} is no TOML: {why}") from why
    try:
        _refuse_unknown_keys(told)
        config = _placed(msgspec.convert(told, Config), home)
        _check(config)
    except (msgspec.ValidationError, UsageError) as why:
        raise UsageError(f"{name}: {why}") from why
    return config


# Unknown keys --------------------------------------------------------------------------------------------------------


def _refuse_unknown_keys(told: Mapping[str, Any]) -> None:
    _refuse_unknown(told, Config.__struct_encode_fields__, "")
    for name, struct in (("extracts", Extracts), ("tables", Table)):
        for entry in _entries(told.get(name)):
            _refuse_unknown(entry, struct.__struct_encode_fields__, f"[[{name}]]")
    if isinstance(told.get("retention"), dict):
        _refuse_unknown(told["retention"], Retention.__struct_encode_fields__, "[retention]")


def _entries(value: Any) -> Sequence[Mapping[str, Any]]:
    """The tables of an array; anything else is refused when it is converted."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _refuse_unknown(told: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in told:
        if key not in known:
            raise UsageError(f"{where}{' has an ' if where else ''}unknown key {key!r}{nearest(key, known)}")


# Places --------------------------------------------------------------------------------------------------------------


def _placed(config: Config, home: Path) -> Config:
    """The same with every path absolute."""

    def at(path: str | None) -> str | None:
        return None if path is None else str(home / path)

    extracts = [
        msgspec.structs.replace(one, path=at(one.path), mapping=at(one.mapping), key_file=at(one.key_file))
        for one in config.extracts
    ]
    return msgspec.structs.replace(
        config, store=at(config.store), out=at(config.out), population=at(config.population), extracts=extracts
    )


# Checks --------------------------------------------------------------------------------------------------------------


def _check(config: Config) -> None:
    """Everything that can be judged from the file alone."""
    if not config.extracts:
        raise UsageError("no [[extracts]]; name at least one path to read")
    if config.on_error not in ON_ERROR:
        raise UsageError(f"on_error is {config.on_error!r}; {' or '.join(ON_ERROR)} is wanted")
    if config.disclosure_threshold < FEWEST:
        raise UsageError(f"disclosure_threshold is {config.disclosure_threshold}; {FEWEST} or more is wanted")
    for force in [config.force, *(one.force for one in config.extracts)]:
        if force is not None:
            force_code(force)
    _check_period(config)
    if config.retention is not None:
        month_number(config.retention.before)
    if config.link is not None:
        _ = config.link_arguments
    for table in config.tables:
        _check_table(table)
    _refuse_same_files([table.file for table in config.tables])


def _check_period(config: Config) -> None:
    if (config.first is None) != (config.last is None):
        raise UsageError("give both from and to, or neither")
    if config.first is not None and config.last is not None:
        period(config.first, config.last)
        if config.last_months is not None:
            raise UsageError("give from and to, or last_months, not both")
    if config.last_months is not None and config.last_months < 1:
        raise UsageError(f"last_months is {config.last_months}; 1 or more is wanted")


def _check_table(table: Table) -> None:
    wanted, kind = table.of, kind_of(table.records)
    if wanted.reads not in (None, kind.name):
        raise UsageError(f"[[tables]] {table.file}: {wanted.name} is of {KINDS[wanted.kind].unit}, not of {kind.unit}")
    if JOINED in (*wanted.axes, *table.by):
        raise UsageError(f"[[tables]] {table.file}: a nightly does not join force reports to searches; leave it out")
    for axis in [*table.by, *wanted.axes]:
        axis_spec(axis, kind.name)
    options = [name for name in wanted.parameters if name not in NOT_OPTIONS]
    _refuse_unknown(table.options, options, f"[[tables]] {table.file}: options")
    if not table.file.replace("_", "").replace("-", "").isalnum():
        raise UsageError(f"[[tables]] name {table.file!r} is no file name; take letters, digits, '-' and '_'")


def _refuse_same_files(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two [[tables]] are named {twice[0]!r}; give one of them another name")


def _seconds(value: Any) -> Any:
    """A date or time of TOML as seconds UTC; anything else as it is."""
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, date):
        return int(datetime.combine(value, time(), UTC).timestamp())
    return value
