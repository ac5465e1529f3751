"""The server's own words for an expression, in the form that no further round trip changes.

PostgreSQL stores a parse tree and writes SQL from it. Parsed again, that SQL gives another tree
in two cases, so that the same expression has two texts:

    (ARRAY['a'::character varying])::text[]     ARRAY[('a'::character varying)::text]
    ((a AND b) AND c)                           (a AND b AND c)

`s IN ('a', 'b')` on a varchar has the first form, `x BETWEEN 1 AND 2 AND y` the second. The
parser gives a cast of ARRAY[...] to its elements, and joins an AND with an AND on its left.
Here the text of the first tree becomes that of the second, which is stable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_UNSETTLED = re.compile(r"\]\)::|\)\)\s+(?:AND|OR)\s")
"""Found in each text that may change. The others, nearly all, are not parsed."""
_TOKEN = re.compile(
    r"""'(?:[^']|'')*+' | "(?:[^"]|"")*+" | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$
    | \s+ | \w+ | :: | .""",
    re.VERBOSE | re.DOTALL,
)
_CLOSED_BY = {"(": ")", "[": "]"}


@dataclass(slots=True)
class _Group:
    """The text in parentheses or brackets."""

    opened: str
    parts: list[_Node] = field(default_factory=list)


_Node = str | _Group


def settle(text: str) -> str:
    """The text that the server gives after it has parsed this one. Idempotent."""
    if _UNSETTLED.search(text) is None:
        return text
    root = _read(text)
    if root is None:
        return text
    _settle(root)
    return "".join(map(_write, root.parts))


def _read(text: str) -> _Group | None:
    root = _Group("")
    stack = [root]
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in _CLOSED_BY:
            stack.append(_Group(token))
            stack[-2].parts.append(stack[-1])
        elif token == _CLOSED_BY.get(stack[-1].opened):
            stack.pop()
        else:
            stack[-1].parts.append(token)
    return root if len(stack) == 1 else None


def _write(node: _Node) -> str:
    if isinstance(node, str):
        return node
    return f"{node.opened}{''.join(map(_write, node.parts))}{_CLOSED_BY[node.opened]}"


def _settle(group: _Group) -> None:
    for part in group.parts:
        if isinstance(part, _Group):
            _settle(part)
    _push_casts(group)
    if group.opened == "(":
        _flatten(group)


def _flatten(group: _Group) -> None:
    """Join the first operand with those of the same operator."""
    while group.parts and isinstance(group.parts[0], _Group):
        first = group.parts[0]
        following = [part for part in group.parts[1:3] if isinstance(part, str)]
        word = following[-1] if following and following[0].isspace() else ""
        if word not in ("AND", "OR") or first.opened != "(" or word not in first.parts:
            return
        group.parts[:1] = first.parts


def _push_casts(group: _Group) -> None:
    at = 0
    while at < len(group.parts):
        part = group.parts[at]
        elements = _elements(part) if isinstance(part, _Group) and part.opened == "(" else None
        found = _element_type(group.parts, at + 1) if elements is not None else None
        if elements is not None and found is not None:
            type_name, end = found
            group.parts[at:end] = ["ARRAY", _cast(elements, type_name)]
        at += 1


def _elements(group: _Group) -> _Group | None:
    """Of `(ARRAY[...])` what is in the brackets."""
    if len(group.parts) == 2 and group.parts[0] == "ARRAY" and isinstance(group.parts[1], _Group):
        return group.parts[1] if group.parts[1].opened == "[" else None
    return None


def _element_type(parts: list[_Node], at: int) -> tuple[list[_Node], int] | None:
    """Of `::text[]` the type `text`, and where it ends."""
    if parts[at : at + 1] != ["::"]:
        return None
    for end in range(at + 1, len(parts)):
        part = parts[end]
        if isinstance(part, _Group):
            if part.opened == "[":
                return None if part.parts else (parts[at + 1 : end], end + 1)
        elif part in (",", "::"):
            return None
    return None


def _cast(elements: _Group, type_name: list[_Node]) -> _Group:
    result = _Group("[")
    for number, element in enumerate(_split(elements.parts)):
        if number:
            result.parts += [",", " "]
        if len(element) == 2 and element[0] == "ARRAY" and isinstance(element[1], _Group):
            result.parts += ["ARRAY", _cast(element[1], type_name)]
        else:
            result.parts += [_Group("(", element), "::", *type_name]
    return result


def _split(parts: list[_Node]) -> list[list[_Node]]:
    """The elements between commas, without the space around them."""
    found: list[list[_Node]] = [[]]
    for part in parts:
        if part == ",":
            found.append([])
        elif found[-1] or not (isinstance(part, str) and part.isspace()):
            found[-1].append(part)
    return [each for each in found if each]
