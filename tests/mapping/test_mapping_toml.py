"""A mapping is strict: what is not understood is refused, by its key, with the nearest known name."""

import pytest

from disprop.errors import InputRefused
from disprop.io.mapping.columns import parse_mapping, read_mapping

HEAD = 'name = "kent-searches"\nkind = "search"\n'
WHEN = '[columns]\nWhen = "event_time"\n'
PLAIN = HEAD + WHEN

REFUSED = {
    "unknown key": ('tme_zone = "UTC"\n' + PLAIN, r"'tme_zone'; did you mean 'time_zone'"),
    "no columns": (HEAD, "columns"),
    "no name": ('kind = "search"\n' + WHEN, "name"),
    "name too long": (PLAIN.replace("kent-searches", "k" * 25), "at most 24"),
    "name taken": (PLAIN.replace("kent-searches", "police.uk"), "none of police.uk"),
    "no such kind": (PLAIN.replace('"search"', '"serach"'), "did you mean 'search'"),
    "no such force": ('force = "knet"\n' + PLAIN, "did you mean 'kent'"),
    "force left open": ('force = ""\n' + PLAIN, "no force ''"),
    "no such scheme": ('scheme = "pace"\n' + PLAIN, "not one of police.uk, home-office, pace2023"),
    "no such zone": ('time_zone = "BST"\n' + PLAIN, "not one of UTC, Europe/London"),
    "no such column": (PLAIN + 'Off = "oficer"\n', "no column 'oficer' of searches; did you mean 'officer'"),
    "column of another kind": (PLAIN + 'T = "tactics"\n', "no column 'tactics' of searches"),
    "derived column": (PLAIN + 'V = "video_link"\n', "no column 'video_link'"),
    "column twice": (PLAIN + 'Then = "event_time"\n', "'When' gives event_time already"),
    "header twice": (PLAIN + ' " when " = "gender"\n', "stands in columns already"),
    "header also ignored": ('ignore = ["WHEN"]\n' + PLAIN, "stands in columns already"),
    "whole and part": (PLAIN + 'Day = "event_time:date"\n', "gives the whole of event_time already"),
    "time alone": (HEAD + '[columns]\nT = "event_time:time"\n', "give event_time:date too"),
    "no date": (HEAD + '[columns]\nSex = "gender"\n', "event_time"),
    "no such role": (PLAIN + 'Age = "age_band:months"\n', "years may follow age_band"),
    "role of a label": (PLAIN + 'Sex = "gender:date"\n', "nothing may follow gender"),
    "duration of the start": (HEAD + '[columns]\nLong = "event_time:duration"\n', "event_time has no duration"),
    "unknown date part": ('date_formats = ["%q/%m/%Y"]\n' + PLAIN, "'%q', which is not understood"),
    "date without year": ('date_formats = ["%d/%m"]\n' + PLAIN, "day, month and year once each"),
    "date format left open": ('date_formats = [""]\n' + PLAIN, "day, month and year once each"),
    "both orders": ('date_formats = ["%d/%m/%Y", "%m/%d/%Y"]\n' + PLAIN, "cannot both be read"),
    "delimiter": ('delimiter = "::"\n' + PLAIN, "not one character"),
    "encoding": ('encoding = "cp12522"\n' + PLAIN, "no encoding 'cp12522'"),
    "separator": ('separator = ""\n' + PLAIN, "separator"),
    "months": ('months = "many"\n' + PLAIN, "not one of one, several"),
    "values of nothing": (PLAIN + '[values.gender]\nM = "Male"\n', "no source column gives gender"),
    "values of no column": (PLAIN + '[values.gneder]\nM = "Male"\n', "no column 'gneder'"),
    "values of a time": (PLAIN + '[values.event_time]\nx = "y"\n', "is a time"),
    "unknown target": (PLAIN + 'Sex = "gender"\n[values.gender]\nM = "Mael"\n', "'Mael' is no label of gender"),
    "unknown force target": (PLAIN + 'F = "force"\n[values.force]\nK = "knet"\n', "did you mean 'kent'"),
    "value twice": (PLAIN + 'Sex = "gender"\n[values.gender]\nM = "Male"\nm = "Female"\n', "two meanings"),
    "key value": (PLAIN + 'O = "officer"\n[values.officer]\nx = "y"\n', "alone"),
    "items of a label": (PLAIN + '[items.gender]\nMale = "Male"\n', "one label a record"),
    "key of a label": (PLAIN + 'Sex = "gender"\n[keys]\ngender = "x"\n', "no key column"),
    "key not mapped": (PLAIN + '[keys]\nofficer = "officer"\n', "no key column"),
    "key without a sort": (PLAIN + 'O = "officer"\n[keys]\nofficer = " "\n', "no sort"),
    "scheme of no column": (PLAIN + '[schemes]\nethnicty_self = "pnc"\n', "did you mean 'ethnicity_self'"),
    "scheme unknown": (PLAIN + '[schemes]\nethnicity_self = "pncc"\n', "not one of"),
    "wrong type": (PLAIN.replace('"kent-searches"', "3"), "Expected `str`"),
    "no TOML": ("name = ", "is no TOML"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path, case):
    text, message = REFUSED[case]
    path = tmp_path / "kent.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputRefused, match=message) as refused:
        read_mapping(path)
    assert str(refused.value).startswith("kent.toml")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputRefused, match=r"gone\.toml cannot be read"):
        read_mapping(tmp_path / "gone.toml")


def test_items_must_be_known_items():
    report = 'name = "f"\nkind = "force_report"\n' + WHEN + '[items.tactics]\n"T1" = "Shiled"\n'
    with pytest.raises(InputRefused, match="did you mean 'Shield'"):
        parse_mapping(report)


def test_the_digest_is_of_what_is_said_not_how():
    plain = parse_mapping(PLAIN + 'Sex = "gender"\n')
    again = parse_mapping(
        '# a note\nkind = "search"\nname = "kent-searches"\n[columns]\nSex = "gender"\nWhen="event_time"\n'
    )
    other = parse_mapping(PLAIN + 'Sex = "gender"\n[values.gender]\nM = "Male"\n')
    assert plain.digest == again.digest
    assert plain.digest != other.digest


def test_targets_go_by_the_scheme_of_their_column():
    text = (
        PLAIN + 'E = "ethnicity_officer"\n[schemes]\nethnicity_officer = "pnc"\n[values.ethnicity_officer]\nX = "IC3"\n'
    )
    assert parse_mapping(text).scheme_of("ethnicity_officer") == "pnc"
    with pytest.raises(InputRefused, match="'IC3' is no label"):
        parse_mapping(text.replace('"pnc"', '"pace2023"'))
