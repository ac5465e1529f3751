"""Parts of a relation: constraints, indexes, triggers, rules, policies, statistics."""

from __future__ import annotations

from dbmigrate.diff.queries.fragments import (
    CLASS,
    CONSTRAINT,
    POLICY,
    REWRITE,
    STATISTICS,
    TRIGGER,
    in_schema,
    on_relation,
    own,
    owner,
    place,
    qualified,
    relation_name,
    rows,
)

_TABLE = qualified("c.relname")


def _part(column: str) -> str:
    return f"{_TABLE} || '.' || quote_ident({column})"


def _address(word: str, column: str) -> str:
    return f"'{word} ' || quote_ident({column}) || ' ON ' || {_TABLE}"


_ENFORCED = "(SELECT conenforced FROM (SELECT k.*) newer)"
_ALWAYS_ENFORCED = "CROSS JOIN (SELECT true AS conenforced) older"
"""conenforced came with 18. Before, the name is found one query further out."""

CONSTRAINTS = rows(f"""SELECT {_part("k.conname")} AS name,
{_address("CONSTRAINT", "k.conname")} AS address, {_TABLE} AS "table",
c.relkind = 'p' AS is_on_partitioned, quote_ident(k.conname) AS "constraint",
k.contype AS type, pg_get_constraintdef(k.oid) AS definition,
k.convalidated AS is_validated, {_ENFORCED} AS is_enforced,
NOT k.conislocal OR k.conparentid <> 0 AS is_inherited,
ARRAY(SELECT quote_ident(a.attname) FROM unnest(k.conkey) WITH ORDINALITY u (number, position)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number
    ORDER BY u.position) AS columns,
{relation_name("k.confrelid")} AS references,
{relation_name("i.indexrelid")} AS index,
{place(CLASS, "i.indexrelid")} AS index_place, pg_get_indexdef(i.indexrelid) AS index_definition,
COALESCE(ic.reloptions, '{{}}') AS index_options,
(SELECT quote_ident(spcname) FROM pg_tablespace WHERE oid = ic.reltablespace) AS tablespace,
COALESCE(i.indisreplident, false) AS is_replica_identity,
COALESCE(i.indisclustered, false) AS is_clustered,
ARRAY[{place(CONSTRAINT, "k.oid")}, {place(CLASS, "i.indexrelid")}]
    || ARRAY(SELECT {place(CONSTRAINT, "s.oid")} FROM pg_constraint s WHERE s.contype = 'f'
        AND fc.relkind = 'p' AND s.conrelid = k.conrelid AND s.conkey = k.conkey
        AND s.conparentid <> 0 AND s.oid <> k.oid
        AND pg_partition_root(s.confrelid) = pg_partition_root(k.confrelid)) AS at
FROM pg_constraint k {on_relation("k.conrelid")} {_ALWAYS_ENFORCED}
LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class ic ON ic.oid = i.indexrelid
LEFT JOIN pg_class fc ON fc.oid = k.confrelid
LEFT JOIN pg_constraint up ON up.oid = k.conparentid
WHERE c.relkind <> 'f' AND k.contype IN ('c', 'f', 'p', 'u', 'x')
AND up.conrelid IS DISTINCT FROM k.conrelid""")
"""A foreign key to a partitioned table has a shadow on the same table for each partition. They
are no objects, but what they depend on, the key depends on."""

_INDEX_WHERE = "COALESCE(' WHERE ' || pg_get_expr(i.indpred, i.indrelid), '')"
_INDEX_DEFINITION = f"""CASE WHEN ic.reltablespace = 0 THEN pg_get_indexdef(i.indexrelid)
    ELSE left(pg_get_indexdef(i.indexrelid), -length({_INDEX_WHERE})) || ' TABLESPACE '
        || (SELECT quote_ident(spcname) FROM pg_tablespace WHERE oid = ic.reltablespace)
        || {_INDEX_WHERE} END"""
"""pg_get_indexdef passes over the tablespace, which stands before the condition."""

INDEXES = rows(f"""SELECT {qualified("ic.relname")} AS name,
'INDEX ' || {qualified("ic.relname")} AS address, quote_ident(n.nspname) AS schema,
{_TABLE} AS "table", c.relkind AS table_kind, c.relkind AS part_of_kind,
quote_ident(ic.relname) AS index,
{_INDEX_DEFINITION} AS definition, i.indisvalid AS is_valid,
i.indisreplident AS is_replica_identity,
i.indisclustered AS is_clustered,
ARRAY(SELECT concat_ws(' ', a.attnum, a.attstattarget) FROM pg_attribute a
    WHERE a.attrelid = i.indexrelid AND a.attstattarget <> -1 ORDER BY a.attnum) AS statistics,
(SELECT {relation_name("h.inhparent")} FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
    AS parent,
ARRAY[{place(CLASS, "i.indexrelid")}] AS at
FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid {on_relation("i.indrelid")}
WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid
    AND k.contype IN ('p', 'u', 'x'))""")

INDEX_ATTACHMENTS = rows(f"""SELECT {relation_name("h.inhrelid")} AS name, '' AS address,
{relation_name("h.inhparent")} AS parent, {relation_name("h.inhrelid")} AS child,
{_TABLE} AS child_table, ARRAY[]::text[] AS at,
ARRAY[{place(CLASS, "h.inhparent")}, {place(CLASS, "h.inhrelid")}] AS needs
FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid {on_relation("i.indrelid")}""")

_BELOW = f"""CASE WHEN c.relkind = 'p' THEN ARRAY(WITH RECURSIVE d AS (
    SELECT x.oid, x.tgrelid, x.tgenabled FROM pg_trigger x WHERE x.tgparentid = g.oid UNION ALL
    SELECT x.oid, x.tgrelid, x.tgenabled FROM pg_trigger x JOIN d ON x.tgparentid = d.oid)
    SELECT concat_ws(' ', {relation_name("d.tgrelid")}, d.tgenabled) FROM d
    WHERE d.tgenabled <> g.tgenabled ORDER BY 1) ELSE '{{}}' END"""

TRIGGERS = rows(f"""SELECT {_part("g.tgname")} AS name,
{_address("TRIGGER", "g.tgname")} AS address, {_TABLE} AS "table",
c.relkind AS part_of_kind, quote_ident(g.tgname) AS trigger, pg_get_triggerdef(g.oid) AS definition,
g.tgenabled AS enabled, {_BELOW} AS below, g.tgconstraint <> 0 AS is_constraint,
ARRAY[{place(TRIGGER, "g.oid")}, {place(CONSTRAINT, "g.tgconstraint")}] AS at
FROM pg_trigger g {on_relation("g.tgrelid")}
WHERE NOT g.tgisinternal AND g.tgparentid = 0""")

RULES = rows(f"""SELECT {_part("r.rulename")} AS name,
{_address("RULE", "r.rulename")} AS address, {_TABLE} AS "table",
c.relkind AS part_of_kind, quote_ident(r.rulename) AS rule, pg_get_ruledef(r.oid) AS definition,
r.ev_enabled AS enabled, ARRAY[{place(REWRITE, "r.oid")}] AS at
FROM pg_rewrite r {on_relation("r.ev_class")} WHERE r.rulename <> '_RETURN'""")

POLICIES = rows(f"""SELECT {_part("p.polname")} AS name,
{_address("POLICY", "p.polname")} AS address, {_TABLE} AS "table",
quote_ident(p.polname) AS policy,
CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
    WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command, p.polpermissive AS is_permissive,
ARRAY(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END
    FROM unnest(p.polroles) r ORDER BY 1) AS roles,
pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS check,
ARRAY[{place(POLICY, "p.oid")}] AS at
FROM pg_policy p {on_relation("p.polrelid")}""")

STATISTICS_OBJECTS = rows(f"""SELECT {qualified("s.stxname")} AS name,
'STATISTICS ' || {qualified("s.stxname")} AS address, quote_ident(n.nspname) AS schema,
{owner("s.stxowner")}, {relation_name("c.oid")} AS "table", c.relkind AS part_of_kind,
pg_get_statisticsobjdef(s.oid) AS definition, nullif(s.stxstattarget, -1) AS target,
ARRAY[{place(STATISTICS, "s.oid")}] AS at
FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid AND NOT ($ignored)
{in_schema("s.stxnamespace")} WHERE {own(STATISTICS, "s")}""")
