"""Lay Census 2021 tables out in the project's own layout.

    python scripts/relay_census.py FOLDER [OUT]

FOLDER holds the tables as gathered (area_to_force_2022.csv, census2021_area_eth19.csv, census2021_force_eth19.csv,
census2021_area_age_eth19.csv, census2021_area_sex_eth19.csv); OUT is data/census unless given. Nothing is changed but
names: codes of the codelists for ONS numbers, force names and age bands. `data/census/SOURCE.md` says more.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from disprop.codelists import force_code, ons_codes

AGES = {"65+": "65 and over"}

Row = dict[str, str]


def ethnicity(row: Row) -> str:
    return ons_codes()[row.get("eth19_code") or row["eth20_code"]]


TABLES: dict[str, tuple[str, dict[str, Callable[[Row], str]]]] = {
    "area_to_force": (
        "area_to_force_2022",
        {
            "area": lambda row: row["LAD22CD"],
            "name": lambda row: row["LAD22NM"],
            "force": lambda row: force_code(row["PFA22CD"]),
        },
    ),
    "residents_area_ethnicity": (
        "census2021_area_eth19",
        {"area": lambda row: row["lad22cd"], "ethnicity_19": ethnicity, "residents": lambda row: row["count"]},
    ),
    "residents_force_ethnicity": (
        "census2021_force_eth19",
        {
            "force": lambda row: force_code(row["pfa22cd"]),
            "ethnicity_19": ethnicity,
            "residents": lambda row: row["count"],
        },
    ),
    "residents_area_age_ethnicity": (
        "census2021_area_age_eth19",
        {
            "area": lambda row: row["area_code"],
            "age": lambda row: AGES.get(row["age_band"], row["age_band"]),
            "ethnicity_19": ethnicity,
            "residents": lambda row: row["residents"],
            "withheld": lambda row: row["withheld_single_years"],
        },
    ),
    "residents_area_sex_ethnicity": (
        "census2021_area_sex_eth19",
        {
            "area": lambda row: row["area_code"],
            "sex": lambda row: row["sex"],
            "ethnicity_19": ethnicity,
            "residents": lambda row: row["residents"],
            "withheld": lambda row: row["withheld"],
        },
    ),
}


def relay(source: Path, columns: dict[str, Callable[[Row], str]]) -> Iterable[list[str]]:
    with source.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield [value(row) for value in columns.values()]


def main(folder: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, (source, columns) in TABLES.items():
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(columns)
            table.writerows(relay(folder / f"{source}.csv", columns))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else "data/census"))
