"""The whole road: records drawn from a known truth, read, tallied and measured; how often the intervals hold it.

The truth is the generator's (`disprop.synthetic.Truth`): ratios; find rates and their differences; the thresholds,
which here are the chances of a find by group and reason for the search, for the generator draws no suspicion; and why
ethnicity is missing: the share not stated of each true group, and what officers record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from disprop.validation.intervals import CONFIDENCE

if TYPE_CHECKING:
    import pandas as pd

    from disprop.synthetic import Truth
    from disprop.tallies import Tally

THRESHOLDS = ("Controlled drugs", "Stolen goods", "Article for use in theft")
"""Objects for which a find rate by group is set against its truth."""
FEWEST_SHARE = 0.01
"""Cells of the officers' matrix below this are left out: most have no record."""

Held = Iterator[tuple[str, str, bool]]
"""Figure, group, and whether the interval held the truth."""


@dataclass(frozen=True)
class Recovery:
    """How often the interval of a figure held the truth that the records were drawn from."""

    figure: str
    group: str
    intervals: int
    held: float


@dataclass(frozen=True)
class Unknowns:
    """A ratio as recorded, shared out, imputed and true: means over runs, and how often the bounds held the truth."""

    group: str
    recorded: float
    allocated: float
    imputed: float
    true: float
    within_bounds: float


def recovery(*, runs: int = 40, seed: int = 1) -> list[Recovery]:
    """How often each figure's interval held the truth, over invented records of several seeds."""
    held: dict[tuple[str, str], list[bool]] = {}
    for run in range(seed, seed + runs):
        for part in (_ratios_and_finds, _missing, _all_that_is_missing_resembles):
            for figure, group, holds in part(run):
                held.setdefault((figure, group), []).append(holds)
    return [Recovery(*key, len(found), float(np.mean(found))) for key, found in sorted(held.items())]


def _ratios_and_finds(seed: int) -> Held:
    import disprop as dp
    from disprop.synthetic.expected import implied, implied_of_object

    truth = dp.synthetic.default_truth()
    of = implied(truth)
    ratio, finds, video, drugs = dp.scan(
        dp.synthetic.make_records(truth, seed=seed),
        [
            ["ethnicity_self"],
            ["ethnicity_self", "object", "outcome", "linked"],
            ["ethnicity_self", "video_recorded"],
            ["object", "possession_only"],
        ],
    )
    linked = {group: row["linked_positive"] for group, row in of.items()}
    each = ["ethnicity_self"]
    ratios = {group: row["recorded_rate_ratio"] for group, row in of.items()}
    yield from holding(
        "`rate_ratio`, limits as printed", dp.rate_ratio(ratio, dp.synthetic.population(), by=[]), ratios
    )
    yield from holding("`rate_ratio`, limits that verdicts use", _judged(ratio, dp.synthetic.population()), ratios)
    yield from holding("`find_rate`", dp.find_rate(finds, by=each), linked)
    gaps = {group: rate - linked[truth.groups[0]] for group, rate in linked.items()}
    yield from holding("`find_rate_difference`", dp.find_rate_difference(finds, by=[]), gaps)
    for item in THRESHOLDS:
        thresholds = {group: row["linked_positive"] for group, row in implied_of_object(truth, item).items()}
        yield from holding(f"`find_rate`, {item.lower()}", dp.find_rate(finds.select(object=item), by=each), thresholds)
    shares = {"positive_outcome": dp.positive_outcome_share(finds, by=each), "arrest": dp.arrest_share(finds, by=each)}
    shares["on_video"] = dp.share_on_video(video, by=each)
    for name, frame in shares.items():
        yield from holding(f"`{_MEASURE[name]}`", frame, {group: row[name] for group, row in of.items()})
    possession = dp.possession_only_share(drugs, by=[]).iloc[:1].assign(ethnicity_self="all")
    yield from holding("`possession_only_share`", possession, {"all": truth.possession_only})


_MEASURE = {"positive_outcome": "positive_outcome_share", "arrest": "arrest_share", "on_video": "share_on_video"}


def _missing(seed: int) -> Held:
    """The share not stated of each true group, which the generator exports, and what officers record of it."""
    import disprop as dp

    truth = dp.synthetic.default_truth()
    for group, (unknown, every) in _not_stated_by_true_group(truth, seed).items():
        found = dp.intervals.proportion_interval(events=unknown, trials=every, confidence=CONFIDENCE)
        share = dp.synthetic.implied(truth)[group]["unknown"]
        yield "share not stated, of the true group", group, bool(found.low <= share <= found.high)
    both = dp.tally(dp.synthetic.make_records(truth, seed=seed), by=["ethnicity_self", "ethnicity_officer"])
    matrix = dp.agreement_matrix(both, confidence=CONFIDENCE)
    names = ["ethnicity_self", "ethnicity_officer", "low", "high"]
    filled = 1 - truth.blank["ethnicity_officer"]
    for group, officer, low, high in matrix[names].itertuples(index=False):
        share = truth.perceived.get(group, {}).get(officer, 0.0) * filled
        if share >= FEWEST_SHARE:
            yield "`agreement_matrix`", group, bool(low <= share <= high)


def _not_stated_by_true_group(truth: Truth, seed: int) -> dict[str, tuple[int, int]]:
    """Searches of each true group whose record states no ethnicity, and all of them."""
    from disprop.months import month_number
    from disprop.synthetic.draw import chances
    from disprop.synthetic.records import YEAR, month_choices

    ready = chances(truth)
    drawn = [month_choices(truth, ready, month_number(month), seed=seed)[0] for month in YEAR]
    kind, said = (np.concatenate([columns[name] for columns in drawn]) for name in ("kind", "ethnicity_self"))
    unknown = said >= len(ready.labels["ethnicity_self"]) - 1  # the last label is "not stated"; after it comes blank
    return {group: (int(unknown[kind == i].sum()), int((kind == i).sum())) for i, group in enumerate(truth.groups)}


def _all_that_is_missing_resembles(seed: int) -> Held:
    """Imputation where its assumption is true: officers record each true group, and months differ by chance alone."""
    import disprop as dp

    truth = told_by_officers()
    records = dp.synthetic.make_records(truth, seed=seed)
    tally = dp.tally(records, by=["ethnicity_self", "ethnicity_officer"])
    true = {group: row["rate_ratio"] for group, row in dp.synthetic.implied(truth).items()}
    imputed = dp.rate_ratio_imputed(tally, dp.synthetic.population(), confidence=CONFIDENCE, imputations=50)
    yield from holding("`rate_ratio_imputed`, the true ratio, officers right", imputed, true)


def told_by_officers() -> Truth:
    """The invented force with officers who always record the true group, and months alike but for chance."""
    from disprop.synthetic import default_truth

    truth = default_truth()
    right = {group: {other: float(other == group) for other in truth.groups} for group in truth.groups}
    return replace(truth, perceived=right, month_dispersion=0.0, blank={**truth.blank, "ethnicity_officer": 0.0})


def what_unknowns_do(*, runs: int = 20, seed: int = 1) -> list[Unknowns]:
    """Ratios as recorded, shared out, imputed and true, officers sometimes wrong: no assumption gets all the way."""
    import disprop as dp

    true = {group: row["rate_ratio"] for group, row in dp.synthetic.implied(dp.synthetic.default_truth()).items()}
    people = dp.synthetic.population()
    found: dict[str, list[list[float]]] = {}
    for run in range(seed, seed + runs):
        tally = dp.tally(dp.synthetic.make_records(seed=run), by=["ethnicity_self", "ethnicity_officer"])
        recorded = dp.rate_ratio(tally, people, by=[])
        given = (
            dp.rate_ratio_allocated(tally, people, by=[])["estimate"],
            dp.rate_ratio_imputed(tally, people, by=[], imputations=50)["estimate"],
        )
        names = ["ethnicity_self", "bound_low", "bound_high", "estimate"]
        for row, allocated, imputed in zip(recorded[names].itertuples(index=False), *given):
            group, low, high, ratio = row
            found.setdefault(group, []).append([ratio, allocated, imputed, float(low <= true[group] <= high)])
    return [_unknowns(group, np.mean(rows, axis=0).tolist(), true[group]) for group, rows in found.items()]


def _unknowns(group: str, means: list[float], true: float) -> Unknowns:
    recorded, allocated, imputed, within_bounds = means
    return Unknowns(group, recorded, allocated, imputed, true, within_bounds)


def _judged(tally: Tally, population: Tally) -> pd.DataFrame:
    """Ratios with the limits that their verdicts go by."""
    import pandas as pd

    from disprop.measures.dispersion import judged_dispersion, month_dispersion
    from disprop.measures.pairs import pair_up
    from disprop.measures.ratios import widest_limits

    pairs = pair_up(tally, population, "ethnicity_self", "White", [], "whole", False)
    months = (pairs.a_month, pairs.c_month, pairs.month_used)
    judged = judged_dispersion(month_dispersion(*months), *months, confidence=CONFIDENCE)
    low, high, _ = widest_limits(
        events=pairs.a,
        exposure=pairs.n1,
        reference_events=pairs.c,
        reference_exposure=pairs.n0,
        dispersion=judged,
        confidence=CONFIDENCE,
    )
    return pd.DataFrame({"ethnicity_self": pairs.groups["ethnicity_self"], "low": low, "high": high})


def holding(figure: str, frame: pd.DataFrame, truth: dict[str, float]) -> Held:
    """Whether each row's interval, where it has one, holds the truth of its group."""
    given = frame.loc[frame["low"].notna(), ["ethnicity_self", "low", "high"]]
    for group, low, high in given.itertuples(index=False):
        if group in truth:
            yield figure, str(group), bool(low <= truth[group] <= high)
