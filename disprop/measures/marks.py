"""Marks that only the records show: midnight on two clocks, which clock a force wrote, rows that repeat.

One pass over a source counts them by force-month; the functions below read the counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from disprop.codelists import force_code
from disprop.intervals import proportion_interval
from disprop.months import london_seconds, month_label
from disprop.plan import as_source
from disprop.results import join_flags, result_frame

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

DAY, HOUR = 86_400, 3_600
MIDNIGHT_SHARE = 0.05
REPEATED_SHARE = 0.15
"""Repeats above this are flagged; about one row in twenty repeats anywhere: people searched together."""
CLOCK_ERROR = 0.01
"""Chance at which one clock's midnights are told from the other's."""
HEAPED = 0.01
"""Share of summer records at a midnight from which midnights speak: times filled in, not searches at that minute."""
CLOCK_GAP = 10.0
"""Log-likelihood gap at which hours speak: not 3, because searches come in clusters and seasons move them."""

UTC_CLOCK = "UTC"
LOCAL_AS_UTC = "local time written as UTC"
CANNOT_TELL = "cannot be told"
_NOT_TOLD = np.array(CANNOT_TELL, dtype=object)


@dataclass
class _Counts:
    """Marks of one force-month."""

    rows: int = 0
    timed: int = 0
    source: int = 0
    london: int = 0
    summer: int = 0
    summer_source: int = 0
    summer_london: int = 0
    summer_hours: np.ndarray = field(default_factory=lambda: np.zeros(24, dtype=np.int64))
    winter_hours: np.ndarray = field(default_factory=lambda: np.zeros(24, dtype=np.int64))
    hashes: list[np.ndarray] = field(default_factory=list)

    @property
    def repeated(self) -> int:
        """Rows that say exactly what an earlier row of the force-month says."""
        return self.rows - len(np.unique(np.concatenate(self.hashes))) if self.hashes else 0


@dataclass(frozen=True)
class RecordMarks:
    """Counts by force-month, in order: rows, rows with a time, midnights on each clock, rows that repeat.

    `summer` counts rows while London's clock is an hour ahead; `summer_hours` and `winter_hours` count the hours as
    published (force-month x 24) of rows that are at midnight on neither clock.
    """

    force: tuple[str, ...]
    month: tuple[str, ...]
    rows: np.ndarray
    timed: np.ndarray
    source: np.ndarray
    london: np.ndarray
    summer: np.ndarray
    summer_source: np.ndarray
    summer_london: np.ndarray
    summer_hours: np.ndarray
    winter_hours: np.ndarray
    repeated: np.ndarray


def record_marks(source: Any) -> RecordMarks:
    """One pass over the records, counting what `midnight_shares`, `clock_conventions` and `repeated_shares` read.

    A record without a time is counted among the rows and no further. Midnight is 00:00:00 exactly. Two rows repeat when
    every column that the source has is the same; no public row has an id, so a repeat may still be two searches.

    source: whatever `disprop.tally` takes: paths, a reader's source, a table.

    >>> import disprop as dp
    >>> marks = record_marks(dp.synthetic.make_records(months=["2019-06", "2019-07"]))
    >>> marks.month, marks.rows.tolist(), marks.repeated.tolist()
    (('2019-06', '2019-07'), [1545, 1729], [0, 0])
    """
    found: dict[tuple[str, int], _Counts] = {}
    for batch in as_source(source).batches(None):
        if batch.num_rows:
            _add(found, batch)
    keys = sorted(found)
    columns = {name: np.array([getattr(found[key], name) for key in keys], dtype=np.int64) for name in _MARKS}
    return RecordMarks(tuple(force for force, _ in keys), tuple(month_label(month) for _, month in keys), **columns)


_MARKS = (
    *("rows", "timed", "source", "london", "summer", "summer_source", "summer_london"),
    *("summer_hours", "winter_hours", "repeated"),
)


def midnight_shares(marks: RecordMarks) -> pd.DataFrame:
    """Share of records at exactly 00:00:00, by force-month, on the source's clock and on London's.

    Where forces write minutes, about 1 in 1,440 is there by chance; over 5% is flagged: then times are dates, or were
    filled in, and nothing that needs the hour (or, near midnight, the day) can be made of them. In winter the two
    clocks are one. A force-month without times has no share.

    Returns result rows, two a force-month, column `clock`: `source` (as published, UTC) and `London`. Wilson limits.

    >>> import disprop as dp
    >>> marks = record_marks(dp.synthetic.make_records(months=["2019-06"]))
    >>> midnight_shares(marks)[["force", "month", "clock", "numerator", "denominator"]]
                 force    month   clock  numerator  denominator
    0  synthetic-shire  2019-06  source        4.0       1545.0
    1  synthetic-shire  2019-06  London        4.0       1545.0
    """
    clocks = {"source": marks.source, "London": marks.london}
    at = np.repeat(np.arange(len(marks.force)), len(clocks))
    found = np.stack(list(clocks.values()), axis=1).reshape(-1) if len(at) else np.empty(0)
    timed = marks.timed[at]
    share = proportion_interval(events=found, trials=timed)
    heaped = np.nan_to_num(np.atleast_1d(share.estimate)) > MIDNIGHT_SHARE
    flags = [
        "no times" if not n else ("midnight heaping: times are dates, or filled in" if h else "")
        for n, h in zip(timed, heaped)
    ]
    return result_frame(
        {
            "force": [marks.force[i] for i in at],
            "month": [marks.month[i] for i in at],
            "clock": list(clocks) * len(marks.force),
        },
        {
            "measure": "midnight_shares",
            "numerator": found,
            "denominator": timed,
            **share._asdict(),
            "confidence": 0.95,
            "method": "wilson",
            "unit": "share of records with a time",
            "flag": flags,
        },
    )


def clock_conventions(marks: RecordMarks) -> pd.DataFrame:
    """Which clock each force's times are on: UTC, as they say, or local time written as UTC.

    Two witnesses. Midnights: a force that fills in times, in summer, at midnight by London's clock wrote UTC, one that
    does so at midnight as published wrote local time (`clock_of_midnights`). Hours: the same force's day should lag by
    an hour in summer if it wrote UTC, and not if it wrote local time (`clock_of_hours`; needs summer and winter). One
    that is silent leaves it to the other; where they contradict each other it cannot be told. Times an hour off move
    searches to another day, month, or side of dusk.

    Returns result rows, one a force: `flag` is "UTC", "local time written as UTC" or "cannot be told"; `method` the
    witnesses; `numerator` summer midnights as published, `denominator` summer midnights on either clock.

    >>> import disprop as dp
    >>> marks = record_marks(dp.synthetic.make_records(months=["2019-01", "2019-02", "2019-06", "2019-07"]))
    >>> clock_conventions(marks)[["method", "flag"]].values.tolist()
    [['hours', 'UTC']]
    """
    forces = list(dict.fromkeys(marks.force))
    names = np.array(marks.force, dtype=object)
    at = [names == force for force in forces]
    source, london, summer = (
        np.array([side[one].sum() for one in at], dtype=np.int64)
        for side in (marks.summer_source, marks.summer_london, marks.summer)
    )
    midnights = clock_of_midnights(source_midnights=source, london_midnights=london, records=summer)
    hours = [
        clock_of_hours(summer=marks.summer_hours[one].sum(axis=0), winter=marks.winter_hours[one].sum(axis=0))
        for one in at
    ]
    told = [_witnesses(one, other) for one, other in zip(midnights, hours)]
    return result_frame(
        {"force": forces},
        {
            "measure": "clock_conventions",
            "numerator": source,
            "denominator": source + london,
            "method": [method for _, method in told],
            "unit": "midnights in summer",
            "flag": [clock for clock, _ in told],
        },
    )


def clock_of_midnights(*, source_midnights: ArrayLike, london_midnights: ArrayLike, records: ArrayLike) -> np.ndarray:
    """The clock that summer midnights speak for, where there are too many of them to be searches at that minute.

    Silent where neither midnight holds 1% of the records, or where the two are closer than halves are once in 100.

    >>> clock_of_midnights(source_midnights=[24, 3, 6], london_midnights=[0, 34, 0], records=[530, 653, 364]).tolist()
    ['local time written as UTC', 'UTC', 'cannot be told']
    """
    source, london = np.asarray(source_midnights, dtype=float), np.asarray(london_midnights, dtype=float)
    share = proportion_interval(
        events=source, trials=source + london, confidence=1 - CLOCK_ERROR, method="clopper_pearson"
    )
    heaped = np.maximum(source, london) >= HEAPED * np.maximum(np.asarray(records, dtype=float), 1)
    low, high = np.nan_to_num(share.low), np.nan_to_num(share.high, nan=1.0)
    rules = [heaped & (low > 0.5), heaped & (high < 0.5)]
    return np.select(rules, [np.array(word, dtype=object) for word in (LOCAL_AS_UTC, UTC_CLOCK)], _NOT_TOLD)


def clock_of_hours(*, summer: ArrayLike, winter: ArrayLike) -> str:
    """The clock that hours speak for: does the summer day lag the winter day by an hour, as published?

    Log likelihood of the summer hours under the winter's profile, moved by an hour and not moved; silent where the two
    are closer than 10, and where either season has no record.

    summer, winter: counts by hour as published, shape (24,).

    >>> winter = [5] * 8 + [20, 40, 60, 80] * 3 + [90, 60, 30, 10]
    >>> clock_of_hours(summer=winter[1:] + winter[:1], winter=winter), clock_of_hours(summer=winter, winter=winter)
    ('UTC', 'local time written as UTC')
    """
    counts, profile = np.asarray(summer, dtype=float), np.asarray(winter, dtype=float) + 1
    log = np.log(profile / profile.sum())
    gap = float((counts * (np.roll(log, -1) - log)).sum())
    if abs(gap) < CLOCK_GAP or not np.asarray(winter).any():
        return CANNOT_TELL
    return UTC_CLOCK if gap > 0 else LOCAL_AS_UTC


def _witnesses(midnights: str, hours: str) -> tuple[str, str | None]:
    """The clock that the witnesses agree on, and which they were."""
    spoken = {name: clock for name, clock in (("midnights", midnights), ("hours", hours)) if clock != CANNOT_TELL}
    if len(set(spoken.values())) != 1:
        return CANNOT_TELL, " against ".join(spoken) or None
    return next(iter(spoken.values())), " and ".join(spoken)


def repeated_shares(marks: RecordMarks) -> pd.DataFrame:
    """Share of rows that repeat an earlier row of the force-month in every column; flagged over 15%.

    Never a reason to drop them: public rows carry no id, so that people searched together look alike, about one row in
    twenty; dropping repeats loses real searches. A large share says that times are dates, or that a file was put
    together twice.

    Returns result rows, one a force-month: `numerator` repeats, `denominator` rows.

    >>> import disprop as dp
    >>> marks = record_marks(dp.synthetic.make_records(months=["2019-06"]))
    >>> repeated_shares(marks)[["month", "numerator", "denominator", "estimate"]]
         month  numerator  denominator  estimate
    0  2019-06        0.0       1545.0       0.0
    """
    share = marks.repeated / np.maximum(marks.rows, 1)
    return result_frame(
        {"force": list(marks.force), "month": list(marks.month)},
        {
            "measure": "repeated_shares",
            "numerator": marks.repeated,
            "denominator": marks.rows,
            "estimate": share,
            "unit": "share of rows",
            "flag": [
                join_flags("rows repeat: times without hours, or put together twice?" if many else "")
                for many in share > REPEATED_SHARE
            ],
        },
    )


def _add(found: dict[tuple[str, int], _Counts], batch: pa.RecordBatch) -> None:
    """Count one batch into its force-months."""
    frame = batch.to_pandas()
    hashes = _hashes(frame)
    forces = np.array([force_code(str(force)) for force in frame["force"].unique()], dtype=object)
    force_at = frame["force"].map(dict(zip(frame["force"].unique(), range(len(forces))))).to_numpy()
    marks, hours = _times(batch)
    for (at, month), rows in frame.groupby([force_at, frame["month"].to_numpy()]).indices.items():
        counts = found.setdefault((forces[at], int(month)), _Counts())
        counts.rows += len(rows)
        counts.hashes.append(hashes[rows])
        for name, mark in marks.items():
            setattr(counts, name, getattr(counts, name) + int(mark[rows].sum()))
        for name, mark in hours.items():
            setattr(counts, name, getattr(counts, name) + np.bincount(mark[rows][mark[rows] >= 0], minlength=24))


def _hashes(frame: pd.DataFrame) -> np.ndarray:
    import pandas as pd

    columns = sorted(name for name in frame.columns if name not in ("force", "month"))
    return np.asarray(pd.util.hash_pandas_object(frame[columns], index=False).to_numpy())


def _times(batch: pa.RecordBatch) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Which rows have a time, are at midnight on each clock, and in summer; and hours, -1 where they do not count."""
    if "event_time" not in batch.schema.names:
        return {}, {}
    column = batch["event_time"]
    timed = ~np.asarray(column.is_null())
    seconds = np.maximum(column.fill_null(0).cast("int64").to_numpy(zero_copy_only=False), _EARLIEST)
    local = london_seconds(seconds)
    summer = timed & (local != seconds)
    source, london = timed & (seconds % DAY == 0), timed & (local % DAY == 0)
    marks = {"timed": timed, "source": source, "london": london, "summer": summer}
    marks |= {"summer_source": source & summer, "summer_london": london & summer}
    hour, counts = seconds % DAY // HOUR, timed & ~source & ~london
    return marks, {
        "summer_hours": np.where(counts & summer, hour, -1),
        "winter_hours": np.where(counts & ~summer, hour, -1),
    }


_EARLIEST = 2 * 365 * DAY
"""1972: from there on London's clock is known; rows without a time are put there and not counted."""
