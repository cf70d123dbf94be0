"""Tallies of chosen counts, and a source of records with times, for the tests of forces and months."""

import numpy as np
import pyarrow as pa

from disprop.months import month_label, month_number
from disprop.provenance import Account, part_row, parts
from disprop.records import AXES
from disprop.tallies import Scope, Tally, coded_axis, month_axis
from tests.invent import residents

FORCES = ("kent", "essex", "sussex", "surrey", "norfolk", "suffolk")
PEOPLE = {
    force: {"White": 400_000 + 90_000 * i, "Mixed": 20_000, "Asian": 60_000 - 5_000 * i, "Black": 30_000 + 4_000 * i,
            "Other": 9_000}
    for i, force in enumerate(FORCES)
}  # fmt: skip
POPULATION = residents(PEOPLE)


def months_from(first, count):
    start = month_number(first)
    return [month_label(start + i) for i in range(count)]


def tally_of(counts, axes=("ethnicity_self",), *, rows=None, scope=None):
    """A tally from {(force, month, code, ...): n}; `rows` {(force, month): rows read} where not the sum of those."""
    specs = {axis.name: axis.codelist for axis in AXES}
    forces = sorted({key[0] for key in counts} | {key[0] for key in rows or {}})
    months = sorted({key[1] for key in counts} | {key[1] for key in rows or {}})
    force, month = coded_axis("force", "force", forces), month_axis([month_number(m) for m in months])
    rest = [coded_axis(name, specs[name]) for name in axes]
    cells = np.zeros([len(axis) for axis in (force, month, *rest)], dtype=np.int64)
    submitted = dict.fromkeys(rows or {}, 0)
    for (f, m, *codes), n in counts.items():
        at = (force.index(f), months.index(m), *(axis.index(code) for axis, code in zip(rest, codes)))
        cells[at] += n
        submitted[f, m] = submitted.get((f, m), 0) + n
    submitted |= rows or {}
    made = parts(
        part_row(dataset="police.uk", kind="search", force=f, month=month_number(m), files=[f + m], rows=n)
        for (f, m), n in submitted.items()
    )
    whole = Scope() if scope is None else Scope(month_number(scope[0]), month_number(scope[1]), tuple(sorted(scope[2])))
    account = Account(read=int(cells.sum()))
    return Tally((force, month, *rest), cells, "searches", "search", made, account, whole)


def steady(forces=FORCES, months=12, first="2019-04", seed=1, **groups):
    """{(force, month, group): n}, Poisson about a mean a month for each group."""
    rng = np.random.default_rng(seed)
    means = {"White": 120, "Black": 30, "Asian": 25, "Mixed": 12, "Other": 4, "not stated": 15} | groups
    return {
        (force, month, group): int(rng.poisson(mean * (1 + 0.1 * i)))
        for i, force in enumerate(forces)
        for month in months_from(first, months)
        for group, mean in means.items()
    }


class TimedRows:
    """A source of rows (force, month, UTC seconds or None, label), in batches."""

    kind, unit, dataset, scheme = "search", "searches", "police.uk", "police.uk"

    def __init__(self, rows, batch_rows=40):
        self.rows, self.batch_rows = rows, batch_rows

    def batches(self, columns=None):
        for start in range(0, len(self.rows), self.batch_rows):
            force, month, time, label = zip(*self.rows[start : start + self.batch_rows])
            yield pa.record_batch(
                {
                    "force": pa.array(force, pa.string()).dictionary_encode(),
                    "month": pa.array([month_number(m) for m in month], pa.int32()),
                    "event_time": pa.array(time, pa.timestamp("s", tz="UTC")),
                    "ethnicity_self": pa.array(label, pa.string()).dictionary_encode(),
                }
            )

    @property
    def parts(self):
        keys = [(force, month) for force, month, *_ in self.rows]
        return parts(
            part_row(
                dataset="police.uk", kind="search", force=f, month=month_number(m), files=[f], rows=keys.count((f, m))
            )
            for f, m in sorted(set(keys))
        )

    @property
    def account(self):
        return Account(read=len(self.rows))
