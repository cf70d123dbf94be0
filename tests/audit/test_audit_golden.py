"""Every design-based golden value: R survey, samplingbook, irr, irrCAC, vcd, DescTools."""

import csv
import math
from functools import cache
from pathlib import Path

import naive_audit
import numpy as np
import pytest
from scipy.special import stdtrit

from disprop.audit import effective, reviewers, survey
from disprop.audit.finite import hypergeometric_limits
from disprop.audit.sizes import normal_quantile

GOLDEN = Path(__file__).resolve().parent.parent / "golden"

DESIGNS = {
    "srs_fpc": ("srs", {"population": "fpc"}),
    "srs_nofpc": ("srs", {"weight": 8.0}),
    "strat_fpc": ("strat", {"stratum": "stratum", "population": "Nh"}),
    "strat_nofpc": ("strat", {"stratum": "stratum", "weight": "w"}),
    "cluster_fpc": ("clus", {"cluster": "cluster", "population": "Mclus"}),
    "cluster_nofpc": ("clus", {"cluster": "cluster", "weight": "w"}),
    "stratcluster_fpc": ("sc", {"stratum": "stratum", "cluster": "cluster", "population": "Mh"}),
    "census": ("census", {"population": "fpc"}),
}


@cache
def read(name):
    with (GOLDEN / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def column(file, name):
    values = [row[name] for row in read(f"audit_data_{file}")]
    try:
        return np.array(values, float)
    except ValueError:
        return np.array(values, object)


@cache
def design(name):
    file, arguments = DESIGNS[name]
    given = {key: column(file, value) if isinstance(value, str) else value for key, value in arguments.items()}
    return file, survey.design(records=len(read(f"audit_data_{file}")), **given)


def inside(file, group):
    return column(file, "group") == group


def estimate_of(row):
    file, plan = design(row["design"])
    values = column(file, row["variable"])
    if row["measure"] == "difference":
        group, reference = row["domain"].split(" minus ")
        return survey.domain_difference(plan, values, inside(file, group), inside(file, reference))
    if row["measure"] == "log ratio":
        group, reference = row["domain"].removeprefix("log(").rstrip(")").split("/")
        return survey.domain_log_ratio(plan, values, inside(file, group), inside(file, reference))
    part = np.ones(len(values), bool) if row["domain"] == "__all__" else inside(file, row["domain"])
    function = survey.domain_total if row["measure"] == "total" else survey.domain_mean
    return function(plan, values, part)


def t(degrees, row):
    return float(stdtrit(float(degrees), 1 - float(row["alpha"]) / 2))


def limits_of(row, found):
    z = normal_quantile(1 - float(row["alpha"]))
    method = row["method"]
    if method in ("svymean_normal", "svytotal_normal", "domain_difference", "domain_log_ratio_delta"):
        return effective.normal_limits(found, quantile=z)
    if method == "svymean_t_degf_full":
        return effective.normal_limits(found, quantile=t(row["degrees_of_freedom_design"], row))
    if method in ("svymean_t_degf_subset", "svyciprop_mean"):
        return effective.normal_limits(found, quantile=t(row["degrees_of_freedom"], row))
    if found.variance == 0:  # a census: every share is exact
        return found.value, found.value
    if method in ("svyciprop_logit", "svyciprop_xlogit"):
        return effective.logit_limits(found, quantile=t(row["degrees_of_freedom"], row))
    assert method == "svyciprop_beta"
    return effective.korn_graubard_limits(found, confidence=1 - float(row["alpha"]))


def assert_meets(golden, ours, rtol):
    if golden:
        expected = float(golden)
        assert ours == pytest.approx(expected, rel=rtol, abs=1e-300, nan_ok=True)


def survey_rows(keep):
    return [pytest.param(row, id=f"{row['case_id']}-{row['method']}") for row in read("audit_survey") if keep(row)]


@pytest.mark.parametrize(
    "row", survey_rows(lambda row: "(p = 0 or 1)" not in row["method"] and row["measure"] != "design effect")
)
def test_survey(row):
    found = estimate_of(row)
    rtol = float(row["rtol"])
    low, high = limits_of(row, found)
    assert_meets(row["estimate"], found.value, rtol)
    assert_meets(row["se"], found.standard_error, rtol)
    assert_meets(row["low"], low, rtol)
    assert_meets(row["high"], high, rtol)
    if row["degrees_of_freedom"] and row["measure"] not in ("difference", "log ratio"):
        assert found.degrees_of_freedom == int(row["degrees_of_freedom"])
        assert design(row["design"])[1].degrees_of_freedom() == int(row["degrees_of_freedom_design"])


@pytest.mark.parametrize("row", survey_rows(lambda row: row["measure"] == "design effect"))
def test_design_effect(row):
    file, plan = design(row["design"])
    values = column(file, row["variable"])
    part = None if row["domain"] == "__all__" else inside(file, row["domain"])
    assert_meets(row["estimate"], survey.design_effect(plan, values, part), float(row["rtol"]))


@pytest.mark.parametrize("row", survey_rows(lambda row: "(p = 0 or 1)" in row["method"]))
def test_own_rule_where_the_package_fails(row):
    """At p = 0 or 1 every method gives an honest, one-sided interval on the even size."""
    file, plan = design(row["design"])
    values = column(file, row["variable"])
    part = np.ones(len(values), bool) if row["domain"] == "__all__" else inside(file, row["domain"])
    found = survey.domain_mean(plan, values, part)
    assert found.value in (0.0, 1.0)
    method = "korn_graubard" if "beta" in row["method"] else "logit"
    confidence = 1 - float(row["alpha"])
    limits = effective.share_interval(plan, found, part, method=method, confidence=confidence)
    size = weighted_even_size(plan, part)
    far = 1 - (float(row["alpha"]) / 2) ** (1 / size)  # Clopper-Pearson at 0 of `size`
    expected = (0.0, far) if found.value == 0 else (1 - far, 1.0)
    assert (limits.low, limits.high) == pytest.approx(expected, rel=1e-9)
    assert limits.effective_size == pytest.approx(size)


def weighted_even_size(plan, part):
    kept = 1 - plan.fraction[plan.stratum]
    return (plan.weight * part).sum() ** 2 / (kept * (plan.weight * part) ** 2).sum()


def test_survey_against_the_slow_definition():
    for name in DESIGNS:
        file, plan = design(name)
        values = column(file, "y")
        part = np.ones(len(values), bool) if name == "census" else inside(file, "A")
        drawn = np.bincount(plan.cluster_stratum)
        populations = {at: drawn[at] / plan.fraction[at] for at in range(len(drawn))} if plan.fraction.any() else None
        slow = naive_audit.survey_mean(
            values.tolist(), plan.weight.tolist(), plan.stratum.tolist(), plan.cluster.tolist(), populations, part
        )
        found = survey.domain_mean(plan, values, part)
        assert (found.value, found.variance) == pytest.approx(slow, rel=1e-12, abs=1e-30)


@pytest.mark.parametrize("row", read("audit_finite_population"), ids=lambda row: row["case_id"])
def test_finite_population(row):
    met, sample, records = (int(row[name]) for name in ("met", "sample", "records"))
    confidence = 1 - float(row["alpha"])
    if row["method"] == "sharp_count":
        found = hypergeometric_limits(met=met, sample=sample, records=records, confidence=confidence)
        assert found == (int(row["low_count"]), int(row["high_count"]))
        wider = max(found[0] - 1, met), min(found[1] + 1, records - sample + met)
        assert wider == (int(row["package_low_count"]), int(row["package_high_count"]))
        return
    values = np.repeat([1.0, 0.0], [met, sample - met])
    found = survey.domain_mean(survey.design(records=sample, population=records), values)
    limits = effective.normal_limits(found, quantile=normal_quantile(confidence))
    for name, ours in zip(("estimate", "se", "low", "high"), (found.value, found.standard_error, *limits)):
        assert_meets(row[name], ours, float(row["rtol"]))


@cache
def ratings(dataset):
    """Items x raters, None where missing; and the same with complete items only."""
    table = {}
    names = list(dict.fromkeys(row["rater"] for row in read("audit_ratings") if row["dataset"] == dataset))
    for row in read("audit_ratings"):
        if row["dataset"] == dataset:
            items = table.setdefault(row["item"], [None] * len(names))
            items[names.index(row["rater"])] = float(row["rating"]) if row["rating"] not in ("", "NA", "NaN") else None
    every = list(table.values())
    return every, [row for row in every if None not in row]


def agreement_of(row):
    every, complete = ratings(row["dataset"])
    two = [items[:2] for items in complete]
    method = row["method"].split(" (")[0]
    weights = {"cohen_kappa_equal": "linear", "cohen_kappa_squared": "squared"}.get(method, "none")
    if method.startswith("cohen"):
        return reviewers.cohen_kappa(two, weights=weights)
    if method.startswith("krippendorff"):
        return reviewers.krippendorff_alpha(every, level=method.rpartition("_")[2])
    functions = {
        "percent_agreement": lambda: reviewers.raw_agreement(two),
        "fleiss_kappa": lambda: reviewers.fleiss_kappa(complete),
        "conger_exact_kappa": lambda: reviewers.cohen_kappa(complete),
        "irrCAC_gwet.ac1.raw": lambda: reviewers.gwet_ac1(every),
        "irrCAC_fleiss.kappa.raw": lambda: reviewers.fleiss_kappa(every),
        "irrCAC_krippen.alpha.raw": lambda: reviewers.krippendorff_alpha(every),
    }
    return functions[method]()


@pytest.mark.parametrize("row", read("audit_agreement"), ids=lambda row: f"{row['dataset']}-{row['method']}")
def test_agreement(row):
    found = agreement_of(row)
    rtol = float(row["rtol"])
    rounded = 5.5e-6 if "irrCAC" in row["method"] else 0.0  # the package rounds at five decimals
    if "more than two raters" in row["method"]:
        # irr 0.84.1 weighs each pair by 1 instead of 1 / (raters - 1), which changes its small-sample term only
        every, _ = ratings(row["dataset"])
        values, pairs = len(every) * len(every[0]), len(every) * len(every[0]) * (len(every[0]) - 1)
        ours = 1 - (1 - found.estimate) * (pairs - 1) / pairs * values / (values - 1)
        assert ours == pytest.approx(float(row["estimate"]), rel=rtol)
        return
    assert found.estimate == pytest.approx(float(row["estimate"]), rel=rtol, abs=rounded)
    assert found.items == int(row["items"])
    for name, ours in (("se", found.standard_error), ("low", found.low)):
        if row[name]:
            assert ours == pytest.approx(float(row[name]), rel=rtol, abs=rounded)
    if row["high"]:
        assert found.high == pytest.approx(min(float(row["high"]), 1.0), rel=rtol)


def test_the_lists_hold_every_fixture_row():
    listed = {(line["file"], line["golden_method"]): int(line["rows"]) for line in read("methods_audit")}
    for file in ("audit_survey", "audit_finite_population", "audit_agreement"):
        methods = [row["method"] for row in read(file)]
        for method in set(methods):
            assert listed[file, method] == methods.count(method)


def test_nothing_is_nan_by_accident():
    """Where the package prints a number, a NaN of ours would have failed above; here the package's own NaN rows."""
    nan = [row for row in read("audit_survey") if row["estimate"] == "NaN"]
    assert {row["measure"] for row in nan} == {"design effect"}
    assert len(nan) == 23
    assert math.isnan(survey.design_effect(design("census")[1], column("census", "y")))
