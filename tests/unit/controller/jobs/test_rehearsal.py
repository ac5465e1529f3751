"""Which scratch server a run is rehearsed on, and what is done to find that out."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.api.conditions import ConditionType
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.controller.decisions.view import Decision
from dbmigrate.controller.jobs.rehearsal_server import DATA, SCRIPT
from dbmigrate.controller.writing.notices import build_lint_event
from dbmigrate.report import Outcome, Reason, Report
from dbmigrate.report.preparation import LintFinding, RehearsalSummary
from tests.unit.controller.decisions.test_orders import make_action, plan_report
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

pytestmark = pytest.mark.quick

FOUND = LintFinding("index-blocks-writes", "error", "2_a.up.sql", 3, "users: it blocks")


def rehearsing(**spec: Any) -> MigrationResource:
    return make_migration(rehearse="BeforeApply", **spec)


def ready(decision: Decision) -> tuple[str, str, str]:
    found = {c.type: c for c in decision.status.conditions}
    stalled = found[ConditionType.STALLED].status.value
    return found[ConditionType.READY].reason, stalled, found[ConditionType.READY].message


def asked(
    migration: MigrationResource, report: Report | None, **changes: Any
) -> tuple[JobRun, list[Pod]]:
    """A `status` run that has ended with that report."""
    is_good = report is not None and report.error is None
    run = make_run(migration, command=RunCommand.STATUS, name="asked", uid="job-0", **changes)
    run = finished(run, RunState.SUCCEEDED if is_good else RunState.FAILED)
    return run, [make_pod(run, report)] if report is not None else []


def answer(version: str | None = "17.10") -> Report:
    return make_report(
        command="status", outcome=Outcome.UP_TO_DATE, version=None, pending=2, steps=(),
        server_version=version,
    )  # fmt: skip


def decide(migration: MigrationResource, run: JobRun, pods: list[Pod], **parts: Any) -> Decision:
    return reconcile(look(migration, runs=(run,), pods=tuple(pods), **parts), NOW)


def test_a_database_of_which_nothing_is_known_is_asked_first() -> None:
    decision = reconcile(look(rehearsing()), NOW)
    assert decision.order is not None
    assert decision.order.command is RunCommand.STATUS
    assert ready(decision)[:2] == ("ReadingDatabase", "False")
    assert decision.rests_on_absence


def test_its_answer_decides_the_scratch_server_and_is_kept() -> None:
    migration = rehearsing()
    run, pods = asked(migration, answer())
    decision = decide(migration, run, pods)
    assert decision.order is not None
    assert (decision.order.command, decision.order.rehearsed_on) == (RunCommand.GOTO, "17")
    assert decision.status.server_version == "17.10"


@pytest.mark.parametrize(("rehearse", "major"), [("Never", None), ("BeforeApply", "16")])
def test_a_version_that_is_known_needs_no_question(rehearse: str, major: str | None) -> None:
    status = MigrationStatus(server_version="16.4")
    decision = reconcile(look(make_migration(rehearse=rehearse, status=status)), NOW)
    assert decision.order is not None
    assert (decision.order.command, decision.order.rehearsed_on) == (RunCommand.GOTO, major)


def test_a_question_that_failed_in_passing_is_asked_again_after_a_while() -> None:
    migration = rehearsing()
    run, pods = asked(migration, failure(Reason.CONNECTION_REFUSED))
    decision = decide(migration, run, pods)
    assert (decision.order, ready(decision)[:2]) == (None, ("ConnectionRefused", "False"))
    due = decision.status.next_retry_at
    assert due is not None
    assert decision.look_at == due
    later = look(replace(migration, status=decision.status), runs=(run,), pods=tuple(pods))
    again = reconcile(later, due + timedelta(seconds=1))
    assert again.order is not None
    assert (again.order.command, again.order.attempt) == (RunCommand.STATUS, 2)


@pytest.mark.parametrize(
    ("report", "changes", "reason"),
    [
        (failure(Reason.AUTHENTICATION_FAILED), {}, "AuthenticationFailed"),
        (failure(Reason.CONNECTION_REFUSED), {"attempt": 11}, "ConnectionRefused"),
        (answer(None), {}, "Internal"),
    ],
)
def test_a_question_that_can_have_no_answer_is_left_to_a_person(
    report: Report, changes: dict[str, Any], reason: str
) -> None:
    migration = rehearsing()
    run, pods = asked(migration, report, **changes)
    decision = decide(migration, run, pods)
    assert (decision.order, ready(decision)[:2]) == (None, (reason, "True"))


def test_an_answer_that_nobody_heard_is_asked_for_again() -> None:
    migration = rehearsing()
    run, _ = asked(migration, answer())
    decision = decide(migration, run, [])
    assert decision.order is not None
    assert (decision.order.command, decision.order.attempt) == (RunCommand.STATUS, 2)


def test_a_plan_is_rehearsed_before_it_is_shown() -> None:
    migration = rehearsing(approval="Manual")
    decision = reconcile(look(migration), NOW)
    assert decision.order is not None
    assert decision.order.command is RunCommand.STATUS
    run, pods = asked(migration, answer())
    decision = decide(migration, run, pods)
    assert decision.order is not None
    assert (decision.order.command, decision.order.rehearsed_on) == (RunCommand.PLAN, "17")


def test_a_plan_shows_what_lint_and_the_rehearsal_say_of_it() -> None:
    migration = make_migration(approval="Manual")
    run = finished(make_run(migration, command=RunCommand.PLAN))
    report = replace(
        plan_report(2), findings=(FOUND,), findings_total=1, rehearsal=RehearsalSummary(2, 0, 9)
    )
    decision = decide(migration, run, [make_pod(run, report)])
    reason, _, message = ready(decision)
    assert reason == "AwaitingApproval"
    assert "2 steps, 1 finding of lint, rehearsed" in message
    assert decision.status.plan is not None
    assert decision.status.plan.trial.findings == (FOUND,)
    event = build_lint_event(
        migration.identity, migration.status, decision.status, now=NOW, instance="x"
    )
    assert event is not None
    assert "2_a.up.sql:3 index-blocks-writes: users: it blocks" in event["message"]


def test_a_retry_waits_for_the_answer_and_is_not_refused() -> None:
    migration = rehearsing()
    action = make_action("Retry")
    decision = reconcile(look(migration, actions=(action,)), NOW)
    assert decision.order is not None
    assert (decision.order.command, decision.order.action) == (RunCommand.STATUS, None)
    assert decision.updates == ()
    run, pods = asked(migration, answer())
    decision = decide(migration, run, pods, actions=(action,))
    assert decision.order is not None
    assert (decision.order.rehearsed_on, decision.order.action) == ("17", action.uid)


@pytest.mark.parametrize("kind", ["Rollback", "Force", "Repair"])
def test_what_leads_nowhere_up_is_not_rehearsed(kind: str) -> None:
    action = make_action(kind, version="1")
    decision = reconcile(look(rehearsing(), actions=(action,)), NOW)
    assert decision.order is not None
    assert (decision.order.action, decision.order.rehearsed_on) == (action.uid, None)


def ended(reason: Reason, **changes: Any) -> tuple[MigrationResource, JobRun, Decision]:
    migration = rehearsing(status=MigrationStatus(server_version="17.10"))
    run = finished(make_run(migration), RunState.FAILED)
    report = replace(failure(reason), version="1", dirty=False, **changes)
    decision = decide(migration, run, [make_pod(run, report)])
    return replace(migration, status=decision.status), run, decision


def test_a_server_that_was_upgraded_since_is_rehearsed_on_its_new_version() -> None:
    migration, run, decision = ended(Reason.REHEARSAL_UNAVAILABLE, server_version="18.1")
    assert ready(decision)[:2] == ("RehearsalUnavailable", "False")
    due = migration.status.next_retry_at
    assert due is not None
    again = reconcile(look(migration, runs=(run,)), due + timedelta(seconds=1))
    assert again.order is not None
    assert (again.order.command, again.order.rehearsed_on) == (RunCommand.GOTO, "18")


@pytest.mark.parametrize("reason", [Reason.REHEARSAL_FAILED, Reason.LINT_REJECTED])
def test_what_was_found_before_the_first_step_waits_for_other_files(reason: Reason) -> None:
    migration, run, decision = ended(reason, findings=(FOUND,), findings_total=1)
    assert (decision.order, ready(decision)[:2]) == (None, (reason.value, "True"))
    assert decision.status.last_run is not None
    assert decision.status.last_run.trial.findings == (FOUND,)
    changed = look(migration, files=replace(look(migration).files, digest="two"), runs=(run,))
    again = reconcile(changed, NOW)
    assert again.order is not None
    assert again.order.attempt == 1


@pytest.mark.parametrize(
    ("outcome", "reason", "is_told"),
    [
        (Outcome.APPLIED, None, True),
        (Outcome.FAILED, Reason.STATEMENT_FAILED, True),
        # Ready says it all.
        (Outcome.FAILED, Reason.LINT_REJECTED, False),
    ],
)
def test_findings_of_a_run_are_told_once_by_an_event(
    outcome: Outcome, reason: Reason | None, is_told: bool
) -> None:
    migration = make_migration()
    run = finished(make_run(migration), RunState.FAILED if reason else RunState.SUCCEEDED)
    error = failure(reason).error if reason else None
    report = make_report(outcome=outcome, error=error, findings=(FOUND,), findings_total=3)
    after = decide(migration, run, [make_pod(run, report)]).status

    def tell(before: MigrationStatus) -> dict[str, Any] | None:
        return build_lint_event(migration.identity, before, after, now=NOW, instance="x")

    event = tell(migration.status)
    assert (event is not None) is is_told
    if event is not None:
        assert (event["type"], event["reason"]) == ("Warning", "LintFindings")
        assert event["message"].startswith("3 findings: 2_a.up.sql:3 index-blocks-writes: ")
    assert tell(after) is None


def test_sigterm_ends_the_scratch_server_while_it_is_still_being_made(tmp_path: Path) -> None:
    initdb = tmp_path / "initdb"
    initdb.write_text("#!/bin/sh\necho begun\nexec sleep 600\n")
    initdb.chmod(0o755)
    script = SCRIPT.replace(DATA, str(tmp_path / "data"))
    path = f"{tmp_path}:{os.environ['PATH']}"
    # As a container's first process: SIGTERM has no default action.
    command = ["sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PATH": path}) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == b"begun\n"
        shell.terminate()
        assert shell.wait(timeout=60) == 143
