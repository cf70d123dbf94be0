"""Design-based estimates: means, totals, domains and their covariance for stratified and clustered samples.

Taylor linearisation with the first-stage finite-population correction. A domain is never cut out of the design:
records outside it stay, with score zero, so that its random size is paid for.

Validated against R survey 4.4.2 (tests/golden/audit_survey.csv). Sources: Cochran (1977), Sampling Techniques,
chapters 5 and 11; Lumley (2004), Journal of Statistical Software 9(8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from disprop.errors import UsageError

Array = np.ndarray


@dataclass(frozen=True)
class Design:
    """A drawn sample, one entry per record: weight, stratum code, cluster code; and per stratum its fraction.

    A cluster lies in one stratum; a sample of single records has one cluster per record. `fraction` is the share
    of the stratum's first-stage units that was drawn: 0 where no finite-population correction is wanted.
    """

    weight: Array
    stratum: Array
    cluster: Array
    fraction: Array

    @property
    def clustered(self) -> bool:
        return len(np.unique(self.cluster)) < len(self.cluster)

    @property
    def cluster_stratum(self) -> Array:
        stratum = np.zeros(self.cluster.max() + 1, np.int64)
        stratum[self.cluster] = self.stratum
        return stratum

    def degrees_of_freedom(self, inside: Array | None = None) -> int:
        """Clusters less strata: of the whole design, or of the part that a domain touches."""
        inside = np.ones(len(self.weight), bool) if inside is None else inside
        return len(np.unique(self.cluster[inside])) - len(np.unique(self.stratum[inside]))


class Estimate(NamedTuple):
    """An estimate, its design variance, and what an interval needs to know."""

    value: float
    variance: float
    records: int
    degrees_of_freedom: int

    @property
    def standard_error(self) -> float:
        return float(np.sqrt(self.variance))


def design(
    *,
    records: int,
    weight: ArrayLike | None = None,
    stratum: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    population: Any = None,
) -> Design:
    """A Design from plain columns. All are optional: a simple sample without correction has none of them.

    `population` is the number of first-stage units (records, or clusters) in each record's stratum: one number or
    one per record. With it the weights default to population / drawn, and the correction is made; without it
    the weights default to 1 and none is made.

    Raises: UsageError when a stratum has fewer units than were drawn from it, or two different populations.
    """
    strata = _codes(stratum, records)
    clusters = _codes_within(cluster, strata, records)
    drawn = np.bincount(_cluster_strata(clusters, strata), minlength=strata.max() + 1)
    if population is None:
        fraction, default = np.zeros(len(drawn)), np.ones(records)
    else:
        size = _population(population, strata, drawn, records)
        fraction, default = drawn / size, (size / drawn)[strata]
    weights = default if weight is None else np.broadcast_to(np.asarray(weight, float), (records,))
    return Design(weights, strata, clusters, fraction)


def covariance(design: Design, scores: Array) -> Array:
    """Design covariance of the totals of `scores` (records x k; weights already inside), a k x k array.

    Strata with one unit drawn of several: its deviation is taken from zero, the mean of all scores, which errs
    on the wide side. Strata drawn whole add nothing.
    """
    scores = np.asarray(scores, float).reshape(len(design.weight), -1)
    totals = _sums(design.cluster, scores)
    stratum = design.cluster_stratum
    drawn = np.bincount(stratum, minlength=len(design.fraction))
    means = _sums(stratum, totals, len(drawn)) / drawn[:, None]
    single = drawn == 1
    means[single] = totals.mean(axis=0)
    factor = np.sqrt((1 - design.fraction) * np.where(single, 1.0, drawn / np.maximum(drawn - 1, 1)))
    deviations = (totals - means[stratum]) * factor[stratum][:, None]
    return deviations.T @ deviations


def mean_scores(design: Design, values: Array, inside: Array) -> tuple[float, Array]:
    """The weighted mean over a domain and each record's linearised score; (nan, zeros) for an empty domain."""
    weight = design.weight * inside
    total = weight.sum()
    if not total:
        return float("nan"), np.zeros(len(weight))
    values = np.where(inside, values, 0.0)
    mean = float((weight * values).sum() / total)
    return mean, weight * (values - mean) / total


def domain_mean(design: Design, values: Array, inside: Array | None = None) -> Estimate:
    """Mean over a domain (everyone by default).

    >>> import numpy as np
    >>> sample = design(records=97, population=26372)
    >>> found = domain_mean(sample, np.repeat([1.0, 0.0], [84, 13]))
    >>> round(found.value, 4), round(found.standard_error, 4)
    (0.866, 0.0347)
    """
    inside = _everyone(design, inside)
    mean, scores = mean_scores(design, values, inside)
    return _estimate(design, mean, scores, inside)


def domain_total(design: Design, values: Array, inside: Array | None = None) -> Estimate:
    """Total over a domain in the population: the weights must be those of the draw."""
    inside = _everyone(design, inside)
    scores = np.where(inside, values, 0.0) * design.weight
    return _estimate(design, float(scores.sum()), scores, inside)


def domain_contrast(design: Design, values: Array, group: Array, reference: Array) -> tuple[Estimate, Estimate, float]:
    """Means of two domains and the covariance between them."""
    first, first_scores = mean_scores(design, values, group)
    second, second_scores = mean_scores(design, values, reference)
    matrix = covariance(design, np.column_stack([first_scores, second_scores]))
    one = Estimate(first, float(matrix[0, 0]), int(group.sum()), design.degrees_of_freedom(group))
    two = Estimate(second, float(matrix[1, 1]), int(reference.sum()), design.degrees_of_freedom(reference))
    return one, two, float(matrix[0, 1])


def domain_difference(design: Design, values: Array, group: Array, reference: Array) -> Estimate:
    """Mean of `group` less mean of `reference`."""
    one, two, shared = domain_contrast(design, values, group, reference)
    variance = one.variance + two.variance - 2 * shared
    return Estimate(one.value - two.value, variance, one.records + two.records, design.degrees_of_freedom())


def domain_log_ratio(design: Design, values: Array, group: Array, reference: Array) -> Estimate:
    """Natural log of the mean of `group` over the mean of `reference`; nan where either mean is 0."""
    one, two, shared = domain_contrast(design, values, group, reference)
    records, degrees = one.records + two.records, design.degrees_of_freedom()
    if not (one.value > 0 and two.value > 0):
        return Estimate(float("nan"), float("nan"), records, degrees)
    variance = one.variance / one.value**2 + two.variance / two.value**2 - 2 * shared / (one.value * two.value)
    return Estimate(float(np.log(one.value / two.value)), variance, records, degrees)


def design_effect(design: Design, values: Array, inside: Array | None = None) -> float:
    """Design variance over that of a simple sample, without replacement, of as many records of the domain.

    nan when every value is the same, or when every record was drawn.
    """
    inside = _everyone(design, inside)
    weight, kept = design.weight[inside], np.asarray(values, float)[inside]
    drawn, size = len(kept), weight.sum()
    mean = (weight * kept).sum() / size
    spread = (weight * (kept - mean) ** 2).sum() / size * drawn / max(drawn - 1, 1)
    simple = spread / drawn * (size - drawn) / size
    return domain_mean(design, values, inside).variance / simple if simple > 0 else float("nan")


def _estimate(design: Design, value: float, scores: Array, inside: Array) -> Estimate:
    variance = float(covariance(design, scores)[0, 0])
    return Estimate(value, variance, int(inside.sum()), design.degrees_of_freedom(inside))


def _everyone(design: Design, inside: Array | None) -> Array:
    return np.ones(len(design.weight), bool) if inside is None else inside


def _sums(codes: Array, rows: Array, size: int = 0) -> Array:
    return np.column_stack([np.bincount(codes, column, size) for column in rows.T])


def _codes(values: ArrayLike | None, records: int) -> Array:
    return np.zeros(records, np.int64) if values is None else np.unique(np.asarray(values), return_inverse=True)[1]


def _codes_within(cluster: ArrayLike | None, strata: Array, records: int) -> Array:
    if cluster is None:
        return np.arange(records)
    codes = _codes(cluster, records)
    return _codes(codes * (int(strata.max()) + 1) + strata, records)


def _cluster_strata(clusters: Array, strata: Array) -> Array:
    return strata[np.unique(clusters, return_index=True)[1]]


def _population(population: Any, strata: Array, drawn: Array, records: int) -> Array:
    values = np.broadcast_to(np.asarray(population, float), (records,))
    size = np.zeros(len(drawn))
    size[strata] = values
    if (values != size[strata]).any():
        raise UsageError("one stratum came with two populations; wanted one number for each stratum")
    short = np.flatnonzero(size < drawn)
    if len(short):
        raise UsageError(
            f"stratum {short[0] + 1} has {size[short[0]]:g} units, but {drawn[short[0]]} were drawn from it"
        )
    return size
