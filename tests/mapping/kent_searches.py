"""A small extract of one force, its mapping, and how the tests read it."""

from disprop.io.mapping.columns import parse_mapping
from disprop.io.mapping.extracts import read_mapped
from disprop.keys import KeyedHash

KEY = KeyedHash(b"an invented secret")
OTHER_KEY = KeyedHash(b"another invented secret")
HEAD = """
name = "kent-searches"
kind = "search"
force = "kent"
scheme = "pace2023"
time_zone = "Europe/London"
date_formats = ["%d/%m/%Y %H:%M"]
"""
COLUMNS = """
[columns]
Ref = "reference"
Collar = "officer"
When = "event_time"
Sex = "gender"
Eth = "ethnicity_self"
"""
MAPPING = HEAD + COLUMNS
HEADER = "Ref,Collar,When,Sex,Eth\n"
ROW = "S1,C4412,01/04/2019 23:15,Male,W1\n"


def wrote(path, text, **how):
    path.write_text(text, encoding=how.pop("encoding", "utf-8"), newline="")
    return path


def read(path, mapping=MAPPING, **options):
    return read_mapped(path, mapping=parse_mapping(mapping), key=options.pop("key", KEY), **options)


def rows(source, columns=None):
    return [row for batch in source.batches(columns) for row in batch.to_pylist()]


def balanced(source):
    account = source.account
    return account.read == len(rows(source)) + sum(account.excluded.values()) + sum(account.quarantined.values())
