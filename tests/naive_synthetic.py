"""Slow truth about invented records, from files and truth.json alone. Imports nothing from disprop."""

import csv
import json
from datetime import datetime
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")

GROUP_OF = {"White": "White", "Mixed/Multiple ethnic groups": "Mixed", "Asian/Asian British": "Asian"}
GROUP_OF |= {"Black/African/Caribbean/Black British": "Black", "Other ethnic group": "Other"}


def read_truth(folder: Path) -> dict:
    return json.loads((folder / "truth.json").read_text(encoding="utf-8"))


def read_rows(folder: Path) -> list[tuple[str, dict[str, str]]]:
    """Every row of every public file: the month that the file claims, and the row."""
    found = []
    for path in sorted(folder.glob("*/*-stop-and-search.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += [(path.name[:7], row) for row in csv.DictReader(file)]
    return found


def london_month(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(LONDON).strftime("%Y-%m")


def group(row: dict[str, str]) -> str:
    """Group of 5 that the record states, `not stated`, or `` for blank."""
    label = row["Self-defined ethnicity"]
    if label.endswith("Not stated"):
        return "not stated"
    return GROUP_OF[label.split(" - ")[0]] if label else ""


def person_rows(rows: list[tuple[str, dict[str, str]]]) -> list[dict[str, str]]:
    return [row for _, row in rows if row["Type"] != "Vehicle search"]


def season(truth: dict, months: list[str]) -> float:
    """Years' worth of searching that the months hold."""
    return sum(truth["season"][int(month[5:]) - 1] for month in months) / 12


def worlds(truth: dict, group: str):
    """Every way that a search of a person of a group can turn out, with its probability.

    Yields (probability, found, outcome or "", linked flag or "").
    """
    without = truth["section_60"][group]
    blank = truth["blank"]["outcome"]
    for reason, found in product(truth["reasons"], (True, False)):
        share = reason["share"] * (without if "section 60" in reason["legislation"] else 1 - without)
        find = truth["find_rate"][group] * reason["find_factor"]
        for outcome, p_outcome in outcomes(truth, found).items():
            for recorded, p_recorded in ((outcome, 1 - blank), ("", blank)):
                positive = recorded not in ("", "A no further action disposal")
                p_blank = truth["linked_blank_positive" if positive else "linked_blank_no_action"]
                p = share * (find if found else 1 - find) * p_outcome * p_recorded
                yield p * p_blank, found, recorded, ""
                yield p * (1 - p_blank), found, recorded, str(found)


def outcomes(truth: dict, found: bool) -> dict[str, float]:
    none = truth["found_no_action"] if found else 1 - truth["other_outcome"]
    shares = truth["outcomes_found" if found else "outcomes_other"]
    return {"A no further action disposal": none} | {label: p * (1 - none) for label, p in shares.items()}


def naive_implied(truth: dict, group: str) -> dict[str, float]:
    """Find, outcome and linked-flag shares of a group, by adding up every way a search can turn out."""
    every = list(worlds(truth, group))

    def total(holds) -> float:
        return sum(p for p, *world in every if holds(*world))

    def positive(outcome: str) -> bool:
        return outcome not in ("", "A no further action disposal")

    known = total(lambda found, outcome, flag: outcome != "")
    yes = total(lambda found, outcome, flag: flag == "True" and positive(outcome))
    unknown = total(
        lambda found, outcome, flag: (flag == "" and positive(outcome)) or (outcome == "" and flag != "False")
    )
    return {
        "find": total(lambda found, outcome, flag: found),
        "positive_outcome": total(lambda found, outcome, flag: positive(outcome)) / known,
        "arrest": total(lambda found, outcome, flag: outcome == "Arrest") / known,
        "linked_positive": yes / (1 - unknown),
        "linked_positive_low": yes,
        "linked_positive_high": yes + unknown,
        "linked": total(lambda found, outcome, flag: flag == "True"),
    }
