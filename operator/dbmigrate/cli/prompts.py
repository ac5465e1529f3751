"""Asks before what cannot be undone, as golang-migrate asks.

Any answer but y or Y is a no, and so is an empty or closed standard input. An answer
may be piped in (`echo y | dbmigrate ... down`).
"""

from __future__ import annotations

from typing import TextIO

from dbmigrate.cli.arguments.flags import is_set
from dbmigrate.cli.command import Declined, Invocation
from dbmigrate.cli.output.terminal import Terminal


def confirm(terminal: Terminal, answers: TextIO, question: str) -> bool:
    """Whether the answer on standard input is yes."""
    terminal.line(f"{question} [y/N]")
    try:
        answer = answers.readline()
    except (OSError, ValueError):
        return False
    return answer.strip().lower() == "y"


def confirm_adoption(invocation: Invocation) -> None:
    """Ask before another tool's history is taken over. Raises Declined."""
    question = "Are you sure you want to take this history over?"
    if not is_set(invocation.values, "f") and not confirm(
        invocation.terminal, invocation.answers, question
    ):
        raise Declined("Nothing was taken over")
