"""Schemas, extensions and default privileges."""

from __future__ import annotations

from dbmigrate.diff.queries.fragments import (
    DEFAULT_ACL,
    EXTENSION,
    NAMESPACE,
    grants,
    own,
    owner,
    place,
    rows,
)

NAMESPACES = rows(f"""SELECT quote_ident(n.nspname) AS name, 'SCHEMA ' || quote_ident(n.nspname)
AS address, {owner("n.nspowner")}, {grants("n.nspacl")},
ARRAY[{place(NAMESPACE, "n.oid")}] AS at
FROM pg_namespace n
WHERE n.nspname = 'public' OR n.nspname !~ '^pg_' AND {own(NAMESPACE, "n")}""")

EXTENSIONS = rows(f"""SELECT quote_ident(x.extname) AS name,
'EXTENSION ' || quote_ident(x.extname) AS address, quote_ident(n.nspname) AS home,
x.extversion AS version, COALESCE(a.default_version = x.extversion, true) AS is_default_version,
ARRAY(SELECT u.target FROM pg_extension_update_paths(x.extname) u
    WHERE u.source = x.extversion AND u.path IS NOT NULL ORDER BY 1) AS updates_to,
ARRAY[{place(EXTENSION, "x.oid")}] || ARRAY(SELECT concat_ws('.', d.classid, d.objid, 0)
    FROM pg_depend d WHERE d.refclassid = {EXTENSION} AND d.refobjid = x.oid AND d.deptype = 'e')
AS at
FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
LEFT JOIN pg_available_extensions a ON a.name = x.extname
WHERE x.extname <> 'plpgsql'""")

DEFAULT_PRIVILEGES = rows(f"""SELECT
concat_ws(' ', 'of', quote_ident(pg_get_userbyid(d.defaclrole)),
'in ' || quote_ident(n.nspname), 'on', d.defaclobjtype) AS name, '' AS address,
quote_ident(n.nspname) AS schema, quote_ident(pg_get_userbyid(d.defaclrole)) AS role,
d.defaclobjtype AS object_type, {grants("d.defaclacl")},
ARRAY[{place(DEFAULT_ACL, "d.oid")}] AS at
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace""")

SERVER = """SELECT json_build_object('version',
int4in(textout(current_setting('server_version_num'))),
'role', quote_ident(current_user),
'default_grants', (SELECT json_object_agg(k, (SELECT json_agg(json_build_array(
    CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE '' END, x.privilege_type, x.is_grantable))
    FROM aclexplode(acldefault(k::"char", 10)) x))
    FROM unnest(ARRAY['n', 'r', 's', 'T', 'f', 'L', 'F', 'S']) k),
'casts', (SELECT json_agg(json_build_array(format_type(castsource, NULL),
    format_type(casttarget, NULL), castcontext)) FROM pg_cast))"""
"""The server's ways, in one row."""
