"""Two databases that are emptied rather than made anew: a plan is tried in milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from dbmigrate.diff.change import Change
from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.schema import Schema
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.postgres.schema.catalog import Catalog, compare, read_catalog
from dbmigrate.runner.diffing.drafting import group_changes
from dbmigrate.runner.scratch.database import open_session
from tests.database import Server
from tests.diff_command.arrange import make_roles

EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"


@dataclass(frozen=True)
class Pair:
    """A session in each."""

    here: Session
    there: Session


@contextmanager
def open_pair(server: Server) -> Iterator[Pair]:
    """Two new databases, dropped at the end."""
    make_roles(server)
    with ExitStack() as stack:
        sessions = []
        for _ in range(2):
            database = server.create_database()
            stack.callback(database.drop)
            target = parse_target(database.url, {})
            sessions.append(stack.enter_context(open_session(target, "test")))
        yield Pair(*sessions)


def make(session: Session, sql: str) -> tuple[Schema, Catalog]:
    """An empty database becomes one with that schema."""
    session.execute(f"{EMPTY}; {sql}".encode())
    return read_schema(session), read_catalog(session)


def apply(session: Session, changes: Sequence[Change]) -> None:
    """As files are run: those that share one in a transaction."""
    for group in group_changes(changes):
        script = ";\n".join(change.sql for change in group)
        try:
            whole = f"BEGIN; {script}; COMMIT" if group[0].can_be_in_transaction else script
            session.execute(whole.encode())
        except ServerFailure as failure:
            session.roll_back()
            raise AssertionError(f"{failure}\n{script}") from None


def differences(before: Catalog, after: Catalog) -> list[str]:
    """In sentences."""
    return [each.describe() for each in compare(before, after)]
