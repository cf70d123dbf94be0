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
    from disprop import audit, intervals, screening, synthetic
    from disprop.areas import read_boundaries, with_areas
    from disprop.coverage import month_coverage
    from disprop.io.census import census
    from disprop.io.declared import read_breaks, read_similar_groups
    from disprop.io.force.met import read_met_force
    from disprop.io.force.tables import read_force_reports, read_force_tables
    from disprop.io.frames import read_frame
    from disprop.io.mapping.check import check_mapping
    from disprop.io.mapping.extracts import read_mapped
    from disprop.io.mapping.propose import propose_mapping
    from disprop.io.parquet import read_parquet
    from disprop.io.police_uk import read_police_uk
    from disprop.io.store.reader import open_store
    from disprop.job import make_report
    from disprop.keys import KeyedHash, read_key
    from disprop.linking import link_store
    from disprop.measures.change import declared_breaks, rate_change, rate_ratio_change, ratio_against_rest, rolling
    from disprop.measures.decomposed import area_decomposition
    from disprop.measures.drugs import drug_find_rate, possession_only_share
    from disprop.measures.force.events import (
        incident_tally,
        incidents,
        only_tactic,
        people_subject_to_force,
        with_force_used,
    )
    from disprop.measures.force.per_100 import force_per_100_arrests, force_per_100_searches
    from disprop.measures.force.rates import force_rate, force_ratio
    from disprop.measures.force.recording import handcuffing_recording
    from disprop.measures.force.shares import (
        compliant_handcuffing_share,
        effect_search_share,
        force_in_search_share,
        officer_injury_share,
        person_injury_share,
    )
    from disprop.measures.forces import funnel, outlier_lines, rank_range
    from disprop.measures.looks import months_needed, screening_list, shrunken_rates, shrunken_ratios, shrunken_shares
    from disprop.measures.marks import clock_conventions, midnight_shares, record_marks, repeated_shares
    from disprop.measures.outcome_test import find_rate_difference, find_rate_ratio
    from disprop.measures.persons import people_searched, person_rate, repeat_search_share
    from disprop.measures.rates import search_rate
    from disprop.measures.ratios import excess_searches, rate_ratio
    from disprop.measures.replicas import hmicfrs
    from disprop.measures.sentinels import sentinels
    from disprop.measures.series import change_points, control_chart
    from disprop.measures.shares import (
        arrest_share,
        find_rate,
        linked_find_where_known,
        more_thorough_search_share,
        positive_outcome_share,
        share_on_video,
    )
    from disprop.measures.similar import against_similar, similar_group_average, similar_groups
    from disprop.measures.standardised import age_standardised_rate, age_standardised_ratio
    from disprop.measures.unknowns import (
        agreement_matrix,
        agreement_share,
        rate_ratio_allocated,
        rate_ratio_imputed,
        tipping_share,
    )
    from disprop.measures.video.linked import (
        share_linked_to_video,
        shrunken_share_linked_to_video,
        video_from_start_share,
    )
    from disprop.measures.video.tick_box import video_agreement_share, video_disagreement
    from disprop.measures.video.unlinked import bounds_with_video, linkage_bias
    from disprop.persons import person_tally
    from disprop.plan import scan, tally
    from disprop.tallies import Tally, fold, load

__version__ = "0.1.0"

_HOMES = {
    "KeyedHash": "keys",
    "Tally": "tallies",
    "against_similar": "measures.similar",
    "age_standardised_rate": "measures.standardised",
    "age_standardised_ratio": "measures.standardised",
    "agreement_matrix": "measures.unknowns",
    "agreement_share": "measures.unknowns",
    "area_decomposition": "measures.decomposed",
    "arrest_share": "measures.shares",
    "audit": "",
    "bounds_with_video": "measures.video.unlinked",
    "census": "io.census",
    "change_points": "measures.series",
    "check_mapping": "io.mapping.check",
    "clock_conventions": "measures.marks",
    "compliant_handcuffing_share": "measures.force.shares",
    "control_chart": "measures.series",
    "declared_breaks": "measures.change",
    "drug_find_rate": "measures.drugs",
    "effect_search_share": "measures.force.shares",
    "excess_searches": "measures.ratios",
    "find_rate": "measures.shares",
    "find_rate_difference": "measures.outcome_test",
    "find_rate_ratio": "measures.outcome_test",
    "fold": "tallies",
    "force_in_search_share": "measures.force.shares",
    "force_per_100_arrests": "measures.force.per_100",
    "force_per_100_searches": "measures.force.per_100",
    "force_rate": "measures.force.rates",
    "force_ratio": "measures.force.rates",
    "funnel": "measures.forces",
    "handcuffing_recording": "measures.force.recording",
    "hmicfrs": "measures.replicas",
    "incident_tally": "measures.force.events",
    "incidents": "measures.force.events",
    "intervals": "",
    "link_store": "linking",
    "linkage_bias": "measures.video.unlinked",
    "linked_find_where_known": "measures.shares",
    "load": "tallies",
    "make_report": "job",
    "midnight_shares": "measures.marks",
    "month_coverage": "coverage",
    "months_needed": "measures.looks",
    "more_thorough_search_share": "measures.shares",
    "officer_injury_share": "measures.force.shares",
    "only_tactic": "measures.force.events",
    "open_store": "io.store.reader",
    "outlier_lines": "measures.forces",
    "people_searched": "measures.persons",
    "people_subject_to_force": "measures.force.events",
    "person_injury_share": "measures.force.shares",
    "person_rate": "measures.persons",
    "person_tally": "persons",
    "positive_outcome_share": "measures.shares",
    "possession_only_share": "measures.drugs",
    "propose_mapping": "io.mapping.propose",
    "rank_range": "measures.forces",
    "rate_change": "measures.change",
    "rate_ratio": "measures.ratios",
    "rate_ratio_allocated": "measures.unknowns",
    "rate_ratio_change": "measures.change",
    "rate_ratio_imputed": "measures.unknowns",
    "ratio_against_rest": "measures.change",
    "read_boundaries": "areas",
    "read_breaks": "io.declared",
    "read_force_reports": "io.force.tables",
    "read_force_tables": "io.force.tables",
    "read_frame": "io.frames",
    "read_key": "keys",
    "read_mapped": "io.mapping.extracts",
    "read_met_force": "io.force.met",
    "read_parquet": "io.parquet",
    "read_police_uk": "io.police_uk",
    "read_similar_groups": "io.declared",
    "record_marks": "measures.marks",
    "repeat_search_share": "measures.persons",
    "repeated_shares": "measures.marks",
    "rolling": "measures.change",
    "scan": "plan",
    "screening": "",
    "screening_list": "measures.looks",
    "search_rate": "measures.rates",
    "sentinels": "measures.sentinels",
    "share_linked_to_video": "measures.video.linked",
    "share_on_video": "measures.shares",
    "shrunken_rates": "measures.looks",
    "shrunken_ratios": "measures.looks",
    "shrunken_share_linked_to_video": "measures.video.linked",
    "shrunken_shares": "measures.looks",
    "similar_group_average": "measures.similar",
    "similar_groups": "measures.similar",
    "synthetic": "",
    "tally": "plan",
    "tipping_share": "measures.unknowns",
    "video_agreement_share": "measures.video.tick_box",
    "video_disagreement": "measures.video.tick_box",
    "video_from_start_share": "measures.video.linked",
    "with_areas": "areas",
    "with_force_used": "measures.force.events",
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
