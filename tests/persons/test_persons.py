"""People against the slow definition, and the law: people of parts added are people of the whole."""

import random
from collections import Counter

import naive_persons as naive
import numpy as np
import pandas as pd
import pytest
from people import PersonRows, people

import disprop as dp
from disprop.coverage import month_coverage
from disprop.errors import AxisMismatch, BalanceError, MultiChoiceError, OverlapError, UnitMismatch
from disprop.measures.persons import NO_KEY, repeat_bounds
from disprop.persons import PersonTally, person_tally
from tests.invent import EVERYWHERE
from tests.sources import Rows, by_part

ROWS = people(1_500, persons=300)
BYS = [(), ("force",), ("ethnicity_self",), ("force", "ethnicity_self"), ("month",), ("gender", "force")]
MEASURES = (dp.repeat_search_share, dp.people_searched)


def counted(rows=ROWS, by=("ethnicity_self", "gender")):
    return person_tally(PersonRows(rows), by=by)


def known(rows):
    """Rows with every blank gender named, as the tally names it."""
    return [row | {"gender": row["gender"] or "blank"} for row in rows]


def results(frame, by):
    return {tuple(row[name] for name in by): row for row in frame.to_dict("records")}


# Against the slow definition -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", BYS)
def test_people_are_those_of_the_slow_count(by):
    frame = counted().by_times(by)
    slow = {
        (cell, m): n for cell, met in naive.times(known(ROWS), by).items() for m, n in Counter(met.values()).items()
    }
    found = {(tuple(row[name] for name in by), row["times_searched"]): row for row in frame.to_dict("records")}
    assert {key: row["people"] for key, row in found.items()} == slow
    assert all(row["searches"] == row["people"] * m for (_, m), row in found.items())


@pytest.mark.parametrize("by", BYS)
def test_measures_are_those_of_the_slow_count(by):
    met, all_records = naive.times(known(ROWS), by), naive.records(known(ROWS), by)
    share = results(dp.repeat_search_share(counted(), by=by), by)
    number = results(dp.people_searched(counted(), by=by), by)
    assert set(share) == set(number) == set(all_records)
    for cell, n in all_records.items():
        them = met.get(cell, Counter())
        repeats, keyed = naive.share_of_repeats(them)
        assert share[cell]["n_unknown"] == n - keyed == number[cell]["n_unknown"]
        if not keyed:
            assert np.isnan(share[cell]["estimate"])
            assert share[cell]["flag"] == NO_KEY == number[cell]["flag"]
            continue
        assert (share[cell]["numerator"], share[cell]["denominator"]) == (repeats, keyed)
        assert share[cell]["estimate"] == pytest.approx(repeats / keyed)
        deff = naive.share_deviation(them)
        limits = naive.wilson(repeats / deff, keyed / deff)
        assert (share[cell]["low"], share[cell]["high"]) == pytest.approx(limits, abs=1e-12)
        assert share[cell]["method"] == f"wilson, person-clustered {deff:.2f}"
        assert number[cell]["estimate"] == len(them)
        assert (number[cell]["bound_low"], number[cell]["bound_high"]) == (len(them), len(them) + n - keyed)


@pytest.mark.parametrize("unknown", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("known_times", [(), (1,), (2,), (1, 1), (1, 1, 1), (2, 1, 3), (4, 1)])
def test_bounds_hold_every_way_the_unknown_can_turn_out(known_times, unknown):
    if not known_times and not unknown:
        return
    slow = naive.bounds_of_repeats(dict(enumerate(known_times)), unknown)
    counts = {"repeats": sum(m for m in known_times if m > 1), "people_once": known_times.count(1)}
    counts |= {"keyed": sum(known_times), "unknown": unknown}
    found = repeat_bounds(**{name: np.array([n]) for name, n in counts.items()})
    assert [bound[0] for bound in found] == pytest.approx(slow)


def test_published_example():
    """24,867 searches, 1,792 of them on repeat individuals: here as 448 people searched 4 times each."""
    rows = [
        {"force": "west-midlands", "month": "2019-04", "search_type": "Person search", "person": person}
        for person in [*(i for i in range(1, 449) for _ in range(4)), *range(1_000, 1_000 + 24_867 - 1_792)]
    ]
    people_ = person_tally(PersonRows(rows, batch_rows=5_000))
    share = dp.repeat_search_share(people_).iloc[0]
    assert (share["numerator"], share["denominator"]) == (1_792, 24_867)
    assert f"{share['estimate']:.1%}" == "7.2%"
    assert (share["bound_low"], share["bound_high"]) == (share["estimate"], share["estimate"])
    assert dp.people_searched(people_).iloc[0]["estimate"] == 448 + 23_075
    assert "23,523 people" in repr(people_)


# What a person is ----------------------------------------------------------------------------------------------------


def one(person, force="kent", month="2019-04", label=None):
    return {"force": force, "month": month, "search_type": "Person search", "person": person, "ethnicity_self": label}


def test_a_key_in_two_forces_is_two_people():
    found = person_tally(PersonRows([one(7), one(7, force="west-midlands")]))
    assert found.by_times().values.tolist() == [[1, 2, 2]]


def test_a_person_counts_inside_the_period_asked():
    rows = [one(7), one(7, month="2019-05"), one(8, month="2019-05")]
    assert dp.repeat_search_share(person_tally(PersonRows(rows)), by=[]).iloc[0]["numerator"] == 2
    cut = person_tally(PersonRows(rows), period=("2019-05", "2019-05"))
    assert dp.repeat_search_share(cut, by=[]).iloc[0]["numerator"] == 0
    later = person_tally(PersonRows(rows)).between("2019-05", "2019-05")
    assert later.by_times().values.tolist() == [[1, 2, 2]] == cut.by_times().values.tolist()


def test_times_are_counted_inside_the_group_recorded():
    white, black = "White - Irish", "Black/African/Caribbean/Black British - African"
    rows = [one(7, label=white), one(7, label=black), one(8, label=white)]
    found = person_tally(PersonRows(rows), by=["ethnicity_self"])
    assert dp.repeat_search_share(found, by=[]).iloc[0]["numerator"] == 2
    assert dp.repeat_search_share(found)["numerator"].sum() == 0
    number = dp.people_searched(found)
    assert dict(zip(number["ethnicity_self"], number["estimate"])) == {"White": 2, "Black": 1}


def test_vehicle_only_searches_are_of_nobody():
    rows = [one(7), one(7) | {"search_type": "Vehicle search"}]
    assert person_tally(PersonRows(rows)).by_times().values.tolist() == [[1, 1, 1]]
    assert person_tally(PersonRows(rows), vehicle_only=True).by_times().values.tolist() == [[2, 1, 2]]


def test_public_files_name_nobody():
    found = person_tally(Rows(ROWS), by=["ethnicity_self"])
    share, number = dp.repeat_search_share(found), dp.people_searched(found)
    assert share["estimate"].isna().all()
    assert number["estimate"].isna().all()
    assert set(share["flag"]) == {NO_KEY}
    assert (number["bound_high"] == number["n_unknown"]).all()
    assert (number["bound_low"] == 1).all()


def test_no_records_give_no_rows():
    empty = person_tally(PersonRows([], empty=[("kent", "2019-04")]))
    assert len(empty.by_times()) == 0
    assert len(dp.repeat_search_share(empty)) == 0


def test_months_that_are_not_covered_are_left_out():
    months = [f"2019-{m:02d}" for m in range(4, 12)]
    rows = [one(100 * i + j + 1, month=month) for i, month in enumerate(months[:7]) for j in range(60)]
    rows += [one(0xFFFF, month=months[7]), one(0xFFFF, month=months[7])]  # far fewer: suspected partial
    found = person_tally(PersonRows(rows))
    assert (month_coverage(found.counted).state == 1).sum() == 1
    row = dp.repeat_search_share(found, by=[]).iloc[0]
    assert (row["numerator"], row["denominator"], row["covered_months"]) == (0, 420, 7)
    assert row["flag"] == "on the months there are"


# Rates ---------------------------------------------------------------------------------------------------------------


def test_person_rate_is_people_over_residents_beside_the_search_rate():
    found = counted()
    frame = dp.person_rate(found, EVERYWHERE, by=["force", "ethnicity_self"])
    met = naive.times(ROWS, ("force", "ethnicity_self"))
    rows = results(frame[frame["measure"] == "person_rate"], ("force", "ethnicity_self"))
    for (force, group), row in rows.items():
        residents = EVERYWHERE[{"force": force, "ethnicity_self": group}] if force != "btp" else 0
        people_there = len(met.get((force, group), ()))
        if not residents:
            assert np.isnan(row["estimate"])
            continue
        assert row["estimate"] == pytest.approx(people_there / residents * 1000)
        assert row["denominator"] == residents
        assert row["low"] < row["estimate"] < row["high"]
        assert row["bound_low"] == row["estimate"] < row["bound_high"]
    beside = frame[frame["measure"] == "search_rate"].reset_index(drop=True)
    expected = dp.search_rate(found.counted, EVERYWHERE, by=["force", "ethnicity_self"])
    pd.testing.assert_frame_equal(beside, expected)


def test_person_rate_bounds_hold_whoever_the_unknown_are():
    frame = dp.person_rate(counted(), EVERYWHERE, by=["ethnicity_self"])
    rows = results(frame[frame["measure"] == "person_rate"], ("force", "ethnicity_self"))
    for force in ("kent", "west-midlands"):
        here = naive.of_people([row for row in ROWS if row["force"] == force])
        for group in ("White", "Black"):
            named = {row["person"] for row in here if naive.group(row) == group and row["person"]}
            maybe = [row for row in here if naive.group(row) not in naive.GROUPS or naive.group(row) == group]
            most = len({row["person"] for row in maybe if row["person"]}) + sum(not row["person"] for row in maybe)
            row = rows[force, group]
            assert row["numerator"] == len(named)
            assert row["bound_high"] >= most / row["denominator"] * 1000
            assert row["n_unknown"] == sum(not r["person"] or naive.group(r) not in naive.GROUPS for r in maybe)


def test_person_rate_is_of_the_period_not_of_a_year():
    rows = [one(i, month=month, label="White - Irish") for month in ("2019-04", "2019-05") for i in range(1, 51)]
    frame = dp.person_rate(person_tally(PersonRows(rows), by=["ethnicity_self"]), EVERYWHERE)
    persons, searches = (
        frame[(frame["measure"] == name) & (frame["ethnicity_self"] == "White")].iloc[0]
        for name in ("person_rate", "search_rate")
    )
    residents = EVERYWHERE[{"force": "kent", "ethnicity_self": "White"}]
    assert persons["estimate"] == pytest.approx(50 / residents * 1000)
    assert searches["estimate"] == pytest.approx(100 / (residents * 2 / 12) * 1000)


# The law -------------------------------------------------------------------------------------------------------------


def grouped(pieces, rng):
    rng.shuffle(pieces)
    cuts = sorted(rng.sample(range(1, len(pieces)), 4))
    return [[row for piece in pieces[a:b] for row in piece] for a, b in zip([0, *cuts], [*cuts, len(pieces)])]


@pytest.mark.parametrize("seed", range(3))
def test_people_of_the_whole_are_people_of_the_sum(seed):
    rng = random.Random(seed)
    parts = [counted(group) for group in grouped(by_part(ROWS), rng)]
    rng.shuffle(parts)
    together = parts[0]
    for part in parts[1:]:
        together = together + part
    whole = counted()
    assert together.counted.difference(whole.counted) is None
    for name in ("person", "cell", "n"):
        assert np.array_equal(getattr(together, name), getattr(whole, name))
    for measure in MEASURES:
        pd.testing.assert_frame_equal(measure(together), measure(whole), check_exact=True)
    pd.testing.assert_frame_equal(
        dp.person_rate(together, EVERYWHERE), dp.person_rate(whole, EVERYWHERE), check_exact=True
    )


def test_batches_and_row_order_do_not_matter():
    shuffled = random.Random(5).sample(ROWS, len(ROWS))
    other = person_tally(PersonRows(shuffled, batch_rows=170), by=["ethnicity_self", "gender"])
    for measure in MEASURES:
        pd.testing.assert_frame_equal(measure(other), measure(counted()), check_exact=True)


def test_selecting_is_counting_the_selected():
    cut, only = counted().select(gender="Male"), counted([row for row in ROWS if row["gender"] == "Male"])
    by = ["force", "ethnicity_self"]
    pd.testing.assert_frame_equal(cut.by_times(by), only.by_times(by))


# Refusals ------------------------------------------------------------------------------------------------------------


def test_the_same_part_twice_is_refused():
    with pytest.raises(OverlapError):
        counted() + counted()


def test_a_force_hashed_with_two_keys_is_refused():
    one_month = PersonRows([one(7)], key_id="one")
    other = PersonRows([one(7, month="2019-05")], key_id="two")
    with pytest.raises(UnitMismatch, match="persons of kent were hashed with two keys"):
        person_tally(one_month) + person_tally(other)
    elsewhere = PersonRows([one(7, force="west-midlands")], key_id="two")
    both = person_tally(one_month) + person_tally(elsewhere)
    assert both.key_ids == {"kent": "one", "west-midlands": "two"}


def test_people_are_not_parted_by_items():
    made = dp.synthetic.make_encounters(months=["2023-06"])
    with pytest.raises(MultiChoiceError, match="several items of tactic"):
        person_tally(made.source("force_report"), by=["tactic"])
    reports = person_tally(made.source("force_report"), by=["ethnicity_officer"])
    assert dp.people_searched(reports, by=[]).iloc[0]["estimate"] == len(
        set(made.raw["force_reports"]["person"].to_pylist())
    )


def test_an_axis_that_was_not_counted_by_is_refused():
    with pytest.raises(AxisMismatch):
        dp.repeat_search_share(counted(), by=["object"])


def test_more_records_of_people_than_records_are_a_defect():
    found = counted()
    with pytest.raises(BalanceError):
        PersonTally(found.counted, found.person, found.cell, found.n * 1_000)


def test_people_by_area_hour_and_officer():
    made = dp.synthetic.make_encounters(months=["2023-06"])
    for axis in ("hour", "command_unit", "officer"):
        found = person_tally(made.source("search"), by=[axis])
        people_there = dp.people_searched(found, by=[axis])
        assert people_there["denominator"].sum() == found.counted.total
        assert people_there["estimate"].sum() >= dp.people_searched(found, by=[]).iloc[0]["estimate"]
