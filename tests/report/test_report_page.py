"""The page, read back from its HTML: whole, safe, honest about what is invented, and every figure that of its row."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest

import disprop.report.page
from disprop.errors import DispropError
from disprop.report import report_files, write_report
from disprop.report.page import manifest, render_page
from disprop.report.tables import csv_tables
from tests.report import naive_report as naive
from tests.report.cases import CASES, case
from tests.report.reading import SHAPES, Page
from tests.test_writing import forbidden, uses

LINKS_OUT = {
    "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
    "https://data.police.uk/",
}
LABELS = {
    "not stated": "Ethnicity not stated",
    "blank": "Ethnicity left blank",
    "unmapped": "Ethnicity label not known",
}
SHARES = {
    "linked_find": "linked-find",
    "any_find": "any-find",
    "positive_outcome": "positive-outcome",
    "arrest": "arrest",
    "more_thorough": "more-thorough",
    "more_thorough_children": "more-thorough-children",
    "share_on_video": "share-on-video",
}


def bare(cell):
    """A cell without its mark of low reliability."""
    return cell.removesuffix(" [u]")


def label(row):
    return LABELS.get(row["group"], row["group"])


# Every printed figure is the row's, rounded ------------------------------------------------------------------------


def test_rates_are_those_of_the_rows(inputs, page):
    rows, whole = inputs.rows("search_rate"), inputs.one("search_rate_all")
    table = page.body("rates")
    for row, cells in zip(rows, table, strict=False):
        assert [bare(cell) for cell in cells] == [
            label(row),
            naive.count(row["numerator"]),
            naive.count(row["denominator"]),
            naive.rate(row["estimate"]),
            naive.span(row["low"], row["high"], naive.rate),
            naive.rate(row["bound_high"]),
        ]
    assert table[len(rows)][:2] == ["Ethnicity not known", naive.count(rows[0]["n_unknown"])]
    assert table[-1][1:4] == [naive.count(whole["numerator"]), naive.count(whole["denominator"]),
                              naive.rate(whole["estimate"])]  # fmt: skip
    assert len(table) == len(rows) + 2


def test_ratios_are_those_of_the_rows(inputs, page):
    rows = inputs.rows("rate_ratio")
    if all(row["verdict"] == "not computable" for row in rows):
        assert "ratios-table" not in page.tables
        return
    for row, cells in zip(rows, page.body("ratios"), strict=True):
        assert bare(cells[1]) == naive.ratio(row["estimate"], 2)
        assert cells[2] == naive.span(row["low"], row["high"], lambda v: naive.ratio(v, 2))
        assert cells[3:5] == [naive.ratio(row["bound_low"], 2), naive.ratio(row["bound_high"], 2)]
        assert cells[5] == (row["point_against_band"] or "[x]")
        assert ("[u]" in cells[1]) == (row["verdict"] == "too few to say")


def test_differences_are_those_of_the_rows(inputs, page):
    verdicts = {row["group"]: row["verdict"] for row in inputs.rows("rate_ratio")}
    rows = inputs.rows("excess_searches")
    if "excess-table" not in page.tables:
        assert set(verdicts.values()) == {"not computable"}
        return
    for row, cells in zip(rows, page.body("excess"), strict=True):
        assert cells[:3] == [label(row), naive.count(row["numerator"]), naive.count(row["denominator"])]
        if verdicts[row["group"]] == "too few to say":
            assert cells[3:] == ["[u]", "[u]"]
        else:
            limits = naive.span(row["low"], row["high"], naive.more_or_fewer)
            assert cells[3:] == [naive.more_or_fewer(row["estimate"]), limits]


@pytest.mark.parametrize("frame", SHARES)
def test_shares_are_those_of_the_rows(inputs, page, frame):
    rows, whole = inputs.rows(frame), inputs.one(f"{frame}_all")
    if all(row["bound_low"] is None for row in rows):
        assert f"{SHARES[frame]}-table" not in page.tables
        return
    table = page.body(SHARES[frame])
    assert len(table) == len(rows) + (whole is not None)
    for row, cells in zip([*rows, *([whole] if whole else [])], table, strict=True):
        assert cells[1:3] == [naive.count(row["numerator"]), naive.count(row["denominator"])]
        assert bare(cells[3]) == naive.percent_1(row["estimate"])
        assert cells[4:6] == [naive.span(row["low"], row["high"], naive.percent_1), naive.count(row["n_unknown"])]
        bounds = naive.bounds(row["bound_low"], row["bound_high"], naive.percent_1)
        assert cells[6] == (bounds if row["n_unknown"] or row["estimate"] is None else "[z]")


def test_the_answer_gives_each_comparison_its_own_figures(inputs, page):
    for row in inputs.rows("rate_ratio"):
        if row["verdict"] in ("higher", "lower") and row["estimate"]:
            limits = naive.span(row["low"], row["high"], naive.ratio)
            assert f"at about {naive.ratio(row['estimate'])} times the rate of White people" in page.text
            assert f"95% interval {limits}; {naive.count(row['numerator'])} searches of" in page.text


def test_the_lead_and_the_find_are_those_of_the_whole_force(inputs, page):
    whole, find = inputs.one("search_rate_all"), inputs.one("linked_find_all")
    assert f"recorded {naive.count(whole['numerator'])} searches of people" in page.text
    if whole["estimate"] is not None:
        assert f"{naive.rate(whole['estimate'])} for every 1,000 residents a year" in page.text
    if find["estimate"] is not None:
        assert f"About {naive.percent(find['estimate'])} of searches found the item searched for" in page.text
    elif find["bound_low"] is not None:
        low, high = naive.percent(find["bound_low"]), naive.percent(find["bound_high"])
        assert f"Between {low} and {high} of searches found the item searched for" in page.text
    else:
        assert "Linked finds: refused." in page.text


def test_the_account_adds_up(inputs, page):
    numbers = [int(cells[1].replace(",", "")) for cells in page.body("account")]
    assert sum(numbers[:-1]) == numbers[-1] == inputs.account.read


def test_charts_say_the_figures_of_the_rows(inputs, page):
    drawn = {drawing.attributes["aria-labelledby"].split("-title")[0]: drawing for drawing in page.drawings}
    if all(row["estimate"] is None for row in inputs.rows("search_rate")):
        assert "rates-chart-wide" not in drawn
        return
    for size in ("wide", "narrow"):
        letters = [text for text, _ in drawn[f"rates-chart-{size}"].letters]
        for row in inputs.rows("search_rate"):
            if row["estimate"] is not None:
                limits = naive.span(row["low"], row["high"], naive.rate)
                assert f"{naive.rate(row['estimate'])} ({limits})" in letters


# The page itself ---------------------------------------------------------------------------------------------------


def test_tags_balance_and_ids_are_unique(page):
    assert len(page.ids) == len(set(page.ids))
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inside) <= set(page.ids)


def test_the_page_needs_no_other_file(name, page, rendered):
    outward = {link for link in page.links if re.match(r"[a-z]+:|//", link)}
    assert outward <= LINKS_OUT
    assert outward == (set() if case(name).synthetic else LINKS_OUT)
    assert set(re.findall(r"https?://[^\s\"<]*", rendered(name))) == outward
    used = {tag for tag, _ in page.tags}
    assert not used & {"script", "link", "img", "iframe", "object"}
    assert "@import" not in rendered(name)
    beside = {link for link in page.links if not link.startswith(("#", "https:"))}
    assert beside == {*csv_tables(case(name)), "manifest.json"}


def test_one_level_of_headings_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    assert all(text.strip() for _, text in page.headings)


def test_landmarks_and_language(page):
    tags = [tag for tag, _ in page.tags]
    for landmark in ("header", "main", "nav", "footer"):
        assert tags.count(landmark) == 1
    assert dict(page.tags[[tag for tag, _ in page.tags].index("html")][1]) == {"lang": "en-GB"}
    assert page.links[0] == "#answer"


def test_all_that_is_said_stands_in_a_landmark(page):
    """But for the link that skips to the answer."""
    landmarks = {"header", "main", "nav", "footer", "aside"}
    outside = [words for words, inside in page.placed if "body" in inside and not landmarks & set(inside)]
    assert outside == ["Skip to the answer"]


def test_tables_have_captions_scopes_and_explained_marks(page):
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") == tags.count("thead") == len(page.tables)
    assert set(page.scopes) == {"row", "col"}
    for rows in page.tables.values():
        assert {len(row) for row in rows} == {len(rows[0])}
        assert all(cell for row in rows for cell in row)
        marks = {mark for row in rows for cell in row for mark in re.findall(r"\[\w+\]", cell)}
        assert marks <= {"[x]", "[z]", "[u]"}
    meanings = {"[x]": "not available", "[z]": "not applicable", "[u]": "low reliability"}
    for mark, meaning in meanings.items():
        if any(mark in cell for rows in page.tables.values() for row in rows for cell in row):
            assert f"{mark} {meaning}" in page.text


def test_every_drawing_has_a_name_and_a_description(page):
    for drawing in page.drawings:
        assert drawing.attributes["role"] == "img"
        assert drawing.title
        assert drawing.text
        named = drawing.attributes["aria-labelledby"].split()
        assert [page.tags[i][0] for i in positions(page, named)] == ["title", "desc"]
    titles = [drawing.title for drawing in page.drawings]
    captions = [text for text in page.words if text in titles]
    assert set(titles) == set(captions)


def positions(page, ids):
    return [next(i for i, (_, at) in enumerate(page.tags) if at.get("id") == one) for one in ids]


def test_no_chart_is_empty(page):
    """A drawing has a mark of an estimate or of bounds, which its key explains."""
    keys = {"estimate with its interval", "bounds, by what is unknown"}
    for drawing in page.drawings:
        assert keys & {text for text, _ in drawing.letters}, drawing.title


def test_drawings_stay_inside_their_box(page):
    for drawing in page.drawings:
        _, _, width, height = map(float, drawing.attributes["viewbox"].split())
        for text, at in drawing.letters:
            size = float(re.search(r"font(?:-size)?: ?(?:\w+ )?([\d.]+)px", at["style"])[1])
            long, x, y = len(text) * size * 0.62, float(at["x"]), float(at["y"])
            start = {"end": x - long, "middle": x - long / 2}.get(anchor(at), x)
            assert start >= -2, text
            assert start + long <= width + 2, text
            assert 0 < y <= height, text


def anchor(at):
    return (re.search(r"text-anchor: (\w+)", at["style"]) or [None, "start"])[1]


def test_months_carry_a_sign_and_a_word(inputs, page):
    counted = inputs.coverage["state"].value_counts().to_dict()
    words = {
        "submitted": ("✓", "submitted"),
        "missing": ("×", "not submitted"),
        "empty": ("0", "submitted, no rows"),
        "suspected partial": ("◐", "seems incomplete"),
    }
    for state, (sign, word) in words.items():
        assert page.months.count(("sign", sign)) == counted.get(state, 0)
        assert page.months.count(("state", word)) == counted.get(state, 0)
    assert len(page.months) == 2 * len(inputs.coverage)


def test_all_four_states_of_a_month_are_seen_in_the_cases():
    assert {state for name in CASES for state in case(name).coverage["state"]} == {
        "submitted", "missing", "empty", "suspected partial",
    }  # fmt: skip


def test_no_forbidden_word_reaches_a_reader(page):
    said = " ".join([page.text, *(f"{drawing.title} {drawing.text}" for drawing in page.drawings)])
    assert not [phrase for phrase in forbidden() if uses(phrase, said)]


def test_the_caveats_fit_the_figures(inputs, page):
    given = any(row["low"] is not None for name in ("search_rate", "search_rate_all") for row in inputs.rows(name))
    assert ("Residents are not the people who were there to be searched" in page.text) == given
    compared = any(row["low"] is not None for row in inputs.rows("rate_ratio"))
    assert ("A ratio describes groups in an area." in page.text) == compared
    assert ("Does the difference hold inside each area" in page.text) == compared
    assert "Equal find rates" in page.text
    hole = inputs.coverage["state"].isin(["missing", "suspected partial"]).any()
    assert ("is not a month without searches" in page.text) == hole
    assert ("Some months are missing or incomplete." in page.text) == hole
    unknown = max(row["n_unknown"] for row in inputs.rows("search_rate"))
    assert ("Searches whose ethnicity is not known are counted" in page.text) == (unknown > 0)


# What is not asked for, what is hostile, what is invented ----------------------------------------------------------


@pytest.mark.parametrize(
    ("left_out", "heading"),
    [
        (["search_rate", "search_rate_all"], "How often people were searched"),
        (["rate_ratio", "excess_searches"], "Compared with White people"),
        (["linked_find", "linked_find_all", "any_find"], "What searches found"),
        (["positive_outcome", "arrest"], "What followed"),
        (["more_thorough", "more_thorough_children"], "Searches that removed more than outer clothing"),
        (["share_on_video"], "Searches on body-worn video"),
    ],
)
def test_what_was_not_asked_for_has_no_part(left_out, heading, read):
    inputs = case("refused")
    fewer = replace(inputs, results={n: f for n, f in inputs.results.items() if n not in left_out})
    assert heading in [text for _, text in read("refused").headings]
    assert heading not in [text for _, text in Page(render_page(fewer)).headings]


def test_nothing_asked_for_still_makes_a_page():
    inputs = replace(case("given"), results={}, files=None, provenance={})
    page = Page(render_page(inputs))
    assert page.drawings == []
    assert set(page.tables) == {"account-table", "unmapped-table"}


def test_hostile_names_are_text(rendered):
    hostile = '<script>alert("1")</script> & $x^2$ </title><b>'
    inputs = replace(case("small"), results={"search_rate": case("small").results["search_rate"]})
    account = replace(inputs.account, unmapped={f"ethnicity_self: {hostile}": 2}, quarantined={hostile: 0})
    page = Page(render_page(replace(inputs, force_name=hostile, account=account, provenance={hostile: {"a": hostile}})))
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.headings[0][1] == hostile
    assert page.body("unmapped")[0][0] == f"ethnicity_self: {hostile}"


def test_every_printed_sheet_names_the_force_and_a_hostile_name_stays_in_its_string(rendered):
    hostile = replace(case("small"), force_name='a"; } </style><script>', results={})
    style = re.search(r"<style>(.*?)</style>", render_page(hostile), re.DOTALL)[1]
    assert (
        '@bottom-left { content: "a\\22 \\3b  \\7d  \\3c \\2f style\\3e \\3c script\\3e \\3a  stop and search' in style
    )
    assert '@bottom-left { content: "SYNTHETIC\\3a  invented records' in rendered("whole")
    assert "tfoot { display: table-row-group; }" in style  # else each sheet repeats the total below a part of its rows


def test_a_hostile_group_is_text_in_drawings():
    inputs = case("given")
    frames = {name: inputs.results[name].copy() for name in ("search_rate", "arrest")}
    for frame in frames.values():
        if "ethnicity_self" in frame:
            frame["ethnicity_self"] = frame["ethnicity_self"].replace("Black", "<b>$x^2$</b>")
    page = Page(render_page(replace(inputs, results=frames)))
    assert any(text == "<b>$x^2$</b>" for drawing in page.drawings for text, _ in drawing.letters)


def test_invented_records_say_so_everywhere(rendered):
    page = Page(rendered("whole"))
    assert page.text.count("SYNTHETIC: invented records") >= 2
    assert all(drawing.title.startswith("SYNTHETIC: ") for drawing in page.drawings)
    assert all(("SYNTHETIC: invented records") in dict(drawing.letters) for drawing in page.drawings)
    captions = page.text.count("SYNTHETIC: ")
    assert captions >= len(page.tables) + len(page.drawings) // 2
    assert re.search(r"<title>SYNTHETIC: ", rendered("whole"))
    assert json.loads(manifest(case("whole"), {}))["notice"] == "SYNTHETIC: invented records"


def test_real_records_do_not(rendered):
    assert "SYNTHETIC" not in rendered("given")


def test_a_share_of_the_whole_force_heads_its_part():
    inputs = case("given")
    arrest, whole = inputs.results["arrest"], inputs.results["linked_find_all"].assign(measure="arrest")
    page = Page(render_page(replace(inputs, results={"arrest": arrest, "arrest_all": whole})))
    row = replace(inputs, results={"a": whole}).one("a")
    said = f"About {naive.percent(row['estimate'])} of searches led to an arrest"
    assert page.drawings[0].title.startswith(said)
    known = " where it is known" if row["n_unknown"] else ""
    assert f"{said} ({naive.count(row['numerator'])} of {naive.count(row['denominator'])}{known};" in page.text
    assert page.body("arrest")[-1][:2] == ["All searches", naive.count(row["numerator"])]


def test_rows_of_another_force_stay_out_of_the_page():
    inputs = case("small")
    rates = inputs.results["search_rate"]
    other = rates.assign(force="kent", numerator=987_654.0)
    both = replace(inputs, results={"search_rate": pd.concat([other, rates], ignore_index=True)})
    page = Page(render_page(both))
    assert len(page.body("rates")) == len(rates) + 1
    assert "987,654" not in page.text
    assert "987654" in csv_tables(both)["search_rate.csv"]


def test_the_licence_of_public_records_is_not_claimed_for_others():
    page = Page(render_page(replace(case("small"), dataset="force extract", results={})))
    assert not LINKS_OUT & set(page.links)


def test_bounds_stand_beside_an_estimate_only_where_they_reach_beyond_its_interval(read):
    key = "bounds, by what is unknown"
    drawn = {(name, drawing.attributes["aria-labelledby"].split("-chart")[0]): [text for text, _ in drawing.letters]
             for name in ("given", "vanished") for drawing in read(name).drawings}  # fmt: skip
    for name, frame in (("given", "arrest"), ("vanished", "arrest")):
        rows = [row for row in case(name).rows(frame) if row["denominator"] >= 10]
        beyond = any(row["bound_low"] < row["low"] or row["bound_high"] > row["high"] for row in rows)
        assert (key in drawn[name, frame]) == beyond == (name == "vanished")


def test_one_group_refused_among_others():
    inputs = case("given")
    arrest = inputs.results["arrest"].copy()
    refused = ["numerator", "estimate", "low", "high", "bound_low", "bound_high"]
    arrest.loc[arrest["ethnicity_self"] == "Black", refused] = float("nan")
    page = Page(render_page(replace(inputs, results={"arrest": arrest})))
    assert [text for text, _ in page.drawings[0].letters].count("refused") == 1
    assert next(cells for cells in page.body("arrest") if cells[0] == "Black")[3] == "[x]"


# Files -------------------------------------------------------------------------------------------------------------


def test_the_same_inputs_give_the_same_bytes():
    assert report_files(case("refused")) == report_files(CASES["refused"]())


def test_files_are_written_as_made_and_listed_in_the_manifest(tmp_path):
    inputs = case("few")
    paths = write_report(inputs, tmp_path / "a" / "b")
    assert paths[0].name == "report.html"
    assert {path.name: path.read_bytes() for path in paths} == report_files(inputs)
    said = json.loads(paths[-1].read_text(encoding="utf-8"))
    assert said["files"].keys() == {path.name for path in paths[:-1]}
    assert (said["synthetic"], said["notice"]) == (False, "")
    assert all(said["files"][path.name]["bytes"] == path.stat().st_size for path in paths[:-1])
    account = said["account"]
    assert account["read"] == account["counted"] + sum(account["excluded"].values()) + sum(
        account["quarantined"].values()
    )


def test_a_library_that_is_absent_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(disprop.report.page, "find_spec", lambda name: None if name == "jinja2" else object())
    with pytest.raises(DispropError, match=re.escape("needs jinja2, not installed here; install with: pip install")):
        write_report(case("small"), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_shapes_are_drawn(page):
    assert not page.drawings or SHAPES & {tag for tag, _ in page.tags}
