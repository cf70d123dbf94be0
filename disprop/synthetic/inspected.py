"""Invented searches in the shape of an inspectorate's sample: nearly all have footage, and those without differ."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from disprop.errors import UsageError
from disprop.months import london_seconds
from disprop.records import VEHICLE_ONLY
from disprop.synthetic.draw import stream
from disprop.synthetic.encounters import make_encounters
from disprop.synthetic.noise import CLEAN
from disprop.synthetic.records import YEAR

SAMPLE = 9_540
"""Searches in the published sample, of which video was used in 97.1%: 9,259 to 9,268 of them."""

FACTORS = {"Black": 1.7, "West": 2.2, "night": 1.5, "no further action": 1.3}
"""How many times as likely a search is to lack footage: perceived group, unit, 22:00 to 04:59, and outcome."""

LINKED = {"exact reference": 0.55, "officer and time": 0.37, "another officer": 0.08}
WITHOUT = {"no footage": 0.35, "not linked": 0.30, "not worn": 0.25, "expired": 0.10}
"""What the sample says of searches with footage, and of those without: shares of `video_link`."""


def make_inspected(unlinked: int = 277, *, seed: int = 1) -> pa.Table:
    """9,540 invented searches of people, `unlinked` of which have no linked footage.

    Which ones have none is drawn with the odds of `FACTORS` multiplied: they differ from the rest by group, unit, hour
    and outcome, so that an estimate made from the others alone is biased in a known direction. Columns are those of
    `make_encounters(noise=CLEAN).searches` and the four that linking adds. No linked footage: 0 clips and seconds, and
    no word on the start.

    Raises UsageError for a number outside 0 to 9,540.

    >>> sample = make_inspected()
    >>> sample.num_rows, sum(clips > 0 for clips in sample["video_clips"].to_pylist())
    (9540, 9263)
    """
    if not 0 <= unlinked <= SAMPLE:
        raise UsageError(f"{unlinked} searches cannot lack footage: there are {SAMPLE:,}")
    searches = make_encounters(months=YEAR[:8], seed=seed, noise=CLEAN).searches
    searches = searches.filter(pc.not_equal(searches["search_type"].cast(pa.string()), VEHICLE_ONLY)).slice(0, SAMPLE)
    rng = stream(seed, "inspected")
    without = np.zeros(SAMPLE, dtype=bool)
    without[np.argsort(np.log(_odds(searches)) + rng.gumbel(size=SAMPLE))[SAMPLE - unlinked :]] = True
    clips = np.where(without, 0, 1 + rng.poisson(0.4, SAMPLE))
    links = [*LINKED, *WITHOUT]
    link = np.where(without, len(LINKED) + _choice(rng, WITHOUT), _choice(rng, LINKED))
    start = np.where(rng.random(SAMPLE) < 0.9, 1, 0)
    added = {
        "video_link": pa.DictionaryArray.from_arrays(pa.array(link.astype(np.int32)), links),
        "video_clips": pa.array(clips.astype(np.uint16)),
        "video_seconds": pa.array(np.where(without, 0, rng.integers(200, 1_500, SAMPLE)).astype(np.uint32)),
        "video_from_start": pa.DictionaryArray.from_arrays(
            pa.array(start.astype(np.int32), mask=without), ["no", "yes"]
        ),
    }
    for name, values in added.items():
        searches = searches.append_column(name, values)
    return searches


def _choice(rng: np.random.Generator, shares: dict[str, float]) -> np.ndarray:
    return rng.choice(len(shares), SAMPLE, p=list(shares.values()))


def _odds(searches: pa.Table) -> np.ndarray:
    """How likely each search is to lack footage, against one that no factor fits."""
    hour = london_seconds(searches["event_time"].cast(pa.int64()).to_numpy()) // 3600 % 24

    def is_(column: str, label: str) -> np.ndarray:
        found = pc.fill_null(pc.equal(searches[column].cast(pa.string()), label), False)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)

    holds = {
        "Black": is_("ethnicity_officer", "Black"),
        "West": is_("command_unit", "West"),
        "night": (hour >= 22) | (hour < 5),
        "no further action": is_("outcome", "A no further action disposal"),
    }
    return np.prod([np.where(holds[name], factor, 1.0) for name, factor in FACTORS.items()], axis=0)
