"""The standard streams, written so that a reader who does not read stops no run.

A pipe whose reader is suspended (`| less`) or that a container runtime does not empty takes
64 KB, and then a write waits without end: a run would hold its locks, and neither a limit nor a
signal would end it. So what the descriptor does not take at once is written by a thread, as the
reader goes on. Of messages only the first and the last are kept, and how many lines are left
out between them is told. The program waits for its reader at its end, when its sessions are
closed.
"""

from __future__ import annotations

import io
import os
import select
from collections import deque
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from queue import SimpleQueue
    from threading import Thread

KEPT_BYTES = 1 << 20
"""Of messages that are not read yet."""
_LAST = 1 << 16
"""Characters of the newest messages behind those; one message is kept whole."""
_CHUNK = select.PIPE_BUF
"""What a pipe takes whole where it takes anything."""


class Outlet(io.TextIOWrapper):
    """A stream of the process, which one thread at a time writes to."""

    def __init__(self, stream: TextIO, *, kept: int | None = None) -> None:
        """`kept`: bytes that wait for the reader; None: all."""
        super().__init__(stream.buffer, encoding="utf-8", errors="backslashreplace")
        self._file = stream.fileno()
        self._limit = kept
        self._queue: SimpleQueue[memoryview | None] | None = None
        self._thread: Thread | None = None
        self._given = self._taken = 0
        """Bytes that were given to the thread, and those that it has written."""
        self._last: deque[str] = deque()
        self._last_size = self._left_out = 0
        """Lines before those in `_last`."""

    def write(self, text: str, /) -> int:
        """Never waits. Raises OSError for a stream that is closed."""
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        if self._taken == self._given and not self._last:
            rest = self._write_ready(data)
            if rest:
                self._give(rest)
        elif self._limit is not None and self._given - self._taken > self._limit:
            self._keep_last(text)
        else:
            self._give_last()
            self._give(data)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def drain(self) -> None:
        """Wait until the reader has taken all."""
        self._give_last()
        if self._queue is not None and self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _keep_last(self, text: str) -> None:
        self._last.append(text)
        self._last_size += len(text)
        while len(self._last) > 1 and self._last_size > _LAST:
            dropped = self._last.popleft()
            self._last_size -= len(dropped)
            self._left_out += dropped.count("\n")

    def _give_last(self) -> None:
        if self._left_out:
            lines = "1 line is" if self._left_out == 1 else f"{self._left_out} lines are"
            self._last.appendleft(f"... {lines} omitted: the output was not read in time\n")
        if self._last:
            text = "".join(self._last)
            self._last.clear()
            self._last_size = self._left_out = 0
            self._give(memoryview(text.encode("utf-8", "backslashreplace")))

    def _write_ready(self, data: memoryview) -> memoryview:
        """Write as much as needs no wait; the rest."""
        while data and select.select((), (self._file,), (), 0)[1]:
            try:
                data = data[os.write(self._file, data[:_CHUNK]) :]
            except BlockingIOError:
                break
        return data

    def _give(self, data: memoryview) -> None:
        if self._queue is None:
            from queue import SimpleQueue
            from threading import Thread

            self._queue = SimpleQueue()
            self._thread = Thread(target=self._work, args=(self._queue,), daemon=True)
            self._thread.start()
        self._given += len(data)
        self._queue.put(data)

    def _work(self, queue: SimpleQueue[memoryview | None]) -> None:
        while (data := queue.get()) is not None:
            rest = data
            try:
                while rest:
                    select.select((), (self._file,), ())
                    rest = self._write_ready(rest)
            except OSError:
                pass  # the reader is gone
            self._taken += len(data)
