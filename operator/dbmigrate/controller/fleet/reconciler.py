"""Reconciles sets: builds a view, asks for the decision and carries it out.

The Job comes first, because its name follows from what it is for; then the status, which refers
to it; then the event and the answers to orders; Jobs of earlier rollouts are deleted last.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dbmigrate.api.action import Action, ActionPhase, dump_action_status
from dbmigrate.api.fields import Document, SpecError
from dbmigrate.api.fleet.resource import SetResource, parse_set, parse_set_identity
from dbmigrate.api.fleet.status import SET_STATUS_FIELDS, SetStatus, parse_set_status
from dbmigrate.api.job_defaults import fill_in
from dbmigrate.api.migration import Identity
from dbmigrate.api.names import SET_UID_LABEL
from dbmigrate.api.source import ConfigMapsSource
from dbmigrate.api.spec import Retry
from dbmigrate.controller.cluster import (
    AlreadyExists,
    Cluster,
    ClusterError,
    Fenced,
    Refused,
    Unavailable,
)
from dbmigrate.controller.config import Config
from dbmigrate.controller.decisions.backoff import ENVIRONMENT, retry_delay
from dbmigrate.controller.decisions.files import (
    ConfigMapFiles,
    SourceFiles,
    read_config_map,
    resolve_files,
)
from dbmigrate.controller.decisions.progress import LOOK_INTERVAL
from dbmigrate.controller.decisions.view import ActionUpdate, Rejection
from dbmigrate.controller.fleet.decide import decide, judge_set_spec
from dbmigrate.controller.fleet.job_body import build_fleet_job
from dbmigrate.controller.fleet.job_object import parse_fleet_job
from dbmigrate.controller.fleet.view import FleetOrder, SetDecision, SetView
from dbmigrate.controller.fleet.watch import SetWatch
from dbmigrate.controller.jobs.body import Images
from dbmigrate.controller.jobs.refused_fields import name_fields, needs_strictness
from dbmigrate.controller.metrics import Metrics
from dbmigrate.controller.notices import build_set_event
from dbmigrate.controller.reading import read
from dbmigrate.controller.status_patch import difference
from dbmigrate.controller.watches.observed import Key

log = logging.getLogger(__name__)

OUTAGE = Retry(initial_delay=timedelta(seconds=2), max_delay=timedelta(minutes=1))


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
        self._around = surroundings
        self._metrics = metrics
        self._instance = socket.gethostname()
        self._rejections: dict[Key, tuple[str, int, Rejection]] = {}

    async def look(self, key: Key, fresh: bool) -> datetime | None:
        """Reconcile the set once; returns when to look again. Raises ClusterError."""
        body = await self._cluster.find_set(*key)
        if body is None:
            self._watch.forget(key)
            self._metrics.forget_set(key)
            self._rejections.pop(key, None)
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
        for update in decision.updates:
            await self._answer(update)
        await self._keep_actions(resource.identity, decision)
        for job in view.jobs:
            if job.name in decision.discard and job.owner_uid == resource.identity.uid:
                await self._cluster.delete_job(job.namespace, job.name, job.uid)
        return decision.look_at

    async def _see(self, resource: SetResource, *, fresh: bool) -> SetView:
        identity = resource.identity
        if fresh:
            place = identity.namespace, identity.uid
            jobs = await self._cluster.list_jobs(*place, SET_UID_LABEL)
            pods = await self._cluster.list_pods(*place, SET_UID_LABEL)
            self._watch.replace(identity.uid, jobs, pods)
        known, shards = self._watch.find(identity.uid)
        return SetView(
            resource=resource,
            files=await self._find_files(resource),
            jobs=tuple(job for job in known if job.owner_uid == identity.uid),
            pods=shards,
            actions=self._watch.find_actions((identity.namespace, identity.name)),
            resync=self._config.resync,
        )

    async def _find_files(self, resource: SetResource) -> SourceFiles:
        source, namespace = resource.spec.template.source, resource.identity.namespace
        found: dict[str, ConfigMapFiles | None] = {}
        if isinstance(source, ConfigMapsSource):
            for name in source.names:
                body = await self._cluster.find_config_map(namespace, name)
                found[name] = read(read_config_map, body) if body is not None else None
        return resolve_files(source, found)

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
        known = self._rejections.get(key)
        if known is not None and known[0] == name:
            due = known[2].retry_at
            if due is not None and self._clock() < due:
                return known[2]
        template = resource.spec.template
        filled = replace(template, job=fill_in(template.job, self._config.job_defaults))
        body = build_fleet_job(
            replace(resource, spec=replace(resource.spec, template=filled)),
            order,
            images=Images(self._config.runner_image, self._config.rehearsal_image),
            server_version=self._around.server_version,
            cluster=self._around.cluster_name,
            names_ids=self._around.names_ids,
        )
        try:
            is_strict = needs_strictness(filled.job)
            made = await self._cluster.create_job(body, is_strict=is_strict)
            self._watch.see_job(parse_fleet_job(made))
        except AlreadyExists:
            jobs = await self._cluster.list_jobs(identity.namespace, identity.uid, SET_UID_LABEL)
            found = [job for job in map(parse_fleet_job, jobs) if job.name == name]
            if not any(job.owner_uid == identity.uid for job in found):
                text = f"a Job {name} is there that does not belong to this resource: delete it"
                return self._reject(key, name, text, ENVIRONMENT)
        except Fenced:
            raise
        except Unavailable as problem:
            text = f"the API server could not create the Job: {problem}"
            return self._reject(key, name, text, OUTAGE, is_passing=True)
        except Refused as refusal:
            said = name_fields(str(refusal), body, filled.job, within="spec.template.job")
            text = f"the API server refused the Job: {said}"
            return self._reject(key, name, text, ENVIRONMENT, is_final=refusal.is_final)
        self._rejections.pop(key, None)
        log.info("job created", extra={**_fields(identity), "job": name})
        return None

    def _reject(
        self,
        key: Key,
        job: str,
        message: str,
        retry: Retry,
        *,
        is_final: bool = False,
        is_passing: bool = False,
    ) -> Rejection:
        before = self._rejections.get(key)
        count = before[1] + 1 if before is not None and before[0] == job else 1
        due = self._clock() + retry_delay(retry, attempt=count, seed=job)
        rejection = Rejection(message, is_final, is_passing=is_passing, retry_at=due)
        self._rejections[key] = (job, count, rejection)
        return rejection

    async def _tell(
        self, body: Document, identity: Identity, before: SetStatus, after: SetStatus
    ) -> None:
        """Write the status if it differs, and post an event if the verdict has changed."""
        key = identity.namespace, identity.name
        self._metrics.observe_set(key, after)
        current = {k: v for k, v in (body.get("status") or {}).items() if k in SET_STATUS_FIELDS}
        patch = difference(current, after.to_dict())
        if not patch:
            return
        version = body["metadata"]["resourceVersion"]
        told = {"metadata": {"resourceVersion": version}, "status": patch}
        if await self._cluster.patch_set_status(*key, told) is None:
            return
        event = build_set_event(identity, before, after, now=self._clock(), instance=self._instance)
        if event is None:
            return
        level = logging.WARNING if event["type"] == "Warning" else logging.INFO
        log.log(level, "%s", event["message"], extra=_fields(identity))
        with suppress(ClusterError):
            await self._cluster.create_event(event)

    async def _tell_problem(self, body: Document, fault: Exception) -> datetime | None:
        """The spec passed the schema and is invalid all the same."""
        identity, now = parse_set_identity(body), self._clock()
        before = parse_set_status(body.get("status"))
        if isinstance(fault, SpecError):
            await self._tell(
                body, identity, before, judge_set_spec(identity, before, str(fault), now)
            )
            return None
        text = f"the operator can't work on this resource: {type(fault).__name__}: {fault}"
        log.error(text, extra=_fields(identity), exc_info=fault)
        await self._tell(body, identity, before, judge_set_spec(identity, before, text, now))
        return now + LOOK_INTERVAL

    async def _refuse_orphans(self, key: Key) -> None:
        waiting = [action for action in self._watch.find_actions(key) if not action.has_ended]
        # What is not selected is another operator's, and so are the orders for it.
        if not waiting or await self._cluster.has_set(*key):
            return
        for action in waiting:
            text = action.problem or f"DatabaseMigrationSet {key[1]} does not exist"
            await self._answer(ActionUpdate(action, ActionPhase.REFUSED, text))

    async def _keep_actions(self, identity: Identity, decision: SetDecision) -> None:
        """Make the set the owner of its orders, and delete those that are not kept."""
        for action in decision.expired:
            await self._cluster.delete_action(action.namespace, action.name, action.uid)
            self._watch.forget_action(action)
        owner = {**identity.owner_reference, "controller": False, "blockOwnerDeletion": False}
        for action in decision.adopt:
            if action in decision.expired:
                continue
            patch = {"metadata": {"uid": action.uid, "ownerReferences": [owner]}}
            await _offer(self._cluster.own_action(action.namespace, action.name, patch), action)
            self._watch.see_owner(action)

    async def _answer(self, update: ActionUpdate) -> None:
        """Write the result of an order to its status."""
        action = update.action
        status = dump_action_status(action, update.phase, update.message, now=self._clock())
        patch = self._cluster.patch_action(action.namespace, action.name, {"status": status})
        await _offer(patch, action)
        told = replace(action, phase=update.phase, message=status["message"], is_acknowledged=True)
        self._watch.see_action(told)
        fields = {"namespace": action.namespace, "set": action.migration}
        text = f"action {action.name}: {update.phase}: {status['message']}"
        log.info("%s", text, extra=fields)


async def _offer(write: Awaitable[object], action: Action) -> None:
    """Write to an order. A write that the API server refuses for the order's content is skipped:
    it would be refused every time, and the set has other work to do."""
    try:
        await write
    except Refused as refusal:
        if not refusal.is_final:
            raise
        fields = {"namespace": action.namespace, "set": action.migration}
        log.warning("a write to action %s was refused: %s", action.name, refusal, extra=fields)


def _fields(identity: Identity) -> dict[str, str]:
    return {"namespace": identity.namespace, "set": identity.name}
