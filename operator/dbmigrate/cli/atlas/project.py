"""atlas.hcl: which database, which files and which policies an environment names.

Only what a command reads is evaluated, with what that refers to: a variable without a value,
or a data source that is not supported, is an error where it is used and nowhere else.
The size of all values together and the depth of expressions are bounded.
A program of `data "external_schema"` is not run here, but named, for `diff` to run.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dbmigrate.child_process import Child, run
from dbmigrate.cli.arguments.flags import UsageError, present
from dbmigrate.cli.atlas.environment import Environment, read_text, read_texts
from dbmigrate.cli.atlas.expressions import Budget, Scope, Value
from dbmigrate.cli.atlas.functions import make_functions
from dbmigrate.cli.atlas.hcl import Attribute, Block, Place, parse
from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.report import Reason

PROGRAM = "exec:"
"""How `dbmigrate diff -to` is told to run a program."""

_KNOWN_BLOCKS = frozenset(("variable", "locals", "data", "env", "lint", "diff", "atlas", "format"))
LARGEST_FILE = 256 << 10
"""Bytes of atlas.hcl. Its grammar takes seconds for more."""
_ENV_BLOCKS = frozenset(("migration", "lint", "diff", "format"))


def read_project(
    path: Path,
    name: str,
    variables: Sequence[str],
    environ: Mapping[str, str],
    *,
    is_of_each: bool = True,
) -> tuple[Environment, ...]:
    """The environment of that name: one for each value of its `for_each`, where it has that.

    `variables` are those of `--var`, `name=value`. With `is_of_each` False the command goes
    through one database at most, and `for_each` is evaluated where a setting refers to it.
    Raises MigrationError (SourceInvalid) with the line of what is not understood.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise _refused(f'project file "{path}" was not found: {cause_of(error)}') from None
    except UnicodeDecodeError:
        raise _refused(f"{path} is not UTF-8") from None
    if len(content) > LARGEST_FILE:
        raise _refused(f"{path} is larger than {LARGEST_FILE >> 10} kB")
    project = _Project(parse(text, str(path)), path, name, variables, environ)
    return project.environments(name, is_of_each=is_of_each)


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
        self._roots: dict[str, Value] = {
            "var": self._variable,
            "local": self._local,
            "data": self._data_of_kind,
            "atlas": {"env": env},
        }
        self._functions = make_functions(path.parent.absolute(), environ)
        self._budget = Budget()

    def environments(self, name: str, *, is_of_each: bool) -> tuple[Environment, ...]:
        """One, or one for each value."""
        block = self._find_env(name)
        for unknown in (each for each in self._root.blocks if each.kind not in _KNOWN_BLOCKS):
            raise unknown.place.refuse(f"a block {unknown.kind} is not supported")
        for unknown in (each for each in block.blocks if each.kind not in _ENV_BLOCKS):
            raise unknown.place.refuse(f"a block {unknown.kind} is not supported")
        if "for_each" not in block.attributes:
            return (Environment(block, self._root, self._value),)
        if not is_of_each:
            only = partial(self._only_each, block.attributes["for_each"])
            return (Environment(block, self._root, partial(self._value, each=only)),)
        return tuple(
            Environment(block, self._root, partial(self._value, each=each.get))
            for each in self._each(block.attributes["for_each"])
        )

    def _each(self, attribute: Attribute) -> list[dict[str, Value]]:
        values = self._value(attribute)
        if not isinstance(values, list | dict) or not values:
            raise attribute.place.refuse("for_each must be a list or a map that is not empty")
        pairs = values.items() if isinstance(values, dict) else ((each, each) for each in values)
        return [{"key": key, "value": value} for key, value in pairs]

    def _only_each(self, attribute: Attribute, name: str) -> Value:
        """`each.NAME` where a command takes one database."""
        first, *others = self._each(attribute)
        if others:
            raise UsageError(
                "for_each names several databases, which only apply and status support"
            )
        return first.get(name)

    def _find_env(self, name: str) -> Block:
        found = [each for each in self._root.all("env") if self._is_named(each, name)]
        if not found:
            raise _refused(f'env "{name}" not defined in project file {self._file}')
        if len(found) > 1:
            raise found[1].place.refuse(f"env {name} exists twice: one run migrates one database")
        return found[0]

    def _is_named(self, block: Block, name: str) -> bool:
        if block.labels:
            return block.labels == (name,)
        attribute = block.attributes.get("name")
        return attribute is not None and self._value(attribute) == name

    def _value(self, attribute: Attribute, each: Callable[[str], Value] | None = None) -> Value:
        names = self._roots if each is None else {**self._roots, "each": each}
        scope = Scope(names.get, self._functions, self._budget)
        try:
            return scope.evaluate(attribute.expression, attribute.place)
        except RecursionError:
            raise attribute.place.refuse("this is nested too deeply") from None

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
                f'data "{kind}" is not supported: write what it stands for, or take it'
                " from the environment with getenv"
            )
        return self._once(f"data.{kind}.{name}", block.place, lambda: self._program(block))

    def _rows(self, block: Block) -> Value:
        """The first column of what a `data "sql"` asks a database, as texts."""
        from dbmigrate.postgres.connection.connect import connect
        from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
        from dbmigrate.postgres.connection.target import parse_target

        url, query = read_text(block, "url", self._value), read_text(block, "query", self._value)
        if not url or not query:
            raise block.place.refuse('data "sql" needs a url and a query')
        if "args" in block.attributes:
            raise block.attributes["args"].place.refuse(
                "args is not supported: write them into the query"
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
        words = read_texts(block, "program", self._value)
        if not words:
            raise block.place.refuse("external needs a program")
        where = read_text(block, "working_dir", self._value) or None
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
            raise place.refuse("working_dir is not supported: name the program by its path")
        words = read_texts(block, "program", self._value)
        if not words:
            raise block.place.refuse("external_schema needs a program")
        return {"url": PROGRAM + shlex.join(words)}


def _read_variables(given: Sequence[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise _refused(f'variables must be given as name=value, not "{present(each)}"')
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
            raise place.refuse(f"--var {name} must be true or false")
        return text == "true"
    if wanted in ("int", "number"):
        try:
            return float(text) if "." in text else int(text)
        except ValueError:
            raise place.refuse(f"--var {name} must be a number") from None
    if wanted != "string":
        raise place.refuse(f"a variable of type {wanted} can't be given on the command line")
    return text


def _refused(problem: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, problem)
