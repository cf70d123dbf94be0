"""Real files: the store's tallies are those of the files, to the cell, whichever way they are counted."""

import numpy as np
import pytest

import disprop as dp
from disprop.fused import count_fused, plan_fused
from disprop.io.store import add, compact, open_store, verify
from disprop.job import WANTED
from disprop.plan import make_request, scan_batches
from disprop.records import axis_spec


@pytest.mark.real
def test_real_files_through_the_store(real_data, tmp_path):
    files = sorted((real_data / "police_uk").glob("20*/*-west-midlands-*.csv"))[:12]
    files += sorted((real_data / "police_uk").glob("20*/*-kent-*.csv"))[:12]
    source = dp.read_police_uk(*files)
    plain = dp.scan(source, WANTED)
    add(tmp_path / "s", source)
    compact(tmp_path / "s", grace_days=0)
    assert verify(tmp_path / "s") == []
    store = open_store(tmp_path / "s")
    specs = [tuple(axis_spec(name) for name in by) for by in WANTED]
    request = make_request(None, None, False)
    plan = plan_fused(store, specs, request.scope, vehicle_only=False)
    batches = scan_batches(store, specs, request)
    for threads in (None, 1, 2, 8):
        for quick, slow in zip(count_fused(plan, threads=threads), batches, strict=True):
            assert quick.difference(slow) is None
    for from_files, from_store in zip(plain, batches, strict=True):
        assert from_files.axes == from_store.axes
        np.testing.assert_array_equal(from_files.counts, from_store.counts)
        np.testing.assert_array_equal(from_files.parts, from_store.parts)
        assert from_files.account.excluded.items() >= from_store.account.excluded.items()
        assert from_files.account.unmapped == from_store.account.unmapped
