"""The settings of the runner's own statements, and of a migration file's.

An operator, a function or a type without a schema is resolved by the search path, so a
role that may create objects in a schema of the path could have its code run by such a
statement (CVE-2018-1058). The runner's statements therefore run with only the system
catalog on the path. pg_temp is named, and last: a path that does not name it begins
with it. A history table is always named with its schema.

Other settings change how the server writes a name, a type or a constant: with
quote_all_identifiers a type is `"text"`. They, too, have one value for the runner's
statements, whatever the role, the database or a file has set.

All are set for one transaction only. The session keeps the path that its URL, role
and database give it: a file runs with that one, `RESET search_path` returns to it, and
behind a pooler no other client gets the runner's.

Allowed before the path is set: SET, BEGIN and the like, and calls of functions that are
written with `pg_catalog` and get arguments of exactly their types.
"""

from __future__ import annotations

SAFE_PATH = "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL row_security = off"
"""Begins those statements of dbmigrate that return no text. A table's policies are not evaluated:
where they apply, the server refuses the statement."""
SAFE = (
    f"{SAFE_PATH}; SET LOCAL quote_all_identifiers = off; SET LOCAL datestyle = ISO;"
    " SET LOCAL intervalstyle = postgres; SET LOCAL extra_float_digits = 1;"
    " SET LOCAL bytea_output = hex; SET LOCAL xmlbinary = base64"
)
"""Begins each other message of dbmigrate. The time zone stays: goose's and Flyway's times have none
and are the session's."""
READS_CATALOGS = "SET LOCAL timezone = 'UTC'; SET LOCAL jit = off"
"""After SAFE where catalogs are read: constants have one time zone, and the server does not compile
large queries, whose costs it overestimates (100,000 and more for a thousand tables)."""

KEEP_SCHEMA = (
    "SELECT pg_catalog.set_config('dbmigrate.schema',"
    " COALESCE(pg_catalog.current_schema(), ''), true)"
)
"""Notes the first schema of the session's own path, for CURRENT_SCHEMA in the same message."""
KEEP_SESSION = (
    f"{KEEP_SCHEMA}, pg_catalog.set_config('dbmigrate.search_path',"
    " pg_catalog.current_setting('search_path'), true)"
)
"""Notes that path as well, for OWN_PATH."""
CURRENT_SCHEMA = "NULLIF(pg_catalog.current_setting('dbmigrate.schema'), '')"
"""That schema; NULL: the path leads nowhere."""
KEEP_PATH = (
    "SELECT pg_catalog.set_config('dbmigrate.search_path',"
    " pg_catalog.current_setting('search_path'), true),"
    " pg_catalog.set_config('dbmigrate.row_security',"
    " pg_catalog.current_setting('row_security'), true)"
)
"""Notes the session's own path, for OWN_PATH in the same transaction."""
OWN_PATH = "pg_catalog.current_setting('dbmigrate.search_path')"
"""That path, as SHOW writes it."""


def aside(sql: str) -> str:
    """Statements of the runner in a transaction in which the file's path is needed again.

    Deferred triggers run at its COMMIT, and they are the file's.
    """
    back = (
        f"SELECT pg_catalog.set_config('search_path', {OWN_PATH}, true),"
        " pg_catalog.set_config('row_security',"
        " pg_catalog.current_setting('dbmigrate.row_security'), true)"
    )
    return f"{KEEP_PATH}; {SAFE_PATH}; {sql}; {back}"
