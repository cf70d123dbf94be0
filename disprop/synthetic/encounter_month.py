"""One month of one invented force: encounters, and the searches, force reports, arrests and clips that came of them.

Plain arrays throughout, one dictionary a table. Officers, persons and encounters are whole numbers here; -1 is none.
Everything follows from (seed, force, month), so that months can be made apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from disprop.months import london_month
from disprop.records import VEHICLE_ONLY
from disprop.synthetic import force_forms as forms
from disprop.synthetic.draw import Chances, choose, expected_searches, instants, stream
from disprop.synthetic.footage import (
    NOBODY,
    NOT_RECORDED,
    NOT_WORN,
    RECORDED,
    Columns,
    Encounters,
    file_away,
    left,
    record,
    spaced,
)
from disprop.synthetic.known_people import ANYONE, OF_A_PERSON, KnownPeople, as_themselves
from disprop.synthetic.noise import Noise
from disprop.synthetic.records import month_choices
from disprop.synthetic.truth import Truth

TOGETHER = 0.05
"""Share of searches made at the same encounter as the search before."""
BETWEEN = 240
"""Seconds from one search of an encounter to the next."""
FORCE_AT_SEARCH = 0.18
"""Share of encounters with a person searched in which force was used."""
FORCE_ELSEWHERE = 0.22
"""Encounters with force and without a search, for each encounter with one."""
ARRESTS_ELSEWHERE = 0.30
"""Arrests without a search or force, for each encounter with a search."""
SECOND_REPORT = 0.5
"""Share of encounters with force and two officers in which the second used force too, and reports it."""
POSSESSION = 0.85
"""Share of searches for drugs that are for possession alone."""
SEARCHES_A_CREW = 80
"""Searches a year for each crew of two officers."""
UNITS = ("East", "North", "South", "West")
FIRST_MONTH = 552
"""2016-01: numbers of encounters and persons are counted from here."""
ROOM = 100_000
"""Numbers set aside for the encounters of a month; the upper half is nobody's."""
FLAG = ("no", "yes")

FOOTAGE, GONE, WAITING, NEVER_WORN, NEVER_RECORDED = range(5)
WHY = ("footage", "expired", "not uploaded", "not worn", "no footage")
"""What is true of the footage of a record on the day of the extract."""


@dataclass(frozen=True)
class Month:
    """Tables of one month as arrays: `search`, `force_report`, `custody`, `footage`.

    Every table has `encounter_at` (position of its encounter), `number` (its reference) and `event_time` as recorded;
    records have `true_time` and `why` (position in `WHY`) too.
    """

    tables: Mapping[str, Columns]


def make_month(
    truth: Truth, ready: Chances, known: KnownPeople, month: int, *, seed: int, noise: Noise, as_of: int | None
) -> Month:
    """The encounters of one force and month, and all their records."""
    drawn, times = month_choices(truth, ready, month, seed=seed)
    rng = stream(seed, truth.force, month, "encounters")
    searches = _searches(rng, known, ready, drawn, month)
    met, elsewhere = _encounters(rng, truth, ready, known, searches, times, month, noise)
    clips = file_away(rng, met, record(rng, met, noise), noise)
    clips |= left(rng, clips, noise, as_of)
    tables = {
        "search": _search_table(rng, ready, met, searches),
        "force_report": _force_table(rng, ready, met, searches, elsewhere),
    }
    for table in tables.values():
        table |= _as_recorded(rng, truth, met, table, noise) | {"why": _why(met, clips)[table["encounter_at"]]}
    tables["custody"] = _custody_table(rng, ready, met, searches, elsewhere, tables["force_report"])
    tables["footage"] = clips | {"encounter_at": clips["encounter"], "event_time": clips["said_start"]}
    tables["footage"]["media"] = _media(met, clips["encounter"])
    return Month({name: _in_time_order(table, met) for name, table in tables.items()})


# Who, when and where -------------------------------------------------------------------------------------------------


def _person_numbers(month: int) -> int:
    """The first number of people met for the first time in a month."""
    return ANYONE + (month - FIRST_MONTH) * ROOM


def _searches(rng: np.random.Generator, known: KnownPeople, ready: Chances, drawn: Columns, month: int) -> Columns:
    """The searches as drawn, with their person and the encounter that each is part of."""
    n = len(drawn["kind"])
    person = known.draw(rng, drawn["kind"], _person_numbers(month))
    person[drawn["search_type"] == ready.labels["search_type"].index(VEHICLE_ONLY)] = NOBODY
    alone = rng.random(n) >= TOGETHER
    alone[:1] = True
    at = np.cumsum(alone) - 1
    nth = np.arange(n) - np.flatnonzero(alone)[at]
    return as_themselves(known, ready, drawn, person) | {"person": person, "encounter_at": at, "nth": nth}


def _encounters(
    rng: np.random.Generator, truth: Truth, ready: Chances, known: KnownPeople, searches: Columns, times: np.ndarray,
    month: int, noise: Noise,
) -> tuple[Encounters, Columns]:  # fmt: skip
    """All encounters (with a search, with force alone, with an arrest alone, with footage alone: in this order), and
    the people of the second and third."""
    with_search = int((searches["nth"] == 0).sum())
    force, arrests, footage = (
        int(rng.poisson(share * with_search)) for share in (FORCE_ELSEWHERE, ARRESTS_ELSEWHERE, noise.other_footage)
    )
    n = with_search + force + arrests + footage
    begins = instants(rng, ready, np.full(n - with_search, month, dtype=np.int32))
    start = np.concatenate([times[searches["nth"] == 0], begins])
    several = np.bincount(searches["encounter_at"], minlength=n).clip(1) - 1
    minutes = np.rint(np.exp(rng.normal(np.log(9), 0.5, n))).clip(4).astype(np.int64)
    seconds = 60 * minutes + BETWEEN * several
    crew, swap = _crews(rng, truth, n, noise), rng.integers(0, 2, n)
    met = Encounters(
        number=(month - FIRST_MONTH) * ROOM + np.arange(n),
        start=spaced(start, seconds, crew, noise.gap),
        seconds=seconds,
        officer=2 * crew + swap,
        second=np.where(rng.random(n) < noise.double_crewed, 2 * crew + 1 - swap, NOBODY),
        filmed=np.where(np.arange(n) < n - footage, _filmed(rng, n, noise), RECORDED),
        on_record=np.arange(n) < with_search + force,
    )
    elsewhere = _people(rng, truth, ready, known, force + arrests, month, len(times))
    at = with_search + np.arange(force + arrests)
    return met, elsewhere | {"encounter_at": at, "with_force": at < with_search + force}


def _crews(rng: np.random.Generator, truth: Truth, n: int, noise: Noise) -> np.ndarray:
    """The crew of each encounter: any, or one of the busiest."""
    crews = max(2, round(sum(expected_searches(truth, month).sum() for month in range(12)) / SEARCHES_A_CREW))
    busiest = rng.integers(0, max(1, crews // 100), n)
    return np.where(rng.random(n) < noise.busy, busiest, rng.integers(0, crews, n))


def _filmed(rng: np.random.Generator, n: int, noise: Noise) -> np.ndarray:
    chance = rng.random(n)
    none = noise.not_worn + noise.not_recorded
    return np.select([chance < noise.not_worn, chance < none], [NOT_WORN, NOT_RECORDED], RECORDED)


def _people(
    rng: np.random.Generator, truth: Truth, ready: Chances, known: KnownPeople, n: int, month: int, taken: int
) -> Columns:
    """People met elsewhere than at a search, of the same groups; `taken` numbers are in use."""
    each = expected_searches(truth, month)[:-1]
    kind = rng.choice(len(each), n, p=each / each.sum()).astype(np.uint8)
    person = known.draw(rng, kind, _person_numbers(month) + taken)
    drawn = {name: choose(rng, ready.tables[name], kind) for name in OF_A_PERSON}
    return as_themselves(known, ready, drawn, person) | {"kind": kind, "person": person}


# What was written down -----------------------------------------------------------------------------------------------


def _search_table(rng: np.random.Generator, ready: Chances, met: Encounters, searches: Columns) -> Columns:
    at = searches["encounter_at"]
    drugs = searches["object"] == ready.labels["object"].index("Controlled drugs")
    possession = np.where(drugs, rng.random(len(at)) < POSSESSION, -1)
    return searches | {
        "officer": met.officer[at],
        "other_officer": met.second[at],
        "possession_only": possession,
        "true_time": met.start[at] + BETWEEN * searches["nth"],
    }


def _force_table(
    rng: np.random.Generator, ready: Chances, met: Encounters, searches: Columns, elsewhere: Columns
) -> Columns:
    """Force reports: one an officer who used force, at some searches and at encounters of their own."""
    forced = (searches["nth"] == 0) & (searches["person"] >= 0) & (rng.random(len(searches["nth"])) < FORCE_AT_SEARCH)
    arrest = ready.labels["outcome"].index("Arrest")
    both = {
        name: np.concatenate([searches[name][forced], elsewhere[name][elsewhere["with_force"]]])
        for name in ("encounter_at", "kind", "person", *OF_A_PERSON)
    }
    both["of_search"] = np.arange(len(both["kind"])) < forced.sum()
    both["arrested"] = np.append(
        searches["outcome"][forced] == arrest, np.zeros(len(both["kind"]) - forced.sum(), bool)
    )
    at = both["encounter_at"]
    too = (met.second[at] >= 0) & (rng.random(len(at)) < SECOND_REPORT)
    table = {name: np.concatenate([values, values[too]]) for name, values in both.items()}
    officers = met.officer[at], met.second[at]
    table["officer"], table["other_officer"] = (
        np.concatenate([one, other[too]]) for one, other in (officers, officers[::-1])
    )
    return (
        table
        | _force_answers(rng, ready, table)
        | {"true_time": met.start[table["encounter_at"]] + 60 * rng.integers(0, 4, len(table["kind"]))}
    )


def _force_answers(rng: np.random.Generator, ready: Chances, table: Columns) -> Columns:
    n, of_search = len(table["kind"]), table["of_search"]
    return {
        "tactics": forms.draw_tactics(rng, n),
        "reasons": forms.draw_reasons(rng, of_search),
        "impact_factors": forms.some_of(rng, forms.IMPACT_FACTORS, n),
        "outcomes": forms.draw_outcomes(rng, of_search, table["arrested"]),
        "health": forms.one_label(rng, forms.HEALTH, n),
        "officer_injury": forms.one_label(rng, forms.INJURY, n),
        "person_injury": forms.one_label(rng, forms.INJURY, n),
        "age_band": forms.force_ages(rng, ready.labels["age_band"], table["age_band"]),
        "ethnicity_officer": choose(rng, ready.tables["ethnicity_officer"], table["kind"]),
    }


def _custody_table(
    rng: np.random.Generator, ready: Chances, met: Encounters, searches: Columns, elsewhere: Columns, force: Columns
) -> Columns:
    """Arrests: after searches and uses of force that ended in one, and others."""
    arrest = forms.bits(forms.OUTCOME_NAMES, "Arrested")
    by_force = force["encounter_at"][(force["outcomes"] & arrest > 0) & ~force["of_search"]]
    arrested = ~elsewhere["with_force"] | np.isin(elsewhere["encounter_at"], by_force)
    of_search = (searches["outcome"] == ready.labels["outcome"].index("Arrest")) & (searches["person"] >= 0)
    table = {
        name: np.concatenate([searches[name][of_search], elsewhere[name][arrested]])
        for name in ("encounter_at", "kind", "person", *OF_A_PERSON)
    }
    at = table["encounter_at"]
    return table | {
        "officer": met.officer[at],
        "other_officer": met.second[at],
        "ethnicity_officer": choose(rng, ready.tables["ethnicity_officer"], table["kind"]),
        "event_time": met.start[at] + met.seconds[at] + 60 * rng.integers(0, 20, len(at)),
    }


def _as_recorded(
    rng: np.random.Generator, truth: Truth, met: Encounters, table: Columns, noise: Noise
) -> dict[str, np.ndarray]:
    """The time on the form (whole minutes), and the tick-box for video (position in FLAG, -1 blank)."""
    n = len(table["true_time"])
    minutes = np.rint(np.exp(rng.normal(np.log(max(noise.late_median, 60)), noise.late_spread, n)) / 60).clip(1)
    delay = np.where(rng.random(n) < noise.late, 60 * minutes.astype(np.int64), 0)
    filmed = met.filmed[table["encounter_at"]] == RECORDED
    said = filmed ^ (rng.random(n) < noise.tick_wrong)
    blank = rng.random(n) < truth.blank["video_recorded"]
    return {"event_time": table["true_time"] + delay, "video_recorded": np.where(blank, -1, said)}


def _why(met: Encounters, clips: Columns) -> np.ndarray:
    """What is true of the footage of each encounter (position in WHY)."""

    def some(which: np.ndarray) -> np.ndarray:
        return np.bincount(clips["encounter"][which], minlength=len(met.start)) > 0

    kept = some(clips["listed"] & (clips["deleted"] == 0))
    gone, worn = some(clips["deleted"] > 0), met.filmed != NOT_WORN
    filmed = met.filmed == RECORDED
    return np.select([kept, gone, filmed, worn], [FOOTAGE, GONE, WAITING, NEVER_RECORDED], NEVER_WORN)


def _media(met: Encounters, encounter: np.ndarray) -> np.ndarray:
    """A number a clip: that of its encounter, and which of its clips it is; `encounter` ascends."""
    nth = np.arange(len(encounter)) - np.searchsorted(encounter, encounter)
    return met.number[encounter] * 10 + nth


def _in_time_order(table: Columns, met: Encounters) -> Columns:
    """The table in order of the time recorded, with the number, the analysis month and the unit of its rows."""
    order = np.argsort(table["event_time"], kind="stable")
    table = {name: values[order] for name, values in table.items()}
    at = table["encounter_at"]
    return table | {
        "number": met.number[at],
        "month": london_month(table["event_time"]).astype(np.int32),
        "command_unit": met.officer[at] // 2 % len(UNITS),
    }
