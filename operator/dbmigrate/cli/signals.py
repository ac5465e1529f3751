"""Turns SIGINT and SIGTERM into a request to stop.

The first one lets the running step finish, the second cancels it. After that the
signals have their default meaning again, so that a third one ends a program that
cannot reach its server.
"""

from __future__ import annotations

import math
import signal
from types import FrameType, TracebackType

from dbmigrate.cli.output.terminal import Terminal
from dbmigrate.early_exit import end_at_once
from dbmigrate.runner.stop import Stop

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalWatch:
    """While entered, signals ask `stop`; afterwards the former handlers are back."""

    def __init__(self, stop: Stop, terminal: Terminal, *, grace: float = math.inf) -> None:
        """`grace`: seconds from SIGTERM until the process is killed."""
        self._stop = stop
        self._terminal = terminal
        self._grace = grace
        self._former = {number: signal.getsignal(number) for number in _SIGNALS}
        self.first: int | None = None
        """The first signal that came."""

    @property
    def is_graceful(self) -> bool:
        """Whether it was Ctrl-C: golang-migrate then exits with 0."""
        return self.first == signal.SIGINT

    def __enter__(self) -> SignalWatch:
        for number in _SIGNALS:
            signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._stop.request(killed_after=self._grace if number == signal.SIGTERM else math.inf)
        if self.first is None:
            self.first = number
            self._terminal.interject("Stopping after this running migration ...")
            return
        self._terminal.interject("Cancelling the running statement ...")
        # A container's first process has no default action: it needs a handler to end.
        for each in _SIGNALS:
            signal.signal(each, end_at_once)
