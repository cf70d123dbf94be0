"""The codelists hold every label of the real vocabulary, under the scheme that defines it, and keep every old one."""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disprop.codelists import (
    ANY,
    ANY_SCHEME,
    BLANK,
    FOLDER,
    NONE,
    NOT_STATED,
    SCHEMES,
    UNMAPPED,
    code_lookup,
    codelist,
    codelists,
    crosswalk,
    force_code,
    forces,
    labels,
    nearest,
    normalise,
    ons_codes,
)
from disprop.errors import CodelistMismatch, UsageError
from disprop.records import AXES, FORCE_AXES, KINDS, SEARCH, AxisSpec, Kind
from disprop.tallies import OPEN

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs" / "codelists.md"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def packaged(name: str) -> list[dict[str, str]]:
    return table(FOLDER / f"{name}.csv")


def code(name: str, label: str | None, scheme: str = "police.uk") -> str:
    return codelist(name).codes[code_lookup(name, scheme, [label])[0]]


# The tables are sound ----------------------------------------------------------------------------------------------


def test_every_codelist_has_a_version_a_title_and_codes() -> None:
    assert set(codelists()) == {row["codelist"] for row in packaged("codes")}
    for row in packaged("codelists"):
        assert row["version"].count(".") == 1
        assert row["title"]
        assert row["source"]


@pytest.mark.parametrize("name", codelists())
def test_codes_are_unique_and_groups_come_before_unknowns(name: str) -> None:
    this = codelist(name)
    assert len(set(map(normalise, this.codes))) == len(this)
    order = ["group", "apart", "unknown", "record"]
    assert list(this.kinds) == sorted(this.kinds, key=order.index)
    assert "unknown" in this.kinds


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_axis_of_labels_counts_in_a_codelist_that_can_say_blank_and_unmapped(kind: Kind) -> None:
    for spec in kind.axes:
        if spec.by_label and spec.name not in OPEN:
            assert {BLANK, UNMAPPED} <= set(codelist(spec.codelist).unknowns), spec.name


@pytest.mark.parametrize("spec", [axis for axis in FORCE_AXES if axis.multi], ids=lambda spec: spec.name)
def test_every_list_of_items_can_say_unmapped_any_and_none(spec: AxisSpec) -> None:
    this = codelist(spec.codelist)
    assert this.is_multi
    assert UNMAPPED in this.unknowns
    assert this.codes[-2:] == (ANY, NONE)


def test_every_label_of_the_tables_names_a_scheme_and_a_code() -> None:
    for row in packaged("labels"):
        assert row["scheme"] in (*SCHEMES, ANY_SCHEME), row
        assert row["code"] in codelist(row["codelist"]).codes, row


def test_no_label_means_two_things_under_one_scheme() -> None:
    meanings = defaultdict(set)
    for row in packaged("labels"):
        for scheme in SCHEMES if row["scheme"] == ANY_SCHEME else (row["scheme"],):
            meanings[scheme, row["codelist"], normalise(row["label"])].add(row["code"])
    for name in codelists():
        for at, own in enumerate(codelist(name).codes):
            for scheme in SCHEMES:
                for label in (own, codelist(name).labels[at]):
                    meanings[scheme, name, normalise(label)].add(own)
    assert {key: found for key, found in meanings.items() if len(found) > 1} == {}


def test_every_crosswalk_is_total_and_names_codes_that_exist() -> None:
    rows = packaged("crosswalks")
    for row in rows:
        assert row["from_code"] in codelist(row["from_codelist"]).codes, row
        assert row["to_code"] in codelist(row["to_codelist"]).codes, row
    pairs = {(row["from_codelist"], row["to_codelist"]) for row in rows}
    assert {("ethnicity_19", "ethnicity_5"), ("age", "age_band"), ("outcome", "arrest")} <= pairs
    for source, target in pairs:
        walk = crosswalk(source, target)
        for own in codelist(source).codes:
            kinds = dict(zip(walk.target.codes, walk.target.kinds))
            assert walk[own] in kinds
            if own in walk.source.unknowns:
                assert kinds[walk[own]] == "unknown", (source, target, own)
    twice = Counter((r["from_codelist"], r["to_codelist"], r["from_code"]) for r in rows)
    assert max(twice.values()) == 1


def test_every_ons_code_is_one_ethnic_group() -> None:
    assert sorted(map(int, ons_codes())) == list(range(1, 20))
    assert set(ons_codes().values()) == set(codelist("ethnicity_19").groups)


# The vocabulary ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", table(HERE / "golden" / "codelist_labels.csv"), ids=lambda row: row["label"])
def test_every_known_label_has_its_code(row: dict[str, str]) -> None:
    assert code(row["codelist"], row["label"], row["scheme"]) == row["code"]


def test_every_old_label_stands() -> None:
    """A codelist version only appends: what version 1.0 understood is understood in the same way for good."""
    changed = []
    for row in table(HERE / "golden" / "codelist_labels_1_0.csv"):
        for scheme in SCHEMES if row["scheme"] == ANY_SCHEME else (row["scheme"],):
            if code(row["codelist"], row["label"], scheme) != row["code"]:
                changed.append((scheme, row))
    assert changed == []


@pytest.mark.parametrize(
    ("label", "pace2023", "old", "hmpps"),
    [
        ("O1", "Arab", "Chinese", "Chinese"),
        ("O2", UNMAPPED, UNMAPPED, "Arab"),
        ("O9", "Any other", "Any other", "Any other"),
        ("W4", "Roma", UNMAPPED, UNMAPPED),
        ("W5", UNMAPPED, UNMAPPED, "Roma"),
        ("W3", "Gypsy or Irish Traveller", UNMAPPED, "Gypsy or Irish Traveller"),
        ("A4", "Chinese", UNMAPPED, UNMAPPED),
        ("NS", NOT_STATED, NOT_STATED, NOT_STATED),
        ("N2", NOT_STATED, NOT_STATED, NOT_STATED),
        ("IC3", UNMAPPED, UNMAPPED, UNMAPPED),
    ],
)
def test_a_short_code_means_what_its_scheme_says(label: str, pace2023: str, old: str, hmpps: str) -> None:
    assert [code("ethnicity_19", label, s) for s in ("pace2023", "16+1", "hmpps")] == [pace2023, old, hmpps]
    assert code("ethnicity_19", label, "police.uk") == UNMAPPED


def test_chinese_by_an_old_code_is_asian_and_arab_by_the_new_one_is_other() -> None:
    assert code("ethnicity_5", "O1", "16+1") == "Asian"
    assert code("ethnicity_5", "O1", "pace2023") == "Other"
    assert code("ethnicity_5", "Chinese or other ethnic group - Chinese (O1)") == "Asian"
    assert code("ethnicity_5", "Chinese or other ethnic group - Chinese (O1)", "pace2023") == "Asian"


@pytest.mark.parametrize(
    ("label", "group"),
    [("IC1", "White"), ("IC2", "White"), ("ic3", "Black"), ("IC4", "Asian"), ("IC5", "Asian"), ("IC6", "Other")]
    + [("IC9", NOT_STATED), ("IC7", UNMAPPED)],
)
def test_officer_defined_codes_are_read_under_pnc_only(label: str, group: str) -> None:
    assert code("ethnicity_5", label, "pnc") == group
    assert code("ethnicity_5", label, "police.uk") == UNMAPPED


def test_a_broad_group_says_nothing_of_the_detail() -> None:
    assert code("ethnicity_19", "White") == UNMAPPED
    assert code("ethnicity_19", "Black or Black British", "home-office") == UNMAPPED


def test_not_stated_is_never_the_other_group() -> None:
    for name in ("ethnicity_5", "ethnicity_19"):
        assert code(name, "Other ethnic group - Not stated") == NOT_STATED
        assert NOT_STATED in codelist(name).unknowns


@pytest.mark.parametrize("label", ["N/A - vehicle search", "Vehicle only"])
def test_a_vehicle_in_the_ethnicity_column_has_no_person(label: str) -> None:
    assert code("ethnicity_5", label, "home-office") == BLANK
    assert code("search_type", label, "home-office") == "Vehicle search"


@pytest.mark.parametrize("spec", [s for s in AXES if s.by_label and s.name not in OPEN], ids=lambda spec: spec.name)
def test_blank_is_blank_and_a_strange_label_is_unmapped(spec) -> None:
    for scheme in SCHEMES:
        assert [code(spec.codelist, label, scheme) for label in (None, "", "  ")] == [BLANK] * 3
        assert code(spec.codelist, "Martian", scheme) == UNMAPPED


def test_a_list_without_those_codes_says_unknown() -> None:
    assert code("any_find", "Martian") == code("any_find", None) == "unknown"
    assert code("force", "Martian") == code("force", None) == "unknown"


def test_case_and_white_space_do_not_matter() -> None:
    assert code("ethnicity_19", "  white -   IRISH ") == "White Irish"
    assert code("legislation", "environmental protection act 1990 (section 34B )").endswith("(section 34B)")


@given(st.text())
def test_normalising_twice_is_normalising_once(label: str) -> None:
    assert normalise(normalise(label)) == normalise(label)


@pytest.mark.parametrize(
    ("spellings", "flag"),
    [
        (("True", "true", "1", "1.0", "yes", "Y", "YES"), "yes"),
        (("False", "false", "0", "0.0", "no", "N"), "no"),
        (("", None), BLANK),
        (("2", "maybe"), UNMAPPED),
    ],
)
def test_flags_have_three_states_and_a_fourth_for_what_is_neither(spellings: tuple, flag: str) -> None:
    assert {code("flag", spelling) for spelling in spellings} == {flag}


def test_an_age_band_that_a_spreadsheet_took_for_a_date() -> None:
    assert code("age_band", "Oct-17") == "10-17"


# Outcomes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "outcome_class", "any_find", "arrest"),
    [
        ("Arrest", "positive", "unknown", "yes"),
        ("Suspect arrested", "positive", "unknown", "yes"),
        ("Khat or Cannabis warning", "positive", "unknown", "no"),
        ("Offender given drugs possession warning", "positive", "unknown", "no"),
        ("Local resolution", "positive", "unknown", "no"),
        ("A no further action disposal", "no_action", "unknown", "no"),
        ("Nothing found - no further action", "no_action", "no", "no"),
        ("false", "no_action", "no", "no"),
        ("Suspected psychoactive substances seized - No further action", "no_action", "yes", "no"),
        ("Article found - Detailed outcome unavailable", "unknown", "yes", "unknown"),
        ("", "unknown", "unknown", "unknown"),
        ("Given a stern look", "unknown", "unknown", "unknown"),
    ],
)
def test_what_an_outcome_tells(label: str, outcome_class: str, any_find: str, arrest: str) -> None:
    outcome = code("outcome", label)
    found = [crosswalk("outcome", to)[outcome] for to in ("outcome_class", "any_find", "arrest")]
    assert found == [outcome_class, any_find, arrest]


def test_every_no_further_action_label_is_no_action() -> None:
    walk = crosswalk("outcome", "outcome_class")
    found = {label: walk[own] for label, own in labels("outcome", "police.uk").items() if "no further action" in label}
    assert len(found) >= 4
    assert set(found.values()) == {"no_action"}


# Forces ------------------------------------------------------------------------------------------------------------


def test_the_forces() -> None:
    assert set(forces()) - {force.code for force in forces().values() if force.pfa_code} == {
        "btp",
        "northern-ireland",
        "synthetic-shire",
    }
    area_codes = {force.pfa_code for force in forces().values()} - {""}
    assert area_codes == {f"E230000{n:02d}" for n in range(1, 40)} | {f"W1500000{n}" for n in range(1, 5)}
    assert codelist("force").codes == (*forces(), "unknown")
    assert codelist("force").unknowns == ("unknown",)
    assert not [force.name for force in forces().values() if set(force.name) & set("&,")]
    assert [force.name for force in forces().values()] == [codelist("force").label(own) for own in forces()]


def test_every_force_answers_to_its_code_name_and_area_code() -> None:
    for own, force in forces().items():
        assert {force_code(name) for name in (own, force.name, force.name.upper(), force.pfa_code or own)} == {own}


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("London, City of", "city-of-london"),
        ("Devon & Cornwall", "devon-and-cornwall"),
        ("Hampshire and Isle of Wight", "hampshire"),
        ("Metropolitan Police Service", "metropolitan"),
        ("British Transport Police", "btp"),
        ("Avon and Somerset Constabulary", "avon-and-somerset"),
        ("Police Service of Northern Ireland", "northern-ireland"),
        ("unknown", "unknown"),
    ],
)
def test_names_that_sources_use_for_forces(name: str, own: str) -> None:
    assert force_code(name) == own


# Refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda: force_code("West Midland"), "did you mean 'west-midlands'"),
        (lambda: force_code(""), "no force ''"),
        (lambda: codelist("ethnicity19"), "did you mean 'ethnicity_19'"),
        (lambda: labels("ethnicity_19", "18+1"), "did you mean '16\\+1'"),
        (lambda: codelist("gender").index("male"), "did you mean 'Male'"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest(wrong, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        wrong()


def test_nothing_near_lists_what_there_is() -> None:
    assert nearest("zzz", ["one", "two"]) == "; known: one, two"


def test_lists_that_have_no_crosswalk_are_refused_by_name() -> None:
    with pytest.raises(CodelistMismatch, match="no crosswalk from gender to force for: Male"):
        crosswalk("gender", "force")


# The real files ----------------------------------------------------------------------------------------------------

COLUMNS = {column.police_uk: column for column in SEARCH if column.dtype == "label" and column.police_uk}
LISTS = {spec.column: "ethnicity_19" if spec.column == "ethnicity_self" else spec.codelist for spec in AXES}


def real_vocabulary(folder: Path) -> dict[str, set[str]]:
    found = defaultdict(set)
    for path in sorted(folder.glob("police_uk*/**/*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = next(rows)
            wanted = [(i, COLUMNS[name].name) for i, name in enumerate(header) if name in COLUMNS]
            for row in rows:
                for i, name in wanted:
                    found[name].add(row[i])
    for path in sorted(folder.glob("police_uk_api/*.json")):
        for record in json.loads(path.read_text(encoding="utf-8")):
            for column in COLUMNS.values():
                if "." not in column.api and record[column.api] is not None:
                    found[column.name].add(str(record[column.api]))
    return {name: seen for name, seen in found.items() if name in LISTS}


@pytest.mark.real
def test_every_label_of_the_real_files_is_mapped(real_data: Path) -> None:
    vocabulary = real_vocabulary(real_data)
    assert {name: len(seen) for name, seen in vocabulary.items()} == {
        "search_type": 3,
        "operation": 3,
        "gender": 4,
        "age_band": 6,
        "ethnicity_self": 37,
        "ethnicity_officer": 6,
        "legislation": 20,
        "object": 17,
        "outcome": 15,
        "linked": 3,
        "more_thorough": 5,
    }
    strange = {
        (name, label) for name, seen in vocabulary.items() for label in seen if code(LISTS[name], label) == UNMAPPED
    }
    assert strange == set()


# The page ----------------------------------------------------------------------------------------------------------


def test_the_page_names_every_codelist_with_its_version_and_every_scheme() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for name, version in codelists().items():
        assert f"`{name}` | {version} |" in page, name
    for scheme in SCHEMES:
        assert f"`{scheme}`" in page, scheme
