"""`version`, `status`, `verify` and `plan`: they tell, and they change nothing."""

from __future__ import annotations

import pytest

from dbmigrate.policies import OutOfOrder
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.answers import MigrationState, StatusTable
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options
from dbmigrate.runner.result import VersionState
from dbmigrate.sources.migration import Source
from dbmigrate.versions import Version
from tests.database import Database
from tests.runner.arrange import log, migration, request, source, table, tables

pytestmark = pytest.mark.database


def states(database: Database | str, files: Source) -> list[tuple[Version, str]]:
    """What `status` says of each version."""
    found = status(request(database, files)).unwrap()
    assert found is not None
    return [(row.version, row.state) for row in found.rows]


def findings(database: Database, files: Source) -> list[tuple[Version | None, str]]:
    """What `verify` finds."""
    found = verify(request(database, files)).unwrap()
    assert found is not None
    return [(each.version, each.kind) for each in found]


def test_reading_an_empty_database_makes_no_table(database: Database) -> None:
    files = tables(1, 2)
    assert version(request(database)).unwrap() == VersionState(None)
    assert states(database, files) == [(1, "pending"), (2, "pending")]
    assert findings(database, files) == []
    found = preview(request(database, files)).unwrap()
    assert found is not None
    assert [(each.step.version, each.sql) for each in found.steps] == [
        (1, b"CREATE TABLE t1 (id int);"),
        (2, b"CREATE TABLE t2 (id int);"),
    ]
    assert database.query("SELECT relname FROM pg_class WHERE relname LIKE 'schema_migr%'") == []


def test_status_tells_of_each_migration_what_is_known(database: Database) -> None:
    up(request(database, tables(1, 2, 4))).unwrap()
    files = source(table(1), table(3), migration(4, "edited"), table(5))
    result = status(request(database, files, command="status"))
    found = result.unwrap()
    assert isinstance(found, StatusTable)
    assert (found.state, found.target, found.pending) == (VersionState(4), 5, 2)
    assert [(row.version, row.state, row.changed, row.recorded) for row in found.rows] == [
        (1, MigrationState.APPLIED, False, True),
        (2, MigrationState.MISSING, False, True),
        (3, MigrationState.OUT_OF_ORDER, False, False),
        (4, MigrationState.APPLIED, True, True),
        (5, MigrationState.PENDING, False, False),
    ]
    first = found.rows[0]
    assert first.applied_at is not None
    assert first.applied_at.endswith("Z")
    assert first.milliseconds is not None
    assert first.applied_by == "postgres"
    assert (result.report.version, result.report.pending) == ("4", 2)


def test_what_is_ignored_is_not_pending(database: Database) -> None:
    up(request(database, tables(1, 3))).unwrap()
    options = Options(out_of_order=OutOfOrder.IGNORE)
    found = status(request(database, tables(1, 2, 3), options=options)).unwrap()
    assert found is not None
    assert found.pending == 0


def test_a_dirty_version_is_shown_as_dirty(database: Database) -> None:
    files = source(table(1), migration(2, "VACUUM; SELECT 1/0"), table(3))
    up(request(database, files))
    assert states(database, files) == [(1, "applied"), (2, "dirty"), (3, "pending")]
    assert (2, "dirty") in findings(database, files)


def test_verify_finds_what_would_surprise(database: Database) -> None:
    up(request(database, tables(1, 2, 4))).unwrap()
    files = source(migration(1, "edited"), table(3), table(4))
    assert findings(database, files) == [(1, "changed"), (2, "missing"), (3, "out of order")]
    database.execute("UPDATE schema_migrations SET version = 9")
    assert (9, "gap") in findings(database, files)


def test_a_plan_shows_stored_scripts_and_fails_as_goto_would(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    before = log(database, "id")
    found = preview(request(database, tables(1)), 1).unwrap()
    assert found is not None
    (step,) = found.steps
    assert (step.step.version, step.step.is_stored, step.sql) == (2, True, b"DROP TABLE t2;")
    assert preview(request(database, tables(1, 2))).report.outcome is Outcome.UP_TO_DATE
    result = preview(request(database, tables(1, 2)), 7)
    assert result.error is not None
    assert result.error.reason is Reason.MISSING_VERSION
    assert log(database, "id") == before


def test_a_role_that_may_only_read_gets_all_answers(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    role = database.create_role(password="p")
    database.execute(f"GRANT SELECT ON schema_migrations, schema_migrations_log TO {role}")
    url = database.url_for(role, "p")
    assert version(request(url)).unwrap() == VersionState(2)
    assert states(url, tables(1, 2)) == [(1, "applied"), (2, "applied")]
    assert verify(request(url, tables(1, 2))).unwrap() == ()
    assert preview(request(url, tables(1, 2, 3))).error is None
    result = up(request(url, tables(1, 2, 3)))
    assert result.error is not None
    assert (result.error.sqlstate, result.report.version) == ("42501", "2")


def test_a_role_that_may_not_read_the_log_still_gets_the_version(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    role = database.create_role(password="p")
    database.execute(f"GRANT SELECT ON schema_migrations TO {role}")
    url = database.url_for(role, "p")
    assert version(request(url)).unwrap() == VersionState(2)
    assert states(url, tables(1, 2, 3)) == [(1, "applied"), (2, "applied"), (3, "pending")]


def test_a_role_without_any_right_is_told_so(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    role = database.create_role(password="p")
    result = version(request(database.url_for(role, "p")))
    assert result.error is not None
    assert result.error.sqlstate == "42501"
    assert "schema_migrations" in result.error.message


def test_a_run_with_nothing_to_do_takes_three_round_trips(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbmigrate.postgres.connection.session import Session

    up(request(database, tables(1, 2))).unwrap()
    sessions: list[Session] = []
    original = Session.close

    def close(self: Session) -> None:
        sessions.append(self)
        original(self)

    monkeypatch.setattr(Session, "close", close)
    up(request(database, tables(1, 2))).unwrap()
    assert [session.round_trips for session in sessions] == [3]
    version(request(database)).unwrap()
    assert [session.round_trips for session in sessions] == [3, 2]
    up(request(database, tables(*range(1, 23)))).unwrap()
    assert [session.round_trips for session in sessions] == [3, 2, 23]
