"""The metrics for Prometheus: the state of each resource, and what the operator does.

The state series are computed at each scrape from the last decided status, so they are
never behind it, and they end with the resource. Only events (runs, looks) are counted
as they happen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from sys import intern

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dbmigrate.api.conditions import ConditionType, Truth
from dbmigrate.api.fleet.status import SetStatus, Totals
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.watches.observed import Key

RUN_BUCKETS = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
"""Seconds. Most runs take a few; an index on a big table takes an hour."""
LOOK_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10)
NAMES = ("namespace", "name")


Conditions = tuple[tuple[ConditionType, Truth], ...]


@dataclass(frozen=True, slots=True)
class _State:
    """What the series show of a status. Of ten thousand whole ones the memory is too large."""

    version: str
    target: str
    conditions: Conditions
    dirty: bool | None
    pending: int | None
    differences: int | None
    succeeded_at: float | None


class States(Collector):
    """One set of series for each existing resource."""

    def __init__(self) -> None:
        self._states: dict[Key, _State] = {}
        self._answers: dict[Key, float] = {}
        self._conditions: dict[Conditions, Conditions] = {}
        """Each combination that occurs, once: most resources have the same."""

    def put(self, key: Key, status: MigrationStatus) -> None:
        """The resource's newest status."""
        last, drift = status.last_run, status.drift
        has_succeeded = last is not None and last.has_succeeded
        ended = last.finished_at if last is not None and has_succeeded else None
        conditions = tuple((found.type, found.status) for found in status.conditions)
        self._states[key] = _State(
            version=intern(status.version or ""),
            target=intern(status.target or ""),
            conditions=self._conditions.setdefault(conditions, conditions),
            dirty=status.dirty,
            pending=status.pending,
            differences=drift.differences_total if drift and drift.checked_at else None,
            succeeded_at=ended.timestamp() if ended is not None else None,
        )

    def answered(self, key: Key, moment: datetime) -> None:
        """The time at which the resource's database last answered."""
        self._answers[key] = moment.timestamp()

    @property
    def keys(self) -> tuple[Key, ...]:
        """The resources with a status or an answer."""
        return tuple({**self._states, **dict.fromkeys(self._answers)})

    def drop(self, key: Key) -> None:
        """The resource has been deleted."""
        self._states.pop(key, None)
        self._answers.pop(key, None)

    def clear(self) -> None:
        """Another operator reports it from now on."""
        self._states.clear()
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
        for key, state in list(self._states.items()):
            info.add_metric([*key, state.version, state.target], 1)
            for kind, status in state.conditions:
                for truth in Truth:
                    condition.add_metric([*key, kind.value, truth.value], float(status is truth))
            if state.dirty is not None:
                dirty.add_metric(key, float(state.dirty))
            if state.pending is not None:
                pending.add_metric(key, state.pending)
            if state.differences is not None:
                drift.add_metric(key, state.differences)
            if state.succeeded_at is not None:
                success.add_metric(key, state.succeeded_at)
        return [condition, info, dirty, pending, success, answer, drift]


class SetStates(Collector):
    """The series of sets: by wave, and never by target."""

    def __init__(self) -> None:
        self._statuses: dict[Key, SetStatus] = {}

    def put(self, key: Key, status: SetStatus) -> None:
        """The set's newest status."""
        self._statuses[key] = status

    def drop(self, key: Key) -> None:
        """The set has been deleted."""
        self._statuses.pop(key, None)

    def clear(self) -> None:
        """Another operator reports it from now on."""
        self._statuses.clear()

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
            for found in status.conditions:
                for truth in Truth:
                    labels = [*key, found.type.value, truth.value]
                    condition.add_metric(labels, float(found.status is truth))
            for wave in status.waves:
                phase.add_metric([*key, wave.name, wave.phase.value], 1)
                for each in fields(Totals):
                    labels = [*key, wave.name, each.name]
                    targets.add_metric(labels, getattr(wave.totals, each.name))
        return [condition, targets, phase]


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=[*NAMES, *labels])


class Metrics:
    """All metrics of one operator, in a registry of their own."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self._states = States()
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
        """A look at a set has resulted in this status."""
        self._sets.put(key, status)

    def forget_set(self, key: Key) -> None:
        """The set has been deleted, and its series with it."""
        self._sets.drop(key)

    def observe(self, key: Key, before: MigrationStatus, after: MigrationStatus) -> None:
        """A look at the resource has resulted in this status; a run may have ended meanwhile."""
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
        """The resources are gone, all of them."""
        for key in self._states.keys:
            self.forget(key)

    def reconciled(self, seconds: float, error: Exception | None = None) -> None:
        """A look has ended, successfully or not."""
        self._reconcile_seconds.observe(seconds)
        if error is not None:
            self._reconcile_errors.labels(type(error).__name__).inc()
