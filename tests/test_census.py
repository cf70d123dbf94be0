"""Census residents: equal to the published totals, to the slow rule for withheld cells, and refused where unknown."""

import csv
import hashlib
import importlib.util
import itertools
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import naive_census as naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disprop.errors import InputRefused, UsageError
from disprop.io import census as module
from disprop.io.census import (
    area_names,
    area_to_force,
    census,
    census_digests,
    census_folder,
    census_quality,
    share_out,
)
from disprop.tallies import Tally

CHECKOUT = Path(__file__).resolve().parent.parent
NATION = "England and Wales"


def checks(only: str | None = None) -> list[dict[str, str]]:
    with (CHECKOUT / "data" / "census" / "check_totals.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if only is None or row["check"] == only]


@cache
def slow(split: str) -> tuple[dict, dict]:
    return naive.filled(split)


def is_missing(tally: Tally, **codes: str) -> bool:
    where = tuple(slice(None) if a.name not in codes else a.index(codes[a.name]) for a in tally.axes)
    assert tally.missing is not None
    return bool(np.all(tally.missing[where]))


# Check totals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", checks("residents"), ids=lambda row: " ".join(row.values()))
def test_residents_equal_the_published_totals(row: dict[str, str]) -> None:
    key = {
        axis: row[column]
        for axis, column in (("force", "force"), ("ethnicity_self", "ethnicity_5"), ("age_band", "age_band"))
        if row[column] not in ("", NATION)
    }
    assert census(by=list(key))[key] == pytest.approx(int(row["value"]), abs=int(row["tolerance"]), rel=0)


def counted() -> dict[str, int]:
    """The counts of cells that `check_totals.csv` names, from the table by age, in plain Python."""
    held, cells, withheld = Counter(), set(), 0
    for row in naive.rows("residents_area_age_ethnicity"):
        held[row["area"], row["ethnicity_19"]] += int(row["residents"])
        cells.add((row["area"], row["ethnicity_19"]))
        withheld += int(row["withheld"]) * (row["area"] == naive.NATION)
    full = {(row["area"], row["ethnicity_19"]): int(row["residents"]) for row in naive.rows("residents_area_ethnicity")}
    pairs = {cell for cell in cells if "+" in cell[0]}
    single = {cell for cell in cells - pairs if cell[0] != naive.NATION}
    share = slow("age")[1]
    return {
        "cells of single areas": len(single),
        "cells of single areas that hold nothing": sum(held[cell] == 0 for cell in single),
        "residents of cells that hold nothing": sum(full[cell] for cell in single if held[cell] == 0),
        "cells of pairs of areas": len(pairs),
        "cells of pairs of areas that hold nothing": sum(held[cell] == 0 for cell in pairs),
        "withheld single years in England and Wales": withheld,
        "force x group cells": len(share),
        "force x group cells under 80% published": sum(value < 0.8 for value in share.values()),
    }


def test_withheld_cells_equal_the_check_totals() -> None:
    wanted = {row["check"]: int(row["value"]) for row in checks() if row["check"] != "residents"}
    assert counted() == wanted


def test_every_check_total_names_its_source() -> None:
    assert len(checks("residents")) > 60
    assert all(row["source"] for row in checks())


def test_the_table_by_force_is_the_table_by_area_rolled_up() -> None:
    by_area = census(by=["area", "ethnicity_self_19"])
    by_force = census(by=["force", "ethnicity_self_19"])
    rolled = np.zeros_like(by_force.counts)
    for area, n in zip(by_area.axes[0].codes, by_area.counts):
        rolled[by_force.axes[0].index(area_to_force()[area])] += n
    assert (rolled == by_force.counts).all()
    assert len(by_area.axes[0]) == 331
    assert len(set(area_to_force().values())) == 43


# The filling rule --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "axis"), [("age", "age"), ("sex", "gender")])
def test_filled_residents_equal_the_slow_rule(split: str, axis: str) -> None:
    counts, share = slow(split)
    fast = census(by=["force", "ethnicity_self", axis])
    given_cells = 0
    for (force, group), ages in counts.items():
        refused = share[force, group] < 0.8
        for code, n in ages.items():
            assert fast[{"force": force, "ethnicity_self": group, axis: code}] == (0 if refused else n)
            assert is_missing(fast, force=force, ethnicity_self=group, **{axis: code}) == refused
        given_cells += not refused
    assert given_cells == {"age": 129, "sex": 210}[split]


@pytest.mark.parametrize(("split", "axis"), [("age", "age"), ("sex", "gender")])
def test_over_all_groups_only_the_city_of_london_is_refused(split: str, axis: str) -> None:
    counts, _ = slow(split)
    fast = census(by=["force", axis])
    for force in {force for force, _ in counts}:
        for code in counts[force, "White"]:
            wanted = 0 if force == "city-of-london" else sum(counts[force, group][code] for group in naive.GROUPS)
            assert fast[{"force": force, axis: code}] == wanted
        assert is_missing(fast, force=force, **{axis: code}) == (force == "city-of-london")


@pytest.mark.parametrize(
    ("total", "held", "nation", "spread"),
    [
        (100, [50, 10, 0], [50, 30, 20], [0, 20, 20]),
        (100, [60, 10, 0], [50, 30, 20], [0, 15, 15]),
        (100, [0, 0, 0], [50, 30, 20], [50, 30, 20]),
        (100, [60, 30, 15], [50, 30, 20], [0, 0, 0]),
        (10, [3, 3, 3], [1, 1, 1], [1, 0, 0]),
        (0, [0, 0, 0], [50, 30, 20], [0, 0, 0]),
    ],
)
def test_the_remainder_goes_where_the_published_cells_fall_short(total, held, nation, spread) -> None:
    assert module.remainder(total, held, nation) == spread


@given(
    st.integers(1, 10**7),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**7)), min_size=1, max_size=9),
)
def test_the_remainder_equals_the_slow_rule(total: int, cells: list[tuple[int, int]]) -> None:
    held, nation = [h for h, _ in cells], [n for _, n in cells]
    ages = [str(i) for i in range(len(cells))]
    wanted = naive.fill(total, dict(zip(ages, held)), dict(zip(ages, nation)))
    found = [h + more for h, more in zip(held, module.remainder(total, held, nation))]
    assert found == list(wanted.values())
    assert sum(found) == max(total, sum(held))


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**9), min_size=1, max_size=9))
def test_sharing_out_loses_nobody_and_is_never_one_off(total: int, weights: list[int]) -> None:
    shares = share_out(total, weights)
    assert sum(shares) == (total if sum(weights) else 0)
    for share, weight in zip(shares, weights):
        assert abs(share * sum(weights) - total * weight) < max(1, sum(weights))


def test_westminster_has_the_shape_of_the_pair_and_its_own_total() -> None:
    pair = np.array([[1] * 9, [2] * 9, [3] * 9, [4] * 9, [9, 0, 0, 0, 0, 0, 0, 0, 0]])
    own = module.own_share("E09000033", pair)
    totals = naive.totals("area")
    assert own.sum(axis=1).tolist() == [totals["E09000033", group] for group in naive.GROUPS]
    assert own[4].tolist() == [totals["E09000033", "Other"], *[0] * 8]
    assert module.own_share("E09000001", pair).sum() == 0


def test_cornwall_and_scilly_stand_in_devon_and_cornwall() -> None:
    full = census(by=["force", "ethnicity_self"])[{"force": "devon-and-cornwall", "ethnicity_self": "White"}]
    quality = census_quality().set_index(["force", "ethnicity_self"]).loc[("devon-and-cornwall", "White")]
    assert quality.residents == full
    assert quality.share_published > 0.99


@pytest.mark.parametrize("by", [["force", "age"], ["force", "ethnicity_self", "age"], ["ethnicity_self", "age"]])
def test_ages_add_up_to_the_bands_of_police_uk(by: list[str]) -> None:
    bands = [name.replace("age", "age_band") for name in by]
    assert census(by=by).recode("age", "age_band", rename="age_band") == census(by=bands)


# The account and the quality ---------------------------------------------------------------------------------------


def test_residents_left_out_and_residents_spread_are_in_the_account() -> None:
    counts, share = slow("age")
    refused = sum(sum(counts[cell].values()) for cell in counts if share[cell] < 0.8)
    account = census(by=["force", "ethnicity_self", "age_band"]).account
    assert account.excluded == {module.UNAVAILABLE_RULE: refused}
    assert account.counted == sum(sum(ages.values()) for ages in counts.values()) - refused
    spread = sum(sum(counts[cell].values()) * (1 - share[cell]) for cell in counts if share[cell] >= 0.8)
    assert account.notes[module.SPREAD_NOTE] == pytest.approx(spread, abs=0.01)


@pytest.mark.parametrize(("axis", "split"), [("age_band", "age"), ("age", "age"), ("gender", "sex")])
def test_the_quality_of_every_denominator_is_listed(axis: str, split: str) -> None:
    _, share = slow(split)
    quality = census_quality(axis).set_index(["force", "ethnicity_self"])
    assert list(quality.columns) == ["residents", "published", "share_published", "given"]
    assert set(quality.index) == set(share)
    for cell, row in quality.iterrows():
        assert row.share_published == pytest.approx(min(1.0, share[cell]))
        assert row.given == (share[cell] >= 0.8)


# Denominator unavailable -------------------------------------------------------------------------------------------

BY_FORCE = (["force"], ["force", "ethnicity_self"], ["force", "ethnicity_self_19"], ["force", "age_band"])
BY_FORCE += (["force", "ethnicity_self", "gender"],)


@pytest.mark.parametrize("by", BY_FORCE, ids=" ".join)
@pytest.mark.parametrize("force", ["btp", "northern-ireland", "unknown", "synthetic-shire"])
def test_a_force_without_residents_has_no_denominator(by: list[str], force: str) -> None:
    residents = census(by=by)
    assert is_missing(residents, force=force)
    assert residents[{"force": force}] == 0
    assert not is_missing(residents, force="west-midlands")


def test_the_city_of_london_has_residents_but_no_ages() -> None:
    assert not is_missing(census(by=["force"]), force="city-of-london")
    for axis in ("age", "age_band", "gender"):
        for group in naive.GROUPS:
            ages = census(by=["force", "ethnicity_self", axis])
            assert is_missing(ages, force="city-of-london", ethnicity_self=group)
            assert not is_missing(ages, force="metropolitan", ethnicity_self=group, **{axis: ages.axis(axis).codes[0]})


def test_gender_other_has_no_denominator_because_the_census_counts_sex() -> None:
    for by in (["gender"], ["force", "gender"]):
        assert is_missing(census(by=by), gender="Other")
    assert not is_missing(census(by=["gender"]), gender="Female")


def test_nobody_in_a_census_is_blank() -> None:
    residents = census(by=["force", "ethnicity_self", "age_band"])
    for name in ("ethnicity_self", "age_band"):
        for code in residents.axis(name).unknowns:
            assert residents[{name: code}] == 0
            assert not is_missing(residents, force="west-midlands", **{name: code})


@pytest.mark.parametrize("by", [["area", "ethnicity_self"], ["ethnicity_self_19"], ["age_band"], []], ids=str)
def test_elsewhere_every_denominator_is_there(by: list[str]) -> None:
    missing = census(by=by).missing
    assert missing is None or not missing.any()


# The door ----------------------------------------------------------------------------------------------------------


def test_a_census_tally_says_what_it_is() -> None:
    residents = census()
    assert residents.names == ("force", "ethnicity_self")
    assert (residents.unit, residents.vintage, len(residents.parts)) == ("residents", "Census 2021", 0)
    assert residents.axis("ethnicity_self").codelist == "ethnicity_5@1.0"


@pytest.mark.parametrize(
    "names", [("force", "ethnicity_self", "age_band"), ("area", "ethnicity_self_19"), ("gender", "force")]
)
def test_axes_come_in_the_order_asked_for(names: tuple[str, ...]) -> None:
    first = census(by=names)
    for turned in itertools.permutations(names):
        assert census(by=turned) == first.project(turned)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (["forces"], "no axis 'forces'; did you mean 'force'"),
        (["ethnicity"], "did you mean 'ethnicity_self'"),
        (["month"], "no axis 'month'"),
        (["ethnicity_officer"], "officer-defined ethnicity has no residents"),
        ("force", r"give a list of axes, as by=\['force'\]"),
        (["force", "force"], "named twice in force, force"),
        (["ethnicity_self", "ethnicity_self_19"], "name the 5 groups or the 19"),
        (["age", "age_band"], "age and age_band do not go together: no table has both"),
        (["gender", "age_band"], "no table has both"),
        (["age", "gender"], "no table has both"),
        (["force", "ethnicity_self_19", "age_band"], "work at ethnicity_self, the 5 groups"),
        (["force", "ethnicity_self_19", "gender"], "work at ethnicity_self, the 5 groups"),
        (["area", "age"], "work by force"),
        (["area", "gender"], "work by force"),
    ],
)
def test_what_no_table_has_is_refused_with_advice(by, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        census(by=by)


def test_another_year_and_another_table_are_refused() -> None:
    with pytest.raises(UsageError, match="no Census of 2011; 2021 is here"):
        census(2011)
    with pytest.raises(UsageError, match="no table by 'ages'; did you mean 'age'"):
        census_quality("ages")


def test_a_tally_can_be_changed_without_changing_the_next() -> None:
    for by in (["force", "age"], ["age", "ethnicity_self"], ["force"]):
        first = census(by=by)
        first.counts[...] = 0
        assert census(by=by).total > 5e7


# The files ---------------------------------------------------------------------------------------------------------


def test_digests_are_those_of_the_tables() -> None:
    folder = CHECKOUT / "data" / "census"
    assert census_digests() == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.csv"))
    }
    assert len(census_digests()) == 6


def place(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "area_to_force.csv").write_text("area,name,force\n", encoding="utf-8")
    return folder


def test_the_packaged_tables_come_before_those_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "disprop" / "io" / "census.py"))
    with pytest.raises(InputRefused, match=r"no Census tables in .*install disprop again"):
        census_folder()
    checkout = place(tmp_path / "data" / "census")
    assert census_folder() == checkout
    packaged = place(tmp_path / "disprop" / "_data" / "census")
    assert census_folder() == packaged


def test_an_area_has_its_residents_under_its_own_force_and_no_other() -> None:
    both = census(by=["area", "force", "ethnicity_self"])
    assert both.names == ("area", "force", "ethnicity_self")
    for name in ("area", "force"):
        rolled, alone = both.project([name, "ethnicity_self"]), census(by=[name, "ethnicity_self"])
        assert rolled.axes == alone.axes
        assert (rolled.counts == alone.counts).all()
    homes = {a: f for a, f, n in both.project(["area", "force"]).frame()[["area", "force", "n"]].values.tolist()}
    assert homes == area_to_force()


def test_areas_have_names() -> None:
    assert area_names()["E06000023"] == "Bristol, City of"
    assert area_names().keys() == area_to_force().keys()


def test_importing_the_census_imports_neither_pandas_nor_numba() -> None:
    script = "import sys, disprop.io.census; print({'pandas', 'numba', 'scipy.stats'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def relay():
    path = CHECKOUT / "scripts" / "relay_census.py"
    spec = importlib.util.spec_from_file_location("relay_census", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.mark.real
def test_laying_the_gathered_tables_out_again_gives_the_same_files(real_data: Path, tmp_path: Path) -> None:
    gathered = real_data.parent / "census"
    if not gathered.is_dir():
        pytest.skip(f"no gathered Census tables at {gathered}")
    relay().main(gathered, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (census_folder() / path.name).read_bytes(), path.name
    assert len(list(tmp_path.iterdir())) == 5
