"""Invented records show the truth they were drawn from, in the public format, to the byte for the same seed.

Where a count or share is compared with the truth, the tolerance is Z standard deviations of what chance allows: rarely
wrong (1 in 150,000 a comparison), and narrow enough that the spoilt truths below are caught.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import naive_synthetic as naive
import numpy as np
import pytest

from disprop.codelists import UNMAPPED, code_lookup, codelist
from disprop.errors import AxisMismatch, UsageError
from disprop.measures.ratios import rate_ratio
from disprop.months import month_number
from disprop.plan import tally
from disprop.records import AXES, SEARCH
from disprop.synthetic import YEAR, default_truth, implied, make_forces, make_records, population, write_police_uk
from disprop.synthetic.draw import expected_searches, month_kinds, stream
from disprop.synthetic.records import SCHEMA
from disprop.synthetic.truth import RATIO_SPREAD, SECTION_60

Z = 4.5
HEADER = (
    "Type,Date,Part of a policing operation,Policing operation,Latitude,Longitude,Gender,Age range,"
    "Self-defined ethnicity,Officer-defined ethnicity,Legislation,Object of search,Outcome,"
    "Outcome linked to object of search,Removal of more than just outer clothing"
)
FOUR_YEARS = tuple(f"{year}-{month:02d}" for year in range(2020, 2024) for month in range(1, 13))
GROUPS = default_truth().groups


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Four years of Syntheticshire as public files."""
    folder = tmp_path_factory.mktemp("synthetic")
    write_police_uk(folder, months=FOUR_YEARS, seed=20)
    return folder


@pytest.fixture(scope="module")
def rows(folder):
    return naive.read_rows(folder)


@pytest.fixture(scope="module")
def people(rows):
    return naive.person_rows(rows)


@pytest.fixture(scope="module")
def truth(folder) -> dict:
    return naive.read_truth(folder)["forces"][0]


def off(found: int, trials: int, share: float) -> float:
    """Standard deviations between a count and what its share of the trials lets expect."""
    return (found - trials * share) / np.sqrt(trials * share * (1 - share))


def share_of(rows: Iterable[dict], holds, among=lambda row: True) -> tuple[int, int]:
    """How many of the rows hold, and among how many."""
    asked = [row for row in rows if among(row)]
    return sum(map(holds, asked)), len(asked)


# The same bytes ----------------------------------------------------------------------------------------------------


def test_same_seed_same_bytes_in_another_process(tmp_path):
    code = "import sys; from disprop.synthetic import write_police_uk; write_police_uk(sys.argv[1], seed=5)"
    for name, hash_seed in (("one", "1"), ("two", "2")):
        env = os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo" if name == "one" else "UTC"}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True, env=env)
    one, two = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in sorted((tmp_path / name).rglob("*.*"))}
        for name in ("one", "two")
    )
    assert len(one) == len(YEAR) + 2
    assert one == two


def test_another_seed_gives_other_records():
    one, two = (make_records(months=["2023-06"], seed=seed) for seed in (1, 2))
    assert one.num_rows != two.num_rows or not one.equals(two)
    assert make_records(months=["2023-06"], seed=1).equals(one)


def test_a_month_does_not_depend_on_what_else_is_made(tmp_path):
    alone = write_police_uk(tmp_path / "alone", months=["2023-07"])[0].read_bytes()
    among = write_police_uk(tmp_path / "among", make_forces(3), months=["2023-05", "2023-07"])
    assert {path.name for path in among} >= {"2023-05-synthetic-shire-3-stop-and-search.csv"}
    assert len(among) == 6
    assert (tmp_path / "among/2023-07/2023-07-synthetic-shire-stop-and-search.csv").read_bytes() == alone


# The public format -------------------------------------------------------------------------------------------------


def test_files_are_laid_out_as_public_ones(folder):
    paths = sorted(folder.glob("*/*.csv"))
    assert [p.relative_to(folder).as_posix() for p in paths] == [
        f"{month}/{month}-synthetic-shire-stop-and-search.csv" for month in FOUR_YEARS
    ]
    for path in paths:
        text = path.read_bytes().decode("utf-8")
        assert "\r" not in text
        assert '"' not in text
        assert text.endswith("\n")
        lines = text.splitlines()
        assert lines[0] == HEADER
        assert {line.count(",") for line in lines} == {14}
        times = [line.split(",")[1] for line in lines[1:]]
        assert times == sorted(times)


def test_values_are_those_of_public_files(rows):
    assert {row["Policing operation"] for _, row in rows} == {""}
    flags = {row[name] for _, row in rows for name in HEADER.split(",")[-2:]}
    assert flags == {"True", "False", ""}
    for _, row in rows[::50]:
        assert datetime.fromisoformat(row["Date"]).isoformat() == row["Date"]
        assert row["Date"].endswith("+00:00")
        assert (row["Latitude"] == "") == (row["Longitude"] == "")
        assert row["Latitude"] == "" or len(row["Latitude"].split(".")[1]) == len(row["Longitude"].split(".")[1]) == 6


def test_rows_lie_in_their_file_month_by_uk_clock(rows):
    elsewhere = Counter()
    for month, row in rows:
        assert naive.london_month(row["Date"]) == month
        elsewhere[month] += row["Date"][:7] != month
    summer = {month for month in FOUR_YEARS if month[5:] in ("04", "05", "06", "07", "08", "09", "10")}
    assert {month for month, n in elsewhere.items() if n} <= summer
    assert sum(elsewhere.values()) > 50, "summer files begin with rows of the previous day in UTC"


def test_places_lie_in_open_sea(rows):
    where = [(float(row["Latitude"]), float(row["Longitude"])) for _, row in rows if row["Latitude"]]
    assert all(54.2 < north < 55.4 and 0.7 < east < 1.8 for north, east in where)
    assert 500 < len(set(where)) <= 600


def test_every_label_is_known_to_the_codelists():
    table = make_records()
    for spec in AXES:
        if not spec.by_label or spec.column in ("force", "month") or spec.column not in table.column_names:
            continue
        vocabulary = table[spec.column].unique().to_pylist()
        codes = [codelist(spec.codelist).codes[i] for i in code_lookup(spec.codelist, "police.uk", vocabulary)]
        assert UNMAPPED not in codes, (spec.name, vocabulary)


def test_everything_says_that_it_is_synthetic(folder):
    assert make_records(months=["2023-04"]).schema.metadata[b"dataset"] == b"synthetic"
    assert (folder / "SYNTHETIC.txt").read_text().startswith("SYNTHETIC: invented records of an invented force")
    assert naive.read_truth(folder)["notice"].startswith("SYNTHETIC")
    assert codelist("force").label("synthetic-shire") == "Syntheticshire (invented)"
    assert all("(invented)" in truth.name and "synthetic" in truth.force for truth in make_forces(5))
    assert population().vintage == "SYNTHETIC residents"


def test_table_and_files_hold_the_same_records(folder, rows):
    table = make_records(months=FOUR_YEARS, seed=20)
    assert table.schema.equals(SCHEMA)
    assert table.column_names == [column.name for column in SEARCH]
    assert table.num_rows == len(rows)
    for column in SEARCH:
        if column.police_uk and column.dtype == "label":
            expected = [row[column.police_uk] or None for _, row in rows]
            assert table[column.name].to_pylist() == expected, column.name
    assert [time.isoformat() for time in table["event_time"].to_pylist()] == [row["Date"] for _, row in rows]
    assert table["month"].to_pylist() == [month_number(month) for month, _ in rows]
    assert table["force"].unique().to_pylist() == ["synthetic-shire"]
    latitudes = ["" if value is None else f"{value:.6f}" for value in table["latitude"].to_pylist()]
    assert latitudes == [row["Latitude"] for _, row in rows]


# The truth is recovered --------------------------------------------------------------------------------------------


def count_off(truth: dict, group: str, found: int, months: Iterable[str]) -> float:
    """Standard deviations between a group's recorded count and the truth: Var = mu + d mu^2 each month."""
    residents = sum(truth["residents"][group].values())
    recorded = (1 - truth["not_stated"][group]) * (1 - truth["blank"]["ethnicity_self"])
    mu = [residents * truth["rate"][group] / 1000 * naive.season(truth, [month]) * recorded for month in months]
    return (found - sum(mu)) / np.sqrt(sum(m + truth["month_dispersion"] * m**2 for m in mu))


def test_rates_are_recovered(truth, people):
    counts = Counter(map(naive.group, people))
    assert all(abs(count_off(truth, group, counts[group], FOUR_YEARS)) < Z for group in GROUPS)


def test_a_spoilt_rate_is_caught(truth, people):
    counts = Counter(map(naive.group, people))
    for group, factor in (("White", 1.12), ("Asian", 1.12), ("Black", 1.12), ("Mixed", 1.25)):
        spoilt = truth | {"rate": truth["rate"] | {group: truth["rate"][group] * factor}}
        assert abs(count_off(spoilt, group, counts[group], FOUR_YEARS)) > Z


def test_recorded_ratios_make_an_interesting_report(truth):
    ratios = {group: row["recorded_rate_ratio"] for group, row in truth["implied"].items()}
    assert ratios == pytest.approx({"White": 1, "Mixed": 2, "Asian": 1.6, "Black": 3, "Other": 1}, rel=0.01)
    year = make_records()
    assert 18_500 < year.num_rows < 22_500


@pytest.mark.parametrize("group", GROUPS)
def test_implied_shares_equal_the_sum_over_every_way_to_turn_out(truth, group):
    expected = naive.naive_implied(truth, group)
    found = implied(default_truth())[group]
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert found == pytest.approx(truth["implied"][group], rel=1e-15)


NO_ACTION = "A no further action disposal"


def positive(row: dict) -> bool:
    return row["Outcome"] not in ("", NO_ACTION)


MEASURED = {
    "positive_outcome": (positive, lambda row: row["Outcome"] != ""),
    "arrest": (lambda row: row["Outcome"] == "Arrest", lambda row: row["Outcome"] != ""),
    "linked_positive_low": (lambda row: linked(row) == "True" and positive(row), lambda row: True),
    "linked_positive_high": (
        lambda row: (
            (linked(row) != "False" and positive(row)) or (row["Outcome"] == "" and linked(row) in ("True", ""))
        ),
        lambda row: True,
    ),
    "linked": (lambda row: linked(row) == "True", lambda row: True),
    "more_thorough": (lambda row: thorough(row) == "True", lambda row: thorough(row) != ""),
    "more_thorough_10_17": (
        lambda row: thorough(row) == "True",
        lambda row: thorough(row) != "" and row["Age range"] == "10-17",
    ),
}


def linked(row: dict) -> str:
    return row["Outcome linked to object of search"]


def thorough(row: dict) -> str:
    return row["Removal of more than just outer clothing"]


@pytest.mark.parametrize("name", MEASURED)
def test_implied_shares_are_recovered(truth, people, name):
    holds, among = MEASURED[name]
    for group in GROUPS:
        of_group = [row for row in people if naive.group(row) == group]
        assert abs(off(*share_of(of_group, holds, among), truth["implied"][group][name])) < Z, group


def test_a_spoilt_find_rate_is_caught(people):
    spoilt = replace(default_truth(), find_rate=dict.fromkeys(GROUPS, 0.25))
    white = [row for row in people if naive.group(row) == "White"]
    holds, among = MEASURED["linked_positive_low"]
    assert abs(off(*share_of(white, holds, among), implied(spoilt)["White"]["linked_positive_low"])) > Z


def test_possession_is_said_of_searches_for_drugs_alone(truth):
    rows = make_records(months=FOUR_YEARS, seed=20).select(["object", "possession_only"]).to_pylist()
    assert all(row["possession_only"] is None for row in rows if row["object"] != "Controlled drugs")
    said = Counter(row["possession_only"] for row in rows if row["object"] == "Controlled drugs")
    known = said["yes"] + said["no"]
    assert abs(off(said["yes"], known, truth["possession_only"])) < Z
    assert abs(off(said[None], known + said[None], truth["blank"]["possession_only"])) < Z


def test_share_on_video_is_recovered(truth):
    table = make_records(months=FOUR_YEARS, seed=20).select(["ethnicity_self", "search_type", "video_recorded"])
    seen: dict[str, Counter] = {group: Counter() for group in (*GROUPS, "not stated", "")}
    for row in table.to_pylist():
        if row["search_type"] != "Vehicle search":
            seen[naive.group({"Self-defined ethnicity": row["ethnicity_self"] or ""})][row["video_recorded"]] += 1
    for group in GROUPS:
        yes, no = seen[group]["yes"], seen[group]["no"]
        assert abs(off(yes, yes + no, truth["on_video"][group])) < Z
    blank, total = (sum(counter[None] for counter in seen.values()), sum(c.total() for c in seen.values()))
    assert abs(off(blank, total, truth["blank"]["video_recorded"])) < Z


def test_section_60_and_vehicle_shares_are_recovered(truth, rows, people):
    for group in GROUPS:
        of_group = [row for row in people if naive.group(row) == group]
        known = share_of(of_group, lambda row: row["Legislation"] == SECTION_60, lambda row: row["Legislation"] != "")
        assert abs(off(*known, truth["section_60"][group])) < Z
    with_vehicle = share_of(people, lambda row: row["Type"] == "Person and Vehicle search")
    assert abs(off(*with_vehicle, truth["with_vehicle"])) < Z
    vehicles = [row for _, row in rows if row["Type"] == "Vehicle search"]
    mu = sum(expected_searches(default_truth(), month_number(month))[-1] for month in FOUR_YEARS)
    assert abs(len(vehicles) - mu) < Z * np.sqrt(mu)
    carried = share_of(vehicles, lambda row: row["Gender"] != "")
    assert abs(off(*carried, truth["vehicle_only_with_person"])) < Z


def test_objects_ages_and_genders_are_recovered(truth, people):
    for column, header in (("age_band", "Age range"), ("gender", "Gender")):
        found = Counter(row[header] for row in people if row[header])
        for label, share in truth[column].items():
            assert abs(off(found[label], found.total(), share)) < Z, label
    suspicion = [row for row in people if row["Legislation"] not in ("", SECTION_60) and row["Object of search"]]
    pairs = Counter((row["Object of search"], row["Legislation"]) for row in suspicion)
    for reason in truth["reasons"]:
        if reason["legislation"] != SECTION_60:
            n = pairs[reason["object"], reason["legislation"]]
            assert abs(off(n, len(suspicion), reason["share"])) < Z, reason


# The engine reads back what was written ----------------------------------------------------------------------------


def test_engine_counts_equal_a_naive_recount(folder, rows):
    counted = tally([folder], by=["ethnicity_self", "linked"]).frame()
    flag = {"True": "yes", "False": "no", "": "blank"}
    naive_counts = Counter(
        (month, naive.group(row) or "blank", flag[linked(row)])
        for month, row in rows
        if row["Type"] != "Vehicle search"
    )
    assert {(r.month, r.ethnicity_self, r.linked): r.n for r in counted.itertuples()} == naive_counts


def test_engine_accounts_for_every_row(folder, rows):
    counted = tally([folder], by=["ethnicity_self"])
    assert counted.account.read == len(rows)
    assert counted.account.unmapped == {}
    assert counted.account.quarantined == {}


def test_engine_ratio_is_that_of_the_naive_counts_and_of_the_truth(folder, truth, people):
    found = rate_ratio(tally([folder], by=["ethnicity_self"]), population(), by=["force"])
    counts = Counter(map(naive.group, people))
    residents = {group: sum(truth["residents"][group].values()) for group in GROUPS}
    for row in found.itertuples():
        group = row.ethnicity_self
        ratio = counts[group] / residents[group] / (counts["White"] / residents["White"])
        assert row.estimate == pytest.approx(ratio, rel=1e-12)
        # 48 months: Var(log) of a sum of months is 1 / count, and d / 48 for the month effects, on either side
        spread = np.sqrt(1 / counts[group] + 1 / counts["White"] + 2 * truth["month_dispersion"] / len(FOUR_YEARS))
        assert abs(np.log(row.estimate / truth["implied"][group]["recorded_rate_ratio"])) < Z * spread
        assert row.bound_low < truth["implied"][group]["rate_ratio"] < row.bound_high, "whoever did not state it"
    assert set(found["ethnicity_self"]) == set(GROUPS[1:])
    assert set(found["population_vintage"]) == {"SYNTHETIC residents"}


# What is not known -------------------------------------------------------------------------------------------------

BLANK_AT_RANDOM = {
    "operation": "Part of a policing operation",
    "gender": "Gender",
    "age_band": "Age range",
    "ethnicity_self": "Self-defined ethnicity",
    "ethnicity_officer": "Officer-defined ethnicity",
    "legislation": "Legislation",
    "object": "Object of search",
    "outcome": "Outcome",
    "more_thorough": "Removal of more than just outer clothing",
    "place": "Latitude",
}


@pytest.mark.parametrize("column", BLANK_AT_RANDOM)
def test_blank_shares_are_recovered(truth, people, column):
    blank = share_of(people, lambda row: row[BLANK_AT_RANDOM[column]] == "")
    assert abs(off(*blank, truth["blank"][column])) < Z


def test_linked_flag_is_blank_more_often_without_a_positive_outcome(truth, people):
    blank = share_of(people, lambda row: linked(row) == "", positive)
    assert abs(off(*blank, truth["linked_blank_positive"])) < Z
    blank = share_of(people, lambda row: linked(row) == "", lambda row: not positive(row))
    assert abs(off(*blank, truth["linked_blank_no_action"])) < Z


def given_perceived(truth: dict, perceived: str, value) -> float:
    """Average of `value(true group)` over the searches of people whom officers perceive as `perceived`."""
    seen = {
        group: sum(truth["residents"][group].values()) * truth["rate"][group] * truth["perceived"][group][perceived]
        for group in GROUPS
    }
    return sum(n * value(group) for group, n in seen.items()) / sum(seen.values())


def test_not_stated_depends_on_the_true_group(truth, people):
    stated = 1 - truth["blank"]["ethnicity_self"]
    shares = {}
    for perceived in ("White", "Asian", "Black"):
        expected = stated * given_perceived(truth, perceived, truth["not_stated"].get)
        seen = [naive.group(row) for row in people if row["Officer-defined ethnicity"] == perceived]
        assert abs(off(seen.count("not stated"), len(seen), expected)) < Z
        shares[perceived] = seen.count("not stated") / len(seen)
    assert shares["White"] < shares["Asian"] < shares["Black"], "not stated is not at random"


def test_officers_perceive_as_the_truth_says(truth, people):
    for group in GROUPS:
        known = [row for row in people if naive.group(row) == group and row["Officer-defined ethnicity"]]
        for perceived, share in truth["perceived"][group].items():
            n = sum(row["Officer-defined ethnicity"] == perceived for row in known)
            allowed = Z * np.sqrt(len(known) * share * (1 - share)) + 1  # + 1: some shares expect 1 record or none
            assert abs(n - len(known) * share) < allowed, (group, perceived)


# Months ------------------------------------------------------------------------------------------------------------


def dispersion_off(truth_says: float, assumed: float) -> float:
    """Standard deviations between the spread of 240 months of 5 groups and that of the dispersion assumed.

    With Var = mu + d mu^2 a squared standard score has mean 1 and variance 2 + 6 d + 1 / Var; no group expects under 7.
    """
    truth = replace(default_truth(), month_dispersion=truth_says)
    squares = []
    for month in range(600, 840):
        expected = expected_searches(truth, month)[:-1]
        counts = np.bincount(month_kinds(stream(3, month), truth, month), minlength=6)[:-1]
        squares.append((counts - expected) ** 2 / (expected + assumed * expected**2))
    return (np.mean(squares) - 1) / np.sqrt((2 + 6 * assumed + 1 / 7) / np.size(squares))


@pytest.mark.parametrize("dispersion", [0.0, 0.004, 0.05])
def test_months_are_as_dispersed_as_the_truth_says(dispersion):
    assert abs(dispersion_off(dispersion, dispersion)) < Z


@pytest.mark.parametrize(("truth_says", "assumed"), [(0.004, 0.0), (0.05, 0.004), (0.0, 0.004)])
def test_another_dispersion_is_caught(truth_says, assumed):
    assert abs(dispersion_off(truth_says, assumed)) > Z


def test_months_follow_the_season(truth):
    quiet = replace(default_truth(), month_dispersion=0.0)
    assert sum(quiet.season) == pytest.approx(12)
    for at in range(12):
        n = sum(len(month_kinds(stream(4, year), quiet, 12 * year + at)) for year in range(40, 50))
        mu = 10 * expected_searches(quiet, at).sum()
        assert abs(n - mu) < Z * np.sqrt(mu)
    assert truth["season"] == list(quiet.season)


# Forces, residents, refusals ---------------------------------------------------------------------------------------


def test_forces_are_the_same_however_many_are_made():
    assert make_forces(7)[:3] == make_forces(3)
    assert make_forces(1)[0] == default_truth()


def test_ratios_between_forces_are_spread_as_stated():
    base = default_truth()
    forces = make_forces(301)[1:]
    logs = np.array(
        [[np.log(t.rate[g] / t.rate["White"] * base.rate["White"] / base.rate[g]) for g in GROUPS[1:]] for t in forces]
    ).reshape(-1)
    assert abs(logs.std() / RATIO_SPREAD - 1) < Z / np.sqrt(2 * len(logs))
    assert abs(logs.mean()) < Z * RATIO_SPREAD / np.sqrt(len(logs))


def test_residents_are_those_of_the_truth(truth):
    five, nineteen = population(), population(by=["ethnicity_self_19"])
    assert five.unit == "residents"
    assert {g: five[{"ethnicity_self": g}] for g in GROUPS} == {g: sum(truth["residents"][g].values()) for g in GROUPS}
    assert nineteen.total == five.total == sum(sum(labels.values()) for labels in truth["residents"].values())
    assert sorted(nineteen.counts[nineteen.counts > 0]) == sorted(
        n for labels in truth["residents"].values() for n in labels.values()
    )
    with pytest.raises(AxisMismatch):
        population(by=["age_band"])


def test_shares_that_do_not_add_to_one_are_refused():
    with pytest.raises(UsageError, match="the shares of gender are not probabilities"):
        make_records(replace(default_truth(), gender={"Male": 0.9, "Female": 0.2}))
    with pytest.raises(UsageError, match="the shares of found"):
        make_records(replace(default_truth(), find_rate=dict.fromkeys(GROUPS, 1.2)))
    with pytest.raises(UsageError, match="is not a month"):
        make_records(months=["2023-13"])
    with pytest.raises(UsageError, match="ask for at least 1"):
        make_forces(0)
