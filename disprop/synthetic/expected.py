"""What the records of a truth must show, group by group, apart from chance: exact sums over the probabilities.

This is what a measure made from the records is compared with. Values for recorded groups hold among the records that
state the group: whether it is stated depends on the true group only.
"""

from __future__ import annotations

from disprop.synthetic.truth import Truth


def implied(truth: Truth) -> dict[str, dict[str, float]]:
    """Implied quantities by group.

    rate, rate_ratio: true, per 1,000 residents and year, and against the first group; `recorded_` is what the records
        show when those that do not state the group are left out.
    unknown: share of the group's searches whose record does not state it (not stated or blank).
    find: the item searched for was found, recorded or not.
    positive_outcome, arrest: share of the known outcomes.
    linked_positive: flag true with a positive outcome, among the known; `linked_positive_low` and `_high` its bounds
        over all. linked: flag true, over all records.
    more_thorough, more_thorough_10_17, on_video, possession_only: share of the known values, the last among searches
        for controlled drugs.

    >>> from disprop.synthetic import default_truth
    >>> {group: round(row["recorded_rate_ratio"], 2) for group, row in implied(default_truth()).items()}
    {'White': 1.0, 'Mixed': 2.01, 'Asian': 1.6, 'Black': 3.0, 'Other': 1.0}
    """
    rows = {
        group: _rates(truth, group) | _outcomes(truth, find_share(truth, group)) | _flags(truth, group)
        for group in truth.groups
    }
    reference = rows[truth.groups[0]]
    for row in rows.values():
        row["rate_ratio"] = row["rate"] / reference["rate"]
        row["recorded_rate_ratio"] = row["recorded_rate"] / reference["recorded_rate"]
    return rows


def _rates(truth: Truth, group: str) -> dict[str, float]:
    stated = (1 - truth.not_stated[group]) * (1 - truth.blank["ethnicity_self"])
    return {"rate": truth.rate[group], "recorded_rate": truth.rate[group] * stated, "unknown": 1 - stated}


def find_share(truth: Truth, group: str) -> float:
    """Share of a group's searches in which the item searched for is found."""
    factor = sum(p * reason.find_factor for p, reason in zip(truth.reason_shares(group), truth.reasons))
    return truth.find_rate[group] * factor


def implied_of_object(truth: Truth, object_: str) -> dict[str, dict[str, float]]:
    """Implied finds and outcomes by group, of the searches for one object.

    >>> from disprop.synthetic import default_truth
    >>> round(implied_of_object(default_truth(), "Controlled drugs")["White"]["find"], 3)
    0.253
    """
    return {group: _outcomes(truth, _find_share_of_object(truth, group, object_)) for group in truth.groups}


def _find_share_of_object(truth: Truth, group: str, object_: str) -> float:
    """Share of a group's searches for an object that find it."""
    reasons = [(p, r) for p, r in zip(truth.reason_shares(group), truth.reasons) if r.object == object_]
    return truth.find_rate[group] * sum(p * r.find_factor for p, r in reasons) / sum(p for p, _ in reasons)


def _outcomes(truth: Truth, find: float) -> dict[str, float]:
    found, other = find * (1 - truth.found_no_action), (1 - find) * truth.other_outcome
    known = 1 - truth.blank["outcome"]
    flag = 1 - truth.linked_blank_positive
    flag_elsewhere = 1 - truth.linked_blank_no_action
    yes = found * known * flag
    unknown = (found + other) * known * (1 - flag) + (1 - known) * (1 - flag_elsewhere * (1 - find))
    no_action_yes = (find - found) * known * flag_elsewhere
    return {
        "find": find,
        "positive_outcome": found + other,
        "arrest": found * truth.outcomes_found["Arrest"] + other * truth.outcomes_other["Arrest"],
        "linked_positive": yes / (1 - unknown),
        "linked_positive_low": yes,
        "linked_positive_high": yes + unknown,
        "linked": yes + no_action_yes + (1 - known) * flag_elsewhere * find,
    }


def _flags(truth: Truth, group: str) -> dict[str, float]:
    blank, factors = truth.blank["age_band"], truth.more_thorough_age
    factor = blank + (1 - blank) * sum(p * factors[age] for age, p in truth.age_band.items())
    return {
        "more_thorough": truth.more_thorough[group] * factor,
        "more_thorough_10_17": truth.more_thorough[group] * factors["10-17"],
        "on_video": truth.on_video[group],
        "possession_only": truth.possession_only,
    }
