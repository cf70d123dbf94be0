"""The canonical record kinds: what a column is called, holds and means. No reading or writing happens here.

Records travel as Arrow record batches. A categorical column is a dictionary of the source's own labels (null = blank);
what a label means is bound late, when it is tallied, by the codelists. Every batch has `force` and `month`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from disprop.codelists import nearest
from disprop.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from disprop.provenance import Account


@dataclass(frozen=True)
class Column:
    """One spec per column: it validates, documents and words the error.

    `dtype` is `label` (dictionary of strings), `month` (int32, months since January 1970), `time` (timestamp[s, UTC]),
    `degrees` (float64), `key` (uint64: a keyed hash, null = none; never what it was made from) or `items`. A column of
    items holds several labels a record: it travels as one label that joins them, see `join_items`.
    `police_uk` is the column's header in the public CSV, `api` its field in the public JSON.
    """

    name: str
    dtype: str
    meaning: str
    police_uk: str = ""
    api: str = ""


SEARCH = (
    Column("force", "label", "Force that made the search, as its code."),
    Column("month", "month", "Analysis month: month of the search by UK local time."),
    Column("event_time", "time", "Instant of the search, UTC.", "Date", "datetime"),
    Column("search_type", "label", "Whether a person, a vehicle or both were searched.", "Type", "type"),
    Column("operation", "label", "Part of a policing operation.", "Part of a policing operation", "operation"),
    Column("operation_name", "label", "Name of the policing operation.", "Policing operation", "operation_name"),
    Column("latitude", "degrees", "Latitude of the anonymised place.", "Latitude", "location.latitude"),
    Column("longitude", "degrees", "Longitude of the anonymised place.", "Longitude", "location.longitude"),
    Column("area", "label", "Local authority of the search, as its ONS code: given, or found from its place."),
    Column("gender", "label", "Gender of the person searched.", "Gender", "gender"),
    Column("age_band", "label", "Age band of the person searched.", "Age range", "age_range"),
    Column(
        "ethnicity_self", "label", "Ethnic group as the person describes it.",
        "Self-defined ethnicity", "self_defined_ethnicity",
    ),
    Column(
        "ethnicity_officer", "label", "Ethnic group as the officer perceives it.",
        "Officer-defined ethnicity", "officer_defined_ethnicity",
    ),
    Column("legislation", "label", "Power used.", "Legislation", "legislation"),
    Column("object", "label", "Item searched for.", "Object of search", "object_of_search"),
    Column("outcome", "label", "What followed the search.", "Outcome", "outcome"),
    Column(
        "linked", "label", "Whether the outcome was linked to the item searched for.",
        "Outcome linked to object of search", "outcome_linked_to_object_of_search",
    ),
    Column(
        "more_thorough", "label", "More than outer clothing was removed.",
        "Removal of more than just outer clothing", "removal_of_more_than_outer_clothing",
    ),
    Column("video_recorded", "label", "Whether the search was recorded on body-worn video."),
    Column("possession_only", "label", "Whether a search for drugs was for possession alone, not supply."),
)  # fmt: skip
"""What a search may be described by; data.police.uk publishes those with a `police_uk` header."""

_OFFICERS = (
    Column("command_unit", "label", "Team or command unit of the officer."),
    Column("officer", "key", "Officer who made the record."),
    Column("other_officer", "key", "Another officer who was present."),
    Column("person", "key", "Person whom the record is about."),
    Column("reference", "key", "Reference of the record or its incident, as other systems quote it."),
)

_VIDEO = (
    Column("video_link", "label", "Footage found for the record, or why none was."),
    Column("video_clips", "number", "Clips linked to the record."),
    Column("video_seconds", "number", "Seconds of the record's window that linked clips cover."),
    Column("video_from_start", "label", "Whether a linked clip was already running at the time of the record."),
)
"""Columns that a store keeps beside its records once footage has been linked."""
VIDEO_COLUMNS = tuple(column.name for column in _VIDEO)

_FORCE_USED = Column(
    "force_used", "label", "Force report found for the search, and by what; made by `with_force_used`."
)

FORCE_REPORT = (
    Column("force", "label", "Force whose officer used force, as its code."),
    Column("month", "month", "Analysis month: month of the use of force by UK local time."),
    Column("event_time", "time", "Instant of the use of force, UTC."),
    Column("area", "label", "Local authority, as its ONS code."),
    *_OFFICERS,
    Column("incident", "key", "Incident that the report is part of."),
    Column("gender", "label", "Gender of the person, as the officer perceives it."),
    Column("age_band", "label", "Age band of the person, as the officer perceives it."),
    Column("ethnicity_officer", "label", "Ethnic group as the officer perceives it."),
    Column("ethnicity_self", "label", "Ethnic group as the person describes it, where recorded."),
    Column("health", "label", "Health condition of the person, as the officer perceives it."),
    Column("tactics", "items", "Tactics used on the person."),
    Column("reasons", "items", "Reasons for using force."),
    Column("impact_factors", "items", "What bore on the decision to use force."),
    Column("outcomes", "items", "What followed."),
    Column("officer_injury", "label", "Injury of the officer."),
    Column("person_injury", "label", "Injury of the person."),
    Column("video_recorded", "label", "Whether the use of force was recorded on body-worn video."),
)

FOOTAGE = (
    Column("force", "label", "Force whose footage it is, as its code."),
    Column("month", "month", "Month in which the clip starts by UK local time."),
    Column("event_time", "time", "Start of the clip, UTC, by the clock of its system."),
    Column("end_time", "time", "End of the clip, UTC, by the clock of its system."),
    Column("media", "key", "The clip."),
    Column("officer", "key", "Officer who wore the camera."),
    Column("reference", "key", "Reference that the clip was tagged with."),
    Column("system", "label", "System that keeps the clip."),
    Column("device", "key", "Camera."),
    Column("status", "label", "Whether the clip is still kept."),
    Column("recorded_on_source", "label", "Where the start comes from: device, edited by hand, upload."),
    Column("category", "items", "Categories that the clip was given."),
    Column("uploaded_time", "time", "When the clip was uploaded, UTC."),
    Column("deleted_time", "time", "When the clip was deleted, UTC."),
)

CUSTODY = (
    Column("force", "label", "Force that made the arrest, as its code."),
    Column("month", "month", "Analysis month: month of the arrest by UK local time."),
    Column("event_time", "time", "Instant of the arrest, UTC."),
    *_OFFICERS,
    Column("gender", "label", "Gender of the person."),
    Column("age_band", "label", "Age band of the person."),
    Column("ethnicity_self", "label", "Ethnic group as the person describes it."),
    Column("ethnicity_officer", "label", "Ethnic group as the officer perceives it."),
)


OPEN_LISTS = ("area", "command_unit", "officer")
"""Lists whose codes are those that occur; a tally has at most one such axis beside force and month."""
HOUR = "hour"
JOINT = "joint"
"""Column of a store that holds the codes of several columns as one number (`Mapped.joint`)."""
PERSONAL = ("officer", "other_officer", "person")
"""Columns and axes of which every code is somebody."""


@dataclass(frozen=True)
class AxisSpec:
    """An axis that records can be counted by: the record column it reads and the codelist it counts in.

    On a `multi` axis a record counts once under every item that it has, and once under `any` or `none`.
    """

    name: str
    column: str
    codelist: str
    meaning: str
    of_person: bool = False
    multi: bool = False

    @property
    def is_open(self) -> bool:
        """Whether its codes are those that occur, so that nobody can list them before all is read."""
        return self.codelist in OPEN_LISTS

    @property
    def by_label(self) -> bool:
        """Whether a record's label alone says its one code."""
        return not (self.is_open or self.multi or self.codelist == HOUR)


_WHERE = (
    AxisSpec("force", "force", "force", "Force that made the record."),
    AxisSpec("month", "month", "month", "Analysis month, by UK local time."),
)
_UNIT = (
    AxisSpec("command_unit", "command_unit", "command_unit", "Team or command unit of the officer."),
    AxisSpec("officer", "officer", "officer", "Officer who made the record, by pseudonym."),
    AxisSpec("hour", "event_time", HOUR, "Hour of the day, by UK local time."),
)
_ON_VIDEO = (
    AxisSpec("video_recorded", "video_recorded", "flag", "On body-worn video, by tick-box: yes, no, blank."),
    AxisSpec("video_link", "video_link", "video_link", "Footage found for the record, or why none was."),
    AxisSpec(
        "video_from_start", "video_from_start", "flag", "A linked clip was running from the start: yes, no, blank."
    ),
)
_AREA = AxisSpec("area", "area", "area", "Local authority, as its ONS code.")
_ETHNICITY_SELF = (
    AxisSpec("ethnicity_self", "ethnicity_self", "ethnicity_5", "Self-defined ethnicity, 5 groups.", True),
    AxisSpec("ethnicity_self_19", "ethnicity_self", "ethnicity_19", "Self-defined ethnicity, 19 groups.", True),
)
_ETHNICITY_OFFICER = AxisSpec(
    "ethnicity_officer", "ethnicity_officer", "ethnicity_5", "Officer-defined ethnicity, 5 groups.", True
)
_GENDER = AxisSpec("gender", "gender", "gender", "Gender of the person.", True)
_AGE_BAND = AxisSpec("age_band", "age_band", "age_band", "Age band of the person.", True)

AXES = (
    *_WHERE,
    _AREA,
    *_ETHNICITY_SELF,
    _ETHNICITY_OFFICER,
    _AGE_BAND,
    _GENDER,
    AxisSpec("search_type", "search_type", "search_type", "Person, vehicle, or both."),
    AxisSpec("legislation", "legislation", "legislation", "Power used."),
    AxisSpec("object", "object", "object", "Item searched for."),
    AxisSpec("outcome", "outcome", "outcome", "What followed the search."),
    AxisSpec("linked", "linked", "flag", "Outcome linked to the item searched for: yes, no, blank."),
    AxisSpec("more_thorough", "more_thorough", "flag", "More than outer clothing removed: yes, no, blank."),
    AxisSpec("operation", "operation", "flag", "Part of a policing operation: yes, no, blank."),
    AxisSpec("possession_only", "possession_only", "flag", "Search for drugs for possession alone: yes, no, blank."),
    AxisSpec("force_used", "force_used", "force_used", "Force report found for the search, and by what."),
    *_ON_VIDEO,
    *_UNIT,
)
"""Axes of searches."""

FORCE_AXES = (
    *_WHERE,
    _AREA,
    _ETHNICITY_OFFICER,
    *_ETHNICITY_SELF,
    AxisSpec("age_band", "age_band", "force_age_band", "Age band of the person, as use of force is recorded.", True),
    _GENDER,
    AxisSpec("health", "health", "health", "Health condition, as perceived.", True),
    AxisSpec("tactic", "tactics", "tactic", "Tactic used.", multi=True),
    AxisSpec("tactic_class", "tactics", "tactic_class", "Class of the tactics used.", multi=True),
    AxisSpec("tactic_use", "tactics", "tactic_use", "By hand, or a weapon drawn or used.", multi=True),
    AxisSpec("reason", "reasons", "force_reason", "Reason for using force.", multi=True),
    AxisSpec("impact_factor", "impact_factors", "impact_factor", "What bore on the decision.", multi=True),
    AxisSpec("force_outcome", "outcomes", "force_outcome", "What followed.", multi=True),
    AxisSpec("officer_injury", "officer_injury", "injury", "Injury of the officer."),
    AxisSpec("person_injury", "person_injury", "injury", "Injury of the person."),
    *_ON_VIDEO,
    *_UNIT,
)
"""Axes of force reports."""


@dataclass(frozen=True)
class Kind:
    """A kind of record: the unit that its records are counted in, its columns, and the axes to count it by."""

    name: str
    unit: str
    columns: tuple[Column, ...]
    axes: tuple[AxisSpec, ...]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("search", "searches", (*SEARCH, *_OFFICERS, *_VIDEO, _FORCE_USED), AXES),
        Kind("force_report", "force reports", (*FORCE_REPORT, *_VIDEO), FORCE_AXES),
        Kind("footage", "clips", FOOTAGE, (*_WHERE, _UNIT[-2], _UNIT[-1])),
        Kind(
            "custody", "arrests", CUSTODY,
            (*_WHERE, *_ETHNICITY_SELF, _ETHNICITY_OFFICER, _AGE_BAND, _GENDER, *_UNIT),
        ),
    )
}  # fmt: skip

VEHICLE_ONLY = "Vehicle search"

PART_MONTH = "part_month"
"""Column that a source adds when asked for it by name: the part month of each row, which says its slot (int32)."""


def kind_of(name: str) -> Kind:
    """The kind of that name; raises UsageError with the nearest known name."""
    if name not in KINDS:
        raise UsageError(f"no kind of record {name!r}{nearest(name, KINDS)}")
    return KINDS[name]


def axis_spec(name: str, kind: str = "search") -> AxisSpec:
    """The axis of that name for a kind of record; raises UsageError with the nearest known name.

    `ethnicity` alone is refused: self-defined and officer-defined ethnicity are two axes, never merged silently.
    """
    known = {spec.name: spec for spec in kind_of(kind).axes}
    if name == "ethnicity":
        raise UsageError("'ethnicity' is ambiguous; name ethnicity_self, ethnicity_self_19 or ethnicity_officer")
    if name not in known:
        raise UsageError(f"{KINDS[kind].unit} have no axis {name!r}{nearest(name, known)}")
    return known[name]


SEPARATOR = " | "


def join_items(items: Iterable[str]) -> str | None:
    """Several labels of one record as the one label that it travels under: sorted, each once; None for no item.

    >>> join_items(["Shield", "Baton drawn", "Shield"])
    'Baton drawn | Shield'
    """
    return SEPARATOR.join(sorted({item.strip() for item in items if item.strip()})) or None


def split_items(label: str | None) -> list[str]:
    """The labels that `join_items` joined."""
    return label.split(SEPARATOR) if label else []


class Source(Protocol):
    """Something that yields record batches once through, and can then account for every row.

    `batches` yields Arrow record batches with the columns of the kind (those that the source has; `force` and `month`
    always). `parts` (dtype provenance.PART) and `account` (rows read, quarantined, excluded on reading) are complete
    once `batches` is exhausted: `account.counted` then equals the rows yielded.
    """

    @property
    def kind(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def dataset(self) -> str: ...

    @property
    def scheme(self) -> str: ...

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]: ...

    @property
    def parts(self) -> np.ndarray: ...

    @property
    def account(self) -> Account: ...


def is_source(thing: Any) -> bool:
    """Whether `thing` already yields record batches."""
    return hasattr(thing, "batches") and hasattr(thing, "scheme")


@dataclass(frozen=True)
class Mapped:
    """Parts of one kind as plain arrays over mapped files: what a fused scan needs, and nothing that it does not.

    The arrays have one entry a part, in the order of the source's `parts`: `force` (position in `forces`), `records`
    (rows stored), `first` and `last` (its earliest and latest analysis month), `segment` (position of its file).
    `offset[column]` and `width[column]` say where a column of label codes starts in that file and how many bytes a
    code has; width 0 means that the part lacks the column, so that all is blank. Code 0 is blank, code i the i-th
    label of `labels(column)`. `files` maps the files at these positions, as bytes. `joint` says of some parts (by their
    positions) which columns are digits of the number in their column `joint`, and the radix of each; {} where not all
    parts have the same.
    """

    forces: tuple[str, ...]
    force: np.ndarray
    records: np.ndarray
    first: np.ndarray
    last: np.ndarray
    segment: np.ndarray
    offset: Mapping[str, np.ndarray]
    width: Mapping[str, np.ndarray]
    labels: Callable[[str], list[str]]
    files: Callable[[np.ndarray], list[np.ndarray]]
    joint: Callable[[np.ndarray], dict[str, int]]
