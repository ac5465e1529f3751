"""The reconciler: builds a view, asks for the decision and carries it out.

The order of writes decides what a crash leaves behind. The Job comes first, because it
can be found again by its labels; then the status, which refers to it; then the event;
finished Jobs are deleted last, when their results are recorded.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial

from dbmigrate.api.fields import Document, SpecError
from dbmigrate.api.forms import OBJECT_NAME
from dbmigrate.api.job_defaults import fill_in
from dbmigrate.api.migration import Identity, MigrationResource, parse_identity, parse_migration
from dbmigrate.api.source import ConfigMapsSource
from dbmigrate.api.spec import JobOptions
from dbmigrate.api.status import MigrationStatus, parse_status
from dbmigrate.controller.cluster import AlreadyExists, Cluster, ClusterError, Conflict
from dbmigrate.controller.cnpg import CnpgGate
from dbmigrate.controller.config import Config
from dbmigrate.controller.decisions.files import (
    ConfigMapFiles,
    SourceFiles,
    read_config_map,
    resolve_files,
)
from dbmigrate.controller.decisions.orders import refuse_orphans
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.progress import LOOK_INTERVAL, needs_events
from dbmigrate.controller.decisions.reconcile import judge_spec, reconcile
from dbmigrate.controller.decisions.runs import JobRun
from dbmigrate.controller.decisions.view import (
    Decision,
    Rejection,
    ResourceView,
    Resync,
    may_differ,
)
from dbmigrate.controller.job_creation import JobCreation
from dbmigrate.controller.jobs.body import Images, build_job
from dbmigrate.controller.jobs.job_object import parse_run
from dbmigrate.controller.jobs.pod_object import parse_pod
from dbmigrate.controller.jobs.template import hash_template, note_template, with_options
from dbmigrate.controller.metrics import Metrics
from dbmigrate.controller.reading import read, read_all
from dbmigrate.controller.shared_reads import SharedReads
from dbmigrate.controller.troubles import read_troubles
from dbmigrate.controller.watches.observed import Key, Observed
from dbmigrate.controller.writing.action_writer import ActionWriter
from dbmigrate.controller.writing.event_writer import EventWriter, log_fields
from dbmigrate.controller.writing.notices import (
    build_cnpg_event,
    build_database_event,
    build_drift_event,
    build_event,
    build_lint_event,
    has_moved,
)
from dbmigrate.controller.writing.status_writer import OF_MIGRATIONS, StatusWriter, Write
from dbmigrate.report import Reason

log = logging.getLogger(__name__)

READS = 5
"""How often Jobs and Pods are listed when they change meanwhile."""


class Reconciler:
    """Reconciles one resource at a time, as often as it is woken."""

    def __init__(
        self,
        cluster: Cluster,
        observed: Observed,
        config: Config,
        *,
        clock: Callable[[], datetime],
        server_version: tuple[int, int],
        cluster_name: str,
        metrics: Metrics,
        names_ids: bool = True,
    ) -> None:
        self._cluster_name = cluster_name
        self._metrics = metrics
        self._cluster = cluster
        self._reads = SharedReads(cluster)
        self._observed = observed
        self._jobs = JobCreation(cluster, config.job_defaults, clock=clock)
        self._orders = ActionWriter(cluster, observed, "migration", clock=clock)
        self._build = partial(
            build_job,
            images=Images(config.runner_image, config.rehearsal_image),
            server_version=server_version,
            names_ids=names_ids,
            cluster=cluster_name,
        )
        self._job_defaults = config.job_defaults
        self._order_age = config.order_age
        self._clock = clock
        self._resync = Resync(config.resync, clock(), config.unreachable_after)
        self._ordered: dict[Key, datetime] = {}
        self._instance = socket.gethostname()
        self._writer = StatusWriter(
            OF_MIGRATIONS, cluster.patch_status, on_written=observed.see_body
        )
        self._events = EventWriter(cluster, OF_MIGRATIONS.kind)
        self._cnpg = CnpgGate(cluster, clock=clock, tell=self._tell_unread)

    def begin(self) -> None:
        """Now is when this operator starts to work: checks that fell due before are spread."""
        self._resync = replace(self._resync, since=self._clock())

    async def look(self, key: Key, fresh: bool) -> datetime | None:
        """Reconcile the resource once; returns when to look again.

        Raises ClusterError when the API server could not be used: look again later.
        """
        body = None if fresh else self._observed.find_body(key)
        if body is None:
            body = await self._cluster.find_migration(*key)
            if body is None:
                self._observed.forget_migration(key)
                self._metrics.forget(key)
                self._writer.forget(key)
                self._ordered.pop(key, None)
                self._jobs.forget(key)
                self._cnpg.forget(key)
                actions = self._observed.find_actions(key)
                # A resource that is not selected belongs to another operator, with its orders.
                if actions and not await self._cluster.has_migration(*key):
                    await self._orders.answer(refuse_orphans(actions))
                return None
            self._observed.see_body(body)
        try:
            return await self._bring_on(body, fresh)
        except ClusterError:
            raise
        except Exception as fault:
            # Reading, deciding and building are pure functions of what users have written.
            return await self._tell_problem(body, fault)

    async def _bring_on(self, body: Document, fresh: bool) -> datetime | None:
        migration = parse_migration(body)
        self._observed.see_migration(migration)
        view = await self._see(migration, fresh=fresh)
        decision = reconcile(view, self._clock())
        if decision.rests_on_absence and not fresh:
            view = await self._see(migration, fresh=True)
            decision = reconcile(view, self._clock())
        if decision.order is not None:
            view, decision = await self._start(view, decision)
        await self._tell(body, migration.identity, migration.status, decision.status)
        key = (migration.identity.namespace, migration.identity.name)
        self._metrics.answered(key, decision.answered_at)
        await self._orders.answer(decision.updates)
        await self._discard(view, decision)
        await self._orders.keep(migration.identity, adopt=decision.adopt, expired=decision.expired)
        return decision.look_at

    async def _see(self, migration: MigrationResource, *, fresh: bool) -> ResourceView:
        """The resource with all that belongs to it; `fresh`: read from the API server now."""
        identity = migration.identity
        if fresh:
            await self._read_runs(identity)
        runs = self._observed.find_runs(identity.uid)
        known = self._observed.find_pods(identity.uid)
        return ResourceView(
            migration=migration,
            files=await self._find_files(migration, fresh=fresh),
            runs=tuple(run for run in runs if run.owner_uid == identity.uid),
            pods=known,
            troubles=await self._find_troubles(runs, known),
            older=await self._find_older(migration, fresh=fresh),
            departed=await self._find_departed(migration),
            template=self._find_template(migration, runs, known),
            resync=self._resync,
            order_age=self._order_age,
            ordered_at=self._ordered.get((identity.namespace, identity.name)),
            actions=self._observed.find_actions((identity.namespace, identity.name)),
        )

    async def _read_runs(self, identity: Identity) -> None:
        """List the Jobs and Pods. An event that comes meanwhile may be newer than the answer, and
        is shown once: then they are listed again. Raises Conflict where that does not end."""
        for _ in range(READS):
            self._observed.begin_read(identity.uid)
            jobs = await self._reads.list_jobs(identity.namespace, identity.uid)
            pods = await self._reads.list_pods(identity.namespace, identity.uid)
            if not self._observed.has_moved(identity.uid):
                self._observed.replace_runs(
                    identity.uid, read_all(parse_run, jobs), read_all(parse_pod, pods)
                )
                return
        raise Conflict("its Jobs or Pods change while they are listed")

    def _find_template(
        self, migration: MigrationResource, runs: Iterable[JobRun], pods: Iterable[Pod]
    ) -> str | None:
        if not any(may_differ(run, pods, self._resync.since) for run in runs):
            return None
        options = fill_in(migration.spec.job, self._job_defaults)
        return hash_template(with_options(migration, options), self._build)

    async def _find_troubles(self, runs: Iterable[JobRun], pods: Iterable[Pod]) -> dict[str, str]:
        """Why Pods are missing or do not start, from the events of their Jobs or of themselves."""
        now = self._clock()
        return await read_troubles(
            self._cluster, ((run, needs_events(run, pods, now)) for run in runs)
        )

    async def _find_files(self, migration: MigrationResource, *, fresh: bool) -> SourceFiles:
        source = migration.spec.source
        if not isinstance(source, ConfigMapsSource):
            return resolve_files(source, {})
        namespace = migration.identity.namespace
        found: dict[str, ConfigMapFiles | None] = {}
        for name in source.names:
            key = (namespace, name)
            files = None if fresh else self._observed.find_config_map(key)
            if files is None:
                body = await self._reads.find_config_map(namespace, name)
                files = read(read_config_map, body) if body is not None else None
            found[name] = files
        return resolve_files(source, found)

    async def _find_older(self, migration: MigrationResource, *, fresh: bool) -> str | None:
        namespace = migration.identity.namespace
        while (older := self._observed.find_older(migration)) is not None:
            if not fresh:
                return older.name
            body = await self._cluster.find_migration(namespace, older.name)
            if body is not None and body["metadata"]["uid"] == older.uid:
                return older.name
            self._observed.forget_migration((namespace, older.name), older.uid)
        return None

    async def _find_departed(self, migration: MigrationResource) -> str | None:
        """The resource that has migrated the database, where it was in this namespace and is gone.

        One of another namespace may be about to come back.
        """
        status, last = migration.status, migration.status.last_run
        error = last.error if last is not None else None
        if error is None or error.reason is not Reason.DATABASE_CONFLICT:
            return None
        owner = (status.owner or "").partition("#")[0]
        cluster, _, place = owner.partition("/")
        namespace, _, name = place.partition("/")
        is_here = cluster == self._cluster_name and namespace == migration.identity.namespace
        if not is_here or OBJECT_NAME.find_fault(name) is not None:
            return None
        return owner if await self._cluster.find_migration(namespace, name) is None else None

    async def _start(self, view: ResourceView, decision: Decision) -> tuple[ResourceView, Decision]:
        """Create the Job, or adopt the existing one, and decide again with it in view."""
        if decision.order is None:
            return view, decision
        migration, order = view.migration, decision.order
        waiting = await self._cnpg.find_rejection(migration)
        if waiting is not None:
            view = replace(view, rejection=waiting)
            return view, reconcile(view, self._clock())
        spec, name = migration.spec, order.name_for(migration)
        key = (migration.identity.namespace, migration.identity.name)

        def build(options: JobOptions) -> Document:
            complete = with_options(migration, options)
            return note_template(self._build(complete, order), hash_template(complete, self._build))

        try:
            made = await self._jobs.create(key, name, spec.job, build)
        except AlreadyExists:
            view = await self._see(migration, fresh=True)
            if not any(run.name == name for run in view.runs):
                view = replace(view, rejection=self._jobs.reject_stranger(key, name))
            return view, reconcile(view, self._clock())
        if isinstance(made, Rejection):
            view = replace(view, rejection=made)
        else:
            run = parse_run(made)
            self._observed.see_run(run)
            self._ordered[key] = self._clock()
            view = replace(view, runs=(*view.runs, run))
        return view, reconcile(view, self._clock())

    async def _tell(
        self,
        body: Document,
        identity: Identity,
        before: MigrationStatus,
        after: MigrationStatus,
    ) -> bool:
        """Write the status if it differs, and post an event if the verdict has changed.

        Where the API server refuses the status, the event alone shows it. Returns whether anything
        shows it.
        """
        self._metrics.observe((identity.namespace, identity.name), before, after)
        written = await self._writer.write(body, identity, after)
        if written is Write.NEEDLESS:
            return False
        now, instance = self._clock(), self._instance
        if written is Write.REFUSED or has_moved(before, after):
            await self._events.post(
                identity, build_event(identity, after, now=now, instance=instance)
            )
        for build in (build_lint_event, build_drift_event, build_database_event):
            found = build(identity, before, after, now=now, instance=instance)
            await self._events.post(identity, found)
        return True

    async def _tell_unread(self, identity: Identity, message: str) -> None:
        now, instance = self._clock(), self._instance
        event = build_cnpg_event(identity, message, now=now, instance=instance)
        await self._events.post(identity, event)

    async def _tell_problem(self, body: Document, fault: Exception) -> datetime | None:
        """The spec passed the schema and is invalid all the same."""
        identity, before, now = (
            parse_identity(body),
            parse_status(body.get("status")),
            self._clock(),
        )
        if isinstance(fault, SpecError):
            await self._tell(body, identity, before, judge_spec(identity, before, str(fault), now))
            return None
        text = f"the operator can't work on this resource: {type(fault).__name__}: {fault}"
        if await self._tell(body, identity, before, judge_spec(identity, before, text, now)):
            # An error of the operator: its traceback is logged once, not with each reconciliation.
            log.error(text, extra=log_fields(OF_MIGRATIONS.kind, identity), exc_info=fault)
        return now + LOOK_INTERVAL

    async def _discard(self, view: ResourceView, decision: Decision) -> None:
        for run in view.runs:
            if run.name in decision.discard:
                await self._cluster.delete_job(run.namespace, run.name, run.uid)
                self._observed.forget_run(run)
            elif run.name in decision.withdraw:
                # It remains, being deleted, until its Pods are gone; then the next may start.
                log.info("job withdrawn", extra={"namespace": run.namespace, "job": run.name})
                await self._cluster.delete_job(run.namespace, run.name, run.uid, after_pods=True)


def describe_failure(error: Exception) -> str:
    """A failed look in one line."""
    if isinstance(error, Conflict):
        return "the resource has changed meanwhile"
    return f"{type(error).__name__}: {error}"
