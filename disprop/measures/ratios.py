"""How much more often: the rate of a group over the rate of a reference, and what that allows to be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.errors import UsageError
from disprop.intervals import proportion_interval, rate_difference_interval, rate_ratio_interval
from disprop.measures.dispersion import judged_dispersion
from disprop.measures.exposed import Holes, default_by
from disprop.measures.pairs import EVERYONE, Pairs, pair_frame, pair_up
from disprop.measures.verdicts import DEPENDS, HOLDS, TOO_FEW, point_against_band, verdict
from disprop.results import join_flags, text_where
from disprop.tallies import AREA, Tally

if TYPE_CHECKING:
    import pandas as pd

    from disprop.persons import PersonTally

MONTHS, PERSONS = "month dispersion", "person-clustered"
"""What limits wider than Poisson's allow for."""
SMALL = 50
"""Below this count on either side the Poisson limits are mid-P."""
CAUTIOUS = "the verdict is by wider limits, because the spread between months is an estimate from few months"


def rate_ratio(
    tally: Tally,
    population: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    holes: Holes = "whole",
    perceived: bool = False,
    persons: PersonTally | None = None,
) -> pd.DataFrame:
    """Rate of each group over the rate of the reference, with limits, a verdict, and whether it holds.

    No reference searches: no estimate, a lower limit, no upper one. No searches of the group: 0, with an upper limit.
    A ratio is withheld, with the reason, wherever either of its two rates is (see `search_rate`).

    ratio = (a / n1) / (c / n0), a and c counts, n1 and n0 resident-years. Limits are the widest (largest high / low) of
    the Poisson interval (score, Wilson 1927 on a given a + c; mid-P when a count is below 50) and, with 6 or more
    covered months, the score interval with month dispersion: counts divided by phi = max(1, X^2 / (k - 1)) of the
    group's share of (group + reference) over k months; and, with `persons`, the score interval with the dispersion of
    people searched again, Var(ln ratio) = sum(m^2) / a^2 + sum(m^2) / c^2 (`person_dispersion`). `method` says which.
    Reference `everyone` contains the group: ratio = p N / n1 with p = a / all, limits from Wilson's on p.

    Verdicts: see `disprop.measures.verdicts.verdict`; worked out again with all unknown records given to the reference
    (bound_low) and all to the group (bound_high): `holds`, or `depends on the unknowns`. A verdict allows for phi being
    an estimate from k months (`judged_dispersion`); where limits as printed would say more, the flag says so.

    of: the axis compared. reference: a group of it, "everyone else", "everyone", or "ethnic minorities combined" (the
    inspectorate's replica: everyone but White, as one group, against White). by: further axes of the rows; default
    every other axis of the tally but month. persons: who was searched, of the same records, see `disprop.person_tally`;
    searches that name no person are taken as of somebody else each, and flagged.

    Returns one row a comparison, columns as in `disprop.results.COLUMNS`, unit "ratio".
    Raises UsageError for an unknown reference, or a person tally of other records, and what `expose` raises.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self"])
    >>> ratios = rate_ratio(searches, dp.synthetic.population(), by=[])
    >>> ratios[["ethnicity_self", "estimate", "low", "high", "verdict"]].round(1)
      ethnicity_self  estimate  low  high              verdict
    0          Mixed       1.9  1.7   2.0               higher
    1          Asian       1.6  1.5   1.7               higher
    2          Black       2.9  2.7   3.1               higher
    3          Other       0.9  0.7   1.1  no clear difference
    """
    pairs = pair_up(tally, population, of, reference, by, holes, perceived, persons=persons)
    found = ratio_frame(pairs, _bounds(pairs), pairs.phi, confidence)
    if AREA not in tally.names or AREA in (default_by(tally) if by is None else by):
        return found
    from disprop.measures.decomposed import with_within_areas  # late: it stands on this module

    return with_within_areas(found, tally, population, of, reference, by, confidence, holes, perceived)


def ratio_frame(
    pairs: Pairs, bounds: tuple[Pairs, Pairs], phi: np.ndarray, confidence: float, *, measure: str = "rate_ratio"
) -> pd.DataFrame:
    """Result rows of ratios, one a comparison: limits, verdict, and both again at the `bounds`.

    bounds: the comparisons with every unknown record given to the reference, and to the group. phi: their dispersion.
    """
    computable = pairs.reason == ""
    low, high, method = _limits(pairs, phi, confidence)
    estimate = _ratio(pairs)
    words, remarks = _judged(pairs, phi, low, high, confidence)
    shaky = [_judged(at, phi, *_limits(at, phi, confidence)[:2], confidence)[0] != words for at in bounds]
    bound_low, bound_high = (np.where(computable, _ratio(at), np.nan) for at in bounds)
    return pair_frame(
        replace(pairs, flag=np.array([join_flags(*both) for both in zip(pairs.flag, remarks)], dtype=object)),
        {
            "measure": measure,
            "estimate": np.where(computable, estimate, np.nan),
            "low": np.where(computable, low, np.nan),
            "high": np.where(computable, high, np.nan),
            "confidence": confidence,
            "method": text_where(computable, method),
            "unit": "ratio",
            "verdict": words,
            "verdict_holds": text_where(computable & (words != TOO_FEW), np.where(shaky[0] | shaky[1], DEPENDS, HOLDS)),
            "point_against_band": point_against_band(np.where(computable, estimate, np.nan)),
            "bound_low": bound_low,
            "bound_high": bound_high,
        },
    )


def excess_searches(
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
    """Searches of a group beyond those expected at the reference rate: "more than", never "unjustified".

    Negative where the group is searched less often. Withheld where the ratio is.

    excess = a - n1 c / n0; limits n1 x the score limits of the rate difference (Miettinen and Nurminen 1985), on counts
    and resident-years divided by the month dispersion phi where there are 6 or more covered months.

    Arguments and errors as `rate_ratio`; the reference is a named group or "everyone else". Unit: searches.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self"])
    >>> excess = excess_searches(searches, dp.synthetic.population(), by=[])
    >>> excess[["ethnicity_self", "estimate", "low", "high"]].round()
      ethnicity_self  estimate     low    high
    0          Mixed     377.0   323.0   436.0
    1          Asian    1210.0   971.0  1465.0
    2          Black    1283.0  1153.0  1423.0
    3          Other      -9.0   -25.0    11.0
    """
    if reference == EVERYONE:
        raise UsageError("excess over 'everyone' counts the group against itself; give a group or 'everyone else'")
    pairs = pair_up(tally, population, of, reference, by, holes, perceived)
    phi = pairs.phi
    computable = pairs.reason == ""
    n1, n0 = (np.where(computable, years, np.nan) for years in (pairs.n1, pairs.n0))
    difference = rate_difference_interval(
        events=pairs.a / phi,
        exposure=n1 / phi,
        reference_events=pairs.c / phi,
        reference_exposure=n0 / phi,
        confidence=confidence,
    )
    toward_reference, toward_group = _bounds(pairs)
    return pair_frame(
        pairs,
        {
            "measure": "excess_searches",
            "estimate": difference.estimate * n1,
            "low": difference.low * n1,
            "high": difference.high * n1,
            "confidence": confidence,
            "method": dispersed_name("score", phi),
            "unit": tally.unit,
            "bound_low": toward_reference.a - n1 * toward_reference.c / n0,
            "bound_high": toward_group.a - n1 * toward_group.c / n0,
        },
    )


def _judged(
    pairs: Pairs, phi: np.ndarray, low: np.ndarray, high: np.ndarray, confidence: float
) -> tuple[np.ndarray, list[str]]:
    """Verdicts by the limits that allow for an estimated dispersion, and a remark where those printed say more."""
    judged = judged_dispersion(phi, pairs.a_month, pairs.c_month, pairs.month_used, confidence=confidence)
    lower, upper, _ = _limits(pairs, judged, confidence)
    words, printed = (_verdict(pairs, *limits, pairs.reason == "") for limits in ((lower, upper), (low, high)))
    remarks = [f"{CAUTIOUS} ({one:.2f} to {other:.2f})" for one, other in zip(lower, upper)]
    return words, np.where(words == printed, "", remarks).tolist()


def _ratio(pairs: Pairs) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (pairs.a / pairs.n1) / (pairs.c / pairs.n0)
    return np.where(pairs.c > 0, ratio, np.nan)


def _limits(pairs: Pairs, phi: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if pairs.reference == EVERYONE:
        return _limits_of_share(pairs, phi, confidence)
    return widest_limits(
        events=pairs.a,
        exposure=pairs.n1,
        reference_events=pairs.c,
        reference_exposure=pairs.n0,
        dispersion=phi,
        person_dispersion=person_dispersion(pairs),
        confidence=confidence,
    )


def widest_limits(
    *,
    events: np.ndarray,
    exposure: np.ndarray,
    reference_events: np.ndarray,
    reference_exposure: np.ndarray,
    dispersion: np.ndarray,
    person_dispersion: np.ndarray | None = None,
    confidence: float = 0.95,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The widest (largest high / low) of the Poisson limits of a rate ratio and the dispersed ones, and which it is.

    Poisson: score, or mid-P where a count is below 50. Dispersed: score on counts divided by the dispersion, where
    that is above 1: that of months (`dispersion`), and that of people searched again (`person_dispersion`, where it is
    known who was searched). Exposure 0 gives NaN. All arguments are arrays of one shape; so are the three results.

    >>> one = lambda *values: [np.array([value]) for value in values]
    >>> names = ("events", "exposure", "reference_events", "reference_exposure", "dispersion")
    >>> low, high, method = widest_limits(**dict(zip(names, one(3684, 236_047, 9629, 1_793_173, 4.378))))
    >>> low.round(2), high.round(2), method
    (array([2.68]), array([3.15]), array(['score, month dispersion 4.38'], dtype=object))
    """
    usable = (exposure > 0) & (reference_exposure > 0)
    sides: dict[str, Any] = {
        "exposure": np.where(usable, exposure, np.nan),
        "reference_exposure": np.where(usable, reference_exposure, np.nan),
    }
    counts: dict[str, Any] = {"events": events, "reference_events": reference_events}
    low, high = _poisson(counts, sides, confidence)
    small = np.minimum(events, reference_events) < SMALL
    method = np.where(small, "mid_p", "score").astype(object)
    for why, phi in ((MONTHS, dispersion), (PERSONS, person_dispersion)):
        if phi is None:
            continue
        spread = rate_ratio_interval(**counts, **sides, confidence=confidence, dispersion=phi)
        wider = (phi > 1) & (_width(spread.low, spread.high) > _width(low, high))
        low, high = np.where(wider, spread.low, low), np.where(wider, spread.high, high)
        method = np.where(wider, dispersed_name("score", phi, why), method)
    return low, high, method


def _poisson(counts: dict[str, Any], sides: dict[str, Any], confidence: float) -> tuple[np.ndarray, np.ndarray]:
    score = rate_ratio_interval(**counts, **sides, confidence=confidence)
    low, high = np.array(score.low), np.array(score.high)
    small = np.minimum(counts["events"], counts["reference_events"]) < SMALL
    if small.any():
        few = {name: values[small] for name, values in (counts | sides).items()}
        mid_p = rate_ratio_interval(**few, confidence=confidence, method="mid_p")
        low[small], high[small] = mid_p.low, mid_p.high
    return low, high


def _limits_of_share(pairs: Pairs, phi: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reference `everyone`: Wilson's limits of a / all, times N / n1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = pairs.n0 / pairs.n1
    by_person = person_dispersion(pairs)
    by_person = np.ones_like(phi) if by_person is None else by_person
    widest = np.maximum(phi, by_person)
    share = proportion_interval(events=pairs.a / widest, trials=pairs.c / widest, confidence=confidence)
    named = [dispersed_name("wilson", widest, why) for why in (MONTHS, PERSONS)]
    return share.low * scale, share.high * scale, np.where(by_person > phi, named[1], named[0])


def person_dispersion(pairs: Pairs) -> np.ndarray | None:
    """How many times the variance of ln(ratio) exceeds Poisson's because people are searched again; None if not known.

    With A and C the sums of m^2 / sums of m of group and reference, m the searches of one person there: Var(ln ratio) =
    sum(m^2) / a^2 + sum(m^2) / c^2 = A / a + C / c, over 1 / a + 1 / c; that is (c A + a C) / (a + c). Reference
    `everyone`, of whom the group is a share p: (A (1 - 2 p) + C p) / (1 - p), that of a share of people's searches;
    more than that where people are recorded under several groups. Never below 1.
    See `disprop.intervals.person_clustered_variance`.
    """
    if pairs.a_alike is None or pairs.c_alike is None:
        return None
    a, c, alike, other = pairs.a, pairs.c, pairs.a_alike, pairs.c_alike
    with np.errstate(divide="ignore", invalid="ignore"):
        if pairs.reference == EVERYONE:
            p = a / c
            phi = (alike * (1 - 2 * p) + other * p) / (1 - p)
        else:
            phi = (c * alike + a * other) / (a + c)
    return np.maximum(np.nan_to_num(phi, nan=1.0, posinf=1.0), 1.0)


def dispersed_name(name: str, phi: np.ndarray, why: str = MONTHS) -> np.ndarray:
    return np.array([name if p == 1 else f"{name}, {why} {p:.2f}" for p in phi], dtype=object)


def _width(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """high / low; where low is 0 the ratio is infinite for all, and the higher limit decides."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(low > 0, high / low, high * 1e12)


def _bounds(pairs: Pairs) -> tuple[Pairs, Pairs]:
    """The comparisons with every unknown record on the reference's side, then on the group's."""
    inside = pairs.unknown if pairs.reference == EVERYONE else 0
    return (
        replace(pairs, c=pairs.c + pairs.unknown),
        replace(pairs, a=pairs.a + pairs.unknown, c=pairs.c + inside),
    )


def _verdict(pairs: Pairs, low: np.ndarray, high: np.ndarray, computable: np.ndarray) -> np.ndarray:
    return verdict(
        low=low,
        high=high,
        count=pairs.a,
        reference_count=pairs.c,
        expected=np.nan_to_num(pairs.expected),
        computable=computable,
    )
