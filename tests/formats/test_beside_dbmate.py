"""The same orders to dbmate's binary and to us: the same end, each time.

As with goose (test_beside_goose.py), but that dbmate has two commands which move a
database, and applies what turns up late without being asked.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbmigrate.runner.down import down
from dbmigrate.runner.request import Options, OutOfOrder, Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.up import up
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


ORDERS = [Order("migrate", up), Order("rollback", lambda made: down(made, 1))]


@dataclass(slots=True)
class Side:
    """A database and how far it is."""

    database: Database
    directory: Path
    dbmate: Path

    def theirs(self, order: Order) -> bool:
        """Run dbmate; whether it succeeded."""
        command = [self.dbmate, "--no-dump-schema", "-d", self.directory, "--url"]
        run = subprocess.run(
            [*map(str, command), self.database.url, order.word],
            capture_output=True,
            check=False,
            timeout=60,
        )
        return run.returncode == 0

    def ours(self, order: Order) -> bool:
        """Run the use case; whether it succeeded."""
        return order.ours(request(self.database, self.directory, options=APPLY)).error is None

    def rows(self) -> tuple[str, ...]:
        """dbmate's rows."""
        return tuple(dbmate_rows(self.database))

    def schema(self) -> str:
        """pg_dump's schema, without our log and without a history that is empty."""
        program = str(self.database.server.bin_dir / "pg_dump")
        left_out = ["-T", "schema_migrations_log"]
        if not self.rows():
            left_out += ["-T", "schema_migrations"]
        command = [program, "--schema-only", *left_out, "-d", self.database.url]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = run.stdout.splitlines()
        return "\n".join(line for line in lines if line and not line.startswith(("--", "\\")))


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
    versions = sorted(choose.sample(range(1, 20), choose.randint(4, 8)))
    files = {f"{v:03}_m{v}.sql": random_file(choose, v) for v in versions}
    late = set(choose.sample(versions[:-1], choose.randint(0, 2)))
    fill(ours.directory, {n: t for n, t in files.items() if int(n[:3]) not in late})
    story = [f"seed {seed}: {files}, late {late}"]
    for number in range(COMMANDS):
        if number == COMMANDS // 3:
            fill(ours.directory, files)
        (order,) = choose.choices(ORDERS, [3, 4])
        is_our_turn = choose.random() < 0.5
        story.append(f"{order.word} ({'our' if is_our_turn else 'their'} turn)")
        told = "\n".join(story)
        we, they = ours.ours(order), theirs.theirs(order)
        in_turn = both.ours(order) if is_our_turn else both.theirs(order)
        assert we == they == in_turn, f"{told}: ours {we}, theirs {they}, in turns {in_turn}"
        rows = {ours.rows(), theirs.rows(), both.rows()}
        assert len(rows) == 1, f"{told}: {rows}"
        schemas = {ours.schema(), theirs.schema(), both.schema()}
        assert len(schemas) == 1, f"{told}:\n" + "\n=====\n".join(schemas)
