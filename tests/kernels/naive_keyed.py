"""Counting keys as the definition says, in slow plain Python. Imports nothing from disprop."""


def count(keys):
    """Distinct keys in order, and how often each occurs."""
    found = {}
    for key in keys:
        found[key] = found.get(key, 0) + 1
    return sorted(found.items())


def scan(parts, tables):
    """Counts of keys; rows left out; rows outside the period.

    parts: a list of (rows, first key of each row or None outside the period); a row is a list of codes. tables[c][code]
    is what a code of column c adds, None where a rule leaves the row out.
    """
    keys, left_out, outside = [], 0, 0
    for rows, firsts in parts:
        for row, first in zip(rows, firsts):
            added = [table[code] for table, code in zip(tables, row)]
            if first is None:
                outside += 1
            elif None in added:
                left_out += 1
            else:
                keys.append(first + sum(added))
    return count(keys), left_out, outside
