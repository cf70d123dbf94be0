"""`disprop forces`, `months`, `looks` and `sentinels`: forces side by side, over time, and many at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from disprop.commands.options import (
    FILE,
    OK,
    Asked,
    by_option,
    compared_options,
    figure_options,
    reading,
    records_options,
    residents,
    rows_options,
    split_axes,
    tally_of,
    warn,
    write_rows,
)
from disprop.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

FORCES = ("funnel", "outlier_lines", "rank_range", "similar_group_average", "against_similar", "ratio_against_rest")
MONTHS = ("control_chart", "change_points", "rolling", "rate_change", "rate_ratio_change")
LOOKS = ("screening_list", "months_needed", "shrunken_rates", "shrunken_ratios", "shrunken_shares")
MEASURED = ("rate_ratio", "search_rate", "find_rate")

compared = compared_options("Axis of the groups compared.", "Group compared with.")


@click.command()
@click.argument("name", metavar="FIGURE", type=click.Choice(FORCES))
@records_options
@click.option("--measure", type=click.Choice(MEASURED), help="What is compared; default rate_ratio.")
@compared
@by_option("", "Further axes of the rows; force is always one.")
@click.option("--method", type=click.Choice(["additive", "multiplicative", "naive"]), help="funnel: its spread.")
@click.option("--more-normal", is_flag=True, help="outlier_lines: the other reading of the rule.")
@click.option("--groups", type=FILE, help="CSV of most similar groups: force, member, dated.")
@figure_options
def forces(name: str, by: str, method: str | None, more_normal: bool, groups: str | None, **given: Any) -> int:
    """Forces side by side: is one further from the others than chance and the usual spread explain?

    \b
    Kinds: funnel, outlier_lines, rank_range, similar_group_average, against_similar, ratio_against_rest

    \b
    Examples:
      disprop forces funnel data/ --from 2019-04 --to 2020-03
      disprop forces similar_group_average data/ --measure find_rate --groups groups.csv
    """
    options: dict[str, Any] = {"by": split_axes(by), "holes": given.pop("holes")}
    if (groups is not None) != (name in ("similar_group_average", "against_similar")):
        raise UsageError("--groups FILE goes with similar_group_average and against_similar, and they need it")
    if groups is not None:
        options["groups"] = _groups(groups)
    if method is not None:
        options["method"] = method
    if more_normal:
        options["more_normal"] = True
    return _said(name, options, **given)


@click.command()
@click.argument("name", metavar="FIGURE", type=click.Choice(MONTHS))
@records_options
@click.option("--measure", help="What is followed; default rate_ratio. rolling: any measure.")
@compared
@by_option("", "Axes of the rows, comma-separated.")
@click.option("--before", metavar="YYYY-MM:YYYY-MM", help="rate_change, rate_ratio_change: the earlier period.")
@click.option("--after", metavar="YYYY-MM:YYYY-MM", help="rate_change, rate_ratio_change: the later period.")
@click.option("--breaks", type=FILE, help="CSV of declared breaks: month, note, force.")
@figure_options
def months(
    name: str, by: str, before: str | None, after: str | None, breaks: str | None, measure: str | None, **given: Any
) -> int:
    """Month by month: charts with a budget of false alarms, changes, rolling years. Never across a declared break.

    \b
    Kinds: control_chart, change_points, rolling, rate_change, rate_ratio_change

    \b
    Examples:
      disprop months control_chart data/ --by force --breaks breaks.csv
      disprop months rate_ratio_change data/ --by force --before 2018-04:2019-03 --after 2019-04:2020-03
    """
    options: dict[str, Any] = {"by": split_axes(by)}
    holes = given.pop("holes")
    changes = name in ("rate_change", "rate_ratio_change")
    if changes != (before is not None and after is not None):
        raise UsageError("--before and --after go with rate_change and rate_ratio_change, and they need both")
    if changes:
        options |= {"before": _span(before), "after": _span(after)}
    elif breaks is not None:
        options["breaks"] = _breaks(breaks)
    if changes or name == "rolling":
        options["holes"] = holes
    return _said(name, options, measure=measure, **given)


@click.command()
@click.argument("name", metavar="FIGURE", type=click.Choice(LOOKS))
@records_options
@compared
@by_option("force", "Axes of the cells, comma-separated.")
@figure_options
def looks(name: str, by: str, **given: Any) -> int:
    """Many looks at once: lists that say how much of them is chance, and small cells shrunk. Never a ranking.

    \b
    Kinds: screening_list, months_needed, shrunken_rates, shrunken_ratios, shrunken_shares

    \b
    Examples:
      disprop looks screening_list data/ --from 2019-04 --to 2020-03
      disprop looks shrunken_shares data/ --by force,object
    """
    options: dict[str, Any] = {"by": split_axes(by)}
    holes = given.pop("holes")
    if name != "shrunken_shares":
        options["holes"] = holes
    measure = "find_rate" if name == "shrunken_shares" else "search_rate" if name == "shrunken_rates" else None
    return _said(name, options, measure=measure, **given)


@click.command()
@records_options
@by_option("ethnicity_self,linked,outcome", "Columns to watch.")
@rows_options
def sentinels(asked: Asked, by: str, form: str, out: str | None) -> int:
    """What is odd about the files that came: missing, partial, repeated months, vanished labels, midnight, clocks.

    \b
    Example:
      disprop sentinels data/ --from 2019-04 --to 2020-03
    """
    import pandas as pd

    from disprop.measures.marks import clock_conventions, midnight_shares, record_marks, repeated_shares
    from disprop.measures.sentinels import sentinels as noticed

    counted = tally_of(asked, split_axes(by))
    with reading(replace(asked, quarantine=None)) as records:
        marks = record_marks(records)
    flagged = [table(marks) for table in (midnight_shares, repeated_shares)]
    flagged = [rows[rows["flag"].fillna("") != ""] for rows in flagged]
    write_rows(pd.concat([noticed(counted), *flagged, clock_conventions(marks)], ignore_index=True), form, out)
    return warn(counted.account)


# Shared --------------------------------------------------------------------------------------------------------------


def _said(
    name: str,
    options: dict[str, Any],
    *,
    asked: Asked,
    of: str,
    reference: str,
    population: str | None,
    form: str,
    out: str | None,
    measure: str | None = None,
) -> int:
    """Tally what a figure needs, compute it, and write its rows."""
    import disprop
    from disprop.measures import measure as named

    by, what = options["by"], measure or "rate_ratio"
    finds = what == "find_rate"
    takes_measure = name in (*FORCES[:5], *MONTHS[:3])
    axes = [*by, *({of} if name != "rate_change" and what == "rate_ratio" else ())]
    axes += named(what).axes if name in ("rolling", "shrunken_shares") or finds else ()
    counted = tally_of(asked, list(dict.fromkeys(axis for axis in axes if axis not in ("force", "month"))))
    inputs = [counted] if finds else [counted, residents(population, axes)]
    if what == "rate_ratio" and name not in ("rate_change", "shrunken_rates"):
        options |= {"of": of, "reference": reference}
    if name == "rolling":
        frame = disprop.rolling(what, *inputs, **_for_rolling(options, named(what)))
    else:
        compute: Callable[..., pd.DataFrame] = getattr(disprop, name)
        frame = compute(*inputs, **options, **({"measure": what} if takes_measure else {}))
    write_rows(frame, form, out)
    return warn(counted.account) or OK


def _for_rolling(options: dict[str, Any], measure: Any) -> dict[str, Any]:
    """Options that the measure takes."""
    left_out = set() if measure.population else {"holes"}
    left_out |= set() if measure.compares else {"of", "reference"}
    return {name: value for name, value in options.items() if name not in left_out}


def _groups(path: str) -> Any:
    from disprop.io.declared import read_similar_groups
    from disprop.measures.similar import similar_groups

    members, dated = read_similar_groups(path)
    return similar_groups(members, dated=dated)


def _breaks(path: str) -> Any:
    from disprop.io.declared import read_breaks
    from disprop.measures.change import declared_breaks

    return declared_breaks(read_breaks(path))


def _span(text: str | None) -> tuple[str, str]:
    first, colon, last = (text or "").partition(":")
    if not colon:
        raise UsageError(f"{text!r} is not a period; write it as YYYY-MM:YYYY-MM")
    return first, last
