"""What an emptied schema takes along that is not its application's alone.

DROP TABLE ... CASCADE also drops what depends on the tables in other schemas: a view, a
foreign key, a partition. And a superuser, or a schema's owner, drops other roles' objects
without being asked. golang-migrate names neither.
"""

from __future__ import annotations

from dbmigrate.postgres.connection.search_path import CURRENT_SCHEMA
from dbmigrate.postgres.history.inspection import ME
from dbmigrate.postgres.schema.contents import OBJECTS
from dbmigrate.postgres.sqltext.quoting import literal, raise_sql

ENTAILED = "dbmigrate: more is dropped than the schema's own"
"""Begins the text of the guard's error."""

_GONE = """gone (classid, objid, objsubid) AS (
  SELECT classid, objid, 0 FROM objects WHERE relkind IN ('r', 'p')
  UNION SELECT x.* FROM gone g CROSS JOIN LATERAL (
    SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend d
    WHERE d.refclassid = g.classid AND d.refobjid = g.objid AND d.deptype <> 'e'
    AND (g.objsubid = 0 OR d.refobjsubid = g.objsubid)
    UNION ALL SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_catalog.pg_depend d
    WHERE d.classid = g.classid AND d.objid = g.objid AND d.deptype = 'i') x)"""
"""As the server's own search: what depends on an object goes with it, and the whole of which an
object is an internal part (a view of its rule)."""
_OUTSIDE = """outside AS (
  SELECT g.*, o.type, o.identity, a.object_names AS names FROM gone g
  CROSS JOIN LATERAL pg_catalog.pg_identify_object(g.classid, g.objid, g.objsubid) o
  CROSS JOIN LATERAL pg_catalog.pg_identify_object_as_address(g.classid, g.objid, g.objsubid) a
  WHERE COALESCE(o.schema, (a.object_names)[1]) NOT IN ('pg_toast', here.name)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = g.classid AND d.objid = g.objid AND d.objsubid = g.objsubid
    AND d.deptype IN ('i', 'P')))"""
_DEPENDENTS = """SELECT x.type || ' ' || x.identity AS name FROM outside x
WHERE NOT EXISTS (SELECT FROM outside y WHERE y.objsubid = 0 AND y.classid =
  'pg_catalog.pg_class'::pg_catalog.regclass AND (y.classid, y.objid) <> (x.classid, x.objid)
  AND y.names = (x.names)[1:2])
AND NOT EXISTS (SELECT FROM outside y WHERE y.classid = x.classid AND y.objid = x.objid
  AND y.objsubid < x.objsubid)
AND NOT EXISTS (SELECT FROM gone y JOIN pg_catalog.pg_index i ON i.indrelid = y.objid
  WHERE i.indexrelid = x.objid AND y.objsubid = 0)"""
"""Parts of an object that goes as a whole are left out."""
_STRANGERS = """SELECT x.type || ' ' || x.identity || ' of role ' || r.rolname
FROM (SELECT o.*, COALESCE((SELECT s.refobjid FROM pg_catalog.pg_shdepend s
    JOIN pg_catalog.pg_database b ON b.oid = s.dbid AND b.datname = pg_catalog.current_database()
    WHERE s.classid = o.classid AND s.objid = o.objid AND s.objsubid = 0 AND s.deptype = 'o'
    LIMIT 1), 10) AS owner FROM objects o WHERE type <> 'extension') x
JOIN pg_catalog.pg_roles r ON r.oid = x.owner
WHERE r.oid NOT IN (SELECT oid FROM me) AND r.rolname <> 'pg_database_owner'
AND r.oid NOT IN (SELECT datdba FROM pg_catalog.pg_database
  WHERE datname = pg_catalog.current_database())
AND (x.relkind IN ('r', 'p') OR pg_catalog.pg_has_role(r.oid, 'USAGE') OR EXISTS (
  SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = x.nspname
  AND pg_catalog.pg_has_role(n.nspowner, 'USAGE')))
AND r.oid NOT IN (SELECT c.relowner FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = x.nspname AND c.relname = $history)"""
"""Whose objects the session can drop; an initial superuser (10) is not noted as an owner. Those
of the role whose history it is are the application's own."""


def entailed_sql(history: str) -> str:
    """The names of what is dropped as well, in order; no rows where there is nothing. `history`
    is the name of the history's table."""
    outside = _OUTSIDE.replace("here.name", CURRENT_SCHEMA)
    strangers = _STRANGERS.replace("$history", literal(history))
    return (
        f"{ME}, objects AS ({OBJECTS}), {_GONE}, {outside}"
        f" {_DEPENDENTS} UNION ({strangers}) ORDER BY 1"
    )


def guard_sql(history: str) -> str:
    """A statement that fails where anything else would be dropped."""
    refusal = raise_sql(f"pg_catalog.concat({literal(ENTAILED)}, ': ', pg_catalog.min(name))")
    return (
        f"SELECT CASE WHEN pg_catalog.count(*) > 0 THEN {refusal} END"
        f" FROM ({entailed_sql(history)}) x (name)"
    )
