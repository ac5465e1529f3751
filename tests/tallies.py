"""How many points a matrix test has tried, printed below the results.

A test calls `record_property(TALLY, "kind: how many")`; properties travel with a
test's report, so that they also come from the processes of pytest-xdist.
"""

from __future__ import annotations

import pytest

TALLY = "points tried"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        str(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == TALLY
    ]
    if lines:
        terminalreporter.section(TALLY)
        for line in sorted(lines):
            terminalreporter.write_line(line)
