"""Sorting clusters: which cluster each record belongs to, and which clusters hold the same.

Records are first spread over buckets by a hash of their key, so that all records of a cluster share a bucket, and a
bucket's clusters fit the nearest cache. Buckets are then worked through one after the other, some by each thread.
Both tables are open addressing with linear probing; a table at least twice as large as what it holds never fills up.
"""

from __future__ import annotations

import numpy as np

from disprop.kernels._jit import inner, kernel

BUCKET_BITS = 8
_TO_BUCKET, _BITS, _HALF = np.uint64(64 - BUCKET_BITS), np.uint64(BUCKET_BITS), np.uint64(32)
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads neighbours furthest apart


@inner
def _bucket(key):  # type: ignore[no-untyped-def]
    return np.int64((key * _ODD) >> _TO_BUCKET)


@kernel("void(uint64[::1], int64[::1], int64[::1], uint64[::1], int64[::1])", wraps=True)
def spread(keys, cells, out_ends, out_keys, out_cells):  # type: ignore[no-untyped-def]
    """Records in order of their bucket; bucket b ends before `out_ends[b]`. `out_ends` starts as zeros."""
    for i in range(keys.size):
        out_ends[_bucket(keys[i])] += 1
    start = 0
    for bucket in range(out_ends.size):
        size = out_ends[bucket]
        out_ends[bucket] = start
        start += size
    for i in range(keys.size):
        bucket = _bucket(keys[i])
        at = out_ends[bucket]
        out_ends[bucket] = at + 1
        out_keys[at], out_cells[at] = keys[i], cells[i]


@inner
def _find_cluster(key, slots, keys):  # type: ignore[no-untyped-def]
    """The slot of a key, and the cluster in it: -1 when the key is new."""
    mask = slots.size - 1
    slot = np.int64(((key * _ODD) << _BITS) >> _HALF) & mask
    while slots[slot] != 0 and keys[slots[slot] - 1] != key:
        slot = (slot + 1) & mask
    return slot, np.int64(slots[slot]) - 1


@inner
def _find_sort(row, slots, held, sorts):  # type: ignore[no-untyped-def]
    """The slot of what a cluster holds, and the sort in it: -1 when no cluster so far held the same."""
    cells, mask = held.shape[1], slots.size - 1
    mixed = np.uint64(0)
    for cell in range(cells):
        mixed = (mixed + np.uint64(held[row, cell])) * _ODD
    slot = np.int64(((mixed ^ (mixed >> _HALF)) * _ODD) >> _HALF) & mask
    while slots[slot] != 0:
        same = True
        for cell in range(cells):
            same = same and sorts[slots[slot] - 1, cell] == held[row, cell]
        if same:
            break
        slot = (slot + 1) & mask
    return slot, np.int64(slots[slot]) - 1


@kernel(
    "int64(uint64[::1], int64[::1], int64[::1], int64, int64, int64[::1], int64[::1], uint64[::1], int64[:,::1],"
    " int64[::1], int64[:,::1], int64[::1])",
    wraps=True,
)
def alike(  # type: ignore[no-untyped-def]
    keys,
    cells,
    ends,
    first,
    step,
    out_slots,
    out_used,
    out_keys,
    out_held,
    out_sort_slots,
    out_sorts,
    out_n_clusters,
):
    """What the clusters of buckets first, first + step, ... hold, by sort; returns the number of sorts.

    `out_sorts[s]` is what clusters of sort s hold in each cell, `out_n_clusters[s]` how many they are. The rest is room
    to work in: `out_slots` and `out_sort_slots` are zeros, a power of two long.
    """
    sorts = 0
    for bucket in range(first, ends.size, step):
        known = 0
        for i in range(ends[bucket - 1] if bucket else 0, ends[bucket]):
            slot, cluster = _find_cluster(keys[i], out_slots, out_keys)
            if cluster < 0:
                cluster = known
                known += 1
                out_slots[slot], out_used[cluster], out_keys[cluster] = known, slot, keys[i]
                out_held[cluster, :] = 0
            out_held[cluster, cells[i]] += 1
        for cluster in range(known):
            out_slots[out_used[cluster]] = 0
            slot, sort = _find_sort(cluster, out_sort_slots, out_held, out_sorts)
            if sort < 0:
                sort = sorts
                sorts += 1
                out_sort_slots[slot] = sorts
                for cell in range(out_held.shape[1]):
                    out_sorts[sort, cell] = out_held[cluster, cell]
                out_n_clusters[sort] = 0
            out_n_clusters[sort] += 1
    return sorts
