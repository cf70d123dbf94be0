"""Headers -> canonical columns, and text -> Arrow columns, each departure by a named rule."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from disprop.io.rules import (
    BLANK_WORD,
    COLUMN_TWICE,
    DECIMAL_COMMA,
    INDEX_COLUMN,
    MISSING_COLUMN,
    NOT_A_NUMBER,
    NUMBER_FLAG,
    ORDER,
    OUTSIDE,
    SPELLING,
    SWAPPED,
    UNKNOWN_COLUMN,
)
from disprop.records import KINDS, SEARCH

if TYPE_CHECKING:
    import pyarrow as pa

REQUIRED = ("search_type", "event_time")
LABELS = tuple(spec.name for spec in SEARCH if spec.dtype == "label" and spec.name != "force")
FLAGS = ("operation", "linked", "more_thorough", "video_recorded", "possession_only")
FLAG_WORDS = {"", "true", "false", "yes", "no", "y", "n", "1", "0", "1.0", "0.0"}
PLACE = ("latitude", "longitude")
PUBLISHED = tuple(sorted((spec for spec in SEARCH if spec.police_uk), key=lambda spec: spec.police_uk != "Type"))

BLANK_WORDS = {"", "na", "n/a", "#n/a", "null", "none", "nan", "<na>"}
NONE_SAYS_SOMETHING = ("health", "officer_injury", "person_injury")
"""Columns in which `None` is an answer: no condition, no injury."""
_NUMBER_WORDS = {"1", "0", "1.0", "0.0"}
_NUMBER = re.compile(r"[+-]?\d{1,4}(?:[.,]\d*)?(?:[eE][+-]?\d\d?)?", re.ASCII)
_NORTH, _EAST = (49.0, 61.5), (-9.0, 2.5)
PLACE_LIMITS = np.array([*_NORTH, *_EAST])


@dataclass(frozen=True)
class Binding:
    """Where each canonical column stands in a header: `at[name]` is its position, `twins[name]` further ones."""

    at: Mapping[str, int]
    twins: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """Required columns that the header lacks, by their police.uk names."""
        return [spec.police_uk for spec in PUBLISHED if spec.name in REQUIRED and spec.name not in self.at]


def canonical(header: str, *, kind: str | None = None) -> str | None:
    """Canonical name of a column header in any known spelling: police.uk, JSON interface, disprop.

    kind: of a table of records in memory; it may have every column of its kind, the public files have those published.

    >>> canonical("Self-defined ethnicity"), canonical("age_range"), canonical("Crime ID")
    ('ethnicity_self', 'age_band', None)
    >>> canonical("tactics"), canonical("tactics", kind="force_report")
    (None, 'tactics')
    """
    name, plain = _SPELLINGS.get(_plain(header)), _plain(header)
    if kind is None or (kind == "search" and name is not None):
        return name
    return next((spec.name for spec in KINDS[kind].columns if _plain(spec.name) == plain), None)


def bind(
    header: Sequence[str],
    *,
    spelling: str = "police_uk",
    ignore: Iterable[str] = ("month",),
    kind: str | None = None,
) -> Binding:
    """Canonical columns of a header.

    `spelling` says which of a column's names is the usual one here (`police_uk`, `api`, `name`); `ignore` names columns
    that this source may not bring; `kind` is that of a table in memory, see `canonical`.
    """
    unwelcome = set(ignore)
    names = [None if name in unwelcome else name for name in (canonical(text, kind=kind) for text in header)]
    places: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        if name is not None:
            places.setdefault(name, []).append(i)
    return Binding(
        at={name: where[0] for name, where in places.items()},
        twins={name: tuple(where[1:]) for name, where in places.items() if where[1:]},
        notes=_header_notes(header, names, places, spelling),
    )


def _header_notes(
    header: Sequence[str], names: Sequence[str | None], places: Mapping[str, Sequence[int]], spelling: str
) -> dict[str, int]:
    notes = Counter[str]()
    for text, name in zip(header, names):
        if name is None:
            notes[INDEX_COLUMN if not text.strip() else f"{UNKNOWN_COLUMN}: {_shown(text)}"] += 1
    for spec in PUBLISHED:
        if spec.name not in places:
            notes[f"{MISSING_COLUMN}: {spec.police_uk}"] += 1
    for where in places.values():
        if len(where) > 1:
            notes[f"{COLUMN_TWICE}: {header[where[0]]}"] += 1
    published = [spec.name for spec in PUBLISHED if spec.name in places]
    if published != sorted(published, key=lambda name: places[name][0]):
        notes[ORDER] += 1
    if any(header[places[spec.name][0]] != getattr(spec, spelling) for spec in PUBLISHED if spec.name in places):
        notes[SPELLING] += 1
    return dict(notes)


def is_header_again(fields: Sequence[str], binding: Binding) -> bool:
    """Whether a row repeats the header: its required columns hold their own names."""
    return all(canonical(fields[binding.at[name]]) == name for name in REQUIRED)


def labels(name: str, texts: Sequence[str], notes: Counter[str]) -> pa.DictionaryArray:
    """A label column: the source's own words as a dictionary, blank as null.

    >>> labels("gender", ["Male", "", "Female", "NA"], Counter()).to_pylist()
    ['Male', None, 'Female', None]
    """
    import pyarrow as pa

    return blanked(name, pa.array(texts, pa.string()).dictionary_encode(), notes)


def blanked(name: str, encoded: pa.DictionaryArray, notes: Counter[str]) -> pa.DictionaryArray:
    """An encoded column with blanks, and words for blank, as null."""
    import pyarrow as pa

    words = encoded.dictionary.to_pylist()
    plain = ["" if word is None else word.strip().casefold() for word in words]
    blanks = BLANK_WORDS - {"none"} if name in NONE_SAYS_SOMETHING else BLANK_WORDS
    blank = np.array([word in blanks for word in plain], dtype=bool)
    if name in FLAGS:
        _note(notes, NUMBER_FLAG, encoded, [word in _NUMBER_WORDS for word in plain])
    if not blank.any():
        return encoded
    _note(notes, BLANK_WORD, encoded, [word in blanks and word != "" for word in plain])
    kept = np.flatnonzero(~blank)
    place = np.full(len(words) + 1, -1, dtype=np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    indices = place[_indices(encoded)]
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), encoded.dictionary.take(pa.array(kept)))


def _indices(encoded: pa.DictionaryArray) -> np.ndarray:
    """Dictionary positions, -1 for null."""
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)


def _note(notes: Counter[str], rule: str, encoded: pa.DictionaryArray, which: Sequence[bool]) -> None:
    if any(which):
        notes[rule] += int(np.isin(_indices(encoded), np.flatnonzero(which)).sum())


def place(latitudes: Sequence[str], longitudes: Sequence[str], notes: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude in degrees, NaN where blank; swapped pairs exchanged, impossible places blank.

    >>> [axis.tolist() for axis in place(["-1.85", "0"], ["52.48", "0"], Counter())]
    [[52.48, nan], [-1.85, nan]]
    """
    return placed(degrees(latitudes, notes), degrees(longitudes, notes), notes)


def placed(north: np.ndarray, east: np.ndarray, notes: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
    """`place` for numbers."""
    swapped = _within(north, _EAST) & _within(east, _NORTH)
    north, east = np.where(swapped, east, north), np.where(swapped, north, east)
    outside = ~(np.isnan(north) | _within(north, _NORTH)) | ~(np.isnan(east) | _within(east, _EAST))
    for rule, rows in ((SWAPPED, swapped), (OUTSIDE, outside)):
        if rows.any():
            notes[rule] += int(rows.sum())
    return np.where(outside, np.nan, north), np.where(outside, np.nan, east)


def _within(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (values >= limits[0]) & (values <= limits[1])


def degrees(texts: Sequence[str], notes: Counter[str]) -> np.ndarray:
    """Degrees of one coordinate column, NaN where blank or not a number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    came = pa.array(texts, pa.string())
    try:
        numbers = pc.if_else(pc.equal(came, ""), None, came).cast(pa.float64())
    except pa.ArrowInvalid:
        return np.array([_degree(text, notes) for text in texts])
    found = numbers.to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(found), found, np.nan)


def _degree(text: str, notes: Counter[str]) -> float:
    text = text.strip()
    if text.casefold() in BLANK_WORDS:
        return np.nan
    if not _NUMBER.fullmatch(text):
        notes[NOT_A_NUMBER] += 1
        return np.nan
    if "," in text:
        notes[DECIMAL_COMMA] += 1
    return float(text.replace(",", "."))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", text.replace("\ufeff", "")).split()).casefold()


def _shown(text: str) -> str:
    """A strange header, short enough for one line."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


_SPELLINGS = {
    _plain(spelling): spec.name
    for spec in SEARCH
    for spelling in (spec.name, spec.police_uk, spec.api, spec.api.rpartition(".")[2])
    if spelling
} | {"force id": "force"}
