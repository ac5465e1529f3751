"""The same orders to goose's binary and to us: the same end, each time.

Random sequences of commands on random sets of files, some of which turn up late.
Three databases get them: one from us alone, one from goose alone, one from both
in turns. After each command success, the rows of goose_db_version and pg_dump's
schema are compared.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbmigrate.policies import OutOfOrder
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.redo import redo
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from tests.database import Database, Server
from tests.formats.arrange import fill, goose_file, goose_rows, request

pytestmark = pytest.mark.database

SEEDS = range(12)
COMMANDS = 10
PLAIN = Options()
LEFT = Options(out_of_order=OutOfOrder.IGNORE)
ALLOWED = Options(out_of_order=OutOfOrder.APPLY)


@dataclass(frozen=True, slots=True)
class Order:
    """One command in both tools' words."""

    words: tuple[str, ...]
    ours: Callable[[Request], Result[None]]
    options: Options = PLAIN


@dataclass(slots=True)
class Side:
    """A database and how far it is."""

    database: Database
    directory: Path
    goose: Path

    def theirs(self, order: Order) -> bool:
        """Run goose; whether it succeeded."""
        command = [self.goose, "-dir", self.directory, "-env", "none", "postgres"]
        run = subprocess.run(
            [*map(str, command), self.database.url, *order.words],
            capture_output=True,
            check=False,
            timeout=60,
        )
        return run.returncode == 0

    def ours(self, order: Order) -> bool:
        """Run the use case; whether it succeeded."""
        made = request(self.database, self.directory, options=order.options)
        return order.ours(made).error is None

    def rows(self) -> tuple[tuple[int, bool], ...]:
        """goose's rows; none and version 0 alone are the same to goose."""
        rows = goose_rows(self.database)
        return () if rows == [(0, True)] else tuple(rows)

    def schema(self) -> str:
        """pg_dump's schema, without our log and without a history that is empty."""
        program = str(self.database.server.bin_dir / "pg_dump")
        left_out = ["-T", "goose_db_version_log"]
        if not self.rows():
            left_out += ["-T", "goose_db_version"]
        command = [program, "--schema-only", *left_out, "-d", self.database.url]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = run.stdout.splitlines()
        return "\n".join(line for line in lines if line and not line.startswith(("--", "\\")))


NOTHING = Order((), lambda made: force(made, None))


def random_file(choose: random.Random, version: int) -> str:
    make, drop = f"CREATE TABLE t{version} (a int);", f"DROP TABLE t{version};"
    block = "-- +goose StatementBegin\n{}\n-- +goose StatementEnd"
    index = f"CREATE INDEX CONCURRENTLY i{version} ON base (a);"
    head = f"CREATE FUNCTION f{version}() RETURNS int LANGUAGE plpgsql AS $$"
    function = f"{head}\nBEGIN\nRETURN 1;\nEND;\n$$"
    kinds = {
        "good": goose_file(make, drop),
        "several": goose_file(f"{make}\nCREATE INDEX ON t{version} (a);", drop),
        "blocks": goose_file(
            block.format(make[:-1]) + "\n" + block.format(function),
            f"{drop}\nDROP FUNCTION f{version}();",
        ),
        "no down": goose_file(f"CREATE TABLE IF NOT EXISTS t{version} (a int);"),
        "empty": goose_file("-- nothing yet", ""),
        "fails": goose_file(f"{make}\nSELECT 1/0;", drop),
        "down fails": goose_file(make, f"{drop}\nSELECT 1/0;"),
        "syntax": goose_file("CREATE TABEL x ();"),
        "concurrently": "-- +goose NO TRANSACTION\n"
        + goose_file(index, f"DROP INDEX CONCURRENTLY i{version};"),
        "windows": goose_file(make, drop).replace("\n", "\r\n"),
    }
    weights = [5, 3, 3, 2, 1, 1, 1, 1, 3, 1]
    return choose.choices(list(kinds.values()), weights)[0]


def random_order(choose: random.Random, side: Side, versions: list[int]) -> Order:
    applied = [version for version, _ in side.rows() if version]
    is_plain = applied == sorted(applied)
    here = max(applied, default=0)
    ahead = [version for version in versions if version >= here] or [max(versions)]
    behind = [version for version in applied if version <= here] or ahead[-1:]
    to, back = choose.choice(ahead), choose.choice(behind)
    orders = [
        Order(("up",), up),
        Order(("up-by-one",), lambda made: up(made, 1)),
        Order(("up-to", str(to)), lambda made: goto(made, to)),
        Order(("-allow-missing", "up"), up, ALLOWED),
        Order(("-allow-missing", "up-by-one"), lambda made: up(made, 1), ALLOWED),
        Order(("down",), lambda made: down(made, 1)),
        Order(("down-to", "0"), down),
        Order(("redo",), redo),
    ]
    weights = [4, 4, 3, 3, 2, 5, 1, 4]
    if is_plain and back in applied:
        # Out of order, goose stops at the first version at or below the one that is named.
        orders.append(Order(("down-to", str(back)), lambda made: goto(made, back), LEFT))
        weights.append(4)
    return choose.choices(orders, weights)[0]


@pytest.fixture
def sides(server: Server, goose_oracle: Path, tmp_path: Path) -> Iterator[tuple[Side, Side, Side]]:
    made = [server.create_database() for _ in range(3)]
    for database in made:
        database.execute("CREATE TABLE base (a int)")
    ours, theirs, both = (Side(each, tmp_path / "files", goose_oracle) for each in made)
    yield ours, theirs, both
    for database in made:
        database.drop()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_orders_lead_to_the_same_end(sides: tuple[Side, Side, Side], seed: int) -> None:
    choose = random.Random(seed)
    ours, theirs, both = sides
    versions = sorted(choose.sample(range(1, 20), choose.randint(4, 8)))
    files = {f"{v:05}_m{v}.sql": random_file(choose, v) for v in versions}
    late = set(choose.sample(versions[:-1], choose.randint(0, 2)))
    fill(ours.directory, {n: t for n, t in files.items() if int(n[:5]) not in late})
    story = [f"seed {seed}: {files}, late {late}"]
    for number in range(COMMANDS):
        if number == COMMANDS // 3:
            fill(ours.directory, files)
        there = sorted(int(path.name[:5]) for path in ours.directory.iterdir())
        order = random_order(choose, ours, there)
        is_our_turn = choose.random() < 0.5
        story.append(f"{' '.join(order.words)} ({'our' if is_our_turn else 'their'} turn)")
        told = "\n".join(story)
        if is_our_turn and not both.rows():
            # An empty table behind a log that is not looks like an accident: a person confirms it.
            assert both.ours(NOTHING), told
        we, they = ours.ours(order), theirs.theirs(order)
        in_turn = both.ours(order) if is_our_turn else both.theirs(order)
        assert we == they == in_turn, f"{told}: ours {we}, theirs {they}, in turns {in_turn}"
        rows = {ours.rows(), theirs.rows(), both.rows()}
        assert len(rows) == 1, f"{told}: {rows}"
        schemas = {ours.schema(), theirs.schema(), both.schema()}
        assert len(schemas) == 1, f"{told}:\n" + "\n=====\n".join(schemas)
