"""Names as SQL writes them: parsed, and generated as PostgreSQL would."""

from __future__ import annotations

import re

from dbmigrate.postgres.sqltext.quoting import identifier

LIMIT = 63
"""Bytes of a name (NAMEDATALEN - 1)."""
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_PART = re.compile(r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|[^."\']+')


def parts_of(name: str) -> tuple[str, ...]:
    """`a."b.c"` is `a` and `"b.c"`: still quoted."""
    return tuple(_PART.findall(name))


def last_part(name: str) -> str:
    """The name without its schema, or without its table."""
    return parts_of(name)[-1]


def without_last(name: str) -> str:
    """What comes before the last dot."""
    return name[: -len(last_part(name)) - 1]


def unquoted(part: str) -> str:
    """The name itself."""
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def quoted(made: str) -> str:
    """A generated name as SQL needs it. None of them is a reserved word: all end in a label."""
    return made if _PLAIN.fullmatch(made) else identifier(made)


def made_up(first: str, second: str, label: str) -> str:
    """`first_second_label`, shortened as PostgreSQL's makeObjectName does it; not quoted."""
    room = LIMIT - len(label) - 1 - (1 if second else 0)
    one, two = first.encode(), second.encode()
    length_one, length_two = len(one), len(two)
    while length_one + length_two > room:
        if length_one > length_two:
            length_one -= 1
        else:
            length_two -= 1
    kept = [_clip(one, length_one)]
    if second:
        kept.append(_clip(two, length_two))
    return "_".join((*kept, label))


def _clip(text: bytes, length: int) -> str:
    """Never within a character."""
    return text[:length].decode(errors="ignore")


def default_not_null_name(relation: str, column: str) -> str:
    """PostgreSQL 18's name for the constraint of a NOT NULL without a name."""
    return made_up(unquoted(last_part(relation)), unquoted(column), "not_null")


def mentions(text: str, name: str) -> bool:
    """Whether a name, as SQL writes it, occurs in a text as a whole."""
    return re.search(rf'(?<![\w"]){re.escape(name)}(?![\w"(])', text) is not None
