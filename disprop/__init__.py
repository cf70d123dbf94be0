"""disprop: disproportionality in police powers, and how sure we can be.

    import disprop as dp

    searches = dp.tally("data/", by=["ethnicity_self"], force="west-midlands", period=("2019-04", "2020-03"))
    dp.rate_ratio(searches, dp.census(2021))

Names are resolved when first used, so that `import disprop` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from disprop import audit, intervals, synthetic
    from disprop.areas import read_boundaries, with_areas
    from disprop.coverage import month_coverage
    from disprop.io.census import census
    from disprop.io.frames import read_frame
    from disprop.io.police_uk import read_police_uk
    from disprop.job import make_report
    from disprop.measures.outcome_test import find_rate_difference, find_rate_ratio
    from disprop.measures.rates import search_rate
    from disprop.measures.ratios import excess_searches, rate_ratio
    from disprop.measures.replicas import hmicfrs
    from disprop.measures.shares import (
        arrest_share,
        find_rate,
        linked_find_where_known,
        more_thorough_search_share,
        positive_outcome_share,
        share_on_video,
    )
    from disprop.measures.unknowns import (
        agreement_matrix,
        agreement_share,
        rate_ratio_allocated,
        rate_ratio_imputed,
        tipping_share,
    )
    from disprop.plan import scan, tally
    from disprop.tallies import Tally, fold, load

__version__ = "0.1.0"

_HOMES = {
    "Tally": "tallies",
    "agreement_matrix": "measures.unknowns",
    "agreement_share": "measures.unknowns",
    "arrest_share": "measures.shares",
    "audit": "",
    "census": "io.census",
    "excess_searches": "measures.ratios",
    "find_rate": "measures.shares",
    "find_rate_difference": "measures.outcome_test",
    "find_rate_ratio": "measures.outcome_test",
    "fold": "tallies",
    "hmicfrs": "measures.replicas",
    "intervals": "",
    "linked_find_where_known": "measures.shares",
    "load": "tallies",
    "make_report": "job",
    "month_coverage": "coverage",
    "more_thorough_search_share": "measures.shares",
    "positive_outcome_share": "measures.shares",
    "rate_ratio": "measures.ratios",
    "rate_ratio_allocated": "measures.unknowns",
    "rate_ratio_imputed": "measures.unknowns",
    "read_boundaries": "areas",
    "read_frame": "io.frames",
    "read_police_uk": "io.police_uk",
    "scan": "plan",
    "search_rate": "measures.rates",
    "share_on_video": "measures.shares",
    "synthetic": "",
    "tally": "plan",
    "tipping_share": "measures.unknowns",
    "with_areas": "areas",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'disprop' has no attribute {name!r}")
    home = _HOMES[name]
    found = import_module(f"disprop.{name}") if not home else getattr(import_module(f"disprop.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
