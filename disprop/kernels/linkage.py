"""Joining records to clips by key and by interval.

Keys go into an open-addressing table with linear probing; the slot of a key is its group. The clips of a group lie
together, in order of start, and each knows the nearest clip before it that ends later (`up`). The clips that start by
one instant and end at or after another are then found from the last one backwards: a clip that ends too early says
where to go on, since all between end no later than it does. So a long early clip is neither missed nor walked to.
"""

from __future__ import annotations

import numpy as np

from disprop.kernels._jit import inner, kernel

NO_KEY, NOT_IN_TABLE = -1, -2

_NONE, _HALF = np.uint64(0), np.uint64(32)
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio


@inner
def _slot(key, table):
    """Where a key is, or would go."""
    mask = table.size - 1
    slot = np.int64((key * _ODD) >> _HALF) & mask
    while table[slot] != key and table[slot] != _NONE:
        slot = (slot + 1) & mask
    return slot


@kernel("int64(uint64[::1], int64, uint64[::1])", wraps=True)
def fill(keys, held, out_table):
    """Put keys into a table, a power of two long, that holds `held`; how many it holds then, -1 when over half full."""
    for i in range(keys.size):
        if keys[i] != _NONE:
            slot = _slot(keys[i], out_table)
            if out_table[slot] == _NONE:
                out_table[slot] = keys[i]
                held += 1
                if 2 * held > out_table.size:
                    return np.int64(-1)
    return np.int64(held)


@kernel("void(uint64[::1], uint64[::1], int64, int64, int32[::1], int32[::1])", wraps=True)
def find(keys, table, start, stop, out_slots, out_counts):
    """Slot of each key from start to stop, or NO_KEY, NOT_IN_TABLE; counts them by slot where there is room to."""
    for i in range(start, stop):
        if keys[i] == _NONE:
            out_slots[i] = -1
        else:
            slot = _slot(keys[i], table)
            if table[slot] == _NONE:
                out_slots[i] = -2
            else:
                out_slots[i] = slot
                if out_counts.size > 0:
                    out_counts[slot] += 1


@kernel("void(int32[::1], int64[::1], int64[::1], int64, int64, int64[::1], int64[:,::1], int32[::1])")
def group(slots, begins, finishes, start, stop, out_next, out_spans, out_rows):
    """Rows from start to stop to their group: `out_next` is where the next of each group goes.

    Whose spans they are is noted where `out_rows` has room to, here and when they are sorted.
    """
    for i in range(start, stop):
        slot = slots[i]
        if slot >= 0:
            at = out_next[slot]
            out_next[slot] = at + 1
            out_spans[at, 0] = begins[i]
            out_spans[at, 1] = max(begins[i], finishes[i])
            if out_rows.size > 0:
                out_rows[at] = i


@inner
def _sort(first, last, out_spans, out_rows):
    """Shell's sort by start, with steps that shrink by 4/9; one pass of comparisons where all is in order already."""
    step = np.int64(1)
    for at in range(first + 1, last):
        if out_spans[at, 0] < out_spans[at - 1, 0]:
            step = last - first
            break
    while step > 1:
        step = max(1, step * 4 // 9)
        for at in range(first + step, last):
            begin, finish = out_spans[at, 0], out_spans[at, 1]
            row = out_rows[at] if out_rows.size > 0 else np.int32(0)
            to = at
            while to >= first + step and out_spans[to - step, 0] > begin:
                out_spans[to, 0], out_spans[to, 1] = out_spans[to - step, 0], out_spans[to - step, 1]
                if out_rows.size > 0:
                    out_rows[to] = out_rows[to - step]
                to -= step
            out_spans[to, 0], out_spans[to, 1] = begin, finish
            if out_rows.size > 0:
                out_rows[to] = row


@kernel("void(int64[::1], int64, int64, int64[:,::1], int32[::1], int32[::1])")
def order(first, start, stop, out_spans, out_rows, out_up):
    """Sort the groups from start to stop by start; `out_up`: the nearest clip before that ends later, -1 when none."""
    for slot in range(start, stop):
        _sort(first[slot], first[slot + 1], out_spans, out_rows)
        for at in range(first[slot], first[slot + 1]):
            before = at - 1
            while before >= first[slot] and out_spans[before, 1] <= out_spans[at, 1]:
                before = np.int64(out_up[before])
            out_up[at] = before if before >= first[slot] else -1


@inner
def _after_last(spans, low, high, latest):
    """Position after the last of spans[low:high] that starts by `latest`."""
    while low < high:
        middle = (low + high) >> 1
        if spans[middle, 0] <= latest:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _cover(low, high, count, out_pieces):
    """Unite one interval with `count` disjoint pieces, the latest first; returns how many there are then."""
    after = count
    while after > 0 and out_pieces[after - 1, 1] < low:
        after -= 1
    at = after
    while at > 0 and out_pieces[at - 1, 0] <= high:
        at -= 1
        low, high = min(low, out_pieces[at, 0]), max(high, out_pieces[at, 1])
    if at == after:
        for to in range(count, at, -1):
            out_pieces[to, 0], out_pieces[to, 1] = out_pieces[to - 1, 0], out_pieces[to - 1, 1]
        count += 1
    elif after - at > 1:
        for to in range(after, count):
            out_pieces[to - after + at + 1, 0], out_pieces[to - after + at + 1, 1] = (
                out_pieces[to, 0],
                out_pieces[to, 1],
            )
        count -= after - at - 1
    out_pieces[at, 0], out_pieces[at, 1] = low, high
    return count


@kernel(
    "void(int32[::1], int64, int64, int64[::1], int32[:,::1], int64[::1], int64[:,::1], int32[::1], int32[::1],"
    " int64[::1], int64[:,::1], int32[::1], int32[::1], int64[::1], int64[::1], int32[:,::1], int64[:,::1], int32[::1])"
)
def sweep(
    rows, start, stop, times, who, first, spans, up, clip_rows,
    ref_first, ref_spans, ref_rows, ref_who, limits, pair_first, out, out_pieces, out_pairs,
):  # fmt: skip
    """What links to each of the records rows[start:stop].

    who: slots of officer, second officer and reference, negative = none. `out`: tier, contradicted (0 or 1), clips,
    seconds, from the start. `out_pieces`: room for the pieces of one window. Where `out_pairs` has room, the clips of
    record i go to it from pair_first[i].
    """
    before, after, within, horizon = limits[0], limits[1], limits[4], limits[5]
    for k in range(start, stop):
        i = np.int64(rows[k])
        t = times[i]
        tier, contradicted, clips, running, pieces = 0, 0, 0, 0, 0
        for role in range(3):
            slot = who[i, role]
            if slot < 0 or (role == 1 and slot == who[i, 0]):
                continue
            if role < 2:
                earliest, latest = t - limits[2 * role + 1], t + limits[2 * role]
                low, at = first[slot], _after_last(spans, first[slot], first[slot + 1], latest) - 1
            else:
                earliest, low, at = t, ref_first[slot], ref_first[slot + 1] - 1
            while at >= low:
                here = at
                at -= 1
                if role < 2:
                    begin, finish = spans[here, 0], spans[here, 1]
                    if finish < earliest:
                        at = np.int64(up[here])
                        continue
                    if tier == 0:
                        tier = 2 + role
                else:
                    begin, finish = ref_spans[here, 0], ref_spans[here, 1]
                    distance = max(begin - t, t - finish, 0)
                    own = ref_who[here] >= 0 and ref_who[here] == who[i, 0]
                    second = ref_who[here] >= 0 and ref_who[here] == who[i, 1]
                    if distance > horizon:
                        continue
                    if distance > within or not (own or second or ref_who[here] == -1 or who[i, 0] == -1):
                        contradicted = 1
                        continue
                    tier = 1
                    if own and begin <= t + before and finish >= t - after:
                        continue  # counted already
                    if second and begin <= t + limits[2] and finish >= t - limits[3]:
                        continue
                if begin <= t and t < finish:
                    running = 1
                if max(begin, t - after) < min(finish, t + before):
                    pieces = _cover(max(begin, t - after), min(finish, t + before), pieces, out_pieces)
                if out_pairs.size > 0:
                    out_pairs[pair_first[i] + clips] = clip_rows[here] if role < 2 else ref_rows[here]
                clips += 1
        seconds = np.int64(0)
        for piece in range(pieces):
            seconds += out_pieces[piece, 1] - out_pieces[piece, 0]
        out[i, 0], out[i, 1], out[i, 2], out[i, 3], out[i, 4] = tier, contradicted, clips, seconds, running


@kernel("void(int64[::1], int64[::1], int32[:,::1], int64[::1], int64[:,::1], int32[::1], uint8[::1])")
def touched(lows, highs, who, first, spans, up, out):
    """Set 1 where a clip of one of the two officers starts before `high` and ends at or after `low`."""
    for i in range(lows.size):
        for role in range(2):
            slot = who[i, role]
            if slot >= 0 and out[i] == 0:
                at = _after_last(spans, first[slot], first[slot + 1], highs[i] - 1) - 1
                while at >= first[slot] and spans[at, 1] < lows[i]:
                    at = np.int64(up[at])
                if at >= first[slot]:
                    out[i] = 1
