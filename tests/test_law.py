"""The law: a measure of records together equals the measure of their tallies added, in any order and grouping."""

import random
from functools import cache

import pandas as pd
import pytest

import disprop as dp
from disprop.measures import MEASURES
from disprop.records import KINDS
from disprop.tallies import fold
from tests.invent import EVERYWHERE, force_reports, many, with_force_used, with_places, with_possession, with_video
from tests.sources import Rows, by_part

ROWS = with_force_used(with_video(with_possession(with_places(many(1500)))))


FORCE_ROWS = force_reports(1500)
ROWS_OF = {"search": ROWS, "force_report": FORCE_ROWS}
PIECES_OF = {kind: by_part(rows) for kind, rows in ROWS_OF.items()}


def axes_of(spec):
    return (spec.ethnicity, *spec.axes)


def source(spec, rows, **how):
    return Rows(rows, kind=spec.kind, unit=KINDS[spec.kind].unit, **how)


@cache
def whole(name):
    return dp.tally(source(MEASURES[name], ROWS_OF[MEASURES[name].kind]), by=axes_of(MEASURES[name]))


def measured(spec, tally):
    options = {"by": ["force", spec.ethnicity]} if "by" in spec.parameters else {"vintage": "2018_19"}
    options |= {"perceived": True} if spec.ethnicity == "ethnicity_officer" and spec.population else {}
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
    pieces = grouped(list(PIECES_OF[spec.kind]), rng)
    parts = [dp.tally(source(spec, group), by=axes_of(spec)) for group in pieces]
    rng.shuffle(parts)
    together = fold(parts)
    assert together.difference(whole(name)) is None
    expected = measured(spec, whole(name))
    assert len(expected)
    pd.testing.assert_frame_equal(expected, measured(spec, together), check_exact=True)


@pytest.mark.parametrize("name", MEASURES)
def test_within_a_part_batches_and_row_order_do_not_matter(name):
    spec = MEASURES[name]
    rows = ROWS_OF[spec.kind]
    shuffled = random.Random(7).sample(rows, len(rows))
    other = dp.tally(source(spec, shuffled, batch_rows=130), by=axes_of(spec))
    pd.testing.assert_frame_equal(measured(spec, whole(name)), measured(spec, other), check_exact=True)


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
        "measures.video.linked",
        "measures.video.tick_box",
        "measures.video.unlinked",
        "measures.force.rates",
        "measures.force.shares",
    )
    exported = {name for name, home in dp._HOMES.items() if home in modules}
    assert exported == set(MEASURES)
