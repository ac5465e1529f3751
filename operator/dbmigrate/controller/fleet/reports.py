"""Taking the reports of Pods into the status of a wave: each shard is counted once.

Which shards are counted stands in the status together with the counts, and both are written at
once. So a Pod may go as soon as that is done, and an operator that has just started counts no shard
again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from dbmigrate.api.conditions import shorten
from dbmigrate.api.fleet.spec import MOST_SHARDS
from dbmigrate.api.fleet.status import (
    FAILURES_LIMIT,
    SetStatus,
    TargetFailure,
    Totals,
    WaveStatus,
)
from dbmigrate.controller.decisions.outcome import parse_message
from dbmigrate.controller.fleet.jobs import ShardPod
from dbmigrate.controller.fleet.shards import format_indexes, parse_indexes
from dbmigrate.report import Report, UnknownReport
from dbmigrate.report.bounds import EXCERPT_LIMIT
from dbmigrate.report.fleet import FleetReport
from dbmigrate.untrusted import plus

MESSAGE_LIMIT = 500
"""Characters of a failure's message in the status."""


@dataclass(frozen=True, slots=True)
class ShardReport:
    """The report of the newest Pod of a shard that has ended."""

    shard: int
    is_done: bool
    """Each target of the shard was tried."""
    report: Report | None
    problem: str = ""
    """Why there is no report that can be read."""


def read_shards(
    shards: int, pods: Iterable[ShardPod], *, without: Collection[int] = ()
) -> dict[int, ShardReport]:
    """By shard, the reports of Pods that have ended. One that is done counts before all others.

    Those of the shards `without` are not read again: they may be a thousand.
    """
    found: dict[int, ShardReport] = {}
    for each in sorted(pods, key=_when_ended):
        if each.shard is None or each.shard >= shards or each.shard in without:
            continue
        if not each.pod.has_told:
            continue
        known = found.get(each.shard)
        if known is None or not known.is_done:
            found[each.shard] = _read(each, each.shard)
    return found


def _when_ended(each: ShardPod) -> tuple[bool, str, str]:
    ended = each.pod.ended
    moment = ended.finished_at if ended is not None else None
    return moment is not None, moment.isoformat() if moment else "", each.pod.name


def _read(each: ShardPod, shard: int) -> ShardReport:
    ended = each.pod.ended
    try:
        report = parse_message(ended)
    except UnknownReport as unknown:
        return ShardReport(shard, False, None, f"{unknown}: update the operator")
    if report is not None and report.fleet is not None:
        return ShardReport(shard, ended is not None and ended.exit_code == 0, report)
    if report is not None and report.error is not None:
        return ShardReport(shard, False, None, f"{report.error.reason}: {report.error.message}")
    told = ended or each.pod.failed
    text = f"Pod {each.pod.name} left no report"
    if told is not None:
        tail = f": {told.message.strip()}" if told.message.strip() else ""
        text += f" (container {told.container}, exit code {told.exit_code}, {told.reason}){tail}"
    return ShardReport(shard, False, None, shorten(text, EXCERPT_LIMIT))


def take_in(
    status: SetStatus,
    wave: WaveStatus,
    pods: Iterable[ShardPod],
    *,
    is_over: bool,
) -> tuple[SetStatus, WaveStatus]:
    """The status with the shards of a running wave that have reported since.

    `is_over`: no Pod of it works any more, so that one which was interrupted has told all.
    """
    counted = set(parse_indexes(wave.reported, most=MOST_SHARDS))
    failures = list(status.failures)
    for shard, told in sorted(read_shards(wave.shards, pods, without=counted).items()):
        fleet = told.report.fleet if told.report is not None else None
        # A shard that was interrupted is worked on again, by another Pod or another rollout.
        if fleet is None or not (told.is_done or is_over):
            continue
        wave = _add(wave, fleet)
        failures += [
            TargetFailure(
                target=each.name,
                wave=wave.name,
                outcome=each.outcome,
                reason=each.reason,
                message=shorten(each.message, MESSAGE_LIMIT),
                file=each.file,
                line=each.line,
            )
            for each in fleet.failures[: FAILURES_LIMIT - len(failures)]
        ]
        counted.add(shard)
    wave = replace(wave, reported=format_indexes(counted))
    waves = tuple(wave if each.name == wave.name else each for each in status.waves)
    return replace(status, waves=waves, failures=tuple(failures)), wave


def _add(wave: WaveStatus, fleet: FleetReport) -> WaveStatus:
    counts, before = fleet.counts, wave.totals
    totals = Totals(
        total=before.total,
        current=plus(before.current, counts.current),
        pending=plus(before.pending, counts.pending),
        failed=plus(before.failed, counts.failed),
        dirty=plus(before.dirty, counts.dirty),
        unreachable=plus(before.unreachable, counts.unreachable),
    )
    return replace(wave, totals=totals, migrated=plus(wave.migrated, counts.migrated))


def sum_totals(waves: Iterable[WaveStatus]) -> Totals:
    """The counts of the whole fleet."""
    found = [wave.totals for wave in waves]
    return Totals(
        total=plus(*(each.total for each in found)),
        current=plus(*(each.current for each in found)),
        pending=plus(*(each.pending for each in found)),
        failed=plus(*(each.failed for each in found)),
        dirty=plus(*(each.dirty for each in found)),
        unreachable=plus(*(each.unreachable for each in found)),
    )
