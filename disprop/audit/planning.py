"""The plan: how many records, from which strata, and what such a sample can and cannot show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from disprop.audit.frame import RECORD_ID, FrameColumns, Stratum, as_text_table
from disprop.audit.sizes import allocate, check_open, normal_quantile, sample_size, smallest_difference
from disprop.errors import Refused, UsageError

ALLOCATIONS = ("proportional", "neyman", "equal", "power")
LOWEST_PREVIOUS_SHARE = 0.05  # a stratum that was perfect last time still gets some of the sample
FEWEST_FOR_A_STATEMENT = 10


class StratumSize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stratum: how many records it has, how many are drawn, how many reserves stand behind them."""

    stratum: tuple[str, ...]
    records: int
    sample: int
    reserves: int


class GroupPrecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the plan gives one group of one domain: `smallest_difference` is against everyone else, 80% power."""

    domain: str
    group: str
    records: int
    expected_sample: float
    half_width: float | None
    smallest_difference: float | None


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sampling plan. Its digest is the SHA-256 of `to_bytes()`, the very file that is lodged."""

    kind: str
    version: int
    period: str
    record_id: str | None
    strata: tuple[str, ...]
    domains: tuple[str, ...]
    grounds: str | None
    allocation: str
    confidence: float
    expected_share: float
    half_width_wanted: float | None
    minutes_per_record: float | None
    second_review_share: float
    sizes: tuple[StratumSize, ...]
    precision: tuple[GroupPrecision, ...]  # the first row is all records

    @property
    def columns(self) -> FrameColumns:
        return FrameColumns(self.record_id, self.strata, self.domains, self.grounds)

    @property
    def records(self) -> int:
        return sum(size.records for size in self.sizes)

    @property
    def sample(self) -> int:
        return sum(size.sample for size in self.sizes)

    @property
    def half_width(self) -> float:
        return self.precision[0].half_width or 0.0

    @property
    def hours(self) -> float | None:
        """Reviewer hours, second reviews included; None when the plan has no minutes per record."""
        if self.minutes_per_record is None:
            return None
        return self.sample * (1 + self.second_review_share) * self.minutes_per_record / 60

    def draw_sizes(self) -> dict[Stratum, tuple[int, int]]:
        return {size.stratum: (size.sample, size.reserves) for size in self.sizes}

    def to_bytes(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


PLAN_KIND, PLAN_VERSION = "disprop audit plan", 1


def read_plan(content: bytes) -> Plan:
    """A plan from the bytes of its file. Raises UsageError when it is not one, or of a newer version."""
    try:
        plan = msgspec.json.decode(content, type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError) as why:
        raise UsageError(f"this is not a plan file ({why}): give the file that `disprop audit plan` wrote") from why
    if plan.kind != PLAN_KIND or plan.version != PLAN_VERSION:
        raise UsageError(
            f"the plan says {plan.kind!r}, version {plan.version}; wanted {PLAN_KIND!r}, version {PLAN_VERSION}"
        )
    return plan


def plan(
    records: Any,
    *,
    period: str,
    columns: FrameColumns | None = None,
    half_width: float | None = None,
    sample: int | None = None,
    group_half_width: Mapping[str, float] | None = None,
    allocation: str = "proportional",
    minimum: int = 2,
    oversample: Mapping[str, Mapping[str, float]] | None = None,
    previous: Mapping[Any, float] | None = None,
    expected_share: float = 0.5,
    confidence: float = 0.95,
    reserve_share: float = 0.2,
    minutes_per_record: float | None = None,
    second_review_share: float = 0.0,
) -> Plan:
    """A plan for one period: the sample in each stratum, and what it can and cannot show.

    Corner cases. A stratum smaller than its minimum is taken whole (a certainty stratum). `group_half_width`
    promises a precision for every group of a column and therefore needs that column among the strata; other
    domains get what chance gives them, and the plan says how little that may be. A sample fixed by `sample` is
    raised when minimums or promises need more. Sizes never exceed the records there are.

    Args:
        records: CSV path, DataFrame or Arrow table of every record of the period.
        period: a name for the period, the same at every step ("2024-03").
        half_width: wanted half-width overall, as a share (0.05 = plus or minus 5 points). Or give `sample`.
        group_half_width: column -> half-width wanted for each of its groups.
        allocation: "proportional" to records; "neyman" (records x standard deviation, from `previous`); "equal";
            "power" (square root of records, between the two: Bankier 1988).
        minimum: least sample per stratum (at least 2, so that a variance can be estimated).
        oversample: column -> group -> factor on that group's part of the sample.
        previous: stratum (its value, or a tuple) -> share found last time, for "neyman".
        expected_share: share assumed for half-widths; 0.5 is the widest.
        reserve_share: ordered reserves per stratum, as a share of its sample (at least 1 where there is one).
        minutes_per_record, second_review_share: for the reviewer hours.

    Raises: UsageError for contradicting arguments; InputRefused for columns that are not there.

    >>> import pyarrow as pa
    >>> made = plan(pa.table({"record_id": [str(i) for i in range(9540)]}), period="2024-03", half_width=0.05)
    >>> made.sample, round(made.half_width, 4)
    (370, 0.05)
    """
    columns = columns or FrameColumns()
    _check_plan(columns, half_width, sample, group_half_width, allocation, minimum, previous, oversample)
    check_open(expected_share=expected_share, confidence=confidence)
    _check_numbers(sample, group_half_width or {}, oversample or {}, minutes_per_record, second_review_share)
    counts = _count(records, columns)
    scale = normal_quantile(confidence) * math.sqrt(expected_share * (1 - expected_share))
    wanted = _requirements(counts, half_width, group_half_width or {})
    weights = _weights(counts, allocation, oversample or {}, previous or {})
    start = sample or sample_size(
        half_width=half_width or 1.0, records=counts.total, share=expected_share, confidence=confidence
    )
    drawn = _enough(counts, weights, minimum, start, wanted, scale)
    return Plan(
        kind=PLAN_KIND,
        version=PLAN_VERSION,
        period=period,
        record_id=columns.record_id,
        strata=columns.strata,
        domains=columns.domains,
        grounds=columns.grounds,
        allocation=allocation,
        confidence=confidence,
        expected_share=expected_share,
        half_width_wanted=half_width,
        minutes_per_record=minutes_per_record,
        second_review_share=second_review_share,
        sizes=_sizes(counts, drawn, reserve_share),
        precision=_precision(counts, drawn, expected_share, confidence),
    )


@dataclass(frozen=True)
class _Counts:
    """Records by stratum, and by stratum within each group of each domain."""

    strata: tuple[str, ...]
    labels: list[Stratum]
    records: np.ndarray
    groups: dict[tuple[str, str], np.ndarray]

    @property
    def total(self) -> int:
        return int(self.records.sum())


def _check_plan(
    columns: FrameColumns,
    half_width: float | None,
    sample: int | None,
    group_half_width: Mapping[str, float] | None,
    allocation: str,
    minimum: int,
    previous: Mapping[Any, float] | None,
    oversample: Mapping[str, Any] | None,
) -> None:
    if (half_width is None) == (sample is None):
        raise UsageError("give either half_width (the precision wanted) or sample (the number of records), not both")
    if half_width is not None:
        check_open(half_width=half_width)
    if allocation not in ALLOCATIONS:
        raise UsageError(f"allocation came as {allocation!r}; the choices are {', '.join(ALLOCATIONS)}")
    if minimum < 2:
        raise UsageError(f"minimum came as {minimum}; wanted 2 or more, or a stratum's variance cannot be estimated")
    if (allocation == "neyman") != bool(previous):
        raise UsageError("allocation 'neyman' and `previous` (the shares found last time) go together")
    for name in [*(group_half_width or {}), *(oversample or {})]:
        if name not in columns.strata:
            raise UsageError(
                f"{name!r} is not a stratum column, so its groups cannot be promised records: add it to the strata"
            )


def _check_numbers(
    sample: int | None,
    group_half_width: Mapping[str, float],
    oversample: Mapping[str, Mapping[str, float]],
    minutes_per_record: float | None,
    second_review_share: float,
) -> None:
    check_open(**{f"group_half_width of {name!r}": width for name, width in group_half_width.items()})
    if sample is not None and sample < 1:
        raise UsageError(f"sample came as {sample}; wanted 1 record or more")
    for name, factors in oversample.items():
        for group, factor in factors.items():
            if not 0 < factor < math.inf:
                raise UsageError(f"oversample of {name!r}, {group!r} came as {factor}; wanted a factor above 0")
    if minutes_per_record is not None and not 0 < minutes_per_record < math.inf:
        raise UsageError(f"minutes_per_record came as {minutes_per_record}; wanted a number above 0")
    if not 0 <= second_review_share <= 1:
        raise UsageError(f"second_review_share came as {second_review_share}; wanted a share from 0 to 1")


def _count(records: Any, columns: FrameColumns) -> _Counts:
    names = [*columns.labels] or ([columns.record_id] if columns.record_id else None)
    table = as_text_table(records, names)
    if not table.num_rows:
        raise Refused("there are no records in the period: nothing can be planned")
    key = [columns.record_id or RECORD_ID] if not columns.labels else list(columns.labels)
    if not columns.labels:
        return _Counts((), [()], np.array([table.num_rows]), {})
    grouped = table.group_by(key).aggregate([([], "count_all")])
    values = {name: grouped.column(name).to_pylist() for name in key}
    number = grouped.column("count_all").to_numpy()
    return _cross(columns, values, number)


def _cross(columns: FrameColumns, values: dict[str, list[str]], number: np.ndarray) -> _Counts:
    """Cells of strata x domains -> records by stratum, and by stratum for each group."""
    cells = list(zip(*(values[name] for name in columns.strata))) or [()] * len(number)
    labels = sorted(set(cells), key=lambda stratum: [part.encode() for part in stratum])
    row = np.array([labels.index(cell) for cell in cells])
    groups = {
        (name, group): np.bincount(row, number * (np.array(values[name], object) == group), len(labels))
        for name in dict.fromkeys((*columns.strata, *columns.domains))
        for group in sorted(set(values[name]))
    }
    return _Counts(columns.strata, labels, np.bincount(row, number, len(labels)).astype(np.int64), groups)


def _requirements(
    counts: _Counts, half_width: float | None, group_half_width: Mapping[str, float]
) -> list[tuple[np.ndarray, float]]:
    """(records of the group by stratum, half-width wanted), the whole period first."""
    whole = [] if half_width is None else [(counts.records.astype(float), half_width)]
    return whole + [
        (cells, group_half_width[name]) for (name, _), cells in counts.groups.items() if name in group_half_width
    ]


def _weights(
    counts: _Counts,
    allocation: str,
    oversample: Mapping[str, Mapping[str, float]],
    previous: Mapping[Any, float],
) -> np.ndarray:
    exponent = {"proportional": 1.0, "neyman": 1.0, "power": 0.5, "equal": 0.0}[allocation]
    weights = counts.records.astype(float) ** exponent
    if allocation == "neyman":
        weights = weights * [_standard_deviation(stratum, previous) for stratum in counts.labels]
    for name, factors in oversample.items():
        for group, factor in factors.items():
            weights = weights * np.where(_members(counts, name, group), factor, 1.0)
    return weights


def _standard_deviation(stratum: Stratum, previous: Mapping[Any, float]) -> float:
    share = previous.get(stratum, previous.get(stratum[0]) if len(stratum) == 1 else None)
    if share is None:
        raise UsageError(
            f"`previous` has no share for stratum {' / '.join(stratum)!r}: add one (0.5 if nothing is known)"
        )
    share = min(max(share, LOWEST_PREVIOUS_SHARE), 1 - LOWEST_PREVIOUS_SHARE)
    return math.sqrt(share * (1 - share))


def _members(counts: _Counts, name: str, group: str) -> np.ndarray:
    if (name, group) not in counts.groups:
        known = ", ".join(repr(value) for column, value in counts.groups if column == name)
        raise UsageError(f"{name!r} has no group {group!r} in these records; it has {known}")
    return counts.groups[name, group] > 0


def _half_width(counts: _Counts, drawn: np.ndarray, cells: np.ndarray, scale: float, *, finite: bool = True) -> float:
    """Expected normal half-width for a group, if its share is the same in every stratum.

    sum of w^2 n_g (1 - f) N / (N - 1) over strata, over N_g^2: the variance of a ratio of two weighted sums.
    """
    weight = counts.records / drawn
    kept = 1 - drawn / counts.records if finite else 1.0
    unbiased = counts.records / np.maximum(counts.records - 1, 1) if finite else 1.0
    return scale * math.sqrt(float((weight * cells * kept * unbiased).sum())) / float(cells.sum())


def _enough(
    counts: _Counts,
    weights: np.ndarray,
    minimum: int,
    total: int,
    wanted: Sequence[tuple[np.ndarray, float]],
    scale: float,
) -> np.ndarray:
    """The smallest sample, by steps, that meets every requirement."""
    most = counts.records
    least = np.minimum(minimum, most)
    drawn = allocate(total, weights=weights, least=least, most=most)
    while True:
        unmet = [
            (cells, want) for cells, want in wanted if _half_width(counts, drawn, cells, scale) > want * (1 + 1e-12)
        ]
        if not unmet:
            return drawn
        cells, want = unmet[0]
        inside = cells > 0
        step = _step(drawn[inside].sum(), most[inside].sum(), _half_width(counts, drawn, cells, scale) / want)
        if inside.all():
            total = int(drawn.sum()) + step
        else:
            least = least.copy()
            more = int(drawn[inside].sum()) + step
            least[inside] = allocate(more, weights=weights[inside], least=drawn[inside], most=most[inside])
        drawn = allocate(max(total, int(least.sum())), weights=weights, least=least, most=most)


def _step(sample: int, records: int, excess: float) -> int:
    """Half of the way to the size that a simple sample would need, and at least one record."""
    needed = 1 / (1 / records + (1 / sample - 1 / records) / excess**2)
    return max(1, int((needed - sample) / 2))


def _sizes(counts: _Counts, drawn: np.ndarray, reserve_share: float) -> tuple[StratumSize, ...]:
    reserves = np.minimum(np.ceil(drawn * reserve_share).astype(int), counts.records - drawn)
    rows = zip(counts.labels, counts.records.tolist(), drawn.tolist(), reserves.tolist())
    return tuple(StratumSize(*row) for row in rows)


def _precision(counts: _Counts, drawn: np.ndarray, share: float, confidence: float) -> tuple[GroupPrecision, ...]:
    scale = normal_quantile(confidence) * math.sqrt(share * (1 - share))
    whole = counts.records.astype(float)
    rows = [_group_precision(counts, drawn, ("all records", "all records"), whole, share, confidence, scale)]
    for key, cells in counts.groups.items():
        rows.append(_group_precision(counts, drawn, key, cells, share, confidence, scale))
    return tuple(rows)


def _group_precision(
    counts: _Counts,
    drawn: np.ndarray,
    key: tuple[str, str],
    cells: np.ndarray,
    share: float,
    confidence: float,
    scale: float,
) -> GroupPrecision:
    others = counts.records - cells
    difference = None
    if others.sum() > 0:
        # n of a simple sample with the same variance, without finite-population correction: a comparison is
        # about how groups are treated, not only about these records
        sizes = [1 / _half_width(counts, drawn, part, 1.0, finite=False) ** 2 for part in (cells, others)]
        difference = smallest_difference(share=share, sample=sizes[0], other_sample=sizes[1], confidence=confidence)
    return GroupPrecision(
        domain=key[0],
        group=key[1],
        records=int(cells.sum()),
        expected_sample=float((drawn * cells / counts.records).sum()),
        half_width=_half_width(counts, drawn, cells, scale),
        smallest_difference=difference,
    )
