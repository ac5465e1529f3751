"""Enums, domains, composite types and ranges."""

from __future__ import annotations

from dbmigrate.diff.queries.fragments import (
    CLASS,
    CONSTRAINT,
    ROUTINE,
    TYPE,
    grants,
    in_schema,
    own,
    owner,
    place,
    qualified,
    rows,
)

_NAME = qualified("t.typname")
_COMMON = f"""{_NAME} AS name, quote_ident(n.nspname) AS schema, {owner("t.typowner")},
{grants("t.typacl")}"""
_PLACES = f"{place(TYPE, 't.oid')}, {place(TYPE, 't.typarray')}"
_FROM = f"FROM pg_type t {in_schema('t.typnamespace')}"
_OWN = own(TYPE, "t")

ENUMS = rows(f"""SELECT {_COMMON}, 'TYPE ' || {_NAME} AS address,
ARRAY(SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
    AS labels, ARRAY[{_PLACES}] AS at
{_FROM} WHERE t.typtype = 'e' AND {_OWN}""")

DOMAINS = rows(f"""SELECT {_COMMON}, 'DOMAIN ' || {_NAME} AS address,
format_type(t.typbasetype, t.typtypmod) AS base,
CASE WHEN t.typcollation <> b.typcollation THEN textin(regcollationout(t.typcollation)) END
    AS collation,
CASE WHEN t.typnotnull THEN json_build_object('name', quote_ident(k.conname),
    'place', {place(CONSTRAINT, "k.oid")}, 'no_inherit', false, 'validated', true) END AS not_null,
pg_get_expr(t.typdefaultbin, 0) AS "default",
ARRAY[{_PLACES}, {place(CONSTRAINT, "k.oid")}] AS at
{_FROM} JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_constraint k ON k.contypid = t.oid AND k.contype = 'n'
WHERE t.typtype = 'd' AND {_OWN}""")

DOMAIN_CONSTRAINTS = rows(f"""SELECT {_NAME} || '.' || quote_ident(k.conname) AS name,
'CONSTRAINT ' || quote_ident(k.conname) || ' ON DOMAIN ' || {_NAME} AS address,
{_NAME} AS domain, quote_ident(k.conname) AS "constraint",
pg_get_constraintdef(k.oid) AS definition, k.convalidated AS is_validated,
ARRAY[{place(CONSTRAINT, "k.oid")}] AS at
FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid {in_schema("t.typnamespace")}
WHERE k.contype = 'c' AND {_OWN}""")

COMPOSITES = rows(f"""SELECT {_COMMON}, 'TYPE ' || {_NAME} AS address,
ARRAY[{_PLACES}, {place(CLASS, "c.oid")}] AS at
{_FROM} JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
WHERE t.typtype = 'c' AND {own(CLASS, "c")}""")

RANGES = rows(f"""SELECT {_COMMON}, 'TYPE ' || {_NAME} AS address,
array_remove(ARRAY['subtype = ' || format_type(r.rngsubtype, NULL),
    CASE WHEN NOT oc.opcdefault THEN 'subtype_opclass = ' || {qualified("oc.opcname", "ocn")} END,
    CASE WHEN r.rngcollation <> st.typcollation
        THEN 'collation = ' || textin(regcollationout(r.rngcollation)) END,
    CASE WHEN r.rngsubdiff <> 0 THEN 'subtype_diff = ' || textin(regprocout(r.rngsubdiff)) END,
    'multirange_type_name = ' || format_type(r.rngmultitypid, NULL)], NULL) AS parameters,
ARRAY[{_PLACES}, {place(TYPE, "r.rngmultitypid")},
    (SELECT {place(TYPE, "m.typarray")} FROM pg_type m WHERE m.oid = r.rngmultitypid)]
    || ARRAY(SELECT {place(ROUTINE, "d.objid")} FROM pg_depend d WHERE d.classid = {ROUTINE}
        AND d.refclassid = {TYPE} AND d.refobjid IN (t.oid, r.rngmultitypid)
        AND d.deptype = 'i') AS at
{_FROM} JOIN pg_range r ON r.rngtypid = t.oid
JOIN pg_type st ON st.oid = r.rngsubtype
JOIN pg_opclass oc ON oc.oid = r.rngsubopc JOIN pg_namespace ocn ON ocn.oid = oc.opcnamespace
WHERE t.typtype = 'r' AND {_OWN}""")
