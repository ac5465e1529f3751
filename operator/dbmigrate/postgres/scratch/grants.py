"""The rights on a database as a whole, and whether another server can have the same.

A dump of a schema has owners and privileges, but not those of the database, of its
extensions and of settings. On some providers' servers a role has rights that PostgreSQL
itself does not know: those cannot be reproduced.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.scratch.roles import ServerRoles
from dbmigrate.postgres.sqltext.quoting import identifier, literal

PROVIDERS = frozenset(
    "alloydbsuperuser avnadmin azure_pg_admin cloudsqlsuperuser doadmin neon_superuser"
    " rds_superuser supabase_admin tsdbadmin".split()
)
"""Roles for which a provider's server makes exceptions, such as CREATE EXTENSION."""
_PROVIDERS_SETTINGS = "^(alloydb|azure|cloudsql|extwlist|neon|rds|supautils)[.]"
_FIRST_PARAMETER_ACL = 150000

_DATABASE = """
SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database
WHERE datname = pg_catalog.current_database();
SELECT CASE a.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
  a.privilege_type, a.is_grantable
FROM pg_catalog.pg_database d, LATERAL pg_catalog.aclexplode(
  coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
WHERE d.datname = pg_catalog.current_database();
SELECT extname, pg_catalog.pg_get_userbyid(extowner) FROM pg_catalog.pg_extension"""
_PARAMETERS = """
SELECT CASE a.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
  a.privilege_type, p.parname, a.is_grantable
FROM pg_catalog.pg_parameter_acl p, LATERAL pg_catalog.aclexplode(p.paracl) a"""


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights on one database, without those on its content."""

    owner: str
    grants: tuple[str, ...]
    """What stands between GRANT and the end, {database} being its name."""
    extensions: tuple[tuple[str, str], ...]
    """Their names and owners."""
    is_of_provider: bool
    """The server gives rights by other means than PostgreSQL's own, too."""


def read_rights(session: Session, around: ServerRoles, server_version: int) -> Rights:
    """One round trip; every role may read this. Raises ServerFailure, ConnectionBroken."""
    settings = f"SELECT 1 FROM pg_catalog.pg_settings WHERE name ~ '{_PROVIDERS_SETTINGS}' LIMIT 1"
    has_parameters = server_version >= _FIRST_PARAMETER_ACL
    parameters = _PARAMETERS if has_parameters else "SELECT NULL, NULL, NULL, NULL LIMIT 0"
    owner, database, extensions, special, settable = session.query(
        f"{_DATABASE}; {settings}; {parameters}"
    )
    grants = [
        f"{privilege} ON DATABASE {{database}} TO {_grantee(who, can_grant)}"
        for who, privilege, can_grant in database
    ]
    grants += [
        f"{privilege} ON PARAMETER {_parameter(name)} TO {_grantee(who, can_grant)}"
        for who, privilege, name, can_grant in settable
    ]
    return Rights(
        owner=owner[0][0] or "",
        grants=tuple(grants),
        extensions=tuple((name or "", who or "") for name, who in extensions),
        is_of_provider=bool(special) or any(role.name in PROVIDERS for role in around.roles),
    )


def give_rights(session: Session, rights: Rights, database: str) -> None:
    """Apply them to the session's database: requires a superuser.

    Raises ServerFailure, ConnectionBroken.
    """
    name = identifier(database)
    statements = [
        f"ALTER DATABASE {name} OWNER TO {identifier(rights.owner)}",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        *(f"GRANT {grant.replace('{database}', name)}" for grant in rights.grants),
        # There is no other way: an extension has its owner from its creation on.
        "SET allow_system_table_mods = on",
    ]
    statements += [
        "UPDATE pg_catalog.pg_extension SET extowner ="
        f" (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = {literal(owner)})"
        f" WHERE extname = {literal(extension)}"
        for extension, owner in rights.extensions
    ]
    session.query("; ".join([*statements, "RESET allow_system_table_mods"]))


def _grantee(name: str | None, can_grant: str | None) -> str:
    who = "PUBLIC" if name is None else identifier(name)
    return f"{who} WITH GRANT OPTION" if can_grant == "t" else who


def _parameter(name: str | None) -> str:
    """Each part of a qualified name, as GRANT reads it."""
    return ".".join(identifier(part) for part in (name or "").split("."))
