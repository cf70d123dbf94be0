"""Axes of tallies: a name, the codelist (with version) that is counted in, and its codes in order."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from disprop.codelists import ANY, BLANK, UNMAPPED, Codelist, codelist, nearest
from disprop.errors import AxisMismatch, CodelistMismatch, UsageError
from disprop.months import month_label
from disprop.records import OPEN_LISTS

OPEN = ("month", "force", *OPEN_LISTS)
"""Axes whose codes are those that occur: two tallies may hold different ones, and their sum holds both."""

AREA = "area"
"""The open axis of local authorities: its codes are ONS codes, `blank` (no place) and `unmapped` (in no area)."""


@dataclass(frozen=True)
class Axis:
    """One axis: its name, the codelist (with version) it counts in, and its codes in order."""

    name: str
    codelist: str
    codes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def known(self) -> Codelist:
        """The codelist behind the axis (not for `month` and the open lists, which have none)."""
        return codelist(self.codelist.split("@")[0])

    @property
    def groups(self) -> tuple[str, ...]:
        """Codes that name something recorded."""
        if self._unlisted:
            return tuple(c for c in self.codes if c not in (BLANK, UNMAPPED))
        return tuple(c for c in self.codes if c in self.known.groups)

    @property
    def unknowns(self) -> tuple[str, ...]:
        """Codes that name something not known."""
        known = (BLANK, UNMAPPED) if self._unlisted else self.known.unknowns
        return tuple(c for c in self.codes if c in known)

    @property
    def is_multi(self) -> bool:
        """Whether a record may stand under several codes; its codes `any` and `none` count each record once.

        Published tables count uses of tactics, not records: their axis has neither code, and its sum is uses.
        """
        return ANY in self.codes and not self._unlisted

    @property
    def _unlisted(self) -> bool:
        return self.codelist == "month" or self.codelist in OPEN_LISTS

    def index(self, code: str) -> int:
        if code not in self.codes:
            raise UsageError(f"{self.name} has no {code!r}{nearest(code, self.codes)}")
        return self.codes.index(code)

    def places(self, codes: Iterable[str]) -> list[int]:
        """Positions of several codes; for long axes quicker than one at a time."""
        at = {code: i for i, code in enumerate(self.codes)}
        return [at[code] if code in at else self.index(code) for code in codes]


def coded_axis(name: str, of: str, codes: Collection[str] | None = None) -> Axis:
    """An axis over the codelist `of`, in its current version; `codes` keeps some of them only."""
    this = codelist(of)
    return Axis(
        name,
        f"{of}@{this.version}",
        this.codes if codes is None else tuple(c for c in this.codes if c in codes),
    )


def month_axis(months: Iterable[int]) -> Axis:
    """The axis of analysis months, in time order."""
    return Axis("month", "month", tuple(month_label(m) for m in sorted(set(months))))


def open_axis(name: str, codes: Iterable[str]) -> Axis:
    """An axis of an open list: those codes, in order, what is not known last."""
    met = set(codes)
    return Axis(name, name, (*sorted(met - {BLANK, UNMAPPED}), *sorted(met & {BLANK, UNMAPPED})))


def area_axis(areas: Iterable[str]) -> Axis:
    """The axis of local authorities: those codes, in order, what is not known last."""
    return open_axis(AREA, areas)


def merged_axis(one: Axis, other: Axis) -> Axis:
    """The axis of a sum: the codes of both on an open axis; raises CodelistMismatch or AxisMismatch otherwise."""
    if one == other:
        return one
    if one.codelist != other.codelist:
        raise CodelistMismatch(f"{one.name}: {one.codelist} cannot be added to {other.codelist}; recode one side")
    if one.name not in OPEN:
        raise AxisMismatch(
            f"{one.name} holds {', '.join(one.codes)} on one side and {', '.join(other.codes)} on the other"
        )
    if one.name == "force":
        return replace(one, codes=tuple(c for c in one.known.codes if c in one.codes or c in other.codes))
    if one.name in OPEN_LISTS:
        return open_axis(one.name, {*one.codes, *other.codes})
    return replace(one, codes=tuple(sorted({*one.codes, *other.codes})))
