"""Commitments, draws and the verifier: every interference is named."""

import hashlib
import json
import os
import subprocess
import sys

import msgspec
import pyarrow as pa
import pytest
import second_draw
from invented_period import BEACON, COLUMNS, SALT, VALUE, date

from disprop.audit.commitment import Beacon, Ledger, commit
from disprop.audit.drawn import draw, read_draw, reviewers_list
from disprop.audit.planning import plan
from disprop.audit.verification import verify
from disprop.errors import InputRefused, Refused, UsageError


def failures(ledger, **options):
    return [check.words for check in verify(ledger, today=date(20), **options).failures]


def irregular(ledger, **options):
    return [check.words for check in verify(ledger, today=date(20), **options).irregular]


def changed(period, column, row, value):
    values = period.column(column).to_pylist()
    values[row] = value
    return period.set_column(period.column_names.index(column), column, pa.array(values))


def again(ledger, made, period, **options):
    later = Beacon("Lotto", "six numbers", (date(17),))
    return commit(made, period, ledger=ledger, beacon=later, salt=SALT, committed_on=date(12), **options)


def test_a_draw_verifies_against_records_salt_and_store(ledger, drawn, period):
    ids = period.column("record_id").to_pylist()
    found = verify(ledger, records=period, salt=SALT, store_count=600, store_ids=ids, today=date(20))
    assert found.holds
    assert not found.irregular
    assert sum(check.result == "holds" for check in found.checks) == 5


def test_the_lodged_files_are_what_the_second_implementation_makes(ledger, drawn, period):
    rows = period.to_pylist()
    frame = second_draw.frame_bytes(
        rows, period.column_names, strata=["ethnicity"], domains=["unit"], grounds="grounds", salt=SALT
    )
    assert frame == (ledger / "0001-frame.csv").read_bytes()
    digest = bytes.fromhex(json.loads((ledger / "0001-commitment.json").read_bytes())["frame_sha256"])
    listed = second_draw.drawn_list(rows, ["ethnicity"], digest, (ledger / "0001-plan.json").read_bytes(), VALUE)
    assert second_draw.list_bytes(listed, ["ethnicity"]) == (ledger / "0001-draw.csv").read_bytes()


def test_another_process_verifies_offline_and_alike(ledger, drawn):
    """Another interpreter, another hash seed, no thread in common: the same words."""
    code = "import sys; from disprop.audit.verification import verify; print(*verify(sys.argv[1]).checks, sep=chr(10))"
    run = [sys.executable, "-c", code, str(ledger)]
    texts = {
        subprocess.run(
            run, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {"\n".join(map(str, verify(ledger).checks)) + "\n"}


def test_every_drawn_stratum_has_its_sample(drawn, made):
    roles = drawn.list.group_by(["ethnicity", "role"]).aggregate([([], "count_all")]).to_pylist()
    counts = {(row["ethnicity"], row["role"]): row["count_all"] for row in roles}
    for size in made.sizes:
        assert counts[size.stratum[0], "sample"] == size.sample
        assert counts.get((size.stratum[0], "reserve"), 0) == size.reserves


def test_the_reviewers_list_tells_no_group(drawn):
    text = reviewers_list(drawn).decode()
    assert text.splitlines()[0] == "list,place,role,record_id"
    assert not any(name in text for name in ("White", "Black", "North", "South", "seen"))


def test_reading_and_drawing_again_give_the_same(ledger, drawn):
    found, repeated = read_draw(ledger), draw(ledger, beacon_value=f" {VALUE} ")
    assert found.list.equals(drawn.list)
    assert found.proof == drawn.proof == repeated.proof
    assert found.domains.equals(drawn.domains)


def test_one_byte_of_grounds_is_named(ledger, drawn, period):
    text = period.column("grounds")[41].as_py()
    found = failures(ledger, records=changed(period, "grounds", 41, text + "."), salt=SALT)
    assert found == ["changed after the commitment: grounds text changed in 1 record: '00041'"]


def test_a_changed_stratum_or_domain_is_named(ledger, drawn, period):
    found = failures(ledger, records=changed(period, "ethnicity", 7, "Black"), salt=SALT)
    assert found == ["changed after the commitment: 'ethnicity' of record '00007' was 'White' and is 'Black'"]
    south = {"North": "South", "South": "North"}[period.column("unit")[9].as_py()]
    found = failures(ledger, records=changed(period, "unit", 9, south), salt=SALT)
    assert "'unit' of record '00009'" in found[0]


def test_records_gone_and_new_are_named(ledger, drawn, period):
    assert "1 record is gone: '00000'" in failures(ledger, records=period.slice(1), salt=SALT)[0]
    assert "1 record is new: 'new'" in failures(ledger, records=_with(period, "new"), salt=SALT)[0]
    many = failures(ledger, records=period.slice(8), salt=SALT)[0]
    assert "8 records are gone: '00000', '00001', '00002', '00003', '00004' and 3 more" in many


def _with(period, record_id):
    row = period.slice(0, 1).to_pylist()[0] | {"record_id": record_id}
    return pa.concat_tables([period, pa.Table.from_pylist([row])])


def test_another_salt_changes_every_hash(ledger, drawn, period):
    found = failures(ledger, records=period, salt=bytes(32))
    assert "grounds text changed in 600 records" in found[0]


def test_an_omitted_record_is_named_by_the_store(ledger, drawn, period):
    ids = period.column("record_id").to_pylist()
    assert failures(ledger, store_count=601) == ["the frame has 600 records; the store holds 601 for the period"]
    assert failures(ledger, store_ids=[*ids, "00777"]) == ["1 record is omitted from the frame: '00777'"]
    assert failures(ledger, store_ids=ids[1:]) == ["1 record is not in the store: '00000'"]


def test_an_altered_lodged_frame_is_named_by_stratum_and_by_record(ledger, drawn, period):
    path = ledger / "0001-frame.csv"
    lines = path.read_bytes().split(b"\n")
    at = next(i for i, line in enumerate(lines) if b",Mixed,North," in line)
    record_id = lines[at][:5].decode()
    lines[at] = lines[at].replace(b"North", b"Nortg")
    path.write_bytes(b"\n".join(lines))
    found = failures(ledger)
    assert "the lodged frame is not the one that was committed; altered in stratum 'Mixed'" in found
    assert "the draw cannot be repeated without the committed plan and frame" in found
    named = failures(ledger, records=period, salt=SALT)
    assert f"changed after the commitment: 'unit' of record '{record_id}' was 'Nortg' and is 'North'" in named
    with pytest.raises(Refused, match="lodged frame is not the one"):
        draw(ledger, beacon_value=VALUE)


@pytest.mark.parametrize("content", [b"", b"record_id,ethnicity\n", b"\xff\xfe", b"id,unit\na,N\n"])
def test_a_frame_altered_beyond_reading_still_fails(ledger, drawn, content):
    (ledger / "0001-frame.csv").write_bytes(content)
    assert "the lodged frame is not the one that was committed" in failures(ledger)[0]


def test_every_single_byte_of_the_lodged_files_matters(ledger, drawn):
    """Flip one byte at many places of every file: verify never holds."""
    for name in ("frame.csv", "plan.json", "commitment.json", "draw.csv", "proof.json"):
        path = ledger / f"0001-{name}"
        content = path.read_bytes()
        for at in range(0, len(content), max(1, len(content) // 12)):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            if name == "commitment.json" and verify(ledger, today=date(20)).holds:
                # a commitment that is still whole shows by its digest, which the panel was given
                assert _digest_note(ledger) != _digest_note_of(content)
                continue
            assert not verify(ledger, today=date(20)).holds, (name, at)
        path.write_bytes(content)
    assert verify(ledger, today=date(20)).holds


def _digest_note(ledger):
    return next(check.words for check in verify(ledger).checks if "SHA-256 of the commitment" in check.words)[-64:]


def _digest_note_of(content):
    return hashlib.sha256(content).hexdigest()


def test_an_altered_list_is_named_by_row(ledger, drawn):
    path = ledger / "0001-draw.csv"
    lines = path.read_bytes().split(b"\n")
    lines[2], lines[3] = lines[3], lines[2]
    path.write_bytes(b"\n".join(lines))
    assert "row 2 is" in failures(ledger)[0]
    path.write_bytes(b"\n".join(lines[:5]) + b"\n")
    assert "not the one that the draw gives" in failures(ledger)[0]


def test_the_list_cannot_be_drawn_twice_with_another_value(ledger, drawn):
    with pytest.raises(Refused, match="drawn already"):
        draw(ledger, beacon_value="1-2-3-4-5-6")


def test_a_missed_beacon_means_the_next_one_and_is_listed(ledger):
    found = draw(ledger, beacon_value=VALUE, beacon_date=date(10))
    assert found.proof.missed_dates == (date(6),)
    assert irregular(ledger) == [
        "the beacon of 2024-04-06 was taken as missed and that of 2024-04-10 used: check that nothing was published"
    ]
    assert verify(ledger, today=date(20)).holds


def test_a_beacon_that_was_not_named_is_refused(ledger):
    with pytest.raises(UsageError, match="not one that the commitment names"):
        draw(ledger, beacon_value=VALUE, beacon_date=date(7))


def test_one_commitment_a_period(ledger, made, period):
    with pytest.raises(Refused, match="commitment 1 for 2024-03 already"):
        again(ledger, made, period)


def test_abandoned_commitments_are_listed(ledger, made, period):
    assert irregular(ledger) == ["abandoned: its last beacon, of 2024-04-10, has passed and nothing was drawn"]
    second = again(ledger, made, period, reason="the frame lacked one unit")
    assert second.number == 2
    assert irregular(ledger)[0] == (
        "abandoned before it was drawn: replaced by commitment 2, with the reason 'the frame lacked one unit'"
    )


def test_a_draw_that_was_thrown_away_is_listed(ledger, drawn, made, period):
    again(ledger, made, period, reason="we did not like it")
    draw(ledger, beacon_value=VALUE)
    assert irregular(ledger) == [
        "abandoned after its draw: replaced by commitment 2, with the reason 'we did not like it'"
    ]
    assert verify(ledger, today=date(20)).holds


def test_a_waiting_commitment_is_neither_abandoned_nor_a_failure(ledger):
    found = verify(ledger, today=date(3))
    assert found.holds
    assert not found.irregular
    assert "waiting for the beacon" in found.checks[-1].words


def test_a_reason_without_a_commitment_to_replace(tmp_path, made, period):
    with pytest.raises(UsageError, match="no commitment for 2024-03"):
        again(tmp_path / "new", made, period, reason="why not")


def test_commitments_are_chained(ledger, drawn, made, period):
    again(ledger, made, period, reason="again")
    path = ledger / "0001-commitment.json"
    path.write_bytes(path.read_bytes().replace(b"600", b"601"))
    assert "commitment 1 was altered after commitment 2 was made" in failures(ledger)
    for name in ("commitment.json", "frame.csv", "plan.json", "draw.csv", "proof.json"):
        (ledger / f"0001-{name}").unlink()
    assert "commitment 1 is missing from the ledger" in failures(ledger)


def test_missing_parts_are_named(ledger, drawn, period):
    (ledger / "0001-plan.json").unlink()
    found = failures(ledger, records=period, salt=SALT)
    assert any("0001-plan.json is missing" in words for words in found)
    assert any("cannot be compared" in words for words in found)


def test_a_commitment_must_come_before_its_beacon(tmp_path, made, period):
    for beacon, words in (
        (BEACON, "not after the commitment"),
        (Beacon("x", "y", ()), "at least one date"),
        (Beacon("x", "y", (date(30), date(29))), "must rise"),
    ):
        with pytest.raises(UsageError, match=words):
            commit(made, period, ledger=tmp_path / "new", beacon=beacon, salt=SALT, committed_on=date(6))


def test_verify_sees_a_commitment_dated_after_its_beacon(ledger):
    path = ledger / "0001-commitment.json"
    path.write_bytes(path.read_bytes().replace(b'"committed_on": "2024-04-02"', b'"committed_on": "2024-04-08"'))
    assert "the beacon of 2024-04-06 is not after the commitment (2024-04-08)" in failures(ledger)


def test_records_that_changed_since_the_plan_are_refused(tmp_path, made, period):
    with pytest.raises(Refused, match="'White' had 340 records when the plan was made and has 339 now"):
        again(tmp_path / "new", made, period.slice(1))


def test_a_frame_that_is_not_the_store_is_refused_at_the_commitment(tmp_path, made, period):
    ids = [*period.column("record_id").to_pylist(), "00999"]
    with pytest.raises(Refused, match="omitted from the frame: '00999'"):
        again(tmp_path / "new", made, period, store_ids=ids)
    with pytest.raises(Refused, match="the store holds 700"):
        again(tmp_path / "new", made, period, store_count=700)
    assert not (tmp_path / "new").exists()


def test_records_that_changed_since_the_commitment_stop_the_draw(ledger, period):
    with pytest.raises(Refused, match="grounds text changed in 1 record: '00003'"):
        draw(ledger, beacon_value=VALUE, records=changed(period, "grounds", 3, ""), salt=SALT)
    draw(ledger, beacon_value=VALUE, records=period, salt=SALT)


def test_a_commitment_cut_short_can_be_made_again(tmp_path, made, period):
    folder = tmp_path / "ledger"
    Ledger(folder).write(1, "frame.csv", b"half a fra")
    commit(made, period, ledger=folder, beacon=BEACON, salt=SALT, committed_on=date(2))
    assert verify(folder, today=date(3)).holds
    with pytest.raises(Refused, match="never overwritten"):
        Ledger(folder).write(1, "frame.csv", b"another")


def test_an_empty_ledger(tmp_path):
    for act in (verify, read_draw, lambda folder: draw(folder, beacon_value="1")):
        with pytest.raises(UsageError, match="holds no commitment"):
            act(tmp_path)


def test_a_ledger_that_was_not_drawn(ledger):
    with pytest.raises(UsageError, match="commitment 1 is not drawn yet"):
        read_draw(ledger)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"kind": "x"}', b"\xff"])
def test_a_broken_commitment(ledger, content):
    (ledger / "0001-commitment.json").write_bytes(content)
    assert "not a whole disprop audit commitment" in failures(ledger)[0]
    with pytest.raises(InputRefused, match="not a whole"):
        draw(ledger, beacon_value=VALUE)


def test_a_simple_draw_without_ids(tmp_path):
    """No strata, no record id: row hash and copy number stand in, and two copies are two records."""
    records = pa.table({"when": ["a", "b", "b", "c"], "what": ["x", "y", "y", "z"]})
    columns = COLUMNS.__class__(record_id=None)
    made = plan(records, period="p", columns=columns, sample=2)
    commit(made, records, ledger=tmp_path, beacon=BEACON, salt=SALT, committed_on=date(2))
    found = draw(tmp_path, beacon_value=VALUE)
    assert found.list.num_rows == 3
    assert verify(tmp_path, records=records, salt=SALT, today=date(20)).holds
    assert failures(tmp_path, records=records.slice(1), salt=SALT)


def test_a_proof_taken_away_does_not_make_a_draw_look_as_if_never_held(ledger, drawn):
    (ledger / "0001-proof.json").unlink()
    found = failures(ledger)
    assert len(found) == 1
    assert "0001-proof.json is missing" in found[0]
    assert not irregular(ledger)


def test_a_second_commitment_must_say_which_it_replaces(ledger, drawn, made, period):
    again(ledger, made, period, reason="again")
    lodged = Ledger(ledger).commitment(2)
    silent = msgspec.structs.replace(lodged, replaces=None)
    (ledger / "0002-commitment.json").write_bytes(silent.to_bytes())
    words = "a second commitment for 2024-03 that does not say why commitment 1 was abandoned"
    assert words in failures(ledger)


def test_files_without_their_commitment_are_named(ledger, drawn, made, period):
    again(ledger, made, period, reason="again")
    (ledger / "0002-commitment.json").unlink()
    assert [words.split(" stands")[0] for words in irregular(ledger)] == ["0002-frame.csv", "0002-plan.json"]


def test_a_draw_before_its_beacon_is_a_failure(ledger, drawn):
    found = verify(ledger, today=date(5))
    assert [check.words for check in found.failures] == ["drawn with the beacon of 2024-04-06, which is still to come"]


@pytest.mark.parametrize("field", ["records", "store_count"])
def test_a_commitment_that_counts_otherwise_than_its_frame(ledger, field):
    lodged = Ledger(ledger).commitment(1)
    (ledger / "0001-commitment.json").write_bytes(msgspec.structs.replace(lodged, **{field: 599}).to_bytes())
    found = failures(ledger)
    assert len(found) == 1
    assert "says 599 records" in found[0]
    assert "has 600" in found[0]


def test_another_salt_is_suspected_when_every_record_changed(ledger, period):
    assert "is this the salt of the commitment?" in failures(ledger, records=period, salt=bytes(32))[0]
