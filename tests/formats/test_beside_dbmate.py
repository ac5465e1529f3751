"""The same orders to dbmate's binary and to us: the same end, each time.

As with goose (test_beside_goose.py), but that dbmate has two commands which move a
database, and applies what turns up late without being asked.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dbmigrate.policies import OutOfOrder
from dbmigrate.postgres.connection.target import HistoryKind, HistoryTable
from dbmigrate.report import Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.database import Database as Opened
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from tests.database import Database, Server
from tests.formats.arrange import dbmate_file, dbmate_rows, fill, request

pytestmark = pytest.mark.database

SEEDS = range(10)
COMMANDS = 10
APPLY = Options(out_of_order=OutOfOrder.APPLY)


@dataclass(frozen=True, slots=True)
class Order:
    """One command in both tools' words."""

    word: str
    ours: Callable[[Request], Result[None]]


def up_strictly(made: Request) -> Result[None]:
    return up(replace(made, options=Options()))


ORDERS = [
    Order("migrate", up),
    Order("rollback", lambda made: down(made, 1)),
    Order("migrate --strict", up_strictly),
]
ELSEWHERE = HistoryTable("kept", "versions", HistoryKind.DBMATE)


@dataclass(slots=True)
class Side:
    """A database and how far it is."""

    database: Database
    directory: Path
    dbmate: Path
    is_elsewhere: bool = False
    """Whether the history has a schema of its own."""

    def theirs(self, order: Order) -> bool:
        """Run dbmate; whether it succeeded."""
        command = [self.dbmate, "--no-dump-schema", "-d", self.directory, "--url"]
        table = ["--migrations-table", "kept.versions"] if self.is_elsewhere else []
        run = subprocess.run(
            [*map(str, command), self.database.url, *table, *order.word.split()],
            capture_output=True,
            check=False,
            timeout=60,
        )
        return run.returncode == 0

    def ours(self, order: Order) -> bool:
        """Run the use case; whether it succeeded."""
        made = request(self.database, self.directory, options=APPLY)
        if self.is_elsewhere:
            made = replace(made, target=replace(made.target, history=ELSEWHERE))
        return order.ours(made).error is None

    def rows(self) -> tuple[str, ...]:
        """dbmate's rows."""
        if not self.is_elsewhere:
            return tuple(dbmate_rows(self.database))
        if self.database.query("SELECT to_regclass('kept.versions')") == [(None,)]:
            return ()
        return tuple(v for (v,) in self.database.query("SELECT version FROM kept.versions"))

    def schema(self) -> str:
        """pg_dump's schema, without our log and without a history that is empty."""
        program = str(self.database.server.bin_dir / "pg_dump")
        left_out = ["-T", "schema_migrations_log", "-N", "kept"]
        if not self.rows():
            left_out += ["-T", "schema_migrations"]
        command = [program, "--schema-only", *left_out, "-d", self.database.url]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = run.stdout.splitlines()
        return "\n".join(line for line in lines if line and not line.startswith(("--", "\\")))


NOTHING = Order("", lambda made: force(made, None))


def random_file(choose: random.Random, version: int) -> str:
    make, drop = f"CREATE TABLE t{version} (a int);", f"DROP TABLE t{version};"
    index = f"CREATE INDEX CONCURRENTLY i{version} ON base (a);"
    kinds = [
        dbmate_file(make, drop),
        dbmate_file(f"{make}\nCREATE INDEX ON t{version} (a);\n-- done", drop),
        dbmate_file(f"{make[:-1]}", f"{drop[:-1]}"),
        dbmate_file("", ""),
        dbmate_file(f"{make}\nSELECT 1/0;", drop),
        dbmate_file(make, f"{drop}\nSELECT 1/0;"),
        dbmate_file(index, f"DROP INDEX CONCURRENTLY i{version};", " transaction:false"),
        dbmate_file(make, drop).replace("\n", "\r\n"),
    ]
    return choose.choices(kinds, [5, 3, 2, 1, 1, 1, 3, 1])[0]


@pytest.fixture
def sides(server: Server, dbmate_oracle: Path, tmp_path: Path) -> Iterator[tuple[Side, Side, Side]]:
    made = [server.create_database() for _ in range(3)]
    for database in made:
        database.execute("CREATE TABLE base (a int)")
    ours, theirs, both = (Side(each, tmp_path / "files", dbmate_oracle) for each in made)
    yield ours, theirs, both
    for database in made:
        database.drop()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_orders_lead_to_the_same_end(sides: tuple[Side, Side, Side], seed: int) -> None:
    choose = random.Random(seed)
    ours, theirs, both = sides
    for side in sides:
        side.is_elsewhere = seed % 3 == 0
    versions = sorted(choose.sample(range(1, 20), choose.randint(4, 8)))
    files = {f"{v:03}_m{v}.sql": random_file(choose, v) for v in versions}
    late = set(choose.sample(versions[:-1], choose.randint(0, 2)))
    fill(ours.directory, {n: t for n, t in files.items() if int(n[:3]) not in late})
    story = [f"seed {seed}: {files}, late {late}"]
    for number in range(COMMANDS):
        if number == COMMANDS // 3:
            fill(ours.directory, files)
        (order,) = choose.choices(ORDERS, [3, 4, 1])
        is_our_turn = choose.random() < 0.5
        story.append(f"{order.word} ({'our' if is_our_turn else 'their'} turn)")
        told = "\n".join(story)
        if is_our_turn and not both.rows():
            # An empty table behind a log that is not looks like an accident: a person confirms it.
            assert both.ours(NOTHING), told
        we, they = ours.ours(order), theirs.theirs(order)
        in_turn = both.ours(order) if is_our_turn else both.theirs(order)
        assert we == they == in_turn, f"{told}: ours {we}, theirs {they}, in turns {in_turn}"
        rows = {tuple(sorted(side.rows())) for side in (ours, theirs, both)}
        assert len(rows) == 1, f"{told}: {rows}"
        schemas = {ours.schema(), theirs.schema(), both.schema()}
        assert len(schemas) == 1, f"{told}:\n" + "\n=====\n".join(schemas)


def test_the_lock_that_dbmate_can_take_excludes_us_and_ours_dbmate(
    database: Database, dbmate_oracle: Path, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", {"1_a.sql": dbmate_file("SELECT pg_advisory_lock(1);", "")})
    command = [dbmate_oracle, "--no-dump-schema", "--migration-lock", "-d", directory, "--url"]
    words = [*map(str, command), database.url, "migrate"]
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with database.connect() as gate:
        gate.execute("SELECT pg_advisory_lock(1)")
        theirs = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        while gate.execute(waiting).fetchall() != [(1,)]:
            assert theirs.poll() is None
        refused = up(request(database, directory, options=Options(lock_timeout=0)))
        assert refused.error is not None
        assert refused.error.reason is Reason.LOCK_TIMEOUT
        gate.execute("SELECT pg_advisory_unlock(1)")
        theirs.communicate()
        assert theirs.returncode == 0
    held = Opened(request(database, directory), is_locked=True, with_log=True)
    try:
        words.insert(1, "--migration-lock-timeout=1s")
        late = subprocess.run(words, capture_output=True, text=True, check=False)
    finally:
        held.close()
    assert late.returncode != 0
    assert "timed out after 1s waiting for migration lock" in late.stderr
