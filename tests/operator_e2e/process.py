"""The operator's process: started, killed and started again as a test wants it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Operator:
    """`dbmigrate-operator run`, on one namespace or (named empty) all, with its own kubeconfig."""

    def __init__(
        self,
        kubeconfig: Path,
        namespace: str,
        log: Path,
        *,
        image: str,
        resync: str = "none",
        flags: Sequence[str] = (),
        program: Sequence[str] = (sys.executable, "-m", "dbmigrate.controller"),
    ) -> None:
        self.kubeconfig = kubeconfig
        self._program = program
        self.log = log
        self._arguments = ["run", "--runner-image", image]
        self._arguments += ["--namespace", namespace] if namespace else []
        self._arguments += ["--resync", resync, *flags]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> Operator:
        """Start it; it works as soon as it can."""
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        command = [*self._program, *self._arguments, *more]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        return self

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process; LookupError when there is none."""
        if self._process is None:
            raise LookupError("the operator does not run")
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: it gets no chance to do anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        return self._end(signal.SIGTERM)

    def read_log(self) -> str:
        """All that it has said."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _end(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
