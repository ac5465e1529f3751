"""A log whose beginning is gone: what it had of the versions below is not taken for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dbmigrate.postgres.history.log.notes import Owner
from dbmigrate.report import Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.prune import prune
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from dbmigrate.sources.migration import Source
from tests.database import Database
from tests.runner.arrange import log, request, source, table_names, tables, version_row

pytestmark = pytest.mark.database

LOSSES = {
    "truncated": "TRUNCATE schema_migrations_log",
    "deleted": "DELETE FROM schema_migrations_log",
    "its beginning deleted": "DELETE FROM schema_migrations_log WHERE id < 3",
    "truncated and numbered anew": "TRUNCATE schema_migrations_log RESTART IDENTITY",
}
WAYS: dict[str, Callable[[Request], Result[Any]]] = {
    "goto 1": lambda wanted: goto(wanted, 1),
    "plan 1": lambda wanted: preview(wanted, 1),
    "down": down,
    "down 3": lambda wanted: down(wanted, 3),
    "down -to 1": lambda wanted: down(wanted, None, 1),
}


def without_down(files: Source, version: int) -> Source:
    return source(*(replace(m, down=None) if m.version == version else m for m in files.migrations))


def without(files: Source, version: int) -> Source:
    return source(*(m for m in files.migrations if m.version != version))


CASES = [
    (loss, way, version)
    for loss in LOSSES
    for way in WAYS
    for version in (2, 3)
    # "down 3" does not come to 2, and a beginning that was deleted is that of 1 and 2.
    if not (version == 2 and way == "down 3") and not (version == 3 and "beginning" in loss)
]


@pytest.mark.parametrize(("loss", "way", "version"), CASES)
@pytest.mark.parametrize("gone", [without_down, without])
def test_a_version_without_its_script_stops_the_way_down_for_good(
    database: Database,
    loss: str,
    way: str,
    gone: Callable[[Source, int], Source],
    version: int,
) -> None:
    """The log goes on after the loss: the next rows don't make the lost ones unneeded."""
    up(request(database, tables(1, 2, 3))).unwrap()
    database.execute(LOSSES[loss])
    up(request(database, tables(1, 2, 3, 4))).unwrap()
    up(request(database, tables(1, 2, 3, 4, 5))).unwrap()
    prune(request(database, tables(1, 2, 3, 4, 5)), 0).unwrap()
    left = gone(tables(1, 2, 3, 4, 5), version)
    error = WAYS[way](request(database, left)).error
    assert error is not None
    assert error.reason is Reason.IRREVERSIBLE_MIGRATION, error
    assert f"version {version}" in error.message
    assert version_row(database) == [(5, False)]
    assert table_names(database) == {"t1", "t2", "t3", "t4", "t5"}
    assert goto(request(database, tables(1, 2, 3, 4, 5)), 1).error is None
    assert table_names(database) == {"t1"}


def test_a_step_that_has_no_down_script_and_whose_row_is_there_goes_as_with_golang_migrate(
    database: Database,
) -> None:
    up(request(database, tables(1, 2))).unwrap()
    database.execute(LOSSES["truncated"])
    files = without_down(tables(1, 2, 3), 3)
    up(request(database, files)).unwrap()
    assert down(request(database, files), 1).error is None
    assert down(request(database, without_down(files, 2)), 1).error is not None
    force(request(database), 1).unwrap()
    assert down(request(database, files), 1).error is None


@pytest.mark.parametrize("loss", ["truncated", "truncated and numbered anew"])
def test_a_run_with_nothing_to_do_that_notes_its_owner_does_not_hide_the_loss(
    database: Database, loss: str
) -> None:
    files = tables(1, 2, 3)
    up(request(database, files)).unwrap()
    database.execute(LOSSES[loss])
    mine = Options(who="tester", owner=Owner("here/shop/users", "1"))
    goto(request(database, files, options=mine)).unwrap()
    assert [row for (row,) in log(database, "direction")] == ["lost", "owner"]
    error = goto(request(database, without(files, 2)), 1).error
    assert error is not None
    assert error.reason is Reason.IRREVERSIBLE_MIGRATION


def test_a_run_without_the_files_notes_less_than_the_next_one_with_them(
    database: Database,
) -> None:
    up(request(database, tables(1, 2, 3))).unwrap()
    database.execute(LOSSES["truncated"])
    force(request(database), 3).unwrap()
    prune(request(database), 0).unwrap()
    up(request(database, tables(1, 2, 3, 4))).unwrap()
    notes = [row for row in log(database, "direction, checksum") if row[0] == "lost"]
    assert notes[-1] == ("lost", "1 2 3")
    up(request(database, tables(1, 2, 3, 4, 5))).unwrap()
    assert len([row for row in log(database, "direction") if row[0] == "lost"]) == len(notes)
    error = goto(request(database, without(tables(1, 2, 3, 4, 5), 2)), 1).error
    assert error is not None
    assert error.reason is Reason.IRREVERSIBLE_MIGRATION


@pytest.mark.parametrize(
    "before",
    [
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
        "INSERT INTO schema_migrations VALUES (3, false);"
        "CREATE TABLE t1 (); CREATE TABLE t2 (); CREATE TABLE t3 ()",
        None,
    ],
)
def test_nothing_is_missing(database: Database, before: str | None) -> None:
    """golang-migrate's own history, and a first step that failed before it went well."""
    files = without_down(tables(1, 2, 3, 4), 2)
    if before is not None:
        database.execute(before)
    else:
        database.execute("CREATE TABLE t1 ()")
        assert up(request(database, files)).error is not None
        database.execute("DROP TABLE t1")
    up(request(database, files)).unwrap()
    assert verify(request(database, files)).unwrap() == ()
    assert down(request(database, files), 3).error is None
    assert version_row(database) == [(1, False)]
    assert not any(row[0] == "lost" for row in log(database, "direction"))
    prune(request(database, files), 0).unwrap()
    database.execute("DROP TABLE t2")
    up(request(database, files)).unwrap()
    assert down(request(database, files), 3).error is None
