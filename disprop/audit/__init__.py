"""The audit of reasonable grounds: a sample whose every step can be checked.

    import disprop as dp

    plan = dp.audit.plan("records.csv", period="2024-03", half_width=0.05)
    dp.audit.commit(plan, "records.csv", ledger="ledger", beacon=dp.audit.Beacon(...))
    drawn = dp.audit.draw("ledger", beacon_value="4-11-23-31-40-58")
    dp.audit.verify("ledger").holds
    dp.audit.write_sheet(drawn, "sheet.xlsx", reviewer="A")
    reviews = dp.audit.read_sheet("sheet.xlsx", drawn=drawn)
    sample, = dp.audit.review_samples(drawn, reviews, question="grounds_reasonable")
    dp.audit.estimate(sample)

docs/audit.md goes through it. Names are resolved when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from disprop.audit.commitment import Beacon, commit
    from disprop.audit.comparison import compare
    from disprop.audit.double_review import corrected_estimate, corrected_from_reviews, ratings
    from disprop.audit.drawn import draw, read_draw
    from disprop.audit.estimation import estimate
    from disprop.audit.finite import hypergeometric_limits
    from disprop.audit.frame import FrameColumns, new_salt
    from disprop.audit.page import audit_page
    from disprop.audit.planning import plan, read_plan
    from disprop.audit.questions import QUESTIONS, Question, read_questions
    from disprop.audit.reviewers import agreement
    from disprop.audit.reviews import read_sheet
    from disprop.audit.sample import pool, review_samples, sample_from_table
    from disprop.audit.sheet import write_sheet
    from disprop.audit.sizes import sample_size, sample_size_to_compare, smallest_difference
    from disprop.audit.verification import verify

_HOMES = {
    "QUESTIONS": "questions",
    "Beacon": "commitment",
    "FrameColumns": "frame",
    "Question": "questions",
    "agreement": "reviewers",
    "audit_page": "page",
    "commit": "commitment",
    "compare": "comparison",
    "corrected_estimate": "double_review",
    "corrected_from_reviews": "double_review",
    "draw": "drawn",
    "estimate": "estimation",
    "hypergeometric_limits": "finite",
    "new_salt": "frame",
    "plan": "planning",
    "pool": "sample",
    "ratings": "double_review",
    "read_draw": "drawn",
    "read_plan": "planning",
    "read_questions": "questions",
    "read_sheet": "reviews",
    "review_samples": "sample",
    "sample_from_table": "sample",
    "sample_size": "sizes",
    "sample_size_to_compare": "sizes",
    "smallest_difference": "sizes",
    "verify": "verification",
    "write_sheet": "sheet",
}

__all__ = [
    "QUESTIONS",
    "Beacon",
    "FrameColumns",
    "Question",
    "agreement",
    "audit_page",
    "commit",
    "compare",
    "corrected_estimate",
    "corrected_from_reviews",
    "draw",
    "estimate",
    "hypergeometric_limits",
    "new_salt",
    "plan",
    "pool",
    "ratings",
    "read_draw",
    "read_plan",
    "read_questions",
    "read_sheet",
    "review_samples",
    "sample_from_table",
    "sample_size",
    "sample_size_to_compare",
    "smallest_difference",
    "verify",
    "write_sheet",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'disprop.audit' has no attribute {name!r}")
    value = getattr(import_module(f"disprop.audit.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOMES)
