"""Events: which transitions are told, and how loudly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dbmigrate.api.conditions import Condition, ConditionType, Truth
from dbmigrate.api.migration import Identity
from dbmigrate.api.status import LastRun, MigrationStatus, PlanStatus
from dbmigrate.api.trial import Trial
from dbmigrate.controller.decisions.verdict import VerdictReason
from dbmigrate.controller.writing.notices import build_event, build_lint_event
from dbmigrate.report import Outcome, Reason, ReportError
from dbmigrate.report.preparation import LintFinding
from tests.unit.controller.resources import NOW, make_migration

pytestmark = pytest.mark.quick

IDENTITY = make_migration().identity
NORMAL = {
    VerdictReason.RUNNING,
    VerdictReason.STARTING,
    VerdictReason.WAITING_FOR_RUN,
    VerdictReason.WAITING_FOR_DATABASE,
    VerdictReason.SUSPENDED,
    VerdictReason.READING_DATABASE,
    VerdictReason.PLANNING,
    VerdictReason.AWAITING_APPROVAL,
    VerdictReason.ACTION_RUNNING,
    VerdictReason.ROLLED_BACK,
}

REASONS = sorted({*(v for k, v in vars(VerdictReason).items() if k.isupper()), *Reason})


def at(reason: str, truth: Truth = Truth.FALSE) -> MigrationStatus:
    return MigrationStatus(conditions=(Condition(ConditionType.READY, truth, reason, "m", 1, NOW),))


@pytest.mark.parametrize("reason", REASONS)
def test_what_goes_as_ordered_is_normal_and_all_else_a_warning(reason: str) -> None:
    event = build_event(IDENTITY, at(reason), now=NOW, instance="i")
    assert event is not None
    assert event["type"] == ("Normal" if reason in NORMAL else "Warning")
    good = build_event(IDENTITY, at(reason, Truth.TRUE), now=NOW, instance="i")
    assert good is not None
    assert good["type"] == "Normal"


def finding(severity: str = "warning", **changes: Any) -> LintFinding:
    return replace(LintFinding("rule", severity, "1.sql", 3, "hm"), **changes)


def ended(*findings: LintFinding, **changes: Any) -> LastRun:
    trial = Trial(findings=findings, findings_total=len(findings))
    run = LastRun("job", "goto", 1, "intent", 1, outcome=Outcome.APPLIED, finished_at=NOW)
    return replace(run, trial=trial, **changes)


def told(
    after: MigrationStatus,
    before: MigrationStatus | None = None,
    identity: Identity = IDENTITY,
) -> dict[str, Any] | None:
    return build_lint_event(identity, before or MigrationStatus(), after, now=NOW, instance="i")


@pytest.mark.parametrize(
    ("findings", "kind", "message"),
    [
        ((finding(),), "Normal", "1 finding: 1.sql:3 rule: hm"),
        (
            (finding(), finding("error", file="2.sql")),
            "Warning",
            "2 findings: 1.sql:3 rule: hm; 2.sql:3 rule: hm",
        ),
    ],
)
def test_findings_of_a_run_that_went_on_are_told(
    findings: tuple[LintFinding, ...], kind: str, message: str
) -> None:
    event = told(MigrationStatus(last_run=ended(*findings)))
    assert event is not None
    assert (event["type"], event["reason"], event["message"]) == (kind, "LintFindings", message)


def test_an_event_is_one_for_each_run_message_and_generation() -> None:
    after = MigrationStatus(last_run=ended(finding()))
    others = [
        told(after),
        told(MigrationStatus(last_run=ended(finding(), job="other"))),
        told(MigrationStatus(last_run=ended(finding(message="other")))),
        told(after, identity=replace(IDENTITY, generation=2)),
    ]
    names = {event["metadata"]["name"] for event in others if event is not None}
    assert len(names) == len(others)
    assert told(after) == told(after)


def test_what_was_told_is_not_told_again() -> None:
    after = MigrationStatus(last_run=ended(finding()))
    assert told(after, before=after) is None
    running = MigrationStatus(last_run=ended(outcome=None, finished_at=None))
    assert told(after, before=running) is not None
    assert told(after, before=MigrationStatus(last_run=ended(finding(), job="before"))) is not None


def test_nothing_is_told_without_findings_or_before_the_end() -> None:
    assert told(MigrationStatus()) is None
    assert told(MigrationStatus(last_run=ended())) is None
    assert told(MigrationStatus(last_run=ended(finding(), outcome=None, finished_at=None))) is None


def test_a_rejected_run_has_told_its_findings_in_its_error_and_an_approved_one_in_its_plan() -> (
    None
):
    error = ReportError(Reason.LINT_REJECTED, "m", retryable=False)
    assert told(MigrationStatus(last_run=ended(finding(), error=error))) is None
    assert told(MigrationStatus(last_run=ended(finding(), plan="hash"))) is None
    other = replace(error, reason=Reason.DIRTY)
    assert told(MigrationStatus(last_run=ended(finding(), error=other))) is not None


def test_a_new_plan_tells_its_own_findings() -> None:
    trial = Trial(findings=(finding(file="plan.sql"),), findings_total=1)
    plan = PlanStatus("one", "intent", (), NOW, trial=trial)
    after = MigrationStatus(last_run=ended(finding(), plan="hash"), plan=plan)
    event = told(after)
    assert event is not None
    assert "plan.sql" in event["message"]
    assert told(after, before=MigrationStatus(plan=replace(plan, hash="two"))) is not None
    assert told(after, before=replace(after, plan=plan)) is None
