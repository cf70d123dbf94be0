"""Links against truth, by two makers of noise: the mildest corner, clocks put right, and the published table."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import linkage_grid as grid
from benchmarks.second_noise import SecondNoise, make
from disprop.kernels import _jit
from disprop.linkage import LinkSettings, corrected, estimate_offsets
from disprop.synthetic.encounters import make_encounters

PAGE = Path(__file__).resolve().parents[2] / "docs" / "linkage.md"
pytestmark = pytest.mark.skipif(_jit.interpreted(), reason="NUMBA_DISABLE_JIT=1: thousands of records")


def share(counts):
    assert counts[1] > 500
    return counts[0] / counts[1]


@pytest.fixture(scope="module")
def first():
    """Three months of the first maker, by the name of their noise."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = grid.from_encounters(make_encounters(months=grid.MONTHS[5:8], noise=grid.FIRST[name]))
        return made[name]

    return of


@pytest.mark.parametrize("name", ["clean", "mild"])
def test_the_mildest_corner_of_both_makers(first, name):
    for made in (first(name), make(grid.SECOND[name])):
        got = grid.score(made, LinkSettings())
        assert share(got.recall) >= grid.RECALL
        assert share(got.precision) >= grid.PRECISION


def test_seven_minutes_on_one_system_are_found_and_corrected(first):
    for made in (first("clock 7 minutes ahead"), make(grid.SECOND["clock 7 minutes ahead"])):
        found = estimate_offsets(made.events, made.clips)
        assert [round(one.seconds / 60) for one in found] == [0, 0, 7]
        tight = LinkSettings(before=60, after=60)
        before, after = grid.score(made, tight), grid.score(made, corrected(tight, found))
        assert share(after.pair_recall) > share(before.pair_recall) + 0.01
        assert share(grid.score(made, corrected(LinkSettings(), found)).recall) >= grid.RECALL


def test_local_time_written_as_utc_is_found_and_corrected(first):
    made = first("local time written as UTC")
    found = estimate_offsets(made.events, made.clips)
    assert found[2].pattern in ("local time written as UTC", "a whole hour")  # three months of summer cannot tell
    assert share(grid.score(made, LinkSettings()).recall) < 0.97
    assert share(grid.score(made, corrected(LinkSettings(), found)).recall) >= grid.RECALL


def test_scores_can_be_bad():
    """Links to nobody's clips, and clips given to the wrong records."""
    made = make(SecondNoise(), crews=20, shifts=20)
    rng = np.random.default_rng(1)
    wrong = made._replace(event=rng.permutation(made.event))
    assert share(grid.score(wrong, LinkSettings()).precision) < 0.05
    assert (
        grid.score(made, LinkSettings(before=0, after=0)).pair_recall[0]
        < grid.score(made, LinkSettings()).pair_recall[0]
    )


def test_the_second_maker_makes_what_it_says():
    noise = SecondNoise(late=0, no_reference=0.5, wrong_reference=0.25, piece=300, failed=0.0, paired=1.0, extra=0.5)
    made = make(noise, crews=30, shifts=30)
    events, clips = made.events, made.clips
    n = len(events)
    assert (events.other_officer != 0).all()
    assert (clips.end - clips.start).max() <= 300
    own = clips.reference[made.clip]
    assert np.mean(own == 0) == pytest.approx(0.5, abs=0.03)
    assert np.mean((own != 0) & (own != events.reference[made.event])) == pytest.approx(0.25, abs=0.03)
    officers = np.column_stack([events.officer, events.other_officer])[made.event]
    assert (clips.officer[made.clip][:, None] == officers).any(axis=1).all()
    assert len(clips) - made.clip.size == n // 2
    assert np.unique(made.clip).size == made.clip.size


def test_the_published_table_is_what_is_found():
    text = PAGE.read_text(encoding="utf-8")
    for name in ("mild", "harsh"):
        row = ("second", name, "", grid.score(make(grid.SECOND[name]), LinkSettings()))
        assert grid.table([row])[-1] in text
