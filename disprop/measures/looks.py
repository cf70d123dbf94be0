"""Many looks: lists that say how much of them is chance, small cells shrunk, and how long until a ratio is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.errors import Refused, UsageError
from disprop.measures.exposed import Holes
from disprop.measures.pairs import Pairs, pair_frame, pair_up, refuse_everyone
from disprop.measures.rates import PER, search_rate
from disprop.measures.ratios import rate_ratio
from disprop.measures.shares import find_rate
from disprop.results import join_flags, not_computable, restated, text_where
from disprop.screening import (
    adjusted_p,
    months_to_precision,
    rate_ratio_p,
    shrunken_proportion_interval,
    shrunken_rate_interval,
)
from disprop.screening.adjusted import Adjustment
from disprop.screening.shrinkage import FEWEST_EXPECTED, FEWEST_TRIALS, Shrunken
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

FALSE_SHARE = 0.05
REGRESSION = "limits, not a ranking: an unusual cell is drawn towards the common figure"


def screening_list(
    tally: Tally,
    population: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] | None = None,
    method: Adjustment = "benjamini_hochberg",
    false_share: float = FALSE_SHARE,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Every rate ratio of many, and which of them go on a list that says how much of it chance would make.

    For lists and alerts. A single comparison is read by its interval and verdict, whatever stands beside it; the list
    neither adds to a verdict nor takes one away. Comparisons that cannot be computed were not looked at.

    p of "both rates are the same" for each, with month dispersion (`disprop.screening.rate_ratio_p`), adjusted over all
    rows: `benjamini_hochberg` (of the list, `false_share` is expected to be false) or `holm` (the chance that it holds
    anything false is `false_share`, at most).

    of, reference, by, holes: as in `rate_ratio`, but not "everyone". Returns the rows of `rate_ratio` in their usual
    order; `flag` begins with "on the list" for those that are on it.
    Raises UsageError for a false_share outside 0 to 1, and what `rate_ratio` raises.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self"])
    >>> found = screening_list(searches, dp.synthetic.population())
    >>> found[["ethnicity_self", "estimate", "flag"]].round(2)
      ethnicity_self  estimate                                            flag
    0          Mixed      1.85  on the list of 4 looks (5% expected by chance)
    1          Asian      1.58  on the list of 4 looks (5% expected by chance)
    2          Black      2.87  on the list of 4 looks (5% expected by chance)
    3          Other      0.90
    """
    if not 0 < false_share < 1:
        raise UsageError(f"false_share is {false_share:g}: it must lie between 0 and 1, such as 0.05")
    pairs = _pairs(tally, population, of, reference, by, holes)
    rows = rate_ratio(tally, population, of=of, reference=reference, by=by, holes=holes)
    given = pairs.reason == ""
    p = rate_ratio_p(
        events=pairs.a,
        exposure=np.where(given, pairs.n1, np.nan),
        reference_events=pairs.c,
        reference_exposure=pairs.n0,
        dispersion=pairs.phi,
    )
    adjusted = adjusted_p(p_values=p, method=method)
    promise = (
        f"{false_share:.0%} expected by chance" if method == "benjamini_hochberg" else f"all true but {false_share:.0%}"
    )
    text = f"on the list of {int((~np.isnan(p)).sum()):,} looks ({promise})"
    listed = adjusted <= false_share
    flags = rows["flag"].to_numpy(dtype=object, copy=True)
    crude = (rows["measure"] == "rate_ratio").to_numpy()  # a twin within areas is not a look of its own
    flags[crude] = [join_flags(text if on else "", flag) for on, flag in zip(listed, flags[crude])]
    return rows.assign(flag=flags)


def months_needed(
    tally: Tally,
    population: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    holes: Holes = "covered",
) -> pd.DataFrame:
    """Months still needed until a rate ratio is known to within half the band, at the pace of counts so far.

    0 where it is known well enough. No searches on either side: no estimate, for at that pace it would never be known.

    half-width of log RR = z sqrt(phi (1 / a + 1 / c)) <= ln(1.25) / 2; it falls with the square root of the months.

    of, reference, by: as in `rate_ratio`, but not "everyone". Returns result rows, unit "months"; `numerator` the
    searches of the group, `covered_months` the force-months that they come from.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self"])
    >>> months_needed(searches, dp.synthetic.population(), by=[])[["ethnicity_self", "numerator", "estimate"]]
      ethnicity_self  numerator  estimate
    0          Mixed      821.0       0.0
    1          Asian     3285.0       0.0
    2          Black     1970.0       0.0
    3          Other       77.0      39.0
    """
    pairs = _pairs(tally, population, of, reference, by, holes)
    months = pairs.covered if "force" in pairs.groups else np.full(pairs.a.shape, pairs.month_used.sum())
    needed = months_to_precision(
        events=pairs.a,
        reference_events=pairs.c,
        months=np.where(pairs.reason == "", months, np.nan),
        dispersion=pairs.phi,
        confidence=confidence,
    )
    never = (pairs.reason == "") & np.isnan(needed)
    flags = [
        join_flags("no searches on one side: at that pace never" if no else "", flag)
        for no, flag in zip(never, pairs.flag)
    ]
    return pair_frame(
        pairs,
        {
            "measure": "months_needed",
            "estimate": needed,
            "confidence": confidence,
            "method": "until the half-width of log RR is ln(1.25) / 2",
            "unit": "months",
            "flag": [join_flags(not_computable(why), flag) for why, flag in zip(pairs.reason, flags)],
        },
    )


def shrunken_rates(
    tally: Tally,
    population: Tally,
    *,
    by: Sequence[str],
    confidence: float = 0.95,
    fewest: float = FEWEST_EXPECTED,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Search rates of many small cells, each drawn towards the common rate by as much as its own count is weak.

    A cell of which fewer than `fewest` searches are expected is refused, with the reason: shrunk, it would only repeat
    the common rate. Fewer than 10 cells with a rate are refused as a whole. A list of limits, never a ranking; the
    limits hold on average over the cells. Rates of groups that differ are not one list: choose `by` so that what is
    pooled is alike.

    See `disprop.screening.shrunken_rate_interval` (gamma-Poisson, empirical Bayes).
    by, holes: as in `search_rate`. Returns result rows: `estimate` shrunk, `numerator` and `denominator` as counted.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self"])
    >>> shrunken_rates(searches, dp.synthetic.population(), by=["ethnicity_self"]).flag[0]
    'not computable: shrinkage needs at least 10 cells; 5 have a count and an exposure'
    """
    rows = search_rate(tally, population, by=by, confidence=confidence, holes=holes)
    known = rows["estimate"].notna().to_numpy()
    counts, years = (np.where(known, rows[name], np.nan) for name in ("numerator", "denominator"))
    why = f"fewer than {fewest:g} searches expected"
    try:
        found = shrunken_rate_interval(events=counts, exposure=years / PER, confidence=confidence, fewest=fewest)
    except Refused as refusal:
        return shrunk(rows, None, "shrunken_rates", known, str(refusal))
    return shrunk(rows, found, "shrunken_rates", known, why)


def shrunken_ratios(
    tally: Tally,
    population: Tally,
    *,
    by: Sequence[str],
    of: str = "ethnicity_self",
    reference: str = "White",
    confidence: float = 0.95,
    fewest: float = FEWEST_EXPECTED,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Rate ratios of many small cells (areas, forces), each drawn towards the common ratio of its group.

    Each group of `of` is shrunk by itself, over the cells of `by`. A cell of which fewer than `fewest` searches are
    expected, or without searches of the reference, is refused with the reason; a group with fewer than 10 such cells
    is refused as a whole. Limits, never a ranking.

    The count a is Poisson about R x E with E = n1 c / n0; E is an estimate too, so counts are divided by the month
    dispersion times (1 + R E / c), R the ratio of all cells together.

    of, reference: as in `rate_ratio`, but not "everyone". Returns result rows as `shrunken_rates`, unit "ratio".

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self"])
    >>> shrunken_ratios(searches, dp.synthetic.population(), by=["force"]).flag[0]
    'not computable: shrinkage needs at least 10 cells; 1 have a count and an exposure'
    """
    pairs = _pairs(tally, population, of, reference, by, holes)
    rows = pair_frame(pairs, {"measure": "rate_ratio", "unit": "ratio", "confidence": confidence})
    names = np.array(pairs.groups[of], dtype=object)
    known = (pairs.reason == "") & (pairs.c > 0)
    frames = [_shrunk_group(rows, pairs, known, names == name, confidence, fewest) for name in dict.fromkeys(names)]
    import pandas as pd

    return pd.concat(frames, ignore_index=True) if frames else rows


def shrunken_shares(
    tally: Tally, *, by: Sequence[str], confidence: float = 0.95, fewest: float = FEWEST_TRIALS
) -> pd.DataFrame:
    """Linked find rates of many small cells, each drawn towards the common one.

    A cell with fewer than `fewest` searches of known answer is refused, with the reason, and so is one whose find rate
    is refused or bounds only. Fewer than 10 cells are refused as a whole. Limits, never a ranking.

    See `disprop.screening.shrunken_proportion_interval` (beta-binomial, empirical Bayes). by: as in `find_rate`.
    Returns result rows as `shrunken_rates`.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self", "object", "outcome", "linked"])
    >>> found = shrunken_shares(searches, by=["object", "ethnicity_self"])
    >>> found[["object", "ethnicity_self", "numerator", "denominator", "estimate"]].round(2).head(2)
                 object ethnicity_self  numerator  denominator  estimate
    0  Controlled drugs          White     1570.0       6711.0      0.23
    1  Controlled drugs          Mixed      107.0        490.0      0.21
    """
    rows = find_rate(tally, by=by, confidence=confidence)
    known = rows["estimate"].notna().to_numpy()
    yes, asked = (np.where(known, rows[name], np.nan) for name in ("numerator", "denominator"))
    why = f"fewer than {fewest:g} searches"
    try:
        found = shrunken_proportion_interval(events=yes, trials=asked, confidence=confidence, fewest=fewest)
    except Refused as refusal:
        return shrunk(rows, None, "shrunken_shares", known, str(refusal))
    return shrunk(rows, found, "shrunken_shares", known, why)


def _pairs(tally: Tally, population: Tally, of: str, reference: str, by: Sequence[str] | None, holes: Holes) -> Pairs:
    refuse_everyone(reference)
    return pair_up(tally, population, of, reference, by, holes, False)


def _shrunk_group(
    rows: pd.DataFrame, pairs: Pairs, known: np.ndarray, of_group: np.ndarray, confidence: float, fewest: float
) -> pd.DataFrame:
    at = np.flatnonzero(of_group)
    usable = known[at]
    a, c, expected = (np.where(usable, side[at], np.nan) for side in (pairs.a, pairs.c, pairs.expected))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nansum(a) / np.nansum(expected)
        dispersion = np.where(usable, pairs.phi[at] * (1 + ratio * expected / c), 1.0)
    try:
        found = shrunken_rate_interval(
            events=a, exposure=expected, dispersion=dispersion, confidence=confidence, fewest=fewest
        )
    except Refused as refusal:
        return shrunk(rows.iloc[at], None, "shrunken_ratios", usable, str(refusal))
    return shrunk(rows.iloc[at], found, "shrunken_ratios", usable, f"fewer than {fewest:g} searches expected")


def shrunk(rows: pd.DataFrame, found: Shrunken | None, measure: str, known: np.ndarray, why: str) -> pd.DataFrame:
    """The rows with shrunken figures, and the reason where a cell has none."""
    given = np.zeros(len(rows), dtype=bool) if found is None else found.given
    reasons = [not_computable(why) if could and not can else "" for could, can in zip(known, given)]
    notes = [f"{weight:.0%} of it is the common figure" if can else "" for weight, can in _weights(found, given)]
    flags = [join_flags(*texts, REGRESSION if can else "") for *texts, can in zip(reasons, notes, rows["flag"], given)]
    figures: dict[str, Any] = {"estimate": None, "low": None, "high": None, "method": None}
    if found is not None:
        method = text_where(given, f"empirical Bayes about {found.centre:.4g}")
        figures = {"estimate": found.estimate, "low": found.low, "high": found.high, "method": method}
    return restated(rows, {**figures, "measure": measure, "flag": flags})


def _weights(found: Shrunken | None, given: np.ndarray) -> list[tuple[float, bool]]:
    weight = np.zeros(len(given)) if found is None else found.weight
    return list(zip(weight.tolist(), given.tolist()))
