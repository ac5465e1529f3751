"""What reaches the terminal, and what a file gets."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest

from dbmigrate.kubectl.screen import Screen, cut
from dbmigrate.kubectl.text.ages import format_age
from dbmigrate.kubectl.text.table import Cell, Tone

pytestmark = pytest.mark.quick

LINE = [Cell("good  ", Tone.GOOD), Cell("plain  ")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def make_screen(output: io.StringIO, answer: str = "", **environ: str) -> Screen:
    return Screen(output, output, io.StringIO(answer), environ)


@pytest.mark.parametrize(
    ("output", "environ", "text"),
    [
        (Terminal(), {"TERM": "xterm"}, "\x1b[32mgood  \x1b[0mplain\n"),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, "good  plain\n"),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, "\x1b[32mgood  \x1b[0mplain\n"),
        (Terminal(), {"TERM": "dumb"}, "good  plain\n"),
        (Terminal(), {}, "good  plain\n"),
        (io.StringIO(), {"TERM": "xterm"}, "good  plain\n"),
    ],
)
def test_colours_are_for_terminals_and_not_with_no_color(
    output: io.StringIO, environ: dict[str, str], text: str
) -> None:
    make_screen(output, **environ).show([LINE])
    assert output.getvalue() == text


def test_an_error_of_several_lines_is_indented() -> None:
    output = io.StringIO()
    make_screen(output).error("first\nsecond")
    assert output.getvalue() == "error: first\n  second\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("y\n", True), ("YES\n", True), ("y", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_only_a_clear_yes_is_one(answer: str, expected: bool) -> None:
    assert make_screen(io.StringIO(), answer).confirm("go on?") is expected


def test_a_view_is_painted_over_the_one_before_and_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "5")
    output = Terminal()
    screen = make_screen(output, TERM="xterm", NO_COLOR="1")
    screen.repaint([[Cell("x" * 30)]])
    screen.repaint([[Cell(str(number))] for number in range(9)])
    first, second = output.getvalue().split("\x1b[1F")
    assert first == f"\x1b[J{'x' * 20}\n"
    assert second == "\x1b[J0\n1\n2\n... 6 more lines\n"


def test_a_line_is_cut_across_its_cells() -> None:
    assert cut([Cell("abc"), Cell("def"), Cell("g")], 4) == [Cell("abc"), Cell("d")]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (270, "4m30s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (12000, "3h20m"),
        (28800, "8h"),
        (172800, "2d"),
        (180000, "2d2h"),
        (864000, "10d"),
        (63072000, "2y"),
        (63072000 + 86400 * 3, "2y3d"),
        (86400 * 365 * 9, "9y"),
    ],
)
def test_ages_are_written_as_kubectl_writes_them(seconds: int, text: str) -> None:
    assert format_age(timedelta(seconds=seconds)) == text
