"""Reading filled-in sheets: every value is checked, every problem has a row and a column, nothing written is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from disprop.audit.cells import Row, column_letter, read_cells
from disprop.audit.drawn import Drawn, stratum_numbers
from disprop.audit.frame import RECORD_ID
from disprop.audit.questions import QUESTIONS, SHEET_COLUMNS, Question, check_questions
from disprop.audit.sheet import SHEET_NAME, STATUSES, csv_bytes
from disprop.errors import InputRefused

REVIEWED, NOT_REVIEWED, OUT_OF_SCOPE = STATUSES


class Problem(NamedTuple):
    """One thing that is wrong in a sheet: where it stands, what stands there, and what to do."""

    file: str
    row: int
    column: str
    value: str
    words: str

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}, column {self.column}: {self.value!r}: {self.words}"


@dataclass(frozen=True)
class Review:
    """One reviewer's row for one record. Blank status: not come to yet."""

    record_id: str
    reviewer: str
    status: str
    reason: str
    answers: dict[str, str]
    comment: str
    file: str = ""
    row: int = 0


@dataclass(frozen=True)
class Reviews:
    """What was read: reviews that belong to the draw, rows set aside with all that was written in them, problems."""

    accepted: tuple[Review, ...]
    set_aside: tuple[Review, ...]
    problems: tuple[Problem, ...]
    questions: tuple[Question, ...]

    @property
    def reviewers(self) -> list[str]:
        return list(dict.fromkeys(review.reviewer for review in self.accepted))


def read_sheet(*paths: str | Path, drawn: Drawn, questions: Sequence[Question] = QUESTIONS) -> Reviews:
    """Reviews from one or more filled-in sheets (several reviewers, or one reviewer's sheet in several states).

    Corner cases. A blank answer is an answer not given yet. Upper case and outer spaces do not matter. A wrong value
    is named and left blank; the rest of its row is kept. A row whose record is not in the list, or that contradicts
    an earlier row of the same reviewer, is set aside whole, comment included. Text in columns that the sheet did
    not have is added to the comment. A row with answers and no status counts as reviewed.

    Raises: InputRefused when a file has no header row with record_id, reviewer and status.
    """
    check_questions(questions)
    known = dict.fromkeys(drawn.list.column(RECORD_ID).to_pylist())
    problems: list[Problem] = []
    accepted: dict[tuple[str, str], Review] = {}
    set_aside: list[Review] = []
    for path in paths:
        for review in _file_reviews(path, questions, problems):
            if review.record_id not in known:
                problems.append(_unknown_record(review, list(known)))
                set_aside.append(review)
                continue
            _accept(review, accepted, set_aside, problems)
    return Reviews(tuple(accepted.values()), tuple(set_aside), tuple(problems), tuple(questions))


def reviews_bytes(reviews: Reviews, drawn: Drawn) -> bytes:
    """All accepted reviews as one CSV in the layout of a sheet, which `read_sheet` reads again."""
    columns = [drawn.list.column(name).to_pylist() for name in ("place", "role", RECORD_ID)]
    rows = zip(map(str, stratum_numbers(drawn)), *columns)
    place = {row[3]: [row[0], str(row[1]), row[2]] for row in rows}
    keys = [question.key for question in reviews.questions]
    header = [*SHEET_COLUMNS[:7], *keys, "comment"]
    return csv_bytes([header, *(_as_row(review, place[review.record_id], keys) for review in reviews.accepted)])


def problems_bytes(reviews: Reviews) -> bytes:
    """Problems, then the rows set aside with everything that was written in them, as CSV."""
    keys = [question.key for question in reviews.questions]
    header = ["file", "row", "column", "value", "problem", *SHEET_COLUMNS[3:7], *keys, "comment"]
    blank = [""] * (len(keys) + 5)
    rows = [[*map(str, problem), *blank] for problem in reviews.problems]
    rows += [
        [review.file, str(review.row), "", "", "row set aside", *_as_row(review, [], keys)]
        for review in reviews.set_aside
    ]
    return csv_bytes([header, *rows])


def _as_row(review: Review, place: list[str], keys: Sequence[str]) -> list[str]:
    answers = [review.answers.get(key, "") for key in keys]
    return [*place, review.record_id, review.reviewer, review.status, review.reason, *answers, review.comment]


def _file_reviews(path: str | Path, questions: Sequence[Question], problems: list[Problem]) -> list[Review]:
    name = Path(path).name
    rows = read_cells(path, sheet_name=SHEET_NAME)
    header, body = _split_header(rows, name)
    for question in questions:
        if question.key not in header:
            problems.append(Problem(name, 0, question.key, "", "this column is missing: its answers were not read"))
    return [review for row in body if (review := _SheetRow(name, header, row, questions, problems).review())]


def _split_header(rows: list[Row], name: str) -> tuple[list[str], list[Row]]:
    needed = {RECORD_ID, "reviewer", "status"}
    for at, (_, cells) in enumerate(rows[:20]):
        header = [cell.strip().lower() for cell in cells]
        if needed <= set(header):
            repeated = [title for title in header if title and header.count(title) > 1]
            if repeated:
                raise InputRefused(f"{name}: column {repeated[0]!r} occurs more than once: rename or remove one")
            return header, rows[at + 1 :]
    raise InputRefused(
        f"{name} has no header row with {', '.join(sorted(needed))}: keep the sheet's first rows as they were"
    )


class _SheetRow:
    """One row of a sheet on its way to being a Review."""

    def __init__(
        self, file: str, header: list[str], row: Row, questions: Sequence[Question], problems: list[Problem]
    ) -> None:
        self.file, self.header, self.questions, self.problems = file, header, questions, problems
        self.number, cells = row
        self.cells = cells + [""] * (len(header) - len(cells))

    def review(self) -> Review | None:
        record_id, comment = self.cell(RECORD_ID), self.comment()
        answers = {question.key: self.answer(question) for question in self.questions if question.key in self.header}
        status, reason = self.status(answers), self.cell("reason")
        if not record_id and not any([status, reason, comment, *answers.values()]):
            return None
        if status in (NOT_REVIEWED, OUT_OF_SCOPE) and not reason:
            self.problem("reason", f"a record that is {status!r} needs a reason")
        if status and not self.cell("reviewer"):
            self.problem("reviewer", "the reviewer's name or initials are missing")
        return Review(record_id, self.cell("reviewer"), status, reason, answers, comment, self.file, self.number)

    def cell(self, name: str) -> str:
        return self.cells[self.header.index(name)] if name in self.header else ""

    def answer(self, question: Question) -> str:
        return self.choice(question.key, question.answers)

    def status(self, answers: dict[str, str]) -> str:
        status = self.choice("status", STATUSES)
        answered = any(answers.values())
        if answered and status in (NOT_REVIEWED, OUT_OF_SCOPE):
            self.problem("status", "the row has answers too: they are kept, but not counted")
        return status or (REVIEWED if answered else "")

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        value = " ".join(self.cell(name).lower().split())
        found = [answer for answer in allowed if answer.lower() == value]
        if value and not found:
            self.problem(name, f"not one of the answers: write {', '.join(allowed)}, or leave it blank")
        return found[0] if found else ""

    def comment(self) -> str:
        """The comment, then any text that stands to the right of `reviewer` in a column the sheet did not have."""
        known = {*SHEET_COLUMNS, *(question.key for question in self.questions)}
        first = self.header.index("reviewer")
        parts = [self.cell("comment")]
        for at, text in enumerate(self.cells):
            title = self.header[at] if at < len(self.header) else ""
            if at > first and text and title not in known:
                self.problem_at(at, "this column is not the sheet's own: its text is kept with the comment")
                parts.append(f"[{title or column_letter(at)}] {text}")
        return " ".join(part for part in parts if part)

    def problem(self, name: str, words: str) -> None:
        if name in self.header:
            self.problem_at(self.header.index(name), words)
        else:
            self.problems.append(Problem(self.file, self.number, name, "", words))

    def problem_at(self, at: int, words: str) -> None:
        title = self.header[at] if at < len(self.header) else ""
        column = f"{column_letter(at)} ({title})" if title else column_letter(at)
        self.problems.append(Problem(self.file, self.number, column, self.cells[at], words))


def _unknown_record(review: Review, known: list[str]) -> Problem:
    return Problem(review.file, review.row, RECORD_ID, review.record_id, _record_hint(review.record_id, known))


def _record_hint(record_id: str, known: list[str]) -> str:
    bare = record_id.lstrip("0").lower()
    close = [each for each in known if each.lstrip("0").lower() == bare]
    if close:
        return (
            f"not in the list; {close[0]!r} is: the spreadsheet changed it (leading zeros or capitals), so put it back"
        )
    return "not in the list that was drawn: the row is set aside"


def _accept(
    review: Review, accepted: dict[tuple[str, str], Review], set_aside: list[Review], problems: list[Problem]
) -> None:
    key = (review.record_id, review.reviewer)
    earlier = accepted.get(key)
    if earlier is None:
        accepted[key] = review
        return
    conflict = _conflict(earlier, review)
    if conflict:
        words = (
            f"{earlier.file}, row {earlier.row} says otherwise for the same record and reviewer: this row is set aside"
        )
        problems.append(Problem(review.file, review.row, *conflict, words))
        set_aside.append(review)
    else:
        accepted[key] = _merged(earlier, review)


def _conflict(earlier: Review, later: Review) -> tuple[str, str] | None:
    """The first column, and the later row's value, in which both rows say something and not the same."""
    pairs = [("status", earlier.status, later.status), ("reason", earlier.reason, later.reason)]
    pairs += [(key, earlier.answers.get(key, ""), later.answers.get(key, "")) for key in later.answers]
    return next(((name, new) for name, old, new in pairs if old and new and old != new), None)


def _merged(earlier: Review, later: Review) -> Review:
    answers = {
        key: earlier.answers.get(key) or later.answers.get(key, "") for key in {**earlier.answers, **later.answers}
    }
    comments = dict.fromkeys(part for part in (earlier.comment, later.comment) if part)
    return replace(
        earlier,
        status=earlier.status or later.status,
        reason=earlier.reason or later.reason,
        answers=answers,
        comment=" / ".join(comments),
    )
