"""A proposed mapping needs only the listed edits: shuffled, renamed columns of every kind, judged by the truth."""

import csv
from collections import Counter

import pytest
from edits import made
from invented_extracts import invented

from disprop.errors import UsageError
from disprop.io.mapping.check import check_mapping
from disprop.io.mapping.columns import parse_mapping
from disprop.io.mapping.extracts import read_mapped
from disprop.io.mapping.propose import propose_mapping
from disprop.keys import KeyedHash
from disprop.plan import tally
from disprop.synthetic.encounters import TABLES
from disprop.synthetic.extracts import HEADINGS, write_encounters

KEY = KeyedHash(b"an invented secret")
ANSWERS = {
    "force": '"kent"',
    "scheme": '"pace2023"',
    "time_zone": '"Europe/London"',
    "date_formats": '["%d/%m/%Y %H:%M"]',
}
COUNTED = {
    "search": ("gender", "ethnicity_self", "ethnicity_officer", "legislation", "object", "outcome", "linked"),
    "force_report": ("gender", "ethnicity_officer", "officer_injury", "person_injury", "video_recorded"),
    "custody": ("gender", "ethnicity_self", "age_band"),
    "footage": (),
}
CASES = [(kind, seed, naming) for kind in COUNTED for seed in range(2) for naming in ("known", "mangled", "opaque")]


@pytest.fixture(scope="module")
def encounters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encounters")
    write_encounters(folder, months=["2023-06"])
    return folder


def settled(made_up, path, **options):
    proposal = propose_mapping(path, **options)
    text = made(proposal, ANSWERS, made_up.is_what, made_up.items, {})
    return parse_mapping(text)


@pytest.mark.parametrize(("kind", "seed", "naming"), CASES)
def test_a_proposal_needs_only_the_listed_edits(tmp_path, kind, seed, naming):
    made_up = invented(kind, seed=seed, naming=naming, flags=kind == "force_report")
    path = tmp_path / "extract.csv"
    path.write_text(made_up.text(), encoding="utf-8")
    mapping = settled(made_up, path, kind=kind)
    found = check_mapping(mapping, path)
    assert found.complete, list(found.lines())
    assert mapping.columns == made_up.is_what
    assert {header: (column, item) for column, flags in mapping.items.items() for header, item in flags.items()} == (
        made_up.items
    )
    judge(made_up, read_mapped(path, mapping=mapping, key=KEY))


def judge(made_up, source, *, years=False):
    """Every tally equals the truth of what was invented."""
    for axis in COUNTED[made_up.kind]:
        assert counts(tally(source, by=[axis]), axis) == truth(made_up, axis)
    assert counts(tally(source, by=[]), None) == truth(made_up, None)
    if years:
        assert counts(tally(source, by=["age_band"]), "age_band") == truth(made_up, "age_band:years")
    if made_up.items:
        for axis, column in (("tactic", "tactics"), ("impact_factor", "impact_factors"), ("reason", "reasons")):
            found = counts(tally(source, by=[axis]), axis)
            assert {key: n for key, n in found.items() if key[1] not in ("any", "none")} == Counter(
                (record["month"], item) for record in made_up.truth for item in record[column]
            )
            some = Counter((record["month"], "any" if record[column] else "none") for record in made_up.truth)
            assert {key: n for key, n in found.items() if key[1] in ("any", "none")} == some


@pytest.mark.parametrize(
    "how",
    [{"years": True}, {"apart": True, "formats": "%d/%m/%Y"}, {"years": True, "apart": True, "formats": "%d-%m-%Y"}],
)
def test_ages_in_years_and_dates_apart_from_times(tmp_path, how):
    made_up = invented("search", seed=7, **how)
    path = tmp_path / "extract.csv"
    path.write_text(made_up.text(), encoding="utf-8")
    mapping = settled(made_up, path)
    assert mapping.columns == made_up.is_what
    assert check_mapping(mapping, path).complete
    judge(made_up, read_mapped(path, mapping=mapping, key=KEY), years="years" in how)


@pytest.mark.parametrize("written", [{"delimiter": ";", "encoding": "utf-8-sig"}, {"delimiter": "\t", "end": "\r\n"},
                                     {"delimiter": "|", "encoding": "cp1252"}, {"encoding": "utf-16"}])  # fmt: skip
def test_however_the_file_is_written(tmp_path, written):
    made_up = invented("custody", seed=3)
    made_up.header[:] = [name.replace("Remarks", "Remarks \u2013 caf\u00e9") for name in made_up.header]
    path = tmp_path / "extract.csv"
    encoding = written.pop("encoding", "utf-8")
    path.write_bytes(made_up.text(**written).encode(encoding))
    mapping = settled(made_up, path)
    judge(made_up, read_mapped(path, mapping=mapping, key=KEY))


@pytest.mark.parametrize("kind", COUNTED)
def test_the_kind_is_told_by_the_columns(tmp_path, kind):
    for seed in range(5):
        made_up = invented(kind, seed=seed, n=60, flags=kind == "force_report")
        path = tmp_path / f"{seed}.csv"
        path.write_text(made_up.text(), encoding="utf-8")
        assert propose_mapping(path).placed.kind.name == kind


def test_columns_that_fit_two_kinds_are_asked_about(tmp_path):
    path = tmp_path / "extract.csv"
    path.write_text("Collar No,Sex\n4412,M\n4413,F\n")
    with pytest.raises(UsageError, match="--kind"):
        propose_mapping(path)


def test_telling_names_leave_few_columns_unplaced(tmp_path):
    unplaced, wrong = 0, []
    for kind in COUNTED:
        for seed in range(20, 26):
            made_up = invented(kind, seed=seed, n=60, flags=kind == "force_report")
            path = tmp_path / f"{kind}{seed}.csv"
            path.write_text(made_up.text(), encoding="utf-8")
            placed = propose_mapping(path, kind=kind).placed
            wrong += [
                (header, target) for header, target in placed.columns.items() if made_up.is_what.get(header) != target
            ]
            unplaced += len(set(made_up.is_what) & set(placed.unplaced))
    assert wrong == []
    assert unplaced == 6  # of 270: the incident of each extract of force reports, whose names may mean its reference


@pytest.mark.parametrize(
    "header",
    ["Incident URN", "Incident number", "Incident Ref", "IncidentLogNo", "Incident", "CAD ref", "Occurrence no"],
)
@pytest.mark.parametrize("beside", ["Form URN", "Remarks"])
def test_a_name_that_may_mean_two_columns_is_asked_about_with_both(tmp_path, header, beside):
    """Also where another column is surely the reference: the answer may be that this is the exact one."""
    path = tmp_path / "extract.csv"
    path.write_text(f"Collar No,{beside},{header}\n" + "".join(f"44{i},A{i},B-23-{i}\n" for i in range(10, 40)))
    proposal = propose_mapping(path, kind="force_report")
    assert header not in proposal.placed.columns
    (edit,) = [edit for edit in proposal.edits if edit.key == ("columns", header)]
    assert set(edit.answers[:2]) == {"incident", "reference"}
    assert "its name may mean incident or reference" in edit.question


@pytest.mark.parametrize(
    ("kind", "header", "both"),
    [
        ("footage", "ID", {"media", "reference"}),
        ("search", "Subject Ethnicity", {"ethnicity_self", "ethnicity_officer"}),
    ],
)
def test_other_names_of_two_meanings(tmp_path, kind, header, both):
    path = tmp_path / "extract.csv"
    values = ("White", "Black") if kind == "search" else ("A7731", "A7732")
    path.write_text(f"Officer id,{header}\n4412,{values[0]}\n4413,{values[1]}\n")
    (edit,) = [edit for edit in propose_mapping(path, kind=kind).edits if edit.key == ("columns", header)]
    assert set(edit.answers[:2]) == both


@pytest.mark.parametrize("kind", ["search", "force_report", "footage", "custody"])
def test_with_its_edits_the_invented_force_has_its_references_and_its_tally(encounters, kind):
    """A force that writes the exact reference under `Incident URN`: nothing may be placed on its own, and wrongly."""
    path = next(encounters.glob(f"*/{TABLES[kind]}-2023-06.csv"))
    truth = {part: name for name, heading in HEADINGS[kind].items() for part in heading.split("|")}
    when = HEADINGS[kind]["event_time"].split("|")
    truth |= dict(zip(when, ("event_time:date", "event_time:time"))) if len(when) > 1 else {}
    proposal = propose_mapping(path, kind=kind)
    assert {header: name for header, name in proposal.placed.columns.items() if truth[header] != name} == {}
    assert proposal.placed.columns.get("LPA") == (None if kind == "footage" else "command_unit")
    zone = "UTC" if kind == "footage" else "Europe/London"
    answers = {"force": '"kent"', "scheme": '"pace2023"', "time_zone": f'"{zone}"'}
    source = read_mapped(path, mapping=parse_mapping(made(proposal, answers, truth, {}, {})), key=KEY)
    raw = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    found = [one for batch in source.batches() for one in batch["reference"].to_pylist()]
    references = [row[HEADINGS[kind]["reference"]] for row in raw]
    assert found == [KEY.hash(word, of="reference") if word else None for word in references]
    of_people = [row for row in raw if row.get("Search Type") != "Vehicle search"]
    assert sum(counts(tally(source, by=[]), None).values()) == len(of_people)
    assert sum(one is not None for one in found) > 100


def test_mangled_names_are_left_open_rather_than_placed_wrongly(tmp_path):
    wrong, unplaced, columns = [], 0, 0
    for kind in COUNTED:
        for seed in range(30, 35):
            made_up = invented(kind, seed=seed, naming="mangled", n=60)
            path = tmp_path / f"{kind}{seed}.csv"
            path.write_text(made_up.text(), encoding="utf-8")
            placed = propose_mapping(path, kind=kind).placed
            wrong += [
                (header, target) for header, target in placed.columns.items() if made_up.is_what.get(header) != target
            ]
            unplaced += len(set(made_up.is_what) & set(placed.unplaced))
            columns += len(made_up.is_what)
    assert wrong == []
    assert unplaced < 0.1 * columns


def test_a_date_of_birth_is_never_the_date_of_a_record(tmp_path):
    path = tmp_path / "extract.csv"
    path.write_text("Collar No,DOB,Search power\n4412,13/04/1990,S1 PACE\n")
    proposal = propose_mapping(path, kind="search")
    assert proposal.placed.columns == {"Collar No": "officer", "Search power": "legislation"}
    assert proposal.placed.unplaced == {"DOB": []}


def test_day_and_month_are_asked_about_only_where_both_readings_fit(tmp_path):
    path = tmp_path / "extract.csv"
    path.write_text("Search Date,Sex\n03/04/2019,M\n05/06/2019,F\n")
    asked = {edit.key for edit in propose_mapping(path, kind="search").edits}
    assert ("date_formats",) in asked
    path.write_text("Search Date,Sex\n03/04/2019,M\n25/06/2019,F\n")
    proposal = propose_mapping(path, kind="search")
    assert ("date_formats",) not in {edit.key for edit in proposal.edits}
    assert 'date_formats = ["%d/%m/%Y"]' in proposal.text


def test_nothing_is_asked_that_the_file_says(tmp_path):
    """Times with an offset need no time zone, labels in words no code scheme, a column of forces no force."""
    path = tmp_path / "extract.csv"
    path.write_text("Force,Search Date Time,SDE\nKent,2023-01-05T10:00:00Z,White - Irish\n")
    assert propose_mapping(path, kind="search").edits == []
    path.write_text("Force,Search Date Time (UTC),SDE\nKent,2023-01-05 10:00:00,White - Irish\n")
    assert 'time_zone = "UTC"' in propose_mapping(path, kind="search").text


@pytest.mark.parametrize("codes", [("W1", "O1"), ("W4", "B1"), ("W5", "A1")])
def test_ambiguous_codes_are_never_guessed(tmp_path, codes):
    path = tmp_path / "extract.csv"
    path.write_text("Search Date,SDE\n" + "".join(f"2023-01-05,{code}\n" for code in codes))
    assert [edit.key for edit in propose_mapping(path, kind="search").edits] == [("force",), ("scheme",)]


def test_a_value_nobody_knows_is_listed_with_its_rows(tmp_path):
    path = tmp_path / "extract.csv"
    path.write_text("Force,Search Date,Sex\n" + "Kent,2023-01-05,M\n" * 3 + "Kent,2023-01-05,Robot\n" * 2)
    proposal = propose_mapping(path, kind="search")
    assert [(edit.key, "2 rows" in edit.question) for edit in proposal.edits] == [(("values", "gender", "Robot"), True)]
    assert '"M" = "Male"' in proposal.text
    text = made(proposal, {}, {}, {}, {("gender", "Robot"): "Other"})
    assert check_mapping(parse_mapping(text), path).complete


def test_no_value_of_an_uncoded_column_stands_in_the_text(tmp_path):
    made_up = invented("search", seed=5, naming="opaque")
    path = tmp_path / "extract.csv"
    path.write_text(made_up.text(), encoding="utf-8")
    text = propose_mapping(path, kind="search").text
    assert [one for one in (*made_up.identifiers, "Ann Example", "spoke to") if one in text] == []


def test_the_tables_of_usual_names_and_values_are_understood():
    from disprop.codelists import labels, normalise
    from disprop.io.mapping.evidence import known_names, known_values
    from disprop.io.mapping.place import targets
    from disprop.records import KINDS

    for kind, target, _ in known_names():
        for one in KINDS.values() if kind == "*" else [KINDS[kind]]:
            fits = target in {known.name for known in targets(one)}
            assert fits or kind == "*", (kind, target)
    for name, values in known_values().items():
        assert [label for label in values.values() if label and normalise(label) not in labels(name, "police.uk")] == []


def counts(tallied, axis):
    frame = tallied.frame()
    keys = zip(frame["month"], frame[axis]) if axis else zip(frame["month"])
    return dict(zip(keys, frame["n"]))


def truth(made_up, axis):
    return Counter((record["month"], record[axis]) if axis else (record["month"],) for record in made_up.truth)
