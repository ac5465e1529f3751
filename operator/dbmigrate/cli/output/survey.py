"""Tells a survey: how many targets a list has, and which wave takes how many of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from dbmigrate import __version__
from dbmigrate.cli.command import Invocation
from dbmigrate.cli.output.document import send_report
from dbmigrate.printable import clip, one_line
from dbmigrate.report import (
    WORD_LIMIT,
    FleetCounts,
    FleetReport,
    FleetWave,
    Outcome,
    Report,
)
from dbmigrate.runner.fleet.selection import Selection
from dbmigrate.runner.fleet.waves import Wave, wave_of


def tell_survey(invocation: Invocation, chosen: Selection, waves: Sequence[Wave]) -> int:
    """Print it, and send the report. No target is asked. The exit code."""
    found: Counter[str] = Counter()
    left = 0
    for target in chosen.targets:
        wave = wave_of(target, waves)
        if wave is None:
            left += 1
        else:
            found[wave.name] += 1
    terminal = invocation.terminal
    for wave in waves:
        terminal.line(f"wave {one_line(wave.name)}: {found[wave.name]:,} targets")
    if waves and left:
        terminal.warning(f"no wave takes {left:,} of the targets")
    terminal.line(f"{len(chosen.targets):,} targets")
    report = Report(
        command="fleet survey",
        outcome=Outcome.UP_TO_DATE,
        version=None,
        dirty=None,
        tool_version=__version__,
        started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        fleet=FleetReport(
            FleetCounts(len(chosen.targets)),
            waves=tuple(
                FleetWave(clip(one_line(wave.name), WORD_LIMIT), found[wave.name]) for wave in waves
            ),
        ),
    )
    output = invocation.output if invocation.options.json else None
    send_report(report, terminal, path=invocation.options.report, output=output)
    return 0
