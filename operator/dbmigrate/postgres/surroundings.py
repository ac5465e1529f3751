"""What migrations count on and no dump of a database has: the roles, and where names are looked up.

A scratch server of our own is given the target's roles by their names, which may not
log in and have no password, so that grants, owners and policies can name them.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.postgres.quoting import identifier
from dbmigrate.postgres.session import Session

_QUERY = r"""
SELECT rolname FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY 1;
SELECT r.rolname, m.rolname FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles r ON r.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
WHERE r.rolname !~ '^pg_' AND m.rolname !~ '^pg_' ORDER BY 1, 2;
SELECT pg_catalog.replace(pg_catalog.current_setting('search_path'), '"$user"',
  pg_catalog.quote_ident(current_user))"""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Of one session on one database."""

    roles: tuple[str, ...]
    memberships: tuple[tuple[str, str], ...]
    """A role, and a member of it."""
    search_path: str
    """As the server writes it; the role's own name stands in the place of `$user`."""


def read_surroundings(session: Session) -> Surroundings:
    """One round trip; every role may read this. Raises ServerFailure, ConnectionBroken."""
    roles, members, ((path,),) = session.query(_QUERY)
    return Surroundings(
        roles=tuple(name or "" for (name,) in roles),
        memberships=tuple((role or "", member or "") for role, member in members),
        search_path=path or "",
    )


def make_roles(session: Session, wanted: Surroundings) -> None:
    """Make those that are missing on this server. Raises ServerFailure, ConnectionBroken."""
    (rows,) = session.query("SELECT rolname FROM pg_catalog.pg_roles")
    there = {name for (name,) in rows}
    new = [name for name in wanted.roles if name not in there]
    statements = [f"CREATE ROLE {identifier(name)}" for name in new]
    statements += [
        f"GRANT {identifier(role)} TO {identifier(member)}"
        for role, member in wanted.memberships
        if member in new
    ]
    if statements:
        session.query("; ".join(statements))
