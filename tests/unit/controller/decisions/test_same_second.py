"""Runs that were made within one second: the API server's times do not tell which is newer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbmigrate.controller.decisions.files import SourceFiles
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
