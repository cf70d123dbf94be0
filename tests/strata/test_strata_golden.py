"""Functions over strata against the golden values, row by row, to the tolerance that the row suggests."""

import golden_table
import pytest

from disprop import intervals

LINES = [line for line in golden_table.methods("methods_strata.csv") if line["function"]]
STRATA = {
    "rate_ratio": ("f_strata_persontime", ("events", "exposure", "reference_events", "reference_exposure")),
    "risk_ratio": ("f_strata_binomial", ("events", "trials", "reference_events", "reference_trials")),
    "agreement": ("f_strata_binomial", ("events", "trials", "reference_events", "reference_trials")),
}


def table(name, case=None):
    found = golden_table.read(golden_table.FOLDER / f"{name}.csv")
    return [row for row in found if case is None or row["case"] == case]


def columns(rows, names):
    return {name: [float(row[name]) for row in rows] for name in names}


def cases(file):
    return [
        pytest.param(line, row, id=f"{row['case_id']}-{line['golden_method']}")
        for line in LINES
        if line["file"] == file
        for row in golden_table.rows(line)
    ]


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line['measure']}-{line['golden_method']}")
def test_number_of_rows(line):
    assert len(golden_table.rows(line)) == int(line["rows"]) > 0


def test_no_fixture_row_is_left_out_of_the_list():
    for file in ("d_standardised", "f_stratified"):
        listed = {row["case_id"] for line in LINES if line["file"] == file for row in golden_table.rows(line)}
        assert listed == {row["case_id"] for row in table(file)}


@pytest.mark.parametrize(("line", "row"), cases("d_standardised"))
def test_standardised(line, row):
    ages = table("d_standardisation_input", row["case"])
    counts = columns(ages, ("events", "exposure"))
    reference = columns(table("d_standardisation_reference"), ("reference_events", "reference_exposure"))
    options = {"confidence": 1 - float(row["alpha"]), "method": line["method"]}
    multiplier = float(row["multiplier"])
    if line["measure"] == "direct_standardised_rate":
        standard = columns(ages, ("standard",))
        found = intervals.directly_standardised_rate(**counts, **standard, **options)
    else:
        found = intervals.indirectly_standardised_ratio(**counts, **reference, **options)
        if line["measure"] == "indirect_standardised_rate":
            multiplier *= sum(reference["reference_events"]) / sum(reference["reference_exposure"])
    check([figure * multiplier for figure in found], row)


@pytest.mark.parametrize(("line", "row"), cases("f_stratified"))
def test_stratified(line, row):
    file, names = STRATA[line["measure"]]
    counts = columns(table(file, row["case"]), names)
    function = getattr(intervals, line["function"])
    if line["measure"] == "agreement":
        wanted = [float(row[name]) for name in ("statistic", "degrees_of_freedom", "p_value")]
        assert list(function(**counts)) == pytest.approx(wanted, rel=float(row["rtol"]), abs=0)
        return
    check(function(**counts, confidence=1 - float(row["alpha"])), row)


def check(found, row):
    """Blank is not given: fewer than 10 events for a direct rate, which is our rule too."""
    for ours, name in zip(found, ("estimate", "low", "high"), strict=True):
        if row[name] == "":
            assert ours != ours
        else:
            assert ours == pytest.approx(float(row[name]), rel=float(row["rtol"]), abs=0)
