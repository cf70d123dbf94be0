"""Invented encounters as a force would export them: CSV by month, with headings, codes and times of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from disprop.codelists import code_lookup, codelist
from disprop.months import london_seconds, month_label, month_number
from disprop.synthetic.encounters import TABLES, as_tables, prepared
from disprop.synthetic.footage import Columns
from disprop.synthetic.known_people import REPEAT_SHARE
from disprop.synthetic.noise import Noise, described
from disprop.synthetic.records import NOTICE, YEAR
from disprop.synthetic.truth import Truth

SELF_DEFINED = {
    "White British": "W1", "White Irish": "W2", "Gypsy or Irish Traveller": "W3", "Roma": "W4", "Other White": "W9",
    "White and Black Caribbean": "M1", "White and Black African": "M2", "White and Asian": "M3", "Other Mixed": "M9",
    "Indian": "A1", "Pakistani": "A2", "Bangladeshi": "A3", "Chinese": "A4", "Other Asian": "A9",
    "Caribbean": "B1", "African": "B2", "Other Black": "B9", "Arab": "O1", "Any other": "O9", "not stated": "NS",
}  # fmt: skip
"""Self-defined ethnicity is exported by its code in scheme `pace2023`."""

PERCEIVED = {"White": "IC1", "Black": "IC3", "Asian": "IC4", "Other": "IC6", "Mixed": "Mixed"}
YES_NO = {"True": "Y", "False": "N", "yes": "Y", "no": "N"}
ITEM_BREAK = "; "

HEADINGS: Mapping[str, Mapping[str, str]] = {
    "search": {
        "reference": "Search URN", "event_time": "Date of Search|Time of Search", "search_type": "Search Type",
        "officer": "Searching Officer", "other_officer": "Second Officer", "command_unit": "LPA",
        "person": "Nominal Ref", "gender": "Sex", "age_band": "Age Group", "ethnicity_self": "Self Class Ethnicity",
        "ethnicity_officer": "IC Code", "operation": "Pre Planned Op", "legislation": "Power", "object": "Looking For",
        "possession_only": "Possession Only", "outcome": "Disposal", "linked": "Item Found Was Item Sought",
        "more_thorough": "More Than Outer Clothing", "video_recorded": "BWV On", "latitude": "Lat",
        "longitude": "Long",
    },
    "force_report": {
        "reference": "Incident URN", "incident": "UoF Incident Id", "event_time": "UoF Date|UoF Time",
        "officer": "Collar No", "other_officer": "Colleague Present", "command_unit": "LPA", "person": "Subject Ref",
        "gender": "Subject Sex", "age_band": "Subject Age", "ethnicity_officer": "Subject Ethnicity",
        "ethnicity_self": "Subject 18+1", "health": "Subject Health", "tactics": "Tactics", "reasons": "Reason(s)",
        "impact_factors": "Impact Factors", "outcomes": "Outcome(s)", "officer_injury": "Officer Injured",
        "person_injury": "Subject Injured", "video_recorded": "BWV",
    },
    "footage": {
        "media": "Evidence UUID", "reference": "ID", "officer": "Owner Badge", "device": "Camera Serial",
        "system": "Source System", "event_time": "Recorded On", "end_time": "Recording End",
        "recorded_on_source": "Recorded On Source", "category": "Categories", "status": "Status",
        "uploaded_time": "Uploaded On", "deleted_time": "Deleted On",
    },
    "custody": {
        "reference": "Occurrence", "event_time": "Arrest Date|Arrest Time", "officer": "Arresting Officer",
        "other_officer": "Other Officer", "command_unit": "LPA", "person": "Detainee Ref", "gender": "Gender",
        "age_band": "Age", "ethnicity_self": "Self Defined", "ethnicity_officer": "IC",
    },
}  # fmt: skip
"""Canonical column -> heading in the extract of each kind; date and time of day are two columns where `|` stands."""


def write_encounters(
    folder: str | PathLike[str],
    truth: Truth | None = None,
    *,
    months: Sequence[str] = YEAR,
    seed: int = 1,
    noise: Noise | None = None,
    repeat_share: float = REPEAT_SHARE,
    as_of: str | None = None,
) -> list[Path]:
    """Write `<kind>/<kind>-YYYY-MM.csv` for searches, force reports, footage and custody; return the paths, in order.

    A file holds the records whose recorded time lies in its month by the UK clock: also the late forms of the month
    before, and early clips of the month after. So a month's files are the same whichever other months are written.
    Headings are the force's own (`HEADINGS`), identifiers are text, ethnicity is coded (self-defined by `pace2023`
    codes, perceived by IC codes), yes and no are Y and N, items are parted by semicolons. Forms state the UK local
    clock, `dd/mm/yyyy` and `HH:MM`; footage states UTC, as `yyyy-mm-dd hh:mm:ss`.

    Beside them stand `truth/records.csv`, `truth/clips.csv` and `truth/links.csv` (rows named by month and by their
    number in that file, from 0), `truth.json` (the probabilities, the noise, the clocks) and `SYNTHETIC.txt`.
    The same arguments give the same bytes. Files in the way are replaced.

    Arguments and errors as `make_encounters`; OSError where the folder cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write_encounters(folder, months=["2023-06"])
    ...     [path.name for path in paths], len(paths[0].read_text().splitlines()) > 1_500
    (['searches-2023-06.csv', 'force_reports-2023-06.csv', 'footage-2023-06.csv', 'custody-2023-06.csv'], True)
    """
    folder, wanted = Path(folder), sorted({month_number(month) for month in months})
    drawing = prepared(truth, seed=seed, noise=noise, repeat_share=repeat_share, as_of=as_of)
    near = sorted({month + step for month in wanted for step in (-1, 0, 1)})
    columns = {kind: _of_months(table, wanted) for kind, table in drawing.columns(near).items()}
    made = as_tables(drawing, columns, months)
    written = []
    for month in wanted:
        for kind, name in TABLES.items():
            rows = made.raw[name].filter(pc.equal(made.raw[name]["month"], month))
            path = folder / name / f"{name}-{month_label(month)}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            csv.write_csv(exported(kind, rows), path)
            written.append(path)
    places = {kind: Places(made.raw[name]["month"].to_numpy()) for kind, name in TABLES.items()}
    _write_truth(folder / "truth", made.truth.records, made.truth.clips, made.truth.links, places)
    told = {"notice": NOTICE, "seed": seed, "months": [month_label(month) for month in wanted], "as_of": as_of}
    told |= {"repeat_share": repeat_share, "noise": described(drawing.noise), "clocks": dict(made.truth.clocks)}
    told |= {"force": asdict(drawing.truth)}
    (folder / "truth.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8", newline="\n")
    (folder / "SYNTHETIC.txt").write_text(f"{NOTICE}\n", encoding="utf-8", newline="\n")
    return written


def _of_months(table: Columns, wanted: Sequence[int]) -> Columns:
    """The rows recorded in these months, and listed; month after month, in time order."""
    keep = np.isin(table["month"], wanted) & table.get("listed", np.ones(len(table["month"]), bool))
    order = np.flatnonzero(keep)
    order = order[np.lexsort((table["event_time"][order], table["month"][order]))]
    return {name: values[order] for name, values in table.items()}


# Tables --------------------------------------------------------------------------------------------------------------


def exported(kind: str, rows: pa.Table) -> pa.Table:
    """Raw rows of one kind under the headings, and in the codes, of the invented force."""
    columns: dict[str, pa.Array] = {}
    for name, heading in HEADINGS[kind].items():
        first, cut, second = heading.partition("|")
        values = rows[name]
        if cut:
            columns[first], columns[second] = _local(values, "%d/%m/%Y"), _local(values, "%H:%M")
        elif pa.types.is_timestamp(values.type):
            columns[first] = pc.strftime(values, "%Y-%m-%d %H:%M:%S")
        elif pa.types.is_dictionary(values.type):
            columns[first] = _recoded(values, WORDS.get((kind, name)) or WORDS.get(("", name)))
        else:
            columns[first] = values
    return pa.table(columns)


def _local(times: pa.ChunkedArray, form: str) -> pa.Array:
    seconds = times.cast(pa.int64()).to_numpy()
    return pc.strftime(pa.array(london_seconds(seconds)).cast(pa.timestamp("s")), form)


def _recoded(labels: pa.ChunkedArray, word: Callable[[str], str] | None) -> pa.Array:
    whole = labels.combine_chunks()
    if word is None:
        return whole.cast(pa.string())
    words = pa.array([word(label) for label in whole.dictionary.to_pylist()], pa.string())
    return words.take(whole.indices)


def _self_defined(label: str) -> str:
    code = code_lookup("ethnicity_19", "police.uk", [label])[0]
    return SELF_DEFINED[codelist("ethnicity_19").codes[code]]


def _items(label: str) -> str:
    return ITEM_BREAK.join(label.split(" | "))


_FLAGS = ("operation", "linked", "more_thorough", "video_recorded", "possession_only")
WORDS: Mapping[tuple[str, str], Callable[[str], str]] = {
    ("", "ethnicity_self"): _self_defined,
    ("", "ethnicity_officer"): PERCEIVED.__getitem__,
    ("force_report", "ethnicity_officer"): str,
    **{("", name): YES_NO.__getitem__ for name in _FLAGS},
    **{("", name): _items for name in ("tactics", "reasons", "impact_factors", "outcomes")},
}
"""How the labels of a column are spelt in the extracts, where otherwise than here; `""` is every other kind."""


# Truth ---------------------------------------------------------------------------------------------------------------


class Places:
    """Where the rows of a table, month after month, stand in the files of the months."""

    def __init__(self, months: np.ndarray) -> None:
        self.labels = np.array([month_label(int(month)) for month in np.unique(months)], dtype=object)
        _, first, self.month_at = np.unique(months, return_index=True, return_inverse=True)
        self.row = np.arange(len(months)) - first[self.month_at] if len(months) else np.zeros(0, np.int64)

    def __call__(self, rows: np.ndarray) -> tuple[pa.Array, pa.Array]:
        """Month and row in its file of the rows of the whole table."""
        return pa.array(self.labels[self.month_at[rows]], pa.string()), pa.array(self.row[rows])


def _write_truth(
    folder: Path, records: pa.Table, clips: pa.Table, links: pa.Table, places: Mapping[str, Places]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("records", records), ("clips", clips), ("links", links)):
        csv.write_csv(_placed(table, places), folder / f"{name}.csv")


def _placed(table: pa.Table, places: Mapping[str, Places]) -> pa.Table:
    """The table with each row number as a month and a row in its file."""
    kinds = np.array(table["kind"].to_pylist() if "kind" in table.column_names else ["footage"] * table.num_rows)
    month, row = np.empty(len(kinds), object), np.zeros(len(kinds), np.int64)
    for kind in np.unique(kinds):
        at = kinds == kind
        months, rows = places[str(kind)](table["row"].to_numpy()[at])
        month[at], row[at] = months.to_pylist(), rows.to_numpy()
    columns = {name: table[name] for name in table.column_names}
    columns |= {"row": pa.array(row), "month": pa.array(month, pa.string())}
    if "clip" in columns:
        months, rows = places["footage"](table["clip"].to_numpy())
        columns |= {"clip": rows, "clip_month": months}
    return pa.table(columns)
