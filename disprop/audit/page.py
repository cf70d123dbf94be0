"""The report section of an audit: a page that needs no other file, from a draw, its reviews and its verification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from disprop.audit import words
from disprop.audit.comparison import compare
from disprop.audit.double_review import corrected_from_reviews, ratings
from disprop.audit.drawn import Drawn
from disprop.audit.estimation import ALL_RECORDS, SEE_BOUNDS, estimate
from disprop.audit.picture import interval_picture
from disprop.audit.questions import Question, find_question
from disprop.audit.reviewers import agreement
from disprop.audit.reviews import Reviews
from disprop.audit.sample import Sample, review_samples
from disprop.audit.verification import Verification
from disprop.errors import DispropError, Refused

TEMPLATE = "audit.html.j2"


def audit_page(
    drawn: Drawn,
    reviews: Reviews,
    verification: Verification,
    *,
    question: str = "grounds_reasonable",
    domains: Sequence[str] | None = None,
    trusted: str | None = None,
    method: str = "wilson",
    confidence: float = 0.95,
    title: str = "Audit of recorded grounds",
) -> str:
    """The whole page as HTML. `question` is the main one; `trusted` names the reviewer whose second review is right.

    Raises: DispropError where jinja2 is not installed; UsageError for an unknown question, domain or reviewer.
    """
    facts = audit_facts(
        drawn,
        reviews,
        verification,
        question=question,
        domains=domains,
        trusted=trusted,
        method=method,
        confidence=confidence,
    )
    return _environment().get_template(TEMPLATE).render(title=title, **facts)


def audit_facts(
    drawn: Drawn,
    reviews: Reviews,
    verification: Verification,
    *,
    question: str,
    domains: Sequence[str] | None,
    trusted: str | None,
    method: str,
    confidence: float,
) -> dict[str, Any]:
    """Everything the page prints, as plain text, tables and one drawing."""
    asked = find_question(reviews.questions, question)
    main = review_samples(drawn, reviews, question=question)[0]
    names = list(main.domains) if domains is None else list(domains)
    rows = _records(estimate(main, domains=names, method=method, confidence=confidence))
    groups = [
        row for name in names for row in _records(compare(main, domain=name, method=method, confidence=confidence))
    ]
    others = _other_questions(drawn, reviews, asked, method, confidence)
    agreed = agreement(twice, confidence=confidence) if (twice := ratings(reviews, question=question)) else []
    statement = asked.statement or f"the answer to {asked.key} counts"
    whole = {(row["domain"], row["group"]) for row in rows if row["low"] == row["high"]}
    shown = f"Share of records in which {statement}"
    return {
        "period": drawn.plan.period,
        "lead": words.finding(rows[0], statement),
        "bounds": words.bounds_words(rows[0]),
        "how_drawn": words.drawn_words(drawn.plan, drawn.proof),
        "target": rows[0]["target"],
        "pictures": {
            width: interval_picture([_mark(row) for row in rows], name=width, title=shown, narrow=width == "narrow")
            for width in ("wide", "narrow")
        },
        "shown": shown,
        "weighted": any(_weighted(row) for row in rows),
        "table": [_table_row(row) for row in rows],
        "groups": [words.group_sentence(row, every=(row["domain"], row["group"]) in whole) for row in groups],
        "others": [
            (one.words, words.finding(row, _statement(one, row)), words.bounds_words(row)) for one, row in others
        ],
        "agreement": words.agreement_sentence(agreed) if agreed else "",
        "coefficients": [_coefficient(each) for each in agreed],
        "corrected": _corrected(drawn, reviews, question, trusted, confidence),
        "questions": words.panel_questions(
            rows[0], others, groups, agreed[0].estimate if agreed else None, len(verification.irregular)
        ),
        "flags": _flags(rows[0]["flag"]),
        "checks": words.verification_words(verification),
        "holds": verification.holds,
        "proof": _proof(drawn),
    }


def _other_questions(
    drawn: Drawn, reviews: Reviews, main: Question, method: str, confidence: float
) -> list[tuple[Question, dict[str, Any]]]:
    found = []
    for question in reviews.questions:
        if question.key == main.key:
            continue
        for sample in review_samples(drawn, reviews, question=question.key):
            found.append((question, _overall(sample, method, confidence)))
    return found


def _overall(sample: Sample, method: str, confidence: float) -> dict[str, Any]:
    return _records(estimate(sample, domains=[], method=method, confidence=confidence))[0]


def _records(frame: Any) -> list[dict[str, Any]]:
    """Rows with NaN for what is null, so that figures can be asked for their own equality."""
    rows: list[dict[str, Any]] = frame.astype(object).where(frame.notna(), float("nan")).to_dict("records")
    return rows


def _statement(question: Question, row: dict[str, Any]) -> str:
    answer = str(row["measure"]).partition(": ")[2]
    return f"the answer was “{answer}”" if answer else question.statement or f"the answer to {question.key} counts"


def _label(row: dict[str, Any]) -> str:
    return "All records" if row["domain"] == ALL_RECORDS else f"{row['domain']}: {row['group'] or '(blank)'}"


def _mark(row: dict[str, Any]) -> dict[str, Any]:
    text = f"{words.count(row['numerator'])} of {words.count(row['denominator'])}"
    shown = f"{text}: {words.percent(row['estimate'])}" if row["denominator"] else "none reviewed"
    mark = "All records" if row["domain"] == ALL_RECORDS else words.group_name(row)
    return row | {"label": _label(row), "mark": mark, "text": shown}


def _table_row(row: dict[str, Any]) -> dict[str, str]:
    known = bool(row["denominator"])
    return {
        "label": _label(row),
        "reviewed": words.count(row["denominator"]),
        "met": words.count(row["numerator"]),
        "estimate": words.percent(row["estimate"]),
        "limits": _limits(row) if known else "not available",
        "unknown": words.count(row["n_unknown"]),
        "bounds": f"{words.percent(row['bound_low'])} to {words.percent(row['bound_high'])}"
        if row["n_unknown"]
        else "none unknown",
    }


def _limits(row: dict[str, Any]) -> str:
    """The limits; none where every record was reviewed."""
    return "exact" if row["low"] == row["high"] else f"{words.percent(row['low'])} to {words.percent(row['high'])}"


def _weighted(row: dict[str, Any]) -> bool:
    """Whether an estimate is another figure than the plain share of the records reviewed."""
    return bool(row["denominator"]) and abs(row["estimate"] - row["numerator"] / row["denominator"]) > 0.0005


def _flags(flag: str) -> str:
    """What to keep in mind, without the unknown answers, which have a sentence of their own."""
    return "; ".join(part for part in flag.split("; ") if not part.endswith(SEE_BOUNDS))


def _coefficient(found: Any) -> dict[str, str]:
    given = found.low == found.low
    return {
        "name": found.coefficient,
        "estimate": f"{found.estimate:.2f}" if found.estimate == found.estimate else "not available",
        "limits": f"{found.low:.2f} to {found.high:.2f}" if given else "not available",
        "records": words.count(found.items),
    }


def _corrected(drawn: Drawn, reviews: Reviews, question: str, trusted: str | None, confidence: float) -> str:
    if trusted is None:
        return ""
    try:
        found = corrected_from_reviews(drawn, reviews, question=question, trusted=trusted, confidence=confidence)
    except Refused as why:
        return f"The estimate cannot be corrected for reviewer error: {why}."
    return words.corrected_sentence(found, trusted)


def _proof(drawn: Drawn) -> list[tuple[str, str]]:
    proof = drawn.proof
    return [
        ("Commitment", str(proof.number)),
        ("SHA-256 of the commitment", proof.commitment_sha256),
        ("Public value that decided the draw", f"{proof.beacon_value} ({words.day(proof.beacon_date)})"),
        ("Seed", proof.seed),
        ("SHA-256 of the list", proof.draw_sha256),
    ]


def _environment() -> Any:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as why:
        raise DispropError(
            "an audit report needs jinja2, not installed here; install with: pip install 'disprop[report]'"
        ) from why
    return Environment(
        loader=PackageLoader("disprop.audit", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
