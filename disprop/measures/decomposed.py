"""Where a ratio comes from: differences between forces, between their areas, and within areas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.areas import NEAR_NOTE, PLACED_NOTE
from disprop.codelists import codelist
from disprop.errors import Refused, UsageError
from disprop.intervals import (
    breslow_day_of_rates,
    decompose_ratio,
    expected_within_strata,
    mantel_haenszel_rate_ratio,
    rate_difference_interval,
    within_strata_excess,
)
from disprop.measures.exposed import Holes, default_by
from disprop.measures.not_recorded import share_out
from disprop.measures.pairs import EVERYONE, Pairs, pair_frame
from disprop.measures.ratios import dispersed_name, ratio_frame
from disprop.measures.strata import Strata, split
from disprop.measures.unknowns import RESEMBLE
from disprop.results import join_flags, text_where
from disprop.tallies import AREA, Tally

if TYPE_CHECKING:
    import pandas as pd

WITHIN_AREAS = "rate_ratio_within_areas"
NO_TWIN = "areas are known, residents by area are not given: no ratio within areas stands beside this one"

MOVED = "places are the publisher's anonymous points"
PLACELESS = 0.5
"""Where more than this share of a force's searches has no place, the force is not looked at within areas."""
NAMED_AREAS = 5
"""So many areas are named in a remark; further ones are counted."""


def area_decomposition(
    tally: Tally,
    population: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    holes: Holes = "whole",
    perceived: bool = False,
) -> pd.DataFrame:
    """What a rate ratio is made of, exactly: between forces, between areas within forces, within areas.

    A force searches most where it is busiest, and groups live in different places: part of a crude ratio is a
    difference between places, not between groups in one place. All three parts are real; none is an explanation.

    Records without a place, those in areas of other forces, and areas without residents of the reference take part at
    no level, and `flag` says how many and which. A force of whose searches most have no place is withheld, or left out
    of all forces together, by name. An area has one population, whoever searched there, and lies in one
    force. With `force` among the rows a force's own areas are looked at, and the steps between forces fall away;
    without it, all forces together, those without residents left out by name.

    With a, n1 searches and residents of the group, c, n0 those of the reference, E_L = sum over the parts k at level L
    of n1k ck / n0k and R_L = a / E_L: R_crude = (R_crude / R_force) x (R_force / R_area) x R_area, and
    a - E_crude = (E_force - E_crude) + (E_area - E_force) + (a - E_area).

    Rows, by `measure`, for each comparison:

    - `rate_ratio`, `rate_ratio_within_forces`, `rate_ratio_within_areas`: R at the three levels, limits and verdicts as
      `disprop.rate_ratio` has them, on the group's count against the effective count behind E.
    - `ratio_between_forces`, `ratio_between_areas`: the first two factors; with `rate_ratio_within_areas` they multiply
      to `rate_ratio`. No limits.
    - `excess_searches`, `excess_between_forces`, `excess_between_areas`, `excess_within_areas`: the excess and its
      parts, which add up. Limits of the first as `disprop.excess_searches`, of the last a - E -+ z sqrt(phi (a +
      sum((n1k / n0k)^2 ck))), phi the month dispersion.
    - `mantel_haenszel_within_forces`, `mantel_haenszel_within_areas`: beside, because others print them. They are no
      part of the product.
    - `ratio_not_recorded`, `rate_ratio_allocated`: one step further, the records that state no group. The factor by
      which `rate_ratio` would change if the unknown records of these areas were shared out like the stated ones of the
      same month, officer-defined ethnicity (where the tally has it) and area, and the ratio it leads to; `method` names
      the rule. An assumption worked out, without limits: the bounds of `rate_ratio` assume nothing.
    - `breslow_day_within_areas`: chi-square of whether areas share one ratio, over its degrees of freedom.

    tally: axis `area` among others. population: residents by force, area and `of`. by: further axes of the rows;
    default every axis of the tally but month, area, officer-defined ethnicity and `of`. Other arguments as in
    `rate_ratio`.

    Raises UsageError for the reference `everyone`, and without residents by area; Refused when no record has an area;
    else what `rate_ratio` raises.

    Invented searches of one month in two areas of the West Midlands, set against the real Census:

    >>> import disprop as dp, pandas as pd
    >>> counts = {("E08000025", "Black"): 40, ("E08000025", "White"): 60, ("E08000029", "Black"): 2,
    ...           ("E08000029", "White"): 8}
    >>> invented = {"force": "west-midlands", "month": "2019-04", "search_type": "Person search"}
    >>> records = pd.DataFrame([{**invented, "area": area, "ethnicity_self": group}
    ...                         for (area, group), n in counts.items() for _ in range(n)])
    >>> searches = dp.tally(records, by=["area", "ethnicity_self"])
    >>> parts = area_decomposition(searches, dp.census(2021, by=["force", "area", "ethnicity_self"]))
    >>> black = parts[parts["ethnicity_self"] == "Black"].set_index("measure")["estimate"].round(2)
    >>> black[["rate_ratio", "ratio_between_areas", "rate_ratio_within_areas"]].tolist()
    [4.69, 1.53, 3.06]
    """
    if reference == EVERYONE:
        raise UsageError("a group is part of 'everyone': compare it with a group or with 'everyone else'")
    by = default_by(tally, without=[of, AREA, "ethnicity_officer"]) if by is None else by
    strata = _by_area(tally, population, of, reference, by, holes, perceived)
    if tally.total and not tally.axis(AREA).groups:
        raise Refused(
            "no search has an area: add --areas FILE, a file of boundaries of local authorities "
            "(in Python disprop.with_areas), or give records that have a column area"
        )
    phi = strata.pairs.phi
    several = "force" not in strata.pairs.groups
    homes = _homes(population, strata.codes)
    levels = {"areas": strata} if not several else {"forces": _joined(strata, homes), "areas": strata}
    found = decompose_ratio(**_counts(strata), force=homes)
    unit, betweens = tally.unit, ["forces", "areas"] if several else ["areas"]
    whole = _joined(strata, np.zeros(len(homes)))
    factors = dict(zip(("forces", "areas"), np.exp(found.log_step[:, :2]).T))
    excess = dict(zip(("forces", "areas"), found.excess_step[:, :2].T))
    frames = [
        ratios_of_strata(whole, phi, confidence, "rate_ratio"),
        *(ratios_of_strata(level, phi, confidence, f"rate_ratio_within_{name}") for name, level in levels.items()),
        *(_step(strata, f"ratio_between_{name}", factors[name], "factor") for name in betweens),
        *_not_recorded(strata, whole, tally, population, of, reference),
        _crude_excess(strata, phi, confidence, unit),
        *(_step(strata, f"excess_between_{name}", excess[name], unit) for name in betweens),
        _within_excess(strata, phi, confidence, unit),
        *(_mantel_haenszel(level, phi, confidence, name) for name, level in levels.items()),
        _breslow_day(strata),
    ]
    return _row_by_row(frames)


def with_within_areas(
    crude: pd.DataFrame,
    tally: Tally,
    population: Tally,
    of: str,
    reference: str,
    by: Sequence[str] | None,
    confidence: float,
    holes: Holes,
    perceived: bool,
) -> pd.DataFrame:
    """The rows of `rate_ratio`, each with its twin `rate_ratio_within_areas` below it.

    Where no record has an area there is no twin. Where residents are not known by area there is none either, and the
    crude row says so.
    """
    if not tally.axis(AREA).groups:
        return crude
    if AREA not in population.names:
        return crude.assign(flag=[join_flags(flag, NO_TWIN) for flag in crude["flag"]])
    strata = _by_area(tally, population, of, reference, by, holes, perceived)
    return _row_by_row([crude, ratios_of_strata(strata, strata.pairs.phi, confidence, WITHIN_AREAS)])


def _by_area(
    tally: Tally,
    population: Tally,
    of: str,
    reference: str,
    by: Sequence[str] | None,
    holes: Holes,
    perceived: bool,
) -> Strata:
    """Comparisons split by area; every row says what takes part."""
    strata = split(tally, population, AREA, of=of, reference=reference, by=by, holes=holes, perceived=perceived)
    strata = _without_placeless(strata, tally, _homes(population, strata.codes))
    remarks = _remarks(strata, _places_remark(tally))
    flag = [join_flags(old, new) for old, new in zip(strata.pairs.flag, remarks)]
    unknown = np.where(strata.n0 > 0, strata.unknown, 0).sum(axis=-1)
    return replace(strata, pairs=replace(strata.pairs, flag=np.array(flag, dtype=object), unknown=unknown))


def _without_placeless(strata: Strata, tally: Tally, homes: np.ndarray) -> Strata:
    """Without the forces of which most searches have no place: their rows withheld, their areas out of all forces."""
    placed = tally.project(["force", AREA])
    nowhere = placed.counts[:, np.isin(placed.axis(AREA).codes, placed.axis(AREA).unknowns)].sum(axis=1)
    totals = placed.counts.sum(axis=1)
    bare = {f: (int(m), int(n)) for f, m, n in zip(placed.axis("force").codes, nowhere, totals) if m > PLACELESS * n}
    if not bare:
        return strata
    pairs = strata.pairs
    if "force" in pairs.groups:
        why = [
            f"{bare[f][0]:,} of {bare[f][1]:,} searches have no place" if f in bare else ""
            for f in pairs.groups["force"]
        ]
        reason = np.array([join_flags(old, new) for old, new in zip(pairs.reason, why)], dtype=object)
        return replace(strata, pairs=replace(pairs, reason=reason))
    here = ~np.isin(homes, list(bare))
    remark = f"left out, most searches have no place: {', '.join(codelist('force').label(f) for f in bare)}"
    flag = np.array([join_flags(old, remark) for old in pairs.flag], dtype=object)
    return replace(
        strata,
        pairs=replace(pairs, flag=flag),
        a=strata.a * here,
        n1=strata.n1 * here,
        c=strata.c * here,
        n0=strata.n0 * here,
        unknown=strata.unknown * here,
    )


def _remarks(strata: Strata, places: str) -> Iterable[str]:
    searches = strata.a + strata.c
    abroad = np.where((strata.n0 == 0) & (strata.n1 == 0), searches, 0).sum(axis=-1)
    nowhere = strata.a_elsewhere + strata.c_elsewhere
    for row in range(len(searches)):
        bare = np.flatnonzero((strata.n0[row] == 0) & (strata.n1[row] > 0))
        yield join_flags(
            _share_remark(int(searches[row].sum() + nowhere[row]), int(nowhere[row]), int(abroad[row])),
            _bare_remark([strata.codes[i] for i in bare], strata.pairs.reference),
            places,
        )


def _share_remark(whole: int, nowhere: int, abroad: int) -> str:
    if nowhere + abroad == 0:
        return ""
    return (
        f"within areas: of {whole:,} searches of the two groups {nowhere:,} have no place and {abroad:,} lie in areas "
        "of other forces"
    )


def _bare_remark(areas: list[str], reference: str) -> str:
    if not areas:
        return ""
    more = f" and {len(areas) - NAMED_AREAS} more" if len(areas) > NAMED_AREAS else ""
    return f"left out, no residents of the reference ({reference}): {', '.join(areas[:NAMED_AREAS])}{more}"


def _places_remark(tally: Tally) -> str:
    """What to know of places that were found from coordinates."""
    notes = tally.account.notes
    placed = notes.get(PLACED_NOTE, 0)
    if not placed:
        return ""
    return f"{MOVED}, {notes.get(NEAR_NOTE, 0) / placed:.1%} of those read within 50 m of another area"


def _homes(population: Tally, areas: Sequence[str]) -> np.ndarray:
    """The force in which each area lies, by its residents; none for an area without."""
    people = population.project(["force", AREA])
    forces, known = people.axis("force").codes, people.axis(AREA).codes
    home = {area: forces[of] for area, of in zip(known, people.counts.argmax(axis=0))}
    return np.array([home.get(area, "") for area in areas])


def _joined(strata: Strata, labels: np.ndarray) -> Strata:
    """Strata of one label as one, those without residents of the reference left out."""
    names, at = np.unique(labels, return_inverse=True)
    to = np.eye(len(names), dtype=np.int64)[at]
    a, n1, c, n0, unknown = (
        np.where(strata.n0 > 0, values, 0) @ to for values in (strata.a, strata.n1, strata.c, strata.n0, strata.unknown)
    )
    return replace(strata, codes=tuple(map(str, names)), a=a, n1=n1, c=c, n0=n0, unknown=unknown)


def _counts(strata: Strata) -> dict[str, np.ndarray]:
    return {
        "events": strata.a,
        "exposure": strata.n1,
        "reference_events": strata.c,
        "reference_exposure": strata.n0,
    }


# Rows --------------------------------------------------------------------------------------------------------------


def ratios_of_strata(strata: Strata, phi: np.ndarray, confidence: float, measure: str) -> pd.DataFrame:
    """Ratio rows within strata: the recorded counts, then every unknown to the reference, then to the group."""
    u = strata.unknown
    inside = u if strata.pairs.reference == EVERYONE else 0
    bounds = (
        _effective(replace(strata, c=strata.c + u)),
        _effective(replace(strata, a=strata.a + u, c=strata.c + inside)),
    )
    return ratio_frame(_effective(strata), bounds, phi, confidence, measure=measure)


def _effective(strata: Strata) -> Pairs:
    """One comparison that stands for all strata: events against those expected, as sure as these are."""
    found = expected_within_strata(**_counts(strata))
    worth = found.effective
    if strata.pairs.reference == EVERYONE:
        worth = _worth_with_the_group_inside(strata, found.events, found.expected, worth)
    return replace(strata.pairs, a=found.events, n1=found.expected, c=worth, n0=worth)


def _worth_with_the_group_inside(
    strata: Strata, events: np.ndarray, expected: np.ndarray, otherwise: np.ndarray
) -> np.ndarray:
    """Trials t for which a share of events / t is as sure as the ratio to everyone, the group included, is.

    ln(ratio) has the variance v = sum((1 / a - w / E)^2 ak + (w / E)^2 (ck - ak)), and ln(share) (1 - share) / a.
    """
    with np.errstate(all="ignore"):
        pull = np.where(strata.n0 > 0, strata.n1 / strata.n0, 0.0) / expected[:, None]
        inside = np.where(strata.n0 > 0, (1 / events[:, None] - pull) ** 2 * strata.a, 0.0)
        variance = (inside + pull**2 * (strata.c - strata.a)).sum(axis=-1)
        share = np.maximum(1 - events * variance, 1e-6)
        return np.where(events > 0, events / share, otherwise)


def _step(strata: Strata, measure: str, values: np.ndarray, unit: str) -> pd.DataFrame:
    """Rows of a part that has no limits of its own."""
    return _rows(strata, {"measure": measure, "estimate": values, "unit": unit})


def _not_recorded(
    strata: Strata, recorded: Strata, tally: Tally, population: Tally, of: str, reference: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The step from the recorded ratio to the one with the unknown shared out, and that ratio."""
    shared, rule = share_out(strata, tally, population, of, reference)
    allocated = _joined(shared, np.zeros(len(strata.codes)))
    ratios = [_crude(level) for level in (recorded, allocated)]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = ratios[1] / ratios[0]
        expected = allocated.n1[:, 0] * allocated.c[:, 0] / allocated.n0[:, 0]
    noted = replace(strata, pairs=replace(strata.pairs, flag=_with_flag(strata.pairs.flag, RESEMBLE)))
    step = {"measure": "ratio_not_recorded", "estimate": factor, "unit": "factor", "method": rule}
    ratio = {"measure": "rate_ratio_allocated", "estimate": ratios[1], "unit": "ratio", "method": rule}
    counts = {"numerator": allocated.a[:, 0], "denominator": expected}
    return _rows(noted, step), _rows(noted, ratio | counts)


def _crude(whole: Strata) -> np.ndarray:
    """The ratio of comparisons whose areas are joined to one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (whole.a[:, 0] / whole.n1[:, 0]) / (whole.c[:, 0] / whole.n0[:, 0])
    return np.where(whole.c[:, 0] > 0, ratio, np.nan)


def _with_flag(flags: np.ndarray, remark: str) -> np.ndarray:
    return np.array([join_flags(flag, remark) for flag in flags], dtype=object)


def _crude_excess(strata: Strata, phi: np.ndarray, confidence: float, unit: str) -> pd.DataFrame:
    whole = _joined(strata, np.zeros(len(strata.codes)))
    counts = {name: values[:, 0] / phi for name, values in _counts(whole).items()}
    found = rate_difference_interval(**counts, confidence=confidence)
    n1 = whole.n1[:, 0]
    limits = {name: getattr(found, name) * n1 for name in ("estimate", "low", "high")}
    return _rows(strata, {"measure": "excess_searches", **limits, "unit": unit}, "score", phi, confidence)


def _within_excess(strata: Strata, phi: np.ndarray, confidence: float, unit: str) -> pd.DataFrame:
    found = within_strata_excess(**_counts(strata), confidence=confidence, dispersion=phi)
    values = {"measure": "excess_within_areas", **found._asdict(), "unit": unit}
    return _rows(strata, values, "normal", phi, confidence)


def _mantel_haenszel(strata: Strata, phi: np.ndarray, confidence: float, level: str) -> pd.DataFrame:
    found = mantel_haenszel_rate_ratio(**_counts(strata), confidence=confidence, dispersion=phi)
    values = {"measure": f"mantel_haenszel_within_{level}", **found._asdict(), "unit": "ratio"}
    return _rows(strata, values, "mantel_haenszel", phi, confidence)


def _breslow_day(strata: Strata) -> pd.DataFrame:
    found = breslow_day_of_rates(**_counts(strata))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = {
            "measure": "breslow_day_within_areas",
            "numerator": found.statistic,
            "denominator": found.degrees_of_freedom,
            "estimate": found.statistic / found.degrees_of_freedom,
            "unit": "chi-square over its degrees of freedom",
        }
    return _rows(strata, values)


def _rows(
    strata: Strata, values: dict[str, Any], method: str = "", phi: np.ndarray | None = None, confidence: float = np.nan
) -> pd.DataFrame:
    """Result rows; numbers are withheld where the comparison is."""
    computable = strata.pairs.reason == ""
    shown = {"numerator": np.nan, "denominator": np.nan, "confidence": confidence, **values}
    for name in ("numerator", "denominator", "estimate", "low", "high"):
        if name in shown:
            shown[name] = np.where(computable, shown[name], np.nan)
    if phi is not None:
        shown["method"] = text_where(computable, dispersed_name(method, phi))
    return pair_frame(strata.pairs, shown)


def _row_by_row(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames with the same comparisons, put together comparison by comparison."""
    import pandas as pd

    return pd.concat(frames).sort_index(kind="stable").reset_index(drop=True)
