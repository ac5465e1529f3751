"""The same orders to golang-migrate's binary and to us: the same end, each time.

Random sequences of commands on random sets of migrations. Three databases get
them: one from us alone, one from golang-migrate alone, one from both in turns.
After each command success, version row and pg_dump's schema are compared.

One difference is let pass: a failed file leaves golang-migrate dirty, and us as we
were (dirty only if the file can't be one transaction). Both are forced to where
they really are then, and have to agree again.
"""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options
from dbmigrate.runner.result import Result
from dbmigrate.sources.migration import Migration, Source
from dbmigrate.versions import Version
from tests.database import Database, Server
from tests.runner.arrange import migration, request, source, version_row

pytestmark = pytest.mark.database

SEEDS = range(10)
COMMANDS = 8
RUNS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Order:
    """One command in both tools' words."""

    arguments: tuple[str, ...]
    ours: Callable[[Database, Source], Result[None]]


@dataclass(slots=True)
class Side:
    """A database and how far it is."""

    database: Database
    files: Source
    directory: Path
    oracle: Path

    def theirs(self, order: Order) -> bool:
        """Run golang-migrate; whether it succeeded."""
        command = [self.oracle, "-path", self.directory, "-database", self.database.url]
        run = subprocess.run(
            [*map(str, command), *order.arguments], capture_output=True, check=False, timeout=60
        )
        return run.returncode == 0

    def ours(self, order: Order) -> bool:
        """Run the use case; whether it succeeded."""
        return order.ours(self.database, self.files).error is None

    def row(self) -> tuple[int, bool] | None:
        """The version row."""
        exists = "SELECT to_regclass('public.schema_migrations') IS NOT NULL"
        if self.database.query(exists) == [(False,)]:
            return None
        rows = version_row(self.database)
        return rows[0] if rows else None

    def schema(self) -> str:
        """pg_dump's schema, without the history."""
        program = str(self.database.server.bin_dir / "pg_dump")
        command = [program, "--schema-only", "-T", "schema_migrations*", "-d", self.database.url]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = run.stdout.splitlines()
        return "\n".join(line for line in lines if line and not line.startswith(("--", "\\")))


def random_files(choose: random.Random) -> Source:
    """Between three and seven migrations of all kinds."""
    versions = sorted(choose.sample(range(1, 20), choose.randint(3, 7)))
    return source(*(random_migration(choose, version) for version in versions))


def random_migration(choose: random.Random, version: int) -> Migration:
    make, drop = f"CREATE TABLE t{version} (a int);", f"DROP TABLE t{version};"
    index = f"CREATE INDEX CONCURRENTLY i{version} ON base (a)"
    kinds = {
        "good": (make, drop),
        "several": (f"{make}\nCREATE INDEX ON t{version} (a);", drop),
        "own transaction": (f"BEGIN;\n{make}\nCOMMIT;\n", f"BEGIN; {drop} COMMIT;"),
        "no down": (make, None),
        "no up": (None, "SELECT 1;"),
        "fails": (f"{make}\nSELECT 1/0;", drop),
        "syntax": ("CREATE TABEL x ();", None),
        "down fails": (make, f"{drop}\nSELECT 1/0;"),
        "concurrently": (index, f"DROP INDEX CONCURRENTLY i{version}"),
        "empty": ("", ""),
    }
    weights = [4, 3, 3, 2, 1, 2, 1, 1, 2, 1]
    (kind,) = choose.choices(list(kinds), weights)
    return migration(version, *kinds[kind], name=kind.replace(" ", "_"))


def random_order(choose: random.Random, files: Source) -> Order:
    number = choose.randint(1, 3)
    somewhere: Version = choose.choice([*files.versions, *files.versions, 99])
    orders = [
        Order(("up",), lambda database, source: up(request(database, source))),
        Order(("up", str(number)), lambda database, source: up(request(database, source), number)),
        Order(
            ("down", str(number)), lambda database, source: down(request(database, source), number)
        ),
        Order(("down", "-all"), lambda database, source: down(request(database, source))),
        Order(
            ("goto", str(somewhere)),
            lambda database, source: goto(request(database, source), somewhere),
        ),
        set_to(choose.choice([None, somewhere])),
    ]
    return choose.choices(orders, [5, 5, 4, 1, 5, 1])[0]


def set_to(version: Version | None) -> Order:
    number = -1 if version is None else version
    return Order(
        ("force", "--", str(number)),
        lambda database, source: force(request(database, source), version),
    )


@pytest.fixture
def sides(server: Server) -> Iterator[Callable[[Source, Path, Path], tuple[Side, Side, Side]]]:
    made: list[Database] = []

    def make(files: Source, directory: Path, oracle: Path) -> tuple[Side, Side, Side]:
        for _ in range(3):
            made.append(server.create_database())
            made[-1].execute("CREATE TABLE base (a int)")
        ours, theirs, both = (Side(each, files, directory, oracle) for each in made[-3:])
        return ours, theirs, both

    yield make
    for database in made:
        database.drop()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_orders_lead_to_the_same_end(
    sides: Callable[[Source, Path, Path], tuple[Side, Side, Side]],
    migrate_oracle: Path,
    tmp_path: Path,
    seed: int,
) -> None:
    choose = random.Random(seed)
    files = random_files(choose)
    for each in files.migrations:
        for script in (each.up, each.down):
            if script is not None:
                (tmp_path / script.file).write_bytes(script.load())
    ours, theirs, both = sides(files, tmp_path, migrate_oracle)
    story = [f"seed {seed}: {[(m.version, m.name) for m in files.migrations]}"]
    for _ in range(COMMANDS):
        order = random_order(choose, files)
        is_our_turn = choose.random() < 0.5
        story.append(f"{' '.join(order.arguments)} ({'our' if is_our_turn else 'their'} turn)")
        told = "\n".join(story)
        if is_our_turn and both.row() is None:
            # An empty table behind a log that is not looks like an accident: a person confirms it.
            assert both.ours(set_to(None)), told
        we, they = ours.ours(order), theirs.theirs(order)
        in_turn = both.ours(order) if is_our_turn else both.theirs(order)
        assert we == they == in_turn, f"{told}: ours {we}, theirs {they}, in turns {in_turn}"
        rows = {ours.row(), theirs.row(), both.row()}
        if any(row and row[1] for row in rows):
            assert not we, told
            mend = set_to(clean_version(ours, files))
            assert ours.ours(mend), told
            assert theirs.theirs(mend), told
            assert both.ours(mend), told
            rows = {ours.row(), theirs.row(), both.row()}
        assert len(rows) == 1, f"{told}: {rows}"
        schemas = {ours.schema(), theirs.schema(), both.schema()}
        assert len(schemas) == 1, f"{told}:\n" + "\n=====\n".join(schemas)


def clean_version(ours: Side, files: Source) -> Version | None:
    """Where both really are after a failure: what we say, or below it if we are dirty too."""
    row = ours.row()
    if row is None or not row[1]:
        return row[0] if row else None
    return files.before(row[0]) if row[0] >= 0 else None


@pytest.mark.timeout(600)
def test_runs_of_both_at_once_exclude_each_other(
    database: Database,
    migrate_oracle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every step takes a lock that nobody waits for: two steps at once would fail."""
    text = (
        "DO $$ BEGIN IF NOT pg_try_advisory_lock(42) THEN RAISE 'not alone'; END IF;"
        " PERFORM pg_sleep(0.002); PERFORM pg_advisory_unlock(42); END $$;"
        "INSERT INTO done VALUES (%d);"
    )
    database.execute("CREATE TABLE done (version int)")
    files = source(*(migration(v, text % v) for v in range(1, RUNS_AT_ONCE + 1)))
    for each in files.migrations:
        if each.up is not None:
            (tmp_path / each.up.file).write_bytes(each.up.load())
    side = Side(database, files, tmp_path, migrate_oracle)
    patient = Options(lock_timeout=300)
    order = Order(
        ("-lock-timeout", "300", "up", "1"),
        lambda each, source: up(request(each, source, options=patient), 1),
    )
    failures: list[str] = []

    def work(run: Callable[[Order], bool]) -> None:
        for _ in range(RUNS_AT_ONCE // 4):
            if not run(order):
                failures.append(run.__name__)

    workers = [threading.Thread(target=work, args=(run,)) for run in [side.ours, side.theirs] * 2]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert version_row(database) == [(RUNS_AT_ONCE, False)]
    expected = [(v,) for v in range(1, RUNS_AT_ONCE + 1)]
    assert database.query("SELECT version FROM done ORDER BY version") == expected
    with capsys.disabled():
        print(f"\n{RUNS_AT_ONCE} contended runs, each step once")
