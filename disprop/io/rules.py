"""Every rule by which a source is read: its name, what came, what is done.

The names are the keys of the intake account and the reasons in the quarantine file. `docs/reading.md` prints this
table; a rule that is not here cannot be applied.

A *note* was read safely and is named; a *skipped* file is left aside and named; an *excluded* row is no record; a
*quarantined* row cannot be read safely and is kept, with its reason; a *refused* source stops the whole read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from disprop.errors import InputRefused

KINDS = ("note", "skipped", "excluded", "quarantined", "refused")


@dataclass(frozen=True)
class Rule:
    name: str
    kind: str
    came: str
    done: str


RULES: dict[str, Rule] = {}


def _rule(kind: str, name: str, came: str, done: str) -> str:
    RULES[name] = Rule(name, kind, came, done)
    return name


def refuse(rule: str, name: str, advice: str) -> NoReturn:
    """Refuse the source `name` under `rule`; `advice` says what was wanted and what to do next."""
    if RULES[rule].kind != "refused":
        raise KeyError(rule)
    raise InputRefused(f"{name}: {rule}; {advice}")


def rules_table() -> str:
    """The rules as Markdown, one table a kind, as printed in docs/reading.md."""
    return "\n\n".join(_kind_table(kind) for kind in KINDS)


def _kind_table(kind: str) -> str:
    rows = [f"| {rule.name} | {rule.came} | {rule.done} |" for rule in RULES.values() if rule.kind == kind]
    return "\n".join([f"### {kind.capitalize()}", "", "| rule | what came | what is done |", "|---|---|---|", *rows])


# Bytes and lines

BYTE_ORDER_MARK = _rule("note", "byte order mark", "UTF-8 bytes that start with EF BB BF", "the mark is left out")
UTF_16 = _rule(
    "note", "read as UTF-16", "two bytes a character, with or without a byte order mark", "decoded as UTF-16"
)
WINDOWS_1252 = _rule(
    "note",
    "byte read as Windows-1252",
    "bytes that are not UTF-8",
    "each is read as its Windows-1252 character (U+FFFD where it has none); the row is kept",
)
LONE_CR = _rule(
    "note",
    "lone carriage return",
    "a carriage return without a line feed",
    "it ends the line, as in Python's csv module; a row cut in two by it is quarantined for its width",
)
LINE_BREAK = _rule(
    "note", "line break inside quotes", "a quoted field over several lines (at most 20)", "read as one row"
)
BLANK_LINE = _rule("note", "blank line", "a line of nothing but white space", "passed over: it is no row")
NO_LINE_END = _rule(
    "note",
    "last line has no line end",
    "the file ends within its last line, which has all its fields",
    "the row is kept, unless its last field is a flag and no known flag value",
)
EXTRA_BLANKS = _rule(
    "note", "trailing empty fields", "a row with more fields than the header, the further ones blank", "they are cut"
)

# Header and columns

DELIMITER = _rule("note", "other delimiter", "a header split by semicolons, tabs or bars", "rows are split by the same")
SPELLING = _rule(
    "note",
    "column names in another spelling",
    "snake_case, another case, the names of the JSON interface or of disprop",
    "read as the column meant",
)
ORDER = _rule("note", "columns in another order", "police.uk columns in another order", "read by name")
INDEX_COLUMN = _rule("note", "index column ignored", "a column without a name", "ignored")
UNKNOWN_COLUMN = _rule("note", "unknown column ignored", "a column that is no police.uk column", "ignored, and named")
MISSING_COLUMN = _rule(
    "note", "missing column left blank", "a police.uk column is absent", "blank throughout, and named"
)
COLUMN_TWICE = _rule(
    "note",
    "column given twice",
    "two columns of one meaning",
    "the first is read; rows where they differ are quarantined",
)

# Values

BLANK_WORD = _rule("note", "blank written as a word", "NA, N/A, null, None or nan", "read as blank")
NUMBER_FLAG = _rule(
    "note", "flag written as a number", "1, 0, 1.0 or 0.0 for True or False", "kept as it came, read so"
)
SWAPPED = _rule(
    "note",
    "latitude and longitude swapped",
    "a latitude of -9 to 2.5 with a longitude of 49 to 61.5",
    "exchanged: in the United Kingdom the two never overlap",
)
OUTSIDE = _rule(
    "note",
    "place outside the United Kingdom",
    "coordinates outside 49 to 61.5 north and -9 to 2.5 east, such as 0, 0",
    "the place is left blank; the row is kept",
)
NOT_A_NUMBER = _rule("note", "coordinate not a number", "text for a coordinate", "left blank; the row is kept")
DECIMAL_COMMA = _rule("note", "decimal comma", "a coordinate such as 52,48", "read as 52.48")
NO_OFFSET = _rule(
    "note",
    "date without offset read as UTC",
    "2023-12-01 03:40:12.000",
    "read as UTC, as police.uk writes its dates, unless `time_zone` says Europe/London",
)
LOCAL_TIME = _rule(
    "note", "date without offset read as UK local time", "the same, under `time_zone`", "read by the UK clock"
)
REPEATED_HOUR = _rule(
    "note",
    "repeated clock hour, first one taken",
    "UK local time between 1 and 2 on the morning that summer time ends",
    "read as summer time",
)
MISSING_HOUR = _rule(
    "note",
    "missing clock hour, read an hour on",
    "UK local time between 1 and 2 on the morning that summer time begins",
    "01:30, which no clock showed, is read as 02:30 summer time",
)
FRACTION = _rule("note", "fraction of a second dropped", "10:39:17.5", "read as 10:39:17")
DATE_ONLY = _rule("note", "date without a time", "2019-04-01", "read as midnight that begins the day")
DATE_FROM_FILE = _rule(
    "note",
    "blank date, month of the file taken",
    "no date, in a file that names its month",
    "counted in the month of the file; no instant",
)
LONDON_MONTH = _rule(
    "note",
    "in another London month than its file",
    "a row whose UK local month is not the month of its file",
    "stays in the file's part; counted in its own month",
)

# Files

FORCE_GIVEN = _rule(
    "note", "force given by the caller", "a file that names no force, and `force=`", "`force=` is taken"
)
FORCE_NOT_USED = _rule(
    "note",
    "force given by the caller not used",
    "`force=`, where every file and row names another force itself",
    "their own forces are taken",
)
FOLDER_DIFFERS = _rule(
    "note",
    "folder names another force or month",
    "2019-05/2019-04-kent-stop-and-search.csv",
    "the file's own name is taken",
)
LINK_LOOP = _rule(
    "note", "link to a folder already read", "a symbolic link back up the tree", "the folder is read once"
)
NOTHING_OBSERVED = _rule(
    "note",
    "no rows and no force-month",
    "no row in a file that names no force or no month, an empty JSON answer included",
    "no month is taken as observed",
)
SAME_CONTENT = _rule(
    "skipped", "same content, skipped", "the same bytes under two names, for one force-month", "read once"
)
OTHER_POLICE_UK = _rule(
    "skipped", "other police.uk file, skipped", "-street.csv, -outcomes.csv beside stop and search", "left aside"
)
WEAK_DIGEST = _rule(
    "note",
    "named by footer, size and time",
    'a Parquet file under `digest="weak"`',
    'its parts are named by a digest of these, not of all its bytes; `digest="full"` reads them all',
)
SKIPPED_GROUP = _rule(
    "note",
    "row group skipped by its statistics",
    "a row group of Parquet with no row of the forces or months asked for",
    "not decoded; its rows are counted as left out by that rule",
)
OTHER_FILE = _rule(
    "skipped",
    "not stop and search, skipped",
    "another file in a folder, glob or archive, not named as stop and search and without its columns",
    "left aside",
)
UNMAPPED_COLUMN = _rule(
    "note", "column not in the mapping, left out", "an extract has a column that its mapping does not name", "left out"
)
DUPLICATE_NAME = _rule(
    "note",
    "column name given twice",
    "an extract with two columns of one name",
    'the second is called "name [2]"; the mapping says which is meant',
)
TIME_LEFT_BLANK = _rule(
    "note",
    "time not understood, left blank",
    "a time beside the one that dates the record, such as a clip's end",
    "left blank; the row is kept",
)
BEFORE_START = _rule(
    "note", "ends before it begins", "a clip whose end is before its start", "kept as it came, and named"
)

# Rows left out

REPEATED_HEADER = _rule("excluded", "repeated header", "the header again, among the rows", "left out")
EMPTY_ROW = _rule("excluded", "empty row", "delimiters only", "left out")
WIDTH = _rule("quarantined", "wrong number of fields", "more or fewer fields than the header", "quarantined")
TRUNCATED = _rule(
    "quarantined",
    "truncated last line",
    "the last line has no end, and too few fields or half a flag",
    "quarantined",
)
TIME_UNREADABLE = _rule(
    "quarantined",
    "time of day not understood",
    "a date in one column, and 2515 or `soon` as its time in another",
    "quarantined",
)
TOO_LONG = _rule(
    "quarantined",
    "line too long",
    "a line of more than 65,536 characters",
    "passed over in bounded memory; quarantined",
)
OPEN_QUOTE = _rule(
    "quarantined",
    "quote never closed",
    "an opening quote that would swallow the rows after it",
    "its own line is quarantined; reading goes on at the next",
)
NUL = _rule("quarantined", "NUL byte", "a byte 0 in the line", "quarantined")
DATE_BLANK = _rule("quarantined", "date missing", "no date, in a file that names no month", "quarantined")
DATE_UNREADABLE = _rule(
    "quarantined",
    "date not understood",
    "01/04/2019 (day or month first?), 2019-02-30, a serial number",
    "quarantined: the order of day and month is never guessed",
)
DATE_RANGE = _rule("quarantined", "date out of range", "a year before 1972 or after 2100", "quarantined")
MONTH_UNREADABLE = _rule(
    "quarantined", "month not understood", "a `month` of a table that is neither 2019-04 nor a date", "quarantined"
)
COLUMNS_DISAGREE = _rule(
    "quarantined", "two columns of one name disagree", "a column given twice, with two values", "quarantined"
)
FORCE_UNKNOWN = _rule("quarantined", "force not known", "a row's force that is no force", "quarantined")
FORCE_MISSING = _rule("quarantined", "force missing", "no force in the row, none for the file", "quarantined")
FORCE_DIFFERS = _rule(
    "quarantined", "force differs from the file's", "a row's force is not the force that its path names", "quarantined"
)
NOT_A_RECORD = _rule("quarantined", "not a record", "a JSON list item that is no object", "quarantined")

# Refusals

MISSING_FILE = _rule("refused", "no such file", "a path or glob that matches nothing", "refused")
NO_PERMISSION = _rule("refused", "cannot be opened", "permission denied, a link to itself, a device", "refused")
EMPTY_FILE = _rule(
    "refused", "empty file", "0 bytes: not even a header", "refused: it is not an observed month without searches"
)
NOT_CSV = _rule("refused", "not a CSV of searches", "a web page, a PDF, a workbook, a compressed file", "refused")
NO_HEADER = _rule("refused", "no header", "the first line is a row of data", "refused")
REQUIRED_COLUMN = _rule("refused", "column missing", "no `Type` or no `Date`", "refused")
OTHER_KIND = _rule("refused", "another kind of police.uk file", "a street-level crime file given by name", "refused")
BAD_TABLE = _rule(
    "refused",
    "not a table of searches",
    "a table in memory without `force` or without `event_time` and `month`, or with a column twice",
    "refused",
)
BAD_JSON = _rule("refused", "not a JSON list of searches", "broken JSON, or an error answer", "refused")
ENCRYPTED = _rule("refused", "encrypted archive member", "a zip member under a password", "refused")
NESTED = _rule("refused", "archive inside an archive", "a zip within a zip", "refused")
DAMAGED = _rule(
    "refused", "damaged archive", "a check sum that fails, a cut-off file, an unknown compression", "refused"
)
BAD_CELL = _rule("refused", "not a number", "another word for a number in a published table", "refused")
WIDTH_TABLE = _rule(
    "refused", "row of another width", "a row of a published table with another number of fields", "refused"
)
CHANGED = _rule("refused", "changed while it was read", "size, time or content differ from the start", "refused")
TWO_FILES = _rule(
    "refused",
    "two files for one force-month",
    "two publications of one month, or two files whose rows fall in it",
    "refused: one whole version must be chosen",
)
TWO_MONTHS = _rule(
    "refused", "the same content for two force-months", "one file's bytes again under another month or force", "refused"
)
NO_FORCE = _rule("refused", "no force", "neither path, rows nor `force=` name the force", "refused")
STRANGE_FORCE = _rule("refused", "force in the name not known", "2019-04-west-midland-stop-and-search.csv", "refused")
NO_SUCH_COLUMN = _rule("refused", "mapped column missing", "a mapping names a column that the extract lacks", "refused")
NO_SCHEME = _rule(
    "refused",
    "coded ethnicity without a code scheme",
    "W1, O1, IC3 in an extract whose mapping declares no `scheme`",
    "refused: O1, W4 and W5 mean different groups in different schemes",
)
NO_TIME_ZONE = _rule(
    "refused",
    "times without an offset or a time zone",
    "03:40 in an extract whose mapping declares no `time_zone`",
    "refused: UTC and the UK clock differ for half of the year",
)
FREE_TEXT = _rule(
    "refused",
    "a coded column that holds free text",
    "more than 500 labels that no codelist knows in one column of an extract",
    "refused: names and stories must not travel as labels",
)
BAD_EXTRACT = _rule("refused", "not an extract", "a workbook, a picture, an undecodable or header-less file", "refused")
NOTHING_TO_READ = _rule("refused", "nothing to read", "no stop and search file among the paths", "refused")
NO_ROW_READABLE = _rule(
    "refused", "not one row could be read", "ten rows or more, every one quarantined", "refused with the first reason"
)
