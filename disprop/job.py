"""The main job: records -> tallies -> measures -> report, in one pass over the records."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from disprop.codelists import codelist, codelists
from disprop.coverage import MISSING, month_coverage
from disprop.errors import InputRefused, UsageError
from disprop.measures.drugs import possession_only_share
from disprop.measures.rates import search_rate
from disprop.measures.ratios import excess_searches, rate_ratio
from disprop.measures.shares import (
    arrest_share,
    find_rate,
    more_thorough_search_share,
    positive_outcome_share,
    share_on_video,
)
from disprop.months import month_label
from disprop.persons import PersonTally, names_people, person_tally
from disprop.plan import as_source, scan
from disprop.tallies import Tally

if TYPE_CHECKING:
    import pandas as pd

INVENTED = "(invented)"
"""How the label of every force ends that `disprop.synthetic` makes records of."""

WANTED = (
    ("ethnicity_self",),
    ("ethnicity_self", "outcome", "linked"),
    ("ethnicity_self", "age_band", "more_thorough"),
    ("ethnicity_self", "video_recorded"),
    ("ethnicity_self", "object", "possession_only"),
)
"""The axes of the tallies that the report's measures need besides force and month."""

Frames = dict[str, "pd.DataFrame"]


def make_report(
    source: Any,
    folder: str | PathLike[str],
    *,
    population: Tally,
    force: str | None = None,
    period: tuple[str, str] | None = None,
    holes: str = "whole",
    by_area: bool = False,
    command: str = "",
) -> list[Path]:
    """Read records once, compute every measure of the report, and write the page, its tables and the manifest.

    source: what `disprop.tally` reads. force: whose report it is; may be left out when the records are of one force.
    period: first and last month "YYYY-MM"; without it, every month there is. population: residents, see `census`.
    holes: "whole" (default) withholds rates over missing months, "covered" uses the months there are.
    by_area: whether the records say in which area each search was made (see `with_areas`): then each ratio stands
    beside its twin within areas. The population is then by force and area.

    Returns the paths written, the page first. Raises UsageError when the force is not clear, InputRefused when there
    is nothing to report on.

    >>> import disprop as dp, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = make_report(dp.synthetic.make_records(), folder, population=dp.synthetic.population())
    >>> written[0].name
    'report.html'
    """
    from disprop.report import ReportInputs, write_report

    records = as_source(source)
    people, *others = WANTED
    wanted = [("area", *people) if by_area else people, *others]
    tallies = scan(records, wanted, force=force, period=period)
    code = _only_force(tallies[0], force)
    cover = month_coverage(tallies[0])
    met = person_tally(records, people, force=force, period=period) if names_people(records) else None
    inputs = ReportInputs(
        force=code,
        force_name=codelist("force").label(code),
        first=month_label(cover.months[0]),
        last=month_label(cover.months[-1]),
        results=measure_all(tallies, population, holes=holes, persons=met),
        coverage=cover.frame(),
        account=tallies[0].account,
        files=records.intake_table() if hasattr(records, "intake_table") else None,
        provenance=provenance(tallies[0], population, command) | _boundaries(records),
        synthetic=codelist("force").label(code).endswith(INVENTED),
        dataset=records.dataset,
    )
    return write_report(inputs, Path(folder))


def measure_all(
    tallies: Sequence[Tally], population: Tally, *, holes: str = "whole", persons: PersonTally | None = None
) -> Frames:
    """Every result frame of the report, by name, from the tallies of WANTED in their order.

    persons: who was searched, where the records say so: the ratios' limits then allow for people searched again.
    """
    people, outcomes, thorough, video, drugs = tallies
    divided: dict[str, Any] = {"holes": holes}
    groups = ["force", "ethnicity_self"]
    ratios = rate_ratio(people, population, by=["force"], persons=persons, **divided)
    crude = ratios["measure"] == "rate_ratio"
    frames = {
        "search_rate": search_rate(people, population, by=groups, **divided),
        "search_rate_all": search_rate(people, population, by=["force"], **divided),
        "rate_ratio": ratios[crude].reset_index(drop=True),
        "rate_ratio_within_areas": ratios[~crude].reset_index(drop=True),
        "excess_searches": excess_searches(people, population, by=["force"], **divided),
        **_shares(outcomes, thorough, video, groups),
        **{f"{name}_all": frame for name, frame in _shares(outcomes, thorough, video, ["force"]).items()},
        **_possession(drugs, groups),
    }
    return {name: frame for name, frame in frames.items() if len(frame)}


def _shares(outcomes: Tally, thorough: Tally, video: Tally, by: Sequence[str]) -> Frames:
    return {
        "linked_find": find_rate(outcomes, by=by),
        "linked_find_rule_linked": find_rate(outcomes, by=by, rule="linked"),
        "any_find": find_rate(outcomes, by=by, find="any_find"),
        "positive_outcome": positive_outcome_share(outcomes, by=by),
        "arrest": arrest_share(outcomes, by=by),
        "more_thorough": more_thorough_search_share(thorough, by=by),
        "more_thorough_children": more_thorough_search_share(thorough, by=by, age_band="10-17"),
        "share_on_video": share_on_video(video, by=by),
    }


def _possession(drugs: Tally, groups: Sequence[str]) -> Frames:
    """Share of the searches for drugs for possession alone; nothing where the records do not say."""
    frames = {"possession_only": groups, "possession_only_all": groups[:1]}
    found = {name: possession_only_share(drugs, by=by) for name, by in frames.items()}
    found = {name: frame[frame["measure"] == "possession_only_share"] for name, frame in found.items()}
    said = found["possession_only_all"]["bound_low"].notna().any()
    return {name: frame.reset_index(drop=True) for name, frame in found.items()} if said else {}


def _boundaries(records: Any) -> dict[str, str]:
    """The digest of the file of boundaries, where areas were found with one."""
    found = getattr(records, "boundaries", None)
    return {} if found is None else {"boundaries": found.digest}


def _only_force(tally: Tally, force: str | None) -> str:
    forces = tally.scope.forces or tuple(sorted({*tally.parts["force"].tolist()}))
    if not len(tally.parts):
        raise InputRefused(f"no file of {force or 'any force'} was found; check the path and --force")
    if (month_coverage(tally).state == MISSING).all():
        held = [month_label(int(month)) for month in sorted(tally.parts["month"].tolist())]
        raise InputRefused(f"no file is of the period; the files are of {held[0]} to {held[-1]}: check --from and --to")
    if len(forces) != 1:
        raise UsageError(
            f"a report is about one force; the records hold {', '.join(forces)}: give --force with one of them"
        )
    return forces[0]


def demo(folder: str | PathLike[str], *, seed: int = 1) -> list[Path]:
    """Invent a force with known truth; write its records, its residents, its truth and the report on them.

    The records are written in the public format too, so that `disprop report` can be tried on them; the report is made
    from the table they were drawn as, because the public format has no column for video. Everything says SYNTHETIC.

    Returns the paths of the report, the page first.
    """
    from disprop.io.frames import read_frame
    from disprop.synthetic import make_records, population, write_police_uk

    home = Path(folder)
    write_police_uk(home / "records", seed=seed)
    residents = population()
    residents.save(home / "residents.parquet")
    records = read_frame(make_records(seed=seed))
    return make_report(records, home, population=residents, command=f"disprop demo --seed {seed}")


def provenance(tally: Tally, population: Tally, command: str = "") -> dict[str, Any]:
    """What made the figures: versions, codelists, the digest of every part, the population, the command."""
    return {
        "versions": {name: version(name) for name in ("disprop", "numpy", "scipy", "pandas", "pyarrow")},
        "codelists": codelists(),
        "population": population.vintage,
        "parts": {
            f"{part['dataset']} {part['force']} {month_label(int(part['month']))}": bytes(part["part"]).decode()
            for part in tally.parts
        },
        "command": command,
    }
