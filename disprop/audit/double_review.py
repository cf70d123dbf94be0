"""Records that were reviewed twice: their ratings, and the estimate corrected for reviewer error.

Double sampling: every record has a first answer, a random part also a second one, which is taken as right (a senior
reviewer, or the answer agreed after discussion). With p the share of first answers that are yes, a the share of
those confirmed, and b the share of the first noes that the second review turned into yes:

    corrected = p a + (1 - p) b
    variance = (a - b)^2 V(p) + p^2 V(a) + (1 - p)^2 V(b)

V(a) and V(b) are taken at one more yes and one more no than were seen, so that a second review which found no
error in 20 records is not read as proof that there is none.

Source: Tenenbein (1970), Journal of the American Statistical Association 65(331).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from disprop.audit.drawn import Drawn
from disprop.audit.effective import even_size, size_of_equal_precision
from disprop.audit.estimation import reviewed_part
from disprop.audit.questions import find_question
from disprop.audit.reviews import REVIEWED, Reviews
from disprop.audit.sample import MET, Sample, review_samples
from disprop.audit.survey import Design, domain_mean
from disprop.errors import Refused, UsageError
from disprop.intervals import proportion_interval

Array = np.ndarray


def ratings(reviews: Reviews, *, question: str) -> list[list[str | None]]:
    """One row for each record with two answers or more, one column for each reviewer, for `reviewers.agreement`.

    "Cannot tell" is an answer like the others; None where a reviewer gave none.
    """
    key = find_question(reviews.questions, question).key
    names = reviews.reviewers
    table: dict[str, list[str | None]] = {}
    for review in reviews.accepted:
        if review.status == REVIEWED and review.answers.get(key):
            row = table.setdefault(review.record_id, [None] * len(names))
            row[names.index(review.reviewer)] = review.answers[key]
    return [row for row in table.values() if sum(answer is not None for answer in row) > 1]


def corrected_estimate(
    first: Sample, second: Sample, *, confidence: float = 0.95, target: str = "these_records"
) -> dict[str, Any]:
    """The corrected share of all records, with Wilson limits on its effective size.

    `first` and `second` are the two reviewers' Samples of the same draw. Corner cases: without a record of each
    first answer among those reviewed twice the correction is refused, because nothing is known about the errors on
    that side; if the first answers are all the same, only that side is needed.

    Returns keys: estimate, low, high, raw (the estimate from first answers), reviewed_twice, confirmed_yes and
    overturned_no (the shares a and b), effective_size.

    Raises: Refused as above; UsageError when the Samples are not of the same records.
    """
    if not np.array_equal(first.record_id, second.record_id):
        raise UsageError("the two samples are not of the same records: make both from the same draw")
    if np.isnan(first.met).all():
        raise Refused("no record has a first answer: there is nothing to correct")
    part, plan = reviewed_part(first, target)
    truth = second.met[~np.isnan(first.met)]
    scope = part.in_scope
    twice = scope & ~np.isnan(truth)
    yes = part.met == MET
    raw = domain_mean(plan, part.met, scope)
    sides = [_side(plan, truth, twice & yes, raw.value), _side(plan, truth, twice & ~yes, 1 - raw.value)]
    (a, spread_a), (b, spread_b) = sides
    p = raw.value
    estimate = p * a + (1 - p) * b
    variance = (a - b) ** 2 * raw.variance + p**2 * spread_a + (1 - p) ** 2 * spread_b
    size = _effective(plan, scope, estimate, variance, raw.records)
    limits = proportion_interval(events=estimate * size, trials=size, confidence=confidence)
    return {
        "estimate": estimate,
        "low": limits.low,
        "high": limits.high,
        "raw": p,
        "reviewed_twice": int(twice.sum()),
        "confirmed_yes": a,
        "overturned_no": b,
        "effective_size": size,
    }


def corrected_from_reviews(
    drawn: Drawn, reviews: Reviews, *, question: str, trusted: str, confidence: float = 0.95
) -> dict[str, Any]:
    """`corrected_estimate` with `trusted` as the reviewer taken as right, and the other reviewers' answers first.

    Raises: UsageError when `trusted` is not one of the reviewers, Refused as `corrected_estimate`.
    """
    if trusted not in reviews.reviewers:
        raise UsageError(f"there is no reviewer {trusted!r}; the reviewers are {', '.join(reviews.reviewers)}")
    others = replace(reviews, accepted=tuple(one for one in reviews.accepted if one.reviewer != trusted))
    first = review_samples(drawn, others, question=question)
    second = review_samples(drawn, reviews, question=question, use=trusted)
    if len(first) != 1:
        raise UsageError(f"question {question!r} has no counted answers: there is no single share to correct")
    return corrected_estimate(first[0], _aligned(first[0], second[0]), confidence=confidence)


def _aligned(first: Sample, second: Sample) -> Sample:
    """The second Sample's answers in the first one's records (its own scope decisions may have moved reserves)."""
    answers = dict(zip(second.record_id, second.met))
    met = np.array([answers.get(record_id, math.nan) for record_id in first.record_id])
    return replace(first, met=met)


def _side(plan: Design, truth: Array, inside: Array, weight: float) -> tuple[float, float]:
    """Share of yes among second answers, and its variance at one more yes and one more no."""
    if not inside.any():
        if weight > 0:
            raise Refused("no record of one of the first answers was reviewed twice: its errors are not known")
        return 0.0, 0.0
    share = domain_mean(plan, truth, inside).value
    size = min(even_size(replace(plan, fraction=np.zeros_like(plan.fraction)), inside), float(inside.sum()))
    moved = (share * size + 1) / (size + 2)
    return share, moved * (1 - moved) / size


def _effective(plan: Design, scope: Array, estimate: float, variance: float, records: int) -> float:
    cap = even_size(plan, scope)
    if not 0 < estimate < 1 or variance <= 0:
        return cap
    return min(float(size_of_equal_precision(estimate, variance, records)), cap)
