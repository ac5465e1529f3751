"""A corpus of schemas, each in three versions: from any to any other, and pg_dump can't tell.

`diff` proves its own work with our catalog. Here others judge: pg_dump of the migrated
database and of one that was made from the desired schema, and two tools that compare.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.database import Database, Server
from tests.diff_command.arrange import begin, make_roles, migrate, migrate_down, run_diff
from tests.diff_command.dumps import dump
from tests.diff_command.peers import TOOLS, Peers

pytestmark = pytest.mark.database

CORPUS = Path(__file__).with_name("corpus")
FAMILIES = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())
IS_LONG = "DBMIGRATE_DIFF_EXAMPLES" in os.environ
WAYS = ((0, 2), (1, 2), (2, 3), (3, 1), *(((0, 1), (2, 1), (3, 2)) if IS_LONG else ()))
"""From which version to which; 0 is an empty database. Each way is also gone back."""


SEES_MORE = {("migra", "billing"), ("migra", "library"), ("migra", "social")}
"""Where a tool tells databases apart that pg_dump does not: migra goes by the order of a domain's
checks, and by that of a table's columns below a view, which no statement can change."""


@pytest.fixture(scope="module", autouse=True)
def roles(server: Server) -> None:
    make_roles(server)


@contextmanager
def made(server: Server, sql: str) -> Iterator[Database]:
    database = server.create_database()
    database.execute(sql)
    yield database
    database.drop()


def read(family: str, number: int) -> str:
    return (CORPUS / family / f"{number}.sql").read_text() if number else ""


@pytest.mark.parametrize(("start", "goal"), WAYS)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_version_leads_to_each_other_and_back(
    server: Server, tmp_path: Path, family: str, start: int, goal: int
) -> None:
    migrations = begin(tmp_path / "migrations", read(family, start))
    online = (start, goal) != (3, 1)
    found = run_diff(server, migrations, CORPUS / family / f"{goal}.sql", online=online)
    ends = made(server, read(family, start)), made(server, read(family, goal))
    with ends[0] as before, ends[1] as wanted, made(server, "") as database:
        migrate(database, migrations)
        assert dump(database) == dump(wanted)
        again = run_diff(server, migrations, CORPUS / family / f"{goal}.sql")
        assert again.changes == ()
        migrate_down(database, migrations, len(found.steps))
        assert dump(database) == dump(before)


@pytest.mark.parametrize(("start", "goal"), [(1, 2), (3, 1)] if IS_LONG else [(1, 2)])
@pytest.mark.parametrize("family", FAMILIES)
def test_other_tools_find_no_difference_to_what_was_wanted(
    server: Server, tmp_path: Path, peers: Peers, family: str, start: int, goal: int
) -> None:
    migrations = begin(tmp_path / "migrations", read(family, start))
    run_diff(server, migrations, CORPUS / family / f"{goal}.sql")
    with made(server, read(family, goal)) as wanted, made(server, "") as database:
        migrate(database, migrations)
        database.execute("DROP TABLE schema_migrations, schema_migrations_log")
        for tool in TOOLS:
            if (tool, family) not in SEES_MORE:
                assert peers.ask(tool, database.url, wanted.url).differences == ()
