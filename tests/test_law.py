"""The law: a measure of records together equals the measure of their tallies added, in any order and grouping."""

import random
from functools import cache

import pandas as pd
import pytest

import disprop as dp
from disprop.measures import MEASURES
from disprop.tallies import fold
from tests.invent import EVERYWHERE, many, with_places, with_possession, with_video
from tests.sources import Rows, by_part

ROWS = with_video(with_possession(with_places(many(1500))))
PIECES = by_part(ROWS)


def axes_of(spec):
    return ("ethnicity_self", *spec.axes)


@cache
def whole(axes):
    return dp.tally(Rows(ROWS), by=axes)


def measured(spec, tally):
    options = {"by": ["force", "ethnicity_self"]} if "by" in spec.parameters else {"vintage": "2018_19"}
    return spec(*([tally, EVERYWHERE] if spec.population else [tally]), **options)


def grouped(pieces, rng):
    """The pieces, shuffled and joined into a few random groups."""
    rng.shuffle(pieces)
    cuts = sorted(rng.sample(range(1, len(pieces)), 4))
    return [[row for piece in pieces[a:b] for row in piece] for a, b in zip([0, *cuts], [*cuts, len(pieces)])]


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("seed", range(2))
def test_measure_of_the_whole_is_measure_of_the_sum(name, seed):
    rng, spec = random.Random(seed), MEASURES[name]
    parts = [dp.tally(Rows(group), by=axes_of(spec)) for group in grouped(list(PIECES), rng)]
    rng.shuffle(parts)
    together = fold(parts)
    assert together.difference(whole(axes_of(spec))) is None
    expected = measured(spec, whole(axes_of(spec)))
    assert len(expected)
    pd.testing.assert_frame_equal(expected, measured(spec, together), check_exact=True)


@pytest.mark.parametrize("name", MEASURES)
def test_within_a_part_batches_and_row_order_do_not_matter(name):
    spec = MEASURES[name]
    shuffled = random.Random(7).sample(ROWS, len(ROWS))
    other = dp.tally(Rows(shuffled, batch_rows=130), by=axes_of(spec))
    pd.testing.assert_frame_equal(measured(spec, whole(axes_of(spec))), measured(spec, other), check_exact=True)


def test_every_exported_measure_is_under_the_law():
    modules = (
        "measures.rates",
        "measures.ratios",
        "measures.shares",
        "measures.drugs",
        "measures.unknowns",
        "measures.outcome_test",
        "measures.replicas",
        "measures.standardised",
        "measures.decomposed",
        "measures.video",
        "measures.unlinked",
    )
    exported = {name for name, home in dp._HOMES.items() if home in modules}
    assert exported == set(MEASURES)
