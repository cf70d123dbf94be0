"""Reports in miniature: the real measures over small invented records, one case a difficulty."""

from __future__ import annotations

from functools import cache

import pandas as pd

from disprop.coverage import month_coverage
from disprop.io.frames import read_frame
from disprop.job import WANTED, measure_all
from disprop.plan import scan
from disprop.report import ReportInputs
from disprop.synthetic import make_records, population
from tests.invent import CHOICES, POPULATION, many
from tests.sources import Rows

MONTHS = CHOICES["month"]
SPAN = (MONTHS[0], MONTHS[-1])
BLANK = ("A no further action disposal", "Arrest")


def inputs(source, force, period, *, people=POPULATION, holes="whole", name="West Midlands", synthetic=False, **more):
    """What the main job hands to the report."""
    tallies = scan(source, WANTED, force=force, period=period)
    files = pd.DataFrame(
        {"file": ["raw/2019-04-x.csv", "raw/2019-04-y.csv"], "force": [force, "kent"], "read": [40, 3]}
    )
    given = {
        "force": force,
        "force_name": name,
        "first": period[0],
        "last": period[1],
        "results": measure_all(tallies, people, holes=holes),
        "coverage": month_coverage(tallies[0]).frame(),
        "account": tallies[0].account,
        "files": files,
        "provenance": {
            "versions": {"disprop": "0"},
            "parts": {f"part {i}": "ab" * 16 for i in range(9)},
            "command": "x",
        },
        "synthetic": synthetic,
        "dataset": "police.uk",
    }
    return ReportInputs(**given | more)


def rows(n, months=MONTHS, **fixed):
    return many(n, force=fixed.pop("force", "west-midlands"), month=tuple(months), **fixed)


@cache
def case(name: str) -> ReportInputs:
    return CASES[name]()


def whole() -> ReportInputs:
    """A year of the synthetic force, every share given or bounded."""
    months = ("2023-04", "2024-03")
    source = read_frame(make_records())
    return inputs(
        source, "synthetic-shire", months, people=population(), name="Syntheticshire (invented)", synthetic=True
    )


def partial() -> ReportInputs:
    """An empty month, seven full ones and one with a handful of rows, on the months there are."""
    source = Rows(rows(700, MONTHS[:7]) + rows(5, MONTHS[7:]), empty=[("west-midlands", "2019-03")])
    return inputs(source, "west-midlands", ("2019-03", MONTHS[7]), holes="covered")


def vanished() -> ReportInputs:
    """A group whose labels never occur."""
    labels = tuple(label for label in CHOICES["ethnicity_self"] if label and "Black" not in label)
    return inputs(Rows(rows(3000, ethnicity_self=labels)), "west-midlands", SPAN)


CASES = {
    "whole": whole,
    "small": lambda: inputs(Rows(rows(60)), "west-midlands", SPAN),
    "few": lambda: inputs(Rows(rows(14)), "west-midlands", SPAN),
    "hole": lambda: inputs(Rows(rows(400, MONTHS[:5])), "west-midlands", SPAN),
    "covered": lambda: inputs(Rows(rows(400, MONTHS[:5])), "west-midlands", SPAN, holes="covered"),
    "partial": partial,
    "vanished": vanished,
    "no residents": lambda: inputs(Rows(rows(300, force="btp")), "btp", SPAN, name="British Transport Police"),
    "refused": lambda: inputs(
        Rows(rows(300, linked=None, outcome=BLANK, more_thorough=None, video_recorded=None)), "west-midlands", SPAN
    ),
    "given": lambda: inputs(
        Rows(rows(2000, linked=("True", "False"), outcome=("Arrest", "Nothing found - no further action"))),
        "west-midlands",
        SPAN,
    ),
}
