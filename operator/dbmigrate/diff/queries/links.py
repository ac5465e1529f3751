"""Links between objects: comments, dependencies, and the objects that no kind handles."""

from __future__ import annotations

from dbmigrate.diff.queries.fragments import CLASS, TYPE, in_schema, own, qualified
from dbmigrate.postgres.schema.catalog_queries import DEFINITIONS, FIRST_NORMAL_OID

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
"""The names that belong to what is ignored: to extensions and to the history."""

UNHANDLED = " UNION ALL ".join(
    (
        *(
            f"""SELECT o.type, o.identity, {definition.replace("$with_rights", "false")}
FROM {catalog} t CROSS JOIN LATERAL pg_identify_object('{catalog}'::regclass, t.oid, 0) o
WHERE t.oid >= {FIRST_NORMAL_OID} AND NOT EXISTS (SELECT FROM pg_depend e
    WHERE e.classid = '{catalog}'::regclass AND e.objid = t.oid AND e.deptype IN ('e', 'i'))"""
            for catalog, definition in DEFINITIONS.items()
            if catalog != "pg_default_acl"
        ),
        f"""SELECT 'type', {qualified("t.typname")}, textin(jsonb_out(to_jsonb(t) - 'oid'
    - 'typnamespace' - 'typowner' - 'typarray' - 'typacl')) FROM pg_type t
{in_schema("t.typnamespace")} WHERE t.typtype = 'b' AND {own(TYPE, "t")}
AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)""",
        f"""SELECT 'range with a canonical function', {qualified("t.typname")},
concat_ws(' ', format_type(r.rngsubtype, NULL), r.rngcanonical, r.rngsubdiff)
FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid {in_schema("t.typnamespace")}
WHERE r.rngcanonical <> 0 AND {own(TYPE, "t")}""",
        """SELECT 'subscription', quote_ident(s.subname), textin(array_out(s.subpublications))
FROM pg_subscription s
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())""",
        """SELECT 'user mapping', quote_ident(u.srvname) || ' for ' || u.usename,
md5(textin(array_out(u.umoptions))) FROM pg_user_mappings u""",
        f"""SELECT 'security label', o.type || ' ' || o.identity, concat(l.provider, l.label)
FROM pg_seclabel l CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) o
WHERE l.objoid >= {FIRST_NORMAL_OID}""",
        """SELECT 'setting', COALESCE('of ' || r.rolname, 'of the database'),
textin(array_out(s.setconfig)) FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())""",
    )
)
"""Each by its kind, its name and its definition."""
