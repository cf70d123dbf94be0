"""The nightly: new and revised extracts -> store -> links -> tallies of what changed -> figures -> one new folder.

All or nothing, and again or never: a night that is stopped at any moment and run again publishes the bytes that an
undisturbed one would have, and a second run on the same extracts changes nothing. See docs/nightly.md.
"""

from __future__ import annotations

from disprop.nightly.config import Config, read_config
from disprop.nightly.run import Outcome, check, run_nightly

__all__ = ["Config", "Outcome", "check", "read_config", "run_nightly"]
