"""Go's text/template on a document of ours: what `--format` prints.

Values are Python's; a struct of Atlas's is a Document. The functions are Atlas's (json,
json_merge, upper, its colours, which say nothing where there is no terminal) and the
usual ones of Go. A field or a function that is not known is an error, as there: an empty
text in its place might lead a script astray.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dbmigrate.cli.atlas.documents import Document, Moment, to_json
from dbmigrate.cli.atlas.template_syntax import (
    Branch,
    Command,
    Node,
    Operand,
    Pipeline,
    parse_template,
    refused,
)

_VERB = re.compile(r"%([-+ 0]*[0-9]*(?:\.[0-9]+)?)([a-z%])")


class Template:
    """A text that is understood, to be filled in. Raises UsageError for one that is not."""

    def __init__(self, text: str) -> None:
        self._nodes = parse_template(text, {*FUNCTIONS, "and", "or"})

    def render(self, document: Document) -> str:
        """Raises UsageError for a field that the document does not have, and the like."""
        scope = _Scope({"$": document})
        return "".join(_render(self._nodes, document, scope))


class _Scope:
    """The variables that are known in a block, and those around it."""

    def __init__(self, values: dict[str, Any], outer: _Scope | None = None) -> None:
        self._values = values
        self._outer = outer

    def find(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if self._outer is None:
            raise refused(f"there is no variable {name}")
        return self._outer.find(name)

    def set(self, name: str, value: Any, *, is_new: bool) -> None:
        owner: _Scope | None = self
        while owner is not None and not is_new and name not in owner._values:
            owner = owner._outer
        if owner is None:
            raise refused(f"there is no variable {name}")
        owner._values[name] = value

    def inner(self) -> _Scope:
        return _Scope({}, self)


def _render(nodes: Sequence[Node], dot: Any, scope: _Scope) -> list[str]:
    parts: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            parts.append(node)
        elif isinstance(node, Branch):
            parts += _branch(node, dot, scope.inner())
        else:
            value = _value(node, dot, scope)
            if node.variables:
                scope.set(node.variables[0], value, is_new=node.is_new)
            else:
                parts.append(to_text(value))
    return parts


def _branch(branch: Branch, dot: Any, scope: _Scope) -> list[str]:
    value = _value(branch.pipeline, dot, scope)
    names = branch.pipeline.variables
    if not _is_true(value):
        return _render(branch.otherwise, dot, scope)
    if branch.kind != "range":
        if names:
            scope.set(names[0], value, is_new=branch.pipeline.is_new)
        return _render(branch.body, value if branch.kind == "with" else dot, scope)
    if isinstance(value, Mapping) or not isinstance(value, Sequence):
        raise refused("range can't go over that")
    parts: list[str] = []
    for index, each in enumerate(value):
        inner = scope.inner()
        for name, what in zip(names, (each,) if len(names) == 1 else (index, each), strict=False):
            inner.set(name, what, is_new=True)
        parts += _render(branch.body, each, inner)
    return parts


def _value(pipeline: Pipeline, dot: Any, scope: _Scope) -> Any:
    piped: tuple[Any, ...] = ()
    for command in pipeline.commands:
        piped = (_run(command, piped, dot, scope),)
    return piped[0]


def _run(command: Command, piped: tuple[Any, ...], dot: Any, scope: _Scope) -> Any:
    first, *rest = command
    if first.kind == "function":
        name = str(first.value)
        if name in ("and", "or"):
            return _choose(name, [*rest], piped, dot, scope)
        arguments = [*(_operand(each, dot, scope) for each in rest), *piped]
        try:
            return FUNCTIONS[name](*arguments)
        except (TypeError, ValueError, LookupError):
            raise refused(f"{name} can't be called with these values") from None
    value = _operand(first, dot, scope)
    arguments = [*(_operand(each, dot, scope) for each in rest), *piped]
    if callable(value):
        return value(*arguments)
    if arguments:
        raise refused("a value that is no function has arguments")
    return value


def _choose(
    name: str, operands: list[Operand], piped: tuple[Any, ...], dot: Any, scope: _Scope
) -> Any:
    """`and` and `or`: the first that decides, else the last."""
    value: Any = None
    for value in (*(_operand(each, dot, scope) for each in operands), *piped):
        if _is_true(value) is (name == "or"):
            break
    return value


def _operand(operand: Operand, dot: Any, scope: _Scope) -> Any:
    if operand.kind == "literal":
        return operand.value
    if operand.kind == "function":
        return _run((operand,), (), dot, scope)
    if operand.kind == "pipeline" and isinstance(operand.value, Pipeline):
        value = _value(operand.value, dot, scope)
    else:
        value = scope.find(str(operand.value)) if operand.kind == "variable" else dot
    for field in operand.fields:
        value = _look_into(value, field)
    return value


def _look_into(value: Any, field: str) -> Any:
    if isinstance(value, Document) and field in value:
        return value[field]
    if isinstance(value, Moment) and field == "Sub":
        return value.since
    raise refused(f"there is no field {field}")


def to_text(value: Any) -> str:
    """As Go prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Document):
        raise refused("a whole struct can be printed by json alone")
    if isinstance(value, list | tuple):
        return f"[{' '.join(map(to_text, value))}]"
    return str(value)


def _is_true(value: Any) -> bool:
    return bool(value) or isinstance(value, Document | Moment)


def _printf(form: str, *values: Any) -> str:
    rest = list(values)

    def put(found: re.Match[str]) -> str:
        width, verb = found.groups()
        if verb == "%":
            return "%"
        value = rest.pop(0)
        if verb == "d":
            return str(f"%{width}d" % value)
        if verb not in ("s", "v", "q", "t"):
            raise ValueError(verb)
        text = to_text(value)
        return str(f"%{width}s" % (json.dumps(text, ensure_ascii=False) if verb == "q" else text))

    return _VERB.sub(put, form)


def _compare(check: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(one: Any, other: Any) -> bool:
        if isinstance(one, str) is not isinstance(other, str):
            raise TypeError("a text and no text")
        return check(one, other)

    return compare


def _index(owner: Any, *keys: Any) -> Any:
    for key in keys:
        owner = owner[key]
    return owner


def _merge(*texts: str) -> str:
    merged: dict[str, Any] = {}
    for text in texts:
        merged.update(json.loads(text))
    return json.dumps(merged, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _same(text: Any, *values: Any) -> str:
    return _printf(text, *values) if values else to_text(text)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "json": to_json,
    "json_merge": _merge,
    "upper": lambda text: text.upper(),
    "dec": lambda number: number - 1,
    "add": lambda one, other: one + other,
    "sub": lambda one, other: one - other,
    **dict.fromkeys(("cyan", "green", "red", "yellow", "redBgWhiteFg"), _same),
    "len": len,
    "index": _index,
    "not": lambda value: not _is_true(value),
    "eq": lambda one, *others: any(_compare(lambda a, b: a == b)(one, each) for each in others),
    "ne": _compare(lambda a, b: a != b),
    "lt": _compare(lambda a, b: a < b),
    "le": _compare(lambda a, b: a <= b),
    "gt": _compare(lambda a, b: a > b),
    "ge": _compare(lambda a, b: a >= b),
    "print": lambda *values: "".join(map(to_text, values)),
    "println": lambda *values: " ".join(map(to_text, values)) + "\n",
    "printf": _printf,
}
