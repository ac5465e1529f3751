"""The steps of a rehearsal are run with the rights that the run has in the target.

Otherwise a "permission denied" would appear in the real run only. In the scratch
database the role of that name gets the target's attributes, memberships, ownership
and grants. Where that is not possible, the steps are run as the scratch server's own
role, and a notice says why.
"""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.settings import add_setting
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.scratch.grants import give_rights, read_rights
from dbmigrate.postgres.scratch.roles import ServerRoles, read_server_roles
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.runner.database import Database


class Impersonation:
    """The target's role, and the statements that give it the same rights elsewhere."""

    def __init__(self, database: Database, around: ServerRoles) -> None:
        """Raises ServerFailure, ConnectionBroken."""
        self._history = database.history
        self._source = database.session
        self._around = around
        self.is_had = False
        """Whether the steps are run as that role."""
        self._rights = read_rights(database.session, around, database.server_version)

    @property
    def user(self) -> str:
        """The role's name."""
        return self._around.user

    def find_obstacle(self, scratch: Session) -> str | None:
        """Why the steps cannot be run as that role, once its roles exist; None: they can.

        Raises ServerFailure, ConnectionBroken.
        """
        history, user = self._history, self.user
        if self._rights.is_of_provider:
            return "the database's server gives rights in ways of its provider's own"
        is_hidden = history.has_log_table and not history.may_read_log
        if is_hidden or (history.has_batches_table and not history.may_read_batches):
            return f"{user} may not read all of the history"
        here = read_server_roles(scratch)
        if "SUPERUSER" not in _attributes(here, here.user):
            return f"{here.user} is no superuser of the scratch server"
        if here.standing(user) != self._around.standing(user):
            return f"the scratch server has a role {user} that may do other things"
        return None

    def prepare(self, scratch: Session, database: str) -> None:
        """Once the schema and the history exist: the other rights, and the history's rows.

        Raises ServerFailure, ConnectionBroken.
        """
        give_rights(scratch, self._rights, database)
        _copy_rows(self._source, scratch, self._history)
        self.is_had = True

    def act_on(self, scratch: ConnectionTarget) -> ConnectionTarget:
        """The scratch database as that role sees it."""
        return replace(scratch, conninfo=add_setting(scratch.conninfo, {}, "role", self.user))


def _attributes(around: ServerRoles, name: str) -> frozenset[str]:
    return next((role.attributes for role in around.roles if role.name == name), frozenset())


def _copy_rows(source: Session, scratch: Session, history: History) -> None:
    """Copy the history's rows by way of JSON, and set its sequences behind them."""
    tables = [
        table
        for table, is_there in (
            (history.version_table, history.has_version_table),
            (history.log_table, history.has_log_table),
            (history.batches_table, history.has_batches_table),
        )
        if is_there
    ]
    if not tables:
        return
    rows = source.query(
        history.guarded_reading(
            "; ".join(
                f"SELECT coalesce(pg_catalog.jsonb_agg(t), '[]') FROM {table} t" for table in tables
            )
        )
    )
    statements = []
    for table, ((content,),) in zip(tables, rows, strict=True):
        statements.append(
            f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM"
            f" pg_catalog.jsonb_populate_recordset(NULL::{table}, {literal(content)}::jsonb)"
        )
        statements.append(_advance(table))
    scratch.query("; ".join(statements))


def _advance(table: str) -> str:
    """Set its sequences above every row."""
    name = literal(table)
    return (
        "DO $dbmigrate$ DECLARE c name; s text; BEGIN FOR c, s IN SELECT attname,"
        f" pg_catalog.pg_get_serial_sequence({name}, attname) FROM pg_catalog.pg_attribute"
        f" WHERE attrelid = {name}::regclass AND attnum > 0 AND NOT attisdropped LOOP"
        "  IF s IS NOT NULL THEN EXECUTE pg_catalog.format("
        f"'SELECT pg_catalog.setval(%L, max(%I)) FROM %s HAVING max(%I) > 0', s, c, {name}, c);"
        " END IF; END LOOP; END $dbmigrate$"
    )
