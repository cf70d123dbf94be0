"""Counting Parquet without decoding its text: dictionary indices and instants go straight to the cells.

A batch whose rows are not plain is left to the careful reader, which is the truth that this road is tested against.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from disprop.codelists import BLANK, UNMAPPED, code_lookup, codelist
from disprop.errors import InputRefused
from disprop.io.parquet_rows import FIRST, LAST, Rows, Vocabularies
from disprop.kernels import keyed
from disprop.kernels.coded import LARGEST, LEFT_OUT, ByteCube
from disprop.numbered import Numbered, force_entries, month_entries
from disprop.partial import Cells, Partial, Wanted, is_numbered, of_cube
from disprop.records import VEHICLE_ONLY, AxisSpec

MONTHS = 1 << 12
_FORCES = {code: i for i, code in enumerate(codelist("force").codes)}


class Slots:
    """Rows by force and part month: few, met in large numbers, so kept as arrays until they are asked for."""

    def __init__(self, rows: Mapping[tuple[str, int], int] | None = None) -> None:
        self._held: list[tuple[np.ndarray, np.ndarray]] = []
        if rows:
            forces, months = zip(*rows)
            self.add(np.array([_FORCES[force] for force in forces]), np.array(months), np.array([*rows.values()]))

    def add(self, force: np.ndarray, month: np.ndarray, rows: np.ndarray) -> None:
        """More rows of slots: position of the force in its codelist, month number, how many."""
        self._held.append((force * MONTHS + month, rows))

    def update(self, other: Slots) -> None:
        self._held += other._held
        if len(self._held) > 64:
            self._held = [self._summed()]

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the slots that have rows, see `named`, and how many; in order."""
        slots, rows = self._summed()
        return slots[rows > 0], rows[rows > 0]

    def _summed(self) -> tuple[np.ndarray, np.ndarray]:
        if not self._held:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        slots, at = np.unique(np.concatenate([slots for slots, _ in self._held]), return_inverse=True)
        rows = np.zeros(len(slots), dtype=np.int64)
        np.add.at(rows, at, np.concatenate([rows for _, rows in self._held]))
        return slots, rows

    def items(self) -> list[tuple[tuple[str, int], int]]:
        """((force, month), rows) of every slot that has rows."""
        slots, rows = self.arrays()
        return list(zip(named(slots), rows.tolist()))

    def __getstate__(self) -> tuple[np.ndarray, np.ndarray]:
        return self._summed()

    def __setstate__(self, summed: tuple[np.ndarray, np.ndarray]) -> None:
        self._held = [summed]


def named(slots: np.ndarray) -> list[tuple[str, int]]:
    """Force and part month of slots by their numbers."""
    codes = codelist("force").codes
    return [(codes[slot // MONTHS], slot % MONTHS) for slot in slots.tolist()]


@dataclass
class Found:
    """What became of the rows of one file that were looked at."""

    read: int = 0
    slots: Slots = field(default_factory=Slots)
    notes: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)

    def add(self, other: Found) -> None:
        self.read += other.read
        for name in ("slots", "notes", "quarantined"):
            getattr(self, name).update(getattr(other, name))


# From plain rows to counts -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """The cube that several tallies are counted in at once: months, then forces, then the codes of every axis.

    A code stands on an axis once a batch could hold it, so that the cube has no room for what never comes.
    """

    first: int
    months: int
    forces: tuple[str, ...]
    codes: tuple[tuple[int, ...], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.months, len(self.forces), *(len(codes) for codes in self.codes))

    @property
    def cells(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def strides(self) -> list[int]:
        return [int(np.prod(self.shape[i + 1 :], dtype=np.int64)) for i in range(len(self.shape))]

    def holds(self, other: Layout) -> bool:
        return (
            self.first <= other.first
            and other.first + other.months <= self.first + self.months
            and set(other.forces) <= set(self.forces)
            and all(set(theirs) <= set(mine) for mine, theirs in zip(self.codes, other.codes))
        )

    def grown(self, other: Layout, axes: Sequence[AxisSpec]) -> Layout:
        """Room for both, and on every axis that was too short for all there is, so that growing is rare."""
        first, last = min(self.first, other.first), max(self.first + self.months, other.first + other.months)
        slack = 0 if (first, last) == (self.first, self.first + self.months) else 24
        forces = self.forces if set(other.forces) <= set(self.forces) else codelist("force").codes
        codes = tuple(
            mine if set(theirs) <= set(mine) else tuple(range(len(codelist(spec.codelist))))
            for spec, mine, theirs in zip(axes, self.codes, other.codes)
        )
        return Layout(first - slack, last - first + 2 * slack, forces, codes)


def numbers_of(wanted: Wanted) -> dict[int, Numbered]:
    """No counts yet, of each tally that is counted by number."""
    return {
        t: Numbered(math.prod(len(codelist(spec.codelist)) for spec in specs if not spec.is_open))
        for t, specs in enumerate(wanted.tallies)
        if is_numbered(specs)
    }


class Scan:
    """The counts of one thread, over the batches that it is given; threads of one `shared` number codes alike."""

    def __init__(self, wanted: Wanted, *, scheme: str, shared: Mapping[int, Numbered] | None = None) -> None:
        self.wanted, self.scheme = wanted, scheme
        self.rules: Counter[str] = Counter()
        self.unmapped: list[Counter[str]] = [Counter() for _ in wanted.tallies]
        self.cubes: list[tuple[Layout, ByteCube]] = []
        self.axes = _joint_axes(wanted)
        self.columns, self.met = wanted.columns, Vocabularies()
        self.number = {t: one.beside() for t, one in (shared or numbers_of(wanted)).items()}
        self._last_places: dict[int, tuple[list[str | None], np.ndarray]] = {}

    def add(self, rows: Rows, found: Found) -> bool:
        """Counts the rows and says so in `found`; or, when the cube would be too large, leaves both as they were."""
        if rows.months.size == 0:
            return True
        bound = {spec: self._bound(rows, spec) for spec in self.wanted.axes if not spec.is_open}
        layout = self._room(rows, bound) if len(self.number) < len(self.wanted.tallies) else None
        if layout is None and len(self.number) < len(self.wanted.tallies):
            return False
        margins = self._margins(rows)
        left_out = {one.add(*self._numbers(rows, bound, t)) for t, one in self.number.items()}
        if layout is not None:
            left_out.add(self.cubes[-1][1].count(*self._operands(rows, bound, layout)))
        if left_out != {self._apply_rules(margins)}:
            raise InputRefused("rows were lost in counting; the file is damaged, or this is a defect of disprop")
        self._note_unmapped(rows, bound)
        found.read += rows.months.size
        found.notes.update(rows.notes)
        self._count_slots(rows, margins, found)
        return True

    # Codes

    def _bound(self, rows: Rows, spec: AxisSpec) -> np.ndarray:
        """Codes on an axis of each label of the batch's vocabulary; of a blank, where it lacks the column."""
        vocabulary = rows.labels[spec.column][0] if spec.column in rows.labels else [None]
        return _codes(spec.codelist, self.scheme, tuple(vocabulary))

    def _kinds(self, rows: Rows) -> tuple[np.ndarray, np.ndarray] | None:
        """Where vehicle-only searches are left out: of each row its type, and of each type whether it is one."""
        if self.wanted.vehicle_only or "search_type" not in rows.labels:
            return None
        vocabulary, indices = rows.labels["search_type"]
        codes = _codes("search_type", self.scheme, tuple(vocabulary))
        return indices, codes == codelist("search_type").index(VEHICLE_ONLY)

    # The cube

    def _room(self, rows: Rows, bound: Mapping[AxisSpec, np.ndarray]) -> Layout | None:
        """A layout with room for the rows, the cube made for it; None when there can be none."""
        axes = self.axes
        codes = tuple(tuple(np.unique(bound[spec]).tolist()) for spec in axes)
        first, last = int(rows.months.min()), int(rows.months.max())
        if self.wanted.period:
            first, last = (min(max(month, self.wanted.period[0]), self.wanted.period[1]) for month in (first, last))
        forces = {code for code in rows.forces if self.wanted.keeps_force(code)}
        need = Layout(first, last - first + 1, tuple(sorted(forces)) or ("",), codes)
        last_one = self.cubes[-1][0] if self.cubes else None
        if last_one is not None and last_one.holds(need):
            return last_one
        layout = need if last_one is None else last_one.grown(need, axes)
        if layout.cells > LARGEST:
            layout = need
        if layout.cells > LARGEST:
            return None
        self.cubes.append((layout, ByteCube(layout.cells)))
        return layout

    def _operands(
        self, rows: Rows, bound: Mapping[AxisSpec, np.ndarray], layout: Layout
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Columns and tables of the count: one pair a column, whatever the number of axes that it feeds."""
        month_stride, force_stride, *strides = layout.strides
        columns, tables = [rows.months, rows.force], [self._month_table(layout, month_stride)]
        tables.append(np.array([self._force_entry(layout, code) * force_stride for code in rows.forces]))
        entries: dict[str, np.ndarray] = {}
        constant = 0
        for spec, stride, codes in zip(self.axes, strides, layout.codes):
            offsets = np.searchsorted(codes, bound[spec]) * stride
            if spec.column in rows.labels:
                entries[spec.column] = entries.get(spec.column, 0) + offsets
            else:
                constant += int(offsets[0])
        kinds = self._kinds(rows)
        if kinds is not None:
            entries["search_type"] = entries.get("search_type", 0) + np.where(kinds[1], LEFT_OUT, 0)
        columns += [rows.labels[name][1] for name in entries]
        tables[1] = tables[1] + constant
        tables += list(entries.values())
        return [np.ascontiguousarray(c, np.int32) for c in columns], [
            np.maximum(table, LEFT_OUT).astype(np.int32) for table in tables
        ]

    def _month_table(self, layout: Layout, stride: int) -> np.ndarray:
        """Offsets of months 0 (January 1970) onwards; of those outside the period, LEFT_OUT."""
        at = np.arange(LAST + 1) - layout.first
        inside = (at >= 0) & (at < layout.months)
        if self.wanted.period:
            inside &= (at + layout.first >= self.wanted.period[0]) & (at + layout.first <= self.wanted.period[1])
        return np.where(inside, at * stride, LEFT_OUT)

    def _force_entry(self, layout: Layout, code: str) -> int:
        return layout.forces.index(code) if self.wanted.keeps_force(code) else LEFT_OUT

    # Tallies counted by number

    def _numbers(
        self, rows: Rows, bound: Mapping[AxisSpec, np.ndarray], t: int
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Columns and tables that make the number of each row's cell in a tally, and less than 0 of rows left out."""
        stride = self.number[t].size
        entries: dict[str, np.ndarray] = {}
        every = 0
        for spec in self.wanted.tallies[t]:
            stride //= 1 if spec.is_open else len(codelist(spec.codelist))
            own = self._place_entries(rows, spec, t) if spec.is_open else bound[spec] * stride
            if spec.column in rows.labels:
                entries[spec.column] = entries.get(spec.column, 0) + own
            else:
                every += int(own[0])
        kinds = self._kinds(rows)
        if kinds is not None:
            entries["search_type"] = entries.get("search_type", 0) + np.where(kinds[1], keyed.LEFT_OUT, 0)
        kept = [self.wanted.keeps_force(code) for code in rows.forces]
        forces = force_entries([code if keep else "unknown" for code, keep in zip(rows.forces, kept)])
        months = np.arange(LAST + 1)
        first, last = self.wanted.period or (FIRST, LAST)
        tables = [
            np.where((months >= first) & (months <= last), month_entries(months), keyed.LEFT_OUT),
            np.where(kept, forces + every, keyed.LEFT_OUT),
            *entries.values(),
        ]
        columns = [rows.months, rows.force, *(rows.labels[name][1] for name in entries)]
        return [np.ascontiguousarray(column, np.int32) for column in columns], [
            np.ascontiguousarray(table, np.int64) for table in tables
        ]

    def _place_entries(self, rows: Rows, spec: AxisSpec, t: int) -> np.ndarray:
        """What each label of an open list adds to the number; row groups mostly bring the same labels again."""
        vocabulary: list[str | None] = rows.labels[spec.column][0] if spec.column in rows.labels else [None]
        if t not in self._last_places or self._last_places[t][0] is not vocabulary:
            codes = [(label or "").strip() or BLANK for label in vocabulary]
            self._last_places[t] = vocabulary, self.number[t].places_of(codes) * self.number[t].size
        return self._last_places[t][1]

    # Rules, parts and what no codelist knows

    def _margins(self, rows: Rows) -> Margins:
        """Rows by force, analysis month and whether of a vehicle only: what the rules and parts are told from."""
        return _margins(rows, rows.months, self._kinds(rows))

    def _apply_rules(self, margins: Margins) -> int:
        """Notes how many rows the first rule that fits leaves out; returns how many in all."""
        kept = np.array([self.wanted.keeps_force(code) for code in margins.forces])
        start, end = self.wanted.period or (FIRST, LAST)
        inside = (margins.months >= start) & (margins.months <= end)
        numbers = (
            margins.counts[~kept].sum(),
            margins.counts[kept][:, ~inside].sum(),
            margins.counts[kept][:, inside][:, :, 1].sum(),
        )
        for rule, n in zip(self.wanted.rules, map(int, numbers)):
            if n:
                self.rules[rule] += n
        return int(sum(numbers))

    def _count_slots(self, rows: Rows, margins: Margins, found: Found) -> None:
        if rows.part_months is not None:
            margins = _margins(rows, rows.part_months, None)
        counts = margins.counts.sum(axis=2)
        force, month = np.nonzero(counts)
        at = np.array([_FORCES.get(code, -1) for code in margins.forces])
        found.slots.add(at[force], margins.months[month], counts[force, month])

    def _note_unmapped(self, rows: Rows, bound: Mapping[AxisSpec, np.ndarray]) -> None:
        strange = {
            spec: np.flatnonzero(codes == codelist(spec.codelist).index(UNMAPPED))
            for spec, codes in bound.items()
            if UNMAPPED in codelist(spec.codelist).codes
        }
        if not any(labels.size for labels in strange.values()):
            return
        kept = self._kept(rows)
        for unmapped, specs in zip(self.unmapped, self.wanted.tallies):
            for spec in specs:
                if spec in strange and strange[spec].size:
                    _count_labels(unmapped, spec.column, rows.labels[spec.column], strange[spec], kept)

    def _kept(self, rows: Rows) -> np.ndarray:
        kept = np.array([self.wanted.keeps_force(code) for code in rows.forces])[rows.force]
        if self.wanted.period:
            kept = kept & (rows.months >= self.wanted.period[0]) & (rows.months <= self.wanted.period[1])
        kinds = self._kinds(rows)
        return kept if kinds is None else kept & ~kinds[1][kinds[0]]


def _joint_axes(wanted: Wanted) -> tuple[AxisSpec, ...]:
    """Axes of the tallies that are counted together in one cube."""
    return tuple(dict.fromkeys(spec for specs in wanted.tallies if not is_numbered(specs) for spec in specs))


@dataclass(frozen=True)
class Margins:
    """Counts by force, month and kind (0, or 1 for vehicle-only)."""

    forces: tuple[str, ...]
    months: np.ndarray
    counts: np.ndarray


def _margins(rows: Rows, month: np.ndarray, kinds: tuple[np.ndarray, np.ndarray] | None) -> Margins:
    first, last = int(month.min()), int(month.max())
    span = last - first + 1
    months_at = np.concatenate([np.zeros(first, dtype=np.int64), np.arange(span)]) * 2
    columns, tables = [rows.force, month], [np.arange(len(rows.forces)) * span * 2, months_at]
    if kinds is not None:
        columns, tables = [*columns, kinds[0]], [*tables, kinds[1].astype(np.int64)]
    cube = ByteCube(len(rows.forces) * span * 2)
    cube.count([np.ascontiguousarray(c, np.int32) for c in columns], [table.astype(np.int32) for table in tables])
    counts = np.zeros((len(rows.forces), span, 2), dtype=np.int64)
    cube.add_to(counts, np.arange(2, dtype=np.int32), 2)
    return Margins(rows.forces, np.arange(first, last + 1), counts)


def _count_labels(
    unmapped: Counter[str], column: str, labels: tuple[list[str | None], np.ndarray], strange: np.ndarray,
    kept: np.ndarray,
) -> None:  # fmt: skip
    vocabulary, indices = labels
    counts = np.bincount(indices[kept], minlength=len(vocabulary))
    for i in strange.tolist():
        if counts[i]:
            unmapped[f"{column}: {vocabulary[i]}"] += int(counts[i])


@lru_cache(maxsize=256)
def _codes(name: str, scheme: str, vocabulary: tuple[str | None, ...]) -> np.ndarray:
    return code_lookup(name, scheme, vocabulary)


# From the cubes of all threads to tallies ----------------------------------------------------------------------------


def counted(scans: Sequence[Scan], wanted: Wanted) -> Partial:
    """What several threads counted of every tally."""
    with ThreadPoolExecutor(len(scans)) as pool:
        tallies = list(pool.map(lambda t: _cells(scans, wanted, t), range(len(wanted.tallies))))
    rules = sum((scan.rules for scan in scans), Counter[str]())
    return Partial(tallies, dict(rules))


def _cells(scans: Sequence[Scan], wanted: Wanted, t: int) -> Cells:
    specs = wanted.tallies[t]
    found = Cells(unmapped=dict(sum((scan.unmapped[t] for scan in scans), Counter[str]())))
    if is_numbered(specs):
        for scan in scans:
            found.add(Cells(number=scan.number.pop(t)))
        return found
    sizes = [len(codelist(spec.codelist)) for spec in specs]
    by_layout: dict[Layout, list[ByteCube]] = {}
    for scan in scans:
        for layout, cube in scan.cubes:
            by_layout.setdefault(layout, []).append(cube)
    for layout, cubes in by_layout.items():
        out = np.zeros((layout.months, len(layout.forces), *sizes), dtype=np.int64)
        place = _places(layout, _joint_axes(wanted), specs)
        for cube in cubes:
            cube.add_to(out, place, int(np.prod(sizes, dtype=np.int64)))
        months = range(layout.first, layout.first + layout.months)
        found.add(of_cube(out, forces=layout.forces, months=months))
    return found


def _places(layout: Layout, axes: Sequence[AxisSpec], specs: Sequence[AxisSpec]) -> np.ndarray:
    """Of each cell within a force and month of the cube, where it goes in a tally's."""
    place = np.zeros([len(codes) for codes in layout.codes], dtype=np.int32)
    stride = 1
    for spec in reversed(specs):
        at = axes.index(spec)
        codes = np.array(layout.codes[at], dtype=np.int32)
        place += (codes * stride).reshape([-1 if i == at else 1 for i in range(place.ndim)])
        stride *= len(codelist(spec.codelist))
    return np.ascontiguousarray(place.reshape(-1))
