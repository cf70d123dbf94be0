"""Slow definitions in plain Python, from the formulas; nothing here imports disprop."""

import math
from itertools import combinations
from statistics import NormalDist, mean, median, stdev

NORMAL = NormalDist()


# Forces ----------------------------------------------------------------------------------------------------------


def lines(values, scale):
    """Lower line, centre, upper line at one standard deviation."""
    x = [math.log(v) for v in values] if scale == "log" else list(values)
    ends = mean(x) - stdev(x), mean(x), mean(x) + stdev(x)
    return tuple(math.exp(end) for end in ends) if scale == "log" else ends


def inverse_variance_mean(estimates, variances):
    return sum(y / v for y, v in zip(estimates, variances)) / sum(1 / v for v in variances)


def dersimonian_laird(estimates, errors):
    """Variance between forces, and the random-effects mean."""
    variances = [s * s for s in errors]
    weights = [1 / v for v in variances]
    centre = inverse_variance_mean(estimates, variances)
    q = sum(w * (y - centre) ** 2 for w, y in zip(weights, estimates))
    spare = sum(weights) - sum(w * w for w in weights) / sum(weights)
    tau2 = max(0.0, (q - (len(estimates) - 1)) / spare)
    return tau2, inverse_variance_mean(estimates, [v + tau2 for v in variances])


def quantile(values, share):
    """Linear between the order statistics, as R's type 7."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def winsorised_phi(estimates, errors, share):
    """Mean of squared z about the inverse-variance mean, the ends pulled in to their quantiles."""
    centre = inverse_variance_mean(estimates, [s * s for s in errors])
    z = [(y - centre) / s for y, s in zip(estimates, errors)]
    low, high = quantile(z, share), quantile(z, 1 - share)
    return mean([min(max(one, low), high) ** 2 for one in z])


def ranks(estimates, errors, confidence):
    """(low, high) rank of each: apart only where a Bonferroni interval of the difference leaves 0."""
    n = len(estimates)
    k = NORMAL.inv_cdf(1 - (1 - confidence) / (n * (n - 1)))
    low, high = [1] * n, [n] * n
    for i, j in combinations(range(n), 2):
        gap = estimates[i] - estimates[j]
        if abs(gap) > k * math.hypot(errors[i], errors[j]):
            upper, lower = (i, j) if gap > 0 else (j, i)
            low[lower] += 1
            high[upper] -= 1
    return list(zip(low, high))


# Alarms -----------------------------------------------------------------------------------------------------------


def binomial_tail(x, n, p):
    """P(X >= x) of a binomial."""
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(x, n + 1))


def rings(x, past, share, tail):
    """1, -1 or 0: whether a count x is too many, or too few, given x + past and the share of exposure that is now."""
    if binomial_tail(x, x + past, share) <= tail:
        return 1
    return -1 if 1 - binomial_tail(x + 1, x + past, share) <= tail else 0


# Time -------------------------------------------------------------------------------------------------------------


def log_likelihood(x, n, of_trials):
    """Of one level, at its maximum, terms that no split changes left out."""
    if x == 0 or (of_trials and x == n):
        return 0.0
    found = x * math.log(x / n)
    return found + (n - x) * math.log(1 - x / n) if of_trials else found


def best_split(events, exposure, of_trials, fewest=3):
    """(first month after, statistic) of the likeliest change."""
    whole = log_likelihood(sum(events), sum(exposure), of_trials)
    gains = {}
    for at in range(fewest, len(events) - fewest + 1):
        parts = [(sum(events[side]), sum(exposure[side])) for side in (slice(0, at), slice(at, None))]
        gains[at] = 2 * (sum(log_likelihood(*part, of_trials) for part in parts) - whole)
    at = max(gains, key=lambda split: gains[split])
    return at, gains[at]


def dispersion(events, base, of_trials):
    level = sum(events) / sum(base)
    spread = 0.0
    for x, n in zip(events, base):
        expected = n * level
        spread += (x - expected) ** 2 / (expected * ((1 - level) if of_trials else 1))
    return max(1.0, spread / (len(events) - 1))


def month_phi(group, reference):
    """max(1, X^2 / (k - 1)) of the group's share of (group + reference), 6 months or more."""
    months = [(a, a + c) for a, c in zip(group, reference) if a + c]
    p = sum(a for a, _ in months) / sum(n for _, n in months)
    if len(months) < 6 or p in (0, 1):
        return 1.0
    return max(1.0, sum((a - n * p) ** 2 / (n * p * (1 - p)) for a, n in months) / (len(months) - 1))


def ratio_change(now, base, phi=1.0, base_phi=1.0, confidence=0.95):
    """(estimate, low, high); each side is (events, exposure, reference events, reference exposure)."""
    ratios = [(a / n1) / (c / n0) for a, n1, c, n0 in (now, base)]
    error = math.sqrt(phi * (1 / now[0] + 1 / now[2]) + base_phi * (1 / base[0] + 1 / base[2]))
    factor = math.exp(NORMAL.inv_cdf((1 + confidence) / 2) * error)
    change = ratios[0] / ratios[1]
    return change, change / factor, change * factor


def mantel_haenszel(strata):
    """Ratio over (a, n1, c, n0) of each stratum."""
    over = sum(a * n0 / (n1 + n0) for a, n1, c, n0 in strata)
    return over / sum(c * n1 / (n1 + n0) for a, n1, c, n0 in strata)


# Many looks -------------------------------------------------------------------------------------------------------


def holm(p):
    """Each p against what is left, from the smallest up."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    out, highest = [0.0] * len(p), 0.0
    for place, i in enumerate(order):
        highest = max(highest, p[i] * (len(p) - place))
        out[i] = min(1.0, highest)
    return out


def benjamini_hochberg(p):
    """From the largest down."""
    order = sorted(range(len(p)), key=lambda i: -p[i])
    out, lowest = [0.0] * len(p), 1.0
    for place, i in enumerate(order):
        lowest = min(lowest, p[i] * len(p) / (len(p) - place))
        out[i] = lowest
    return out


def months_still(events, reference, months, phi=1.0):
    """Months counted one by one until the half-width is ln(1.25) / 2."""
    half = math.log(1.25) / 2
    more = 0
    while True:
        factor = (months + more) / months
        now = NORMAL.inv_cdf(0.975) * math.sqrt(phi * (1 / (events * factor) + 1 / (reference * factor)))
        if now <= half * (1 + 1e-12):
            return more
        more += 1


def gamma_posterior(x, t, shape, centre):
    """Posterior mean of a rate and the weight of the common figure, for one gamma prior."""
    prior_rate = shape / centre
    return (shape + x) / (prior_rate + t), prior_rate / (prior_rate + t)


def usual(rows):
    """Median of up to 12 months before, from 6 on."""
    last = rows[-12:]
    return median(last) if len(last) >= 6 else None
