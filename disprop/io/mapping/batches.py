"""Rows of one extract -> record batches by a mapping; what cannot be read is put aside, and names nobody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from disprop.codelists import force_code, normalise
from disprop.errors import UsageError
from disprop.io.columns import BLANK_WORDS, place
from disprop.io.dates import Instants
from disprop.io.frame_columns import BAD_MONTH, NO_MONTH, months, texts
from disprop.io.intake import FileAccount, count_months
from disprop.io.mapping.columns import ColumnMapping, split_role
from disprop.io.mapping.files import Piece
from disprop.io.mapping.labels import LabelColumn, coded_array, joined, pseudonyms
from disprop.io.mapping.times import (
    UNREADABLE,
    Readings,
    distinct,
    placed,
    read_dates_and_times,
    read_durations,
    read_times,
)
from disprop.io.quarantine import Quarantine, QuarantinedRow
from disprop.io.rules import (
    BEFORE_START,
    DATE_BLANK,
    DATE_UNREADABLE,
    FORCE_MISSING,
    FORCE_UNKNOWN,
    MONTH_UNREADABLE,
    NO_OFFSET,
    NO_TIME_ZONE,
    RULES,
    TIME_LEFT_BLANK,
    TIME_UNREADABLE,
    refuse,
)
from disprop.keys import KeyedHash
from disprop.months import london_month
from disprop.records import PART_MONTH

if TYPE_CHECKING:
    import pyarrow as pa

PLACE = ("latitude", "longitude")


@dataclass(frozen=True)
class Bound:
    """Where a mapping's targets stand in one file: target -> headers (several for items); flags of yes and no."""

    at: dict[str, tuple[str, ...]]
    flags: dict[str, tuple[tuple[str, str], ...]]

    @property
    def headers(self) -> list[str]:
        flagged = [header for flags in self.flags.values() for header, _ in flags]
        return list(dict.fromkeys([header for headers in self.at.values() for header in headers] + flagged))


class MappedRows:
    """Judges and codes the rows of one extract, piece by piece."""

    def __init__(
        self,
        mapping: ColumnMapping,
        bound: Bound,
        key: KeyedHash | None,
        force: str | None,
        account: FileAccount,
        quarantine: Quarantine,
    ) -> None:
        self.mapping, self.bound, self.key, self.force = mapping, bound, key, force
        self.account, self.quarantine = account, quarantine
        names = {split_role(target)[0] for target in bound.at} | set(bound.flags)
        self.labels = {name: LabelColumn(mapping, name, account.name) for name in sorted(names)}
        self.codes = [force] if force else []

    def batch(self, piece: Piece, wanted: set[str] | None) -> pa.RecordBatch:
        """The rows that are records; the others are excluded or put aside, each under its rule."""
        faults = {row: (rule, "") for row, rule in piece.left_out.items()}
        forces = self._forces(piece, faults)
        dates = self._dates(piece, faults)
        for bad in piece.bad:
            self._put_aside(bad.line, bad.reason, "", "", "")
        for row, (rule, target) in sorted(faults.items()):
            self._leave_out(piece, row, rule, target)
        kept = np.ones(piece.rows, dtype=bool)
        kept[list(faults)] = False
        if faults:
            piece, forces, dates = _filtered(piece, kept), forces[kept], dates.kept(kept)
        return self._encoded(piece, forces, dates, wanted)

    # Judging

    def _forces(self, piece: Piece, faults: dict[int, tuple[str, str]]) -> np.ndarray:
        """Each row's position in `codes`."""
        if "force" not in self.bound.at:
            return np.zeros(piece.rows, dtype=np.int32)
        words, at = distinct(self._column(piece, "force"))
        known = [self._force(word) for word in words]
        self.codes += [code for code in dict.fromkeys(known) if code not in self.codes and code not in RULES]
        position = np.array([self.codes.index(code) if code in self.codes else -1 for code in known], dtype=np.int32)
        found: np.ndarray = position[at]
        for row in np.flatnonzero(found < 0).tolist():
            faults.setdefault(row, (known[at[row]], "force"))
        return found

    def _force(self, word: str) -> str:
        """The code of a force, or the rule that it breaks."""
        label = self.labels["force"].label(word)
        if label is None:
            return self.force or FORCE_MISSING
        try:
            return force_code(label)
        except UsageError:
            return FORCE_UNKNOWN

    def _dates(self, piece: Piece, faults: dict[int, tuple[str, str]]) -> Dates:
        found = self._instants(piece, "event_time")
        given = months(self._column(piece, "month")) if "month" in self.bound.at else np.full(piece.rows, NO_MONTH)
        if found is None:
            found = Instants(np.zeros(piece.rows, dtype=np.int64), dict.fromkeys(range(piece.rows), DATE_BLANK))
        dated = np.ones(piece.rows, dtype=bool)
        dated[list(found.refused)] = False
        for row, reason in found.refused.items():
            if reason != DATE_BLANK or given[row] == NO_MONTH:
                faults.setdefault(row, self._fault_of_time(piece, row, reason))
            elif given[row] == BAD_MONTH:
                faults.setdefault(row, (MONTH_UNREADABLE, "month"))
        return Dates(np.where(dated, london_month(found.seconds), given), found.seconds, dated)

    def _fault_of_time(self, piece: Piece, row: int, reason: str) -> tuple[str, str]:
        """The rule that a row's time breaks, and the target at fault: the time of day where the date can be read."""
        if "event_time:date" not in self.bound.at:
            return reason, "event_time" if "event_time" in self.bound.at else "month"
        if reason == DATE_UNREADABLE and "event_time:time" in self.bound.at:
            date = self._column(piece, "event_time:date").slice(row, 1)
            if read_times(date, self.mapping.date_formats).what[0] != UNREADABLE:
                return TIME_UNREADABLE, "event_time:time"
        return reason, "event_time:date"

    def _instants(self, piece: Piece, name: str) -> Instants | None:
        """Instants of a time that the extract gives whole, or as date and time of day; None where it does not."""
        readings = self._readings(piece, name)
        if readings is None:
            return None
        found = placed(readings, self.mapping.time_zone)
        if NO_OFFSET in found.refused.values():
            refuse(
                NO_TIME_ZONE,
                self.account.name,
                f'{name} has times without an offset; declare time_zone = "Europe/London" (the clock on the wall) '
                'or "UTC" in the mapping',
            )
        which = "" if name == "event_time" else f": {name}"  # a row with three times would count three times otherwise
        self.account.notes.update({f"{note}{which}": n for note, n in found.notes.items()})
        return found

    def _readings(self, piece: Piece, name: str) -> Readings | None:
        formats, at = self.mapping.date_formats, self.bound.at
        if name in at:
            return read_times(self._column(piece, name), formats)
        if f"{name}:time" in at:
            dates, times = self._column(piece, f"{name}:date"), self._column(piece, f"{name}:time")
            return read_dates_and_times(dates, times, formats)
        return read_times(self._column(piece, f"{name}:date"), formats) if f"{name}:date" in at else None

    def _column(self, piece: Piece, target: str) -> pa.Array:
        return piece.columns[self.bound.at[target][0]]

    # Putting aside

    def _leave_out(self, piece: Piece, row: int, rule: str, target: str) -> None:
        if RULES[rule].kind == "excluded":
            self.account.excluded[rule] += 1
            return
        header = self.bound.at[target][0] if target in self.bound.at else ""
        value = self._safe(target, _text(piece, header, row)) if header else ""
        self._put_aside(piece.lines[row], rule, header, value, self._safe_row(piece, row))

    def _put_aside(self, line: int, reason: str, column: str, value: str, row: str) -> None:
        found = QuarantinedRow(self.account.name, line, reason, column, value, row)
        self.quarantine.add(found, self.account.quarantined)

    def _safe_row(self, piece: Piece, row: int) -> str:
        cells = (
            (header, self._safe(target, _text(piece, header, row)))
            for target, headers in self.bound.at.items()
            for header in headers
        )
        return "; ".join(f"{header}={value}" for header, value in cells if value)

    def _safe(self, target: str, text: str) -> str:
        """What may be shown of a value: a pseudonym, a date, a label that a codelist knows; else its shape or nothing.

        A row that cannot be read may have its values in the wrong columns, so that any of them may be a name.
        """
        name = split_role(target)[0]
        dtype = self.mapping.specs[name].dtype
        if not text.strip():
            return ""
        if dtype == "key":
            return f"{self.key.hash(text, of=self.mapping.sort_of(name)):016x}" if self.key else ""
        if dtype == "label" and (name == "force" or self.mapping.codelists(name)):
            return text if self._is_known(name, text) else shape(text)
        if dtype in ("time", "month"):
            return text if self._is_date(text) else shape(text)
        return ""

    def _is_known(self, name: str, text: str) -> bool:
        if normalise(text) in map(normalise, self.mapping.values.get(name, {})):
            return True
        return self._force(text) not in RULES if name == "force" else self.mapping.understands(name, text)

    def _is_date(self, text: str) -> bool:
        import pyarrow as pa

        return bool(read_times(pa.array([text]), self.mapping.date_formats).what[0] != UNREADABLE)

    # Coding

    def _encoded(self, piece: Piece, forces: np.ndarray, dates: Dates, wanted: set[str] | None) -> pa.RecordBatch:
        import pyarrow as pa

        count_months(self.account, self.codes, forces, dates.month)
        month = pa.array(dates.month.astype(np.int32))
        columns: dict[str, pa.Array] = {"force": coded_array(self.codes or [None], forces), "month": month}
        if wanted is not None and PART_MONTH in wanted:
            columns[PART_MONTH] = month
        names = [spec.name for spec in self.mapping.specs.values() if wanted is None or spec.name in wanted]
        for name in names:
            if name not in columns:
                made = self._made(piece, name, dates)
                if made is not None:
                    columns[name] = made
        if {*PLACE} <= {*self.bound.at} and (wanted is None or wanted.intersection(PLACE)):
            columns |= {name: one for name, one in self._places(piece).items() if name in names}
        order = [name for name in (*self.mapping.specs, PART_MONTH) if name in columns]
        return pa.RecordBatch.from_arrays([columns[name] for name in order], names=order)

    def _made(self, piece: Piece, name: str, dates: Dates) -> pa.Array | None:
        """One canonical column, or None where the extract does not give it."""
        dtype, at = self.mapping.specs[name].dtype, self.bound.at
        if dtype == "time":
            return self._time(piece, name, dates)
        if dtype == "items":
            return self._items(piece, name)
        if f"{name}:years" in at:
            return self.labels[name].years(self._column(piece, f"{name}:years"))
        if name not in at or dtype in ("month", "degrees"):
            return None
        if dtype == "key":
            return self._pseudonyms(piece, name)
        return self.labels[name].array(self._column(piece, name))

    def _pseudonyms(self, piece: Piece, name: str) -> pa.Array:
        assert self.key is not None, "a mapping with key columns is never read without a key"
        blank = {normalise(value) for value in self.mapping.values.get(name, {})} | BLANK_WORDS
        return pseudonyms(
            self.key, self.mapping.sort_of(name), lambda word: normalise(word) in blank, self._column(piece, name)
        )

    def _items(self, piece: Piece, name: str) -> pa.DictionaryArray | None:
        column = self.labels.get(name)
        if column is None:
            return None
        sets = [column.items(piece.columns[header]) for header in self.bound.at.get(name, ())]
        sets += [column.flagged(piece.columns[header], header, item) for header, item in self.bound.flags.get(name, ())]
        return joined(sets, piece.rows)

    def _time(self, piece: Piece, name: str, dates: Dates) -> pa.Array | None:
        if name == "event_time":
            given = any(split_role(target)[0] == name for target in self.bound.at)
            return _stamps(dates.seconds, ~dates.dated) if given else None
        seconds, blank = self._other_time(piece, name, dates)
        if seconds is None:
            return None
        if name == "end_time":
            early = int(((seconds < dates.seconds) & ~blank & dates.dated).sum())
            if early:
                self.account.notes[BEFORE_START] += early
        return _stamps(seconds, blank)

    def _other_time(self, piece: Piece, name: str, dates: Dates) -> tuple[np.ndarray | None, np.ndarray]:
        """Seconds of a further time, and where it is blank."""
        blank = np.zeros(piece.rows, dtype=bool)
        if f"{name}:duration" in self.bound.at:
            lengths = read_durations(self._column(piece, f"{name}:duration"))
            self._note_blank(name, int((lengths == -2).sum()))
            return dates.seconds + np.maximum(lengths, 0), (lengths < 0) | ~dates.dated
        found = self._instants(piece, name)
        if found is None:
            return None, blank
        blank[list(found.refused)] = True
        self._note_blank(name, sum(reason != DATE_BLANK for reason in found.refused.values()))
        return found.seconds, blank

    def _note_blank(self, name: str, rows: int) -> None:
        if rows:
            self.account.notes[f"{TIME_LEFT_BLANK}: {name}"] += rows

    def _places(self, piece: Piece) -> dict[str, pa.Array]:
        import pyarrow as pa

        came = [texts(self._column(piece, name)) for name in PLACE]
        north, east = place(came[0], came[1], self.account.notes)
        return {"latitude": pa.array(north, from_pandas=True), "longitude": pa.array(east, from_pandas=True)}


@dataclass(frozen=True)
class Dates:
    """Of each row: analysis month, UTC seconds, and whether it has an instant."""

    month: np.ndarray
    seconds: np.ndarray
    dated: np.ndarray

    def kept(self, rows: np.ndarray) -> Dates:
        return Dates(self.month[rows], self.seconds[rows], self.dated[rows])


def shape(text: str) -> str:
    """What a value looks like, not what it says.

    >>> shape("Smith 4412"), shape("31/02/2019")
    ('Aaaaa 9999', '99/99/9999')
    """
    text = re.sub(r"\d", "9", " ".join(text.split())[:40])
    return re.sub(r"[^\W\d_]", lambda match: "A" if match[0].isupper() else "a", text)


def _filtered(piece: Piece, kept: np.ndarray) -> Piece:
    import pyarrow as pa

    mask = pa.array(kept)
    columns = {header: column.filter(mask) for header, column in piece.columns.items()}
    return Piece(columns, _lines(piece.lines, kept))


def _lines(lines: Sequence[int], kept: np.ndarray) -> Sequence[int]:
    return [line for line, keep in zip(lines, kept.tolist()) if keep]


def _text(piece: Piece, header: str, row: int) -> str:
    return str(piece.columns[header][row].as_py() or "")


def _stamps(seconds: np.ndarray, blank: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.array(seconds, mask=blank).cast(pa.timestamp("s", "UTC"))
