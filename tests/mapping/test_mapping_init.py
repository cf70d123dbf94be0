"""A proposed mapping needs only the listed edits: shuffled, renamed columns of every kind, and the truth as the judge."""

from collections import Counter

import pytest
from edits import made
from invented_extracts import NOISE, invented

from disprop.io.mapped import read_mapped
from disprop.io.mapping import parse_mapping
from disprop.io.mapping_check import check_mapping
from disprop.io.mapping_propose import propose_mapping
from disprop.keys import KeyedHash
from disprop.plan import tally

KEY = KeyedHash(b"an invented secret")
ANSWERS = {"force": '"kent"', "scheme": '"pace2023"', "time_zone": '"Europe/London"', "date_formats": '["%d/%m/%Y %H:%M"]'}
COUNTED = {
    "search": ("gender", "ethnicity_self", "ethnicity_officer", "legislation", "object", "outcome", "linked"),
    "force_report": ("gender", "ethnicity_officer", "officer_injury", "person_injury", "video_recorded"),
    "custody": ("gender", "ethnicity_self", "age_band"),
    "footage": (),
}
CASES = [(kind, seed, naming) for kind in COUNTED for seed in range(4) for naming in ("known", "opaque")]


def settled(made_up, path, **options):
    proposal = propose_mapping(path, **options)
    text = made(proposal, ANSWERS, made_up.is_what, made_up.items, {})
    return proposal, parse_mapping(text)


@pytest.mark.parametrize(("kind", "seed", "naming"), CASES)
def test_a_proposal_needs_only_the_listed_edits(tmp_path, kind, seed, naming):
    made_up = invented(kind, seed=seed, naming=naming, flags=kind == "force_report")
    path = tmp_path / "extract.csv"
    path.write_text(made_up.text(), encoding="utf-8")
    proposal, mapping = settled(made_up, path, kind=kind)
    found = check_mapping(mapping, path)
    assert found.complete, list(found.lines())
    assert mapping.columns == made_up.is_what
    assert {header: (column, item) for column, flags in mapping.items.items() for header, item in flags.items()} == (
        made_up.items
    )
    source = read_mapped(path, mapping=mapping, key=KEY)
    for axis in COUNTED[kind]:
        assert counts(tally(source, by=[axis]), axis) == truth(made_up, axis)
    assert counts(tally(source, by=[]), None) == truth(made_up, None)


def counts(tallied, axis):
    frame = tallied.frame()
    keys = zip(frame["month"], frame[axis]) if axis else zip(frame["month"])
    return {key: n for key, n in zip(keys, frame["n"])}


def truth(made_up, axis):
    return Counter((record["month"], record[axis]) if axis else (record["month"],) for record in made_up.truth)
