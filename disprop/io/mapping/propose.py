"""A mapping proposed from an extract's own headers and values, with every question that it cannot answer listed."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from disprop.codelists import SCHEMES, labels, normalise
from disprop.io.mapping.columns import NAME_LENGTH, TAKEN, split_role
from disprop.io.mapping.evidence import ETHNIC_SCHEMES, Seen, coded, schemes_that_know, usual_label
from disprop.io.mapping.files import Extract, find_extracts, open_extract
from disprop.io.mapping.place import (
    ETHNICITY,
    Placed,
    Target,
    guess_kind,
    labelled,
    meanings,
    place_columns,
    separator_of,
)
from disprop.records import kind_of

SAMPLE = 50_000
MOST_VALUES = 60
"""More unknown values than this are not listed one by one: a column with so many is no coded column."""


@dataclass(frozen=True)
class Edit:
    """Something that the proposal leaves to its reader: the key of the mapping, the question, likely answers.

    `key` is the path in the TOML: ("time_zone",), ("columns", "Remarks"), ("values", "gender", "X"). Where `needed`,
    the mapping is refused until it is answered.
    """

    key: tuple[str, ...]
    question: str
    answers: tuple[str, ...] = ()
    needed: bool = False


@dataclass
class Proposal:
    """A proposed mapping as TOML text, and the edits that it lists."""

    text: str
    edits: list[Edit]
    placed: Placed


@dataclass
class _Draft:
    """Lines of the mapping as they grow, and the edits so far."""

    lines: list[str] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        self.lines += lines

    def ask(self, edit: Edit, line: str) -> None:
        self.edits.append(edit)
        answers = f" Likely: {', '.join(edit.answers)}." if edit.answers else ""
        self.say(f"# EDIT {len(self.edits)}: {edit.question}{answers}", line if edit.needed else f"# {line}")


def propose_mapping(path: str | os.PathLike[str], *, kind: str | None = None) -> Proposal:
    """A mapping for an extract, or a folder of them under the same columns, from the first 50,000 rows.

    Each column is placed where its name and its values leave no second reading; everything else is listed as an edit,
    in the text and in `edits`: columns not placed, values not understood, and what no file can say (the code scheme of
    ethnic groups, the time zone of its clock, the force, the order of day and month where both fit). A mapping with
    these edits made is complete. No value of an uncoded column stands in the text.

    kind: a name of `records.KINDS`; without it, the kind whose columns fit best.

    Raises InputRefused for a file that cannot be read, UsageError where two kinds fit equally well.

    >>> _ = Path("extract.csv").write_text("Collar No,Search Date Time,Sex\\n4412,13/04/2019 23:15,M\\n")
    >>> found = propose_mapping("extract.csv", kind="search")
    >>> found.placed.columns
    {'Collar No': 'officer', 'Search Date Time': 'event_time', 'Sex': 'gender'}
    >>> [edit.key for edit in found.edits]
    [('force',), ('time_zone',)]
    """
    columns, notes = _sample(path)
    of_kind = kind_of(kind) if kind else guess_kind(columns)
    placed = place_columns(of_kind, columns)
    draft = _Draft()
    _head(draft, Path(path), placed, columns)
    _columns(draft, placed, columns)
    _values(draft, placed, columns)
    intro = [f"# Mapping proposed for {Path(path).name}, from its column names and values."]
    intro += [f"# {len(draft.edits)} edits are listed, marked EDIT. Then: disprop mapping check THIS {Path(path).name}"]
    intro += [f"# Noted: {note}" for note in sorted(notes)]
    return Proposal("\n".join([*intro, "", *draft.lines]) + "\n", draft.edits, placed)


def _sample(path: str | os.PathLike[str]) -> tuple[list[Seen], Counter[str]]:
    """What the columns of the first file hold, in the first rows of all files that have the same columns."""
    notes = Counter[str]()
    members, _ = find_extracts([path])
    counts: dict[str, Counter[str]] = {}
    rows = 0
    for member in members:
        if rows >= SAMPLE:
            break
        with closing(open_extract(member, None, notes)) as extract:
            counts = counts or {header: Counter() for header in extract.header}
            if set(extract.header) == set(counts):
                rows += _look(extract, counts, SAMPLE - rows)
            else:
                notes[f"{Path(member.name).name} has other columns and was not looked at"] += 1
    return [Seen(header, found, rows) for header, found in counts.items()], notes


def _look(extract: Extract, counts: dict[str, Counter[str]], most: int) -> int:
    """Counts the values of a file's first rows; returns how many rows those were, a piece beyond `most` at the most."""
    rows = 0
    for piece in extract.pieces(extract.header):
        kept = [i for i in range(piece.rows) if i not in piece.left_out]
        for header, column in piece.columns.items():
            texts = column.to_pylist()
            counts[header].update((texts[i] or "").strip() for i in kept)
        rows += len(kept)
        if rows >= most:
            break
    return rows


# Head


def _head(draft: _Draft, path: Path, placed: Placed, columns: Sequence[Seen]) -> None:
    draft.say(f"name = {_quoted(_name(path))}", f"kind = {_quoted(placed.kind.name)}")
    if "force" not in placed.columns.values():
        draft.ask(Edit(("force",), "which force is it?", needed=True), 'force = ""')
    _scheme(draft, placed, columns)
    _time_zone(draft, placed, columns)
    _formats(draft, columns)
    separator = separator_of(placed.kind, columns, placed)
    if separator != ";":
        draft.say(f"separator = {_quoted(separator)}")


_MONTH = r"(?<!\d)(19|20)\d\d[-_. ]?(0[1-9]|1[0-2])$"
"""A month at the end of a name: the dataset holds all of them."""


def _name(path: Path) -> str:
    whole = path.name if path.is_dir() else path.stem
    words = re.sub(r"[^a-z0-9]+", "-", re.sub(_MONTH, "", whole.casefold())).strip("-")
    name = words[:NAME_LENGTH].strip("-") or "extract"
    return f"{name[: NAME_LENGTH - 2]}-1" if name in TAKEN else name


def _scheme(draft: _Draft, placed: Placed, columns: Sequence[Seen]) -> None:
    """IC codes name their own scheme; other codes of ethnic groups mean different groups in different schemes."""
    asked: list[str] = []
    for seen in columns:
        if not _may_be_ethnicity(placed, seen):
            continue
        codes = coded(seen.words, ETHNICITY)
        fitting = schemes_that_know(codes, ETHNICITY)
        if codes and fitting != ["pnc"]:
            asked += [one for one in fitting or ETHNIC_SCHEMES if one not in asked]
    if asked:
        question = "which code scheme are the ethnicity codes of? O1 is Arab in one and Chinese in another."
        likely = tuple(one for one in asked if one in ETHNIC_SCHEMES) or ETHNIC_SCHEMES
        draft.ask(Edit(("scheme",), question, likely, needed=True), 'scheme = ""')


def _may_be_ethnicity(placed: Placed, seen: Seen) -> bool:
    target = placed.columns.get(seen.header)
    if target is not None:
        return target.startswith("ethnicity")
    return max(seen.understood(name) for name in ETHNICITY) >= 0.8


def _time_zone(draft: _Draft, placed: Placed, columns: Sequence[Seen]) -> None:
    clocks = [seen for seen in columns if seen.needs_zone or _is_time_of_day(placed, seen)]
    if not clocks:
        return
    if all(_says_utc(seen.header) for seen in clocks):
        draft.say('time_zone = "UTC"  # its headers say so')
        return
    question = "whose clock are times without an offset by?"
    draft.ask(Edit(("time_zone",), question, ("Europe/London", "UTC"), needed=True), 'time_zone = ""')


def _is_time_of_day(placed: Placed, seen: Seen) -> bool:
    return seen.is_of_day and not placed.columns.get(seen.header, "").endswith(("duration", "years"))


def _says_utc(header: str) -> bool:
    return bool(re.search(r"\b(utc|gmt)\b", header, re.IGNORECASE))


def _formats(draft: _Draft, columns: Sequence[Seen]) -> None:
    """The formats of all dates; where day and month might be either way round, another date column may settle it."""
    dated = [seen for seen in columns if seen.is_time and not seen.is_birth]
    settled = [seen.formats[0] for seen in dated if len(seen.formats) == 1]
    formats = list(dict.fromkeys(one for way in settled for one in way))
    orders = {_day_first(one) for one in formats if "%b" not in one}
    for seen in (one for one in dated if len(one.formats) > 1):
        fitting = [way for way in seen.formats if not orders or _day_first(way[0]) in orders]
        if len(fitting) != 1:
            question = f"is the day or the month first in {_quoted(seen.header)}? Its values fit both."
            ways = tuple(json.dumps(way) for way in seen.formats)
            if not any(edit.key == ("date_formats",) for edit in draft.edits):
                draft.ask(Edit(("date_formats",), question, ways, needed=True), 'date_formats = [""]')
            return
        formats += [one for one in fitting[0] if one not in formats]
    if formats:
        draft.say(f"date_formats = {json.dumps(formats)}")


def _day_first(text: str) -> bool:
    return text.index("%d") < text.index("%m") if "%m" in text else text.startswith("%d")


# Columns


def _columns(draft: _Draft, placed: Placed, columns: Sequence[Seen]) -> None:
    draft.say("", "[columns]")
    dated = any(split_role(target)[0] == "event_time" for target in placed.columns.values())
    for seen in columns:
        if seen.header in placed.columns:
            draft.say(f"{_quoted(seen.header)} = {_quoted(placed.columns[seen.header])}  # {_about(seen)}")
        elif seen.header in placed.unplaced:
            question = _question(placed, seen, dated=dated)
            edit = Edit(("columns", seen.header), question, tuple(placed.unplaced[seen.header]))
            draft.ask(edit, f'{_quoted(seen.header)} = ""')
    for column, flags in placed.items.items():
        draft.say("", f"[items.{column}]")
        draft.say(*(f"{_quoted(header)} = {_quoted(item)}" for header, item in flags.items()))
    _schemes(draft, placed, columns)


def _question(placed: Placed, seen: Seen, *, dated: bool) -> str:
    """Why a column is not placed, and what becomes of it."""
    meant = sorted(meanings(placed.kind, seen))
    why = f"; its name may mean {' or '.join(meant)}" if meant else ""
    dates = not dated and (seen.is_time or seen.is_of_day) and not seen.is_birth
    then = "the column that dates the records is needed." if dates else "left out unless you say what it is."
    return f"not placed ({_about(seen)}){why}; {then}"


def _schemes(draft: _Draft, placed: Placed, columns: Sequence[Seen]) -> None:
    """Columns of IC codes are of a scheme of their own."""
    lines = []
    for target, seen in labelled(placed, columns):
        codes = coded(seen.words, target.lists)
        if target.column.startswith("ethnicity") and codes and schemes_that_know(codes, target.lists) == ["pnc"]:
            lines.append(f'{target.column} = "pnc"')
    if lines:
        draft.say("", "[schemes]", *lines)


def _about(seen: Seen) -> str:
    if not seen.words:
        return "empty"
    what = "a date of birth: " if seen.is_birth else ""
    return f"{what}{seen.filled:,} of {seen.rows:,} rows filled, {len(seen.words):,} different"


# Values


def _values(draft: _Draft, placed: Placed, columns: Sequence[Seen]) -> None:
    separator = separator_of(placed.kind, columns, placed)
    for target, seen in labelled(placed, columns):
        lines = list(_value_lines(draft, target, seen, separator))
        if lines:
            draft.say("", f"[values.{target.column}]")
            for line in lines:
                if isinstance(line, Edit):
                    draft.ask(line, f'{_quoted(line.key[-1])} = ""')
                else:
                    draft.say(line)


def _value_lines(draft: _Draft, target: Target, seen: Seen, separator: str) -> Iterator[str | Edit]:
    """A line for each value in a usual spelling, an edit for each that is not understood."""
    words = seen.items(separator) if target.spec.dtype == "items" else seen.words
    unknown = [word for word in words if not any(_is_known(name, word) for name in target.lists)]
    if len(unknown) > MOST_VALUES:
        question = f"{len(unknown):,} values of {_quoted(seen.header)} are not understood; is it {target.column}?"
        draft.edits.append(Edit(("columns", seen.header), question))
        yield f"# EDIT {len(draft.edits)}: {question}"
        return
    for word in unknown:
        usual = next((label for name in target.lists if (label := usual_label(name, word)) is not None), None)
        if usual is not None:
            yield f"{_quoted(word)} = {_quoted(usual)}"
        else:
            rows = sum(n for cell, n in seen.counts.items() if word in (cell, *map(str.strip, cell.split(separator))))
            question = f"not understood, in {rows:,} rows; stays unmapped unless you give its label."
            yield Edit(("values", target.column, word), question)


def _is_known(name: str, word: str) -> bool:
    return any(normalise(word) in labels(name, scheme) for scheme in SCHEMES)


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False)
