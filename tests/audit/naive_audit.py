"""Slow truth for the audit: definitions in plain Python, nothing of disprop."""

from fractions import Fraction
from math import comb


def survey_mean(values, weights, strata, clusters, populations, inside):
    """Weighted mean of a domain and its linearised variance, by sums over strata and clusters.

    `populations` maps a stratum to its number of first-stage units, or is None for no correction.
    """
    rows = range(len(values))
    size = sum(weights[i] for i in rows if inside[i])
    mean = sum(weights[i] * values[i] for i in rows if inside[i]) / size
    score = [weights[i] * (values[i] - mean) / size if inside[i] else 0.0 for i in rows]
    totals = {}
    for i in rows:
        key = (strata[i], clusters[i])
        totals[key] = totals.get(key, 0.0) + score[i]
    grand = sum(totals.values()) / len(totals)
    variance = 0.0
    for stratum in set(strata):
        units = [total for (where, _), total in totals.items() if where == stratum]
        drawn = len(units)
        fraction = drawn / populations[stratum] if populations else 0.0
        if drawn == 1:
            variance += (1 - fraction) * (units[0] - grand) ** 2
            continue
        centre = sum(units) / drawn
        variance += (1 - fraction) * drawn / (drawn - 1) * sum((unit - centre) ** 2 for unit in units)
    return mean, variance


def hypergeometric_limits(met, sample, records, tail):
    """Counts M with both tails above `tail` (a Fraction), by trying every M with exact fractions."""
    ways = comb(records, sample)

    def chance(count, low, high):
        found = sum(comb(count, x) * comb(records - count, sample - x) for x in range(low, high + 1) if sample >= x)
        return Fraction(found, ways)

    inside = [
        count
        for count in range(records + 1)
        if chance(count, met, min(sample, count)) > tail and chance(count, 0, met) > tail
    ]
    return min(inside), max(inside)


def cohen(pairs):
    answers = sorted({answer for pair in pairs for answer in pair})
    n = len(pairs)
    observed = sum(one == two for one, two in pairs) / n
    expected = sum(
        sum(one == answer for one, _ in pairs) / n * sum(two == answer for _, two in pairs) / n for answer in answers
    )
    return (observed - expected) / (1 - expected)


def gwet_ac1(rows):
    """Rows of ratings, None where missing; items with two ratings or more make the observed agreement."""
    rated = [[answer for answer in row if answer is not None] for row in rows]
    rated = [row for row in rated if row]
    answers = sorted({answer for row in rated for answer in row})
    pairs = [
        sum(row.count(a) * (row.count(a) - 1) for a in answers) / (len(row) * (len(row) - 1))
        for row in rated
        if len(row) > 1
    ]
    observed = sum(pairs) / len(pairs)
    rate = {a: sum(row.count(a) / len(row) for row in rated) / len(rated) for a in answers}
    expected = sum(p * (1 - p) for p in rate.values()) / (len(answers) - 1)
    return (observed - expected) / (1 - expected)


def krippendorff_nominal(rows):
    """1 - observed / expected disagreement, over every pair of ratings within and between items."""
    rated = [[answer for answer in row if answer is not None] for row in rows]
    rated = [row for row in rated if len(row) > 1]
    values = [answer for row in rated for answer in row]
    n = len(values)
    observed = (
        sum(
            sum(a != b for i, a in enumerate(row) for j, b in enumerate(row) if i != j) / (len(row) - 1)
            for row in rated
        )
        / n
    )
    expected = sum(a != b for i, a in enumerate(values) for j, b in enumerate(values) if i != j) / (n * (n - 1))
    return 1 - observed / expected
