"""libpq by psycopg's binding of it, without the rest of psycopg.

`import psycopg` also loads cursors, type adapters, their asynchronous twins and the metadata of
its wheel, of which a session that speaks the protocol directly uses none: more than half of the
processor time of a run that finds nothing to do. Only the modules below are loaded; a later
`import psycopg` is the ordinary one, and finds them loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.bare_packages import bare_packages

if TYPE_CHECKING:
    from psycopg import pq
    from psycopg.conninfo import conninfo_attempts, make_conninfo, timeout_from_conninfo
    from psycopg.errors import Error, OperationalError
else:
    with bare_packages("psycopg", "psycopg_binary"):
        from psycopg import pq
        from psycopg.conninfo import conninfo_attempts, make_conninfo, timeout_from_conninfo
        from psycopg.errors import Error, OperationalError

__all__ = [
    "Error",
    "OperationalError",
    "conninfo_attempts",
    "make_conninfo",
    "pq",
    "timeout_from_conninfo",
]
