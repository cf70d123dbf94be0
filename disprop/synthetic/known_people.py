"""People whom officers meet again and again: how many of them there are follows from the share of searches on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from disprop.errors import UsageError
from disprop.synthetic.draw import Chances, choose, expected_searches, stream
from disprop.synthetic.truth import NOT_STATED_LABEL, Truth

REPEAT_SHARE = 1_792 / 24_867
"""Share of a year's searches that were on people searched more than once, as one force published it."""

SEARCHES_A_YEAR = 2.0
"""Mean searches a year of a known person; each has a rate of their own, exponential about it."""

CAUGHT = 1 - (1 + SEARCHES_A_YEAR) ** -2
"""Share of known people's searches in a year that are not the only one of their person."""

ANYONE = 1_000_000
"""Known people have numbers below; everybody else has one above."""

OF_A_PERSON = ("gender", "age_band", "ethnicity_self")


@dataclass(frozen=True)
class KnownPeople:
    """Known people by kind (position of their true group): numbers, how often each is met, and who they are.

    share: share of searches that are of one of them. start: the first number of each kind's, and the end.
    ends[kind]: cumulative chances of the kind's people. columns[name][number]: the choice that a record of them states.
    """

    share: float
    start: np.ndarray
    ends: tuple[np.ndarray, ...]
    columns: dict[str, np.ndarray]

    def draw(self, rng: np.random.Generator, kind: np.ndarray, first: int) -> np.ndarray:
        """The number of the person of each record; people who are not known get numbers of their own, from `first`."""
        one_of_them = rng.random(len(kind)) < self.share
        chance = rng.random(len(kind))
        person = first + np.arange(len(kind))
        for k, ends in enumerate(self.ends):
            at = np.flatnonzero(one_of_them & (kind == k))
            person[at] = self.start[k] + np.minimum(np.searchsorted(ends, chance[at]), len(ends) - 1)
        return person


def known_people(truth: Truth, ready: Chances, *, repeat_share: float, seed: int) -> KnownPeople:
    """The known people of a force, so that about `repeat_share` of a year's searches are on people searched before or
    again in that year.

    Raises UsageError for a share outside 0 to `CAUGHT` (8 of 9).
    """
    if not 0 <= repeat_share <= CAUGHT:
        raise UsageError(f"repeat_share is {repeat_share}: between 0 and {CAUGHT:.2f} can be made")
    share = repeat_share / CAUGHT
    a_year = np.sum([expected_searches(truth, month) for month in range(12)], axis=0)[:-1]
    size = np.ceil(a_year * share / SEARCHES_A_YEAR).astype(np.int64)
    start = np.concatenate([[0], size.cumsum()])
    kind = np.repeat(np.arange(len(size), dtype=np.uint8), size)
    rng = stream(seed, truth.force, "known people")
    columns = {name: _stated(rng, ready, name, kind) for name in OF_A_PERSON}
    return KnownPeople(share, start, tuple(_ends(n) for n in size), columns)


def _ends(people: int) -> np.ndarray:
    """Cumulative chances of people whose rates are spread as an exponential distribution."""
    rates = -np.log1p(-(np.arange(people) + 0.5) / max(people, 1))
    return rates.cumsum() / rates.sum() if people else rates


def _stated(rng: np.random.Generator, ready: Chances, column: str, kind: np.ndarray) -> np.ndarray:
    """A choice a person, neither blank nor not stated."""
    n_stated = len([label for label in ready.labels[column] if label != NOT_STATED_LABEL])
    found = choose(rng, ready.tables[column], kind)
    while (again := np.flatnonzero(found >= n_stated)).size:
        found[again] = choose(rng, ready.tables[column], kind[again])
    return found


def as_themselves(
    known: KnownPeople, ready: Chances, columns: dict[str, np.ndarray], person: np.ndarray
) -> dict[str, np.ndarray]:
    """The columns with what known people are put in place of what was drawn, wherever the record states anything."""
    theirs = np.flatnonzero((person >= 0) & (person < ANYONE))
    told = dict(columns)
    for name in OF_A_PERSON:
        n_stated = len([label for label in ready.labels[name] if label != NOT_STATED_LABEL])
        rows = theirs[columns[name][theirs] < n_stated]
        told[name] = columns[name].copy()
        told[name][rows] = known.columns[name][person[rows]]
    return told
