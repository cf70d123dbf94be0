"""What invented force reports say, with shares of the order that the Home Office published for 2019/20."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

TACTIC_FAMILIES: tuple[Mapping[str, float], ...] = (
    {"Compliant handcuffing": 0.401, "Non-compliant handcuffing": 0.233, "Handcuffing not stated": 0.079},
    {"Limb/body restraints": 0.062},
    {"Ground restraint": 0.143},
    {"Unarmed skills": 0.333},
    {"Baton drawn": 0.0074, "Baton used": 0.0036, "Baton not stated": 0.0013},
    {"Irritant spray drawn": 0.0143, "Irritant spray used": 0.0185, "Irritant spray not stated": 0.0042},
    {"Spit and bite guard": 0.0146},
    {"Shield": 0.0016},
    {
        "CED drawn": 0.0140, "CED aimed": 0.0062, "CED red-dot": 0.0331, "CED arced": 0.0008,
        "CED drive-stun": 0.0001, "CED fired": 0.0065, "CED not stated": 0.0045,
    },
    {"AEP drawn": 0.0012, "AEP used": 0.0001},
    {"Firearm aimed": 0.0097},
    {"Dog deployed": 0.0036, "Dog bite": 0.0010, "Dog not stated": 0.0004},
    {"Other/improvised": 0.056},
)  # fmt: skip
"""Tactics of which a report has at most one of each family: shares of the reports that have each."""

COMMUNICATION, COMMUNICATION_SHARE = "Tactical communication", 0.438
"""Recorded beside other tactics, and not force."""

FIRST_CHOICE = "Compliant handcuffing"
"""A report without any tactic drawn has this one."""

REASONS = {
    "Protect self": 0.68, "Protect public": 0.32, "Protect subject": 0.41, "Protect other officers": 0.58,
    "Prevent offence": 0.33, "Secure evidence": 0.18, "Effect arrest": 0.51, "Method of entry": 0.009,
    "Remove handcuffs": 0.05, "Prevent harm": 0.36, "Prevent escape": 0.45, "Other": 0.07, "Effect search": 0.03,
}  # fmt: skip
EFFECT_SEARCH, EFFECT_SEARCH_SHARE = "Effect search", 0.85
"""Share of the reports of a search that give effecting it as a reason; of other reports, see `REASONS`."""

IMPACT_FACTORS = {
    "Possession of a weapon": 0.159, "Alcohol": 0.366, "Drugs": 0.304, "Mental health": 0.215,
    "Prior knowledge": 0.221, "Size/gender/build": 0.295, "Acute behavioural disturbance": 0.029,
    "Crowd": 0.099, "Other": 0.172,
}  # fmt: skip

OUTCOMES = {
    "Arrested": 0.755, "Made off or escaped": 0.007, "Detained under the Mental Health Act": 0.038, "Other": 0.200,
}  # fmt: skip
HOSPITALISED, HOSPITALISED_SHARE = "Hospitalised", 0.036

HEALTH = {"Mental": 0.136, "Physical": 0.007, "Physical and mental": 0.004, "None": 0.806}
INJURY = {"None": 0.93, "Minor": 0.067, "Severe": 0.003}
"""Shares of one choice; what they leave is blank."""

AGE_BANDS = ("Under 11", "11-17", "18-34", "35-49", "50-64", "65 and over")
AGE_FROM_SEARCH = {"under 10": 0, "10-17": 1, "18-24": 2, "25-34": 2}
OVER_34 = (0.70, 0.25, 0.05)
"""Shares of the three oldest bands among people who are over 34."""

TACTICS = tuple(name for family in TACTIC_FAMILIES for name in family) + (COMMUNICATION,)
REASON_NAMES, FACTOR_NAMES = tuple(REASONS), tuple(IMPACT_FACTORS)
OUTCOME_NAMES = (*OUTCOMES, HOSPITALISED)


def bits(names: tuple[str, ...], *chosen: str) -> int:
    """A set of names as one whole number: bit i is the i-th name."""
    return sum(1 << names.index(name) for name in chosen)


def joined(names: tuple[str, ...], sets: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Sets as labels, items in order and joined as a column of items holds them: indices and labels; -1 for none.

    >>> joined(("Shield", "Baton used"), np.array([3, 0, 1]))
    (array([ 1, -1,  0]), ['Shield', 'Baton used | Shield'])
    """
    distinct, at = np.unique(sets, return_inverse=True)
    labels = [" | ".join(sorted(name for i, name in enumerate(names) if one >> i & 1)) for one in distinct.tolist()]
    blank = int(bool(labels) and not labels[0])
    return at - blank, labels[blank:]


def draw_tactics(rng: np.random.Generator, n: int) -> np.ndarray:
    """The tactics of `n` reports, as sets over `TACTICS`: at least one that is force, several for most."""
    sets, first = np.zeros(n, dtype=np.int64), 0
    for family in TACTIC_FAMILIES:
        sets |= one_of(rng, _as_drawn(family), n, first)
        first += len(family)
    sets[sets == 0] = bits(TACTICS, FIRST_CHOICE)
    return sets | np.where(rng.random(n) < COMMUNICATION_SHARE, bits(TACTICS, COMMUNICATION), 0)


def _as_drawn(family: Mapping[str, float]) -> list[float]:
    """Chances of a family, less for the first choice by what it gains from reports without any tactic drawn."""
    if FIRST_CHOICE not in family:
        return list(family.values())
    none_of_the_rest = float(np.prod([1 - sum(f.values()) for f in TACTIC_FAMILIES if FIRST_CHOICE not in f]))
    others = sum(share for name, share in family.items() if name != FIRST_CHOICE)
    alone = (family[FIRST_CHOICE] - (1 - others) * none_of_the_rest) / (1 - none_of_the_rest)
    return [alone if name == FIRST_CHOICE else share for name, share in family.items()]


def one_of(rng: np.random.Generator, shares: list[float], n: int, first: int = 0) -> np.ndarray:
    """One choice or none, as a set: bit `first` is the first choice."""
    choice = np.searchsorted(np.cumsum(shares), rng.random(n), side="right")
    return np.where(choice < len(shares), np.int64(1) << np.minimum(first + choice, 62), 0)


def some_of(rng: np.random.Generator, shares: Mapping[str, float], n: int) -> np.ndarray:
    """Any number of choices, each by itself, as a set."""
    sets = np.zeros(n, dtype=np.int64)
    for i, share in enumerate(shares.values()):
        sets |= np.where(rng.random(n) < share, np.int64(1) << i, 0)
    return sets


def draw_reasons(rng: np.random.Generator, of_search: np.ndarray) -> np.ndarray:
    """Reasons of reports, as sets over `REASON_NAMES`; effecting the search for most reports of a search."""
    n = len(of_search)
    sets = some_of(rng, REASONS, n)
    effect = bits(REASON_NAMES, EFFECT_SEARCH)
    sets = np.where(of_search, (sets & ~effect) | np.where(rng.random(n) < EFFECT_SEARCH_SHARE, effect, 0), sets)
    return np.where(sets == 0, bits(REASON_NAMES, "Protect self"), sets)


def draw_outcomes(rng: np.random.Generator, of_search: np.ndarray, arrested: np.ndarray) -> np.ndarray:
    """Outcomes of reports, as sets over `OUTCOME_NAMES`; those of a search follow from whether it ended in arrest."""
    n = len(of_search)
    arrest, other = bits(OUTCOME_NAMES, "Arrested"), bits(OUTCOME_NAMES, "Other")
    sets = np.where(of_search, np.where(arrested, arrest, other), one_of(rng, list(OUTCOMES.values()), n))
    return sets | np.where(rng.random(n) < HOSPITALISED_SHARE, bits(OUTCOME_NAMES, HOSPITALISED), 0)


def one_label(rng: np.random.Generator, shares: Mapping[str, float], n: int) -> np.ndarray:
    """The position of one choice; -1 for blank, which has what the shares leave."""
    choice = np.searchsorted(np.cumsum(list(shares.values())), rng.random(n), side="right")
    return np.where(choice < len(shares), choice, -1)


def force_ages(rng: np.random.Generator, labels: tuple[str, ...], choices: np.ndarray) -> np.ndarray:
    """Position in `AGE_BANDS` for age bands of searches; -1 for blank."""
    over = np.searchsorted(np.cumsum(OVER_34[:-1]), rng.random(len(choices)), side="right") + AGE_BANDS.index("35-49")
    lookup = np.array([*(AGE_FROM_SEARCH.get(label, -2) for label in labels), -1])
    return np.where(lookup[choices] == -2, over, lookup[choices])
