"""Go's text/template, as far as people use it in `--format`: from text to a tree.

Text, values of pipelines, variables, if, with and range, with `{{-` and `-}}`. What is
beyond that (template, block, define, break) is refused before anything is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from dbmigrate.cli.arguments.flags import UsageError

_ACTION = re.compile(r"\{\{(?P<left>-(?=\s))?(?P<body>.*?)(?P<right>(?<=\s)-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
      | (?P<number>-?[0-9]+(?:\.[0-9]+)?)
      | (?P<field>(?:\.[A-Za-z_]\w*)+)
      | (?P<dot>\.)
      | (?P<variable>\$\w*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<sign>:=|[=|(),])
    )""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"\s*/\*.*\*/\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Operand:
    """One word of a command, with the fields behind it."""

    kind: str
    """literal, dot, variable, function or pipeline."""
    value: object
    fields: tuple[str, ...] = ()


Command = tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each of which gets the last one's value as its last argument."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    """Those that it sets: one, or for a range two."""
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Branch:
    """if, with or range."""

    kind: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


Node = str | Pipeline | Branch


def parse_template(text: str, functions: Collection[str]) -> tuple[Node, ...]:
    """Raises UsageError for what is not understood, and for a function that there is not."""
    parser = _Parser(_cut(text), functions)
    nodes, end = parser.nodes()
    if end:
        raise refused(f"{{{{ {end} }}}} ends nothing")
    return nodes


def _cut(text: str) -> list[tuple[bool, str]]:
    """Texts and actions by turns; True: an action."""
    parts: list[tuple[bool, str]] = []
    at, trims = 0, False
    for found in _ACTION.finditer(text):
        before = text[at : found.start()]
        before = before.lstrip() if trims else before
        parts.append((False, before.rstrip() if found["left"] else before))
        if not _COMMENT.fullmatch(found["body"]):
            parts.append((True, found["body"].strip()))
        at, trims = found.end(), found["right"] is not None
    rest = text[at:]
    if "{{" in rest:
        raise refused("a {{ has no }}")
    return [*parts, (False, rest.lstrip() if trims else rest)]


class _Parser:
    def __init__(self, parts: list[tuple[bool, str]], functions: Collection[str]) -> None:
        self._parts = parts
        self._functions = functions
        self._at = 0

    def nodes(self) -> tuple[tuple[Node, ...], str]:
        """Up to an end or an else, which is given back; empty: up to the end of the text."""
        found: list[Node] = []
        while self._at < len(self._parts):
            is_action, text = self._parts[self._at]
            self._at += 1
            word = text.partition(" ")[0]
            if not is_action:
                found.append(text)
            elif word in ("end", "else"):
                return tuple(found), text
            elif word in ("if", "with", "range"):
                found.append(self._branch(word, text[len(word) :]))
            else:
                found.append(_Words(text, self._functions).pipeline())
        return tuple(found), ""

    def _branch(self, kind: str, text: str) -> Branch:
        pipeline = _Words(text, self._functions).pipeline()
        body, end = self.nodes()
        otherwise: tuple[Node, ...] = ()
        if end.startswith("else"):
            rest = end.removeprefix("else").strip()
            word = rest.partition(" ")[0]
            if word in ("if", "with"):
                return Branch(kind, pipeline, body, (self._branch(word, rest[len(word) :]),))
            if rest:
                raise refused(f"{{{{ {end} }}}} is not understood")
            otherwise, end = self.nodes()
        if end != "end":
            raise refused(f"{{{{ {kind} }}}} has no {{{{ end }}}}")
        return Branch(kind, pipeline, body, otherwise)


class _Words:
    """The words of one action."""

    def __init__(self, text: str, functions: Collection[str]) -> None:
        self._text = text
        self._functions = functions
        self._tokens: list[tuple[str, str, bool]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise refused(f"{{{{ {text} }}}} is not understood")
            # A field right behind a word belongs to that, else to the dot.
            is_joined = found.start() == found.start(found.lastgroup) and at > 0
            self._tokens.append((found.lastgroup, found[found.lastgroup], is_joined))
            at = found.end()

    def pipeline(self) -> Pipeline:
        """All of it."""
        variables: tuple[str, ...] = ()
        signs = [value for kind, value, _ in self._tokens if kind == "sign"]
        is_new = ":=" in signs
        if is_new or "=" in signs:
            end = next(i for i, (_, value, _) in enumerate(self._tokens) if value in (":=", "="))
            names = [value for kind, value, _ in self._tokens[:end] if kind == "variable"]
            variables, self._tokens = tuple(names), self._tokens[end + 1 :]
        found = Pipeline(self._commands(), variables, is_new)
        if self._tokens:
            raise self._unclear()
        return found

    def _commands(self) -> tuple[Command, ...]:
        commands: list[Command] = []
        operands: list[Operand] = []
        while self._tokens and self._tokens[0][1] != ")":
            kind, value, _ = self._tokens.pop(0)
            if (kind, value) == ("sign", "|"):
                commands.append(tuple(operands))
                operands = []
                continue
            operands.append(self._operand(kind, value))
        commands.append(tuple(operands))
        if not all(commands):
            raise self._unclear()
        return tuple(commands)

    def _operand(self, kind: str, value: str) -> Operand:
        if kind == "text":
            raw = value.startswith("`")
            return Operand("literal", value[1:-1] if raw else _unquote(value))
        if kind == "number":
            return Operand("literal", float(value) if "." in value else int(value))
        if kind == "field":
            return Operand("dot", None, tuple(value[1:].split(".")))
        if kind == "dot":
            return Operand("dot", None)
        if kind == "variable":
            return Operand("variable", value, self._fields())
        if kind == "word":
            literals = {"true": True, "false": False, "nil": None}
            if value in literals:
                return Operand("literal", literals[value])
            if value not in self._functions:
                raise refused(f"the function {value} is not known")
            return Operand("function", value)
        if value != "(":
            raise self._unclear()
        inner = Pipeline(self._commands())
        if not self._tokens:
            raise self._unclear()
        self._tokens.pop(0)
        return Operand("pipeline", inner, self._fields())

    def _fields(self) -> tuple[str, ...]:
        if self._tokens and self._tokens[0][0] == "field" and self._tokens[0][2]:
            return tuple(self._tokens.pop(0)[1][1:].split("."))
        return ()

    def _unclear(self) -> UsageError:
        return refused(f"{{{{ {self._text} }}}} is not understood")


def _unquote(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        raise refused(f"{text} is no text") from None


def refused(problem: str) -> UsageError:
    """What is wrong with a template."""
    return UsageError(f"--format: {problem} here")
