"""The environment variables whose values come from Secrets.

The operator names them in the Job; a person may name some as well. A message may say that
such a variable is wrong, and never what it holds: a reference to a Secret's key may be to
the wrong key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLE = "DBMIGRATE_SECRET_VARIABLES"
"""Names with commas between."""
HIDDEN = "(not shown: it comes from a Secret)"
_SHORT = 4
"""A value of fewer characters is hidden where it is quoted: it may be part of any text."""


def secret_variables(environ: Mapping[str, str]) -> frozenset[str]:
    """Their names."""
    return frozenset(filter(None, environ.get(VARIABLE, "").split(",")))


class SecretValues:
    """The values of those variables, to be taken out of texts."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # The name of a role is in many messages of a session that is open; of a login that
        # failed, postgres/connection/refusal.py says nothing of it.
        names = secret_variables(environ) - {"PGUSER"}
        values = sorted({environ.get(name, "") for name in names} - {""}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_standing_alone, values))) if values else None

    def hide(self, text: str) -> str:
        """The text with HIDDEN in the place of each value that stands alone."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)


def _standing_alone(value: str) -> str:
    if len(value) < _SHORT:
        return rf"(?<=[\"'=]){re.escape(value)}(?=[\"'\s,;]|$)"
    return rf"(?<!\w){re.escape(value)}(?!\w)"
