"""Parts and pseudonyms of extracts: what names a part, when a key is needed, and that nothing raw comes through."""

import csv

import numpy as np
import pytest
from invented_extracts import invented
from kent_searches import HEAD, HEADER, KEY, MAPPING, OTHER_KEY, ROW, balanced, read, rows, wrote

from disprop.errors import InputRefused, RevisionError
from disprop.io import rules
from disprop.plan import tally
from disprop.provenance import union

# Parts


def test_a_file_of_many_months_fills_many_parts(tmp_path):
    text = HEADER + ROW * 2 + ROW.replace("/04/", "/06/")
    source = read(wrote(tmp_path / "x.csv", text))
    assert {(part["dataset"], part["kind"], part["force"], part["month"], part["rows"]) for part in source.parts} == {
        ("kent-searches", "search", "kent", 591, 2), ("kent-searches", "search", "kent", 593, 1),
    }  # fmt: skip


def test_a_month_in_two_files(tmp_path):
    wrote(tmp_path / "a.csv", HEADER + ROW)
    wrote(tmp_path / "b.csv", HEADER + ROW * 2)
    with pytest.raises(InputRefused, match=rules.TWO_FILES) as why:
        rows(read(tmp_path))
    assert "check time_zone in the mapping" in str(why.value)
    assert 'declare months = "several"' in str(why.value)
    both = read(tmp_path, 'months = "several"\n' + MAPPING)
    assert len(rows(both)) == 3
    assert both.parts["rows"].tolist() == [3]
    assert tally(both, by=[]).frame()["n"].tolist() == [3]


def test_what_a_part_is_named_by(tmp_path):
    """Bytes, mapping and key: a change of any is a revision of the same slot, which no sum takes twice."""
    path = wrote(tmp_path / "x.csv", HEADER + ROW)
    first = read(path).parts
    changed = [
        read(path, key=OTHER_KEY).parts,
        read(path, MAPPING + '[values.gender]\nM = "Male"\n').parts,
        read(wrote(tmp_path / "y.csv", HEADER + ROW + ROW)).parts,
    ]
    assert len({bytes(parts["part"][0]) for parts in [first, *changed]}) == 4
    assert len({bytes(parts["slot"][0]) for parts in [first, *changed]}) == 1
    for parts in changed:
        with pytest.raises(RevisionError):
            union(first, parts)
    assert np.array_equal(read(path).parts, first)


def test_a_mapping_without_key_columns_knows_no_key(tmp_path):
    path = wrote(tmp_path / "x.csv", HEADER + ROW)
    mapping = HEAD + '[columns]\nWhen = "event_time"\n'
    parts = {bytes(read(path, mapping, key=key).parts["part"][0]) for key in (KEY, OTHER_KEY, None)}
    assert len(parts) == 1


# Keys and privacy


def test_a_key_is_needed(tmp_path, monkeypatch):
    path = wrote(tmp_path / "x.csv", HEADER + ROW)
    monkeypatch.delenv("DISPROP_KEY", raising=False)
    with pytest.raises(InputRefused, match="no key to hash identifiers with"):
        read(path, key=None)
    monkeypatch.setenv("DISPROP_KEY", "an invented secret")
    assert rows(read(path, key=None)) == rows(read(path))
    with pytest.raises(InputRefused, match="key file"):
        read(path, key=tmp_path / "gone.key")


def test_officers_join_across_kinds_and_columns_and_nobody_else(tmp_path):
    mapping = MAPPING + 'Mate = "other_officer"\nWho = "person"\n'
    text = "Ref,Collar,When,Sex,Eth,Mate,Who\n7,7,01/04/2019 10:00,Male,W1,7,7\n"
    row = rows(read(wrote(tmp_path / "x.csv", text), mapping))[0]
    assert row["officer"] == row["other_officer"] == KEY.hash("7", of="officer")
    assert len({row["officer"], row["person"], row["reference"]}) == 3
    named = rows(read(tmp_path / "x.csv", mapping + '[keys]\nofficer = "payroll number"\n'))[0]
    assert named["officer"] == KEY.hash("7", of="payroll number") != named["other_officer"]


@pytest.mark.parametrize("kind", ["search", "force_report", "footage", "custody"])
def test_no_raw_identifier_leaves_the_door(tmp_path, kind):
    """Batches, quarantine, accounts and errors of an extract with every sort of bad row, searched for identifiers."""
    made_up = invented(kind, seed=9)
    when = made_up.header.index(next(name for name, target in made_up.is_what.items() if target == "event_time"))
    for i, row in enumerate(made_up.rows):
        if i % 7 == 0:
            row[when] = row[when - 1]  # a column slipped: an identifier or a story where the date should be
        if i % 11 == 0:
            row.pop()
        if i % 13 == 0:
            row[0] += '"'
    columns = "\n".join(f'"{name}" = "{target}"' for name, target in made_up.is_what.items())
    mapping = HEAD.replace('"search"', f'"{kind}"') + f"[columns]\n{columns}\n"
    if "ethnicity_officer" in made_up.is_what.values():
        mapping += '[schemes]\nethnicity_officer = "pnc"\n'
    source = read(wrote(tmp_path / "x.csv", made_up.text()), mapping, quarantine=tmp_path / "aside.csv")
    said = [str(row) for row in rows(source)] + [str(source.account), str(source.quarantined)]
    aside = (tmp_path / "aside.csv").read_text()
    with (tmp_path / "aside.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == sum(source.account.quarantined.values()) > 40
    everything = "\n".join([*said, aside]).casefold()
    wanted = {*made_up.identifiers, "Ann Example", "spoke to"}
    assert [one for one in wanted if one.casefold() in everything] == []
    assert "=" in aside
    assert balanced(source)


def test_a_quarantined_row_can_be_found_again(tmp_path):
    path = wrote(tmp_path / "x.csv", HEADER + ROW + "S2,C4412,31/02/2019 10:00,Male,Tall person\n")
    source = read(path, quarantine=tmp_path / "aside.csv")
    rows(source)
    row = source.quarantined[0]
    assert (row.line, row.reason, row.column, row.value) == (3, rules.DATE_UNREADABLE, "When", "99/99/9999 99:99")
    officer, reference = (
        f"{KEY.hash(*of[::-1][:1], of=of[0]):016x}" for of in (("officer", "C4412"), ("reference", "S2"))
    )
    assert row.row == f"Ref={reference}; Collar={officer}; When=99/99/9999 99:99; Sex=Male; Eth=Aaaa aaaaaa"
