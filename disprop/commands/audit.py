"""`disprop audit ...`: each command a few lines onto the library."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from disprop.commands.options import confidence_option, with_options
from disprop.errors import InputRefused, Refused, UsageError

LEDGER = click.Path(file_okay=False)
FILE = click.Path(dir_okay=False)
DATE = click.DateTime(["%Y-%m-%d"])
METHODS = ("wilson", "clopper_pearson", "korn_graubard", "logit", "normal", "hypergeometric", "hmicfrs")


@click.group()
def audit() -> None:
    """The audit of reasonable grounds: a sample whose every step can be checked.

    \b
    The steps, in order (docs/audit.md goes through them with an example):
      disprop audit plan records.csv --period 2024-03 --half-width 0.05 --strata ethnicity --out plan.json
      disprop audit commit plan.json records.csv --ledger ledger/ --beacon "National Lottery" ...
      disprop audit draw ledger/ --beacon-value "4-11-23-31-40-58" --out list.csv
      disprop audit verify ledger/
      disprop audit sheet ledger/ --reviewer A --out sheet-a.xlsx
      disprop audit read ledger/ sheet-a.xlsx --out reviews.csv
      disprop audit estimate ledger/ reviews.csv --question grounds_reasonable
      disprop audit report ledger/ reviews.csv --out audit.html
    """


number_option = click.option("--number", type=int, help="Number of the commitment; the latest by default.")
salt_option = click.option("--salt", type=FILE, help="File of the salt; keep it outside the ledger.")
questions_option = click.option("--questions", type=FILE, help="TOML file of questions instead of the usual ones.")
store_options = with_options(
    click.option("--store-count", type=int, help="Number of records that the store holds for the period."),
    click.option("--store-ids", type=FILE, help="Text file of the store's record ids, one a line: names the omitted."),
)
answer_options = with_options(
    click.option("--question", default="grounds_reasonable", show_default=True, help="Key of the question."),
    click.option("--method", type=click.Choice(METHODS), default="wilson", show_default=True),
    confidence_option,
)


@audit.command()
@click.argument("records", type=FILE)
@click.option("--period", required=True, help="A name for the period, the same at every step: 2024-03.")
@click.option("--half-width", type=float, help="Precision wanted overall: 0.05 is plus or minus 5 points.")
@click.option("--sample", type=int, help="Number of records, instead of a precision.")
@click.option("--record-id", default="record_id", show_default=True, help="Column of the record's id; '' if none.")
@click.option("--strata", default="", metavar="COLUMNS", help="Columns to draw within, comma-separated.")
@click.option("--domains", default="", metavar="COLUMNS", help="Further columns to report on, comma-separated.")
@click.option("--grounds", help="Column of the grounds text, of which a salted hash is lodged.")
@click.option(
    "--group-half-width", multiple=True, metavar="COLUMN=WIDTH", help="Precision for each group of a stratum."
)
@click.option(
    "--allocation",
    type=click.Choice(["proportional", "neyman", "equal", "power"]),
    default="proportional",
    show_default=True,
)
@click.option("--minimum", type=int, default=2, show_default=True, help="Least sample in each stratum.")
@click.option("--oversample", multiple=True, metavar="COLUMN=GROUP=FACTOR", help="More of a small group.")
@click.option("--previous", type=FILE, help="CSV of the last shares: strata columns, share.")
@click.option("--expected-share", type=float, default=0.5, show_default=True)
@confidence_option
@click.option("--minutes", type=float, help="Reviewer minutes per record.")
@click.option("--second-review", type=float, default=0.0, show_default=True, help="Share to be reviewed twice.")
@click.option("--out", required=True, type=FILE, help="File of the plan.")
def plan(records: str, out: str, **options: Any) -> int:
    """Justify a sample: its size in each stratum, what it can show and what it cannot.

    \b
    Example:
      disprop audit plan records.csv --period 2024-03 --strata ethnicity --domains unit \\
        --grounds grounds --half-width 0.05 --group-half-width ethnicity=0.10 --out plan.json
    """
    from disprop.audit.frame import FrameColumns
    from disprop.audit.planning import plan as make
    from disprop.audit.words import plan_words

    columns = FrameColumns(
        record_id=options["record_id"] or None,
        strata=_names(options["strata"]),
        domains=_names(options["domains"]),
        grounds=options["grounds"],
    )
    made = make(
        records,
        period=options["period"],
        columns=columns,
        half_width=options["half_width"],
        sample=options["sample"],
        group_half_width=dict(_pair(text, 2) for text in options["group_half_width"]),
        allocation=options["allocation"],
        minimum=options["minimum"],
        oversample=_oversample(options["oversample"]),
        previous=_previous(options["previous"], columns.strata),
        expected_share=options["expected_share"],
        confidence=options["confidence"],
        minutes_per_record=options["minutes"],
        second_review_share=options["second_review"],
    )
    _write_new(out, made.to_bytes())
    click.echo("\n".join(plan_words(made)))
    return 0


@audit.command()
@click.argument("plan", type=FILE)
@click.argument("records", type=FILE)
@click.option("--ledger", required=True, type=LEDGER, help="Folder of commitments, lodged with the panel.")
@click.option("--beacon", required=True, help="Name of the public random value to come.")
@click.option("--beacon-form", required=True, help="How its value is to be written down.")
@click.option("--beacon-date", "dates", required=True, multiple=True, type=DATE, help="Its date; again for fallbacks.")
@salt_option
@click.option("--committed-on", type=DATE, help="Date of the commitment; today by default.")
@store_options
@click.option("--reason", help="Why the earlier commitment for this period is abandoned.")
def commit(plan: str, records: str, ledger: str, dates: Sequence[datetime.datetime], **options: Any) -> int:
    """Lodge frame and plan, before the public value that decides the draw is known.

    The salt file is made when it is not there. Keep it outside the ledger.

    \b
    Example:
      disprop audit commit plan.json records.csv --ledger ledger/ --salt salt.txt --store-count 26372 \\
        --beacon "National Lottery, Lotto" --beacon-form "six main numbers, rising, hyphens between" \\
        --beacon-date 2024-04-06 --beacon-date 2024-04-10
    """
    from disprop.audit.commitment import Beacon
    from disprop.audit.commitment import commit as lodge
    from disprop.audit.planning import read_plan

    made = read_plan(_read(plan))
    done = lodge(
        made,
        records,
        ledger=ledger,
        beacon=Beacon(options["beacon"], options["beacon_form"], tuple(date.date() for date in dates)),
        salt=_salt(options["salt"], make=made.columns.needs_salt),
        committed_on=options["committed_on"] and options["committed_on"].date(),
        store_count=options["store_count"],
        store_ids=_lines(options["store_ids"]),
        reason=options["reason"],
    )
    click.echo(f"Commitment {done.number} for {done.period}, {done.records:,} records, is in {ledger}.")
    click.echo("Give the panel the ledger folder, and this: the SHA-256 of the commitment is")
    click.echo(_commitment_digest(ledger, done.number))
    return 0


@audit.command()
@click.argument("ledger", type=LEDGER)
@click.option("--beacon-value", required=True, help="The value as published, written as the commitment says.")
@click.option("--beacon-date", type=DATE, help="Its date, if the announced beacon was missed.")
@number_option
@click.option("--records", type=FILE, help="Today's records: refused if they changed since the commitment.")
@salt_option
@click.option("--out", type=FILE, help="Write the reviewers' list here (no more columns than they need).")
def draw(ledger: str, beacon_value: str, beacon_date: datetime.datetime | None, out: str | None, **options: Any) -> int:
    """Draw the sample of a commitment, and lodge the list and its proof.

    \b
    Example:
      disprop audit draw ledger/ --beacon-value "4-11-23-31-40-58" --out list.csv
    """
    from disprop.audit.drawn import draw as make
    from disprop.audit.drawn import reviewers_list

    done = make(
        ledger,
        beacon_value=beacon_value,
        beacon_date=beacon_date.date() if beacon_date else None,
        number=options["number"],
        records=options["records"],
        salt=_salt(options["salt"]),
    )
    if out:
        _write_new(out, reviewers_list(done))
    click.echo(f"{done.plan.sample:,} of {done.plan.records:,} records drawn; list and proof are in {ledger}.")
    return 0


@audit.command()
@click.argument("ledger", type=LEDGER)
@click.option("--records", type=FILE, help="Today's records: what changed since the commitment is named.")
@salt_option
@number_option
@store_options
def verify(ledger: str, **options: Any) -> int:
    """Check every commitment and draw it again, offline; exit code 3 when a check fails.

    \b
    Example:
      disprop audit verify ledger/ --records records.csv --salt salt.txt --store-count 26372
    """
    from disprop.audit.verification import verify as check
    from disprop.audit.words import verification_words

    found = check(
        ledger,
        records=options["records"],
        salt=_salt(options["salt"]),
        number=options["number"],
        store_count=options["store_count"],
        store_ids=_lines(options["store_ids"]),
    )
    click.echo("\n".join(verification_words(found)))
    if not found.holds:
        failed = len(found.failures)
        raise Refused(f"{failed} check{'s fail' if failed > 1 else ' fails'}: {found.failures[0].words}")
    return 0


@audit.command()
@click.argument("ledger", type=LEDGER)
@click.option("--reviewer", required=True, help="Name or initials of the reviewer.")
@click.option("--out", required=True, type=FILE, help="The sheet: .csv or .xlsx.")
@click.option("--records", type=FILE, help="The records, for the columns to show.")
@click.option("--show", default="", metavar="COLUMNS", help="Columns that help to find the record, comma-separated.")
@click.option("--second-share", type=float, help="A second reviewer's sheet: this share of each stratum.")
@salt_option
@number_option
@questions_option
def sheet(ledger: str, reviewer: str, out: str, **options: Any) -> int:
    """Write the sheet that one reviewer fills in.

    \b
    Example:
      disprop audit sheet ledger/ --reviewer A --records records.csv --show time,place --out sheet-a.xlsx
      disprop audit sheet ledger/ --reviewer B --second-share 0.2 --out sheet-b.csv
    """
    from disprop.audit.drawn import read_draw
    from disprop.audit.sheet import write_sheet

    write_sheet(
        read_draw(ledger, number=options["number"]),
        out,
        reviewer=reviewer,
        questions=_questions(options["questions"]),
        records=options["records"],
        show=_names(options["show"]),
        second_share=options["second_share"],
        salt=_salt(options["salt"]),
    )
    click.echo(f"The sheet of {reviewer} is {out}")
    return 0


@audit.command()
@click.argument("ledger", type=LEDGER)
@click.argument("sheets", type=FILE, nargs=-1, required=True)
@click.option("--out", required=True, type=FILE, help="All reviews as one CSV.")
@click.option("--problems", type=FILE, help="Problems, and the rows set aside, as CSV.")
@number_option
@questions_option
def read(ledger: str, sheets: tuple[str, ...], out: str, problems: str | None, **options: Any) -> int:
    """Read filled-in sheets back; every problem has its row and column. Exit code 4 when there are any.

    \b
    Example:
      disprop audit read ledger/ sheet-a.xlsx sheet-b.csv --out reviews.csv --problems problems.csv
    """
    from disprop.audit.drawn import read_draw
    from disprop.audit.reviews import problems_bytes, read_sheet, reviews_bytes

    if Path(out).resolve() in {Path(sheet).resolve() for sheet in sheets}:
        raise UsageError(f"--out {out} is one of the sheets, which are never overwritten: choose another name")
    drawn = read_draw(ledger, number=options["number"])
    found = read_sheet(*sheets, drawn=drawn, questions=_questions(options["questions"]))
    _write(out, reviews_bytes(found, drawn))
    if problems:
        _write(problems, problems_bytes(found))
    for problem in found.problems:
        click.echo(str(problem), err=True)
    done = sum(bool(review.status) for review in found.accepted)
    click.echo(f"{done} reviews in {out}; {len(found.problems)} problems; {len(found.set_aside)} rows set aside.")
    if found.set_aside and not problems:
        click.echo("Give --problems FILE to keep the rows set aside.", err=True)
    return 4 if found.problems else 0


@audit.command()
@click.argument("ledger", type=LEDGER)
@click.argument("reviews", type=FILE, nargs=-1, required=True)
@click.option("--number", "numbers", type=int, multiple=True, help="Commitment of each reviews file, in their order.")
@answer_options
@click.option("--domains", metavar="COLUMNS", help="Groups to report on, comma-separated; all by default.")
@click.option("--compare", "compared", metavar="COLUMN", help="Compare this column's groups instead.")
@click.option("--reference", help="With --compare: the group compared with; everyone else by default.")
@click.option("--target", type=click.Choice(["these_records", "process"]), help="What the limits are about.")
@click.option("--use", default="first", show_default=True, help="Whose answer: first, agreed, or a reviewer's name.")
@questions_option
@click.option("--out", type=FILE, help="Write CSV here instead of the screen.")
def estimate(ledger: str, reviews: tuple[str, ...], numbers: tuple[int, ...], **options: Any) -> int:
    """Estimate shares, for all records and by group; several months are pooled.

    \b
    Example:
      disprop audit estimate ledger/ reviews.csv --question grounds_reasonable
      disprop audit estimate ledger/ march.csv april.csv --number 1 --number 2 --compare ethnicity
    """
    import pandas as pd

    samples = _samples(ledger, reviews, numbers, options)
    frame = pd.concat([_estimate_rows(sample, options) for sample in samples], ignore_index=True)
    text = frame.to_csv(index=False)
    if options["out"]:
        _write(options["out"], text.encode())
    else:
        click.echo(text, nl=False)
    return 0


@audit.command()
@click.argument("ledger", type=LEDGER)
@click.argument("reviews", type=FILE)
@number_option
@answer_options
@click.option("--domains", metavar="COLUMNS", help="Groups to report on, comma-separated; all by default.")
@click.option("--trusted", help="Reviewer whose second review is taken as right.")
@questions_option
@click.option("--out", required=True, type=FILE, help="The page, as HTML.")
def report(ledger: str, reviews: str, out: str, **options: Any) -> int:
    """Write the report section: a page in plain words, with the picture of the interval.

    \b
    Example:
      disprop audit report ledger/ reviews.csv --out audit.html
    """
    from disprop.audit.drawn import read_draw
    from disprop.audit.page import audit_page
    from disprop.audit.reviews import read_sheet
    from disprop.audit.verification import verify as check

    drawn = read_draw(ledger, number=options["number"])
    page = audit_page(
        drawn,
        read_sheet(reviews, drawn=drawn, questions=_questions(options["questions"])),
        check(ledger),
        question=options["question"],
        domains=_names(options["domains"]) if options["domains"] else None,
        trusted=options["trusted"],
        method=options["method"],
        confidence=options["confidence"],
    )
    _write(out, page.encode())
    click.echo(f"The report is at {out}")
    return 0


def _samples(ledger: str, reviews: Sequence[str], numbers: Sequence[int], options: dict[str, Any]) -> list[Any]:
    """One Sample for each measure of the question, pooled over the reviews files."""
    from disprop.audit.drawn import read_draw
    from disprop.audit.reviews import read_sheet
    from disprop.audit.sample import pool, review_samples

    if len(reviews) > 1 and len(numbers) != len(reviews):
        raise UsageError("give --number once for each reviews file, in the same order")
    questions = _questions(options["questions"])
    chosen: Sequence[int | None] = numbers or (None,)
    draws = [read_draw(ledger, number=number) for number in chosen]
    found = [
        review_samples(
            drawn,
            read_sheet(path, drawn=drawn, questions=questions),
            question=options["question"],
            use=options["use"],
        )
        for drawn, path in zip(draws, reviews)
    ]
    if len(found) == 1:
        return found[0]
    return [pool(each, [drawn.plan.period for drawn in draws]) for each in zip(*found)]


def _estimate_rows(sample: Any, options: dict[str, Any]) -> Any:
    from disprop.audit.comparison import compare
    from disprop.audit.estimation import estimate as figures

    common = {name: options[name] for name in ("method", "confidence", "target")}
    if options["compared"]:
        return compare(sample, domain=options["compared"], reference=options["reference"], **common)
    return figures(sample, domains=_names(options["domains"]) if options["domains"] else None, **common)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _pair(text: str, parts: int) -> tuple[Any, ...]:
    pieces = text.split("=")
    try:
        if len(pieces) == parts:
            return (*pieces[:-1], float(pieces[-1]))
    except ValueError:
        pass
    raise UsageError(f"{text!r} should be {'NAME=' * (parts - 1)}NUMBER")


def _oversample(texts: Sequence[str]) -> dict[str, dict[str, float]]:
    wanted: dict[str, dict[str, float]] = {}
    for text in texts:
        column, group, factor = _pair(text, 3)
        wanted.setdefault(column, {})[group] = factor
    return wanted


def _previous(path: str | None, strata: tuple[str, ...]) -> dict[tuple[str, ...], float] | None:
    if path is None:
        return None
    from disprop.audit.frame import as_text_table

    table = as_text_table(path, [*strata, "share"])
    keys = zip(*(table.column(name).to_pylist() for name in strata))
    try:
        return {key: float(share) for key, share in zip(keys, table.column("share").to_pylist())}
    except ValueError as why:
        raise InputRefused(f"{path}: column 'share' must hold shares between 0 and 1 ({why})") from why


def _questions(path: str | None) -> Any:
    from disprop.audit.questions import QUESTIONS, read_questions

    return QUESTIONS if path is None else read_questions(path)


def _salt(path: str | None, *, make: bool = False) -> bytes | None:
    """The salt of a file (64 hex digits); a new one, written there, when it may be made and is not there yet."""
    from disprop.audit.frame import new_salt

    if path is None and make:
        raise UsageError("the plan needs a salt: give --salt FILE (it is made if it is not there), outside the ledger")
    if path is None:
        return None
    file = Path(path)
    if make and not file.exists():
        salt = new_salt()
        _write_new(path, salt.hex().encode() + b"\n")
        return salt
    try:
        return bytes.fromhex(_read(path).decode("ascii").strip())
    except ValueError as why:
        raise InputRefused(f"{path} does not hold a salt of 64 hex digits: give the file that `commit` made") from why


def _lines(path: str | None) -> list[str] | None:
    return None if path is None else [line for line in _read(path).decode("utf-8-sig").splitlines() if line]


def _commitment_digest(ledger: str, number: int) -> str:
    from disprop.audit.commitment import Ledger, sha256

    return sha256(Ledger(ledger).read(number, "commitment.json"))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as why:
        raise InputRefused(f"{path} cannot be read: {why.strerror}") from why


def _write(path: str, content: bytes) -> None:
    try:
        Path(path).write_bytes(content)
    except OSError as why:
        raise UsageError(f"{path} cannot be written: {why.strerror}") from why


def _write_new(path: str, content: bytes) -> None:
    """Write a file that is not there yet: plans, salts and lists are never overwritten."""
    if Path(path).exists():
        raise UsageError(f"{path} is there already: choose another name")
    _write(path, content)
