"""Residents by force, group and age, the slow way: plain Python over the tables in data/census, nothing from disprop.

The rule. Published cells of a group are summed over the areas of a force (*held*). What TS021 has beyond that (the
remainder, never below 0) is spread over the ages in proportion to the group's shape in England and Wales less what
the held residents already supply of it, never below 0. A group of which under 80% comes from published cells has no
denominator. Whole residents: largest remainders first, ties to the younger.

Two pairs of areas are published as one. Cornwall + Isles of Scilly lie in one force: they are used as they are. City
of London + Westminster do not: Westminster gets the pair's shape times its own TS021 total, the City of London nothing.
"""

import csv
from collections import Counter
from fractions import Fraction
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "data" / "census"
NATION = "K04000001"
SCILLY, LONDON = "E06000052+E06000053", "E09000001+E09000033"
WESTMINSTER = "E09000033"

GROUPS = {
    "White": ["White British", "White Irish", "Gypsy or Irish Traveller", "Roma", "Other White"],
    "Mixed": ["White and Black Caribbean", "White and Black African", "White and Asian", "Other Mixed"],
    "Asian": ["Indian", "Pakistani", "Bangladeshi", "Chinese", "Other Asian"],
    "Black": ["African", "Caribbean", "Other Black"],
    "Other": ["Arab", "Any other"],
}
GROUP = {detail: group for group, details in GROUPS.items() for detail in details}


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def share_out(total: int, weights: dict[str, Fraction]) -> dict[str, int]:
    exact = {key: total * weight / sum(weights.values()) for key, weight in weights.items()}
    whole = {key: int(value) for key, value in exact.items()}
    by_rest = sorted(exact, key=lambda key: exact[key] - whole[key], reverse=True)
    for key in by_rest[: total - sum(whole.values())]:
        whole[key] += 1
    return whole


def fill(total: int, held: dict[str, int], nation: dict[str, int]) -> dict[str, int]:
    """The counts of one force and group after the remainder is spread."""
    remainder = max(0, total - sum(held.values()))
    if remainder == 0:
        return dict(held)
    size = sum(nation.values())
    wanted = {age: max(Fraction(0), Fraction(nation[age], size) - Fraction(held[age], total)) for age in nation}
    spread = share_out(remainder, wanted)
    return {age: held[age] + spread[age] for age in nation}


def totals(area_or_force: str) -> Counter:
    """TS021 residents by (area or force, group)."""
    found: Counter = Counter()
    for row in rows(f"residents_{area_or_force}_ethnicity"):
        found[row[area_or_force], GROUP[row["ethnicity_19"]]] += int(row["residents"])
    return found


def published(split: str) -> tuple[Counter, list[str]]:
    """Published residents by (area, group, age or sex), and the ages or sexes in order."""
    found: Counter = Counter()
    order: dict[str, None] = {}
    for row in rows(f"residents_area_{split}_ethnicity"):
        found[row["area"], GROUP[row["ethnicity_19"]], row[split]] += int(row["residents"])
        order[row[split]] = None
    return found, list(order)


def filled(split: str) -> tuple[dict, dict]:
    """(force, group) -> {age: residents}, and (force, group) -> share of the residents in published cells."""
    cells, order = published(split)
    force_of = {row["area"]: row["force"] for row in rows("area_to_force")}
    by_force, by_area = totals("force"), totals("area")
    held: Counter = Counter()
    for group in GROUPS:
        pair = {key: Fraction(cells[LONDON, group, key]) for key in order}
        for key, n in share_out(by_area[WESTMINSTER, group], pair).items():
            held["metropolitan", group, key] += n
        for key in order:
            held["devon-and-cornwall", group, key] += cells[SCILLY, group, key]
    for (area, group, key), n in cells.items():
        if area in force_of:
            held[force_of[area], group, key] += n
    counts, share = {}, {}
    for force, group in by_force:
        mine = {key: held[force, group, key] for key in order}
        nation = {key: cells[NATION, group, key] for key in order}
        counts[force, group] = fill(by_force[force, group], mine, nation)
        share[force, group] = sum(mine.values()) / by_force[force, group]
    return counts, share
