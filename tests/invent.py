"""Small invented records for the tests of the engine, seeded or drawn by hypothesis."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from disprop.codelists import codelist, forces
from disprop.provenance import Account
from disprop.records import join_items
from disprop.tallies import Tally, area_axis, coded_axis

SELF = (
    "White - English/Welsh/Scottish/Northern Irish/British",
    "White - Irish",
    "Mixed/Multiple ethnic groups - White and Asian",
    "Asian/Asian British - Pakistani",
    "Asian/Asian British - Chinese",
    "Black/African/Caribbean/Black British - African",
    "Black/African/Caribbean/Black British - Caribbean",
    "Other ethnic group - Any other ethnic group",
    "Other ethnic group - Not stated",
    None,
    "Martian",
)
CHOICES = {
    "force": ("west-midlands", "kent", "btp"),
    "month": ("2019-04", "2019-05", "2019-06", "2019-07", "2019-08", "2019-09", "2019-10", "2019-11"),
    "search_type": ("Person search", "Person and Vehicle search", "Vehicle search"),
    "gender": ("Male", "Female", None),
    "age_band": ("10-17", "18-24", None),
    "ethnicity_self": SELF,
    "ethnicity_officer": ("White", "Black", "Asian", "Other", None),
    "object": ("Controlled drugs", "Stolen goods", None),
    "outcome": (
        "A no further action disposal",
        "Arrest",
        "Community resolution",
        "Nothing found - no further action",
        None,
    ),
    "linked": ("True", "False", None),
    "more_thorough": ("True", "False", None),
    "video_recorded": ("yes", "no", None),
}

rows = st.lists(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}), max_size=40)


def many(n: int, seed: int = 1, **fixed: object) -> list[dict]:
    """n rows drawn with a fixed seed; keyword arguments fix a column to one value or to other choices."""
    rng = random.Random(seed)
    choices = {name: fixed.get(name, values) for name, values in CHOICES.items()}
    choices = {name: values if isinstance(values, tuple) else (values,) for name, values in choices.items()}
    return [{name: rng.choice(values) for name, values in choices.items()} for _ in range(n)]


def residents(by_force: dict[str, dict[str, int]]) -> Tally:
    """A population by force and the 5 self-defined groups; a force given None has no residents."""
    force = coded_axis("force", "force", by_force)
    ethnicity = coded_axis("ethnicity_self", "ethnicity_5")
    import numpy as np

    counts = np.array([[(by_force[f] or {}).get(g, 0) for g in ethnicity.codes] for f in force.codes], dtype=np.int64)
    missing = np.array([[by_force[f] is None for _ in ethnicity.codes] for f in force.codes])
    account = Account(read=int(counts.sum()))
    return Tally(
        (force, ethnicity), counts, "residents", "residents", account=account, missing=missing, vintage="invented"
    )


PEOPLE = {
    "west-midlands": {"White": 1_793_173, "Mixed": 121_685, "Asian": 667_315, "Black": 236_047, "Other": 101_435},
    "kent": {"White": 1_500_000, "Mixed": 40_000, "Asian": 80_000, "Black": 50_000, "Other": 20_000},
    "btp": None,
}
POPULATION = residents(PEOPLE)

AREAS = {"west-midlands": ("E08000025", "E08000026", "E08000029"), "kent": ("E07000105", "E07000106"), "btp": ()}
"""Areas of each force, in the order in which they take residents; the first is the largest."""


def everywhere() -> Tally:
    """The same residents by force, area, age band and group: shares that differ between groups, in whole people."""
    import numpy as np

    force, ethnicity = POPULATION.axes
    area, age = area_axis(code for codes in AREAS.values() for code in codes), coded_axis("age_band", "age_band")
    counts = np.zeros((len(force), len(area), len(age), len(ethnicity)), dtype=np.int64)
    for f, codes in AREAS.items():
        for g, people in (PEOPLE[f] or {}).items():
            left, cells = people, [(a, b) for a in codes for b in age.groups]
            for i, (a, b) in enumerate(cells):
                n = left if i == len(cells) - 1 else left * (2 + len(g) % 4) // 20
                counts[force.index(f), area.index(a), age.index(b), ethnicity.index(g)] = n
                left -= n
    missing = np.zeros(counts.shape, dtype=bool)
    missing[force.index("btp")] = True
    account = Account(read=int(counts.sum()))
    return Tally(
        (force, area, age, ethnicity), counts, "residents", "residents", account=account, missing=missing,
        vintage="invented",
    )  # fmt: skip


EVERYWHERE = everywhere()


def with_places(rows: list[dict], seed: int = 1) -> list[dict]:
    """The rows, each in an area of its force, of another force, of none, or with no place."""
    rng = random.Random(seed)
    every = [code for codes in AREAS.values() for code in codes]
    return [{**row, "area": rng.choice([*AREAS[row["force"]] * 6, *every, "unmapped", None])} for row in rows]


LINKS = ("exact reference", "officer and time", "another officer", "no footage", "not linked", "not worn", "expired")
LINKS += ("ambiguous", None)


def with_video(rows: list[dict], seed: int = 1) -> list[dict]:
    """The rows, most linked to footage, some of them from the start."""
    rng = random.Random(seed)
    links = rng.choices(LINKS, weights=[30, 20, 5, 2, 3, 2, 2, 1, 1], k=len(rows))
    starts = [rng.choice(("yes", "no")) if link in LINKS[:3] else None for link in links]
    return [{**row, "video_link": link, "video_from_start": start} for row, link, start in zip(rows, links, starts)]


def with_force_used(rows: list[dict], seed: int = 1) -> list[dict]:
    """The rows, some joined to a force report, some that nothing could join."""
    rng = random.Random(seed)
    words = ("by reference", "by officer and time", "no report", "no report", "no report", None)
    return [{**row, "force_used": rng.choice(words)} for row in rows]


FORCE_ITEMS = (
    "Compliant handcuffing", "Handcuffing not stated", "Ground restraint", "CED drawn", "CED fired",
    "Tactical communication", "Not stated", "Bolas",
)  # fmt: skip


def force_reports(n: int, seed: int = 1) -> list[dict]:
    """n force reports of the forces and months of `many`, with several items each."""
    rng = random.Random(seed)

    def items(choices: tuple[str, ...], most: int) -> str | None:
        return join_items(rng.sample(choices, rng.randint(0, most)))

    return [
        {
            "force": rng.choice(CHOICES["force"]),
            "month": rng.choice(CHOICES["month"]),
            "gender": rng.choice(("Male", "Female", "Other", None)),
            "age_band": rng.choice(("11-17", "18-34", None)),
            "ethnicity_officer": rng.choice(CHOICES["ethnicity_officer"]),
            "tactics": items(FORCE_ITEMS, 4),
            "reasons": items(("Effect search", "Protect self", "Because"), 2),
            "officer_injury": rng.choice(("None", "Minor", "Severe", "Yes", None)),
            "person_injury": rng.choice(("None", "None", "Minor", "Death", None)),
        }
        for _ in range(n)
    ]


def with_possession(rows: list[dict], seed: int = 1, says: tuple = ("yes", "yes", "no", "yes", None)) -> list[dict]:
    """The rows, each search for drugs with what it says of possession alone; nothing on the others."""
    rng = random.Random(seed)
    said = [rng.choice(says) for _ in rows]
    return [
        {**row, "possession_only": word if row["object"] == "Controlled drugs" else None}
        for row, word in zip(rows, said)
    ]


assert set(PEOPLE) <= set(forces()) | set(codelist("force").codes)
