"""Objects that are created by statements as they are, and have no parts of their own here:
collations, casts, operators, text search, foreign data, event triggers, publications.

`statements` create one, and are what is compared.
"""

from __future__ import annotations

from dbmigrate.diff.queries.fragments import (
    CLASS,
    TYPE,
    grants,
    in_schema,
    own,
    owner,
    place,
    qualified,
    relation_name,
    rows,
)

COLLATION, CAST, OPERATOR = 3456, 2605, 2617
TS_DICTIONARY, TS_CONFIGURATION = 3600, 3602
WRAPPER, SERVER, EVENT_TRIGGER, PUBLICATION = 2328, 1417, 3466, 6104


def _options(column: str) -> str:
    return (
        "COALESCE(' OPTIONS (' || (SELECT string_agg(quote_ident(x.option_name) || ' '"
        f" || quote_literal(x.option_value), ', ' ORDER BY x.option_name)"
        f" FROM pg_options_to_table({column}) x) || ')', '')"
    )


def _type(column: str) -> str:
    return f"format_type({column}, NULL)"


def _routine(column: str) -> str:
    return f"textin(regprocout({column}))"


def _operator(column: str) -> str:
    return (
        "(SELECT 'OPERATOR(' || quote_ident(on_.nspname) || '.' || oo.oprname || ')'"
        f" FROM pg_operator oo JOIN pg_namespace on_ ON on_.oid = oo.oprnamespace"
        f" WHERE oo.oid = {column})"
    )


_COLLATION = qualified("c.collname")
_LOCALE = """COALESCE(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale',
    c.collcollate)"""
COLLATIONS = rows(f"""SELECT {_COLLATION} AS name, 'COLLATION ' || {_COLLATION} AS address,
quote_ident(n.nspname) AS schema, {owner("c.collowner")},
ARRAY['CREATE COLLATION ' || {_COLLATION} || ' (' || CASE c.collprovider
    WHEN 'c' THEN concat('provider = libc, lc_collate = ', quote_literal(c.collcollate),
        ', lc_ctype = ', quote_literal(c.collctype))
    ELSE concat('provider = ', CASE c.collprovider WHEN 'i' THEN 'icu' ELSE 'builtin' END,
        ', locale = ', quote_literal({_LOCALE})) END
    || CASE WHEN c.collisdeterministic THEN '' ELSE ', deterministic = false' END
    || COALESCE(', rules = ' || quote_literal(to_jsonb(c) ->> 'collicurules'), '') || ')']
    AS statements,
ARRAY[{place(COLLATION, "c.oid")}] AS at
FROM pg_collation c {in_schema("c.collnamespace")} WHERE {own(COLLATION, "c")}""")

_CAST = f"'(' || {_type('c.castsource')} || ' AS ' || {_type('c.casttarget')} || ')'"
CASTS = rows(f"""SELECT {_CAST} AS name, 'CAST ' || {_CAST} AS address,
ARRAY['CREATE CAST ' || {_CAST} || CASE c.castmethod WHEN 'b' THEN ' WITHOUT FUNCTION'
    WHEN 'i' THEN ' WITH INOUT' ELSE ' WITH FUNCTION ' || textin(regprocedureout(c.castfunc)) END
    || CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT'
    ELSE '' END] AS statements,
ARRAY[{place(CAST, "c.oid")}] AS at FROM pg_cast c
WHERE {own(CAST, "c")} AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = {CAST}
    AND i.objid = c.oid AND i.deptype = 'i')""")
"""A range has one to its multirange by itself."""

_SIGNATURE = f"""concat(quote_ident(n.nspname), '.', c.oprname, ' (',
    COALESCE({_type("nullif(c.oprleft, 0)")}, 'NONE'), ', ',
    {_type("c.oprright")}, ')')"""
OPERATORS = rows(f"""SELECT {_SIGNATURE} AS name, 'OPERATOR ' || {_SIGNATURE} AS address,
quote_ident(n.nspname) AS schema, {owner("c.oprowner")},
ARRAY[concat('CREATE OPERATOR ', quote_ident(n.nspname), '.', c.oprname, ' (', concat_ws(', ',
    'FUNCTION = ' || {_routine("c.oprcode")},
    'LEFTARG = ' || {_type("nullif(c.oprleft, 0)")}, 'RIGHTARG = ' || {_type("c.oprright")},
    'COMMUTATOR = ' || {_operator("c.oprcom")}, 'NEGATOR = ' || {_operator("c.oprnegate")},
    CASE WHEN c.oprrest <> 0 THEN 'RESTRICT = ' || {_routine("c.oprrest")} END,
    CASE WHEN c.oprjoin <> 0 THEN 'JOIN = ' || {_routine("c.oprjoin")} END,
    CASE WHEN c.oprcanhash THEN 'HASHES' END, CASE WHEN c.oprcanmerge THEN 'MERGES' END), ')')]
    AS statements,
ARRAY[{place(OPERATOR, "c.oid")}] AS at
FROM pg_operator c {in_schema("c.oprnamespace")}
WHERE c.oprcode <> 0 AND {own(OPERATOR, "c")}""")

_DICTIONARY = qualified("c.dictname")
TS_DICTIONARIES = rows(f"""SELECT {_DICTIONARY} AS name,
'TEXT SEARCH DICTIONARY ' || {_DICTIONARY} AS address, quote_ident(n.nspname) AS schema,
{owner("c.dictowner")},
ARRAY['CREATE TEXT SEARCH DICTIONARY ' || {_DICTIONARY} || ' (TEMPLATE = '
    || (SELECT quote_ident(tn.nspname) || '.' || quote_ident(t.tmplname) FROM pg_ts_template t
        JOIN pg_namespace tn ON tn.oid = t.tmplnamespace WHERE t.oid = c.dicttemplate)
    || COALESCE(', ' || c.dictinitoption, '') || ')'] AS statements,
ARRAY[{place(TS_DICTIONARY, "c.oid")}] AS at
FROM pg_ts_dict c {in_schema("c.dictnamespace")} WHERE {own(TS_DICTIONARY, "c")}""")

_CONFIGURATION = qualified("c.cfgname")
TS_CONFIGURATIONS = rows(f"""SELECT {_CONFIGURATION} AS name,
'TEXT SEARCH CONFIGURATION ' || {_CONFIGURATION} AS address, quote_ident(n.nspname) AS schema,
{owner("c.cfgowner")},
ARRAY['CREATE TEXT SEARCH CONFIGURATION ' || {_CONFIGURATION} || ' (PARSER = '
    || (SELECT quote_ident(tn.nspname) || '.' || quote_ident(t.prsname) FROM pg_ts_parser t
        JOIN pg_namespace tn ON tn.oid = t.prsnamespace WHERE t.oid = c.cfgparser) || ')']
|| ARRAY(SELECT concat('ALTER TEXT SEARCH CONFIGURATION ', {_CONFIGURATION},
        ' ADD MAPPING FOR ', k.alias, ' WITH ', string_agg(
        textin(regdictionaryout(m.mapdict)), ', ' ORDER BY m.mapseqno))
    FROM pg_ts_config_map m JOIN ts_token_type(c.cfgparser) k ON k.tokid = m.maptokentype
    WHERE m.mapcfg = c.oid GROUP BY k.alias ORDER BY k.alias) AS statements,
ARRAY[{place(TS_CONFIGURATION, "c.oid")}] AS at
FROM pg_ts_config c {in_schema("c.cfgnamespace")} WHERE {own(TS_CONFIGURATION, "c")}""")

WRAPPERS = rows(f"""SELECT quote_ident(c.fdwname) AS name,
'FOREIGN DATA WRAPPER ' || quote_ident(c.fdwname) AS address, {owner("c.fdwowner")},
{grants("c.fdwacl")},
ARRAY['CREATE FOREIGN DATA WRAPPER ' || quote_ident(c.fdwname)
    || CASE WHEN c.fdwhandler <> 0 THEN ' HANDLER ' || {_routine("c.fdwhandler")} ELSE '' END
    || CASE WHEN c.fdwvalidator <> 0 THEN ' VALIDATOR ' || {_routine("c.fdwvalidator")} ELSE '' END
    || {_options("c.fdwoptions")}] AS statements,
ARRAY[{place(WRAPPER, "c.oid")}] AS at FROM pg_foreign_data_wrapper c
WHERE {own(WRAPPER, "c")}""")

SERVERS = rows(f"""SELECT quote_ident(c.srvname) AS name,
'SERVER ' || quote_ident(c.srvname) AS address, {owner("c.srvowner")}, {grants("c.srvacl")},
ARRAY['CREATE SERVER ' || quote_ident(c.srvname)
    || COALESCE(' TYPE ' || quote_literal(c.srvtype), '')
    || COALESCE(' VERSION ' || quote_literal(c.srvversion), '') || ' FOREIGN DATA WRAPPER '
    || (SELECT quote_ident(fdwname) FROM pg_foreign_data_wrapper w WHERE w.oid = c.srvfdw)
    || {_options("c.srvoptions")}] AS statements,
ARRAY[{place(SERVER, "c.oid")}] AS at FROM pg_foreign_server c WHERE {own(SERVER, "c")}""")

_TABLE = qualified("c.relname")
_COLUMN = f"""concat(quote_ident(a.attname), ' ', format_type(a.atttypid, a.atttypmod),
    {_options("a.attfdwoptions")},
    CASE WHEN a.attcollation <> t.typcollation
        THEN ' COLLATE ' || textin(regcollationout(a.attcollation)) END,
    CASE WHEN a.attgenerated <> '' THEN ' GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid)
        || CASE a.attgenerated WHEN 's' THEN ') STORED' ELSE ') VIRTUAL' END
        ELSE ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END,
    CASE WHEN a.attnotnull THEN COALESCE(' CONSTRAINT ' || quote_ident(k.conname), '')
        || ' NOT NULL' END)"""
FOREIGN_TABLES = rows(f"""SELECT {_TABLE} AS name, 'FOREIGN TABLE ' || {_TABLE} AS address,
quote_ident(n.nspname) AS schema, {owner("c.relowner")}, {grants("c.relacl")},
ARRAY[concat('CREATE FOREIGN TABLE ', {_TABLE}, ' (', array_to_string(ARRAY(
    SELECT {_COLUMN} FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'n'
        AND k.conkey[1] = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
    || ARRAY(SELECT concat('CONSTRAINT ', quote_ident(k.conname), ' ', pg_get_constraintdef(k.oid))
        FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' ORDER BY k.conname),
    ', '), ')', ' INHERITS (' || nullif(array_to_string(ARRAY(SELECT {relation_name("h.inhparent")}
        FROM pg_inherits h WHERE h.inhrelid = c.oid AND NOT c.relispartition ORDER BY h.inhseqno),
        ', '), '') || ')',
    ' SERVER ', (SELECT quote_ident(srvname) FROM pg_foreign_server s WHERE s.oid = f.ftserver),
    {_options("f.ftoptions")})]
|| CASE WHEN c.relispartition THEN ARRAY(SELECT concat('ALTER TABLE ',
        {relation_name("h.inhparent")}, ' ATTACH PARTITION ', {_TABLE}, ' ',
        pg_get_expr(c.relpartbound, c.oid)) FROM pg_inherits h WHERE h.inhrelid = c.oid)
    ELSE ARRAY[]::text[] END
|| ARRAY(SELECT concat('COMMENT ON COLUMN ', {_TABLE}, '.', quote_ident(a.attname), ' IS ',
        quote_literal(e.description)) FROM pg_attribute a JOIN pg_description e
    ON e.classoid = {CLASS} AND e.objoid = c.oid AND e.objsubid = a.attnum
    WHERE a.attrelid = c.oid ORDER BY a.attnum) AS statements,
ARRAY[{place(CLASS, "c.oid")}, {place(TYPE, "c.reltype")},
    (SELECT {place(TYPE, "t.typarray")} FROM pg_type t WHERE t.oid = c.reltype)] AS at
FROM pg_class c JOIN pg_foreign_table f ON f.ftrelid = c.oid {in_schema("c.relnamespace")}
WHERE NOT ($ignored) AND {own(CLASS, "c")}""")

EVENT_TRIGGERS = rows(f"""SELECT quote_ident(c.evtname) AS name,
'EVENT TRIGGER ' || quote_ident(c.evtname) AS address, {owner("c.evtowner")},
ARRAY['CREATE EVENT TRIGGER ' || quote_ident(c.evtname) || ' ON ' || c.evtevent
    || COALESCE(' WHEN TAG IN (' || (SELECT string_agg(quote_literal(x), ', ')
        FROM unnest(c.evttags) x) || ')', '')
    || ' EXECUTE FUNCTION ' || {_routine("c.evtfoid")} || '()']
|| CASE WHEN c.evtenabled = 'O' THEN ARRAY[]::text[] ELSE ARRAY['ALTER EVENT TRIGGER '
    || quote_ident(c.evtname) || CASE c.evtenabled WHEN 'D' THEN ' DISABLE'
    WHEN 'R' THEN ' ENABLE REPLICA' ELSE ' ENABLE ALWAYS' END] END AS statements,
ARRAY[{place(EVENT_TRIGGER, "c.oid")}] AS at
FROM pg_event_trigger c WHERE {own(EVENT_TRIGGER, "c")}""")

_PUBLISHED = f"""ARRAY(SELECT concat('TABLE ', {relation_name("r.prrelid")}, (SELECT ' ('
        || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')' FROM pg_attribute a
        WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)),
        ' WHERE (' || pg_get_expr(r.prqual, r.prrelid) || ')')
    FROM pg_publication_rel r WHERE r.prpubid = c.oid ORDER BY 1)
|| ARRAY(SELECT concat('TABLES IN SCHEMA ', quote_ident(sn.nspname))
    FROM pg_publication_namespace ps JOIN pg_namespace sn ON sn.oid = ps.pnnspid
    WHERE ps.pnpubid = c.oid ORDER BY 1)"""
PUBLICATIONS = rows(f"""SELECT quote_ident(c.pubname) AS name,
'PUBLICATION ' || quote_ident(c.pubname) AS address, {owner("c.pubowner")},
ARRAY[concat('CREATE PUBLICATION ', quote_ident(c.pubname),
    CASE WHEN c.puballtables THEN ' FOR ALL TABLES' ELSE
        ' FOR ' || nullif(array_to_string({_PUBLISHED}, ', '), '') END,
    ' WITH (publish = ', quote_literal(concat_ws(', ', CASE WHEN c.pubinsert THEN 'insert' END,
        CASE WHEN c.pubupdate THEN 'update' END, CASE WHEN c.pubdelete THEN 'delete' END,
        CASE WHEN c.pubtruncate THEN 'truncate' END)),
    CASE WHEN c.pubviaroot THEN ', publish_via_partition_root = true' END,
    CASE WHEN to_jsonb(c) ->> 'pubgencols' = 's' THEN ', publish_generated_columns = stored' END,
    ')')] AS statements,
ARRAY[{place(PUBLICATION, "c.oid")}]
    || ARRAY(SELECT {place(6106, "r.oid")} FROM pg_publication_rel r WHERE r.prpubid = c.oid)
    || ARRAY(SELECT {place(6237, "r.oid")} FROM pg_publication_namespace r
        WHERE r.pnpubid = c.oid) AS at
FROM pg_publication c WHERE {own(PUBLICATION, "c")}""")
"""Since PostgreSQL 15, which can publish schemas, columns and rows."""
