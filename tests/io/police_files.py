"""Files in the public format, made for tests."""

import csv
import io
import json
from pathlib import Path
from typing import Any

HEADER = [
    "Type",
    "Date",
    "Part of a policing operation",
    "Policing operation",
    "Latitude",
    "Longitude",
    "Gender",
    "Age range",
    "Self-defined ethnicity",
    "Officer-defined ethnicity",
    "Legislation",
    "Object of search",
    "Outcome",
    "Outcome linked to object of search",
    "Removal of more than just outer clothing",
]
PLAIN = {
    "Type": "Person search",
    "Date": "2019-04-10T12:00:00+00:00",
    "Part of a policing operation": "False",
    "Policing operation": "",
    "Latitude": "51.5",
    "Longitude": "-0.1",
    "Gender": "Male",
    "Age range": "18-24",
    "Self-defined ethnicity": "White - Irish",
    "Officer-defined ethnicity": "White",
    "Legislation": "Misuse of Drugs Act 1971 (section 23)",
    "Object of search": "Controlled drugs",
    "Outcome": "Arrest",
    "Outcome linked to object of search": "True",
    "Removal of more than just outer clothing": "False",
}
KENT = "2019-04-kent-stop-and-search.csv"


def fields(**changes: str) -> list[str]:
    """One row's fields; a changed column goes by its first words, as `Date=` or `Self_defined=`."""
    row = dict(PLAIN)
    for name, value in changes.items():
        row[column(name)] = value
    return list(row.values())


def column(name: str) -> str:
    start = name.replace("_", " ").casefold()
    return next(header for header in HEADER if header.replace("-", " ").casefold().startswith(start))


def csv_text(rows: list[list[str]], *, header: list[str] | None = None, delimiter: str = ",", end: str = "\n") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows([HEADER if header is None else header, *rows])
    return out.getvalue()


def write_csv(path: Path, rows: list[list[str]], **how: Any) -> Path:
    return write_text(path, csv_text(rows, **how))


def write_text(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def record(**changes: Any) -> dict[str, Any]:
    """One search as the JSON interface answers it."""
    return {
        "age_range": "18-24",
        "outcome": "Arrest",
        "involved_person": True,
        "self_defined_ethnicity": "White - Irish",
        "gender": "Male",
        "legislation": None,
        "outcome_linked_to_object_of_search": True,
        "datetime": "2023-01-15T10:39:17+00:00",
        "removal_of_more_than_outer_clothing": False,
        "outcome_object": {"id": "bu-arrest", "name": "Arrest"},
        "location": {"latitude": "51.5", "longitude": "-0.1", "street": {"id": 1, "name": "On or near Here"}},
        "operation": None,
        "officer_defined_ethnicity": "White",
        "type": "Person search",
        "operation_name": None,
        "object_of_search": "Controlled drugs",
    } | changes


def write_json(path: Path, records: list[Any]) -> Path:
    return write_text(path, json.dumps(records))


def rows_of(source: Any, columns: set[str] | None = None) -> list[dict[str, Any]]:
    """All records that a source yields, as dicts."""
    return [row for batch in source.batches(columns) for row in batch.to_pylist()]


def balances(source: Any) -> bool:
    account = source.account
    yielded = sum(file.yielded for file in source.files)
    return account.counted == yielded and account.read == sum(file.read for file in source.files)


def kent(folder: Path, text: str | bytes) -> Path:
    return write_text(folder / KENT, text)


def noted(source, rule: str) -> int:
    """How often a rule was noted; details may follow its name."""
    return sum(n for note, n in source.account.notes.items() if note == rule or note.startswith(f"{rule}: "))
