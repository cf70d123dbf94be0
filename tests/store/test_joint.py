"""The joint number of a store: what it is made of, when it is read, and that it never says other than its columns."""

import json

import numpy as np
import pyarrow as pa
import pytest

import disprop as dp
from disprop.fused import plan_fused
from disprop.io.store import add, compact, open_store, purge, verify
from disprop.io.store.joint import JOINT_COLUMNS, joint_codes, joint_sizes
from disprop.io.store.manifest import read_manifest
from disprop.plan import make_request
from disprop.records import JOINT, axis_spec
from tests.invent import many
from tests.store.slots import filed
from tests.store.test_fused import check

BY = ["ethnicity_self", "gender", "age_band"]
WANTED = [[*BY, "linked"], [*BY, "video_recorded"], ["gender"], ["ethnicity_self", "linked"]]


def plan(store, wanted=WANTED, **asked):
    request = make_request(asked.get("force"), asked.get("period"), False)
    specs = [tuple(axis_spec(name) for name in by) for by in wanted]
    return plan_fused(store, specs, request.scope, vehicle_only=False)


def naive_number(codes, sizes):
    """Digits of mixed radix, first column first."""
    number = 0
    for code, size in zip(codes, sizes):
        number = number * size + int(code)
    return number


@pytest.fixture
def grown(folder):
    """A store whose second addition brought labels that the first did not know."""
    add(folder, filed(many(200, force="kent", month="2019-04", gender="Female")))
    add(folder, filed(many(200, 2, force="btp", month=("2019-05", "2020-01"))))
    return folder


def test_the_number_is_made_of_the_codes_of_its_columns(stored):
    store = stored(filed(many(300, force="kent", month="2019-04")))
    (row,) = store.rows()
    sizes = store.mapped().joint(np.array([0]))
    assert sizes == {name: len(store.labels(name)) for name in JOINT_COLUMNS}
    codes = store.codes(row, dict.fromkeys([JOINT, *sizes], "label"))
    for i in range(300):
        assert codes[JOINT][i] == naive_number([codes[name][i] for name in sizes], sizes.values())


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ((20, 4, 3, 4, 7, 4), JOINT_COLUMNS),
        # one that does not fit is left out: 9,600 x 7 would be 67,200
        ((200, 4, 3, 4, 7, 4), ("ethnicity_self", "search_type", "linked", "gender", "video_recorded")),
        ((200, 400, 3, 4, 7, 4), ("ethnicity_self", "linked", "gender", "age_band")),
        ((1 << 16, 2, 2, 2, 2, 2), ()),  # one column alone is no joint number
    ],
)
def test_as_many_columns_as_two_bytes_hold(sizes, kept):
    labels = {name: [""] * size for name, size in zip(JOINT_COLUMNS, sizes)}
    assert tuple(joint_sizes(dict.fromkeys(labels, "label"), labels)) == tuple(kept)


def test_the_largest_number_is_held():
    for sizes in ({"gender": 256, "linked": 256}, {"gender": 1 << 16, "linked": 1}, {"gender": 1, "linked": 1 << 16}):
        columns = {name: np.array([0, size - 1], np.uint32) for name, size in sizes.items()}
        assert joint_codes(columns, sizes).tolist() == [0, 65_535]


@pytest.mark.parametrize("threads", [None, 1, 2, 8])
def test_counts_are_those_of_the_columns(grown, threads):
    compact(grown, grace_days=0)
    store = open_store(grown)
    assert list(plan(store).read_columns) == [JOINT]
    check(store, WANTED, threads)
    check(store, WANTED, threads, force="btp", period=("2019-05", "2019-06"))
    check(store, [BY, BY[:2]], threads, vehicle_only=True)


def test_read_only_where_it_stands_for_all_that_is_needed_and_more_than_one_column(grown):
    compact(grown, grace_days=0)
    store = open_store(grown)
    assert JOINT not in plan(store, [["gender", "outcome"]]).read_columns
    assert list(plan(store, [["linked"]]).read_columns) == [JOINT]  # the rule of vehicles is the second
    specs = [(axis_spec("gender"),)]
    alone = plan_fused(store, specs, make_request(None, None, False).scope, vehicle_only=True)
    assert list(alone.read_columns) == ["gender"]


def test_parts_of_other_vocabularies_are_counted_by_their_columns(grown):
    store = open_store(grown)
    assert JOINT not in plan(store).read_columns
    check(store, WANTED)
    assert list(plan(store, force="kent").read_columns) == [JOINT]  # these alone are of one
    check(store, WANTED, force="kent")
    check(store, WANTED, 1, force="kent")


@pytest.mark.parametrize("threads", [None, 1])
def test_the_rule_of_vehicles_knows_the_search_types_of_the_time(folder, threads):
    """Types that came later are no digits of an earlier number; nor may the rule make room for them."""
    add(folder, filed(many(200, force="kent", month="2019-04", search_type=("Person search", "Vehicle search"))))
    add(folder, filed(many(200, 2, force="btp", month="2019-05", search_type=("Odd search", "Odder search", None))))
    store = open_store(folder)
    assert list(plan(store, force="kent").read_columns) == [JOINT]
    check(store, WANTED, threads, force="kent")
    check(store, [["search_type", "gender"], ["search_type"]], threads, force="kent")


def test_compacting_makes_one_number_of_all(grown):
    before = dp.tally(grown, by=BY)
    compact(grown, grace_days=0)
    assert len({row[JOINT] for row in read_manifest(grown).rows()}) == 1
    add(grown, filed(many(50, 3, force="kent", month="2021-01", gender="Unheard of")))
    assert len({row[JOINT] for row in read_manifest(grown).rows()}) == 2
    compact(grown, grace_days=0)
    assert len({row[JOINT] for row in read_manifest(grown).rows()}) == 1
    assert dp.tally(grown, by=BY, period=("2019-01", "2020-12")).counts.sum() == before.counts.sum()
    assert verify(grown) == []


def test_purging_keeps_it_true(grown):
    purge(grown, reason="retention", before="2019-05")
    assert verify(grown) == []
    check(open_store(grown), WANTED)


def test_it_is_no_column_of_the_records(grown):
    store = open_store(grown)
    assert JOINT not in store.columns
    assert all(JOINT not in batch.schema.names for batch in store.batches())


def test_a_number_that_says_other_than_its_columns_is_found(grown):
    store = open_store(grown)
    row = next(row for row in store.rows() if row["force"] == "kent")
    path = grown / "segments" / store.manifest.segments[row["segment"]][0]
    raw = bytearray(path.read_bytes())
    at = row["joint:offset"]
    raw[at : at + 2] = (int.from_bytes(raw[at : at + 2], "little") ^ 1).to_bytes(2, "little")
    path.write_bytes(raw)
    assert any("joint number does not say" in fault for fault in faults(grown, path))


def faults(folder, path):
    """What `verify` says of a file whose name is that of its bytes."""
    from disprop.io.store.durable import file_digest
    from disprop.io.store.maintenance import _segment_faults
    from disprop.io.store.manifest import Draft

    draft = Draft.of(read_manifest(folder))
    rows = [row for row in draft.rows.values() if row["segment"] == path.name]
    renamed = path.rename(path.with_name(f"{file_digest(path)}.arrow"))
    return _segment_faults(folder, renamed.name, renamed.stat().st_size, rows, draft)


def test_a_store_written_before_there_was_one_is_read_by_its_columns_and_given_it_by_compacting(grown):
    take_away(grown)
    store = open_store(grown)
    assert JOINT not in plan(store, force="kent").read_columns
    check(store, WANTED)
    compact(grown, grace_days=0)
    assert list(plan(open_store(grown)).read_columns) == [JOINT]
    assert verify(grown) == []


def take_away(folder):
    """The manifest as it was written before stores had joint numbers."""
    from disprop.io.store.durable import publish
    from disprop.io.store.manifest import _write_table, current, manifest_path

    now = current(folder)
    table = pa.ipc.open_file(str(manifest_path(folder, now["number"]))).read_all()
    raw = dict(table.schema.metadata)
    raw[b"columns"] = json.dumps({k: v for k, v in json.loads(raw[b"columns"]).items() if k != JOINT}).encode()
    table = table.drop_columns([name for name in table.column_names if name.partition(":")[0] == JOINT])
    table = table.replace_schema_metadata(raw)
    now["manifest"] = publish(manifest_path(folder, now["number"]), lambda file: _write_table(file, table))
    publish(folder / "CURRENT", lambda file: file.write(json.dumps(now).encode()))
