"""The tally: merging, refusing, projecting, recoding, selecting, keeping; every row accounted for."""

import numpy as np
import pytest
from hypothesis import given

import disprop as dp
from disprop.errors import (
    AxisMismatch,
    CodelistMismatch,
    DispropError,
    InputRefused,
    OverlapError,
    RevisionError,
    UnitMismatch,
    UsageError,
)
from disprop.provenance import Account, part_row, parts
from disprop.tallies import Axis, Scope, Tally, coded_axis, fold, load
from tests import naive
from tests.invent import POPULATION, many, rows
from tests.sources import Rows, by_part

BY = ["ethnicity_self", "outcome", "linked"]


def tally_of(some, **options):
    return dp.tally(Rows(some), by=BY, **options)


@given(rows)
def test_every_cell_equals_the_plain_count(some):
    tally = dp.tally(Rows(some, batch_rows=7), by=["ethnicity_self"])
    plain = naive.counts(some, lambda r: r["force"], lambda r: r["month"], lambda r: naive.group5(r["ethnicity_self"]))
    frame = tally.frame()
    ours = {(f, m, g): n for f, m, g, n in frame.itertuples(index=False)}
    assert ours == dict(plain)


@given(rows)
def test_rows_read_are_counted_or_excluded(some):
    account = tally_of(some).account
    vehicles = sum(row["search_type"] == "Vehicle search" for row in some)
    assert account.read == len(some)
    assert sum(account.excluded.values()) == vehicles
    assert account.counted == len(some) - vehicles


@given(rows)
def test_sum_of_parts_is_the_tally_of_all(some):
    pieces = [tally_of(piece) for piece in by_part(some)]
    if pieces:
        assert fold(pieces).difference(tally_of(some)) is None
        assert fold(pieces[::-1]) == fold(pieces)


def test_order_of_batches_and_their_size_do_not_matter():
    some = many(300)
    one = dp.tally(Rows(some, batch_rows=1), by=BY)
    assert one == dp.tally(Rows(some, batch_rows=300), by=BY)
    backwards = dp.tally(Rows(some[::-1], batch_rows=11), by=BY)
    assert one == backwards


def test_the_same_part_twice_is_an_overlap():
    one = tally_of(many(20, month="2019-04", force="kent"))
    with pytest.raises(OverlapError, match="kent 2019-04 is on both sides"):
        one + one


def test_two_versions_of_a_month_are_a_revision():
    one, other = (
        Tally((), np.array(3), "searches", parts=parts([part(files)]), account=Account(read=3)) for files in ("a", "b")
    )
    with pytest.raises(RevisionError, match=r"two versions of police\.uk search kent 2019-04"):
        one + other


def part(files):
    return part_row(dataset="police.uk", kind="search", force="kent", month=591, files=[files], rows=3)


def test_a_slot_twice_in_one_table_is_refused():
    with pytest.raises(RevisionError):
        parts([part("a"), part("b")])
    with pytest.raises(OverlapError):
        parts([part("a"), part("a")])


def test_units_never_mix():
    with pytest.raises(UnitMismatch, match=r"searches .* residents"):
        tally_of(many(5)).project(["force"]) + POPULATION.project(["force"])


def test_axes_must_be_the_same_ones():
    april, may = (many(9, month=m) for m in ("2019-04", "2019-05"))
    with pytest.raises(AxisMismatch, match="ethnicity_self"):
        dp.tally(Rows(april), by=["ethnicity_self"]) + dp.tally(Rows(may), by=["object"])


def test_another_codelist_version_is_refused_by_name():
    april, may = (dp.tally(Rows(many(9, month=m)), by=["gender"]) for m in ("2019-04", "2019-05"))
    older = Axis("gender", "gender@0.1", april.axis("gender").codes)
    old = Tally((*april.axes[:2], older), april.counts, "searches", parts=april.parts, account=april.account)
    with pytest.raises(CodelistMismatch, match=r"gender@0\.1"):
        old + may


def test_a_row_dropped_anywhere_breaks_the_balance():
    whole = tally_of(many(30))
    short = whole.counts.copy()
    short[tuple(np.argwhere(short)[0])] -= 1
    with pytest.raises(DispropError, match="does not balance"):
        Tally(whole.axes, short, "searches", account=whole.account)


def test_a_row_dropped_in_the_reader_breaks_the_balance():
    class Leaky(Rows):
        def batches(self, columns=None):
            for batch in super().batches(columns):
                yield batch.slice(1)

    with pytest.raises(DispropError, match="does not balance"):
        dp.tally(Leaky(many(30)), by=BY)


def test_counts_do_not_fit_the_axes():
    with pytest.raises(DispropError, match="the axes want int64"):
        Tally((coded_axis("gender", "gender"),), np.zeros(2, dtype=np.int64), "searches")


@given(rows)
def test_projecting_only_adds_up(some):
    tally = tally_of(some)
    assert tally.project(["linked", "force"]).total == tally.total
    assert tally.project(["force", "linked"]) == tally.project(["force", "linked", "month"]).project(
        ["force", "linked"]
    )
    turned = tally.project(["linked", "force"]).counts
    assert np.array_equal(turned.T, tally.project(["force", "linked"]).counts)


def test_cells_beyond_32_bits_add_exactly():
    big = 2**40 + 1
    one = Tally((), np.array(big), "searches", account=Account(read=big))
    assert (one + one).total == 2 * big


@given(rows)
def test_recoding_is_counting_in_the_coarser_list(some):
    fine = dp.tally(Rows(some), by=["ethnicity_self_19"])
    coarse = dp.tally(Rows(some), by=["ethnicity_self"])
    assert np.array_equal(fine.recode("ethnicity_self_19", "ethnicity_5").counts, coarse.counts)


@given(rows)
def test_two_axes_combined_by_a_rule(some):
    into = coded_axis("found", "flag")
    tally = tally_of(some).recode("outcome", "outcome_class")

    def rule(outcome, linked):
        return "yes" if outcome == "positive" and linked == "yes" else "no"

    both = tally.combine("outcome", "linked", into=into, rule=rule)
    yes = sum(naive.linked_positive(row) == "yes" for row in naive.persons(some))
    assert both[{"found": "yes"}] == yes
    assert both.names[-1] == "found"


def test_selecting_accounts_for_what_is_left_out():
    some = many(200)
    tally = tally_of(some)
    kent = tally.select(force="kent")
    assert kent.account.excluded["not selected: force"] == tally.total - kent.total
    assert {*kent.parts["force"].tolist()} == {"kent"}
    assert kent.scope.forces == ("kent",)
    spring = tally.between("2019-04", "2019-06")
    assert (spring.scope.first, spring.scope.last) == (591, 593)
    assert len(spring.parts) == len(tally.parts)
    assert spring.total == len([r for r in naive.persons(some) if r["month"] <= "2019-06"])


def test_selecting_while_scanning_is_selecting_afterwards():
    some = many(200)
    at_once = tally_of(some, force="kent", period=("2019-04", "2019-06"))
    after = tally_of(some).select(force="kent").between("2019-04", "2019-06")
    assert np.array_equal(at_once.counts, after.counts)
    assert at_once.account.counted == after.account.counted


def test_a_code_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="did you mean 'White'"):
        tally_of(many(20)).select(ethnicity_self="Whte")
    with pytest.raises(AxisMismatch, match="gender is wanted"):
        tally_of(many(20)).axis("gender")


def test_difference_says_where():
    some = many(60, search_type="Person search")
    changed = [*some[:-1], {**some[-1], "linked": "True" if some[-1]["linked"] == "False" else "False"}]
    one, other = tally_of(some), tally_of(changed)
    assert one.difference(one) is None
    assert "2 cells differ, first force=" in one.difference(other)
    assert "unit: searches against residents" in one.difference(POPULATION)


@given(rows)
def test_saved_and_loaded_is_the_same(tmp_path_factory, some):
    path = tmp_path_factory.mktemp("tally") / "t.parquet"
    tally = tally_of(some, period=("2019-04", "2019-09"))
    tally.save(path)
    assert load(path).difference(tally) is None


def test_a_population_keeps_its_missing_cells(tmp_path):
    POPULATION.save(tmp_path / "p.parquet")
    assert load(tmp_path / "p.parquet").difference(POPULATION) is None


def test_one_cell_is_a_tally_too(tmp_path):
    one = tally_of(many(10)).project([])
    one.save(tmp_path / "one.parquet")
    assert load(tmp_path / "one.parquet") == one


def test_loading_something_else_is_refused(tmp_path):
    import pandas as pd

    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("no")
    for name in ("other.parquet", "text.parquet", "absent.parquet"):
        with pytest.raises(InputRefused, match=name):
            load(tmp_path / name)


def test_scopes_join_to_the_wider_one():
    assert Scope(1, 3, ("kent",)) | Scope(2, 9, ("btp",)) == Scope(1, 9, ("btp", "kent"))
    assert Scope() | Scope(2, 9, ("btp",)) == Scope()


def test_nothing_to_add_is_refused():
    with pytest.raises(UsageError, match="nothing to add"):
        fold([])


def test_widening_adds_codes_without_records_and_for_residents_without_a_denominator():
    rows = [{"force": "kent", "month": "2019-04", "search_type": "Person search", "area": "E06000035"}]
    tally = dp.tally(Rows(rows), by=["area"]).widen("area", ["blank", "E07000105"])
    assert tally.axis("area").codes == ("E06000035", "E07000105", "blank")
    assert tally.counts.ravel().tolist() == [1, 0, 0]
    assert tally.missing is None
    people = dp.census(2021, by=["area"]).select(area=["E06000035"]).widen("area", ["E99999999"])
    assert people.missing.tolist() == [False, True]
    assert people.total == dp.census(2021, by=["area"])[{"area": "E06000035"}]
    with pytest.raises(AxisMismatch):
        dp.tally(Rows(rows), by=["gender"]).widen("gender", ["Other"])
