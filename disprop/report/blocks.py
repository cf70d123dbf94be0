"""What a page is made of: plain data, each kind drawn by one macro of the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from disprop.report.figures import SHORTHAND


@dataclass(frozen=True)
class Paragraph:
    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Notice:
    """A paragraph that must not be missed: a figure refused, a hole in the records."""

    kind: ClassVar[str] = "notice"
    title: str
    text: str


@dataclass(frozen=True)
class Points:
    """A list; each item is a few words that name it, which may be none, and its text."""

    kind: ClassVar[str] = "points"
    items: tuple[tuple[str, str], ...]
    numbered: bool = False


@dataclass(frozen=True)
class Heading:
    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Chart:
    """A chart drawn twice, for wide and for narrow pages; `title` is its message, `text` its alternative in words."""

    kind: ClassVar[str] = "chart"
    name: str
    title: str
    text: str
    wide: str
    narrow: str


@dataclass(frozen=True)
class Table:
    """A table as printed: cells are texts, the first of each row heads the row. `csv` is its file in full precision."""

    kind: ClassVar[str] = "table"
    name: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    foot: tuple[str, ...] = ()
    csv: str = ""
    words: tuple[int, ...] = ()
    """Columns of words, set to the left; others hold figures."""
    notes: tuple[str, ...] = ()

    @property
    def shorthand(self) -> tuple[tuple[str, str], ...]:
        """The marks that stand in its cells, with their meaning."""
        cells = [cell for row in (*self.rows, self.foot) for cell in row]
        return tuple((mark, text) for mark, text in SHORTHAND.items() if any(mark in cell for cell in cells))


@dataclass(frozen=True)
class Month:
    """One month of a force: its state in words, the sign for it, and the rows read."""

    name: str
    state: str
    sign: str
    rows: str
    warning: str


@dataclass(frozen=True)
class Months:
    """The months of one force as a strip."""

    kind: ClassVar[str] = "months"
    force: str
    months: tuple[Month, ...]


@dataclass(frozen=True)
class Facts:
    """Names and values; a long list is folded."""

    kind: ClassVar[str] = "facts"
    title: str
    pairs: tuple[tuple[str, str], ...]
    folded: bool = False


Block = Paragraph | Notice | Points | Heading | Chart | Table | Months | Facts


@dataclass(frozen=True)
class Section:
    """One part of the page; `short` names it in the list of contents."""

    name: str
    title: str
    short: str
    blocks: tuple[Block, ...]
