"""The door to numba: what a kernel may take and may not do, and that it means the same as plain Python."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from disprop.kernels import _jit
from disprop.kernels._jit import inner, kernel, status, word

HERE = Path(__file__).parent
ODD = np.uint64(0x9E3779B97F4A7C15)
SHIFT = np.uint64(29)


@inner
def stir(x):
    return (x ^ (x >> SHIFT)) * ODD


@inner
def stir_twice(x):
    return stir(stir(x))


@kernel("void(uint64[::1])", wraps=True)
def stir_all(out):
    for i in range(out.size):
        out[i] = stir_twice(out[i])


@kernel("float64(float64[:,::1], int64, float64)")
def log_factorials(numbers, first, scale):
    total = 0.0
    for i in range(first, numbers.shape[0]):
        for j in range(numbers.shape[1]):
            total += math.lgamma(numbers[i, j] + 1.0) * scale
    return total


@kernel("void(uint8[::1], uint64[::1])")
def words_at(text, out):
    for at in range(out.size):
        out[at] = word(text, at)


@kernel("int64(uint8[::1]*, int64)")
def cross_total(columns, k):
    total = 0
    for j in range(k):
        total += np.int64(columns[j][0]) * 1000
    return total


@kernel("int64(int64[::1])")
def divide(numbers):
    return numbers[0] // numbers[1]


def stirred(x):
    for _ in range(2):
        x = ((x ^ (x >> 29)) * 0x9E3779B97F4A7C15) % 2**64
    return x


def test_helpers_and_wrap_around():
    out = np.arange(6, dtype=np.uint64)
    assert stir_all(out) is None
    assert out.tolist() == [stirred(x) for x in range(6)]


def test_matrices_numbers_and_the_c_library():
    numbers = np.arange(12.0).reshape(3, 4)
    wanted = 0.5 * sum(math.log(math.factorial(n)) for n in range(4, 12))
    assert log_factorials(numbers, 1, 0.5) == pytest.approx(wanted, rel=1e-14)


def test_a_word_begins_at_any_place_and_its_first_byte_is_the_least():
    text, out = np.arange(250, 226, -1, dtype=np.uint8), np.zeros(16, dtype=np.uint64)
    words_at(text, out)
    assert out.tolist() == [sum(int(text[at + i]) << 8 * i for i in range(8)) for at in range(16)]


def test_sequences_of_narrow_arrays_are_widened_first():
    assert cross_total([np.array([255], dtype=np.uint8)] * 3, 3) == 765_000


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(3),
        np.zeros(3, dtype=">i8"),
        np.zeros((3, 1), dtype=np.int64),
        np.zeros(6, dtype=np.int64)[::2],
        np.frombuffer(b"\0" * 25, dtype=np.uint8)[1:].view(np.int64),
        [1, 2, 3],
    ],
    ids=["dtype", "byte order", "dimensions", "strided", "unaligned", "list"],
)
def test_an_array_that_machine_code_cannot_take_is_refused(wrong):
    with pytest.raises(TypeError, match="numbers must be a C-contiguous int64 array of 1 dimensions"):
        divide(wrong)


def test_a_read_only_array_is_not_written():
    out = np.zeros(3, dtype=np.uint64)
    out.flags.writeable = False
    with pytest.raises(TypeError, match="read-only"):
        stir_all(out)


def test_a_missing_argument_is_refused():
    with pytest.raises(TypeError, match="takes 3 arguments, not 2"):
        log_factorials(np.zeros((1, 1)), 0)


@pytest.mark.parametrize("signature", ["int64(int64)", "int64(int64[::1], int64)", "str(int64[::1])", "int64"])
def test_a_signature_that_does_not_fit_is_refused(signature):
    with pytest.raises((ValueError, TypeError)):
        kernel(signature)(lambda one, two, three: 0)


compiled_only = pytest.mark.skipif(_jit.interpreted(), reason="NUMBA_DISABLE_JIT=1: nothing is compiled")


@compiled_only
def test_a_kernel_that_makes_an_array_is_refused():
    @kernel("int64(int64)")
    def make(n):
        return np.zeros(n).size + np.ones(n)[n - 1]

    with pytest.raises(RuntimeError, match="NRT_"):
        make(3)


@compiled_only
def test_a_kernel_that_raises_is_found_out():
    @kernel("int64(int64)")
    def fail(n):
        if n > 2:
            raise ValueError
        return n

    assert fail(2) == 2
    with pytest.raises(RuntimeError, match="no kernel may"):
        fail(3)


@compiled_only
def test_dividing_by_nothing_does_not_raise():
    assert divide(np.array([7, 2])) == 3
    assert divide(np.array([7, 0])) == 0


@compiled_only
def test_threads_that_call_first_at_the_same_moment_load_once(monkeypatch):
    @kernel("int64(int64[::1])")
    def last(numbers):
        return numbers[numbers.size - 1]

    fetched = []
    fetch = _jit._cache.fetch
    monkeypatch.setattr(_jit._cache, "fetch", lambda *given: fetched.append(given) or fetch(*given))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(last, [np.arange(n) for n in range(1, 41)]))
    assert results == list(range(40))
    assert len(fetched) == 1


def test_status_says_how_kernels_run():
    stir_all(np.zeros(1, dtype=np.uint64))
    found = status()
    wanted = "interpreted" if _jit.interpreted() else "compiled"
    state = "not used yet" if _jit.interpreted() else ("loaded", "made and kept", "made, not kept")
    assert found["kernels"] == wanted
    assert found[stir_all.name] in state


@compiled_only
def test_kernels_pass_the_same_tests_as_plain_python():
    """Compiled and interpreted whole numbers differ silently unless every width is said: both must agree."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, paired_tests())],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        cwd=HERE.parent.parent,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout


def paired_tests():
    return [path for path in sorted(HERE.glob("test_*.py")) if path.name != "test_cache.py"]
