"""The Metropolitan layout: every column, every tactic, the highest use of a CED, and an account of every row."""

import random
from collections import Counter

import naive_force
import pytest
from met_files import layout, tactics, write

import disprop as dp
from disprop.errors import InputRefused, UsageError
from disprop.io.force.files import read_force_files
from disprop.io.force.met import LAYOUT

CODES = {
    "Compliant handcuffing": "Compliant handcuffing", "Non-compliant handcuffing": "Non-compliant handcuffing",
    "Ground restraint": "Ground restraint", "Limb / Body restraints": "Limb/body restraints",
    "Total Unarmed skills": "Unarmed skills", "Spit and bite guard": "Spit and bite guard", "Shield": "Shield",
    "Dog deployed": "Dog deployed", "Dog bite": "Dog bite", "Other / improvised": "Other/improvised",
    "Irritant spray - drawn": "Irritant spray drawn", "Irritant spray - used": "Irritant spray used",
    "Baton drawn": "Baton drawn", "Baton used": "Baton used", "CED Drawn": "CED drawn", "CED Aimed": "CED aimed",
    "CED Red-dot": "CED red-dot", "CED Arced": "CED arced", "CED Drive-stun": "CED drive-stun",
    "CED Angle-drive stun": "CED angle-drive stun", "CED Fired": "CED fired", "AEP drawn": "AEP drawn",
    "excluded from tactic totals": "Tactical communication",
}  # fmt: skip
FIREARMS = {"Firearm Aimed": "Firearm aimed", "Firearm Fired": "Firearm fired"}


def counted(path, axis, **how):
    tally = dp.tally(dp.read_met_force(path, **how), by=[axis])
    return {code: tally[{axis: code}] for code in tally.axis(axis).codes if tally[{axis: code}]}


def test_the_layout_is_the_published_one():
    assert list(LAYOUT) == layout()
    assert len(LAYOUT) == 271


@pytest.mark.parametrize("row", tactics(), ids=lambda row: row["mps_tactic"])
def test_each_of_the_27_tactics_has_the_code_of_the_home_office(tmp_path, row):
    path = write(tmp_path / "force.csv", {"Tactic 1": row["mps_tactic"]})
    code = FIREARMS.get(row["mps_tactic"]) or CODES[row["home_office_tactic"]]
    some = "none" if code == "Tactical communication" else "any"
    assert counted(path, "tactic") == {code: 1, some: 1}
    if some == "any":
        assert counted(path, "tactic_class") == {row["home_office_type_of_force"]: 1, "any": 1}


def test_all_twenty_tactics_and_every_flag_are_read(tmp_path):
    row = {
        "Tactic 1": "Shield", "Tactic 19": "Baton Drawn", "Tactic 20": "Dog Bite", "Tactic Effective 20": "Yes",
        "Impact Factor: Possesion of a weapon": "Yes", "Impact Factor: Acute Behavioural Disorder": "YES",
        "Reason for Force: Effect Search": "yes", "Outcome: Detained - Mental Health Act": "Yes",
    }  # fmt: skip
    path = write(tmp_path / "force.csv", row)
    assert counted(path, "tactic") == {"Shield": 1, "Baton drawn": 1, "Dog bite": 1, "any": 1}
    assert counted(path, "impact_factor") == {"Possession of a weapon": 1, "Acute behavioural disturbance": 1, "any": 1}
    assert counted(path, "reason") == {"Effect search": 1, "any": 1}
    assert counted(path, "force_outcome") == {"Detained under the Mental Health Act": 1, "any": 1}


def test_only_the_highest_use_of_a_ced_is_counted_whether_listed_or_flagged(tmp_path):
    words = {"drawn": "Drawn", "aimed": "Aimed", "red-dot": "Red-Dotted", "arced": "Arced", "drive stun": "Drive Stun",
             "fired": "Fired", "angle drive stun": "Angle Drive Stun"}  # fmt: skip
    codes = dict(zip(words, ("CED drawn", "CED aimed", "CED red-dot", "CED arced", "CED drive-stun", "CED fired",
                             "CED angle-drive stun")))  # fmt: skip
    rng, rows, expected, every = random.Random(3), [], Counter(), Counter()
    for _ in range(60):
        listed = rng.sample(list(words), rng.randint(0, 3))
        flagged = rng.sample(list(words), rng.randint(0, 2))
        row = {f"Tactic {i + 2}": f"CED (Taser) {words[use]}" for i, use in enumerate(listed)}
        n = rng.randint(1, 4)
        for use in flagged:
            word = f"ArCED{n}" if use == "arced" and n > 1 else words[use]
            row[f"CED{'' if n == 1 else n} {word}"] = "Yes"
        rows.append(row)
        uses = {*listed, *flagged}
        every.update(codes[use] for use in uses)
        if uses:
            expected[codes[naive_force.highest(uses)]] += 1
    path = write(tmp_path / "force.csv", *rows)
    beside = {"Compliant handcuffing": 60, "any": 60}
    assert counted(path, "tactic") == {**expected, **beside}
    assert counted(path, "tactic", ced="all") == {**every, **beside}


@pytest.mark.parametrize(
    ("row", "axis", "code"),
    [
        ({"PhysicalDisability": "Yes"}, "health", "Physical"),
        ({"MentalDisability": "Yes"}, "health", "Mental"),
        ({"PhysicalDisability": "Yes", "MentalDisability": "yes"}, "health", "Physical and mental"),
        ({}, "health", "None"),
        ({"MentalDisability": ""}, "health", "blank"),
        ({"StaffInjured": "Yes", "StaffInjuryLevel": "Severe"}, "officer_injury", "Severe"),
        ({"StaffInjured": "Yes"}, "officer_injury", "Severity not stated"),
        ({}, "officer_injury", "None"),
        ({"StaffInjured": ""}, "officer_injury", "blank"),
        ({"SubjectInjured": "No", "SubjectNatureOfInjury": "Minor"}, "person_injury", "Minor"),
        ({"SubjectInjured": "Yes", "SubjectNatureOfInjury": "Death"}, "person_injury", "Death"),
        ({"SubjectAge": "0 - 10"}, "age_band", "Under 11"),
        ({"SubjectAge": "11-17"}, "age_band", "11-17"),
        ({"SubjectAge": "2017-11-01 00:00:00"}, "age_band", "11-17"),
        ({"SubjectGender": "Transgender"}, "gender", "Other"),
        ({"SubjectEthnicity": "Chinese"}, "ethnicity_officer", "Asian"),
        ({"SubjectEthnicity": "Black (or Black British)"}, "ethnicity_officer", "Black"),
        ({"SubjectEthnicity": "Unknown"}, "ethnicity_officer", "not stated"),
        ({"SubjectEthnicity": "Don't know"}, "ethnicity_officer", "not stated"),
        ({"Borough": "Hammersmith & Fulham"}, "area", "E09000013"),
        ({"Borough": "Westminster"}, "area", "E09000033"),
    ],
)
def test_what_two_columns_say_and_how_values_are_read(tmp_path, row, axis, code):
    assert counted(write(tmp_path / "force.csv", row), axis) == {code: 1}


def test_times_are_by_the_clock_on_the_wall_and_every_row_is_accounted_for(tmp_path):
    rows = [
        {"IncidentDate": "30/04/2020", "IncidentTime": "23:30"},  # still April in London, May nowhere
        {"IncidentDate": "2020-05-01", "IncidentTime": "00:30"},  # 23:30 UTC of April
        {"IncidentDate": "soon"},
        {"IncidentDate": ""},
        {"SubjectGender": "Robot"},
    ]
    source = dp.read_met_force(write(tmp_path / "force.csv", *rows), quarantine=tmp_path / "aside.csv")
    tally = dp.tally(source, by=["gender"])
    assert {month: tally[{"month": month}] for month in tally.axis("month").codes} == {"2020-04": 2, "2020-05": 1}
    assert tally.account.read == 5
    assert sum(tally.account.quarantined.values()) == 2
    assert tally.account.unmapped == {"gender: Robot": 1}
    assert (tmp_path / "aside.csv").read_text().count("\n") == 3


def test_windows_1252_and_the_right_spelling_are_read_alike(tmp_path):
    header = [name.replace("Possesion", "Possession") for name in layout()]
    row = {"Impact Factor: Possession of a weapon": "Yes", "PrimaryConduct": "caf\xe9"}
    right = write(tmp_path / "right.csv", row, header=header)
    assert counted(right, "impact_factor") == {"Possession of a weapon": 1, "any": 1}


def test_another_layout_is_refused_and_so_is_a_month_that_comes_twice(tmp_path):
    with pytest.raises(InputRefused, match="no column 'Tactic 20'"):
        list(
            dp.read_met_force(write(tmp_path / "a.csv", {}, header=[n for n in layout() if n != "Tactic 20"])).batches()
        )
    (tmp_path / "two").mkdir()
    write(tmp_path / "two" / "b.csv", {})
    write(tmp_path / "two" / "c.csv", {"SubjectGender": "Female"})
    with pytest.raises(InputRefused, match="2020-04"):
        list(dp.read_met_force(tmp_path / "two").batches())
    with pytest.raises(UsageError, match="not a choice"):
        dp.read_met_force(tmp_path / "a.csv", ced="lowest")


def test_the_layout_is_known_by_its_headers(tmp_path):
    met = write(tmp_path / "met.csv", {})
    plain = tmp_path / "plain.csv"
    plain.write_text("force,month,tactics,health,officer\nkent,2023-04,Shield,None,7\n")
    assert read_force_files(met).dataset == "met-force"
    tally = dp.tally(read_force_files(plain), by=["health"])
    assert tally[{"health": "None"}] == 1
    with pytest.raises(InputRefused, match="read them apart"):
        read_force_files(met, plain)


def test_nulls_of_a_parquet_file_are_blanks(tmp_path):
    import pyarrow.csv
    import pyarrow.parquet

    path = write(tmp_path / "met.csv", {"StaffInjured": "Yes"}, {"StaffInjured": "", "MentalDisability": ""})
    table = pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True))
    table = pyarrow.table({name: table[name].cast("string") for name in table.column_names})
    (tmp_path / "parquet").mkdir()
    pyarrow.parquet.write_table(table, tmp_path / "parquet" / "met.parquet")
    assert counted(tmp_path / "parquet", "officer_injury") == {"Severity not stated": 1, "blank": 1}
    assert counted(tmp_path / "parquet", "health") == {"None": 1, "blank": 1}
