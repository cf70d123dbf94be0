"""Texts of an extract -> labels, sets of items and pseudonyms, as its mapping says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from disprop.codelists import SCHEMES, code_lookup, codelist, labels, normalise
from disprop.io.columns import BLANK_WORDS
from disprop.io.mapping.columns import NEUTRAL, ColumnMapping
from disprop.io.mapping.times import distinct
from disprop.io.rules import FREE_TEXT, NO_SCHEME, refuse
from disprop.keys import KeyedHash
from disprop.records import join_items

if TYPE_CHECKING:
    import pyarrow as pa

OLDEST = 120
MOST_UNKNOWN = 500
"""More labels than this that no codelist knows are no spellings: the column holds something else."""


def coded_array(words: Sequence[str | None], at: np.ndarray) -> pa.DictionaryArray:
    """A label column from the words of a vocabulary (None: blank) and each row's position in it; each word once.

    >>> coded_array(["a", None, "a"], np.array([0, 1, 2])).to_pylist()
    ['a', None, 'a']
    """
    import pyarrow as pa

    once = list(dict.fromkeys(word for word in words if word is not None))
    place = {word: i for i, word in enumerate(once)}
    indices = np.array([-1 if word is None else place[word] for word in words], dtype=np.int32)[at]
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), pa.array(once, pa.string()))


@dataclass
class LabelColumn:
    """How one canonical column's source values become labels; refuses what must not travel as a label."""

    mapping: ColumnMapping
    name: str
    file: str
    unknown: set[str] = field(default_factory=set)

    @cached_property
    def _values(self) -> dict[str, str]:
        return {normalise(value): label for value, label in self.mapping.values.get(self.name, {}).items()}

    @cached_property
    def _scheme(self) -> str:
        return self.mapping.scheme_of(self.name)

    @cached_property
    def _is_items(self) -> bool:
        return self.mapping.specs[self.name].dtype == "items"

    @cached_property
    def _lists(self) -> list[str]:
        return self.mapping.codelists(self.name)

    def label(self, word: str) -> str | None:
        """The label of a source value, None for blank."""
        word = " ".join(word.split())
        if normalise(word) in self._values:
            return self._values[normalise(word)].strip() or None
        known = bool(word) and self.mapping.understands(self.name, word)
        if word.casefold() in BLANK_WORDS and (self._is_items or not known):
            return None
        if self._lists:
            self._watch(word, known=known)
        return self._under_one_scheme(word, known=known)

    def _under_one_scheme(self, word: str, *, known: bool) -> str:
        """A label as the source's one scheme reads it: that of a column under another scheme becomes its code."""
        whole = self.mapping.scheme or NEUTRAL
        if self._scheme == whole:
            return word
        if known:
            for name in self._lists:
                if normalise(word) in labels(name, self._scheme):
                    return codelist(name).codes[int(code_lookup(name, self._scheme, [word])[0])]
        return f"{word} (not {self._scheme})" if self.mapping.understands(self.name, word, scheme=whole) else word

    def _watch(self, word: str, *, known: bool) -> None:
        if known:
            return
        if self._scheme == NEUTRAL and any(name.startswith("ethnicity") for name in self._lists):
            _refuse_coded(self, word)
        self.unknown.add(word)
        if len(self.unknown) > MOST_UNKNOWN:
            refuse(
                FREE_TEXT,
                self.file,
                f"its {self.name} has more than {MOST_UNKNOWN} labels that are not understood; "
                "map another column, or map its values",
            )

    def array(self, column: pa.Array) -> pa.DictionaryArray:
        words, at = distinct(column)
        return coded_array([self.label(word) for word in words], at)

    def years(self, column: pa.Array) -> pa.DictionaryArray:
        """Age bands of ages in years; what is no age stays visible, as a label that nobody knows."""
        words, at = distinct(column)
        found = [self.label(word) for word in words]
        return coded_array([word and (age_band(self._lists[0], word) or word) for word in found], at)

    def items(self, column: pa.Array) -> tuple[list[frozenset[str]], np.ndarray]:
        """The sets of items in the cells of a column, and each row's."""
        words, at = distinct(column)
        return [self._set(word) for word in words], at

    def _set(self, cell: str) -> frozenset[str]:
        found = (self.label(item) for item in cell.split(self.mapping.separator))
        return frozenset(item for item in found if item is not None)

    def flagged(self, column: pa.Array, header: str, item: str) -> tuple[list[frozenset[str]], np.ndarray]:
        """The same of a column of yes and no; a word that is neither stays visible, as an item nobody knows."""
        words, at = distinct(column)
        none: frozenset[str] = frozenset()
        meaning = {"yes": frozenset({item}), "no": none, "blank": none}
        flags = (codelist("flag").codes[i] for i in code_lookup("flag", NEUTRAL, [_plain(word) for word in words]))
        return [meaning.get(flag, frozenset({f"{header}: {word}"})) for flag, word in zip(flags, words)], at


def _plain(word: str) -> str:
    return "" if word.strip().casefold() in BLANK_WORDS else word


def _refuse_coded(column: LabelColumn, word: str) -> None:
    means = _meanings(column, word)
    if not means:
        return
    told = word if len(set(means.values())) > 1 else _TELLING
    said = ", ".join(f"{code} under {scheme}" for scheme, code in _meanings(column, told).items())
    is_a_code = "" if told == word else "is a code; "
    refuse(
        NO_SCHEME,
        column.file,
        f"{word!r} in {column.name} {is_a_code}{'' if told == word else repr(told) + ' '}is {said}; "
        "declare `scheme` in the mapping, or map the value",
    )


_TELLING = "O1"
"""A code that the schemes read differently, which shows why one must be declared; most codes they read alike."""


def _meanings(column: LabelColumn, word: str) -> dict[str, str]:
    """What a word means in the column under each scheme that knows it."""
    return {
        scheme: code
        for scheme in SCHEMES
        for name in column.mapping.codelists(column.name)
        if (code := labels(name, scheme).get(normalise(word)))
    }


def age_band(name: str, years: str) -> str | None:
    """The band of an age in whole years, in one of the lists of age bands; None where it is no age.

    >>> age_band("age_band", "17"), age_band("force_age_band", "65.0"), age_band("age_band", "1987")
    ('10-17', '65 and over', None)
    """
    match = re.fullmatch(r"(\d{1,3})(?:\.0+)?", years.strip(), re.ASCII)
    if match is None or int(match[1]) > OLDEST:
        return None
    return next(code for code in codelist(name).groups if _within(int(match[1]), code))


def _within(years: int, band: str) -> bool:
    first, *last = map(int, re.findall(r"\d+", band))
    if last:
        return first <= years <= last[0]
    return years < first if "under" in band.casefold() else years > first or (years == first and "and" in band)


def joined(several: Sequence[tuple[list[frozenset[str]], np.ndarray]], rows: int) -> pa.DictionaryArray:
    """One column of items from the sets that several source columns give.

    >>> one = ([frozenset({"b"}), frozenset()], np.array([0, 1])), ([frozenset({"a"})], np.array([0, 0]))
    >>> joined(one, 2).to_pylist()
    ['a | b', 'a']
    """
    sets, at = [frozenset[str]()], np.zeros(rows, dtype=np.int64)
    for others, place in several:
        pairs, at = np.unique(at * len(others) + place % len(others), return_inverse=True)
        sets = [sets[pair // len(others)] | others[pair % len(others)] for pair in pairs.tolist()]
    return coded_array([join_items(one) for one in sets], at)


def pseudonyms(key: KeyedHash, sort: str, blank: Callable[[str], bool], column: pa.Array) -> pa.Array:
    """Identifiers as keyed hashes, null where there is none."""
    import pyarrow as pa

    words, at = distinct(column)
    hashes = key.hashes([None if blank(word) else word for word in words], of=sort)[at]
    return pa.array(hashes, mask=hashes == 0)
