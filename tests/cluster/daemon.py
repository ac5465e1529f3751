"""A program that runs in the background of the tests, and can be stopped and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TIED = str(Path(__file__).with_name("tied.py"))
POLL = 0.02
"""Seconds between two looks at a condition."""


class DaemonFailed(Exception):
    """The program ended, or was not ready in time; the message has the end of its log."""


class Daemon:
    """One background program with its log, in a process group of its own, tied to this thread."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        is_ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._is_ready = is_ready
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process; LookupError if it does not run."""
        if self._process is None:
            raise LookupError(f"{self.name} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it, if it does not run, and return at once; see `wait_until_ready`."""
        if self.is_running:
            return
        tied = [sys.executable, "-I", "-S", TIED, str(os.getpid())]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*tied, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    def wait_until_ready(self, deadline: float = 60) -> None:
        """Return when it is ready. DaemonFailed if it ends before, or after `deadline` seconds."""
        end = time.monotonic() + deadline
        while not self._is_ready():
            if not self.is_running:
                raise DaemonFailed(f"{self.name} ended while starting:\n{self.last_words()}")
            if time.monotonic() > end:
                raise DaemonFailed(f"{self.name} is not ready:\n{self.last_words()}")
            time.sleep(POLL)

    def stop(self, grace: float = 10) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds; returns when it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()

    def kill(self) -> None:
        """SIGKILL, as a machine that loses its power would; returns when it is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def last_words(self, limit: int = 3000) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text[-limit:]
