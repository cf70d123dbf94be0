"""Identifiers of officers, persons and incidents -> keyed hashes, at the door: what identifies nobody without the key.

A hash joins what one identifier names (searches of one officer, footage of that officer) and says nothing else. Without
the secret nobody can list the hashes of all collar numbers, which are few; so the secret is kept apart from the data,
and its loss or change means that old and new records no longer join: every part remembers its `key_id`.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np

from disprop.errors import InputRefused, UsageError

ENVIRONMENT = "DISPROP_KEY"
SHORTEST, LONGEST = 16, 64

ALIKE = {"other_officer": "officer"}
"""Columns whose identifiers are of the same sort as another column's; every other column is a sort of its own."""


class KeyedHash:
    """Hashes of identifiers under one secret: 64-bit BLAKE2b, keyed.

    Case and white space around an identifier do not matter; anything else does, so `0412` and `412` are two officers.
    0 stands for no identifier and is never a hash. Among a million identifiers, that any two share a hash has a chance
    of 1 in 37 million. `of` says what sort of identifier a text is (`officer`, `person`, `reference` ...): the same
    digits as a collar number and as a person's number are two hashes.

    secret: 16 to 64 bytes. Raises UsageError for another length.

    >>> key = KeyedHash(b"an example, not a secret")
    >>> key.hash("AB 1234", of="officer") == key.hash(" ab 1234 ", of="officer") == key.hash("officer\\0AB 1234")
    True
    >>> key.hash("AB 1234", of="person") == key.hash("AB 1234", of="officer")
    False
    >>> key.key_id
    '47f4d56b8665fa10'
    """

    def __init__(self, secret: bytes) -> None:
        if not SHORTEST <= len(secret) <= LONGEST:
            raise UsageError(f"the key has {len(secret)} bytes; {SHORTEST} to {LONGEST} random ones are wanted")
        self._start = blake2b(key=secret, digest_size=8)
        self.key_id = sha256(b"disprop-key-1\0" + secret).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"<KeyedHash {self.key_id}>"

    def hash(self, text: str, *, of: str = "") -> int:
        """The hash of one identifier, 1 to 2^64 - 1."""
        return _hashed(self._start, f"{of}\0{text}" if of else text)

    def hashes(self, texts: Iterable[str | None], *, of: str = "") -> np.ndarray:
        """Hashes of several identifiers (uint64); 0 where there is none.

        >>> KeyedHash(b"an example, not a secret").hashes([None, " "], of="officer").tolist()
        [0, 0]
        """
        start = self._start.copy()
        start.update(_plain(f"{of}\0").encode() if of else b"")
        return np.array([_hashed(start, text) if text and text.strip() else 0 for text in texts], dtype=np.uint64)


def _hashed(start: blake2b, text: str) -> int:
    """The hash of one identifier from the state that key and sort have left."""
    state = start.copy()
    state.update(_plain(text).encode())
    return int.from_bytes(state.digest()) or 1


def _plain(text: str) -> str:
    """An identifier as it is hashed: composed characters, case folded, trimmed, apart from its prefix."""
    composed = (text if text.isascii() else unicodedata.normalize("NFC", text)).casefold()
    if "\0" not in composed:
        return composed.strip()
    return "\0".join(piece.strip() for piece in composed.split("\0"))


def sort_of(column: str) -> str:
    """What sort of identifier a key column holds: `other_officer` holds officers, others what their name says.

    >>> sort_of("other_officer"), sort_of("person")
    ('officer', 'person')
    """
    return ALIKE.get(column, column)


def read_key(path: str | os.PathLike[str] | None = None) -> KeyedHash:
    """The secret in a file, or that in the environment as DISPROP_KEY; white space around it is left out.

    Make one with `openssl rand -hex 32 > secret.key`, let nobody else read the file, and keep it away from the data.

    Raises InputRefused where there is none or it cannot be read, UsageError where it is too short or too long.

    >>> from pathlib import Path
    >>> _ = Path("secret.key").write_text("an example, not a secret\\n")
    >>> read_key("secret.key")
    <KeyedHash 47f4d56b8665fa10>
    """
    if path is not None:
        return KeyedHash(_file_bytes(Path(path)).strip())
    secret = os.environ.get(ENVIRONMENT, "").strip()
    if not secret:
        raise InputRefused(
            f"no key to hash identifiers with; give --key-file FILE (key=), or set {ENVIRONMENT} to the secret itself"
        )
    return KeyedHash(secret.encode())


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as why:
        raise InputRefused(f"key file {path}: {why.strerror or why}; give a file that can be read") from why
