"""Reconciles sets: builds a view, asks for the decision and carries it out.

The Job comes first, because its name follows from what it is for; then the status, which refers
to it; then the event and the answers to orders; Jobs of earlier rollouts are deleted last.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from dbmigrate.api.action import ActionPhase
from dbmigrate.api.conditions import ConditionType
from dbmigrate.api.fields import Document, SpecError
from dbmigrate.api.fleet.resource import SetResource, parse_set, parse_set_identity
from dbmigrate.api.fleet.status import SetStatus, WavePhase, parse_set_status
from dbmigrate.api.fleet.targets import ConfigMapTargets
from dbmigrate.api.job_defaults import fill_in
from dbmigrate.api.migration import Identity
from dbmigrate.api.names import SET_UID_LABEL
from dbmigrate.api.source import ConfigMapsSource
from dbmigrate.api.spec import JobOptions
from dbmigrate.controller.cluster import AlreadyExists, Cluster, ClusterError
from dbmigrate.controller.config import Config
from dbmigrate.controller.decisions.files import (
    ConfigMapFiles,
    SourceFiles,
    read_config_map,
    resolve_files,
)
from dbmigrate.controller.decisions.progress import LOOK_INTERVAL, needs_events
from dbmigrate.controller.decisions.view import ActionUpdate, Rejection
from dbmigrate.controller.fleet.decide import decide, judge_set_spec
from dbmigrate.controller.fleet.job_body import build_fleet_job
from dbmigrate.controller.fleet.job_object import parse_fleet_job
from dbmigrate.controller.fleet.jobs import FleetJob, ShardPod, has_begun
from dbmigrate.controller.fleet.target_list import TargetList, read_target_list
from dbmigrate.controller.fleet.template import hash_set_template, with_job_options
from dbmigrate.controller.fleet.view import FleetOrder, SetDecision, SetView
from dbmigrate.controller.fleet.watch import SetWatch
from dbmigrate.controller.job_creation import JobCreation
from dbmigrate.controller.jobs.body import Images
from dbmigrate.controller.jobs.template import note_template
from dbmigrate.controller.metrics import Metrics
from dbmigrate.controller.reading import read
from dbmigrate.controller.troubles import read_troubles
from dbmigrate.controller.watches.observed import Key
from dbmigrate.controller.writing.action_writer import ActionWriter
from dbmigrate.controller.writing.event_writer import EventWriter, log_fields
from dbmigrate.controller.writing.notices import build_set_event, has_set_moved
from dbmigrate.controller.writing.status_writer import OF_SETS, StatusWriter, Write

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all sets."""

    server_version: tuple[int, int]
    cluster_name: str
    names_ids: bool


class SetReconciler:
    """Reconciles one set at a time, as often as it is woken."""

    def __init__(
        self,
        cluster: Cluster,
        watch: SetWatch,
        config: Config,
        *,
        clock: Callable[[], datetime],
        surroundings: Surroundings,
        metrics: Metrics,
    ) -> None:
        self._cluster = cluster
        self._watch = watch
        self._config = config
        self._clock = clock
        self._jobs = JobCreation(
            cluster, config.job_defaults, clock=clock, kind=OF_SETS.kind, within="spec.template.job"
        )
        self._writer = StatusWriter(OF_SETS, cluster.patch_set_status)
        self._events = EventWriter(cluster, OF_SETS.kind)
        self._orders = ActionWriter(cluster, watch, OF_SETS.kind, clock=clock)
        self._build = partial(
            build_fleet_job,
            images=Images(config.runner_image, config.rehearsal_image),
            server_version=surroundings.server_version,
            cluster=surroundings.cluster_name,
            names_ids=surroundings.names_ids,
        )
        self._since = clock()
        self._metrics = metrics
        self._instance = socket.gethostname()

    def begin(self) -> None:
        """Now is when this operator starts to work."""
        self._since = self._clock()

    async def look(self, key: Key, fresh: bool) -> datetime | None:
        """Reconcile the set once; returns when to look again. Raises ClusterError."""
        body = await self._cluster.find_set(*key)
        if body is None:
            self._watch.forget(key)
            self._metrics.forget_set(key)
            self._writer.forget(key)
            self._jobs.forget(key)
            await self._refuse_orphans(key)
            return None
        try:
            return await self._bring_on(body, fresh)
        except ClusterError:
            raise
        except Exception as fault:
            return await self._tell_problem(body, fault)

    async def _bring_on(self, body: Document, fresh: bool) -> datetime | None:
        resource = parse_set(body)
        self._watch.see(resource)
        view = await self._see(resource, fresh=fresh)
        decision = decide(view, self._clock())
        if decision.rests_on_absence and not fresh:
            view = await self._see(resource, fresh=True)
            decision = decide(view, self._clock())
        if decision.order is not None:
            decision = await self._start(view, decision.order, decision)
        await self._tell(body, resource.identity, resource.status, decision.status)
        counting = [wave for wave in decision.status.waves if wave.phase is WavePhase.RUNNING]
        self._watch.release(resource.identity.uid, [wave.job for wave in counting if wave.job])
        await self._orders.answer(decision.updates)
        await self._orders.keep(resource.identity, adopt=decision.adopt, expired=decision.expired)
        for job in view.jobs:
            if job.name in decision.discard and job.owner_uid == resource.identity.uid:
                await self._cluster.delete_job(job.namespace, job.name, job.uid)
            elif job.name in decision.withdraw:
                fields = log_fields(OF_SETS.kind, resource.identity, job=job.name)
                ready = decision.status.condition(ConditionType.READY)
                log.info("job withdrawn: %s", ready.message if ready else "", extra=fields)
                await self._cluster.delete_job(job.namespace, job.name, job.uid, after_pods=True)
        return decision.look_at

    async def _see(self, resource: SetResource, *, fresh: bool) -> SetView:
        identity = resource.identity
        if fresh:
            place = identity.namespace, [identity.uid]
            jobs = await self._cluster.list_jobs(*place, SET_UID_LABEL)
            pods = await self._cluster.list_pods(*place, SET_UID_LABEL)
            self._watch.replace(identity.uid, jobs, pods, self._clock())
        known, shards = self._watch.find(identity.uid)
        known = tuple(job for job in known if job.owner_uid == identity.uid)
        return SetView(
            resource=resource,
            files=await self._find_files(resource),
            targets=await self._find_list(resource),
            jobs=known,
            pods=shards,
            template=self._find_template(resource, known, shards),
            since=self._since,
            troubles=await self._find_troubles(known, shards),
            actions=self._watch.find_actions((identity.namespace, identity.name)),
            resync=self._config.resync,
            order_age=self._config.order_age,
        )

    def _find_template(
        self, resource: SetResource, jobs: Iterable[FleetJob], pods: tuple[ShardPod, ...]
    ) -> str | None:
        former = (job for job in jobs if job.is_active and job.created_at < self._since)
        if all(has_begun(job, pods) for job in former):
            return None
        options = fill_in(resource.spec.template.job, self._config.job_defaults)
        return hash_set_template(with_job_options(resource, options), self._build)

    async def _find_troubles(
        self, jobs: Iterable[FleetJob], pods: tuple[ShardPod, ...]
    ) -> dict[str, str]:
        """Why Pods are missing or do not start, from the events of their Jobs or of themselves."""
        now, known = self._clock(), [each.pod for each in pods]
        asked = ((job, needs_events(job, known, now)) for job in jobs if not has_begun(job, pods))
        return await read_troubles(self._cluster, asked)

    async def _find_files(self, resource: SetResource) -> SourceFiles:
        source, namespace = resource.spec.template.source, resource.identity.namespace
        found: dict[str, ConfigMapFiles | None] = {}
        if isinstance(source, ConfigMapsSource):
            for name in source.names:
                body = await self._cluster.find_config_map(namespace, name)
                found[name] = read(read_config_map, body) if body is not None else None
        return resolve_files(source, found)

    async def _find_list(self, resource: SetResource) -> TargetList:
        targets, body = resource.spec.targets, None
        if isinstance(targets, ConfigMapTargets):
            body = await self._cluster.find_config_map(resource.identity.namespace, targets.name)
        read_list = partial(read_target_list, targets)
        return read_list(None) if body is None else read(read_list, body) or read_list(None)

    async def _start(self, view: SetView, order: FleetOrder, decision: SetDecision) -> SetDecision:
        """Create the Job, or adopt the one that is there; else decide again without it."""
        resource = view.resource
        rejection = await self._create(resource, order)
        if rejection is None:
            return decision
        return decide(replace(view, rejection=rejection), self._clock())

    async def _create(self, resource: SetResource, order: FleetOrder) -> Rejection | None:
        identity, name = resource.identity, order.name_for(resource)
        key = identity.namespace, identity.name

        def build(options: JobOptions) -> Document:
            complete = with_job_options(resource, options)
            template = hash_set_template(complete, self._build)
            return note_template(self._build(complete, order), template)

        try:
            made = await self._jobs.create(key, name, resource.spec.template.job, build)
        except AlreadyExists:
            jobs = await self._cluster.list_jobs(identity.namespace, [identity.uid], SET_UID_LABEL)
            found = [job for job in map(parse_fleet_job, jobs) if job.name == name]
            if not any(job.owner_uid == identity.uid for job in found):
                return self._jobs.reject_stranger(key, name)
            self._jobs.forget(key)
            return None
        if isinstance(made, Rejection):
            return made
        self._watch.see_job(parse_fleet_job(made))
        return None

    async def _tell(
        self, body: Document, identity: Identity, before: SetStatus, after: SetStatus
    ) -> bool:
        """Write the status if it differs, and post an event if the verdict has changed.

        Returns whether there is anything to see.
        """
        self._metrics.observe_set((identity.namespace, identity.name), after)
        written = await self._writer.write(body, identity, after)
        if written is Write.NEEDLESS:
            return False
        if written is Write.REFUSED or has_set_moved(before, after):
            now, instance = self._clock(), self._instance
            await self._events.post(
                identity, build_set_event(identity, after, now=now, instance=instance)
            )
        return True

    async def _tell_problem(self, body: Document, fault: Exception) -> datetime | None:
        """The spec passed the schema and is invalid all the same."""
        identity, now = parse_set_identity(body), self._clock()
        before = parse_set_status(body.get("status"))
        if isinstance(fault, SpecError):
            judged = judge_set_spec(identity, before, str(fault), now)
            await self._tell(body, identity, before, judged)
            return None
        text = f"the operator can't work on this resource: {type(fault).__name__}: {fault}"
        if await self._tell(body, identity, before, judge_set_spec(identity, before, text, now)):
            # A fault of the operator: its traceback is logged once, not at each look.
            log.error(text, extra=log_fields(OF_SETS.kind, identity), exc_info=fault)
        return now + LOOK_INTERVAL

    async def _refuse_orphans(self, key: Key) -> None:
        waiting = [action for action in self._watch.find_actions(key) if not action.has_ended]
        # What is not selected is another operator's, and so are the orders for it.
        if not waiting or await self._cluster.has_set(*key):
            return
        text = f"DatabaseMigrationSet {key[1]} does not exist"
        await self._orders.answer(
            ActionUpdate(action, ActionPhase.REFUSED, action.problem or text) for action in waiting
        )
