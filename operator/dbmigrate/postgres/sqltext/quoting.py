"""Names and texts as SQL literals.

Statements are built as text because a simple query has no parameters. Everything
that is not a constant of this package is quoted here.
"""

from __future__ import annotations

from dbmigrate.versions import TextVersion, Version


def identifier(name: str) -> str:
    """A name in double quotes, exactly as it is."""
    if "\0" in name:
        raise ValueError("a name can't hold a NUL character")
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | Version | None) -> str:
    """A value as a constant: a number or a text. A version that is not a number is a text.

    Does not depend on standard_conforming_strings.
    """
    if value is None:
        return "NULL"
    if isinstance(value, TextVersion):
        value = value.text
    if not isinstance(value, str):
        return str(value)
    if "\0" in value:
        raise ValueError("a text can't hold a NUL character")
    quoted = "'" + value.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in quoted else quoted


def raise_sql(text: str) -> str:
    """An integer expression that always fails, with a message that contains the text.

    A cast would do the same, unless someone has created one from text to integer.
    """
    return f"pg_catalog.int4in(pg_catalog.textout({text}))"


def number_sql(text: str) -> str:
    """The number in a text from the server, also without a cast."""
    return f"pg_catalog.numeric_in(pg_catalog.textout({text}), 0, -1)"


def literal_bool(value: bool) -> str:
    """A truth value as SQL writes it."""
    return "true" if value else "false"
