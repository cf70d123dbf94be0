"""Coverage and recovery: what the intervals and verdicts do when the truth is known.

    python -m disprop.validation --out docs/coverage.md

Coverage of an interval is worked out by adding up the chance of every outcome, not by drawing, wherever the outcomes
can be listed: those figures have no noise. The verdicts, with their dispersion between months, and the whole road from
records to figures are drawn from a seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy

from disprop import intervals
from disprop.measures.ratios import month_dispersion, widest_limits
from disprop.measures.verdicts import HIGHER, LOWER, verdict

CONFIDENCE = 0.95

TRIALS = (10, 20, 41, 97, 221, 500)
SHARES = tuple(np.round(np.arange(0.002, 1, 0.002), 3).tolist())
EXPECTED = tuple(np.round(np.geomspace(1, 200, 60), 3).tolist())
PAIRS_EXPECTED = (10, 20, 50, 100)
RATIOS = (0.5, 0.8, 1.0, 1.25, 2.0, 3.0)
PAIRS_TRIALS = (20, 50, 100)
PAIRS_SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Coverage:
    """What one method did over its grid: coverage, misses on each side and mean length, one value a truth."""

    function: str
    method: str
    covered: np.ndarray
    below: np.ndarray
    above: np.ndarray
    length: np.ndarray

    def row(self) -> list[str]:
        return [
            f"`{self.function}`",
            f"`{self.method}`",
            str(self.covered.size),
            f"{self.covered.mean():.2%}",
            f"{self.covered.min():.2%}",
            f"{self.below.mean():.2%}",
            f"{self.above.mean():.2%}",
            f"{max(self.below.max(), self.above.max()):.2%}",
            f"{self.length.mean():.3g}",
        ]


def binomial_chances(trials: int, share: float) -> np.ndarray:
    """Chance of 0 to `trials` events."""
    x = np.arange(trials + 1)
    logs = gammaln(trials + 1) - gammaln(x + 1) - gammaln(trials - x + 1)
    return np.asarray(np.exp(logs + xlogy(x, share) + xlogy(trials - x, 1 - share)))


def poisson_chances(mean: float, most: int) -> np.ndarray:
    """Chance of 0 to `most` events."""
    x = np.arange(most + 1)
    return np.asarray(np.exp(xlogy(x, mean) - mean - gammaln(x + 1)))


def _against(
    truth: float, low: np.ndarray, high: np.ndarray, chances: np.ndarray, *, ratio: bool = False
) -> tuple[float, float, float, float]:
    """Coverage, truth below the interval, truth above it, and mean length (ln high / low of a ratio) where finite."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        length = np.log(high / low) if ratio else high - low
    finite = np.isfinite(length)
    under, over = float(chances[truth < low].sum()), float(chances[truth > high].sum())
    return 1 - under - over, under, over, float((chances[finite] * length[finite]).sum() / chances[finite].sum())


def _collect(function: str, method: str, found: Iterator[tuple[float, float, float, float]]) -> Coverage:
    return Coverage(function, method, *np.array(list(found)).T)


def proportions(method: str, trials: Sequence[int] = TRIALS, shares: Sequence[float] = SHARES) -> Coverage:
    """Coverage of `proportion_interval` over trials x true shares, exactly."""

    def found() -> Iterator[tuple[float, float, float, float]]:
        for n in trials:
            made = intervals.proportion_interval(
                events=np.arange(n + 1), trials=n, confidence=CONFIDENCE, method=method
            )
            for share in shares:
                yield _against(share, made.low, made.high, binomial_chances(n, share))

    return _collect("proportion_interval", method, found())


def rates(method: str, expected: Sequence[float] = EXPECTED) -> Coverage:
    """Coverage of `rate_interval` over expected counts, exactly (to a chance of 1e-12)."""
    most = int(max(expected) + 12 * max(expected) ** 0.5 + 20)
    made = intervals.rate_interval(events=np.arange(most + 1), exposure=1.0, confidence=CONFIDENCE, method=method)
    found = (_against(mean, made.low, made.high, poisson_chances(mean, most)) for mean in expected)
    return _collect("rate_interval", method, found)


def rate_pairs(
    function: str, method: str, expected: Sequence[float] = PAIRS_EXPECTED, ratios: Sequence[float] = RATIOS
) -> Coverage:
    """Coverage of the ratio or difference of two rates over expected reference counts x true ratios, exactly.

    The reference has 8 times the group's exposure. Pairs in which the group's expected count is below 10 are left out:
    there the verdict says "too few".
    """
    size = 8.0
    most = int(max(expected) * max(1.0, max(ratios) / 1.0) + 12 * (max(expected) * max(ratios)) ** 0.5 + 20)
    a, c = np.meshgrid(np.arange(most + 1), np.arange(most + 1), indexing="ij")
    counts: dict[str, Any] = {"events": a, "reference_events": c, "exposure": 1.0, "reference_exposure": size}
    made = getattr(intervals, function)(**counts, confidence=CONFIDENCE, method=method)
    low, high = np.nan_to_num(made.low, nan=0.0), np.nan_to_num(made.high, nan=np.inf)

    def found() -> Iterator[tuple[float, float, float, float]]:
        for mean in expected:
            for ratio in ratios:
                group = mean * ratio
                if group < 10:
                    continue
                chances = np.outer(poisson_chances(group, most), poisson_chances(mean, most))
                truth = ratio * size if function == "rate_ratio_interval" else group - mean / size
                yield _against(truth, low, high, chances, ratio=function == "rate_ratio_interval")

    return _collect(function, method, found())


def proportion_pairs(
    function: str, method: str, trials: Sequence[int] = PAIRS_TRIALS, shares: Sequence[float] = PAIRS_SHARES
) -> Coverage:
    """Coverage of the ratio or difference of two proportions over trials x trials x shares x shares, exactly."""

    ratio = function == "proportion_ratio_interval"

    def found() -> Iterator[tuple[float, float, float, float]]:
        for n1 in trials:
            for n0 in trials:
                a, c = np.meshgrid(np.arange(n1 + 1), np.arange(n0 + 1), indexing="ij")
                counts: dict[str, Any] = {"events": a, "trials": n1, "reference_events": c, "reference_trials": n0}
                made = getattr(intervals, function)(**counts, confidence=CONFIDENCE, method=method)
                for p1 in shares:
                    for p0 in shares:
                        chances = np.outer(binomial_chances(n1, p1), binomial_chances(n0, p0))
                        truth = p1 / p0 if ratio else p1 - p0
                        yield _against(truth, made.low, made.high, chances, ratio=ratio)

    return _collect(function, method, found())


def every_interval() -> Iterator[Coverage]:
    """Coverage of every method of every interval over its full grid."""
    for function, methods in intervals.METHODS.items():
        for method in methods:
            if function == "proportion_interval":
                yield proportions(method)
            elif function == "rate_interval":
                yield rates(method)
            elif function.startswith("rate"):
                yield rate_pairs(function, method)
            elif function.startswith("proportion"):
                yield proportion_pairs(function, method)


# Verdicts ------------------------------------------------------------------------------------------------------------

MONTHS = 12
GROUP_EXPECTED = (20, 100, 1000)
DISPERSIONS = (1.0, 2.0, 4.5)
TRUE_RATIOS = (0.8, 1.0, 1.25)
DRAWS = 4000


@dataclass(frozen=True)
class Verdicts:
    """How often `higher` and `lower` were said at one truth where neither is true."""

    ratio: float
    expected: float
    dispersion: float
    higher: float
    lower: float


def verdict_errors(*, draws: int = DRAWS, seed: int = 1) -> list[Verdicts]:
    """Wrong verdicts at true ratios inside the band, edges included, with and without dispersion between months.

    A year of 12 months: each month's count of group and reference together is Poisson, and the group's share of it is
    beta-distributed so that its variance is `dispersion` times the binomial's.
    """
    rng = np.random.Generator(np.random.Philox(key=seed))
    return [
        _verdict_errors(ratio, expected, dispersion, draws, rng)
        for ratio in TRUE_RATIOS
        for expected in GROUP_EXPECTED
        for dispersion in DISPERSIONS
    ]


def _verdict_errors(ratio: float, expected: float, dispersion: float, draws: int, rng: np.random.Generator) -> Verdicts:
    n1, n0 = 1.0, 4.0
    share = ratio * n1 / (ratio * n1 + n0)
    total = rng.poisson(expected / share / MONTHS, size=(draws, MONTHS))
    group = rng.binomial(total, _shares(share, total, dispersion, rng))
    a, c = group.sum(axis=1), (total - group).sum(axis=1)
    phi = month_dispersion(group, total - group, np.ones(MONTHS, dtype=bool))
    years = {"exposure": np.full(draws, n1), "reference_exposure": np.full(draws, n0)}
    low, high, _ = widest_limits(events=a, reference_events=c, **years, dispersion=phi, confidence=CONFIDENCE)
    said = verdict(
        low=low, high=high, count=a, reference_count=c, expected=n1 * c / n0, computable=np.ones(draws, dtype=bool)
    )
    return Verdicts(ratio, expected, dispersion, float((said == HIGHER).mean()), float((said == LOWER).mean()))


def _shares(share: float, total: np.ndarray, dispersion: float, rng: np.random.Generator) -> np.ndarray:
    """Month shares whose binomial counts have `dispersion` times the variance of a fixed share's."""
    if dispersion == 1:
        return np.full(total.shape, share)
    rho = np.clip((dispersion - 1) / np.maximum(total.mean() - 1, 1), 1e-9, 0.5)
    weight = 1 / rho - 1
    return rng.beta(share * weight, (1 - share) * weight, size=total.shape)


# The whole road ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recovery:
    """How often the interval of a figure held the truth that the records were drawn from."""

    figure: str
    group: str
    runs: int
    held: float


def recovery(*, runs: int = 40, seed: int = 1) -> list[Recovery]:
    """Recorded ratios and linked find rates of the invented force, from records to figures, over several seeds."""
    import disprop as dp

    truth = dp.synthetic.implied(dp.synthetic.default_truth())
    population = dp.synthetic.population()
    held: dict[tuple[str, str], list[bool]] = {}
    for run in range(seed, seed + runs):
        tally = dp.tally(dp.synthetic.make_records(seed=run), by=["ethnicity_self", "outcome", "linked"])
        frames = {
            "recorded_rate_ratio": dp.rate_ratio(tally, population, by=[]),
            "linked_positive": dp.find_rate(tally, by=["ethnicity_self"]),
        }
        for name, frame in frames.items():
            given = frame.loc[frame["low"].notna(), ["ethnicity_self", "low", "high"]]
            for group, low, high in given.itertuples(index=False):
                if group in truth:
                    held.setdefault((name, str(group)), []).append(bool(low <= truth[group][name] <= high))
    return [Recovery(name, group, len(found), float(np.mean(found))) for (name, group), found in held.items()]


# The page ------------------------------------------------------------------------------------------------------------


INTERVAL_HEAD = (
    "function",
    "method",
    "truths",
    "mean",
    "least",
    "missed below",
    "missed above",
    "worst side",
    "length",
)
VERDICT_HEAD = ("true ratio", "expected", "dispersion", "`higher`", "`lower`")


INTERVAL_TEXT = f"""\
Nominal {CONFIDENCE:.0%}. Coverage is exact: the chances of all outcomes are added up. A miss *below* is a truth below
the interval, *above* one above it. Score and Wilson intervals are near nominal on average, not everywhere: the least
column says how far they fall. Length is high - low, of ratios ln(high / low)."""
VERDICT_TEXT = f"""\
A year of {MONTHS} months, {DRAWS:,} draws a row, true ratios inside the band 0.8 to 1.25 or on its edge: `higher` and
`lower` are then both wrong. Dispersion 1 is chance alone; 4.5 is what West Midlands shows. Dispersion is estimated from
the same 12 months, and its limits use the normal quantile, as defined: that is why rows on the very edge, with true
dispersion, go beyond 2.5%."""
RECOVERY_TEXT = """\
Records of the invented force from several seeds: how often the interval held the truth that they were drawn from."""


def page(coverages: Sequence[Coverage], verdicts: Sequence[Verdicts], recovered: Sequence[Recovery]) -> str:
    """The tables as Markdown."""
    higher, lower = ([getattr(found, side) for found in verdicts] for side in ("higher", "lower"))
    parts = [
        "# Coverage and recovery",
        "Made by `python -m disprop.validation`; every figure is generated.",
        "## Intervals",
        INTERVAL_TEXT,
        _table(INTERVAL_HEAD, [found.row() for found in coverages]),
        "## Verdicts that are wrong",
        VERDICT_TEXT,
        _table(VERDICT_HEAD, [_verdict_row(found) for found in verdicts]),
        f"Over all rows `higher` is said {np.mean(higher):.2%} of the time and `lower` {np.mean(lower):.2%}; "
        f"the most in any row is {max(*higher, *lower):.2%}.",
        "## From records to figures",
        RECOVERY_TEXT,
        _table(("figure", "group", "runs", "held"), [_recovery_row(found) for found in recovered]),
    ]
    return "\n\n".join(parts) + "\n"


def _verdict_row(found: Verdicts) -> list[str]:
    return [
        f"{found.ratio:g}",
        f"{found.expected:g}",
        f"{found.dispersion:g}",
        f"{found.higher:.2%}",
        f"{found.lower:.2%}",
    ]


def _recovery_row(found: Recovery) -> list[str]:
    return [f"`{found.figure}`", found.group, str(found.runs), f"{found.held:.0%}"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(" | ".join(["", *cells, ""]).strip() for cells in (head, ["---"] * len(head), *rows))


def main() -> None:
    """Work everything out and write the page."""
    parser = argparse.ArgumentParser(prog="python -m disprop.validation", description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="docs/coverage.md", help="page to write (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=40, help="seeds of the invented force (default: %(default)s)")
    chosen = parser.parse_args()
    Path(chosen.out).write_text(
        page(list(every_interval()), verdict_errors(), recovery(runs=chosen.runs)), encoding="utf-8"
    )
    print(f"wrote {chosen.out}")


if __name__ == "__main__":
    main()
