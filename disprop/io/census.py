"""Residents by Census 2021, as tallies with unit `residents`.

Validated: green. The totals by area, force and ethnic group are ONS's own. Amber: ages and sexes by force, where
cells that ONS withheld are filled by the rule below.

**Ages and sexes.** The tables by area withhold cells, and small groups lose their oldest ages first. So they are used
by force and 5 groups only. Published cells of a group are summed over the areas of the force; what the full count
(table TS021) has beyond them is spread over the ages in proportion to the group's shape in England and Wales less
what the published residents already supply of it. Where under 80% of the residents come from published cells, the
denominator is unavailable. Two pairs of areas are published as one: Cornwall and the Isles of Scilly lie in one
force; of the other, Westminster gets the pair's shape times its own full count, and the City of London has no table.

Forces without residents (British Transport Police, Police Service of Northern Ireland, `unknown`) stand in the tally
with the denominator unavailable. The tables and their source: `data/census/SOURCE.md`.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from disprop.codelists import codelist, crosswalk, nearest
from disprop.errors import InputRefused, UsageError
from disprop.provenance import Account
from disprop.tallies import Axis, Tally, area_axis, coded_axis

if TYPE_CHECKING:
    import pandas as pd

UNIT, KIND, VINTAGE = "residents", "resident", "Census 2021"

PUBLISHED_ENOUGH = 0.8
UNAVAILABLE_RULE = "denominator unavailable: under 80% of the residents are in published cells"
SPREAD_NOTE = "residents of withheld cells, spread by the shape of England and Wales"

ENGLAND_AND_WALES = "K04000001"
CITY_OF_LONDON = "E09000001"

SPLITS = {"age": "age", "age_band": "age", "gender": "gender"}
"""Axes that need a table by age or by sex, and the axis the table itself has."""

COLUMNS = {"age": "age", "gender": "sex"}

AXES = ("force", "area", "ethnicity_self", "ethnicity_self_19", "age", "age_band", "gender")

CLASHES = (
    (("ethnicity_self",), ("ethnicity_self_19",), "name the 5 groups or the 19"),
    (("age",), ("age_band", "gender"), "no table has both; name one"),
    (("age_band",), ("gender",), "no table has both; name one"),
    (("ethnicity_self_19",), tuple(SPLITS), "too many cells are withheld; work at ethnicity_self, the 5 groups"),
    (("area",), tuple(SPLITS), "too many cells are withheld; work by force"),
)


# Where the tables are ----------------------------------------------------------------------------------------------


def census_folder() -> Path:
    """The folder of Census tables: in the installed package, or `data/census` of an editable install.

    Raises InputRefused when neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    places = (package / "_data" / "census", package.parent / "data" / "census")
    for place in places:
        if (place / "area_to_force.csv").is_file():
            return place
    raise InputRefused(f"no Census tables in {places[0]} or {places[1]}; install disprop again")


def census_digests() -> dict[str, str]:
    """SHA-256 of every Census table, by file name."""
    tables = sorted(census_folder().glob("*.csv"))
    return {table.name: hashlib.sha256(table.read_bytes()).hexdigest() for table in tables}


def _table(name: str) -> Iterator[list[str]]:
    """The rows of one table, without the header."""
    with (census_folder() / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows


@cache
def area_to_force() -> dict[str, str]:
    """Code of each local authority (2022) -> code of its police force.

    >>> area_to_force()["E08000025"]
    'west-midlands'
    """
    return {area: force for area, _, force in _table("area_to_force")}


@cache
def area_names() -> dict[str, str]:
    """Code of each local authority (2022) -> its name.

    >>> area_names()["E08000025"]
    'Birmingham'
    """
    return {area: name for area, name, _ in _table("area_to_force")}


# The door ----------------------------------------------------------------------------------------------------------


def census(year: int = 2021, *, by: Sequence[str] = ("force", "ethnicity_self")) -> Tally:
    """Usual residents of England and Wales over the axes named, in that order.

    Axes: `force`, `area` (local authorities of 2022) or both (an area's residents stand under the force that it lies
    in, and under no other); `ethnicity_self` or `ethnicity_self_19`; `age` (the table's
    own bands), `age_band` (those of police.uk) or `gender` (the Census counts sex: Female and Male). Ages and sexes
    go with `force` and the 5 groups only. Without `force` or `area`, England and Wales. Codes for something not known
    hold 0: nobody in a Census is blank.

    Cells without a denominator hold 0 and are marked in `missing`: forces without residents; gender `Other`; with an
    age or a sex, the City of London and groups of which too little is published (`census_quality` lists them). The
    account counts the residents so left out.

    Full counts are those of table TS021. Rounding and perturbation make tables differ by a few residents; no agreement
    is forced.

    Raises UsageError for another year, an axis that no table has, or axes that no table has together.

    >>> residents = census(by=["force", "ethnicity_self"])
    >>> residents[{"force": "west-midlands", "ethnicity_self": "Black"}]
    236047
    """
    if year != 2021:
        raise UsageError(f"no Census of {year}; 2021 is here")
    _check(by)
    split = next((SPLITS[name] for name in by if name in SPLITS), None)
    found = _full(by) if split is None else _split(split, by)
    return found.project(by)


def _check(by: Sequence[str]) -> None:
    if isinstance(by, str):
        raise UsageError(f"by={by!r} is one string; give a list of axes, as by=[{by!r}]")
    for name in by:
        if name == "ethnicity_officer":
            raise UsageError("the Census asks people themselves: officer-defined ethnicity has no residents")
        if name not in AXES:
            raise UsageError(f"the Census has no axis {name!r}{nearest(name, AXES)}")
    if len(set(by)) != len(by):
        raise UsageError(f"an axis is named twice in {', '.join(by)}")
    for these, those, why in CLASHES:
        clash = [name for side in (these, those) for name in by if name in side]
        if {*these} & {*by} and {*those} & {*by}:
            raise UsageError(f"{' and '.join(clash)} do not go together: {why}")


def _tally(axes: Sequence[Axis], counts: np.ndarray, missing: np.ndarray | None, account: Account) -> Tally:
    return Tally(tuple(axes), counts, UNIT, KIND, account=account, missing=missing, vintage=VINTAGE)


def _without_residents(forces: Axis) -> np.ndarray:
    """Which forces have no police force area, and so no residents."""
    return ~np.isin(forces.codes, list(set(area_to_force().values())))


# Full counts -------------------------------------------------------------------------------------------------------


def _full(by: Sequence[str]) -> Tally:
    """Full counts with the ethnic axis that `by` names, by force or by area."""
    groups = coded_axis("ethnicity_self_19", "ethnicity_19")
    places = tuple(_places(name) for name in ("force", "area") if name in by) or (_places("area"),)
    counts = _full_counts(places[-1], groups)
    missing = None
    if len(places) == 2:
        counts = _in_own_force(*places)[..., None] * counts
    if places[0].name == "force":
        bare = _without_residents(places[0])
        missing = np.broadcast_to(bare.reshape(-1, *[1] * (counts.ndim - 1)), counts.shape).copy()
    found = _tally((*places, groups), counts, missing, Account(read=int(counts.sum())))
    return (
        found.recode("ethnicity_self_19", "ethnicity_5", rename="ethnicity_self") if "ethnicity_self" in by else found
    )


def _places(name: str) -> Axis:
    return coded_axis("force", "force") if name == "force" else area_axis(area_to_force())


def _in_own_force(forces: Axis, areas: Axis) -> np.ndarray:
    """1 where an area lies in a force, forces x areas."""
    own = np.array([area_to_force()[area] for area in areas.codes])
    return (np.array(forces.codes)[:, None] == own).astype(np.int64)


def _full_counts(places: Axis, groups: Axis) -> np.ndarray:
    at, group_at = _positions(places), _positions(groups)
    counts = np.zeros((len(places), len(groups)), dtype=np.int64)
    for place, group, n in _table(f"residents_{places.name}_ethnicity"):
        counts[at[place], group_at[group]] = int(n)
    return counts


def _positions(axis: Axis) -> dict[str, int]:
    return {code: i for i, code in enumerate(axis.codes)}


# Ages and sexes ----------------------------------------------------------------------------------------------------


def _split(split: str, by: Sequence[str]) -> Tally:
    """Residents by age or sex: by force as filled, else as published for England and Wales."""
    found = _filled_tally(split, by) if "force" in by else _nation_tally(split)
    return found.recode("age", "age_band", rename="age_band") if "age_band" in by else found


def _nation_tally(split: str) -> Tally:
    groups, cells = coded_axis("ethnicity_self", "ethnicity_5"), coded_axis(split, split)
    counts = _published(split)[ENGLAND_AND_WALES]
    return _tally((groups, cells), counts, _not_counted(cells, counts.shape), Account(read=int(counts.sum())))


def _not_counted(cells: Axis, shape: tuple[int, ...]) -> np.ndarray:
    """Cells of a group that no table counts: gender Other."""
    none = np.array([cells.name == "gender" and code == "Other" for code in cells.codes])
    return np.broadcast_to(none, shape).copy()


def _filled_tally(split: str, by: Sequence[str]) -> Tally:
    """Residents by force and age or sex; by group too when `by` names it, else over all groups.

    What is asked for decides what is refused: the share in published cells is taken of the group, or of all groups.
    """
    forces, groups, cells = (
        coded_axis("force", "force"),
        coded_axis("ethnicity_self", "ethnicity_5"),
        coded_axis(split, split),
    )
    axes: tuple[Axis, ...] = (forces, groups, cells)
    full, held, counts = _full_by_force(), _held(split), _filled(split)
    if "ethnicity_self" not in by:
        axes, full, held, counts = (forces, cells), full.sum(axis=1), held.sum(axis=1), counts.sum(axis=1)
    refused = _share(held.sum(axis=-1), full) < PUBLISHED_ENOUGH
    refused[_without_residents(forces)] = True
    here = ~refused[..., None]
    given = counts * here
    account = Account(
        read=int(counts.sum()),
        excluded={UNAVAILABLE_RULE: int(counts.sum() - given.sum())},
        notes={SPREAD_NOTE: int(given.sum() - (held * here).sum())},
    )
    return _tally(axes, given, ~here | _not_counted(cells, counts.shape), account)


def census_quality(axis: str = "age_band") -> pd.DataFrame:
    """How much of each force's groups comes from published cells, where residents are split by age or by sex.

    Columns: force, ethnicity_self, residents (full count), published (residents in published cells), share_published,
    given (whether the denominator is given: the share is 80% or more).

    axis: `age`, `age_band` or `gender`; raises UsageError for another.
    """
    import pandas as pd

    if axis not in SPLITS:
        raise UsageError(f"no table by {axis!r}{nearest(axis, SPLITS)}")
    forces, groups = coded_axis("force", "force"), coded_axis("ethnicity_self", "ethnicity_5")
    full, held = _full_by_force(), _held(SPLITS[axis]).sum(axis=2)
    share = _share(held, full)
    rows = [
        (forces.codes[i], groups.codes[j], full[i, j], held[i, j], share[i, j], share[i, j] >= PUBLISHED_ENOUGH)
        for i in np.flatnonzero(~_without_residents(forces))
        for j in map(groups.index, groups.groups)
    ]
    columns = ["force", "ethnicity_self", "residents", "published", "share_published", "given"]
    return pd.DataFrame(rows, columns=columns)


def _share(held: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Share of the residents that published cells hold, at most 1; 1 where there are no residents."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(full > 0, np.minimum(held / full, 1.0), 1.0)


def _full_by_force() -> np.ndarray:
    """Full counts, force x 5 groups."""
    return census(by=("force", "ethnicity_self")).counts


@cache
def _published(split: str) -> dict[str, np.ndarray]:
    """Published residents of each area (or pair of areas, or England and Wales): 5 groups x ages or sexes."""
    detail = _positions(coded_axis("ethnicity_self_19", "ethnicity_19"))
    group_of, cell_at = crosswalk("ethnicity_19", "ethnicity_5").lookup, _positions(coded_axis(split, split))
    shape = (len(codelist("ethnicity_5")), len(cell_at))
    found: dict[str, np.ndarray] = {}
    for area, cell, group, n, _ in _table(f"residents_area_{COLUMNS[split]}_ethnicity"):
        if area not in found:
            found[area] = np.zeros(shape, dtype=np.int64)
        found[area][group_of[detail[group]], cell_at[cell]] += int(n)
    return found


@cache
def _held(split: str) -> np.ndarray:
    """Published residents, force x 5 groups x ages or sexes; pairs of areas go to their forces."""
    at = _positions(coded_axis("force", "force"))
    published = _published(split)
    held = np.zeros((len(at), *published[ENGLAND_AND_WALES].shape), dtype=np.int64)
    for area, cells in published.items():
        members = [one for one in area.split("+") if one in area_to_force()]
        forces = {area_to_force()[one] for one in members}
        if len(forces) == 1:
            held[at[forces.pop()]] += cells
        else:
            for one in members:
                held[at[area_to_force()[one]]] += own_share(one, cells)
    return held


def own_share(area: str, pair: np.ndarray) -> np.ndarray:
    """One area's part of a pair in two forces: the pair's shape times its own full count; the City has no table."""
    if area == CITY_OF_LONDON:
        return np.zeros_like(pair)
    full = census(by=("area", "ethnicity_self"))
    totals = full.counts[full.axis("area").index(area)]
    return np.array([share_out(int(n), cells.tolist()) for n, cells in zip(totals, pair)], dtype=np.int64)


@cache
def _filled(split: str) -> np.ndarray:
    """Residents after the remainders are spread, force x 5 groups x ages or sexes."""
    nation, counts = _published(split)[ENGLAND_AND_WALES], _held(split).copy()
    for (force, group), total in np.ndenumerate(_full_by_force()):
        counts[force, group] += remainder(int(total), counts[force, group].tolist(), nation[group].tolist())
    return counts


def remainder(total: int, held: list[int], nation: list[int]) -> list[int]:
    """The residents of one force and group that published cells do not hold, spread over the ages.

    weight = max(0, nation / sum(nation) - held / total), here times sum(nation) x total to stay in whole numbers.
    """
    size = sum(nation)
    return share_out(max(0, total - sum(held)), [max(0, n * total - h * size) for h, n in zip(held, nation)])


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """Whole residents in proportion to the weights, adding up to `total`; largest remainders first, ties to the first.

    >>> share_out(10, [1, 1, 1])
    [4, 3, 3]

    Weights that are all 0 get nothing.
    """
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    parts = [divmod(total * weight, whole) for weight in weights]
    shares = [share for share, _ in parts]
    largest = sorted(range(len(parts)), key=lambda i: -parts[i][1])
    for i in largest[: total - sum(shares)]:
        shares[i] += 1
    return shares
