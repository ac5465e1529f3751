"""The lines of a fleet: escaped, and with a live total where somebody watches."""

from __future__ import annotations

import io

from dbmigrate.cli.arguments.options import parse_options
from dbmigrate.cli.command import Invocation
from dbmigrate.cli.output.fleet import WARNINGS_LIMIT, FleetNarrator
from dbmigrate.cli.output.terminal import Terminal
from dbmigrate.runner.fleet.summary import Summary
from dbmigrate.runner.fleet.target import FleetTarget
from dbmigrate.runner.fleet.verdict import TargetOutcome, TargetVerdict
from dbmigrate.runner.observer import Notice


class Screen(io.StringIO):
    """A terminal, as far as the program can tell."""

    def isatty(self) -> bool:
        return True


def narrator(stream: io.StringIO, total: int) -> FleetNarrator:
    environ = {"TERM": "xterm", "NO_COLOR": "1"}
    options, _ = parse_options([], {})
    terminal = Terminal(stream, environ, is_verbose=False)
    return FleetNarrator(
        Invocation("fleet", options, {}, (), environ, terminal, io.StringIO(), io.StringIO(), 0),
        total,
    )


def test_a_terminal_has_a_live_total_with_an_estimate_and_a_log_has_lines_alone() -> None:
    for stream, has_total in ((Screen(), True), (io.StringIO(), False)):
        told, summary = narrator(stream, 3), Summary(3)
        told._started -= 60
        for name in ("a", "\x1b[2Jb"):
            verdict = TargetVerdict(FleetTarget(name), TargetOutcome.CURRENT, version="5")
            summary.add(verdict)
            told.finished(verdict, summary)
            told.tick(summary)
        text = stream.getvalue()
        assert "a: current at 5\n" in text
        assert "\\x1b[2Jb: current at 5\n" in text
        assert ("2 of 3: 2 current, about 30s left" in text) is has_total


def test_a_warning_of_all_targets_is_told_once() -> None:
    stream = io.StringIO()
    told = narrator(stream, 1000)
    for number in range(1000):
        target = FleetTarget(f"t{number}")
        told.notice(target, Notice("WARNING", "there is something about the file"))
        told.notice(target, Notice("WARNING", f"and something of its own: {number}"))
        told.notice(target, Notice("NOTICE", "chatter"))
    assert len(stream.getvalue().splitlines()) == WARNINGS_LIMIT
