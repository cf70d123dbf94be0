"""Rates and ratios with the ages of the groups made equal: what would be, not what was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from disprop.errors import CodelistMismatch, UsageError
from disprop.intervals import directly_standardised_rate, effective_events, expected_within_strata
from disprop.intervals.standardised import FEWEST
from disprop.measures.exposed import Holes, expose
from disprop.measures.pairs import EVERYONE, Pairs
from disprop.measures.rates import PER
from disprop.measures.ratios import ratio_frame
from disprop.measures.strata import Strata, split, split_by
from disprop.measures.verdicts import NOT_COMPUTABLE, TOO_FEW
from disprop.results import join_flags, not_computable, result_frame, text_where
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

AGE = "age_band"

OWN_FORCE = "own force"
Standard = Tally | Literal["everyone", "own force"]

BOUNDS_UNKNOWN_AGE = 0.05
"""Bounds only where more than this share of the searches has no age."""
REFUSE_UNKNOWN_AGE = 0.5
"""Refused where more than this share has none: then more would be guessed than is known."""

GIVEN, BOUNDED, REFUSED = range(3)
NO_AGE = "no residents of some age"
INDIRECT = "at the group's own ages: this is not the actual ratio"


def age_standardised_rate(
    tally: Tally,
    population: Tally,
    *,
    by: Sequence[str] | None = None,
    standard: Standard = "everyone",
    confidence: float = 0.95,
    method: str = "byar",
    holes: Holes = "whole",
    perceived: bool = False,
) -> pd.DataFrame:
    """Searches per 1,000 residents a year, had each group the ages of one standard population.

    These are not the actual rates: they serve to compare groups whose ages differ. Groups and forces can be compared
    as long as the standard is one and the same. Below 10 searches of known age no rate is given; nor where the group
    has no residents of some age, where too few of its residents are published by age (see `census_quality`), and
    wherever `search_rate` gives none.

    Searches without an age: up to 5% of the group's, the rate is that of known ages times all / known; up to 50%,
    bounds only; above, refused. The bounds give all of them to the age at which a search weighs least, or most; the
    high one counts every search whose group is not known as the group's.

    rate = sum(w x / n) / sum(w) x 1,000, x searches, n resident-years and w standard population of an age band.
    Limits: Dobson's method on those of the count, Byar's or exact (`disprop.intervals.directly_standardised_rate`).

    tally: axis `age_band` among others. population: residents by force, age_band and the groups. by: axes of the rows;
    default every axis of the tally but month and age_band. standard: `everyone` in the population (default: with
    `disprop.census` that is England and Wales, save the groups without a denominator), `own force` (all groups of the
    row's force), or a tally of residents by age_band, such as `disprop.census(2021, by=["age_band"])`.

    Returns one row a cell; `numerator` and `denominator` are the actual ones. Raises UsageError without residents by
    age, for a standard that is none of these, for `own force` without force among the rows; else as `search_rate`.

    >>> import disprop as dp, pandas as pd
    >>> invented = {"force": "west-midlands", "month": "2019-04", "search_type": "Person search"}
    >>> counts = {("Black", "18-24"): 40, ("Black", "over 34"): 10, ("White", "18-24"): 60, ("White", "over 34"): 40}
    >>> records = pd.DataFrame([{**invented, "ethnicity_self": group, "age_band": age}
    ...                         for (group, age), n in counts.items() for _ in range(n)])
    >>> searches = dp.tally(records, by=["age_band", "ethnicity_self"])
    >>> residents = dp.census(2021, by=["force", "age_band", "ethnicity_self"])
    >>> rates = age_standardised_rate(searches, residents, by=["ethnicity_self"])
    >>> rates[["ethnicity_self", "numerator", "estimate", "low", "high"]].round(2)
      ethnicity_self  numerator  estimate   low  high
    0          White      100.0      0.65  0.53  0.79
    1          Mixed        0.0       NaN   NaN   NaN
    2          Asian        0.0       NaN   NaN   NaN
    3          Black       50.0      2.04  1.49  2.72
    4          Other        0.0       NaN   NaN   NaN
    """
    aged = _aged(tally, population, by, standard, holes, perceived)
    known = aged.events.sum(axis=1)
    state = _state([known], [aged.n])
    few = (known < FEWEST) & (state != REFUSED)
    found = directly_standardised_rate(
        events=aged.events, exposure=aged.years / PER, standard=aged.weight, confidence=confidence, method=method
    )
    open_to = (aged.reason == "") & (state != REFUSED) & ~few
    scale = np.where(open_to & (state == GIVEN), _over(aged.n, known), np.nan)
    bound_low, bound_high = _rate_bounds(aged, np.where(open_to, found.estimate, np.nan))
    return result_frame(
        aged.groups,
        {
            "measure": "age_standardised_rate",
            "numerator": aged.n,
            "denominator": np.where(aged.years.sum(axis=1) > 0, aged.years.sum(axis=1), np.nan),
            **{name: figure * scale for name, figure in found._asdict().items()},
            "confidence": confidence,
            "method": text_where(np.isfinite(scale), f"dobson, {method}"),
            "unit": f"{tally.unit} per 1,000 residents per year, standardised for age",
            "bound_low": bound_low,
            "bound_high": bound_high,
            "n_unknown": aged.unknown,
            "covered_months": aged.covered,
            "period_months": aged.period,
            "population_vintage": population.vintage,
            "flag": _flags(aged.reason, aged.flag, state, aged.n - known, aged.n, few, _named(standard, population)),
        },
    )


def age_standardised_ratio(
    tally: Tally,
    population: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] | None = None,
    method: Literal["direct", "indirect"] = "direct",
    standard: Standard = "everyone",
    confidence: float = 0.95,
    holes: Holes = "whole",
    perceived: bool = False,
) -> pd.DataFrame:
    """Rate of each group over the rate of the reference, with their ages made equal.

    Not the ratio of the actual rates. `direct`: both rates with the ages of the standard; not given below 10 searches
    of known age on a side. `indirect`: the group's searches over those expected at the reference's rate in each age
    band, that is with the group's own ages; for few searches, and no standard is used. Withheld where
    `age_standardised_rate` or `rate_ratio` is. The ages of residents over 34 are one band: within it groups differ too.

    Searches without an age: up to 5% on each side, known ages times all / known; up to 50% on a side, bounds only;
    above, refused. The bounds give them to the ages, and every search whose group is not known to the side, that make
    the ratio least, and greatest.

    direct = d1 / d0 of `age_standardised_rate`; indirect = a / sum(n1 c / n0) over age bands. Limits and verdict as
    `rate_ratio` has them (month dispersion included), on the effective counts of `disprop.intervals.effective_events`
    and `expected_within_strata`.

    Arguments and errors as `rate_ratio` and `age_standardised_rate`; the reference is not `everyone`.

    >>> import disprop as dp, pandas as pd
    >>> invented = {"force": "west-midlands", "month": "2019-04", "search_type": "Person search"}
    >>> counts = {("Black", "18-24"): 40, ("Black", "over 34"): 10, ("White", "18-24"): 60, ("White", "over 34"): 40}
    >>> records = pd.DataFrame([{**invented, "ethnicity_self": group, "age_band": age}
    ...                         for (group, age), n in counts.items() for _ in range(n)])
    >>> searches = dp.tally(records, by=["age_band", "ethnicity_self"])
    >>> residents = dp.census(2021, by=["force", "age_band", "ethnicity_self"])
    >>> ratios = [dp.rate_ratio(searches, residents, by=["force"]), age_standardised_ratio(searches, residents)]
    >>> [float(frame.set_index("ethnicity_self").loc["Black", "estimate"].round(2)) for frame in ratios]
    [3.8, 3.15]
    """
    if reference == EVERYONE:
        raise UsageError("a group is part of 'everyone': compare it with a group or with 'everyone else'")
    if method not in ("direct", "indirect"):
        raise UsageError(f"method={method!r} is not a choice; give 'direct' or 'indirect'")
    strata = split(tally, population, AGE, of=of, reference=reference, by=by, holes=holes, perceived=perceived)
    pairs = strata.pairs
    weight = _weights(population, standard, strata.codes, pairs.groups, len(pairs.a))
    known = [strata.a.sum(axis=1), strata.c.sum(axis=1)]
    whole = [known[0] + strata.a_elsewhere, known[1] + strata.c_elsewhere]
    bare = (weight > 0) & ((strata.n1 == 0) | (strata.n0 == 0))
    reason = np.where((pairs.reason == "") & bare.any(axis=1) & (method == "direct"), NO_AGE, pairs.reason)
    ready = replace(strata, pairs=replace(pairs, reason=reason))
    recorded, *bounds = _direct(ready, weight) if method == "direct" else _indirect(ready)
    frame = ratio_frame(recorded, (bounds[0], bounds[1]), pairs.phi, confidence, measure="age_standardised_ratio")
    frame["numerator"] = whole[0].astype(float)
    frame["denominator"] = frame["numerator"] / frame["estimate"].where(frame["estimate"] > 0)
    frame["method"] = [f"{method}, {name}" if isinstance(name, str) else None for name in frame["method"]]
    state = _state(known, whole)
    few = (np.minimum(*known) < FEWEST) & (state != REFUSED) & (method == "direct")
    remark = _named(standard, population) if method == "direct" else INDIRECT
    frame["flag"] = _flags(reason, pairs.flag, state, sum(whole) - sum(known), sum(whole), few, remark)
    return _withhold(frame, state, few & (reason == ""))


def _withhold(frame: pd.DataFrame, state: np.ndarray, few: np.ndarray) -> pd.DataFrame:
    """The rows without the figures that unknown ages, or too few searches, do not allow."""
    text, number = ["method", "verdict_holds", "point_against_band"], ["denominator", "estimate", "low", "high"]
    hidden = few | (state != GIVEN)
    frame.loc[hidden, number] = np.nan
    frame.loc[hidden, text] = None
    frame.loc[few | (state == REFUSED), ["bound_low", "bound_high"]] = np.nan
    frame.loc[hidden, "verdict"] = np.where(few[hidden], TOO_FEW, NOT_COMPUTABLE)
    return frame


# Ages --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Aged:
    """Rows of rates: all searches, and of known age searches, resident-years and standard (rows x ages)."""

    groups: dict[str, list[str]]
    n: np.ndarray
    events: np.ndarray
    years: np.ndarray
    weight: np.ndarray
    unknown: np.ndarray
    unknown_by_age: np.ndarray
    reason: np.ndarray
    flag: np.ndarray
    covered: np.ndarray
    period: np.ndarray


def _aged(
    tally: Tally, population: Tally, by: Sequence[str] | None, standard: Standard, holes: Holes, perceived: bool
) -> _Aged:
    rest = split_by(tally, population, AGE, None, by)
    whole = expose(tally, population, rest, holes=holes, perceived=perceived)
    aged = expose(tally, population, [*rest, AGE], holes=holes, perceived=perceived)
    keep, ages = whole.rows(), aged.axes[-1]
    known = np.isin(ages.codes, ages.groups)
    n, unknown, reason, flag, covered, period = (
        np.atleast_1d(values[keep])
        for values in (whole.n, whole.unknown(), whole.reason, whole.flag, whole.covered, whole.period)
    )
    events, years, unknown_by_age = (
        values[keep].reshape(len(n), -1)[:, known] for values in (aged.n, aged.years, aged.unknown(within=AGE))
    )
    groups = whole.groups(keep)
    weight = _weights(population, standard, ages.groups, groups, len(n))
    bare = ((weight > 0) & (years == 0)).any(axis=1)
    reason = np.where((reason == "") & bare, NO_AGE, reason)
    return _Aged(groups, n, events, years, weight, unknown, unknown_by_age, reason, flag, covered, period)


def _weights(
    population: Tally, standard: Standard, ages: Sequence[str], groups: dict[str, list[str]], rows: int
) -> np.ndarray:
    """Residents of the standard population, rows x ages."""
    if isinstance(standard, Tally):
        return np.tile(_by_age(standard, population, ages), (rows, 1))
    if standard == EVERYONE:
        return np.tile(_by_age(population, population, ages), (rows, 1))
    if standard != OWN_FORCE:
        raise UsageError(f"standard={standard!r} is not a choice; give 'everyone', 'own force' or a tally of residents")
    if "force" not in groups:
        raise UsageError("standard='own force' needs rows by force; name force in by, or take 'everyone'")
    people = population.project(["force", AGE])
    own = {force: _by_age(people.select(force=force), population, ages) for force in people.axis("force").codes}
    none = np.zeros(len(ages), dtype=np.int64)
    return np.array([own.get(force, none) for force in groups["force"]]).reshape(rows, len(ages))


def _by_age(standard: Tally, population: Tally, ages: Sequence[str]) -> np.ndarray:
    if standard.unit != "residents":
        raise UsageError(f"a standard population counts residents; this tally counts {standard.unit}")
    people = standard.project([AGE])
    if people.axis(AGE).codelist != population.axis(AGE).codelist:
        raise CodelistMismatch(
            f"{AGE}: the standard is in {people.axis(AGE).codelist}, residents in {population.axis(AGE).codelist}"
        )
    return np.array([people[{AGE: age}] for age in ages], dtype=np.int64)


# Direct and indirect -----------------------------------------------------------------------------------------------


def _direct(strata: Strata, weight: np.ndarray) -> tuple[Pairs, Pairs, Pairs]:
    """Rates at the standard's ages: as recorded, then with the unknown toward the reference, and toward the group."""
    pull1, pull0 = _pull(weight, strata.n1), _pull(weight, strata.n0)
    a_else, c_else, more = strata.a_elsewhere, strata.c_elsewhere, strata.unknown_elsewhere
    recorded = _direct_pairs(strata, strata.a, strata.c, weight)
    fewest = _least(strata.a, pull1, a_else), _least(strata.c, pull0, c_else)
    most = (
        _most(strata.a + strata.unknown, pull1, a_else + more),
        _most(strata.c + strata.unknown, pull0, c_else + more),
    )
    return (
        replace(
            recorded,
            n1=recorded.n1 / _over(strata.a.sum(axis=1) + a_else, strata.a.sum(axis=1)),
            n0=recorded.n0 / _over(strata.c.sum(axis=1) + c_else, strata.c.sum(axis=1)),
        ),
        _direct_pairs(strata, fewest[0], most[1], weight),
        _direct_pairs(strata, most[0], fewest[1], weight),
    )


def _direct_pairs(strata: Strata, a: np.ndarray, c: np.ndarray, weight: np.ndarray) -> Pairs:
    """Effective counts of both sides; a side that is not given stands as 0 searches."""
    group = effective_events(events=a, exposure=strata.n1, standard=weight)
    other = effective_events(events=c, exposure=strata.n0, standard=weight)
    sides = (np.nan_to_num(v) for v in (group.events, group.exposure, other.events, other.exposure))
    return replace(strata.pairs, **dict(zip(("a", "n1", "c", "n0"), sides)))


def _indirect(strata: Strata) -> tuple[Pairs, Pairs, Pairs]:
    """Searches over those expected at the reference's rates: as recorded, toward the reference, toward the group."""
    pull = _pull(strata.n1, strata.n0)
    unknown, c_else, more = strata.unknown, strata.c_elsewhere, strata.unknown_elsewhere
    a = strata.a.sum(axis=1) + strata.a_elsewhere
    recorded = _indirect_pairs(strata, a, strata.c)
    scale = _over(strata.c.sum(axis=1) + c_else, strata.c.sum(axis=1))
    return (
        replace(recorded, n1=recorded.n1 * scale),
        _indirect_pairs(strata, a, _most(strata.c + unknown, pull, c_else + more)),
        _indirect_pairs(strata, a + unknown.sum(axis=1) + more, _least(strata.c, pull, c_else)),
    )


def _indirect_pairs(strata: Strata, a: np.ndarray, c: np.ndarray) -> Pairs:
    found = expected_within_strata(
        events=strata.a, exposure=strata.n1, reference_events=c, reference_exposure=strata.n0
    )
    return replace(strata.pairs, a=a, n1=found.expected, c=found.effective, n0=found.effective)


# The unknown -------------------------------------------------------------------------------------------------------


def _pull(weight: np.ndarray, years: np.ndarray) -> np.ndarray:
    """What one search more of an age adds to the figure; NaN where nobody is of that age."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((weight > 0) & (years > 0), weight / years, np.nan)


def _least(counts: np.ndarray, pull: np.ndarray, more: np.ndarray) -> np.ndarray:
    """The counts with `more` at the age where they pull least."""
    return _added(counts, np.nan_to_num(pull, nan=np.inf).argmin(axis=1), more)


def _most(counts: np.ndarray, pull: np.ndarray, more: np.ndarray) -> np.ndarray:
    return _added(counts, np.nan_to_num(pull, nan=-np.inf).argmax(axis=1), more)


def _added(counts: np.ndarray, at: np.ndarray, more: np.ndarray) -> np.ndarray:
    added = counts.copy()
    added[np.arange(len(counts)), at] += more
    return added


def _rate_bounds(aged: _Aged, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rate with searches of unknown age where they weigh least; where most, those of unknown group with them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = _pull(aged.weight, aged.years) / aged.weight.sum(axis=1, keepdims=True) * PER
    lacking = aged.n - aged.events.sum(axis=1)
    stray = aged.unknown - aged.unknown_by_age.sum(axis=1)
    least = np.nan_to_num(pull, nan=np.inf).min(axis=1)
    most = np.nan_to_num(pull, nan=-np.inf).max(axis=1)
    with np.errstate(invalid="ignore"):
        low = rate + least * lacking
        high = rate + np.nansum(pull * aged.unknown_by_age, axis=1) + most * (lacking + stray)
    return np.where(np.isnan(rate), np.nan, low), np.where(np.isnan(rate), np.nan, high)


def _over(whole: np.ndarray, part: np.ndarray) -> np.ndarray:
    """All over known; 1 where nothing is known."""
    return np.where(part > 0, whole / np.maximum(part, 1), 1.0)


def _state(known: Sequence[np.ndarray], whole: Sequence[np.ndarray]) -> np.ndarray:
    """Given, bounds only or refused, by the side with the larger share of unknown ages."""
    worst = np.maximum.reduce([_lacking(every, part) for every, part in zip(whole, known)])
    return np.where(worst > REFUSE_UNKNOWN_AGE, REFUSED, np.where(worst > BOUNDS_UNKNOWN_AGE, BOUNDED, GIVEN))


def _lacking(whole: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, (whole - known) / np.maximum(whole, 1), 0.0)


def _flags(
    reason: np.ndarray,
    flag: np.ndarray,
    state: np.ndarray,
    lacking: np.ndarray,
    whole: np.ndarray,
    few: np.ndarray,
    remark: str,
) -> list[str]:
    said = {GIVEN: "{0:,} of {1:,} searches have no age", BOUNDED: "bounds only: {0:,} of {1:,} searches have no age"}
    said[REFUSED] = "refused: {0:,} of {1:,} searches have no age"
    return [
        join_flags(
            not_computable(why),
            said[int(at)].format(int(m), int(n)) if m else "",
            f"fewer than {FEWEST} searches of known age: not given" if scarce and not why else "",
            remark,
            also,
        )
        for why, also, at, m, n, scarce in zip(reason, flag, state, lacking, whole, few)
    ]


def _named(standard: Standard, population: Tally) -> str:
    """What the ages are made equal to."""
    if isinstance(standard, Tally):
        whose = standard.vintage or "the population given"
    else:
        whose = f"everyone in {population.vintage}" if standard == EVERYONE else "all groups of the force"
    return f"standardised to the ages of {whose}: these are not the actual rates"
