"""Several items a record, hours and open lists: counted as defined, and never summed to more than there are."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

import disprop as dp
from disprop.codelists import codelist
from disprop.errors import MultiChoiceError, UsageError
from disprop.io.store import add
from disprop.records import join_items, split_items
from disprop.tallies import load
from tests.sources import Rows

TACTICS = [
    ["Compliant handcuffing", "Ground restraint"], ["Tactical communication"], [], ["CED fired", "Shield"],
    ["Tactical communication", "Shield"], ["Bolas"], ["Not stated"], ["Compliant handcuffing"],
]  # fmt: skip
REPORTS = [
    {
        "force": "kent",
        "month": f"2023-0{4 + i % 3}",
        "gender": ("Male", "Female", None)[i % 3],
        "tactics": join_items(TACTICS[i % 8]),
    }
    for i in range(200)
]


class Reports(Rows):
    def __init__(self, rows=REPORTS):
        super().__init__(rows, kind="force_report", unit="force reports")


def naive_items(rows, known, forceful):
    """Item -> records that have it; a record without an item of force is `none`."""
    found = Counter()
    for row in rows:
        items = {item if item in known else "unmapped" for item in split_items(row["tactics"])}
        items = {"not stated" if item == "Not stated" else item for item in items}
        found.update(items)
        found["any" if items & {*forceful, "unmapped"} else "none"] += 1
    return found


def test_each_record_counts_once_under_each_item_and_once_in_all():
    tally = dp.tally(Reports(), by=["tactic"])
    this = codelist("tactic")
    expected = naive_items(REPORTS, {*this.codes, "Not stated"}, this.groups)
    found = tally.project(["tactic"])
    assert {c: found[{"tactic": c}] for c in this.codes if found[{"tactic": c}]} == dict(expected)
    assert tally.total == len(REPORTS) == expected["any"] + expected["none"]
    assert tally[{"month": "2023-04"}] == sum(row["month"] == "2023-04" for row in REPORTS)
    assert dict(tally.account.unmapped) == {"tactics: Bolas": 25}


def test_a_class_counts_a_report_once_however_many_of_its_tactics_were_used():
    rows = [{"force": "kent", "month": "2023-04", "tactics": "Compliant handcuffing | Ground restraint"}] * 3
    tally = dp.tally(Reports(rows), by=["tactic_class"])
    assert tally[{"tactic_class": "Restraint"}] == 3


def test_summing_over_items_is_refused_and_records_are_kept_apart():
    tally = dp.tally(Reports(), by=["gender", "tactic"])
    with pytest.raises(MultiChoiceError, match=r"several of tactic.*records\('tactic'\)"):
        tally.project(["gender"])
    with pytest.raises(MultiChoiceError, match="several of tactic"):
        tally.recode("tactic", "tactic_class")
    assert tally.records("tactic").difference(dp.tally(Reports(), by=["gender"])) is not None  # Bolas
    assert np.array_equal(tally.records("tactic").counts, dp.tally(Reports(), by=["gender"]).counts)
    with pytest.raises(UsageError, match="one gender at most"):
        tally.records("gender")


def test_two_lists_of_items_cannot_be_tied():
    with pytest.raises(MultiChoiceError, match="tactic cannot be tied to reason"):
        dp.tally(Reports(), by=["tactic", "reason"])


def test_selecting_items_leaves_no_record_out(tmp_path):
    tally = dp.tally(Reports(), by=["tactic"])
    some = tally.select(tactic=["Shield"])
    assert some.total == tally.total
    assert some[{"tactic": "Shield"}] == tally[{"tactic": "Shield"}]
    men = dp.tally(Reports(), by=["gender", "tactic"]).select(gender="Male")
    assert men.total == sum(row["gender"] == "Male" for row in REPORTS)
    assert men.account.excluded == {"not selected: gender": len(REPORTS) - men.total}
    tally.save(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet") == tally


def test_months_apart_add_up():
    apart = [Reports([row for row in REPORTS if row["month"] == month]) for month in ("2023-04", "2023-05", "2023-06")]
    assert sum((dp.tally(one, by=["tactic"]) for one in apart[1:]), dp.tally(apart[0], by=["tactic"])) == dp.tally(
        Reports(), by=["tactic"]
    )


def test_the_store_gives_the_same(tmp_path):
    add(tmp_path / "store", Reports())
    stored = dp.tally(dp.open_store(tmp_path / "store"), by=["gender", "tactic"])
    assert np.array_equal(stored.counts, dp.tally(Reports(), by=["gender", "tactic"]).counts)


class Timed(Rows):
    """Searches with an instant and an officer."""

    def batches(self, columns=None):
        for batch in super().batches(columns):
            n = batch.num_rows
            seconds = [None if i % 7 == 0 else 1_680_300_000 + 3600 * i for i in range(n)]  # 31 March 2023, 22:00 UTC
            batch = batch.append_column("event_time", pa.array(seconds, pa.timestamp("s", "UTC")))
            yield batch.append_column("officer", pa.array([i % 3 for i in range(n)], pa.uint64()))


def test_hours_are_of_the_local_clock():
    rows = [{"force": "kent", "month": "2023-04"}] * 14
    tally = dp.tally(Timed(rows), by=["hour"])
    expected = Counter("blank" if i % 7 == 0 else f"{(23 + i) % 24:02d}" for i in range(14))  # one hour ahead of UTC
    assert {c: tally[{"hour": c}] for c in tally.axis("hour").codes if tally[{"hour": c}]} == dict(expected)


def test_officers_are_counted_by_pseudonym():
    rows = [{"force": "kent", "month": "2023-04"}] * 14
    tally = dp.tally(Timed(rows), by=["officer"])
    assert tally.axis("officer").codes == ("0000000000000001", "0000000000000002", "blank")
    assert [tally[{"officer": c}] for c in tally.axis("officer").codes] == [5, 4, 5]
    with pytest.raises(UsageError, match="one of area, officer"):
        dp.tally(Timed(rows), by=["area", "officer"])


def test_a_kind_has_its_own_axes():
    with pytest.raises(UsageError, match="force reports have no axis 'object'"):
        dp.tally(Reports(), by=["object"])
    with pytest.raises(UsageError, match="searches have no axis 'tactic'"):
        dp.tally(Rows([{"force": "kent", "month": "2023-04"}]), by=["tactic"])
