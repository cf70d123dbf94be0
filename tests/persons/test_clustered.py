"""Limits and verdicts of a ratio where it is known who was searched: the slow definition, the law, and coverage."""

import naive_persons as naive
import numpy as np
import pandas as pd
import pytest
from people import PersonRows, people

import disprop as dp
from disprop.errors import UsageError
from disprop.intervals import person_clustered_variance
from disprop.measures.ratios import widest_limits
from disprop.measures.verdicts import HIGHER, HIGHER_UNCERTAIN
from disprop.persons import person_tally
from tests.invent import EVERYWHERE, residents, with_places
from tests.sources import by_part

MONTHS = ("2019-04", "2019-05", "2019-06", "2019-07")  # too few to tell the dispersion of months
ROWS = people(4_000, persons=250, unnamed=0.0, month=MONTHS, force=("kent", "west-midlands"))


def both(rows=ROWS):
    return dp.tally(PersonRows(rows), by=["ethnicity_self"]), person_tally(PersonRows(rows), by=["ethnicity_self"])


def sides(reference, group):
    if reference == "everyone else":
        return {group}, {*naive.GROUPS} - {group}
    if reference == "ethnic minorities combined":
        return {*naive.GROUPS} - {"White"}, {"White"}
    return {group}, {reference}


@pytest.mark.parametrize("reference", ["White", "Black", "everyone else", "ethnic minorities combined"])
@pytest.mark.parametrize("force", ["kent", "west-midlands"])
def test_limits_are_those_of_the_slow_definition(reference, force):
    searches, persons = both()
    frame = dp.rate_ratio(searches, EVERYWHERE, reference=reference, by=["force"], persons=persons)
    rows = [row for row in ROWS if row["force"] == force]
    for found in frame[frame["force"] == force].to_dict("records"):
        inside, outside = sides(reference, found["ethnicity_self"])
        them, others = (naive.times(rows, (), among)[()] for among in (inside, outside))
        a, c = them.total(), others.total()
        n1, n0 = (sum(EVERYWHERE[{"force": force, "ethnicity_self": g}] for g in side) for side in (inside, outside))
        phi = naive.variance(them, others) / (1 / a + 1 / c)
        assert phi > 1.2
        low, high = naive.ratio_limits(a, c, n1, n0, phi)
        assert (found["low"], found["high"]) == pytest.approx((low, high), rel=1e-9)
        assert found["method"] == f"score, person-clustered {phi:.2f}"
        assert phi == pytest.approx(
            person_clustered_variance(searches=[*them.values()], reference_searches=[*others.values()])
            / (1 / a + 1 / c)
        )


def test_reference_everyone_is_a_share_of_peoples_searches():
    """The slow variance is that of a share of people's searches; here nobody is recorded under two groups."""
    rows = [
        row | {"person": row["person"] % 1_000_003 * 10 + 1 + naive.GROUPS.index(naive.group(row))}
        for row in ROWS
        if row["force"] == "kent" and naive.group(row) in naive.GROUPS
    ]
    searches, persons = both(rows)
    frame = dp.rate_ratio(searches, EVERYWHERE, reference="everyone", by=["force"], persons=persons)
    everybody = naive.times(rows, ())[()]
    for found in frame[frame["force"] == "kent"].to_dict("records"):
        them = naive.times(rows, (), {found["ethnicity_self"]})[()]
        n = everybody.total()
        p = them.total() / n
        spread = sum((them.get(who, 0) - p * m) ** 2 for who, m in everybody.items()) / (n * p * (1 - p))
        low, high = naive.wilson(them.total() / spread, n / spread)
        scale = sum(EVERYWHERE[{"force": "kent", "ethnicity_self": g}] for g in naive.GROUPS)
        scale /= EVERYWHERE[{"force": "kent", "ethnicity_self": found["ethnicity_self"]}]
        assert (found["low"], found["high"]) == pytest.approx((low * scale, high * scale), rel=1e-9)
        assert found["method"] == f"wilson, person-clustered {spread:.2f}"


def test_without_persons_nothing_changes():
    searches, _ = both()
    frame = dp.rate_ratio(searches, EVERYWHERE, by=["force"])
    assert not frame["method"].str.contains("person").any()


def test_everybody_searched_once_changes_nothing():
    rows = [row | {"person": i + 1} for i, row in enumerate(ROWS)]
    searches, persons = both(rows)
    plain, known = (dp.rate_ratio(searches, EVERYWHERE, by=["force"], persons=who) for who in (None, persons))
    pd.testing.assert_frame_equal(plain, known)


def test_searches_that_name_nobody_are_of_somebody_else_each_and_flagged():
    rows = [row | {"person": None if i % 3 == 0 else row["person"]} for i, row in enumerate(ROWS)]
    searches, persons = both(rows)
    found = dp.rate_ratio(searches, EVERYWHERE, by=["force"], persons=persons)
    row = found[(found["force"] == "kent") & (found["ethnicity_self"] == "Black")].iloc[0]
    here = [r for r in naive.of_people(rows) if r["force"] == "kent"]
    told = [r | {"person": r["person"] or -i - 1} for i, r in enumerate(here)]
    them, others = (naive.times(told, (), {group})[()] for group in ("Black", "White"))
    phi = naive.variance(them, others) / (1 / them.total() + 1 / others.total())
    assert row["method"] == f"score, person-clustered {phi:.2f}"
    unnamed = sum(not r["person"] and naive.group(r) in ("Black", "White") for r in here)
    assert f"{unnamed:,} searches name no person: each is taken as of somebody else" in row["flag"]


def test_widest_of_three_is_taken_and_named():
    one = {"events": 3_684, "exposure": 236_047, "reference_events": 9_629, "reference_exposure": 1_793_173}
    given = {name: np.full(3, value) for name, value in one.items()}
    low, high, method = widest_limits(
        **given, dispersion=np.array([4.38, 1.0, 4.38]), person_dispersion=np.array([1.5, 1.5, 6.0])
    )
    assert method.tolist() == [
        "score, month dispersion 4.38",
        "score, person-clustered 1.50",
        "score, person-clustered 6.00",
    ]
    assert low[2] < low[0] < low[1]
    assert high[1] < high[0] < high[2]


def test_a_wider_interval_can_change_the_verdict():
    """A few people searched often carry the ratio: Poisson says higher, people say that its size is uncertain."""
    white, black = "White - Irish", "Black/African/Caribbean/Black British - African"
    often = [(black, person) for person in range(1, 26) for _ in range(7)]
    rows = [
        {"force": "kent", "month": "2019-04", "search_type": "Person search", "ethnicity_self": label, "person": person}
        for label, person in [*often, *((white, i) for i in range(100, 400))]
    ]
    everybody = residents({"kent": {"White": 100_000, "Mixed": 1, "Asian": 1, "Black": 34_000, "Other": 1}})
    searches, persons = both(rows)
    verdicts = [
        dp.rate_ratio(searches, everybody, persons=who).set_index("ethnicity_self").loc["Black", "verdict"]
        for who in (None, persons)
    ]
    assert verdicts == [HIGHER, HIGHER_UNCERTAIN]


def test_months_left_out_are_left_out_of_the_people_too():
    months = [f"2019-{m:02d}" for m in range(4, 12)]
    rows = people(6_000, persons=400, unnamed=0.0, month=tuple(months[:7]), force="kent", search_type="Person search")
    few = people(40, persons=3, unnamed=0.0, month=months[7], force="kent", search_type="Person search")
    searches, persons = both([*rows, *few])
    frame = dp.rate_ratio(searches, EVERYWHERE, by=["force"], persons=persons)
    row = frame[frame["ethnicity_self"] == "Black"].iloc[0]
    assert row["covered_months"] == 7
    them, others = (naive.times(rows, (), {group})[()] for group in ("Black", "White"))
    phi = naive.variance(them, others) / (1 / them.total() + 1 / others.total())
    assert row["method"] == f"score, person-clustered {phi:.2f}"


def test_areas_have_people_of_their_own():
    """By area, limits are of each area's people; put together, of everybody; the twin within areas has none such."""
    rows = with_places(ROWS)
    searches = dp.tally(PersonRows(rows), by=["ethnicity_self", "area"])
    persons = person_tally(PersonRows(rows), by=["ethnicity_self", "area"])
    whole = dp.rate_ratio(searches, EVERYWHERE, by=["force"], persons=persons)
    plain = dp.rate_ratio(both(rows)[0], EVERYWHERE, by=["force"], persons=both(rows)[1])
    crude = whole[whole["measure"] == "rate_ratio"].reset_index(drop=True)
    assert crude["method"].tolist() == plain["method"].tolist()
    assert crude["method"].str.contains("person-clustered").any()
    assert not whole[whole["measure"] != "rate_ratio"]["method"].astype(str).str.contains("person").any()
    each = dp.rate_ratio(searches, EVERYWHERE, by=["area"], persons=persons)
    area = each[each["ethnicity_self"] == "Black"].iloc[0]
    here = [row for row in rows if row["area"] == area["area"]]
    them, others = (naive.times(here, (), {group})[()] for group in ("Black", "White"))
    assert area["numerator"] == them.total()
    phi = naive.variance(them, others) / (1 / them.total() + 1 / others.total())
    assert area["method"] == f"score, person-clustered {phi:.2f}"


def test_people_of_other_records_are_refused():
    searches, _ = both()
    _, fewer = both(ROWS[:500])
    with pytest.raises(UsageError, match="make both of the same records"):
        dp.rate_ratio(searches, EVERYWHERE, by=["force"], persons=fewer)


def test_law():
    whole = dp.rate_ratio(both()[0], EVERYWHERE, persons=both()[1])
    pieces = [both(piece) for piece in by_part(ROWS)]
    searches, persons = pieces[3]
    for number, (more, who) in enumerate(pieces):
        if number != 3:
            searches, persons = more + searches, who + persons
    pd.testing.assert_frame_equal(dp.rate_ratio(searches, EVERYWHERE, persons=persons), whole, check_exact=True)


# Coverage ------------------------------------------------------------------------------------------------------------

DRAWS = 4_000


def drawn_searches(rng, people_expected):
    """a and sum(m^2) of repeated draws: a Poisson number of people, each searched a geometric number of times."""
    persons = rng.poisson(people_expected, DRAWS)
    times = rng.geometric(0.5, persons.sum())
    of = np.repeat(np.arange(DRAWS), persons)
    return (np.bincount(of, weights=w, minlength=DRAWS) for w in (times, times**2))


def test_poisson_limits_miss_too_often_and_person_clustered_ones_do_not():
    rng = np.random.default_rng(8)
    a, a_squares = drawn_searches(rng, 300)
    c, c_squares = drawn_searches(rng, 900)
    years = {"exposure": np.full(DRAWS, 1.0), "reference_exposure": np.full(DRAWS, 4.5)}  # the true ratio is 1.5
    phi = (a_squares / a**2 + c_squares / c**2) / (1 / a + 1 / c)
    covers = []
    for person_dispersion in (None, phi):
        low, high, _ = widest_limits(
            events=a, reference_events=c, **years, dispersion=np.ones(DRAWS), person_dispersion=person_dispersion
        )
        covers.append(np.mean((low <= 1.5) & (high >= 1.5)))
    chance = np.sqrt(0.95 * 0.05 / DRAWS)
    assert covers[0] < 0.80
    assert abs(covers[1] - 0.95) < 4.5 * chance


def test_invented_repeat_individuals_widen_a_ratio():
    made = dp.synthetic.make_encounters(repeat_share=0.6, seed=4)
    searches = dp.tally(made.source("search"), by=["ethnicity_self"])
    persons = person_tally(made.source("search"), by=["ethnicity_self"])
    plain, known = (dp.rate_ratio(searches, dp.synthetic.population(), persons=who) for who in (None, persons))
    assert (known["high"] / known["low"] >= plain["high"] / plain["low"]).all()
    black = known[known["ethnicity_self"] == "Black"].iloc[0]
    assert black["method"].startswith("score, person-clustered")
    assert (known["estimate"] == plain["estimate"]).all()
