"""Asks before what cannot be undone, as golang-migrate asks.

Any answer but y or Y is a no, and so is no answer: an empty or closed standard
input declines. An answer may be piped in (`echo y | dbmigrate ... down`).
"""

from __future__ import annotations

from typing import TextIO

from dbmigrate.cli.output.terminal import Terminal


def confirm(terminal: Terminal, answers: TextIO, question: str) -> bool:
    """Whether a person, or whatever feeds the standard input, agreed."""
    terminal.line(f"{question} [y/N]")
    try:
        answer = answers.readline()
    except (OSError, ValueError):
        return False
    return answer.strip().lower() == "y"
