"""Run-time parameters that a session begins with, in libpq's `options`.

RESET returns to such a value: a script may change it, and the next one does not notice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORD = re.compile(r"(?:\\.|[^\s\\])+", re.DOTALL)


def escape_option(text: str) -> str:
    """The server splits options at white space; a backslash keeps the next character."""
    return re.sub(r"([\s\\])", r"\\\1", text)


def add_setting(
    conninfo: Mapping[str, str], environ: Mapping[str, str], name: str, value: str
) -> dict[str, str]:
    """The connection with that parameter behind all others: of two values the last one counts."""
    # Given options replace PGOPTIONS, and no other variable.
    given = conninfo.get("options") or environ.get("PGOPTIONS", "")
    setting = f"-c {name}={escape_option(value)}"
    return {**conninfo, "options": f"{given} {setting}" if given else setting}


def has_setting(conninfo: Mapping[str, str], environ: Mapping[str, str], name: str) -> bool:
    """Whether the connection sets that parameter."""
    given = conninfo.get("options") or environ.get("PGOPTIONS", "")
    return without_setting(given, name) != " ".join(_WORD.findall(given))


def without_setting(options: str, name: str) -> str:
    """The options without that parameter."""
    kept: list[str] = []
    words = iter(_WORD.findall(options))
    for word in words:
        is_bare = word == "-c"
        setting = next(words, "") if is_bare else word.removeprefix("-c").removeprefix("--")
        if (is_bare or word != setting) and _name(setting) == name:
            continue
        kept += [word, setting] if is_bare else [word]
    return " ".join(filter(None, kept))


def _name(setting: str) -> str:
    return setting.partition("=")[0].replace("-", "_").lower()
