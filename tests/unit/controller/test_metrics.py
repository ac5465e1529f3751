"""Metrics: what a scrape sees of resources that come, change and go."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.exposition import generate_latest

from dbmigrate.api.conditions import Condition, ConditionType, Truth
from dbmigrate.api.drift import DriftStatus
from dbmigrate.api.fleet.status import SetStatus, WaveStatus
from dbmigrate.api.status import LastRun, MigrationStatus
from dbmigrate.controller.metrics import Metrics
from dbmigrate.report import Outcome, Reason, ReportError

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
KEY = ("shop", "users")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
RUN = LastRun(
    job="users-1",
    command="goto latest",
    generation=1,
    intent="i",
    attempts=1,
    finished_at=NOW,
    outcome=Outcome.APPLIED,
    milliseconds=1500,
)
READY = Condition(ConditionType.READY, Truth.TRUE, "Applied", "", 1, NOW)
DONE = MigrationStatus(
    observed_generation=1,
    version="2",
    dirty=False,
    target="2",
    pending=0,
    last_run=RUN,
    drift=DriftStatus("users-2", NOW, "i", checked_at=NOW),
    conditions=(READY,),
)


def sample(metrics: Metrics, series: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(
        series, {"namespace": "shop", "name": "users", **labels}
    )


def test_a_scrape_shows_the_newest_status() -> None:
    metrics = Metrics("0.1.0")
    metrics.observe(KEY, MigrationStatus(), DONE)
    assert sample(metrics, "dbmigrate_migration_info", version="2", target="2") == 1
    assert sample(metrics, "dbmigrate_migration_dirty") == 0
    assert sample(metrics, "dbmigrate_migration_pending") == 0
    assert sample(metrics, "dbmigrate_migration_condition", type="Ready", status="True") == 1
    assert sample(metrics, "dbmigrate_migration_condition", type="Ready", status="False") == 0
    seconds = sample(metrics, "dbmigrate_migration_last_success_timestamp_seconds")
    assert seconds == NOW.timestamp()
    assert metrics.registry.get_sample_value("dbmigrate_build_info", {"version": "0.1.0"}) == 1
    metrics.observe(KEY, DONE, replace(DONE, version="3", target="3", dirty=True))
    assert sample(metrics, "dbmigrate_migration_info", version="2", target="2") is None
    assert sample(metrics, "dbmigrate_migration_info", version="3", target="3") == 1
    assert sample(metrics, "dbmigrate_migration_dirty") == 1


def test_what_is_not_known_has_no_series() -> None:
    metrics = Metrics("0.1.0")
    metrics.observe(KEY, MigrationStatus(), MigrationStatus())
    assert sample(metrics, "dbmigrate_migration_dirty") is None
    assert sample(metrics, "dbmigrate_migration_pending") is None
    assert sample(metrics, "dbmigrate_migration_info", version="", target="") == 1


def test_a_run_is_counted_once_when_it_ends() -> None:
    metrics = Metrics("0.1.0")
    running = replace(DONE, last_run=replace(RUN, outcome=None, finished_at=None))
    metrics.observe(KEY, MigrationStatus(), running)
    labels = {"outcome": "Applied", "reason": ""}
    assert sample(metrics, "dbmigrate_migration_runs_total", **labels) is None
    metrics.observe(KEY, running, DONE)
    metrics.observe(KEY, DONE, DONE)
    assert sample(metrics, "dbmigrate_migration_runs_total", **labels) == 1
    took = metrics.registry.get_sample_value
    assert took("dbmigrate_migration_run_seconds_sum", {"outcome": "Applied"}) == 1.5
    error = ReportError(Reason.LOCK_TIMEOUT, "", retryable=True)
    failed = replace(RUN, job="users-2", outcome=Outcome.FAILED, error=error)
    metrics.observe(KEY, DONE, replace(DONE, last_run=failed))
    labels = {"outcome": "Failed", "reason": "LockTimeout"}
    assert sample(metrics, "dbmigrate_migration_runs_total", **labels) == 1


def test_the_series_go_when_the_resource_goes() -> None:
    metrics = Metrics("0.1.0")
    metrics.observe(KEY, MigrationStatus(), DONE)
    metrics.observe(("shop", "orders"), MigrationStatus(), DONE)
    metrics.forget(KEY)
    text = generate_latest(metrics.registry).decode()
    assert 'name="users"' not in text
    assert 'name="orders"' in text
    metrics.forget(("shop", "never-seen"))


def test_looks_are_timed_and_their_errors_counted_by_kind() -> None:
    metrics = Metrics("0.1.0")
    metrics.reconciled(0.01)
    metrics.reconciled(0.02, TimeoutError())
    found = metrics.registry.get_sample_value
    assert found("dbmigrate_reconcile_seconds_count") == 2
    assert found("dbmigrate_reconcile_errors_total", {"error": "TimeoutError"}) == 1


def test_the_document_names_every_metric_with_its_type_and_labels() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    documented = {
        name: (kind, {word for word in labels.strip().split(", ") if word})
        for name, kind, labels in rows
    }
    metrics = Metrics("0.1.0")
    metrics.observe(KEY, MigrationStatus(), DONE)
    metrics.reconciled(0.1, ValueError())
    metrics.answered(KEY, datetime.now(UTC))
    metrics.observe_set(KEY, SetStatus(waves=(WaveStatus("canary"),), conditions=DONE.conditions))
    found = {}
    for family in metrics.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels}
        found[name] = (family.type, labels - {"le"})
    assert documented == found
