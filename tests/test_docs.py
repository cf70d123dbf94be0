"""Docs cannot drift: every command, public name and column is written about, and every worked example runs."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import shlex
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


def test_the_readme_leads_to_every_page():
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    refuse_missing((page.name for page in DOCS.glob("*.md") if f"(docs/{page.name})" not in text), where="README.md")


def typed(page: Path) -> list[list[str]]:
    """Every command line of a page as its words, without the name of the program."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^    (?:\.venv/bin/)?disprop (.+)$", text, flags=re.MULTILINE)
    lines += re.findall(r"^disprop (.+)$", "\n".join(re.findall(r"```(?:sh)?\n(.*?)```", text, flags=re.DOTALL)), re.M)
    return [shlex.split(line, comments=True) for line in lines if not line.endswith("...")]


def refuse_mistyped(words: list[str]) -> None:
    """Raises where the command, one of its options or a choice does not exist, or something required is lacking."""
    from disprop.cli import cli

    context, command = click.Context(cli, info_name="disprop"), cli
    while isinstance(command, click.Group):
        name, command, words = words[0], command.get_command(context, words[0]), words[1:]
        assert command is not None, f"no command {name}"
        context = click.Context(command, parent=context, info_name=name)
    given, extra, _ = command.make_parser(context).parse_args([*words])
    assert not extra, f"{context.command_path} takes no {extra}"
    for parameter in command.params:
        value = given.get(parameter.name)
        assert not parameter.required or value, f"{context.command_path} lacks {parameter.name}"
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            assert value in parameter.type.choices, f"{value} is none of {parameter.type.choices}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_commands_in_the_docs_can_be_typed(page):
    for words in typed(page):
        refuse_mistyped(words)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("measures data/", "no command"),
        ("forces runnel data/", "runnel is none of"),
        ("report data/", "lacks out"),
        ("demo -x", "-x"),
    ],
)
def test_a_mistyped_command_is_seen(words, why):
    with pytest.raises((AssertionError, click.UsageError), match=why):
        refuse_mistyped(words.split())


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_plain_python_in_the_docs_names_what_there_is(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for tree in (ast.parse(block) for block in blocks if ">>>" not in block):
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        namespace: dict[str, object] = {}
        exec(compile(ast.Module(imports, []), str(page), "exec"), namespace)
        used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
        missing = [node.attr for node in used if node.value.id == "dp" and not hasattr(namespace["dp"], node.attr)]
        assert missing == []


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
