"""The compile cache cannot lie: right or absent, whoever starts at the same moment and whatever was edited.

The eight-process test runs 2 rounds of cold starts; DISPROP_COLD_STARTS=20 runs the full number.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import disprop
from disprop.kernels import _cache, _jit, counts

PACKAGE = Path(disprop.__file__).parent
COLD_STARTS = int(os.environ.get("DISPROP_COLD_STARTS", "2"))

# What a fresh process finds: how the kernel was got, what it counts, and whether numba had to be imported.
PROBE = """
import json, sys, time, os
import numpy as np
from disprop.kernels import _jit, counts
while len(sys.argv) > 1 and not os.path.exists(sys.argv[1]):
    time.sleep(0.001)
out = np.zeros(4, dtype=np.int64)
column = (np.arange(5000) % 3).astype(np.int32)
counts._count_compiled([column, column], [np.array([9, 0, 1, 1]), np.array([9, 0, 0, 2])], out, workers=2)
print(json.dumps({
    "how": counts._count.state, "counts": out.tolist(), "numba": "numba" in sys.modules, "from": counts.__file__
}))
"""
ANSWER = [1667, 1667, 0, 1666]

pytestmark = pytest.mark.skipif(_jit.interpreted(), reason="NUMBA_DISABLE_JIT=1: nothing is compiled")


def environment(cache, package=None, **more):
    """The environment of a fresh process; a variable given as None is absent."""
    path = {"PYTHONPATH": str(package.parent)} if package else {}
    given = {**os.environ, "DISPROP_CACHE_DIR": cache and str(cache), "PYTHONDONTWRITEBYTECODE": "1", **path, **more}
    return {name: value for name, value in given.items() if value is not None}


def start(env, *arguments):
    command = [sys.executable, "-P", "-W", "error", "-c", PROBE, *map(str, arguments)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    answer, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    return json.loads(answer)


def probe(env):
    return finish(start(env))


def copy_of_package(folder):
    return Path(shutil.copytree(PACKAGE, folder / "disprop", ignore=shutil.ignore_patterns("__pycache__", "_data")))


def files_in(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


@pytest.fixture
def unwritable(tmp_path):
    """A folder that cannot be made: below a plain file, which stops even the superuser."""
    (tmp_path / "file").write_text("not a folder")
    return tmp_path / "file" / "folder"


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache folder that one process has filled."""
    cache = tmp_path_factory.mktemp("filled")
    found = probe(environment(cache))
    assert (found["how"], found["counts"], found["numba"]) == ("made and kept", ANSWER, True)
    return cache


# The folder itself.


def made(content=b"content"):
    return lambda: content


def never():
    raise AssertionError("made again")


def test_content_is_made_once_and_kept(tmp_path):
    folder = tmp_path / "new" / "key"
    assert _cache.fetch(folder, made(), "about") == (b"content", "made and kept")
    assert _cache.fetch(folder, never, "about") == (b"content", "loaded")
    assert (folder / "about.json").read_text() == "about"


def test_no_folder_no_cache():
    assert _cache.fetch(None, made(), "about") == (b"content", "made, not kept")


def test_a_place_that_cannot_be_written(unwritable):
    assert _cache.fetch(unwritable / "key", made(), "about") == (b"content", "made, not kept")


def test_a_full_disk_leaves_nothing_half_made(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_cache.os, "fsync", full)
    assert _cache.fetch(tmp_path / "key", made(), "about") == (b"content", "made, not kept")
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 100])
def test_damaged_content_is_not_used_and_not_written_over(tmp_path, damage):
    _cache.fetch(tmp_path / "key", made(), "about")
    (tmp_path / "key" / "content").write_bytes(damage)
    assert _cache.fetch(tmp_path / "key", made(), "about") == (b"content", "made, not kept")
    assert (tmp_path / "key" / "content").read_bytes() == damage


def test_a_process_killed_between_writing_and_renaming_leaves_no_entry(tmp_path):
    code = (
        "import os, sys, pathlib; from disprop.kernels import _cache; root = pathlib.Path(sys.argv[1]);"
        "pathlib.Path.rename = lambda *_: os.kill(os.getpid(), 9);"
        "_cache.fetch(root / 'key', lambda: b'half', 'about')"
    )
    killed = subprocess.run([sys.executable, "-P", "-c", code, str(tmp_path)], env=environment(tmp_path))
    assert killed.returncode == -9
    assert not (tmp_path / "key").exists()
    assert _cache.fetch(tmp_path / "key", made(), "about") == (b"content", "made and kept")


def test_a_lock_held_for_ever_does_not_stop_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(_cache, "PATIENCE", 0.05)
    with (tmp_path / "lock").open("ab") as handle:
        _cache.fcntl.flock(handle, _cache.fcntl.LOCK_EX)
        assert _cache.fetch(tmp_path / "key", made(), "about") == (b"content", "made, not kept")
    assert _cache.fetch(tmp_path / "key", made(), "about") == (b"content", "made and kept")


def test_a_failure_to_make_is_not_hidden_and_frees_the_lock(tmp_path):
    with pytest.raises(AssertionError, match="made again"):
        _cache.fetch(tmp_path / "key", never, "about")
    assert _cache.fetch(tmp_path / "key", made(), "about") == (b"content", "made and kept")


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"DISPROP_CACHE_DIR": "/chosen", "XDG_CACHE_HOME": "/xdg", "HOME": "/home/a"}, "/chosen"),
        ({"XDG_CACHE_HOME": "/xdg", "HOME": "/home/a"}, "/xdg/disprop"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/a"}, "/home/a/.cache/disprop"),
        ({"DISPROP_CACHE_DIR": "", "HOME": "/home/a"}, "/home/a/.cache/disprop"),
        ({"HOME": "nowhere"}, "None"),
    ],
)
def test_where_the_cache_is(monkeypatch, variables, wanted):
    for name in ("DISPROP_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(_cache.cache_root()) == wanted


# Whole processes.


def test_a_warm_start_needs_neither_numba_nor_a_compiler(filled):
    found = probe(environment(filled))
    assert found["how"] == "loaded"
    assert found["counts"] == ANSWER
    assert not found["numba"]


def test_importing_kernels_and_small_counts_load_nothing():
    code = (
        "import sys, numpy as np; from disprop.kernels.counts import count_cells;"
        "count_cells([np.zeros(9, np.int32)], [np.zeros(2, int)], np.zeros(1, int));"
        "sys.exit(any(name in sys.modules for name in ('numba', 'llvmlite', 'scipy', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code]).returncode == 0


def test_a_fresh_copy_with_other_times_hits(filled, tmp_path):
    package = copy_of_package(tmp_path)
    for path in package.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    found = probe(environment(filled, package))
    assert found["from"].startswith(str(package))
    assert (found["how"], found["counts"], found["numba"]) == ("loaded", ANSWER, False)


def test_editing_any_kernel_file_invalidates_all(tmp_path):
    package = copy_of_package(tmp_path)
    (package / "kernels" / "later.py").write_text("")
    code = """
import pathlib, sys
from disprop.kernels import _jit, counts
assert _jit.__file__.startswith(sys.argv[1]), _jit.__file__  # never edit the real package
def key():
    return str(_jit._folder("count", _jit._ingredients(counts._count)))
print(key())
for path in sorted(pathlib.Path(_jit.__file__).parent.glob("*.py")):
    path.write_text(path.read_text() + "# edited\\n")
    print(key())
"""
    command = [sys.executable, "-P", "-c", code, str(package)]
    run = subprocess.run(command, env=environment(tmp_path, package), capture_output=True, text=True, check=True)
    keys = run.stdout.split()
    assert len(set(keys)) == len(keys) == 1 + len(list(package.glob("kernels/*.py")))


def test_an_edited_kernel_gives_the_new_answer(filled, tmp_path):
    """Same size, same time: neither numba's index nor Python's own .pyc rule would notice such an edit."""
    package = copy_of_package(tmp_path)
    source = package / "kernels" / "counts.py"
    before = source.stat()
    env = environment(filled, package, PYTHONDONTWRITEBYTECODE=None)
    assert probe(env)["how"] == "loaded"
    assert list(package.rglob("counts.*.pyc"))
    source.write_text(source.read_text().replace("out[cell] += 1", "out[cell] += 2"))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    stale = probe(env)
    assert (stale["how"], stale["counts"]) == ("made and kept", ANSWER)  # Python really loaded the old code
    shutil.rmtree(source.parent / "__pycache__")
    fresh = probe(env)
    assert (fresh["how"], fresh["counts"]) == ("made and kept", [2 * count for count in ANSWER])


def test_versions_machine_and_settings_are_part_of_the_key(monkeypatch):
    def key():
        return _jit._ingredients(counts._count)

    keys = {key()}
    for name, value in (("_version", lambda _: "0"), ("_sources", lambda: {"other.py": "0"})):
        with monkeypatch.context() as patch:
            patch.setattr(_jit, name, value)
            keys.add(key())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version", "4.0")
        keys.add(key())
    with monkeypatch.context() as patch:
        patch.setenv("NUMBA_OPT", "1")
        keys.add(key())
    with monkeypatch.context() as patch:
        patch.setattr(_jit._llvm(), "get_host_cpu_name", lambda: "i386")
        keys.add(key())
    assert len(keys) == 6
    assert len({key(), key()}) == 1


def test_sources_that_cannot_be_read_mean_no_cache(monkeypatch):
    monkeypatch.setattr(_jit, "__file__", "/archive.zip/disprop/kernels/_jit.py")
    assert _jit._folder("count", _jit._ingredients(counts._count)) is None


def test_read_only_home(unwritable):
    found = probe(environment(None, HOME=str(unwritable), XDG_CACHE_HOME=None))
    assert (found["how"], found["counts"]) == ("made, not kept", ANSWER)


def test_a_read_only_cache_that_is_filled_is_used(filled, tmp_path):
    cache = Path(shutil.copytree(filled, tmp_path / "cache"))
    (cache / "kernels" / "lock").unlink()
    for path in [*cache.rglob("*"), cache]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted(cache.rglob("*"))
    assert probe(environment(cache))["how"] == "loaded"
    assert sorted(cache.rglob("*")) == before


def test_a_read_only_install_is_not_written_to(filled, tmp_path):
    package = copy_of_package(tmp_path)
    before = files_in(package)
    for path in [*package.rglob("*"), package]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert probe(environment(filled, package))["counts"] == ANSWER
    assert files_in(package) == before


def test_a_folder_in_place_is_never_written_again(filled):
    before = {path: path.stat().st_mtime_ns for path in files_in(filled)}
    probe(environment(filled))
    assert {path: path.stat().st_mtime_ns for path in files_in(filled)} == before


def test_eight_processes_that_start_cold_together_agree(tmp_path):
    for start_number in range(COLD_STARTS):
        cache, signal = tmp_path / f"cache {start_number}", tmp_path / f"signal {start_number}"
        processes = [start(environment(cache), signal) for _ in range(8)]
        signal.touch()
        found = [finish(process) for process in processes]
        assert [answer["counts"] for answer in found] == [ANSWER] * 8
        assert sorted(answer["how"] for answer in found) == ["loaded"] * 7 + ["made and kept"]
        assert [path.name for path in cache.rglob(".making-*")] == []
