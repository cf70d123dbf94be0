"""Drawing invented records: arrays in, arrays out; everything follows from the truth and the seed.

Each record has a *kind*: the position of its true ethnic group, or one more for a vehicle-only search. Every other
column is drawn from a table of choices, given the kind or given a column drawn before. A table has 65,536 entries a
row, so that one random 16-bit number picks a choice: probabilities are held to 1 part in 65,536.

Random numbers are NumPy's Philox, seeded by (seed, force, month): a month's records are the same whichever other
months and forces are made, and the same on every run with the same version of NumPy.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from disprop.errors import UsageError
from disprop.months import london_seconds
from disprop.synthetic.truth import DRUGS, NO_ACTION, NOT_STATED_LABEL, Truth

ENTRIES = 1 << 16
N_PLACES = 600
DAY = 86_400

GIVEN_KIND = (
    "search_type", "operation", "gender", "age_band", "ethnicity_self", "ethnicity_officer", "video_recorded", "place",
)  # fmt: skip
"""Columns that depend on the kind alone."""

TYPES = ("Person search", "Person and Vehicle search", "Vehicle search")
FLAG = ("False", "True")
VIDEO = ("no", "yes")
POSSESSION = VIDEO


def stream(*key: int | str) -> np.random.Generator:
    """The random numbers that belong to a key."""
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def choice_table(column: str, shares: Sequence[Sequence[float]]) -> np.ndarray:
    """Table to choose from: `table[row, number]` is the choice that a 16-bit random number stands for.

    Raises UsageError when a row of shares is not made of probabilities that add to 1.
    """
    rows = np.asarray(shares, dtype=np.float64)
    if (rows < 0).any() or (np.abs(rows.sum(axis=1) - 1) > 1e-9).any():
        raise UsageError(f"the shares of {column} are not probabilities that add to 1: {rows.round(4).tolist()}")
    edges = np.rint(rows.cumsum(axis=1) * ENTRIES).astype(np.int64)
    choices = np.arange(rows.shape[1], dtype=np.uint8 if rows.shape[1] <= 256 else np.uint16)
    return np.stack([np.repeat(choices, n) for n in np.diff(edges, prepend=0, axis=1)])


def choose(rng: np.random.Generator, table: np.ndarray, given: np.ndarray) -> np.ndarray:
    """One choice a record, from the row of the table that its `given` names."""
    return table[given, rng.integers(0, ENTRIES, len(given), dtype=np.uint16)]


@dataclass(frozen=True)
class Chances:
    """A truth made ready for drawing: the labels of each column, and its table of choices.

    The choice after the last label means blank.
    """

    labels: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, np.ndarray]
    positive: np.ndarray
    """Whether each choice of `outcome` is a positive outcome."""


def chances(truth: Truth) -> Chances:
    """The tables of a truth; raises UsageError for shares that do not add to 1."""
    outcomes = (NO_ACTION, *truth.outcomes_found)
    labels = {
        "search_type": TYPES,
        "operation": FLAG,
        "gender": tuple(truth.gender),
        "age_band": tuple(truth.age_band),
        "ethnicity_self": (*_self_defined_labels(truth), NOT_STATED_LABEL),
        "ethnicity_officer": truth.groups,
        "video_recorded": VIDEO,
        "object": tuple(dict.fromkeys(reason.object for reason in truth.reasons)),
        "legislation": tuple(dict.fromkeys(reason.legislation for reason in truth.reasons)),
        "outcome": outcomes,
        "linked": FLAG,
        "more_thorough": FLAG,
    }
    shares = _given_kind(truth, labels) | _given_reason(truth, labels) | _given_found(truth, outcomes)
    shares |= {"hour": [list(truth.hour)], "minute": [_MINUTE]}
    shares["possession_only"] = [[0.0, 0.0, 1.0], _flag(truth.possession_only, truth.blank["possession_only"])]
    tables = {column: choice_table(column, rows) for column, rows in shares.items()}
    return Chances(labels, tables, np.array([False, *(True for _ in truth.outcomes_found), False]))


def describe(rng: np.random.Generator, chances: Chances, kind: np.ndarray) -> dict[str, np.ndarray]:
    """The choice of every column for records of these kinds."""
    columns = {name: choose(rng, chances.tables[name], kind) for name in GIVEN_KIND}
    n_reasons, n_ages = len(chances.tables["object"]), len(chances.labels["age_band"]) + 1
    reason = choose(rng, chances.tables["reason"], kind)
    wide = kind.astype(np.uint16)
    found = choose(rng, chances.tables["found"], wide * n_reasons + reason)
    outcome = choose(rng, chances.tables["outcome"], found)
    columns["object"] = choose(rng, chances.tables["object"], reason)
    columns["legislation"] = choose(rng, chances.tables["legislation"], reason)
    columns["outcome"] = outcome
    columns["linked"] = choose(rng, chances.tables["linked"], found * 2 + chances.positive[outcome])
    columns["more_thorough"] = choose(rng, chances.tables["more_thorough"], wide * n_ages + columns["age_band"])
    return columns


def possession(rng: np.random.Generator, chances: Chances, objects: np.ndarray) -> np.ndarray:
    """Whether each search for controlled drugs was for possession alone; blank where something else, or nothing, is
    recorded as searched for."""
    drugs = objects == chances.labels["object"].index(DRUGS)
    return choose(rng, chances.tables["possession_only"], drugs.astype(np.uint8))


def expected_searches(truth: Truth, month: int) -> np.ndarray:
    """Expected number of searches of each kind in a month (months since January 1970)."""
    people = [truth.group_residents(g) * truth.rate[g] / 1000 / 12 * truth.season[month % 12] for g in truth.groups]
    return np.array([*people, sum(people) * truth.vehicle_only / (1 - truth.vehicle_only)])


def month_kinds(rng: np.random.Generator, truth: Truth, month: int) -> np.ndarray:
    """The kind of each record of a month: over-dispersed for people, Poisson for vehicle-only searches."""
    expected = expected_searches(truth, month)
    if truth.month_dispersion:
        expected[:-1] *= rng.gamma(1 / truth.month_dispersion, truth.month_dispersion, len(truth.groups))
    return np.repeat(np.arange(len(expected), dtype=np.uint8), rng.poisson(expected))


def instants(rng: np.random.Generator, chances: Chances, month: np.ndarray) -> np.ndarray:
    """An instant (UTC seconds, on the minute) in each record's month by UK local time.

    Hours follow the truth; people round minutes, so the hour, the half-hour and the five minutes are heaped.
    """
    first, after = _first_day(month), _first_day(month + 1)
    day = first + (rng.random(len(month)) * (after - first)).astype(np.int64)
    one = np.zeros(len(month), dtype=np.uint8)
    hour, minute = (choose(rng, chances.tables[name], one).astype(np.int64) for name in ("hour", "minute"))
    local = day * DAY + hour * 3600 + minute * 60
    return local - (london_seconds(local) - local)


def _first_day(month: np.ndarray) -> np.ndarray:
    """Days from January 1970 to the first of each month."""
    return month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def places(force: str) -> np.ndarray:
    """Latitude and longitude of a force's anonymised places, shape (N_PLACES, 2): open sea, east of Yorkshire."""
    rng = stream("places", force)
    latitude, longitude = rng.uniform((54.4, 1.0), (55.2, 1.5))
    distance, angle = 0.15 * np.sqrt(rng.random(N_PLACES)), 2 * np.pi * rng.random(N_PLACES)
    return np.stack([latitude + distance * np.sin(angle), longitude + 1.7 * distance * np.cos(angle)], axis=1).round(6)


def _heaped(minute: int) -> float:
    return 4.0 if minute % 30 == 0 else 3.0 if minute % 10 == 0 else 2.0 if minute % 5 == 0 else 1.0


_MINUTE = [_heaped(m) / sum(map(_heaped, range(60))) for m in range(60)]


def _self_defined_labels(truth: Truth) -> list[str]:
    return [label for group in truth.groups for label in truth.self_defined_shares(group)]


def _row(labels: Sequence[str], shares: Mapping[str, float], blank: float) -> list[float]:
    """Shares of the labels and, last, of blank."""
    return [shares.get(label, 0.0) * (1 - blank) for label in labels] + [blank]


def _flag(yes: float, blank: float) -> list[float]:
    return [(1 - yes) * (1 - blank), yes * (1 - blank), blank]


def _given_kind(truth: Truth, labels: Mapping[str, tuple[str, ...]]) -> dict[str, list[list[float]]]:
    """Shares a kind; those of a vehicle-only search are the reference group's, mostly blank where it is of people."""
    blank, reference = truth.blank, truth.groups[0]
    kinds = (*truth.groups, reference)
    some = 1 - truth.vehicle_only_with_person
    people = [1 - truth.with_vehicle, truth.with_vehicle, 0.0, 0.0]
    stated = {
        g: {label: p * (1 - truth.not_stated[g]) for label, p in truth.self_defined_shares(g).items()}
        | {NOT_STATED_LABEL: truth.not_stated[g]}
        for g in truth.groups
    }

    def of_person(column: str, shares: Mapping[str, Mapping[str, float]]) -> list[list[float]]:
        rows = [_row(labels[column], shares[g], blank[column]) for g in truth.groups]
        return [*rows, _row(labels[column], shares[reference], some)]

    ages = len(labels["age_band"]) + 1
    factors = [*(truth.more_thorough_age[age] for age in labels["age_band"]), 1.0]
    return {
        "search_type": [*(people for _ in truth.groups), [0.0, 0.0, 1.0, 0.0]],
        "operation": [_flag(truth.operation, blank["operation"]) for _ in kinds],
        "gender": of_person("gender", dict.fromkeys(truth.groups, truth.gender)),
        "age_band": of_person("age_band", dict.fromkeys(truth.groups, truth.age_band)),
        "ethnicity_self": of_person("ethnicity_self", stated),
        "ethnicity_officer": of_person("ethnicity_officer", truth.perceived),
        "video_recorded": [_flag(truth.on_video[g], blank["video_recorded"]) for g in kinds],
        "place": [[*_place_shares(1 - blank["place"]), blank["place"]] for _ in kinds],
        "reason": [list(truth.reason_shares(g)) for g in kinds],
        "found": [_yes_no(truth.find_rate[g] * reason.find_factor) for g in kinds for reason in truth.reasons],
        "more_thorough": [
            _flag(truth.more_thorough[g] * factor, blank["more_thorough"]) for g in truth.groups for factor in factors
        ]
        + [_flag(0.0, blank["more_thorough"])] * ages,
    }


def _given_reason(truth: Truth, labels: Mapping[str, tuple[str, ...]]) -> dict[str, list[list[float]]]:
    return {
        column: [_row(labels[column], {getattr(r, column): 1.0}, truth.blank[column]) for r in truth.reasons]
        for column in ("object", "legislation")
    }


def _given_found(truth: Truth, outcomes: Sequence[str]) -> dict[str, list[list[float]]]:
    """Outcome given whether the item was found; linked flag given that and whether the outcome is positive."""
    other, found = 1 - truth.other_outcome, truth.found_no_action
    after = [
        {NO_ACTION: other} | {label: p * (1 - other) for label, p in truth.outcomes_other.items()},
        {NO_ACTION: found} | {label: p * (1 - found) for label, p in truth.outcomes_found.items()},
    ]
    flag_blank = (truth.linked_blank_no_action, truth.linked_blank_positive)
    return {
        "outcome": [_row(outcomes, shares, truth.blank["outcome"]) for shares in after],
        "linked": [_flag(float(was_found), blank) for was_found in (False, True) for blank in flag_blank],
    }


def _yes_no(probability: float) -> list[float]:
    return [1 - probability, probability]


def _place_shares(total: float) -> list[float]:
    """A few places see many searches, most see few."""
    weights = 1 / np.arange(20, N_PLACES + 20)
    return list(total * weights / weights.sum())
