"""Slow truth about people and their searches, from plain rows. Imports nothing from disprop."""

import math
from collections import Counter
from itertools import product

GROUPS = ("White", "Mixed", "Asian", "Black", "Other")
OF_LABEL = {"White": "White", "Mixed/Multiple ethnic groups": "Mixed", "Asian/Asian British": "Asian"}
OF_LABEL |= {"Black/African/Caribbean/Black British": "Black", "Other ethnic group": "Other"}
Z = 1.959963984540054


def group(row):
    """Group of the 5 that a row states, or why it is not known."""
    label = row.get("ethnicity_self")
    if label is None:
        return "blank"
    if label.endswith("Not stated"):
        return "not stated"
    return OF_LABEL.get(label.split(" - ")[0], "unmapped")


def of_people(rows):
    return [row for row in rows if row.get("search_type") != "Vehicle search"]


def cell(row, by):
    return tuple(group(row) if name == "ethnicity_self" else row[name] for name in by)


def times(rows, by, among=None):
    """Cell -> (force, person) -> searches, of the searches of people that name one (and state one of `among`)."""
    found = {}
    for row in of_people(rows):
        if row.get("person") and (among is None or group(row) in among):
            found.setdefault(cell(row, by), Counter())[row["force"], row["person"]] += 1
    return found


def records(rows, by):
    return Counter(cell(row, by) for row in of_people(rows))


def share_of_repeats(people):
    """Searches on people searched more than once, of all."""
    return sum(n for n in people.values() if n > 1), sum(people.values())


def share_deviation(people):
    """Standard deviation of that share over its own for independent searches, squared: straight from the definition."""
    repeats, n = share_of_repeats(people)
    share = repeats / n
    if share in (0, 1):
        return 1.0 if share == 0 else max(1.0, sum(m * m for m in people.values()) / n)
    total = sum(((m if m > 1 else 0) - share * m) ** 2 for m in people.values())
    return max(1.0, total / (n * share * (1 - share)))


def bounds_of_repeats(people, unknown):
    """Least and greatest share over every way that unknown searches can belong to those people or to new ones."""
    shares = []
    known = list(people.values())
    for who in product(range(len(known) + unknown), repeat=unknown):
        counts = Counter(dict(enumerate(known)))
        counts.update(who)
        repeats, n = share_of_repeats(counts)
        shares.append(repeats / n)
    return min(shares), max(shares)


def wilson(events, trials, z=Z):
    """Limits of a proportion of real-valued counts."""
    p = events / trials
    middle = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return middle - half, middle + half


def variance(people, others):
    """Var(ln ratio): sum of m^2 / a^2 + sum of m^2 / c^2."""
    return sum(sum(m * m for m in side.values()) / sum(side.values()) ** 2 for side in (people, others))


def ratio_limits(a, c, n1, n0, phi):
    """Score limits of (a / n1) / (c / n0) with counts divided by a dispersion."""
    low, high = wilson(a / phi, (a + c) / phi)
    return low / (1 - low) * n0 / n1, high / (1 - high) * n0 / n1
