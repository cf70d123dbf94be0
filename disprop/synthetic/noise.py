"""How invented encounters are recorded: what is late, shifted, missing, wrong, split or gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from disprop.errors import UsageError

SYSTEMS = ("system A", "system B")
"""Where footage is kept; one officer in four has a camera of the second."""


@dataclass(frozen=True)
class Noise:
    """What stands between an encounter and its records. Shares lie between 0 and 1; times are in seconds.

    The default is a force of middling habits; `CLEAN` has no noise at all, `MILD` little.

    late: share of forms entered later than the encounter; the time on the form is then that of entering it.
    late_median, late_spread: median delay of a late form, and the standard deviation of its logarithm.
    clock: by how much the clock of each system is fast (slow: negative); a system that is not named is right.
    local_as_utc: systems that write the UK local clock and call it UTC: an hour fast in summer, right in winter.
    missing_reference: share of clips of an encounter that nobody tagged with a reference.
    wrong_reference: share tagged with a reference that is not theirs; half of these name another encounter, half none.
    split: share of recordings that come as two clips, a few seconds apart.
    late_start: share of recordings switched on after the encounter began.
    late_upload: share of clips uploaded 2 to 30 days after the usual hours.
    upload_clock: share of clips that state the time of their upload as that of their recording.
    double_crewed: share of encounters attended by two officers, who both may record.
    busy: share of encounters attended by the busiest 1% of crews, beyond an even share.
    gap: least time between two encounters of one crew, from the end of the first.
    not_worn: share of encounters that nobody wore a camera at.
    not_recorded: share that nobody recorded though a camera was worn.
    tick_wrong: share of tick-boxes for video that say the opposite of what is so.
    other_footage: recordings of nothing that is on record, for each encounter with a search.
    retention_days: clips older than that on the day of the extract are deleted; None: all are kept.
    expired_rows: share of deleted clips that the extract still lists, with their day of deletion.

    Raises UsageError for a share outside 0 to 1, a negative time, a system that is not one of `SYSTEMS`.
    """

    late: float = 0.25
    late_median: float = 1500.0
    late_spread: float = 0.8
    clock: Mapping[str, float] = field(default_factory=lambda: {"system B": 40.0})
    local_as_utc: tuple[str, ...] = ()
    missing_reference: float = 0.45
    wrong_reference: float = 0.02
    split: float = 0.10
    late_start: float = 0.10
    late_upload: float = 0.05
    upload_clock: float = 0.005
    double_crewed: float = 0.55
    busy: float = 0.05
    gap: float = 300.0
    not_worn: float = 0.02
    not_recorded: float = 0.02
    tick_wrong: float = 0.03
    other_footage: float = 0.6
    retention_days: int | None = None
    expired_rows: float = 0.5

    def __post_init__(self) -> None:
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}: a share is between 0 and 1")
        for name in ("late_median", "late_spread", "gap", "other_footage"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be 0 or more")
        strange = {*self.clock, *self.local_as_utc} - {*SYSTEMS}
        if strange:
            raise UsageError(f"no system {', '.join(sorted(strange))}; there are {', '.join(SYSTEMS)}")
        if self.missing_reference + self.wrong_reference > 1 or self.not_worn + self.not_recorded > 1:
            raise UsageError("missing and wrong references, and not worn and not recorded, may not pass 1 together")


SHARES = (
    "late", "missing_reference", "wrong_reference", "split", "late_start", "late_upload", "upload_clock",
    "double_crewed", "busy", "not_worn", "not_recorded", "tick_wrong", "expired_rows",
)  # fmt: skip

_NONE: dict[str, Any] = dict.fromkeys((*SHARES, "other_footage"), 0.0)

CLEAN = Noise(**_NONE, clock={}, gap=3600.0)
"""No noise: every encounter is recorded by one officer alone, in full, on time and under its reference."""

MILD = Noise(
    **_NONE | {"late": 0.05, "missing_reference": 0.2, "split": 0.05, "double_crewed": 0.3, "other_footage": 0.5},
    late_median=300.0,
    late_spread=0.5,
    clock={},
    gap=3600.0,
)
"""Little noise: some late forms, missing references, split clips and second officers."""


def described(noise: Noise) -> dict[str, object]:
    """The noise as plain values, to write down."""
    return asdict(noise)
