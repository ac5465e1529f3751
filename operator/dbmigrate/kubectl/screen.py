"""Output: results on standard output, everything else on standard error.

Colours only on a terminal and never with NO_COLOR. A live view is redrawn in place,
and never grows beyond the terminal: lines that have scrolled away cannot be redrawn.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from dbmigrate.kubectl.text.table import Cell, Tone
from dbmigrate.printable import block, json_text, one_line

Line = Sequence[Cell]


class Screen:
    """The streams of the process."""

    def __init__(
        self, output: TextIO, messages: TextIO, answers: TextIO, environ: Mapping[str, str]
    ) -> None:
        self._output = output
        self._messages = messages
        self._answers = answers
        is_plain = bool(environ.get("NO_COLOR"))
        self.is_live = _is_terminal(output, environ)
        self._has_colours = self.is_live and not is_plain
        self._has_coloured_messages = _is_terminal(messages, environ) and not is_plain
        self._painted = 0

    def show(self, lines: Iterable[Line]) -> None:
        """Lines of the result."""
        for line in lines:
            print(self._join(line), file=self._output)
        self._output.flush()

    def say(self, text: str) -> None:
        """A line of the result, without any tone."""
        self.show([[Cell(text)]])

    def note(self, text: str) -> None:
        """A line about the result, on standard error; further lines of it are indented."""
        print(block(text), file=self._messages, flush=True)

    def document(self, text: str) -> None:
        """A JSON document as the result."""
        print(json_text(text), file=self._output, flush=True)

    def error(self, text: str) -> None:
        """`error: text`; further lines of it are indented."""
        mark = _tint("error:", Tone.BAD) if self._has_coloured_messages else "error:"
        print(f"{mark} {block(text, '  ')}", file=self._messages, flush=True)

    def confirm(self, question: str) -> bool:
        """Whether the answer on standard input is y or yes."""
        print(f"{block(question)} [y/N] ", end="", file=self._messages, flush=True)
        try:
            answer = self._answers.readline()
        except (OSError, ValueError):
            answer = ""
        if not (answer.endswith("\n") and self._answers.isatty()):
            self.note("")  # piped input is not echoed
        return answer.strip().lower() in {"y", "yes"}

    def repaint(self, lines: Sequence[Line]) -> None:
        """Replace the lines drawn before by these."""
        width, height = shutil.get_terminal_size()
        shown = list(lines)
        if len(shown) > height - 1:
            hidden = len(shown) - (height - 2)
            shown = [*shown[: height - 2], [Cell(f"... {hidden} more lines")]]
        back = f"\x1b[{self._painted}F" if self._painted else ""
        text = "".join(f"{self._join(cut(line, width))}\n" for line in shown)
        self._output.write(f"{back}\x1b[J{text}")
        self._output.flush()
        self._painted = len(shown)

    def _join(self, line: Line) -> str:
        if self._has_colours:
            return "".join(_tint(one_line(cell.text), cell.tone) for cell in line).rstrip(" ")
        return "".join(one_line(cell.text) for cell in line).rstrip(" ")


def cut(line: Line, width: int) -> Line:
    """The line, no longer than the width."""
    kept: list[Cell] = []
    for cell in line:
        if width <= 0:
            break
        text = one_line(cell.text)
        kept.append(Cell(text[:width], cell.tone))
        width -= len(text)
    return kept


def _tint(text: str, tone: Tone) -> str:
    return f"\x1b[{tone}m{text}\x1b[0m" if tone is not Tone.PLAIN else text


def _is_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    return stream.isatty() and environ.get("TERM", "dumb") != "dumb"
