"""The law: a measure of records together equals the measure of their tallies added, in any order and grouping."""

import random

import pandas as pd
import pytest

import disprop as dp
from disprop.measures import MEASURES
from disprop.tallies import fold
from tests.invent import POPULATION, many
from tests.sources import Rows, by_part

ROWS = many(1500)
AXES = ["ethnicity_self", "outcome", "linked", "more_thorough", "age_band", "video_recorded"]
PIECES = by_part(ROWS)


def tally_of(rows):
    return dp.tally(Rows(rows), by=AXES)


def measured(spec, tally):
    return spec(*([tally, POPULATION] if spec.population else [tally]), by=["force", "ethnicity_self"])


def grouped(pieces, rng):
    """The pieces, shuffled and joined into a few random groups."""
    rng.shuffle(pieces)
    cuts = sorted(rng.sample(range(1, len(pieces)), 4))
    return [[row for piece in pieces[a:b] for row in piece] for a, b in zip([0, *cuts], [*cuts, len(pieces)])]


WHOLE = tally_of(ROWS)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("seed", range(3))
def test_measure_of_the_whole_is_measure_of_the_sum(name, seed):
    rng = random.Random(seed)
    parts = [tally_of(group) for group in grouped(list(PIECES), rng)]
    rng.shuffle(parts)
    together = fold(parts)
    assert together.difference(WHOLE) is None
    pd.testing.assert_frame_equal(measured(MEASURES[name], WHOLE), measured(MEASURES[name], together), check_exact=True)


@pytest.mark.parametrize("name", MEASURES)
def test_within_a_part_batches_and_row_order_do_not_matter(name):
    shuffled = random.Random(7).sample(ROWS, len(ROWS))
    other = dp.tally(Rows(shuffled, batch_rows=13), by=AXES)
    pd.testing.assert_frame_equal(measured(MEASURES[name], WHOLE), measured(MEASURES[name], other), check_exact=True)


def test_every_exported_measure_is_under_the_law():
    exported = {
        name for name in dp.__all__ if name.endswith(("_rate", "_ratio", "_share", "_searches", "_video", "_known"))
    }
    assert exported == set(MEASURES)
