"""What `make` leans on: finding a Python, and the states of the local environment. No network, no real set-up."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
WORKING = f'exec "{sys.executable}" "$@"'
BROKEN_SHIM = "echo 'no such version' >&2; exit 127"
OLD = 'case "$2" in *version_info*3,\\ 11*) exit 1;; esac; ' + WORKING
NO_VENV = 'case "$2" in *ensurepip*) exit 1;; esac; ' + WORKING


@pytest.fixture
def find_python(tmp_path):
    """Runs the finder where only the given interpreters are on the path."""

    def find(programs: dict[str, str], *, python: str = "") -> subprocess.CompletedProcess[str]:
        for name, body in programs.items():
            program = tmp_path / name
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(f"#!/bin/sh\n{body}\n")
            program.chmod(0o755)
        environment = {"PATH": str(tmp_path), "PYTHON": python}
        script = ["/bin/sh", str(CHECKOUT / "scripts" / "find_python.sh")]
        return subprocess.run(script, env=environment, cwd=tmp_path, capture_output=True, text=True)

    return find


def test_broken_shims_and_old_versions_are_passed_over(find_python, tmp_path):
    found = find_python({"python3.13": BROKEN_SHIM, "python3.12": OLD, "python3.11": NO_VENV, "python3": WORKING})
    assert found.stdout.strip() == str(tmp_path / "python3")
    assert found.stderr == ""


def test_the_local_environment_is_asked_first(find_python):
    found = find_python({"python3.13": WORKING, ".venv/bin/python": WORKING})
    assert found.stdout.strip() == ".venv/bin/python"


def test_a_named_python_wins(find_python, tmp_path):
    found = find_python({"python3.13": WORKING, "mine": WORKING}, python=str(tmp_path / "mine"))
    assert found.stdout.strip() == str(tmp_path / "mine")


@pytest.mark.parametrize(
    ("programs", "python", "message"),
    [
        ({}, "", "no Python 3.11 or newer was found: install one"),
        ({"python3": OLD}, "", "no Python 3.11 or newer was found: install one"),
        ({"python3": WORKING}, "nowhere", "PYTHON=nowhere is not a Python 3.11 or newer that runs"),
        (
            {"python3": NO_VENV},
            "",
            f"python3 cannot make a virtual environment: install its venv module (Debian, Ubuntu: apt install"
            f" python3.{sys.version_info.minor}-venv)",
        ),
    ],
)
def test_one_line_names_what_to_do(find_python, programs, python, message):
    found = find_python(programs, python=python)
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1
    assert message in found.stderr


@pytest.fixture
def setup_venv(monkeypatch, tmp_path):
    """The set-up script with its two slow acts recorded instead of done, on a checkout of one file."""
    spec = importlib.util.spec_from_file_location("setup_venv", CHECKOUT / "scripts" / "setup_venv.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.done = []

    def start_over(folder):
        module.done.append("start over")
        folder.mkdir(exist_ok=True)

    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(module, "start_over", start_over)
    monkeypatch.setattr(module, "install", lambda folder, *, extras: module.done.append(f"install {extras}"))
    monkeypatch.setattr(module, "is_sound", lambda folder: True)
    return module


def acts(setup_venv, tmp_path, *extras):
    """What one call of the script does."""
    setup_venv.done.clear()
    setup_venv.set_up(list(extras), folder=tmp_path / ".venv", checkout=tmp_path)
    return list(setup_venv.done)


def test_first_second_and_wider_use(setup_venv, tmp_path):
    assert acts(setup_venv, tmp_path, "report") == ["start over", "install ['report']"]
    assert acts(setup_venv, tmp_path, "report") == []
    assert acts(setup_venv, tmp_path, "report", "test") == ["install ['report', 'test']"]
    assert acts(setup_venv, tmp_path, "report") == []


def test_a_changed_pyproject_renews_with_every_extra_there_was(setup_venv, tmp_path):
    acts(setup_venv, tmp_path, "report", "test")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert acts(setup_venv, tmp_path, "report") == ["install ['report', 'test']"]


def test_a_set_up_cut_short_starts_over(setup_venv, tmp_path, monkeypatch):
    def die(folder, *, extras):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(setup_venv, "install", die)
        with pytest.raises(KeyboardInterrupt):
            acts(setup_venv, tmp_path, "report")
    assert acts(setup_venv, tmp_path, "report") == ["start over", "install ['report']"]


@pytest.mark.parametrize("key", ["checkout", "python"])
def test_another_python_or_place_starts_over(setup_venv, tmp_path, key):
    acts(setup_venv, tmp_path, "report")
    stamp = tmp_path / ".venv" / setup_venv.STAMP
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {key: "elsewhere"}))
    assert acts(setup_venv, tmp_path, "report") == ["start over", "install ['report']"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_an_unreadable_stamp_starts_over(setup_venv, tmp_path, content):
    acts(setup_venv, tmp_path, "report")
    (tmp_path / ".venv" / setup_venv.STAMP).write_text(content)
    assert acts(setup_venv, tmp_path, "report") == ["start over", "install ['report']"]


def test_an_environment_that_lost_disprop_starts_over(setup_venv, tmp_path, monkeypatch):
    acts(setup_venv, tmp_path, "report", "test")
    monkeypatch.setattr(setup_venv, "is_sound", lambda folder: False)
    assert acts(setup_venv, tmp_path, "report") == ["start over", "install ['report']"]


def test_somebody_s_own_environment_is_kept(setup_venv, tmp_path, monkeypatch):
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(setup_venv, "running_inside", lambda folder: True)
    assert acts(setup_venv, tmp_path, "report") == ["install ['report']"]


def test_soundness_is_seen_by_running_it(tmp_path):
    spec = importlib.util.spec_from_file_location("setup_venv", CHECKOUT / "scripts" / "setup_venv.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert not module.is_sound(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "disprop").touch()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    assert module.is_sound(tmp_path)
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    assert not module.is_sound(tmp_path)


def targets() -> list[str]:
    return re.findall(r"^([a-z-]+):(?!=)", (CHECKOUT / "Makefile").read_text(), flags=re.MULTILINE)


def test_help_names_every_target():
    run = subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert [name for name in targets() if name != "help" and f"make {name} " not in run.stdout] == []


def test_no_package_index_is_named():
    """The user's own pip settings decide."""
    files = [CHECKOUT / name for name in ("Makefile", "scripts/setup_venv.py", "pyproject.toml", ".ci/run")]
    assert not [path.name for path in files if re.search(r"index-url|find-links|https?://", path.read_text())]


SKIPPING = """
import pytest
@pytest.mark.real
def test_real(): pytest.skip("absent")
def test_fixture(real_data): pass
@pytest.mark.xfail(reason="known")
def test_known(): assert False
def test_plain(): pytest.skip("not here")
"""


@pytest.mark.parametrize(
    ("required", "name", "counts"),
    [
        ("", "test_some.py", {"skipped": 3, "xfailed": 1}),
        ("1", "test_some.py", {"failed": 1, "errors": 1, "skipped": 1, "xfailed": 1}),
        ("", "test_golden_some.py", {"failed": 2, "errors": 1, "xfailed": 1}),
    ],
)
def test_which_tests_may_be_skipped(tmp_path, required, name, counts):
    """Golden tests never; tests on real files not where they are required."""
    (tmp_path / "conftest.py").write_text((CHECKOUT / "tests" / "conftest.py").read_text())
    (tmp_path / name).write_text(SKIPPING)
    assert outcomes(tmp_path, required=required) == counts


def test_a_module_skipped_as_a_whole_does_not_escape(tmp_path):
    (tmp_path / "conftest.py").write_text((CHECKOUT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_some.py").write_text("import pytest\npytest.importorskip('nothing_of_this_name')\n")
    assert outcomes(tmp_path, required="") == {"skipped": 1}
    assert outcomes(tmp_path, required="1") == {"errors": 1}


def outcomes(folder: Path, *, required: str) -> dict[str, int]:
    """Counts of pytest's closing line for a folder of tests."""
    environment = os.environ | {"DISPROP_REQUIRE_REAL": required, "DISPROP_REAL_DATA": str(folder / "absent")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:benchmark", "-c", os.devnull]
    command += ["--rootdir", str(folder), "-W", "ignore", str(folder)]
    run = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    pairs = re.findall(r"(\d+) (failed|errors?|skipped|xfailed|passed)", run.stdout.splitlines()[-1])
    return {"errors" if word == "error" else word: int(number) for number, word in pairs}
