"""A runner that is older than the operator: named with its version and with what it lacks."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.cli.arguments.options import NAMES
from dbmigrate.cli.commands import drift
from dbmigrate.controller.decisions.refusals import FIELDS
from dbmigrate.controller.decisions.runs import RunCommand, RunState
from dbmigrate.controller.jobs.command_line import run_arguments
from dbmigrate.report import Outcome, Reason, ReportError
from tests.unit.controller.resources import (
    NOW,
    ended,
    finished,
    look,
    make_migration,
    make_pod,
    make_report,
    make_run,
    reconcile,
)

OLD = "mirror.local/dbmigrate:0.0.3"
ALWAYS = {"path", "report", "lock-timeout", "rollback"}
"""golang-migrate's, and what every runner that can write a report has."""
EVERYTHING: dict[str, Any] = {
    "database": {
        "urlFrom": {"secretKeyRef": {"name": "a", "key": "url"}},
        "historyTable": "own.table",
        "identity": {"aws": {}},
        "role": "team",
    },
    "source": {"configMaps": [{"name": "a"}], "format": "goose", "lint": "Reject"},
    "outOfOrder": "Ignore",
    "changedFiles": "Warn",
    "rehearse": "BeforeApply",
    "approval": "Manual",
    "timeouts": {"statement": "1m"},
    "backup": {"persistentVolumeClaim": {"claimName": "a"}, "keep": 3},
    "drift": {"schema": "Report", "ignore": ["partman.*"]},
}


@pytest.mark.parametrize(
    ("said", "lacks"),
    [
        ("flag provided but not defined: -lint", "-lint, which spec.source.lint Reject needs"),
        ("flag provided but not defined: --rehearse-on; did you mean -x?", "BeforeApply needs"),
        ("unknown command repair", "the command repair, which a MigrationAction"),
        ('invalid value "flyway" for flag -format: expected auto', '-format "flyway", which'),
        ("flag provided but not defined: -later", "-later: let spec.job.image"),
    ],
)
@pytest.mark.parametrize("has_report", [True, False])
def test_the_image_its_version_and_what_it_lacks_are_named(
    said: str, lacks: str, has_report: bool
) -> None:
    migration = make_migration(job={"image": OLD})
    run = finished(make_run(migration, image=OLD), RunState.FAILED)
    error = ReportError(Reason.INTERNAL, said, retryable=False)
    blank = make_report(
        outcome=Outcome.FAILED,
        version=None,
        dirty=None,
        steps=(),
        error=error,
        tool_version="0.0.3",
    )
    words = blank.to_json() if has_report else f"{said}\nrun `dbmigrate -h`\n"
    pod = make_pod(run, ended=ended(words, exit_code=2, reason="Error"))
    decision = reconcile(look(migration, runs=(run,), pods=(pod,)), NOW)
    last = decision.status.last_run
    assert last is not None
    assert last.error is not None
    assert last.error.reason is Reason.RUNNER_OUTDATED
    assert OLD in last.error.message
    assert lacks in last.error.message
    assert ("dbmigrate 0.0.3" if has_report else "an unknown version") in last.error.message
    assert decision.order is None


def test_each_option_that_a_resource_asks_for_is_one_of_a_field_and_of_the_runner() -> None:
    spec = make_migration(**EVERYTHING).spec
    asked = set()
    for command in RunCommand:
        words = run_arguments(
            spec, command, path="/m", operands=("1",), plan_checksum="0" * 64, is_rehearsed=True
        )
        verb = words.index("goto" if command is RunCommand.ROLLBACK else command.value)
        asked |= {word.lstrip("-") for word in words[:verb] if word.startswith("-")}
        own = {word.lstrip("-").partition("=")[0] for word in words[verb + 1 :]}
        if command is RunCommand.DRIFT:
            assert own == {"exit-zero", "ignore"} <= {flag.name for flag in drift.FLAGS}
    assert asked - ALWAYS <= set(FIELDS)
    assert asked <= NAMES
    assert set(FIELDS) - NAMES == {"plan", "repair", "drift"}
