"""One set of migrations of every kind, and what must hold wherever a run of it was broken."""

from __future__ import annotations

from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.result import VersionState
from tests.database import Database
from tests.runner.arrange import log, migration, request, source, table, table_names, version_row

FILES = source(
    table(1),
    table(2),
    migration(
        3,
        "CREATE INDEX CONCURRENTLY i ON t1 (id);\nCREATE TABLE t3 ();\n"
        "BEGIN; INSERT INTO t2 VALUES (3); COMMIT;\nVACUUM t1;",
        "DROP TABLE t3; DELETE FROM t2; DROP INDEX i",
    ),
    table(4),
)
"""The third can't be one transaction."""


def check_truth(database: Database, what: str) -> VersionState:
    """The schema is what the version row says; the state. Dirty only in the third step."""
    state = version(request(database)).unwrap()
    assert state is not None
    reached = state.version or 0
    assert isinstance(reached, int)
    done = reached - 1 if state.dirty else reached
    found = table_names(database)
    if state.dirty:
        assert reached == 3, what
        found.discard("t3")
    assert found == {f"t{number}" for number in (1, 2, 3, 4) if number <= done}, what
    return state


def check_next_run(database: Database, state: VersionState, what: str) -> None:
    """The next run goes on by itself, after a repair if a statement has failed; all runs once."""
    if state.dirty and log(database)[-1][2] == "failed":
        mended = repair(request(database, FILES))
        assert mended.error is None, f"{what}; then {mended.error}"
    again = up(request(database, FILES))
    assert again.error is None, f"{what}; then {again.error}"
    assert version_row(database) == [(4, False)], what
    assert table_names(database) == {"t1", "t2", "t3", "t4"}, what
    assert database.query("SELECT count(*) FROM t2") == [(1,)], what
    applied = [row[0] for row in log(database) if row[1:] == ("up", "applied")]
    assert applied == [1, 2, 3, 4], what
