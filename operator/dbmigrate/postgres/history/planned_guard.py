"""The check of a history before each step, planned once a session.

Planning it costs the server about a sixth of a small step, running it almost nothing. So the
first step prepares it, by a name that no other session has, and those that follow run it. A
file may remove all prepared statements: then the step is repeated with the check in full.
"""

from __future__ import annotations

import random

from dbmigrate.postgres.connection.errors import ServerError
from dbmigrate.postgres.history.relations import History

_NOT_PREPARED = "26000"
"""invalid_sql_statement_name."""


class PlannedGuard:
    """The check as one session has it."""

    def __init__(self) -> None:
        self._name = ""
        """The prepared statement's; empty: there is none."""
        self._prepared = self._sent = ""
        """The check that it is, and the one that was sent last."""
        self._is_off = False

    def statements(self, history: History) -> tuple[str, ...]:
        """What precedes the statements that write a step's rows."""
        guard = history.guard_of_step
        if self._is_off or not guard:
            return guard
        lock, self._sent = guard
        if self._prepared == self._sent:
            return lock, f"EXECUTE {self._name}"
        # A step that failed may have prepared it: no name is used twice.
        self._prepared, self._name = "", f"dbmigrate_{random.getrandbits(64):016x}"
        return lock, f"PREPARE {self._name} AS {self._sent}", f"EXECUTE {self._name}"

    def keep(self) -> None:
        """The statements have run."""
        self._prepared = self._sent

    def is_lost(self, error: ServerError) -> bool:
        """Whether a step failed because the session has no prepared statement any more; from
        then on each check is sent in full."""
        is_lost = error.sqlstate == _NOT_PREPARED and self._name in error.message
        if self._is_off or not self._name or not is_lost:
            return False
        self._is_off = True
        return True
