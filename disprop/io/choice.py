"""Which of the members found are read: each content once, each force-month from one file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from disprop.codelists import force_code
from disprop.errors import UsageError
from disprop.io.archive import Found, Member, digest_of
from disprop.io.names import Claim, claim
from disprop.io.rules import SAME_CONTENT, STRANGE_FORCE, TWO_FILES, refuse
from disprop.months import month_label


@dataclass(frozen=True)
class Chosen:
    """A member to read, with what its path claims."""

    member: Member
    claim: Claim


def choose(found: Found, *, force: str | None) -> list[Chosen]:
    """The members to read, in the order found.

    The same bytes for the same force-month (or under a name that claims none) are read once. Only files of equal size
    are compared, by their digests. Two different files for one force-month are refused: they are two publications, and
    adding them would count searches twice.
    """
    named = [Chosen(member, _known(member, claim(member.path), force)) for member in found.members]
    again = _repeated(named)
    for one in again:
        found.skip(SAME_CONTENT, one.member.name)
    kept = [one for one in named if one not in again]
    _refuse_two_files(kept)
    return kept


def _known(member: Member, claimed: Claim, force: str | None) -> Claim:
    """The claim, its force known; a force in the name that is no force needs `force=`."""
    if claimed.strange and force is None:
        try:
            hint = force_code(claimed.strange)
        except UsageError as why:
            hint = str(why)
        refuse(STRANGE_FORCE, member.name, f"{hint}; rename it, or give --force ID (or force=)")
    return replace(claimed, strange="")


def _repeated(named: Sequence[Chosen]) -> list[Chosen]:
    """Members whose bytes stand under another name too, except the one that claims most."""
    again: list[Chosen] = []
    for alike in _groups((one.member.size, one) for one in named):
        for same in _groups((digest_of(one.member), one) for one in alike):
            kept: list[Chosen] = []
            for one in sorted(same, key=_unknowns):
                repeats = any(_may_be_one(one.claim, other.claim) for other in kept)
                (again if repeats else kept).append(one)
    return again


def _groups(keyed: Iterable[tuple[object, Chosen]]) -> list[list[Chosen]]:
    """Members that share a key with another."""
    groups: dict[object, list[Chosen]] = {}
    for key, one in keyed:
        groups.setdefault(key, []).append(one)
    return [group for group in groups.values() if len(group) > 1]


def _unknowns(one: Chosen) -> int:
    return (one.claim.force is None) + (one.claim.month is None)


def _may_be_one(one: Claim, other: Claim) -> bool:
    """Whether two claims can be of one force-month."""
    return (one.force is None or other.force is None or one.force == other.force) and (
        one.month is None or other.month is None or one.month == other.month
    )


def _refuse_two_files(kept: Sequence[Chosen]) -> None:
    slots = _groups(((one.claim.force, one.claim.month), one) for one in kept if _unknowns(one) == 0)
    if slots:
        first, second = slots[0][:2]
        refuse_two_files(slot_name(first.claim), first.member.name, second.member.name, others=len(slots) - 1)


def refuse_two_files(slot: str, first: str, second: str, *, others: int = 0) -> None:
    further = f" (and so are {others} other force-months)" if others else ""
    refuse(
        TWO_FILES, slot, f"it is in {first} and in {second}{further}; give the publication wanted, without the other"
    )


def slot_name(claimed: Claim) -> str:
    return f"{claimed.force} {month_label(claimed.month or 0)}"
