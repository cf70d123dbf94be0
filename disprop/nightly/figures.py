"""Tallies -> the files of one run: tables as CSV and Parquet, coverage, extracts, a page a force, and the manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from disprop.codelists import codelist
from disprop.coverage import MISSING, month_coverage
from disprop.disclosure import suppressed
from disprop.io.census import AXES as CENSUS_AXES
from disprop.io.census import census
from disprop.job import INVENTED, WANTED, measure_all, provenance
from disprop.months import month_label
from disprop.nightly.config import Config, Table
from disprop.nightly.publish import sha
from disprop.persons import PersonTally, names_people, person_tally
from disprop.provenance import Account
from disprop.records import Source
from disprop.report import ReportInputs, report_files
from disprop.report.tables import SYNTHETIC_COLUMN, SYNTHETIC_MARK
from disprop.tallies import Tally, load

if TYPE_CHECKING:
    import pandas as pd

SEARCH = "search"
MANIFEST = "manifest.json"
FORMAT = "disprop-nightly-1"

Axes = tuple[str, ...]


def wanted(config: Config) -> dict[str, list[Axes]]:
    """By kind of record, the axes of every tally that the tables and the report need."""
    found: dict[str, dict[Axes, None]] = {}
    for table in config.tables:
        found.setdefault(table.records, {})[axes_of(table)] = None
    if config.report:
        found.setdefault(SEARCH, {}).update(dict.fromkeys(WANTED))
    return {kind: list(lists) for kind, lists in found.items()}


def axes_of(table: Table) -> Axes:
    """Axes to tally by for a table, force and month aside."""
    needed = [*table.by, *([_compared(table)] if table.of.compares else []), *table.of.axes]
    return tuple(dict.fromkeys(axis for axis in needed if axis not in ("force", "month")))


def _compared(table: Table) -> str:
    """The axis whose groups are set against each other."""
    return next((axis for axis in table.by if axis.startswith("ethnicity")), table.of.ethnicity)


@dataclass(frozen=True)
class Made:
    """The figures' raw material: tallies by kind and axes, and who lives there."""

    config: Config
    tallies: Mapping[str, Mapping[Axes, Tally]]
    sources: Mapping[str, Source]

    def residents(self, axes: Sequence[str], *, kind: str = SEARCH) -> Tally:
        """Those of the population that is named, else of the Census by those of the axes that it has.

        Use of force has age bands of its own, which are made of the Census's finer ones.
        """
        if self.config.population is not None:
            return load(self.config.population)
        if kind == "force_report":
            axes = ["age" if axis == "age_band" else axis for axis in axes]
        return census(
            2021, by=["force", *(axis for axis in dict.fromkeys(axes) if axis in CENSUS_AXES and axis != "force")]
        )

    @property
    def invented(self) -> bool:
        """Whether every force is one of `disprop.synthetic`."""
        forces = {force for lists in self.tallies.values() for tally in lists.values() for force in forces_of(tally)}
        return bool(forces) and all(codelist("force").label(force).endswith(INVENTED) for force in forces)

    @property
    def warnings(self) -> list[str]:
        """Labels that no codelist knows, as the tallies found them."""
        found = [
            label for lists in self.tallies.values() for tally in lists.values() for label in tally.account.unmapped
        ]
        return [f"label that no codelist knows: {label}" for label in sorted(set(found))]


def forces_of(tally: Tally) -> list[str]:
    return sorted({*tally.parts["force"].tolist()})


def figures(made: Made, intakes: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Every file of a run but the manifest: name -> bytes. The same tallies give the same bytes."""
    frames = {table.file: rows(made, table) for table in made.config.tables}
    frames |= {f"coverage_{kind}": month_coverage(next(iter(of.values()))).frame() for kind, of in made.tallies.items()}
    frames["extracts"] = _extracts(intakes)
    files: dict[str, bytes] = {}
    for name, frame in frames.items():
        marked = _marked(frame) if made.invented else frame
        files |= {f"{name}.csv": _csv(marked), f"{name}.parquet": _parquet(marked)}
    return files | (_pages(made, intakes) if made.config.report else {})


def rows(made: Made, table: Table) -> pd.DataFrame:
    """The rows of one table; raises what its measure raises."""
    axes = axes_of(table)
    inputs = [made.tallies[table.records][axes]]
    options = dict(table.options)
    if table.of.population:
        base = ["ethnicity_self"] if "ethnicity_officer" in axes else []
        inputs.append(made.residents([*axes, *base], kind=table.records))
    if table.of.compares:
        options["of"] = _compared(table)
    if "by" in table.of.parameters:
        options["by"] = [
            *table.by,
            *([_compared(table)] if table.of.compares and _compared(table) not in table.by else []),
        ]
    return suppressed(table.of(*inputs, **options), fewest=made.config.disclosure_threshold)


def _marked(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows say themselves that they are invented, as those of a report do."""
    frame = frame.copy()
    frame.insert(0, SYNTHETIC_COLUMN, SYNTHETIC_MARK)
    return frame


def _csv(frame: pd.DataFrame) -> bytes:
    return bytes(frame.to_csv(index=False, lineterminator="\n").encode())


def _parquet(frame: pd.DataFrame) -> bytes:
    out = BytesIO()
    frame.to_parquet(out, index=False)
    return out.getvalue()


def _extracts(intakes: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row a file read."""
    import pandas as pd

    columns = [
        "kind",
        "file",
        "force",
        "first",
        "last",
        "sha256",
        "bytes",
        "read",
        "yielded",
        "excluded",
        "quarantined",
    ]
    lines = [_extract_row(one["kind"], file) for one in intakes for file in one["files"]]
    return pd.DataFrame(lines, columns=[*columns, "reasons"])


def _extract_row(kind: str, file: Mapping[str, Any]) -> dict[str, Any]:
    reasons = [f"{name}: {n:,}" for name, n in (file["excluded"] | file["quarantined"]).items()]
    first, last = [month_label(month) for month in file["months"]] or ["", ""]
    same = {name: file[name] for name in ("file", "force", "sha256", "bytes", "read", "yielded")}
    return same | {
        "kind": kind, "first": first, "last": last, "excluded": sum(file["excluded"].values()),
        "quarantined": sum(file["quarantined"].values()), "reasons": "; ".join(reasons),
    }  # fmt: skip


# Pages ---------------------------------------------------------------------------------------------------------------


def _pages(made: Made, intakes: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """The report on each force, in a folder of its name."""
    tallies = [made.tallies[SEARCH][axes] for axes in WANTED]
    residents = made.residents(["ethnicity_self"])
    read = [file for one in intakes if one["kind"] == SEARCH for file in one["files"]]
    files: dict[str, bytes] = {}
    for force in forces_of(tallies[0]):
        own = [file for file in read if force in file["force"].split(", ")]
        inputs = _page(made, [tally.select(force=force) for tally in tallies], residents, force, own)
        if inputs is not None:
            files |= {f"report/{force}/{name}": content for name, content in report_files(inputs).items()}
    return files


def _people(made: Made, tally: Tally, force: str) -> PersonTally | None:
    """Who was searched, where the records say so."""
    source, scope = made.sources[SEARCH], tally.scope
    if not names_people(source):
        return None
    period = None if scope.first is None or scope.last is None else (month_label(scope.first), month_label(scope.last))
    return person_tally(source, WANTED[0], force=force, period=period)


def _left_aside(files: Sequence[Mapping[str, Any]]) -> Account:
    """What reading put aside and noted, which the store does not hold."""
    return sum(
        (Account(sum(one["quarantined"].values()), {}, one["quarantined"], one["notes"]) for one in files), Account()
    )


def _page(
    made: Made, tallies: Sequence[Tally], residents: Tally, force: str, files: Sequence[Mapping[str, Any]]
) -> ReportInputs | None:
    """What the report on one force says; None where it has no month in the period."""
    cover = month_coverage(tallies[0])
    if (cover.state == MISSING).all():
        return None
    about = provenance(tallies[0], residents)
    return ReportInputs(
        force=force,
        force_name=codelist("force").label(force),
        first=month_label(cover.months[0]),
        last=month_label(cover.months[-1]),
        results=measure_all(tallies, residents, persons=_people(made, tallies[0], force)),
        coverage=cover.frame(),
        account=tallies[0].account + _left_aside(files),
        files=_extracts([{"kind": SEARCH, "files": files}]).drop(columns="kind"),
        provenance={name: value for name, value in about.items() if name != "command"},
        synthetic=codelist("force").label(force).endswith(INVENTED),
        dataset=made.sources[SEARCH].dataset,
    )


# The manifest --------------------------------------------------------------------------------------------------------


def manifest(
    made: Made, run: str, made_from: Mapping[str, Any], warnings: Sequence[str], files: Mapping[str, bytes]
) -> bytes:
    """What the run is of, what it was made from, what became of every row, and the SHA-256 of every file, as JSON."""
    from dataclasses import asdict

    accounts = {
        kind: {" x ".join(("force", "month", *axes)): asdict(tally.account) for axes, tally in lists.items()}
        for kind, lists in made.tallies.items()
    }
    said = {
        "format": FORMAT,
        "run": run,
        "notice": SYNTHETIC_MARK if made.invented else "",
        "warnings": list(warnings),
        "made_from": made_from,
        "tallies": accounts,
        "files": {name: sha(content) for name, content in files.items()},
    }
    return (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode()
