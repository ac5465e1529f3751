"""`dbmigrate atlas migrate ...`: Atlas's command lines in ours.

`atlas migrate apply --env local` becomes `-path migrations -format atlas -database ... up`:
one or more command lines of dbmigrate, run one after the other until one fails. A flag
wins over what atlas.hcl says. What has no counterpart is refused by its name, before
anything is run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from dbmigrate.cli.arguments.flags import UsageError, present
from dbmigrate.cli.arguments.numbers import read_duration
from dbmigrate.cli.atlas.arguments import Arguments
from dbmigrate.cli.atlas.environment import Environment
from dbmigrate.cli.atlas.project import read_project
from dbmigrate.cli.command import AS_ATLAS, TEXT, check_template

Line = list[str]

DEFAULT_LOCK_TIMEOUT = "10s"
_OF_EACH = ("apply", "status")
"""The commands that may go through several databases, one after the other until one fails."""
_MODES = ("none", "file", "all")
_ORDERS = {"linear": "reject", "linear-skip": "ignore", "non-linear": "apply"}
_INDENT = re.compile(r"\{\{-?\s*sql\s+[.$](?:\s+\S.*?)?\s*-?\}\}")
"""It says how SQL is indented, which is ours to say."""
_DOCKER = re.compile(r"docker(?:\+(\w+))?://([^/?]*)")
_OTHER_ENGINES = frozenset(("mysql", "maria", "mariadb", "sqlserver", "clickhouse", "spanner"))
_FORMATS = frozenset(("atlas", "golang-migrate", "goose", "dbmate", "flyway"))


@dataclass(frozen=True, slots=True)
class AtlasTranslation:
    """What is to be run."""

    lines: tuple[Line, ...]
    notices: tuple[str, ...] = ()
    """What people should know of it first."""
    directory: str | None = None
    """What is made first where it is not there, as Atlas does for a first migration."""


@dataclass(frozen=True, slots=True)
class _Order:
    """A command with what its flags and its environment say together."""

    arguments: Arguments
    env: Environment
    environ: Mapping[str, str]

    def value(self, flag: str, setting: str = "") -> str:
        """The flag's, else that of the setting of this name in the block `migration`."""
        given = self.arguments.values.get(flag, "")
        return given or (self.env.migration(setting) if setting else "")

    def is_set(self, flag: str) -> bool:
        return self.arguments.values.get(flag) == "true"


def translate(arguments: Arguments, environ: Mapping[str, str]) -> AtlasTranslation:
    """Raises UsageError and, for atlas.hcl, MigrationError."""
    if arguments.command == "version":
        return AtlasTranslation((["-version"],))
    environments = _environments(arguments, environ)
    found = [
        _COMMANDS[arguments.command](_Order(arguments, each, environ)) for each in environments
    ]
    return replace(found[0], lines=tuple(line for each in found for line in each.lines))


def _environments(arguments: Arguments, environ: Mapping[str, str]) -> tuple[Environment, ...]:
    name = arguments.values.get("env", "")
    if not name:
        return (Environment(),)
    path = Path(_path_of(arguments.values.get("config", "file://atlas.hcl"), "config"))
    variables = arguments.lists.get("var", [])
    return read_project(path, name, variables, environ, is_of_each=arguments.command in _OF_EACH)


def _apply(order: _Order) -> AtlasTranslation:
    head = [*_directory(order, needs_own_table=True), *_database(order)]
    head += ["-lock-timeout", _seconds(order.value("lock-timeout", "lock_timeout"))]
    exec_order = order.value("exec-order", "exec_order") or "linear"
    if exec_order.lower().replace("_", "-") not in _ORDERS:
        raise UsageError(f"--exec-order: expected {', '.join(_ORDERS)}")
    head += ["-out-of-order", _ORDERS[exec_order.lower().replace("_", "-")]]
    mode = order.value("tx-mode", "tx_mode") or "file"
    if mode not in _MODES:
        raise UsageError(f"--tx-mode: expected {', '.join(_MODES)}")
    amount = _amount(order.arguments.operands)
    version = order.value("to-version")
    baseline = order.value("baseline", "baseline")
    if amount and version:
        raise UsageError("an amount and --to-version can't both be given")
    if baseline and order.is_set("allow-dirty"):
        raise UsageError("baseline and allow-dirty are mutually exclusive")
    line = [*head, "apply", *_template(order, "apply")]
    line += ["-dry-run"] if order.is_set("dry-run") else []
    line += ["-tx-mode", mode] if mode != "file" else []
    line += ["-baseline", baseline] if baseline else []
    line += ["-allow-dirty"] if order.is_set("allow-dirty") else []
    line += ["-to", version] if version else []
    return AtlasTranslation(([*line, *([amount] if amount else [])],))


def _status(order: _Order) -> AtlasTranslation:
    _no_operands(order)
    head = [*_directory(order, needs_own_table=True), *_database(order)]
    told = _template(order, "status")
    return AtlasTranslation(([*head, "status", *told],))


def _set(order: _Order) -> AtlasTranslation:
    if len(order.arguments.operands) > 1:
        raise UsageError(f"accepts 1 arg(s), received {len(order.arguments.operands)}")
    head = [*_directory(order, needs_own_table=True), *_database(order)]
    told = [f"-{AS_ATLAS.name}", TEXT]
    return AtlasTranslation(([*head, "force", *told, *order.arguments.operands],))


def _diff(order: _Order) -> AtlasTranslation:
    env = order.env
    if len(order.arguments.operands) > 1:
        raise UsageError("atlas migrate diff takes one name")
    if order.is_set("edit"):
        raise UsageError("--edit is not supported: edit the file that was written")
    if env.exclude:
        raise UsageError("exclude is not supported: diff takes all it is given")
    place = env.diff_policy
    if place is not None:
        raise UsageError(
            f"{place.file}: line {place.line}: this diff policy is not supported: look at"
            " what `diff` writes (it marks what destroys), and take out what is not wanted"
        )
    if order.value("format") and not _INDENT.fullmatch(order.value("format").strip()):
        raise UsageError("of all templates --format of diff has '{{ sql . \"  \" }}' alone here")
    line = [*_directory(order), "diff"]
    targets = order.arguments.lists.get("to") or list(env.src)
    if not targets:
        raise UsageError("no desired schema: give --to, or src in atlas.hcl")
    for target in targets:
        line += ["-to", _desired(target)]
    server, notices = _scratch(order)
    if order.arguments.lists.get("schema") or env.schemas:
        if any(not target.startswith(("file:", "exec:")) for target in targets):
            raise UsageError(
                "schemas are not supported where --to is a database: all of it is compared"
            )
        notices += ("schemas: all schemas that the files create are compared",)
    line += [*server, *(order.arguments.operands or ("schema",))]
    return AtlasTranslation((line,), notices, directory=line[line.index("-path") + 1])


def _lint(order: _Order) -> AtlasTranslation:
    _no_operands(order)
    latest = order.value("latest") or str(order.env.latest or "")
    if latest and not latest.isdecimal():
        raise UsageError("--latest is a number of files")
    base = order.value("git-base") or order.env.git("base")
    if base and order.value("latest"):
        raise UsageError("--latest and --git-base are mutually exclusive")
    if base and not order.arguments.values.get("latest"):
        from dbmigrate.cli.atlas.git_changes import count_new_files

        where = _directory(order)
        directory = where[where.index("-path") + 1]
        repository = order.value("git-dir") or order.env.git("dir")
        latest = str(count_new_files(directory, base, repository))
    form = _template(order, "lint")
    return AtlasTranslation(
        ([*_directory(order), "lint", *form, *(["-latest", latest] if latest else [])],)
    )


def _validate(order: _Order) -> AtlasTranslation:
    _no_operands(order)
    lines = [[*_directory(order), "hash", "-check"]]
    notices: tuple[str, ...] = ()
    if order.value("dev-url") or order.env.dev:
        server, notices = _scratch(order)
        lines.append([*_directory(order), "rehearse", *server])
    return AtlasTranslation(tuple(lines), notices)


def _hash(order: _Order) -> AtlasTranslation:
    _no_operands(order)
    return AtlasTranslation(([*_directory(order), "hash"],))


def _new(order: _Order) -> AtlasTranslation:
    if order.is_set("edit"):
        raise UsageError("--edit is not supported: edit the file that was made")
    if len(order.arguments.operands) > 1:
        raise UsageError("atlas migrate new takes one name")
    where = _directory(order)
    directory = where[where.index("-path") + 1]
    kind = where[where.index("-format") + 1]
    if not order.arguments.operands and kind != "atlas":
        raise UsageError(f"a new file of {kind}'s needs a name")
    name = order.arguments.operands
    return AtlasTranslation(([*where, "create", "-ext", "sql", "-dir", directory, *name],))


_COMMANDS = {
    "apply": _apply,
    "status": _status,
    "set": _set,
    "diff": _diff,
    "lint": _lint,
    "validate": _validate,
    "hash": _hash,
    "new": _new,
}


def _directory(order: _Order, *, needs_own_table: bool = False) -> Line:
    """`-path` and `-format`."""
    url = order.value("dir", "dir") or "file://migrations"
    path = _path_of(url, "dir") or "migrations"
    asked = parse_qs(urlsplit(url).query).get("format", [""])[0]
    kind = asked or order.value("dir-format", "format") or "atlas"
    if kind not in _FORMATS:
        raise UsageError(f"the format {present(kind)} of --dir is not supported")
    if needs_own_table and kind != "atlas":
        raise UsageError(
            f"Atlas keeps a table of its own for {kind}'s files, dbmigrate continues in {kind}'s:"
            f" `dbmigrate -path {path} -format {kind} ...`"
        )
    return ["-path", path, "-format", kind]


def _scratch(order: _Order) -> tuple[Line, tuple[str, ...]]:
    """`-dev-url`, and what is to be said of it."""
    dev = order.value("dev-url") or order.env.dev
    docker = _DOCKER.match(dev)
    if docker is None:
        return (["-dev-url", dev] if dev else []), ()
    engine = docker[1] or docker[2]
    if engine in _OTHER_ENGINES:
        raise UsageError(f"--dev-url is a server of {engine}: dbmigrate supports only PostgreSQL")
    asked = dev.split("?", maxsplit=1)[0]
    return [], (
        f"--dev-url {asked}: no container is started, a scratch server of the PostgreSQL that is"
        " installed here stands in",
    )


def _database(order: _Order) -> Line:
    url = order.value("url") or order.env.url
    if not url:
        raise UsageError('required flag "url" not set')
    scheme = url.partition("://")[0]
    if scheme not in ("postgres", "postgresql"):
        raise UsageError("--url must begin with postgres://: dbmigrate supports only PostgreSQL")
    line = ["-database", url]
    schema = order.value("revisions-schema", "revisions_schema")
    if schema:
        line += [
            "-history-table",
            f'"{schema.replace(chr(34), chr(34) * 2)}".atlas_schema_revisions',
        ]
    return line


def _path_of(url: str, flag: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise UsageError(f"--{flag} must begin with file://")
    return unquote(parts.netloc + parts.path)


def _desired(target: str) -> str:
    """What `diff -to` is to be given."""
    scheme, colon, _ = target.partition("://")
    if target.startswith("exec:") or scheme in ("postgres", "postgresql"):
        return target
    if not colon:
        raise UsageError("--to needs a scheme: file://, postgres:// or a data source of atlas.hcl")
    if scheme != "file":
        raise UsageError(f"--to {present(scheme)}:// is not supported")
    path = _path_of(target, "to")
    if path.endswith(".hcl"):
        raise UsageError("a schema in HCL is not supported: write it as SQL")
    return path


def _template(order: _Order, command: str) -> Line:
    """`-as-atlas`: in words, or as the one template that there is."""
    if order.value("format") and order.value("log"):
        raise UsageError("--format and --log can't both be given")
    text = order.value("format") or order.value("log") or order.env.template(command)
    if not text:
        return [] if command == "lint" else [f"-{AS_ATLAS.name}", TEXT]
    try:
        return [f"-{AS_ATLAS.name}", check_template(text)]
    except ValueError as error:
        raise UsageError(f"--format: {error}") from None


def _seconds(duration: str) -> str:
    text = duration or DEFAULT_LOCK_TIMEOUT
    try:
        seconds = read_duration(text)
    except ValueError:
        seconds = None
    if seconds is None:
        raise UsageError(f"--lock-timeout is a duration such as 10s, not {present(text)}")
    return f"{round(seconds * 1000)}ms"


def _amount(operands: tuple[str, ...]) -> str:
    if len(operands) > 1:
        raise UsageError("atlas migrate apply takes one amount")
    if operands and (not operands[0].isdecimal() or int(operands[0]) < 1):
        raise UsageError("the amount is a number of files, at least 1")
    return operands[0] if operands else ""


def _no_operands(order: _Order) -> None:
    if order.arguments.operands:
        raise UsageError(f"atlas migrate {order.arguments.command} takes no arguments")
