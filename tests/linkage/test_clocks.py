"""Clock offsets: seven minutes on one system, hours of three kinds, with and without references, and none at all."""

from dataclasses import replace

import numpy as np
import pytest

from disprop.kernels import _jit
from disprop.linkage import RECORDS, Clips, Events, LinkSettings, clocks, corrected, estimate_offsets, link
from disprop.months import london_seconds

JANUARY = 1_546_300_800
MANY = 900 if _jit.interpreted() else 1500
YEAR = 365 * 86_400


def force(n=MANY, *, seed=3, references=True, officers=60, shares=(0.5, 0.3, 0.2)):
    """Searches of a year with a clip each, begun one to four minutes before, on three systems with right clocks."""
    rng = np.random.default_rng(seed)
    start = np.sort(JANUARY + rng.integers(0, YEAR, n))
    officer = rng.integers(1, officers, n).astype(np.uint64)
    reference = (np.arange(1, n + 1) if references else np.zeros(n)).astype(np.uint64)
    system = rng.choice(len(shares), n, p=shares).astype(np.int16)
    time = (
        start + rng.integers(60, 240, n) + np.where(rng.random(n) < 0.3, rng.exponential(1500, n), 0).astype(np.int64)
    )
    events = Events(time, officer, np.zeros(n, dtype=np.uint64), reference, np.ones(n, dtype=np.int8))
    return events, Clips(
        start, start + rng.integers(200, 1200, n), officer, reference, system, np.zeros(n, dtype=np.int64)
    )


def shifted(clips, system, seconds):
    """Clips of one system by a clock that is ahead, by so many seconds or by what a function of the instant says."""
    own = clips.system == system
    ahead = seconds(clips.start) if callable(seconds) else seconds
    return replace(clips, start=clips.start + np.where(own, ahead, 0), end=clips.end + np.where(own, ahead, 0))


def summer(instants):
    return london_seconds(instants) - instants


def by_system(found):
    return {one.system: one for one in found}


@pytest.mark.parametrize("references", [True, False])
@pytest.mark.parametrize("seconds", [420, -420, 95, 0])
def test_minutes_on_one_system_are_found(references, seconds):
    events, clips = force(references=references)
    found = by_system(estimate_offsets(events, shifted(clips, 1, seconds)))
    assert found[1].seconds == pytest.approx(seconds, abs=25)
    assert found[1].by == (clocks.REFERENCE if references else clocks.OFFICER)
    assert found[1].n_pairs > 0.3 * 0.5 * MANY
    assert found[0].seconds == pytest.approx(0, abs=25)
    assert found[2].seconds == pytest.approx(0, abs=25)
    assert [found[system].pattern for system in (-1, 0, 1, 2)] == [""] * 4
    assert found[RECORDS].seconds == 0


def test_seven_minutes_are_corrected():
    events, right = force()
    wrong = shifted(right, 1, 420)
    tight = LinkSettings(before=60, after=60, reference_within=60)
    put_right = corrected(tight, estimate_offsets(events, wrong, tight.__class__()))
    linked = [
        link(events, clips, chosen).tier > 0 for clips, chosen in ((right, tight), (wrong, tight), (wrong, put_right))
    ]
    assert linked[1].mean() < linked[0].mean() - 0.1
    assert linked[2].mean() == pytest.approx(linked[0].mean(), abs=0.01)
    assert abs(by_system(estimate_offsets(events, wrong, put_right))[1].seconds) < 60


@pytest.mark.parametrize("references", [True, False])
@pytest.mark.parametrize(
    ("ahead", "seconds", "in_summer", "pattern"),
    [
        (summer, 0, 3600, clocks.LOCAL_AS_UTC),
        (lambda at: -summer(at), 0, -3600, clocks.UTC_AS_LOCAL),
        (lambda at: 3600 - summer(at), 3600, -3600, clocks.SUMMER_ALL_YEAR),
        (3600, 3600, 0, clocks.WHOLE_HOUR),
        (-3600, -3600, 0, clocks.WHOLE_HOUR),
    ],
)
def test_whole_hours_are_named(references, ahead, seconds, in_summer, pattern):
    events, clips = force(references=references)
    clips = shifted(clips, 1, ahead)
    found = estimate_offsets(events, clips)
    one = by_system(found)[1]
    assert (one.pattern, one.summer_seconds) == (pattern, in_summer)
    assert one.seconds == pytest.approx(seconds, abs=40)
    assert {by_system(found)[system].pattern for system in (-1, 0, 2)} == {""}
    again = by_system(estimate_offsets(events, clips, corrected(LinkSettings(), found)))[1]
    assert (again.pattern, again.summer_seconds) == ("", 0)
    assert abs(again.seconds) < 60


def test_the_records_own_clock():
    events, clips = force()
    local = replace(events, time=events.time + summer(events.time))
    found = estimate_offsets(local, clips)
    assert found[0].system == RECORDS
    assert (found[0].seconds, found[0].summer_seconds, found[0].pattern) == (0, 3600, clocks.LOCAL_AS_UTC)
    assert all(abs(one.seconds) < 60 and one.summer_seconds == 0 for one in found[1:])
    put_right = corrected(LinkSettings(), found)
    assert np.array_equal(link(local, clips, put_right).tier, link(events, clips).tier)


@pytest.mark.parametrize(
    ("seconds", "pairs", "spread", "sure"),
    [
        (59, 900, 30, False), (60, 900, 30, True), (-60, 900, 30, True),
        (99, 36, 300, False), (100, 36, 300, True), (-99, 36, 300, False), (99, 144, 300, True), (3600, 30, 600, True),
        (500, 0, 0, False),
    ],
)  # fmt: skip
def test_what_is_not_clearly_beyond_its_spread_is_left_as_it_is(seconds, pairs, spread, sure):
    """A minute or more, and two standard errors or more: spread / root of pairs, here 300 / 6 = 50 or 300 / 12 = 25."""
    found = clocks.ClockOffset(1, seconds, -seconds, pairs, spread, clocks.OFFICER, "")
    off = corrected(LinkSettings(offsets={1: 7}), [found])
    assert off.offsets == {1: 7 + seconds * sure}
    assert off.summer_offsets == ({1: -seconds} if sure else {})


def test_too_few_pairs_are_not_known():
    events, clips = force(60, shares=(0.9, 0.1))
    found = by_system(estimate_offsets(events, shifted(clips, 1, 420)))
    assert (found[1].by, found[1].seconds, found[1].n_pairs) == (clocks.NOTHING, 0, 0)
    assert corrected(LinkSettings(), list(found.values())).offsets == {}


def test_clips_that_belong_to_nothing_say_nothing():
    """As many clips of the officers as there are, at times that have nothing to do with their records."""
    events, clips = force(references=False, officers=3)
    rng = np.random.default_rng(5)
    start = JANUARY + rng.integers(0, YEAR, len(clips))
    found = by_system(estimate_offsets(events, replace(clips, start=start, end=start + 300)))
    assert {one.by for one in found.values()} == {clocks.NOTHING}


def test_order_and_number_of_rows_change_nothing(monkeypatch):
    monkeypatch.setattr(clocks, "MOST_RECORDS", MANY // 2)
    events, clips = force(references=False)
    rng = np.random.default_rng(4)
    shuffled = events.take(rng.permutation(len(events))), clips.take(rng.permutation(len(clips)))
    found = estimate_offsets(events, clips)
    assert found == estimate_offsets(*shuffled)
    assert sum(one.n_pairs for one in found[1:]) < 0.75 * MANY


def test_no_rows():
    events, clips = force(0)
    assert [one.system for one in estimate_offsets(events, clips)] == [RECORDS]
