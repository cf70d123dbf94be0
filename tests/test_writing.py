"""Words are governed: what `docs/writing.md` forbids stands in no text that a reader of a report sees."""

import re
from pathlib import Path

import pytest

import disprop

PACKAGE = Path(disprop.__file__).parent
GUIDE = Path(__file__).resolve().parent.parent / "docs" / "writing.md"
SPEAKING = ("report", "measures", "audit", "commands", "cli.py", "job.py")  # rooms whose words reach a reader


def table_under(heading: str) -> list[list[str]]:
    """Cells of the rows of the first table after a heading, its head left out."""
    section = GUIDE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip().strip("|").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def forbidden() -> list[str]:
    return [phrase.strip() for _, never in table_under("Words") for phrase in never.split(",")]


def uses(phrase: str, text: str) -> bool:
    """Whether the phrase stands in the text as words, across line breaks, in either case, plural or not."""
    pattern = r"\s+".join(re.escape(word) for word in phrase.split())
    return re.search(rf"(?<![\w-]){pattern}s?(?![\w-])", text, flags=re.IGNORECASE) is not None


def speaking_files() -> list[Path]:
    files = [path for name in SPEAKING for path in [PACKAGE / name, *(PACKAGE / name).rglob("*")] if path.is_file()]
    return [path for path in files if path.suffix in {".py", ".html", ".jinja", ".j2", ".css", ".txt", ".md"}]


@pytest.mark.parametrize("path", speaking_files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_forbidden_word(path):
    text = path.read_text(encoding="utf-8")
    found = [phrase for phrase in forbidden() if uses(phrase, text)]
    assert not found, f"docs/writing.md says what to write instead of: {found}"


def test_the_guide_is_read():
    assert {"BAME", "times more likely", "p-value"} <= set(forbidden())
    assert uses("non-White", "the non-white\npeople")
    assert uses("times more likely", "2.9 times\n  more likely")
    assert not uses("racist", "terracists")


def test_every_verdict_has_its_sentence():
    from disprop.measures.verdicts import VERDICTS

    told = {row[0].strip("`") for row in table_under("Sentences a verdict allows")}
    assert told == set(VERDICTS)
