"""HCL, the language of atlas.hcl: a text becomes blocks and attributes with their places.

The grammar is that of python-hcl2, which is an extra of dbmigrate (`dbmigrate[atlas]`): it is
imported only where there is such a file to read. What an expression is worth, is said by
dbmigrate.cli.atlas.expressions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dbmigrate.errors import Location, MigrationError
from dbmigrate.report import Reason

Tree = Any
"""A tree or a token of lark's: it has no types of its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands."""

    file: str
    line: int

    def refuse(self, problem: str) -> MigrationError:
        """The error that says what is wrong here."""
        return MigrationError(
            Reason.SOURCE_INVALID,
            f"{self.file}: line {self.line}: {problem}",
            location=Location(self.file, self.line),
        )


@dataclass(frozen=True, slots=True)
class Attribute:
    """`name = expression`."""

    name: str
    expression: Tree
    place: Place


@dataclass(frozen=True, slots=True)
class Block:
    """`type "label" { ... }`."""

    kind: str
    labels: tuple[str, ...]
    attributes: dict[str, Attribute]
    blocks: tuple[Block, ...]
    place: Place

    def all(self, kind: str) -> Iterator[Block]:
        """Its blocks of that kind."""
        return (block for block in self.blocks if block.kind == kind)


def parse(text: str, file: str) -> Block:
    """The file as a block without a kind. Raises MigrationError (SourceInvalid)."""
    place = Place(file, 1)
    try:
        return _body(_read(text, place).children[0], "", (), place)
    except RecursionError:
        raise place.refuse("the file is nested too deeply") from None


def parse_expression(text: str, place: Place) -> Tree:
    """An expression that stands in a heredoc."""
    tree = _read(f"value = {text}\n", place)
    return next(_children(tree.children[0], "attribute")).children[2]


def name_of(tree: Tree) -> str:
    """The kind of a node, or of a token."""
    return str(tree.data) if hasattr(tree, "data") else str(tree.type)


def bare_name(tree: Tree) -> str:
    """The one word that an expression is, such as NON_LINEAR; empty: it is something else."""
    while hasattr(tree, "children") and len(tree.children) == 1:
        if name_of(tree) == "identifier":
            return str(tree.children[0])
        (tree,) = tree.children
    return ""


def first_line(tree: Tree) -> int | None:
    """Of the first token in it."""
    if not hasattr(tree, "children"):
        return int(tree.line) if getattr(tree, "line", None) else None
    lines = (first_line(child) for child in tree.children if child is not None)
    return next((line for line in lines if line is not None), None)


def _read(text: str, place: Place) -> Tree:
    try:
        import hcl2
        from lark.exceptions import LarkError
    except ImportError:
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"{place.file} is written in HCL, which is read with the extra `atlas`",
            hint="pip install 'dbmigrate[atlas]', or give --url and --dir instead of --env",
        ) from None
    try:
        return hcl2.parses_to_tree(text if text.endswith("\n") else f"{text}\n")
    except LarkError as error:
        line = getattr(error, "line", 1)
        at = place.line + line - 1 if isinstance(line, int) and line > 0 else place.line
        raise Place(place.file, at).refuse("this is no HCL") from None


def _body(body: Tree, kind: str, labels: tuple[str, ...], place: Place) -> Block:
    attributes: dict[str, Attribute] = {}
    for node in _children(body, "attribute"):
        name = str(node.children[0].children[0])
        found = Attribute(name, node.children[2], Place(place.file, first_line(node) or place.line))
        if name in attributes:
            raise found.place.refuse(f"{name} is set twice")
        attributes[name] = found
    blocks = tuple(_block(node, place.file) for node in _children(body, "block"))
    return Block(kind, labels, attributes, blocks, place)


def _block(node: Tree, file: str) -> Block:
    place = Place(file, first_line(node) or 1)
    kind = str(node.children[0].children[0])
    labels = []
    for child in node.children[1:]:
        if name_of(child) == "string":
            labels.append(
                "".join(str(each) for part in child.children[1:-1] for each in _texts(part))
            )
        elif name_of(child) == "identifier":
            labels.append(str(child.children[0]))
    (body,) = _children(node, "body")
    return _body(body, kind, tuple(labels), place)


def _texts(part: Tree) -> list[Tree]:
    return list(part.children)


def _children(tree: Tree, kind: str) -> Iterator[Tree]:
    return (child for child in tree.children if hasattr(child, "data") and child.data == kind)
