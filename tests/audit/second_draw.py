"""The draw once more, written from docs/audit.md alone: plain Python and hashlib, nothing of disprop."""

import hashlib
import json
import unicodedata


def nfc(text):
    return unicodedata.normalize("NFC", text)


def field(text):
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def line(values):
    return ",".join(field(value) for value in values)


def record_ids(rows, columns, id_column, salt):
    """`rows` are dictionaries of text; `columns` the source's columns in order."""
    if id_column is not None:
        return [nfc(row[id_column]) for row in rows]
    seen = {}
    ids = []
    for row in rows:
        digits = hashlib.sha256(salt + line(nfc(row[name]) for name in columns).encode()).hexdigest()[:32]
        seen[digits] = seen.get(digits, 0) + 1
        ids.append(digits + "-" + str(seen[digits]))
    return ids


def frame_bytes(rows, columns, *, strata, domains=(), grounds=None, id_column="record_id", salt=None):
    names = list(strata) + [name for name in domains if name not in strata]
    header = ["record_id"] + names + (["grounds_hash"] if grounds else [])
    table = []
    for row, record_id in zip(rows, record_ids(rows, columns, id_column, salt)):
        values = [record_id] + [nfc(row[name]) for name in names]
        if grounds:
            text = nfc(row[grounds])
            values.append(hashlib.sha256(salt + record_id.encode() + b"\x00" + text.encode()).hexdigest())
        key = [nfc(row[name]).encode() for name in strata] + [record_id.encode()]
        table.append((key, values))
    table.sort(key=lambda pair: pair[0])
    lines = [line(nfc(name) for name in header)] + [line(values) for _, values in table]
    return "".join(each + "\n" for each in lines).encode()


def drawn_list(frame_rows, strata, frame_digest, plan_bytes, beacon):
    """Rows of the list: strata values, place, role, record id, ticket. `frame_rows` are dictionaries."""
    plan_digest = hashlib.sha256(plan_bytes).digest()
    seed = hashlib.sha256(b"disprop-draw-1" + frame_digest + plan_digest + nfc(beacon).strip().encode()).digest()
    result = []
    for size in sorted(json.loads(plan_bytes)["sizes"], key=lambda one: [part.encode() for part in one["stratum"]]):
        members = [row["record_id"] for row in frame_rows if [row[name] for name in strata] == size["stratum"]]
        middle = b"\x00".join(part.encode() for part in size["stratum"])
        tickets = sorted(
            (hashlib.sha256(seed + b"\x00" + middle + b"\x00" + one.encode()).digest(), one.encode()) for one in members
        )
        for place, (ticket, one) in enumerate(tickets[: size["sample"] + size["reserves"]], 1):
            role = "sample" if place <= size["sample"] else "reserve"
            result.append([*size["stratum"], str(place), role, one.decode(), ticket.hex()])
    return result


def list_bytes(rows, strata):
    header = [*strata, "place", "role", "record_id", "ticket"]
    return "".join(line(values) + "\n" for values in [header, *rows]).encode()
