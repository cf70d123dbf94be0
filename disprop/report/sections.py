"""The parts of a report that state results, in the order they are read. A result that was not asked for has no part.

Names of result frames: `search_rate`, `search_rate_all` (the whole force), `rate_ratio`,
`rate_ratio_within_areas` (where areas are known), `excess_searches`,
`linked_find`, `linked_find_all`, `linked_find_rule_linked`, `linked_find_rule_linked_all`, `any_find`,
`positive_outcome`, `arrest`, `possession_only`, `more_thorough`, `more_thorough_children`, `share_on_video`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from disprop.measures.verdicts import NOT_COMPUTABLE, TOO_FEW
from disprop.report.blocks import Block, Chart, Heading, Notice, Paragraph, Section
from disprop.report.caveats import POLICE_UK
from disprop.report.charts import Mark, Scale, chart
from disprop.report.figures import bounds, listed, percent, rate, ratio, sentence, span
from disprop.report.inputs import ReportInputs, Row
from disprop.report.remarks import remark
from disprop.report.tables import excess_table, rates_table, ratios_table, shares_table, within_areas_table
from disprop.report.words import (
    beyond_interval,
    group_label,
    people,
    rates_title,
    ratios_title,
    reason,
    share_sentence,
    shares_title,
    too_few,
    two_rules,
)


def result_sections(inputs: ReportInputs) -> list[Section]:
    """Rates, comparisons, finds, outcomes, drugs, more thorough searches, video: those that were asked for."""
    makers = (rates, comparisons, finds, outcomes, drugs, more_thorough, video)
    return [section for section in (maker(inputs) for maker in makers) if section is not None]


# Rates and comparisons ---------------------------------------------------------------------------------------------


def rates(inputs: ReportInputs) -> Section | None:
    rows = inputs.rows("search_rate")
    if not rows:
        return None
    blocks: list[Block] = [
        Paragraph(
            "A rate sets searches beside residents: how many searches there were in a year for every 1,000 people of a "
            "group who live in the area. A search is an event: one person may be searched many times."
        )
    ]
    if _any_given(rows):
        blocks.append(_rates_chart(inputs, rows))
    else:
        blocks.append(_refused("No rate can be given", rows))
    blocks.append(rates_table(rows, inputs.one("search_rate_all"), inputs.rows("rate_ratio")))
    return Section("rates", "How often people were searched", "Rates", tuple(blocks))


def _rates_chart(inputs: ReportInputs, rows: Sequence[Row]) -> Chart:
    marks = [
        Mark(group_label(row["group"]), _with_limits(row, rate), row["estimate"], row["low"], row["high"])
        for row in rows
    ]
    label = "searches per 1,000 residents a year"
    return _chart(inputs, "rates-chart", rates_title(rows), marks, Scale(label))


def comparisons(inputs: ReportInputs) -> Section | None:
    rows = inputs.rows("rate_ratio")
    if not rows:
        return None
    reference = people(rows[0]["reference"])
    blocks: list[Block] = [
        Paragraph(
            f"The rate of each group is divided by the rate of {reference}. 1 means the same rate, 2 twice the rate, "
            "0.5 half the rate. The inspectorate reads a ratio against the band from 0.8 to 1.25. Here a group is "
            "called higher or lower only where its whole interval lies outside that band; where the interval lies "
            "beyond 1 and reaches into the band, how much higher or lower is called uncertain."
        )
    ]
    if all(row["verdict"] == NOT_COMPUTABLE for row in rows):
        blocks.append(_refused("No comparison can be given", rows))
        return Section("comparisons", f"Compared with {reference}", "Comparisons", tuple(blocks))
    if any(row["verdict"] not in (NOT_COMPUTABLE, TOO_FEW) for row in rows):
        blocks.append(_ratios_chart(inputs, rows))
    blocks.append(ratios_table(rows))
    if within := inputs.rows("rate_ratio_within_areas"):
        blocks += [
            Paragraph(
                f"Part of a ratio for a whole force comes from where groups live and where most searches are made. The "
                f"ratio within areas compares each group with {reference} one local authority at a time, and leaves "
                "that part out. Both are figures of what was recorded; neither says why."
            ),
            within_areas_table(within, rows),
        ]
    if excess := inputs.rows("excess_searches"):
        blocks += [
            Paragraph(
                f"The next table sets the searches that were recorded beside those there would have been at the rate "
                f"of {reference}. More than at that rate is just that: it does not count searches that ought not to "
                "have happened."
            ),
            excess_table(excess, rows),
        ]
    return Section("comparisons", f"Compared with {reference}", "Comparisons", tuple(blocks))


def _ratios_chart(inputs: ReportInputs, rows: Sequence[Row]) -> Chart:
    scale = Scale(f"times the rate of {people(rows[0]['reference'])}", log=True)
    return _chart(inputs, "ratios-chart", ratios_title(rows), [_ratio_mark(row) for row in rows], scale)


def _ratio_mark(row: Row) -> Mark:
    label = group_label(row["group"])
    if row["verdict"] in (NOT_COMPUTABLE, TOO_FEW):
        return Mark(label, "cannot be given" if row["verdict"] == NOT_COMPUTABLE else "too few to say")
    ends = (row["bound_low"], row["bound_high"]) if row["n_unknown"] else (None, None)
    return Mark(label, _with_limits(row, ratio), row["estimate"], row["low"], row["high"], *ends)


# Shares ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """One share of searches as the page tells it: "about 12% of searches led to an arrest".

    `frame` is its result frame (that of the whole force is `<frame>_all`), `thing` names it in a heading, `yes` what is
    counted and `column` the same in a word or two; `of` and `what` are the two sides of its sentence. `asked` says
    which records should answer, where it is not all of them.
    """

    frame: str
    thing: str
    column: str
    what: str
    yes: str
    of: str = "searches"
    asked: str = ""

    @property
    def whole(self) -> str:
        return f"{self.frame}_all"


LINKED_FIND = Share(
    frame="linked_find",
    thing="Linked finds",
    column="Linked finds",
    yes="Linked finds with a recorded outcome",
    what="found the item searched for and had a recorded outcome",
    asked="those of searches that had a positive outcome",
)
FLAG_ALONE = Share(
    frame="linked_find_rule_linked",
    thing="Linked finds by the flag alone",
    column="With the flag",
    yes="Searches with the flag",
    what="carry the flag that says that the outcome was linked to the item searched for",
)
ANY_FIND = Share(
    frame="any_find",
    thing="Anything found",
    column="Finds",
    yes="Searches that found anything",
    what="found anything at all",
)
POSITIVE_OUTCOME = Share(
    frame="positive_outcome",
    thing="Positive outcomes",
    column="Positive outcomes",
    yes="Searches with a positive outcome",
    what="had a positive outcome",
)
ARREST = Share(
    frame="arrest",
    thing="Arrests",
    column="Arrests",
    yes="Searches that led to an arrest",
    what="led to an arrest",
)
MORE_THOROUGH = Share(
    frame="more_thorough",
    thing="All ages",
    column="More thorough",
    yes="Searches that removed more than outer clothing",
    what="removed more than outer clothing",
)
CHILDREN = Share(
    frame="more_thorough_children",
    thing="Children, ages 10 to 17",
    column="More thorough",
    yes="Searches of children that removed more than outer clothing",
    of="searches of children",
    what="removed more than outer clothing",
)
VIDEO = Share(
    frame="share_on_video",
    thing="Body-worn video",
    column="On video",
    yes="Searches on video",
    what="were recorded on body-worn video",
)

POSSESSION = Share(
    frame="possession_only",
    thing="Possession of drugs",
    column="Possession alone",
    yes="Searches for possession alone",
    of="searches for drugs",
    what="were for possession alone",
)


def share_blocks(inputs: ReportInputs, share: Share) -> list[Block]:
    """One share: what it is over the whole force, a chart and a table by group; or that it is refused, and why.

    Where every group is refused or too small, there is nothing to draw.
    """
    rows, whole = inputs.rows(share.frame), inputs.one(share.whole)
    if not rows:
        return []
    said = share_sentence(whole, share.of, share.what, share.asked)
    if not any(row["bound_low"] is not None for row in rows):
        return [_refused_share(share, rows, whole)]
    drawn = any(row["bound_low"] is not None and not too_few(row) for row in rows)
    return [
        *([Paragraph(said)] if said else []),
        *([_share_chart(inputs, share, rows, whole)] if drawn else []),
        shares_table(share.frame, share.yes, share.column, rows, whole, of=share.of),
    ]


def _refused_share(share: Share, rows: Sequence[Row], whole: Row | None) -> Notice:
    row = whole or max(rows, key=lambda one: one["denominator"] or 0)
    who = "" if whole else f" (for {people(row['group'])}; for the other groups likewise)"
    said = f"What share of {share.of} {share.what} cannot be said: {reason(row, share.asked)}{who}."
    return Notice(f"{share.thing}: refused", said)


def _share_chart(inputs: ReportInputs, share: Share, rows: Sequence[Row], whole: Row | None) -> Chart:
    marks = [_share_mark(row) for row in rows]
    name, title = f"{share.frame.replace('_', '-')}-chart", shares_title(rows, whole, share.of, share.what)
    return _chart(inputs, name, title, marks, Scale(f"share of {share.of}", percent=True))


def _share_mark(row: Row) -> Mark:
    """Bounds stand beside an estimate only where they reach beyond its interval; the table has them all."""
    label, ends = group_label(row["group"]), (row["bound_low"], row["bound_high"])
    if row["bound_low"] is None:
        return Mark(label, "refused")
    if too_few(row):
        return Mark(label, "too few to say")
    if row["estimate"] is None:
        return Mark(label, f"{bounds(*ends, percent)}, bounds", bound_low=ends[0], bound_high=ends[1])
    shown = ends if beyond_interval(row) else (None, None)
    return Mark(label, _with_limits(row, percent), row["estimate"], row["low"], row["high"], *shown)


def finds(inputs: ReportInputs) -> Section | None:
    linked, any_find = share_blocks(inputs, LINKED_FIND), share_blocks(inputs, ANY_FIND)
    if not linked and not any_find:
        return None
    blocks: list[Block] = [
        Paragraph(
            "A linked find means that the item searched for was found. Public records say so only by a flag, which "
            "some forces leave blank and some set on nearly every search. So a search counts here as a linked find "
            "only where the flag says yes and the outcome was more than no further action: a linked find with a "
            "recorded outcome, which is a lower figure than all linked finds."
        ),
        *linked,
    ]
    difference = two_rules(inputs.one("linked_find_all"), inputs.one("linked_find_rule_linked_all"))
    if difference:
        blocks += [Heading("Counted another way"), Paragraph(difference)]
    if any_find:
        blocks += [Heading("Anything found"), *any_find, Paragraph(_ANY_FIND)]
    return Section("finds", "What searches found", "Finds", tuple(blocks))


_ANY_FIND = (
    "That anything was found is not the same as finding the item searched for, and not the same as a positive outcome: "
    "an arrest may be for something else, and something found may lead to no further action."
)


def outcomes(inputs: ReportInputs) -> Section | None:
    intro = Paragraph(
        "A positive outcome is any outcome but no further action: an arrest, a community resolution, a caution, a "
        "penalty notice, a summons. It does not say that anything was found. Shares are of the searches whose outcome "
        "is known."
    )
    return _shares(inputs, "outcomes", "What followed", "Outcomes", intro, (POSITIVE_OUTCOME, ARREST))


def more_thorough(inputs: ReportInputs) -> Section | None:
    intro = Paragraph(
        "A more thorough search removes more than outer clothing: a coat, a jacket or gloves. It is more intrusive, "
        "above all for children, so it is shown for ages 10 to 17 by itself. A blank is not a no."
    )
    return _shares(
        inputs, "thorough", "Searches that removed more than outer clothing", "More thorough searches", intro,
        (MORE_THOROUGH, CHILDREN),
    )  # fmt: skip


def drugs(inputs: ReportInputs) -> Section | None:
    intro = Paragraph(
        "A search for controlled drugs may be for possession alone, or for supply. The figures are of the searches for "
        "drugs, by what the record says; where it says nothing, nothing is assumed."
    )
    return _shares(inputs, "drugs", "Searches for possession of drugs", "Drugs", intro, (POSSESSION,))


def video(inputs: ReportInputs) -> Section | None:
    public = "; the public records carry no such tick-box" if inputs.dataset == POLICE_UK else ""
    intro = Paragraph(
        "These figures come from the officer's tick-box that a camera ran. It does not say that footage exists, or "
        f"that it is complete{public}."
    )
    return _shares(inputs, "video", "Searches on body-worn video", "Video", intro, (VIDEO,))


def _shares(
    inputs: ReportInputs, name: str, title: str, short: str, intro: Paragraph, shares: Sequence[Share]
) -> Section | None:
    blocks: list[Block] = []
    for share in shares:
        made = share_blocks(inputs, share)
        if made and len(shares) > 1:
            blocks.append(Heading(share.thing))
        blocks += made
    return Section(name, title, short, (intro, *blocks)) if blocks else None


# Shared ------------------------------------------------------------------------------------------------------------


def _chart(inputs: ReportInputs, name: str, title: str, marks: Sequence[Mark], scale: Scale) -> Chart:
    text = f"{sentence(scale.label)} " + " ".join(sentence(f"{mark.label}: {mark.text}") for mark in marks)
    return chart(name, title, marks, scale, text=text, synthetic=inputs.synthetic)


def _with_limits(row: Row, style: Callable[[float | None], str]) -> str:
    """`2.9 (2.7 to 3.1)`; without an estimate, the limits alone, or that there is none."""
    if row["estimate"] is None:
        return "cannot be given" if row["low"] is None else span(row["low"], row["high"], style)
    return f"{style(row['estimate'])} ({span(row['low'], row['high'], style)})"


def _any_given(rows: Sequence[Row]) -> bool:
    return any(row["estimate"] is not None for row in rows)


def _refused(title: str, rows: Sequence[Row]) -> Notice:
    reasons = list(dict.fromkeys(remark(row["flag"]) for row in rows))
    return Notice(title, sentence(listed(reasons)))
