"""Sentences: one for each verdict and no other, and remarks that no reader has to decode."""

import re

import pytest

from disprop.measures.exposed import CITY, PERCEIVED
from disprop.measures.verdicts import DEPENDS, HOLDS, VERDICTS
from disprop.report.remarks import remark, remarks
from disprop.report.tables import shares_table
from disprop.report.words import CHIPS, answers, comparison, lead, ratios_title, share_sentence, shares_title, two_rules
from tests.report.cases import CASES, case

RATES = [{"group": "White", "numerator": 9629.0}]
ROW = {
    "group": "Black",
    "reference": "White",
    "numerator": 3684.0,
    "denominator": 1267.5,
    "estimate": 2.906,
    "low": 2.685,
    "high": 3.147,
    "confidence": 0.95,
    "bound_low": 2.604,
    "bound_high": 3.790,
    "n_unknown": 1120,
    "verdict_holds": HOLDS,
    "flag": "",
}
HELD = "This holds whatever the ethnicity of the people in the 1,120 searches where it is not known."
SIDES = "3,684 searches of Black people, 9,629 of White people"

SAID = {
    "higher": (
        {},
        "Black people were searched at about 2.9 times the rate of White people, for their numbers among residents "
        f"(95% interval 2.7 to 3.1; {SIDES}). {HELD}",
    ),
    "lower": (
        {"estimate": 0.61, "low": 0.55, "high": 0.68},
        "Black people were searched at about 0.6 times the rate of White people, for their numbers among residents "
        f"(95% interval 0.6 to 0.7; {SIDES}). {HELD}",
    ),
    "within the band": (
        {"estimate": 0.93, "low": 0.82, "high": 1.06},
        "The rates are alike to within the band 0.8 to 1.25: Black people were searched at about 0.9 times the rate of "
        f"White people (95% interval 0.82 to 1.1; {SIDES}). {HELD}",
    ),
    "higher, size uncertain": (
        {"estimate": 1.3, "low": 1.02, "high": 1.7},
        "Black people were searched at a higher rate than White people, for their numbers among residents; how much "
        f"higher is not known well (95% interval 1.02 to 1.7 times the rate; {SIDES}). {HELD}",
    ),
    "lower, size uncertain": (
        {"estimate": 0.7, "low": 0.5, "high": 0.98},
        "Black people were searched at a lower rate than White people, for their numbers among residents; how much "
        f"lower is not known well (95% interval 0.5 to 0.98 times the rate; {SIDES}). {HELD}",
    ),
    "no clear difference": (
        {"estimate": 1.1, "low": 0.7, "high": 1.6},
        "No clear difference was found between Black people and White people; this does not show there is none "
        f"(95% interval 0.7 to 1.6 times the rate; {SIDES}). {HELD}",
    ),
    "too few to say": (
        {"numerator": 4.0, "estimate": 2.8, "low": 0.9, "high": 8.1},
        f"4 searches of Black people, 9,629 of White people: too few to say. {HELD}",
    ),
    "not computable": (
        {"estimate": None, "low": None, "high": None, "verdict_holds": None, "flag": "not computable: no residents"},
        "The comparison of Black people with White people cannot be given: the Census counts no residents of this "
        "group here.",
    ),
}


def row(verdict, **more):
    return ROW | SAID[verdict][0] | {"verdict": verdict} | more


def test_there_is_a_sentence_and_a_sign_for_every_verdict():
    assert set(SAID) == set(VERDICTS) == set(CHIPS)
    signs = [words for _, words in CHIPS.values()]
    assert len(set(signs)) == len(signs)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_sentence_of_each_verdict(verdict):
    assert comparison(row(verdict), RATES) == SAID[verdict][1]


@pytest.mark.parametrize("verdict", [verdict for verdict in VERDICTS if verdict != "not computable"])
def test_what_depends_on_the_unknown_says_so(verdict):
    said = comparison(row(verdict, verdict_holds=DEPENDS), RATES)
    if verdict == "too few to say":
        assert said.endswith("Whether more could be said depends on the 1,120 searches where ethnicity is not known.")
    else:
        why = " At 2.6 times, its interval would reach below 1.25." if verdict == "higher" else ""
        assert said.endswith(
            "This depends on the 1,120 searches where ethnicity is not known: were all of them of White people, it "
            f"would be 2.6 times the rate; were all of them of Black people, 3.8 times.{why}"
        )


def test_why_a_lower_rate_depends_though_it_is_lower_at_both_bounds():
    both = row("lower", verdict_holds=DEPENDS, bound_low=0.5, bound_high=0.72)
    assert comparison(both, RATES).endswith(" At 0.7 times, its interval would reach above 0.8.")
    reaches = row("higher", verdict_holds=DEPENDS, bound_low=1.2)
    assert comparison(reaches, RATES).endswith("were all of them of Black people, 3.8 times.")


def test_one_search_is_not_searches():
    one = row("too few to say", numerator=1.0, n_unknown=1)
    assert comparison(one, RATES) == (
        "1 search of Black people, 9,629 of White people: too few to say. This holds whatever the ethnicity of the "
        "people in the 1 search where it is not known."
    )
    assert lead({"numerator": 1.0, "estimate": None, "flag": ""}, "Gwent", "April 2019").startswith(
        "Gwent recorded 1 search of people in April 2019."
    )


def test_with_nothing_unknown_nothing_is_said_to_hold():
    assert comparison(row("higher", n_unknown=0), RATES).endswith("Ethnicity is known for every search.")


def test_no_search_at_all_is_a_count_of_zero():
    none = row("lower", numerator=0.0, denominator=13.57, estimate=0.0, low=0.0, high=0.221)
    assert comparison(none, RATES).startswith(
        "No search of Black people was recorded, where about 14 would be expected at the rate of White people "
        "(95% interval 0 to 0.2 times that rate)."
    )


def test_too_few_searches_never_make_a_ratio_in_words():
    for holds in (HOLDS, DEPENDS):
        said = comparison(row("too few to say", verdict_holds=holds), RATES)
        assert not re.search(r"\d\.\d", said)


def test_comparisons_that_fail_for_one_reason_share_an_answer():
    missing = (
        "not computable: missing 2019-08 "
        "(ask for the covered months, --covered, to have the rate on the months there are)"
    )
    several = [row("not computable", group=group, flag=missing) for group in ("Black", "Asian")]
    (answer,) = answers(several, RATES)
    assert answer.heading == "Black people and Asian people"
    assert answer.text == (
        "The comparison of Black people and Asian people with White people cannot be given: no records "
        "were submitted for August 2019."
    )
    apart = [several[0], row("not computable", group="Asian", flag="not computable: no residents")]
    assert len(answers(apart, RATES)) == 2


def test_the_title_of_the_comparisons_promises_no_more_than_holds():
    rows = [row("higher"), row("lower", group="Asian"), row("higher", group="Mixed", verdict_holds=DEPENDS)]
    assert ratios_title(rows) == (
        "Black people were searched at a higher rate than White people; Asian people were searched at a lower rate "
        "than White people; for people of Mixed ethnicity the answer depends on what is not known"
    )
    assert ratios_title([row("no clear difference")]).startswith("No clear difference from the rate of White people")


def test_the_lead_without_a_rate_gives_the_reason():
    one = {"numerator": 2837.0, "estimate": None, "flag": "not computable: missing 2019-08"}
    assert lead(one, "Gwent", "April 2019") == (
        "Gwent recorded 2,837 searches of people in April 2019. A rate for its residents cannot be given: no records "
        "were submitted for August 2019."
    )
    assert lead(None, "Gwent", "April 2019") == "Gwent, April 2019."
    assert lead(one, "Gwent", "April 2019 to May 2019").startswith(
        "Gwent recorded 2,837 searches of people from April 2019 to May 2019. "
    )


# Shares ------------------------------------------------------------------------------------------------------------

SHARE = {
    "group": "White",
    "numerator": 870.0,
    "denominator": 23043.0,
    "estimate": None,
    "low": None,
    "high": None,
    "confidence": 0.95,
    "bound_low": 870 / 23043,
    "bound_high": 5352 / 23043,
    "n_unknown": 4482,
    "flag": "bounds only: 4,482 of 23,043 are unknown (19%); linked find with a recorded outcome",
}
GIVEN = SHARE | {
    "numerator": 377.0,
    "denominator": 1769.0,
    "estimate": 0.213,
    "low": 0.195,
    "high": 0.233,
    "bound_low": 0.2126,
    "bound_high": 0.2149,
    "n_unknown": 4,
    "flag": "linked find with a recorded outcome",
}
REFUSED = SHARE | {
    "numerator": None,
    "bound_low": None,
    "bound_high": None,
    "flag": "refused: 61 of 61 records that should say carry no answer; on the months there are",
}


def test_a_share_given_bounded_and_refused():
    assert share_sentence(GIVEN, "searches", "found it") == (
        "About 21% of searches found it (377 of 1,769 where it is known; 95% interval 20% to 23%)."
    )
    assert share_sentence(GIVEN | {"n_unknown": 0}, "searches", "found it") == (
        "About 21% of searches found it (377 of 1,769; 95% interval 20% to 23%)."
    )
    assert share_sentence(SHARE, "searches", "found it") == (
        "Between 3.8% and 23% of searches found it. It cannot be said more closely, because for 4,482 of 23,043 it is "
        "not known."
    )
    assert share_sentence(REFUSED, "searches", "found it") == (
        "What share of searches found it cannot be said: none of the 61 records that should answer this does."
    )
    assert share_sentence(REFUSED, "searches", "found it", "those with an outcome").endswith(
        "none of the 61 records that should answer this does (those with an outcome)."
    )
    assert share_sentence(None, "searches", "found it") == ""


KNOWN = GIVEN | {"n_unknown": 0}
NONE = KNOWN | {"numerator": 0.0, "estimate": 0.0, "low": 0.0, "high": 0.002, "bound_low": 0.0, "bound_high": 0.0}
LACKING = NONE | {"flag": "no label of Arrest occurs in any month of gwent: its list of outcomes may lack it"}


def test_none_and_all_are_words():
    assert share_sentence(NONE, "searches", "did") == (
        "None of the searches did (0 of 1,769; 95% interval 0% to 0.2%)."
    )
    assert shares_title([], NONE, "searches", "did") == "None of the searches did"
    every = KNOWN | {"numerator": 1769.0, "estimate": 1.0, "low": 0.99, "high": 1.0, "bound_low": 1, "bound_high": 1}
    assert shares_title([], every, "searches", "did") == "All of the searches did"


def test_no_share_of_none_stands_alone_where_the_outcome_may_be_one_that_cannot_be_recorded():
    said = share_sentence(LACKING, "searches", "led to an arrest")
    assert said.endswith('But no record of the force carries the outcome "Arrest": its list of outcomes may lack it.')
    assert shares_title([LACKING], LACKING, "searches", "led to an arrest") == "Share of searches that led to an arrest"
    noted = shares_table("arrest", "Arrests", "Arrests", [LACKING], LACKING).notes
    assert noted == ('No record of the force carries the outcome "Arrest": its list of outcomes may lack it.',)


def test_a_share_over_a_hole_says_so():
    partly = GIVEN | {"flag": "on the months there are"}
    assert share_sentence(partly, "searches", "found it").endswith(
        "This is counted on the months whose records are there."
    )


def test_two_rules_that_differ_say_why():
    alone = GIVEN | {"numerator": 1620.0, "denominator": 1773.0, "estimate": 0.914, "n_unknown": 0}
    said = two_rules(GIVEN, alone)
    assert "it is 91% (1,620 of 1,773 searches); here it is 21% (377 of 1,769 searches)" in said
    assert "some forces set the flag on nearly every search" in said
    assert "left blank" not in said
    blank = SHARE | {"bound_high": 0.964, "n_unknown": 21349}
    said = two_rules(SHARE, blank)
    assert "3.8% to 96% (21,349 searches not known); here only bounds can be given, 3.8% to 23%" in said
    assert "the flag is often left blank" in said
    assert "nearly every search" not in said


def test_two_rules_that_agree_or_are_refused():
    assert two_rules(GIVEN, GIVEN) == "Counted by the flag alone, whatever the outcome, the figure is the same."
    assert "refused too" in two_rules(REFUSED, REFUSED | {"n_unknown": 9})
    assert two_rules(None, GIVEN) == ""


def test_a_title_gives_the_whole_force_or_the_range_of_the_groups():
    groups = [GIVEN, GIVEN | {"group": "Black", "estimate": 0.116}]
    outside = [
        GIVEN | {"group": "Other", "denominator": 9.0, "estimate": 0.9},
        GIVEN | {"group": "blank", "estimate": 1},
    ]
    assert shares_title(groups, GIVEN, "searches", "did") == "About 21% of searches did"
    assert shares_title([*groups, *outside], None, "searches", "did") == (
        "Between 12% and 21% of searches in each ethnic group did"
    )
    wide = GIVEN | {"bound_high": 0.5}
    assert shares_title(groups, wide, "searches", "did") == "About 21% of searches did, where it is known"
    assert shares_title(groups, SHARE, "searches", "did") == (
        "Only bounds can be given for the share of searches that did"
    )


# Remarks -----------------------------------------------------------------------------------------------------------

CODE = re.compile(r"holes=|\b\d{4}-\d{2}\b|west-midlands|btp|vocabulary|should say|denominator|not computable:|0 of 0")


@pytest.mark.parametrize("case_name", CASES)
def test_every_remark_of_the_measures_is_put_in_plain_words(case_name):
    inputs = case(case_name)
    flags = {row["flag"] for frame in inputs.results for row in inputs.rows(frame)}
    assert flags
    unread = [text for flag in flags for text in remarks(flag) if CODE.search(text)]
    assert not unread


@pytest.mark.parametrize("flag", [CITY, PERCEIVED])
def test_standing_remarks_have_their_own_words(flag):
    assert remark(flag) not in ("", flag)


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("", ""),
        (None, ""),
        ("something new", "something new"),
        (
            "not computable: missing 2019-04; suspected partial 2019-05 (ask for the covered months, "
            "--covered, to have the rate on the months there are)",
            "no records were submitted for April 2019; far fewer records than in the months before, so probably not "
            "all of them, for May 2019",
        ),
        ("labels of kent lack Mixed in 2019-04, 2019-05", "no record carries a label of the group Mixed in April 2019 "
         "and May 2019"),
        ("not computable: no month covered: missing 2019-04", "no records were submitted for April 2019"),
        ("bounds only: 0 of 10 are unknown (0%)", "bounds only, as for all groups of the force together"),
    ],
)  # fmt: skip
def test_remarks(flag, said):
    assert remark(flag) == said


def test_a_share_of_the_known_does_not_stand_alone_where_much_is_unknown():
    from disprop.measures.shares import MUCH_UNKNOWN

    said = share_sentence(GIVEN | {"flag": MUCH_UNKNOWN, "bound_low": 0.1, "bound_high": 0.4}, "searches", "found it")
    assert "more it is not known: counting these, it lies anywhere from 10% to 40%" in said
    assert "not known" not in share_sentence(GIVEN, "searches", "found it")
