"""The status is written as it was meant and read back as it was written."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from dbmigrate.api.conditions import (
    Condition,
    ConditionType,
    Truth,
    settle_conditions,
)
from dbmigrate.api.drift import DriftStatus
from dbmigrate.api.last_check import LastCheck
from dbmigrate.api.status import (
    HistoryEntry,
    LastBackup,
    LastRun,
    MigratedDatabase,
    MigrationStatus,
    PlanStatus,
    PlanStepStatus,
    parse_status,
)
from dbmigrate.api.trial import Trial
from dbmigrate.codec import dump
from dbmigrate.controller.writing.status_patch import status_patch
from dbmigrate.report import Outcome, Reason, ReportError
from dbmigrate.report.drift import ReportedDifference
from dbmigrate.report.preparation import LintFinding, RehearsalSummary, ReportedUnfinished
from dbmigrate.timestamps import format_timestamp, parse_timestamp
from tests.unit.controller.resources import merge

pytestmark = pytest.mark.quick

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def condition(truth: Truth = Truth.TRUE, message: str = "", since: datetime = NOW) -> Condition:
    return Condition(ConditionType.READY, truth, "Applied", message, 1, since)


def full_status() -> MigrationStatus:
    error = ReportError(Reason.STATEMENT_FAILED, "no", False, "42601", "1_a.up.sql", 3, 7, "x\n^")
    found = LintFinding("index-blocks-writes", "error", "1_a.up.sql", 3, "it blocks")
    trial = Trial((found,), 4, RehearsalSummary(2, 1, 812))
    run = LastRun("job", "goto", 2, "intent", 1, NOW, NOW, Outcome.FAILED, "1", "2", 12, error)
    run = replace(run, trial=trial)
    differs = ReportedDifference("changed", "column", "public.t.a", "type is text", "ALTER TABLE")
    drift = DriftStatus(
        "d", NOW, "intent", NOW, "2", 21, "0f", (differs,), 3, "ConnectionLost", "gone", True
    )
    return MigrationStatus(
        observed_generation=2,
        version="20261124000000",
        dirty=True,
        unfinished=ReportedUnfinished("3", "fill", "up", 5, 1, "2026-11-24T12:00:00Z"),
        last_check=LastCheck("c", NOW, "drift", 2, NOW, "no answer"),
        drift=drift,
        backup=LastBackup("a.dump", 7, "0f", "2", NOW),
        database=MigratedDatabase("7412-16384", "0f"),
        target="3",
        pending=1,
        server_version="17.10",
        format="goose",
        owner="here/team/shop#uid",
        last_run=run,
        history=(HistoryEntry("2", "a", "up", NOW, 5),),
        plan=PlanStatus(
            "hash", "intent", (PlanStepStatus("3", "b", "up", True, "DROP"),), NOW, 2, trial=trial
        ),
        next_retry_at=NOW,
        conditions=(condition(),),
    )


def test_a_full_status_survives_the_way_there_and_back() -> None:
    status = full_status()
    assert parse_status(status.to_dict()) == status


def test_whatever_is_no_longer_true_is_taken_out_of_the_status() -> None:
    full, empty = full_status(), MigrationStatus()
    assert {each.name for each in fields(full) if getattr(full, each.name) is None} == set()
    before = full.to_dict()
    assert parse_status(merge(before, status_patch(before, empty.to_dict()))) == empty
    for each in fields(full):
        other = replace(full, **{each.name: getattr(empty, each.name)})
        patched = merge(before, status_patch(before, other.to_dict()))
        assert parse_status(patched) == other, each.name


def test_an_empty_status_is_that_of_a_resource_nobody_has_looked_at() -> None:
    assert parse_status({}) == MigrationStatus()
    assert parse_status({"observedGeneration": -1}).observed_generation == -1


def test_a_status_of_anothers_making_is_read_as_far_as_it_goes() -> None:
    raw = {"version": 3, "dirty": "no", "lastRun": [], "history": ["x"], "conditions": [{}]}
    assert parse_status(raw) == MigrationStatus()
    strange = {"findings": [{"rule": "x"}, 7], "findingsTotal": "many", "rehearsal": [1]}
    run = parse_status({"lastRun": {"job": "j", **strange}}).last_run
    assert run is not None
    assert run.trial == Trial()


def test_the_transition_time_moves_with_the_status_and_not_with_the_message() -> None:
    before = [condition(message="old", since=NOW - timedelta(hours=1))]
    (same,) = settle_conditions([condition(message="new")], before)
    assert same.last_transition_time == NOW - timedelta(hours=1)
    assert same.message == "new"
    (other,) = settle_conditions([condition(Truth.FALSE)], before)
    assert other.last_transition_time == NOW


def test_messages_are_bounded() -> None:
    (settled,) = settle_conditions([condition(message="x" * 5000)], [])
    assert len(settled.message) <= 1024


def test_conditions_of_others_are_left_out() -> None:
    raw = [dump(condition()), {"type": "Other", "status": "True", "reason": "x"}]
    assert parse_status({"conditions": raw}).conditions == (condition(),)


@pytest.mark.parametrize(
    ("outcome", "attempts", "without_progress", "is_written"),
    [
        (None, 3, 2, False),
        (None, 3, 3, True),
        (None, 1, 0, False),
        (Outcome.FAILED, 3, 3, False),
        (Outcome.FAILED, 3, 2, True),
        (Outcome.WAITING, 3, 3, False),
        (Outcome.APPLIED, 3, 3, False),
    ],
)
def test_a_count_of_runs_in_vain_is_written_where_it_is_not_the_usual_one(
    outcome: Outcome | None, attempts: int, without_progress: int, is_written: bool
) -> None:
    run = LastRun("j", attempts=attempts, outcome=outcome, without_progress=without_progress)
    document = dump(run)
    assert ("withoutProgress" in document) is is_written
    assert parse_status({"lastRun": document}).last_run == run


def test_a_success_counts_no_runs_in_vain() -> None:
    for outcome in (Outcome.APPLIED, Outcome.UP_TO_DATE, Outcome.ROLLED_BACK):
        run = LastRun("j", outcome=outcome, attempts=3, without_progress=1)
        assert run.has_succeeded
        assert "withoutProgress" not in dump(run)
    assert not LastRun("j", outcome=Outcome.WAITING).has_succeeded


def test_a_run_without_a_job_is_none() -> None:
    assert parse_status({"lastRun": {"job": ""}}).last_run is None
    run = parse_status({"lastRun": {"job": "j"}}).last_run
    assert run == LastRun("j", without_progress=0)
    assert (run.command, run.intent, run.generation, run.attempts) == ("", "", 0, 1)


def test_what_an_older_operator_did_not_count_is_counted() -> None:
    found = {"rule": "r", "severity": "error", "file": "f", "line": 1, "message": "m"}
    step = {"version": "1", "name": "a", "direction": "up"}
    plan = {"hash": "h", "intent": "i", "steps": [step, step], "createdAt": None}
    read = parse_status({"plan": {**plan, "findings": [found]}}).plan
    assert read is not None
    assert (read.steps_total, read.trial.findings_total) == (2, 1)
    read = parse_status(
        {"plan": {**plan, "stepsTotal": 9, "findings": [found], "findingsTotal": 7}}
    ).plan
    assert read is not None
    assert (read.steps_total, read.trial.findings_total) == (9, 7)


@pytest.mark.parametrize(
    ("checksum", "is_kept"), [(None, True), ("0f" * 32, True), ("0f", False), ("0F" * 32, False)]
)
def test_a_plan_that_no_run_could_be_held_to_is_none(checksum: str | None, is_kept: bool) -> None:
    plan = PlanStatus("hash", "intent", (PlanStepStatus("3", "b", "up"),), NOW, 1, checksum)
    status = MigrationStatus(version="2", plan=plan)
    assert parse_status(status.to_dict()) == (status if is_kept else replace(status, plan=None))


def test_a_condition_is_found_by_its_type() -> None:
    status = MigrationStatus(conditions=(condition(),))
    assert status.condition(ConditionType.READY) == condition()
    assert status.condition(ConditionType.DIRTY) is None


def test_times_are_written_as_the_api_server_does() -> None:
    assert format_timestamp(NOW.replace(microsecond=5)) == "2026-11-24T12:00:00Z"
    assert parse_timestamp("2026-11-24T12:00:00Z") == NOW
