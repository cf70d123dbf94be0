"""Our root finder beside scipy's, which is of the same method and shares no code with it."""

import subprocess
import sys

import golden_table
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize.elementwise import find_root
from scipy.special import ndtr

from disprop import intervals
from disprop.intervals import proportion, proportion_difference, proportion_ratio, rate, rate_difference
from disprop.intervals.roots import root

HOLDERS = (proportion, proportion_difference, proportion_ratio, rate, rate_difference)
LINES = [line for line in golden_table.methods("methods_intervals.csv") if line["function"]]
BY_ROOT = {"mid_p", "miettinen_nurminen", "mee", "koopman", "score_mn"}
ULP = 4
ENDS_OF_ONE_SIGN = -1


def twin(function, low, high, *args):
    """scipy's root; where the ends are of one sign, the end nearer to 0."""
    with np.errstate(all="ignore"):
        found = find_root(function, (low, high), args=args)
        nearer = np.where(np.abs(function(low, *args)) < np.abs(function(high, *args)), low, high)
    return np.where(found.status == ENDS_OF_ONE_SIGN, nearer, found.x)


def assert_twins(function, low, high, *args):
    ours, theirs = root(function, low, high, *args), twin(function, low, high, *args)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        assert not (np.abs(ours - theirs) > ULP * np.spacing(np.abs(theirs))).any()
    return ours


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line['file']}-{line['golden_method']}")
def test_every_root_behind_the_golden_rows(line, monkeypatch):
    rows = golden_table.rows(line)
    names = {"events", "trials", "exposure", "reference_events", "reference_trials", "reference_exposure"}
    counts = {name: np.array([float(row[name]) for row in rows]) for name in names & set(rows[0])}
    confidence = np.array([1 - float(row["alpha"]) for row in rows])
    sought = []

    def both(function, *ends_and_args):
        sought.append(assert_twins(function, *ends_and_args))
        return sought[-1]

    for module in HOLDERS:
        monkeypatch.setattr(module, "root", both)
    getattr(intervals, line["function"])(**counts, confidence=confidence, method=line["method"])
    assert bool(sought) == (line["golden_method"] in BY_ROOT)
    assert all(found.size for found in sought)


SHAPES = {
    "straight": lambda x, at: x - at,
    "flat": lambda x, at: (x - at) ** 9,
    "steep": lambda x, at: np.cbrt(x - at),
    "a step": lambda x, at: np.sign(x - at),
    "falling": lambda x, at: np.expm1(at - x),
    "a tail": lambda x, at: ndtr(x - at) - 0.025,
    "huge": lambda x, at: 1e300 * (x - at),
    "tiny": lambda x, at: 1e-300 * (x - at),
}


@given(
    shape=st.sampled_from(sorted(SHAPES)),
    at=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6),
    below=st.floats(0, 1e6),
    above=st.floats(0, 1e6),
)
def test_twins_on_any_shape(shape, at, below, above):
    at = np.array(at)
    assert_twins(SHAPES[shape], at - below, at + above, at)


def straight(x, at):
    return x - at


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (3.0, 5.0, 3.0),  # at the low end
        (1.0, 3.0, 3.0),  # at the high end
        (4.0, 5.0, 4.0),  # both above: the nearer
        (1.0, 2.0, 2.0),  # both below
        (5.0, 1.0, 3.0),  # ends the other way round
        (3.0, 3.0, 3.0),  # no width
        (np.nan, 5.0, np.nan),
        (1.0, np.nan, np.nan),
        (-np.inf, 5.0, np.nan),
        (3.0, np.inf, 3.0),
    ],
)
def test_corners(low, high, wanted):
    found = assert_twins(straight, np.array([low]), np.array([high]), np.array([3.0]))
    np.testing.assert_array_equal(found, [wanted])


def test_a_function_without_a_value_at_either_end_has_no_root():
    def nowhere(x):
        return np.where(x == 2, 0.0, np.nan) * 0

    assert np.isnan(assert_twins(nowhere, np.array([1.0]), np.array([4.0])))


def test_shapes_broadcast_and_nothing_may_be_sought():
    found = root(straight, np.zeros((2, 1)), np.full(3, 9.0), np.array([[1.0], [2.0]]))
    np.testing.assert_allclose(found, [[1.0] * 3, [2.0] * 3], rtol=1e-15)
    assert root(straight, np.float64(0), np.float64(9), np.float64(4)).shape == ()
    assert root(straight, np.zeros(0), np.zeros(0), np.zeros(0)).shape == (0,)


def test_one_element_is_what_it_is_among_many():
    at = np.linspace(0.1, 8.9, 57)
    together = root(SHAPES["a tail"], np.full(57, -90.0), np.full(57, 90.0), at)
    alone = [root(SHAPES["a tail"], np.array([-90.0]), np.array([90.0]), at[i : i + 1])[0] for i in range(57)]
    np.testing.assert_array_equal(together, alone)


def test_it_looks_no_more_often_than_scipy():
    looks = []

    def counted(x, at):
        looks.append(x.size)
        return SHAPES["flat"](x, at)

    root(counted, np.array([0.0]), np.array([9.0]), np.array([1.234]))
    assert len(looks) <= find_root(SHAPES["flat"], (0.0, 9.0), args=(1.234,)).nfev


def test_limits_by_root_import_no_optimisation():
    script = (
        "import sys; from disprop import intervals; "
        "assert 0 < intervals.proportion_interval(events=1, trials=9, method='mid_p').low < 1 / 9; "
        "print([m for m in ('scipy.stats', 'scipy.optimize', 'pandas', 'numba') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
