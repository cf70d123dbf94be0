"""Slow truth for use of force, in plain Python: what stands here imports nothing of the package."""

import csv
import io
from collections import Counter


def class_totals(text):
    """Class -> uses of tactics, from the rows of a table that sum up nothing else; all, by group; and what is apart.

    A class whose one row is its total has that row as its count.
    """
    rows = list(csv.DictReader(io.StringIO(text)))
    groups = [name for name in rows[0] if name not in _NO_GROUP]
    detailed = {(row["Police Force"], row["Type of force"]) for row in rows if not sums_up(row["Tactic"])}
    classes, of_groups = Counter(), Counter()
    for row in rows:
        if row["Type of force"].startswith("Total"):
            continue
        if sums_up(row["Tactic"]) and (row["Police Force"], row["Type of force"]) in detailed:
            continue
        n = {group: int(float(row[group])) for group in groups}
        classes[row["Type of force"]] += sum(n.values())
        if row["Type of force"] not in ("Not reported", "Tactical communication"):
            of_groups.update(n)
    return classes, of_groups


_NO_GROUP = {
    "Police Force", "Type of force", "Tactic", "Number of times tactic reported", "Force type - Output",
    "Tactic - Output",
}  # fmt: skip


def sums_up(tactic):
    return tactic.lstrip("*").startswith("Total") or tactic.endswith("of which")


ORDER = ("drawn", "aimed", "red-dot", "arced", "drive stun", "fired", "angle drive stun")


def highest(uses):
    """The highest of some uses of a CED."""
    return max(uses, key=ORDER.index) if uses else None


def with_item(rows, column, item):
    return [row for row in rows if item in (row[column] or "").split(" | ")]


def forceful(row, apart=("Tactical communication", "Not stated")):
    """Whether a report has any force: something other than talk, or than a word for not stated."""
    return any(item not in apart for item in (row["tactics"] or "").split(" | ") if item)


def joined(searches, reports, window):
    """How each search is joined to a report to effect a search: by reference, by officer and time, or none found.

    A report with a reference joins those that quote it. One without joins the one search near it; of several, none.
    """
    wanted = [r for r in reports if "Effect search" in (r["reasons"] or "").split(" | ")]
    references = {r["reference"] for r in wanted if r["reference"]}
    sure, unsure = set(), set()
    for r in wanted:
        near = [i for i, s in enumerate(searches) if not r["reference"] and _near(s, r, window)]
        (sure if len(near) == 1 else unsure).update(near)
    found = []
    for i, s in enumerate(searches):
        able = s["reference"] or (_officers(s) and s["time"] is not None)
        if s["reference"] in references:
            found.append("by reference")
        elif i in sure:
            found.append("by officer and time")
        else:
            found.append("no report" if able and i not in unsure else "blank")
    return found


def _near(search, report, window):
    times = search["time"], report["time"]
    return None not in times and abs(times[0] - times[1]) <= window and bool(_officers(search) & _officers(report))


def _officers(row):
    return {row["officer"], row["other_officer"]} - {0}
