"""Links between objects: comments, dependencies, and the objects that no kind handles."""

from __future__ import annotations

from dbmigrate.diff.queries.fragments import CLASS, TYPE, in_schema, own, qualified
from dbmigrate.postgres.schema.catalog_queries import FIRST_NORMAL_OID

COMMENTS = f"""SELECT json_object_agg(concat_ws('.', d.classoid, d.objoid, d.objsubid),
d.description) FROM pg_description d WHERE d.objoid >= {FIRST_NORMAL_OID}
OR d.classoid = 'pg_namespace'::regclass AND d.objoid = to_regnamespace('public')"""

DEPENDENCIES = f"""SELECT DISTINCT concat_ws('.', classid, objid, objsubid),
concat_ws('.', refclassid, refobjid, refobjsubid)
FROM pg_depend WHERE objid >= {FIRST_NORMAL_OID} AND refobjid >= {FIRST_NORMAL_OID}
AND deptype NOT IN ('e', 'x')"""

TAKEN = f"""WITH r AS (SELECT c.oid FROM pg_class c WHERE c.oid >= {FIRST_NORMAL_OID}
    AND (($ignored) OR NOT ({own(CLASS, "c")})))
SELECT relname FROM pg_class WHERE oid IN (SELECT oid FROM r)
UNION SELECT relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid IN (SELECT oid FROM r)
UNION SELECT conname FROM pg_constraint WHERE conrelid IN (SELECT oid FROM r)
UNION SELECT typname FROM pg_type t WHERE t.oid >= {FIRST_NORMAL_OID} AND NOT ({own(TYPE, "t")})"""
"""The names that belong to what is passed over: to extensions and to the history."""

_CATALOGS = (
    "pg_operator pg_opclass pg_opfamily pg_cast pg_collation pg_conversion pg_ts_config pg_ts_dict"
    " pg_ts_parser pg_ts_template pg_language pg_transform pg_foreign_data_wrapper"
    " pg_foreign_server pg_am pg_event_trigger pg_publication"
).split()

UNHANDLED = " UNION ALL ".join(
    (
        *(
            f"""SELECT o.type, o.identity FROM {catalog} t
CROSS JOIN LATERAL pg_identify_object('{catalog}'::regclass, t.oid, 0) o
WHERE t.oid >= {FIRST_NORMAL_OID} AND NOT EXISTS (SELECT FROM pg_depend e
    WHERE e.classid = '{catalog}'::regclass AND e.objid = t.oid AND e.deptype IN ('e', 'i'))"""
            for catalog in _CATALOGS
        ),
        f"""SELECT 'foreign table', {qualified("c.relname")} FROM pg_class c
{in_schema("c.relnamespace")} WHERE c.relkind = 'f' AND {own(CLASS, "c")}""",
        f"""SELECT 'type', {qualified("t.typname")} FROM pg_type t {in_schema("t.typnamespace")}
WHERE t.typtype = 'b' AND {own(TYPE, "t")}
AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)""",
        f"""SELECT 'range with a canonical function', {qualified("t.typname")}
FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid {in_schema("t.typnamespace")}
WHERE r.rngcanonical <> 0 AND {own(TYPE, "t")}""",
        """SELECT 'subscription', quote_ident(s.subname) FROM pg_subscription s
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())""",
        """SELECT 'user mapping', quote_ident(u.srvname) || ' for ' || u.usename
FROM pg_user_mappings u""",
        f"""SELECT 'security label', o.type || ' ' || o.identity FROM pg_seclabel l
CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) o
WHERE l.objoid >= {FIRST_NORMAL_OID}""",
        """SELECT 'setting', COALESCE('of ' || r.rolname, 'of the database')
FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())""",
    )
)
"""Each by its kind and its name."""
