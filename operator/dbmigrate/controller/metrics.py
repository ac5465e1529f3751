"""The metrics for Prometheus: the state of each resource, and what the operator does.

The state series are computed at each scrape from the last decided status, so they are never out of
date, and they end with the resource. Only events (runs, looks) are counted as they happen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dbmigrate.api.conditions import Condition, Truth
from dbmigrate.api.fleet.status import SetStatus, Totals
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.watches.observed import Key

RUN_BUCKETS = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
"""Seconds. Most runs take a few; an index on a big table takes an hour."""
LOOK_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10)
NAMES = ("namespace", "name")

S = TypeVar("S", MigrationStatus, SetStatus)


class _States(Collector, Generic[S]):
    """The newest status of each existing resource of a kind."""

    def __init__(self) -> None:
        self._statuses: dict[Key, S] = {}

    def put(self, key: Key, status: S) -> None:
        """The resource's newest status."""
        self._statuses[key] = status

    def drop(self, key: Key) -> None:
        """The resource has been deleted."""
        self._statuses.pop(key, None)

    def clear(self) -> None:
        """Another operator reports them from now on."""
        self._statuses.clear()


class MigrationStates(_States[MigrationStatus]):
    """One set of series for each DatabaseMigration."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[Key, float] = {}

    def answered(self, key: Key, moment: datetime) -> None:
        """The time at which the resource's database last answered."""
        self._answers[key] = moment.timestamp()

    @property
    def keys(self) -> tuple[Key, ...]:
        """The resources with a status or an answer."""
        return tuple({**self._statuses, **dict.fromkeys(self._answers)})

    def drop(self, key: Key) -> None:
        """The resource has been deleted."""
        super().drop(key)
        self._answers.pop(key, None)

    def clear(self) -> None:
        """Another operator reports them from now on."""
        super().clear()
        self._answers.clear()

    def collect(self) -> Iterable[Metric]:
        """All series as they are now. prometheus_client calls it in a separate thread."""
        condition = _gauge(
            "dbmigrate_migration_condition",
            "1 for the status that a condition has, 0 for the others",
            "type",
            "status",
        )
        info = _gauge(
            "dbmigrate_migration_info",
            "Always 1; its labels are the version of the database and the target",
            "version",
            "target",
        )
        dirty = _gauge("dbmigrate_migration_dirty", "1 while a step was begun and not finished")
        pending = _gauge("dbmigrate_migration_pending", "Migrations that are not applied yet")
        success = _gauge(
            "dbmigrate_migration_last_success_timestamp_seconds",
            "When the last run ended that succeeded",
        )
        answer = _gauge(
            "dbmigrate_migration_last_answer_timestamp_seconds",
            "When the database last answered a run or a check",
        )
        drift = _gauge(
            "dbmigrate_migration_schema_differences",
            "Objects in which the live schema differs from what the applied migrations make",
        )
        for key, moment in list(self._answers.items()):
            answer.add_metric(key, moment)
        for key, status in list(self._statuses.items()):
            info.add_metric([*key, status.version or "", status.target or ""], 1)
            _add_conditions(condition, key, status.conditions)
            if status.dirty is not None:
                dirty.add_metric(key, float(status.dirty))
            if status.pending is not None:
                pending.add_metric(key, status.pending)
            if status.drift is not None and status.drift.checked_at is not None:
                drift.add_metric(key, status.drift.differences_total)
            last = status.last_run
            if last is not None and last.has_succeeded and last.finished_at is not None:
                success.add_metric(key, last.finished_at.timestamp())
        return [condition, info, dirty, pending, success, answer, drift]


class SetStates(_States[SetStatus]):
    """The series of sets: by wave, and never by target."""

    def collect(self) -> Iterable[Metric]:
        """All series as they are now. prometheus_client calls it in a separate thread."""
        condition = _gauge(
            "dbmigrate_set_condition",
            "1 for the status that a condition of a set has, 0 for the others",
            "type",
            "status",
        )
        targets = _gauge(
            "dbmigrate_set_targets",
            "Targets of a wave, by their state; those not reported yet are in total alone",
            "wave",
            "state",
        )
        phase = _gauge(
            "dbmigrate_set_wave_phase",
            "1 for the phase that a wave of a set is in",
            "wave",
            "phase",
        )
        for key, status in list(self._statuses.items()):
            _add_conditions(condition, key, status.conditions)
            for wave in status.waves:
                phase.add_metric([*key, wave.name, wave.phase.value], 1)
                for each in fields(Totals):
                    labels = [*key, wave.name, each.name]
                    targets.add_metric(labels, getattr(wave.totals, each.name))
        return [condition, targets, phase]


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=[*NAMES, *labels])


def _add_conditions(family: GaugeMetricFamily, key: Key, conditions: Iterable[Condition]) -> None:
    for each in conditions:
        for truth in Truth:
            labels = [*key, each.type.value, truth.value]
            family.add_metric(labels, float(each.status is truth))


class Metrics:
    """All metrics of one operator, in a registry of their own."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self._states = MigrationStates()
        self.registry.register(self._states)
        self._sets = SetStates()
        self.registry.register(self._sets)
        self._runs = Counter(
            "dbmigrate_migration_runs",
            "Runs that have ended",
            [*NAMES, "outcome", "reason"],
            registry=self.registry,
        )
        self._run_seconds = Histogram(
            "dbmigrate_migration_run_seconds",
            "How long a run took, by the runner's own clock",
            ["outcome"],
            buckets=RUN_BUCKETS,
            registry=self.registry,
        )
        self._reconcile_seconds = Histogram(
            "dbmigrate_reconcile_seconds",
            "How long one look at a resource took",
            buckets=LOOK_BUCKETS,
            registry=self.registry,
        )
        self._reconcile_errors = Counter(
            "dbmigrate_reconcile_errors",
            "Looks that failed, to be made again",
            ["error"],
            registry=self.registry,
        )
        self._leader = Gauge(
            "dbmigrate_leader",
            "1 while this operator works, 0 while it is a standby of another one",
            registry=self.registry,
        )
        build = Gauge(
            "dbmigrate_build_info",
            "Always 1; its label is the operator's version",
            ["version"],
            registry=self.registry,
        )
        build.labels(version).set(1)

    def lead(self, is_leading: bool) -> None:
        """Whether this operator works. A standby has no series of resources."""
        self._leader.set(float(is_leading))
        if not is_leading:
            self._states.clear()
            self._sets.clear()

    def observe_set(self, key: Key, status: SetStatus) -> None:
        """A set was reconciled, with this status."""
        self._sets.put(key, status)

    def forget_set(self, key: Key) -> None:
        """The set has been deleted, and its series with it."""
        self._sets.drop(key)

    def observe(self, key: Key, before: MigrationStatus, after: MigrationStatus) -> None:
        """The resource was reconciled, with this status; a run may have ended meanwhile."""
        self._states.put(key, after)
        last = after.last_run
        if last is None or last.outcome is None:
            return
        known = before.last_run
        if known is not None and known.job == last.job and known.has_ended:
            return
        outcome = last.outcome.value
        reason = last.error.reason.value if last.error else ""
        self._runs.labels(*key, outcome, reason).inc()
        if last.milliseconds is not None:
            self._run_seconds.labels(outcome).observe(last.milliseconds / 1000)

    def answered(self, key: Key, moment: datetime | None) -> None:
        """When the database last answered; None: not known."""
        if moment is not None:
            self._states.answered(key, moment)

    def forget(self, key: Key) -> None:
        """The resource has been deleted, and its series with it."""
        self._states.drop(key)
        namespace, name = key
        self._runs.remove_by_labels({"namespace": namespace, "name": name})

    def forget_all(self) -> None:
        """All resources have been deleted."""
        for key in self._states.keys:
            self.forget(key)

    def reconciled(self, seconds: float, error: Exception | None = None) -> None:
        """A reconciliation has ended, successfully or not."""
        self._reconcile_seconds.observe(seconds)
        if error is not None:
            self._reconcile_errors.labels(type(error).__name__).inc()
