"""A down script that the log holds runs only where no untrusted role could have written it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from dbmigrate.policies import Rollback
from dbmigrate.report import Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.redo import redo
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from tests.database import Database
from tests.runner.arrange import migration, request, source, table_names, tables, version_row

pytestmark = pytest.mark.database

LOG = "schema_migrations_log"
RIGHTS = {
    "insert": ("GRANT INSERT ON {log} TO {role}", "has INSERT on it"),
    "update": ("GRANT SELECT, UPDATE ON {log} TO {role}", "has UPDATE on it"),
    "delete": ("GRANT DELETE ON {log} TO {role}", "has DELETE on it"),
    "truncate": ("GRANT TRUNCATE ON {log} TO {role}", "has TRUNCATE on it"),
    "trigger": ("GRANT TRIGGER ON {log} TO {role}", "has TRIGGER on it"),
    "all tables": (
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
        "has DELETE on it",
    ),
    "version table": ("GRANT UPDATE ON schema_migrations TO {role}", "has UPDATE on it"),
    "column": (
        "GRANT UPDATE (down_script) ON {log} TO {role}",
        "has UPDATE on its column down_script",
    ),
    "version column": (
        "GRANT INSERT (version) ON schema_migrations TO {role}",
        "has INSERT on its column version",
    ),
    "owner": (
        "ALTER DATABASE {database} OWNER TO {role}; ALTER TABLE {log} OWNER TO {role}",
        "owns it",
    ),
    "database owner": (
        "ALTER DATABASE {database} OWNER TO {role}; ALTER TABLE {log} OWNER TO pg_database_owner",
        "owns it",
    ),
    "all data": ("GRANT pg_write_all_data TO {role}", "is a member of pg_write_all_data"),
}
COMMANDS: dict[str, Callable[[Request], Result[Any]]] = {
    "down": lambda asked: down(asked, 1),
    "goto": lambda asked: goto(asked, 1),
    "plan": lambda asked: preview(asked, 1),
    "redo": redo,
}


@pytest.fixture
def mallory(database: Database) -> Iterator[str]:
    """A role that is not trusted to run as the superuser who migrates."""
    name = database.create_role(password="p")
    yield name
    database.execute(
        f"ALTER DATABASE {database.name} OWNER TO postgres;"
        f"REVOKE pg_write_all_data FROM {name}; DROP OWNED BY {name} CASCADE"
    )


def allow(database: Database, kind: str, role: str) -> str:
    """Give a role that kind of right; what the refusal says of it."""
    statement, how = RIGHTS[kind]
    database.execute(statement.format(log=LOG, role=role, database=database.name))
    return how


def named(asked: Request, owner: str) -> Request:
    """The same with `-history-owner`."""
    history = replace(asked.target.history, owner=owner)
    return replace(asked, target=replace(asked.target, history=history))


@pytest.mark.parametrize("kind", RIGHTS)
def test_each_right_to_write_is_refused_until_its_role_is_named(
    kind: str, database: Database, mallory: str
) -> None:
    up(request(database, tables(1, 2))).unwrap()
    how = allow(database, kind, mallory)
    error = down(request(database, tables(1)), 1).error
    assert error is not None
    assert error.reason is Reason.FOREIGN_HISTORY
    assert f": role {mallory} can write public.schema_migrations" in error.message
    assert f"({how})" in error.message
    assert error.hint is not None
    assert f"name {mallory} with -history-owner" in error.hint
    assert table_names(database) == {"t1", "t2"}
    down(named(request(database, tables(1)), mallory), 1).unwrap()
    assert table_names(database) == {"t1"}


def test_public_is_refused_and_cannot_be_named(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    database.execute(f"GRANT INSERT ON {LOG} TO PUBLIC")
    error = down(named(request(database, tables(1)), "public"), 1).error
    assert error is not None
    assert ": PUBLIC can write public.schema_migrations_log (has INSERT on it)" in error.message
    assert "-history-owner" not in (error.hint or "")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_uses_a_script_that_another_role_put_there(
    command: str, database: Database, mallory: str
) -> None:
    up(request(database, tables(1, 2))).unwrap()
    allow(database, "update", mallory)
    database.execute(
        f"SET ROLE {mallory}; UPDATE {LOG} SET down_script = 'ALTER ROLE {mallory} SUPERUSER'"
    )
    options = Options(rollback=Rollback.ALLOW)
    error = COMMANDS[command](request(database, tables(1), options=options)).error
    assert error is not None
    assert error.reason is Reason.FOREIGN_HISTORY
    assert database.query(f"SELECT rolsuper FROM pg_roles WHERE rolname = '{mallory}'") == [
        (False,)
    ]
    assert version_row(database) == [(2, False)]


def test_a_repair_does_not_finish_a_down_that_another_role_may_have_written(
    database: Database, mallory: str
) -> None:
    files = source(migration(1, "SELECT 1", "VACUUM; SELECT 1/(SELECT count(*) FROM t)"))
    database.execute("CREATE TABLE t (id int)")
    up(request(database, files)).unwrap()
    assert down(request(database, source()), 1).error is not None
    database.execute("INSERT INTO t VALUES (1)")
    allow(database, "column", mallory)
    error = repair(request(database, source())).error
    assert error is not None
    assert error.reason is Reason.FOREIGN_HISTORY
    database.execute(f"REVOKE UPDATE (down_script) ON {LOG} FROM {mallory}")
    repair(request(database, source())).unwrap()
    assert version_row(database) == []


def test_a_file_needs_no_trust_in_the_log(database: Database, mallory: str) -> None:
    up(request(database, tables(1, 2))).unwrap()
    allow(database, "owner", mallory)
    up(request(database, tables(1, 2, 3))).unwrap()
    down(request(database, tables(1, 2, 3)), 2).unwrap()
    assert table_names(database) == {"t1"}


def test_roles_that_may_act_as_ours_may_write_what_we_run(database: Database, mallory: str) -> None:
    """The run's own role, superusers, members of the run's role; readers do not count."""
    runner = database.create_role(password="p")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {runner}; GRANT {runner} TO {mallory}")
    url = database.url_for(runner, "p")
    up(request(url, tables(1, 2))).unwrap()
    reader = database.create_role()
    database.execute(
        f"GRANT ALL ON {LOG} TO postgres, {mallory}; GRANT SELECT, REFERENCES ON {LOG} TO {reader}"
    )
    down(request(url, tables(1)), 1).unwrap()
    assert table_names(database) == {"t1"}
    database.execute(f"DROP OWNED BY {runner}, {reader} CASCADE")
