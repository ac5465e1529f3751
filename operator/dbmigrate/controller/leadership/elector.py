"""Taking, renewing and giving up the Lease, at the API server.

The client library's own module (kubernetes.aio.leaderelection) compares times of the wall
clock, ends with the first request that gets no answer, and does not tell how long a leader
may still write.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from dbmigrate.api.fields import Document
from dbmigrate.controller.cluster import AlreadyExists, Cluster, ClusterError, Conflict, Unavailable
from dbmigrate.controller.leadership.election import (
    RENEWALS,
    ElectionMove,
    Sighting,
    build_lease,
    choose_move,
    parse_lease,
    see,
    writes_until,
)

log = logging.getLogger(__name__)

NEVER = float("-inf")


def read_steady_clock() -> float:
    """Seconds of a clock that does not stop while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Elector:
    """One candidate for the Lease of a namespace and name."""

    def __init__(
        self,
        cluster: Cluster,
        lease: tuple[str, str],
        identity: str,
        duration: timedelta,
        *,
        clock: Callable[[], float] = read_steady_clock,
    ) -> None:
        self._cluster = cluster
        self._namespace, self._name = lease
        self._identity = identity
        self._duration = duration
        self._interval = duration.total_seconds() / RENEWALS
        self._clock = clock
        self._sighting: Sighting | None = None
        self._is_current = False
        """Whether the last sighting is of our own last write."""
        self._writes_until = NEVER
        self._is_cut_off = False
        """The last request got no answer: this is logged once."""

    def seconds_to_write(self) -> float:
        """How long a write may still take from now on; 0 or less: none may be made."""
        return self._writes_until - self._clock()

    async def acquire(self) -> None:
        """Return when the Lease is ours. Raises ClusterError when it cannot be used at all."""
        while not await self._try():  # noqa: ASYNC110  # the Lease changes at the API server
            await asyncio.sleep(self._interval)

    async def hold(self) -> None:
        """Renew the Lease; return when it is lost."""
        while self.seconds_to_write() > 0:
            await asyncio.sleep(min(self._interval, max(0.0, self.seconds_to_write())))
            with suppress(ClusterError):
                await self._try()
        self._writes_until = NEVER

    async def release(self) -> None:
        """Give up the Lease, if it is ours, so that another one need not wait. Never fails."""
        is_ours = self.seconds_to_write() > 0 and self._sighting is not None
        self._writes_until = NEVER
        if is_ours and self._sighting is not None:
            try:
                await self._write(self._sighting, "")
            except ClusterError as problem:
                log.warning("the lease was not given up: %s", problem)

    async def _try(self) -> bool:
        """Take or renew the Lease, if the rules allow it. Says whether it is ours now.

        Raises ClusterError when the request is refused.
        """
        try:
            return await self._move()
        except ClusterError as problem:
            # Another one was faster, or an answer was lost: look before the next move.
            self._is_current = False
            if not isinstance(problem, Conflict | AlreadyExists | Unavailable):
                raise
            if isinstance(problem, Unavailable):
                level = logging.DEBUG if self._is_cut_off else logging.WARNING
                log.log(level, "the lease could not be read or renewed: %s", problem)
                self._is_cut_off = True
        return False

    async def _move(self) -> bool:
        if self._sighting is None or not self._is_current:
            found = await self._cluster.find_lease(
                self._namespace, self._name, limit=self._patience()
            )
            lease = parse_lease(found) if found is not None else None
            self._sighting = see(self._sighting, lease, self._clock())
        self._is_cut_off = False
        move = choose_move(self._sighting, self._identity, self._clock())
        if move is ElectionMove.WAIT:
            # Only the holder may write.
            self._writes_until = NEVER
            return False
        sent = self._clock()
        await self._write(self._sighting, self._identity)
        self._writes_until = writes_until(sent, self._duration)
        return True

    async def _write(self, sighting: Sighting, identity: str) -> None:
        spec = build_lease(sighting, identity, self._duration, now=datetime.now(UTC))
        metadata: Document = {"name": self._name, "namespace": self._namespace}
        if sighting.lease is not None and sighting.lease.version:
            metadata["resourceVersion"] = sighting.lease.version
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
        written = await self._cluster.write_lease({**body, "spec": spec}, limit=self._patience())
        self._sighting = see(None, parse_lease(written), self._clock())
        self._is_current = True

    def _patience(self) -> float:
        """Seconds for one request: a leader must learn in time that it no longer leads."""
        left = self.seconds_to_write()
        return min(self._interval * 2, left) if left > 0 else self._interval * 2
