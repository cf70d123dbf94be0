"""Tables: result rows as printed cells, and the same tables in full precision as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from disprop.measures.ratios import PERSONS
from disprop.measures.shares import BOUNDS_UNKNOWN_SHARE
from disprop.measures.verdicts import DEPENDS, HOLDS, NOT_COMPUTABLE, TOO_FEW
from disprop.report.blocks import Table
from disprop.report.figures import (
    LOW_RELIABILITY,
    NOT_APPLICABLE,
    NOT_AVAILABLE,
    bounds,
    count,
    interval_name,
    listed,
    month_name,
    more_or_fewer,
    percent_1,
    rate,
    ratio_2,
    sentence,
    span,
)
from disprop.report.inputs import ReportInputs, Row, _null
from disprop.report.remarks import PARTLY, remarks
from disprop.report.words import CHIPS, few_searches, group_label, people, too_few

if TYPE_CHECKING:
    import pandas as pd

    from disprop.provenance import Account

SYNTHETIC_COLUMN, SYNTHETIC_MARK = "synthetic", "SYNTHETIC: invented records"
DIGEST_SHOWN = 12
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


# As printed --------------------------------------------------------------------------------------------------------


def rates_table(rows: Sequence[Row], whole: Row | None, ratios: Sequence[Row]) -> Table:
    """Searches, resident-years and rate of each group; below them the searches of nobody's group, and all of them.

    The comparisons say where few searches are too few.
    """
    verdicts = {row["group"]: row["verdict"] for row in ratios}
    confidence = interval_name(rows[0]["confidence"])
    body = [_rate_cells(row, verdicts.get(row["group"])) for row in rows]
    body.append(("Ethnicity not known", count(rows[0]["n_unknown"]), *[NOT_APPLICABLE] * 4))
    foot: tuple[str, ...] = ()
    if whole is not None:
        foot = ("All searches of people", *_rate_cells(whole)[1:5], NOT_APPLICABLE)
    return Table(
        "rates",
        "Searches and rates by self-defined ethnicity",
        ("Group", "Searches", "Resident-years", "Rate per 1,000 a year", confidence, "If all not known were theirs"),
        tuple(body),
        foot,
        "search_rate.csv",
        notes=row_notes(rows),
    )


def _rate_cells(row: Row, verdict: str | None = None) -> tuple[str, ...]:
    return (
        group_label(row["group"]),
        count(row["numerator"]),
        count(row["denominator"]),
        rate(row["estimate"]) + _low_reliability(few_searches(row, verdict)),
        span(row["low"], row["high"], rate),
        rate(row["bound_high"]),
    )


def ratios_table(rows: Sequence[Row]) -> Table:
    reference = people(rows[0]["reference"])
    head = (
        "Group",
        "Ratio",
        interval_name(rows[0]["confidence"]),
        f"If all not known were {reference}",
        "If all not known were theirs",
        "Ratio alone against 0.8 to 1.25",
        "What can be said",
        "Whatever is unknown",
    )
    return Table(
        "ratios",
        f"Ratio of the rate of each group to the rate of {reference}",
        head,
        tuple(_ratio_cells(row) for row in rows),
        csv="rate_ratio.csv",
        words=(5, 6, 7),
        notes=row_notes(rows),
    )


def within_areas_table(rows: Sequence[Row], crude: Sequence[Row]) -> Table:
    """The ratio of the whole force beside its twin within areas."""
    reference = people(rows[0]["reference"])
    whole = {row["group"]: row for row in crude}
    return Table(
        "within-areas",
        f"Ratio to the rate of {reference}, for the whole force and within its areas",
        (
            "Group",
            "Ratio for the whole force",
            "Ratio within areas",
            interval_name(rows[0]["confidence"]),
            f"If all not known were {reference}",
            "If all not known were theirs",
            "What can be said of the ratio within areas",
        ),
        tuple(_within_cells(row, whole[row["group"]]) for row in rows),
        csv="rate_ratio_within_areas.csv",
        words=(6,),
        notes=(*row_notes(rows), *not_widened(crude, "ratios within areas")),
    )


def _within_cells(row: Row, whole: Row) -> tuple[str, ...]:
    return (
        group_label(row["group"]),
        ratio_2(whole["estimate"]) + _low_reliability(whole["verdict"] == TOO_FEW),
        ratio_2(row["estimate"]) + _low_reliability(row["verdict"] == TOO_FEW),
        span(row["low"], row["high"], ratio_2),
        ratio_2(row["bound_low"]),
        ratio_2(row["bound_high"]),
        CHIPS[row["verdict"]][1],
    )


def row_notes(rows: Sequence[Row], *, but: Sequence[str] = ()) -> tuple[str, ...]:
    """What to keep in mind of rows: each remark once, those on all groups first; those in `but` stand elsewhere."""
    about: dict[str, list[str]] = {}
    for row in rows:
        for text in (text for text in remarks(row["flag"]) if text not in but):
            about.setdefault(text, []).append(group_label(row["group"]))
    every = len(rows)
    of_all = [sentence(text) for text, groups in about.items() if len(groups) == every]
    of_some = [sentence(f"{listed(groups)}: {text}") for text, groups in about.items() if len(groups) < every]
    return (*of_all, *of_some)


def _ratio_cells(row: Row) -> tuple[str, ...]:
    nothing = NOT_APPLICABLE if row["verdict"] == TOO_FEW else NOT_AVAILABLE
    holds = {HOLDS: "holds", DEPENDS: "depends"}.get(row["verdict_holds"], nothing)
    return (
        group_label(row["group"]),
        ratio_2(row["estimate"]) + _low_reliability(row["verdict"] == TOO_FEW),
        span(row["low"], row["high"], ratio_2),
        ratio_2(row["bound_low"]),
        ratio_2(row["bound_high"]),
        row["point_against_band"] or NOT_AVAILABLE,
        CHIPS[row["verdict"]][1],
        holds,
    )


def excess_table(rows: Sequence[Row], ratios: Sequence[Row]) -> Table:
    """What was recorded beside what the reference rate would give; comparisons too small to speak of say so."""
    reference = people(rows[0]["reference"])
    verdicts = {row["group"]: row["verdict"] for row in ratios}
    return Table(
        "excess",
        f"Searches beside those expected at the rate of {reference}",
        (
            "Group",
            "Searches",
            f"Expected at the rate of {reference}",
            "Difference",
            f"{interval_name(rows[0]['confidence'])} of the difference",
        ),
        tuple(_excess_cells(row, verdicts.get(row["group"])) for row in rows),
        csv="excess_searches.csv",
        notes=not_widened(ratios, "differences"),
    )


def not_widened(ratios: Sequence[Row], here: str) -> tuple[str, ...]:
    """That intervals of ratios were widened for people searched again, and those of the table below them were not."""
    groups = [group_label(row["group"]) for row in ratios if PERSONS in (row["method"] or "")]
    if not groups:
        return ()
    return (
        "Some people were searched again and again, so that counts vary by more than chance alone would have it. In "
        f"the table of ratios above, the intervals of these groups are widened for that: {listed(groups)}. The "
        f"intervals of the {here} here are not; widened likewise, they would be wider.",
    )


def _excess_cells(row: Row, verdict: str | None) -> tuple[str, ...]:
    difference, limits = more_or_fewer(row["estimate"]), span(row["low"], row["high"], more_or_fewer)
    if verdict == TOO_FEW:
        difference, limits = LOW_RELIABILITY, LOW_RELIABILITY
    if verdict == NOT_COMPUTABLE:
        difference, limits = NOT_AVAILABLE, NOT_AVAILABLE
    return group_label(row["group"]), count(row["numerator"]), count(row["denominator"]), difference, limits


def shares_table(
    name: str, yes: str, column: str, rows: Sequence[Row], whole: Row | None, *, of: str = "searches"
) -> Table:
    """A share by group: the count that says yes, what it is out of, and the bounds that the unknown leave.

    name: that of the result frame. yes: what the counted searches are; column: the same in a word or two. of: what
    the share is of.
    """
    limits = interval_name(rows[0]["confidence"])
    bounded = any(row["estimate"] is None and row["bound_low"] is not None for row in rows)
    given = [row for row in rows if row["estimate"] is not None]
    return Table(
        name.replace("_", "-"),
        f"{yes}, by self-defined ethnicity",
        ("Group", column, "Out of", "Share", limits, "Not known", "Bounds, whatever is unknown"),
        tuple(share_cells(row) for row in rows),
        (f"All {of}", *share_cells(whole)[1:]) if whole is not None else (),
        f"{name}.csv",
        notes=(*((_BOUNDS_ONLY,) if bounded else ()), *row_notes(given, but=(PARTLY,))),
    )


_BOUNDS_ONLY = (
    f"Where more than {BOUNDS_UNKNOWN_SHARE:.0%} of the searches are not known, of a group or of all groups together, "
    "no share is given, only bounds; Out of then counts those not known too."
)


def share_cells(row: Row) -> tuple[str, ...]:
    """Cells of one share; with fewer searches than a ratio would need, the share is marked.

    Bounds are for what is not known; a share that is withheld has them always.
    """
    bounded = row["n_unknown"] or row["estimate"] is None
    return (
        group_label(row["group"]),
        count(row["numerator"]),
        count(row["denominator"]),
        percent_1(row["estimate"]) + _low_reliability(too_few(row) and row["estimate"] is not None),
        span(row["low"], row["high"], percent_1),
        count(row["n_unknown"]),
        bounds(row["bound_low"], row["bound_high"], percent_1) if bounded else NOT_APPLICABLE,
    )


def _low_reliability(few: bool) -> str:
    return f" {LOW_RELIABILITY}" if few else ""


def account_table(account: Account) -> Table:
    """What became of every row read; the rows add up to the last."""
    body = [("Counted in this report", count(account.counted))]
    body += [(f"Left out: {plain_rule(rule)}", count(n)) for rule, n in account.excluded.items()]
    body += [(f"Set aside, could not be read: {reason}", count(n)) for reason, n in account.quarantined.items()]
    return Table(
        "account",
        "What became of every row read",
        ("Rows", "Number"),
        tuple(body),
        ("All rows read", count(account.read)),
        "account.csv",
    )


_RULES = {
    "not selected: force": "searches by another force",
    "outside the period": "searches outside the period",
    "vehicle-only search: no person was searched": "a vehicle was searched and no person",
}


def plain_rule(rule: str) -> str:
    return _RULES.get(rule, rule)


def counts_table(name: str, caption: str, head: tuple[str, str], counts: Mapping[str, int]) -> Table:
    return Table(name, caption, head, tuple((text, count(n)) for text, n in counts.items()), csv="account.csv")


def files_table(files: pd.DataFrame, force: str) -> tuple[Table, bool]:
    """The files read of one force, and whether there were others; where no force is named, all of them.

    A file of several forces ("gwent, kent") is one of each of them; a note says that its rows are of all of them.
    Digests are cut short here and whole in the CSV, paths cut to the name of the file. Columns that say nothing are
    left out, and the force, which is that of the report.
    """
    rows = [{name: None if _null(value) else value for name, value in row.items()} for row in files.to_dict("records")]
    own = [row for row in rows if force in _forces(row, force)]
    shared = any(len(_forces(row, force)) > 1 for row in own)
    told = [str(name) for name in files.columns if name != "force"]
    names = [name for name in told if any(row[name] not in (None, "", 0) for row in own)]
    words = tuple(i for i, name in enumerate(names) if not all(_is_number(row[name]) for row in own))
    head = tuple(_FILE_HEADS.get(name, sentence(name.replace("_", " ")).rstrip(".")) for name in names)
    body = tuple(tuple(_file_cell(name, row[name]) for name in names) for row in own)
    notes = (_SHARED,) if shared else ()
    return Table("files", "Files read", head, body, csv="files.csv", words=words, notes=notes), len(own) < len(rows)


_SHARED = "A file that holds records of other forces too is listed with all its rows; files.csv names the forces."


def _forces(row: Mapping[Any, Any], force: str) -> list[str]:
    """The forces whose records a file holds; that of the report where files are listed without any."""
    return (row.get("force", force) or "").split(", ")


_FILE_HEADS = {"sha256": "SHA-256", "read": "Rows read", "yielded": "Rows kept"}


def _file_cell(name: str, value: Any) -> str:
    if value is None or value == "":
        return NOT_APPLICABLE
    if name in ("month", "first", "last"):
        return month_name(str(value))
    if "sha256" in name or "digest" in name:
        return f"{str(value)[:DIGEST_SHOWN]}…"
    return count(value) if _is_number(value) else re.split(r"[/\\]", str(value))[-1]


def _is_number(value: Any) -> bool:
    import numbers

    return isinstance(value, numbers.Real) and not isinstance(value, bool)


# As CSV ------------------------------------------------------------------------------------------------------------


def csv_tables(inputs: ReportInputs) -> dict[str, str]:
    """Every table in full precision: file name -> CSV text (UTF-8, LF, header row).

    Result frames are written as they are. Tables of invented records have a first column `synthetic` that says so in
    every row, because a column survives copying, filtering and renaming, which a comment or a file name does not.
    """
    frames = {f"{name}.csv": frame for name, frame in inputs.results.items()}
    texts = {name: frame_csv(frame, inputs.synthetic) for name, frame in frames.items()}
    texts["coverage.csv"] = frame_csv(inputs.coverage, inputs.synthetic)
    texts["account.csv"] = _csv(("what", "reason", "rows"), account_rows(inputs.account), inputs.synthetic)
    if inputs.files is not None:
        texts["files.csv"] = frame_csv(inputs.files, inputs.synthetic)
    return texts


def frame_csv(frame: pd.DataFrame, synthetic: bool) -> str:
    """A frame as CSV, numbers in full, null as nothing."""
    rows = zip(*[frame[name].tolist() for name in frame.columns])
    return _csv([str(name) for name in frame.columns], rows, synthetic)


def account_rows(account: Account) -> list[tuple[str, str, int]]:
    """The account line by line: read = counted + excluded + quarantined; notes and unmapped labels below."""
    rows = [("read", "", account.read), ("counted", "", account.counted)]
    for what in ("excluded", "quarantined", "notes", "unmapped"):
        rows += [(what, reason, n) for reason, n in getattr(account, what).items()]
    return rows


def _csv(head: Sequence[str], rows: Any, synthetic: bool) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    first = ([SYNTHETIC_COLUMN], [SYNTHETIC_MARK]) if synthetic else ([], [])
    writer.writerow([*first[0], *head])
    writer.writerows([*first[1], *map(_csv_cell, row)] for row in rows)
    return out.getvalue()


def _csv_cell(value: Any) -> Any:
    """The value in full; text that a spreadsheet would run as a formula is led by an apostrophe.

    A lone carriage return, which would break the line for some readers, becomes a space.
    """
    if _null(value):
        return ""
    if isinstance(value, str):
        return (f"'{value}" if value.startswith(_FORMULA_STARTS) else value).replace("\r", " ")
    return repr(value) if isinstance(value, float) else value
