"""What every test may use: the command line, the folder of real files, and which tests may be skipped."""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parent.parent
REQUIRE_REAL = "DISPROP_REQUIRE_REAL"

# The same examples in every run, and no verdict on time: this is a shared machine's suite, not a benchmark.
settings.register_profile("disprop", deadline=None, derandomize=True)
settings.load_profile("disprop")


def real_data_folder() -> Path:
    """The folder of real files: DISPROP_REAL_DATA, or `shared/data` beside the checkout."""
    return Path(os.environ.get("DISPROP_REAL_DATA") or CHECKOUT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = real_data_folder()
    if not folder.is_dir():
        pytest.skip(f"no real files at {folder} (DISPROP_REAL_DATA names another folder)")
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the entry point in this process: exit code, standard output, standard error."""
    from disprop import cli

    monkeypatch.setattr(cli, "_start_short_process", lambda: None)  # this process is a long one

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["disprop", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            cli.main()
        out, err = capsys.readouterr()
        return done.value.code, out, err

    return run


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the real files is a real-file test, whether or not it says so."""
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real)


def why_not_skip(node: pytest.Item | pytest.Collector, *, is_real: bool) -> str | None:
    """Why this test, or module of tests, may not be skipped; None when it may."""
    if "golden" in node.nodeid:
        return "golden tests never skip"
    if is_real and os.environ.get(REQUIRE_REAL):
        return f"{REQUIRE_REAL} is set, so tests on real files may not skip"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    reason = why_not_skip(item, is_real=item.get_closest_marker("real") is not None)
    if report.skipped and reason and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{reason}: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module skipped as a whole hides its marks, so it counts as one with real-file tests."""
    report = yield
    reason = why_not_skip(collector, is_real=True)
    if report.outcome == "skipped" and reason:
        report.outcome = "failed"
        report.longrepr = f"{reason}: {report.longrepr}"
    return report
