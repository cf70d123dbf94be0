"""Sorting clusters: which cluster each record belongs to, and which clusters hold the same.

Records are first spread over buckets by a hash of their key, so that all records of a cluster share a bucket, and a
bucket's clusters fit the nearest cache. Buckets are then worked through one after the other, some by each thread.
The hash turns keys into other keys, no two into the same; the bucket says its upper bits, so that a record of a bucket
is the rest of them with its cell below, one number in all. What a cluster holds is packed too, several counters a word.
Both tables are open addressing with linear probing, at least twice as large as what they hold.
"""

from __future__ import annotations

import numpy as np

from disprop.kernels._jit import inner, kernel

BUCKET_BITS = 10
MOST_CELLS = 1 << BUCKET_BITS  # the bits of a record that the bucket has made free
_TO_BUCKET, _BITS, _HALF = np.uint64(64 - BUCKET_BITS), np.uint64(BUCKET_BITS), np.uint64(32)
_CELL, _ONE = np.uint64(MOST_CELLS - 1), np.uint64(1)
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads neighbours furthest apart


@kernel("void(uint64[::1], int64[::1], int64[::1], uint64[::1])", wraps=True)
def spread(keys, cells, out_ends, out_records):
    """Records in order of their bucket; bucket b ends before `out_ends[b]`. `out_ends` starts as zeros."""
    for i in range(keys.size):
        out_ends[(keys[i] * _ODD) >> _TO_BUCKET] += 1
    start = 0
    for bucket in range(out_ends.size):
        size = out_ends[bucket]
        out_ends[bucket] = start
        start += size
    for i in range(keys.size):
        mixed = keys[i] * _ODD
        at = out_ends[mixed >> _TO_BUCKET]
        out_ends[mixed >> _TO_BUCKET] = at + 1
        out_records[at] = (mixed << _BITS) | np.uint64(cells[i])


@inner
def _clusters_of(bucket, records, edges, words, shifts, full, out_used, out_held):
    """What each cluster of a bucket holds, in slots `out_used`; returns how many clusters, -1 for too many records."""
    size = 0
    for part in range(edges.shape[0]):
        size += edges[part, bucket + 1] - edges[part, bucket]
    bits = 1
    while (1 << bits) < 8 * size:  # an eighth full at most, so that clusters seldom meet
        bits += 1
    mask, to_slot = (1 << bits) - 1, np.uint64(64 - bits)
    known = 0
    for part in range(edges.shape[0]):
        for i in range(edges[part, bucket], edges[part, bucket + 1]):
            tag, cell = records[i] | _CELL, records[i] & _CELL
            slot = np.int64(records[i] >> to_slot)
            there = out_held[slot, 0]
            while min(there, there ^ tag) != 0:  # neither free nor its own, in one question: of two, one is a toss-up
                slot = (slot + 1) & mask
                there = out_held[slot, 0]
            out_used[known] = slot
            known += np.int64(there == 0)  # added, not asked, for the same reason
            out_held[slot, 0] = tag
            count = out_held[slot, words[cell]] + (_ONE << shifts[cell])
            out_held[slot, words[cell]] = count
            if (count >> shifts[cell]) & full == full:
                return -1
    return known


@inner
def _find_sort(cluster, held, slots, sorts):
    """The slot of what a cluster holds, and the sort in it: -1 when no cluster so far held the same."""
    words, mask = held.shape[1], slots.size - 1
    mixed = np.uint64(0)
    for word in range(1, words):
        mixed = (mixed + held[cluster, word]) * _ODD
    slot = np.int64(((mixed ^ (mixed >> _HALF)) * _ODD) >> _HALF) & mask
    sort = slots[slot] - 1
    while sort >= 0:
        same = True
        for word in range(1, words):
            same = same and sorts[sort, word] == held[cluster, word]
        if same:
            break
        slot = (slot + 1) & mask
        sort = slots[slot] - 1
    return slot, sort


@kernel(
    "int64(uint64[::1], int64[:,::1], int64, int64, int64[::1], uint64[::1], uint64, int64[::1], uint64[:,::1],"
    " int64[::1], uint64[:,::1], int64[::1])",
    wraps=True,
)
def alike(
    records,
    edges,
    first,
    step,
    words,
    shifts,
    full,
    out_used,
    out_held,
    out_slots,
    out_sorts,
    out_n_clusters,
):
    """What the clusters of buckets first, first + step, ... hold, by sort; returns the number of sorts.

    Bucket b of part t of the records goes from edges[t, b] to edges[t, b + 1]. The counter of cell c begins at bit
    shifts[c] of word words[c], from 1. -1: a counter reached `full`, or there is no room for one more sort.

    `out_sorts[s]` is what clusters of sort s hold, `out_n_clusters[s]` how many they are. The rest is room to work in:
    `out_held` (a cluster's key, then its counters) and `out_slots` are zeros; the last is a power of two long, the
    first more than eight times the records of the largest bucket.
    """
    sorts = 0
    for bucket in range(first, edges.shape[1] - 1, step):
        known = _clusters_of(bucket, records, edges, words, shifts, full, out_used, out_held)
        if known < 0:
            return -1
        for i in range(known):
            cluster = out_used[i]
            slot, sort = _find_sort(cluster, out_held, out_slots, out_sorts)
            if sort < 0:
                if sorts == out_n_clusters.size:
                    return -1
                sort = sorts
                sorts += 1
                out_slots[slot], out_n_clusters[sort] = sorts, 0
                for word in range(out_held.shape[1]):
                    out_sorts[sort, word] = out_held[cluster, word]
            out_n_clusters[sort] += 1
            for word in range(out_held.shape[1]):
                out_held[cluster, word] = 0
    return sorts
