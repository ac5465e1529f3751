"""What people see."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from dbmigrate.cli.output.narrator import Narrator
from dbmigrate.cli.output.table import draw_table
from dbmigrate.cli.output.terminal import Terminal
from dbmigrate.cli.prompts import confirm
from dbmigrate.postgres.connection.other_sessions import OtherSession
from dbmigrate.runner.observer import Notice, Progress
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.sources.migration import Direction, Script


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    """A stream whose reader went away."""

    attempts = 0

    def write(self, _text: str) -> int:
        self.attempts += 1
        raise BrokenPipeError


UP = PlannedStep(
    7, "add_index", Direction.UP, Script("7_add_index.up.sql", Direction.UP, bytes), 6, 7
)
DOWN = PlannedStep(
    7, "add_index", Direction.DOWN, Script("7_add_index.down.sql", Direction.DOWN, bytes), 7, 6
)
EMPTY = PlannedStep(8, "nothing", Direction.UP, None, 7, 8)


def told(is_verbose: bool = False) -> tuple[io.StringIO, Narrator]:
    stream = io.StringIO()
    return stream, Narrator(Terminal(stream, {}, is_verbose=is_verbose))


def without_times(text: str) -> str:
    return re.sub(r"(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", "@ ", text)


def test_a_step_is_one_line_with_its_time() -> None:
    stream, narrator = told()
    for step in (UP, DOWN, EMPTY):
        narrator.step_started(step)
        narrator.step_finished(step, 0.000345678, 0.012)
    assert stream.getvalue() == (
        "7/u add_index (12.345678ms)\n7/d add_index (12.345678ms)\n8/u <empty> (12.345678ms)\n"
    )


def test_verbose_lines_are_golang_migrates_with_the_time_before_each() -> None:
    stream, narrator = told(is_verbose=True)
    for step in (UP, EMPTY):
        narrator.step_started(step)
        narrator.step_finished(step, 0.0012, 0.0098)
    assert without_times(stream.getvalue()) == (
        "@ Start buffering 7/u add_index\n"
        "@ Read and execute 7/u add_index\n"
        "@ Finished 7/u add_index (read 1.2ms, ran 9.8ms)\n"
        "@ Scheduled 8/u <empty>\n"
        "@ Read and execute 8/u <empty>\n"
        "@ Finished 8/u <empty> (read 1.2ms, ran 9.8ms)\n"
    )


@pytest.mark.parametrize(
    ("severity", "plain", "verbose"),
    [
        ("WARNING", "warning: f: hm\n", "@ warning: f: hm\n"),
        ("INFO", "info: f: hm\n", "@ info: f: hm\n"),
        ("NOTICE", "", "@ notice: f: hm\n"),
        ("LOG", "", "@ log: f: hm\n"),
        ("DEBUG1", "", "@ debug1: f: hm\n"),
    ],
)
def test_the_servers_chatter_is_for_verbose_runs(severity: str, plain: str, verbose: str) -> None:
    for is_verbose, expected in ((False, plain), (True, verbose)):
        stream, narrator = told(is_verbose)
        narrator.notice(Notice(severity, "hm", "f"))
        assert without_times(stream.getvalue()) == expected


def test_who_holds_a_lock_is_named() -> None:
    stream, narrator = told()
    narrator.waiting_for_lock((OtherSession(42, "migrate"), OtherSession(43)))
    narrator.step_started(UP)
    narrator.blocked((OtherSession(44, "web"),))
    narrator.waiting_for_lock(())
    assert stream.getvalue() == (
        "waiting for the migration lock, held by pid 42, migrate; pid 43\n"
        "7/u add_index waits for a lock, held by pid 44, web\n"
        "waiting for the migration lock\n"
    )


def test_without_a_terminal_a_long_statement_gets_a_line_now_and_then() -> None:
    stream, narrator = told()
    narrator.step_started(UP)
    for second in range(1, 200):
        narrator.progress(Progress("7_add_index.up.sql", second, "building index", second / 2))
    assert stream.getvalue() == (
        "7/u add_index running for 30 s: building index 15 %\n"
        "7/u add_index running for 60 s: building index 30 %\n"
        "7/u add_index running for 120 s: building index 60 %\n"
    )


def test_without_a_terminal_ten_minutes_are_the_longest_silence() -> None:
    stream, narrator = told()
    narrator.step_started(UP)
    for second in range(1, 7200):
        narrator.progress(Progress("7_add_index.up.sql", second))
    seconds = [int(line.split()[-2]) for line in stream.getvalue().splitlines()]
    assert seconds == [30, 60, 120, 240, 480, 960, *range(1560, 7200, 600)]


def test_on_a_terminal_a_long_statement_has_a_live_line_below_the_others() -> None:
    screen = Screen()
    terminal = Terminal(screen, {"TERM": "xterm"}, is_verbose=False)
    narrator = Narrator(terminal)
    narrator.step_started(UP)
    narrator.progress(Progress("7_add_index.up.sql", 1))
    narrator.progress(Progress("7_add_index.up.sql", 1))
    narrator.notice(Notice("INFO", "hello"))
    narrator.step_finished(UP, 0, 0.001)
    erase = "\r\x1b[K"
    live = "7/u add_index running for 1 s"
    assert screen.getvalue() == (
        f"{erase}{live}{erase}info: hello\n{live}{erase}7/u add_index (1ms)\n"
    )


@pytest.mark.parametrize(
    ("environ", "is_coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    environ: dict[str, str], is_coloured: bool
) -> None:
    screen, file = Screen(), io.StringIO()
    Terminal(screen, environ, is_verbose=False).error("no")
    Terminal(file, environ, is_verbose=False).error("no")
    assert ("\x1b[" in screen.getvalue()) is is_coloured
    assert file.getvalue() == "error: no\n"


@contextmanager
def piped() -> Iterator[tuple[int, Terminal]]:
    """A terminal that writes into a pipe, and the pipe's other end."""
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w")
    try:
        yield reader, Terminal(stream, {}, is_verbose=False)
    finally:
        with suppress(BrokenPipeError):
            stream.close()


def test_what_a_signal_handler_says_goes_past_the_stream() -> None:
    with piped() as (reader, terminal):
        terminal.line("one")
        terminal.interject("two")
        assert os.read(reader, 100) == b"one\ntwo\n"
        os.close(reader)


@pytest.mark.parametrize("say", [Terminal.line, Terminal.interject, Terminal.error, Terminal.text])
def test_a_reader_that_went_away_stops_nothing(say: Callable[[Terminal, str], None]) -> None:
    with piped() as (reader, terminal):
        os.close(reader)
        assert terminal.is_interactive is False
        say(terminal, "lost")
    closed = Closed()
    terminal = Terminal(closed, {}, is_verbose=False)
    say(terminal, "lost")
    assert closed.attempts == (0 if say is Terminal.interject else 1)
    assert closed.getvalue() == ""


@pytest.mark.parametrize(
    ("answer", "is_yes"),
    [("y\n", True), ("Y\n", True), (" y \n", True), ("y", True), ("yes\n", False), ("n\n", False),
     ("\n", False), ("", False)],
)  # fmt: skip
def test_only_y_is_a_yes(answer: str, is_yes: bool) -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, {}, is_verbose=False)
    assert confirm(terminal, io.StringIO(answer), "Really?") is is_yes
    assert stream.getvalue() == "Really? [y/N]\n"


def test_a_table_is_as_wide_as_it_needs_to_be_and_has_no_empty_columns() -> None:
    rows = [("1", "a", ""), ("20", "longer", "")]
    assert draw_table(("NO", "NAME", "BY"), rows) == "NO  NAME\n1   a\n20  longer"
