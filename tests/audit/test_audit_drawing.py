"""The draw: the same list as the second implementation, and as random as it should be."""

import hashlib
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
import second_draw
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from disprop.audit.drawing import draw_order, draw_seed, list_bytes
from disprop.audit.frame import FrameColumns, build_frame
from disprop.audit.planning import plan
from disprop.errors import Refused, UsageError

word = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(
    st.dictionaries(word.map(second_draw.nfc), st.sampled_from(["N", "S", 'É, "west"', ""]), min_size=4, max_size=30),
    word.filter(str.strip),
)
@settings(max_examples=40, deadline=None)
def test_the_second_implementation_draws_the_same_list(units, beacon):
    records = pa.table({"record_id": list(units), "unit": list(units.values())})
    made = plan(records, period="p", columns=FrameColumns(strata=("unit",)), sample=4)
    frame = build_frame(records, columns=made.columns)
    plan_bytes = made.to_bytes()
    seed = draw_seed(frame_digest=frame.digest, plan_digest=hashlib.sha256(plan_bytes).digest(), beacon=beacon)
    ours = list_bytes(draw_order(frame, sizes=made.draw_sizes(), seed=seed))
    rows = [{"record_id": second_draw.nfc(one), "unit": second_draw.nfc(unit)} for one, unit in units.items()]
    again = second_draw.frame_bytes(rows, ["record_id", "unit"], strata=["unit"])
    listed = second_draw.drawn_list(rows, ["unit"], hashlib.sha256(again).digest(), plan_bytes, beacon)
    assert ours == second_draw.list_bytes(listed, ["unit"])


def test_known_list():
    """A draw written down once: the protocol must not drift."""
    frame = build_frame(
        pa.table({"record_id": list("abcdef"), "unit": list("NNNSSS")}), columns=FrameColumns(strata=("unit",))
    )
    seed = draw_seed(frame_digest=frame.digest, plan_digest=bytes(32), beacon=" 1-2-3-4-5-6 ")
    drawn = draw_order(frame, sizes={("N",): (1, 1), ("S",): (2, 9)}, seed=seed)
    assert drawn.column("role").to_pylist() == ["sample", "reserve", "sample", "sample", "reserve"]
    assert drawn.column("place").to_pylist() == [1, 2, 1, 2, 3]
    assert [frame.digest.hex(), seed.hex(), "".join(drawn.column("record_id").to_pylist())] == KNOWN


KNOWN = [
    "7716fcdcbf846dc51d1ddb5e91bb4207b1646262e61d6fa740c7f24eed0bad1d",
    "78e5ddbb45436e257840fca7e15e6bc68233c162247a123fd2d7ac6288a4deb6",
    "cbefd",
]


def test_the_beacon_value_must_say_something():
    for value in ("", "  ", "1\0"):
        with pytest.raises(UsageError, match="published value"):
            draw_seed(frame_digest=bytes(32), plan_digest=bytes(32), beacon=value)


def test_strata_of_plan_and_frame_must_be_the_same():
    frame = build_frame(pa.table({"record_id": ["a", "b"], "unit": ["N", "S"]}), columns=FrameColumns(strata=("unit",)))
    with pytest.raises(Refused, match="'S' is in the frame only"):
        draw_order(frame, sizes={("N",): (1, 0)}, seed=bytes(32))
    with pytest.raises(Refused, match="has 1 records; the plan wants 2"):
        draw_order(frame, sizes={("N",): (2, 0), ("S",): (1, 0)}, seed=bytes(32))


def inclusion(frame, sizes, draws):
    """How often each record, and each pair of records, is in the sample."""
    single, pairs = Counter(), Counter()
    for number in range(draws):
        seed = draw_seed(frame_digest=frame.digest, plan_digest=bytes(32), beacon=f"draw {number}")
        drawn = draw_order(frame, sizes=sizes, seed=seed)
        chosen = [
            one
            for one, role in zip(*(drawn.column(name).to_pylist() for name in ("record_id", "role")))
            if role == "sample"
        ]
        single.update(chosen)
        pairs.update((min(a, b), max(a, b)) for i, a in enumerate(chosen) for b in chosen[i + 1 :] if a[0] == b[0])
    return single, pairs


def test_every_record_and_every_pair_is_as_likely_as_any_other():
    """Chi-square over 3,000 seeds; the hypergeometric variance makes the statistics chi-square in the limit."""
    ids = [f"N{i:02}" for i in range(20)] + [f"S{i:02}" for i in range(10)]
    frame = build_frame(
        pa.table({"record_id": ids, "unit": [one[0] for one in ids]}), columns=FrameColumns(strata=("unit",))
    )
    draws = 3000
    single, pairs = inclusion(frame, {("N",): (5, 0), ("S",): (2, 0)}, draws)
    for unit, size, sample in (("N", 20, 5), ("S", 10, 2)):
        seen = np.array([single[one] for one in ids if one[0] == unit])
        share = sample / size
        statistic = ((seen - draws * share) ** 2).sum() / (draws * share * (1 - share)) * (size - 1) / size
        assert 0.001 < chi2.sf(statistic, size - 1) < 0.999
        together = np.array([pairs[a, b] for a in ids for b in ids if a < b and a[0] == b[0] == unit])
        both = sample * (sample - 1) / (size * (size - 1))
        spread = ((together - draws * both) ** 2).mean() / (draws * both * (1 - both))
        assert 0.7 < spread < 1.4


def test_places_are_uniform():
    """The place of one record among 8 is uniform over seeds."""
    frame = build_frame(pa.table({"record_id": list("abcdefgh")}), columns=FrameColumns())
    places = Counter()
    for number in range(2000):
        seed = draw_seed(frame_digest=frame.digest, plan_digest=bytes(32), beacon=str(number))
        places[draw_order(frame, sizes={(): (8, 0)}, seed=seed).column("record_id").to_pylist().index("c")] += 1
    statistic = sum((places[at] - 250) ** 2 / 250 for at in range(8))
    assert 0.001 < chi2.sf(statistic, 7) < 0.999


def test_one_byte_of_the_frame_changes_the_whole_draw():
    def drawn(last):
        frame = build_frame(pa.table({"record_id": [f"{i:03}" for i in range(199)] + [last]}), columns=FrameColumns())
        seed = draw_seed(frame_digest=frame.digest, plan_digest=bytes(32), beacon="x")
        return draw_order(frame, sizes={(): (50, 0)}, seed=seed).column("record_id").to_pylist()

    assert len(set(drawn("x")) & set(drawn("y"))) < 30


def test_an_extra_reserve_does_not_move_the_sample():
    frame = build_frame(pa.table({"record_id": [str(i) for i in range(50)]}), columns=FrameColumns())
    few = draw_order(frame, sizes={(): (10, 2)}, seed=bytes(32))
    more = draw_order(frame, sizes={(): (10, 9)}, seed=bytes(32))
    assert more.slice(0, 12).equals(few)
