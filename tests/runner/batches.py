"""Migrations in batches whose every row tells how often it was touched."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.stop import Stop
from dbmigrate.sources.migration import Migration, Source
from tests.database import Database
from tests.database.proxy import Message, Proxy, Side
from tests.runner.arrange import migration, request, source, table

ROWS = 45
SIZE = 10
BATCHES = 5

COUNT_UP = (
    f"-- dbmigrate:batched size={SIZE} duration=1h start=0\n"
    "UPDATE many SET touched = touched + 1 WHERE id IN (\n"
    "  SELECT id FROM many WHERE id > :cursor ORDER BY id LIMIT :batch_size)\n"
    "RETURNING id;\n"
)
"""No condition says whether a row was done: only the cursor does."""

MOVE_OUT = (
    f"-- dbmigrate:batched size={SIZE} duration=1h\n"
    "WITH gone AS (DELETE FROM many WHERE id IN (SELECT id FROM many LIMIT :batch_size)\n"
    "  RETURNING id, touched)\n"
    "INSERT INTO archive SELECT id, touched FROM gone;\n"
)


def many(version: int = 1, rows: int = ROWS) -> Migration:
    """A table with rows that nobody has touched, and an empty one beside it."""
    return migration(
        version,
        "CREATE TABLE many (id bigint PRIMARY KEY, touched int NOT NULL DEFAULT 0);\n"
        "CREATE TABLE archive (id bigint, touched int);\n"
        f"INSERT INTO many (id) SELECT g FROM generate_series(1, {rows}) g;",
        "DROP TABLE archive; DROP TABLE many;",
    )


def files(up: str = COUNT_UP, down: str = MOVE_OUT, *, rows: int = ROWS) -> Source:
    """The table, a step in batches, and another step behind it."""
    return source(many(rows=rows), migration(2, up, down, name="count"), table(3))


def touched(database: Database) -> dict[int, int]:
    """How many rows were touched how often."""
    return dict(database.query("SELECT touched, count(*) FROM many GROUP BY 1"))


def progress(database: Database) -> list[tuple[object, ...]]:
    """What the history says of steps in batches."""
    return database.query(
        "SELECT cursor, batches, rows FROM schema_migrations_batches ORDER BY log_id"
    )


def stop_in_batch(
    database: Database,
    number: int,
    given: Source | None = None,
    *,
    use: Callable[[Request], Result[None]] = up,
) -> Result[None]:
    """A run that is asked to stop while its batch of that number is on its way."""
    stop = Stop()
    return act_before_batch(database, number, stop.request, given, use=use, stop=stop)


def act_before_batch(
    database: Database,
    number: int,
    act: Callable[[], object],
    given: Source | None = None,
    *,
    use: Callable[[Request], Result[None]] = up,
    stop: Stop | None = None,
) -> Result[None]:
    """A run, and something that happens when its batch of that number is on its way."""
    sent = 0

    def hook(message: Message) -> None:
        nonlocal sent
        if message.side is Side.CLIENT and b"dbmigrate_batch " in message.data:
            sent += 1
            if sent == number:
                act()

    with closing(Proxy(database.server.host, database.server.port, hook=hook)) as proxy:
        return use(request(proxy.divert(database.url), given or files(), stop=stop))
