"""Output for people: lines on stderr, as golang-migrate writes them.

With -verbose each line starts with the time, as in Go's log package. On a terminal
there is one live line at the bottom for long statements; every other line goes above
it. Colours only on a terminal, and never with NO_COLOR. Text from outside is escaped
by printable.py. A reader that has closed the pipe (`| head`) must not stop a
migration: what cannot be written is
dropped.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping
from threading import Lock
from typing import TextIO

from dbmigrate.printable import block, lines, one_line
from dbmigrate.secret_variables import SecretValues

_ERASE = "\r\x1b[K"
_RED = "\x1b[1;31m"
_YELLOW = "\x1b[33m"
_PLAIN = "\x1b[0m"


class Terminal:
    """The stream for people. Safe to use from several threads."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], *, is_verbose: bool) -> None:
        self._stream = stream
        self._lock = Lock()
        self.secrets = SecretValues(environ)
        self._live = ""
        self.is_verbose = is_verbose
        self.is_interactive = stream.isatty() and environ.get("TERM", "dumb") != "dumb"
        self._has_colours = self.is_interactive and not environ.get("NO_COLOR")

    def line(self, text: str) -> None:
        """One line, or several: only the first gets the time, the others are indented."""
        self._line(block(text))

    def text(self, text: str) -> None:
        """Lines without a time: help has none."""
        with self._lock:
            self._write(lines(text))

    def detail(self, text: str) -> None:
        """A line that only -verbose shows."""
        if self.is_verbose:
            self.line(text)

    def interject(self, text: str) -> None:
        """A line from a signal handler: without the lock and the stream, which may be in use. It
        is left out where a write would wait."""
        erase = _ERASE if self._live else ""
        try:
            file = self._stream.fileno()
            if select.select((), (file,), (), 0)[1]:
                os.write(file, f"{erase}{self._stamp()}{text}\n".encode())
        except (OSError, ValueError):
            pass

    def error(self, text: str) -> None:
        """`error: text`."""
        self._line(f"{self._coloured('error:', _RED)} {block(text)}")

    def warning(self, text: str) -> None:
        """`warning: text`."""
        self._line(f"{self._coloured('warning:', _YELLOW)} {block(text)}")

    def live(self, text: str) -> None:
        """Replace the live line; an empty text removes it. Nothing where there is no terminal."""
        if not self.is_interactive:
            return
        text = one_line(text)[: _width(self._stream) - 1]
        with self._lock:
            if text != self._live:
                self._live = text
                self._write(f"{_ERASE}{text}")

    def _line(self, text: str) -> None:
        with self._lock:
            erase = _ERASE if self._live else ""
            self._write(f"{erase}{self._stamp()}{text}\n{self._live}")

    def _stamp(self) -> str:
        return time.strftime("%Y/%m/%d %H:%M:%S ") if self.is_verbose else ""

    def _coloured(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._has_colours else text

    def _write(self, text: str) -> None:
        try:
            self._stream.write(self.secrets.hide(text))
            self._stream.flush()
        except (OSError, ValueError):
            pass


def _width(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
