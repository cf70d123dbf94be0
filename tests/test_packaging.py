"""The wheel carries what it needs and works away from the checkout; an editable install sees the same tables."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import disprop
from disprop.io.census import census_digests

CHECKOUT = Path(__file__).resolve().parent.parent
CARRIED = ("disprop/_data", "disprop/report/templates", "disprop/audit/templates")
SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in the first releases of Python 3.11
ASK = """
import json, disprop
from disprop.io.census import census_digests
print(json.dumps([disprop.__file__, census_digests()]))
"""


def build(kind: str, *, source: Path, into: Path) -> Path:
    """One distribution built by hatchling, with no network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from the sdist, in a folder that holds nothing else."""
    folder = tmp_path_factory.mktemp("from-sdist")
    sdist = build("sdist", source=CHECKOUT, into=tmp_path_factory.mktemp("sdist"))
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, **SAFELY)
    (source,) = folder.iterdir()
    return build("wheel", source=source, into=tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the wheel installed in it, without its dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*command, "--disable-pip-version-check", "--target", str(folder), str(wheel)], check=True)
    return folder


def run_away(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in an empty working folder, with the installed wheel before anything else."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_of_the_checkout(*folders: str) -> set[str]:
    """Files under the folders, as git would list them: no caches."""
    found = [path for folder in folders for path in (CHECKOUT / folder).rglob("*") if path.is_file()]
    return {path.relative_to(CHECKOUT).as_posix() for path in found if "__pycache__" not in path.parts}


def digests_of_the_checkout() -> dict[str, str]:
    tables = (CHECKOUT / "data" / "census").glob("*.csv")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tables}


def test_the_installed_wheel_lists_the_tables_of_the_checkout(installed, tmp_path):
    home, digests = json.loads(run_away(installed, tmp_path, "-c", ASK).stdout)
    assert Path(home).is_relative_to(installed)
    assert digests == digests_of_the_checkout()
    assert digests


def test_this_install_lists_the_same():
    assert census_digests() == digests_of_the_checkout()


def test_the_wheel_carries_every_table_and_template(wheel):
    census = {f"disprop/_data/census/{path.name}" for path in (CHECKOUT / "data" / "census").iterdir()}
    wanted = files_of_the_checkout(*CARRIED) | census
    assert wanted - names(wheel) == set()


def test_the_wheel_carries_nothing_else(wheel):
    """Every file is the package's own source, one of its tables or templates, or the wheel's own metadata."""
    metadata = f"disprop-{disprop.__version__}.dist-info/"
    inside = {name for name in names(wheel) if not name.startswith((metadata, "disprop/_data/census/"))}
    assert inside - files_of_the_checkout("disprop") == set()


def test_metadata(wheel):
    folder = f"disprop-{disprop.__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{folder}/METADATA").decode()
        entry_points = archive.read(f"{folder}/entry_points.txt").decode()
    assert "License-Expression: MIT" in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert "disprop = disprop.cli:main" in entry_points
    assert f"{folder}/licenses/LICENCE" in names(wheel)


def test_the_installed_wheel_does_the_main_job(installed, tmp_path):
    """Codelists, census and templates are all found by a demo report made away from the checkout."""
    run_away(installed, tmp_path, str(installed / "bin" / "disprop"), "demo", "--out", "demo")
    assert "SYNTHETIC" in (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
