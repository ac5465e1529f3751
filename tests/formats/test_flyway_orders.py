"""The same orders to Flyway and to us: the same end, each time.

As with goose (test_beside_goose.py): one database from us alone, one from Flyway alone, one
from both in turns. Flyway's free edition has no undo, so steps down are in the second test:
after each of them Flyway has to see what we see.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.policies import OutOfOrder
from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from dbmigrate.versions import Version, dotted
from tests.database import Database, Server
from tests.formats.arrange import fill, request, states
from tests.formats.flyway_oracle import COLUMNS, Flyway, flyway_rows

pytestmark = pytest.mark.database

SEEDS = range(4)
COMMANDS = 7
PLAIN = Options()


@dataclass(frozen=True, slots=True)
class Order:
    """One command in both tools' words."""

    command: str
    ours: Callable[[Request], Result[Any]]
    settings: dict[str, str] = field(default_factory=dict)
    options: Options = PLAIN


@dataclass(slots=True)
class Side:
    """A database and its files."""

    database: Database
    directory: Path
    flyway: Flyway
    problem: object = None
    """The last one."""

    def theirs(self, order: Order) -> bool:
        """Run Flyway; whether it succeeded."""
        said = self.flyway.try_to(order.command, self.database, self.directory, **order.settings)
        self.problem = said
        return not said

    def ours(self, order: Order) -> bool:
        """Run the use case; whether it succeeded."""
        made = request(
            self.database, self.directory, kind=HistoryKind.FLYWAY, options=order.options
        )
        self.problem = order.ours(made).error
        return self.problem is None

    def rows(self) -> tuple[tuple[object, ...], ...]:
        """The whole table, but for times."""
        return tuple(flyway_rows(self.database, COLUMNS))

    def schema(self) -> str:
        """What pg_dump makes, without comments and without our log."""
        program = str(self.database.server.bin_dir / "pg_dump")
        command = [program, "--schema-only", "-T", "*_log", "-d", self.database.url]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = run.stdout.splitlines()
        return "\n".join(line for line in lines if line and not line.startswith(("--", "\\")))


@pytest.fixture
def sides(server: Server, flyway: Flyway, tmp_path: Path) -> Iterator[tuple[Side, Side, Side]]:
    made = [server.create_database() for _ in range(3)]
    ours, theirs, both = (Side(each, tmp_path / "files", flyway) for each in made)
    yield ours, theirs, both
    for database in made:
        database.drop()


def random_version(choose: random.Random) -> str:
    parts = choose.choice([1, 2, 2, 3])
    return choose.choice("._").join(str(choose.randint(0 if n else 1, 11)) for n in range(parts))


def random_files(choose: random.Random) -> dict[str, str]:
    """Versions and repeatables of all kinds, no version twice."""
    versions: dict[Version, str] = {}
    while len(versions) < 7:
        text = random_version(choose)
        versions.setdefault(dotted(text), text)
    files = {"V0.1__base.sql": "CREATE TABLE base (a int);"}
    for number, text in enumerate(versions.values()):
        make = f"CREATE TABLE t{number} (a int);"
        kinds = [
            make,
            f"{make}\r\nCREATE INDEX ON t{number} (a);\r\n",
            f"\ufeff{make}",
            f"{make}\nSELECT 1/0;",
            f"CREATE INDEX CONCURRENTLY i{number} ON base (a);",
            f"CREATE FUNCTION f{number}() RETURNS int LANGUAGE plpgsql AS $$\n"
            "BEGIN\n  RETURN 1;\nEND;\n$$;",
            "-- \u00e4 nothing yet",
        ]
        (sql,) = choose.choices(kinds, [4, 2, 1, 1, 2, 2, 1])
        files[f"V{text}__m_{number}.sql"] = sql
    for name in choose.sample(["views", "a_b", "Zed"], 2):
        files[f"R__{name}.sql"] = f"CREATE OR REPLACE VIEW {name} AS SELECT 1 AS x;"
    return files


def random_order(choose: random.Random, ahead: list[Version]) -> Order:
    allowed = Options(out_of_order=OutOfOrder.APPLY)
    orders = [
        Order("migrate", up),
        Order("migrate", up, {"flyway__outOfOrder": "true"}, allowed),
        Order("repair", repair),
    ]
    if ahead:
        target = choose.choice(ahead)
        settings = {"flyway__target": str(target)}
        orders.append(Order("migrate", partial(goto, version=target), settings))
    return choose.choices(orders, [4, 3, 2, 5][: len(orders)])[0]


def change_a_file(choose: random.Random, directory: Path) -> str:
    path = choose.choice(sorted(directory.iterdir()))
    text = path.read_bytes().decode()
    with_more = f"{text}\n-- {choose.random()}" if "1/0" not in text else text.replace("1/0", "1")
    path.write_bytes(with_more.encode())
    return path.name


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_orders_lead_to_the_same_end(sides: tuple[Side, Side, Side], seed: int) -> None:
    choose = random.Random(seed)
    ours, theirs, both = sides
    files = random_files(choose)
    late = set(choose.sample(sorted(n for n in files if n[0] == "V" and n[1] != "0"), 2))
    fill(ours.directory, {name: text for name, text in files.items() if name not in late})
    story = [f"seed {seed}: {files}, late {late}"]
    for number in range(COMMANDS):
        if number == COMMANDS // 3:
            fill(ours.directory, {name: files[name] for name in late})
        elif choose.random() < 0.3:
            story.append(f"edited {change_a_file(choose, ours.directory)}")
        here = max((dotted(str(row[1])) for row in ours.rows() if row[1]), default=dotted("0"))
        there = [dotted(p.name[1:].partition("__")[0]) for p in ours.directory.glob("V*")]
        order = random_order(choose, sorted(v for v in there if v >= here))
        is_our_turn = choose.random() < 0.5
        story.append(f"{order.command} {order.settings} ({'our' if is_our_turn else 'their'} turn)")
        told = "\n".join(story)
        we, they = ours.ours(order), theirs.theirs(order)
        in_turn = both.ours(order) if is_our_turn else both.theirs(order)
        assert we == they == in_turn, (
            f"{told}: ours {ours.problem}, theirs {theirs.problem}, in turns {both.problem}"
        )
        assert ours.rows() == theirs.rows() == both.rows(), told
        assert ours.schema() == theirs.schema() == both.schema(), told


@pytest.mark.parametrize("seed", range(2))
def test_flyway_sees_what_we_see_after_steps_down(
    database: Database, flyway: Flyway, tmp_path: Path, seed: int
) -> None:
    choose = random.Random(seed)
    versions = ["1", "1.2", "1.10", "2"]
    files = {f"V{v}__t.sql": f'CREATE TABLE "t{v}" ();' for v in versions}
    undo = {f"U{v}__t.sql": f'DROP TABLE "t{v}";' for v in versions}
    side = Side(database, fill(tmp_path / "m", {**files, **undo}), flyway)
    plain = Order("migrate", up)
    for _ in range(COMMANDS):
        if choose.random() < 0.3:
            side.theirs(plain)
        elif choose.random() < 0.5:
            side.ours(replace(plain, ours=lambda made: down(made, 1)))
        else:
            side.ours(replace(plain, ours=partial(goto, version=dotted(choose.choice(versions)))))
        seen = flyway.do("info", database, side.directory)
        words = {"PENDING": "pending", "SUCCESS": "applied"}
        states_of = {line.split("\t")[0]: line.split("\t")[2] for line in seen}
        ours = {str(each): state for each, state in states(database, side.directory)}
        assert {v: words[state] for v, state in states_of.items()} == ours
        ignored = {"flyway__ignoreMigrationPatterns": "*:pending"}
        flyway.do("validate", database, side.directory, **ignored)
