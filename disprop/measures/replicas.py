"""The inspectorate's figures as it makes them, each marked as a replica, with what a better method says beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from disprop.codelists import nearest
from disprop.coverage import covered_only, month_coverage
from disprop.errors import UsageError
from disprop.measures.exposed import Holes
from disprop.measures.pairs import COMBINED, pair_frame, pair_up
from disprop.measures.rates import search_rate
from disprop.measures.ratios import rate_ratio
from disprop.measures.shares import find_rate
from disprop.measures.verdicts import point_against_band
from disprop.results import COLUMNS, join_flags
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

TRANSPORT_POLICE = "btp"


@dataclass(frozen=True)
class Vintage:
    """The rules that one of the inspectorate's reports states."""

    name: str
    leaves_out_not_stated: bool
    leaves_out_transport_police: bool
    population: str
    rules: str


VINTAGES = {
    vintage.name: vintage
    for vintage in (
        Vintage(
            "2018_19",
            True,
            True,
            "mid-year estimates",
            "without vehicle-only and not-stated searches and British Transport Police",
        ),
        Vintage("2021_22", False, False, "Census 2021", "without vehicle-only searches"),
    )
}


def hmicfrs(tally: Tally, population: Tally, *, vintage: str) -> pd.DataFrame:
    """The inspectorate's rate, ratios and linked find rate of each force by its own rules, with ours beside each.

    Replica rows have `replica` in their method and no limits, because the reports give none: the point is read against
    0.8 and 1.25 (`point_against_band`). Its linked find rate is linked finds over *all* searches, so that a blank
    counts as no find: it equals our lower bound, and is given where we refuse one. Rows of ours follow with limits,
    verdict and bounds. Vintage `2018_19` leaves out searches whose ethnicity is not known, even from the force's rate,
    and British Transport Police, and needs mid-year estimates from the user; `2021_22` uses Census 2021. A period with
    holes is used as it is, and what we would withhold is given, with our reason in the flag.

    tally: axes `ethnicity_self`, `outcome` and `linked`. population: residents of that vintage.
    Returns rows by force and group (`everyone` for the whole force), columns as in `disprop.results.COLUMNS`.
    Raises UsageError for an unknown vintage, AxisMismatch for an axis that the tally lacks.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self", "outcome", "linked"])
    >>> both = hmicfrs(searches, dp.synthetic.population(), vintage="2021_22")
    >>> both[both["ethnicity_self"] == "Black"][["measure", "method", "estimate", "verdict"]].round(2)
          measure                        method  estimate verdict
    4  rate_ratio       replica hmicfrs 2021_22      2.87     NaN
    5  rate_ratio  score, month dispersion 2.35      2.87  higher
    """
    if vintage not in VINTAGES:
        raise UsageError(f"no vintage {vintage!r}{nearest(vintage, VINTAGES)}")
    rules = VINTAGES[vintage]
    kept = _by_its_rules(tally, rules)
    replica = _with_its_finds(_figures(kept, population, _plain_ratio), kept)
    return _joined(_replica(replica, rules, population), _figures(tally, population, rate_ratio))


def _by_its_rules(tally: Tally, rules: Vintage) -> Tally:
    if rules.leaves_out_not_stated:
        tally = tally.select(ethnicity_self=tally.axis("ethnicity_self").groups)
    if rules.leaves_out_transport_police:
        tally = tally.select(force=[code for code in tally.axis("force").codes if code != TRANSPORT_POLICE])
    return tally


def _plain_ratio(
    tally: Tally, population: Tally, *, by: list[str], holes: Holes, reference: str = "White"
) -> pd.DataFrame:
    """The ratio of the two rates whatever stands in its way; what we would say of it is in the flag."""
    pairs = pair_up(tally, population, "ethnicity_self", reference, by, holes, False)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(pairs.c > 0, pairs.a / pairs.expected, np.nan)
    values = {"measure": "rate_ratio", "estimate": ratio, "denominator": pairs.expected, "unit": "ratio"}
    return pair_frame(pairs, values | {"point_against_band": point_against_band(ratio)})


def _figures(tally: Tally, population: Tally, ratio: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """Rate of the force, ratios of each group and of all minorities together, linked finds; by force and group."""
    import pandas as pd

    frames = [
        search_rate(tally, population, by=["force"], holes="covered").assign(ethnicity_self="everyone"),
        ratio(tally, population, by=["force"], holes="covered"),
        ratio(tally, population, by=["force"], holes="covered", reference=COMBINED),
        find_rate(tally, by=["force"]).assign(ethnicity_self="everyone"),
    ]
    columns = ["force", "ethnicity_self", *(column.name for column in COLUMNS)]
    return pd.concat([frame[columns].astype(object) for frame in frames], ignore_index=True)


def _with_its_finds(figures: pd.DataFrame, tally: Tally) -> pd.DataFrame:
    """Linked finds over all searches of each force, even where we refuse a figure: a blank counts as no find."""
    counted = covered_only(tally, month_coverage(tally))
    found = counted.recode("outcome", "outcome_class").select(outcome=["positive"], linked=["yes"]).project(["force"])
    every, forces = counted.project(["force"]), found.axis("force")
    rows = (figures["measure"] == "linked_find").to_numpy()
    at = [forces.index(code) for code in figures.loc[rows, "force"]]
    yes, n = found.counts[at], every.counts[at]
    return figures.assign(
        numerator=figures["numerator"].mask(rows, _spread(yes, rows)),
        denominator=figures["denominator"].mask(rows, _spread(n, rows)),
        estimate=figures["estimate"].mask(rows, _spread(yes / n, rows)),
    )


def _spread(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values at the rows where they belong, NaN elsewhere."""
    spread = np.full(len(rows), np.nan)
    spread[rows] = values
    return spread


def _replica(figures: pd.DataFrame, rules: Vintage, population: Tally) -> pd.DataFrame:
    replica = figures.copy()
    for gone in ("low", "high", "confidence", "verdict", "verdict_holds", "bound_low", "bound_high"):
        replica[gone] = np.nan if gone not in ("verdict", "verdict_holds") else None
    replica["method"] = f"replica hmicfrs {rules.name}"
    wrong = "" if population.vintage == rules.population else f"the report used {rules.population}"
    note = join_flags(rules.rules, wrong)
    replica["flag"] = [join_flags(_withheld(flag), note) for flag in figures["flag"]]
    return replica


def _withheld(flag: str) -> str:
    return f"we withhold it: {flag}" if flag.startswith(("not computable", "refused", "bounds only")) else ""


def _joined(replica: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Each replica row followed by ours of the same force, group and measure."""
    import pandas as pd

    both = pd.concat([replica.assign(_side=0), ours.assign(_side=1)])
    both["_row"] = both.groupby("_side").cumcount()
    measures = list(dict.fromkeys(ours["measure"]))
    both["_measure"] = both["measure"].map(measures.index)
    order = both.sort_values(["force", "_measure", "ethnicity_self", "_side"], kind="stable", ignore_index=True)
    return _typed(order.drop(columns=["_side", "_row", "_measure"]))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns in the types that result rows have."""
    kinds = {"number": "float64", "count": "Int64", "text": "str"}
    return frame.astype(
        {column.name: kinds[column.dtype] for column in COLUMNS} | {"force": "str", "ethnicity_self": "str"}
    )
