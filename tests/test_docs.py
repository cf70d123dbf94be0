"""Docs cannot drift: every command, public name and column is written about, and every worked example runs."""

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

import disprop

CHECKOUT = Path(__file__).resolve().parent.parent
DOCS = CHECKOUT / "docs"
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def pages() -> list[Path]:
    return [CHECKOUT / "README.md", *sorted(DOCS.rglob("*.md"))]


def names_in_code_type(*pages: Path) -> set[str]:
    """Every name in code type, without its module and the brackets of a call, and every name used in an example."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    inline = re.findall(r"`([^`\n]+)`", text)
    examples = "\n".join(re.findall(r"^(?:>>>|\.\.\.) .*", text, flags=re.MULTILINE))
    return {re.sub(r"\(.*", "", word).split(".")[-1].strip() for word in inline} | {*re.findall(r"\.(\w+)\(", examples)}


def inner_names() -> set[str]:
    """Public functions of those public names that are modules."""
    modules = [getattr(disprop, name) for name in disprop.__all__]
    return {name for module in modules if isinstance(module, ModuleType) for name in module.__all__ if name.islower()}


def columns() -> set[str]:
    from disprop.records import KINDS
    from disprop.results import COLUMNS

    of_records = {one.name for kind in KINDS.values() for one in (*kind.columns, *kind.axes)}
    return {column.name for column in COLUMNS} | of_records


def commands(command: click.Command, path: tuple[str, ...] = ("disprop",)) -> Iterator[str]:
    """Every command that does something, as it is typed."""
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, (*path, name))


def refuse_missing(missing: Iterable[str], *, where: str) -> None:
    names = sorted(missing)
    assert not names, f"not in {where}: {', '.join(names)}"


def test_every_public_name_is_in_the_glossary():
    refuse_missing(set(disprop.__all__) - names_in_code_type(DOCS / "glossary.md"), where="docs/glossary.md")


def test_every_column_is_in_the_glossary():
    refuse_missing(columns() - names_in_code_type(DOCS / "glossary.md"), where="docs/glossary.md")


def test_every_public_name_of_a_module_is_in_the_docs():
    refuse_missing(inner_names() - names_in_code_type(*DOCS.glob("*.md")), where="docs/*.md, in code type")


def test_every_command_is_in_the_docs():
    from disprop.cli import cli

    text = re.sub(r"\s+", " ", "\n".join(page.read_text(encoding="utf-8") for page in pages()))
    refuse_missing((name for name in commands(cli) if name not in text), where="README.md or docs/*.md")


def test_every_command_has_help_with_an_example():
    from disprop.cli import cli

    def helps(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
        yield path, command.help or ""
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                yield from helps(command.get_command(context, name), f"{path} {name}")

    without = (path for path, text in helps(cli, "disprop") if not re.search(rf"^ +{path}\b", text, re.MULTILINE))
    refuse_missing(without, where="its own --help, as an example")


def modules() -> list[str]:
    found = pkgutil.walk_packages(disprop.__path__, prefix="disprop.")
    return ["disprop", *(module.name for module in found if not module.name.endswith("__main__"))]


def has_example(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and ">>> " in Path(spec.origin).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in modules() if has_example(name)])
def test_worked_examples_of_the_source(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert result.attempted
    assert result.failed == 0


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_worked_examples_of_the_docs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert doctest.testfile(str(page), module_relative=False, optionflags=OPTIONS).failed == 0


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("name", sorted(disprop.__all__))
def test_every_public_function_has_a_worked_example(name):
    value = getattr(disprop, name)
    if inspect.isfunction(value):
        doc = inspect.getdoc(value) or ""
        assert ">>> " in doc, f"{name} has no worked example"


@pytest.mark.parametrize("name", sorted(disprop.__all__))
def test_every_public_name_says_what_it_is(name):
    assert inspect.getdoc(getattr(disprop, name))
