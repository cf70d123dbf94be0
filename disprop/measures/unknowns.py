"""What the records of unknown ethnicity could change: tipping, allocation, imputation, agreement.

Sampling uncertainty (limits) and uncertainty about the unknown (these functions, and the bounds of every ratio) are two
things and are never merged into one interval, but for the imputation that says so. None of these figures is a headline:
each rests on an assumption, which its flag names.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from disprop.coverage import covered_only
from disprop.errors import UsageError
from disprop.measures.exposed import Holes, cover_for, default_by
from disprop.measures.pairs import EVERYONE, Pairs, pair_frame, pair_up, sides
from disprop.measures.shares import plain_shares
from disprop.results import join_flags
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

RESEMBLE = "assumes unknowns resemble the stated within strata"
STRATA = ("month", "ethnicity_officer")
IMPUTATIONS = 200
PRIOR = 0.5


def tipping_share(
    tally: Tally,
    population: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] | None = None,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Share of the unknown records that would have to be the group's, the rest the reference's, for a ratio of 1.

    Near 0 or 1 the finding is fragile only to extreme unknowns; no estimate where no share from 0 to 1 does it: then
    the ratio stays on its side of 1 whatever the unknowns are, and the flag says so. No unknown records: no estimate.

    share = ((c + u) / n0 - a / n1) / (u / n1 + u / n0), with u unknown records.

    Arguments and errors as `rate_ratio`; the reference is a named group or "everyone else". Unit: "share of unknown".

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self"])
    >>> tipping_share(searches, dp.synthetic.population(), by=[])[["ethnicity_self", "estimate"]].round(3)
      ethnicity_self  estimate
    0          Mixed       NaN
    1          Asian       NaN
    2          Black       NaN
    3          Other     0.011
    """
    if reference == EVERYONE:
        raise UsageError("a tipping share needs two sides; give a group or 'everyone else' as the reference")
    pairs = pair_up(tally, population, of, reference, by, holes, False)
    a, n1, c, n0, u = pairs.a, pairs.n1, pairs.c, pairs.n0, pairs.unknown
    with np.errstate(divide="ignore", invalid="ignore"):
        share = ((c + u) / n0 - a / n1) / (u / n1 + u / n0)
    tips = (share >= 0) & (share <= 1) & (pairs.reason == "")
    flags = np.where(
        (pairs.reason == "") & ~tips, "no share of the unknowns brings the ratio to 1", "the rest to the reference"
    )
    frame = pair_frame(
        pairs,
        {
            "measure": "tipping_share",
            "estimate": np.where(tips, share, np.nan),
            "unit": "share of unknown",
        },
    )
    frame["flag"] = [join_flags(old, new) for old, new in zip(frame["flag"], flags)]
    return frame


def rate_ratio_allocated(
    tally: Tally,
    population: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] = ("force",),
    strata: Sequence[str] = STRATA,
    holes: Holes = "whole",
) -> pd.DataFrame:
    """Rate ratio with the unknown records shared out like the stated ones of the same stratum.

    Strata are month x officer-defined ethnicity unless named; sharing out within a whole force would change nothing. A
    stratum without stated records borrows the shares of its other axes over all months, else those of the force. The
    ratio has no limits: this is one assumption worked out, and the step from the recorded ratio is what it shows.
    Compare with `bound_low` and `bound_high`, which assume nothing.

    allocated count of a group = stated + sum over strata of unknown x (stated of the group / stated of all groups).

    tally: axes of the strata besides `of`. by: "force", or nothing for all forces together.
    Arguments and errors otherwise as `rate_ratio`. Unit: "ratio".

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self", "ethnicity_officer"])
    >>> allocated = rate_ratio_allocated(searches, dp.synthetic.population())
    >>> allocated[["ethnicity_self", "numerator", "estimate"]].round(2)
      ethnicity_self  numerator  estimate
    0          Mixed     973.07      1.95
    1          Asian    3841.10      1.64
    2          Black    2395.73      3.10
    3          Other      89.52      0.93
    """
    pairs, stated, unknown, group, other = _stratified(tally, population, of, reference, by, strata, holes)
    completed = stated + unknown[..., None] * stated_shares(stated)
    allocated = completed.reshape(len(stated), -1, stated.shape[-1]).sum(axis=1)
    a, c = (allocated @ group.T).reshape(-1), (allocated @ other.T).reshape(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = pairs.n1 * c / pairs.n0
        ratio = np.where((pairs.reason == "") & (c > 0), a / expected, np.nan)
    frame = pair_frame(
        pairs,
        {
            "measure": "rate_ratio_allocated",
            "numerator": a,
            "denominator": np.where(pairs.reason == "", expected, np.nan),
            "estimate": ratio,
            "method": f"allocated within {' x '.join(strata)}",
            "unit": "ratio",
        }
        | _bounds(pairs),
    )
    frame["flag"] = [join_flags(flag, RESEMBLE) for flag in frame["flag"]]
    return frame


def rate_ratio_imputed(
    tally: Tally,
    population: Tally,
    *,
    of: str = "ethnicity_self",
    reference: str = "White",
    by: Sequence[str] = ("force",),
    strata: Sequence[str] = STRATA,
    holes: Holes = "whole",
    confidence: float = 0.95,
    seed: int = 1,
    imputations: int = IMPUTATIONS,
) -> pd.DataFrame:
    """Rate ratio by proper multiple imputation of the unknown records from the counts of their stratum.

    Each imputation draws a stratum's shares from Dirichlet(stated + 1/2), so that their own uncertainty counts, then
    its unknown records from a multinomial. Log ratios are pooled by Rubin's rules (Rubin 1987) with variance 1/a + 1/c
    within, limits from t. A comparison with a zero count in some imputation has no estimate. The limits take in what is
    not known about the unknown only if they resemble the stated of their stratum, and no dispersion by month; the
    figure is never the headline.

    seed: each force draws from a stream of its own, keyed by seed and force, so that a result does not depend on what
    else is tallied. Arguments and errors otherwise as `rate_ratio_allocated`. Unit: "ratio".

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self", "ethnicity_officer"])
    >>> imputed = rate_ratio_imputed(searches, dp.synthetic.population())
    >>> imputed[["ethnicity_self", "estimate", "low", "high"]].round(1)
      ethnicity_self  estimate  low  high
    0          Mixed       2.0  1.8   2.1
    1          Asian       1.6  1.6   1.7
    2          Black       3.1  3.0   3.2
    3          Other       1.0  0.8   1.2
    """
    pairs, stated, unknown, group, other = _stratified(tally, population, of, reference, by, strata, holes)
    names = pairs.groups.get("force", [""] * len(pairs.a))[:: len(group)]
    drawn = np.array(
        [_imputed(stated[i], unknown[i], imputations, _stream(seed, name)) for i, name in enumerate(names)]
    )
    a, c = (drawn @ side.T for side in (group, other))
    n1, n0 = (years.reshape(len(names), 1, -1) for years in (pairs.n1, pairs.n0))
    estimate, low, high = pool_log_ratios(a, n1, c, n0, confidence=confidence)
    open_to = pairs.reason == ""
    frame = pair_frame(
        pairs,
        {
            "measure": "rate_ratio_imputed",
            "numerator": a.mean(axis=1).reshape(-1),
            "estimate": np.where(open_to, estimate.reshape(-1), np.nan),
            "low": np.where(open_to, low.reshape(-1), np.nan),
            "high": np.where(open_to, high.reshape(-1), np.nan),
            "confidence": confidence,
            "method": f"rubin, {imputations} imputations within {' x '.join(strata)}",
            "unit": "ratio",
        }
        | _bounds(pairs),
    )
    frame["flag"] = [join_flags(flag, RESEMBLE) for flag in frame["flag"]]
    return frame


def pool_log_ratios(
    a: np.ndarray, n1: np.ndarray, c: np.ndarray, n0: np.ndarray, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratio and limits pooled over imputations by Rubin's rules on the log scale.

    A zero count in any imputation leaves no estimate (NaN). Without variation between imputations t becomes normal.

    T = W + (1 + 1/M) B, W the mean of 1/a + 1/c, B the variance of the log ratios; t with
    (M - 1) (1 + W / ((1 + 1/M) B))^2 degrees of freedom.

    a, c: counts, shape (slices, imputations, comparisons); n1, n0: exposure, broadcastable. Returns three arrays of
    shape (slices, comparisons).

    >>> import numpy as np
    >>> a, c = np.array([[[20], [24], [22]]]), np.array([[[40], [38], [39]]])
    >>> [round(float(x[0, 0]), 3) for x in pool_log_ratios(a, np.array(1.0), c, np.array(2.0))]
    [1.125, 0.617, 2.054]
    """
    from scipy.special import ndtri, stdtrit

    m = a.shape[1]
    some = (a > 0).all(axis=1) & (c > 0).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(a) - np.log(n1) - np.log(c) + np.log(n0)
        within = (1 / a + 1 / c).mean(axis=1)
        between = (1 + 1 / m) * logs.var(axis=1, ddof=1)
        freedom = (m - 1) * (1 + within / between) ** 2
        quantile = np.where(
            np.isfinite(freedom),
            stdtrit(np.where(np.isfinite(freedom), freedom, 1), 0.5 + confidence / 2),
            ndtri(0.5 + confidence / 2),
        )
        half = quantile * np.sqrt(within + between)
        middle = np.where(some, logs.mean(axis=1), np.nan)
    return np.exp(middle), np.exp(middle - half), np.exp(middle + half)


def agreement_matrix(tally: Tally, *, by: Sequence[str] = ("force",), confidence: float = 0.95) -> pd.DataFrame:
    """How officers recorded the people of each self-defined group: one row a pair of codes, share of the self-defined.

    Unknown codes have rows of their own on both sides: how officers record people who did not state an ethnicity says
    whether those resemble the rest. Limits: Wilson. Tally axes: `ethnicity_self` and `ethnicity_officer`.

    Returns columns as in `disprop.results.COLUMNS`, unit "share of self-defined group".

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self", "ethnicity_officer"])
    >>> matrix = agreement_matrix(searches)
    >>> matrix[matrix["ethnicity_self"] == "Mixed"][["ethnicity_officer", "numerator", "estimate"]].round(2)
       ethnicity_officer  numerator  estimate
    6              White      170.0      0.21
    7              Mixed       33.0      0.04
    8              Asian      107.0      0.13
    9              Black      395.0      0.48
    10             Other       95.0      0.12
    11             blank       21.0      0.03
    """
    names = [name for name in by if name not in ("ethnicity_self", "ethnicity_officer")]
    turned = tally.project([*names, "ethnicity_self", "ethnicity_officer"])
    n = turned.counts
    whole = np.broadcast_to(n.sum(axis=-1, keepdims=True), n.shape)
    unit = "share of self-defined group"
    return plain_shares(turned.axes, n > 0, n, whole, confidence, measure="agreement_matrix", unit=unit)


def agreement_share(tally: Tally, *, by: Sequence[str] | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Share of records on which self-defined and officer-defined ethnicity agree, where both are known.

    Officers rarely record Mixed, so that people who describe themselves so mostly count as disagreement.

    by: axes of the rows; default every other axis of the tally but month. Limits: Wilson. Unit: "share of searches".

    >>> import disprop as dp
    >>> searches = dp.tally(dp.synthetic.make_records(), by=["ethnicity_self", "ethnicity_officer"])
    >>> agreement_share(searches)[["estimate", "low", "high", "n_unknown"]].round(3)
       estimate    low   high  n_unknown
    0     0.913  0.908  0.917       3108
    """
    names = default_by(tally) if by is None else by
    names = [name for name in names if name not in ("ethnicity_self", "ethnicity_officer")]
    turned = tally.project([*names, "ethnicity_self", "ethnicity_officer"])
    known = [np.isin(axis.codes, axis.groups) for axis in turned.axes[-2:]]
    both = (turned.counts * np.outer(*known)).sum(axis=(-1, -2))
    agree = np.trace(turned.counts * np.outer(*known), axis1=-2, axis2=-1)
    every = turned.counts.sum(axis=(-1, -2))
    return plain_shares(
        turned.axes[:-2], np.asarray(both > 0), agree, both, confidence,
        measure="agreement_share", unit=f"share of {tally.unit}", n_unknown=every - both,
    )  # fmt: skip


def _stratified(
    tally: Tally, population: Tally, of: str, reference: str, by: Sequence[str], strata: Sequence[str], holes: Holes
) -> tuple[Pairs, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Comparisons, stated counts (slice x strata... x group), unknown counts, and who is in group and reference."""
    by = [name for name in by if name != of]
    if by not in ([], ["force"]):
        raise UsageError(f"unknowns are shared out by force or over all forces, not by {', '.join(by)}")
    if of in strata or not strata:
        raise UsageError(f"strata need an axis other than {of}")
    pairs = pair_up(tally, population, of, reference, by, holes, False)
    cut = covered_only(tally, cover_for(tally, population, by)[0]).project([*by, *strata, of])
    known = np.isin(cut.axis(of).codes, cut.axis(of).groups)
    group, other = sides(cut.axis(of), reference)
    counts = cut.counts if by else cut.counts[None]
    return pairs, counts[..., known], counts[..., ~known].sum(axis=-1), group[:, known], other[:, known]


def stated_shares(stated: np.ndarray) -> np.ndarray:
    """Share of each group among the stated of a stratum; without any, over its first axis, else over all strata."""
    levels = [
        stated,
        stated.sum(axis=1, keepdims=True),
        stated.sum(axis=tuple(range(1, stated.ndim - 1)), keepdims=True),
    ]
    shares = np.zeros(stated.shape)
    for level in reversed(levels):
        total = level.sum(axis=-1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(total > 0, level / total, shares)
    return shares


def _imputed(stated: np.ndarray, unknown: np.ndarray, imputations: int, rng: np.random.Generator) -> np.ndarray:
    """Completed counts of one force, imputation x group."""
    flat, u = stated.reshape(-1, stated.shape[-1]), unknown.reshape(-1)
    open_strata = u > 0
    weights = rng.gamma(np.broadcast_to(flat[open_strata] + PRIOR, (imputations, *flat[open_strata].shape)))
    shares = weights / weights.sum(axis=-1, keepdims=True)
    return np.asarray(flat.sum(axis=0) + rng.multinomial(u[open_strata], shares).sum(axis=1))


def _stream(seed: int, force: str) -> np.random.Generator:
    """Random numbers that depend on the seed and the force alone."""
    key = sha256(f"disprop-impute-1\0{seed}\0{force}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big")))


def _bounds(pairs: Pairs) -> dict[str, np.ndarray]:
    """The ratio with all unknowns on one side, then on the other: what no assumption can go beyond."""
    inside = pairs.unknown if pairs.reference == EVERYONE else 0
    with np.errstate(divide="ignore", invalid="ignore"):
        low = (pairs.a / pairs.n1) / ((pairs.c + pairs.unknown) / pairs.n0)
        high = ((pairs.a + pairs.unknown) / pairs.n1) / ((pairs.c + inside) / pairs.n0)
    open_to = pairs.reason == ""
    return {"bound_low": np.where(open_to, low, np.nan), "bound_high": np.where(open_to, high, np.nan)}
