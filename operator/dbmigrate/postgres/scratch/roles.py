"""What migrations depend on and no dump of a database has: roles, and the search path.

A temporary scratch server gets the target's roles by their names, with their attributes
and memberships, but without login and passwords, so that grants, owners and policies can
name them and the steps can be run as one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dbmigrate.postgres.connection.search_path import KEEP_PATH, OWN_PATH
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.sqltext.quoting import identifier

ATTRIBUTES = {
    "rolsuper": "SUPERUSER",
    "rolcreaterole": "CREATEROLE",
    "rolcreatedb": "CREATEDB",
    "rolinherit": "INHERIT",
    "rolreplication": "REPLICATION",
    "rolbypassrls": "BYPASSRLS",
}
"""The attributes of a role, in addition to its privileges, and their keywords."""

_ROLES = f"SELECT rolname, {', '.join(ATTRIBUTES)} FROM pg_catalog.pg_roles ORDER BY 1"
# As JSON, because the last two columns exist since PostgreSQL 16.
_MEMBERSHIPS = """
SELECT r.rolname, m.rolname, pg_catalog.bool_or(a.admin_option),
  pg_catalog.bool_or((pg_catalog.to_jsonb(a) ->> 'inherit_option')::boolean),
  pg_catalog.bool_or((pg_catalog.to_jsonb(a) ->> 'set_option')::boolean)
FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles r ON r.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
GROUP BY 1, 2 ORDER BY 1, 2"""
_SESSION = rf"""
SELECT current_user, pg_catalog.replace({OWN_PATH}, '"$user"',
  pg_catalog.quote_ident(current_user))"""


@dataclass(frozen=True, slots=True)
class DatabaseRole:
    """A role and its attributes."""

    name: str
    attributes: frozenset[str]

    @property
    def is_builtin(self) -> bool:
        """Whether every server of that version has it."""
        return self.name.startswith("pg_")

    @property
    def definition(self) -> str:
        """As CREATE ROLE takes it."""
        words = (w if w in self.attributes else f"NO{w}" for w in ATTRIBUTES.values())
        return f"{identifier(self.name)} {' '.join(words)}"


@dataclass(frozen=True, slots=True)
class Membership:
    """That one role is a member of another."""

    role: str
    member: str
    options: tuple[tuple[str, bool], ...]

    @property
    def definition(self) -> str:
        """As GRANT takes it."""
        words = ", ".join(f"{word} {'TRUE' if has else 'FALSE'}" for word, has in self.options)
        if len(self.options) == 1:  # before PostgreSQL 16
            words = "ADMIN OPTION" if self.options[0][1] else ""
        grant = f"{identifier(self.role)} TO {identifier(self.member)}"
        return f"{grant} WITH {words}" if words else grant


@dataclass(frozen=True, slots=True)
class ServerRoles:
    """The settings of one session on one database."""

    roles: tuple[DatabaseRole, ...]
    memberships: tuple[Membership, ...]
    user: str
    """Whose rights the session has."""
    search_path: str
    """As the server writes it, with the role's name instead of `$user`."""

    def standing(self, name: str) -> frozenset[DatabaseRole | Membership]:
        """That role and all roles that it is a member of, directly or not."""
        reached, waiting = set[DatabaseRole | Membership](), [name]
        while waiting:
            member = waiting.pop()
            reached.update(role for role in self.roles if role.name == member)
            new = {m for m in self.memberships if m.member == member} - reached
            reached |= new
            waiting += [each.role for each in new]
        return frozenset(reached)


def read_server_roles(session: Session) -> ServerRoles:
    """One round trip; every role may read this. Raises ServerFailure, ConnectionBroken."""
    _, roles, members, ((user, path),) = session.query(
        f"{_ROLES}; {_MEMBERSHIPS}; {_SESSION}", before=KEEP_PATH
    )
    return ServerRoles(
        roles=tuple(
            DatabaseRole(
                name or "",
                frozenset(
                    word for word, has in zip(ATTRIBUTES.values(), row, strict=True) if has == "t"
                ),
            )
            for name, *row in roles
        ),
        memberships=tuple(
            Membership(role or "", member or "", _options(row)) for role, member, *row in members
        ),
        user=user or "",
        search_path=path or "",
    )


def _options(row: Iterable[str | None]) -> tuple[tuple[str, bool], ...]:
    words = zip(("ADMIN", "INHERIT", "SET"), row, strict=True)
    return tuple((word, has == "t") for word, has in words if has is not None)


def make_roles(session: Session, wanted: ServerRoles) -> None:
    """Create those that are missing on this server; existing ones are not changed.

    Raises ServerFailure, ConnectionBroken.
    """
    here = read_server_roles(session)
    there = {role.name for role in here.roles}
    is_superuser = any("SUPERUSER" in r.attributes for r in here.roles if r.name == here.user)
    new = [role for role in wanted.roles if role.name not in there and not role.is_builtin]
    names = {role.name for role in new}
    statements = [
        # A role that is not a superuser cannot grant what a superuser has.
        f"CREATE ROLE {role.definition if is_superuser else identifier(role.name)}"
        for role in new
    ]
    statements += [
        f"GRANT {each.definition}"
        for each in wanted.memberships
        if each.member in names and (is_superuser or not each.role.startswith("pg_"))
    ]
    if statements:
        session.query("; ".join(statements))
