"""`dbmigrate goose ...`: goose's own command line, with our name before it.

It is translated into ours and run: `goose -dir migrations postgres "user=app" up` becomes
`-path migrations -format goose -database "user=app" up`. What has no counterpart is
refused by its name rather than passed over. Flags may stand anywhere, as with goose;
the environment is goose's as well (GOOSE_DRIVER, GOOSE_DBSTRING, GOOSE_MIGRATION_DIR,
GOOSE_TABLE), with a flag before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dbmigrate.cli.flags import UsageError

DRIVERS = frozenset(("postgres", "pgx", "pq"))
_VALUED = frozenset(("dir", "table", "timeout", "env", "certfile", "ssl-cert", "ssl-key"))
_PLAIN = frozenset(("v", "s", "allow-missing", "no-color", "no-versioning", "h", "help", "version"))
_REFUSED = {
    "timeout": "set -statement-timeout of dbmigrate, or end the process",
    "no-versioning": "a step without a history can't be undone: use psql",
    "certfile": "say sslrootcert in the connection string",
    "ssl-cert": "say sslcert in the connection string",
    "ssl-key": "say sslkey in the connection string",
}

Line = list[str]


def translate(args: Sequence[str], environ: Mapping[str, str]) -> list[Line]:
    """Our command lines, to be run one after the other until one fails.

    `args` is what stands behind `goose`. Raises UsageError.
    """
    flags, words = _take_apart(args)
    for name, remedy in _REFUSED.items():
        if name in flags:
            raise UsageError(f"goose's -{name} has no counterpart here: {remedy}")
    if flags.get("env", "none") != "none":
        raise UsageError("goose's -env reads a file of variables: set them in the environment")
    if "help" in flags or "h" in flags:
        return [["-help"]]
    if "version" in flags:
        return [["-version"]]
    directory = flags.get("dir") or environ.get("GOOSE_MIGRATION_DIR") or "."
    # A driver and a connection string may stand before it; they are not needed.
    before = words[: words.index("create")] if "create" in words[:3] else None
    if before is not None and (not before or before[0] not in _COMMANDS):
        return [_create(words[len(before) + 1 :], directory, is_sequential="s" in flags)]
    database, words = _find_database(words, environ)
    options = ["-path", directory, "-format", "goose", "-database", database]
    table = flags.get("table") or environ.get("GOOSE_TABLE")
    if table:
        options += ["-history-table", table]
    if "allow-missing" in flags:
        options += ["-out-of-order", "apply"]
    if "v" in flags:
        options.append("-verbose")
    return [[*options, *line] for line in _translate_command(words)]


def _take_apart(args: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Flags by name, wherever they stand, and what is no flag."""
    flags: dict[str, str] = {}
    words: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            words.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if name in _PLAIN:
            flags[name] = value
        elif name not in _VALUED:
            raise UsageError(f"goose has no flag -{name}")
        elif equals or rest:
            flags[name] = value if equals else rest.pop(0)
        else:
            raise UsageError(f"flag needs an argument: -{name}")
    return flags, words


def _find_database(words: Sequence[str], environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """The connection string, and the command behind it."""
    driver = environ.get("GOOSE_DRIVER", "")
    string = environ.get("GOOSE_DBSTRING", "")
    rest = list(words)
    if rest and rest[0] not in _COMMANDS:
        driver = rest.pop(0)
        if rest and rest[0] not in _COMMANDS:
            string = rest.pop(0)
    if driver not in DRIVERS:
        raise UsageError(f"driver {driver or 'not named'}: dbmigrate knows postgres alone")
    if not string:
        raise UsageError("no connection string: goose DRIVER DBSTRING COMMAND")
    return string, rest


def _translate_command(words: Sequence[str]) -> list[Line]:
    if not words:
        raise UsageError("no command: up, up-by-one, up-to, down, down-to, redo, reset, ...")
    command, operands = words[0], list(words[1:])
    if command in ("up-to", "down-to"):
        if len(operands) != 1 or not operands[0].isdigit():
            raise UsageError(f"{command} needs a version")
        version = operands[0].lstrip("0") or "0"
        if version == "0":
            return [["down", "-all"]] if command == "down-to" else [["up", "0"]]
        # Up to a lower version, or down to a higher one, leads nowhere with goose.
        return [["-rollback", "forbid" if command == "up-to" else "allow", "goto", version]]
    lines = _COMMANDS.get(command)
    if lines is None:
        raise UsageError(f"goose's command {command} has no counterpart here")
    if operands:
        raise UsageError(f"{command} takes no arguments: {' '.join(operands)}")
    return [list(line) for line in lines]


_COMMANDS: Mapping[str, Sequence[Sequence[str]]] = {
    "up": (("up",),),
    "up-by-one": (("up", "1"),),
    "up-to": (),
    "down": (("down", "1"),),
    "down-to": (),
    "redo": (("down", "1"), ("up", "1")),
    "reset": (("down", "-all"),),
    "status": (("status",),),
    "version": (("version",),),
}


def _create(operands: Sequence[str], directory: str, *, is_sequential: bool) -> Line:
    if not operands:
        raise UsageError("create needs a name")
    name, kind = operands[0], operands[1] if len(operands) > 1 else "go"
    if kind != "sql":
        raise UsageError(
            f"goose makes migrations in Go unless told otherwise: say `create {name} sql`"
        )
    line = ["-path", directory, "-format", "goose", "create", "-ext", "sql", "-dir", directory]
    if is_sequential:
        line += ["-seq", "-digits", "5"]
    return [*line, name]
