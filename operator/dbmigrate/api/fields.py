"""Reading a manifest field by field; each error names the path of its field.

The schema of the CRD rejects most mistakes before the operator sees them. The rest
(an older schema in the cluster, a rule that CEL cannot express) becomes one
SpecError, which names the field as a user would write it. Each reader takes the
bounds of its field: no unbounded value of a resource is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from dbmigrate import __version__
from dbmigrate.api.durations import parse_duration
from dbmigrate.api.forms import LABEL_KEY, Form
from dbmigrate.api.names import SCHEMA_VERSION
from dbmigrate.api.passthrough import find_fault
from dbmigrate.policies import resource_word

Choice = TypeVar("Choice", bound=StrEnum)

Document = dict[str, Any]
"""A JSON object as the API server sends and takes it."""

UNKNOWN_SHOWN = 3
"""Unknown fields that a complaint names."""
PATH_LIMIT = 256
"""Characters of a path in a complaint: a key of a map may be part of it."""


class SpecError(Exception):
    """A field of the resource has an invalid value."""

    def __init__(self, path: str, problem: str) -> None:
        path = cut(path)
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def cut(path: str) -> str:
    """A path that fits into a complaint."""
    return path if len(path) <= PATH_LIMIT else path[:PATH_LIMIT] + "..."


def describe_unknown(paths: Sequence[str]) -> str:
    """Why a resource with fields of a later schema is not processed."""
    named = ", ".join(paths[:UNKNOWN_SHOWN])
    more = f" and {len(paths) - UNKNOWN_SHOWN} more" if len(paths) > UNKNOWN_SHOWN else ""
    return (
        f"this operator ({__version__}, schema {SCHEMA_VERSION}) does not know {named}{more}, and"
        " does nothing that such a field may forbid: update the operator, or remove the field"
    )


@dataclass(slots=True)
class _Ledger:
    """The fields of one manifest that were read; all others belong to an unknown schema."""

    objects: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By path, the objects whose fields are read one by one."""
    asked: dict[str, set[str]] = field(default_factory=dict)


class Fields:
    """One object of a manifest and its path in it."""

    def __init__(self, raw: Mapping[str, Any], path: str, ledger: _Ledger | None = None) -> None:
        if not isinstance(raw, Mapping):
            raise SpecError(path, "must be an object")
        self._raw = raw
        self.path = path
        self._ledger = _Ledger() if ledger is None else ledger
        self._ledger.objects.setdefault(path, raw)
        self._asked = self._ledger.asked.setdefault(path, set())

    def find_unknown(self) -> tuple[str, ...]:
        """The paths of fields that are set, here and below, and that were not read."""
        found = (
            f"{path}.{name}" if path else str(name)
            for path, raw in self._ledger.objects.items()
            for name, value in raw.items()
            if value is not None and name not in self._ledger.asked[path]
        )
        return tuple(sorted(cut(path) for path in found))

    def _get(self, name: str, default: Any = None) -> Any:
        self._asked.add(name)
        return self._raw.get(name, default)

    def error(self, name: str, problem: str) -> SpecError:
        """An error about the field of that name."""
        return SpecError(f"{self.path}.{name}" if self.path else name, problem)

    def has(self, name: str) -> bool:
        """Whether the field is present and not null."""
        return self._get(name) is not None

    def peek(self, name: str) -> object:
        """The value of a field that may be of several types, unchecked."""
        return self._get(name)

    def only_one_of(self, *names: str) -> str:
        """The only one of these fields that is set. Raises SpecError for none or several."""
        found = [name for name in names if self.has(name)]
        if len(found) != 1:
            raise SpecError(self.path, f"must have exactly one of {', '.join(names)}")
        return found[0]

    def text(self, name: str, form: Form) -> str:
        """A required text of that form."""
        value = self.optional_text(name, form)
        if value is None:
            raise self.error(name, "is required")
        return value

    def optional_text(self, name: str, form: Form) -> str | None:
        """A text of that form, or None when the field is absent."""
        value = self._get(name)
        return None if value is None else self._check(name, value, form)

    def integer(self, name: str, default: int, *, most: int, least: int = 0) -> int:
        """A whole number in these bounds."""
        value = self._get(name)
        if value is None:
            return default
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or not least <= value <= most:
            raise self.error(name, f"must be a whole number from {least} to {most}")
        return int(value)

    def flag(self, name: str) -> bool:
        """A boolean; absent is false."""
        value = self._get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.error(name, "must be true or false")
        return value

    def choice(self, name: str, default: Choice) -> Choice:
        """One of a closed set of words."""
        value = self._get(name)
        if value is None:
            return default
        found = [word for word in type(default) if word.value == value]
        if not found:
            raise self.error(name, f"must be one of {', '.join(type(default))}")
        return found[0]

    def policy(self, name: str, default: Choice) -> Choice:
        """A policy that the runner has as well, by the resource's name for it."""
        words = {resource_word(each): each for each in type(default)}
        value = self._get(name, resource_word(default))
        found = words.get(value) if isinstance(value, str) else None
        if found is None:
            raise self.error(name, f"must be one of {', '.join(words)}")
        return found

    def duration(
        self, name: str, default: str, *, longest: timedelta | None = None
    ) -> timedelta | None:
        """A duration, `longest` at most; None for `none`."""
        value = self._get(name)
        if value is not None and not isinstance(value, str):
            raise self.error(name, "must be a string")
        try:
            length = parse_duration(default if value is None else value)
        except ValueError as problem:
            raise self.error(name, str(problem)) from None
        if length is not None and longest is not None and length > longest:
            raise self.error(name, f"must be at most {longest.days}d")
        return length

    def finite_duration(self, name: str, default: str) -> timedelta:
        """A duration that may not be `none`."""
        value = self.duration(name, default)
        if value is None:
            raise self.error(name, "must be a duration, not none")
        return value

    def section(self, name: str) -> Fields:
        """An object inside this one; absent is an empty one."""
        value = self._get(name)
        path = f"{self.path}.{name}" if self.path else name
        return Fields({} if value is None else value, path, self._ledger)

    def sections(self, name: str, *, most: int) -> list[Fields]:
        """A list of objects; absent is an empty one."""
        items = self._list(name, most)
        return [
            Fields(item, f"{self.path}.{name}[{i}]", self._ledger) for i, item in enumerate(items)
        ]

    def texts(self, name: str, form: Form, *, most: int, keys: Form = LABEL_KEY) -> dict[str, str]:
        """A map of text to text; absent is an empty one."""
        value = self._get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.error(name, "must be an object")
        if len(value) > most:
            raise self.error(name, f"must have at most {most} entries")
        for key, item in value.items():
            self._check(f"{name}[{key}]", key, keys)
            self._check(f"{name}[{key}]", item, form)
        return dict(value)

    def words(self, name: str, form: Form, *, most: int) -> tuple[str, ...]:
        """A list of texts; absent is an empty one."""
        items = self._list(name, most)
        return tuple(self._check(f"{name}[{i}]", item, form) for i, item in enumerate(items))

    def documents(self, name: str, *, most: int) -> list[Document]:
        """A list of objects that are passed to Kubernetes unchanged."""
        return [item.whole() for item in self.sections(name, most=most)]

    def document(self, name: str) -> Document:
        """An object that is passed to Kubernetes unchanged."""
        return self.section(name).whole()

    def whole(self) -> Document:
        """All of this object, to be passed to Kubernetes unchanged."""
        document = dict(self._raw)
        self._asked.update(document)
        problem = find_fault(document)
        if problem is not None:
            raise SpecError(self.path, problem)
        return document

    def _list(self, name: str, most: int) -> list[Any]:
        value = self._get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(name, "must be a list")
        if len(value) > most:
            raise self.error(name, f"must have at most {most} items")
        return value

    def _check(self, name: str, value: object, form: Form) -> str:
        if not isinstance(value, str):
            raise self.error(name, "must be a string")
        problem = form.find_fault(value)
        if problem is not None:
            raise self.error(name, problem)
        return value
