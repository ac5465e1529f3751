"""A rehearsal is run with the rights of the target's role: what it may not do is found before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Ran, run, write_scripts
from tests.database import Database, Server

pytestmark = pytest.mark.database

UNTOLD = "does not find out what"
"""Part of the warning where the steps are not run as the role."""


@pytest.fixture(scope="module")
def scratch() -> Iterator[Server]:
    """A server of its own, on which roles and databases may come and go."""
    with Server.start() as server:
        yield server


@pytest.fixture
def role(database: Database) -> str:
    """Whom the application's migrations are run as; it owns nothing yet."""
    return database.create_role(password="x")


@pytest.fixture
def go(database: Database, scratch: Server, role: str, tmp_path: Path) -> Any:
    """Rehearses and runs these files as the role."""

    def up(files: dict[str, str], *words: str) -> tuple[Ran, dict[str, Any]]:
        options = ["-path", str(write_scripts(tmp_path, files)), *words, "-json"]
        options += ["-database", database.url_for(role, "x")]
        options += ["-rehearse-on", scratch.url("postgres"), "up"]
        ran = run(*options, environ={"PATH": f"{database.server.bin_dir}:/usr/bin:/bin"})
        report: dict[str, Any] = json.loads(ran.stdout)
        return ran, report

    return up


def step(up: str, down: str = "", *, number: int = 1) -> dict[str, str]:
    files = {f"{number}_x.up.sql": up}
    return {**files, f"{number}_x.down.sql": down} if down else files


def assert_refused(report: dict[str, Any], message: str) -> None:
    error = report["error"]
    assert (error["reason"], error["sqlstate"]) == ("RehearsalFailed", "42501"), error
    assert message in error["message"]
    assert "rehearsed" not in report


def test_a_table_of_somebody_else_is_found_to_be_out_of_reach(
    database: Database, role: str, go: Any
) -> None:
    database.execute(
        f"GRANT ALL ON SCHEMA public TO {role}; CREATE TABLE theirs (id int);"
        f"GRANT SELECT ON theirs TO {role}"
    )
    files = step("CREATE TABLE mine (id int);", "DROP TABLE mine;")
    _, report = go(files | step("ALTER TABLE theirs ADD n int;", number=2))
    assert_refused(report, "must be owner of table theirs")
    assert f"with the rights that {role} has in the database" in report["error"]["hint"]
    assert database.query("SELECT to_regclass('mine'), to_regclass('schema_migrations')") == [
        (None, None)
    ]


def test_a_history_that_the_role_could_not_make_is_found_out(go: Any) -> None:
    _, report = go(step("SELECT 1;"))
    assert_refused(report, "permission denied for schema public")


def test_a_history_that_is_there_needs_no_right_to_make_one(
    database: Database, role: str, go: Any
) -> None:
    database.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    first = step("CREATE TABLE t (id int);", "DROP TABLE t;")
    assert go(first)[0].code == 0
    database.execute(f"REVOKE CREATE ON SCHEMA public FROM {role}")
    ran, report = go(step("ALTER TABLE t ADD n int;", "ALTER TABLE t DROP n;", number=2))
    assert (ran.code, report["version"]) == (0, "2"), ran.stderr
    assert report["rehearsed"]["steps"] == 1
    assert UNTOLD not in ran.stderr


def test_rights_of_every_kind_are_those_of_the_target(
    database: Database, role: str, go: Any
) -> None:
    """Of its own, by groups, on the database, on settings, on extensions and for others."""
    group, other = database.create_role(), database.create_role()
    database.execute(
        f"""
        GRANT ALL ON SCHEMA public TO {role}; ALTER ROLE {role} CREATEROLE;
        GRANT CREATE ON DATABASE {database.name} TO {role};
        GRANT {group} TO {role} WITH ADMIN OPTION;
        GRANT pg_monitor TO {role} WITH ADMIN OPTION;
        GRANT SET ON PARAMETER session_replication_role TO {role};
        CREATE TABLE of_group (id int); ALTER TABLE of_group OWNER TO {group};
        CREATE TABLE granted (id int); GRANT SELECT, REFERENCES ON granted TO {role};
        ALTER TABLE granted ADD PRIMARY KEY (id)
        """
    )
    extension = "CREATE EXTENSION citext;"
    assert go(step(extension, "DROP EXTENSION citext;"))[0].code == 0
    up = f"""
        ALTER TABLE of_group ADD n int;
        CREATE TABLE child (id int REFERENCES granted (id));
        CREATE SCHEMA more; GRANT USAGE ON SCHEMA more TO {other};
        SET session_replication_role = replica; SET session_replication_role = DEFAULT;
        GRANT {group} TO {other};
        COMMENT ON EXTENSION citext IS 'mine';
    """
    down = f"""
        COMMENT ON EXTENSION citext IS 'data type for case-insensitive character strings';
        REVOKE {group} FROM {other}; DROP SCHEMA more; DROP TABLE child;
        ALTER TABLE of_group DROP n;
    """
    ran, report = go(step(up, down, number=2))
    assert (ran.code, report["version"]) == (0, "2"), ran.stderr
    assert report["rehearsed"]["steps"] == 1
    assert UNTOLD not in ran.stderr
    _, report = go(step("SET log_statement = 'all';", "SELECT 1;", number=3))
    assert_refused(report, 'permission denied to set parameter "log_statement"')


def test_a_membership_that_is_not_inherited_gives_nothing(
    database: Database, role: str, go: Any
) -> None:
    group = database.create_role()
    database.execute(
        f"GRANT ALL ON SCHEMA public TO {role}; GRANT {group} TO {role} WITH INHERIT FALSE;"
        f"CREATE TABLE t (id int); ALTER TABLE t OWNER TO {group};"
        f"GRANT SELECT ON t TO {role}; GRANT ALL ON SCHEMA public TO {group}"
    )
    _, report = go(step("ALTER TABLE t ADD n int;", "ALTER TABLE t DROP n;"))
    assert_refused(report, "must be owner of table t")
    with_role = {
        "1_x.up.sql": f"SET LOCAL ROLE {group}; ALTER TABLE t ADD n int; RESET ROLE;",
        "1_x.down.sql": f"SET LOCAL ROLE {group}; ALTER TABLE t DROP n; RESET ROLE;",
    }
    ran, _ = go(with_role)
    assert ran.code == 0, ran.stderr


@pytest.mark.parametrize("tool", ["goose", "dbmate", "atlas", "flyway"])
def test_the_history_of_each_format_goes_on_where_it_is(
    database: Database, role: str, go: Any, tmp_path: Path, tool: str
) -> None:
    def files(*numbers: int) -> dict[str, str]:
        made: dict[str, str] = {}
        for n in numbers:
            up, down = f"CREATE TABLE t{n} (id int);", f"DROP TABLE t{n};"
            made |= {
                "goose": {f"0000{n}_x.sql": f"-- +goose Up\n{up}\n-- +goose Down\n{down}\n"},
                "dbmate": {f"{n}_x.sql": f"-- migrate:up\n{up}\n-- migrate:down\n{down}\n"},
                "atlas": {f"2024010{n}_x.sql": f"{up}\n"},
                "flyway": {f"V{n}__x.sql": f"{up}\n"},
            }[tool]
        return made

    database.execute(
        f"GRANT ALL ON SCHEMA public TO {role}; GRANT CREATE ON DATABASE {database.name} TO {role}"
    )
    for numbers in ((1, 3), (1, 2, 3, 4)):
        write_scripts(tmp_path, files(*numbers))
        if tool == "atlas":
            assert run("-path", str(tmp_path), "-format", "atlas", "hash").code == 0
        ran, report = go({}, "-format", tool, "-out-of-order", "apply")
        assert ran.code == 0, ran.stderr
        assert report["rehearsed"]["steps"] == 2
        assert UNTOLD not in ran.stderr
    tables = database.query("SELECT count(*) FROM pg_class WHERE relname ~ '^t[1-4]$'")
    assert tables == [(4,)]


def test_a_step_in_batches_that_is_under_way_is_rehearsed_from_its_start(
    database: Database, role: str, go: Any
) -> None:
    database.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    table = "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n < 3)); INSERT INTO t SELECT g"
    first = step(f"{table}, g FROM generate_series(1, 2) g;", "DROP TABLE t;")
    fill = "UPDATE t SET n = n + 1 WHERE id IN (SELECT id FROM t WHERE id > :cursor ORDER BY id"
    batched = f"-- dbmigrate:batched size=1 start=0\n{fill} LIMIT :batch_size) RETURNING id;\n"
    assert go(first)[0].code == 0
    _, report = go(step(batched, number=2))
    assert (report["error"]["reason"], report["dirty"]) == ("StatementFailed", True)
    assert report["unfinished"]["batches"] == 1
    database.execute("UPDATE t SET n = 0 WHERE id = 2")
    ran, report = go({})
    assert (ran.code, report["version"], report["dirty"]) == (0, "2", False), ran.stderr
    assert report["rehearsed"]["steps"] == 1
    assert database.query("SELECT n FROM t ORDER BY id") == [(2,), (1,)]


def test_where_the_server_has_rights_of_its_own_the_steps_are_run_as_superuser(
    database: Database, role: str, go: Any
) -> None:
    database.execute("CREATE ROLE rds_superuser")
    try:
        ran, report = go(step("SELECT 1;"))
    finally:
        database.execute("DROP ROLE rds_superuser")
    assert f"{UNTOLD} {role} may not do: the database's server gives rights in ways" in ran.stderr
    assert report["error"]["reason"] != "RehearsalFailed"  # it failed in the target alone


def test_a_role_of_that_name_that_is_another_one_is_left_alone(
    database: Database, scratch: Server, role: str, go: Any
) -> None:
    database.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    other = scratch.create_database()
    other.execute(f"CREATE ROLE {role} CREATEDB")
    ran, report = go(step("CREATE TABLE t (id int);", "DROP TABLE t;"))
    assert ran.code == 0
    assert f"the scratch server has a role {role} that may do other things" in ran.stderr
    assert report["rehearsed"]["steps"] == 1
    made = other.query("SELECT rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = %s", role)
    assert made == [(True, False)]
    other.drop()
