"""`disprop link`: the records of a store against its footage, a few lines onto the library."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from disprop.commands.options import OK, WARNINGS, progress_bar
from disprop.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from disprop.linking import Clock, Linked


@click.command()
@click.argument("path", type=click.Path(file_okay=False))
@click.option("--before", default=30.0, show_default=True, help="Minutes that a record may lie before a clip.")
@click.option("--after", default=30.0, show_default=True, help="Minutes that a record may lie after a clip.")
@click.option("--retention-days", type=click.IntRange(min=1), help="Days that footage is kept; needs --as-of.")
@click.option("--as-of", metavar="YYYY-MM-DD", help="Day on which deletion and retention are judged.")
@click.option(
    "--clock", "clocks", multiple=True, metavar="SYSTEM=SECONDS",
    help="Seconds that a system's clock is ahead, instead of estimating it; may be repeated.",
)  # fmt: skip
def link(
    path: str, before: float, after: float, retention_days: int | None, as_of: str | None, clocks: tuple[str, ...]
) -> int:
    """Link searches and force reports to body-worn-video footage, by evidence.

    What is found is kept beside the records, as the columns video_link, video_clips, video_seconds and
    video_from_start. Run it again whenever records or footage were added: only what they can change is linked again.

    \b
    Examples:
      disprop link kent.store
      disprop measure share_linked_to_video kent.store --kind search --by ethnicity_self
    """
    from disprop.linkage import LinkSettings
    from disprop.linking import link_store

    usual, ahead, behind = LinkSettings(), round(before * 60), round(after * 60)
    settings = LinkSettings(
        before=ahead,
        after=behind,
        another_before=min(usual.another_before, ahead),
        another_after=min(usual.another_after, behind),
        reference_within=max(usual.reference_within, ahead, behind),
        retention_days=retention_days,
        as_of=None if as_of is None else _instant(as_of),
    )
    with progress_bar() as show:
        done = link_store(path, settings=settings, clocks=_clocks(clocks), progress=show)
    for text in _told(done):
        click.echo(text)
    warned = [*_warned(done)]
    for text in warned:
        click.echo(f"warning: {text}", err=True)
    return WARNINGS if warned else OK


def _instant(day: str) -> int:
    try:
        return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise UsageError(f"--as-of {day}: write a day as YYYY-MM-DD") from None


def _clocks(given: tuple[str, ...]) -> dict[str, int]:
    found = {}
    for text in given:
        system, _, seconds = text.rpartition("=")
        if not system or not seconds.strip().lstrip("+-").isdigit():
            raise UsageError(f"--clock {text}: write SYSTEM=SECONDS, such as axon=420")
        found[system] = int(seconds)
    return found


def _told(done: Linked) -> Iterator[str]:
    yield f"{done.parts:,} parts linked, {done.unchanged:,} linked before; {done.records:,} records"
    for label, n in done.found.items():
        yield f"  {label:<18}{n:>12,}  {n / done.records:.1%}"
    yield from _clocks_told(done.clocks)


def _clocks_told(clocks: Sequence[Clock]) -> Iterator[str]:
    """One line a force, kind of record and system: how far off its clock was found to be, over the months."""
    for about in dict.fromkeys((one.force, one.kind, one.system) for one in clocks):
        some = [one for one in clocks if (one.force, one.kind, one.system) == about]
        force, kind, system = about
        yield f"clock of {system} ({force}, {kind}): {_off(some)}"


def _off(some: Sequence[Clock]) -> str:
    """How far off, over the months in which it is known, and in how many that was corrected."""
    from disprop.linkage.clocks import FEWEST_PAIRS

    known = [one for one in some if one.pairs]
    if not known:
        return f"not known (fewer than {FEWEST_PAIRS} pairs that agree)"
    found = [_span([one.seconds + one.summer_seconds for one in known], "+,")]
    found += dict.fromkeys(one.pattern for one in known if one.pattern)
    found += [f"spread {_span([one.spread for one in known], ',')}", f"from {sum(one.pairs for one in known):,} pairs"]
    told = [", ".join(found), f"corrected in {sum(one.corrected for one in known)} of {len(some)} months"]
    if len(known) < len(some):
        told.append(f"not known in {len(some) - len(known)} (fewer than {FEWEST_PAIRS} pairs that agree)")
    return "; ".join(told)


def _span(values: Sequence[int], form: str) -> str:
    low, high = (format(value, form) for value in (min(values), max(values)))
    return f"{low} s" if low == high else f"{low} to {high} s"


def _warned(done: Linked) -> Iterator[str]:
    if done.without_footage:
        yield (
            f"{done.without_footage:,} parts are of months without a footage extract: they stay blank (never linked), "
            "which is not to say that there was no video"
        )
    if done.nothing_to_look_by:
        yield (
            f"{done.nothing_to_look_by:,} records have nothing to look by (no time of day, or neither officer nor "
            "reference): they stay blank (never linked); see that the mapping reads these columns"
        )
    if done.overlong:
        yield f"{done.overlong:,} clips claim to last more than a day: taken as their start alone"
