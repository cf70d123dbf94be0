"""Rules of intake about files and archives: which are read, which are refused, and what is said of them."""

import os
import struct
import zipfile
from pathlib import Path

import pytest
from police_files import KENT, csv_text, fields, kent, noted, rows_of, write_csv, write_json, write_text

import disprop.io.archive
from disprop.errors import InputRefused
from disprop.io import rules
from disprop.io.police_uk import read_police_uk

PLAIN = fields()
TWO = [PLAIN, fields(Gender="Female")]
AGAIN = csv_text(TWO)


# Which files


def test_link_loop(tmp_path):
    write_csv(tmp_path / "2019-04" / KENT, TWO)
    (tmp_path / "2019-04" / "up").symlink_to(tmp_path, target_is_directory=True)
    source = read_police_uk(tmp_path)
    assert len(rows_of(source)) == 2
    assert noted(source, rules.LINK_LOOP) == 1


def test_same_content(tmp_path):
    write_csv(tmp_path / KENT, TWO)
    write_csv(tmp_path / "copy" / KENT, TWO)
    write_csv(tmp_path / "kent.csv", TWO)
    write_csv(tmp_path / "0.csv", TWO)
    source = read_police_uk(tmp_path)
    assert len(rows_of(source)) == 2
    assert noted(source, rules.SAME_CONTENT) == 3
    assert [file.name for file in source.files] == [str(tmp_path / KENT)]


def test_other_police_uk_files(tmp_path):
    write_csv(tmp_path / KENT, TWO)
    write_text(tmp_path / "2019-04-kent-street.csv", "Crime ID,Month\n")
    write_text(tmp_path / "2019-04-kent-outcomes.csv", "Crime ID,Month\n")
    source = read_police_uk(tmp_path)
    assert len(rows_of(source)) == 2
    assert source.account.notes == {rules.OTHER_POLICE_UK: 2}


def test_other_files(tmp_path):
    write_csv(tmp_path / KENT, TWO)
    write_text(tmp_path / "residents.csv", "area,residents\nKent,1\n")
    write_text(tmp_path / "notes.md", "hello")
    write_json(tmp_path / "other.json", [{"id": 1}])
    source = read_police_uk(tmp_path)
    assert len(rows_of(source)) == 2
    assert source.account.notes == {rules.OTHER_FILE: 3}
    assert str(tmp_path / "residents.csv") in source.skipped[rules.OTHER_FILE]


def test_two_files_for_one_force_month(tmp_path):
    write_csv(tmp_path / "a" / KENT, TWO)
    write_csv(tmp_path / "b" / KENT, TWO[:1])
    with pytest.raises(InputRefused, match=rf"kent 2019-04: {rules.TWO_FILES}.*a/{KENT}.*b/{KENT}"):
        read_police_uk(tmp_path)


def test_two_files_whose_rows_fall_in_one_force_month(tmp_path):
    write_csv(tmp_path / KENT, TWO)
    write_csv(tmp_path / "kent.csv", TWO[:1])
    with pytest.raises(InputRefused, match=f"kent 2019-04: {rules.TWO_FILES}"):
        rows_of(read_police_uk(tmp_path))


def test_the_same_content_for_two_force_months(tmp_path):
    write_csv(tmp_path / KENT, TWO)
    write_csv(tmp_path / "2019-05-kent-stop-and-search.csv", TWO)
    with pytest.raises(InputRefused, match=rules.TWO_MONTHS):
        rows_of(read_police_uk(tmp_path))


def test_header_only_files_are_alike_and_all_observed(tmp_path):
    for month in ("2019-04", "2019-05"):
        write_csv(tmp_path / f"{month}-kent-stop-and-search.csv", [])
    source = read_police_uk(tmp_path)
    assert rows_of(source) == []
    assert source.parts["rows"].tolist() == [0, 0]
    assert sorted(source.parts["month"].tolist()) == [591, 592]


@pytest.mark.parametrize("path", ["absent.csv", "*.csv", "absent/**/x.csv", "nul\0.csv"])
def test_no_such_file(tmp_path, path):
    with pytest.raises(InputRefused, match=rules.MISSING_FILE):
        read_police_uk(tmp_path / path)


def test_nothing_to_read(tmp_path):
    write_text(tmp_path / "2019-04-kent-street.csv", "Crime ID,Month\n")
    with pytest.raises(InputRefused, match=rf"{rules.NOTHING_TO_READ}.*{rules.OTHER_POLICE_UK}: 1"):
        read_police_uk(tmp_path)


def test_permission_denied(tmp_path, monkeypatch):
    def denied(self):
        raise PermissionError(13, "Permission denied")

    file = kent(tmp_path, AGAIN)
    monkeypatch.setattr(disprop.io.archive.Member, "open", denied)
    with pytest.raises(InputRefused, match=f"{rules.NO_PERMISSION}; Permission denied"):
        rows_of(read_police_uk(file))


def test_a_link_to_itself_cannot_be_opened(tmp_path):
    (tmp_path / KENT).symlink_to(tmp_path / KENT)
    with pytest.raises(InputRefused, match=f"{KENT}: {rules.NO_PERMISSION}"):
        read_police_uk(tmp_path)


def test_a_pipe_is_neither_file_nor_folder(tmp_path):
    os.mkfifo(tmp_path / KENT)
    with pytest.raises(InputRefused, match=rules.NO_PERMISSION):
        read_police_uk(tmp_path / KENT)


def test_quarantine_file_that_cannot_be_written(tmp_path):
    source = read_police_uk(kent(tmp_path, AGAIN), quarantine=tmp_path / "absent" / "aside.csv")
    with pytest.raises(InputRefused, match="quarantine file"):
        rows_of(source)


@pytest.mark.parametrize("change", ["grow", "touch", "replace"])
def test_a_file_that_changes_while_it_is_read(tmp_path, change):
    file = kent(tmp_path, AGAIN)

    def meddle(done, total, name):
        if change == "grow":
            file.write_text(AGAIN + AGAIN)
        elif change == "touch":
            os.utime(file, ns=(0, 0))
        else:
            write_text(tmp_path / "new", AGAIN).replace(file)

    with pytest.raises(InputRefused, match=f"{KENT}: {rules.CHANGED}"):
        rows_of(read_police_uk(file, progress=meddle))


def test_a_file_that_changes_between_two_reads(tmp_path):
    file = kent(tmp_path, AGAIN)
    source = read_police_uk(file)
    rows_of(source)
    file.write_text(AGAIN.replace("Female", "Male  "))
    with pytest.raises(InputRefused, match=rules.CHANGED):
        rows_of(source)


# Archives


def archive(folder: Path, members: dict[str, bytes | str], **how) -> Path:
    path = folder / "2019-04.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **how) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_archive_members_are_read_like_files(tmp_path):
    path = archive(
        tmp_path,
        {
            f"2019-04/{KENT}": AGAIN,
            "2019-04/2019-04-kent-street.csv": "Crime ID,Month\n",
            "__MACOSX/2019-04/._" + KENT: b"\0\5\x16\7",
        },
    )
    unpacked = read_police_uk(kent(tmp_path / "unpacked", AGAIN))
    source = read_police_uk(path)
    assert rows_of(source) == rows_of(unpacked)
    assert source.account.notes == {rules.OTHER_POLICE_UK: 1}
    assert source.parts.tolist() == unpacked.parts.tolist()
    assert source.files[0].name == f"{path}:2019-04/{KENT}"


def test_zip64(tmp_path):
    path = tmp_path / "big.zip"
    with zipfile.ZipFile(path, "w") as file, file.open(f"2019-04/{KENT}", "w", force_zip64=True) as member:
        member.write(AGAIN.encode())
    assert struct.pack("<H", 1) + struct.pack("<H", 16) in path.read_bytes()  # the Zip64 field of the header
    assert len(rows_of(read_police_uk(path))) == 2


def test_encrypted_member(tmp_path):
    path = archive(tmp_path, {KENT: AGAIN})
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + at] |= 1
    path.write_bytes(content)
    with pytest.raises(InputRefused, match=f"{KENT}: {rules.ENCRYPTED}"):
        read_police_uk(path)


def test_archive_inside_an_archive(tmp_path):
    inner = archive(tmp_path, {KENT: AGAIN}).read_bytes()
    with pytest.raises(InputRefused, match=f"inner.zip: {rules.NESTED}"):
        read_police_uk(archive(tmp_path, {"inner.zip": inner}))


def test_member_that_fails_its_check_sum(tmp_path):
    path = tmp_path / "stored.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr(KENT, AGAIN)
    path.write_bytes(path.read_bytes().replace(b"Female", b"Femole", 1))
    with pytest.raises(InputRefused, match=f"{KENT}: {rules.DAMAGED}.*CRC"):
        rows_of(read_police_uk(path))


def test_archive_cut_off(tmp_path):
    path = archive(tmp_path, {KENT: AGAIN})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputRefused, match=rules.DAMAGED):
        read_police_uk(path)


def test_a_workbook_is_no_archive_of_files(tmp_path):
    write_csv(tmp_path / KENT, TWO)
    path = archive(tmp_path, {"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<x/>"})
    source = read_police_uk(tmp_path)
    assert len(rows_of(source)) == 2
    assert source.skipped == {rules.OTHER_FILE: [str(path)]}
