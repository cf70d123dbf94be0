"""Linking against the slow truth: everything that one record's answer can depend on, drawn at random and by hand."""

from pathlib import Path

import naive_linkage as naive
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from disprop.errors import UsageError
from disprop.kernels import _jit
from disprop.kernels import linkage as kernels
from disprop.linkage import NO_TIME, REASONS, Clips, Events, LinkSettings, link, linked_pairs, video_link
from disprop.linkage import join as joining

DRAWS = 15 if _jit.interpreted() else 400
SUMMER, WINTER = 1_562_400_000, 1_546_300_800  # around 6 July 2019 and 1 January 2019, UTC
DEFAULTS = {
    "before": 1800,
    "after": 1800,
    "another_before": 900,
    "another_after": 900,
    "reference_within": 43_200,
    "contradicted_within": 31 * 86_400,
    "retention_days": None,
    "as_of": None,
    "offsets": {},
    "summer_offsets": {},
}


def column(rows, name, dtype):
    values = [NO_TIME if row[name] is None else row[name] for row in rows]
    return np.array(values, dtype=dtype)


def events_of(records):
    times, said = column(records, "time", np.int64), column(records, "said", np.int8)
    return Events(
        times, *(column(records, name, np.uint64) for name in ("officer", "other_officer", "reference")), said
    )


def clips_of(clips):
    return Clips(
        column(clips, "start", np.int64),
        column(clips, "end", np.int64),
        column(clips, "officer", np.uint64),
        column(clips, "reference", np.uint64),
        column(clips, "system", np.int16),
        column(clips, "deleted", np.int64),
    )


def rows_of(links):
    reasons = [REASONS[code] for code in links.reason]
    return list(
        zip(links.tier.tolist(), reasons, links.clips.tolist(), links.seconds.tolist(), links.from_start.tolist())
    )


def record(time=1000, officer=1, other_officer=0, reference=0, said=1):
    return {"time": time, "officer": officer, "other_officer": other_officer, "reference": reference, "said": said}


def clip(start=900, end=1200, officer=1, reference=0, system=0, deleted=0):
    return {
        "start": start,
        "end": end,
        "officer": officer,
        "reference": reference,
        "system": system,
        "deleted": deleted,
    }


def dated(row):
    """With its small times, which are easier to read, counted from midnight of 1 January 2019."""
    times = ("time", "start", "end", "deleted", "as_of")
    small = {name for name in times if row.get(name) is not None and abs(row[name]) < 10**7}
    return {
        name: value + WINTER if name in small and (name, value) != ("deleted", 0) else value
        for name, value in row.items()
    }


def one(the_record, *clips, **changed):
    """Our answer for one record, which must be the slow truth's too."""
    chosen, the_record, clips = dated({**DEFAULTS, **changed}), dated(the_record), [dated(row) for row in clips]
    found = rows_of(link(events_of([the_record]), clips_of(clips), LinkSettings(**chosen)))
    assert found == naive.link([the_record], clips, chosen)
    return found[0]


# Drawn

BASES = some.sampled_from([SUMMER, WINTER, 1_553_994_000, 1_572_138_000])  # and where the clocks change
KEYS = some.integers(0, 3)


@some.composite
def cases(draw):
    base = draw(BASES)
    near = some.integers(-40, 40)
    far = some.sampled_from([-90_000, -4000, -300, 300, 4000, 90_000])
    times = some.one_of(
        some.none(), some.builds(int.__add__, near, some.just(base)), some.builds(int.__add__, far, some.just(base))
    )
    records = some.builds(record, times, KEYS, KEYS, KEYS, some.sampled_from([-1, 0, 1]))
    deleted = some.sampled_from([0, 0, 0, base, base + 50])
    clips = some.builds(clip, times, times, KEYS, KEYS, some.integers(0, 2), deleted)
    tolerance = some.integers(0, 25)
    before, after = draw(tolerance), draw(tolerance)
    within = draw(some.integers(max(before, after), 5000))
    offsets = some.dictionaries(some.integers(-1, 2), some.sampled_from([-3600, -7, 5, 3600]), max_size=2)
    as_of = draw(some.sampled_from([None, base + 20, base + 86_400]))
    chosen = {
        "before": before,
        "after": after,
        "another_before": draw(tolerance),
        "another_after": draw(tolerance),
        "reference_within": within,
        "contradicted_within": draw(some.integers(within, 100_000)),
        "retention_days": None if as_of is None else draw(some.sampled_from([None, 0, 1])),
        "as_of": as_of,
        "offsets": draw(offsets),
        "summer_offsets": draw(offsets),
    }
    return draw(some.lists(records, max_size=12)), draw(some.lists(clips, max_size=25)), chosen


@given(cases())
@settings(max_examples=DRAWS, deadline=None)
def test_links_are_those_of_the_slow_truth(case):
    records, clips, chosen = case
    found = link(events_of(records), clips_of(clips), LinkSettings(**chosen))
    assert rows_of(found) == naive.link(records, clips, chosen)


@given(cases())
@settings(max_examples=DRAWS // 2, deadline=None)
def test_pairs_are_those_of_the_slow_truth(case):
    records, clips, chosen = case
    found = linked_pairs(events_of(records), clips_of(clips), LinkSettings(**chosen))
    assert list(zip(found.event.tolist(), found.clip.tolist(), found.tier.tolist())) == naive.pairs(
        records, clips, chosen
    )


# By hand


@pytest.mark.parametrize(
    ("start", "end", "linked", "seconds", "running"),
    [
        (900, 1200, True, 200 + 100, 1),
        (1000, 1200, True, 200, 1),  # starts at the record's second
        (800, 1000, True, 200, 0),  # ends at it: nothing from there on is covered
        (1000, 1000, True, 0, 0),  # of no length
        (2800, 2900, True, 0, 0),  # just in reach
        (2801, 2900, False, 0, -1),
        (-900, -800, True, 0, 0),
        (-900, -801, False, 0, -1),
        (900, 100, True, 0, 0),  # ends before it starts
        (900, None, True, 0, 0),
        (None, 1200, False, 0, -1),
        (-10_000, 10_000, True, 3600, 1),
    ],
)
def test_edges_of_one_clip(start, end, linked, seconds, running):
    found = one(record(), clip(start, end))
    assert (found[0] == 2, found[2], found[3], found[4]) == (linked, int(linked), seconds, running)


def test_split_and_overlapping_clips_are_counted_each_but_covered_once():
    split = [clip(900, 1200), clip(1200, 1500), clip(1100, 1300), clip(1600, 1700)]
    assert one(record(), *split)[2:4] == (4, 700)
    assert one(record(), *split, *split)[2:4] == (8, 700)


def test_another_officer_has_a_narrower_reach_and_a_later_tier():
    assert one(record(other_officer=2), clip(1900, 2000, officer=2))[0] == 3
    assert one(record(other_officer=2), clip(1901, 2000, officer=2))[0] == 0
    assert one(record(other_officer=2), clip(officer=2), clip())[:3] == (2, "", 2)
    assert one(record(officer=2, other_officer=1), clip(officer=2), clip())[:3] == (2, "", 2)
    assert one(record(other_officer=1), clip())[:3] == (2, "", 1)  # the second officer is the first


def test_a_wrong_reference_never_becomes_tier_1_silently():
    assert one(record(reference=5), clip(reference=5))[0] == 1
    assert one(record(reference=5), clip(44_200, 45_000, reference=5))[0] == 1  # twelve hours
    assert one(record(reference=5), clip(44_201, 45_000, reference=5))[:2] == (0, "ambiguous")
    assert one(record(reference=5), clip(officer=9, reference=5))[:2] == (0, "ambiguous")
    assert one(record(reference=5, said=0), clip(officer=9, reference=5))[:2] == (0, "ambiguous")
    assert one(record(reference=5), clip(officer=9, reference=5), clip())[:3] == (2, "", 1)
    assert one(record(reference=5), clip(officer=0, reference=5))[0] == 1
    assert one(record(officer=0, reference=5), clip(officer=9, reference=5))[0] == 1
    assert one(record(reference=5), clip(reference=6))[0] == 2
    assert one(record(), clip(officer=0))[0] == 0  # no key equals no key


def test_reasons_in_their_order():
    that_day, next_week = clip(40_000, 40_100), clip(700_000, 700_100)
    assert one(record(), that_day)[1] == "not linked"
    assert one(record(), next_week)[1] == "no footage"
    assert one(record(other_officer=2), clip(40_000, 40_100, officer=2))[1] == "not linked"
    assert one(record(said=0), next_week)[1] == "not worn"
    assert one(record(said=0), clip(deleted=5000))[1] == "expired"
    assert one(record(), clip(deleted=5000), as_of=4999)[0] == 2
    assert one(record(), clip(700_000, 700_100, deleted=5000))[1] == "no footage"
    assert one(record(), clip(40_000, 40_100, deleted=5000))[1] == "not linked"
    assert one(record(), next_week, retention_days=84, as_of=85 * 86_400)[1] == "expired"
    assert one(record(said=0), next_week, retention_days=84, as_of=85 * 86_400)[1] == "not worn"
    assert one(record(), clip(), retention_days=84, as_of=85 * 86_400)[0] == 2  # kept longer than it need be
    assert one(record(officer=0), clip())[1] == "not linked"
    assert one(record(time=None, reference=5), clip(reference=5))[1] == "not linked"


def test_the_local_day_is_the_uks():
    midnight = 1_562_367_600  # 6 July 2019, 00:00 in London, 23:00 UTC
    late = clip(midnight - 7200, midnight - 3600)
    assert one(record(time=midnight), late)[1] == "no footage"
    assert one(record(time=midnight - 1), clip(midnight - 80_000, midnight - 79_000))[1] == "not linked"
    assert one(record(time=midnight), clip(midnight + 86_399, midnight + 90_000))[1] == "not linked"
    assert one(record(time=midnight), clip(midnight + 86_400, midnight + 90_000))[1] == "no footage"
    assert one(record(time=midnight), clip(midnight - 7200, midnight), after=0)[0] == 2


def test_clocks_are_put_right():
    late = clip(900 + 420, 1200 + 420, system=3)
    assert one(record(), late, before=60, after=60)[0] == 0
    right = one(record(), late, before=60, after=60, offsets={3: 420})
    assert right == one(record(), clip(), before=60, after=60)
    assert one(record(time=1000 + 420), clip(), offsets={-1: 420})[4] == 1
    shifted = clip(SUMMER + 3500, SUMMER + 3900, system=3)
    assert one(record(time=SUMMER), shifted, summer_offsets={3: 3600})[4] == 1
    shifted = clip(WINTER + 3500, WINTER + 3900, system=3)
    assert one(record(time=WINTER), shifted, summer_offsets={3: 3600})[0] == 0


def test_a_long_early_clip_is_not_missed():
    many = [clip(at, at + 1) for at in range(-50_000, 900, 100)]
    found = one(record(), clip(-60_000, 5000), *many, clip(-59_000, -58_000))
    assert found[4] == 1
    assert found[2] == 1 + sum(naive.tier_of(dated(record()), dated(small), DEFAULTS) == 2 for small in many)


def test_no_records_and_no_clips():
    assert rows_of(link(events_of([]), clips_of([clip()]))) == []
    assert one(record()) == (0, "no footage", 0, 0, -1)
    assert len(linked_pairs(events_of([record()]), clips_of([]))) == 0


def test_counts_stop_at_the_largest_number_that_fits():
    found = link(events_of([record()]), clips_of([clip()] * 65_540 if not _jit.interpreted() else [clip()] * 3))
    assert found.clips.tolist() == [65_535 if not _jit.interpreted() else 3]


def test_place_in_the_codelist():
    records = [record(), record(said=0, officer=4), record(officer=0)]
    assert video_link(link(events_of(records), clips_of([clip()]))).tolist() == [1, 5, 4]


# Order, threads, skew


def drawn_rows(rng, n, m, officers, *, skew=0.0, days=30):
    """Records and clips of a force: uniform but for one officer's share of both."""
    span = days * 86_400

    def keys(size):
        drawn = rng.integers(1, officers + 1, size)
        return np.where(rng.random(size) < skew, 1, drawn).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)

    start = rng.integers(0, span, m) + WINTER
    clips = Clips(
        start,
        start + rng.exponential(500, m).astype(np.int64),
        keys(m),
        rng.integers(0, n, m).astype(np.uint64),
        rng.integers(0, 3, m).astype(np.int16),
        np.where(rng.random(m) < 0.02, WINTER, 0),
    )
    other = np.where(rng.random(n) < 0.5, keys(n), 0).astype(np.uint64)
    times, references = rng.integers(0, span, n) + WINTER, rng.integers(0, n, n).astype(np.uint64)
    return Events(times, keys(n), other, references, rng.integers(-1, 2, n).astype(np.int8)), clips


def same(one, another):
    return all(np.array_equal(getattr(one, name), getattr(another, name)) for name in vars(one))


SMALL = 300 if _jit.interpreted() else 30_000


@pytest.mark.parametrize("skew", [0.0, 0.3])
def test_threads_and_order_change_nothing(monkeypatch, skew):
    monkeypatch.setattr(joining, "ROWS_A_THREAD", 50)
    rng = np.random.default_rng(6)
    events, clips = drawn_rows(rng, SMALL, 3 * SMALL, SMALL // 100, skew=skew)
    wanted = link(events, clips, threads=1)
    assert 0.1 < (wanted.tier > 0).mean() < 1
    for threads in (2, 8):
        assert same(link(events, clips, threads=threads), wanted)
    shuffled, order = rng.permutation(len(clips)), rng.permutation(len(events))
    assert same(link(events.take(order), clips.take(shuffled), threads=2), wanted.take(order))
    pairs = linked_pairs(events, clips, threads=8)
    assert same(pairs, linked_pairs(events, clips, threads=1))
    assert np.array_equal(np.bincount(pairs.event, minlength=len(events)), wanted.clips)


def test_rows_that_are_views_give_the_same():
    events, clips = drawn_rows(np.random.default_rng(7), 200, 600, 5)
    every_other = slice(None, None, 2)
    assert same(link(events.take(every_other), clips), link(events, clips).take(every_other))


@pytest.mark.parametrize("shape", ["sorted", "reversed", "drawn", "equal", "nested", "one long"])
def test_groups_are_in_order_and_know_what_ends_later(shape):
    rng, n = np.random.default_rng(8), 200
    start = {"sorted": np.arange(n), "equal": np.zeros(n), "nested": np.arange(n)}.get(shape, rng.integers(0, 90, n))
    start = np.arange(n)[::-1] if shape == "reversed" else np.asarray(start, dtype=np.int64)
    end = 500 - start if shape == "nested" else start + rng.integers(0, 20, n)
    if shape == "one long":
        start[5], end[5] = -1, 10_000
    spans, rows = np.column_stack([start, end]), np.arange(n, dtype=np.int32)
    spans, up = np.ascontiguousarray(spans, dtype=np.int64), np.zeros(n, dtype=np.int32)
    kernels.order(np.array([0, 0, n], dtype=np.int64), 0, 2, spans, rows, up)
    assert np.array_equal(spans, np.column_stack([start, end])[rows])
    assert (np.diff(spans[:, 0]) >= 0).all()
    for at in range(n):
        later = [before for before in range(at) if spans[before, 1] > spans[at, 1]]
        assert up[at] == (later[-1] if later else -1)


@given(some.lists(some.tuples(some.integers(0, 60), some.integers(1, 15)), min_size=1, max_size=30))
@settings(max_examples=DRAWS, deadline=None)
@example([(0, 5), (20, 5), (10, 5), (0, 25)])
@example([(0, 5), (5, 5)])
def test_pieces_are_the_union(drawn):
    pieces, count = np.zeros((40, 2), dtype=np.int64), 0
    for low, length in drawn:
        count = kernels._cover(low, low + length, count, pieces)
    held = {second for low, high in pieces[:count].tolist() for second in range(low, high)}
    assert held == {second for low, length in drawn for second in range(low, low + length)}
    assert int((pieces[:count, 1] - pieces[:count, 0]).sum()) == len(held)
    assert (pieces[1:count, 1] < pieces[: count - 1, 0]).all()


# Refusals


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"before": -1}, "from 0"),
        ({"reference_within": 100}, "reference_within"),
        ({"contradicted_within": 100}, "contradicted_within"),
        ({"retention_days": 84}, "as_of"),
    ],
)
def test_settings_that_contradict_each_other(changed, word):
    with pytest.raises(UsageError, match=word):
        LinkSettings(**changed)


def test_settings_have_a_digest_of_all_they_hold():
    assert LinkSettings().digest() == LinkSettings().digest()
    changed = [{"before": 60}, {"as_of": 5}, {"offsets": {1: 7}}, {"summer_offsets": {1: 7}}]
    digests = {LinkSettings(**change).digest() for change in changed}
    assert len(digests - {LinkSettings().digest()}) == len(changed)


@pytest.mark.parametrize(
    ("said", "word"),
    [(np.zeros(2, dtype=np.int8), "different lengths"), (np.zeros(1), "int8"), (np.array([300]), "int8")],
)
def test_columns_that_do_not_fit(said, word):
    keys = np.zeros(1, dtype=np.uint64)
    with pytest.raises(UsageError, match=word):
        Events(np.zeros(1, dtype=np.int64), keys, keys, keys, said)


def test_the_slow_truth_imports_nothing_of_ours():
    assert "disprop" not in Path(naive.__file__).read_text(encoding="utf-8").split('"""')[2]
