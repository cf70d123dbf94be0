"""The house as `docs/architecture.md` draws it: imports point inward, one JIT door, no files below the edge.

To add a room, add its name to `LAYERS` (it may import the layers above it in this table, and its own files), or to
`SIDE_DOORS` if it reads or writes.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import disprop

PACKAGE = Path(disprop.__file__).parent

LAYERS = (
    ("errors", "kernels"),
    ("months", "codelists"),
    ("provenance", "keys"),
    ("records", "areas"),
    ("axes", "cells", "numbered", "batches"),
    ("tallies", "intervals", "partial"),
    ("coverage", "cluster", "population", "resampling", "screening"),
    ("fused",),
    ("plan",),
    ("persons",),
    ("results",),
    ("measures", "audit", "linkage"),
    ("linking",),
    ("disclosure",),
    ("report",),
    ("job",),
    ("nightly",),
    ("__init__",),
    ("commands",),
    ("cli",),
    ("validation", "__main__"),
)
SIDE_DOORS = {"io", "synthetic"}  # they import up to the tally; only the edge imports them
LAST_SEEN_BY_SIDE_DOORS = "tallies"
EDGE = {"linking", "job", "nightly", "__init__", "commands", "cli", "validation"}
LAZILY = {"plan"}  # may open a side door, inside a function only
SEES_NO_OTHER_ROOM = {"kernels"}
OPENS_NO_FILE = {"measures", "report"}
WRITES_THE_REPORT = Path("report", "__init__.py")  # `write_report` alone: the files come to it ready made

JIT_DOOR = PACKAGE / "kernels" / "_jit.py"
FILE_MODULES = {"pyarrow.parquet", "pyarrow.csv", "pyarrow.ipc", "pyarrow.json", "pyarrow.dataset", "zipfile", "mmap"}
FILE_METHODS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "to_csv", "to_parquet", "to_json"}
FILE_METHODS |= {f"read_{kind}" for kind in ("csv", "parquet", "json", "excel", "feather", "table")}

RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}


class Import(NamedTuple):
    """One module named by one import, and whether it happens inside a function."""

    module: str
    line: int
    late: bool


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def nodes(tree: ast.AST, *, late: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node below, with whether it stands inside a function."""
    for child in ast.iter_child_nodes(tree):
        yield child, late
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from nodes(child, late=late or inside)


def imports(path: Path) -> list[Import]:
    """Full names of everything imported, `from a import b` as `a.b`."""
    package = ("disprop", *path.relative_to(PACKAGE).parts[:-1])
    found = []
    for node, late in nodes(tree_of(path)):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno, late) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [Import(f"{module}.{alias.name}", node.lineno, late) for alias in node.names]
    return found


def rooms_imported(path: Path) -> list[tuple[str, Import]]:
    inner = [use for use in imports(path) if use.module.split(".")[0] == "disprop"]
    return [(room_named(use.module), use) for use in inner]


def room_named(module: str) -> str:
    """The room of `disprop.room.more`; a public name taken from the package itself belongs to `__init__`."""
    name = module.split(".")[1] if "." in module else "__init__"
    is_room = (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()
    return name if is_room else "__init__"


def why_refused(room: str, other: str, use: Import) -> str | None:
    """Why `room` may not import `other`, or None when it may."""
    if room == other:
        return None
    if room in SEES_NO_OTHER_ROOM:
        return f"{room} imports nothing from the rest of disprop"
    if other in SIDE_DOORS:
        if room in EDGE or (room in LAZILY and use.late):
            return None
        return f"only {', '.join(sorted(EDGE))} open {other} ({', '.join(LAZILY)} inside a function)"
    if not {room, other} <= RANK.keys() | SIDE_DOORS:
        return f"{room} or {other} has no place in LAYERS"
    if room in SIDE_DOORS:
        inward = RANK[other] <= RANK[LAST_SEEN_BY_SIDE_DOORS]
        return None if inward else f"{room} may import up to {LAST_SEEN_BY_SIDE_DOORS}"
    return None if RANK[other] < RANK[room] else f"{other} does not stand before {room} in LAYERS"


def test_every_room_has_its_place():
    unknown = {room_of(path) for path in sources()} - RANK.keys() - SIDE_DOORS
    assert not unknown, f"{sorted(unknown)}: add each to LAYERS in {__file__}, and to docs/architecture.md"


def test_the_map_shows_every_room():
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {room_of(path) for path in sources()} - {"__init__", "__main__"}
    assert sorted(room for room in rooms if f"`{room}`" not in text) == []
    shown = [room for room in re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE) if room in RANK]
    assert shown == sorted(shown, key=RANK.__getitem__), "the map's rows follow LAYERS"


@pytest.mark.parametrize("room", ["audit", "io", "measures"])
def test_the_map_shows_every_file_of_a_large_room(room):
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"`(\w+)/?`", text.split(f"## Inside `{room}`")[1].split("\n## ")[0]))
    files = {path.relative_to(PACKAGE / room) for path in (PACKAGE / room).rglob("*.py") if path.stem != "__init__"}
    wanted = {path.parts[0] if path.parts[0] == "store" else path.stem for path in files}
    assert sorted(wanted - shown) == []


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_inward(path):
    found = [(use, why_refused(room_of(path), other, use)) for other, use in rooms_imported(path)]
    wrong = [f"{path.name}:{use.line} imports {use.module}: {why}" for use, why in found if why]
    assert not wrong, "\n".join(wrong)


def test_one_jit_door():
    wrong = [
        f"{path.relative_to(PACKAGE)}:{use.line}"
        for path in sources()
        if path != JIT_DOOR
        for use in imports(path)
        if use.module.split(".")[0] in ("numba", "llvmlite")
    ]
    assert not wrong, f"only kernels/_jit.py names numba: {wrong}"


def file_openings(path: Path) -> list[str]:
    """Where a file names a module that opens files, or calls `open`, `.read_csv` and their like."""
    found = [f"{path.name}:{use.line} {use.module}" for use in imports(path) if names_file_module(use.module)]
    for node, _ in nodes(tree_of(path)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            found += [f"{path.name}:{node.lineno} {name}()"] if name in FILE_METHODS else []
    return found


def names_file_module(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in FILE_MODULES)


def test_measures_and_report_open_no_file():
    inner = [path for path in sources() if room_of(path) in OPENS_NO_FILE]
    inner.remove(PACKAGE / WRITES_THE_REPORT)
    wrong = [opening for path in inner for opening in file_openings(path)]
    assert not wrong, f"reading and writing belong to io: {wrong}"


@pytest.mark.parametrize(
    ("room", "other", "late", "allowed"),
    [
        ("measures", "tallies", False, True),
        ("tallies", "measures", False, False),
        ("tallies", "intervals", False, False),
        ("kernels", "errors", False, False),
        ("tallies", "kernels", False, True),
        ("io", "tallies", False, True),
        ("io", "plan", True, False),
        ("plan", "io", True, True),
        ("plan", "io", False, False),
        ("measures", "io", True, False),
        ("cli", "io", False, True),
        ("report", "report", False, True),
        ("provenance", "__init__", True, False),
    ],
)
def test_the_rule_itself(room, other, late, allowed):
    use = Import(f"disprop.{other}", 1, late)
    assert (why_refused(room, other, use) is None) is allowed


def test_the_rule_sees_every_form_of_import_and_opening(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "measures").mkdir()
    (tmp_path / "io").mkdir()
    path = tmp_path / "measures" / "new.py"
    path.write_text(
        "import numba.core\nfrom ..io import census\nfrom disprop.io.census import digests\n"
        "from . import rates\ndef f(p):\n    import disprop.io\n    open(p)\n    p.read_text()\n"
    )
    assert [(use.module, use.late) for use in imports(path)] == [
        ("numba.core", False),
        ("disprop.io.census", False),
        ("disprop.io.census.digests", False),
        ("disprop.measures.rates", False),
        ("disprop.io", True),
    ]
    assert [room for room, _ in rooms_imported(path)] == ["io", "io", "measures", "io"]
    assert file_openings(path) == ["new.py:7 open()", "new.py:8 read_text()"]


def modules_after(statement: str) -> set[str]:
    """Names of the modules loaded by a fresh Python that runs one statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split())


def test_importing_disprop_is_quick():
    heavy = {"numpy", "numba", "llvmlite", "pandas", "scipy", "pyarrow", "matplotlib", "jinja2", "rich"}
    assert not heavy & modules_after("import disprop")


def test_naming_every_public_name_loads_no_numba():
    """Numba compiles; nothing that is merely named, or counted below the threshold, needs it."""
    statement = "import disprop\nfor name in disprop.__all__: getattr(disprop, name)"
    assert not {"numba", "scipy.stats", "matplotlib", "jinja2"} & modules_after(statement)


def test_only_kernels_and_what_they_call_go_without_types():
    """Numba takes their types from the signature of `@kernel`; mypy does not ask for others in that folder."""
    untyped = []
    for path in sorted((PACKAGE / "kernels").glob("*.py")):
        for one in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(one, ast.FunctionDef) and one.returns is None:
                found = {ast.unparse(decorator).partition("(")[0] for decorator in one.decorator_list}
                untyped += [f"{path.name}: {one.name}"] if not found & {"kernel", "inner"} else []
    assert untyped == []
