"""One number for several columns of codes: what a tally of the commonest columns reads instead of each of them.

The codes of the columns are the digits of a number of mixed radix, the radices being the sizes of their vocabularies
when the segment was written. It stands beside the columns, in two bytes, and says nothing that they do not;
vocabularies only grow, so that its digits keep their meaning (docs/decisions/0017-store-scan-speed.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

JOINT_COLUMNS = ("ethnicity_self", "search_type", "linked", "gender", "age_band", "video_recorded")
"""Columns that may be in it, those most often asked for first."""

MOST_NUMBERS = 1 << 16
"""What two bytes hold."""


def joint_sizes(kinds: Mapping[str, str], labels: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The columns that the joint number of records with such columns is made of, and their radices; {} for none."""
    sizes: dict[str, int] = {}
    for name in JOINT_COLUMNS:
        if kinds.get(name) == "label" and prod(sizes.values()) * len(labels[name]) <= MOST_NUMBERS:
            sizes[name] = len(labels[name])
    return sizes if len(sizes) > 1 else {}


def joint_codes(columns: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> np.ndarray:
    """The joint number of each row."""
    number = np.zeros(len(columns[next(iter(sizes))]), dtype=np.uint32)
    for name, size in sizes.items():
        number = number * np.uint32(size) + columns[name]
    return number.astype(np.uint16)


def joint_word(sizes: Mapping[str, int]) -> str:
    """Columns and radices as the manifest writes them.

    >>> joint_word({"gender": 4, "linked": 3})
    'gender:4 linked:3'
    """
    return " ".join(f"{name}:{size}" for name, size in sizes.items())


def joint_from_word(word: str) -> dict[str, int]:
    """The opposite of `joint_word`."""
    return {name: int(size) for name, size in (one.split(":") for one in word.split())}
