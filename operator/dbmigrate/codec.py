"""JSON documents from dataclasses and back: the one codec of reports and statuses.

A field is called as its attribute in camelCase, or as `wire(key=...)` says. A value that is None
or its field's default is left out, unless the field is `always` written. What is read comes from
outside: texts, numbers and lists are bounded by the `Bound` of their annotation.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache, partial
from types import NoneType
from typing import Annotated, Any, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from dbmigrate.timestamps import format_timestamp, parse_timestamp
from dbmigrate.untrusted import INT64, read_text, read_whole

T = TypeVar("T")
Reader = Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class Bound:
    """What is kept of a value: characters of a text, items of a list, the largest number."""

    most: int


def wire(
    *,
    key: str = "",
    always: bool = False,
    is_inline: bool = False,
    unknown: object = MISSING,
    absent: object = MISSING,
    **default: Any,
) -> Any:
    """A dataclass field with a place of its own in the document.

    `is_inline` puts the fields of a part among those of the whole. `unknown` stands for a word
    that this version does not know, `absent` for what a document does not say where the
    attribute has no default.
    """
    metadata = {"key": key, "always": always, "is_inline": is_inline}
    metadata |= {"unknown": unknown, "absent": absent}
    return field(metadata=metadata, **default)


def always(default: object = MISSING) -> Any:
    """A field that is written also where it has nothing to say."""
    return wire(always=True) if default is MISSING else wire(always=True, default=default)


def dump(record: Any) -> dict[str, Any]:
    """The document of a record. A record's `shown` may change it at the end."""
    document: dict[str, Any] = {}
    for each in _places(cast(Hashable, type(record))):
        value = getattr(record, each.name)
        if each.is_inline:
            document |= dump(value)
        elif each.is_always or (value is not None and value != each.default):
            document[each.key] = _dump_value(value)
    shown = getattr(record, "shown", None)
    return document if shown is None else shown(document)


def read(kind: type[T], raw: object, *, is_strict: bool = True) -> T:
    """The record of a document. Raises KeyError and ValueError.

    Strictly, each value must be of its type, and numbers are moved into their bounds. Otherwise
    a value that can't be read counts as absent, and so does an item of a list; only one that has
    no default makes the whole unreadable. A record's `completed` may add what is derived, and its
    `lazy_parts` gives the classes of its fields that its module imports for type checks alone.
    """
    if not isinstance(raw, dict):
        raise ValueError(f"an object was expected, not {type(raw).__name__}")
    values = {}
    for each, is_optional, readers in _layout(cast(Hashable, kind)):
        if each.is_inline:
            values[each.name] = readers[is_strict](raw)
            continue
        value = raw.get(each.key)
        if value is None and not is_optional:
            if each.default is MISSING:
                raise KeyError(each.key)
            values[each.name] = each.default
            continue
        try:
            values[each.name] = None if value is None else readers[is_strict](value)
        except (KeyError, ValueError):
            if is_strict or each.default is MISSING:
                raise
            values[each.name] = each.default
    record = kind(**values)
    completed = getattr(record, "completed", None)
    return record if completed is None else completed(raw)


def read_or_none(kind: type[T], raw: object) -> T | None:
    """The record, read as far as it goes; None where that is not far enough."""
    try:
        return read(kind, raw, is_strict=False)
    except (KeyError, ValueError):
        return None


class _Place(NamedTuple):
    """Where a field stands in the document, and when it is written."""

    name: str
    key: str
    default: Any
    is_always: bool
    is_inline: bool


@cache
def _places(kind: Hashable) -> tuple[_Place, ...]:
    record: Any = kind
    places = []
    for each in fields(record):
        more = each.metadata
        absent = more.get("absent", MISSING)
        places.append(
            _Place(
                each.name,
                more.get("key") or camel_case(each.name),
                each.default if absent is MISSING else absent,
                more.get("always", False),
                more.get("is_inline", False),
            )
        )
    return tuple(places)


@cache
def _layout(kind: Hashable) -> tuple[tuple[_Place, bool, tuple[Reader, Reader]], ...]:
    """The places of a record that is read, whether each may be None, and how it is read:
    leniently, strictly."""
    record: Any = kind
    parts: dict[str, Any] = getattr(record, "lazy_parts", dict)()
    hints = get_type_hints(record, localns=parts, include_extras=True)
    layout = []
    for place, each in zip(_places(kind), fields(record), strict=True):
        hint, unknown = hints[each.name], each.metadata.get("unknown", MISSING)
        readers = [_reader(hint, is_strict=is_strict) for is_strict in (False, True)]
        if unknown is not MISSING:
            readers = [partial(_read_known, each, unknown) for each in readers]
        layout.append((place, NoneType in get_args(hint), (readers[0], readers[1])))
    return tuple(layout)


def camel_case(name: str) -> str:
    """What an attribute is called in a document."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _reader(hint: Any, *, is_strict: bool, most: int = INT64) -> Reader:
    """The function that reads a value of this type."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return _reader(inner[0], is_strict=is_strict, most=inner[1].most)
    if NoneType in inner:
        (other,) = (each for each in inner if each is not NoneType)
        nullable = other is bool
        return _read_flag if nullable else _reader(other, is_strict=is_strict, most=most)
    if kind is tuple:
        item = _reader(inner[0], is_strict=is_strict)
        return partial(_read_items, item, most, is_strict)
    if hint is bool:
        return lambda value: value is True
    if hint is str:
        return lambda value: read_text(value, most)
    if hint is int:
        return partial(read_whole if is_strict else _read_within, most=most)
    if hint is datetime:
        return _read_moment
    if isinstance(hint, type) and is_dataclass(hint):
        return partial(read, hint, is_strict=is_strict)
    word: Reader = hint
    return word


def _read_known(reader: Reader, unknown: object, value: object) -> Any:
    try:
        return reader(value)
    except ValueError:
        return unknown


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def _read_within(value: object, *, most: int) -> int:
    if read_whole(value, most=most) != value:
        raise ValueError("out of bounds")
    return int(value)


def _read_moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("a moment was expected")
    return parse_timestamp(value)


def _read_items(reader: Reader, most: int, is_strict: bool, value: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError("a list was expected")
    items = []
    for item in value[:most]:
        try:
            items.append(reader(item))
        except (KeyError, ValueError):
            if is_strict:
                raise
    return tuple(items)


def _dump_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_dump_value(item) for item in value]
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, datetime):
        return format_timestamp(value)
    return dump(value) if is_dataclass(value) else value
