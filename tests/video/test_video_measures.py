"""Measures of video against their slow definitions, and what they refuse."""

import numpy as np
import pandas as pd
import pytest

import disprop as dp
from disprop.errors import Refused, UsageError
from disprop.measures.video.linked import ANY_TIER
from disprop.report.figures import percent_1
from disprop.report.words import share_sentence
from disprop.synthetic.sources import TableSource
from tests.invent import LINKS, many, with_video
from tests.sources import Rows
from tests.video import naive_video

ROWS = with_video(many(900, 4, force="kent", search_type="Person search", gender=("Male", "Female")))
BREAK = [("2019-08", 84), (None, 365)]


def tallied(rows=ROWS, *, by=("gender", "video_link")):
    return dp.tally(Rows(list(rows)), by=by)


def of(frame, **codes):
    for name, code in codes.items():
        frame = frame[frame[name] == code]
    assert len(frame) == 1
    return frame.iloc[0]


@pytest.mark.parametrize("gender", ["Male", "Female"])
def test_the_share_linked_is_of_what_is_known_and_expired_stand_apart(gender):
    rows = [row for row in ROWS if row["gender"] == gender]
    frame = dp.share_linked_to_video(tallied(), by=["gender"])
    one = of(frame, gender=gender, video_link=ANY_TIER)
    yes, known = naive_video.share_linked(rows)
    assert (one.numerator, one.denominator, one.estimate) == (yes, known, yes / known)
    counts = naive_video.counts(rows)
    assert one.n_unknown == counts["not known"]
    assert f"{counts['expired']} expired are left out" in one.flag
    expired = of(frame, gender=gender, video_link="expired")
    assert (expired.numerator, expired.denominator) == (counts["expired"], counts["all"])


def test_tiers_and_reasons_add_up_to_all_that_is_known():
    frame = dp.share_linked_to_video(tallied(), by=[]).set_index("video_link")
    tiers, reasons = naive_video.LINKED, naive_video.NOT_FOUND
    assert frame.loc[list(tiers), "numerator"].sum() == frame.loc[ANY_TIER, "numerator"]
    assert frame.loc[[*tiers, *reasons], "estimate"].sum() == pytest.approx(1)


def test_by_month_it_is_refused_without_the_cut():
    both = r"""--retention "84 until 2024-12, 365" --as-of 2025-06-30; in Python retention=\["""
    with pytest.raises(Refused, match=both):
        dp.share_linked_to_video(tallied(), by=["month"])
    with pytest.raises(Refused, match="say how long it was kept"):
        dp.share_linked_to_video(tallied(), by=["month"])
    with pytest.raises(Refused):
        dp.video_disagreement(tallied(by=("video_recorded", "video_link")), by=["month"])
    with pytest.raises(Refused):
        dp.video_agreement_share(tallied(by=("video_recorded", "video_link")), by=["month"])
    with pytest.raises(Refused):
        dp.shrunken_share_linked_to_video(tallied(), by=["month"])
    one_month = [row for row in ROWS if row["month"] == "2019-05"]
    assert len(dp.share_linked_to_video(tallied(one_month), by=["month"]))


def test_with_the_cut_a_month_that_may_be_deleted_is_expired_as_a_whole_and_the_break_is_named():
    how = {"retention": BREAK, "as_of": "2019-09-15"}
    frame = dp.share_linked_to_video(tallied(), by=["month"], **how)
    months = sorted({row["month"] for row in ROWS})
    for month in months:
        rows = [row for row in ROWS if row["month"] == month]
        counts = naive_video.counts(rows, **how)
        expired = of(frame, month=month, video_link="expired")
        assert expired.numerator == counts["expired"]
        living = frame[(frame["month"] == month) & (frame["video_link"] == ANY_TIER)]
        assert len(living) == (naive_video.share_linked(rows, **how)[1] > 0)
    dead = frame[frame["video_link"] == "expired"].query("numerator == denominator")["month"].tolist()
    assert dead == ["2019-04", "2019-05", "2019-06"]
    flags = frame[frame["video_link"] == ANY_TIER].set_index("month")["flag"]
    assert "footage kept for 84 days" in flags["2019-07"]
    assert "break" not in flags["2019-07"]
    assert "footage kept for 365 days; break: not to be compared with earlier months" in flags["2019-08"]
    assert "break" not in flags["2019-09"]


def test_pooled_over_a_change_of_retention_both_are_named():
    one = dp.share_linked_to_video(tallied(), by=[], retention=BREAK, as_of="2019-09-15").iloc[0]
    assert "footage kept for 84 days; footage kept for 365 days" in one.flag
    yes, known = naive_video.share_linked(ROWS, retention=BREAK, as_of="2019-09-15")
    assert (one.numerator, one.denominator) == (yes, known)


@pytest.mark.parametrize(
    ("retention", "as_of", "says"),
    [(BREAK, None, "give as_of"), (BREAK, "15 June", "as_of is"), ([("2019-06", 84)], "2019-09-15", "says nothing of")],
)
def test_a_retention_that_says_too_little_is_refused(retention, as_of, says):
    with pytest.raises(UsageError, match=says):
        dp.share_linked_to_video(tallied(), by=[], retention=retention, as_of=as_of)


def test_footage_that_is_never_deleted_never_expires():
    how = {"retention": [(None, None)], "as_of": "2030-01-01"}
    one = dp.share_linked_to_video(tallied(), by=[], **how).iloc[0]
    assert (one.numerator, one.denominator) == naive_video.share_linked(ROWS)


def test_records_never_linked_have_no_share():
    rows = [{**row, "video_link": None} for row in ROWS]
    one = dp.share_linked_to_video(tallied(rows), by=[]).iloc[0]
    assert np.isnan(one.estimate)
    assert one.flag.startswith("refused")


def test_records_never_linked_say_what_to_run():
    rows = [{**row, "video_link": None} for row in ROWS]
    for measure in (dp.share_linked_to_video, dp.shrunken_share_linked_to_video):
        flags = measure(tallied(rows), by=["gender"])["flag"]
        assert flags.str.contains(r"\d+ of \d+ were never linked: run `disprop link`, which says why any stay so").all()
    linked = [row for row in ROWS if row["video_link"]]
    assert not dp.share_linked_to_video(tallied(linked), by=[])["flag"].str.contains("never linked").any()


@pytest.mark.parametrize("unlinked", range(272, 282))
def test_every_count_that_prints_as_97_1_percent_does(unlinked):
    """9,259 to 9,268 of 9,540: the published share, through the wording of the report."""
    linked = 9_540 - unlinked
    assert 9_259 <= linked <= 9_268
    row = {"force": "kent", "month": "2019-04", "search_type": "Person search"}
    rows = [{**row, "video_link": "exact reference"}] * linked + [{**row, "video_link": "no footage"}] * unlinked
    frame = dp.share_linked_to_video(tallied(rows, by=("video_link",)), by=[])
    said = frame.astype(object).where(frame.notna(), None).to_dict("records")[0]
    assert percent_1(said["estimate"]) == "97.1%"
    assert share_sentence(said, "searches", "have video").startswith("About 97% of searches have video (")


# Tick-box and evidence


def test_the_matrix_is_that_of_the_rows():
    frame = dp.video_disagreement(tallied(by=("video_recorded", "video_link")), by=[])
    found = naive_video.matrix(ROWS)
    assert {(a, b): n for a, b, n in frame[["video_recorded", "video_link", "numerator"]].to_numpy()} == found
    yes_none = of(frame, video_recorded="yes", video_link="not found")
    assert yes_none.denominator == found["yes", "linked"] + found["yes", "not found"]
    expired = of(frame, video_recorded="yes", video_link="expired")
    assert expired.denominator == sum(n for (said, _), n in found.items() if said == "yes")


def test_agreement_is_where_both_are_known():
    one = dp.video_agreement_share(tallied(by=("video_recorded", "video_link")), by=[]).iloc[0]
    found = naive_video.matrix(ROWS)
    agree = found["yes", "linked"] + found["no", "not found"]
    known = agree + found["yes", "not found"] + found["no", "linked"]
    assert (one.numerator, one.denominator, one.n_unknown) == (agree, known, len(ROWS) - known)


def test_tick_box_and_evidence_are_never_one_figure():
    both = tallied(by=("video_recorded", "video_link"))
    flipped = [{**row, "video_recorded": "no"} for row in ROWS]
    other = tallied(flipped, by=("video_recorded", "video_link"))
    pd.testing.assert_frame_equal(dp.share_linked_to_video(both, by=[]), dp.share_linked_to_video(other, by=[]))
    gone = [{**row, "video_link": "no footage"} for row in ROWS]
    other = tallied(gone, by=("video_recorded", "video_link"))
    pd.testing.assert_frame_equal(dp.share_on_video(both, by=[]), dp.share_on_video(other, by=[]))


def test_from_the_start_is_of_the_linked():
    one = dp.video_from_start_share(tallied(by=("video_from_start",)), by=[]).iloc[0]
    linked = [row for row in ROWS if row["video_link"] in naive_video.LINKED]
    yes = sum(row["video_from_start"] == "yes" for row in linked)
    assert (one.numerator, one.denominator) == (yes, len(linked))
    assert one.n_unknown == 0


# Officers


def officers(n=14, each=20):
    known = [row for row in ROWS if row["video_link"] not in ("ambiguous", "expired", None)]
    rows = [{**row, "officer": f"{i % n:016x}"} for i, row in enumerate(known[: n * each])]
    rows += [{**row, "officer": "few"} for row in known[:9]] + [{**row, "officer": None} for row in ROWS[:60]]
    return tallied(rows, by=("officer", "video_link"))


@pytest.mark.parametrize(
    "measure",
    [dp.share_linked_to_video, dp.video_disagreement, dp.video_agreement_share, dp.video_from_start_share],
)
def test_officers_have_no_raw_share(measure):
    with pytest.raises(UsageError, match="use shrunken_share_linked_to_video"):
        measure(officers(), by=["officer"])


def test_officers_are_shrunken_with_limits_in_the_order_of_their_pseudonyms():
    frame = dp.shrunken_share_linked_to_video(officers())
    assert frame["officer"].tolist() == sorted(frame["officer"], key=officers().axis("officer").codes.index)
    given = frame[frame["estimate"].notna()]
    assert len(given) == 14
    raw = given["numerator"] / given["denominator"]
    centre = given["numerator"].sum() / given["denominator"].sum()
    assert (np.abs(given["estimate"] - centre) <= np.abs(raw - centre) + 0.02).all()
    assert ((given["low"] < given["estimate"]) & (given["estimate"] < given["high"])).all()
    assert given["flag"].str.contains("not a ranking").all()
    assert np.isnan(of(frame, officer="few").estimate)
    assert "fewer than 10" in of(frame, officer="few").flag
    assert np.isnan(of(frame, officer="blank").estimate)


@pytest.mark.parametrize(
    ("link", "says"), [("exact reference", "every share is 100%, so that"), ("no footage", "every count is 0, so that")]
)
def test_where_officers_do_not_differ_it_says_so_in_plain_words(link, says):
    rows = [{**ROWS[0], "officer": f"{i % 12:016x}", "video_link": link} for i in range(240)]
    frame = dp.shrunken_share_linked_to_video(tallied(rows, by=("officer", "video_link")))
    assert frame["estimate"].isna().all()
    assert frame["flag"].str.contains(says).all()


def test_an_officer_needs_ten_records_whatever_is_asked():
    with pytest.raises(UsageError, match="10 records or more"):
        dp.shrunken_share_linked_to_video(officers(), fewest=5)


# How the unlinked differ


def test_the_unlinked_are_set_beside_the_linked():
    frame = dp.linkage_bias(tallied(by=("gender", "video_link")), by=["gender"])
    for category, (x1, n1, x0, n0) in naive_video.bias(ROWS, "gender").items():
        one = of(frame, category=category)
        assert (one.numerator, one.denominator) == (x1, n1)
        assert one.estimate == pytest.approx(x1 / n1 - x0 / n0)
        assert one.low < one.estimate < one.high
    assert (frame["n_unknown"] == sum(row["video_link"] is None for row in ROWS)).all()


def test_a_list_of_looks_holds_what_differs_and_little_else():
    rng = np.random.default_rng(1)
    rows = [
        {
            **row,
            "video_link": LINKS[3] if rng.random() < (0.4 if row["object"] == "Stolen goods" else 0.1) else LINKS[0],
        }
        for row in ROWS
    ]
    tally = tallied(rows, by=("object", "gender", "outcome", "video_link"))
    frame = dp.linkage_bias(tally, by=["object", "gender", "outcome"])
    listed = frame[frame["flag"].str.startswith("on the list of")]
    assert "Stolen goods" in listed["category"].tolist()
    assert set(listed["axis"]) == {"object"}
    assert f"of {len(frame)} looks" in listed["flag"].iloc[0]


def test_under_no_difference_the_list_is_seldom_anything_but_empty():
    rng = np.random.default_rng(2)
    empty = 0
    for _ in range(60):
        rows = [{**row, "video_link": LINKS[3] if rng.random() < 0.1 else LINKS[0]} for row in ROWS]
        frame = dp.linkage_bias(tallied(rows, by=("object", "gender", "outcome", "video_link")))
        empty += not frame["flag"].str.startswith("on the list").any()
    assert empty >= 54  # 57 of 60 expected at 5%; 54 or more with 97%


@pytest.mark.parametrize("unlinked", [272, 281])
def test_the_sample_of_the_inspectorate_is_analysed(unlinked):
    """9,540 searches of which nearly all have footage: those of Black people and of one unit lack it more often."""
    table = dp.synthetic.make_inspected(unlinked)
    sample = TableSource("search", table, dp.synthetic.YEAR[:6])
    for axis, category in (("ethnicity_officer", "Black"), ("command_unit", "West")):
        frame = dp.linkage_bias(dp.tally(sample, by=[axis, "object", "video_link"]), by=[axis, "object", "month"])
        assert (frame["denominator"] == unlinked).all()
        odd = of(frame, category=category)
        assert odd.low > 0
        assert odd.flag.startswith("on the list")


def test_without_a_side_there_is_no_figure():
    rows = [{**row, "video_link": LINKS[0]} for row in ROWS]
    frame = dp.linkage_bias(tallied(rows), by=["gender"])
    assert frame["estimate"].isna().all()
    assert (frame["flag"] == "not computable: no records on one side").all()


def test_bias_names_no_officer_and_no_person():
    counted = officers(n=40, each=3)
    for by, name in ((["officer"], "officer"), (None, "officer"), (["person"], "person")):
        with pytest.raises(UsageError, match=f"{name}: single officers and persons"):
            dp.linkage_bias(counted, by=by)


def test_bias_needs_an_axis_to_look_at():
    with pytest.raises(UsageError, match="axes other than video_link"):
        dp.linkage_bias(tallied(), by=["video_link"])


# Bounds


def test_bounds_hold_whatever_the_unlinked_would_have_shown():
    tally = tallied(by=("outcome", "linked", "gender", "video_link"))
    frame = dp.bounds_with_video(tally, by=["gender"])
    for gender in ("Male", "Female"):
        rows = [row for row in ROWS if row["gender"] == gender]
        seen = [row for row in rows if row["video_link"] in naive_video.LINKED]
        known = dp.find_rate(tallied(seen, by=("outcome", "linked")), by=[]).iloc[0]
        one = of(frame, gender=gender)
        low, high = known.bound_low * len(seen), known.bound_high * len(seen)
        expected = naive_video.bounds(low, high, len(seen), len(rows) - len(seen))
        assert (one.bound_low, one.bound_high) == pytest.approx(expected)
        assert (one.numerator, one.denominator) == (known.numerator, known.denominator)
        every = dp.find_rate(tallied(rows, by=("outcome", "linked")), by=[]).iloc[0]
        assert one.bound_low <= every.bound_low <= every.bound_high <= one.bound_high
        assert f"{len(rows) - len(seen)} without footage" in one.flag


def test_a_month_without_footage_is_not_a_partial_month():
    """Linked records alone would make a month of missing footage look like a month of missing submissions."""
    rows = [{**row, "video_link": LINKS[3] if row["month"] == "2019-11" else LINKS[0]} for row in ROWS]
    rows[-1] |= {"month": "2019-11", "video_link": LINKS[0]}
    one = dp.bounds_with_video(tallied(rows, by=("outcome", "linked", "video_link")), by=[]).iloc[0]
    assert one.covered_months == 8


def test_bounds_of_any_estimate():
    found = dp.measures.video.unlinked.bounds_without_video(
        estimate=[0.866, 0, 1],
        low=[0.784, 0, 0.9],
        high=[0.92, 0.1, 1],
        with_video=[90, 0, 50],
        without_video=[10, 5, 0],
    )
    np.testing.assert_allclose(found.bound_low, [0.866 * 0.9, 0, 1])
    np.testing.assert_allclose(found.bound_high, [0.866 * 0.9 + 0.1, 1, 1])
    np.testing.assert_allclose(found.low, [0.784 * 0.9, 0, 0.9])
    np.testing.assert_allclose(found.high, [0.92 * 0.9 + 0.1, 1, 1])
    none = dp.measures.video.unlinked.bounds_without_video(estimate=0.5, low=0, high=1, with_video=0, without_video=0)
    assert np.isnan(none.bound_low)
    with pytest.raises(UsageError):
        dp.measures.video.unlinked.bounds_without_video(estimate=1.5, low=0, high=1, with_video=1, without_video=0)
