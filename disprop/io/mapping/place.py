"""Which column of an extract holds what: names and values together, and nothing placed where two readings are near."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from disprop.codelists import codelist, labels, normalise
from disprop.errors import UsageError
from disprop.io.mapping.columns import DERIVED, NEUTRAL, ROLES, split_role
from disprop.io.mapping.evidence import Seen, coded, known_names, likeness, schemes_that_know, usual_label
from disprop.records import KINDS, Column, Kind

ENOUGH, NEAR, VALUES_ALONE = 0.6, 0.07, 0.62
"""Score from which a column is placed; difference that settles nothing; score of perfect values without a name."""
TELLING = 0.8
"""Likeness from which a name speaks for a kind of record."""
SEPARATORS = (";", "|", ",", "/", "\n")
ETHNICITY = ("ethnicity_5", "ethnicity_19")


@dataclass
class Placed:
    """Columns placed, and those that were not, with what they might be."""

    kind: Kind
    columns: dict[str, str] = field(default_factory=dict)
    items: dict[str, dict[str, str]] = field(default_factory=dict)
    unplaced: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """Something that a source column may be: a canonical column, or a role of one."""

    kind: Kind
    name: str

    @property
    def column(self) -> str:
        return split_role(self.name)[0]

    @property
    def role(self) -> str:
        return split_role(self.name)[1]

    @cached_property
    def spec(self) -> Column:
        return next(spec for spec in self.kind.columns if spec.name == self.column)

    @cached_property
    def lists(self) -> list[str]:
        """Closed codelists that the column is counted in."""
        if self.column == "force":
            return ["force"]
        axes = (spec for spec in self.kind.axes if spec.column == self.column)
        return [spec.codelist for spec in axes if spec.by_label or spec.multi]

    @cached_property
    def names(self) -> list[str]:
        """Names that systems give it; a date and its whole time go by each other's names."""
        alike = {self.name} | ({self.column, f"{self.column}:date"} if self.role in ("", "date") else set())
        given = [name for kind, target, name in known_names() if kind in ("*", self.kind.name) and target in alike]
        return [*given, *([self.column] if not self.role else [])]

    def name_likeness(self, seen: Seen) -> float:
        return max((likeness(seen.header, name) for name in self.names), default=0.0)

    def fit(self, seen: Seen) -> float | None:
        """How well the values fit, 0 to 1; None where they cannot be what the target holds."""
        if seen.is_birth:
            return None
        if not seen.words:
            return 0.0
        if self.name == self.column and self.spec.dtype == "time" and seen.is_time:
            return 1.0 if seen.has_clock else 0.5
        test = _OF_ROLE.get(self.role) or _OF_DTYPE.get(self.spec.dtype)
        if test is not None:
            return 1.0 if test(seen) else None
        if not self.lists:
            return None if seen.is_time or seen.is_flag else 0.5
        if self.spec.dtype == "items":
            return max(seen.understood(name, separator=one) for name in self.lists for one in SEPARATORS) or None
        if "flag" in self.lists:
            return 1.0 if seen.is_flag else None
        return self._fit_of_labels(seen)

    def _fit_of_labels(self, seen: Seen) -> float | None:
        known = max(seen.understood(name) for name in self.lists)
        if "ethnicity_5" in self.lists and self.column == "ethnicity_self" and is_pnc(seen):
            return None
        return known or None

    def score(self, seen: Seen) -> float:
        fit, name = self.fit(seen), self.name_likeness(seen)
        if fit is None:
            return 0.0
        if name < 0.5:
            return VALUES_ALONE * fit if self._speaks_for_itself(seen) else 0.0
        return 0.75 * name + 0.25 * fit

    def _speaks_for_itself(self, seen: Seen) -> bool:
        """Whether values alone can say what the column is. Whose view an ethnic group is, only IC codes say."""
        if self.column.startswith("ethnicity"):
            return self.column == "ethnicity_officer" and is_pnc(seen)
        closed = bool(self.lists) and "flag" not in self.lists and not self.role and self.column != "force"
        return closed and len(seen.words) > 1


_OF_ROLE: dict[str, Callable[[Seen], bool]] = {
    "date": lambda seen: seen.is_time and not seen.has_clock,
    "time": lambda seen: seen.is_of_day,
    "duration": lambda seen: seen.is_duration,
    "years": lambda seen: seen.is_age,
}
_OF_DTYPE: dict[str, Callable[[Seen], bool]] = {
    "time": lambda seen: seen.is_time,
    "key": lambda seen: seen.is_identifier and not seen.is_flag and not seen.is_time,
    "degrees": lambda seen: seen.is_number,
    "month": lambda seen: False,
}


def is_pnc(seen: Seen) -> bool:
    """Whether the values are IC codes, which only officers give."""
    codes = coded(seen.words, ETHNICITY)
    return bool(codes) and schemes_that_know(codes, ETHNICITY) == ["pnc"]


def targets(kind: Kind) -> list[Target]:
    """Everything that a source column of this kind may be."""
    found = []
    for spec in kind.columns:
        roles = ROLES.get(spec.name, ROLES.get(spec.dtype, ()))
        if spec.name not in DERIVED:
            found += [Target(kind, spec.name), *(Target(kind, f"{spec.name}:{role}") for role in roles)]
    return [target for target in found if target.name not in ("event_time:duration", "month")]


def guess_kind(columns: Sequence[Seen]) -> Kind:
    """The kind that the names fit best; raises UsageError where two fit nearly as well."""
    fits = sorted(((_fit_of_kind(kind, columns), kind.name) for kind in KINDS.values()), reverse=True)
    (best, name), (second, other) = fits[:2]
    if best < 1 or best - second < 0.1 * best:
        raise UsageError(f"the columns fit {name} no better than {other}; say which it is with --kind")
    return KINDS[name]


def _fit_of_kind(kind: Kind, columns: Sequence[Seen]) -> float:
    """Sum over the kind's columns of the best score of any source column; names of this kind alone count double."""
    total = sum(2.0 for seen in columns if item_of(kind, seen) is not None)
    for target in targets(kind):
        own = [name for one, column, name in known_names() if one == kind.name and column == target.name]
        fits = [(score, seen) for seen in columns if (score := target.score(seen)) >= ENOUGH]
        total += max((score for score, _ in fits), default=0.0)
        named = [alike for _, seen in fits for name in own if (alike := likeness(seen.header, name)) >= TELLING]
        total += max(named, default=0.0)
    return total


def place_columns(kind: Kind, columns: Sequence[Seen]) -> Placed:
    """Each source column placed where name and values leave no second reading; the others listed."""
    found = Placed(kind)
    _place_flags_of_items(found, columns)
    left = [seen for seen in columns if not any(seen.header in flags for flags in found.items.values())]
    scores = {(seen.header, target.name): target.score(seen) for seen in left for target in targets(kind)}
    _place_best(found, left, {pair: score for pair, score in scores.items() if score >= ENOUGH})
    _settle_dates(found)
    for seen in left:
        if seen.header not in found.columns:
            found.unplaced[seen.header] = _candidates(found, seen)
    return found


def _place_best(found: Placed, columns: Sequence[Seen], scores: dict[tuple[str, str], float]) -> None:
    """Takes the best pair again and again; a pair with a near rival settles nothing, and its column stays unplaced."""
    several = {target.name for target in targets(found.kind) if target.spec.dtype == "items"}
    open_pairs = dict(scores)
    while open_pairs:
        (header, name), best = max(open_pairs.items(), key=lambda pair: pair[1])
        rivals = [
            pair
            for pair, score in open_pairs.items()
            if score > best - NEAR and _contends(pair, (header, name), several)
        ]
        if rivals:
            undecided = {header, *(one for one, other in rivals if other == name)}
            open_pairs = {pair: score for pair, score in open_pairs.items() if pair[0] not in undecided}
            continue
        found.columns[header] = name
        open_pairs = {
            pair: score
            for pair, score in open_pairs.items()
            if pair[0] != header and (not _same_column(pair[1], name) or name in several)
        }


def _contends(pair: tuple[str, str], best: tuple[str, str], several: set[str]) -> bool:
    """Whether a pair speaks against the best one: the same column elsewhere, or another column there."""
    if pair == best or (pair[0] != best[0] and pair[1] != best[1]):
        return False
    if pair[0] == best[0]:
        return split_role(pair[1])[0] != split_role(best[1])[0]
    return best[1] not in several


def _same_column(one: str, other: str) -> bool:
    """Whether two targets cannot both be filled: the same, or a whole and its part."""
    (column, role), (other_column, other_role) = split_role(one), split_role(other)
    return column == other_column and {role, other_role} != {"date", "time"}


def _settle_dates(found: Placed) -> None:
    """A date without a column for its time of day is the whole time; a time of day without a date dates nothing."""
    by_target = {target: header for header, target in found.columns.items()}
    for target, header in by_target.items():
        column, role = split_role(target)
        if role == "date" and f"{column}:time" not in by_target:
            found.columns[header] = column
        if role == "time" and f"{column}:date" not in by_target:
            del found.columns[header]


def _candidates(found: Placed, seen: Seen) -> list[str]:
    """What an unplaced column might be: targets that its values fit, free or named by it, the likeliest first."""
    taken = {split_role(target)[0] for target in found.columns.values()} - meanings(found.kind, seen)
    fitting = [
        (target.score(seen) + target.name_likeness(seen), target.name)
        for target in targets(found.kind)
        if target.column not in taken and seen.words and target.fit(seen)
    ]
    return [name for _, name in sorted(fitting, reverse=True)[:6]]


def meanings(kind: Kind, seen: Seen) -> set[str]:
    """The canonical columns that a name stands for in the table of names, where they are several: which, only the
    force knows."""
    meant = [target for target in targets(kind) if target.fit(seen) and target.name_likeness(seen) >= TELLING]
    best = max((target.name_likeness(seen) for target in meant), default=0.0)
    found = {target.column for target in meant if target.name_likeness(seen) == best}
    return found if len(found) > 1 else set()


def _place_flags_of_items(found: Placed, columns: Sequence[Seen]) -> None:
    for seen in columns:
        item = item_of(found.kind, seen)
        if item is not None:
            found.items.setdefault(item[0], {})[seen.header] = item[1]


def item_of(kind: Kind, seen: Seen) -> tuple[str, str] | None:
    """The column of items and the item that a column of yes and no stands for; None where it is none, or unclear."""
    if not seen.is_flag:
        return None
    prefix, item = split_header(seen.header)
    fitting = []
    for target in targets(kind):
        if target.spec.dtype == "items":
            label = next((label for name in target.lists if (label := known_item(name, item)) is not None), None)
            if label is not None:
                fitting.append((target, label))
    named = [(target, label) for target, label in fitting if prefix and _is_named(target, prefix)]
    fitting = named or ([] if prefix else fitting)
    return (fitting[0][0].column, fitting[0][1]) if len(fitting) == 1 else None


def _is_named(target: Target, prefix: str) -> bool:
    return max(likeness(prefix, name) for name in target.names) >= TELLING


def split_header(header: str) -> tuple[str, str]:
    """The list and the item that a header names: `Tactic: Shield`, `Reason - Effect search`, `Shield`.

    >>> split_header("Tactic: Shield"), split_header("Non-compliant handcuffing")
    (('Tactic', 'Shield'), ('', 'Non-compliant handcuffing'))
    """
    for between in (":", " - ", " \u2013 ", "|"):
        first, found, rest = header.partition(between)
        if found and rest.strip():
            return first.strip(), rest.strip()
    return "", header.strip()


def known_item(name: str, item: str) -> str | None:
    """The label of an item under which a codelist knows it, or in a usual spelling."""
    usual = usual_label(name, item)
    if usual:
        return usual
    code = labels(name, NEUTRAL).get(normalise(item))
    this = codelist(name)
    return None if code is None or this.kinds[this.index(code)] in ("unknown", "record") else item


def separator_of(kind: Kind, columns: Sequence[Seen], placed: Placed) -> str:
    """What stands between the items of one cell: under which most items are understood."""
    by_name = {target.name: target for target in targets(kind)}
    cells = [(seen, by_name[placed.columns[seen.header]]) for seen in columns if seen.header in placed.columns]
    lists = [(seen, target.lists) for seen, target in cells if target.spec.dtype == "items"]

    def known(separator: str) -> float:
        return sum(seen.understood(name, separator=separator) for seen, names in lists for name in names)

    return max(SEPARATORS, key=known) if lists else ";"


def labelled(placed: Placed, columns: Sequence[Seen]) -> Iterator[tuple[Target, Seen]]:
    """Placed columns whose values are counted in codelists."""
    by_name = {target.name: target for target in targets(placed.kind)}
    for seen in columns:
        target = by_name.get(placed.columns.get(seen.header, ""))
        if target is not None and target.lists and not target.role:
            yield target, seen
