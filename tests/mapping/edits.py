"""Makes the edits that a proposal lists, and no other: each on its own line, as a reader of the file would."""

import json
import re


def made(proposal, answers, columns, items, values):
    """The proposal's text after its edits.

    answers: top-level key -> TOML value; columns: header -> target; items: header -> (column, item); values: (column,
    value) -> label. A column that none of them names is left out, as the proposal says it may be.
    """
    text = proposal.text
    for n, edit in enumerate(proposal.edits, start=1):
        first = edit.key[0]
        if len(edit.key) == 1:
            text = replaced(text, n, f"{first} = {answers[first]}")
        elif first == "columns":
            header = edit.key[1]
            if header in columns:
                text = replaced(text, n, f"{json.dumps(header)} = {json.dumps(columns[header])}")
            elif header in items:
                column, item = items[header]
                text = with_line(text, f"[items.{column}]", f"{json.dumps(header)} = {json.dumps(item)}")
        else:
            _, column, value = edit.key
            if (column, value) in values:
                text = replaced(text, n, f"{json.dumps(value)} = {json.dumps(values[column, value])}")
    return text


def replaced(text, n, line):
    """The line after the comment `EDIT n`, put in its place."""
    found = re.search(rf"(# EDIT {n}: .*\n)(.*)\n", text)
    assert found, f"edit {n} is not marked in the text"
    return text[: found.start(2)] + line + text[found.end(2) :]


def with_line(text, section, line):
    return text.replace(section, f"{section}\n{line}", 1) if section in text else f"{text}\n{section}\n{line}\n"
