"""The report: result rows -> words, tables, charts, page. The last step, and a pure one: it rounds and does no sums.

`write_report` is the one function here that touches the disk.
"""

from __future__ import annotations

from pathlib import Path

from disprop.report.inputs import ReportInputs
from disprop.report.page import report_files

__all__ = ["ReportInputs", "report_files", "write_report"]


def write_report(inputs: ReportInputs, folder: Path) -> list[Path]:
    """Write `report.html`, a CSV file for every table and `manifest.json`; return their paths, the page first.

    Everything is made before anything is written, so that a report that cannot be made leaves nothing behind. Files of
    the same names are replaced.

    Raises DispropError where jinja2 or matplotlib is not installed, OSError where the folder cannot be written.
    """
    files = report_files(inputs)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in files]
    for path, content in zip(paths, files.values()):
        path.write_bytes(content)
    return paths
