"""What one `env` block of atlas.hcl says. A setting is evaluated when it is read.

A command that needs no database thus runs no program of a `data "external"` that only
gives the database's URL.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from dbmigrate.cli.atlas.expressions import Value
from dbmigrate.cli.atlas.hcl import Attribute, Block, Place, bare_name

Evaluate = Callable[[Attribute], Value]
_WORDS = frozenset(("exec_order", "format", "tx_mode"))
_NOWHERE = Block("", (), {}, (), Place("", 1))


def read_text(block: Block | None, name: str, evaluate: Evaluate) -> str:
    """An attribute that is a text; empty where the block does not have it.

    Raises MigrationError (SourceInvalid).
    """
    attribute = block.attributes.get(name) if block else None
    if attribute is None:
        return ""
    # Atlas has words of its own for these: exec_order = LINEAR_SKIP, format = goose.
    word = bare_name(attribute.expression) if name in _WORDS else ""
    value = word if word and word != "null" else evaluate(attribute)
    if name == "format" and value is None:
        return ""
    if not isinstance(value, str):
        raise attribute.place.refuse(f"{name} must be a text")
    return value


def read_texts(block: Block, name: str, evaluate: Evaluate) -> tuple[str, ...]:
    """An attribute that is a text or a list of texts. Raises MigrationError (SourceInvalid)."""
    attribute = block.attributes.get(name)
    if attribute is None:
        return ()
    value = evaluate(attribute)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise attribute.place.refuse(f"{name} must be a text, or a list of texts")
    return tuple(values)


class Environment:
    """One `env` block; its settings are empty where it says nothing.

    Each raises MigrationError (SourceInvalid) with the line of what is not understood.
    """

    def __init__(
        self,
        block: Block = _NOWHERE,
        root: Block = _NOWHERE,
        evaluate: Evaluate = lambda _: None,
    ) -> None:
        self._block = block
        self._root = root
        self._evaluate = evaluate

    @cached_property
    def url(self) -> str:
        """The database."""
        return self._text(self._block, "url")

    @cached_property
    def dev(self) -> str:
        """The scratch server."""
        return self._text(self._block, "dev")

    @cached_property
    def src(self) -> tuple[str, ...]:
        """The desired schema."""
        return read_texts(self._block, "src", self._evaluate)

    @cached_property
    def schemas(self) -> tuple[str, ...]:
        """The schemas that are compared."""
        return read_texts(self._block, "schemas", self._evaluate)

    @cached_property
    def exclude(self) -> tuple[str, ...]:
        """What is not compared."""
        return read_texts(self._block, "exclude", self._evaluate)

    def migration(self, name: str) -> str:
        """A setting of the block `migration`: dir, format, exec_order and others."""
        return self._text(next(self._block.all("migration"), None), name)

    @cached_property
    def latest(self) -> int:
        """Files that `lint` looks at, counted from the newest; 0: not said."""
        for owner in (self._block, self._root):
            for lint in owner.all("lint"):
                if "latest" in lint.attributes:
                    attribute = lint.attributes["latest"]
                    value = self._evaluate(attribute)
                    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                        raise attribute.place.refuse("latest is a number of files")
                    return value
        return 0

    def git(self, name: str) -> str:
        """The branch with which `lint` compares (`base`), or the repository (`dir`)."""
        for owner in (self._block, self._root):
            for lint in owner.all("lint"):
                for git in lint.all("git"):
                    if name in git.attributes:
                        return self._text(git, name)
        return ""

    def template(self, command: str) -> str:
        """What a command prints: `format { migrate { apply = ... } }`, or in a block `lint`."""
        for owner in (self._block, self._root):
            blocks = [each for form in owner.all("format") for each in form.all("migrate")]
            found = [self._text(each, command) for each in reversed(blocks)]
            if command == "lint":
                found += [self._text(each, "format") for each in owner.all("lint")]
            text = next(filter(None, found), "")
            if text:
                return text
        return ""

    @cached_property
    def diff_policy(self) -> Place | None:
        """Where `diff` skips changes or wants other forms of them than its own."""
        return self._find_policy(self._block) or self._find_policy(self._root)

    def _find_policy(self, block: Block) -> Place | None:
        for policy in block.all("diff"):
            for attribute in policy.attributes.values():
                return attribute.place
            for each in policy.blocks:
                values = each.attributes.values()
                is_ours = each.kind == "concurrent_index" and not each.blocks
                if not is_ours or not all(self._evaluate(value) is True for value in values):
                    return each.place
        return None

    def _text(self, block: Block | None, name: str) -> str:
        return read_text(block, name, self._evaluate)
