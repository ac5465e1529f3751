"""Reading a manifest field by field, with the path in every complaint.

The schema of the CRD refuses most mistakes before we see them. What is left
(an older schema in the cluster, a rule that CEL can't express) becomes one
SpecError, which names the field as a person would write it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from dbmigrate.api.durations import parse_duration
from dbmigrate.policies import resource_word

Choice = TypeVar("Choice", bound=StrEnum)

Document = dict[str, Any]
"""A JSON object as the API server sends and takes it."""


class SpecError(Exception):
    """A field of the resource does not say what it must."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class Fields:
    """One object of a manifest and its path in it."""

    def __init__(self, raw: Mapping[str, Any], path: str) -> None:
        if not isinstance(raw, Mapping):
            raise SpecError(path, "must be an object")
        self._raw = raw
        self.path = path

    def error(self, name: str, problem: str) -> SpecError:
        """A complaint about the field of that name."""
        return SpecError(f"{self.path}.{name}", problem)

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._raw.get(name) is not None

    def only_one_of(self, *names: str) -> str:
        """The one name of these that is set. Raises SpecError for none or several."""
        found = [name for name in names if self.has(name)]
        if len(found) != 1:
            raise SpecError(self.path, f"must have exactly one of {', '.join(names)}")
        return found[0]

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self.optional_text(name)
        if value is None:
            raise self.error(name, "is required")
        return value

    def optional_text(self, name: str) -> str | None:
        """A text, or None when the field is absent."""
        value = self._raw.get(name)
        if value is not None and not isinstance(value, str):
            raise self.error(name, "must be a string")
        return value

    def integer(self, name: str, default: int) -> int:
        """A whole number, not negative."""
        value = self._raw.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.error(name, "must be a whole number, zero or more")
        return value

    def flag(self, name: str) -> bool:
        """A boolean; absent is false."""
        value = self._raw.get(name, False)
        if not isinstance(value, bool):
            raise self.error(name, "must be true or false")
        return value

    def choice(self, name: str, default: Choice) -> Choice:
        """One of a closed set of words."""
        value = self._raw.get(name, default)
        try:
            return type(default)(value)
        except ValueError:
            allowed = ", ".join(type(default))
            raise self.error(name, f"must be one of {allowed}") from None

    def policy(self, name: str, default: Choice) -> Choice:
        """A policy that the runner has as well, by the resource's word for it."""
        words = {resource_word(each): each for each in type(default)}
        value = self._raw.get(name, resource_word(default))
        found = words.get(value) if isinstance(value, str) else None
        if found is None:
            raise self.error(name, f"must be one of {', '.join(words)}")
        return found

    def duration(self, name: str, default: str) -> timedelta | None:
        """A duration; None for `none`."""
        try:
            return parse_duration(str(self._raw.get(name, default)))
        except ValueError as problem:
            raise self.error(name, str(problem)) from None

    def finite_duration(self, name: str, default: str) -> timedelta:
        """A duration that may not be `none`."""
        value = self.duration(name, default)
        if value is None:
            raise self.error(name, "must be a duration, not none")
        return value

    def section(self, name: str) -> Fields:
        """An object inside this one; absent is an empty one."""
        return Fields(self._raw.get(name) or {}, f"{self.path}.{name}")

    def sections(self, name: str) -> list[Fields]:
        """A list of objects; absent is an empty one."""
        return [Fields(item, f"{self.path}.{name}[{i}]") for i, item in enumerate(self.items(name))]

    def items(self, name: str) -> list[Any]:
        """A list as it is; absent is an empty one."""
        value = self._raw.get(name) or []
        if not isinstance(value, list):
            raise self.error(name, "must be a list")
        return value

    def texts(self, name: str) -> dict[str, str]:
        """A map of text to text; absent is an empty one."""
        value = self.document(name)
        for key, item in value.items():
            if not isinstance(item, str):
                raise self.error(f"{name}[{key}]", "must be a string")
        return value

    def document(self, name: str) -> Document:
        """An object that is handed through to Kubernetes as it is."""
        value = self._raw.get(name) or {}
        if not isinstance(value, Mapping):
            raise self.error(name, "must be an object")
        return dict(value)
