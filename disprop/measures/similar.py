"""A force beside its most similar forces: the group's average, and the force against the others.

Which forces are similar is not computed here: groups are an input with a date, because they are redrawn. A group holds
up to eight forces, the force itself included; City of London has none; that A is in B's group does not put B in A's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.codelists import codelist, force_code
from disprop.coverage import month_coverage
from disprop.errors import UsageError
from disprop.intervals import mantel_haenszel_rate_ratio, proportion_difference_interval, rate_ratio_interval
from disprop.measures.dispersion import month_dispersion
from disprop.measures.exposed import Holes, expose
from disprop.measures.measured import Measured, residents_for
from disprop.measures.pairs import Pairs, pair_up, refuse_everyone
from disprop.measures.rates import search_rate
from disprop.measures.ratios import rate_ratio
from disprop.measures.shares import find_rate
from disprop.results import COLUMNS, group_names, groups_of, join_flags, result_frame, text_where
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

MOST = 8
WITHOUT_GROUP = ("city-of-london",)


@dataclass(frozen=True)
class SimilarGroups:
    """The forces of each force's group, itself included, and the date the groups are of."""

    members: Mapping[str, tuple[str, ...]]
    dated: str

    def of(self, force: str) -> tuple[str, ...]:
        """The force's group; empty where it has none."""
        return self.members.get(force, ())


def similar_groups(members: Mapping[str, Sequence[str]], *, dated: str) -> SimilarGroups:
    """Most similar groups as the user knows them, checked.

    members: force -> the forces of its group, itself included; names, codes and aliases are understood. A force that
    is not a key has no group. Groups need not be symmetric. dated: when they were drawn, for instance "2019-11".

    Raises UsageError for a group of more than eight, without its own force, with a force twice, for City of London, or
    an unknown force.

    >>> groups = similar_groups({"West Midlands": ["West Midlands", "Greater Manchester"]}, dated="2019-11")
    >>> groups.of("west-midlands"), groups.of("kent")
    (('west-midlands', 'greater-manchester'), ())
    """
    found = {force_code(force): tuple(force_code(one) for one in group) for force, group in members.items()}
    for force, group in found.items():
        wrong = _wrong(force, group)
        if wrong:
            raise UsageError(f"the most similar group of {force} {wrong}")
    return SimilarGroups(found, dated)


def _wrong(force: str, group: tuple[str, ...]) -> str:
    if force in WITHOUT_GROUP:
        return "cannot be: no force is like it, and it has no group; leave it out"
    if force not in group:
        return "does not hold the force itself; add it"
    if len(set(group)) < len(group):
        return "names a force twice; name each once"
    return f"holds {len(group)} forces; {MOST} is the most" if len(group) > MOST else ""


def similar_group_average(
    tally: Tally,
    population: Tally | None = None,
    *,
    groups: SimilarGroups,
    measure: Measured = "rate_ratio",
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] = (),
    confidence: float = 0.95,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """What the forces of each force's most similar group come to together, the force itself included.

    A force without a group gets one row that says so. A member that sent nothing, or has holes, withholds the average,
    by name; with `holes="covered"` the average is on the force-months there are, and a member whose figure cannot be
    had at all is left out, by name.

    search_rate: sum of searches / sum of resident-years. find_rate: sum of finds / sum of searches that are known.
    rate_ratio: Mantel and Haenszel's ratio within forces, and beside it the pooled crude ratio, which mixes what sets
    the forces apart with what sets the groups apart. The average is no target, and the force is part of it: compare by
    `against_similar`.

    groups: from `similar_groups`. measure, of, reference, by: as in `disprop.measures.forces.funnel`.
    Returns result rows, column `force` being whose group it is. Raises what the measure raises.

    Invented counts of three forces, on their residents:

    >>> import disprop as dp, pandas as pd
    >>> counts = {"essex": (60, 280), "kent": (40, 300), "sussex": (45, 310)}
    >>> rows = [(f, g) for f, both in counts.items() for g, n in zip(("Black", "White"), both) for _ in range(n)]
    >>> records = pd.DataFrame(rows, columns=["force", "ethnicity_self"]).assign(month="2019-04")
    >>> searches = dp.tally(records, by=["ethnicity_self"])
    >>> groups = similar_groups({"kent": ["kent", "essex", "sussex"]}, dated="2019-11")
    >>> found = similar_group_average(searches, dp.census(2021), groups=groups)
    >>> found[found.ethnicity_self == "Black"][["force", "estimate", "low", "high", "method"]].round(2)
      force  estimate   low  high                          method
    2  kent      5.73  4.81  6.83  Mantel-Haenszel within forces
    6  kent      5.58  4.68  6.65            pooled crude: score
    """
    asked = _asked(population, measure, of, reference, by, confidence, holes)
    frames = [
        _of_force(rows, force, f"{measure}, most similar group", _group_text(groups, force))
        for force in _forces(tally, groups)
        for rows in _averages(tally.select(force=groups.of(force)), asked)
    ]
    return _joined(frames, tally, groups, measure)


def against_similar(
    tally: Tally,
    population: Tally | None = None,
    *,
    groups: SimilarGroups,
    measure: Measured = "rate_ratio",
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] = (),
    confidence: float = 0.95,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Each force against the others of its most similar group: the others only, because a force is no part of its rest.

    A force without a group, or alone in it, gets one row that says so. Holes and members without a figure as in
    `similar_group_average`.

    search_rate: the force's rate over the pooled rate of the others; score limits, with the dispersion of the force's
    monthly share. find_rate: the force's share less the others', Newcombe's limits. rate_ratio: the force's ratio over
    Mantel and Haenszel's of the others within forces; log limits, SE^2 the sum of both variances, each with the
    dispersion of its own months.

    Arguments and errors as `similar_group_average`. Returns result rows, unit "ratio", for finds "difference in share".

    >>> import disprop as dp, pandas as pd
    >>> counts = {"essex": (60, 280), "kent": (40, 300), "sussex": (45, 310)}
    >>> rows = [(f, g) for f, both in counts.items() for g, n in zip(("Black", "White"), both) for _ in range(n)]
    >>> records = pd.DataFrame(rows, columns=["force", "ethnicity_self"]).assign(month="2019-04")
    >>> searches = dp.tally(records, by=["ethnicity_self"])
    >>> groups = similar_groups({"kent": ["kent", "essex", "sussex"]}, dated="2019-11")
    >>> found = against_similar(searches, dp.census(2021), groups=groups)
    >>> found[found.ethnicity_self == "Black"][["force", "estimate", "low", "high"]].round(2)
      force  estimate   low  high
    2  kent      0.55  0.37  0.81
    """
    asked = _asked(population, measure, of, reference, by, confidence, holes)
    frames = []
    for force in _forces(tally, groups):
        others = tuple(one for one in groups.of(force) if one != force)
        if not others:
            frames.append(_alone(force, f"{measure}, against the others"))
            continue
        rows = _against(tally.select(force=groups.of(force)), force, asked)
        frames.append(_of_force(rows, force, f"{measure}, against the others", _group_text(groups, force)))
    return _joined(frames, tally, groups, measure)


@dataclass(frozen=True)
class _Asked:
    """What is compared, and how: the arguments that every step below passes on."""

    population: Tally | None
    measure: Measured
    of: str
    reference: str
    rest: list[str]
    confidence: float
    holes: Holes

    @property
    def residents(self) -> Tally:
        return residents_for(self.measure, self.population)


def _asked(
    population: Tally | None, measure: Measured, of: str, reference: str, by: Sequence[str], confidence: float,
    holes: Holes,
) -> _Asked:  # fmt: skip
    if measure == "rate_ratio":
        refuse_everyone(reference)
    used = ("force", of) if measure == "rate_ratio" else ("force",)
    rest = [name for name in by if name not in used]
    return _Asked(population, measure, of, reference, rest, confidence, holes)


def _forces(tally: Tally, groups: SimilarGroups) -> list[str]:
    return [force for force in tally.axis("force").codes if groups.of(force)]


def _group_text(groups: SimilarGroups, force: str) -> str:
    names = ", ".join(codelist("force").label(one) for one in groups.of(force))
    return f"most similar group of {groups.dated}: {names}"


# Averages ------------------------------------------------------------------------------------------------------------


def _averages(group: Tally, asked: _Asked) -> list[pd.DataFrame]:
    how: dict[str, Any] = {"by": asked.rest, "confidence": asked.confidence}
    if asked.measure == "find_rate":
        return [find_rate(group, **how)]
    how["holes"] = asked.holes
    if asked.measure == "search_rate":
        return [search_rate(group, asked.residents, **how)]
    crude = rate_ratio(group, asked.residents, of=asked.of, reference=asked.reference, **how)
    what = ["crude" if name == "rate_ratio" else "within areas" for name in crude["measure"]]
    texts = zip(what, crude["method"])
    crude["method"] = [f"pooled {which}: {text}" if isinstance(text, str) else None for which, text in texts]
    return [_within_rows(_within(group, asked), asked.confidence), crude]


@dataclass(frozen=True)
class _Within:
    """Counts of every comparison, comparison x force (x month); `why` a force has no figure there, empty if it has."""

    groups: dict[str, list[str]]
    forces: tuple[str, ...]
    pairs: Pairs
    holes: Holes
    a: np.ndarray
    n1: np.ndarray
    c: np.ndarray
    n0: np.ndarray
    a_month: np.ndarray
    c_month: np.ndarray
    why: np.ndarray
    months: np.ndarray

    def only(self, keep: np.ndarray) -> _Within:
        """The same comparisons in some of the forces."""
        cut = {name: getattr(self, name)[:, keep] for name in ("a", "n1", "c", "n0", "a_month", "c_month", "why")}
        forces = tuple(force for force, kept in zip(self.forces, keep) if kept)
        return replace(self, forces=forces, months=self.months[:, :, keep], **cut)

    @property
    def withheld(self) -> np.ndarray:
        """Whether each comparison has no ratio: any force without a figure, or, on covered months, all of them."""
        lacking = self.why != ""
        return lacking.any(axis=1) if self.holes == "whole" else lacking.all(axis=1)

    @property
    def remarks(self) -> list[str]:
        """Why there is no ratio, or which forces it does without."""
        return _named(self.forces, self.why.T, self.withheld)

    @property
    def phi(self) -> np.ndarray:
        return month_dispersion(self.a_month.sum(axis=1), self.c_month.sum(axis=1), self.pairs.month_used)

    def ratio(self, confidence: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mantel and Haenszel's ratio over the forces, and its limits; NaN where it is withheld."""
        found = mantel_haenszel_rate_ratio(
            events=self.a,
            exposure=self.n1,
            reference_events=self.c,
            reference_exposure=self.n0,
            dispersion=self.phi,
            confidence=confidence,
        )
        estimate, low, high = (np.where(self.withheld, np.nan, column) for column in found)
        return estimate, low, high


def _within(group: Tally, asked: _Asked) -> _Within:
    by = ["force", *asked.rest]
    pairs = pair_up(group, asked.residents, asked.of, asked.reference, by, asked.holes, False)
    column = np.array(pairs.groups["force"], dtype=object)
    forces = tuple(dict.fromkeys(column))
    order = [np.flatnonzero(column == force) for force in forces]

    def stacked(values: np.ndarray) -> np.ndarray:
        return np.stack([np.asarray(values)[at] for at in order], axis=1)

    why = stacked(pairs.reason)
    usable = why == ""
    a, n1, c, n0 = (np.where(usable, stacked(side), 0.0) for side in (pairs.a, pairs.n1, pairs.c, pairs.n0))
    a_month, c_month = (np.where(usable[..., None], stacked(side), 0) for side in (pairs.a_month, pairs.c_month))
    groups = {name: [codes[i] for i in order[0]] for name, codes in pairs.groups.items() if name != "force"}
    months = np.stack([stacked(side) for side in (pairs.covered, pairs.period, pairs.unknown)])
    return _Within(groups, forces, pairs, asked.holes, a, n1, c, n0, a_month, c_month, why, months)


def _within_rows(within: _Within, confidence: float) -> pd.DataFrame:
    estimate, low, high = within.ratio(confidence)
    covered, period, unknown = within.months.sum(axis=2)
    return result_frame(
        within.groups,
        {
            "numerator": within.a.sum(axis=1),
            "estimate": estimate,
            "low": low,
            "high": high,
            "confidence": confidence,
            "method": text_where(~within.withheld, "Mantel-Haenszel within forces"),
            "unit": "ratio",
            "reference": within.pairs.reference,
            "n_unknown": unknown,
            "covered_months": covered,
            "period_months": period,
            "population_vintage": within.pairs.vintage,
            "flag": within.remarks,
        },
    )


# The force against the others ---------------------------------------------------------------------------------------


def _against(group: Tally, force: str, asked: _Asked) -> pd.DataFrame:
    if asked.measure == "find_rate":
        return _finds_apart(group, force, asked)
    if asked.measure == "search_rate":
        return _rates_apart(group, force, asked)
    return _ratios_apart(_within(group, asked), force, asked.confidence)


def _ratios_apart(within: _Within, force: str, confidence: float) -> pd.DataFrame:
    own = np.array([one == force for one in within.forces])
    here, there = within.only(own), within.only(~own)
    (one, *limits), (other, *other_limits) = here.ratio(confidence), there.ratio(confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.hypot(*(np.log(high / low) / 2 for low, high in (limits, other_limits)))
        estimate = np.where(other > 0, one / other, np.nan)
        low, high = estimate * np.exp(-half), estimate * np.exp(half)
    given = np.isfinite(low) & np.isfinite(high)
    return _within_rows(here, confidence).assign(
        estimate=estimate,
        denominator=other,
        low=np.where(given, low, np.nan),
        high=np.where(given, high, np.nan),
        method=text_where(given, "log limits, the others' ratio Mantel-Haenszel within forces"),
        flag=[join_flags(*texts) for texts in zip(here.remarks, there.remarks)],
    )


def _rates_apart(group: Tally, force: str, asked: _Asked) -> pd.DataFrame:
    found = expose(group, asked.residents, ["force", *asked.rest], holes=asked.holes)
    own = found.axes[0].index(force)
    keep = found.rows()[own]
    why = found.reason[:, keep]
    usable = why == ""
    others = np.delete(usable, own, axis=0)
    withheld = ~usable[own] | ~(others.all(axis=0) if asked.holes == "whole" else others.any(axis=0))
    n, years = (np.where(usable, side[:, keep], 0) for side in (found.n, found.years))
    months = np.where(usable[..., None], found.by_month[:, keep], 0)
    phi = month_dispersion(months[own], months.sum(axis=0) - months[own], month_coverage(group).covered[own])
    sides = {
        "events": n[own],
        "exposure": np.where(withheld, np.nan, years[own]),
        "reference_events": n.sum(axis=0) - n[own],
        "reference_exposure": np.where(withheld, np.nan, years.sum(axis=0) - years[own]),
    }
    ratio = rate_ratio_interval(**sides, confidence=asked.confidence, dispersion=phi)
    return result_frame(
        groups_of(found.axes[1:], keep),
        {
            "numerator": n[own],
            "denominator": sides["exposure"] * sides["reference_events"] / sides["reference_exposure"],
            **ratio._asdict(),
            "confidence": asked.confidence,
            "method": [f"score, month dispersion {one:.2f}" for one in phi],
            "unit": "ratio",
            "reference": "the others of the group",
            "covered_months": found.covered[:, keep].sum(axis=0),
            "period_months": found.period[:, keep].sum(axis=0),
            "population_vintage": found.vintage,
            "flag": _named(found.axes[0].codes, why, withheld),
        },
    )


def _named(forces: Sequence[str], why: np.ndarray, withheld: np.ndarray) -> list[str]:
    """Why there is no figure, or which forces it does without, per comparison (`why`: force x comparison)."""
    named = ("; ".join(f"{force}: {text}" for force, text in zip(forces, cell) if text) for cell in why.T)
    heads = np.where(withheld, "not computable: ", "without ")
    return [f"{head}{text}" if text else "" for head, text in zip(heads, named)]


def _finds_apart(group: Tally, force: str, asked: _Asked) -> pd.DataFrame:
    rest = asked.rest
    others = [one for one in group.axis("force").codes if one != force]
    here, there = (find_rate(group.select(force=side), by=rest) for side in ([force], others))
    there = here[rest].merge(there, on=rest, how="left") if rest else there.reindex(range(len(here)))
    known = (here["estimate"].notna() & there["estimate"].notna()).to_numpy()
    yes, n, other_yes, other_n = (
        np.where(known, frame[name], np.nan) for frame in (here, there) for name in ("numerator", "denominator")
    )
    found = proportion_difference_interval(
        events=yes, trials=n, reference_events=other_yes, reference_trials=other_n, confidence=asked.confidence
    )
    return here.assign(
        **found._asdict(),
        confidence=asked.confidence,
        method=text_where(known, "newcombe"),
        unit="difference in share",
        reference="the others of the group",
        bound_low=np.nan,
        bound_high=np.nan,
        flag=[join_flags(mine, theirs and f"the others: {theirs}") for mine, theirs in _texts(here, there)],
    )


def _texts(here: pd.DataFrame, there: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(here["flag"], there["flag"].fillna("no searches")))


# Rows ----------------------------------------------------------------------------------------------------------------


def _of_force(rows: pd.DataFrame, force: str, measure: str, text: str) -> pd.DataFrame:
    values: dict[str, Any] = {column.name: rows[column.name] for column in COLUMNS}
    values |= {"measure": measure, "flag": [join_flags(flag, text) for flag in rows["flag"]]}
    groups = {name: rows[name].tolist() for name in group_names(rows)}
    return result_frame({"force": [force] * len(rows), **groups}, values)


def _alone(force: str, measure: str) -> pd.DataFrame:
    return result_frame({"force": [force]}, {"measure": measure, "flag": ["no other force in its most similar group"]})


def _joined(frames: list[pd.DataFrame], tally: Tally, groups: SimilarGroups, measure: str) -> pd.DataFrame:
    import pandas as pd

    without = [force for force in tally.axis("force").codes if not groups.of(force)]
    if without:
        said = {"measure": f"{measure}, most similar group", "flag": ["no most similar group"] * len(without)}
        frames = [*frames, result_frame({"force": without}, said)]
    whole = pd.concat(frames, ignore_index=True)
    axes = [name for name in whole.columns if name not in {column.name for column in COLUMNS}]
    return whole[[*axes, *(column.name for column in COLUMNS)]]
