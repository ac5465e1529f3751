"""A tool's rows and our log together: what is applied, and what the log may say of it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from dbmigrate.postgres.history.adapter import Move
from dbmigrate.postgres.history.formats.applied_rows import AppliedRow, UnfinishedStep, VersionSet
from dbmigrate.postgres.history.formats.dbmate import DbmateTable
from dbmigrate.postgres.history.formats.goose import GooseTable
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.runner.planning.applied_rows import AppliedSet
from tests.unit.runner.planning.logs import newest_rows
from tests.unit.runner.planning.test_applied_number import row

pytestmark = pytest.mark.quick

NOON = 1_767_268_800_000
"""2026-01-01T12:00:00Z in milliseconds since 1970."""
MINUTE = 60_000


def goose(*versions: int, clock: int | None = None) -> VersionSet:
    entries = (AppliedRow(version, str(version), clock_ms=clock) for version in versions)
    return VersionSet(GooseTable(), tuple(entries))


def timed(milliseconds: int) -> LogRow:
    """A step up of version 1 that ended at noon."""
    done = row(1, "up", 1, None, 1)
    return replace(done, finished_at="2026-01-01T12:00:00.000Z", milliseconds=milliseconds)


def test_applied_is_what_has_a_row_whatever_the_log_says() -> None:
    log = [row(1, "up", 1, None, 1), row(2, "up", 2, 1, 2)]
    applied = AppliedSet(goose(2, 5), log)
    assert (applied.version, applied.recorded) == (5, (2, 5))
    assert [applied.covers(version) for version in (1, 2, 3, 5)] == [False, True, False, True]
    assert applied.row(1) is None
    assert applied.row(2) == log[1]
    assert applied.row(5) is None
    assert applied.gap is None


@pytest.mark.parametrize("zone", [0, 60, -300, 345, 765])
def test_a_row_written_in_any_zone_belongs_to_the_step_that_ran_then(zone: int) -> None:
    for moment in (NOON, NOON - 2000):
        found = goose(1, clock=moment + zone * MINUTE)
        assert AppliedSet(found, [timed(2000)]).row(1) is not None


@pytest.mark.parametrize("late", [-25, 0, 5])
def test_clocks_that_round_differ_by_some_milliseconds(late: int) -> None:
    assert AppliedSet(goose(1, clock=NOON + late), [timed(20)]).row(1) is not None


@pytest.mark.parametrize("late", [-26, 6, 50, 3000, 5 * MINUTE, 10 * MINUTE])
def test_a_row_of_another_time_belongs_to_another_step(late: int) -> None:
    found = goose(1, clock=NOON + late)
    assert AppliedSet(found, [timed(20)]).row(1) is None


def test_what_a_person_set_is_no_step_of_the_log() -> None:
    found = VersionSet(DbmateTable(), (AppliedRow(1, "1"), AppliedRow(2, "2")))
    log = [
        row(1, "up", 1, None, 1),
        row(2, "up", 2, 1, 2),
        row(3, "force", None, 2, 1),
        row(4, "force", None, 1, 2),
    ]
    applied = AppliedSet(found, log)
    assert applied.row(1) == log[0]
    assert applied.row(2) is None


def test_goose_undoes_what_was_applied_last_and_dbmate_the_highest() -> None:
    entries = (AppliedRow(1, "1"), AppliedRow(3, "3"), AppliedRow(2, "2"))
    assert AppliedSet(VersionSet(GooseTable(), entries), ()).undoing == (2, 3, 1)
    assert AppliedSet(VersionSet(DbmateTable(), entries), ()).undoing == (3, 2, 1)


def test_a_step_down_takes_all_rows_of_its_version() -> None:
    found = VersionSet(
        GooseTable(), (AppliedRow(1, "1"), AppliedRow(1, "1", is_applied=False), AppliedRow(2, "2"))
    )
    assert found.version == 2
    assert [entry.version for entry in found.stepped(Move(1, False, 2)).entries] == [2]
    begun = found.begun(Move(2, False, None))
    assert (begun.dirty, begun.stored, begun.version) == (True, 2, 2)
    assert begun.unfinished == UnfinishedStep(2, is_up=False)
    assert not begun.stepped(Move(2, False, None)).dirty


@pytest.mark.parametrize("seed", range(200))
def test_the_newest_rows_say_of_each_version_what_the_whole_log_does(seed: int) -> None:
    chance = random.Random(seed)
    rows: list[LogRow] = []
    applied: set[int] = set()
    for number in range(1, 60):
        kind, version = chance.choice(["up", "up", "down", "force"]), chance.randint(1, 6)
        here = max(applied, default=None)
        if kind == "up" and version not in applied:
            applied.add(version)
            rows.append(row(number, "up", version, here, max(applied)))
        elif kind == "down" and version in applied:
            applied.remove(version)
            rows.append(row(number, "down", version, here, max(applied, default=None)))
        elif kind == "force" and chance.random() < 0.3:
            applied = {v for v in applied if v < version} | {version}
            rows.append(replace(row(number, "force", None, here, version), name=""))
    found = VersionSet(DbmateTable(), tuple(AppliedRow(v, str(v)) for v in sorted(applied)))
    whole, read = AppliedSet(found, rows), AppliedSet(found, newest_rows(rows))
    assert [read.row(v) for v in sorted(applied)] == [whole.row(v) for v in sorted(applied)]
