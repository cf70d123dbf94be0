"""Invented encounters as a force exports them, the mappings to read them by, and a nightly over all of them."""

from pathlib import Path

from disprop.synthetic import population
from disprop.synthetic.extracts import HEADINGS, write_encounters
from tests.nightly.night import MONTHS, config, few

FOLDERS = {"search": "searches", "force_report": "force_reports", "footage": "footage", "custody": "custody"}
SCHEMES = 'ethnicity_self = "pace2023"\nethnicity_officer = "pnc"\n'
LINK = "[link]\nretention_days = 365\nas_of = 2023-06-30\n"
TABLES = """
[[tables]]
measure = "share_on_video"
by = ["force", "video_link"]
"""
SECRET = "an example, and not a secret"


def mapping(kind: str) -> str:
    """The mapping that reads the extract of a kind."""
    columns = {}
    for name, heading in HEADINGS[kind].items():
        first, cut, second = heading.partition("|")
        columns |= {first: f"{name}:date", second: f"{name}:time"} if cut else {first: name}
    clock = ("UTC", ["%Y-%m-%d %H:%M:%S"]) if kind == "footage" else ("Europe/London", ["%d/%m/%Y"])
    lines = [
        f'name = "shire-{kind}"', f'kind = "{kind}"', 'force = "synthetic-shire"', f'time_zone = "{clock[0]}"',
        f"date_formats = {clock[1]}", "[columns]", *(f'"{header}" = "{name}"' for header, name in columns.items()),
    ]  # fmt: skip
    if kind != "footage":
        lines += ["[schemes]", SCHEMES]
    return "\n".join(lines)


def extracts(kinds=tuple(FOLDERS)) -> str:
    return "".join(
        f'[[extracts]]\npath = "{FOLDERS[kind]}"\nmapping = "{kind}.toml"\nkey_file = "secret.key"\n' for kind in kinds
    )


def world(home: Path, *, months=MONTHS, seed: int = 1, link: str = LINK, tables: str = TABLES, share=0.3) -> Path:
    """Every kind of extract, and the configuration of a nightly over them."""
    home.mkdir(parents=True, exist_ok=True)
    write_encounters(home, few(share), months=months, seed=seed)
    population().save(home / "residents.parquet")
    (home / "secret.key").write_text(SECRET)
    for kind in FOLDERS:
        (home / f"{kind}.toml").write_text(mapping(kind))
    return config(home, extracts=extracts() + link, tables=tables)


def revise(home: Path, kind: str, month: str) -> None:
    """A month is exported again without its last rows."""
    path = home / FOLDERS[kind] / f"{FOLDERS[kind]}-{month}.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) * 9 // 10]))
