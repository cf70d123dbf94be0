"""Array functions over forces and looks against the golden values, row by row."""

from collections import defaultdict

import golden_table
import numpy as np
import pytest

from disprop import screening
from disprop.intervals import rate_interval
from disprop.screening.funnel import winsorised

LINES = [line for line in golden_table.methods("methods_forces.csv") if line["function"]]
LEVELS = {"95": 0.95, "99": 0.998}


def table(name):
    return golden_table.read(golden_table.FOLDER / f"{name}.csv")


def met(file):
    return [row for line in LINES if line["file"] == file for row in golden_table.rows(line)]


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line['file']}-{line['measure']}-{line['golden_method']}")
def test_number_of_rows(line):
    assert len(golden_table.rows(line)) == int(line["rows"]) > 0


@pytest.mark.parametrize("file", ["g_shapiro_outlier", "h_funnel", "h_random_effects", "f_padjust"])
def test_no_fixture_row_is_left_out_of_the_list(file):
    assert {row["case_id"] for row in met(file)} == {row["case_id"] for row in table(file)}


# Lines ------------------------------------------------------------------------------------------------------------

VALUES = {row["case"]: [float(v) for v in row["values"].split(";")] for row in table("g_shapiro_input")}


@pytest.mark.parametrize("row", met("g_shapiro_outlier"), ids=lambda row: f"{row['case_id']}-{row['case']}")
def test_lines(row):
    values = VALUES[row["case"]]
    found = screening.sd_lines(values=values)
    if row["method"] == "outlier_rule_chosen":
        assert found.scale == row["chosen"]
        assert ((found.side > 0).sum(), (found.side < 0).sum()) == (int(row["above"]), int(row["below"]))
        check((found.centre, found.low, found.high), row, ("mean", "low", "high"))
        return
    scale = row["method"].rpartition("_")[2]
    assert getattr(found, f"w_{scale}") == pytest.approx(float(row["w"]), rel=1e-8)
    assert getattr(found, f"p_{scale}") == pytest.approx(float(row["p"]), rel=1e-6)
    if found.scale == scale:
        centre = np.log(found.centre) if scale == "log" else found.centre
        check((centre, found.low, found.high), row, ("mean", "low", "high"))


def check(found, row, names):
    wanted = [float(row[name]) for name in names]
    assert list(found) == pytest.approx(wanted, rel=float(row["rtol"]), abs=1e-12)


# Funnels ----------------------------------------------------------------------------------------------------------


def counts(dataset):
    rows = [row for row in table("h_funnel_input") if row["dataset"] == dataset]
    return [row["unit"] for row in rows], *(np.array([float(row[name]) for row in rows]) for name in ("num", "den"))


def funnel_of(kind, dataset, trim):
    """Every golden quantity as disprop gives it, one a unit (or one for all)."""
    units, x, n = counts(dataset)
    if kind == "PR":
        points, centre = screening.proportion_points(events=x, trials=n), None
        centre = float(np.arcsin(np.sqrt(points.target)))
    else:
        points, centre = screening.rate_points(events=x, exposure=n, target=1), 1.0
    made = {"estimate": points.estimate, "error": points.error, "centre": centre}
    plain = screening.funnel_limits(**made, method="naive")
    spread = screening.funnel_limits(**made, method="additive", winsorise=trim)
    back = (lambda y: screening.natural(y, scale="arcsine", target=1)) if kind == "PR" else (lambda y: y)
    found = {
        "rr": screening.natural(points.estimate, scale=points.scale, target=points.target),
        "Y": points.estimate,
        "s": points.error,
        "target_transformed": np.full(len(x), centre),
        "Uzscore": plain.z,
        "Wuzscore": winsorised(plain.z, trim),
        "outlier": (np.abs(spread.z) > 1.959964).astype(float),
    }
    for name, level in LEVELS.items():
        limits = screening.funnel_limits(**made, winsorise=trim, confidence=level)
        chance = screening.funnel_limits(**made, method="naive", confidence=level)
        found |= {f"OD{name}LCL": back(limits.low[0]), f"OD{name}UCL": back(limits.high[0])}
        exact = rate_interval(events=n, exposure=n, confidence=level)
        low, high = (exact.low, exact.high) if kind != "PR" else (back(chance.low[0]), back(chance.high[0]))
        found |= {f"LCL{name}": low, f"UCL{name}": high}
    by_unit = {(unit, name): column[i] for name, column in found.items() for i, unit in enumerate(units)}
    return by_unit | {("__all__", "phi"): spread.phi, ("__all__", "tau2"): spread.tau2}


def test_funnels():
    """FunnelPlotR's quantities; limits to 1e-6, because it keeps seven digits of the normal quantiles."""
    groups = defaultdict(list)
    for row in met("h_funnel"):
        groups[row["measure"], row["dataset"], row["trim"]].append(row)
    assert len(groups) == 6
    for (kind, dataset, trim), rows in groups.items():
        found = funnel_of(kind, dataset, float(trim))
        assert len({row["unit"] for row in rows}) > 10 or dataset == "sr_small"
        for row in rows:
            wanted = pytest.approx(float(row["value"]), rel=float(row["rtol"]), abs=1e-9)
            assert found[row["unit"], row["method"]] == wanted, row


@pytest.mark.parametrize("row", met("h_random_effects"), ids=lambda row: row["case_id"])
def test_random_effects(row):
    _, x, n = counts(row["dataset"])
    x, n = x[x > 0], n[x > 0]
    method = {"DL": "additive", "EE": "naive"}[row["method"]]
    found = screening.funnel_limits(estimate=np.log(x / n), error=1 / np.sqrt(x), method=method)
    spare = found.q - (len(x) - 1)
    half = 1.959963984540054 * found.centre_error
    made = {
        "tau2": found.tau2,
        "q": found.q,
        "i2": max(0.0, 100 * spare / found.q),
        "h2": found.q / (len(x) - 1),
        "centre": found.centre,
        "error": found.centre_error,
        "low": found.centre - half,
        "high": found.centre + half,
    }
    for name, value in made.items():
        assert value == pytest.approx(float(row[name]), rel=float(row["rtol"]), abs=1e-12), name


# Adjusted p -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "method"), [(c, m) for c in ("p2", "p3", "p5", "p6") for m in ("holm", "BH")])
def test_adjusted_p(case, method):
    rows = [row for row in met("f_padjust") if (row["case"], row["method"]) == (case, method)]
    assert rows
    p, wanted = ([float(row[name] or "nan") for row in rows] for name in ("p", "adjusted"))
    ours = {"holm": "holm", "BH": "benjamini_hochberg"}[method]
    assert screening.adjusted_p(p_values=p, method=ours).tolist() == pytest.approx(wanted, rel=1e-14, nan_ok=True)
