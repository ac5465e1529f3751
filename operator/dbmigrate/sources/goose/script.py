"""A goose file's text: what is to run in one direction, in the lines where it stands.

goose reads line by line, with a small machine (internal/sqlparser/parser.go):
annotations say which direction a line belongs to, and a statement ends where the
last word of a line ends in a semicolon, unless it stands between StatementBegin
and StatementEnd. Whatever is an error there is one here. What is not, becomes a
plain script: lines of the other direction are blank, so that a line number is
the file's own, and a statement that goose ends without a semicolon gets one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from dbmigrate.errors import Location, MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.go_space import SPACE
from dbmigrate.sources.goose.variables import SubstitutionError
from dbmigrate.sources.migration import Direction

NO_TRANSACTION = "-- dbmigrate:no-transaction"
"""Ours for goose's NO TRANSACTION. Stands in the line of the direction's own annotation."""

_ANNOTATIONS = {
    name.casefold(): name
    for name in (
        *("Up", "Down", "StatementBegin", "StatementEnd"),
        *("NO TRANSACTION", "ENVSUB ON", "ENVSUB OFF"),
    )
}


class _State(Enum):
    START = "before any annotation"
    UP = "up"
    DOWN = "down"


@dataclass(slots=True)
class _Reading:
    """How far a file has been read."""

    name: str
    direction: Direction
    state: _State = _State.START
    in_block: bool = False
    """Between StatementBegin and StatementEnd."""
    is_transaction: bool = True
    substitutes: bool = False
    """Between ENVSUB ON and ENVSUB OFF."""
    pending: str = ""
    """The last line of a statement that is not complete, white space left out; empty: none is."""
    is_begun: bool = False
    """Whether there is such a statement, be it of white space alone."""
    has_statement: bool = False
    begun_at: int = 0
    number: int = 0
    annotation_at: int | None = None
    """The line of the direction's own annotation."""

    @property
    def is_wanted(self) -> bool:
        """Whether the line belongs to the requested direction."""
        return self.state.value == self.direction.value


def extract(
    text: str, direction: Direction, name: str, substitute: Callable[[str], str] | None
) -> str:
    """The script of one direction; empty if that has no statement.

    `substitute` puts variables into a line; None leaves them as they are.
    Raises MigrationError (SourceInvalid) with the line.
    """
    reading = _Reading(name, direction)
    written: list[str] = []
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    for index, raw in enumerate(lines):
        reading.number = index + 1
        line = raw.removesuffix("\r")
        written.append(_read_line(reading, line, substitute))
    _finish(reading)
    if not reading.has_statement:
        return ""
    if not reading.is_transaction and reading.annotation_at is not None:
        written[reading.annotation_at - 1] = NO_TRANSACTION
    return "\n".join(written).rstrip("\n") + "\n"


def has_annotation(text: str, wanted: str) -> bool:
    """Whether some line is that annotation; only lines that are well written count."""
    return any(
        _read_annotation(line) == wanted
        for line in text.split("\n")
        if "+goose" in line and line.startswith("--")
    )


def _read_line(reading: _Reading, line: str, substitute: Callable[[str], str] | None) -> str:
    """What is left of a line in the script."""
    bare = line.strip(SPACE)
    if reading.state is _State.START and not bare:
        return ""
    if bare.startswith("--") and "+goose" in line:
        return _annotate(reading, line)
    if not reading.is_begun and (bare.startswith("--") or not line):
        return line if reading.is_wanted else ""
    if reading.state is _State.START:
        raise _refused(reading, "a file has to start with `-- +goose Up`")
    if reading.substitutes and substitute is not None:
        try:
            line = substitute(line)
        except SubstitutionError as error:
            raise _refused(reading, f"ENVSUB: {error}") from None
    if not reading.is_wanted:
        reading.is_begun = False
        return ""
    if not reading.is_begun:
        reading.begun_at = reading.number
    reading.is_begun = reading.has_statement = True
    reading.pending = line.strip(SPACE) or reading.pending
    if not reading.in_block and ends_statement(line):
        _end_statement(reading)
    return line


def _annotate(reading: _Reading, line: str) -> str:
    annotation = _read_annotation(line)
    match annotation:
        case "Up":
            if reading.state is not _State.START:
                raise _refused(reading, "`-- +goose Up` occurs twice")
            _turn(reading, _State.UP)
        case "Down":
            if reading.state is not _State.UP or reading.in_block:
                raise _refused(reading, "`-- +goose Down` must occur once, after `-- +goose Up`")
            if reading.pending:
                raise _unfinished(reading)
            _turn(reading, _State.DOWN)
        case "StatementBegin":
            if reading.state is _State.START or reading.in_block:
                raise _refused(
                    reading, "StatementBegin must follow Up or Down, and not occur twice"
                )
            reading.in_block = True
        case "StatementEnd":
            return _end_block(reading)
        case "NO TRANSACTION":
            reading.is_transaction = False
        case "ENVSUB ON" | "ENVSUB OFF":
            reading.substitutes = annotation == "ENVSUB ON"
        case _:
            raise _refused(reading, f"{line!r} is not an annotation of goose")
    return ""


def _turn(reading: _Reading, state: _State) -> None:
    reading.state = state
    if reading.is_wanted:
        reading.annotation_at = reading.number
        reading.is_begun = False


def _end_block(reading: _Reading) -> str:
    if not reading.in_block:
        raise _refused(reading, "StatementEnd must follow StatementBegin")
    reading.in_block = False
    if not reading.is_wanted:
        return ""
    if not reading.is_begun:
        raise _refused(reading, "this block is empty: goose would lose the line after it")
    needs_end = not ends_statement(reading.pending)
    _end_statement(reading)
    return ";" if needs_end else ""


def _end_statement(reading: _Reading) -> None:
    reading.is_begun = False
    reading.pending = ""


def _finish(reading: _Reading) -> None:
    if reading.state is _State.START:
        raise _refused(reading, "a file has to start with `-- +goose Up`")
    if reading.in_block:
        raise _refused(reading, "the last StatementBegin has no StatementEnd")
    if reading.pending:
        raise _unfinished(reading)


def _read_annotation(line: str) -> str | None:
    """The annotation in a line that has `+goose`; None for a bad one."""
    if line[:1] in (" ", "\t"):
        return None
    words = line.replace("--", "").replace("+goose", "", 1)
    if "+goose" in words:
        return None
    return _ANNOTATIONS.get(words.strip(SPACE).casefold())


def ends_statement(line: str) -> bool:
    """Whether the last word before a word that starts a comment ends in a semicolon."""
    if "--" not in line:
        return line.rstrip(SPACE).endswith(";")
    last = ""
    for word in line.translate(_SPACES).split(" "):
        if word.startswith("--"):
            break
        last = word or last
    return last.endswith(";")


_SPACES = dict.fromkeys(map(ord, SPACE), " ")


def _unfinished(reading: _Reading) -> MigrationError:
    reading.number = reading.begun_at
    return _refused(reading, "this statement does not end: is a semicolon missing?")


def _refused(reading: _Reading, problem: str) -> MigrationError:
    line = max(reading.number, 1)
    return MigrationError(
        Reason.SOURCE_INVALID,
        f"{reading.name}: line {line}: {problem}",
        location=Location(reading.name, line),
    )
