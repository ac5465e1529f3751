"""What a schema holds, and statements that drop what is its own.

Every object that stands in a schema depends on it in pg_depend, whatever its kind. What
belongs to an extension is the extension's, and an extension is the database's.
"""

from __future__ import annotations

from dbmigrate.postgres.connection.search_path import CURRENT_SCHEMA
from dbmigrate.postgres.sqltext.quoting import literal

OBJECTS = f"""
SELECT n.nspname, o.type, o.identity, d.classid, d.objid, c.relkind FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_depend d ON d.refobjid = n.oid AND d.deptype = 'n'
  AND d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.objsubid = 0
  AND d.classid <> 'pg_catalog.pg_default_acl'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_class c ON c.oid = d.objid
  AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) o
WHERE n.nspname = {CURRENT_SCHEMA} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
  WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')"""
"""A row for each object: its schema, its kind as DROP has it, and its name with the schema."""

TABLES = f"SELECT nspname, identity FROM ({OBJECTS}) x WHERE relkind IN ('r', 'p') ORDER BY 2"
OTHERS = f"""SELECT nspname, type || ' ' || identity FROM ({OBJECTS}) x
WHERE relkind IS NULL OR relkind NOT IN ('r', 'p') ORDER BY 2"""

_GONE = "undefined_object OR undefined_table OR undefined_function OR invalid_schema_name"
_KEPT = f"dependent_objects_still_exist OR insufficient_privilege OR {_GONE}"
# An aggregate of any arguments is written with *, as nowhere else.
_DROPPED = (
    "CASE type WHEN 'composite type' THEN 'type' WHEN 'statistics object' THEN 'statistics'"
    " ELSE type END || ' ' || CASE type WHEN 'aggregate'"
    " THEN pg_catalog.regexp_replace(identity, '\\(\\)$', '(*)') ELSE identity END"
)
_ROUNDS = f"""
DECLARE name text; is_dropped boolean := true;
BEGIN
  WHILE is_dropped LOOP
    is_dropped := false;
    FOR name IN SELECT {_DROPPED} FROM ({OBJECTS}) x
      WHERE (relkind IS NULL OR relkind NOT IN ('r', 'p'))
      AND classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass
    LOOP
      BEGIN
        EXECUTE 'DROP ' || name || ' RESTRICT';
        is_dropped := true;
      EXCEPTION WHEN {_KEPT} THEN
        NULL;
      END;
    END LOOP;
  END LOOP;
END"""

DROP_OTHERS = f"DO {literal(_ROUNDS)}"
"""Drops all but tables and extensions, each by itself and RESTRICT, until nothing more can be:
what something outside needs, or another role owns, stays."""
