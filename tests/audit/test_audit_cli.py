"""The round trip of docs/audit.md, command by command, and what each command says when something is wrong."""

import csv
import hashlib
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from filling import fill

from disprop.audit.estimation import ALL_METHODS
from disprop.audit.planning import read_plan
from disprop.cli import cli
from disprop.commands.audit import METHODS
from disprop.errors import DispropError, Refused, UsageError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"


def documented():
    """The commands of the page, in order."""
    block = re.search(r"## The round trip, by command line.*?```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    return [shlex.split(line)[1:] for line in block[1].splitlines()]


def run(*arguments):
    """One command in this process: exit code and what it printed; known errors are raised."""
    found = CliRunner().invoke(cli, [str(each) for each in arguments], standalone_mode=False)
    if found.exception is not None:
        raise found.exception
    return found.return_value, found.output


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the records that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    chance = np.random.default_rng(7)
    with Path("records.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["record_id", "time", "ethnicity", "unit", "grounds"])
        for i in range(2600):
            group = chance.choice(["White", "Asian", "Black", "Mixed"], p=[0.5, 0.3, 0.14, 0.06])
            unit = chance.choice(["North", "South"])
            rows.writerow([f"S{i:05}", f"2024-03-{1 + i % 31:02} 21:15", group, unit, f'seen to pass "it", {i}'])
    Path("salt.txt").write_text("07" * 32 + "\n")  # a new salt would draw another sample at every run
    return tmp_path


def first_answers(row):
    number = int(row["record_id"][1:])
    if row["role"] != "sample":
        return {}
    if number % 40 == 0:
        return {"status": "could not be reviewed", "reason": "restricted"}
    return {
        "grounds_reasonable": "no" if number % 7 == 0 else "yes",
        "object_told": "yes" if number % 3 else "no",
        "copy_offered": "no",
        "video_complete": "whole" if number % 2 else "part",
        "grounds_source": "both",
        "cannabis_smell_alone": "no",
        "comment": "ask for the video" if number % 2 == 0 else "",
    }


def second_answers(row):
    number = int(row["record_id"][1:])
    return {"grounds_reasonable": "no" if number % 7 == 0 or number % 11 == 0 else "yes"}


def walk(until=None):
    """Run the documented commands, filling in the sheets in between; (code, output) of each by its name and place."""
    done = []
    for arguments in documented():
        name = arguments[1]
        if name == "read":
            fill(Path("sheet-a.xlsx"), Path("filled-a.csv"), first_answers)
            fill(Path("sheet-b.csv"), Path("filled-b.csv"), second_answers)
        done.append((name, *run(*arguments)))
        if name == until:
            break
    return done


def test_the_documented_round_trip(place):
    done = walk()
    assert [name for name, _, _ in done] == [
        "plan", "commit", "draw", "verify", "sheet", "sheet", "read", "estimate", "estimate", "report",
    ]  # fmt: skip
    assert {code for _, code, _ in done} == {0}
    said = {name: output for name, _, output in done}
    assert "records of 2,600 will be drawn" in said["plan"]
    assert "SHA-256 of the commitment" in said["commit"]
    assert "bit for bit" in said["verify"]
    assert "0 problems" in said["read"]
    estimates = pd.read_csv("estimates.csv")
    overall = estimates.iloc[0]
    assert overall["estimate"] == pytest.approx(6 / 7, abs=0.08)
    assert overall["low"] < 2229 / 2600 < overall["high"]
    assert overall["records"] == pytest.approx(2600)
    assert overall["n_unknown"] > 0
    assert set(estimates["group"]) == {"all records", "White", "Asian", "Black", "Mixed", "North", "South"}
    differences = pd.read_csv("differences.csv")
    assert differences["group"].tolist() == ["Asian", "Black", "Mixed"]
    assert set(differences["reference"]) == {"White"}
    text = Path("audit.html").read_text(encoding="utf-8")
    assert "Taking B&#39;s second review as right" in text
    reviews, filled = (Path(name).read_text(encoding="utf-8-sig") for name in ("reviews.csv", "filled-a.csv"))
    assert reviews.count("ask for the video") == filled.count("ask for the video") > 20


def test_the_program_itself_gives_one_line_and_a_code(place):
    """Through `python -m disprop`, as a person runs it."""
    program = [sys.executable, "-m", "disprop", "audit"]
    found = subprocess.run([*program, "verify", "nowhere"], capture_output=True, text=True)
    assert found.returncode == 2
    assert found.stderr.startswith("disprop: nowhere holds no commitment")
    assert found.stderr.count("\n") == 1
    walk(until="draw")
    lines = Path("ledger/0001-draw.csv").read_bytes().split(b"\n")
    Path("ledger/0001-draw.csv").write_bytes(b"\n".join([lines[0], lines[2], lines[1], *lines[3:]]))
    found = subprocess.run([*program, "verify", "ledger"], capture_output=True, text=True)
    assert found.returncode == 3
    assert "FAILS: commitment 1: the list is not the one that the draw gives: row 1 is" in found.stdout
    assert found.stderr.startswith("disprop: 1 check fails")


def test_changed_grounds_and_an_omitted_record_through_the_command(place):
    walk(until="draw")
    text = Path("records.csv").read_text(encoding="utf-8")
    Path("edited.csv").write_text(text.replace('""it"", 1234"', '""it"", 1234."'), encoding="utf-8")
    with pytest.raises(Refused, match="grounds text changed in 1 record: 'S01234'"):
        run("audit", "verify", "ledger", "--records", "edited.csv", "--salt", "salt.txt")
    Path("ids.txt").write_text("".join(f"S{i:05}\n" for i in range(2601)))
    with pytest.raises(Refused, match="omitted from the frame: 'S02600'"):
        run("audit", "verify", "ledger", "--store-ids", "ids.txt")
    with pytest.raises(Refused, match="the store holds 2601"):
        run("audit", "verify", "ledger", "--store-count", 2601)


def test_problems_in_a_sheet_give_code_4_and_keep_what_was_written(place):
    walk(until="sheet")
    fill(Path("sheet-a.xlsx"), Path("filled.csv"), lambda row: {"grounds_reasonable": "perhaps", "comment": "mine"})
    code, output = run("audit", "read", "ledger", "filled.csv", "--out", "reviews.csv", "--problems", "problems.csv")
    assert code == 4
    assert "filled.csv, row 2, column I (grounds_reasonable): 'perhaps'" in output
    assert Path("reviews.csv").read_text(encoding="utf-8-sig").count("mine") > 100
    assert "perhaps" in Path("problems.csv").read_text(encoding="utf-8-sig")


def test_several_months_are_pooled(place):
    """The same records as a second month: each month a part of the ledger, their estimate in between."""
    walk(until="read")
    steps = {arguments[1]: arguments for arguments in reversed(documented())}

    def april(name, **changes):
        text = (
            " ".join(map(shlex.quote, steps[name]))
            .replace("2024-03", "2024-04")
            .replace("plan.json", "plan-april.json")
        )
        for old, new in changes.values():
            text = text.replace(old, new)
        return shlex.split(text)

    run(*april("plan"))
    run(*april("commit", salt=("salt.txt", "salt-april.txt")))
    run("audit", "draw", "ledger", "--beacon-value", "3-7-12-28-44-57")
    run("audit", "sheet", "ledger", "--reviewer", "A", "--out", "april.csv")
    fill(Path("april.csv"), Path("april-filled.csv"), lambda row: {"grounds_reasonable": "yes"})
    run("audit", "read", "ledger", "april-filled.csv", "--out", "april-reviews.csv")
    both = ["reviews.csv", "april-reviews.csv", "--number", 1, "--number", 2]
    shares = []
    for files in (both[:1] + ["--number", 1], both, ["april-reviews.csv"]):
        _, output = run("audit", "estimate", "ledger", *files, "--domains", "unit")
        shares.append(float(next(csv.DictReader(io.StringIO(output)))["estimate"]))
    assert shares[0] < shares[1] < shares[2] == 1
    assert shares[1] == pytest.approx((shares[0] + 1) / 2, rel=1e-6)
    with pytest.raises(UsageError, match="--number once for each"):
        run("audit", "estimate", "ledger", "reviews.csv", "reviews.csv")
    with pytest.raises(Refused, match="give each period once"):
        run("audit", "estimate", "ledger", "reviews.csv", "reviews.csv", "--number", 1, "--number", 1)


def test_the_methods_offered_are_those_there_are():
    assert METHODS == ALL_METHODS


def test_estimates_on_the_screen_and_by_other_rules(place):
    walk(until="read")
    _, output = run("audit", "estimate", "ledger", "reviews.csv", "--method", "hmicfrs", "--domains", "unit")
    assert output.count("hmicfrs") == 3
    _, output = run("audit", "estimate", "ledger", "reviews.csv", "--question", "grounds_source", "--use", "A")
    assert "grounds_source: both" in output
    _, output = run("audit", "estimate", "ledger", "reviews.csv", "--target", "process", "--use", "agreed")
    assert "process" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "records.csv", "--period", "p", "--half-width", "0.1", "--out", "records.csv"], "is there already"),
        (["plan", "none.csv", "--period", "p", "--sample", "5", "--out", "x.json"], "none.csv"),
        (
            ["plan", "records.csv", "--period", "p", "--sample", "5", "--group-half-width", "unit", "--out", "x.json"],
            "should be NAME=NUMBER",
        ),
        (
            ["plan", "records.csv", "--period", "p", "--sample", "5", "--oversample", "a=b=c", "--out", "x.json"],
            "should be NAME=NAME=NUMBER",
        ),
        (["draw", "nowhere", "--beacon-value", "1"], "holds no commitment"),
        (["commit", "records.csv", "records.csv", "--ledger", "l", "--beacon", "b", "--beacon-form", "f",
          "--beacon-date", "2030-01-01"], "not a plan file"),
        (["verify", "nowhere", "--salt", "records.csv"], "64 hex digits"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(place, arguments, words):
    with pytest.raises(DispropError, match=words):
        run("audit", *arguments)


def test_plans_from_the_last_audit_and_with_oversampling(place):
    Path("last.csv").write_text("ethnicity,share\nWhite,0.9\nAsian,0.9\nBlack,0.6\nMixed,0.9\n")
    common = ["audit", "plan", "records.csv", "--period", "p", "--strata", "ethnicity", "--sample", 200]
    run(*common, "--allocation", "neyman", "--previous", "last.csv", "--out", "neyman.json")
    run(*common, "--oversample", "ethnicity=Mixed=5", "--out", "more.json")
    run(*common, "--out", "plain.json")
    sizes = {name: {size.stratum[0]: size.sample for size in read(name).sizes} for name in ("neyman", "more", "plain")}
    assert sizes["neyman"]["Black"] > sizes["plain"]["Black"]
    assert sizes["more"]["Mixed"] > 3 * sizes["plain"]["Mixed"]
    Path("last.csv").write_text("ethnicity,share\nWhite,many\n")
    with pytest.raises(DispropError, match="must hold shares"):
        run(*common, "--allocation", "neyman", "--previous", "last.csv", "--out", "x.json")


def read(name):
    return read_plan(Path(f"{name}.json").read_bytes())


def test_the_shell_recipe_of_the_page_gives_the_ticket(tmp_path):
    """`printf ... | sha256sum` of the page, against the library."""
    seed = bytes(range(32))
    recipe = re.search(r"^    (printf .*)$", PAGE.read_text(encoding="utf-8"), re.M)[1]
    unhex = f"{sys.executable} -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))'"
    recipe = recipe.replace("xxd -r -p", unhex)
    found = subprocess.run(["bash", "-c", f"s={seed.hex()}; {recipe}"], capture_output=True, text=True, check=True)
    assert found.stdout[:64] == hashlib.sha256(seed + b"\0\0S00041").hexdigest()
