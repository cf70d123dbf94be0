"""Codelists and crosswalks: the only home of category labels.

A *codelist* is a versioned, ordered list of codes. Each code is a `group` (something that was recorded) or `unknown`
(not stated, blank, unmapped). Lists of which a record may have several items hold two more kinds: `apart` (recorded,
but not what the list counts: tactical communication is not force), and `record`: the codes `any` and `none`, which
count records, not items. A *crosswalk* maps every code of one codelist to one code of
another. *Labels* are the spellings that sources use; which spellings are understood depends on the declared scheme,
because the same short code means different things in different schemes (O1 is Arab under `pace2023`, Chinese under
`16+1`).

The tables are CSV files in the package, under `_data/codelists`:

    codelists.csv   codelist, version, title, source
    codes.csv       codelist, code, label, kind, ons_code       (Census 2021 code of the 19 ethnic groups)
    crosswalks.csv  from_codelist, from_code, to_codelist, to_code
    labels.csv      scheme, codelist, label, code, note         (scheme `any`: the same under every scheme)
    forces.csv      code, name, pfa_code, region, region_code   (aliases stand in labels.csv)
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import numpy as np

from disprop.errors import CodelistMismatch, UsageError

FOLDER = Path(__file__).parent / "_data" / "codelists"

NOT_STATED = "not stated"
BLANK = "blank"
UNMAPPED = "unmapped"
ANY, NONE = "any", "none"

SCHEMES = ("police.uk", "home-office", "pace2023", "16+1", "hmpps", "pnc")
ANY_SCHEME = "any"


@dataclass(frozen=True)
class Codelist:
    """An ordered, versioned list of codes.

    `codes[i]` is what tallies and result rows carry, `labels[i]` the full wording, `kinds[i]` is `group`, `unknown`,
    `apart` or `record`. Two codelists are the same when name, version and codes are.
    """

    name: str
    version: str
    codes: tuple[str, ...]
    labels: tuple[str, ...]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def index(self, code: str) -> int:
        """Position of `code`; raises UsageError with the nearest known code."""
        try:
            return self.codes.index(code)
        except ValueError:
            raise UsageError(f"{self.name} has no code {code!r}{nearest(code, self.codes)}") from None

    @property
    def groups(self) -> tuple[str, ...]:
        """The codes that name something recorded, in order."""
        return self._of_kind("group")

    @property
    def unknowns(self) -> tuple[str, ...]:
        """The codes that name something not known: not stated, blank, unmapped."""
        return self._of_kind("unknown")

    @property
    def items(self) -> tuple[str, ...]:
        """The codes without `any` and `none`: what uses of tactics are counted by, where reports are not known."""
        return tuple(c for c, kind in zip(self.codes, self.kinds) if kind != "record")

    @property
    def is_multi(self) -> bool:
        """Whether a record may have several items of the list."""
        return "record" in self.kinds

    def _of_kind(self, wanted: str) -> tuple[str, ...]:
        return tuple(c for c, kind in zip(self.codes, self.kinds) if kind == wanted)

    def label(self, code: str) -> str:
        return self.labels[self.index(code)]


@dataclass(frozen=True)
class Crosswalk:
    """A many-to-one map from every code of `source` to a code of `target`.

    `lookup[i]` is the position in `target` of the code at position `i` of `source`.
    """

    source: Codelist
    target: Codelist
    lookup: np.ndarray

    def __getitem__(self, code: str) -> str:
        return self.target.codes[int(self.lookup[self.source.index(code)])]


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an error message: the nearest known name, or all of them when nothing is near."""
    spelt = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), spelt, n=1)
    if near:
        return f"; did you mean {spelt[near[0]]!r}?"
    return "; known: " + ", ".join(spelt.values())


def normalise(label: str) -> str:
    """The form in which labels are compared: trimmed, inner white space single, case ignored.

    >>> normalise("  White -  Irish ")
    'white - irish'
    """
    return " ".join(label.split()).casefold()


@cache
def _table(name: str) -> tuple[dict[str, str], ...]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def codelists() -> dict[str, str]:
    """Every codelist's name and version."""
    return {row["codelist"]: row["version"] for row in _table("codelists")}


@cache
def codelist(name: str) -> Codelist:
    """The codelist of that name; raises UsageError with the nearest known name.

    >>> codelist("ethnicity_5").groups
    ('White', 'Mixed', 'Asian', 'Black', 'Other')
    """
    if name not in codelists():
        raise UsageError(f"no codelist {name!r}{nearest(name, codelists())}")
    rows = [row for row in _table("codes") if row["codelist"] == name]
    return Codelist(
        name=name,
        version=codelists()[name],
        codes=tuple(row["code"] for row in rows),
        labels=tuple(row["label"] for row in rows),
        kinds=tuple(row["kind"] for row in rows),
    )


@cache
def ons_codes() -> dict[str, str]:
    """Census 2021 code of an ethnic group -> code of `ethnicity_19`.

    >>> ons_codes()["13"]
    'White British'
    """
    return {row["ons_code"]: row["code"] for row in _table("codes") if row["ons_code"]}


@cache
def crosswalk(source: str, target: str) -> Crosswalk:
    """The crosswalk between two codelists. Unknown codes map to themselves unless the table says otherwise.

    >>> crosswalk("ethnicity_19", "ethnicity_5")["Chinese"]
    'Asian'

    Raises CodelistMismatch when a code of `source` has no place in `target`.
    """
    of, to = codelist(source), codelist(target)
    rows = _table("crosswalks")
    given = {r["from_code"]: r["to_code"] for r in rows if r["from_codelist"] == source and r["to_codelist"] == target}
    same = {c: c for c in of.codes if c in to.codes}
    both = same | given
    missing = [c for c in of.codes if c not in both]
    if missing:
        raise CodelistMismatch(f"no crosswalk from {source} to {target} for: {', '.join(missing)}")
    return Crosswalk(of, to, np.array([to.index(both[c]) for c in of.codes], dtype=np.int64))


@cache
def labels(name: str, scheme: str) -> Mapping[str, str]:
    """Normalised source label -> code, for one codelist under one declared scheme.

    Codes and full labels of the codelist itself are always understood, and so are wordings that can mean one thing
    only; short codes and group words only under the scheme that defines them. Labels of a finer codelist count too,
    through its crosswalk. Raises UsageError for an unknown scheme: ambiguous codes are never guessed.

    >>> labels("ethnicity_19", "pace2023")["o1"], labels("ethnicity_19", "16+1")["o1"]
    ('Arab', 'Chinese')
    """
    if scheme not in SCHEMES:
        raise UsageError(f"no code scheme {scheme!r}{nearest(scheme, SCHEMES)}")
    this = codelist(name)
    found: dict[str, str] = {}
    for finer, coarse in _finer(name):
        walk = crosswalk(finer, coarse)
        found |= {label: walk[code] for label, code in labels(finer, scheme).items()}
    found |= {normalise(label): code for code, label in zip(this.codes, this.labels)}
    found |= {normalise(code): code for code in this.codes}
    found |= {
        normalise(row["label"]): row["code"]
        for row in _table("labels")
        if row["codelist"] == name and row["scheme"] in (scheme, ANY_SCHEME)
    }
    return found | {"": _unknown_code(this, BLANK)}


def _unknown_code(of: Codelist, wanted: str) -> str:
    """The code for something not known: the wanted one, or the only unknown that a short list has."""
    return wanted if wanted in of.codes else of.unknowns[-1]


def _finer(name: str) -> list[tuple[str, str]]:
    """Codelists whose labels a coarser list understands too."""
    pairs = (("ethnicity_19", "ethnicity_5"), ("tactic", "tactic_class"), ("tactic", "tactic_use"))
    return [pair for pair in pairs if pair[1] == name]


def item_codes(name: str, scheme: str, labels_of_record: Iterable[str]) -> list[int]:
    """Positions in a list of items for the labels of one record: each item once, then `any` or `none`.

    A label that the scheme does not know is `unmapped`, and something all the same: such a record counts under `any`.

    >>> this = codelist("tactic")
    >>> [this.codes[i] for i in item_codes("tactic", "home-office", ["Shield", "Baton used", "Shield"])]
    ['Baton used', 'Shield', 'any']
    >>> [this.codes[i] for i in item_codes("tactic", "home-office", ["Tactical communication"])]
    ['Tactical communication', 'none']
    """
    this = codelist(name)
    items = sorted(set(code_lookup(name, scheme, labels_of_record).tolist()))
    some = any(this.kinds[i] == "group" or this.codes[i] == UNMAPPED for i in items)
    return [*items, this.index(ANY if some else NONE)]


def code_lookup(name: str, scheme: str, vocabulary: Iterable[str | None]) -> np.ndarray:
    """Positions in the codelist for each label of a vocabulary: late binding, one small table per batch.

    Blank and None become `blank`; a label that the scheme does not know becomes `unmapped`, never `Other`.

    >>> this = codelist("gender")
    >>> [this.codes[i] for i in code_lookup("gender", "police.uk", ["Male", None, "Robot"])]
    ['Male', 'blank', 'unmapped']
    """
    known, this = labels(name, scheme), codelist(name)
    strange = _unknown_code(this, UNMAPPED)
    codes = (known.get(normalise(label or ""), strange) for label in vocabulary)
    return np.array([this.index(code) for code in codes], dtype=np.int64)


@dataclass(frozen=True)
class Force:
    """A police force. Those without a police force area (`pfa_code` blank) have no residents here."""

    code: str
    name: str
    pfa_code: str
    region: str


@cache
def forces() -> dict[str, Force]:
    """Every force by code, in the order of the codelist."""
    return {r["code"]: Force(r["code"], r["name"], r["pfa_code"], r["region"]) for r in _table("forces")}


def force_code(name: str) -> str:
    """The code of a force given as code, name, alias or Census area code; raises UsageError with the nearest name.

    >>> force_code("Avon & Somerset")
    'avon-and-somerset'
    """
    code = known_force(name)
    if code is None:
        raise UsageError(f"no force {name!r}{nearest(name, forces())}")
    return code


def known_force(name: str) -> str | None:
    """The code of a force as `force_code` gives it, or None where the name is no force.

    >>> known_force("West Midlands Police"), known_force("2019-04")
    ('west-midlands', None)
    """
    return labels("force", "police.uk").get(normalise(name)) if name.strip() else None
