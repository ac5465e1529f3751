"""A report is what any image may have written: it is bounded, and so is all that comes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest

from dbmigrate.api.status import MigrationStatus, parse_status
from dbmigrate.controller.decisions.outcome import parse_message
from dbmigrate.controller.decisions.runs import RunCommand, RunState
from dbmigrate.controller.decisions.view import ResourceView
from dbmigrate.controller.metrics import Metrics
from dbmigrate.controller.writing.status_patch import reduce_status, status_patch
from dbmigrate.report import Reason, Report, ReportError
from dbmigrate.report.drift import ReportedDifference, ReportedDrift
from dbmigrate.report.preparation import Backup, LintFinding, ReportedUnfinished
from dbmigrate.untrusted import INT32
from tests.unit.controller.resources import (
    FILES,
    NOW,
    ended,
    finished,
    make_migration,
    make_pod,
    make_report,
    make_run,
    reconcile,
)
from tests.unit.hostile.schema import complaints, schema_of, spoil, unsafe

pytestmark = pytest.mark.quick

STATUS = schema_of("databasemigrations")["properties"]["status"]
ERROR = ReportError(Reason.DIRTY, "m", False, "42601", "1_a.up.sql", 3, 7, "x\n^", "d", "h")
WHOLE = replace(
    make_report(),
    error=ERROR,
    backup=Backup("a.dump", 1, "0f"),
    unfinished=ReportedUnfinished("3", "fill", "up", 1, 1, "2026-11-24T12:00:00Z"),
    findings=(LintFinding("rule", "error", "1_a.up.sql", 1, "m"),) * 30,
    findings_total=30,
    changed=("1_a.up.sql",),
    plan_checksum="0f",
    server_version="17.10",
    drift=ReportedDrift(
        30,
        "0f" * 32,
        (ReportedDifference("changed", "column", "public.t.a", "is x", "ALTER"),) * 30,
    ),
)
COMMANDS = (RunCommand.GOTO, RunCommand.STATUS, RunCommand.PLAN, RunCommand.DRIFT)
seeds = st.integers(0, 2**32 - 1)
thorough = settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)


def status_after(message: str, command: RunCommand = RunCommand.GOTO) -> MigrationStatus:
    """What is decided once a run has ended with that termination message."""
    migration = make_migration(approval="Manual" if command is RunCommand.PLAN else "Automatic")
    if command is RunCommand.DRIFT:
        return status_after_check(message)
    run = finished(make_run(migration, command=command), RunState.SUCCEEDED)
    pod = make_pod(run, ended=ended(message))
    return reconcile(ResourceView(migration, FILES, (run,), (pod,)), NOW).status


def status_after_check(message: str) -> MigrationStatus:
    """The same of a drift check that follows a run."""
    migration = make_migration(drift={"schema": "Report"})
    run = finished(make_run(migration))
    intent = migration.spec.drift.intent(run.intent, run.name)
    found = replace(run, name="check", command=RunCommand.DRIFT, intent=intent)
    pods = (make_pod(run, make_report()), make_pod(found, ended=ended(message)))
    status = reconcile(ResourceView(migration, FILES, (run, found), pods), NOW).status
    assert status.drift is not None
    return status


def check(status: MigrationStatus) -> None:
    for each in (status, reduce_status(status)):
        document = json.loads(json.dumps(each.to_dict(), allow_nan=False))
        assert list(complaints(STATUS, document, "status")) == []
        assert list(unsafe(document)) == []
        assert status_patch(document, parse_status(document).to_dict()) == {}


@thorough
@given(seeds, st.sampled_from([*COMMANDS]))
def test_a_status_is_fit_to_be_written_whatever_a_report_says(
    seed: int, command: RunCommand
) -> None:
    random = Random(seed)
    raw: Any = json.loads(WHOLE.to_json())
    if random.random() < 0.5:
        raw["error"] = None
    for _ in range(random.randint(1, 3)):
        raw = spoil(random, raw)
    status = status_after(json.dumps(raw), command)
    check(status)
    metrics = Metrics("1")
    metrics.observe(("team", "shop"), MigrationStatus(), status)
    assert max(map(len, generate_latest(metrics.registry).splitlines())) < 1000


def test_the_report_that_no_status_can_hold() -> None:
    raw = json.loads(make_report().to_json())
    raw["pending"] = 1180591620717411303424
    raw["version"] = "9" * 3900
    status = status_after(json.dumps(raw))
    assert status.pending == INT32
    assert status.version is not None
    assert len(status.version) == 200
    check(status)


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\udcff\\u0000"'])
def test_half_a_surrogate_pair_is_written_once(text: str) -> None:
    raw = make_report().to_json().replace('"version":"2"', f'"version":{text}')
    report = parse_message(ended(raw))
    assert isinstance(report, Report)
    assert report.version is not None
    assert report.version.encode()
    check(status_after(raw))
