"""Forces, months and sentinels on published figures and real files; the check figures of the method book."""

import csv
from collections import defaultdict

import numpy as np
import pytest

import disprop as dp
from disprop.codelists import force_code
from disprop.measures.marks import MIDNIGHT_SHARE, clock_of_midnights
from disprop.screening import funnel_limits, rate_ratio_points, sd_lines
from tests.forces.invented import tally_of
from tests.invent import residents

pytestmark = pytest.mark.real

YEARS = ("2019", "2020", "2021")
SIDES = ("Black_stopped", "Black_population", "White_stopped", "White_population")
SHAPIRO = {"2019": (1.485e-5, 0.4861), "2020": (0.02013, 0.6406), "2021": (1.9e-6, 0.01661)}
NAIVE = {"2019": (27, 19), "2020": (30, 29), "2021": (29, 20)}
ADDITIVE = {"2019": (6, 3, 0.0722), "2020": (10, 3, 0.0780), "2021": (9, 2, 0.1006)}


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def by_force(real_data):
    """Year -> force -> Black searches, residents, White searches, residents, summed over its local authorities."""
    found = {year: defaultdict(lambda: np.zeros(4, dtype=np.int64)) for year in YEARS}
    for row in rows_of(real_data / "published" / "local_authority_black_white_2019_2021.csv"):
        found[row["date"]][force_code(row["force_code"])] += [int(row[name]) for name in SIDES]
    return found


def columns(forces):
    return np.array(list(forces.values())).T


def ratios(forces):
    a, n1, c, n0 = columns(forces)
    return (a / n1) / (c / n0)


def points(forces):
    names = ("events", "exposure", "reference_events", "reference_exposure")
    return rate_ratio_points(**dict(zip(names, columns(forces))))


def flags(limits):
    return tuple(int((np.abs(limits.z) > k).sum()) for k in (1.959964, 3.090232))


@pytest.mark.parametrize("year", YEARS)
def test_forty_three_forces_and_the_p_of_shapiro_and_wilk(by_force, year):
    assert len(by_force[year]) == 43
    lines = sd_lines(values=ratios(by_force[year]))
    assert (lines.p_raw, lines.p_log) == pytest.approx(SHAPIRO[year], rel=5e-3)


@pytest.mark.parametrize(
    ("year", "scale", "high_and_low", "more_normal"),
    [("2019", "log", 13, 13), ("2020", "log", 12, 12), ("2021", "raw", (3, 6), 11)],
)
def test_outlier_lines_in_both_readings(by_force, year, scale, high_and_low, more_normal):
    lines = sd_lines(values=ratios(by_force[year]))
    sides = int((lines.side > 0).sum()), int((lines.side < 0).sum())
    assert lines.scale == scale
    assert (sides if isinstance(high_and_low, tuple) else sum(sides)) == high_and_low
    other = sd_lines(values=ratios(by_force[year]), more_normal=True)
    assert (other.scale, int(np.abs(other.side).sum())) == ("log", more_normal)


@pytest.mark.parametrize("year", YEARS)
def test_funnels_naive_and_over_dispersed(by_force, year):
    made = points(by_force[year])
    naive, additive = (funnel_limits(estimate=made.estimate, error=made.error, method=m) for m in ("naive", "additive"))
    assert flags(naive) == NAIVE[year]
    assert (*flags(additive), round(additive.tau2, 4)) == ADDITIVE[year]


def test_the_same_through_a_tally(by_force):
    """2019 as a tally and residents: the table functions flag the same forces as the array functions."""
    groups = ("Black", "White")
    counts = {
        (force, "2019-01", group): int(n)
        for force, side in by_force["2019"].items()
        for group, n in zip(groups, side[::2])
    }
    people = residents({f: dict(zip(groups, map(int, side[1::2]))) for f, side in by_force["2019"].items()})
    tally = tally_of(counts)
    funnel = dp.funnel(tally, people)
    black = funnel[funnel["ethnicity_self"] == "Black"]
    outside = black["flag"].fillna("").str.contains("limits").groupby(black["confidence"]).sum()
    assert outside.to_dict() == {0.95: 6, 0.998: 3}
    lines = dp.outlier_lines(tally, people)
    lines = lines[lines["ethnicity_self"] == "Black"]
    assert int(lines["flag"].str.contains("the line;").sum()) == 13
    ranks = dp.rank_range(tally, people)
    ranks = ranks[ranks["ethnicity_self"] == "Black"].set_index("force")
    largest = max(by_force["2019"], key=lambda force: ratios({force: by_force["2019"][force]})[0])
    assert ranks["low"][largest] == 1


# The archive of 2025/26 -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(real_data):
    return real_data / "published" / "archive_2025_26"


@pytest.fixture(scope="module")
def noticed(archive):
    """What the sentinels notice about the monthly totals of the public archive."""
    rows = rows_of(archive / "archive_monthly_counts_2025-08_2026-07.csv")
    months = [name for name in rows[0] if name[:2] == "20"]
    counts = {(row["force_id"], month, "White"): int(row[month]) for row in rows for month in months if row[month]}
    forces = [row["force_id"] for row in rows]
    return dp.sentinels(tally_of(counts, scope=(months[0], months[-1], forces)))


def places(noticed, sentinel):
    found = noticed[noticed["measure"] == sentinel]
    return list(zip(found["force"], found["month"].fillna("")))


def test_missing_months_of_the_archive(noticed):
    missing = places(noticed, "missing_month")
    assert len(missing) == 86
    assert sum(force == "greater-manchester" for force, _ in missing) == 12


def test_the_truncated_file_and_nobody_else(noticed):
    assert places(noticed, "identical_totals") == [("essex", "")]
    found = noticed[noticed["measure"] == "identical_totals"].iloc[0]
    assert (found["numerator"], found["denominator"]) == (11, 12)
    assert "exactly 1,156 rows in 11 of 12 months" in found["flag"]


def test_spikes_and_the_month_cut_short(noticed):
    spikes = [("dorset", "2026-05"), ("dorset", "2026-06"), ("lancashire", "2026-04"), ("lancashire", "2026-06")]
    assert places(noticed, "spike") == spikes
    assert places(noticed, "low_month") == [("hertfordshire", "2026-07")]


def test_the_collapsed_vocabulary(archive):
    """West Yorkshire's labels of May to July 2026, after nine months in the national mix of labels."""
    national = {
        row["source_label"]: int(row["events"])
        for row in rows_of(archive / "archive_self_defined_labels_2025-08_2026-07.csv")
    }
    labels = {
        row["source_label"]: int(row["events"])
        for row in rows_of(archive / "west_yorkshire_labels_2026-05_2026-07.csv")
    }
    codes = {"(blank)": "blank", "": "blank", "Other ethnic group - Not stated": "not stated"}

    def group(label):
        return codes.get(label) or next(g for g in ("Mixed", "Asian", "Black", "Other", "White") if label.startswith(g))

    counts = defaultdict(int)
    share = 1_700 / sum(national.values())
    for i in range(9):
        month = f"{2025 + (7 + i) // 12}-{(7 + i) % 12 + 1:02d}"
        for label, n in national.items():
            counts["west-yorkshire", month, group(label)] += round(n * share)
    for month in ("2026-05", "2026-06", "2026-07"):
        for label, n in labels.items():
            counts["west-yorkshire", month, group(label)] += n // 3
    found = dp.sentinels(tally_of(counts))
    lacking = found[found["measure"] == "label_support"]
    assert lacking["month"].tolist() == ["2026-05", "2026-06", "2026-07"]
    assert lacking["flag"].str.startswith("no label of Mixed in ethnicity_self").all()
    assert places(found, "unknown_jump")[0] == ("west-yorkshire", "2026-05")


def test_clocks_from_the_published_midnights(archive):
    """Summer months of the two-clock table: Avon and Somerset wrote local time, Cumbria and Leicestershire UTC."""
    midnights = defaultdict(lambda: np.zeros(3))
    for row in rows_of(archive / "bst_source_vs_london_midnight.csv"):
        n = int(row["n"])
        if row["month"][5:] not in ("11", "12", "01", "02"):
            midnights[row["force_id"]] += [
                round(n * float(row["source_midnight_share"])), round(n * float(row["london_midnight_share"])), n
            ]  # fmt: skip
    source, london, records = np.array(list(midnights.values())).T
    clocks = clock_of_midnights(source_midnights=source, london_midnights=london, records=records)
    assert dict(zip(midnights, clocks)) == {
        "avon-and-somerset": "local time written as UTC",
        "cumbria": "UTC",
        "leicestershire": "UTC",
        "wiltshire": "cannot be told",
        "west-mercia": "cannot be told",
        "metropolitan": "cannot be told",
    }


def test_the_midnight_gate_on_the_published_shares(archive):
    """Cumbria fails at London's midnight in August 2025 and May and June 2026, as the table of failures has it."""
    failing = {row["force_id"]: row["months"] for row in rows_of(archive / "force_months_failing_midnight_gate.csv")}
    over = {
        (row["force_id"], row["month"])
        for row in rows_of(archive / "bst_source_vs_london_midnight.csv")
        if float(row["london_midnight_share"]) > MIDNIGHT_SHARE
    }
    assert over == {
        ("cumbria", "2025-08"),
        ("cumbria", "2026-05"),
        ("cumbria", "2026-06"),
        ("leicestershire", "2025-09"),
    }
    assert all(month in failing[force] for force, month in over)


# Real files -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def marks(real_data):
    """Marks of every file of four seasons."""
    months = ("2019-05", "2019-07", "2019-12", "2020-02")
    return dp.record_marks([str(real_data / "police_uk" / month) for month in months])


def test_dates_without_hours_are_found_on_london_s_clock(marks):
    found = dp.midnight_shares(marks)
    sums = found.groupby(["force", "clock"])[["numerator", "denominator"]].sum()
    share = (sums["numerator"] / sums["denominator"]).unstack()
    assert (share.loc[["dorset", "dyfed-powys", "sussex"], "London"] == 1).all()
    assert (share.loc[["dorset", "dyfed-powys", "sussex"], "source"] < 0.6).all()
    assert share.loc["west-midlands"].max() < 0.01


def test_clocks_of_real_forces(marks):
    told = dp.clock_conventions(marks).set_index("force")["flag"]
    assert told["avon-and-somerset"] == told["south-wales"] == "local time written as UTC"
    assert (told[["sussex", "dorset", "dyfed-powys", "essex", "west-midlands", "merseyside"]] == "UTC").all()


def test_repeats_of_real_files(marks):
    found = dp.repeated_shares(marks).set_index(["force", "month"])
    assert found["estimate"].median() == pytest.approx(0.05, abs=0.015)
    assert found["estimate"]["north-wales", "2019-05"] == pytest.approx(0.5265, abs=1e-4)
    assert "put together twice" in found["flag"]["north-wales", "2019-05"]
    assert found["flag"].isna().loc["west-midlands"].all() or (found["flag"].loc["west-midlands"] == "").all()
