"""Every sentinel on a case that must ring, and on one like it that must not."""

import numpy as np
import pytest

import disprop as dp
from disprop.measures.marks import clock_of_hours, clock_of_midnights
from disprop.measures.sentinels import same_chance
from disprop.months import month_number
from tests.forces import naive
from tests.forces.invented import TimedRows, months_from, steady, tally_of

YEAR = months_from("2019-04", 12)


def rung(tally, sentinel):
    found = dp.sentinels(tally)
    return found[found["measure"] == sentinel].reset_index(drop=True)


def of_rows(rows, first="2019-04"):
    """A tally of one force with so many rows a month; None is a month without a file."""
    months = months_from(first, len(rows))
    counts = {("kent", month, "White"): n for month, n in zip(months, rows) if n is not None}
    return tally_of(counts, scope=(months[0], months[-1], ["kent"]))


def test_a_clean_year_says_nothing():
    assert dp.sentinels(tally_of(steady())).empty


def test_a_missing_month_is_named():
    found = rung(of_rows([100] * 3 + [None] + [97, 110, 95]), "missing_month")
    assert found[["force", "month"]].values.tolist() == [["kent", "2019-07"]]


@pytest.mark.parametrize(
    ("last", "sentinel"),
    [(19, "partial_month"), (20, "low_month"), (59, "low_month"), (60, None), (166, None), (168, "spike")],
)
def test_a_month_unlike_the_median_before(last, sentinel):
    rows = [100, 96, 108, 100, 92, 104, 100, last]
    assert naive.usual(rows[:-1]) == 100
    found = dp.sentinels(of_rows(rows))
    assert found["measure"].tolist() == ([sentinel] if sentinel else [])
    assert found["denominator"].tolist() == ([100.0] if sentinel else [])


def test_fewer_than_six_months_before_are_not_assessed():
    assert dp.sentinels(of_rows([100, 98, 103, 99, 101, 500])).empty


def test_a_small_force_does_not_spike_by_chance():
    assert rung(of_rows([5, 7, 4, 6, 5, 6, 13]), "spike").empty
    assert len(rung(of_rows([5, 7, 4, 6, 5, 6, 60]), "spike")) == 1


def test_identical_totals_ring_where_chance_would_not_do_it():
    found = rung(of_rows([1_156] * 10 + [1_109, 1_156]), "identical_totals")
    assert found["flag"].str.contains("exactly 1,156 rows in 11 of 12 months").all()
    assert (found["numerator"].item(), found["denominator"].item()) == (11, 12)
    assert rung(of_rows([362, 111, 111, 113, 98, 111, 111, 167, 120, 98, 124, 97]), "identical_totals").empty


def test_the_chance_of_equal_totals_is_bounded():
    """Simulated chance of r or more equal totals among k Poisson months is no larger than the bound."""
    rng = np.random.default_rng(1)
    for median, r in ((30, 3), (100, 3), (100, 4)):
        draws = rng.poisson(median, (20_000, 12))
        most = np.array([np.bincount(row).max() for row in draws[:4_000]])
        assert (most >= r).mean() <= same_chance(r, 12, median) * 1.1


def test_a_jump_of_the_unknown_rings_and_a_wobble_does_not():
    counts = steady(("kent",))
    counts["kent", "2020-03", "not stated"] = 90
    found = rung(tally_of(counts), "unknown_jump")
    assert found["month"].tolist() == ["2020-03"]
    assert "ethnicity_self unknown in 3" in found["flag"].item()
    assert rung(tally_of(steady(("kent",), seed=8)), "unknown_jump").empty


def test_labels_that_lack_a_group_ring():
    counts = {key: 0 if key[1:] == ("2020-01", "Asian") else n for key, n in steady(("kent",)).items()}
    found = rung(tally_of(counts), "label_support")
    assert found[["month"]].values.tolist() == [["2020-01"]]
    assert "Asian" in found["flag"].item()
    rare = {key: 0 if key[1:] == ("2020-01", "Other") else n for key, n in steady(("kent",)).items()}
    assert rung(tally_of(rare), "label_support").empty


def test_detailed_labels_ring_only_when_three_vanish_together():
    codes = ("White British", "Indian", "Pakistani", "African", "Caribbean")
    counts = {("kent", month, code): 40 for month in YEAR for code in codes}
    two = {key: 0 if key[1] == "2020-01" and key[2] in codes[1:3] else n for key, n in counts.items()}
    three = {key: 0 if key[1] == "2020-01" and key[2] in codes[1:4] else n for key, n in counts.items()}
    assert rung(tally_of(two, ("ethnicity_self_19",)), "label_support").empty
    found = rung(tally_of(three, ("ethnicity_self_19",)), "label_support")
    assert "Indian, Pakistani, African" in found["flag"].item()


def test_a_flag_gone_blank_rings():
    counts = {("kent", month, code): n for month in YEAR for code, n in (("yes", 20), ("no", 60), ("blank", 20))}
    gone = {key: (100 if key[2] == "blank" else 0) if key[1] == "2020-02" else n for key, n in counts.items()}
    assert rung(tally_of(counts, ("linked",)), "gone_blank").empty
    found = rung(tally_of(gone, ("linked",)), "gone_blank")
    assert found["month"].tolist() == ["2020-02"]
    assert found["flag"].item() == "linked blank in 100 of 100; 20% before"
    always = {("kent", month, "blank"): 100 for month in YEAR}
    assert rung(tally_of(always, ("linked",)), "gone_blank").empty


# Marks -------------------------------------------------------------------------------------------------------------


def seconds(text):
    return int(np.datetime64(text, "s").astype(np.int64))


def timed(month, times, force="kent", label="White - Irish"):
    return [(force, month, None if time is None else seconds(time), f"{label} {i}") for i, time in enumerate(times)]


def test_midnight_is_counted_on_both_clocks():
    summer = ["2019-07-01T00:00:00", "2019-07-01T23:00:00", "2019-07-02T23:00:00", "2019-07-02T12:30:00", None]
    winter = ["2019-12-01T00:00:00", "2019-12-01T23:00:00"]
    marks = dp.record_marks(TimedRows(timed("2019-07", summer) + timed("2019-12", winter), batch_rows=3))
    found = dp.midnight_shares(marks).set_index(["month", "clock"])
    assert found["numerator"].to_dict() == {
        ("2019-07", "source"): 1, ("2019-07", "London"): 2, ("2019-12", "source"): 1, ("2019-12", "London"): 1
    }  # fmt: skip
    assert found["denominator"].tolist() == [4, 4, 2, 2]
    assert found["flag"].str.contains("midnight heaping").all()


def test_five_in_a_hundred_is_the_gate():
    for midnights, rings in ((5, False), (6, True)):
        times = ["2019-12-01T00:00:00"] * midnights + [
            f"2019-12-02T{i % 23 + 1:02d}:30:01" for i in range(100 - midnights)
        ]
        found = dp.midnight_shares(dp.record_marks(TimedRows(timed("2019-12", times))))
        assert (found["flag"].fillna("") != "").tolist() == [rings, rings]


def test_records_without_times_have_no_share():
    found = dp.midnight_shares(dp.record_marks(TimedRows(timed("2019-12", [None, None]))))
    assert found["estimate"].isna().all()
    assert found["flag"].tolist() == ["no times"] * 2


@pytest.mark.parametrize(
    ("source", "london", "records", "clock"),
    [
        (24, 0, 530, "local time written as UTC"),
        (3, 34, 653, "UTC"),
        (6, 0, 364, "cannot be told"),
        (55, 13, 14_899, "cannot be told"),
        (0, 0, 500, "cannot be told"),
        (0, 0, 0, "cannot be told"),
    ],
)
def test_the_clock_that_midnights_speak_for(source, london, records, clock):
    found = clock_of_midnights(source_midnights=[source], london_midnights=[london], records=[records])
    assert found.tolist() == [clock]


DAY = np.array([2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 12, 14, 16, 18, 20, 21, 22, 22, 20, 16, 12, 8, 5])


def days(months, lag, each=2):
    """Records at half past every hour, as many as DAY says, as published: `lag` hours behind the local clock."""
    hours = np.repeat(np.arange(24), each * DAY)
    return [
        ("kent", month, seconds(f"{month}-15T{hour:02d}:30:00") - 3_600 * lag[month], f"{month} {i}")
        for month in months
        for i, hour in enumerate(hours)
    ]


@pytest.mark.parametrize(("behind", "clock"), [(1, "UTC"), (0, "local time written as UTC")])
def test_the_clock_that_hours_speak_for(behind, clock):
    months = ("2019-01", "2019-02", "2019-06", "2019-07")
    rows = days(months, {"2019-01": 0, "2019-02": 0, "2019-06": behind, "2019-07": behind})
    found = dp.clock_conventions(dp.record_marks(TimedRows(rows)))
    assert found[["method", "flag"]].values.tolist() == [["hours", clock]]


def test_hours_need_both_seasons_and_witnesses_must_agree():
    winter, summer = DAY * 50, np.roll(DAY, -1) * 50
    assert clock_of_hours(summer=summer, winter=np.zeros(24)) == "cannot be told"
    assert clock_of_hours(summer=np.zeros(24), winter=winter) == "cannot be told"
    months = ("2019-01", "2019-06")
    rows = days(months, {"2019-01": 0, "2019-06": 1}, each=4)
    rows += [("kent", "2019-06", seconds(f"2019-06-{d:02d}T00:00:00"), f"x{d}") for d in range(2, 30)]
    found = dp.clock_conventions(dp.record_marks(TimedRows(rows)))
    assert found[["method", "flag"]].values.tolist() == [["midnights against hours", "cannot be told"]]


def test_repeats_are_whole_rows_of_one_force_month():
    rows = timed("2019-12", ["2019-12-01T10:00:00"] * 3)
    rows = [(*row[:3], "White") for row in rows] + [("essex", "2019-12", rows[0][2], "White")]
    rows += [("kent", "2019-12", rows[0][2], "Black"), ("kent", "2019-11", rows[0][2], "White")]
    found = dp.repeated_shares(dp.record_marks(TimedRows(rows, batch_rows=2))).set_index(["force", "month"])
    assert found["numerator"].to_dict() == {("essex", "2019-12"): 0, ("kent", "2019-11"): 0, ("kent", "2019-12"): 2}
    assert found["flag"].fillna("")["kent", "2019-12"] != ""


def test_marks_do_not_depend_on_batches_or_order():
    rng = np.random.default_rng(6)
    rows = [
        (force, month, int(rng.integers(0, 10**9)) // 1_800 * 1_800, f"{rng.integers(0, 3)}")
        for force in ("kent", "essex") for month in ("2019-06", "2019-12") for _ in range(60)
    ]  # fmt: skip
    one = dp.record_marks(TimedRows(rows))
    other = dp.record_marks(TimedRows([rows[i] for i in rng.permutation(len(rows))], batch_rows=7))
    assert (one.force, one.month) == (other.force, other.month)
    for name in ("rows", "timed", "source", "london", "summer_hours", "winter_hours", "repeated"):
        assert (getattr(one, name) == getattr(other, name)).all()


def test_nothing_read_marks_nothing():
    marks = dp.record_marks(TimedRows([]))
    assert all(table(marks).empty for table in (dp.midnight_shares, dp.clock_conventions, dp.repeated_shares))
    assert month_number("2019-04") == 591
