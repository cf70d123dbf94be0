"""A report read back as a stranger would: a strict walk over its tags, its tables, drawings and text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "hr", "input"}
SHAPES = {"path", "use", "rect", "circle", "line"}


@dataclass
class Drawing:
    attributes: dict
    title: str = ""
    text: str = ""
    letters: list[tuple[str, dict]] = field(default_factory=list)


class Page(HTMLParser):
    """Raises AssertionError where a tag is closed that was not open, or left open at the end."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.scopes: list[str | None] = []
        self.drawings: list[Drawing] = []
        self.headings: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.placed: list[tuple[str, list[str]]] = []
        self.tags: list[tuple[str, dict]] = []
        self.months: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag not in VOID:
            self.open.append((tag, attributes))
        if tag == "table":
            self.tables[self._table()] = []
        elif tag == "tr":
            self.tables[self._table()].append([])
        elif tag in ("th", "td"):
            self.tables[self._table()][-1].append("")
            self.scopes += [attributes.get("scope")] if tag == "th" else []
        elif tag == "svg":
            self.drawings.append(Drawing(attributes))
        elif tag in ("h1", "h2", "h3"):
            self.headings.append((tag, ""))

    def _table(self) -> str:
        return next(at["id"] for tag, at in reversed(self.open) if tag == "div" and "id" in at)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        opened = self.open.pop()[0] if self.open else None
        assert opened == tag, f"</{tag}> closes <{opened}> at {self.getpos()}"

    def handle_data(self, data):
        inside = [tag for tag, _ in self.open]
        if "svg" in inside:
            self._drawn(inside, data)
            return
        if "style" in inside:
            return
        if data.strip():
            self.words.append(data.strip())
            self.placed.append((data.strip(), inside))
        if "li" in inside and self.open[-1][1].get("class") in ("sign", "state"):
            self.months.append((self.open[-1][1]["class"], data.strip()))
        if "td" in inside or "th" in inside:
            self.tables[self._table()][-1][-1] += data.strip()
        for level in ("h1", "h2", "h3"):
            if level in inside:
                self.headings[-1] = (level, self.headings[-1][1] + data)

    def _drawn(self, inside, data):
        drawing = self.drawings[-1]
        if inside[-1] == "title":
            drawing.title += data
        elif inside[-1] == "desc":
            drawing.text += data
        elif inside[-1] == "text":
            drawing.letters.append((data, self.open[-1][1]))

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def body(self, table: str) -> list[list[str]]:
        """The rows of a table without its head."""
        return self.tables[f"{table}-table"][1:]
