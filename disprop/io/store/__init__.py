"""The record store: records as label codes in immutable Arrow files, changed by whole transactions.

    FORMAT                       which layout this is
    CURRENT                      the manifest that counts; the only file that is ever replaced
    segments/<digest>.arrow      records: one record batch a part, openable by any Arrow tool; never changed
    manifests/<n>.arrow          one row a live part: where each column of it stands; vocabularies in the metadata
    ledger/<n>.jsonl             what transaction n changed and why, with the digest of the ledger before it

A reader takes one manifest and keeps to it; it needs no lock. A writer holds the lock, writes new files beside the
old ones, and replaces CURRENT last: a store is always the old one or the new one. See docs/store.md.
"""

from __future__ import annotations

from disprop.io.store.exchange import export, sources
from disprop.io.store.maintenance import Compacted, compact, verify
from disprop.io.store.reader import Store, is_store, open_store
from disprop.io.store.retention import Purged, purge
from disprop.io.store.sidecars import Reach, Sidecar, add_sidecar, add_sidecars, read_sidecar, sidecar_key
from disprop.io.store.writer import Changed, add

__all__ = [
    "Changed", "Compacted", "Purged", "Reach", "Sidecar", "Store", "add", "add_sidecar", "add_sidecars", "compact",
    "export", "is_store", "open_store", "purge", "read_sidecar", "sidecar_key", "sources", "verify",
]  # fmt: skip
