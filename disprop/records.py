"""The canonical record kinds: what a column is called, holds and means. No reading or writing happens here.

Records travel as Arrow record batches. A categorical column is a dictionary of the source's own labels (null = blank);
what a label means is bound late, when it is tallied, by the codelists. Every batch has `force` and `month`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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

    `dtype` is `label` (dictionary of strings), `month` (int32, months since January 1970), `time` (timestamp[s, UTC])
    or `degrees` (float64). `police_uk` is the column's header in the public CSV, `api` its field in the public JSON.
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
)  # fmt: skip


@dataclass(frozen=True)
class AxisSpec:
    """An axis that searches can be counted by: the record column it reads and the codelist it counts in."""

    name: str
    column: str
    codelist: str
    meaning: str
    of_person: bool = False


AXES = (
    AxisSpec("force", "force", "force", "Force that made the search."),
    AxisSpec("month", "month", "month", "Analysis month, by UK local time."),
    AxisSpec("area", "area", "area", "Local authority of the search, as its ONS code."),
    AxisSpec("ethnicity_self", "ethnicity_self", "ethnicity_5", "Self-defined ethnicity, 5 groups.", True),
    AxisSpec("ethnicity_self_19", "ethnicity_self", "ethnicity_19", "Self-defined ethnicity, 19 groups.", True),
    AxisSpec("ethnicity_officer", "ethnicity_officer", "ethnicity_5", "Officer-defined ethnicity, 5 groups.", True),
    AxisSpec("age_band", "age_band", "age_band", "Age band of the person searched.", True),
    AxisSpec("gender", "gender", "gender", "Gender of the person searched.", True),
    AxisSpec("search_type", "search_type", "search_type", "Person, vehicle, or both."),
    AxisSpec("legislation", "legislation", "legislation", "Power used."),
    AxisSpec("object", "object", "object", "Item searched for."),
    AxisSpec("outcome", "outcome", "outcome", "What followed the search."),
    AxisSpec("linked", "linked", "flag", "Outcome linked to the item searched for: yes, no, blank."),
    AxisSpec("more_thorough", "more_thorough", "flag", "More than outer clothing removed: yes, no, blank."),
    AxisSpec("operation", "operation", "flag", "Part of a policing operation: yes, no, blank."),
    AxisSpec("video_recorded", "video_recorded", "flag", "On body-worn video, by tick-box: yes, no, blank."),
)

VEHICLE_ONLY = "Vehicle search"

PART_MONTH = "part_month"
"""Column that a source adds when asked for it by name: the part month of each row, which says its slot (int32)."""


def axis_spec(name: str) -> AxisSpec:
    """The axis of that name; raises UsageError with the nearest known name.

    `ethnicity` alone is refused: self-defined and officer-defined ethnicity are two axes, never merged silently.
    """
    known = {spec.name: spec for spec in AXES}
    if name == "ethnicity":
        raise UsageError("'ethnicity' is ambiguous; name ethnicity_self, ethnicity_self_19 or ethnicity_officer")
    if name not in known:
        raise UsageError(f"no axis {name!r}{nearest(name, known)}")
    return known[name]


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
    label of `labels(column)`. `files` maps the files at these positions, as bytes.
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
