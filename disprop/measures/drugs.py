"""Searches for drugs: how many are for possession alone, and what they find apart from those for supply.

Both stand on the column `possession_only`, which some forces' extracts have and data.police.uk has not. It is never
guessed from the item searched for: "Controlled drugs" says nothing of possession or supply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from disprop.errors import Refused
from disprop.measures.outcome_test import compared_rows, side_by_side
from disprop.measures.shares import (
    REFUSE_BLANK_SHARE,
    RULE_NOTES,
    Answers,
    Rule,
    linked_answers,
    months_behind,
    of_covered_months,
    rows_by,
    share_frame,
    yes_no_unknown,
)
from disprop.tallies import Axis, Tally

if TYPE_CHECKING:
    import pandas as pd

DRUGS = "Controlled drugs"
NO_DETAIL = "Detailed object of search unavailable"
OF_DRUGS, OF_ALL = "of searches for drugs", "of all searches"
POSSESSION, SUPPLY, NOT_KNOWN = "possession only", "supply", "not known"


def possession_only_share(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Share of searches for possession of drugs alone: of the searches for drugs, and beside it of all searches.

    Corner cases first. A search is for drugs where the recorded object is "Controlled drugs"; psychoactive substances
    are another object and another Act. Whether it was for possession alone has three states: blank is not supply.
    Of all searches those for something else are a known no, those whose object is not recorded unknown. Refused when
    95% or more of the searches for drugs do not say, as on all data.police.uk data; bounds only when more than 5% are
    unknown; else given. A cell without searches for drugs has no row of the first measure.

    Rows, by `measure`: `possession_only_share`, yes / (yes + no) of searches for drugs; then
    `possession_only_share_of_all`, the same yes over all searches known. Limits: Wilson 1927.

    tally: axes `object` and `possession_only`. by: axes of the rows; default every other axis but month.
    Columns and errors as `find_rate`.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["object", "possession_only"])
    >>> possession_only_share(searches)[["measure", "estimate", "low", "high", "bound_low", "bound_high"]].round(3)
                            measure  estimate    low   high  bound_low  bound_high
    0         possession_only_share      0.85  0.843  0.856      0.813       0.857
    1  possession_only_share_of_all      0.50  0.493  0.507      0.481       0.519
    """
    import pandas as pd

    names = _rows_by(tally, by)
    turned = of_covered_months(tally).project([*names, "object", "possession_only"])
    drugs, every = _of_drugs(tally, turned), _of_all(tally, turned)
    return pd.concat(
        [
            share_frame(tally, drugs, "possession_only_share", confidence, note=OF_DRUGS),
            share_frame(tally, every, "possession_only_share_of_all", confidence, note=OF_ALL),
        ],
        ignore_index=True,
    )


def drug_find_rate(
    tally: Tally, *, rule: Rule = "linked_positive", by: Sequence[str] | None = None, confidence: float = 0.95
) -> pd.DataFrame:
    """Linked find rates of searches for drugs: those for possession alone, those for supply, and those that do not say.

    Corner cases first. "Supply" is every search for drugs that was not for possession alone. Where 95% or more of a
    cell's searches for drugs do not say which they were, its two kinds are refused: the few that say need not be like
    the rest. Each kind is otherwise given, bounds only or refused as `find_rate` is.

    Rows: `drug_find_rate` of each kind (column `drug_search`) that occurs; then `drug_find_rate_difference`, possession
    alone less supply, limits Miettinen and Nurminen 1985 (score), no estimate where either rate has none.

    tally: axes `object`, `possession_only`, `outcome` and `linked`. rule: as in `find_rate`. by: axes of the rows;
    default every other axis but month. Columns as `find_rate`, and `drug_search`.
    Raises Refused where no search for drugs says which it was, as on data.police.uk; else as `find_rate`.

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["object", "possession_only", "outcome", "linked"])
    >>> drug_find_rate(searches)[["measure", "drug_search", "estimate", "low", "high"]].round(3)
                         measure      drug_search  estimate    low   high
    0             drug_find_rate  possession only     0.227  0.218  0.235
    1             drug_find_rate           supply     0.230  0.210  0.250
    2             drug_find_rate        not known     0.180  0.149  0.215
    3  drug_find_rate_difference  possession only    -0.003 -0.025  0.019
    """
    import pandas as pd

    drugs = tally.select(object=DRUGS)
    names = _rows_by(tally, by)
    asked, silent = _silence(drugs, names)
    if not (asked - silent).any():
        raise Refused(
            "no search for drugs says whether it was for possession only: give records with the column possession_only "
            "(data.police.uk has none), or see find_rate by object"
        )
    kinds = _kinds(drugs.axis("possession_only"))
    rates = {
        kind: _rates(drugs.select(possession_only=codes), kind, names, rule, asked, silent, confidence)
        for kind, codes in kinds.items()
    }
    difference = _difference(rates[POSSESSION], rates[SUPPLY], names, confidence)
    return pd.concat([*rates.values(), difference], ignore_index=True)


def _rows_by(tally: Tally, by: Sequence[str] | None) -> list[str]:
    used = ("object", "possession_only", "outcome", "linked")
    return [name for name in rows_by(tally, by, used) if name not in used]


def _of_drugs(tally: Tally, turned: Tally) -> Answers:
    """Answers of the searches for drugs."""
    axes, at = turned.axes[:-2], turned.axes[-2].index(DRUGS)
    yes, no, unknown = (state[..., at] for state in yes_no_unknown(turned))
    return Answers(axes, yes, no, unknown, yes + no + unknown, unknown, *months_behind(tally, axes))


def _of_all(tally: Tally, turned: Tally) -> Answers:
    """Answers of all searches: one for something else is a known no, one for nothing recorded unknown."""
    drugs, objects = _of_drugs(tally, turned), turned.axes[-2]
    each = turned.counts.sum(axis=-1)
    unknown = each[..., [objects.index(code) for code in (*objects.unknowns, NO_DETAIL)]].sum(axis=-1)
    others = each.sum(axis=-1) - unknown - drugs.all
    return replace(drugs, no=drugs.no + others, unknown=drugs.unknown + unknown)


def _kinds(flag: Axis) -> dict[str, tuple[str, ...]]:
    """Codes of the flag that stand for each kind of search for drugs."""
    return {POSSESSION: ("yes",), SUPPLY: ("no",), NOT_KNOWN: flag.unknowns}


def _silence(drugs: Tally, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Searches for drugs of each cell, and those that do not say which they were."""
    yes, no, unknown = yes_no_unknown(of_covered_months(drugs).project([*names, "possession_only"]))
    return yes + no + unknown, unknown


def _rates(
    tally: Tally, kind: str, names: list[str], rule: Rule, asked: np.ndarray, silent: np.ndarray, confidence: float
) -> pd.DataFrame:
    """Find rates of one kind; a kind that hardly any search names is refused."""
    answers = linked_answers(tally, names, rule)
    if kind != NOT_KNOWN:
        mute = silent >= REFUSE_BLANK_SHARE * asked
        answers = replace(
            answers, asked=np.where(mute, asked, answers.asked), blank=np.where(mute, silent, answers.blank)
        )
    note = f"{OF_DRUGS}; {RULE_NOTES[rule]}"
    found = share_frame(tally, answers, "drug_find_rate", confidence, note=note)
    found.insert(len(names), "drug_search", [kind] * len(found))
    return found


def _difference(
    possession: pd.DataFrame, supply: pd.DataFrame, names: Sequence[str], confidence: float
) -> pd.DataFrame:
    joined = side_by_side(possession, supply.drop(columns="drug_search"), names)
    note = "possession alone less supply"
    return compared_rows(joined, [*names, "drug_search"], "drug_find_rate_difference", SUPPLY, confidence, note)
