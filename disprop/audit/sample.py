"""A reviewed sample, one row per examined record: what the estimates are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from disprop.audit.commitment import name_some, stratum_name
from disprop.audit.drawing import RESERVE, SAMPLE
from disprop.audit.drawn import Drawn, list_strata
from disprop.audit.frame import RECORD_ID, as_text_table
from disprop.audit.questions import find_question, measures
from disprop.audit.reviews import OUT_OF_SCOPE, REVIEWED, Review, Reviews
from disprop.errors import Refused, UsageError

Array = np.ndarray

MET, NOT_MET, UNKNOWN = 1.0, 0.0, float("nan")


@dataclass(frozen=True)
class Sample:
    """Examined records: one entry per record, and one per stratum.

    `met` is 1, 0 or nan (not known: could not be reviewed, cannot tell, not come to yet). `in_scope` is False for
    records that should not have been in the frame and for answers that do not apply. `records` is the size of each
    stratum, nan where it is not known.
    """

    measure: str
    record_id: Array
    met: Array
    in_scope: Array
    stratum: Array
    strata: tuple[str, ...]
    records: Array
    domains: dict[str, Array]
    cluster: Array | None = None
    notes: tuple[str, ...] = ()


def sample_from_table(
    table: Any,
    *,
    met: str,
    measure: str = "share",
    strata: Sequence[str] = (),
    records: int | Mapping[Any, int] | None = None,
    domains: Sequence[str] = (),
    cluster: str | None = None,
) -> Sample:
    """A Sample from a table that was drawn and reviewed elsewhere.

    `met` holds yes or no (or 1 and 0, true and false); anything else is not known. `records` is the number of records
    in the period: one number, or one per stratum (by its value, or a tuple of values); leave it out when not known.

    Raises: UsageError for a stratum without a number of records; InputRefused for a missing column.
    """
    names = [met, *strata, *domains, *([cluster] if cluster else [])]
    text = as_text_table(table, names)
    columns = {name: np.array(text.column(name).to_pylist(), object) for name in text.column_names}
    keys = list(zip(*(columns[name] for name in strata))) or [()] * text.num_rows
    labels = sorted(set(keys))
    return Sample(
        measure=measure,
        record_id=np.array([str(row) for row in range(1, text.num_rows + 1)], object),
        met=np.array([_yes_or_no(value) for value in columns[met]]),
        in_scope=np.ones(text.num_rows, bool),
        stratum=np.array([labels.index(key) for key in keys]),
        strata=tuple(stratum_name(label) for label in labels),
        records=np.array([_size(records, label) for label in labels]),
        domains={name: columns[name] for name in dict.fromkeys((*strata, *domains))},
        cluster=columns[cluster] if cluster else None,
    )


def review_samples(drawn: Drawn, reviews: Reviews, *, question: str, use: str = "first") -> list[Sample]:
    """The Samples of one question (one, or one for each answer of a question without counted answers).

    Which records count: the sample of each stratum, and as many reserves, in order, as records before them
    were out of scope. A reserve filled in without such a need is left out and named. Records not come to yet are
    not known.

    Two reviewers: `use="first"` takes, for each record, the first reviewer (in the order of the sheets) who
    answered; `use="agreed"` takes the answer where both give the same and holds the others as not known; a
    reviewer's name takes that reviewer alone.

    Raises: UsageError for an unknown question or reviewer.
    """
    asked = find_question(reviews.questions, question)
    if use not in ("first", "agreed", *reviews.reviewers):
        raise UsageError(f"use came as {use!r}; the choices are first, agreed, {', '.join(reviews.reviewers)}")
    by_record = _by_record(reviews)
    rows, notes = examined(drawn, by_record)
    ids = [drawn.list.column(RECORD_ID)[row].as_py() for row in rows]
    answers = [_answer(by_record.get(record_id, []), asked.key, use) for record_id in ids]
    return [
        _sample(drawn, rows, ids, measure, [_code(answer, counted, asked) for answer in answers], notes)
        for measure, counted in measures(asked)
    ]


def examined(drawn: Drawn, by_record: Mapping[str, Sequence[Review]]) -> tuple[list[int], list[str]]:
    """Rows of the list that count as drawn, and notes: reserves filled in without need, and disputed scope."""
    ids, roles = (drawn.list.column(name).to_pylist() for name in (RECORD_ID, "role"))
    strata = list_strata(drawn)
    needed: dict[tuple[str, ...], int] = {}
    rows, unneeded = [], []
    for row, (record_id, role) in enumerate(zip(ids, roles)):
        reviews = by_record.get(record_id, ())
        if role == RESERVE and needed.get(strata[row], 0) < 1:
            if any(review.status for review in reviews):
                unneeded.append(record_id)
            continue
        rows.append(row)
        out = any(review.status == OUT_OF_SCOPE for review in reviews)
        needed[strata[row]] = needed.get(strata[row], 0) + (role == SAMPLE and out) - (role == RESERVE and not out)
    notes = []
    if unneeded:
        notes.append(f"reserve filled in without an out-of-scope record before it, left out: {name_some(unneeded)}")
    disputed = [ids[row] for row in rows if _disputed(by_record.get(ids[row], ()))]
    if disputed:
        notes.append(f"out of scope for one reviewer only, left out: {name_some(disputed)}")
    return rows, notes


def _disputed(reviews: Sequence[Review]) -> bool:
    """Whether one reviewer calls the record out of scope and another has reviewed it."""
    return {OUT_OF_SCOPE, REVIEWED} <= {review.status for review in reviews}


def pool(samples: Sequence[Sample], periods: Sequence[str]) -> Sample:
    """Several periods' samples as one: every stratum of every period is a stratum of its own.

    Raises: Refused when a period comes twice, UsageError when the samples are about different measures.
    """
    if len(set(periods)) < len(periods) or len(periods) != len(samples):
        raise Refused(f"the periods are {', '.join(periods)}: give each period once, or its records would count twice")
    if len({sample.measure for sample in samples}) > 1:
        raise UsageError("the samples are about different questions: pool one question at a time")
    if any(sample.cluster is not None for sample in samples):
        raise UsageError("samples with clusters cannot be pooled: clusters may run over several periods")
    offsets = np.cumsum([0, *(len(sample.strata) for sample in samples[:-1])])
    shared = [name for name in samples[0].domains if all(name in sample.domains for sample in samples)]
    return replace(
        samples[0],
        record_id=np.concatenate([sample.record_id for sample in samples]),
        met=np.concatenate([sample.met for sample in samples]),
        in_scope=np.concatenate([sample.in_scope for sample in samples]),
        stratum=np.concatenate([sample.stratum + offset for sample, offset in zip(samples, offsets)]),
        strata=tuple(f"{period}: {name}" for sample, period in zip(samples, periods) for name in sample.strata),
        records=np.concatenate([sample.records for sample in samples]),
        domains={name: np.concatenate([sample.domains[name] for sample in samples]) for name in shared},
        notes=tuple(dict.fromkeys(note for sample in samples for note in sample.notes)),
    )


def _yes_or_no(value: str) -> float:
    return {"yes": MET, "1": MET, "true": MET, "no": NOT_MET, "0": NOT_MET, "false": NOT_MET}.get(
        value.lower(), UNKNOWN
    )


def _size(records: int | Mapping[Any, int] | None, label: tuple[str, ...]) -> float:
    if records is None:
        return UNKNOWN
    if not isinstance(records, Mapping):
        if label != ():
            raise UsageError("`records` is one number, but there are strata: give a number for each")
        return float(records)
    size = records.get(label, records.get(label[0]) if len(label) == 1 else None)
    if size is None:
        raise UsageError(f"`records` has no number for stratum {stratum_name(label)!r}")
    return float(size)


def _by_record(reviews: Reviews) -> dict[str, list[Review]]:
    found: dict[str, list[Review]] = {}
    for review in reviews.accepted:
        found.setdefault(review.record_id, []).append(review)
    return found


def _answer(reviews: Sequence[Review], key: str, use: str) -> str:
    """The answer that counts: OUT_OF_SCOPE, an answer, or blank for not known."""
    if any(review.status == OUT_OF_SCOPE for review in reviews):
        return OUT_OF_SCOPE
    given = [review for review in reviews if review.status == REVIEWED and review.answers.get(key)]
    if use not in ("first", "agreed"):
        given = [review for review in given if review.reviewer == use]
    answers = [review.answers[key] for review in given]
    if not answers or (use == "agreed" and len(set(answers)) > 1):
        return ""
    return answers[0]


def _code(answer: str, counted: Sequence[str], question: Any) -> float | None:
    """1, 0, nan for not known, None for out of scope or not applicable."""
    if answer == OUT_OF_SCOPE or answer in question.not_applicable:
        return None
    if not answer or answer in question.unknown:
        return UNKNOWN
    return MET if answer in counted else NOT_MET


def _sample(
    drawn: Drawn, rows: list[int], ids: list[str], measure: str, codes: Sequence[float | None], notes: list[str]
) -> Sample:
    strata = list_strata(drawn)
    order = {size.stratum: at for at, size in enumerate(drawn.plan.sizes)}
    return Sample(
        measure=measure,
        record_id=np.array(ids, object),
        met=np.array([NOT_MET if code is None else code for code in codes], float),
        in_scope=np.array([code is not None for code in codes], bool),
        stratum=np.array([order[strata[row]] for row in rows]),
        strata=tuple(stratum_name(size.stratum) for size in drawn.plan.sizes),
        records=np.array([size.records for size in drawn.plan.sizes], float),
        domains={
            name: np.array([drawn.domains.column(name)[row].as_py() for row in rows], object)
            for name in drawn.domains.column_names
        },
        notes=tuple(notes),
    )
