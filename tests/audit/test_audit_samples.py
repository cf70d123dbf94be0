"""From reviews to a sample: reserves, scope, two reviewers, questions of several answers."""

import math

import numpy as np
import pytest
from filling import everyone, fill

from disprop.audit.double_review import corrected_estimate, corrected_from_reviews, ratings
from disprop.audit.estimation import estimate
from disprop.audit.reviews import read_sheet
from disprop.audit.sample import Sample, review_samples
from disprop.audit.sheet import write_sheet
from disprop.errors import Refused, UsageError


@pytest.fixture
def reviewed(drawn, tmp_path):
    """A function: answers by row -> Reviews, for one reviewer or for two."""

    def read(*answers, second_share=None):
        paths = []
        for reviewer, answer in zip("AB", answers):
            source = tmp_path / f"{reviewer}-{len(list(tmp_path.iterdir()))}.csv"
            write_sheet(drawn, source, reviewer=reviewer, second_share=second_share if reviewer == "B" else None)
            paths.append(fill(source, source.with_suffix(".filled.csv"), answer))
        return read_sheet(*paths, drawn=drawn)

    return read


def one_sample(drawn, reviews, **options):
    (sample,) = review_samples(drawn, reviews, question="grounds_reasonable", **options)
    return sample


def place(row):
    return int(row["list"]), int(row["place"]), row["role"]


def test_weights_are_records_over_reviewed(drawn, reviewed, made):
    sample = one_sample(drawn, reviewed(everyone(grounds_reasonable="yes")))
    assert len(sample.met) == made.sample
    assert (sample.met == 1).all()
    assert dict(zip(sample.strata, sample.records)) == {"Black": 180, "Mixed": 77, "Other": 3, "White": 340}
    row = estimate(sample, domains=["unit"])
    assert row.iloc[0]["total"] == pytest.approx(600)
    assert row["group"].tolist() == ["all records", "North", "South"]


def test_records_not_come_to_yet_are_not_known(drawn, reviewed, made):
    reviews = reviewed(
        lambda row: {"grounds_reasonable": "yes"} if place(row)[1] == 1 and row["role"] == "sample" else {}
    )
    row = estimate(one_sample(drawn, reviews), domains=[]).iloc[0]
    assert row["denominator"] == len(made.sizes)
    assert row["n_unknown"] == made.sample - len(made.sizes)
    assert row["bound_low"] < 0.2


def out_of_scope(number, places, reserves=0, answer="yes"):
    """The sample answered `answer`, some places of one list out of scope, and its first reserves answered."""

    def answers(row):
        at = place(row)
        if at[0] == number and at[1] in places:
            return {"status": "out of scope", "reason": "a vehicle only"}
        if row["role"] == "sample":
            return {"grounds_reasonable": answer}
        first = min(reserve_places[number])
        return {"grounds_reasonable": "no"} if at[0] == number and at[1] < first + reserves else {}

    reserve_places = {number: [10**6]}
    return answers, reserve_places


def test_reserves_replace_records_out_of_scope(drawn, reviewed, made):
    black = made.sizes[0].sample
    answers, reserve_places = out_of_scope(1, {1, 2}, reserves=2)
    reserve_places[1] = [black + 1]
    sample = one_sample(drawn, reviewed(answers))
    assert len(sample.met) == made.sample + 2
    assert (~sample.in_scope).sum() == 2
    assert not sample.notes
    row = estimate(sample, domains=[]).iloc[0]
    weight = 180 / (black + 2)
    assert row["denominator"] == made.sample
    assert row["records"] == pytest.approx(600 - 2 * weight)
    assert row["estimate"] == pytest.approx(1 - 2 * weight / (600 - 2 * weight))


def test_a_reserve_that_was_not_needed_is_left_out_and_named(drawn, reviewed, made):
    answers, reserve_places = out_of_scope(1, {1}, reserves=3)
    reserve_places[1] = [made.sizes[0].sample + 1]
    sample = one_sample(drawn, reviewed(answers))
    assert len(sample.met) == made.sample + 1
    assert "reserve filled in without an out-of-scope record before it, left out" in sample.notes[0]
    assert sample.notes[0].count("'") == 4
    assert "reserve filled in" in estimate(sample).iloc[0]["flag"]


def test_a_record_without_video_stays_in_the_sample(drawn, reviewed, made):
    """It may not be replaced: it is not known, and enters the bounds."""

    def answers(row):
        if row["role"] == "reserve":
            return {"grounds_reasonable": "yes"}
        if place(row)[1] == 1:
            return {"status": "could not be reviewed", "reason": "no video"}
        return {"grounds_reasonable": "yes"}

    sample = one_sample(drawn, reviewed(answers))
    assert len(sample.met) == made.sample
    assert np.isnan(sample.met).sum() == len(made.sizes)
    assert estimate(sample, domains=[]).iloc[0]["bound_low"] < 1


def test_a_reserve_out_of_scope_calls_for_the_next(drawn, reviewed, made):
    black = made.sizes[0].sample
    reviews = reviewed(
        lambda row: (
            {"status": "out of scope", "reason": "x"}
            if place(row)[0] == 1 and place(row)[1] in (1, black + 1)
            else {"grounds_reasonable": "yes"}
            if row["role"] == "sample" or place(row)[:2] == (1, black + 2)
            else {}
        )
    )
    sample = one_sample(drawn, reviews)
    assert len(sample.met) == made.sample + 2
    assert (~sample.in_scope).sum() == 2
    assert not sample.notes


def test_two_reviewers(drawn, reviewed, made):
    reviews = reviewed(
        everyone(grounds_reasonable="yes"),
        lambda row: {"grounds_reasonable": "no" if place(row)[1] == 1 else "yes"},
        second_share=0.5,
    )
    strata = len(made.sizes)
    assert (one_sample(drawn, reviews, use="first").met == 1).all()
    agreed = one_sample(drawn, reviews, use="agreed").met
    assert np.isnan(agreed).sum() == strata
    alone = one_sample(drawn, reviews, use="B").met
    assert (alone == 0).sum() == strata
    assert np.isnan(alone).sum() == made.sample - sum(math.ceil(size.sample / 2) for size in made.sizes)
    with pytest.raises(UsageError, match="first, agreed, A, B"):
        one_sample(drawn, reviews, use="C")
    table = ratings(reviews, question="grounds_reasonable")
    assert len(table) == sum(math.ceil(size.sample / 2) for size in made.sizes)
    assert table.count(["yes", "no"]) == strata


def test_a_question_of_several_answers_gives_one_sample_each(drawn, reviewed):
    reviews = reviewed(
        lambda row: {"grounds_source": ("officer", "both")[place(row)[1] % 2]} if row["role"] == "sample" else {}
    )
    samples = review_samples(drawn, reviews, question="grounds_source")
    assert [sample.measure for sample in samples] == [
        "grounds_source: officer",
        "grounds_source: information",
        "grounds_source: both",
    ]
    shares = [estimate(sample, domains=[]).iloc[0]["estimate"] for sample in samples]
    assert sum(shares) == pytest.approx(1)
    assert shares[1] == 0
    with pytest.raises(UsageError, match="the keys are grounds_reasonable"):
        review_samples(drawn, reviews, question="colour")


def test_cannot_tell_is_not_known(drawn, reviewed, made):
    reviews = reviewed(everyone(grounds_reasonable="cannot tell"))
    assert np.isnan(one_sample(drawn, reviews).met).all()


def pair(first, second, records=5000):
    """Two reviewers' samples of the same simple draw; None where the second did not review."""
    common = {
        "measure": "x",
        "record_id": np.arange(len(first)),
        "in_scope": np.ones(len(first), bool),
        "stratum": np.zeros(len(first), int),
        "strata": ("all records",),
        "records": np.array([float(records)]),
        "domains": {},
    }
    return Sample(met=np.array(first, float), **common), Sample(met=np.array(second, float), **common)


def test_the_correction_is_the_double_sampling_estimate():
    first = [1] * 80 + [0] * 20
    second = [1] * 27 + [0] * 3 + [math.nan] * 50 + [1] * 1 + [0] * 9 + [math.nan] * 10
    found = corrected_estimate(*pair(first, second))
    assert found["estimate"] == pytest.approx(0.8 * 0.9 + 0.2 * 0.1)
    assert (found["raw"], found["reviewed_twice"]) == (0.8, 40)
    assert (found["confirmed_yes"], found["overturned_no"]) == pytest.approx((0.9, 0.1))
    assert found["low"] < found["estimate"] < found["high"]


def test_no_error_in_a_small_second_review_is_not_proof():
    few = corrected_estimate(*pair([1] * 80 + [0] * 20, [1] * 8 + [math.nan] * 72 + [0] * 2 + [math.nan] * 18))
    many = corrected_estimate(*pair([1] * 80 + [0] * 20, [1] * 80 + [0] * 20))
    assert few["estimate"] == many["estimate"] == pytest.approx(0.8)
    assert few["high"] - few["low"] > 1.2 * (many["high"] - many["low"])


def test_the_correction_needs_both_sides():
    with pytest.raises(Refused, match="its errors are not known"):
        corrected_estimate(*pair([1, 1, 0, 0], [1, 0, math.nan, math.nan]))
    one_side = corrected_estimate(*pair([1] * 40, [1] * 18 + [0] * 2 + [math.nan] * 20))
    assert one_side["estimate"] == pytest.approx(0.9)


def test_the_corrected_limits_hold_the_truth():
    """Reviewers who err both ways: the raw estimate misses, the corrected one is right 19 times in 20."""
    chance = np.random.default_rng(3)
    truth, held, raw_held, audits = 0.80, 0, 0, 300
    for _ in range(audits):
        right = (chance.random(250) < truth).astype(float)
        wrong = chance.random(250) < np.where(right == 1, 0.10, 0.25)
        first = np.where(wrong, 1 - right, right)
        second = np.where(np.arange(250) < 100, right, math.nan)
        found = corrected_estimate(*pair(first, second), target="process")
        held += found["low"] <= truth <= found["high"]
        error = 1.96 * math.sqrt(found["raw"] * (1 - found["raw"]) / 250)
        raw_held += abs(found["raw"] - truth) <= error
    assert held / audits > 0.925
    assert raw_held / audits < 0.85


def test_the_correction_from_reviews(drawn, reviewed):
    reviews = reviewed(
        lambda row: (
            {"grounds_reasonable": "no" if place(row)[1] % 4 == 1 else "yes"} if row["role"] == "sample" else {}
        ),
        lambda row: {"grounds_reasonable": "no" if place(row)[1] % 2 == 1 else "yes"},
        second_share=0.8,
    )
    found = corrected_from_reviews(drawn, reviews, question="grounds_reasonable", trusted="B")
    assert found["overturned_no"] == 0
    assert found["estimate"] < found["raw"]
    with pytest.raises(UsageError, match="no reviewer 'C'"):
        corrected_from_reviews(drawn, reviews, question="grounds_reasonable", trusted="C")
    with pytest.raises(UsageError, match="no counted answers"):
        corrected_from_reviews(drawn, reviews, question="grounds_source", trusted="B")


def test_a_record_that_one_reviewer_alone_calls_out_of_scope_is_named(drawn, reviewed):
    def second(row):
        return {"status": "out of scope", "reason": "vehicle"} if place(row) == (1, 1, "sample") else {}

    reviews = reviewed(everyone(grounds_reasonable="yes"), second, second_share=0.5)
    sample = one_sample(drawn, reviews)
    (disputed,) = sample.record_id[~sample.in_scope]
    assert sample.notes == (f"out of scope for one reviewer only, left out: {disputed!r}",)
