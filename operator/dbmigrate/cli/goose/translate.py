"""`dbmigrate goose ...`: translates goose's own command line.

`goose -dir migrations postgres "user=app" up` becomes
`-path migrations -format goose -database "user=app" up`. What has no counterpart is
refused by its name rather than ignored. Flags may be anywhere, as with goose; the
environment is goose's as well (GOOSE_DRIVER, GOOSE_DBSTRING, GOOSE_MIGRATION_DIR,
GOOSE_TABLE, a file `.env`), and a flag overrides it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dbmigrate.cli.arguments.flags import (
    Flag,
    HelpRequested,
    UsageError,
    is_set,
    parse_flags,
    present,
)
from dbmigrate.cli.arguments.suggestions import guess
from dbmigrate.cli.goose import files
from dbmigrate.cli.goose.usage import COMMANDS, FLAGS
from dbmigrate.cli.output.terminal import Terminal

DRIVERS = frozenset(("postgres", "pgx", "pq"))
_REFUSED = {
    "timeout": "set DBMIGRATE_STATEMENT_TIMEOUT for each statement, or end the process",
    "no-versioning": "a step without a history can't be undone: use psql",
    "certfile": "say sslrootcert in the connection string",
    "ssl-cert": "say sslcert in the connection string",
    "ssl-key": "say sslkey in the connection string",
}
_ALL_FLAGS = (
    *FLAGS,
    *(Flag(name) for name in ("timeout", "certfile", "ssl-cert", "ssl-key")),
    Flag("no-versioning", kind=""),
)
_ELSEWHERE = {
    "init": "create the directory, then run `goose create NAME sql`",
    "env": "look at the environment itself: it may contain a password",
    "beta": "postgres is the only driver",
}

Line = list[str]
Work = Callable[[Terminal], None]


@dataclass(frozen=True)
class GooseTranslation:
    """The translation of a command line of goose's."""

    line: Sequence[str] = ()
    """Our command line. One alone: a second would plan on what the first one has left."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """What it is run with."""
    work: Work | None = None
    """What is done to the files alone. Raises MigrationError."""
    is_help: bool = False
    """The usage is wanted."""


def translate(args: Sequence[str], environ: Mapping[str, str]) -> GooseTranslation:
    """Parse what follows `goose`. Raises UsageError, and MigrationError for an invalid -env."""
    try:
        flags, words = _take_apart(args)
    except HelpRequested:
        return GooseTranslation(is_help=True)
    if is_set(flags, "version"):
        return GooseTranslation(["-version"], environ)
    if is_set(flags, "h"):
        return GooseTranslation(is_help=True)
    for name, remedy in _REFUSED.items():
        if name in flags and flags[name] != "false":
            raise UsageError(f"goose's -{name} is not supported: {remedy}")
    environ = _load(flags.get("env", ""), environ)
    if is_set(flags, "no-color"):
        environ = {**environ, "NO_COLOR": "1"}
    directory = flags.get("dir") or environ.get("GOOSE_MIGRATION_DIR") or "."
    alone = _of_files_alone(words, flags, directory, environ)
    if alone is not None:
        return alone
    database, words = _find_database(words, environ)
    options = ["-path", directory, "-format", "goose", "-database", database]
    options += _read_options(flags, environ)
    return GooseTranslation([*options, *_translate_command(words)], environ)


def _of_files_alone(
    words: Sequence[str], flags: Mapping[str, str], directory: str, environ: Mapping[str, str]
) -> GooseTranslation | None:
    """A command that needs no database; driver and string may precede it."""
    at = next((at for at, word in enumerate(words[:3]) if word in (*COMMANDS, *_ELSEWHERE)), 0)
    command, operands = "".join(words[at : at + 1]), words[at + 1 :]
    if command in _ELSEWHERE:
        remedy = _ELSEWHERE[command]
        raise UsageError(f"goose's command {command} is not supported: {remedy}")
    if command == "create":
        line = _create(operands, directory, is_sequential=is_set(flags, "s"))
        return GooseTranslation(line, environ)
    if command == "fix":
        return GooseTranslation(work=lambda terminal: files.fix(directory, terminal))
    if command == "validate":
        is_verbose = is_set(flags, "v")
        return GooseTranslation(
            work=lambda terminal: files.validate(directory, environ, terminal, is_verbose)
        )
    return None


def _read_options(flags: Mapping[str, str], environ: Mapping[str, str]) -> Line:
    options: Line = []
    table = flags.get("table") or environ.get("GOOSE_TABLE")
    if table:
        # goose writes the name into its SQL unquoted: PostgreSQL folds it to lower case.
        options += ["-history-table", table if '"' in table else table.lower()]
    if is_set(flags, "allow-missing"):
        options += ["-out-of-order", "apply"]
    if is_set(flags, "v"):
        options.append("-verbose")
    return options


def _load(named: str, environ: Mapping[str, str]) -> Mapping[str, str]:
    """With the variables of a file; one that is set already stays. As with goose, the file
    `.env` is optional, and a named file has to exist."""
    if named == "none" or (not named and not os.path.isfile(".env")):
        return environ
    from dbmigrate.cli.arguments.dotenv import read_dotenv

    try:
        return {**read_dotenv(Path(named or ".env").read_text("utf-8")), **environ}
    except (OSError, ValueError) as error:
        if not named:
            return environ
        from dbmigrate.errors import cause_of

        why = cause_of(error) if isinstance(error, OSError) else error
        raise UsageError(f"-env {named} can't be read: {why}") from None


def _take_apart(args: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Flags by name, wherever they are, and the operands."""
    flags: dict[str, str] = {}
    words: list[str] = []
    rest = list(args)
    while rest:
        found, rest = parse_flags(_ALL_FLAGS, rest)
        flags |= found
        words += rest[:1]
        rest = rest[1:]
    return flags, words


def _find_database(words: Sequence[str], environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """The connection string, and the command after it."""
    driver = environ.get("GOOSE_DRIVER", "")
    string = environ.get("GOOSE_DBSTRING", "")
    rest = list(words)
    if rest and rest[0] not in COMMANDS:
        driver = rest.pop(0)
        if rest and rest[0] not in COMMANDS:
            string = rest.pop(0)
    if driver not in DRIVERS:
        if not driver:
            raise UsageError(
                "no driver: `goose postgres DBSTRING COMMAND`, or GOOSE_DRIVER=postgres"
            )
        shown = driver if driver.isalnum() else "(not shown)"
        raise UsageError(
            f"{shown} is not a command, and dbmigrate supports only the driver postgres"
            f"{guess(driver, COMMANDS) if driver.isalnum() else ''}"
        )
    if not string:
        raise UsageError(
            "no connection string: `goose postgres DBSTRING COMMAND`, or GOOSE_DBSTRING"
        )
    return string, rest


def _translate_command(words: Sequence[str]) -> Line:
    if not words:
        raise UsageError("no command: up, up-by-one, up-to, down, down-to, redo, reset, ...")
    command, operands = words[0], list(words[1:])
    if command in ("up-to", "down-to"):
        if len(operands) != 1 or re.fullmatch("[0-9]{1,19}", operands[0], re.ASCII) is None:
            given = f", not {present(' '.join(operands))}" if operands else ""
            raise UsageError(f"{command} needs a version: the number of a file{given}")
        version = operands[0].lstrip("0") or "0"
        if version == "0":
            return ["down", "-all"] if command == "down-to" else ["up", "0"]
        return [command.removesuffix("-to"), "-to", version]
    line = _LINES.get(command)
    if line is None:
        shown = f" {command}{guess(command, COMMANDS)}" if command.isalnum() else ""
        raise UsageError(f"goose has no command{shown}")
    if operands:
        raise UsageError(f"{command} takes no arguments: {present(' '.join(operands))}")
    return list(line)


_LINES: Mapping[str, Sequence[str]] = {
    "up": ("up",),
    "up-by-one": ("up", "1"),
    "down": ("down", "1"),
    "redo": ("redo",),
    "reset": ("down", "-all"),
    "repair": ("repair",),
    "status": ("status",),
    "version": ("version",),
}


def _create(operands: Sequence[str], directory: str, *, is_sequential: bool) -> Line:
    if not operands:
        raise UsageError("create needs a name")
    name, kind = operands[0], operands[1] if len(operands) > 1 else "go"
    if kind != "sql":
        why = (
            "migrations in Go can't be run here"
            if len(operands) > 1
            else "goose makes migrations in Go unless told otherwise"
        )
        raise UsageError(f"{why}: say `create {name} sql`")
    line = ["-path", directory, "-format", "goose", "create", "-ext", "sql", "-dir", directory]
    if is_sequential:
        line += ["-seq", "-digits", "5"]
    if len(operands) > 2:
        raise UsageError(f"create takes a name and sql: {present(' '.join(operands[2:]))}")
    return [*line, "--", snake_case(name)]


def snake_case(name: str) -> str:
    """A name as goose writes it into a file name: `Add Phone` is `add_phone` (helpers.go there)."""
    text = re.sub(r"^[\W_]+|(?<=[^\W_])[\W_]{2,}$", "", name)
    return re.sub(r"[\W_]+", "_", text).lower()
