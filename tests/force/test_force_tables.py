"""Published tables: each number once, every total checked, units apart; the real year to March 2019 in both forms."""

from pathlib import Path

import naive_force
import numpy as np
import pytest

import disprop as dp
from disprop.codelists import code_lookup, codelist
from disprop.errors import InputRefused, MultiChoiceError, UnitMismatch, UsageError
from disprop.tallies import load

HEAD = (
    "Police Force,Type of force,Tactic,White,Black (or Black British),Chinese,Don't know,Not reported,"
    "Number of times tactic reported"
)
TOTAL = "Total (excluding not reported and tactical communication)"


def table(force="Kent", scale=1):
    def row(kind, tactic, *n):
        n = [k * scale for k in n]
        return f'{force},"{kind}","{tactic}",{",".join(map(str, n))},{sum(n)}'

    return [
        row(TOTAL, "*Total Tactics", 23, 12, 1, 3, 1),
        row("Restraint", "*Total Restraint", 15, 6, 1, 0, 1),
        row("Restraint", "Handcuffing, of which", 12, 5, 1, 0, 0),
        row("Restraint", "Compliant handcuffing", 7, 3, 1, 0, 0),
        row("Restraint", "Not stated handcuffing", 5, 2, 0, 0, 0),
        row("Restraint", "Ground restraint", 3, 1, 0, 0, 1),
        row("Less lethal weapons", "*Total Less lethal weapons", 6, 5, 0, 3, 0),
        row("Less lethal weapons", "CED", 5, 3, 0, 3, 0),
        row("Less lethal weapons", "AEP, of which", 1, 2, 0, 0, 0),
        row("Less lethal weapons", "AEP aimed", 1, 2, 0, 0, 0),
        row("Firearms", "*Total Firearms", 2, 1, 0, 0, 0),
        row("Not reported", "*Total Not reported", 4, 0, 0, 0, 0),
        row("Tactical communication", "Tactical communication", 9, 9, 0, 0, 1),
    ]


def written(path, rows, head=HEAD):
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


@pytest.fixture
def small(tmp_path):
    return written(tmp_path / "april2018-march2019.csv", [*table("Kent"), *table("Devon & Cornwall", 2)])


def test_each_number_is_counted_once_and_each_unit_apart(small):
    found = dp.read_force_tables(small)
    classes, groups = naive_force.class_totals(small.read_text())
    assert found.tactics.unit == "tactics"
    assert found.tactics.total == sum(groups.values()) == 3 * 40
    by_class = found.tactics.project(["tactic"]).recode("tactic", "tactic_class")
    for name in ("Restraint", "Less lethal weapons", "Firearms"):
        assert by_class[{"tactic": name}] == classes[name]
    assert found.apart.unit == "force reports"
    assert {code: found.apart[{"tactic": code}] for code in found.apart.axis("tactic").codes} == {
        "Tactical communication": classes["Tactical communication"],
        "not stated": classes["Not reported"],
    }
    assert found.tactics.account.excluded == {"tactical communication is not force": 57, "no tactic reported": 12}


def test_groups_of_2018_19_go_where_the_codelist_says(small):
    tactics = dp.read_force_tables(small).tactics
    assert tactics[{"ethnicity_officer": "Asian"}] == 3
    assert tactics[{"ethnicity_officer": "not stated"}] == 3 * 4
    assert tactics[{"tactic": "CED not stated"}] == 3 * 11
    assert tactics[{"tactic": "AEP drawn"}] == 3 * 3
    assert tactics[{"tactic": "Firearm not stated"}] == 3 * 3
    assert tactics[{"force": "devon-and-cornwall"}] == 80


def test_a_year_is_no_month_and_the_scope_says_which(small, tmp_path):
    found = dp.read_force_tables(small)
    assert found.year == "2018/19"
    assert "month" not in found.tactics.names
    other = written(tmp_path / "other.csv", table())
    with pytest.raises(UsageError, match="which year"):
        dp.read_force_tables(other)
    assert dp.read_force_tables(other, year="2021/22").tactics.scope.first == (2021 - 1970) * 12 + 3
    with pytest.raises(UsageError, match="2018/19"):
        dp.read_force_tables(other, year="2018/20")


def test_the_same_table_is_never_added_to_itself_and_units_never_mix(small):
    found = dp.read_force_tables(small)
    with pytest.raises(Exception, match="both sides"):
        found.tactics + found.tactics
    with pytest.raises(UnitMismatch, match=r"tactics .* cannot be added to force reports"):
        found.tactics + found.apart
    with pytest.raises(UnitMismatch, match="this tally counts tactics"):
        dp.compliant_handcuffing_share(found.tactics)
    assert found.tactics.project(["force"]).total == found.tactics.total  # uses add up over tactics
    reports = dp.tally(
        dp.read_frame({"month": ["2023-04"], "tactics": ["Shield"]}, force="kent", kind="force_report"), by=["tactic"]
    )
    with pytest.raises(MultiChoiceError):
        reports.project(["force"])  # reports do not


def test_a_tally_of_tactics_is_kept_and_comes_back(small, tmp_path):
    tactics = dp.read_force_tables(small).tactics
    tactics.save(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet") == tactics


def test_the_long_form_gives_the_same(small, tmp_path):
    wide = small.read_text().splitlines()
    names = wide[0].split(",")[3:-1]
    rows = []
    for i, name in enumerate(names):
        for line in wide[1:]:
            import csv

            cells = next(csv.reader([line]))
            rows.append(f'"{cells[2]}",{cells[0]},"{cells[1]}",x,{name},{cells[3 + i]}.0')
    head = "Tactic,Police Force,Force type - Output,Tactic - Output,ethnicity,count"
    long = written(tmp_path / "april2018-march2019-melted.csv", rows, head)
    one, other = dp.read_force_tables(small), dp.read_force_tables(long)
    assert np.array_equal(one.tactics.counts, other.tactics.counts)
    assert np.array_equal(one.apart.counts, other.apart.counts)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('*Total Restraint",15', '*Total Restraint",16', "its rows come to 15"),
        ('*Total Tactics",23', '*Total Tactics",22', "its rows come to 23"),
        ('CED",5', 'CED",-', "'-' is not a count"),
        ('CED",5', 'CED",5.5', "'5.5' is not a count"),
        ('CED",5,3,0,3,0,11', 'CED",5,3,0,3,0,12', "its rows come to 11"),
        ("Kent", "Camelot", "'Camelot' is no police force"),
        ("Not reported,Number", "Unheard of,Number", "no table of uses of tactics by force and ethnicity_officer"),
    ],
)
def test_a_table_that_is_not_whole_is_refused(tmp_path, old, new, message):
    text = "\n".join([HEAD, *table()]) + "\n"
    assert old in text
    path = tmp_path / "april2018-march2019.csv"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputRefused, match=message):
        dp.read_force_tables(path)


def test_england_and_wales_is_checked_and_never_counted(tmp_path):
    rows = [*table("Total England and Wales", 3), *table("Kent"), *table("Essex", 2)]
    path = written(tmp_path / "april2018-march2019.csv", rows)
    assert dp.read_force_tables(path).tactics.total == 120
    with pytest.raises(InputRefused, match="the forces come to"):
        dp.read_force_tables(written(path, [*table("Total England and Wales", 3), *table("Kent")]))


def test_a_later_layout_with_uses_named_under_their_device(tmp_path):
    """2019/20: `CED, of which`, then Drawn, Fired, Not stated; Chinese is within Asian, Don't know is gone."""
    head = (
        "Police force,Type of force,Tactic,White,Asian (or Asian British),Not reported,Number of times tactic reported"
    )
    rows = [
        "Kent,Less lethal weapons,Total Less lethal weapons,10,3,0,13",
        'Kent,Less lethal weapons,"CED, of which",9,2,0,11',
        "Kent,Less lethal weapons,Drawn,4,1,0,5",
        "Kent,Less lethal weapons,Fired,3,0,0,3",
        "Kent,Less lethal weapons,Not stated,2,1,0,3",
        'Kent,Less lethal weapons,"AEP, of which",1,1,0,2',
        "Kent,Less lethal weapons,AEP used,1,0,0,1",
        "Kent,Less lethal weapons,AEP not stated,0,1,0,1",
        'Kent,Other,"Dog use, of which",2,0,0,2',
        "Kent,Other,Dog bite,1,0,0,1",
        "Kent,Other,Not stated,1,0,0,1",
    ]
    tactics = dp.read_force_tables(written(tmp_path / "uof.csv", rows, head), year="2019/20").tactics
    counted = {code: tactics[{"tactic": code}] for code in tactics.axis("tactic").codes if tactics[{"tactic": code}]}
    assert counted == {
        "CED drawn": 5, "CED fired": 3, "CED not stated": 3, "AEP used": 1, "AEP not stated": 1, "Dog bite": 1,
        "Dog not stated": 1,
    }  # fmt: skip


def test_a_tactic_that_nobody_knows_is_counted_and_listed(tmp_path):
    rows = [*table(), "Kent,Other,Bolas,1,0,0,0,0,1", "Kent,Other,*Total Other,1,0,0,0,0,1"]
    rows[0] = f'Kent,"{TOTAL}","*Total Tactics",24,12,1,3,1,41'
    tactics = dp.read_force_tables(written(tmp_path / "april2018-march2019.csv", rows)).tactics
    assert tactics[{"tactic": "unmapped"}] == 1
    assert tactics.account.unmapped == {"tactic: Bolas": 1}


def test_every_wording_of_the_lists_of_2019_20_has_its_code():
    import csv

    lists = {
        "tactic": "tactic", "perceived_age": "force_age_band", "perceived_gender": "gender",
        "perceived_ethnicity": "ethnicity_5", "perceived_health_condition": "health",
        "reason_for_force": "force_reason",
        "impact_factor": "impact_factor", "outcome": "force_outcome", "officer_injury_level": "injury",
        "person_injury_level": "injury",
    }  # fmt: skip
    with (Path(__file__).parent.parent / "golden" / "force_lists.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["field"] in lists]
    for row in rows:
        if naive_force.sums_up(row["value"]) and row["value"] not in ("Total Unarmed skills", "Total Firearms"):
            continue
        name = lists[row["field"]]
        code = codelist(name).codes[code_lookup(name, "home-office", [row["value"]])[0]]
        assert code != "unmapped", row
        if row["field"] == "tactic" and row["type_of_force"] not in ("Not reported", "Tactical communication"):
            classes = codelist("tactic_class")
            assert classes.codes[code_lookup("tactic_class", "home-office", [row["value"]])[0]] == row["type_of_force"]


@pytest.mark.parametrize("by", [[], ["force", "tactic"]])
def test_a_published_year_gives_ratios_and_no_verdict_by_limits_that_are_too_narrow(tmp_path, by):
    tactics = dp.read_force_tables(written(tmp_path / "april2018-march2019.csv", table(scale=50))).tactics
    ratios = dp.force_ratio(tactics, dp.census(2021, by=["force", "ethnicity_self"]), by=by, perceived=True)
    given = ratios[ratios["estimate"] > 1.25]
    assert len(given)
    assert set(given["point_against_band"]) == {"above"}
    assert given["low"].notna().all()
    assert set(ratios["verdict"].dropna()) <= {"not computable", "too few to say"}
    judged = ratios["verdict"].isna()
    assert ratios.loc[judged, "verdict_holds"].isna().all()
    assert ratios["flag"].str.contains("no verdict: how wide").tolist() == judged.tolist()
    assert judged.any()


# The real year ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(real_data):
    folder = real_data / "use_of_force"
    if not folder.is_dir():
        pytest.skip("no published tables of force in the folder of real files")
    return folder


ODS = "police-use-of-force-apr2018-mar2019-hosb3319-tables.ods"


@pytest.mark.real
def test_the_spreadsheet_and_both_row_tables_give_630_793_tactics_in_six_classes(published):
    tables = [
        dp.read_force_tables(published / name)
        for name in (ODS, "april2018-march2019.csv", "april2018-march2019-melted.csv")
    ]
    for other in tables[1:]:
        assert np.array_equal(other.tactics.counts, tables[0].tactics.counts)
        assert np.array_equal(other.apart.counts, tables[0].apart.counts)
    tactics, apart = tables[0].tactics, tables[0].apart
    assert tactics.total == 630_793
    classes = tactics.project(["tactic"]).recode("tactic", "tactic_class")
    assert {code: classes[{"tactic": code}] for code in classes.axis("tactic").codes if classes[{"tactic": code}]} == {
        "Restraint": 401_025, "Unarmed skills": 144_709, "Other equipment": 30_025, "Less lethal weapons": 22_804,
        "Firearms": 4_525, "Other": 27_705,
    }  # fmt: skip
    assert (apart[{"tactic": "not stated"}], apart[{"tactic": "Tactical communication"}]) == (1_729, 203_141)
    groups = ("White", "Black", "Asian", "Mixed", "Other", "not stated")
    assert {code: tactics[{"ethnicity_officer": code}] for code in groups} == {
        "White": 447_337, "Black": 94_222, "Asian": 35_817 + 1_234, "Mixed": 13_736, "Other": 11_157,
        "not stated": 25_539 + 1_751,
    }  # fmt: skip
    naive, _ = naive_force.class_totals((published / "april2018-march2019.csv").read_text(encoding="utf-8-sig"))
    assert naive["Restraint"] == 401_025


@pytest.mark.real
@pytest.mark.parametrize("by", ["age_band", "gender", "health"])
def test_the_other_groups_of_the_spreadsheet_give_the_same_tactics(published, by):
    one = dp.read_force_tables(published / ODS)
    other = dp.read_force_tables(published / ODS, by=by)
    assert np.array_equal(
        one.tactics.project(["force", "tactic"]).counts, other.tactics.project(["force", "tactic"]).counts
    )


@pytest.mark.real
@pytest.mark.parametrize("by", ["force", "ethnicity_officer", "age_band", "gender", "health"])
def test_reports_of_the_year_are_427_725(published, by):
    reports = dp.read_force_reports(published / ODS, by=by)
    assert (reports.unit, reports.total) == ("force reports", 427_725)


@pytest.mark.real
def test_reasons_are_counted_as_reasons_not_as_reports(published):
    reasons = dp.read_force_reports(published / ODS, by="reason")
    assert (reasons.unit, reasons[{"reason": "Effect search"}]) == ("reasons", 106_292)


@pytest.mark.real
def test_black_people_by_tactic_against_the_census(published):
    tactics = dp.read_force_tables(published / ODS).tactics
    ratios = dp.force_ratio(tactics, dp.census(2021, by=["force", "ethnicity_self"]), by=[], perceived=True)
    black = ratios[ratios["ethnicity_officer"] == "Black"].iloc[0]
    residents = dp.census(2021, by=["force", "ethnicity_self"])
    white, people = (residents[{"ethnicity_self": group}] for group in ("White", "Black"))
    assert black["estimate"] == pytest.approx((94_222 / people) / (447_337 / white), rel=1e-12)
    assert black[["verdict", "verdict_holds"]].isna().all()
    assert black["point_against_band"] == "above"
    assert "no verdict" in black["flag"]
    assert "perceived ethnicity against self-described Census" in black["flag"]
    assert ratios[ratios["ethnicity_officer"] == "Mixed"]["estimate"].isna().all()


@pytest.mark.real
def test_what_the_page_says_of_the_published_year(published):
    tactics = dp.read_force_tables(published / ODS).tactics
    residents = dp.census(2021, by=["force", "ethnicity_self"])
    by_force = dp.force_ratio(tactics, residents, by=["force"], perceived=True)
    black = by_force[by_force["ethnicity_officer"] == "Black"].set_index("force")
    assert set(black["point_against_band"]) == {"above"}
    assert black.index[black["verdict"].notna()].tolist() == []
    assert black.loc["north-wales", "numerator"] == 12
    assert black.loc["sussex", ["bound_low", "bound_high"]].round(1).tolist() == [2.9, 116.8]
    by_class = dp.force_ratio(tactics, residents, by=["tactic_class"], perceived=True)
    black = by_class[by_class["ethnicity_officer"] == "Black"].set_index("tactic_class")["estimate"].round(1)
    assert black.to_dict() == {
        "Restraint": 4.5, "Unarmed skills": 3.6, "Other equipment": 3.5, "Less lethal weapons": 5.9, "Firearms": 9.7,
        "Other": 3.3,
    }  # fmt: skip
    rates = dp.force_rate(tactics, residents, by=["force", "ethnicity_officer"], perceived=True)
    white = rates[rates["ethnicity_officer"] == "White"].set_index("force")["estimate"].round(1)
    assert (white["gloucestershire"], white["cleveland"]) == (2.3, 24.1)
