"""The questions of a review sheet: their words, the answers allowed, and what each answer counts as."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from disprop.errors import InputRefused, UsageError

SHEET_COLUMNS = ("list", "place", "role", "record_id", "reviewer", "status", "reason", "comment")


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question. `counted` answers go above the line; `unknown` enter as bounds; `not_applicable` are left out.

    `statement` says in a sentence what the counted answers mean: "the grounds were recorded and reasonable".
    With `counted` empty the share of every answer is estimated in turn.
    """

    key: str
    words: str
    statement: str = ""
    answers: tuple[str, ...] = ("yes", "no", "cannot tell")
    counted: tuple[str, ...] = ("yes",)
    unknown: tuple[str, ...] = ("cannot tell",)
    not_applicable: tuple[str, ...] = ()


QUESTIONS = (
    Question(
        "grounds_reasonable",
        "Are the grounds recorded, and would they lead a reasonable person to suspect what the officer suspected?",
        "the grounds were recorded and reasonable",
    ),
    Question(
        "object_told",
        "Was the person told what the officer was looking for?",
        "the person was told what the officer was looking for",
    ),
    Question(
        "copy_offered",
        "Was the person offered a copy of the record?",
        "the person was offered a copy of the record",
    ),
    Question(
        "video_complete",
        "Is there body-worn video, and does it show the whole search?",
        "video shows the whole search",
        answers=("whole", "part", "none", "cannot tell"),
        counted=("whole",),
    ),
    Question(
        "grounds_source",
        "Where did the grounds come from: what the officer saw or smelt, information from others, or both?",
        answers=("officer", "information", "both", "cannot tell"),
        counted=(),
    ),
    Question(
        "cannabis_smell_alone",
        "Was the smell of cannabis the only ground?",
        "the smell of cannabis was the only ground",
    ),
)


def read_questions(path: str | Path) -> tuple[Question, ...]:
    """Questions from a TOML file with one [[question]] table each (key, words, answers, counted, unknown, ...).

    Raises: InputRefused for a broken file; UsageError for a question that contradicts itself.
    """
    try:
        found = msgspec.toml.decode(Path(path).read_bytes(), type=dict[str, list[Question]])
    except (OSError, msgspec.DecodeError, ValueError) as why:
        raise InputRefused(f"{path} cannot be read as a list of questions: {why}") from why
    questions = tuple(found.get("question", ()))
    check_questions(questions)
    return questions


def check_questions(questions: Sequence[Question]) -> None:
    """Refuse repeated keys, keys that are sheet columns, and answers that are not among the answers."""
    keys = [question.key for question in questions]
    if not keys:
        raise UsageError("there is no question: write at least one [[question]] table")
    for key in keys:
        if keys.count(key) > 1 or key in SHEET_COLUMNS:
            raise UsageError(f"question key {key!r} is used twice, or is a column of the sheet: choose another")
    for question in questions:
        _check_answers(question)


def _check_answers(question: Question) -> None:
    special = question.counted + question.unknown + question.not_applicable
    for answer in special:
        if answer not in question.answers:
            raise UsageError(f"question {question.key!r}: {answer!r} is not among its answers {question.answers}")
        if special.count(answer) > 1:
            raise UsageError(f"question {question.key!r}: {answer!r} is counted, unknown or not applicable: choose one")


def find_question(questions: Sequence[Question], key: str) -> Question:
    """The question with that key. Raises UsageError naming the keys there are."""
    for question in questions:
        if question.key == key:
            return question
    raise UsageError(f"there is no question {key!r}; the keys are {', '.join(question.key for question in questions)}")


def measures(question: Question) -> list[tuple[str, tuple[str, ...]]]:
    """What a question is estimated as: its key with the counted answers, or one measure for each known answer.

    >>> [name for name, _ in measures(QUESTIONS[4])]
    ['grounds_source: officer', 'grounds_source: information', 'grounds_source: both']
    """
    if question.counted:
        return [(question.key, question.counted)]
    known = [answer for answer in question.answers if answer not in question.unknown + question.not_applicable]
    return [(f"{question.key}: {answer}", (answer,)) for answer in known]
