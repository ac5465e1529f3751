"""The operator as a whole: one process, one event loop.

kopf watches, the work queue orders the resources, the reconciler does the work. All three end
together: on a stop, or when any of them fails, because an operator without one of them would appear
healthy and do nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import kopf

from dbmigrate import __version__
from dbmigrate.api.names import SCHEMA_VERSION, UNKNOWN_CLUSTER
from dbmigrate.controller.cluster import Cluster, ClusterError, Conflict, Refused, Unavailable
from dbmigrate.controller.config import Config, UserIds
from dbmigrate.controller.definitions.presence import check_schema, find_resources
from dbmigrate.controller.endpoints import Endpoints, served
from dbmigrate.controller.fleet.reconciler import SetReconciler, Surroundings
from dbmigrate.controller.fleet.watch import SetWatch
from dbmigrate.controller.handlers import register
from dbmigrate.controller.health import Health
from dbmigrate.controller.leadership.elector import Elector
from dbmigrate.controller.leadership.standby import work_as_leader
from dbmigrate.controller.login import register_login
from dbmigrate.controller.metrics import Metrics
from dbmigrate.controller.reconciler import Reconciler, describe_failure
from dbmigrate.controller.settings import configure
from dbmigrate.controller.watches.events import Watch
from dbmigrate.controller.watches.observed import Key, Observed
from dbmigrate.controller.watches.streams import Streams
from dbmigrate.controller.watches.work_queue import WorkQueue
from dbmigrate.controller.writing.status_writer import OF_MIGRATIONS, OF_SETS

log = logging.getLogger(__name__)

END_SECONDS = 20.0
"""How long the rest may take to end when one part has; a Pod's grace period is 30 s."""

LIST_SECONDS = 2.0
"""Between two attempts of a new leader to list the resources."""

_IDENTITY: Any = "dbmigrate-operator"
"""A text to kopf as well, which gives it a type in a private module."""


async def run_operator(config: Config, listeners: Iterable[socket.socket]) -> None:
    """Run until SIGTERM or SIGINT. Raises ClusterError without a cluster.

    `listeners`: where the probes and Prometheus are answered.
    """
    cluster = await Cluster.connect(connections=config.workers, selector=config.selector)
    metrics, health = Metrics(__version__), Health()
    beating = asyncio.create_task(health.beat(), name="health")
    try:
        with ExitStack() as serving:
            for listener in listeners:
                endpoints = Endpoints(
                    listener,
                    metrics.registry,
                    is_alive=health.is_alive,
                    is_ready=health.is_ready,
                    has_started=health.has_started,
                )
                serving.enter_context(served(endpoints))
            while await find_resources(cluster) and await _serve(config, cluster, metrics, health):
                metrics.forget_all()
    finally:
        beating.cancel()
        await cluster.close()


async def _serve(config: Config, cluster: Cluster, metrics: Metrics, health: Health) -> bool:
    """Work until stopped (False), or until the custom resources no longer exist (True)."""
    version = await cluster.read_version()
    await check_schema(cluster)
    names_ids = config.job_user_ids is UserIds.SET or (
        config.job_user_ids is UserIds.AUTO and not await cluster.assigns_ids()
    )
    observed = Observed()
    cluster_name = config.cluster_name or await _name_cluster(cluster)
    reconciler = Reconciler(
        cluster,
        observed,
        config,
        clock=read_clock,
        server_version=version,
        cluster_name=cluster_name,
        metrics=metrics,
        names_ids=names_ids,
    )
    streams = Streams()
    wakes = WorkQueue(
        reconciler.look,
        clock=read_clock,
        on_error=report_failure,
        on_end=metrics.reconciled,
        workers=config.workers,
        has_heard=streams.have_shown,
        on_rest=observed.rest,
    )
    registry = kopf.OperatorRegistry()
    watch = Watch(observed, wakes, is_leading=lambda: cluster.seconds_to_write() > 0)
    if config.selector:
        await cluster.check_selector(next(iter(config.namespaces), None))
    await watch.take_stock(cluster, config.namespaces)
    around = Surroundings(version, cluster_name, names_ids)
    sets = await _serve_sets(config, cluster, metrics, around)
    register(registry, watch, sets.watch if sets is not None else None)
    missing = asyncio.Event()
    register_login(registry, cluster.configuration, missing.set, streams.hear)
    work = asyncio.create_task(
        _work(config, cluster, reconciler, metrics, watch, wakes, sets), name="wakes"
    )
    watching = asyncio.create_task(
        kopf.operator(
            registry=registry,
            settings=configure(kopf.OperatorSettings(), selector=config.selector),
            standalone=True,
            clusterwide=not config.namespaces,
            namespaces=config.namespaces,
            # kopf's default asks for the user's name, and a Pod's user id may have none.
            identity=_IDENTITY,
        ),
        name="kopf",
    )
    health.watching(True)
    log.info("started, version %s, schema %d", __version__, SCHEMA_VERSION)
    lost = asyncio.create_task(missing.wait(), name="lost")
    tasks = {work, watching, lost}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    health.watching(False)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending, timeout=END_SECONDS)
    if lost in done:
        return True
    for task in done:
        task.result()
    log.info("stopped")
    return False


@dataclass(frozen=True, slots=True)
class _Sets:
    """The part of the operator that works on sets."""

    watch: SetWatch
    wakes: WorkQueue
    reconciler: SetReconciler

    def wake_all(self) -> None:
        """Reconcile all of them."""
        for key in self.watch.list_keys():
            self.wakes.wake(key)


async def _serve_sets(
    config: Config,
    cluster: Cluster,
    metrics: Metrics,
    around: Surroundings,
) -> _Sets | None:
    """Watch the sets, where they are installed; the migrations are worked on in any case."""
    if not await cluster.serves_sets(next(iter(config.namespaces), None)):
        log.warning(
            "DatabaseMigrationSets are not worked on: their definition is not installed, or this"
            " operator may not read them (helm upgrade, or kubectl apply -f crds/ -f"
            " deploy/rbac.yaml; then restart the operator)"
        )
        return None
    looks: list[SetReconciler] = []

    async def look(key: Key, fresh: bool) -> datetime | None:
        return await looks[0].look(key, fresh)

    wakes = WorkQueue(
        look,
        clock=read_clock,
        on_error=partial(report_failure, kind=OF_SETS.kind),
        on_end=metrics.reconciled,
        workers=config.workers,
    )
    watch = SetWatch(wakes)
    looks.append(
        SetReconciler(
            cluster, watch, config, clock=read_clock, surroundings=around, metrics=metrics
        )
    )
    await watch.take_stock(cluster, config.namespaces)
    return _Sets(watch, wakes, looks[0])


async def _name_cluster(cluster: Cluster) -> str:
    try:
        name = await cluster.read_uid()
    except Refused:
        name = ""
    if not name:
        log.warning(
            "this cluster has no lasting name in the databases' logs, since its namespace"
            " kube-system may not be read: on a database that another cluster migrates for a"
            " resource of the same namespace and name, that is not noticed (--cluster-name)"
        )
    return name or f"{UNKNOWN_CLUSTER}-{cluster.fingerprint()}"


async def _work(
    config: Config,
    cluster: Cluster,
    reconciler: Reconciler,
    metrics: Metrics,
    watch: Watch,
    wakes: WorkQueue,
    sets: _Sets | None,
) -> None:
    """Work the queues off: at all times, or while the Lease is held."""

    def change(is_leading: bool) -> None:
        metrics.lead(is_leading)
        if is_leading:
            reconciler.begin()
            if sets is not None:
                sets.reconciler.begin()

    async def wake_all() -> None:
        # Work that was left unfinished, by another operator or by this one, is taken up.
        if sets is not None:
            sets.wake_all()
        while True:
            try:
                await watch.wake_all(cluster, config.namespaces)
                break
            except ClusterError as problem:
                log.warning("the resources can't be listed, tried again: %s", problem)
                await asyncio.sleep(LIST_SECONDS)

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            for each in [wakes, *([sets.wakes] if sets is not None else [])]:
                group.create_task(each.run())
            group.create_task(wake_all())

    if config.lease is None:
        metrics.lead(True)
        await work()
        return
    identity = f"{socket.gethostname()}_{secrets.token_hex(4)}"
    elector = Elector(cluster, config.lease, identity, config.lease_duration)
    cluster.seconds_to_write = elector.seconds_to_write
    await work_as_leader(elector, work, on_change=change)


def read_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def report_failure(key: Key, error: Exception, *, kind: str = OF_MIGRATIONS.kind) -> None:
    """Log a failed reconciliation, which will be repeated; with a traceback for an error of the
    code."""
    fields = {"namespace": key[0], kind: key[1]}
    if isinstance(error, Conflict):
        log.debug(describe_failure(error), extra=fields)
    elif isinstance(error, Unavailable):
        log.warning("not done, will be tried again: %s", describe_failure(error), extra=fields)
    else:
        log.error("not done: %s", describe_failure(error), extra=fields, exc_info=error)
