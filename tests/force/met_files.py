"""Files in the Metropolitan layout, invented."""

import csv
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "golden"


def layout():
    with (GOLDEN / "force_met_columns.csv").open(encoding="utf-8") as file:
        return [row["column"] for row in csv.DictReader(file)]


def tactics():
    with (GOLDEN / "force_met_tactics.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


BASE = {
    "IncidentDate": "01/04/2020", "IncidentTime": "10:00", "Borough": "Camden", "SubjectAge": "18 - 34",
    "SubjectGender": "Male", "SubjectEthnicity": "White", "PhysicalDisability": "No", "MentalDisability": "No",
    "StaffInjured": "No", "SubjectInjured": "No", "Tactic 1": "Compliant Handcuffing", "Effective 1": "Yes",
}  # fmt: skip


def write(path, *rows, header=None, encoding="cp1252"):
    """Each row over BASE; columns that a row does not name say No where they are flags, else nothing."""
    header = header or layout()
    flags = [name for name in header if name.startswith(("Impact Factor", "Reason for Force", "Outcome:"))]
    with path.open("w", encoding=encoding, newline="") as file:
        out = csv.writer(file)
        out.writerow(header)
        for row in rows:
            whole = dict.fromkeys(flags, "No") | BASE | row
            out.writerow([whole.get(name, "") for name in header])
    return path
