"""Outcomes that a force never records: a share of 0 or 1 that is a matter of labels, not of what followed."""

from __future__ import annotations

import numpy as np

from disprop.tallies import Tally

FEWEST_EXPECTED = 10
"""So many records must be expected before none at all is put down to labels."""
LEAST_SHARE = 0.05
"""Share expected of an outcome where no other force is there to say; enough for a remark, not to withhold."""


def never_recorded(counted: Tally, yes: str, no: str) -> dict[str, tuple[bool, str]]:
    """Forces none of whose records has the outcome (or none its opposite): whether to withhold the share, and why.

    Withheld where the share among all other forces together would let 10 or more be expected of the known outcomes.
    Without other forces nothing is withheld; where even 5% would let 10 be expected, a remark says so. Fewer known
    outcomes: a true zero for all that can be told.

    counted: axes `force` and `outcome`, the outcome in the codes `yes`, `no` and others, which are not known.
    """
    axis, outcome = counted.axis("force"), counted.axis("outcome")
    counts = counted.project(["force", "outcome"]).counts
    sides = counts[:, [outcome.index(yes), outcome.index(no)]]
    known = sides.sum(axis=1)
    others = sides.sum(axis=0) - sides
    rest = others.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(rest[:, None] > 0, others / rest[:, None], LEAST_SHARE)
    missing = (sides == 0) & (share * known[:, None] >= FEWEST_EXPECTED)
    return {
        axis.codes[force]: (bool(rest[force] > 0), _words(axis.codes[force], (yes, no)[side]))
        for force, side in zip(*np.nonzero(missing))
    }


def _words(force: str, code: str) -> str:
    return f"no label of {_LABELS.get(code, code)} occurs in any month of {force}: its list of outcomes may lack it"


_LABELS = {"yes": "Arrest", "no": "an outcome but Arrest", "positive": "a positive outcome", "no_action": "no action"}
