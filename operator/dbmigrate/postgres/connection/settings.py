"""Run-time parameters that a session begins with, in libpq's `options`.

RESET returns to such a value: a script may change it, and the next one does not notice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from dbmigrate.errors import MigrationError
from dbmigrate.printable import one_line
from dbmigrate.report import Reason

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WORD = re.compile(r"(?:\\.|[^\s\\])+", re.DOTALL)


def escape_option(text: str) -> str:
    """The server splits options at white space; a backslash keeps the next character."""
    return re.sub(r"([\s\\])", r"\\\1", text)


def add_setting(
    conninfo: Mapping[str, str], environ: Mapping[str, str], name: str, value: str
) -> dict[str, str]:
    """The connection with that parameter after all others: of two values the last one counts."""
    # Given options replace PGOPTIONS, and no other variable.
    given = conninfo.get("options") or environ.get("PGOPTIONS", "")
    setting = f"-c {name}={escape_option(value)}"
    return {**conninfo, "options": f"{given} {setting}" if given else setting}


def find_settings(
    conninfo: Mapping[str, str], environ: Mapping[str, str], name: str
) -> Sequence[str]:
    """The values that the connection sets that parameter to; the last one counts."""
    given = conninfo.get("options") or environ.get("PGOPTIONS", "")
    return [
        _ESCAPED.sub(r"\1", setting.partition("=")[2])
        for _, setting in _split(given)
        if setting is not None and _name(setting) == name
    ]


def require_settings(conninfo: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raise MigrationError (PoolerUnsafe) unless these settings are those that the connection asks
    for. PgBouncer drops all of them where its ignore_startup_parameters names `options`."""
    for name, value in found.items():
        asked = find_settings(conninfo, os.environ, name)
        if asked and asked[-1] != value:
            raise MigrationError(
                Reason.POOLER_UNSAFE,
                f"the connection asks for {name} {one_line(asked[-1])}, and the session has"
                f" {one_line(value) or 'none'}: a pooler does not pass it on",
                hint="connect to PostgreSQL directly, or to a pooler that passes startup parameters"
                " on (PgBouncer does not where ignore_startup_parameters names options)",
            )


def without_setting(options: str, name: str) -> str:
    """The options without that parameter."""
    kept = (
        words for words, setting in _split(options) if setting is None or _name(setting) != name
    )
    return " ".join(filter(None, (word for words in kept for word in words)))


def _split(options: str) -> Iterator[tuple[Sequence[str], str | None]]:
    """The words of each option, and its `name=value` if it is a run-time parameter."""
    words = iter(_WORD.findall(options))
    for word in words:
        if word == "-c":
            setting = next(words, "")
            yield (word, setting), setting
        else:
            setting = word.removeprefix("-c").removeprefix("--")
            yield (word,), setting if setting != word else None


def _name(setting: str) -> str:
    return setting.partition("=")[0].replace("-", "_").lower()
