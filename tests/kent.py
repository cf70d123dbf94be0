"""Invented searches of one force, counted, and single rows of what is computed from them."""

import disprop as dp
from tests import naive
from tests.invent import CHOICES, SELF, many
from tests.sources import Rows

MONTHS = CHOICES["month"]
PERIOD = (MONTHS[0], MONTHS[-1])
KNOWN = tuple(label for label in SELF if naive.group5(label) in naive.GROUPS)


def counted(some, *axes, force="kent", **options):
    return dp.tally(Rows(some), by=["ethnicity_self", *axes], force=force, **options)


def kent(n=4000, **fixed):
    return many(n, force="kent", search_type="Person search", **fixed)


def row(frame, **codes):
    found = frame
    for column, code in codes.items():
        found = found[found[column] == code]
    assert len(found) == 1, found
    return found.iloc[0]
