"""Find rates of groups compared: differences and ratios to a reference, and the warning that belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.codelists import nearest
from disprop.errors import UsageError
from disprop.intervals import proportion_difference_interval, proportion_ratio_interval
from disprop.measures.exposed import default_by
from disprop.measures.shares import Rule, find_rate
from disprop.results import join_flags, result_frame
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

INFRA_MARGINALITY = (
    "find rates mix whom officers stop with what those people carry: equal rates do not show fairness, "
    "unequal ones do not show bias"
)
NO_REFERENCE = "not computable: no search of the reference group"
SECTION_60 = "Criminal Justice and Public Order Act 1994 (section 60)"
SECTION_60_RULE = "section 60: needs no suspicion, so a find rate does not test it"


def find_rate_difference(
    tally: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    rule: Rule = "linked_positive",
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Linked find rate of each group less that of the reference, in points of share.

    No estimate where either find rate is bounds only or refused: the reason stands in the flag, and the bounds are the
    least and the most the difference can be. Searches under section 60 need no suspicion and are left out where the
    tally has the axis `legislation`, and the flag says so; without that axis it says that they are in. Every row
    carries the warning of infra-marginality.

    difference = a / n1 - c / n0 over the known; limits: Miettinen and Nurminen 1985 (score).

    tally: axes `outcome`, `linked` and `of`. by: further axes of the rows, such as `object`; default the others but
    month. Returns one row a comparison, unit "difference in share of searches".
    Raises UsageError for an unknown reference, AxisMismatch for an axis that the tally lacks.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self", "outcome", "linked", "legislation"])
    >>> difference = find_rate_difference(searches, by=[])
    >>> difference[["ethnicity_self", "estimate", "low", "high"]].round(3)
      ethnicity_self  estimate    low   high
    0          Mixed    -0.008 -0.035  0.022
    1          Asian    -0.011 -0.027  0.005
    2          Black    -0.028 -0.046 -0.008
    3          Other    -0.008 -0.084  0.097
    """
    return _compared(tally, "find_rate_difference", of, reference, rule, by, confidence)


def find_rate_ratio(
    tally: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    rule: Rule = "linked_positive",
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Linked find rate of each group over that of the reference; see `find_rate_difference`.

    A reference without finds gives no estimate, a lower limit and no upper one. Limits: Koopman 1984 (score).

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self", "outcome", "linked"])
    >>> find_rate_ratio(searches, by=[])[["ethnicity_self", "estimate", "low", "high"]].round(2)
      ethnicity_self  estimate   low  high
    0          Mixed      0.97  0.84  1.11
    1          Asian      0.94  0.87  1.02
    2          Black      0.86  0.78  0.95
    3          Other      0.95  0.59  1.45
    """
    return _compared(tally, "find_rate_ratio", of, reference, rule, by, confidence)


def _compared(
    tally: Tally, measure: str, of: str, reference: str, rule: Rule, by: Sequence[str] | None, confidence: float
) -> pd.DataFrame:
    groups = tally.axis(of).groups
    if reference not in groups:
        raise UsageError(f"no reference {reference!r} in {of}{nearest(reference, groups)}")
    kept, note = _without_section_60(tally)
    names = default_by(kept, without=(of, "outcome", "linked", "legislation")) if by is None else list(by)
    names = [name for name in names if name != of]
    finds = find_rate(kept, rule=rule, by=[*names, of], confidence=confidence)
    finds = finds[finds[of].isin(groups)]
    base = finds[finds[of] == reference].drop(columns=of)
    rest = finds[finds[of] != reference]
    joined = side_by_side(rest, base, names)
    return compared_rows(joined, [*names, of], measure, reference, confidence, join_flags(note, INFRA_MARGINALITY))


def side_by_side(finds: pd.DataFrame, base: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Find rates, each with the columns of its base (`..._0`) in the same cell of `names`."""
    beside: dict[str, Any] = {"on": list(names), "how": "left"} if names else {"how": "cross"}
    return finds.merge(base, suffixes=("", "_0"), **beside)


def _without_section_60(tally: Tally) -> tuple[Tally, str]:
    if "legislation" not in tally.names:
        return tally, "section 60 searches are in: tally by legislation to leave them out"
    others = [code for code in tally.axis("legislation").codes if code != SECTION_60]
    return tally.select(legislation=others), SECTION_60_RULE


def compared_rows(
    joined: pd.DataFrame, names: Sequence[str], measure: str, reference: str, confidence: float, note: str
) -> pd.DataFrame:
    """Result rows of find rates `side_by_side`: their ratio, or else their difference."""
    given = (joined["estimate"].notna() & joined["estimate_0"].notna()).to_numpy()
    counts = {
        "events": joined["numerator"],
        "trials": joined["denominator"],
        "reference_events": joined["numerator_0"],
        "reference_trials": joined["denominator_0"],
    }
    known: dict[str, Any] = {name: np.where(given, column, np.nan) for name, column in counts.items()}
    ratio = measure == "find_rate_ratio"
    if ratio:
        interval = proportion_ratio_interval(**known, confidence=confidence)
    else:
        interval = proportion_difference_interval(**known, confidence=confidence, method="miettinen_nurminen")
    low, high = _bounds(joined, ratio)
    reasons = [join_flags(one, other) for one, other in zip(_reason(joined, "flag"), _reason(joined, "flag_0"))]
    return result_frame(
        {name: joined[name].tolist() for name in names},
        {
            "measure": measure,
            "numerator": joined["numerator"],
            "denominator": joined["denominator"],
            "estimate": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            "confidence": confidence,
            "method": "koopman" if ratio else "miettinen_nurminen",
            "unit": "ratio of shares" if ratio else "difference in share of searches",
            "reference": reference,
            "bound_low": low,
            "bound_high": high,
            "n_unknown": (joined["n_unknown"] + joined["n_unknown_0"].fillna(0)).tolist(),
            "covered_months": joined["covered_months"].tolist(),
            "period_months": joined["period_months"].tolist(),
            "flag": [join_flags(reason, note) for reason in reasons],
        },
    )


def _bounds(joined: pd.DataFrame, ratio: bool) -> tuple[np.ndarray, np.ndarray]:
    """Least and most that the comparison can be, each side at its own bounds; null where a side is refused."""
    low, high, low_0, high_0 = (
        joined[name].to_numpy(float) for name in ("bound_low", "bound_high", "bound_low_0", "bound_high_0")
    )
    if not ratio:
        return low - high_0, high - low_0
    with np.errstate(divide="ignore", invalid="ignore"):
        return low / high_0, high / low_0


def _reason(joined: pd.DataFrame, column: str) -> list[str]:
    """What withheld a find rate, without the notes that every row has."""
    flags = joined[column].fillna(NO_REFERENCE)
    return [
        flag.split(";")[0] if flag.startswith(("refused", "bounds only", "not computable")) else "" for flag in flags
    ]
