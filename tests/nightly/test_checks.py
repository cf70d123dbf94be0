"""What a night would refuse after reading everything is refused before it reads."""

import pytest

from disprop.errors import UsageError
from disprop.nightly import check, read_config
from disprop.synthetic import population
from tests.nightly import encounters
from tests.nightly.night import config, log, night

OFFICER = '[[tables]]\nmeasure = "force_rate"\nby = ["ethnicity_officer"]\n'
IN_VAIN = {
    "not perceived": (OFFICER, "perceived"),
    "no such reference": ('[[tables]]\nmeasure = "rate_ratio"\nby = ["ethnicity_self_19"]\n', "ethnicity_self_19"),
    "option of a wrong kind": (
        '[[tables]]\nmeasure = "find_rate"\nby = ["force"]\noptions = { confidence = "high" }\n', "confidence|high|str"
    ),
    "option out of range": (
        '[[tables]]\nmeasure = "find_rate"\nby = ["force"]\noptions = { confidence = 95 }\n', "confidence"
    ),
    "no such rule": ('[[tables]]\nmeasure = "find_rate"\nby = ["force"]\noptions = { rule = "none" }\n', "rule"),
    "option that is missing": ('[[tables]]\nmeasure = "hmicfrs"\nby = ["force"]\n', "vintage"),
    "axis that the measure takes apart": ('[[tables]]\nmeasure = "find_rate"\nby = ["outcome"]\n', "outcome"),
    "residents not known by age": ('[[tables]]\nmeasure = "age_standardised_rate"\nby = ["force"]\n', "age_band"),
    "residents not known by area": ('[[tables]]\nmeasure = "area_decomposition"\nby = ["force"]\n', "area"),
    "two of items": ('[[tables]]\nmeasure = "effect_search_share"\nby = ["tactic"]\n', "several of both"),
    "officers by raw shares": ('[[tables]]\nmeasure = "share_linked_to_video"\nby = ["officer"]\n', "shrunken"),
}  # fmt: skip


@pytest.fixture
def home(tmp_path):
    encounters.world(tmp_path / "home", months=("2023-04",), share=0.05)
    return tmp_path / "home"


def refused(path, match) -> None:
    """By `--check` and by the night, which stops before it reads."""
    told = read_config(path)
    with pytest.raises(UsageError, match=match):
        check(told)
    with pytest.raises(UsageError, match=match):
        night(path)
    assert log(path.parent, "read") == []
    assert not (path.parent / "store").exists()


@pytest.mark.parametrize("fault", IN_VAIN)
def test_a_table_that_no_records_could_fill_is_refused_before_reading(fault, home):
    tables, said = IN_VAIN[fault]
    refused(config(home, extracts=encounters.extracts(), tables=tables), rf"\[\[tables\]\] .*({said})")


def test_with_what_it_lacked_it_is_made(home):
    tables = OFFICER + "options = { perceived = true }\n"
    path = config(home, extracts=encounters.extracts(), tables=tables)
    assert len(check(read_config(path))) == 4
    assert night(path).published


@pytest.mark.parametrize("name", ["of", "by", "tally", "population", "persons"])
def test_what_the_file_cannot_give_is_no_option(name, home):
    table = f'[[tables]]\nmeasure = "rate_ratio"\nby = ["force"]\noptions = {{ {name} = "force" }}\n'
    with pytest.raises(UsageError, match=f"unknown key '{name}'"):
        read_config(config(home, tables=table))


def test_one_key_for_all_extracts(home):
    (home / "other.key").write_text("another example, no secret either")
    extracts = encounters.extracts().replace("secret.key", "other.key", 1)
    refused(config(home, extracts=extracts, tables=""), "two keys")
    (home / "other.key").write_text(encounters.SECRET + "\n")
    assert night(config(home, extracts=extracts, tables="")).published


def test_figures_of_records_that_no_extract_brings(home):
    extracts = encounters.extracts(("custody",))
    refused(config(home, extracts=extracts, tables=OFFICER + "options = { perceived = true }\n"), "force reports")
    refused(config(home, head="report = true", extracts=extracts, tables=""), "set report = false")
    night(config(home, extracts=encounters.extracts(), tables=""))
    assert night(config(home, extracts=extracts, tables=encounters.TABLES)).published, "the store has searches"


def test_a_report_for_which_residents_are_not_known(home):
    population(by=["force"]).save(home / "residents.parquet")
    refused(config(home, head="report = true", extracts=encounters.extracts(), tables=""), "report cannot be made")


def test_by_area_where_the_census_knows_the_residents(home):
    table = '[[tables]]\nmeasure = "area_decomposition"\nby = ["force"]\n'
    path = config(home, extracts=encounters.extracts(), tables=table)
    path.write_text(path.read_text().replace('population = "residents.parquet"\n', ""))
    assert check(read_config(path))
