"""Keyed hashes: the same identifier, the same hash; nothing to be learnt without the secret."""

import hashlib
import unicodedata

import numpy as np
import pytest

from disprop.errors import InputRefused, UsageError
from disprop.keys import KeyedHash, read_key, sort_of

SECRET = b"an invented secret of the tests"
KEY = KeyedHash(SECRET)


def slow_hash(secret, sort, text):
    """The definition, from hashlib alone."""
    plain = unicodedata.normalize("NFC", text).casefold().strip()
    digest = hashlib.blake2b(f"{sort}\0{plain}".encode(), key=secret, digest_size=8).digest()
    return int.from_bytes(digest, "big")


@pytest.mark.parametrize("text", ["4412", " 4412 ", "AB 12", "ab 12", "Zo\u00eb-1", "Zoe\u0308-1", "\u00df1"])
@pytest.mark.parametrize("sort", ["officer", "person"])
def test_a_hash_is_what_it_says_it_is(text, sort):
    assert KEY.hash(text, of=sort) == slow_hash(SECRET, sort, text) == KEY.hash(f"{sort}\0{text}")


def test_what_makes_no_difference_and_what_does():
    same = {KEY.hash(text, of="officer") for text in ("AB 12", " ab 12\t", "Ab 12")}
    assert len(same) == 1
    assert len({KEY.hash(text, of="officer") for text in ("412", "0412", "41 2", "412.0")}) == 4
    assert KEY.hash("412", of="officer") != KEY.hash("412", of="person")
    assert KEY.hash("412", of="officer") != KeyedHash(SECRET + b"!").hash("412", of="officer")


def test_columns_and_their_sorts():
    found = KEY.hashes(["412", None, "", "  ", "412"], of="officer")
    assert found.dtype == np.uint64
    assert found.tolist() == [KEY.hash("412", of="officer"), 0, 0, 0, KEY.hash("412", of="officer")]
    assert (sort_of("other_officer"), sort_of("incident")) == ("officer", "incident")


def test_a_hash_of_zero_would_read_as_none(monkeypatch):
    class Zero:
        def copy(self):
            return self

        def update(self, _):
            pass

        def digest(self):
            return bytes(8)

    key = KeyedHash(SECRET)
    key._start = Zero()
    assert key.hash("412") == 1


def test_the_key_id_names_the_key_and_not_the_secret():
    assert KEY.key_id == hashlib.sha256(b"disprop-key-1\0" + SECRET).hexdigest()[:16]
    assert SECRET.decode() not in repr(KEY)


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_secret_too_short_or_too_long_is_refused(length):
    with pytest.raises(UsageError, match=f"{length} bytes; 16 to 64"):
        KeyedHash(b"x" * length)


def test_a_key_from_a_file_or_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "secret.key"
    path.write_bytes(SECRET + b"\r\n")
    assert read_key(path).key_id == KEY.key_id
    monkeypatch.setenv("DISPROP_KEY", f"{SECRET.decode()}\n")
    assert read_key().key_id == KEY.key_id
    monkeypatch.setenv("DISPROP_KEY", "")
    with pytest.raises(InputRefused, match="--key-file"):
        read_key()
    with pytest.raises(InputRefused, match=r"gone\.key"):
        read_key(tmp_path / "gone.key")
