"""Which values of a connection may be shown, and texts about it without the others.

A URL that is written wrongly has parts of its password in any of its parameters. So the
value of a parameter is shown where it reads as what the parameter is for (a host's name, a
port, a plain name of a role or a database, a file) and in no other case. A variable that
DBMIGRATE_SECRET_VARIABLES names has its value out of a Secret: it is not shown at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from dbmigrate.postgres.connection.parameters import PASSWORDS
from dbmigrate.secret_variables import secret_variables

NOT_SHOWN = "(not shown)"
_VARIABLES = {"PGDATABASE": "dbname", "PGAPPNAME": "application_name"}
"""Those of libpq that are not called after their parameter."""
_FORMS = {
    "host": r"[\w.-]*|[0-9A-Fa-f:.]+(?:%[\w.-]+)?|[/@][\w./-]*|/cloudsql/[\w./:-]*",
    "hostaddr": r"[0-9A-Fa-f:.]*(?:%[\w.-]+)?",
    "port": r"[0-9]{0,5}",
    "user": r"[\w.-]*",
    "dbname": r"[\w.-]*",
    "service": r"[\w.-]*",
    "client_encoding": r"UTF8",
}
"""What the value of a parameter looks like that is shown, of each item of a list."""
_FILE = r"~?/[\w./-]+"
_FILES = frozenset(
    ("passfile", "servicefile", "sslcert", "sslcrl", "sslcrldir", "sslkey", "sslrootcert")
)
_QUOTE = "[\"'`\u00b4\u2018-\u201f\u00ab\u00bb\u2039\u203a\u300c-\u300f]"
"""The text around a value in a message of libpq, psycopg or the server, in any language."""
_FOREIGN = frozenset(("connection_limit", "pgbouncer", "pool_timeout", "socket_timeout"))
"""Parameters of other libraries, which people leave in a URL."""
_NAME_BYTES = 63
"""The server cuts longer names."""


def is_showable(parameter: str, value: str) -> bool:
    """Whether the value reads as what a parameter of libpq's is for."""
    form = _FILE if parameter in _FILES else _FORMS.get(parameter)
    if form is None or parameter in PASSWORDS:
        return False
    items = value.split(",") if parameter in ("host", "hostaddr", "port") else [value]
    return all(re.fullmatch(form, item) for item in items)


def show(parameter: str, value: str) -> str:
    """The value, or that it is not shown."""
    return value if is_showable(parameter, value) else NOT_SHOWN


def from_environ(parameter: str, variable: str, environ: Mapping[str, str]) -> str | None:
    """The value of libpq's variable for people; None if it is not set."""
    value = environ.get(variable)
    if value is None:
        return None
    return NOT_SHOWN if variable in secret_variables(environ) else show(parameter, value)


def has_odd_names(conninfo: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """Whether a message that names the role, the database or a setting can't be told apart
    from what it names."""
    names = {"user": "PGUSER", "dbname": "PGDATABASE"}
    values = ((key, conninfo.get(key) or environ.get(name, "")) for key, name in names.items())
    return not all(re.fullmatch(r"[\w.-]*", value) for _, value in values) or bool(
        re.search(_QUOTE, conninfo.get("options", ""))
    )


def redact(text: str, conninfo: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The message with `(not shown)` where it quotes a value that is not for people."""
    hidden = sorted(set(_hidden(conninfo, environ)), key=len, reverse=True)
    for value in hidden:
        text = re.sub(f"{_QUOTE}\\s?{re.escape(value)}\\s?{_QUOTE}", NOT_SHOWN, text)
    return text


def _hidden(conninfo: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    secret = secret_variables(environ)
    variables = [
        (_VARIABLES.get(name, name[2:].lower()), value)
        for name, value in environ.items()
        if name.startswith("PG") and name not in secret
    ]
    for key, value in (*conninfo.items(), *variables):
        if key == "options":
            for word in _settings(value):
                yield from _spellings(word)
        elif not is_showable(key, value):
            yield from _spellings(value)
    for name in secret:
        yield from _spellings(environ.get(name, ""))


def _settings(options: str) -> Iterator[str]:
    """The values of `-c name=value`, and names that nothing known is called like."""
    for word in re.split(r"(?<!\\)\s+", options):
        name, _, value = re.sub(r"\\(.)", r"\1", word.removeprefix("-c")).partition("=")
        yield value
        if name and not _is_like_a_setting(name):
            yield name


@cache
def _is_like_a_setting(name: str) -> bool:
    from difflib import get_close_matches

    from dbmigrate.postgres.connection.parameters import KNOWN

    return name in _FOREIGN or bool(get_close_matches(name.lower(), KNOWN, 1, 0.75))


def _spellings(value: str) -> Iterator[str]:
    """How messages write it: whole, its items, cut to the length of a name, and as Python does."""
    for spelling in (
        value,
        *value.split(","),
        value.encode("utf-8", "replace")[:_NAME_BYTES].decode(errors="ignore"),
    ):
        text = " ".join(spelling.split())
        if text:
            yield text
            yield repr(text)[1:-1]
