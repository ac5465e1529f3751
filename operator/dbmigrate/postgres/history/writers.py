"""Whether a script that the log holds may be run.

A stored down script runs with all rights of the run's role, and a role that can write the log
or the version table chooses which one. So each role that can write them must be one that may
act as the run's role anyway, or one that a person has named.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.history.relations import History, log_name
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.report import Reason

_WRITING = "privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')"
# The members of a role are its own decision, except for those of the server's role for all tables.
_WRITERS = f"""
SELECT c.relowner, 'owns it'
UNION ALL SELECT grantee, 'has ' || privilege_type || ' on it'
  FROM pg_catalog.aclexplode(c.relacl) WHERE {_WRITING}
UNION ALL SELECT grantee, 'has ' || privilege_type || ' on its column ' || attname
  FROM pg_catalog.pg_attribute, pg_catalog.aclexplode(attacl)
  WHERE attrelid = c.oid AND NOT attisdropped AND {_WRITING}
UNION ALL SELECT m.oid, 'is a member of ' || w.rolname
  FROM pg_catalog.pg_roles w, pg_catalog.pg_roles m WHERE w.rolname = 'pg_write_all_data'
  AND m.oid <> w.oid AND pg_catalog.pg_has_role(m.oid, w.oid, 'MEMBER')"""
_ROLE = (
    "CASE WHEN w.oid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = 'pg_database_owner')"
    " THEN (SELECT datdba FROM pg_catalog.pg_database"
    " WHERE datname = pg_catalog.current_database()) ELSE w.oid END"
)


def require_trusted_writers(session: Session, history: History, owner: str | None) -> None:
    """Raise MigrationError (ForeignHistory) if a role that may not act as this one can write it.

    `owner` is the role that a person has named: it is trusted, and so are its members.
    """
    tables = {history.table, log_name(history.table)}
    oids = ", ".join(str(oid) for name, oid in history.oids if name in tables)
    (rows,) = session.query(
        "SELECT c.relname, r.rolname, w.how FROM pg_catalog.pg_class c"
        f" CROSS JOIN LATERAL ({_WRITERS}) w (oid, how)"
        f" LEFT JOIN pg_catalog.pg_roles r ON r.oid = {_ROLE}"
        # PUBLIC has no row in pg_roles.
        f" WHERE c.oid IN ({oids}) AND (r.oid IS NULL OR NOT ("
        " pg_catalog.pg_has_role(r.oid, session_user, 'MEMBER')"
        " AND pg_catalog.pg_has_role(r.oid, current_user, 'MEMBER')"
        " OR EXISTS (SELECT FROM pg_catalog.pg_roles n"
        f" WHERE n.rolname = {literal(owner or '')}"
        " AND pg_catalog.pg_has_role(r.oid, n.oid, 'MEMBER'))))"
        " ORDER BY 1, 2, 3 LIMIT 1"
    )
    for table, role, how in rows:
        who = f"role {role}" if role else "PUBLIC"
        named = f", or name {role} with -history-owner" if role else ""
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"can't run the down script stored in {history.schema}.{log_name(history.table)}:"
            f" {who} can write {history.schema}.{table} ({how}), and may not act as this"
            " session's role",
            hint="supply the down file; or take the right away (REVOKE, ALTER TABLE ... OWNER TO)"
            f"{named}",
        )
