"""Residents of invented forces: no Census counts them, so they come with the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from disprop.codelists import code_lookup
from disprop.provenance import Account
from disprop.synthetic.truth import Truth, default_truth
from disprop.tallies import Tally, coded_axis

VINTAGE = "SYNTHETIC residents"


def population(truths: Sequence[Truth] | None = None, *, by: Sequence[str] = ("force", "ethnicity_self")) -> Tally:
    """Residents of invented forces, to divide their searches by; vintage "SYNTHETIC residents".

    truths: the forces (default: `default_truth()`); each force must stand in the codelist of forces.
    by: `force`, and `ethnicity_self` (5 groups) or `ethnicity_self_19`.

    Raises AxisMismatch for any other axis.

    >>> population()[{"ethnicity_self": "Black"}]
    96000
    """
    truths = truths or [default_truth()]
    force = coded_axis("force", "force", [truth.force for truth in truths])
    detail = coded_axis("ethnicity_self_19", "ethnicity_19")
    counts = np.zeros((len(force), len(detail)), dtype=np.int64)
    for truth in truths:
        labels = {label: n for of_group in truth.residents.values() for label, n in of_group.items()}
        counts[force.index(truth.force), code_lookup("ethnicity_19", "police.uk", labels)] = list(labels.values())
    residents = Tally(
        (force, detail), counts, "residents", "resident", account=Account(read=int(counts.sum())), vintage=VINTAGE
    )
    if "ethnicity_self_19" not in by:
        residents = residents.recode("ethnicity_self_19", "ethnicity_5", rename="ethnicity_self")
    return residents.project(by)
