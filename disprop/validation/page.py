"""The tables of coverage and recovery as a page of Markdown: every figure comes from a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from disprop.validation.intervals import CONFIDENCE, Coverage
from disprop.validation.recovery import Recovery, Unknowns
from disprop.validation.verdicts import Verdicts

INTERVAL_HEAD = (
    "function",
    "method",
    "truths",
    "mean",
    "least",
    "missed below",
    "missed above",
    "worst side",
    "length",
)
VERDICT_HEAD = ("true ratio", "expected", "dispersion", "`higher`", "`lower`", "`higher`, printed", "`lower`, printed")
MONTHS_HEAD = ("months", "`higher`: mean", "most", "`lower`: mean", "most", "printed `higher`: most", "`lower`: most")
RECOVERY_HEAD = ("figure", "group", "intervals", "held")
UNKNOWN_HEAD = ("group", "recorded", "shared out", "imputed", "true", "bounds hold the truth")
YEAR = 12

INTERVAL_TEXT = f"""\
Nominal {CONFIDENCE:.0%}. Coverage is exact: the chances of all outcomes are added up. A miss *below* is a truth below
the interval, *above* one above it. Score and Wilson intervals are near nominal on average, not everywhere: the least
column says how far they fall. Length is high - low, of ratios ln(high / low)."""
VERDICT_TEXT = """\
Draws of a period of months at true ratios inside the band 0.8 to 1.25 or on its edge: `higher` and `lower` are then
both wrong. *Expected* is the group's count. Dispersion 1 is chance alone; 4.5 is what West Midlands shows. Dispersion
is estimated from the same months. *Printed*: what the verdicts would be, were they read off the limits as printed,
which use the normal quantile; verdicts use Student's t ([why](decisions/0015-verdicts-under-dispersion.md)). The table
is of 12 months; the one below it of all. Over 24 months a group with 20 searches has fewer than one a month: dispersion
can hardly be estimated from that, and it is there that `higher` is wrong most."""
RECOVERY_TEXT = """\
Records of the invented force from several seeds, read, tallied and measured: how often the 95% interval held the truth
that the records were drawn from. The *thresholds* are the chances of a find by group and item searched for: the
generator draws no suspicion, so that these are all there is to recover. A find rate that is refused or bounds only
gives no interval, and is not counted. The generator disperses months, so that ratios with limits as printed hold the
truth a little less often than those that verdicts use. *Share not stated, of the true group* uses the true group that
the generator exports; `agreement_matrix` the chances that officers record each group (cells of 1% or more);
`rate_ratio_imputed` a variant of the force in which its assumption is true: officers always right, months alike but for
chance."""
UNKNOWN_TEXT = """\
In the force as it is, officers are sometimes wrong, and Black people state their ethnicity less often. Then unknown
records do not quite resemble the stated ones of their stratum: sharing out and imputing move most ratios towards the
true one and some (Mixed) past it; the bounds hold it. Means over seeds; with no more than chance in them, the rarest
group (Other) still moves about."""


def page(
    coverages: Sequence[Coverage],
    verdicts: Sequence[Verdicts],
    recovered: Sequence[Recovery],
    unknowns: Sequence[Unknowns],
) -> str:
    """The tables as Markdown."""
    parts = [
        "# Coverage and recovery",
        "Made by `python -m disprop.validation`; every figure is generated.",
        "## Intervals",
        INTERVAL_TEXT,
        table(INTERVAL_HEAD, [found.row() for found in coverages]),
        "## Verdicts that are wrong",
        VERDICT_TEXT,
        table(VERDICT_HEAD, [_verdict_row(found) for found in verdicts if found.months == YEAR]),
        table(MONTHS_HEAD, _by_months(verdicts)),
        "## From records to figures",
        RECOVERY_TEXT,
        table(RECOVERY_HEAD, [*_figures(recovered), *(_recovery_row(found) for found in recovered)]),
        "## What the unknown do to a ratio",
        UNKNOWN_TEXT,
        table(UNKNOWN_HEAD, [_unknown_row(found) for found in unknowns]),
    ]
    return "\n\n".join(parts) + "\n"


def _verdict_row(found: Verdicts) -> list[str]:
    rates = (found.higher, found.lower, found.printed_higher, found.printed_lower)
    return [f"{found.ratio:g}", f"{found.expected:g}", f"{found.dispersion:g}", *(f"{rate:.2%}" for rate in rates)]


def _by_months(verdicts: Sequence[Verdicts]) -> list[list[str]]:
    """Mean and most of the wrong verdicts over the grid, for each length of period."""
    rows = []
    for months in sorted({found.months for found in verdicts}):
        of = [found for found in verdicts if found.months == months]
        higher, lower, printed_higher, printed_lower = (
            np.array([getattr(found, name) for found in of])
            for name in ("higher", "lower", "printed_higher", "printed_lower")
        )
        figures = (higher.mean(), higher.max(), lower.mean(), lower.max(), printed_higher.max(), printed_lower.max())
        rows.append([str(months), *(f"{figure:.2%}" for figure in figures)])
    return rows


def _figures(recovered: Sequence[Recovery]) -> list[list[str]]:
    """Each figure over all its groups."""
    rows = []
    for figure in dict.fromkeys(found.figure for found in recovered):
        of = [found for found in recovered if found.figure == figure]
        n = sum(found.intervals for found in of)
        held = sum(found.held * found.intervals for found in of) / n
        rows.append([figure, "**all**", f"{n:,}", f"**{held:.1%}**"])
    return rows


def _recovery_row(found: Recovery) -> list[str]:
    return [found.figure, found.group, f"{found.intervals:,}", f"{found.held:.0%}"]


def _unknown_row(found: Unknowns) -> list[str]:
    ratios = (found.recorded, found.allocated, found.imputed, found.true)
    return [found.group, *(f"{ratio:.2f}" for ratio in ratios), f"{found.within_bounds:.0%}"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(" | ".join(["", *cells, ""]).strip() for cells in (head, ["---"] * len(head), *rows))
