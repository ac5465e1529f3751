"""Steps in batches: what they do, what they refuse, and how the next run goes on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from dbmigrate.policies import OutOfOrder
from dbmigrate.postgres.connection.errors import ConnectionBroken
from dbmigrate.postgres.connection.session import Session
from dbmigrate.report import Outcome, Reason, Report
from dbmigrate.runner.answers import MigrationState
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result, VersionState
from tests.database import Database
from tests.runner.arrange import (
    Witness,
    log,
    migration,
    request,
    source,
    table,
    table_names,
    version_row,
)
from tests.runner.batches import (
    BATCHES,
    COUNT_UP,
    MOVE_OUT,
    ROWS,
    SIZE,
    act_before_batch,
    files,
    many,
    progress,
    stop_in_batch,
    touched,
)

pytestmark = pytest.mark.database

Work = Callable[[Request], Result[Any]]


def test_every_row_is_touched_once_and_the_log_tells_of_one_step(database: Database) -> None:
    result = up(request(database, files()))
    assert result.unwrap() is None
    assert touched(database) == {1: ROWS}
    assert version_row(database) == [(3, False)]
    assert progress(database) == [([str(ROWS)], BATCHES, ROWS)]
    assert log(database, "version, outcome, statements, statements_done, finished_at IS NULL") == [
        (1, "applied", None, None, False),
        (2, "applied", 1, 1, False),
        (3, "applied", None, None, False),
    ]
    assert (result.report.outcome, result.report.unfinished) == (Outcome.APPLIED, None)
    assert [step.version for step in result.report.steps] == ["1", "2", "3"]


def test_the_way_down_runs_in_batches_too_until_nothing_is_left(database: Database) -> None:
    up(request(database, files())).unwrap()
    result = down(request(database, files()), 2)
    assert result.unwrap() is None
    assert touched(database) == {}
    assert database.query("SELECT count(DISTINCT id), max(touched) FROM archive") == [(ROWS, 1)]
    assert version_row(database) == [(1, False)]
    assert progress(database)[-1] == (None, BATCHES, ROWS)
    assert result.report.outcome is Outcome.ROLLED_BACK


def test_a_batch_is_one_round_trip(database: Database) -> None:
    from tests.database.proxy import Proxy

    up(request(database, files()), 1).unwrap()
    trips = []
    for rows in (0, 10 * SIZE):
        database.execute("TRUNCATE many; DELETE FROM schema_migrations_log WHERE version = 2")
        database.execute(f"INSERT INTO many (id) SELECT g FROM generate_series(1, {rows}) g")
        with closing(Proxy(database.server.host, database.server.port)) as proxy:
            up(request(proxy.divert(database.url), files()), 1).unwrap()
            trips.append(proxy.round_trips)
        force(request(database), 1).unwrap()
    # The first run has made the table of batches, in a message of its own: it is looked at.
    assert trips[1] - trips[0] == 10 - 1


@pytest.mark.parametrize(
    ("column", "first", "values"),
    [
        ("bigint", "start=0", "SELECT g FROM generate_series(1, 25) g"),
        ("numeric", "start=-1", "SELECT g / 10.0 FROM generate_series(1, 25) g"),
        ("uuid", "", "SELECT gen_random_uuid() FROM generate_series(1, 25)"),
        (
            "text",
            "start=''",
            "SELECT chr(39) || chr(92) || ' é;' || g FROM generate_series(1, 25) g",
        ),
        (
            "timestamptz",
            "start=-infinity",
            "SELECT now() - g * interval '1.23456 s' FROM generate_series(1, 25) g",
        ),
        ("date", "", "SELECT date '2020-01-31' + g FROM generate_series(1, 25) g"),
        ("inet", "", "SELECT '10.0.0.0'::inet + g FROM generate_series(1, 25) g"),
        ("int[]", "", "SELECT ARRAY[g, 25 - g] FROM generate_series(1, 25) g"),
    ],
)
def test_a_cursor_of_any_type_comes_back_as_it_was(
    database: Database, column: str, first: str, values: str
) -> None:
    database.execute(f"ALTER DATABASE {database.name} SET DateStyle = 'SQL, DMY'")
    text = (
        f"-- dbmigrate:batched size=3 {first}\n"
        "UPDATE t SET touched = touched + 1 WHERE key IN (SELECT key FROM t"
        " WHERE :cursor IS NULL OR key > :cursor ORDER BY key LIMIT :batch_size) RETURNING key"
    )
    make = f"CREATE TABLE t (key {column} UNIQUE, touched int DEFAULT 0)"
    given = source(migration(1, f"{make}; INSERT INTO t (key) {values}"), migration(2, text))
    assert up(request(database, given)).unwrap() is None
    assert database.query("SELECT touched, count(*) FROM t GROUP BY 1") == [(1, 25)]
    assert progress(database)[0][1:] == (9, 25)


def test_a_cursor_of_two_columns_from_high_to_low(database: Database) -> None:
    text = (
        "-- dbmigrate:batched size=4 order=desc start=infinity start_2=0\n"
        "WITH next AS MATERIALIZED (SELECT day, id FROM t WHERE (day, id) < (:cursor_1, :cursor_2)"
        " ORDER BY day DESC, id DESC LIMIT :batch_size -- the next ones\n"
        "), done AS (UPDATE t SET touched = touched + 1 FROM next n"
        " WHERE (t.day, t.id) = (n.day, n.id))\n"
        "SELECT day, id FROM next -- not those that were changed\n"
    )
    make = (
        "CREATE TABLE t (day timestamp, id int PRIMARY KEY, touched int DEFAULT 0);"
        "INSERT INTO t SELECT date '2024-01-01' + g / 5, g FROM generate_series(0, 24) g"
    )
    given = source(migration(1, make), migration(2, text))
    assert up(request(database, given)).unwrap() is None
    assert database.query("SELECT touched, count(*) FROM t GROUP BY 1") == [(1, 25)]
    assert progress(database) == [(["2024-01-01T00:00:00", "0"], 7, 25)]


def test_a_run_that_is_asked_to_stop_ends_behind_the_running_batch(database: Database) -> None:
    result = stop_in_batch(database, 2)
    error = result.error
    assert error is not None
    assert (error.reason, error.is_retryable) == (Reason.INTERRUPTED, True)
    assert "20 rows are done in 2 batches, the next run continues after them" in error.message
    assert version_row(database) == [(2, True)]
    assert touched(database) == {0: ROWS - 2 * SIZE, 1: 2 * SIZE}
    report = result.report
    assert (report.version, report.dirty) == ("2", True)
    assert report.unfinished is not None
    assert (report.unfinished.rows, report.unfinished.batches) == (20, 2)
    assert Report.from_json(report.to_json()) == report


@pytest.mark.parametrize("work", [up, lambda r: up(r, 1), goto, lambda r: goto(r, 2), repair])
def test_whatever_leads_there_goes_on_behind_the_last_batch(database: Database, work: Work) -> None:
    stop_in_batch(database, 2)
    witness = Witness()
    result = work(request(database, files(), observer=witness))
    assert result.error is None
    assert witness.notices[0].message.startswith(
        "continues after batch 2: 20 rows are done, since "
    )
    assert touched(database) == {1: ROWS}
    assert not version_row(database)[0][1]
    up(request(database, files())).unwrap()
    assert [row for row in log(database) if row[0] == 2] == [(2, "up", "applied")]


@pytest.mark.parametrize(
    "work",
    [
        down,
        lambda r: down(r, 1),
        lambda r: goto(r, 1),
        lambda r: preview(r, 1),
        lambda r: baseline(r, 2),
    ],
)
def test_whatever_leads_elsewhere_is_refused_with_the_ways_out(
    database: Database, work: Work
) -> None:
    stop_in_batch(database, 2)
    result = work(request(database, files()))
    assert result.error is not None
    assert result.error.reason is Reason.DIRTY
    assert result.error.message.startswith("Dirty database version 2.")
    assert "20 rows are done in 2 batches" in result.error.message
    assert "`dbmigrate repair` continues it; `dbmigrate force V` abandons it" in (
        result.error.hint or ""
    )
    assert touched(database) == {0: ROWS - 2 * SIZE, 1: 2 * SIZE}


def test_a_way_down_that_was_stopped_goes_on_and_no_way_up_does(database: Database) -> None:
    up(request(database, files())).unwrap()
    result = stop_in_batch(database, 3, use=lambda order: down(order, 2))
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED
    assert version_row(database) == [(1, True)]
    refused = up(request(database, files()))
    assert refused.error is not None
    assert refused.error.reason is Reason.DIRTY
    assert "`dbmigrate down 1`" in (refused.error.hint or "")
    table = status(request(database, files())).unwrap()
    assert table is not None
    assert [(row.version, row.state) for row in table.rows] == [
        (1, MigrationState.APPLIED),
        (2, MigrationState.UNFINISHED),
        (3, MigrationState.PENDING),
    ]
    assert down(request(database, files()), 1).unwrap() is None
    assert database.query("SELECT count(DISTINCT id), count(*) FROM archive") == [(ROWS, ROWS)]
    assert version_row(database) == [(1, False)]


def test_status_version_plan_verify_and_wait_say_what_is_under_way(database: Database) -> None:
    stop_in_batch(database, 2)
    assert version(request(database)).unwrap() == VersionState(2, dirty=True)
    found = status(request(database, files()))
    table = found.unwrap()
    assert table is not None
    assert [(row.version, row.state) for row in table.rows] == [
        (1, MigrationState.APPLIED),
        (2, MigrationState.UNFINISHED),
        (3, MigrationState.PENDING),
    ]
    text = "version 2 (count) up is not finished: 20 rows are done in 2 batches, since 20"
    assert (table.unfinished or "").startswith(text)
    assert found.report.unfinished is not None
    plan = preview(request(database, files())).unwrap()
    assert plan is not None
    assert [each.step.version for each in plan.steps] == [2, 3]
    assert (plan.unfinished or "").startswith(text)
    (finding,) = verify(request(database, files())).unwrap() or ()
    assert (finding.version, finding.kind) == (2, "dirty")
    assert finding.message.startswith(text)
    waited = wait(request(database, files()), 2, 0.0)
    assert waited.error is not None
    assert waited.error.message == "gave up waiting: the database is at version 2 and is dirty"


def test_a_plan_that_was_agreed_to_still_holds_for_what_is_left(database: Database) -> None:
    plan = preview(request(database, files())).unwrap()
    assert plan is not None
    stop_in_batch(database, 2)
    options = Options(plan_checksum=plan.checksum)
    assert up(request(database, files(), options=options)).unwrap() is None
    assert touched(database) == {1: ROWS}


@pytest.mark.parametrize("to", [1, 2])
def test_force_gives_up_what_is_left(database: Database, to: int) -> None:
    stop_in_batch(database, 2)
    force(request(database), to).unwrap()
    assert version_row(database) == [(to, False)]
    assert up(request(database, files())).unwrap() is None
    # Forced to the version below, the step begins anew, and by its file touches them again.
    done = {1: ROWS - 20, 2: 20} if to == 1 else {0: ROWS - 20, 1: 20}
    assert touched(database) == done
    assert version_row(database) == [(3, False)]


def test_an_edited_statement_is_refused_but_the_pace_may_be_changed(database: Database) -> None:
    stop_in_batch(database, 2)
    edited = files(COUNT_UP.replace("touched + 1", "touched + 2"))
    works: tuple[Work, ...] = (up, repair)
    for work in works:
        result = work(request(database, edited))
        assert result.error is not None
        assert result.error.reason is Reason.CHECKSUM_MISMATCH
        assert "edited after 20 rows were done with it" in result.error.message
        assert "put it back as it was" in (result.error.hint or "")
        assert version_row(database) == [(2, True)]
    plain = files(COUNT_UP.partition("\n")[2].replace(":cursor", "0").replace(":batch_size", "9"))
    result = up(request(database, plain))
    assert result.error is not None
    assert result.error.reason is Reason.CHECKSUM_MISMATCH
    slower = files(COUNT_UP.replace(f"size={SIZE}", "size=5 pause=1ms"))
    assert up(request(database, slower)).unwrap() is None
    assert touched(database) == {1: ROWS}
    assert progress(database) == [([str(ROWS)], 7, ROWS)]
    # What is applied is the file as it was at the end.
    assert up(request(database, slower)).unwrap() is None
    assert verify(request(database, slower)).unwrap() == ()


def test_a_file_that_is_gone_is_refused(database: Database) -> None:
    stop_in_batch(database, 2)
    result = up(request(database, source(many())))
    assert result.error is not None
    assert version_row(database) == [(2, True)]


def test_a_row_that_fails_rolls_its_batch_back_and_the_next_run_goes_on(
    database: Database,
) -> None:
    up(request(database, files()), 1).unwrap()
    database.execute("ALTER TABLE many ADD CHECK (touched = 0 OR id <> 25)")
    result = up(request(database, files()))
    error = result.error
    assert error is not None
    assert (error.reason, error.sqlstate) == (Reason.STATEMENT_FAILED, "23514")
    assert "batch 3 of version 2 (count) up was rolled back, 20 rows" in (error.detail or "")
    assert "continues after them" in (error.hint or "")
    assert error.location is not None
    assert error.location.line == 2
    assert touched(database) == {0: ROWS - 20, 1: 20}
    assert log(database)[-2:] == [(2, "up", "running"), (2, "up", "failed")]
    again = up(request(database, files()))
    assert again.error is not None
    database.execute("ALTER TABLE many DROP CONSTRAINT many_check")
    assert up(request(database, files())).unwrap() is None
    assert touched(database) == {1: ROWS}


def test_a_mistake_in_the_statement_is_shown_where_it_stands(database: Database) -> None:
    text = COUNT_UP.replace("ORDER BY id", "ORDER BY id, ie").replace("/*", "/* é */")
    result = up(request(database, files(text)))
    assert result.error is not None
    assert result.error.sqlstate == "42703"
    assert result.error.location is not None
    assert (result.error.location.line, result.error.location.column) == (3, 55)
    assert (result.error.location.excerpt or "").splitlines()[1].index("^") == 54


def test_rows_that_are_not_behind_the_cursor_end_the_run_instead_of_going_round(
    database: Database,
) -> None:
    text = COUNT_UP.replace("RETURNING id", "RETURNING (id - 1) % 10 + 1")
    result = up(request(database, files(text)))
    assert result.error is not None
    assert "returned rows that do not follow its first cursor (10)" in result.error.message
    assert progress(database) == [(["10"], 1, 10)]
    assert touched(database) == {0: ROWS - SIZE, 1: SIZE}


def test_a_key_that_rows_share_ends_the_run_instead_of_leaving_rows_out(
    database: Database,
) -> None:
    shared = (
        COUNT_UP.replace("id > :cursor ORDER BY id", "id / 4 > :cursor ORDER BY id / 4")
        .replace("RETURNING id", "RETURNING id / 4")
        .replace("start=0", "start=-1")
    )
    result = up(request(database, files(shared)))
    assert result.error is not None
    assert "batch 1 has several rows with one cursor value" in result.error.message
    assert touched(database) == {0: ROWS}


def test_rows_in_one_place_are_no_matter_where_whole_places_are_taken(database: Database) -> None:
    groups = (
        "-- dbmigrate:batched size=10 start=-1\n"
        "UPDATE many SET touched = touched + 1 WHERE id / 4 IN (\n"
        "  SELECT DISTINCT id / 4 AS four FROM many WHERE id / 4 > :cursor ORDER BY four"
        " LIMIT :batch_size)\nRETURNING id / 4;\n"
    )
    assert up(request(database, files(groups))).unwrap() is None
    assert touched(database) == {1: ROWS}


def test_rows_without_a_place_end_the_run_instead_of_looking_like_none(database: Database) -> None:
    by_place = (
        "-- dbmigrate:batched size=10 order=desc\n"
        "UPDATE many SET touched = touched + 1 WHERE id IN (\n"
        "  SELECT id FROM many WHERE :cursor IS NULL OR place + 0 < :cursor::bigint\n"
        "  ORDER BY place + 0 DESC LIMIT :batch_size)\nRETURNING place + 0;\n"
    )
    up(request(database, source(many())), 1).unwrap()
    database.execute("ALTER TABLE many ADD place bigint; UPDATE many SET place = id WHERE id < 20")
    result = up(request(database, files(by_place)))
    assert result.error is not None
    assert "none of them NULL" in (result.error.hint or "")
    assert touched(database) == {0: ROWS}


@pytest.mark.parametrize(
    ("meddling", "told"),
    [
        ("UPDATE schema_migrations_batches SET batches = 7", "another session interfered"),
        ("UPDATE schema_migrations_batches SET cursor = '{40}'", "another session interfered"),
        ("DELETE FROM schema_migrations_batches", "another session interfered"),
        ("UPDATE schema_migrations SET version = 9", "another session moved the version from 2"),
        ("UPDATE schema_migrations SET dirty = false", "another session moved the version from 2"),
    ],
)
def test_a_batch_is_rolled_back_when_the_history_is_not_as_the_run_left_it(
    database: Database, meddling: str, told: str
) -> None:
    result = act_before_batch(database, 3, partial(database.execute, meddling))
    assert result.error is not None
    assert result.error.reason is Reason.LOCK_TIMEOUT
    assert told in result.error.message
    assert touched(database) == {0: ROWS - 2 * SIZE, 1: 2 * SIZE}


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("lost", ["(log_id, cursor", "dbmigrate_batch ", "outcome = 'applied'"])
def test_a_commit_whose_answer_was_lost_is_not_made_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch, lost: str, is_late: bool
) -> None:
    given = files()
    if is_late:
        up(request(database, source(many(), table(3)))).unwrap()
    original = Session.execute
    broken: list[int] = []

    def break_once(self: Session, sql: bytes, **rest: Any) -> int:
        done = original(self, sql, **rest)
        if lost.encode() in sql and not broken:
            broken.append(1)
            self.close()
            raise ConnectionBroken("cut by the test")
        return done

    monkeypatch.setattr(Session, "execute", break_once)
    options = Options(out_of_order=OutOfOrder.APPLY)
    assert up(request(database, given, options=options)).unwrap() is None
    assert broken
    assert touched(database) == {1: ROWS}
    assert version_row(database) == [(3, False)]
    assert [row for row in log(database) if row[0] == 2] == [(2, "up", "applied")]


def test_batches_end_only_when_two_in_a_row_find_nothing(database: Database) -> None:
    """The rows of a batch may be deleted by others while it waits for them."""
    up(request(database, files()), 1).unwrap()
    with database.connect() as other:
        other.execute("BEGIN")
        other.execute("DELETE FROM many WHERE id BETWEEN 11 AND 20")
        witness = Witness(on_blocked=lambda: other.execute("COMMIT"))
        options = Options(lock_timeout=60, statement_lock_timeout_ms=None)
        result = up(request(database, files(), options=options, observer=witness))
    assert result.unwrap() is None
    assert witness.blocks
    assert touched(database) == {1: ROWS - SIZE}


def test_a_log_without_the_table_of_batches_is_left_as_it_is(database: Database) -> None:
    up(request(database, source(many()))).unwrap()
    assert database.query("SELECT to_regclass('schema_migrations_batches')") == [(None,)]
    assert status(request(database, files())).error is None
    up(request(database, files())).unwrap()
    assert table_names(database) == {"many", "archive", "t3"}


def test_a_long_name_of_the_history_keeps_its_tables_apart(database: Database) -> None:
    url = f"{database.url}&x-migrations-table={'m' * 63}"
    assert up(request(url, files())).unwrap() is None
    assert touched(database) == {1: ROWS}


def test_an_empty_table_takes_no_batch_at_all(database: Database) -> None:
    assert up(request(database, files(rows=0))).unwrap() is None
    assert progress(database) == [(["0"], 0, 0)]
    assert version_row(database) == [(3, False)]


def test_the_down_script_is_kept_for_the_day_when_its_file_is_gone(database: Database) -> None:
    stop_in_batch(database, 2)
    up(request(database, files())).unwrap()
    older = source(many())
    assert goto(request(database, older), 1).unwrap() is None
    assert version_row(database) == [(1, False)]
    assert touched(database) == {}
    kept = "SELECT down_script FROM schema_migrations_log WHERE (version, direction) = (2, 'up')"
    assert database.query(kept) == [(MOVE_OUT,)]
