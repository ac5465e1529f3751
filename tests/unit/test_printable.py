"""What comes from outside is shown so that it can't play with a terminal or forge a line of ours.

For each edge: text of any characters goes in, and what comes out has no control character,
no line that begins as one of ours, and is still JSON where it was JSON.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbmigrate.api.conditions import shorten
from dbmigrate.cli.output.document import send_report
from dbmigrate.cli.output.narrator import Narrator
from dbmigrate.cli.output.problem import draw
from dbmigrate.cli.output.table import draw_table
from dbmigrate.cli.output.terminal import Terminal
from dbmigrate.controller.logs import JsonFormatter, TextFormatter
from dbmigrate.errors import Location, MigrationError
from dbmigrate.kubectl.screen import Screen
from dbmigrate.kubectl.text.table import Cell, TextTable
from dbmigrate.postgres.connection.other_sessions import OtherSession
from dbmigrate.printable import block, indented, json_text, lines, one_line
from dbmigrate.report import Outcome, Reason, Report, Step
from dbmigrate.runner.observer import Notice, Progress
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.sources.migration import Direction, Script
from dbmigrate.untrusted import read_text

FORGED = "x\n2/u forged (1ms)\nerror: forged\r2/u forged\x1b[1A\x1b[2K\u202e\u2028\x85\x9b2J\u200b"
TEXT = st.one_of(
    st.text(
        st.sampled_from('ab \n\r\t\x1b\x07\x9b\x85\u202e\u2066\u200b\u2028\u2029\ufeff\x7f{}\\"')
    ),
    st.text(st.characters(exclude_categories=["Cs"])),
)
BAD = frozenset(("Cc", "Cf", "Zl", "Zp", "Cs"))


def unsafe(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in BAD and c not in "\n\t"}


def test_every_character_that_is_not_seen_is_escaped() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in BAD:
            assert one_line(character).isprintable(), hex(code)
            assert lines(character) == (character if character in "\n\t" else one_line(character))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("a\U000e0041b", "a\\U000e0041b"),
        ("a\r\nb", "a\\r\\nb"),
        ("gr\u00fc\u00dfe \u4e2d\u6587 \U0001f600 \u00ab\u00a0x\u00a0\u00bb", None),
    ],
)
def test_it_is_escaped_visibly(text: str, shown: str | None) -> None:
    assert one_line(text) == (text if shown is None else shown)


SAID = st.sampled_from(
    ["error", "warning file=a", "set-env name=PATH", "add-mask", "stop-commands", "group", "DEBUG"]
)
BLANKS = st.text(st.sampled_from(" \t\u00a0\u3000"), max_size=3)


@given(BLANKS, SAID, TEXT, st.sampled_from(["::", "##[", "##vso["]))
def test_a_ci_service_finds_no_command(blanks: str, said: str, text: str, begin: str) -> None:
    """As GitHub's runner reads a line: it trims it, and looks for ##[ anywhere."""
    hostile = f"{text}\n{blanks}{begin}{said}::{text}"
    for safe in (one_line, lines, block, indented):
        for line in safe(hostile).split("\n"):
            assert not re.match(rf"\s*::{said.split(maxsplit=1)[0]}", line)
            assert "##[" not in line
            assert "##vso[" not in line
    shown = json_text(json.dumps({"a": hostile}, ensure_ascii=False))
    assert "##[" not in shown
    assert json.loads(shown) == {"a": hostile}
    assert one_line("SELECT a::int::text") == "SELECT a::int::text"


@given(TEXT)
@example(FORGED)
def test_twice_is_once(text: str) -> None:
    for safe in (one_line, lines, block):
        assert safe(safe(text)) == safe(text)
        assert not unsafe(safe(text))
    assert one_line(text).isprintable() or max(one_line(text)) >= "\u00a0"
    assert all(line[:1] in (" ", "") for line in block(text).split("\n")[1:])


@given(TEXT)
@example(FORGED)
@example("\ud800\U000e0001")
def test_a_json_document_stays_what_it_is(text: str) -> None:
    document = {"a": [text], text: 1}
    shown = json_text(json.dumps(document, ensure_ascii=False))
    assert not unsafe(shown)
    assert json.loads(shown) == document


def hostile_step(text: str) -> PlannedStep:
    return PlannedStep(1, text, Direction.UP, Script(text, Direction.UP, bytes), 0, 1)


def hostile_session(text: str) -> OtherSession:
    return OtherSession(1, text, text, text, 1.0, text, text)


def hostile_error(text: str) -> MigrationError:
    place = Location(text, 1, 1, text)
    return MigrationError(
        Reason.INTERNAL, text, location=place, sqlstate="XX000", detail=text, hint=text
    )


NARRATED: list[Callable[[Narrator, str], None]] = [
    lambda narrator, text: narrator.notice(Notice("WARNING", text, text)),
    lambda narrator, text: narrator.notice(Notice("NOTICE", text)),
    lambda narrator, text: narrator.notice(Notice("INFO", text, text)),
    lambda narrator, text: narrator.step_started(hostile_step(text)),
    lambda narrator, text: narrator.step_finished(hostile_step(text), 0, 0),
    lambda narrator, text: narrator.progress(Progress(text, 99.0, text, None)),
    lambda narrator, text: narrator.waiting_for_lock((hostile_session(text),)),
    lambda narrator, text: narrator.blocked((hostile_session(text),)),
]


class Terminals(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@given(TEXT, st.sampled_from(NARRATED))
@example(FORGED, NARRATED[0])
def test_a_run_can_not_forge_a_line(text: str, narrate: Callable[[Narrator, str], None]) -> None:
    stream = io.StringIO()
    narrate(Narrator(Terminal(stream, {}, is_verbose=True)), text)
    assert not unsafe(stream.getvalue())
    times = [line for line in stream.getvalue().split("\n") if line and not line.startswith(" ")]
    assert all(line[:2] == "20" and line[4] == "/" for line in times)
    stream = io.StringIO()
    narrate(Narrator(Terminal(stream, {}, is_verbose=False)), text)
    ours = [line for line in stream.getvalue().split("\n")[1:] if line]
    assert all(line.startswith(" ") for line in ours)


@given(TEXT)
@example(FORGED)
def test_an_error_can_not_forge_a_line_or_a_hint(text: str) -> None:
    error = hostile_error(text)
    stream = io.StringIO()
    Terminal(stream, {}, is_verbose=False).error(draw(error))
    shown = stream.getvalue()
    assert not unsafe(shown)
    rest = [line for line in shown.split("\n")[1:] if line.strip()]
    labels = [line for line in rest if not line.startswith("    ")]
    assert [line.split(" ")[2] for line in labels] == ["at", "detail:", "hint:"][
        : len(labels)
    ] or not text


@given(TEXT)
@example(FORGED)
def test_on_a_terminal_the_only_escapes_are_ours(text: str) -> None:
    stream = Terminals()
    terminal = Terminal(stream, {"TERM": "xterm"}, is_verbose=False)
    terminal.live(text)
    terminal.error(text)
    terminal.warning(text)
    shown = stream.getvalue()
    for ours in ("\r\x1b[K", "\x1b[1;31m", "\x1b[33m", "\x1b[0m"):
        shown = shown.replace(ours, "")
    assert not unsafe(shown)


@given(TEXT)
@example(FORGED)
def test_a_table_has_a_line_for_each_row(text: str) -> None:
    shown = draw_table(["A", "B"], [[text or "x", "b"], ["a", text or "x"]])
    assert len(shown.split("\n")) == 3
    assert not unsafe(shown)


@given(TEXT)
@example(FORGED)
def test_the_printed_report_stays_json(text: str) -> None:
    report = Report(
        command=text,
        outcome=Outcome.FAILED,
        version=None,
        dirty=None,
        tool_version="1",
        started_at="2026-01-01T00:00:00Z",
        milliseconds=1,
        steps=(Step("1", text, "up", 1),),
        error=hostile_error(text).to_report(),
    )
    output = io.StringIO()
    send_report(report, Terminal(io.StringIO(), {}, is_verbose=False), output=output)
    assert not unsafe(output.getvalue())
    assert output.getvalue().count("\n") == 1
    assert json.loads(output.getvalue())["error"]["message"] == text


@given(TEXT)
@example(FORGED)
def test_the_plugin_shows_a_line_as_a_line(text: str) -> None:
    output, messages = io.StringIO(), io.StringIO()
    screen = Screen(output, messages, io.StringIO("n\n"), {})
    table = TextTable(["A", "B"])
    screen.show(table.draw([[Cell(text), Cell(text)]], with_head=True))
    screen.say(text)
    screen.repaint([[Cell(text)]])
    painted = output.getvalue().replace("\x1b[J", "")
    assert painted.count("\n") == 4
    screen.error(text)
    screen.note(text)
    screen.confirm(text)
    assert not unsafe(painted) | unsafe(messages.getvalue())
    begun = [line for line in messages.getvalue().split("\n") if line[:1] not in (" ", "")]
    assert len(begun) <= 3
    screen.document(json.dumps({"a": text}, ensure_ascii=False))
    assert json.loads(output.getvalue().split("\n", 4)[4].replace("\x1b[J", ""))["a"] == text


@given(TEXT)
@example(FORGED)
def test_a_line_of_the_operators_log_is_one(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        failed = sys.exc_info()
    for error in (None, failed):
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "%s", (text,), error)
        record.reason = text
        shown = TextFormatter().format(record)
        assert not unsafe(shown)
        assert all(line[:1] in (" ", "") for line in shown.split("\n")[1:])
        document = JsonFormatter().format(record)
        assert not unsafe(document)
        assert "\n" not in document
        assert json.loads(document)["message"] == text


@given(TEXT, st.integers(3, 60))
@example(FORGED, 30)
@example("\ud800\U000e0001", 12)
def test_what_is_read_from_outside_is_safe_bounded_and_read_once(text: str, limit: int) -> None:
    shown = read_text(text, limit)
    assert not unsafe(shown)
    assert len(shown) <= limit
    assert read_text(shown, limit) == shown
    # Cut between characters of the text, and so never within the escape of one.
    whole = lines(text)
    if len(whole) > limit:
        beginnings = {lines(text[:size]) for size in range(len(text))}
        assert shown.endswith("...")
        assert shown[:-3] in beginnings
    else:
        assert shown == whole


@given(TEXT)
@example(FORGED)
def test_conditions_and_events_are_safe_and_short(text: str) -> None:
    message = shorten(text, 20)
    assert shorten(message, 20) == message
    assert not unsafe(message)
    assert len(message) <= 20
    assert all(line[:1] in (" ", "") for line in message.split("\n")[1:])


@given(TEXT)
@example(FORGED)
def test_a_script_is_shown_indented(text: str) -> None:
    assert all(line[:4] == "    " for line in indented(text).split("\n") if line)
    assert not unsafe(indented(text))
