"""The list of targets as YAML, read event by event.

All scalars are the texts that they were written as: a tenant called `no`, `0123` or `1_000`
keeps its name. Anchors and aliases are refused, so that a small file stays small.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dbmigrate.errors import MigrationError
from dbmigrate.printable import clip, one_line
from dbmigrate.report import Reason
from dbmigrate.runner.fleet.list_items import Item
from dbmigrate.runner.fleet.target import refused

_NOTHING = frozenset(("", "~", "null", "Null", "NULL"))
_DEPTH = 20


def scan_yaml(text: str, shown: str) -> Iterator[Item]:
    """The parts of a YAML document. Raises MigrationError (SourceInvalid)."""
    try:
        import yaml
    except ImportError:
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"{shown}: YAML can't be read: PyYAML is not installed",
            hint="install dbmigrate[yaml], or write the list as JSON or CSV",
        ) from None
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        yield from _Yaml(yaml, yaml.parse(text, Loader=loader), shown).items()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        place = f"{shown}: line {mark.line + 1}" if mark is not None else shown
        said = (
            getattr(error, "problem", None) or getattr(error, "reason", None) or "a bad character"
        )
        problem = f"this is no YAML: {clip(one_line(str(said)), 200)}"
        raise refused(
            place, problem, "look at quotes, brackets and indentation before that place"
        ) from None


class _Yaml:
    """Builds values out of events, one element of the list at a time."""

    def __init__(self, yaml: Any, events: Iterator[Any], shown: str) -> None:
        self._yaml = yaml
        self._events = events
        self._shown = shown

    def items(self) -> Iterator[Item]:
        yaml = self._yaml
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if isinstance(event, yaml.SequenceStartEvent):
            yield from self._elements()
        elif isinstance(event, yaml.MappingStartEvent):
            while not isinstance(event := self._next(), yaml.MappingEndEvent):
                key, line = self._text(event), event.start_mark.line + 1
                event = self._next()
                if key == "targets" and isinstance(event, yaml.SequenceStartEvent):
                    yield from self._elements()
                else:
                    yield Item(key, self._build(event, 0), line)
        else:
            raise self._refused(event, "a list of targets was expected", "write - name: ...")
        if not isinstance(self._next(), yaml.DocumentEndEvent) or not isinstance(
            event := self._next(), yaml.StreamEndEvent
        ):
            raise self._refused(event, "there is a second document", "put all targets into one")

    def _elements(self) -> Iterator[Item]:
        while not isinstance(event := self._next(), self._yaml.SequenceEndEvent):
            yield Item("targets", self._build(event, 0), event.start_mark.line + 1)

    def _build(self, event: Any, depth: int) -> object:
        yaml = self._yaml
        if depth > _DEPTH:
            raise self._refused(event, "this YAML is nested too deeply", "see what wrote it")
        if isinstance(event, yaml.SequenceStartEvent):
            found = []
            while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                found.append(self._build(event, depth + 1))
            return found
        if isinstance(event, yaml.MappingStartEvent):
            members: dict[str, object] = {}
            while not isinstance(event := self._next(), yaml.MappingEndEvent):
                key = self._text(event)
                if key in members:
                    shown = clip(one_line(key), 80)
                    raise self._refused(event, f"{shown} is given twice", "remove one of them")
                members[key] = self._build(self._next(), depth + 1)
            return members
        text = self._text(event)
        return None if event.style is None and text in _NOTHING else text

    def _text(self, event: Any) -> str:
        if not isinstance(event, self._yaml.ScalarEvent):
            raise self._refused(event, "a text was expected", "write a name here")
        return str(event.value)

    def _next(self) -> Any:
        event = next(self._events)
        if getattr(event, "anchor", None) is not None:
            remedy = "write each target out"
            raise self._refused(event, "anchors and aliases are not supported", remedy)
        return event

    def _refused(self, event: Any, problem: str, remedy: str) -> MigrationError:
        return refused(f"{self._shown}: line {event.start_mark.line + 1}", problem, remedy)
