"""Parts that the queries share."""

from __future__ import annotations

from dbmigrate.postgres.schema.catalog_queries import FIRST_NORMAL_OID

CLASS = 1259
TYPE = 1247
ROUTINE = 1255
CONSTRAINT = 2606
DEFAULT = 2604
REWRITE = 2618
TRIGGER = 2620
POLICY = 3256
STATISTICS = 3381
NAMESPACE = 2615
EXTENSION = 3079
DEFAULT_ACL = 826
"""The numbers of the catalogs themselves, which no version changes."""


def own(catalog: int, alias: str) -> str:
    """Created by users: neither initdb's nor an extension's."""
    return (
        f"{alias}.oid >= {FIRST_NORMAL_OID} AND NOT EXISTS (SELECT FROM pg_depend e"
        f" WHERE e.classid = {catalog} AND e.objid = {alias}.oid AND e.deptype = 'e')"
    )


def place(catalog: int, oid: str, part: str = "0") -> str:
    """A catalog address, as text; NULL if there is no such object."""
    return f"'{catalog}.' || textin(oidout(nullif({oid}, 0))) || concat('.', {part})"


def qualified(column: str, schema: str = "n") -> str:
    """An object's name with its schema."""
    return f"quote_ident({schema}.nspname) || '.' || quote_ident({column})"


def relation_name(oid: str) -> str:
    """The qualified name of any relation; with only pg_catalog on the search path."""
    return f"textin(regclassout(nullif({oid}, 0)))"


def in_schema(column: str) -> str:
    """Join the schema as `n`, unless it is the server's own."""
    return f"JOIN pg_namespace n ON n.oid = {column} AND n.nspname !~ '^pg_'"


def on_relation(column: str) -> str:
    """Join the relation as `c` and its schema as `n`."""
    is_own = own(CLASS, "c")
    return (
        f"JOIN pg_class c ON c.oid = {column} AND NOT ($ignored) AND {is_own}"
        f" {in_schema('c.relnamespace')}"
    )


def grants(acl: str) -> str:
    """An ACL as [grantee, privilege, grantable]; NULL if it is NULL."""
    return (
        f"CASE WHEN {acl} IS NOT NULL THEN COALESCE((SELECT json_agg(json_build_array("
        "CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,"
        f" x.privilege_type, x.is_grantable)) FROM aclexplode({acl}) x), '[]') END AS grants"
    )


def owner(column: str) -> str:
    """The owner's name, as SQL writes it."""
    return f"quote_ident(pg_get_userbyid({column})) AS owner"


def rows(query: str) -> str:
    """The rows of a query as one JSON document, which is cheaper to parse than many rows."""
    return f"SELECT json_agg(o) FROM ({query}) o"


SETTINGS = """CASE WHEN s.seqrelid IS NOT NULL THEN json_build_object('type',
    format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement,
    'minimum', s.seqmin, 'maximum', s.seqmax, 'cache', s.seqcache, 'cycles', s.seqcycle)
    END AS settings"""
"""How a sequence `s` counts."""
