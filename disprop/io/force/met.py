"""Metropolitan Police open data on use of force: one row a report, 271 columns.

Validation: amber; the columns and the tactics are those of the published file, the wording of ages, injuries and
boroughs is general knowledge. No real file has been read with it yet.

A row is one officer's use of force on one person. The file has no incident, officer or person: how many incidents there
were cannot be told from it, see `disprop.incidents`.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from disprop.codelists import code_lookup, codelist, normalise
from disprop.errors import UsageError
from disprop.io.archive import Member, Progress
from disprop.io.census import census_folder
from disprop.io.intake import FileAccount
from disprop.io.mapping.columns import ColumnMapping, header_key
from disprop.io.mapping.extracts import Extracts
from disprop.io.mapping.files import Extract, Piece, find_extracts, open_extract
from disprop.io.mapping.times import distinct
from disprop.io.quarantine import Quarantine
from disprop.records import join_items, split_items

if TYPE_CHECKING:
    import pyarrow as pa

DATASET, FORCE, SCHEME = "met-force", "metropolitan", "home-office"

Ced = Literal["highest", "all"]

CED_USES = (
    "CED drawn", "CED aimed", "CED red-dot", "CED arced", "CED drive-stun", "CED fired", "CED angle-drive stun",
)  # fmt: skip
"""Uses of a CED from the lowest to the highest, as the Home Office counts; an angle-drive stun follows a firing."""

LOCATIONS = (
    "Street/Highway", "Public Transport", "Retail Premises", "Open ground (e.g. park, car park, field)",
    "Licensed Premises", "Sports or Event Stadia", "Hospital/A&E (non-mental-health setting)", "Mental Health Setting",
    "Police vehicle with prisoner handling cage", "Police vehicle without prisoner handling cage", "Dwelling",
    "Police station (excluding custody block)", "Custody Block", "Ambulance", "Other",
)  # fmt: skip
FACTORS = (
    "Possesion of a weapon", "Alcohol", "Drugs", "Mental Health", "Prior Knowledge", "Size/Gender/Build",
    "Acute Behavioural Disorder", "Crowd", "Other",
)  # fmt: skip
REASONS = (
    "Protect self", "Protect Public", "Protect Subject", "Protect Other Officers", "Prevent Offence", "Secure Evidence",
    "Effect Search", "Effect Arrest", "Method of Entry", "Remove Handcuffs", "Prevent Harm", "Prevent Escape", "Other",
)  # fmt: skip
OUTCOMES = (
    "Made off/escaped", "Arrested", "Hospitalised", "Detained - Mental Health Act", "Fatality", "Other",
)  # fmt: skip
_CED = ("Drawn", "Aimed", "Arced", "Red-Dotted", "Drive Stun", "Angle Drive Stun", "Fired")
_MADE = ("made health", "made officer injury", "made person injury")
"""Columns that this reader makes of two of the file's."""


def _device(n: int) -> tuple[str, ...]:
    """The columns of the n-th CED; the file spells Arced `ArCED2` from the second on."""
    ced, arced = ("CED", "Arced") if n == 1 else (f"CED{n}", f"ArCED{n}")
    fired = ("Cartridge Number", "5 Secs Cycle Interrupted", "Repeat Cycle Same Cartridge", "Total Number Of Cycles",
             "Cycle Extended Beyond 5 Secs", "Miss With One Probe", "Miss With Both Probes")  # fmt: skip
    uses = ("Drawn", "Aimed", arced, "Red-Dotted", "Drive Stun", "Drive Stun Repeat Application", "Angle Drive Stun")
    hits = (*(f"Front {i}" for i in range(1, 16)), *(f"Back {letter}" for letter in "ABCDEFGHJK"))
    return tuple(f"{ced} {name}" for name in (*uses, "Fired", *(f"Fired {one}" for one in fired), *hits))


LAYOUT = (
    "IncidentDate", "IncidentTime", *(f"Incident Location: {name}" for name in LOCATIONS), "Borough", "PrimaryConduct",
    "AssaultedBySubject", "ThreatenedWithWeapon", "AssaultedWithWeapon",
    *(f"Impact Factor: {name}" for name in FACTORS), *(f"Reason for Force: {name}" for name in REASONS),
    "MainDuty", "SingleCrewed", "TrainedCED", "CarryingCED",
    *(f"{name} {i}" for i in range(1, 20) for name in ("Tactic", "Effective")), "Tactic 20", "Tactic Effective 20",
    "CED Used", "CED Device Serial No", *(name for n in range(1, 5) for name in _device(n)),
    "Firearms Aimed", "Firearms Fired", "SubjectAge", "SubjectGender", "SubjectEthnicity", "PhysicalDisability",
    "MentalDisability", "StaffInjured", "StaffInjuryIntentional", "StaffInjuryLevel", "StaffMedProvided",
    "SubjectInjured", "SubjectNatureOfInjury", "SubjectMedOffered", "SubjectMedProvided",
    *(f"Outcome: {name}" for name in OUTCOMES),
)  # fmt: skip
"""The 271 columns, in the file's order and spelling."""

SPELT_RIGHT = {"impact factor: possession of a weapon": "Impact Factor: Possesion of a weapon"}


def read_met_force(
    *paths: str | os.PathLike[str],
    ced: Ced = "highest",
    quarantine: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> MetForce:
    """Force reports from files in the Metropolitan layout, as a source to tally or to store.

    Boroughs become local authority codes, flags of yes and no become items, injuries take their severity, and times are
    by the clock on the wall. A severity beside "not injured" is kept as the severity: contradictory reports are not
    repaired. Rows without a readable date are put aside, by reason.

    paths: CSV files (Windows-1252 or UTF-8), folders and globs; a month in two files is refused, because the published
    file restates its history. ced: "highest" keeps the highest use of a CED in a report, as the Home Office counts;
    "all" keeps every one. quarantine: a CSV file to write for the rows put aside.

    Raises InputRefused where a column is missing or a file cannot be read safely.

    >>> from pathlib import Path
    >>> row = dict.fromkeys(LAYOUT, "") | {
    ...     "IncidentDate": "2020-04-01", "IncidentTime": "23:15", "Borough": "Camden", "SubjectAge": "18 - 34",
    ...     "Tactic 1": "CED (Taser) Drawn", "Tactic 2": "CED (Taser) Fired", "Reason for Force: Effect Search": "Yes",
    ... }
    >>> _ = Path("force.csv").write_text(
    ...     "\\n".join(",".join(f'"{cell}"' for cell in line) for line in (LAYOUT, row.values())), encoding="cp1252"
    ... )
    >>> batch = next(read_met_force("force.csv").batches())
    >>> [batch[name].to_pylist() for name in ("area", "age_band", "tactics", "reasons")]
    [['E09000007'], ['18 - 34'], ['CED (Taser) Fired'], ['Effect Search']]
    """
    if ced not in ("highest", "all"):
        raise UsageError(f"ced={ced!r} is not a choice; give 'highest' or 'all'")
    if not paths:
        raise UsageError("no path; give CSV files, folders or globs")
    members, again = find_extracts(paths)
    return MetForce(met_mapping(), members, again, None, None, quarantine, progress, ced=ced)


@cache
def met_mapping() -> ColumnMapping:
    """The layout as a mapping, with the columns that this reader makes of two of the file's."""
    columns = {
        "IncidentDate": "event_time:date", "IncidentTime": "event_time:time", "Borough": "area",
        "SubjectAge": "age_band", "SubjectGender": "gender", "SubjectEthnicity": "ethnicity_officer",
        **dict(zip(_MADE, ("health", "officer_injury", "person_injury"))),
        **{f"Tactic {i}": "tactics" for i in range(1, 21)},
    }  # fmt: skip
    items = {
        "tactics": _uses(),
        "reasons": {f"Reason for Force: {name}": name for name in REASONS},
        "impact_factors": {f"Impact Factor: {name}": name for name in FACTORS},
        "outcomes": {f"Outcome: {name}": name for name in OUTCOMES},
    }
    read = {*columns, *(header for flags in items.values() for header in flags)}
    return ColumnMapping(
        name=DATASET, kind="force_report", force=FORCE, scheme=SCHEME, time_zone="Europe/London",
        date_formats=["iso", "%d/%m/%Y"], separator="\x1f", columns=columns, items=items,
        values={"area": _boroughs(), "ethnicity_officer": {"Unknown": "Not reported"}},
        ignore=[header for header in LAYOUT if header not in read],
    )  # fmt: skip


def _uses() -> dict[str, str]:
    """Flag columns of CEDs and firearms -> the tactic that a yes means."""
    found = {"Firearms Aimed": "Firearm Aimed", "Firearms Fired": "Firearm Fired"}
    for n in range(1, 5):
        for use in _CED:
            name = f"ArCED{n}" if use == "Arced" and n > 1 else use
            found[f"CED{'' if n == 1 else n} {name}"] = f"CED (Taser) {use}"
    return found


def _boroughs() -> dict[str, str]:
    """Name of a local authority in the Metropolitan area -> its ONS code."""
    with (census_folder() / "area_to_force.csv").open(encoding="utf-8", newline="") as file:
        named = {row["name"]: row["area"] for row in csv.DictReader(file) if row["force"] == FORCE}
    return named | {name.replace(" and ", " & "): code for name, code in named.items()}


class MetForce(Extracts):
    """Force reports in the Metropolitan layout; a `records.Source`, see `read_met_force`."""

    def __init__(
        self,
        mapping: ColumnMapping,
        members: list[Member],
        again: list[str],
        key: None,
        force: None,
        quarantine: str | os.PathLike[str] | None,
        progress: Progress | None,
        *,
        ced: Ced,
    ) -> None:
        super().__init__(mapping, members, again, key, force, quarantine, progress)
        self.ced = ced

    def _open(self, member: Member, notes: Counter[str]) -> Extract:
        return MadeColumns(open_extract(member, self.mapping, notes))

    def _batches(
        self, member: Member, columns: set[str] | None, account: FileAccount, quarantine: Quarantine
    ) -> Iterator[pa.RecordBatch]:
        for batch in super()._batches(member, columns, account, quarantine):
            yield with_highest_ced(batch) if self.ced == "highest" and "tactics" in batch.schema.names else batch


class MadeColumns:
    """A file of the layout with the columns that are made of two of its own."""

    def __init__(self, inner: Extract) -> None:
        self._inner = inner
        self._own = {SPELT_RIGHT.get(header_key(header), header): header for header in inner.header}
        self.name, self.header = inner.name, [*self._own, *_MADE]

    @property
    def count(self) -> int:
        return self._inner.count

    @property
    def sha256(self) -> str:
        return self._inner.sha256

    def close(self) -> None:
        self._inner.close()

    def pieces(self, headers: Iterable[str]) -> Iterator[Piece]:
        wanted = [*(header for header in headers if header in self._own), *(name for pair in _PAIRS for name in pair)]
        for piece in self._inner.pieces(dict.fromkeys(self._own.get(header, header) for header in wanted)):
            columns = {name: piece.columns[own] for name, own in self._own.items() if own in piece.columns}
            for made, (one, two), join in zip(_MADE, _PAIRS, (_health, _injury, _injury)):
                columns[made] = _joined(columns[one], columns[two], join)
            yield Piece(columns, piece.lines, piece.bad, piece.left_out)


_PAIRS = (
    ("PhysicalDisability", "MentalDisability"),
    ("StaffInjured", "StaffInjuryLevel"),
    ("SubjectInjured", "SubjectNatureOfInjury"),
)


def _joined(one: pa.Array, two: pa.Array, join: Callable[[str, str], str | None]) -> pa.Array:
    """A text column made of two, each distinct pair once."""
    import pyarrow as pa

    (first, here), (second, there) = distinct(one), distinct(two)
    pairs, at = np.unique(here % len(first) * np.int64(len(second)) + there % len(second), return_inverse=True)
    found = [join(normalise(first[pair // len(second)]), normalise(second[pair % len(second)])) for pair in pairs]
    return pa.array(found, pa.string()).take(pa.array(at))


def _health(physical: str, mental: str) -> str | None:
    """Condition from two flags; without a yes, both must say no.

    >>> _health("yes", "no"), _health("no", "no"), _health("no", "")
    ('Physical', 'No', None)
    """
    said = (physical == "yes", mental == "yes")
    if any(said):
        return {(True, True): "Physical and mental", (True, False): "Physical", (False, True): "Mental"}[said]
    return "No" if physical == mental == "no" else None


def _injury(injured: str, level: str) -> str | None:
    """Severity where one is given, whatever the flag; else the flag.

    >>> _injury("yes", "severe"), _injury("no", "minor"), _injury("yes", ""), _injury("no", "n/a"), _injury("", "")
    ('severe', 'minor', 'yes', 'no', None)
    """
    known = codelist("injury").groups[1:]
    if level and codelist("injury").codes[code_lookup("injury", SCHEME, [level])[0]] in known:
        return level
    return injured or None


def with_highest_ced(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same reports with only the highest use of a CED among the tactics of each."""
    import pyarrow as pa

    column = batch["tactics"]
    sets = [join_items(highest_ced(split_items(label))) for label in column.dictionary.to_pylist()]
    once = list(dict.fromkeys(one for one in sets if one is not None))
    place = pa.array([None if one is None else once.index(one) for one in sets], pa.int32())
    changed = pa.DictionaryArray.from_arrays(place.take(column.indices), pa.array(once, pa.string()))
    return batch.set_column(batch.schema.get_field_index("tactics"), "tactics", changed)


def highest_ced(tactics: Sequence[str]) -> list[str]:
    """Tactics of one report without the lower uses of a CED, as the Home Office counts them.

    >>> highest_ced(["CED (Taser) Drawn", "CED (Taser) Red-Dotted", "Shield"])
    ['CED (Taser) Red-Dotted', 'Shield']
    """
    codes = [codelist("tactic").codes[at] for at in code_lookup("tactic", SCHEME, tactics).tolist()]
    rank = [CED_USES.index(code) if code in CED_USES else -1 for code in codes]
    return [tactic for tactic, at in zip(tactics, rank) if at < 0 or at == max(rank)]
