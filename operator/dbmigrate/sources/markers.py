"""What other tools write into their files, by which those are known and refused.

A file of another tool often holds the way up and the way back. Run as a plain script it would
do both, and leave nothing. What a format's own tool writes is no marker to it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from dbmigrate.errors import Location, MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.migration import Direction
from dbmigrate.sources.script_file import read_encoded, read_script

READ = ("goose", "dbmate")
"""The tools whose files have markers and are read in a format of their own."""
_TOP = 1 << 16
"""Bytes: a tool's first annotation stands above any SQL."""


class _Tool(NamedTuple):
    name: str
    needle: bytes
    """A part of each marker, searched for first because that is fast."""
    is_above: bool
    """Whether one of its markers stands above all SQL of the file."""
    marker: re.Pattern[bytes]
    """Group 1, where there is one and it says `up`: what follows is the way up."""
    is_plain: bool = False
    """Whether its markers may also be comments of a person: they count where a file has those
    of both ways, and none of goose's or dbmate's."""


def _pattern(text: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"^" + text, re.MULTILINE | re.IGNORECASE)


_TOOLS = (
    _Tool(
        "tern",
        b"---- create above",
        False,
        _pattern(rb"---- create above / drop below ----[ \t\r]*$"),
    ),
    _Tool("sql-migrate", b"+migrate", True, _pattern(rb"--[ \t]*\+migrate[ \t]+(up|down)\b")),
    _Tool("goose", b"+goose", True, _pattern(rb"--[ \t]*\+goose[ \t]+(up|down)\b")),
    _Tool("dbmate", b"migrate:", True, _pattern(rb"--[ \t]*migrate:(up|down)\b")),
    _Tool("Liquibase", b"iquibase", True, _pattern(rb"--[ \t]*liquibase[ \t]+formatted[ \t]+sql")),
    _Tool("MyBatis", b"@UNDO", False, _pattern(rb"--[ \t]*//[ \t]*@UNDO\b")),
    _Tool(
        "Rails",
        b'"schema_migrations"',
        False,
        _pattern(rb'INSERT INTO "schema_migrations" \(version\) VALUES'),
    ),
    _Tool(
        "node-pg-migrate",
        b"igration",
        True,
        _pattern(rb"[ \t]*--[ \t-]*(up|down)[ \t]+migration\b"),
        is_plain=True,
    ),
    _Tool("Rambler", b"rambler", True, _pattern(rb"--[ \t]*rambler[ \t]+(up|down)\b")),
    _Tool("micrate", b"+micrate", True, _pattern(rb"--[ \t]*\+micrate[ \t]+(up|down)\b")),
    _Tool("Play", b"!", True, _pattern(rb"(?:#|--)[ \t-]*!(up|down)s\b")),
    _Tool(
        "shmig",
        b"==",
        True,
        _pattern(rb"--[ \t]*=+[ \t]*(up|down)[ \t]*=+[ \t\r]*$"),
        is_plain=True,
    ),
)


class Marker(NamedTuple):
    """A line that another tool's file has."""

    tool: str
    line: int
    text: str


def find_marker(content: bytes, *, own: Collection[str] = (), harmless: str = "") -> Marker | None:
    """The first marker of a tool that is not among `own`; None: there is none.

    `harmless`: a direction, whose markers are plain comments in a script of that direction.
    """
    is_read = any(tool.needle in content for tool in _TOOLS if tool.name in READ)
    for tool in _TOOLS:
        end = _TOP if tool.is_above else len(content)
        if tool.name in own or content.find(tool.needle, 0, end) < 0:
            continue
        if tool.is_plain and (is_read or not _has_both_ways(tool, content)):
            continue
        for match in tool.marker.finditer(content):
            way = match[1].decode().lower() if tool.marker.groups else ""
            if not way or way != harmless:
                line = content.count(b"\n", 0, match.start()) + 1
                return Marker(tool.name, line, match[0].decode("utf-8", "replace").strip())
    return None


def _has_both_ways(tool: _Tool, content: bytes) -> bool:
    return len({match[1].lower() for match in tool.marker.finditer(content)}) == len(("up", "down"))


def refuse_marked(
    content: bytes, name: str, *, own: Collection[str] = (), harmless: str = ""
) -> None:
    """Raise MigrationError (SourceInvalid) for a file of another tool's, with the line."""
    found = find_marker(content, own=own, harmless=harmless)
    if found is not None:
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"{name}: line {found.line}: `{found.text}` is {found.tool}'s: {remedy(found.tool)}",
            location=Location(name, found.line),
        )


def remedy(tool: str) -> str:
    """What to do with the files of that tool, which would run both ways as plain scripts."""
    if tool in READ:
        return f"name the format of the directory, -format {tool}, or remove the marker"
    if tool == "Rails":
        return (
            "dbmigrate runs no structure.sql: `adopt -from rails -baseline NAME` writes the schema"
        )
    return (
        f"dbmigrate does not run {tool}'s files; write each direction into a separate file,"
        " <version>_<name>.up.sql and <version>_<name>.down.sql"
    )


def read_unmarked(
    path: Path,
    name: str,
    *,
    own: str = "",
    direction: Direction | None = None,
    encoding: str = "utf-8",
) -> bytes:
    """As `read_script`, for a file without another tool's markers.

    `direction`: of a script that holds one direction by its name.
    """
    is_plain = encoding == "utf-8"
    content = read_script(path, name) if is_plain else read_encoded(path, name, encoding)
    refuse_marked(content, name, own=(own,), harmless=direction or "")
    return content
