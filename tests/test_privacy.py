"""No raw identifier in anything that is written: not plain, not packed, not hashed without the key.

Extracts with known identifiers go through a mapping into a store, are linked, counted, measured and exported, some rows
are put aside; then every file that this left, and everything said on the way, is searched.
"""

import gzip
import hashlib
import json
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import disprop as dp
from disprop.cli import cli
from disprop.synthetic.extracts import HEADINGS
from tests.raw_identifiers import LOOKS, Search, blobs, leaks, spread, unpacked

MONTHS = ["2023-04"]
SECRET = b"0123456789abcdef0123456789abcdef"
KEYS = ("officer", "other_officer", "person", "reference", "incident", "media", "device")
ABOUT = {
    "search": ("searches", "pace2023", ["%d/%m/%Y"]),
    "force_report": ("force_reports", "pace2023", ["%d/%m/%Y"]),
    "footage": ("footage", "police.uk", ["%Y-%m-%d %H:%M:%S"]),
    "custody": ("custody", "pace2023", ["%d/%m/%Y"]),
}


def mapping(kind):
    """The mapping of an extract, as a force would write it."""
    _, scheme, formats = ABOUT[kind]
    zone = "UTC" if kind == "footage" else "Europe/London"
    lines = [f'name = "shire-{kind.replace("_", "-")}"', f'kind = "{kind}"', 'force = "kent"', f'scheme = "{scheme}"']
    lines += [f'time_zone = "{zone}"', f"date_formats = {json.dumps(formats)}", "[columns]"]
    for column, heading in HEADINGS[kind].items():
        first, cut, second = heading.partition("|")
        role = ":date" if cut else ""
        lines.append(f'"{first}" = "{column}{role}"')
        if cut:
            lines.append(f'"{second}" = "{column}:time"')
    if kind != "footage":
        lines += ["[schemes]", 'ethnicity_officer = "pnc"'] if kind != "force_report" else []
    return "\n".join(lines) + "\n"


def night(folder):
    """A night that takes in the same extracts and publishes figures, those of officers too."""
    lines = [f'store = "{folder}/out/night.store"', f'out = "{folder}/out/published"', "report = false"]
    for kind, (name, *_) in ABOUT.items():
        lines += ["[[extracts]]", f'path = "{folder}/extracts/{name}"', f'mapping = "{folder}/{kind}.toml"']
        lines += [f'key_file = "{folder}/secret.key"']
    lines += ["[link]", "[[tables]]", 'measure = "shrunken_share_linked_to_video"', 'by = ["officer"]']
    lines += ['kind = "search"', "[[tables]]", 'measure = "find_rate"', 'by = ["object"]', 'kind = "search"']
    return "\n".join(lines) + "\n"


def identifiers(folder):
    """Every raw identifier in the extracts."""
    found = set()
    for kind, (name, *_) in ABOUT.items():
        headings = [HEADINGS[kind][column] for column in KEYS if column in HEADINGS[kind]]
        for path in sorted((folder / name).glob("*.csv")):
            table = pc.read_csv(path)
            for heading in headings:
                found |= {str(value) for value in table[heading].to_pylist() if value}
    return found


def spoil(path):
    """Some rows whose date cannot be read: they are put aside, with who is in them."""
    lines = path.read_text().splitlines()
    for at in (1, 2, 3):
        lines[at] = lines[at].replace("/2023", "/soon").replace("2023-", "soon-")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Everything that a run leaves, in `out`, and the identifiers that went in."""
    folder = tmp_path_factory.mktemp("privacy")
    extracts, out = folder / "extracts", folder / "out"
    out.mkdir()
    for path in dp.synthetic.write_encounters(extracts, months=MONTHS, seed=5):
        spoil(path)
    (folder / "secret.key").write_bytes(SECRET)
    said = []

    def run(*words):
        done = CliRunner().invoke(cli, [*map(str, words)], standalone_mode=False)
        said.append(" ".join([*map(str, words[:1]), done.output, done.stderr, repr(done.exception)]))
        assert done.exception is None, done.output + done.stderr
        return done

    store, key = out / "force.store", folder / "secret.key"
    for kind, (name, *_) in ABOUT.items():
        toml = folder / f"{kind}.toml"
        toml.write_text(mapping(kind))
        run("store", "add", store, extracts / name, "--mapping", toml, "--key-file", key)
        how = ("--mapping", toml, "--key-file", key, "--quarantine", out / f"{kind}.csv")
        run(
            "tally",
            extracts / name,
            *how,
            "--by",
            "officer",
            "--out",
            out / f"{kind}-tally.parquet",
            "--format",
            "parquet",
        )
    run("link", store)
    run("store", "verify", store)
    for kind in ("search", "force_report", "footage", "custody"):
        run("store", "list", store, "--kind", kind)
        for ending in ("parquet", "csv"):
            run("store", "export", store, out / f"{kind}-export.{ending}", "--kind", kind)
    searches = out / "searches.store"
    run("store", "add", searches, extracts / "searches", "--mapping", folder / "search.toml", "--key-file", key)
    run("store", "add", searches, extracts / "footage", "--mapping", folder / "footage.toml", "--key-file", key)
    run("link", searches)
    for form in ("csv", "json", "parquet"):
        run("tally", out / "search-export.parquet", "--by", "object", "--format", form, "--out", out / f"t.{form}")
    from disprop.io.store import open_store

    counted = dp.tally(open_store(store, kind="search"), by=["officer", "video_link"])
    counted.save(out / "officers.parquet")
    dp.shrunken_share_linked_to_video(counted).to_csv(out / "officers.csv")
    dp.linkage_bias(dp.tally(open_store(store, kind="search"), by=["object", "video_link"])).to_json(out / "bias.json")
    nightly = folder / "nightly.toml"
    nightly.write_text(night(folder))
    run("nightly", nightly)
    person = next(
        k for row in open_store(store, kind="search").batches({"person"}) for k in row["person"].to_pylist() if k
    )
    run("store", "purge", store, "--person", f"{person:016x}", "--reason", "expunged")
    run("store", "compact", store, "--grace-days", "0")
    (out / "said.txt").write_text("\n".join(said))
    return out, Search(identifiers(extracts)), person


def test_there_is_something_to_find_and_to_search(place):
    out, search, _ = place
    assert len(search.raw) > 3_000
    assert {text[:2] for text in search.raw} == {"pc", "p0", "ur", "in", "me", "bw"}
    names = {path.name for path in out.rglob("*")}
    assert {"CURRENT", "said.txt", "officers.parquet", "search.csv", "search-export.csv"} <= names
    quarantined = (out / "search.csv").read_text().splitlines()
    assert len(quarantined) == 4  # a heading, and three rows
    assert any("ledger" in path.parts for path in out.rglob("*"))


def test_the_night_published_officers_with_ten_records_only(place):
    out, _, _ = place
    tables = [path for path in (out / "published" / "current").rglob("*.csv") if "shrunken" in path.name]
    assert len(tables) == 1
    table = pd.read_csv(tables[0], dtype={"officer": str})
    assert (table["officer"] == "[c]").any()
    assert table.loc[table["officer"] == "[c]", ["numerator", "denominator", "n_unknown"]].isna().all(axis=None)
    shown = table[~table["officer"].isin(["[c]", "blank"])]
    assert len(shown)
    assert (shown["denominator"] >= 10).all()


def test_no_raw_identifier_in_any_artefact(place):
    out, search, _ = place
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    assert len(files) > 20
    assert leaks(search, files) == []


def test_no_artefact_is_named_after_anybody(place):
    out, search, _ = place
    assert search.found("\n".join(str(path.relative_to(out)) for path in out.rglob("*")).encode()) == []


def test_the_key_stands_nowhere(place):
    out, _, _ = place
    for path in out.rglob("*"):
        if path.is_file():
            for _, blob in blobs(path):
                assert SECRET not in blob
                assert SECRET.hex().encode() not in blob


def test_a_purged_person_stands_nowhere_in_the_store(place):
    out, _, person = place
    for path in (out / "force.store").rglob("*"):
        if path.is_file():
            for _, blob in blobs(path):
                assert person.to_bytes(8, "little") not in blob
                assert f"{person:016x}".encode() not in blob


# The search itself can fail

TEXT = "PC0412"


def sha(name, said):
    return hashlib.new(name, said).digest()


def as_parquet(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def as_arrow(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def as_zip(blob):
    import io

    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.csv", blob)
    return sink.getvalue()


def number(said, order):
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), order)


PLANTED = {
    "plain": f"officer,{TEXT},1".encode(),
    "lower case": TEXT.lower().encode(),
    "UTF-16": f"officer {TEXT} here".encode("utf-16"),
    "UTF-16 big": f"officer {TEXT} here".encode("utf-16-be"),
    "gzip": gzip.compress(b"x" * 500 + TEXT.encode()),
    "zip": as_zip(b"y" * 500 + TEXT.encode()),
    "gzip in zip": as_zip(gzip.compress(TEXT.encode())),
    "Parquet text": as_parquet(pa.table({"officer": [TEXT] * 100})),
    "Parquet dictionary": as_parquet(pa.table({"officer": pa.array([TEXT] * 9).dictionary_encode()})),
    "Parquet metadata": as_parquet(pa.table({"a": [1]}).replace_schema_metadata({"who": TEXT})),
    "Arrow, packed": as_arrow(pa.table({"officer": [TEXT] * 50})),
    "MD5": sha("md5", TEXT.encode()).hex().encode(),
    "SHA-1, capitals": sha("sha1", TEXT.encode()).hex().upper().encode(),
    "SHA-256 as bytes": b"abc" + sha("sha256", TEXT.encode()) + b"d",
    "SHA-256, first half": sha("sha256", TEXT.casefold().encode())[:16].hex().encode(),
    "BLAKE2b": sha("blake2b", TEXT.encode()).hex().encode(),
    "BLAKE2b with a prefix": sha("blake2b", b"officer\0pc0412").hex().encode(),
    "BLAKE2b-64 without the key, in a column": as_parquet(
        pa.table({"officer": pa.array([5, number(b"officer\0pc0412", "big")], pa.uint64())})
    ),
    "the same, the other way round": number(b"officer\0pc0412", "little").to_bytes(8, "little"),
}


@pytest.mark.parametrize("where", PLANTED)
def test_a_planted_identifier_is_found(where, tmp_path):
    search = Search([TEXT])
    (tmp_path / "planted").write_bytes(PLANTED[where])
    assert leaks(search, [tmp_path / "planted"])
    assert not Search(["PC0413"]).found(b"".join(blob for _, blob in unpacked("x", PLANTED[where])))


def test_a_planted_identifier_among_the_artefacts_is_found(place, tmp_path):
    out, search, _ = place
    ledger = next((out / "force.store" / "ledger").iterdir())
    officer = next(text for text in search.raw if text.startswith("pc"))
    (tmp_path / "ledger").write_bytes(ledger.read_bytes() + officer.encode())
    assert leaks(search, [tmp_path / "ledger"])


def test_patterns_of_two_bytes_a_character_match():
    import re

    for look, text in zip(LOOKS, ("PC0412", "P00000001", "URN00000001", "INC00000001", "MED0000000001", "BW00001")):
        assert re.search(spread(look), text.encode("utf-16-le"))
        assert np.all([re.search(look, text)])
