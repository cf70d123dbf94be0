"""Every interval against the golden values of its method, row by row, to the tolerance that the row suggests."""

import golden_table
import numpy as np
import pytest

from disprop import intervals

COUNTS = ("events", "trials", "exposure", "reference_events", "reference_trials", "reference_exposure")
LINES = [line for line in golden_table.methods("methods_intervals.csv") if line["function"]]
NO_STANDARD_ERROR = ("log_wald", "katz_log")

# Against the 40-digit values ours are asked for more than the rows suggest.
RTOL_HP = 1e-12


def columns(line):
    rows = golden_table.rows(line)
    text = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {name: column if name in ("rtol", "source") else _floats(column) for name, column in text.items()}


def _floats(column):
    blank = np.where(column == "", "nan", column)
    try:
        return blank.astype(float)
    except ValueError:
        return column


def computed(line, golden):
    counts = {name: golden[name] for name in COUNTS if name in golden}
    function = getattr(intervals, line["function"])
    return function(**counts, confidence=1 - golden["alpha"], method=line["method"])


def assert_close(ours, theirs, rtol):
    """Equal infinities and zeros are equal; anything else is compared relative to the golden value."""
    with np.errstate(invalid="ignore"):
        wrong = ~((ours == theirs) | (np.abs(ours - theirs) <= rtol * np.abs(theirs)))
    assert not wrong.any(), (np.flatnonzero(wrong), ours[wrong], theirs[wrong])


pytestmark = pytest.mark.parametrize(
    "line", LINES, ids=lambda line: f"{line['file']}-{line['measure']}-{line['golden_method']}"
)


def test_number_of_rows(line):
    assert len(golden_table.rows(line)) == int(line["rows"]) > 0


def test_limits_of_the_package(line):
    golden = columns(line)
    ours = computed(line, golden)
    rtol = np.array([np.nan if text == golden_table.HIGH_PRECISION else float(text) for text in golden["rtol"]])
    for mine, theirs in ((ours.low, golden["low"]), (ours.high, golden["high"])):
        given = ~np.isnan(rtol) & ~np.isnan(theirs)
        assert_close(mine[given], theirs[given], rtol[given])


def test_limits_to_40_digits(line):
    golden = columns(line)
    ours = computed(line, golden)
    for mine, theirs in ((ours.low, golden["low_hp"]), (ours.high, golden["high_hp"])):
        given = ~np.isnan(theirs)
        assert given.any()
        assert_close(mine[given], theirs[given], RTOL_HP)


def test_estimate_or_none_where_the_reference_is_0(line):
    golden = columns(line)
    ours = computed(line, golden).estimate
    none = golden.get("reference_events", np.ones(1)) == 0
    given = np.isfinite(golden["estimate"])
    assert_close(ours[given], golden["estimate"][given], 1e-12)
    assert np.all(given | (np.isinf(golden["estimate"]) & none & np.isnan(ours)))


def test_where_the_package_has_no_limit_ours_is_0_or_infinite(line):
    """Where a package prints NaN, a count is 0 and the method has no standard error: 0 and infinity for us."""
    golden = columns(line)
    ours = computed(line, golden)
    low, high = np.isnan(golden["low"]), np.isnan(golden["high"])
    assert not (low | high).any() or line["method"] in NO_STANDARD_ERROR
    assert np.all(ours.low[low] == 0)
    assert np.all(np.isinf(ours.high[high]))
