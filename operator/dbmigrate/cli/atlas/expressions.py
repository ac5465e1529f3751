"""What an expression of HCL is worth.

Values are Python's: str, int, float, bool, None, list and dict. References are looked up by the
owner of the names (variables, locals, data). What is not known is refused with its line: a wrong
guess might name another database.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from dbmigrate.cli.atlas.hcl import Place, Tree, first_line, name_of, parse_expression
from dbmigrate.errors import MigrationError, cause_of

Value = Any
Function = Callable[..., Value]

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_OPERATORS: Mapping[str, Callable[[Any, Any], Value]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}
_LITERALS = {"true": True, "false": False, "null": None}


LARGEST_VALUE = 1 << 20
"""Characters of a text, or elements of a list with those of its elements."""
_ALL_VALUES = 16 << 20


class Budget:
    """What all values of one project may measure together, so that no doubling fills memory."""

    def __init__(self) -> None:
        self._left = _ALL_VALUES

    def take(self, value: Value, place: Place) -> Value:
        """The value, if it is within bounds. Raises MigrationError (SourceInvalid)."""
        size = _measure(value, min(self._left, LARGEST_VALUE))
        self._left -= size
        if size > LARGEST_VALUE or self._left < 0:
            raise place.refuse("this value, or all values together, are too large")
        return value


def _measure(value: Value, limit: int) -> int:
    """The size of a value; more than the limit as soon as it is exceeded."""
    size = 0
    waiting = [value]
    while waiting and size <= limit:
        each = waiting.pop()
        size += 1
        if isinstance(each, str):
            size += len(each)
        elif isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each
    return size


class Scope:
    """The names and functions that an expression may use, and where it stands."""

    def __init__(
        self,
        names: Callable[[str], Value | None],
        functions: Mapping[str, Function],
        budget: Budget,
    ) -> None:
        self._names = names
        self._functions = functions
        self._budget = budget

    def evaluate(self, tree: Tree, place: Place) -> Value:
        """Raises MigrationError (SourceInvalid) with the line."""
        place = Place(place.file, first_line(tree) or place.line)
        return _Evaluation(self._names, self._functions, self._budget, place).value(tree)


class _Evaluation:
    def __init__(
        self,
        names: Callable[[str], Value | None],
        functions: Mapping[str, Function],
        budget: Budget,
        place: Place,
    ) -> None:
        self._names = names
        self._functions = functions
        self._budget = budget
        self._place = place

    def value(self, tree: Tree) -> Value:
        kind = name_of(tree)
        rule = _RULES.get(kind)
        if rule is None:
            raise self._place.refuse(f"this form of HCL ({kind}) is not supported")
        value = rule(self, tree)
        return self._budget.take(value, self._place) if kind in _MAKES_VALUES else value

    def term(self, tree: Tree) -> Value:
        (inner,) = (each for each in tree.children if _is_meant(each))
        return self.value(inner)

    def name(self, tree: Tree) -> Value:
        name = str(tree.children[0])
        found = self._names(name)
        if found is None:
            raise self._place.refuse(f"there is no {name} here")
        return found

    def literal(self, tree: Tree) -> Value:
        return _LITERALS[str(tree.children[0])]

    def number(self, tree: Tree) -> Value:
        text = "".join(map(str, tree.children))
        return int(text) if text.isdigit() else float(text)

    def string(self, tree: Tree) -> Value:
        parts = [each for part in tree.children[1:-1] for each in part.children]
        values = [self._part(each) for each in parts]
        if len(parts) == 1 and not isinstance(values[0], str):
            return values[0] if name_of(parts[0]) == "interpolation" else str(values[0])
        return "".join(self._text(value) for value in values)

    def _part(self, part: Tree) -> Value:
        if name_of(part) == "interpolation":
            (inner,) = (each for each in part.children if hasattr(each, "data"))
            return self.value(inner)
        if hasattr(part, "data"):
            raise self._place.refuse("%{ ... } in a text is not supported")
        return _unescape(str(part))

    def _text(self, value: Value) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int):
            return str(value)
        if isinstance(value, float):
            return f"{value:g}"
        raise self._place.refuse("only texts, numbers and truths can be put into a text")

    def heredoc(self, tree: Tree) -> Value:
        first, *lines = str(tree.children[0]).strip("\n").split("\n")
        lines = lines[:-1]
        if first.startswith("<<-"):
            filled = [line for line in lines if line.strip()]
            indent = min((len(line) - len(line.lstrip(" \t")) for line in filled), default=0)
            lines = [line[indent:] for line in lines]
        return self._fill("".join(f"{line}\n" for line in lines))

    def _fill(self, text: str) -> str:
        parts = []
        at = 0
        while (start := text.find("${", at)) >= 0:
            if text[start - 1 : start] == "$":
                parts.append(text[at : start - 1] + "${")
                at = start + 2
                continue
            end = _end_of_interpolation(text, start + 2)
            if end is None:
                raise self._place.refuse("a ${ in this heredoc has no }")
            inner = parse_expression(text[start + 2 : end], self._place)
            parts += [text[at:start], self._text(self.value(inner))]
            at = end + 1
        return "".join([*parts, text[at:]])

    def attribute(self, tree: Tree) -> Value:
        owner, access = tree.children[0], tree.children[1]
        name = str(access.children[1].children[0])
        return self._look_into(self.value(owner), name)

    def index(self, tree: Tree) -> Value:
        owner, access = tree.children[0], tree.children[1]
        keys = [each for each in access.children if hasattr(each, "data")]
        return self._look_into(self.value(owner), self.value(keys[0]))

    def _look_into(self, owner: Value, key: Value) -> Value:
        if callable(owner):
            owner = owner(key)
            if owner is None:
                raise self._place.refuse(f"there is no {key} here")
            return owner
        try:
            return owner[int(key) if isinstance(owner, list) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise self._place.refuse(f"there is no {key} here") from None

    def call(self, tree: Tree) -> Value:
        name = "::".join(str(each.children[0]) for each in tree.children if _is(each, "identifier"))
        function = self._functions.get(name)
        if function is None:
            raise self._place.refuse(f"the function {name} is not supported")
        arguments: list[Value] = []
        for part in tree.children:
            if _is(part, "arguments"):
                arguments = [self.value(each) for each in part.children if _is_meant(each)]
                if any(name_of(each) == "ELLIPSIS" or str(each) == "..." for each in part.children):
                    arguments = [*arguments[:-1], *arguments[-1]]
        try:
            return function(*arguments)
        except MigrationError:
            raise
        except OSError as error:
            problem = f"{name}: {error.filename} can't be read: {cause_of(error)}"
            raise self._place.refuse(problem) from None
        except (TypeError, ValueError, LookupError, AttributeError):
            raise self._place.refuse(f"{name} can't be called with these values") from None

    def tuple(self, tree: Tree) -> Value:
        return [self.value(each) for each in tree.children if _is_meant(each)]

    def object(self, tree: Tree) -> Value:
        made = {}
        for element in tree.children:
            if not _is(element, "object_elem"):
                continue
            key, value = (each for each in element.children if _is_meant(each))
            made[self._key(key)] = self.value(value)
        return made

    def _key(self, tree: Tree) -> str:
        inner = tree.children[0] if len(tree.children) == 1 else tree
        inner = inner.children[0] if _is(inner, "expr_term") else inner
        if _is(inner, "identifier"):
            return str(inner.children[0])
        return self._text(self.value(inner))

    def conditional(self, tree: Tree) -> Value:
        test, if_true, if_false = (each for each in tree.children if _is_meant(each))
        return self.value(if_true if self._truth(test) else if_false)

    def unary(self, tree: Tree) -> Value:
        sign, operand = str(tree.children[0]), tree.children[1]
        return not self._truth(operand) if sign == "!" else -self._number(self.value(operand))

    def binary(self, tree: Tree) -> Value:
        left, term = (
            tree.children[0],
            next(each for each in tree.children if _is(each, "binary_term")),
        )
        sign = str(term.children[0].children[0]).strip()
        right = next(each for each in term.children[1:] if _is_meant(each))
        if sign in ("&&", "||"):
            first = self._truth(left)
            return first if first is (sign == "||") else self._truth(right)
        one, other = self.value(left), self.value(right)
        if sign in ("==", "!="):
            return _OPERATORS[sign](one, other)
        try:
            return _OPERATORS[sign](self._number(one), self._number(other))
        except ZeroDivisionError:
            raise self._place.refuse("a division by zero") from None

    def _truth(self, tree: Tree) -> bool:
        value = self.value(tree)
        if value in ("true", "false"):
            return bool(value == "true")
        if not isinstance(value, bool):
            raise self._place.refuse("true or false is needed here")
        return value

    def _number(self, value: Value) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._place.refuse("a number is needed here")
        return value


_RULES: Mapping[str, Callable[[_Evaluation, Tree], Value]] = {
    "expr_term": _Evaluation.term,
    "identifier": _Evaluation.name,
    "literal_value": _Evaluation.literal,
    "int_lit": _Evaluation.number,
    "float_lit": _Evaluation.number,
    "string": _Evaluation.string,
    "heredoc_template": _Evaluation.heredoc,
    "heredoc_template_trim": _Evaluation.heredoc,
    "get_attr_expr_term": _Evaluation.attribute,
    "index_expr_term": _Evaluation.index,
    "function_call": _Evaluation.call,
    "tuple": _Evaluation.tuple,
    "object": _Evaluation.object,
    "conditional": _Evaluation.conditional,
    "unary_op": _Evaluation.unary,
    "binary_op": _Evaluation.binary,
}
_MAKES_VALUES = frozenset(
    "string heredoc_template heredoc_template_trim function_call tuple object".split()
)
"""What makes a value that is larger than what stands in the file."""


def _is(tree: Tree, kind: str) -> bool:
    return hasattr(tree, "data") and tree.data == kind


def _is_meant(tree: Tree) -> bool:
    """Neither a sign nor a comment."""
    return hasattr(tree, "data") and tree.data != "new_line_or_comment"


def _unescape(text: str) -> str:
    if text in ("$${", "%%{") or text.startswith(("$${", "%%{")):
        return text[1:]
    return _ESCAPE.sub(
        lambda found: (
            chr(int(found[1][1:], 16)) if len(found[1]) > 1 else _ESCAPES.get(found[1], found[0])
        ),
        text,
    )


def _end_of_interpolation(text: str, at: int) -> int | None:
    depth = 1
    in_text = False
    while at < len(text):
        char = text[at]
        if in_text:
            at += char == "\\"
            in_text = char != '"'
        elif char == '"':
            in_text = True
        elif char in "{}":
            depth += 1 if char == "{" else -1
            if depth == 0:
                return at
        at += 1
    return None
