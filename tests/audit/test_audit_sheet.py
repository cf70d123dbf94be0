"""Sheets: no more than needed goes out; every value is checked and nothing written is lost on the way back."""

import csv
import hashlib
import io
import re
import zipfile
from dataclasses import replace

import pyarrow as pa
import pytest
from filling import everyone, fill, rows_of, write_xlsx
from invented_period import BEACON, SALT, VALUE, date

from disprop.audit.cells import read_cells
from disprop.audit.commitment import commit
from disprop.audit.drawn import draw
from disprop.audit.frame import FrameColumns
from disprop.audit.planning import plan
from disprop.audit.questions import QUESTIONS, Question, check_questions, measures, read_questions
from disprop.audit.reviews import problems_bytes, read_sheet, reviews_bytes
from disprop.audit.sheet import write_sheet
from disprop.errors import InputRefused, UsageError


@pytest.fixture
def sheet(drawn, tmp_path):
    path = tmp_path / "a.csv"
    write_sheet(drawn, path, reviewer="A")
    return path


def edited(sheet, name, cells):
    """A copy of the sheet in which the first row of the sample has these cells."""
    header, rows = rows_of(sheet)
    for column, value in cells.items():
        rows[0][header.index(column)] = value
    path = sheet.with_name(name)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_sheet_shows_no_group_and_all_of_the_list(drawn, tmp_path, suffix):
    path = tmp_path / f"sheet{suffix}"
    write_sheet(drawn, path, reviewer="A")
    header, rows = rows_of(path)
    assert header[:4] == ["list", "place", "role", "record_id"]
    assert header[4:7] == ["reviewer", "status", "reason"]
    assert header[7:-1] == [question.key for question in QUESTIONS]
    assert sorted(row[3] for row in rows) == sorted(drawn.list.column("record_id").to_pylist())
    assert not {"White", "Black", "North", "South"} & {cell for row in rows for cell in row}
    roles = [row[2] for row in rows]
    assert roles == sorted(roles, key=lambda role: role == "reserve")


def test_rows_stand_in_the_order_of_their_tickets(drawn, sheet):
    _, rows = rows_of(sheet)
    ticket = dict(zip(drawn.list.column("record_id").to_pylist(), drawn.list.column("ticket").to_pylist()))
    tickets = [ticket[row[3]] for row in rows if row[2] == "sample"]
    assert tickets == sorted(tickets)
    assert len({row[0] for row in rows[:12]}) > 1


def test_shown_columns_help_to_find_the_record(drawn, period, tmp_path):
    write_sheet(drawn, tmp_path / "s.csv", reviewer="A", records=period, show=("time",))
    header, rows = rows_of(tmp_path / "s.csv")
    times = dict(zip(period.column("record_id").to_pylist(), period.column("time").to_pylist()))
    assert header[4] == "time"
    assert all(row[4] == times[row[3]] for row in rows)
    with pytest.raises(UsageError, match="when the records are given"):
        write_sheet(drawn, tmp_path / "t.csv", reviewer="A", show=("time",))
    gone = drawn.list.column("record_id")[0].as_py()
    rest = period.filter(pa.compute.not_equal(period.column("record_id"), gone))
    with pytest.raises(InputRefused, match=f"'{gone}' is not among the records"):
        write_sheet(drawn, tmp_path / "t.csv", reviewer="A", records=rest, show=("time",))


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_shown_column_that_the_sheet_has_too_is_told_apart(drawn, period, tmp_path, suffix):
    """The records say where a search was, the sheet where a record stands in its list; both are called place."""
    path, where = tmp_path / f"s{suffix}", [f"High Street {i}" for i in range(len(period))]
    records = period.append_column("place", pa.array(where)).append_column("Status", pa.array(where))
    write_sheet(drawn, path, reviewer="A", records=records, show=("time", "place", "Status"))
    header, rows = rows_of(path)
    assert header[4:8] == ["time", "place of the record", "Status of the record", "reviewer"]
    assert rows[0][5] == dict(zip(period.column("record_id").to_pylist(), where))[rows[0][3]]
    found = read_sheet(path, drawn=drawn)
    assert (len(found.problems), len(found.accepted)) == (0, len(rows))


def test_the_second_reviewer_gets_a_random_part_of_each_stratum(drawn, made, tmp_path):
    write_sheet(drawn, tmp_path / "b.csv", reviewer="B", second_share=0.25)
    _, rows = rows_of(tmp_path / "b.csv")
    for number, size in enumerate(made.sizes, 1):
        places = sorted(int(row[1]) for row in rows if row[0] == str(number))
        assert places == list(range(1, -(-size.sample // 4) + 1))


def test_a_filled_in_sheet_is_never_overwritten(drawn, sheet):
    with pytest.raises(UsageError, match="may be filled in"):
        write_sheet(drawn, sheet, reviewer="A")
    with pytest.raises(UsageError, match=r"written as \.csv or \.xlsx"):
        write_sheet(drawn, sheet.with_suffix(".pdf"), reviewer="A")
    with pytest.raises(UsageError, match="name or initials"):
        write_sheet(drawn, sheet.with_name("x.csv"), reviewer=" ")


def test_the_spreadsheet_is_accessible(drawn, tmp_path):
    """A title, marked-up tables, no merged cells, choices with the question's words, a frozen header."""
    path = tmp_path / "s.xlsx"
    write_sheet(drawn, path, reviewer="A")
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name).decode() for name in book.namelist()}
    assert "Review sheet, 2024-03" in parts["docProps/core.xml"]
    assert sum(name.startswith("xl/tables/table") for name in parts) == 2
    review = parts["xl/worksheets/sheet2.xml"]
    assert "mergeCell" not in review
    assert 'state="frozen"' in review
    assert review.count("<dataValidation ") == len(QUESTIONS) + 1
    assert QUESTIONS[1].words in review
    assert all(question.words in parts["xl/sharedStrings.xml"] for question in QUESTIONS)


@pytest.mark.parametrize(("written", "filled"), [(".csv", ".csv"), (".xlsx", ".xlsx"), (".csv", ".xlsx")])
def test_round_trip(drawn, made, tmp_path, written, filled):
    source, target = tmp_path / f"out{written}", tmp_path / f"back{filled}"
    write_sheet(drawn, source, reviewer="A")
    fill(source, target, everyone(grounds_reasonable="Yes ", object_told="no", comment='said "ok",\nthen left – é'))
    found = read_sheet(target, drawn=drawn)
    assert found.problems == ()
    done = [review for review in found.accepted if review.status]
    assert len(done) == made.sample
    assert {review.status for review in done} == {"reviewed"}
    assert {review.answers["grounds_reasonable"] for review in done} == {"yes"}
    assert {review.answers["copy_offered"] for review in done} == {""}
    assert {review.comment for review in done} == {'said "ok",\nthen left – é'}
    assert {review.record_id for review in found.accepted} == set(drawn.list.column("record_id").to_pylist())


def test_reviews_written_are_read_again(drawn, sheet, tmp_path):
    fill(sheet, tmp_path / "f.csv", everyone(grounds_reasonable="no", comment="x"))
    first = read_sheet(tmp_path / "f.csv", drawn=drawn)
    (tmp_path / "reviews.csv").write_bytes(reviews_bytes(first, drawn))
    again = read_sheet(tmp_path / "reviews.csv", drawn=drawn)
    strip = [(r.record_id, r.reviewer, r.status, r.answers, r.comment) for r in first.accepted]
    assert [(r.record_id, r.reviewer, r.status, r.answers, r.comment) for r in again.accepted] == strip


@pytest.mark.parametrize(
    ("cells", "where", "words"),
    [
        ({"grounds_reasonable": "perhaps"}, "H (grounds_reasonable)", "not one of the answers: write yes, no"),
        ({"status": "done"}, "F (status)", "not one of the answers: write reviewed"),
        ({"status": "could not be reviewed"}, "G (reason)", "needs a reason"),
        ({"status": "out of scope"}, "G (reason)", "needs a reason"),
        ({"status": "reviewed", "reviewer": ""}, "E (reviewer)", "initials are missing"),
        (
            {"status": "out of scope", "reason": "vehicle", "object_told": "yes"},
            "F (status)",
            "kept, but not counted",
        ),
    ],
)
def test_a_wrong_value_is_named_by_row_and_column(drawn, sheet, cells, where, words):
    found = read_sheet(edited(sheet, "wrong.csv", cells | {"comment": "mine"}), drawn=drawn)
    assert [(problem.row, problem.column) for problem in found.problems] == [(2, where)]
    assert words in found.problems[0].words
    assert str(found.problems[0]).startswith(f"wrong.csv, row 2, column {where}: ")
    assert found.accepted[0].comment == "mine"


def test_the_rest_of_a_row_with_a_wrong_value_is_kept(drawn, sheet):
    path = edited(sheet, "x.csv", {"grounds_reasonable": "??", "object_told": "yes", "comment": "see log"})
    review = read_sheet(path, drawn=drawn).accepted[0]
    assert (review.answers["grounds_reasonable"], review.answers["object_told"]) == ("", "yes")
    assert (review.status, review.comment) == ("reviewed", "see log")


def test_row_numbers_are_those_of_the_spreadsheet(drawn, sheet, tmp_path):
    header, rows = rows_of(sheet)
    rows[4][header.index("object_told")] = "maybe"
    write_xlsx(tmp_path / "x.xlsx", [header, *rows])
    assert read_sheet(tmp_path / "x.xlsx", drawn=drawn).problems[0].row == 8
    csv_path = tmp_path / "y.csv"
    rows[0][-1] = "a comment\nover two lines"
    with csv_path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    assert read_sheet(csv_path, drawn=drawn).problems[0].row == 6


def test_a_record_that_is_not_in_the_list_is_set_aside_with_its_comment(drawn, sheet):
    found = read_sheet(edited(sheet, "x.csv", {"record_id": "zzz", "comment": "do not lose me"}), drawn=drawn)
    assert found.set_aside[0].comment == "do not lose me"
    assert "not in the list that was drawn" in found.problems[0].words
    assert b"do not lose me" in problems_bytes(found)


def test_a_spreadsheet_that_ate_the_leading_zeros_is_named(drawn, sheet, tmp_path):
    header, rows = rows_of(sheet)
    record_id = rows[0][3]
    rows = [[int(cell) if header[at] == "record_id" else cell for at, cell in enumerate(row)] for row in rows]
    write_xlsx(tmp_path / "x.xlsx", [header, *rows])
    found = read_sheet(tmp_path / "x.xlsx", drawn=drawn)
    assert f"'{record_id}' is: the spreadsheet changed it" in found.problems[0].words
    assert len(found.set_aside) == len(rows)


def test_columns_added_by_a_reviewer_go_into_the_comment(drawn, sheet, tmp_path):
    header, rows = rows_of(sheet)
    rows[0] = [*rows[0], "the video is at the desk"]
    with (tmp_path / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[*header, "Where"], *rows])
    found = read_sheet(tmp_path / "x.csv", drawn=drawn)
    assert found.accepted[0].comment == "[where] the video is at the desk"
    assert "kept with the comment" in found.problems[0].words


def test_text_beyond_the_header_is_kept_too(drawn, sheet, tmp_path):
    header, rows = rows_of(sheet)
    rows[0] = [*rows[0], "", "far right"]
    with (tmp_path / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    assert "far right" in read_sheet(tmp_path / "x.csv", drawn=drawn).accepted[0].comment


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_encodings(drawn, sheet, tmp_path, separator):
    header, rows = rows_of(sheet)
    rows[0][-1] = "café"
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([header, *rows])
    (tmp_path / "x.csv").write_bytes(text.getvalue().encode("cp1252"))
    found = read_sheet(tmp_path / "x.csv", drawn=drawn)
    assert found.accepted[0].comment == "café"
    assert found.problems == ()


def test_two_states_of_one_sheet_are_merged_and_contradictions_set_aside(drawn, sheet):
    early = edited(sheet, "early.csv", {"grounds_reasonable": "yes", "comment": "first look"})
    late = edited(sheet, "late.csv", {"grounds_reasonable": "yes", "object_told": "no", "comment": "second look"})
    review = read_sheet(early, late, drawn=drawn).accepted[0]
    assert (review.answers["object_told"], review.comment) == ("no", "first look / second look")
    other = edited(sheet, "other.csv", {"grounds_reasonable": "no", "comment": "changed my mind"})
    found = read_sheet(early, other, drawn=drawn)
    assert found.accepted[0].answers["grounds_reasonable"] == "yes"
    assert found.set_aside[0].comment == "changed my mind"
    assert "early.csv, row 2 says otherwise" in found.problems[0].words


def test_two_reviewers_of_one_record_are_both_kept(drawn, sheet):
    a = edited(sheet, "x.csv", {"grounds_reasonable": "yes"})
    b = edited(sheet, "y.csv", {"grounds_reasonable": "no", "reviewer": "B"})
    found = read_sheet(a, b, drawn=drawn)
    assert found.problems == ()
    assert {review.reviewer for review in found.accepted if review.status} == {"A", "B"}


def test_a_question_that_was_deleted_is_named(drawn, sheet, tmp_path):
    header, rows = rows_of(sheet)
    at = header.index("copy_offered")
    with (tmp_path / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows([row[:at] + row[at + 1 :] for row in [header, *rows]])
    found = read_sheet(tmp_path / "x.csv", drawn=drawn)
    assert found.problems[0].column == "copy_offered"
    assert "missing" in found.problems[0].words


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.csv", b"a,b\n1,2\n", "no header row"),
        ("x.csv", b"", "no header row"),
        ("x.csv", b"record_id,reviewer,status,status\n", "'status' occurs more than once"),
        ("x.xlsx", b"not a zip", "not a whole spreadsheet"),
        ("x.docx", b"", "a filled-in sheet is"),
    ],
)
def test_a_file_that_is_no_sheet_is_refused(drawn, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputRefused, match=words):
        read_sheet(tmp_path / name, drawn=drawn)
    with pytest.raises(InputRefused, match="cannot be read"):
        read_sheet(tmp_path / "none.csv", drawn=drawn)


def test_spreadsheet_cells_as_text(tmp_path):
    write_xlsx(tmp_path / "x.xlsx", [["a", 5, 2.5, True, ""]], above=0)
    assert read_cells(tmp_path / "x.xlsx", sheet_name="Review") == [(1, ["a", "5", "2.5", "yes"])]


def test_an_open_document_sheet_is_read(drawn, tmp_path):
    record_id = drawn.list.column("record_id")[0].as_py()
    rows = [["record_id", "reviewer", "status", "comment"], [record_id, "A", "reviewed", "seen"]]
    cells = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>' for cell in row
        )
        + "</table:table-row>"
        for row in rows
    )
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0"?><office:document-content {spaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="Review">{cells}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    with zipfile.ZipFile(tmp_path / "x.ods", "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr("META-INF/manifest.xml", '<?xml version="1.0"?><manifest/>')
        book.writestr("content.xml", content)
    found = read_sheet(tmp_path / "x.ods", drawn=drawn)
    assert (found.accepted[0].record_id, found.accepted[0].comment) == (record_id, "seen")


def test_questions_from_a_file(tmp_path, drawn):
    path = tmp_path / "q.toml"
    path.write_text(
        '[[question]]\nkey = "force_needed"\nwords = "Was the force needed?"\n'
        'answers = ["yes", "no", "does not apply"]\nunknown = []\nnot_applicable = ["does not apply"]\n'
    )
    questions = read_questions(path)
    assert measures(questions[0]) == [("force_needed", ("yes",))]
    write_sheet(drawn, tmp_path / "s.csv", reviewer="A", questions=questions)
    assert rows_of(tmp_path / "s.csv")[0][-2:] == ["force_needed", "comment"]


@pytest.mark.parametrize(
    ("questions", "words"),
    [
        ((), "no question"),
        ((Question("a", "?"), Question("a", "?")), "used twice"),
        ((Question("status", "?"),), "is a column of the sheet"),
        ((Question("a", "?", answers=("x",)),), "'yes' is not among"),
        ((Question("a", "?", counted=("yes",), unknown=("yes",)),), "choose one"),
    ],
)
def test_questions_that_contradict_themselves(questions, words):
    with pytest.raises(UsageError, match=words):
        check_questions(questions)


@pytest.mark.parametrize("content", ["[[question]]\nkey = 1", "= =", '[[question]]\nkey = "a"\nwords = "b"\nother = 1'])
def test_a_broken_list_of_questions(tmp_path, content):
    (tmp_path / "q.toml").write_text(content)
    with pytest.raises(InputRefused, match=r"q\.toml"):
        read_questions(tmp_path / "q.toml")


def test_every_usual_question_is_asked():
    """Besides the grounds: object told, copy offered, video, source of grounds, smell of cannabis."""
    keys = " ".join(question.key for question in QUESTIONS)
    for word in ("grounds_reasonable", "object", "copy", "video", "grounds_source", "cannabis"):
        assert re.search(word, keys)


@pytest.mark.parametrize(
    "written", ["=1+1", "'=1+1", "-5 minutes late", "+44", "@home", "' - so", "'quoted'", "''", "-"]
)
def test_a_csv_cell_is_never_a_formula_and_comes_back_as_it_was(drawn, sheet, tmp_path, written):
    reviews = read_sheet(edited(sheet, "b.csv", {"comment": "x"}), drawn=drawn)
    said = replace(reviews.accepted[0], comment=written, reason=written)
    lodged = tmp_path / "reviews.csv"
    lodged.write_bytes(reviews_bytes(replace(reviews, accepted=(said,)), drawn))
    cells = list(csv.reader(io.StringIO(lodged.read_text("utf-8-sig"))))[1]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    back = read_sheet(lodged, drawn=drawn).accepted[0]
    assert (back.comment, back.reason) == (written, written)


@pytest.mark.parametrize("written", ["=1+1", "-5 minutes late", "@home"])
def test_what_a_reviewer_typed_unguarded_is_kept(drawn, sheet, written):
    reviews = read_sheet(edited(sheet, "b.csv", {"comment": written}), drawn=drawn)
    assert reviews.accepted[0].comment == written


def test_records_without_an_id_can_be_shown_to_the_reviewer(tmp_path):
    """Their ids are digests of the rows, so the reviewer needs the time and place to find them."""
    records = pa.table({"time": [f"12:{at:02}" for at in range(40)], "grounds": ["seen"] * 40})
    columns = FrameColumns(record_id=None)
    made = plan(records, period="2024-03", columns=columns, sample=5)
    commit(made, records, ledger=tmp_path / "l", beacon=BEACON, salt=SALT, committed_on=date(2))
    drawn = draw(tmp_path / "l", beacon_value=VALUE)
    path = tmp_path / "s.csv"
    write_sheet(drawn, path, reviewer="A", records=records, show=["time"], salt=SALT)
    header, rows = rows_of(path)
    line = {row[header.index("record_id")]: row[header.index("time")] for row in rows}
    for record_id, time in line.items():
        assert record_id == hashlib.sha256(SALT + f"{time},seen".encode()).hexdigest()[:32] + "-1"
    with pytest.raises(UsageError, match="salt"):
        write_sheet(drawn, tmp_path / "t.csv", reviewer="A", records=records, show=["time"])
