"""What is said to bear on a report does, and what does not bear on it is not said."""

from dataclasses import replace

import pytest

from disprop.report.caveats import caveats, questions
from disprop.report.foot import NAMES, coverage_section, method, unknown
from disprop.report.words import RATIO_SAID
from tests.report import naive_report as naive
from tests.report.cases import case

ASKED = {
    "reasons": "For what reasons and under which powers",
    "where": "Where are searches made?",
    "unknown": "Why is ethnicity not known for",
    "finds": "Do find rates differ by what is searched for",
    "no finds": "Whether the item searched for was found is not known for",
    "flag": "What does the force mean by a linked outcome",
    "grounds": "Has a sample of records been read for reasonable grounds?",
    "children": "For each search of a child",
    "video": "How many searches were recorded on body-worn video",
    "holes": "What happened to the records of",
    "labels": "Can the force put right the rows and labels",
}
ALWAYS = {"unknown", "grounds", "children"}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("whole", {"where", "reasons", "finds", "flag"}),
        ("given", {"where", "reasons", "finds", "flag", "labels", "video"}),
        ("refused", {"where", "reasons", "no finds", "video", "labels"}),
        ("covered", {"where", "reasons", "no finds", "flag", "holes", "labels", "video"}),
        ("no residents", {"no finds", "flag", "labels", "video"}),
    ],
)
def test_questions_that_the_figures_raise(name, more):
    asked = [text for _, text in questions(case(name))]
    assert {key for key, start in ASKED.items() if any(text.startswith(start) for text in asked)} == ALWAYS | more
    assert len(asked) == len(ALWAYS | more)


def test_what_the_page_answers_is_not_asked():
    possession = "How many searches were for the possession of drugs alone?"
    assert not any(possession in text for _, text in questions(case("whole")))
    assert any(possession in text for _, text in questions(case("refused")))


def test_inside_areas_is_asked_only_where_it_is_not_shown():
    inputs = case("given")
    twin = inputs.results["rate_ratio"]
    within = replace(inputs, results=inputs.results | {"rate_ratio_within_areas": twin})
    asked = "Does the difference hold inside each area"
    assert any(asked in text for _, text in questions(inputs))
    assert not any(asked in text for _, text in questions(within))
    assert any("Does the difference hold among people of the same age" in text for _, text in questions(within))


def test_every_caveat_is_said_somewhere_and_has_a_name_of_its_own():
    said = {
        entry for name in ("whole", "few", "partial", "vanished", "refused", "small") for entry in caveats(case(name))
    }
    names = [name for name, _ in said]
    assert len(set(names)) == len(names)
    assert {"Residents", "Too few", "Missing months", "Missing labels", "Month to month", "Ethnicity not known"} <= set(
        names
    )


def test_the_city_is_flagged_by_its_own_caveat():
    city = replace(case("small"), force="city-of-london")
    assert "The City by day" in dict(caveats(city))
    assert "The City by day" not in dict(caveats(case("small")))


def test_public_files_are_spoken_of_only_where_they_were_read():
    other = replace(case("small"), dataset="force extract")
    assert "Records that are alike" in dict(caveats(case("small")))
    assert "Records that are alike" not in dict(caveats(other))


@pytest.mark.parametrize("name", ["whole", "given", "covered"])
def test_what_the_unknown_could_change_is_what_the_bounds_say(name):
    inputs = case(name)
    table = next(block for block in unknown(inputs).blocks if block.kind == "table" and block.name == "unknown")
    ratios = [row for row in inputs.rows("rate_ratio") if row["verdict"] in RATIO_SAID]
    assert ratios
    for row in ratios:
        said = f"{row['group']} {naive.bounds(row['bound_low'], row['bound_high'], naive.ratio)} times"
        assert said in table.rows[0][2]
    assert table.rows[0][1] == naive.count(ratios[0]["n_unknown"])
    find = inputs.one("linked_find_all")
    assert len(table.rows) == 1 + (find["n_unknown"] > 0)
    if find["n_unknown"]:
        said = naive.bounds(find["bound_low"], find["bound_high"], naive.percent)
        assert table.rows[1][2] == f"{said} of all searches"


def test_what_is_known_for_every_search_is_not_listed_as_unknown():
    inputs = case("given")
    known = {name: frame.assign(n_unknown=0) for name, frame in inputs.results.items()}
    blocks = unknown(replace(inputs, results=known)).blocks
    assert not [block for block in blocks if block.kind == "table" and block.name == "unknown"]


def test_notes_of_another_force_stay_out_and_months_are_named():
    inputs = case("small")
    note = "in another London month than its file: {} 2019-04 -> 2019-05"
    notes = {note.format("kent"): 2, note.format("west-midlands"): 3, "byte order mark": 1}
    blocks = coverage_section(replace(inputs, account=replace(inputs.account, notes=notes))).blocks
    table = next(block for block in blocks if block.kind == "table" and block.name == "notes")
    assert table.rows == (
        ("in the file of April 2019, but in May 2019 by UK time: counted in May 2019", "3"),
        ("byte order mark", "1"),
    )
    assert table.notes == (f"Counted over all {inputs.account.read} rows read, those left out among them.",)
    assert any("of other forces" in block.text for block in blocks if block.kind == "paragraph")


def test_every_interval_printed_has_its_method():
    shares = {"possession_only", "arrest", "linked_find", "more_thorough", "share_on_video", "positive_outcome"}
    inputs = case("whole")
    made = {name for name in shares if any(row["low"] is not None for row in inputs.rows(name))}
    assert "possession_only" in made
    table = next(block for block in method(inputs).blocks if block.kind == "table" and block.name == "methods")
    assert made <= {name for name, label in NAMES.items() if label in [row[0] for row in table.rows]}
