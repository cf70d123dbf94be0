"""Incidents and people beside reports, force joined to searches, and tables in memory of any kind."""

import random

import naive_force
import pandas as pd
import pyarrow as pa
import pytest

import disprop as dp
from disprop.errors import InputRefused, UnitMismatch, UsageError
from disprop.records import KINDS, join_items

MINUTE = 60
START = 1_680_500_000  # 3 April 2023


def reports(n=400, seed=1, **more):
    """Reports of kent and essex: several of one incident, several officers, some without keys."""
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        rows.append(
            {
                "force": rng.choice(("kent", "essex")),
                "time": START + MINUTE * rng.randint(0, 25 * 24 * 60) if rng.random() < 0.9 else None,
                "gender": rng.choice(("Male", "Female")),
                "incident": rng.randint(1, 120) if rng.random() < 0.9 else 0,
                "person": rng.randint(1, 200) if rng.random() < 0.8 else 0,
                "officer": rng.randint(1, 30) if rng.random() < 0.9 else 0,
                "other_officer": rng.randint(1, 30) if rng.random() < 0.3 else 0,
                "reference": i + 1 if rng.random() < 0.5 else 0,
                "area": rng.choice(("E07000105", "E07000106", None)),
                "reasons": join_items(
                    rng.sample(("Effect search", "Protect self", "Effect arrest"), rng.randint(0, 2))
                ),
            }
            | more
        )
    return rows


def table(rows):
    """The rows as an Arrow table of canonical columns."""
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "time"}
    keys = {"incident", "person", "officer", "other_officer", "reference"}
    made = {
        name: pa.array([value or None for value in values], pa.uint64()) if name in keys else pa.array(values)
        for name, values in columns.items()
    }
    made["event_time"] = pa.array([row["time"] for row in rows], pa.timestamp("s", "UTC"))
    made["month"] = pa.array(["2023-04"] * len(rows))
    return pa.table(made)


def source(rows, kind="force_report"):
    return dp.read_frame(table(rows), kind=kind, scheme="home-office")


# Incidents and people -------------------------------------------------------------------------------------------------


def test_incidents_people_and_reports_are_three_figures():
    rows = reports()
    by_incident = dp.incidents(dp.incident_tally(source(rows)), by=["force"])
    people = dp.people_subject_to_force(dp.person_tally(source(rows)), by=["force"])
    for force in ("kent", "essex"):
        some = [row for row in rows if row["force"] == force]
        for frame, key, unit in ((by_incident, "incident", "incidents"), (people, "person", "people")):
            found = frame[frame["force"] == force].iloc[0]
            named = [row[key] for row in some if row[key]]
            assert (found.numerator, found.denominator) == (len(set(named)), len(named))
            assert found.bound_high == len(set(named)) + len(some) - len(named)
            assert found.unit == unit


def test_11_265_forms_of_10_470_incidents():
    """As published for one force: each form names its incident, and 795 incidents have a second form."""
    incidents = [*range(1, 10_471), *range(1, 796)]
    some = pd.DataFrame({"month": "2023-04", "incident": incidents})
    found = dp.incidents(dp.incident_tally(dp.read_frame(some, force="kent", kind="force_report")), by=[])
    assert (found["numerator"].item(), found["denominator"].item()) == (10_470, 11_265)


def test_without_keys_there_is_no_figure_and_distinct_times_and_places_are_no_bound():
    rows = reports(incident=0)
    none = dp.incidents(dp.incident_tally(source(rows)), by=[])
    assert none["numerator"].isna().all()
    assert none["flag"].str.startswith("no report names an incident").all()
    guessed = dp.incidents(dp.incident_tally(source(rows), guess=True), by=[])
    placed = [row for row in rows if row["time"] is not None and row["area"]]
    expected = len({(row["force"], row["time"] // MINUTE, row["area"]) for row in placed})
    assert guessed["numerator"].tolist() == [expected]
    assert guessed["n_unknown"].tolist() == [len(rows) - len(placed)]
    assert guessed[["estimate", "bound_low", "bound_high"]].isna().all(axis=None)
    assert guessed["measure"].tolist() == ["incidents_sensitivity"]
    assert "neither a count of incidents nor a bound" in guessed["flag"].iloc[0]
    with pytest.raises(UnitMismatch, match="incidents are of force reports"):
        dp.incident_tally(dp.synthetic.make_records(months=["2023-04"]))


def test_distinct_times_and_places_may_be_more_than_the_incidents_there_were():
    """Why they are no lower bound: officers of one incident state different minutes."""
    made = dp.synthetic.make_encounters(months=["2023-04", "2023-05"]).source("force_report")
    table = pa.Table.from_batches(list(made.batches()))
    true = len(table["incident"].unique())
    placed = table.drop_columns(["incident", "area"]).append_column("area", pa.array(["E07000105"] * table.num_rows))
    unnamed = dp.read_frame(placed, kind="force_report", scheme=made.scheme)
    (guessed,) = dp.incidents(dp.incident_tally(unnamed, guess=True), by=[]).to_dict("records")
    assert guessed["numerator"] > true
    assert pd.isna(guessed["bound_low"])


def test_incidents_that_are_named_are_counted_by_name_whatever_their_times():
    rows = reports(300)
    guessed = dp.incidents(dp.incident_tally(source(rows), guess=True), by=[])
    places = {
        (row["force"], row["incident"] or (row["time"] // MINUTE, row["area"]))
        for row in rows
        if row["incident"] or (row["time"] is not None and row["area"])
    }
    assert guessed["numerator"].tolist() == [len(places)]


def test_without_times_or_places_nothing_is_guessed_and_guessing_is_not_advised():
    table = pd.DataFrame({"month": ["2023-04"] * 3, "gender": "Male"})
    unplaced = dp.read_frame(table, force="kent", kind="force_report")
    (row,) = dp.incidents(dp.incident_tally(unplaced, guess=True), by=[]).to_dict("records")
    assert all(pd.isna(row[name]) for name in ("numerator", "estimate", "bound_low", "bound_high"))
    assert row["flag"].startswith("no report names an incident, or a time and a local authority")
    assert "guess" not in row["flag"]


# Force in searches ----------------------------------------------------------------------------------------------------


def searches(rows, seed=2):
    rng = random.Random(seed)
    found = []
    for row in rows:
        near = rng.random() < 0.5
        found.append(
            {
                "force": row["force"],
                "time": row["time"] + rng.randint(-3000, 3000)
                if near and row["time"]
                else rng.choice((None, START + 7)),
                "ethnicity_officer": rng.choice(("White", "Black")),
                "officer": row["officer"] if near else rng.choice((0, 99)),
                "other_officer": rng.choice((0, row["other_officer"])),
                "reference": rng.choice((row["reference"], 0, 10_000)),
            }
        )
    return found


@pytest.mark.parametrize("window", [0, 600, 1800])
def test_force_is_joined_to_searches_as_defined(window):
    rows = reports()
    looked = searches(rows)
    joined = dp.with_force_used(source(looked, "search"), source(rows), window=window)
    expected = naive_force.joined(looked, rows, window)
    found = [how or "blank" for batch in joined.batches() for how in batch["force_used"].to_pylist()]
    assert found == expected
    assert {"by reference", "no report", "blank"} <= set(expected)
    assert window == 0 or "by officer and time" in expected
    tally = dp.tally(joined, by=["ethnicity_officer", "force_used"])
    share = dp.force_in_search_share(tally, by=[])
    yes = sum(how.startswith("by ") for how in expected)
    assert share["numerator"].tolist() == [yes]
    assert share["bound_high"].tolist() == [pytest.approx((yes + expected.count("blank")) / len(expected))]


def report(reference=0, officer=7, time=START):
    return {"force": "kent", "reasons": "Effect search", "other_officer": 0, "gender": "Male"} | {
        "reference": reference, "officer": officer, "time": time,
    }  # fmt: skip


def how_joined(looked, rows):
    joined = dp.with_force_used(source(looked, "search"), source(rows))
    return [how for batch in joined.batches() for how in batch["force_used"].to_pylist()]


def test_a_report_that_quotes_another_search_is_not_joined_by_officer_and_time():
    searches = [report(reference=5), report(reference=6, time=START + 60), report(time=START + 120)]
    assert how_joined(searches, [report(reference=5)]) == ["by reference", "no report", "no report"]


def test_a_report_without_reference_joins_one_search_and_where_several_are_near_none():
    near, far = report(time=START + 60), report(time=START + 7200)
    assert how_joined([near, far], [report()]) == ["by officer and time", "no report"]
    assert how_joined([near, report(reference=6), far], [report()]) == [None, None, "no report"]


@pytest.mark.parametrize(("dropped", "wrong_share"), [([], 0), (["reference"], 0.01)])
def test_searches_joined_had_force_in_truth(dropped, wrong_share):
    """Invented encounters; without the references of the reports officer and time must do, and err a little."""
    made = dp.synthetic.make_encounters(months=["2023-04", "2023-05", "2023-06"])
    records = made.truth.records.to_pandas()
    encounter = {kind: some.set_index("row")["encounter"] for kind, some in records.groupby("kind")}
    table = pa.Table.from_batches(list(made.source("force_report").batches()))
    reasons = table["reasons"].to_pylist()
    effect = {encounter["force_report"][i] for i, said in enumerate(reasons) if "Effect search" in (said or "")}
    forms = dp.read_frame(table.drop_columns(dropped), kind="force_report", scheme=made.source("force_report").scheme)
    joined = dp.with_force_used(made.source("search"), forms)
    how = [one for batch in joined.batches() for one in batch["force_used"].to_pylist()]
    yes = [i for i, one in enumerate(how) if one in ("by reference", "by officer and time")]
    wrong = [i for i in yes if encounter["search"][i] not in effect]
    assert len(yes) > 500
    assert len(wrong) <= wrong_share * len(yes)


def test_searches_read_twice_are_counted_once():
    """Joining looks through the searches before they are counted: their account must not double."""
    made = dp.synthetic.make_encounters(months=["2023-04"])
    joined = dp.with_force_used(made.source("search"), made.source("force_report"))
    plain, tally = (dp.tally(one, by=[]) for one in (made.source("search"), joined))
    assert (tally.total, tally.account) == (plain.total, plain.account)


def test_keys_of_two_secrets_join_nothing_and_are_refused():
    rows = reports(20)
    one, other = source(searches(rows), "search"), source(rows)
    one.key_id, other.key_id = "a", "b"
    with pytest.raises(UsageError, match="two keys"):
        dp.with_force_used(one, other)
    with pytest.raises(UnitMismatch, match="searches and force reports are wanted"):
        dp.with_force_used(other, one)


# Tables in memory -----------------------------------------------------------------------------------------------------


def test_a_table_of_reports_brings_its_keys_times_and_items():
    frame = pd.DataFrame(
        {
            "force": "kent",
            "event_time": ["2023-04-01T10:00:00Z", "2023-04-02T10:00:00Z"],
            "tactics": [["Shield", "Baton drawn", "Shield"], None],
            "reasons": ["Effect search | Protect self", ""],
            "officer": [2**63 + 1, 7],
            "health": ["None", "N/A"],
            "officer_injury": ["None", "Minor"],
        }
    )
    batch = next(dp.read_frame(frame, kind="force_report").batches())
    assert batch["tactics"].to_pylist() == ["Baton drawn | Shield", None]
    assert batch["reasons"].to_pylist() == ["Effect search | Protect self", None]
    assert batch["officer"].to_pylist() == [2**63 + 1, 7]
    assert batch["health"].to_pylist() == ["None", None]
    tally = dp.tally(dp.read_frame(frame, kind="force_report"), by=["officer_injury"])
    assert (tally.unit, tally[{"officer_injury": "None"}]) == ("force reports", 1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_read_from_a_table_of_its_columns(kind):
    values = {"key": 5, "number": 1, "label": None, "items": None, "time": pd.Timestamp("2023-04-01", tz="UTC")}
    columns = {spec.name: [values.get(spec.dtype, 1.0)] for spec in KINDS[kind].columns if spec.dtype in values}
    columns |= {"force": ["kent"]}
    read = dp.read_frame(pd.DataFrame(columns), kind=kind)
    batch = next(read.batches())
    named = {spec.name for spec in KINDS[kind].columns if spec.dtype != "degrees"}
    assert named <= set(batch.schema.names) | {"force", "month"}
    assert (read.unit, dp.tally(read, by=[]).total) == (KINDS[kind].unit, 1)


def test_an_identifier_as_text_is_refused_as_a_key():
    frame = pd.DataFrame({"month": ["2023-04"], "officer": ["PC 4412"]})
    with pytest.raises(InputRefused, match="keyed hashes"):
        dp.read_frame(frame, force="kent", kind="force_report")
    with pytest.raises(UsageError, match="did you mean 'force_report'"):
        dp.read_frame(frame, kind="force_reports")


def test_the_store_keeps_reports_and_counts_them_alike(tmp_path):
    from disprop.io.store import add

    rows = [row | {"tactics": "Shield | CED drawn"} for row in reports(50)]
    add(tmp_path / "store", source(rows))
    stored = dp.tally(dp.open_store(tmp_path / "store"), by=["tactic"])
    assert stored[{"tactic": "CED drawn"}] == 50
