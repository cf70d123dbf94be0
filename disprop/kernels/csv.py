"""Scanning the bytes of a regular CSV file of searches: fields, labels as numbers, instants and degrees in one pass.

Regular is what needs no judgement: no quote, no NUL, no carriage return but before a line feed, the same number of
fields in every line, a line feed at the end; dates in the one plain form, coordinates as plain decimals within given
limits. The kernel stops at the first line that is not so. It is told where a file starts and ends in a buffer of bytes,
and looks at labels and dates 8 bytes at a time. Where the buffer is read most, places are made unsigned: numba would
otherwise allow for places counted from the end, at every byte.
"""

from __future__ import annotations

import numpy as np

from disprop.kernels._jit import inner, kernel, word

PADDING = 16
"""Zero bytes that must follow the last file in the buffer."""
WORDS = 2048
"""Distinct labels that a column may have in one buffer."""
SLOTS = 4 * WORDS
PLACES = 256
"""Beginnings of labels that a column remembers."""
LONGEST_LINE = 65_536

UNUSED, DATE, LATITUDE, LONGITUDE = -1, -2, -3, -4
"""What a field is, beside the number of a label column."""

_COMMA, _LINE_FEED, _RETURN, _POINT, _MINUS = 44, 10, 13, 46, 45
_ENDS = np.int64(1 << 0 | 1 << 10 | 1 << 13 | 1 << 34 | 1 << 44)  # \0 \n \r " , end a field, or a regular file
_DATE_WIDTH, _DAY = 25, 86_400
_HIGH = np.uint64(0x8080808080808080)
# Least and greatest byte at each place of a plain date: the first 8, the next 8, and the last 8, which leave one out.
_LEAST, _GREATEST = b"0000-00-00T00:00:00+00:00", b"9999-19-39T29:59:59-29:59"
_LEAST_1, _LEAST_2, _LEAST_3 = (np.frombuffer(_LEAST[at : at + 8], np.uint64)[0] for at in (0, 8, 17))
_MOST_1, _MOST_2, _MOST_3 = (np.frombuffer(_GREATEST[at : at + 8], np.uint64)[0] | _HIGH for at in (0, 8, 17))
_LEFT_OUT, _COLON = 16, 58
_BAD = -(2**62)
_LONGEST_NUMBER = 15  # digits below 2^53, so that one division gives the nearest float64, as every correct parser does
_MIX = np.uint64(0x9E3779B97F4A7C15)
_TO_SLOT, _TO_PLACE, _FOLD = np.uint64(51), np.uint64(56), np.uint64(32)
_NONE, _ALL = np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF)


@inner
def _same(text, one, other, n):
    """Whether the `n` bytes at two places are the same; `n` is not 0."""
    if n < 8:
        return (word(text, one) ^ word(text, other)) << np.uint64(64 - 8 * n) == _NONE
    i, last = 0, n - 8
    while i < last and word(text, one + i) == word(text, other + i):
        i += 8
    return i >= last and word(text, one + last) == word(text, other + last)


@inner
def _find(text, at, n, slots, known):
    """The slot of a label of `n` bytes, and its number: -1 when it is new. `known` holds starts and lengths."""
    mixed = np.uint64(n)
    for i in range(0, n, 8):
        mixed ^= word(text, at + i) & (_ALL >> np.uint64(64 - 8 * min(n - i, 8)))
        mixed *= _MIX
        mixed ^= mixed >> _FOLD
    slot = np.int64((mixed * _MIX) >> _TO_SLOT)
    while slots[slot] != 0:
        code = np.int64(slots[slot]) - 1
        if known[2 * code + 1] == n and _same(text, at, known[2 * code], n):
            return slot, code
        slot = (slot + 1) & (SLOTS - 1)
    return slot, -1


@inner
def _number(text, at):
    """A plain decimal such as -1.85 (digits, and digits after a point if there is one), and where it ends."""
    sign = -1.0 if text[at] == _MINUS else 1.0
    first = at + 1 if text[at] == _MINUS else at
    whole, scale, point = np.int64(0), 1.0, np.int64(-1)
    i = first
    while True:
        digit = np.int64(text[np.uint64(i)]) - 48
        if 0 <= digit <= 9:
            whole = whole * 10 + digit
            scale = scale * 10.0 if point >= 0 else scale
        elif digit == _POINT - 48 and point < 0:
            point = i
        else:
            break
        i += 1
    if i == first or point == first or point == i - 1 or i - first > _LONGEST_NUMBER:
        return np.nan, i
    return sign * (whole / scale), i


@inner
def _two(text, at):
    return 10 * np.int64(text[np.uint64(at)]) + np.int64(text[np.uint64(at + 1)]) - 528


@inner
def _days(year, month, day):
    """Days since 1 January 1970 in the Gregorian calendar; years start in March, so that leap days come last."""
    year, month = (year - 1, month + 12) if month <= 2 else (year, month)
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719_469


@inner
def _within(here, least, most):
    """High bits of the bytes that are ASCII and within the bytes of `least` and `most` (whose high bits are set)."""
    return ((here | _HIGH) - least) & (most - here) & ~here


@inner
def _seconds(text, at):
    """UTC seconds of 2019-04-30T23:30:00+01:00, and of no other form."""
    good = _within(word(text, at), _LEAST_1, _MOST_1) & _within(word(text, at + 8), _LEAST_2, _MOST_2)
    good &= _within(word(text, at + 17), _LEAST_3, _MOST_3)
    if good & _HIGH != _HIGH or text[at + _LEFT_OUT] != _COLON:
        return _BAD
    year, month, day = 100 * _two(text, at) + _two(text, at + 2), _two(text, at + 5), _two(text, at + 8)
    hour, hours, sign = _two(text, at + 11), _two(text, at + 20), 44 - np.int64(text[at + 19])
    days = _days(year, month, day)
    if year < 1 or month < 1 or month > 12 or day < 1 or days >= _days(year, month + 1, 1) or hour > 23 or hours > 23:
        return _BAD
    if sign == 0:
        return _BAD
    minutes = _two(text, at + 14) - sign * _two(text, at + 23)
    return days * _DAY + (hour - sign * hours) * 3600 + minutes * 60 + _two(text, at + 17)


@inner
def _begins_as(text, at):
    """Where a column remembers the label that its last field with these 8 bytes at its beginning had."""
    return np.int64((word(text, at) * _MIX) >> _TO_PLACE)


@inner
def _ends(text, at):
    """Whether the byte at `at` ends a field, or a regular file."""
    byte = np.int64(text[np.uint64(at)])
    return byte <= _COMMA and (_ENDS >> byte) & 1 == 1


@inner
def _lines(text, start, stop):
    """How many line feeds there are, counted apart from the splitting; -1 where a byte is not ASCII."""
    n, most = 0, np.uint8(0)
    for i in range(start, stop):
        n += text[np.uint64(i)] == _LINE_FEED
        most |= text[np.uint64(i)]
    return n if most < 128 else -1 - n


@kernel(
    "int64(uint8[::1], int64[:,::1], int64[::1], float64[::1], int64[::1], int64,"
    " int64[:,::1], int32[:,::1], int64[:,::1], int64[::1], int64[:,::1], int32[:,::1], int64[:,::1], float64[:,::1])",
    wraps=True,
)
def scan(
    text, bounds, roles, limits, months, first_month,
    out_files, out_slots, out_labels, out_known, out_last, out_codes, out_times, out_degrees,
):  # fmt: skip
    """Scan the lines of several files, one after the other; returns how many files, up to the first irregular one.

    text: the buffer. bounds: where the lines of each file start and stop. roles: what each field of a line is. limits:
    least and greatest latitude, then longitude. months: the UTC second at which each month begins by UK local time,
    from month `first_month` on, and the end of the last.

    out_files: the row after the last of each file, its line feeds, and 1 where a byte is not ASCII. out_slots,
    out_labels, out_known: the labels of each column, as a hash table, where each first stood and its length, and how
    many they are. out_codes: each row's label in each column, -1 for blank. out_times: its instant (UTC seconds) and
    analysis month. out_degrees: latitude and longitude, NaN for blank.
    """
    row, month = 0, 0
    for file in range(bounds.shape[0]):
        at, stop = bounds[file, 0], bounds[file, 1]
        lines = _lines(text, at, stop)
        out_files[file, 1], out_files[file, 2] = (lines, 0) if lines >= 0 else (-1 - lines, 1)
        while at < stop:
            line = at
            for j in range(roles.size):
                begin, role, code, degrees, place = at, roles[j], -1, np.nan, 0
                if role >= 0 and text[np.uint64(at)] != _COMMA:
                    place = _begins_as(text, at)
                    code = out_last[role, place]
                    if code >= 0:
                        n = out_labels[role, 2 * code + 1]
                        if at + n < stop and _ends(text, at + n) and _same(text, at, out_labels[role, 2 * code], n):
                            at += n  # no label holds a byte that ends a field
                        else:
                            code = -1
                elif role == DATE and at + _DATE_WIDTH < stop:
                    at += _DATE_WIDTH
                elif role < DATE and text[np.uint64(at)] > _COMMA:
                    degrees, at = _number(text, at)
                if code < 0 and role > LATITUDE:
                    while not _ends(text, at):
                        at += 1
                if text[np.uint64(at)] != _COMMA and j < roles.size - 1:
                    return file
                if role >= 0:
                    if code < 0 and at > begin:
                        slot, code = _find(text, begin, at - begin, out_slots[role], out_labels[role])
                        if code < 0:
                            code = out_known[role]
                            if code == WORDS:
                                return file
                            out_slots[role, slot] = out_known[role] = code + 1
                            out_labels[role, 2 * code], out_labels[role, 2 * code + 1] = begin, at - begin
                        out_last[role, place] = code
                    out_codes[role, row] = code
                elif role == DATE:
                    seconds = _seconds(text, begin) if at - begin == _DATE_WIDTH else _BAD
                    if seconds < months[0] or seconds >= months[months.size - 1]:
                        return file
                    while seconds < months[month]:
                        month -= 1
                    while seconds >= months[month + 1]:
                        month += 1
                    out_times[0, row], out_times[1, row] = seconds, first_month + month
                elif role < DATE:
                    axis = LATITUDE - role
                    if at > begin and not limits[2 * axis] <= degrees <= limits[2 * axis + 1]:
                        return file
                    out_degrees[axis, row] = degrees
                at += 1
            if text[at - 1] == _RETURN:
                at += 1
            if text[at - 1] != _LINE_FEED or at > stop or at - line > LONGEST_LINE:
                return file
            row += 1
        out_files[file, 0] = row
    return bounds.shape[0]
