"""The queries of dbmigrate.postgres.schema.incremental: which catalog rows exist, as hashes of
their places and transactions, and which relations depend on others.

They are to be run with only pg_catalog on the search path, on PostgreSQL 14 or newer.
`$ignored` is as in dbmigrate.postgres.schema.catalog_queries.
"""

from __future__ import annotations

from itertools import count

_numbers = count(1)


def _mark(alias: str = "") -> str:
    """A row's place and transaction, another one for each catalog.

    There is no cast of xid to a number, but age() is one: of two it is the difference. The rows of
    initdb are of no certain age.
    """
    dot = f"{alias}." if alias else ""
    xmin = f"CASE age({dot}xmin) WHEN 2147483647 THEN 0 ELSE age('3'::xid) - age({dot}xmin) END"
    seed = f"({next(_numbers)}::bigint << 40) + {xmin}"
    return f"hashtidextended({dot}ctid, {seed})"


_OWNERS = {
    "pg_attribute": "attrelid",
    "pg_attrdef": "adrelid",
    "pg_constraint": "conrelid",
    "pg_trigger": "tgrelid",
    "pg_rewrite": "ev_class",
    "pg_policy": "polrelid",
    "pg_inherits": "inhrelid",
    "pg_sequence": "seqrelid",
    "pg_foreign_table": "ftrelid",
    "pg_partitioned_table": "partrelid",
    "pg_index": "indrelid",
}
"""Catalogs with rows of relations, and the column that names the relation."""
_PARTS = (
    f"SELECT oid, {_mark()} FROM pg_class",
    *(
        f"SELECT {column}, {_mark()} FROM {catalog} WHERE {column} >= 16384"
        for catalog, column in _OWNERS.items()
    ),
    f"SELECT x.indrelid, {_mark('i')} FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid",
    f"SELECT r.oid, {_mark('t')} FROM pg_class r JOIN pg_class t ON t.oid = r.reltoastrelid",
    f"SELECT objid, {_mark()} FROM pg_depend"
    " WHERE classid = 'pg_class'::regclass AND objid >= 16384",
)
RELATION_ROWS = f"""SELECT c.oid, concat(c.relnamespace, '.', c.relname), bit_xor(p.mark)
FROM ({" UNION ALL ".join(_PARTS)}) p (relation, mark) JOIN pg_class c ON c.oid = p.relation
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c', 'S')
AND c.relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_')
AND NOT ($ignored) GROUP BY c.oid, c.relname, c.relnamespace"""
"""Oid, name and mark of each relation that counts."""

_OTHERS = {
    # A relation's type, and any array, has its name and nothing else that is read.
    "pg_type": "typrelid = 0 AND typinput <> 'array_in'::regproc",
    "pg_constraint": "conrelid = 0",
    "pg_depend": "deptype = 'e' AND classid <> 'pg_class'::regclass"
    " OR classid IN ('pg_proc'::regclass, 'pg_amop'::regclass, 'pg_amproc'::regclass)",
    "pg_description": "objoid >= 16384",
    **dict.fromkeys(
        (
            "pg_enum pg_range pg_proc pg_aggregate pg_statistic_ext pg_namespace pg_extension"
            " pg_operator pg_opclass pg_opfamily pg_amop pg_amproc pg_cast pg_collation"
            " pg_conversion pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser"
            " pg_ts_template pg_language pg_transform pg_foreign_data_wrapper pg_foreign_server"
            " pg_am pg_default_acl pg_event_trigger pg_publication pg_publication_rel"
            " pg_db_role_setting pg_tablespace"
        ).split(),
        "true",
    ),
}
"""All else that a catalog is read from, or on which the server's own words for it depend."""
OTHER_ROWS = " UNION ALL ".join(
    (
        *(
            f"SELECT '{catalog}', count(*), bit_xor({_mark()}) FROM {catalog} WHERE {condition}"
            for catalog, condition in _OTHERS.items()
        ),
        "SELECT 'pg_roles', count(*), bit_xor(hashtextextended(rolname, oid::bigint))"
        " FROM pg_roles",
        # New tables of a schema, or of the database, become its members.
        "SELECT 'pg_publication_tables', count(*), bit_xor(hashtextextended(v::text, 0))"
        " FROM pg_publication_tables v",
    )
)
"""Catalog, number of rows, mark."""

DEPENDENTS = """WITH users AS (
  SELECT classid, objid FROM pg_depend
  WHERE refclassid = 'pg_class'::regclass AND refobjid = ANY ($1)
  UNION ALL SELECT d.classid, d.objid FROM pg_constraint k JOIN pg_depend d
    ON d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid
  WHERE k.conrelid = ANY ($1))
SELECT COALESCE(i.indrelid, u.objid) FROM users u LEFT JOIN pg_index i ON i.indexrelid = u.objid
  WHERE u.classid = 'pg_class'::regclass
UNION SELECT r.ev_class FROM users u JOIN pg_rewrite r ON r.oid = u.objid
  WHERE u.classid = 'pg_rewrite'::regclass
UNION SELECT k.conrelid FROM users u JOIN pg_constraint k ON k.oid = u.objid
  WHERE u.classid = 'pg_constraint'::regclass
UNION SELECT d.adrelid FROM users u JOIN pg_attrdef d ON d.oid = u.objid
  WHERE u.classid = 'pg_attrdef'::regclass
UNION SELECT g.tgrelid FROM users u JOIN pg_trigger g ON g.oid = u.objid
  WHERE u.classid = 'pg_trigger'::regclass
UNION SELECT p.polrelid FROM users u JOIN pg_policy p ON p.oid = u.objid
  WHERE u.classid = 'pg_policy'::regclass
UNION SELECT NULL::oid FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem
  JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = t.oid
  WHERE (t.typrelid = ANY ($1) OR e.typrelid = ANY ($1))
  AND NOT (d.classid = 'pg_type'::regclass AND d.deptype = 'i')"""
"""The relations with parts that depend on one of these relations. NULL: something depends on the
type of one of them."""
