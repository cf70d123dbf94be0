"""The page: every part put together, and the files that a report consists of. Pure: nothing is read or written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from disprop.errors import DispropError
from disprop.report.figures import period_name, times_in_100
from disprop.report.foot import foot_sections, holes_notice
from disprop.report.inputs import ReportInputs
from disprop.report.sections import LINKED_FIND, result_sections
from disprop.report.tables import SYNTHETIC_MARK, csv_tables
from disprop.report.words import answers, lead, share_sentence

PAGE, MANIFEST = "report.html", "manifest.json"
FORMAT = "disprop-report-1"
NEEDED = ("jinja2", "matplotlib")


def report_files(inputs: ReportInputs) -> dict[str, bytes]:
    """Every file of a report: name -> bytes, the page first, the manifest last. The same inputs give the same bytes.

    Raises DispropError where jinja2 or matplotlib is not installed.
    """
    check_installed()
    texts = {PAGE: render_page(inputs), **csv_tables(inputs)}
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    return {**files, MANIFEST: manifest(inputs, files).encode("utf-8")}


def check_installed() -> None:
    """Raise DispropError, naming the extra to install, where a library that draws the page is absent."""
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        raise DispropError(
            f"a report needs {' and '.join(absent)}, not installed here; install with: pip install 'disprop[report]'"
        )


def render_page(inputs: ReportInputs) -> str:
    """The page as one HTML text that needs no other file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("disprop.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["css_string"] = css_string
    return environment.get_template("report.html.j2").render(context(inputs))


def css_string(text: str) -> str:
    """The text as a CSS string that a template prints as it is."""
    from markupsafe import Markup

    return Markup(css_quoted(text))


def css_quoted(text: str) -> str:
    """The text as a CSS string, every sign but letters, digits, space and full stop as its number.

    >>> print(css_quoted("Dyfed Powys: 2019"))
    "Dyfed Powys\\3a  2019"
    """
    plain = "".join(sign if sign.isalnum() or sign in " ." else f"\\{ord(sign):x} " for sign in text)
    return f'"{plain}"'


def context(inputs: ReportInputs) -> dict[str, Any]:
    """Everything that the template prints."""
    period = period_name(inputs.first, inputs.last)
    title = f"{inputs.force_name}: stop and search, {period}"
    ratios, rates = inputs.rows("rate_ratio"), inputs.rows("search_rate")
    confidences = sorted({row["confidence"] for row in [*rates, *ratios] if row["confidence"] is not None})
    return {
        "force_name": inputs.force_name,
        "period": period,
        "synthetic": inputs.synthetic,
        "synthetic_mark": SYNTHETIC_MARK,
        "dataset": inputs.dataset,
        "lead": lead(inputs.one("search_rate_all"), inputs.force_name, period),
        "answers": answers(ratios, rates) if ratios else [],
        "find": share_sentence(inputs.one("linked_find_all"), LINKED_FIND.of, LINKED_FIND.what, LINKED_FIND.asked),
        "running": f"{SYNTHETIC_MARK}. {title}" if inputs.synthetic else title,
        "right": times_in_100(confidences[0]) if confidences else "",
        "holes": holes_notice(inputs),
        "sections": [*result_sections(inputs), *foot_sections(inputs)],
        "files": [*csv_tables(inputs), MANIFEST],
    }


def manifest(inputs: ReportInputs, files: dict[str, bytes]) -> str:
    """What the report is of, and the SHA-256 of each of its files, as JSON."""
    said = {
        "format": FORMAT,
        "synthetic": inputs.synthetic,
        "notice": SYNTHETIC_MARK if inputs.synthetic else "",
        "dataset": inputs.dataset,
        "force": inputs.force,
        "force_name": inputs.force_name,
        "first": inputs.first,
        "last": inputs.last,
        "account": asdict(inputs.account) | {"counted": inputs.account.counted},
        "provenance": inputs.provenance,
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
    }
    return json.dumps(said, indent=1, ensure_ascii=False, default=str) + "\n"
