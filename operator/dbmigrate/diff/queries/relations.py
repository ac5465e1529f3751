"""Tables, their columns and defaults, partitions, views and sequences."""

from __future__ import annotations

from dbmigrate.diff.queries.fragments import (
    CLASS,
    CONSTRAINT,
    DEFAULT,
    REWRITE,
    SETTINGS,
    TYPE,
    grants,
    in_schema,
    on_relation,
    own,
    owner,
    place,
    qualified,
    relation_name,
    rows,
)

_NAME = qualified("c.relname")
_COLUMN_NAME = f"{_NAME} || '.' || quote_ident(a.attname)"
_ROW_TYPE = f"""{place(TYPE, "c.reltype")},
    (SELECT {place(TYPE, "t.typarray")} FROM pg_type t WHERE t.oid = c.reltype)"""
_TABLESPACE = """(SELECT quote_ident(spcname) FROM pg_tablespace WHERE oid = c.reltablespace)
    AS tablespace"""
_ACCESS_METHOD = "(SELECT quote_ident(amname) FROM pg_am WHERE oid = c.relam) AS access_method"
_LOCAL_PARENTS = f"""ARRAY(SELECT {relation_name("h.inhparent")} FROM pg_inherits h
    WHERE h.inhrelid = c.oid AND NOT c.relispartition ORDER BY h.inhseqno)"""

TABLES = rows(f"""SELECT {_NAME} AS name, 'TABLE ' || {_NAME} AS address,
quote_ident(n.nspname) AS schema, {owner("c.relowner")}, {grants("c.relacl")},
c.relkind = 'p' AS is_partitioned, c.relpersistence AS persistence,
CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
COALESCE(c.reloptions, '{{}}') || ARRAY(SELECT 'toast.' || o FROM pg_class t,
    unnest(t.reloptions) o WHERE t.oid = c.reltoastrelid) AS options,
{_TABLESPACE}, {_ACCESS_METHOD}, c.relrowsecurity AS row_security,
c.relforcerowsecurity AS forces_row_security, c.relreplident AS replica_identity,
CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS of_type,
{_LOCAL_PARENTS} AS inherits,
(SELECT {relation_name("h.inhparent")} FROM pg_inherits h
    WHERE h.inhrelid = c.oid AND c.relispartition) AS partition_of,
ARRAY[{place(CLASS, "c.oid")}, {_ROW_TYPE}] AS at
FROM pg_class c {in_schema("c.relnamespace")}
WHERE c.relkind IN ('r', 'p') AND NOT ($ignored) AND {own(CLASS, "c")}""")

COLUMNS = rows(f"""SELECT {_COLUMN_NAME} AS name, 'COLUMN ' || {_COLUMN_NAME} AS address,
{_NAME} AS relation, c.relkind AS relation_kind, quote_ident(a.attname) AS "column",
a.attnum AS position, {grants("a.attacl")}, format_type(a.atttypid, a.atttypmod) AS type,
format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END, NULL) AS base_type,
CASE WHEN a.attcollation <> t.typcollation THEN textin(regcollationout(a.attcollation)) END
    AS collation,
CASE WHEN a.attnotnull AND c.relkind IN ('r', 'p') THEN
    json_build_object('name', quote_ident(k.conname),
    'place', {place(CONSTRAINT, "k.oid")}, 'local', k.conislocal, 'no_inherit', k.connoinherit,
    'validated', k.convalidated) END AS not_null,
a.attidentity AS identity, {relation_name("s.seqrelid")} AS identity_sequence, {SETTINGS},
a.attgenerated AS generated,
CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END AS expression,
a.attstorage AS storage, t.typstorage AS default_storage, a.attcompression AS compression,
nullif(a.attstattarget, -1) AS statistics, COALESCE(a.attoptions, '{{}}') AS options,
NOT a.attislocal AS is_inherited,
ARRAY[{place(CLASS, "c.oid", "a.attnum")},
    CASE WHEN a.attgenerated <> '' THEN {place(DEFAULT, "d.oid")} END, {place(CONSTRAINT, "k.oid")}]
    AS at
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid {on_relation("a.attrelid")}
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_constraint k ON k.contype = 'n' AND k.conrelid = a.attrelid
    AND k.conkey[1] = a.attnum
LEFT JOIN (SELECT i.refobjid, i.refobjsubid, s.* FROM pg_depend i
    JOIN pg_sequence s ON s.seqrelid = i.objid
    WHERE i.classid = {CLASS} AND i.refclassid = {CLASS} AND i.deptype = 'i') s
    ON s.refobjid = a.attrelid AND s.refobjsubid = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'c')""")

DEFAULTS = rows(f"""SELECT {_COLUMN_NAME} AS name, '' AS address, {_NAME} AS relation,
quote_ident(a.attname) AS "column", pg_get_expr(d.adbin, d.adrelid) AS expression,
ARRAY[{place(DEFAULT, "d.oid")}] AS at
FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
{on_relation("d.adrelid")} WHERE a.attgenerated = '' AND c.relkind <> 'f'""")

ATTACHMENTS = rows(f"""SELECT {_NAME} AS name, '' AS address,
{relation_name("h.inhparent")} AS parent, {_NAME} AS child,
pg_get_expr(c.relpartbound, c.oid) AS bound, ARRAY[]::text[] AS at
FROM pg_inherits h {on_relation("h.inhrelid")}
WHERE c.relispartition AND c.relkind IN ('r', 'p')""")

VIEWS = rows(f"""SELECT {_NAME} AS name,
CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW ' ELSE 'VIEW ' END || {_NAME} AS address,
quote_ident(n.nspname) AS schema, {owner("c.relowner")}, {grants("c.relacl")},
c.relkind = 'm' AS is_materialized, pg_get_viewdef(c.oid) AS definition,
ARRAY(SELECT concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
    textin(regcollationout(a.attcollation))) FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum) AS columns,
COALESCE(c.reloptions, '{{}}') AS options, {_TABLESPACE}, {_ACCESS_METHOD},
c.relispopulated AS is_populated,
ARRAY[{place(CLASS, "c.oid")}, {_ROW_TYPE}, (SELECT {place(REWRITE, "r.oid")} FROM pg_rewrite r
    WHERE r.ev_class = c.oid AND r.rulename = '_RETURN')] AS at
FROM pg_class c {in_schema("c.relnamespace")}
WHERE c.relkind IN ('v', 'm') AND NOT ($ignored) AND {own(CLASS, "c")}""")

SEQUENCES = rows(f"""SELECT {_NAME} AS name, 'SEQUENCE ' || {_NAME} AS address,
quote_ident(n.nspname) AS schema, {owner("c.relowner")}, {grants("c.relacl")}, {SETTINGS},
c.relpersistence AS persistence,
(SELECT {relation_name("d.refobjid")} || '.' || quote_ident(a.attname) FROM pg_depend d
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = {CLASS} AND d.objid = c.oid AND d.refclassid = {CLASS}
    AND d.deptype IN ('a', 'i')) AS owned_by,
EXISTS (SELECT FROM pg_depend d WHERE d.classid = {CLASS} AND d.objid = c.oid
    AND d.refclassid = {CLASS} AND d.deptype = 'i') AS is_identity,
ARRAY[{place(CLASS, "c.oid")}] AS at
FROM pg_sequence s {on_relation("s.seqrelid")}""")
