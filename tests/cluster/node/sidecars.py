"""Sidecars: init containers that go on beside the others, and end after them.

One is started again whenever it ends, whatever its exit code. What comes after it starts
when it has started. When the Pod's own containers are gone the sidecars are ended, the
last one first, each with what is left of the grace period.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.cluster.node.container import Container
from tests.cluster.node.problems import Stopped
from tests.cluster.node.process import Process
from tests.cluster.node.status import ContainerStatus

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds before one that has ended is started again, doubling."""

Hook = Callable[[Process], None]
RunOnce = Callable[[Container, ContainerStatus, Hook, Hook], int]
Wait = Callable[[ContainerStatus, float, threading.Event], bool]


@dataclass(slots=True)
class _Sidecar:
    container: Container
    status: ContainerStatus
    has_started: threading.Event = field(default_factory=threading.Event)
    process: Process | None = None
    thread: threading.Thread | None = None


class Sidecars:
    """Those of one Pod."""

    def __init__(
        self, run_once: RunOnce, wait: Wait, stop: Callable[[Process, float], None]
    ) -> None:
        self._run_once = run_once
        self._wait = wait
        self._stop = stop
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._all: list[_Sidecar] = []

    def start(self, container: Container, status: ContainerStatus) -> None:
        """Return when it has started for the first time, or the Pod is being stopped."""
        sidecar = _Sidecar(container, status)
        sidecar.thread = threading.Thread(target=self._run, args=(sidecar,), daemon=True)
        self._all.append(sidecar)
        sidecar.thread.start()
        sidecar.has_started.wait()

    def end(self, grace: float) -> None:
        """SIGTERM, the grace period, SIGKILL; returns when all are gone."""
        deadline = time.monotonic() + grace
        self._ending.set()
        for sidecar in reversed(self._all):
            with self._lock:
                process = sidecar.process
            if process is not None:
                self._stop(process, deadline - time.monotonic())
            if sidecar.thread is not None:
                sidecar.thread.join()

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._ending.set()
        with self._lock:
            processes = [sidecar.process for sidecar in self._all]
        for process in processes:
            if process is not None:
                process.kill()

    def _run(self, sidecar: _Sidecar) -> None:
        def begin(process: Process) -> None:
            with self._lock:
                sidecar.process = process
            sidecar.has_started.set()
            if self._ending.is_set():
                process.kill()

        def end(process: Process) -> None:
            with self._lock:
                sidecar.process = None if sidecar.process is process else sidecar.process

        pause = FIRST_PAUSE
        try:
            while not self._ending.is_set():
                self._run_once(sidecar.container, sidecar.status, begin, end)
                if self._ending.is_set() or self._wait(sidecar.status, pause, self._ending):
                    return
                pause = min(2 * pause, LONGEST_PAUSE)
        except Stopped:
            return
        finally:
            sidecar.has_started.set()
