"""The JSON interface's list of searches -> rows, one object at a time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NoReturn

from disprop.io.columns import PUBLISHED, canonical
from disprop.io.rules import BAD_JSON, MISSING_COLUMN, NOT_A_RECORD, REQUIRED_COLUMN, UNKNOWN_COLUMN, refuse
from disprop.io.text_rows import Bad, Block

RECORD_LIMIT = 1 << 20
BATCH = 16_384
MOST_KEYS = 200

_FIELDS = tuple(spec.api for spec in PUBLISHED)
_FORCE = ("force_id", "force")
_DERIVED = {"involved_person", "outcome_object", "location"}
_SPACE = re.compile("[\ufeff \\t\\r\\n]*")
_WANTED = "give the list of searches that the interface answers, unchanged"


class JsonRows:
    """Rows of one JSON list. `count` is complete once `blocks` is exhausted."""

    spelling = "api"

    def __init__(self, name: str, texts: Iterable[str], notes: Counter[str]) -> None:
        self.name, self.notes, self.count = name, notes, 0
        self._keys: dict[str, None] = {}
        self._items = _ListText(name, texts).items()
        self._first = next(self._items, None)
        keys = set(self._first) if isinstance(self._first, dict) else set()
        if keys and not {"type", "datetime"} <= keys:
            refuse(REQUIRED_COLUMN, name, "its records have no 'type' and 'datetime'; " + _WANTED)
        self.header = [*_FIELDS, "force_id"] if keys & set(_FORCE) else list(_FIELDS)

    def blocks(self) -> Iterator[Block]:
        items = chain([] if self._first is None else [self._first], self._items)
        block = _Growing()
        for item in items:
            self.count += 1
            self._add(block, item)
            if len(block.rows) == BATCH:
                yield block.finished()
                block = _Growing()
        yield block.finished()
        self._note_keys()

    def _add(self, block: _Growing, item: Any) -> None:
        if not isinstance(item, dict):
            block.bad.append(Bad(self.count, NOT_A_RECORD, json.dumps(item)))
            return
        if len(self._keys) < MOST_KEYS:
            self._keys.update(dict.fromkeys(item))
        block.rows.append(_row(item, self.header))
        block.lines.append(self.count)
        block.items.append(item)

    def _note_keys(self) -> None:
        """Names keys that are no column, and columns that no record had."""
        for key in self._keys:
            if canonical(key) is None and key not in _DERIVED:
                self.notes[f"{UNKNOWN_COLUMN}: {' '.join(key.split())[:60]}"] += 1
        for spec in PUBLISHED:
            if self.count and spec.api.split(".")[0] not in self._keys:
                self.notes[f"{MISSING_COLUMN}: {spec.police_uk}"] += 1


class _Growing:
    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.lines: list[int] = []
        self.items: list[dict[str, Any]] = []
        self.bad: list[Bad] = []

    def finished(self) -> Block:
        items = self.items
        return Block(self.rows, self.lines, lambda row: json.dumps(items[row]), self.bad)


def _row(record: dict[str, Any], header: list[str]) -> list[str]:
    row = [_text(_reached(record, field)) for field in _FIELDS]
    if len(header) > len(row):
        row.append(_text(next((record[key] for key in _FORCE if key in record), None)))
    return row


def _reached(record: dict[str, Any], path: str) -> Any:
    """The value at `location.latitude`: null when any step is."""
    outer, _, inner = path.partition(".")
    value = record.get(outer)
    return value.get(inner) if inner and isinstance(value, dict) else None if inner else value


def _text(value: Any) -> str:
    """A JSON value as the CSV would write it: null as blank, true as True."""
    if isinstance(value, str):
        return value.encode("utf-8", errors="replace").decode()
    return "" if value is None else str(value) if isinstance(value, (bool, int, float)) else json.dumps(value)


class _ListText:
    """The text of a JSON list, item by item as it comes; what is not such a list is refused by name."""

    def __init__(self, name: str, texts: Iterable[str]) -> None:
        self.name, self.texts = name, iter(texts)
        self.text, self.at = "", 0
        self._decode = json.JSONDecoder().raw_decode

    def items(self) -> Iterator[Any]:
        start = self._peek()
        if start != "[":
            self._refuse(f"it starts with {self.text[self.at : self.at + 20]!r}")
        self.at += 1
        if self._peek() != "]":
            yield self._item()
            while self._peek() == ",":
                self.at += 1
                yield self._item()
        if self._peek() != "]":
            self._refuse("it breaks off" if not self._peek() else f"{self._peek()!r} came where a comma was due")
        self.at += 1
        if self._peek():
            self._refuse("text came after the end of the list")

    def _peek(self) -> str:
        """The next character that is not white space, without taking it; empty at the end."""
        while True:
            space = _SPACE.match(self.text, self.at)
            self.at = space.end() if space else self.at
            if self.at < len(self.text) or not self._more():
                return self.text[self.at : self.at + 1]

    def _item(self) -> Any:
        self._peek()
        while True:
            try:
                item, end = self._decode(self.text, self.at)
            except (ValueError, RecursionError) as why:
                if len(self.text) - self.at > RECORD_LIMIT or not self._more():
                    self._refuse(f"malformed or broken off ({why})")
            else:
                self.at = end
                return item

    def _more(self) -> bool:
        """Takes the next piece of text and lets go of what was read."""
        more = next(self.texts, None)
        self.text, self.at = self.text[self.at :] + (more or ""), 0
        return more is not None

    def _refuse(self, what: str) -> NoReturn:
        refuse(BAD_JSON, self.name, f"{what}; {_WANTED}")
