"""The review sheet: what one reviewer fills in, as CSV or as an accessible spreadsheet."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from disprop.audit.cells import guarded
from disprop.audit.drawing import SAMPLE
from disprop.audit.drawn import Drawn, stratum_numbers
from disprop.audit.frame import RECORD_ID, FrameColumns, as_text_table, one_column, record_ids
from disprop.audit.questions import QUESTIONS, SHEET_COLUMNS, Question, check_questions
from disprop.errors import InputRefused, UsageError

STATUSES = ("reviewed", "could not be reviewed", "out of scope")
SHEET_NAME = "Review"
HEADER_ROW = 3  # of the spreadsheet: the title and one line of guidance stand above

GUIDANCE = (
    "Answer every question for every row whose role is sample. Leave a cell blank if you have not come to it yet.",
    "status: reviewed, could not be reviewed, or out of scope. The last two need a reason.",
    "A record without video is not out of scope: it stays in the sample, with what can be answered.",
    "Use a reserve only when a record of the same list number is out of scope, in the order of its place.",
    "Write anything else in the comment: it is always kept.",
)


def sheet_rows(
    drawn: Drawn,
    *,
    reviewer: str,
    questions: Sequence[Question] = QUESTIONS,
    records: Any = None,
    show: Sequence[str] = (),
    second_share: float | None = None,
    salt: bytes | None = None,
) -> list[list[str]]:
    """The sheet as rows of text, header first.

    Rows come in the order of their tickets, so that the order tells nothing; then the reserves, list by list. The
    strata are not shown. `show` names columns of `records` (time, place) that the reviewer needs to find the record.
    One that the sheet has too, such as place, is headed "place of the record". `second_share` makes a second reviewer's
    sheet: the first so many of each stratum, which are a random part because tickets are random; no reserves. `salt` is
    needed to show columns of records without an id.

    Raises: InputRefused when a drawn record is not among `records`; UsageError for a blank reviewer.
    """
    if not reviewer.strip():
        raise UsageError("a sheet needs the reviewer's name or initials")
    check_questions(questions)
    own = [*SHEET_COLUMNS[:7], *(question.key for question in questions), "comment"]
    header = [*own[:4], *_headings(show, own), *own[4:]]
    shown = _shown(drawn, records, show, salt)
    blanks = [""] * (len(questions) + 3)
    rows = [
        [str(number), str(place), role, record_id, *shown.get(record_id, ()), reviewer, *blanks]
        for number, place, role, record_id in _ordered(drawn, second_share)
    ]
    return [header, *rows]


def write_sheet(
    drawn: Drawn,
    path: str | Path,
    *,
    reviewer: str,
    questions: Sequence[Question] = QUESTIONS,
    records: Any = None,
    show: Sequence[str] = (),
    second_share: float | None = None,
    salt: bytes | None = None,
) -> None:
    """Write `sheet_rows` to a .csv or .xlsx file (the latter needs the extra `disprop[spreadsheet]`).

    Raises: UsageError for another ending or a file that is there already: a filled-in sheet is never overwritten.
    """
    rows = sheet_rows(
        drawn,
        reviewer=reviewer,
        questions=questions,
        records=records,
        show=show,
        second_share=second_share,
        salt=salt,
    )
    path = Path(path)
    writers = {".csv": lambda: csv_bytes(rows), ".xlsx": lambda: _xlsx_bytes(rows, drawn.plan.period, questions)}
    if path.suffix.lower() not in writers:
        raise UsageError(f"{path.name} ends in {path.suffix!r}; a sheet is written as .csv or .xlsx")
    if path.exists():
        raise UsageError(f"{path} is there already and may be filled in: choose another name")
    path.write_bytes(writers[path.suffix.lower()]())


def csv_bytes(rows: Sequence[Sequence[str]]) -> bytes:
    """UTF-8 with a byte-order mark, so that Excel reads it as UTF-8; no cell can be taken for a formula."""
    text = io.StringIO()
    csv.writer(text).writerows([guarded(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _ordered(drawn: Drawn, second_share: float | None) -> list[tuple[int, int, str, str]]:
    columns = [drawn.list.column(name).to_pylist() for name in ("place", "role", RECORD_ID, "ticket")]
    rows = list(zip(stratum_numbers(drawn), *columns))
    if second_share is not None:
        sizes = {at: size.sample for at, size in enumerate(drawn.plan.sizes, 1)}
        rows = [row for row in rows if row[2] == SAMPLE and row[1] <= math.ceil(second_share * sizes[row[0]])]
    rows.sort(key=lambda row: (0, row[4]) if row[2] == SAMPLE else (1, f"{row[0]:09d}{row[1]:09d}"))
    return [row[:4] for row in rows]


def _shown(drawn: Drawn, records: Any, show: Sequence[str], salt: bytes | None) -> dict[str, list[str]]:
    if not show:
        return {}
    if records is None:
        raise UsageError("columns can be shown only when the records are given: give them too")
    key = drawn.plan.record_id
    table = as_text_table(records, None if key is None else [key, *show])
    ids = record_ids(table, FrameColumns(record_id=key), salt).to_pylist()
    drawn_ids = drawn.list.column(RECORD_ID).to_pylist()
    found = dict(zip(ids, zip(*(one_column(table, name).to_pylist() for name in show))))
    missing = [record_id for record_id in drawn_ids if record_id not in found]
    if missing:
        raise InputRefused(f"drawn record {missing[0]!r} is not among the records ({len(missing)} are not)")
    return {record_id: list(found[record_id]) for record_id in drawn_ids}


def _headings(show: Sequence[str], own: Sequence[str]) -> list[str]:
    """Headings of the columns shown; one that the sheet has too (place) is told apart, or nobody could read it back."""
    return [f"{name} of the record" if name.strip().lower() in own else name for name in show]


def _xlsx_bytes(rows: list[list[str]], period: str, questions: Sequence[Question]) -> bytes:
    import xlsxwriter

    memory = io.BytesIO()
    book = xlsxwriter.Workbook(memory, {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": False})
    book.set_properties({"title": f"Review sheet, {period}", "subject": "Audit of recorded grounds"})
    formats = {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "header": book.add_format({"bold": True, "text_wrap": True, "bottom": 1}),
        "text": book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"}),
    }
    _write_guidance(book.add_worksheet("Read me"), period, questions, formats)
    _write_review(book.add_worksheet(SHEET_NAME), rows, period, questions, formats)
    book.close()
    return memory.getvalue()


def _write_guidance(sheet: Any, period: str, questions: Sequence[Question], formats: dict[str, Any]) -> None:
    sheet.write_string(0, 0, f"How to fill in the review sheet, {period}", formats["title"])
    for row, line in enumerate(GUIDANCE, 1):
        sheet.write_string(row, 0, line)
    top = len(GUIDANCE) + 2
    table = [[question.key, question.words, ", ".join(question.answers)] for question in questions]
    _write_table(sheet, top, ["column", "question", "answers"], table, "questions", formats)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 90)
    sheet.set_column(2, 2, 36)


def _write_review(
    sheet: Any, rows: list[list[str]], period: str, questions: Sequence[Question], formats: dict[str, Any]
) -> None:
    header, *body = rows
    sheet.write_string(0, 0, f"Review sheet, {period}", formats["title"])
    sheet.write_string(1, 0, "One row for each record. The questions and how to answer them are on the sheet Read me.")
    _write_table(sheet, HEADER_ROW - 1, header, body, "review", formats)
    sheet.freeze_panes(HEADER_ROW, header.index("record_id") + 1)
    sheet.set_column(0, len(header) - 1, 16)
    sheet.set_column(header.index("reason"), header.index("reason"), 28)
    sheet.set_column(len(header) - 1, len(header) - 1, 60)
    last = HEADER_ROW + max(len(body), 1) - 1
    choices: list[tuple[str, Sequence[str], str]] = [("status", STATUSES, "How far the review came")]
    choices += [(question.key, question.answers, question.words) for question in questions]
    for name, answers, words in choices:
        column = header.index(name)
        sheet.data_validation(HEADER_ROW, column, last, column, _choice(name, answers, words))
    sheet.activate()


def _choice(name: str, answers: Sequence[str], words: str) -> dict[str, Any]:
    return {
        "validate": "list",
        "source": list(answers),
        "input_title": name[:32],
        "input_message": words[:255],
        "error_title": "Not one of the answers",
        "error_message": f"Choose one of: {', '.join(answers)}"[:255],
    }


def _write_table(
    sheet: Any, top: int, header: Sequence[str], body: Sequence[Sequence[str]], name: str, formats: dict[str, Any]
) -> None:
    """One marked-up table, every cell as text, so that 00123 stays 00123."""
    columns = [{"header": title, "header_format": formats["header"], "format": formats["text"]} for title in header]
    bottom = top + max(len(body), 1)
    sheet.add_table(top, 0, bottom, len(header) - 1, {"columns": columns, "name": name, "banded_rows": False})
    for row, cells in enumerate(body, top + 1):
        for column, text in enumerate(cells):
            if text:
                sheet.write_string(row, column, text, formats["text"])
            else:
                sheet.write_blank(row, column, None, formats["text"])
