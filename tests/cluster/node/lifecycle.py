"""The life of one Pod, told in order: volumes, init containers, containers, the end.

It runs in a thread of its own and changes the PodStatus as it goes; somebody else
sends that to the server. What is missing is tried again until it appears. `stop`,
from any thread, ends it: SIGTERM, the grace period, SIGKILL.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tests.cluster.api import Document
from tests.cluster.node.container import Container
from tests.cluster.node.honour import find_refusal
from tests.cluster.node.pod import grace_of
from tests.cluster.node.problems import MissingImage, NotYet, Refused, ServerAway, Stopped
from tests.cluster.node.process import Process
from tests.cluster.node.sidecars import Sidecars
from tests.cluster.node.status import ContainerStatus, PodStatus, stamp

RETRY = 0.2
"""Seconds until something that was missing is looked for again; a kubelet takes longer."""
BACK_OFF, BACK_OFF_LIMIT = 0.5, 15.0
"""Seconds before a failed container is started again, doubling: a twentieth of a kubelet's."""
NOT_HONOURED = "NodeCannotHonour"
NODE_FAILED = "NodeFailed"


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a Pod is stopped before it ends by itself. No reason means that it is deleted."""

    reason: str | None = None
    message: str | None = None
    condition: Document | None = None
    grace: float | None = None
    """Seconds; None takes the Pod's own."""


Made = TypeVar("Made")


class Lifecycle:
    """One Pod, from its start on this node to its end."""

    def __init__(
        self,
        pod: Document,
        status: PodStatus,
        *,
        prepare: Callable[[], dict[str, Container]],
        tell: Callable[[str, str], None],
    ) -> None:
        self._pod = pod
        self._status = status
        self._prepare = prepare
        """Makes the volumes, and with them the containers."""
        self._tell = tell
        """Records an Event of that reason and message."""
        self._policy: str = pod["spec"].get("restartPolicy", "Always")
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._ending: Ending | None = None
        self._processes: set[Process] = set()
        self._beside = Sidecars(self._run_once, self._wait_to_restart, self._stop_process)
        self._deadline = 0.0
        """When what is stopped is killed, by the monotonic clock."""
        self._timers: list[threading.Timer] = []
        self._is_shown = False

    def run(self) -> None:
        """Returns when the Pod is over and its processes are gone."""
        try:
            refusal = find_refusal(self._pod)
            if refusal is not None:
                raise Refused(f"{refusal} cannot be honoured by the tests' node")
            self._limit_time()
            self._live()
        except Stopped:
            pass
        except Refused as problem:
            print(f"dbmigrate tests: {NOT_HONOURED}: {problem}")
            self._tell(NOT_HONOURED, str(problem))
            self._stop_timers()
            self._status.end("Failed", NOT_HONOURED, str(problem))
            return
        except Exception as problem:
            # A fault of the node itself: the Pod must not hang for it, nor the fault be quiet.
            self._stop_timers()
            self._status.end("Failed", NODE_FAILED, repr(problem))
            raise
        self._stop_timers()
        self._finish()

    def stop(self, ending: Ending) -> None:
        """Stop it. The first reason counts; a later stop may shorten the grace period."""
        with self._lock:
            self._ending = self._ending or ending
            self._stopping.set()
            processes = list(self._processes)
        grace = grace_of(self._pod) if ending.grace is None else ending.grace
        self._deadline = time.monotonic() + grace
        for process in processes:
            self._stop_process(process, grace)
        if grace <= 0:
            self._beside.kill()

    def _live(self) -> None:
        try:
            self._run_all()
        finally:
            # The others are gone: only now the sidecars are told, the last one first.
            rest = self._deadline - time.monotonic()
            self._beside.end(rest if self._stopping.is_set() else grace_of(self._pod))

    def _run_all(self) -> None:
        containers = self._retry(self._prepare, [*self._status.init, *self._status.containers])
        for status in self._status.init:
            if status.is_sidecar:
                self._beside.start(containers[status.name], status)
                self._check()
            elif not self._run_init(containers[status.name], status):
                return
        with self._status.change():
            for status in self._status.containers:
                status.state = {"waiting": {"reason": "ContainerCreating"}}
        *others, last = self._status.containers
        threads = [
            threading.Thread(target=self._run_container, args=(containers[status.name], status))
            for status in others
        ]
        for thread in threads:
            thread.start()
        self._run_container(containers[last.name], last)
        for thread in threads:
            thread.join()

    def _run_init(self, container: Container, status: ContainerStatus) -> bool:
        """Run it until it succeeds; False if it failed for good."""
        pause = BACK_OFF
        while self._run_one(container, status) != 0:
            self._check()
            if self._policy == "Never":
                return False
            pause = self._back_off(status, pause)
        self._check()
        return True

    def _run_container(self, container: Container, status: ContainerStatus) -> None:
        pause = BACK_OFF
        try:
            while True:
                code = self._run_one(container, status)
                self._check()
                if self._policy == "Never" or (self._policy == "OnFailure" and code == 0):
                    return
                pause = self._back_off(status, pause)
        except Stopped:
            return

    def _run_one(self, container: Container, status: ContainerStatus) -> int:
        """A run of a container that is stopped with its Pod."""

        def begin(process: Process) -> None:
            with self._lock:
                self._processes.add(process)
            if self._stopping.is_set() and self._ending is not None:
                self._stop_process(process, self._ending.grace or 0)

        def end(process: Process) -> None:
            with self._lock:
                self._processes.discard(process)

        return self._run_once(container, status, begin, end)

    def _run_once(
        self,
        container: Container,
        status: ContainerStatus,
        on_start: Callable[[Process], None],
        on_end: Callable[[Process], None],
    ) -> int:
        process = self._retry(container.start, [status])
        started = stamp()
        on_start(process)
        with self._status.change():
            status.state = {"running": {"startedAt": started}}
            if status in self._status.containers:
                self._status.phase = "Running"
        code = process.wait()
        on_end(process)
        failure = container.read_failure()
        reason = "StartError" if failure else "Completed" if code == 0 else "Error"
        message = failure or container.read_message(code)
        with self._status.change():
            status.state = {"terminated": _terminated(code, reason, message, started)}
        return code

    def _back_off(self, status: ContainerStatus, pause: float) -> float:
        """Wait before the next run; the next pause."""
        if self._wait_to_restart(status, pause, self._stopping):
            raise Stopped
        return min(pause * 2, BACK_OFF_LIMIT)

    def _wait_to_restart(
        self, status: ContainerStatus, pause: float, ending: threading.Event
    ) -> bool:
        """Wait as CrashLoopBackOff; whether the end has come before the time."""
        with self._status.change():
            status.last_state = status.state
            status.restarts += 1
            message = f"back-off {pause:g}s restarting failed container={status.name}"
            status.state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        if not ending.wait(pause):
            return False
        with self._status.change():
            status.state = status.last_state
        return True

    def _retry(self, make: Callable[[], Made], statuses: list[ContainerStatus]) -> Made:
        """Try until nothing is missing; the containers' statuses say what is."""
        told: set[str] = set()
        while True:
            self._check()
            try:
                return make()
            except ServerAway:
                pass
            except NotYet as problem:
                message = str(problem)
                reason = problem.reason
                if isinstance(problem, MissingImage) and message in told:
                    reason = "ImagePullBackOff"
                if message not in told:
                    self._tell("Failed" if reason != "FailedMount" else reason, message)
                    told.add(message)
                if reason == "FailedMount":
                    self._show_once()
                else:
                    self._show_waiting(statuses, reason, message)
            self._stopping.wait(RETRY)

    def _show_once(self) -> None:
        """Let the status be seen as it stands, with its containers still to be created."""
        if not self._is_shown:
            self._is_shown = True
            with self._status.change():
                pass

    def _show_waiting(self, statuses: list[ContainerStatus], reason: str, message: str) -> None:
        if reason == "ImagePullBackOff":
            message = f"Back-off pulling image: ErrImagePull: {message}"
        state = {"waiting": {"reason": reason, "message": message}}
        if any(status.state != state for status in statuses):
            with self._status.change():
                for status in statuses:
                    status.state = state

    def _limit_time(self) -> None:
        seconds = self._pod["spec"].get("activeDeadlineSeconds")
        if seconds is not None:
            message = "Pod was active on the node longer than the specified deadline"
            ending = Ending("DeadlineExceeded", message)
            self._start_timer(float(seconds), lambda: self.stop(ending))

    def _stop_process(self, process: Process, grace: float) -> None:
        if grace <= 0:
            process.kill()
            return
        process.terminate()
        self._start_timer(grace, process.kill)

    def _start_timer(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()

    def _check(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _finish(self) -> None:
        """The Pod's phase, from how its containers ended and why it was stopped."""
        ending = self._ending or Ending()
        statuses = self._status.containers
        if self._ending is not None:
            self._write_off()
        if ending.condition is not None:
            with self._status.change():
                self._status.conditions[ending.condition["type"]] = ending.condition
        succeeded = all(status.exit_code == 0 for status in statuses)
        if ending.reason is None and succeeded:
            self._status.end("Succeeded")
        else:
            self._status.end("Failed", ending.reason, ending.message)

    def _write_off(self) -> None:
        """Containers that never ran, or wait to run again, have ended all the same."""
        message = "The container could not be located when the pod was terminated"
        unknown = _terminated(137, "ContainerStatusUnknown", message, None)
        with self._status.change():
            for status in [*self._status.init, *self._status.containers]:
                if status.exit_code is None:
                    status.state = {"terminated": unknown}


def _terminated(code: int, reason: str, message: str, started: str | None) -> Document:
    state: Document = {"exitCode": code, "reason": reason, "finishedAt": stamp()}
    if started is not None:
        state["startedAt"] = started
    if message:
        state["message"] = message
    return state
