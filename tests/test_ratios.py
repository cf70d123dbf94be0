"""Rate ratios, excess and verdicts against the plain definitions, and every corner in the open."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import disprop as dp
from disprop.errors import UsageError
from disprop.intervals import proportion_interval, rate_ratio_interval
from disprop.measures.dispersion import judged_dispersion, month_dispersion
from disprop.measures.pairs import COMBINED, MIXED_FORCES
from disprop.measures.ratios import CAUTIOUS, widest_limits
from disprop.measures.verdicts import VERDICTS, verdict
from tests import naive
from tests.invent import (
    PEOPLE,
    POPULATION,
    SELF,
    many,
)
from tests.kent import KNOWN, MONTHS, PERIOD, counted, kent, row
from tests.sources import Rows


def sides(some, group, reference="White"):
    n = naive.counts(some, lambda r: naive.group5(r["ethnicity_self"]))
    return n[(group,)], PEOPLE["kent"][group], n[(reference,)], PEOPLE["kent"][reference]


def test_rate_ratio_equals_the_plain_definition():
    some = kent()
    frame = dp.rate_ratio(counted(some, period=PERIOD), POPULATION)
    unknown = sum(naive.group5(r["ethnicity_self"]) not in naive.GROUPS for r in some)
    assert frame["ethnicity_self"].tolist() == ["Mixed", "Asian", "Black", "Other"]
    for group in ("Mixed", "Asian", "Black", "Other"):
        a, n1, c, n0 = sides(some, group)
        found = row(frame, ethnicity_self=group)
        assert found.estimate == pytest.approx(naive.ratio(a, n1, c, n0))
        assert found.denominator == pytest.approx(n1 * c / n0)
        assert found.bound_low == pytest.approx(naive.ratio(a, n1, c + unknown, n0))
        assert found.bound_high == pytest.approx(naive.ratio(a + unknown, n1, c, n0))
        assert found.verdict in VERDICTS


def test_the_limits_are_the_widest_available_and_say_which():
    some = kent(3000, month=MONTHS) + kent(900, month=MONTHS[0], ethnicity_self=SELF[5])
    frame = dp.rate_ratio(counted(some, period=PERIOD), POPULATION)
    a, n1, c, n0 = sides(some, "Black")
    by_month = naive.counts(some, lambda r: r["month"], lambda r: naive.group5(r["ethnicity_self"]))
    phi = naive.month_dispersion([(by_month[(m, "Black")], by_month[(m, "White")]) for m in MONTHS])
    assert phi > 5
    years = {"exposure": n1 * 8 / 12, "reference_exposure": n0 * 8 / 12}
    wide = rate_ratio_interval(events=a, reference_events=c, **years, dispersion=phi)
    black = row(frame, ethnicity_self="Black")
    assert (black.low, black.high) == pytest.approx((wide.low, wide.high))
    assert black.method == f"score, month dispersion {phi:.2f}"


def test_west_midlands_prints_the_limits_of_the_method_book():
    counts = {"events": 3684, "exposure": 236_047, "reference_events": 9629, "reference_exposure": 1_793_173}
    low, high, _ = widest_limits(
        **{name: np.array([value]) for name, value in counts.items()}, dispersion=np.array([4.378])
    )
    assert (low.round(2), high.round(2)) == (2.68, 3.15)


def test_the_dispersion_that_a_verdict_reckons_with_is_students():
    months, used = np.full((2, 14), 30), np.arange(14) < 12
    found = judged_dispersion(np.array([2.0, 1.0]), months, months, used)
    t, z = 2.200985160, 1.959963985  # tables: 97.5% on 11 degrees of freedom, and of the normal
    assert found == pytest.approx([2 * (t / z) ** 2, 1.0])
    assert judged_dispersion(np.array([2.0]), months[:1, :6], months[:1, :6], used[:6]) == pytest.approx(
        2 * (2.570581836 / z) ** 2
    )


def test_a_verdict_allows_for_a_dispersion_that_is_an_estimate():
    """Limits as printed that just clear the band: the verdict is the more careful one, and says so."""
    base = [kent(1000, month=month, ethnicity_self=SELF[0]) for month in MONTHS]
    seen = set()
    for extra in range(34, 50, 2):
        black = [kent(extra + 25 * (i % 2), month=m, ethnicity_self=SELF[5]) for i, m in enumerate(MONTHS)]
        tally = counted([record for some in (*base, *black) for record in some], period=PERIOD)
        found = row(dp.rate_ratio(tally, POPULATION), ethnicity_self="Black")
        if found.low > 1.25 and found.verdict != "higher":
            assert found.verdict == "higher, size uncertain"
            assert CAUTIOUS in found.flag
            seen.add("careful")
        elif found.low > 1.25:
            assert CAUTIOUS not in found.flag
            seen.add("sure")
    assert seen == {"careful", "sure"}


def test_small_counts_use_mid_p_without_six_months():
    some = kent(120, month=MONTHS[:3])
    tally = counted(some)
    black = row(dp.rate_ratio(tally, POPULATION), ethnicity_self="Black")
    a, n1, c, n0 = sides(some, "Black")
    assert min(a, c) < 50
    limits = rate_ratio_interval(
        events=a, exposure=n1 / 4, reference_events=c, reference_exposure=n0 / 4, method="mid_p"
    )
    assert (black.low, black.high, black.method) == (pytest.approx(limits.low), pytest.approx(limits.high), "mid_p")


def test_reference_everyone_else_is_all_other_known_groups():
    some = kent()
    frame = dp.rate_ratio(counted(some, period=PERIOD), POPULATION, reference="everyone else")
    n = naive.counts(some, lambda r: naive.group5(r["ethnicity_self"]))
    others = [g for g in naive.GROUPS if g != "White"]
    white = row(frame, ethnicity_self="White")
    c, n0 = sum(n[(g,)] for g in others), sum(PEOPLE["kent"][g] for g in others)
    assert white.estimate == pytest.approx(naive.ratio(n[("White",)], PEOPLE["kent"]["White"], c, n0))
    assert len(frame) == 5


def test_reference_everyone_contains_the_group_and_uses_wilson():
    some = kent(600, month=MONTHS[:2])
    frame = dp.rate_ratio(counted(some), POPULATION, reference="everyone")
    n = naive.counts(some, lambda r: naive.group5(r["ethnicity_self"]))
    known, people = sum(n[(g,)] for g in naive.GROUPS), sum(PEOPLE["kent"].values())
    black = row(frame, ethnicity_self="Black")
    share = proportion_interval(events=n[("Black",)], trials=known)
    scale = people / PEOPLE["kent"]["Black"]
    assert black.estimate == pytest.approx(n[("Black",)] / known * scale)
    assert (black.low, black.high) == pytest.approx((share.low * scale, share.high * scale))
    unknown = sum(c for (g,), c in n.items() if g not in naive.GROUPS)
    assert black.bound_low == pytest.approx(n[("Black",)] / (known + unknown) * scale)
    assert black.bound_high == pytest.approx((n[("Black",)] + unknown) / (known + unknown) * scale)


def test_ethnic_minorities_combined_is_everyone_but_white_against_white():
    some = kent()
    frame = dp.rate_ratio(counted(some), POPULATION, reference=COMBINED)
    n = naive.counts(some, lambda r: naive.group5(r["ethnicity_self"]))
    a = sum(n[(g,)] for g in naive.GROUPS if g != "White")
    n1 = sum(PEOPLE["kent"][g] for g in naive.GROUPS if g != "White")
    found = row(frame, ethnicity_self=COMBINED)
    assert found.estimate == pytest.approx(naive.ratio(a, n1, n[("White",)], PEOPLE["kent"]["White"]))
    assert found.reference == "White"


def test_forces_together_say_that_the_ratio_mixes_them():
    some = many(3000, search_type="Person search", force=("kent", "west-midlands"))
    tally = dp.tally(Rows(some), by=["ethnicity_self"])
    assert dp.rate_ratio(tally, POPULATION, by=[])["flag"].str.contains(MIXED_FORCES).all()
    assert not dp.rate_ratio(tally, POPULATION, by=["force"])["flag"].str.contains(MIXED_FORCES).any()
    assert not dp.rate_ratio(tally.select(force="kent"), POPULATION, by=[])["flag"].str.contains(MIXED_FORCES).any()


def test_no_reference_searches_give_no_estimate_a_low_and_no_high():
    some = kent(40, month=MONTHS[0], ethnicity_self=SELF[5])
    black = row(dp.rate_ratio(counted(some), POPULATION), ethnicity_self="Black")
    assert np.isnan(black.estimate)
    assert black.low > 0
    assert np.isnan(black.high)
    assert black.verdict == "too few to say"


def test_no_group_searches_give_zero_with_an_upper_limit():
    some = kent(60, month=MONTHS[0], ethnicity_self=SELF[0])
    black = row(dp.rate_ratio(counted(some), POPULATION), ethnicity_self="Black")
    assert (black.estimate, black.low) == (0, 0)
    assert black.high > 0
    assert black.verdict == "too few to say"


def test_an_unknown_reference_is_named():
    with pytest.raises(UsageError, match="did you mean 'White'"):
        dp.rate_ratio(counted(kent(50)), POPULATION, reference="Wite")


def test_ratios_need_residents_by_what_is_compared():
    with pytest.raises(UsageError, match="residents are not known by gender"):
        dp.rate_ratio(dp.tally(Rows(kent(50)), by=["gender"]), POPULATION, of="gender", reference="Male")


def test_a_verdict_that_depends_on_the_unknowns_says_so():
    known = kent(800, month=MONTHS[:2], ethnicity_self=KNOWN)
    sure = dp.rate_ratio(counted(known), POPULATION)
    assert (sure["verdict_holds"] == "holds").all()
    hidden = known + kent(4000, month=MONTHS[:2], ethnicity_self=SELF[8])
    black = row(dp.rate_ratio(counted(hidden), POPULATION), ethnicity_self="Black")
    assert black.verdict == "higher"
    assert black.verdict_holds == "depends on the unknowns"


def test_excess_is_the_count_beyond_the_reference_rate():
    some = kent()
    frame = dp.excess_searches(counted(some), POPULATION)
    a, n1, c, n0 = sides(some, "Black")
    black = row(frame, ethnicity_self="Black")
    assert black.estimate == pytest.approx(a - n1 * c / n0)
    assert black.low < black.estimate < black.high
    assert black.unit == "searches"
    with pytest.raises(UsageError, match="against itself"):
        dp.excess_searches(counted(some), POPULATION, reference="everyone")


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=14))
def test_month_dispersion_is_the_plain_one(pairs):
    a, c = np.array(pairs).T
    ours = month_dispersion(a, c, np.ones(len(pairs), bool))
    if sum(x + y for x, y in pairs):
        assert ours == pytest.approx(naive.month_dispersion(pairs))


limits = st.floats(0, 5)


@given(limits, limits, st.integers(0, 40), st.integers(0, 40), st.floats(0, 40), st.booleans())
def test_verdicts_in_the_stated_order(one, other, count, reference_count, expected, computable):
    low, high = sorted((one, other))
    arguments = (low, high, count, reference_count, expected, computable)
    names = ("low", "high", "count", "reference_count", "expected", "computable")
    ours = verdict(**{name: np.array([value]) for name, value in zip(names, arguments)})
    assert ours[0] == naive.verdict(*arguments)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.8, 1.25, "within the band"), (1.25, 2, "higher, size uncertain"), (0.5, 0.8, "lower, size uncertain"),
     (1.2500001, 2, "higher"), (0.5, 0.7999999, "lower"), (1, 1.3, "no clear difference")],
)  # fmt: skip
def test_edges_belong_to_the_band(low, high, said):
    at = {"count": np.array(50), "reference_count": np.array(50), "expected": np.array(50.0)}
    assert verdict(low=np.array(low), high=np.array(high), computable=np.array(True), **at) == said
