"""A watch: events as they arrive, and a tick when none has arrived for a while.

kubectl's lines are read in a thread, because waiting for a pipe with a deadline is not
possible on every platform of kubectl.
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType

from dbmigrate.api.documents import decode
from dbmigrate.api.fields import Document
from dbmigrate.child_process import Process
from dbmigrate.kubectl.problems import RequestFailed, is_answer, translate


class StreamEnded(Exception):
    """No more events arrive; the collection must be listed again."""


class Stream:
    """The events of one watch."""

    def __init__(self, process: Process[str]) -> None:
        self._process = process
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def next(self, seconds: float) -> Document | None:
        """The next event; None when none has come in that time.

        Raises StreamEnded at the end of the watch, ClusterError when it was refused.
        """
        try:
            line = self._lines.get(timeout=seconds)
        except Empty:
            return None
        if line is None:
            raise self._explain_end()
        event = _parse(line)
        if event.get("type") == "ERROR":
            # 410: the known version is too old. For any other error, a list reports it better.
            raise StreamEnded
        return event

    def close(self) -> None:
        """End kubectl."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        with suppress(ValueError, OSError):
            for line in self._process.stdout or ():
                self._lines.put(line)
        self._lines.put(None)

    def _explain_end(self) -> StreamEnded | RequestFailed:
        said = self._process.stderr.read() if self._process.stderr is not None else ""
        self._process.wait()
        # A broken connection is not an answer: a list shows whether the server is reachable.
        return translate(said) if is_answer(said) else StreamEnded()


def _parse(line: str) -> Document:
    try:
        event = decode(line)
    except ValueError:
        raise StreamEnded from None  # cut off in the middle
    return event if isinstance(event, dict) else {}
