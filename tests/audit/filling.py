"""Filling in sheets as a reviewer would: as CSV, as XLSX."""

import csv

import xlsxwriter

from disprop.audit.cells import read_cells
from disprop.audit.sheet import SHEET_NAME


def rows_of(path):
    """Header and rows of a written sheet, as lists of text."""
    rows = [cells for _, cells in read_cells(path, sheet_name=SHEET_NAME)]
    at = next(at for at, cells in enumerate(rows) if "record_id" in cells)
    return rows[at], [cells + [""] * (len(rows[at]) - len(cells)) for cells in rows[at + 1 :]]


def fill(source, target, answer):
    """Copy a sheet; `answer(row)` takes a row as a dictionary and returns the cells to write into it."""
    header, rows = rows_of(source)
    filled = [dict(zip(header, row)) for row in rows]
    for row in filled:
        row.update(answer(row))
    table = [header, *([row[name] for name in header] for row in filled)]
    if target.suffix == ".csv":
        with target.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)
    else:
        write_xlsx(target, table)
    return target


def write_xlsx(target, table, *, above=2):
    with xlsxwriter.Workbook(target) as book:
        book.add_worksheet("Read me")
        sheet = book.add_worksheet(SHEET_NAME)
        for at, row in enumerate(table):
            for column, value in enumerate(row):
                sheet.write(at + above, column, value)


def everyone(**answers):
    """Answers for every row of the sample, none for the reserves."""
    return lambda row: answers if row["role"] == "sample" else {}
