"""A cluster for one set, without I/O: Jobs, Pods and the status, and an operator that may crash.

`World.step` does what the reconciler does, in its order: decide, create the Job, write the
status. A crash between any two leaves the world as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from dbmigrate.api.action import Action, ActionKind
from dbmigrate.api.conditions import ConditionType
from dbmigrate.api.fleet.resource import SetResource, parse_set
from dbmigrate.api.fleet.status import SetStatus, parse_set_status
from dbmigrate.controller.decisions.files import SourceFiles
from dbmigrate.controller.decisions.pods import ContainerEnd, Pod
from dbmigrate.controller.decisions.runs import RunState
from dbmigrate.controller.decisions.view import Rejection
from dbmigrate.controller.fleet.decide import decide
from dbmigrate.controller.fleet.jobs import FleetJob, ShardPod
from dbmigrate.controller.fleet.target_list import NOT_IN_CONFIG_MAP, TargetList
from dbmigrate.controller.fleet.view import FleetOrder, SetDecision, SetView
from dbmigrate.report import Outcome, Reason, Report, ReportError
from dbmigrate.report.fleet import FleetCounts, FleetFailure, FleetReport, FleetVersion, FleetWave
from tests.unit.controller.resources import NOW, UID

WAVES: list[dict[str, Any]] = [
    {"name": "canary", "share": "10%"},
    {"name": "rest", "parallelism": 2, "maxFailures": "10%"},
]


def make_set(*, generation: int = 1, status: SetStatus | None = None, **spec: Any) -> SetResource:
    """A set as the API server would show it."""
    body = {
        "metadata": {
            "name": "tenants",
            "namespace": "team",
            "uid": UID,
            "generation": generation,
            "creationTimestamp": "2026-11-24T11:00:00Z",
        },
        "spec": {
            "template": {"source": {"configMaps": [{"name": "files"}]}},
            "database": {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
            "targets": {"query": {"sql": "SELECT name FROM tenants"}},
            "waves": WAVES,
            **spec,
        },
    }
    found = parse_set(body)
    return found if status is None else replace(found, status=status)


@dataclass
class World:
    """What the API server has."""

    resource: SetResource
    sizes: dict[str, int]
    """Targets by wave."""
    broken: dict[str, int] = field(default_factory=dict)
    """Of each shard of a wave, so many fail."""
    digest: str = "one"
    targets: TargetList = NOT_IN_CONFIG_MAP
    now: Any = NOW
    jobs: dict[str, FleetJob] = field(default_factory=dict)
    pods: dict[str, ShardPod] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    """The Jobs that were created, in order."""
    starts: list[str] = field(default_factory=list)
    """The waves of these, `survey` among them."""
    withdrawn: list[str] = field(default_factory=list)
    """The Jobs that were ended before all of their shards were worked on."""
    orders: dict[str, FleetOrder] = field(default_factory=dict)
    """What each Job was created for."""
    order_age: timedelta | None = None
    steps: int = 0
    """Of the plans of the samples; 0: the survey has none."""
    rejection: Rejection | None = None
    resync: timedelta | None = None
    settings: str = ""
    """Of the operator, as a hash."""
    since: datetime = NOW
    """When it began to work."""
    troubles: dict[str, str] = field(default_factory=dict)

    def view(self) -> SetView:
        """What an operator sees."""
        return SetView(
            resource=self.resource,
            files=SourceFiles(digest=self.digest),
            targets=self.targets,
            jobs=tuple(self.jobs.values()),
            pods=tuple(self.pods.values()),
            actions=tuple(self.actions.values()),
            rejection=self.rejection,
            resync=self.resync,
            template=self.settings,
            since=self.since,
            troubles=self.troubles,
            order_age=self.order_age,
        )

    def step(self, crash: Callable[[str], bool] = lambda _: False) -> SetDecision:
        """One look of an operator; `crash` says before which call it dies."""
        decision = decide(self.view(), self.now)
        if decision.order is not None:
            if crash("create"):
                return decision
            self.create(decision.order)
        if crash("status"):
            return decision
        # As the API server stores it: what can't be read back would be lost here.
        status = parse_set_status(decision.status.to_dict())
        self.resource = replace(self.resource, status=status)
        for update in decision.updates:
            if crash("answer"):
                return decision
            self.actions[update.action.name] = replace(
                update.action, phase=update.phase, message=update.message, is_acknowledged=True
            )
        for name in decision.discard:
            del self.jobs[name]
        for name in decision.withdraw:
            if crash("withdraw"):
                return decision
            self.withdrawn.append(name)
            self.jobs[name] = replace(self.jobs[name], is_deleting=True)
        return decision

    def create(self, order: FleetOrder) -> None:
        """The Job, unless it is there."""
        name = order.name_for(self.resource)
        if name in self.jobs:
            return
        self.created.append(name)
        self.orders[name] = order
        self.starts.append(order.wave.name if order.wave else order.purpose)
        self.jobs[name] = FleetJob(
            namespace="team",
            name=name,
            uid=f"uid-{name}",
            set_uid=UID,
            owner_uid=UID,
            wave=order.wave.name if order.wave else None,
            intent=order.intent,
            attempt=order.attempt,
            state=RunState.ACTIVE,
            created_at=self.now,
            generation=self.resource.identity.generation,
            template=self.settings,
            shards=order.shards,
        )

    def active(self) -> FleetJob | None:
        """The Job that is at work; there is never another one."""
        found = [job for job in self.jobs.values() if job.is_active]
        assert len(found) <= 1
        return found[0] if found else None

    def work(self) -> bool:
        """One Pod of the Job at work ends, or the Job itself. False: there is none."""
        job = self.active()
        if job is None:
            return False
        if job.is_deleting:
            running = [name for name, each in self.pods.items() if each.pod.may_be_running]
            if running:
                self.pods.pop(running[0])
            else:
                del self.jobs[job.name]
            return True
        if job.wave is None:
            waves = tuple(FleetWave(name, size) for name, size in self.sizes.items())
            counts = FleetCounts(sum(self.sizes.values()))
            found = FleetVersion("1", counts.total, "t0", "c" * 64) if self.steps else None
            versions = (found,) if found else ()
            self.end_pod(job, None, FleetReport(counts, waves=waves, versions=versions))
            self.end_job(job)
            return True
        done = {each.shard for each in self.pods.values() if each.pod.job == job.name}
        left = [shard for shard in range(job.shards) if shard not in done]
        if not left:
            self.end_job(job)
            return True
        size = self.sizes[job.wave]
        share = size // job.shards + (1 if left[0] < size % job.shards else 0)
        bad = min(share, self.broken.get(job.wave, 0))
        failures = tuple(
            FleetFailure(f"{job.wave}-{left[0]}-{n}", "failed", Reason.STATEMENT_FAILED, "no")
            for n in range(bad)
        )
        counts = FleetCounts(share, current=share - bad, migrated=share - bad, failed=bad)
        self.end_pod(job, left[0], FleetReport(counts, wave=job.wave, failures=failures))
        return True

    def end_pod(
        self,
        job: FleetJob,
        shard: int | None,
        fleet: FleetReport | None,
        *,
        code: int = 0,
        error: ReportError | None = None,
        name: str = "",
    ) -> None:
        """A Pod that has ended with this report."""
        outcome = Outcome.FAILED if error else Outcome.APPLIED
        report = Report(
            command="fleet", outcome=outcome, version=None, dirty=None, fleet=fleet, error=error
        )
        if shard is None and self.steps:
            report = replace(
                report, steps_total=self.steps, plan_checksum="a" * 64, server_version="17.4"
            )
        ended = ContainerEnd("dbmigrate", code, "Completed", report.to_json(4096), self.now)
        name = name or f"{job.name}-{shard}"
        pod = Pod("team", name, f"uid-{name}", UID, job.name, "Succeeded", ended=ended)
        self.pods[name] = ShardPod(replace(pod, has_started=True), shard)

    def add_pod(self, job: FleetJob, **more: Any) -> None:
        """The first Pod of a Job, which has not ended."""
        name, shard = f"{job.name}-0", None if job.wave is None else 0
        pod = Pod("team", name, f"uid-{name}", UID, job.name, "Pending", **more)
        self.pods[name] = ShardPod(pod, shard)

    def end_job(
        self, job: FleetJob, state: RunState = RunState.SUCCEEDED, reason: str | None = None
    ) -> None:
        """The Job has ended."""
        self.jobs[job.name] = replace(
            job, state=state, finished_at=self.now, failure_reason=reason, failure_message=""
        )

    def order(self, action: Action) -> None:
        """A person orders something."""
        self.actions[action.name] = action

    def pass_time(self, length: timedelta) -> None:
        """The clock goes on."""
        self.now += length


def settle(world: World, *, crash: Callable[[str], bool] = lambda _: False) -> SetDecision:
    """Look and work in turns until nothing more happens by itself."""
    for _ in range(2000):
        before = world.resource.status
        decision = world.step(crash)
        is_told = decision.status == before and not decision.updates
        if not world.work() and is_told and decision.order is None:
            return decision
    raise AssertionError("it does not come to rest")


def phase_of(world: World, name: str = "act") -> str:
    """The progress of an order."""
    return world.actions[name].phase.value


def reason_of(status: SetStatus) -> tuple[str, str]:
    """What Ready says."""
    ready = status.condition(ConditionType.READY)
    assert ready is not None
    return ready.status.value, ready.reason


def make_action(kind: ActionKind, name: str = "act") -> Action:
    """An order for the set."""
    return Action("team", name, f"uid-{name}", NOW, "tenants", kind, is_for_set=True)
