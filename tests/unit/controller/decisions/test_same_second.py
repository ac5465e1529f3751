"""Runs that were made within one second: the API server's times do not tell which is newer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations, product

import pytest

from dbmigrate.api.spec import HistoryLimits
from dbmigrate.controller.decisions.files import SourceFiles
from dbmigrate.controller.decisions.job_history import choose_discarded
from dbmigrate.controller.decisions.outcome import begin_run
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.report import Outcome, Reason
from tests.unit.controller.resources import (
    NOW,
    failure,
    finished,
    look,
    make_migration,
    make_pod,
    make_report,
    make_run,
    reconcile,
)

AFTER = SourceFiles(digest="two")
MIGRATION = make_migration()


def first() -> JobRun:
    return finished(make_run(MIGRATION))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_run_for_the_present_files_stays_the_last_one(order: tuple[int, ...]) -> None:
    intent = MIGRATION.spec.intent(AFTER.digest)
    second = finished(
        make_run(MIGRATION, name="shop-0", uid="job-0", intent=intent), RunState.FAILED
    )
    runs = [first(), second]
    pods = (make_pod(runs[0], make_report()), make_pod(second, failure(Reason.DIRTY)))
    in_order = tuple(runs[number] for number in order)
    migration = MIGRATION
    for _ in range(3):
        decision = reconcile(look(migration, files=AFTER, runs=in_order, pods=pods), NOW)
        last = decision.status.last_run
        assert last is not None
        assert (last.job, last.outcome) == ("shop-0", Outcome.FAILED)
        migration = replace(migration, status=decision.status)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_rollback_stays_the_last_run(order: tuple[int, ...]) -> None:
    back = finished(make_run(MIGRATION, name="shop-0", uid="job-0", command=RunCommand.ROLLBACK))
    runs = [first(), back]
    told = make_report(command="goto", outcome=Outcome.ROLLED_BACK, version="1", target="1")
    pods = (make_pod(runs[0], make_report()), make_pod(back, told))
    in_order = tuple(runs[number] for number in order)
    migration = MIGRATION
    for _ in range(3):
        decision = reconcile(look(migration, runs=in_order, pods=pods), NOW)
        last = decision.status.last_run
        assert last is not None
        assert last.job == "shop-0"
        migration = replace(migration, status=decision.status)


def make_sequence(changes: Sequence[str]) -> tuple[list[JobRun], SourceFiles]:
    """Ended runs, each made for one change after the other, and the files at the end."""
    digest, attempt, migration = "files-0", 0, MIGRATION
    runs = []
    for number, change in enumerate(changes):
        attempt += 1
        if change == "files":
            digest, attempt = f"files-{number}", 1
        run = make_run(
            migration,
            name=f"shop-{number}",
            uid=f"job-{number}",
            intent=migration.spec.intent(digest),
            attempt=attempt,
            command=RunCommand.ROLLBACK if change == "rollback" else RunCommand.GOTO,
        )
        runs.append(finished(run, RunState.FAILED if change == "attempt" else RunState.SUCCEEDED))
    return runs, SourceFiles(digest=digest)


CHANGES = [
    each for size in (2, 3, 4) for each in product(("attempt", "files", "rollback"), repeat=size)
]


@pytest.mark.parametrize("changes", CHANGES, ids="-".join)
def test_the_newest_of_several_runs_is_the_last_one(changes: tuple[str, ...]) -> None:
    runs, files = make_sequence(changes)
    pods = tuple(make_pod(run, make_report()) for run in runs)
    for order in permutations(range(len(runs) - 1)):
        # What an operator sees that has recorded each run as it was made.
        migration = MIGRATION
        for seen in range(1, len(runs) + 1):
            known = [runs[number] for number in order if number < seen - 1] + [runs[seen - 1]]
            present = files if seen == len(runs) else SourceFiles(digest=_digest_at(changes, seen))
            decision = reconcile(look(migration, files=present, runs=tuple(known), pods=pods), NOW)
            last = decision.status.last_run
            assert last is not None
            assert last.job == runs[seen - 1].name
            migration = replace(migration, status=decision.status)


def _digest_at(changes: tuple[str, ...], seen: int) -> str:
    """Of the files that the runs up to that number were made for."""
    return make_sequence(changes[:seen])[1].digest


@pytest.mark.parametrize("command", [RunCommand.PLAN, RunCommand.STATUS, RunCommand.FORCE])
@pytest.mark.parametrize("is_later", [False, True])
def test_an_answer_of_the_same_second_counts_only_if_it_came_after_the_run(
    command: RunCommand, is_later: bool
) -> None:
    run = finished(make_run(MIGRATION, after=""))
    ended = run.finished_at
    assert ended is not None
    run = replace(run, created_at=ended)
    other = finished(
        make_run(
            MIGRATION,
            name="shop-0",
            uid="job-0",
            command=command,
            created_at=ended,
            after=run.name if is_later else "",
        )
    )
    told = make_report(command=command.value, version="7", target="7")
    pods = (make_pod(run, make_report()), make_pod(other, told))
    decision = reconcile(look(MIGRATION, runs=(run, other), pods=pods), NOW)
    assert (decision.status.version == "7") is is_later


def test_the_last_run_is_the_newest_of_the_jobs_that_are_kept() -> None:
    runs = [finished(make_run(MIGRATION, name=f"shop-{name}", uid=f"job-{name}")) for name in "abc"]
    for newest in runs:
        last = begin_run(MIGRATION.status, newest).last_run
        assert last is not None
        last = replace(last, finished_at=newest.finished_at, outcome=Outcome.APPLIED)
        for made in permutations(runs):
            discarded = choose_discarded(made, last, HistoryLimits(successful=1), NOW)
            assert set(discarded) == {run.name for run in runs} - {newest.name}
