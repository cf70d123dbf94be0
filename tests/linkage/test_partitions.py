"""Linking some days at a time gives what linking at once gives, however chunks, days and clips are cut."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from test_link import DRAWS, cases, clips_of, drawn_rows, events_of, same

from disprop.kernels import _jit
from disprop.linkage import NO_TIME, LinkSettings, link, link_partitioned, partitions

SMALL = 100 if _jit.interpreted() else 20_000


def in_chunks(rows, size):
    return [rows.take(slice(start, start + size)) for start in range(0, len(rows), size)]


@given(cases(), some.integers(1, 8), some.integers(1, 12))
@settings(max_examples=DRAWS // 2, deadline=None)
def test_partitions_change_nothing(tmp_path_factory, case, size, most):
    records, clips, chosen = case
    events, clips, chosen = events_of(records), clips_of(clips), LinkSettings(**chosen)
    found = link_partitioned(
        in_chunks(events, size),
        in_chunks(clips, size),
        chosen,
        folder=tmp_path_factory.getbasetemp(),
        clips_at_a_time=most,
    )
    assert same(found, link(events, clips, chosen))


def test_many_days_references_afar_and_long_clips(tmp_path, monkeypatch):
    monkeypatch.setattr(partitions, "ROWS_A_SLICE", 700)
    rng = np.random.default_rng(9)
    events, clips = drawn_rows(rng, SMALL, 2 * SMALL, SMALL // 50, days=200)
    long, lost = rng.random(len(clips)) < 0.01, rng.random(len(events)) < 0.01
    clips = replace(clips, end=np.where(long, clips.start + rng.integers(0, 40 * 86_400, len(clips)), clips.end))
    events = replace(events, time=np.where(lost, NO_TIME, events.time))
    chosen = LinkSettings(offsets={0: 420, -1: 30}, retention_days=84, as_of=1_562_400_000)
    wanted = link(events, clips, chosen)
    assert set(np.unique(wanted.reason)) >= {0, 1, 2, 3, 4, 5}
    found = link_partitioned(
        in_chunks(events, 999), in_chunks(clips, 1999), chosen, folder=tmp_path, clips_at_a_time=SMALL // 20, threads=2
    )
    assert same(found, wanted)
    assert list(tmp_path.iterdir()) == []


def test_periods_hold_as_many_days_as_fit(tmp_path):
    records, clips = (partitions._Days(tmp_path / name, np.dtype([("at", "i8")])) for name in ("records", "clips"))
    for days, day in ((records, [1, 2, 3, 4, 9]), (clips, [1, 1, 2, 3, 3, 3, 3, 4])):
        days.write(np.zeros(len(day), dtype=[("at", "i8")]), np.array(day))
    assert list(partitions._periods(records, clips, 5)) == [(1, 2), (3, 3), (4, 9)]
    assert list(partitions._periods(records, clips, 1)) == [(1, 1), (2, 2), (3, 3), (4, 4), (9, 9)]
    assert list(partitions._periods(records, clips, 100)) == [(1, 9)]


def test_rows_come_back_by_day(tmp_path):
    days = partitions._Days(tmp_path / "rows", np.dtype([("at", "i8")]))
    for drawn in ([5, 1, 3, 1], [], [3, 2]):
        days.write(np.array([(day,) for day in drawn], dtype=[("at", "i8")]), np.array(drawn, dtype=np.int64))
    assert sorted(days.read(1, 3)["at"].tolist()) == [1, 1, 2, 3, 3]
    assert days.read(4, 4).size == 0
    assert [one.tolist() for one in days.counts()] == [[1, 2, 3, 5], [2, 1, 2, 1]]


@pytest.mark.parametrize("chunks", [0, 1])
def test_nothing_to_link(tmp_path, chunks):
    events, clips = events_of([]), clips_of([])
    assert len(link_partitioned([events] * chunks, [clips] * chunks, folder=tmp_path)) == 0
