"""Behind a real PgBouncer: refused where locks would not hold, at work where they do."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.result import VersionState
from tests.database import Database, Server
from tests.runner.arrange import request, table_names, tables, version_row
from tests.runner.pgbouncer import PgBouncerUnavailable, find_pgbouncer, pgbouncer

pytestmark = pytest.mark.database

Through = Callable[[str, str], AbstractContextManager[str]]


@pytest.fixture
def through(server: Server) -> Through:
    """Opens a pooler before a database."""
    try:
        find_pgbouncer()
    except PgBouncerUnavailable as problem:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"no PgBouncer: {problem}", pytrace=False)
        pytest.skip(f"NOT TESTED, no PgBouncer: {problem}")
    return partial(pgbouncer, server)


def test_transaction_mode_is_refused_with_the_remedy(database: Database, through: Through) -> None:
    with through(database.url, "transaction") as url:
        result = up(request(url, tables(1)))
        assert result.error is not None
        assert result.error.reason is Reason.POOLER_UNSAFE
        assert "transaction mode" in result.error.message
        assert result.error.hint is not None
        assert "session mode" in result.error.hint
        assert table_names(database) == set()
        left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'" + (
            f" AND database = (SELECT oid FROM pg_database WHERE datname = '{database.name}')"
        )
        assert database.query(left) == [(0,)]


def test_reading_needs_no_lock_and_works_in_transaction_mode(
    database: Database, through: Through
) -> None:
    up(request(database, tables(1))).unwrap()
    with through(database.url, "transaction") as url:
        assert version(request(url)).unwrap() == VersionState(1)


def test_session_mode_works(database: Database, through: Through) -> None:
    with through(database.url, "session") as url:
        assert up(request(url, tables(1, 2))).unwrap() is None
        assert up(request(url, tables(1, 2, 3))).unwrap() is None
    assert version_row(database) == [(3, False)]


@pytest.mark.parametrize("setting", ["search_path=app", "role=pg_monitor"])
@pytest.mark.parametrize("ignored", ["", "options"])
def test_a_setting_that_a_pooler_drops_or_refuses_is_missed_before_anything_is_done(
    database: Database, server: Server, through: Through, setting: str, ignored: str
) -> None:
    """The files would make their tables in another schema, or as another role."""
    del through
    database.execute("CREATE SCHEMA app")
    more = {"ignore_startup_parameters": ignored} if ignored else {}
    with pgbouncer(server, database.url, "session", **more) as url:
        for run in (up, version):
            result = run(request(f"{url}&{setting}", tables(1)))
            assert result.error is not None
            assert result.error.reason is Reason.POOLER_UNSAFE
            assert "connect to PostgreSQL directly" in (result.error.hint or "")
            said = f"asks for {setting.replace('=', ' ')}" if ignored else "unsupported startup"
            assert said in result.error.message
    made = database.query("SELECT count(*) FROM pg_tables WHERE schemaname IN ('app', 'public')")
    assert made == [(0,)]
