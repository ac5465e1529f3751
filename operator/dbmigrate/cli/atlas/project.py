"""atlas.hcl: which database, which files and which policies an environment names.

Only what the chosen environment refers to is worked out: a variable without a value, or
a data source that has no counterpart here, is an error where it is used and nowhere else.
A program of `data "external_schema"` is not run here, but named, for `diff` to run.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbmigrate.child_process import Child, run
from dbmigrate.cli.atlas.expressions import Scope, Value
from dbmigrate.cli.atlas.functions import make_functions
from dbmigrate.cli.atlas.hcl import Attribute, Block, Place, bare_name, parse
from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason

PROGRAM = "exec:"
"""How `dbmigrate diff -to` is told to run a program."""

_KNOWN_BLOCKS = frozenset(("variable", "locals", "data", "env", "lint", "diff", "atlas", "format"))
_WORDS = frozenset(("exec_order", "format", "tx_mode"))
_ENV_BLOCKS = frozenset(("migration", "lint", "diff", "format"))


@dataclass(frozen=True, slots=True)
class Environment:
    """What one `env` block says; empty where it says nothing."""

    url: str = ""
    dev: str = ""
    src: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    dir: str = ""
    format: str = ""
    revisions_schema: str = ""
    lock_timeout: str = ""
    baseline: str = ""
    exec_order: str = ""
    tx_mode: str = ""
    latest: int = 0
    """Files that `lint` looks at, counted from the newest; 0: not said."""
    git_base: str = ""
    """The branch with which `lint` compares."""
    git_dir: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)
    """Templates for what commands print, by command."""
    has_diff_policy: Place | None = None
    """Where `diff` skips changes or wants other forms of them."""


def read_project(
    path: Path, name: str, variables: Sequence[str], environ: Mapping[str, str]
) -> tuple[Environment, ...]:
    """The environment of that name: one for each value of its `for_each`, where it has that.

    `variables` are those of `--var`, `name=value`. Raises MigrationError (SourceInvalid)
    with the line of what is not understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _refused(f'project file "{path}" was not found: {error.strerror}') from None
    except UnicodeDecodeError:
        raise _refused(f"{path} is not UTF-8") from None
    project = _Project(parse(text, str(path)), path, name, variables, environ)
    return project.environments(name)


class _Project:
    def __init__(
        self,
        root: Block,
        path: Path,
        env: str,
        variables: Sequence[str],
        environ: Mapping[str, str],
    ) -> None:
        self._root = root
        self._file = str(path)
        self._environ = environ
        self._given = _read_variables(variables)
        self._locals = {
            name: attribute
            for block in root.all("locals")
            for name, attribute in block.attributes.items()
        }
        self._known: dict[str, Value] = {}
        self._open: list[str] = []
        """What is being worked out, to see a circle."""
        roots: dict[str, Value] = {
            "var": self._variable,
            "local": self._local,
            "data": self._data_of_kind,
            "atlas": {"env": env},
        }
        self._roots = roots
        self._scope = Scope(roots.get, make_functions(path.parent.absolute(), environ))

    def environments(self, name: str) -> tuple[Environment, ...]:
        """One, or one for each value."""
        block = self._find_env(name)
        for unknown in (each for each in self._root.blocks if each.kind not in _KNOWN_BLOCKS):
            raise unknown.place.refuse(f"a block {unknown.kind} has no counterpart here")
        for unknown in (each for each in block.blocks if each.kind not in _ENV_BLOCKS):
            raise unknown.place.refuse(f"a block {unknown.kind} has no counterpart here")
        if "for_each" not in block.attributes:
            return (self._environment(block),)
        attribute = block.attributes["for_each"]
        values = self._value(attribute)
        if not isinstance(values, list | dict) or not values:
            raise attribute.place.refuse("for_each is to be a list or a map that is not empty")
        pairs = values.items() if isinstance(values, dict) else ((each, each) for each in values)
        found = []
        for key, value in pairs:
            self._roots["each"] = {"key": key, "value": value}
            found.append(self._environment(block))
        return tuple(found)

    def _environment(self, block: Block) -> Environment:
        migration = next(block.all("migration"), None)
        found = {key: self._text(block, key) for key in ("url", "dev")}
        found |= {
            key: self._text(migration, key)
            for key in (
                *("dir", "format", "revisions_schema", "lock_timeout"),
                *("baseline", "exec_order", "tx_mode"),
            )
        }
        return Environment(
            **found,
            src=self._texts(block, "src"),
            schemas=self._texts(block, "schemas"),
            exclude=self._texts(block, "exclude"),
            latest=self._latest(block),
            git_base=self._git(block, "base"),
            git_dir=self._git(block, "dir"),
            formats=self._formats(block),
            has_diff_policy=self._diff_policy(block) or self._diff_policy(self._root),
        )

    def _find_env(self, name: str) -> Block:
        found = [each for each in self._root.all("env") if self._is_named(each, name)]
        if not found:
            raise _refused(f'env "{name}" not defined in project file {self._file}')
        if len(found) > 1:
            raise found[1].place.refuse(f"env {name} is there twice: one run migrates one database")
        return found[0]

    def _is_named(self, block: Block, name: str) -> bool:
        if block.labels:
            return block.labels == (name,)
        attribute = block.attributes.get("name")
        return attribute is not None and self._value(attribute) == name

    def _git(self, block: Block, name: str) -> str:
        for owner in (block, self._root):
            for lint in owner.all("lint"):
                for git in lint.all("git"):
                    if name in git.attributes:
                        return self._text(git, name)
        return ""

    def _formats(self, block: Block) -> dict[str, str]:
        """`format { migrate { apply = ... } }`, and `format` in a block `lint`."""
        found: dict[str, str] = {}
        for owner in (self._root, block):
            for lint in owner.all("lint"):
                found["lint"] = self._text(lint, "format") or found.get("lint", "")
            for form in owner.all("format"):
                for migrate in form.all("migrate"):
                    found |= {name: self._text(migrate, name) for name in migrate.attributes}
        return {name: text for name, text in found.items() if text}

    def _diff_policy(self, block: Block) -> Place | None:
        """Where one wants other than what `diff` does anyway: indexes are built concurrently."""
        for policy in block.all("diff"):
            for attribute in policy.attributes.values():
                return attribute.place
            for each in policy.blocks:
                values = each.attributes.values()
                is_ours = each.kind == "concurrent_index" and not each.blocks
                if not is_ours or not all(self._value(value) is True for value in values):
                    return each.place
        return None

    def _latest(self, block: Block) -> int:
        for owner in (block, self._root):
            for lint in owner.all("lint"):
                if "latest" in lint.attributes:
                    attribute = lint.attributes["latest"]
                    value = self._value(attribute)
                    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                        raise attribute.place.refuse("latest is a number of files")
                    return value
        return 0

    def _text(self, block: Block | None, name: str) -> str:
        attribute = block.attributes.get(name) if block else None
        if attribute is None:
            return ""
        # Atlas has words of its own for these: exec_order = LINEAR_SKIP, format = goose.
        word = bare_name(attribute.expression) if name in _WORDS else ""
        value = word if word and word != "null" else self._value(attribute)
        if name == "format" and value is None:
            return ""
        if not isinstance(value, str):
            raise attribute.place.refuse(f"{name} is to be a text")
        return value

    def _texts(self, block: Block, name: str) -> tuple[str, ...]:
        attribute = block.attributes.get(name)
        if attribute is None:
            return ()
        value = self._value(attribute)
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise attribute.place.refuse(f"{name} is to be a text, or a list of texts")
        return tuple(values)

    def _value(self, attribute: Attribute) -> Value:
        return self._scope.evaluate(attribute.expression, attribute.place)

    def _once(self, name: str, place: Place, work: Callable[[], Value]) -> Value:
        if name not in self._known:
            if name in self._open:
                raise place.refuse(f"{name} depends on itself")
            self._open.append(name)
            self._known[name] = work()
            self._open.pop()
        return self._known[name]

    def _local(self, name: str) -> Value | None:
        attribute = self._locals.get(name)
        if attribute is None:
            return None
        return self._once(f"local.{name}", attribute.place, lambda: self._value(attribute))

    def _variable(self, name: str) -> Value | None:
        block = next((each for each in self._root.all("variable") if each.labels == (name,)), None)
        if block is None:
            return None
        return self._once(f"var.{name}", block.place, lambda: self._work_out(block, name))

    def _work_out(self, block: Block, name: str) -> Value:
        kind = block.attributes.get("type")
        wanted = _type_name(kind.expression) if kind else "string"
        if name in self._given:
            return _convert(self._given[name], wanted, name, block.place)
        if "default" not in block.attributes:
            raise block.place.refuse(
                f'missing value for required variable "{name}": give --var {name}=VALUE'
            )
        value = self._value(block.attributes["default"])
        return str(value) if wanted == "string" and isinstance(value, int | float) else value

    def _data_of_kind(self, kind: str) -> Callable[[str], Value | None]:
        return lambda name: self._data(kind, name)

    def _data(self, kind: str, name: str) -> Value | None:
        block = next((each for each in self._root.all("data") if each.labels == (kind, name)), None)
        if block is None:
            return None
        if kind == "external":
            return self._once(f"data.external.{name}", block.place, lambda: self._output(block))
        if kind == "sql":
            return self._once(f"data.sql.{name}", block.place, lambda: self._rows(block))
        if kind != "external_schema":
            raise block.place.refuse(
                f'data "{kind}" has no counterpart here: write what it stands for, or take it'
                " from the environment with getenv"
            )
        return self._once(f"data.{kind}.{name}", block.place, lambda: self._program(block))

    def _rows(self, block: Block) -> Value:
        """The first column of what a `data "sql"` asks a database, as texts."""
        from dbmigrate.postgres.connection.connect import connect
        from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
        from dbmigrate.postgres.connection.target import parse_target

        url, query = self._text(block, "url"), self._text(block, "query")
        if not url or not query:
            raise block.place.refuse('data "sql" needs a url and a query')
        if "args" in block.attributes:
            raise block.attributes["args"].place.refuse(
                "args has no counterpart here: write them into the query"
            )
        session = connect(parse_target(url, self._environ), role="project")
        try:
            tables = session.query_as_user(query)
        except (ServerFailure, ConnectionBroken) as failure:
            raise block.place.refuse(f"the query failed: {failure}") from None
        finally:
            session.close()
        values = [row[0] for row in tables[-1]] if tables else []
        return {"count": len(values), "values": values, "value": values[0] if values else None}

    def _output(self, block: Block) -> Value:
        """What the program of a `data "external"` prints, which is used at once."""
        words = self._texts(block, "program")
        if not words:
            raise block.place.refuse("external needs a program")
        where = self._text(block, "working_dir") or None
        try:
            ended = run(Child.PROGRAM, words, cwd=where)
            output = ended.output.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise block.place.refuse(f"{words[0]} can't be run: {error}") from None
        if ended.code != 0:
            said = ended.complaint.decode(errors="replace").strip().splitlines()[-1:]
            raise block.place.refuse(
                f"{words[0]} failed with {ended.code}: {''.join(said) or 'it says nothing'}"
            )
        # The last line feed is the program's way to end a line, and in no URL.
        return output.removesuffix("\n")

    def _program(self, block: Block) -> Value:
        if "working_dir" in block.attributes:
            place = block.attributes["working_dir"].place
            raise place.refuse("working_dir has no counterpart here: name the program by its path")
        words = self._texts(block, "program")
        if not words:
            raise block.place.refuse("external_schema needs a program")
        return {"url": PROGRAM + shlex.join(words)}


def _read_variables(given: Sequence[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise _refused(f'variables must be given as name=value, not "{each}"')
        values.setdefault(name, []).append(value)
    return values


def _type_name(expression: Any) -> str:
    """`string`, `number`, `bool`, or `list` and its kin, whatever they are of."""
    node = expression
    while hasattr(node, "children"):
        node = node.children[0]
    return str(node)


def _convert(given: list[str], wanted: str, name: str, place: Place) -> Value:
    if wanted in ("list", "set", "tuple"):
        return list(given)
    if len(given) > 1:
        raise place.refuse(f"--var {name} is given twice, and is no list")
    (text,) = given
    if wanted == "bool":
        if text not in ("true", "false"):
            raise place.refuse(f"--var {name} is to be true or false")
        return text == "true"
    if wanted in ("int", "number"):
        try:
            return float(text) if "." in text else int(text)
        except ValueError:
            raise place.refuse(f"--var {name} is to be a number") from None
    if wanted != "string":
        raise place.refuse(f"a variable of type {wanted} can't be given on the command line")
    return text


def _refused(problem: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, problem)
