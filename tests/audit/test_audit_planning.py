"""Plans: sizes that are enough, promises that are kept, and what a sample cannot show."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from disprop.audit.frame import FrameColumns
from disprop.audit.planning import plan, read_plan
from disprop.audit.sizes import (
    allocate,
    power_to_compare,
    sample_size,
    sample_size_to_compare,
    smallest_difference,
)
from disprop.audit.words import plan_words
from disprop.errors import InputRefused, Refused, UsageError

GROUPS = {"White": 1300, "Asian": 800, "Black": 450, "Mixed": 40, "Other": 3}
UNITS = ["North", "South", "East"]


@pytest.fixture(scope="module")
def records():
    group = [name for name, size in GROUPS.items() for _ in range(size)]
    chance = np.random.default_rng(4)
    return pa.table(
        {
            "record_id": [f"R{i}" for i in range(len(group))],
            "ethnicity": group,
            "unit": chance.choice(UNITS, len(group)),
            "object": chance.choice(["drugs", "weapons"], len(group), p=[0.98, 0.02]),
        }
    )


BY_GROUP = FrameColumns(strata=("ethnicity",), domains=("object",))


@pytest.mark.parametrize(
    ("half_width", "endless", "of_9540"), [(0.10, 97, 96), (0.07, 196, 193), (0.05, 385, 370), (0.03, 1068, 960)]
)
def test_the_table_of_sizes(half_width, endless, of_9540):
    assert sample_size(half_width=half_width) == endless
    assert sample_size(half_width=half_width, records=9540) == of_9540
    ids = pa.table({"record_id": [str(i) for i in range(9540)]})
    assert plan(ids, period="p", half_width=half_width).sample == of_9540


@given(st.integers(1, 5000), st.floats(0.01, 0.4), st.floats(0.05, 0.95))
def test_size_is_the_least_that_is_enough(records, half_width, share):
    found = sample_size(half_width=half_width, records=records, share=share)

    def reached(n):
        return 1.959963984540054 * math.sqrt(share * (1 - share) / n * (records - n) / max(records - 1, 1))

    assert 1 <= found <= records
    assert reached(found) <= half_width * (1 + 1e-9)
    if found > 1:
        assert reached(found - 1) > half_width * (1 - 1e-9)


def test_power():
    assert sample_size_to_compare(0.229, 0.200) == 3144
    for share, other in ((0.9, 0.8), (0.5, 0.45)):
        n = sample_size_to_compare(share, other)
        assert power_to_compare(share, other, sample=n, other_sample=n) == pytest.approx(0.8, abs=0.002)
        assert smallest_difference(share=share, sample=n, other_sample=n) == pytest.approx(share - other, rel=0.01)
    assert smallest_difference(share=0.3, sample=2, other_sample=50) is None
    assert smallest_difference(share=0.9, sample=0, other_sample=50) is None


@given(
    st.integers(0, 500),
    st.lists(st.tuples(st.floats(0.1, 100), st.integers(1, 80)), min_size=1, max_size=9),
    st.integers(0, 5),
)
def test_allocation_adds_up_and_keeps_its_bounds(total, strata, minimum):
    weights = np.array([weight for weight, _ in strata])
    most = np.array([size for _, size in strata])
    least = np.minimum(minimum, most)
    found = allocate(total, weights=weights, least=least, most=most)
    assert ((least <= found) & (found <= most)).all()
    assert found.sum() == np.clip(total, least.sum(), most.sum())
    free = (found > least) & (found < most)
    if free.sum() > 1:  # between the bounds, in proportion to the weights, but for rounding
        scale = found[free] / weights[free]
        assert scale.max() - scale.min() <= (2 / weights[free]).max() + 1e-9


def test_promises_to_groups_are_kept(records):
    made = plan(records, period="p", columns=BY_GROUP, half_width=0.06, group_half_width={"ethnicity": 0.12})
    assert made.half_width <= 0.06
    for row in made.precision:
        if row.domain == "ethnicity":
            assert row.half_width <= 0.12
    other = next(size for size in made.sizes if size.stratum == ("Other",))
    assert other.sample == 3  # taken whole
    assert other.reserves == 0
    white = next(size for size in made.sizes if size.stratum == ("White",))
    assert white.sample / white.records < 0.2


def test_half_widths_are_those_of_a_simulated_draw(records):
    """The promised half-width against the spread of simulated estimates, in a domain that cuts across strata."""
    columns = FrameColumns(strata=("ethnicity",), domains=("unit",))
    made = plan(records, period="p", columns=columns, sample=300, allocation="equal", minimum=3, expected_share=0.3)
    chance = np.random.default_rng(1)
    group, unit = (np.array(records.column(name).to_pylist()) for name in ("ethnicity", "unit"))
    met = chance.random(len(group)) < 0.3
    truth = met[unit == "North"].mean()
    estimates = []
    for _ in range(1500):
        top = bottom = 0.0
        for size in made.sizes:
            chosen = chance.choice(np.flatnonzero(group == size.stratum[0]), size.sample, replace=False)
            north = chosen[unit[chosen] == "North"]
            weight = size.records / size.sample
            top, bottom = top + weight * met[north].sum(), bottom + weight * len(north)
        estimates.append(top / bottom)
    promised = next(row for row in made.precision if row.group == "North").half_width
    assert np.mean(estimates) == pytest.approx(truth, abs=0.01)
    assert 1.96 * np.std(estimates) == pytest.approx(promised, rel=0.12)


def test_allocations_differ_as_they_should(records):
    def sizes(**options):
        made = plan(records, period="p", columns=BY_GROUP, sample=200, **options)
        assert made.sample == 200
        return {size.stratum[0]: size.sample for size in made.sizes}

    proportional, equal, power = sizes(), sizes(allocation="equal"), sizes(allocation="power")
    assert proportional["White"] == pytest.approx(200 * 1300 / 2593, abs=2)
    assert abs(equal["White"] - equal["Black"]) <= 1
    assert equal["Other"] == 3
    assert proportional["Mixed"] < power["Mixed"] < equal["Mixed"]
    more = sizes(oversample={"ethnicity": {"Mixed": 4}})
    assert more["Mixed"] >= 3 * proportional["Mixed"]
    shares = {"White": 0.5, "Asian": 0.98, "Black": 0.5, "Mixed": 0.5, "Other": 0.5}
    neyman = sizes(allocation="neyman", previous=shares)
    assert neyman["Asian"] < proportional["Asian"]
    assert neyman["White"] / neyman["Black"] == pytest.approx(1300 / 450, rel=0.1)
    assert sizes(minimum=10)["Mixed"] == 10


def test_a_plan_round_trips_and_is_stable(records):
    made = plan(
        records, period="2024-03", columns=BY_GROUP, half_width=0.1, minutes_per_record=10, second_review_share=0.5
    )
    assert read_plan(made.to_bytes()) == made
    assert (
        made.to_bytes()
        == plan(
            records, period="2024-03", columns=BY_GROUP, half_width=0.1, minutes_per_record=10, second_review_share=0.5
        ).to_bytes()
    )
    assert made.hours == pytest.approx(made.sample * 15 / 60)
    assert plan(records, period="p", sample=5).hours is None


def test_the_words_say_what_cannot_be_seen(records):
    made = plan(records, period="2024-03", columns=BY_GROUP, sample=97, minutes_per_record=12)
    text = "\n".join(plan_words(made))
    assert "97 records of 2,593 will be drawn" in text
    assert "ethnicity, Mixed: about 2 records of 40: too few for any statement" in text
    assert "often go unnoticed" in text
    assert "about 19.4 hours" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "either half_width"),
        ({"half_width": 0.1, "sample": 5}, "either half_width"),
        ({"half_width": 0}, "half_width came as 0"),
        ({"sample": 5, "allocation": "best"}, "the choices are"),
        ({"sample": 5, "minimum": 1}, "minimum came as 1"),
        ({"sample": 5, "allocation": "neyman"}, "go together"),
        ({"sample": 5, "group_half_width": {"object": 0.1}}, "'object' is not a stratum"),
        ({"sample": 5, "oversample": {"ethnicity": {"Blue": 2}}}, "no group 'Blue'"),
        ({"sample": 5, "allocation": "neyman", "previous": {"White": 0.5}}, "no share for stratum 'Asian'"),
        ({"sample": 5, "confidence": 1}, "confidence came as 1"),
    ],
)
def test_contradictions_are_named(records, options, words):
    with pytest.raises(UsageError, match=words):
        plan(records, period="p", columns=BY_GROUP, **options)


def test_no_records_and_no_column(records):
    with pytest.raises(Refused, match="no records"):
        plan(records.slice(0, 0), period="p", sample=5)
    with pytest.raises(InputRefused, match="'place'"):
        plan(records, period="p", columns=FrameColumns(strata=("place",)), sample=5)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"kind": "other"}', b"\xff"])
def test_not_a_plan(content):
    with pytest.raises(UsageError, match="not a plan"):
        read_plan(content)


def test_a_newer_plan_is_refused(records):
    made = plan(records, period="p", sample=5).to_bytes().replace(b'"version": 1', b'"version": 2')
    with pytest.raises(UsageError, match="version 2"):
        read_plan(made)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"sample": 0}, "sample came as 0"),
        ({"sample": -3}, "sample came as -3"),
        ({"sample": 9, "oversample": {"ethnicity": {"Mixed": 0.0}}}, "'Mixed' came as 0"),
        ({"sample": 9, "oversample": {"ethnicity": {"Mixed": -2.0}}}, "'Mixed' came as -2"),
        ({"sample": 9, "group_half_width": {"ethnicity": 0.0}}, "'ethnicity' came as 0"),
        ({"sample": 9, "minutes_per_record": -3.0}, "minutes_per_record came as -3"),
        ({"sample": 9, "second_review_share": 3.0}, "second_review_share came as 3"),
    ],
)
def test_numbers_that_make_no_plan_are_refused_by_name(records, options, named):
    with pytest.raises(UsageError, match=named):
        plan(records, period="2024-03", columns=FrameColumns(strata=("ethnicity",)), **options)
