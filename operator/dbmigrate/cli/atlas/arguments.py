"""Atlas's flags: pflag's rules, and the names that its commands take.

`--name value`, `--name=value` and, for some, `-n value`; flags and operands may stand in
any order, and `--` ends the flags. What is known there and is not supported is
refused by its name, with what to do instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dbmigrate.cli.arguments.flags import FALSE, TRUE, UsageError, present
from dbmigrate.cli.arguments.suggestions import guess

SHORT = {"u": "url", "c": "config", "h": "help", "s": "schema"}
BOOLEAN = frozenset(("dry-run", "allow-dirty", "edit", "help", "force", "web", "auto-approve"))
REPEATED = frozenset(("var", "to", "schema", "exclude"))
GLOBAL = frozenset(("env", "var", "config", "help"))
DIRECTORY = frozenset(("dir", "dir-format"))
DATABASE = frozenset(("url", "revisions-schema", *DIRECTORY))
COMMANDS: Mapping[str, frozenset[str]] = {
    "apply": frozenset(
        (
            *("format", "log", "dry-run", "lock-timeout", "baseline", "tx-mode", "exec-order"),
            *("allow-dirty", "to-version", *DATABASE),
        )
    ),
    "status": frozenset(("format", "log", *DATABASE)),
    "set": DATABASE,
    "diff": frozenset(("to", "dev-url", "schema", "lock-timeout", "format", "edit", *DATABASE)),
    "lint": frozenset(("dev-url", "latest", "git-base", "git-dir", "format", "log", *DIRECTORY)),
    "validate": frozenset(("dev-url", *DIRECTORY)),
    "hash": frozenset(("force", *DIRECTORY)),
    "new": frozenset(("edit", *DIRECTORY)),
}
"""The commands of `atlas migrate` that have a counterpart, with their flags."""

_KNOWN = GLOBAL.union(*COMMANDS.values())

WITHOUT: Mapping[str, str] = {
    "down": "Atlas's files have no down scripts; undo a migration with a new one",
    "import": "`dbmigrate convert` writes other tools' files as golang-migrate's",
    "checkpoint": "write the file with Atlas; dbmigrate starts at it",
    "push": "Atlas's registry is a separate service",
    "test": "`dbmigrate rehearse` tries the steps in a scratch database",
    "edit": "edit the file, then `dbmigrate atlas migrate hash`",
    "rm": "remove the file, then `dbmigrate atlas migrate hash`",
    "rebase": "rename the file, then `dbmigrate atlas migrate hash`",
    "ls": "list the directory",
}


class Arguments(NamedTuple):
    """The parts of an Atlas command."""

    command: str
    """The words after `migrate`."""
    values: dict[str, str]
    lists: dict[str, list[str]]
    operands: tuple[str, ...]


def read_arguments(args: Sequence[str]) -> Arguments:
    """The words after `atlas`. Raises UsageError."""
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    words: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if len(word) < 2 or not word.startswith("-"):
            words.append(word)
            continue
        name, value = _read_flag(word, rest)
        values[name] = value
        lists.setdefault(name, []).append(value)
    if "help" in values or words[:1] in ([], ["help"]):
        asked = words[1:] if words[:1] == ["help"] else words
        return Arguments("help", {}, {}, tuple(asked))
    if words == ["migrate"] and not values:
        return Arguments("help", {}, {}, ("migrate",))
    command, operands = _find_command(words)
    known = COMMANDS[command] | GLOBAL if command in COMMANDS else GLOBAL
    for name in values:
        if name not in known:
            raise UsageError(
                f"atlas migrate {command} has no flag --{present(name)} here:"
                f" `dbmigrate atlas migrate {command} --help` lists them"
            )
        if name not in REPEATED and len(lists[name]) > 1 and len(set(lists[name])) > 1:
            raise UsageError(f"--{name} is given twice")
    return Arguments(command, values, lists, tuple(operands))


def _read_flag(word: str, rest: list[str]) -> tuple[str, str]:
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
    else:
        name, value = SHORT.get(word[1], ""), word[2:].removeprefix("=")
        equals = word[2:]
        if not name:
            raise UsageError(f"atlas has no flag -{word[1]}")
    if name in BOOLEAN:
        value = value if equals else "true"
        if value not in TRUE | FALSE:
            raise UsageError(f"--{name} is true or false")
        return name, "true" if value in TRUE else "false"
    if not equals:
        if not rest:
            if name not in _KNOWN:
                raise UsageError(
                    f"atlas has no flag --{present(name)} here{guess(name, _KNOWN, before='--')}"
                )
            raise UsageError(f"flag needs an argument: --{present(name)}")
        value = rest.pop(0)
    return name, value


def _find_command(words: list[str]) -> tuple[str, list[str]]:
    if words[0] == "version":
        return "version", []
    if words[0] != "migrate":
        shown = words[0] if words[0].isalpha() else "that"
        raise UsageError(f"atlas {shown} is not supported: there is atlas migrate")
    if len(words) == 1:
        raise UsageError(f"no command: atlas migrate {', '.join(COMMANDS)}")
    command = words[1]
    if command in WITHOUT:
        raise UsageError(f"atlas migrate {command} is not supported: {WITHOUT[command]}")
    if command not in COMMANDS:
        shown = f" {command}{guess(command, COMMANDS)}" if command.isalpha() else ""
        raise UsageError(f"atlas migrate has no command{shown}")
    return command, words[2:]
