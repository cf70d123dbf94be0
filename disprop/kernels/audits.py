"""Simulated audits: how many records of each cell are drawn, and the Wilson limits that follow.

A cell is a group's records that meet the standard, or those that do not. The draws of one stratum are a chain: how many
of the first cell, then of the second among those left, and so on. Each link is one look-up in a table of
cumulative chances, so that drawing with or without replacement is a matter of the table alone. The random number is
addressed by audit and cell (see `resample`): audit 7 is the same audit however many are made, on any number of threads.
"""

from __future__ import annotations

import math

import numpy as np

from disprop.kernels._jit import kernel
from disprop.kernels.resample import two_uniforms

AUDIT = np.uint64(4)  # purpose of a random word; 1 to 3 are taken in `resample`


@kernel("void(uint64, int64, int64[::1], int64[:,::1], float64[::1], int64[:,:,::1])", wraps=True)
def draw(seed, first, sample, start, chances, out_counts):
    """Counts by audit, stratum and cell. Link `cell` with `left` still to draw: row at start + left (sample + 1)."""
    audits, strata, cells = out_counts.shape
    for audit in range(audits):
        for stratum in range(strata):
            left = sample[stratum]
            for cell in range(cells - 1):
                row = start[stratum, cell] + left * (sample[stratum] + 1)
                chance, _ = two_uniforms(seed, first + audit, stratum * cells + cell, 0, AUDIT)
                low, high = 0, left
                while low < high:
                    middle = (low + high) // 2
                    if chances[row + middle] > chance:
                        high = middle
                    else:
                        low = middle + 1
                out_counts[audit, stratum, cell] = low
                left -= low
            out_counts[audit, stratum, cells - 1] = left


@kernel(
    "void(int64[:,:,::1], int64, float64[::1], float64[::1], float64[::1], float64, int64, float64[::1], float64[::1])"
)
def wilson(counts, group, sample, weight, kept, squared, capped, out_low, out_high):
    """Wilson limits on the effective size, one pair per audit; nan for an empty group. Group -1 is everyone.

    squared: the square of the normal quantile. capped: 0 leaves out the cap on the effective size.
    """
    audits, strata, cells = counts.shape
    begin, end = (0, cells) if group < 0 else (2 * group, 2 * group + 2)
    for audit in range(audits):
        size, good, noise, records = 0.0, 0.0, 0.0, 0
        for stratum in range(strata):
            for cell in range(begin, end):
                n = counts[audit, stratum, cell]
                size += weight[stratum] * n
                noise += kept[stratum] * weight[stratum] ** 2 * n
                good += weight[stratum] * n * (1 - cell % 2)
                records += n
        if records == 0:
            out_low[audit], out_high[audit] = math.nan, math.nan
            continue
        share = good / size
        if noise <= 0.0:  # every record was drawn
            out_low[audit], out_high[audit] = share, share
            continue
        spread = 0.0
        for stratum in range(strata):
            met, unmet, drawn = 0.0, 0.0, sample[stratum]
            for cell in range(begin, end, 2):
                met += counts[audit, stratum, cell]
                unmet += counts[audit, stratum, cell + 1]
            score = met * (1.0 - share) - unmet * share
            square = met * (1.0 - share) ** 2 + unmet * share**2
            if drawn > 1.0:
                square = drawn / (drawn - 1.0) * (square - score**2 / drawn)
            spread += square * kept[stratum] * weight[stratum] ** 2
        variance = spread / size**2
        effective = size**2 / noise
        if 0.0 < share < 1.0 and variance > 1e-24 and records > 1:
            precise = records / (records - 1.0) * share * (1.0 - share) / variance
            effective = min(effective, precise) if capped else precise
        scale = 1.0 + squared / effective
        centre = (share + squared / (2.0 * effective)) / scale
        half = math.sqrt(squared * (share * (1.0 - share) / effective + squared / (4.0 * effective**2))) / scale
        out_low[audit] = 0.0 if share <= 0.0 else centre - half
        out_high[audit] = 1.0 if share >= 1.0 else centre + half
