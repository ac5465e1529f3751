"""The processes of one run of a container, from outside: started, signalled, waited for."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

SANDBOX = str(Path(__file__).with_name("sandbox.py"))


class Process:
    """One run. Start it from a thread that waits for it: it dies when that thread does."""

    def __init__(self, order: Path, log: Path) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", SANDBOX, str(order)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output = self._popen.stdout
        if output is None:
            raise RuntimeError("the container's output is not connected")
        # A pipe, as a container has: a program may open /dev/stdout anew, and cut a file short.
        self._pump = threading.Thread(target=_copy, args=(output, log), daemon=True)
        self._pump.start()

    def wait(self) -> int:
        """The exit code as Kubernetes shows it, once all its processes are gone."""
        code = self._popen.wait()
        self._pump.join()
        if code == -signal.SIGUSR1:
            return 128 + signal.SIGKILL
        return code if code >= 0 else 128 - code

    def terminate(self) -> None:
        """SIGTERM to its process 1."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to all of its processes."""
        self._send(signal.SIGUSR1)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(number)


def _copy(output: IO[bytes], log: Path) -> None:
    with output, log.open("ab", buffering=0) as file:
        while chunk := output.read1(65536):  # type: ignore[attr-defined]
            file.write(chunk)
