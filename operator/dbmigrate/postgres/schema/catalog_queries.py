"""The queries of a catalog: each gives kind, name and definition of some objects.

They are to be joined by UNION ALL, and run with only pg_catalog on the search path, so
that every other name is qualified. `$ignored` stands for the condition on a relation `c`
that is skipped, `$with_rights` for whether owners and privileges
count.
"""

from __future__ import annotations

from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.history.relations import own_relations
from dbmigrate.postgres.sqltext.quoting import literal

FIRST_NORMAL_OID = 16384
"""Objects below are initdb's (access/transam.h)."""

_NORMAL = f">= {FIRST_NORMAL_OID}"


def own_sql(history: HistoryTable) -> str:
    """The condition on a relation `c` that is one of the history's own."""
    names = ", ".join(map(literal, own_relations(history.name)))
    return f"c.relname IN ({names})"


def _name(column: str) -> str:
    return f"quote_ident(n.nspname) || '.' || quote_ident({column})"


def _part(column: str) -> str:
    """The name of a part of a relation."""
    return f"{_name('c.relname')} || '.' || quote_ident({column})"


def _own(catalog: str, alias: str) -> str:
    """Created by users: neither initdb's nor an extension's."""
    return (
        f"{alias}.oid {_NORMAL} AND NOT EXISTS (SELECT FROM pg_depend e"
        f" WHERE e.classid = '{catalog}'::regclass AND e.objid = {alias}.oid AND e.deptype = 'e')"
    )


def _rights(acl: str, kind: str, owner: str) -> str:
    """Owner and privileges, in one order; none granted is the same as the defaults."""
    return (
        f"CASE WHEN $with_rights THEN"
        f" ' owner ' || pg_get_userbyid({owner}) || ' rights ' || textin(array_out("
        f"ARRAY(SELECT textin(aclitemout(x)) FROM"
        f" unnest(COALESCE({acl}, acldefault({kind}, {owner}))) x ORDER BY 1)))"
        " ELSE '' END"
    )


def _in_schema(column: str) -> str:
    return f"JOIN pg_namespace n ON n.oid = {column} AND n.nspname !~ '^pg_'"


def _on_relation(column: str) -> str:
    return f"JOIN pg_class c ON c.oid = {column} AND NOT ($ignored) {_in_schema('c.relnamespace')}"


def _options(column: str) -> str:
    """As text, in one order; NULL if there are none."""
    return f"(SELECT string_agg(x, ', ' ORDER BY x) FROM unnest({column}) x)"


_RELATION_KIND = """CASE c.relkind
    WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'f' THEN 'foreign table'
    WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
    WHEN 'S' THEN 'sequence' ELSE 'type' END"""
_RELATION_RIGHTS = """(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char" """
_RELATION = f"""concat_ws(' ', c.relkind, c.relpersistence, c.relreplident,
    {_options("c.reloptions")},
    CASE WHEN c.relrowsecurity THEN 'row security' END,
    CASE WHEN c.relforcerowsecurity THEN 'forced' END,
    CASE WHEN c.relkind <> 'S' THEN (SELECT amname FROM pg_am WHERE oid = c.relam) END,
    (SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace),
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
    CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,
    (SELECT string_agg(textin(regclassout(inhparent)), ', ' ORDER BY textin(regclassout(inhparent)))
        FROM pg_inherits WHERE inhrelid = c.oid),
    (SELECT concat_ws(' ', 'server', s.srvname, {_options("f.ftoptions")}) FROM pg_foreign_table f
        JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid),
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
    CASE WHEN c.relkind = 'm' THEN c.relispopulated END,
    (SELECT 'toast ' || {_options("x.reloptions")} FROM pg_class x
        WHERE x.oid = c.reltoastrelid))
|| {_rights("c.relacl", _RELATION_RIGHTS, "c.relowner")}"""
# attcompression exists since 14: before, the name resolves to the outer query.
# attstattarget was -1 for none before 17.
_COLUMN = f"""concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation THEN textin(regcollationout(a.attcollation)) END,
    CASE WHEN a.attnotnull THEN 'not null' END,
    'default ' || pg_get_expr(d.adbin, d.adrelid),
    nullif(a.attidentity::text, ''), nullif(a.attgenerated::text, ''), a.attstorage,
    nullif((SELECT attcompression FROM (SELECT a.*) newer)::text, ''), nullif(a.attstattarget, -1),
    {_options("a.attoptions")}, {_options("a.attfdwoptions")},
    CASE WHEN $with_rights THEN
        nullif(ARRAY(SELECT textin(aclitemout(x)) FROM unnest(a.attacl) x ORDER BY 1), '{{}}')
    END)"""
_SEQUENCE = """concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement,
    s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
    (SELECT 'owned by ' || pg_describe_object(o.refclassid, o.refobjid, o.refobjsubid)
        FROM pg_depend o WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid
        AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i')))"""
_TYPE = f"""concat_ws(' ', t.typtype,
    (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
        FROM pg_enum WHERE enumtypid = t.oid),
    CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
    CASE WHEN t.typnotnull THEN 'not null' END, pg_get_expr(t.typdefaultbin, 0),
    (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = t.oid))
|| {_rights("t.typacl", "'T'", "t.typowner")}"""
_ROUTINE_KIND = """CASE p.prokind
    WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END"""
_ROUTINE = f"""CASE p.prokind WHEN 'a' THEN
    (SELECT concat_ws(' ', pg_get_function_result(p.oid), g.aggkind, g.aggtransfn, g.aggfinalfn,
        g.aggcombinefn, format_type(g.aggtranstype, NULL), g.agginitval, g.aggsortop::regoperator)
        FROM pg_aggregate g WHERE g.aggfnoid = p.oid)
    ELSE pg_get_functiondef(p.oid) END || {_rights("p.proacl", "'f'", "p.proowner")}"""
_POLICY = """concat_ws(' ', p.polcmd, p.polpermissive,
    ARRAY(SELECT CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r)::text END
        FROM unnest(p.polroles) r ORDER BY 1),
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))"""
_MEMBERS = """(SELECT string_agg(pg_describe_object(m.classid, m.objid, 0), ', '
    ORDER BY pg_describe_object(m.classid, m.objid, 0)) FROM pg_depend m
    WHERE m.refclassid = '{0}'::regclass AND m.refobjid = t.oid
    AND m.classid IN ('pg_amop'::regclass, 'pg_amproc'::regclass))"""
DEFINITIONS = {
    "pg_operator": "concat_ws(' ', t.oprkind, t.oprcanmerge, t.oprcanhash,"
    " format_type(t.oprresult, NULL), t.oprcom::regoperator, t.oprnegate::regoperator, t.oprcode,"
    " t.oprrest, t.oprjoin)",
    "pg_opclass": "concat_ws(' ', format_type(t.opcintype, NULL), t.opcdefault,"
    " format_type(nullif(t.opckeytype, 0), NULL), (SELECT opfname FROM pg_opfamily"
    " WHERE oid = t.opcfamily), " + _MEMBERS.format("pg_opclass") + ")",
    "pg_opfamily": _MEMBERS.format("pg_opfamily"),
    "pg_cast": "concat_ws(' ', t.castfunc::regprocedure, t.castcontext, t.castmethod)",
    # Their columns differ between versions; the library's version between machines.
    "pg_collation": "textin(jsonb_out(to_jsonb(t) - 'oid' - 'collnamespace' - 'collowner'"
    " - 'collversion'))",
    "pg_conversion": "textin(jsonb_out(to_jsonb(t) - 'oid' - 'connamespace' - 'conowner'))",
    "pg_ts_config": "concat_ws(' ', (SELECT prsname FROM pg_ts_parser WHERE oid = t.cfgparser),"
    " (SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapdict::regdictionary), ', '"
    " ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = t.oid))",
    "pg_ts_dict": "concat_ws(' ', (SELECT tmplname FROM pg_ts_template"
    " WHERE oid = t.dicttemplate), t.dictinitoption)",
    "pg_ts_parser": "textin(jsonb_out(to_jsonb(t) - 'oid' - 'prsnamespace'))",
    "pg_ts_template": "textin(jsonb_out(to_jsonb(t) - 'oid' - 'tmplnamespace'))",
    "pg_language": "concat_ws(' ', t.lanpltrusted, t.lanplcallfoid::regproc,"
    " t.laninline::regproc, t.lanvalidator::regproc)",
    "pg_transform": "concat_ws(' ', t.trffromsql, t.trftosql)",
    "pg_am": "concat_ws(' ', t.amtype, t.amhandler)",
    "pg_default_acl": "CASE WHEN $with_rights THEN"
    " textin(array_out(ARRAY(SELECT textin(aclitemout(x)) FROM unnest(t.defaclacl) x ORDER BY 1)))"
    " ELSE '' END",
    "pg_event_trigger": "concat_ws(' ', t.evtevent, t.evtenabled, t.evttags, t.evtfoid::regproc)",
    "pg_foreign_data_wrapper": "concat_ws(' ', t.fdwhandler::regproc, t.fdwvalidator::regproc, "
    + _options("t.fdwoptions")
    + ") || "
    + _rights("t.fdwacl", "'F'", "t.fdwowner"),
    "pg_foreign_server": "concat_ws(' ', (SELECT fdwname FROM pg_foreign_data_wrapper"
    " WHERE oid = t.srvfdw), t.srvtype, t.srvversion, "
    + _options("t.srvoptions")
    + ") || "
    + _rights("t.srvacl", "'S'", "t.srvowner"),
    # Its tables come from a view, whose columns grew with 15.
    "pg_publication": "concat_ws(' ', to_jsonb(t) - 'oid' - 'pubowner',"
    " (SELECT jsonb_agg(to_jsonb(v) ORDER BY v.schemaname, v.tablename)"
    " FROM pg_publication_tables v JOIN pg_class c ON c.relname = v.tablename"
    " JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = v.schemaname"
    " WHERE v.pubname = t.pubname AND NOT t.puballtables AND NOT ($ignored)))",
}
"""Of objects that are seldom in migrations, in a table `t`."""

_INDEXES = f"""SELECT $relation 'index', {_name("i.relname")}, pg_get_indexdef(x.indexrelid)
|| CASE WHEN x.indisvalid THEN '' ELSE ' (invalid)' END
|| CASE WHEN x.indisclustered THEN ' (clustered)' ELSE '' END
|| CASE WHEN x.indisreplident THEN ' (replica identity)' ELSE '' END
|| COALESCE(' in ' || (SELECT spcname FROM pg_tablespace WHERE oid = i.reltablespace), '')
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid {_on_relation("x.indrelid")}
WHERE {_own("pg_class", "i")}"""
OF_RELATIONS = (
    f"""SELECT $relation {_RELATION_KIND}, {_name("c.relname")}, {_RELATION}
FROM pg_class c {_in_schema("c.relnamespace")}
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c', 'S') AND NOT ($ignored)
AND {_own("pg_class", "c")}""",
    f"""SELECT $relation 'column', {_part("a.attname")}, {_COLUMN}
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid {_on_relation("a.attrelid")}
CROSS JOIN (SELECT ''::"char" AS attcompression) older
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
AND {_own("pg_class", "c")}""",
    f"""SELECT $relation 'constraint', {_part("k.conname")}, pg_get_constraintdef(k.oid)
|| CASE WHEN k.convalidated THEN '' ELSE ' (not validated)' END
FROM pg_constraint k {_on_relation("k.conrelid")} WHERE {_own("pg_constraint", "k")}
AND NOT EXISTS (SELECT FROM pg_constraint s WHERE s.oid = k.conparentid
    AND s.conrelid = k.conrelid)""",
    _INDEXES,
    f"""SELECT $relation 'sequence settings', {_name("c.relname")}, {_SEQUENCE}
FROM pg_sequence s {_on_relation("s.seqrelid")} WHERE {_own("pg_class", "c")}""",
    f"""SELECT $relation 'trigger', {_part("g.tgname")},
pg_get_triggerdef(g.oid) || ' ' || g.tgenabled::text
FROM pg_trigger g {_on_relation("g.tgrelid")}
WHERE NOT g.tgisinternal AND {_own("pg_trigger", "g")}""",
    f"""SELECT $relation 'rule', {_part("r.rulename")},
pg_get_ruledef(r.oid) || ' ' || r.ev_enabled::text
FROM pg_rewrite r {_on_relation("r.ev_class")}
WHERE r.rulename <> '_RETURN' AND {_own("pg_rewrite", "r")}""",
    f"""SELECT $relation 'policy', {_part("p.polname")}, {_POLICY}
FROM pg_policy p {_on_relation("p.polrelid")} WHERE p.oid {_NORMAL}""",
)
"""Relations `c` and their parts. `$relation` stands for a first column, if one is wanted."""
OTHERS = (
    f"""SELECT 'schema', quote_ident(n.nspname), {_rights("n.nspacl", "'n'", "n.nspowner")}
FROM pg_namespace n
WHERE n.nspname = 'public' OR n.nspname !~ '^pg_' AND {_own("pg_namespace", "n")}""",
    f"""SELECT 'extension', quote_ident(x.extname), x.extversion || ' in ' || s.nspname
FROM pg_extension x JOIN pg_namespace s ON s.oid = x.extnamespace WHERE x.oid {_NORMAL}""",
    f"""SELECT 'constraint', {_name("t.typname")} || '.' || quote_ident(k.conname),
pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' (not validated)' END
FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid {_in_schema("t.typnamespace")}
WHERE {_own("pg_constraint", "k")}""",
    f"""SELECT 'type', {_name("t.typname")}, {_TYPE}
FROM pg_type t {_in_schema("t.typnamespace")}
WHERE t.typtype IN ('e', 'd', 'r') AND {_own("pg_type", "t")}""",
    f"""SELECT {_ROUTINE_KIND},
{_name("p.proname")} || '(' || pg_get_function_identity_arguments(p.oid) || ')', {_ROUTINE}
FROM pg_proc p {_in_schema("p.pronamespace")} WHERE {_own("pg_proc", "p")}
AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass
    AND i.objid = p.oid AND i.deptype = 'i')""",
    f"""SELECT 'statistics', {_name("s.stxname")}, pg_get_statisticsobjdef(s.oid)
FROM pg_statistic_ext s {_in_schema("s.stxnamespace")} WHERE {_own("pg_statistic_ext", "s")}""",
    f"""SELECT 'comment', o.type || ' ' || o.identity, d.description FROM pg_description d
CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o
WHERE d.objoid {_NORMAL} AND COALESCE(o.schema, '') !~ '^pg_'
AND d.classoid <> 'pg_extension'::regclass
AND NOT EXISTS (SELECT FROM pg_depend e
    WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')
AND NOT EXISTS (SELECT FROM pg_class c
    WHERE d.classoid = 'pg_class'::regclass AND c.oid = d.objoid AND ($ignored))""",
    """SELECT 'setting', COALESCE('of ' || r.rolname, 'of the database'),
    textin(array_out(s.setconfig))
FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())""",
    *(
        f"""SELECT o.type, o.identity, {definition} FROM {catalog} t
CROSS JOIN LATERAL pg_identify_object('{catalog}'::regclass, t.oid, 0) o
WHERE {_own(catalog, "t")}"""
        for catalog, definition in DEFINITIONS.items()
    ),
)
