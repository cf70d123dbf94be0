"""The main job and the same answer by plain pandas and plain Polars scripts.

The answer: for every force and self-defined group, searches of persons, linked finds and unknowns by the
`linked_positive` rule, the rate per 1,000 residents a year on the months covered, and the ratio to White. The scripts
stop there; the engine also validates every row, hashes every file and gives intervals, verdicts, bounds and seven more
measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import disprop as dp
from disprop.job import WANTED, measure_all

GROUPS = ("White", "Mixed", "Asian", "Black", "Other")
COLUMNS = ("Type", "Self-defined ethnicity", "Outcome", "Outcome linked to object of search")
ANSWER = ["force", "group", "searches", "found", "unknown", "rate", "ratio"]


def disprop_job(paths: Sequence[Path], population: dp.Tally) -> pd.DataFrame:
    """Every measure of the report, of which the answer is a part."""
    frames = measure_all(dp.scan([str(path) for path in paths], WANTED), population)
    rates = frames["search_rate"].set_index(["force", "ethnicity_self"])
    finds = frames["linked_find"].set_index(["force", "ethnicity_self"])
    ratios = frames["rate_ratio"].set_index(["force", "ethnicity_self"])["estimate"]
    answer = pd.DataFrame({"searches": rates["numerator"], "rate": rates["estimate"]})
    answer["found"] = finds["numerator"]
    answer["unknown"] = finds["n_unknown"].astype(float)
    answer["ratio"] = ratios
    return _in_order(answer.reset_index().rename(columns={"ethnicity_self": "group"}))


def pandas_script(paths: Sequence[Path], population: dp.Tally) -> pd.DataFrame:
    """The same counts by pandas."""
    every = []
    for path in paths:
        one = pd.read_csv(path, usecols=list(COLUMNS), dtype=str)
        one["force"], one["month"] = path.name[8:].removesuffix("-stop-and-search.csv"), path.name[:7]
        every.append(one)
    rows = pd.concat(every)
    months = rows.groupby("force")["month"].nunique()
    rows = rows[rows["Type"] != "Vehicle search"]
    label = rows["Self-defined ethnicity"].fillna("")
    rows["group"] = label.str.extract(r"^(White|Mixed|Asian|Black|Other ethnic group|Chinese or other)")[0]
    rows["group"] = rows["group"].replace({"Other ethnic group": "Other", "Chinese or other": "Other"})
    rows.loc[label.str.contains("Chinese (O1)", regex=False), "group"] = "Asian"
    rows.loc[label.str.contains("Not stated", case=False), "group"] = np.nan
    outcome, flag = rows["Outcome"].fillna(""), rows["Outcome linked to object of search"].fillna("")
    positive = (outcome != "") & ~outcome.str.contains("no further action", case=False)
    rows["found"] = positive & (flag == "True")
    rows["unknown"] = (positive & (flag == "")) | ((outcome == "") & (flag != "False"))
    counts = rows.groupby(["force", "group"]).agg(
        searches=("found", "size"), found=("found", "sum"), unknown=("unknown", "sum")
    )
    return _divided(counts.reset_index(), months.to_dict(), population)


def polars_script(paths: Sequence[Path], population: dp.Tally) -> pd.DataFrame:
    """The same counts by Polars, scanned lazily."""
    import polars as pl

    text = dict.fromkeys(COLUMNS, pl.String)
    label, outcome = pl.col(COLUMNS[1]).fill_null(""), pl.col(COLUMNS[2]).fill_null("")
    flag = pl.col(COLUMNS[3]).fill_null("")
    positive = (outcome != "") & ~outcome.str.to_lowercase().str.contains("no further action", literal=True)
    start = label.str.extract(r"^(White|Mixed|Asian|Black|Other ethnic group|Chinese or other)")
    group = (
        pl.when(label.str.to_lowercase().str.contains("not stated", literal=True))
        .then(None)
        .when(label.str.contains("Chinese (O1)", literal=True))
        .then(pl.lit("Asian"))
        .otherwise(start.replace({"Other ethnic group": "Other", "Chinese or other": "Other"}))
    )
    name = pl.col("path").str.extract(r"([^/]+)-stop-and-search\.csv$")
    scanned = pl.scan_csv(
        [str(path) for path in paths], schema_overrides=text, infer_schema=False, include_file_paths="path"
    ).with_columns(force=name.str.slice(8), month=name.str.slice(0, 7))
    people = scanned.filter(pl.col("Type") != "Vehicle search").select(
        "force",
        group=group,
        found=positive & (flag == "True"),
        unknown=(positive & (flag == "")) | ((outcome == "") & (flag != "False")),
    )
    counts = people.group_by("force", "group").agg(
        searches=pl.len(), found=pl.col("found").sum(), unknown=pl.col("unknown").sum()
    )
    months = scanned.group_by("force").agg(pl.col("month").n_unique())
    found, covered = pl.collect_all([counts, months])
    return _divided(found.drop_nulls("group").to_pandas(), dict(covered.iter_rows()), population)


def _divided(counts: pd.DataFrame, months: dict[str, int], population: dp.Tally) -> pd.DataFrame:
    people = population.frame(zeros=True).set_index(["force", "ethnicity_self"])["n"]
    index = pd.MultiIndex.from_product([sorted(months), GROUPS], names=["force", "group"])
    answer = counts.set_index(["force", "group"]).reindex(index, fill_value=0).astype(float)
    years = np.array([people.get(key, 0) * months[key[0]] / 12 for key in index], dtype=float)
    answer["rate"] = answer["searches"] / np.where(years > 0, years, np.nan) * 1000
    white = answer["rate"].xs("White", level="group").reindex(index.get_level_values("force")).to_numpy()
    answer["ratio"] = (answer["rate"] / white).where(index.get_level_values("group") != "White")
    return _in_order(answer.reset_index())


def _in_order(answer: pd.DataFrame) -> pd.DataFrame:
    return answer[ANSWER].sort_values(["force", "group"], ignore_index=True)


SCRIPTS: dict[str, Callable[[Sequence[Path], dp.Tally], pd.DataFrame]] = {
    "disprop": disprop_job,
    "pandas": pandas_script,
    "polars": polars_script,
}


def agree(ours: pd.DataFrame, other: pd.DataFrame) -> None:
    """Raise AssertionError unless every figure that the engine gives equals the script's.

    The engine withholds some figures (a hole, a group whose labels vanish, a refused find rate); there it says less.
    """
    both = ours.merge(other, on=["force", "group"], how="outer", suffixes=("", "_other"), validate="one_to_one")
    for column in ANSWER[2:]:
        one, two = both[column].astype(float), both[f"{column}_other"].astype(float)
        given = one.notna()
        assert given.any(), column
        np.testing.assert_allclose(one[given], two[given], rtol=1e-9, err_msg=column)
