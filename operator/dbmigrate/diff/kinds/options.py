"""Storage parameters, and the options of views: lists of `name=value`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dbmigrate.postgres.sqltext.quoting import literal

_PLAIN = re.compile(r"[A-Za-z0-9_.]+")


def with_clause(options: Sequence[str]) -> list[str]:
    """`WITH (...)`, or nothing."""
    return [f"WITH ({', '.join(map(_write, options))})"] if options else []


def change_options(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """`RESET (...)` and `SET (...)` for the options that differ."""
    gone = sorted({_name(each) for each in before} - {_name(each) for each in after})
    if gone:
        yield f"RESET ({', '.join(gone)})"
    new = [_write(each) for each in after if each not in before]
    if new:
        yield f"SET ({', '.join(new)})"


def _name(option: str) -> str:
    return option.partition("=")[0]


def _write(option: str) -> str:
    name, has_value, value = option.partition("=")
    if not has_value:
        return name
    return f"{name}={value if _PLAIN.fullmatch(value) else literal(value).strip()}"
