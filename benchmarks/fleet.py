"""`make bench-fleet`: many schemas and databases, beside golang-migrate and goose for each of them.

Everything is measured in one run on one PostgreSQL. A peer that would take too long is measured
on a sample of the targets, and its line says how many; its time for all of them is that of the
sample, multiplied.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Figure, measure
from benchmarks.work import write_goose, write_small
from tests.database.oracle import find_goose, find_migrate
from tests.database.server import Database, Server

OURS = "dbmigrate fleet"
LOOP = "golang-migrate 4.19.1 in a loop"
XARGS = "golang-migrate 4.19.1 under xargs -P 8"
FILES = 5
Address = Callable[[str], str]
"""The URL of a target."""

_COPY = """
CREATE PROCEDURE copy_history(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
  FOR n IN first..last LOOP
    EXECUTE format('CREATE SCHEMA s%s', n);
    EXECUTE format('CREATE TABLE s%s.schema_migrations'
      ' (LIKE s0.schema_migrations INCLUDING ALL)', n);
    EXECUTE format('CREATE TABLE s%s.schema_migrations_log'
      ' (LIKE s0.schema_migrations_log INCLUDING ALL)', n);
    EXECUTE format('INSERT INTO s%s.schema_migrations TABLE s0.schema_migrations', n);
    EXECUTE format('INSERT INTO s%s.schema_migrations_log OVERRIDING SYSTEM VALUE'
      ' TABLE s0.schema_migrations_log', n);
    IF n % 50 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$"""


@dataclass(frozen=True, slots=True)
class Line:
    """One program's figures for all targets."""

    name: str
    seconds: float
    cpu: float
    """Seconds of the client's processors."""
    megabytes: float
    measured: int
    """On how many targets."""


def main() -> int:
    """Run all tables."""
    parser = argparse.ArgumentParser(prog="make bench-fleet")
    parser.add_argument("--idle", type=int, default=10_000, help="schemas with nothing to do")
    parser.add_argument("--schemas", type=int, default=1000, help="schemas to migrate")
    parser.add_argument("--databases", type=int, default=200, help="databases to migrate")
    parser.add_argument("--sample", type=int, default=100, help="targets for each of the peers")
    options = parser.parse_args()
    with Server.start() as server, tempfile.TemporaryDirectory() as scratch:
        bench = Bench(server, Path(scratch), options.sample)
        bench.idle(options.idle)
        bench.idle(max(1, options.idle // 10))
        bench.schemas(options.schemas)
        bench.databases(options.databases)
    return 0


class Bench:
    """The programs, their files and a server."""

    def __init__(self, server: Server, scratch: Path, sample: int) -> None:
        self._server = server
        self._scratch = scratch
        self._sample = sample
        self._migrate, self._goose = str(find_migrate()), str(find_goose())
        write_small(scratch / "small", FILES)
        write_goose(scratch / "goose", FILES)

    def idle(self, count: int) -> None:
        """Schemas of one database that have all migrations."""
        database = self._server.create_database()
        database.execute("CREATE SCHEMA s0")
        self._fleet(database, ["s0"], "schema")
        database.execute(_COPY)
        database.execute(f"CALL copy_history(1, {count - 1})")
        names = [f"s{n}" for n in range(count)]
        lines = [self._fleet(database, names, "schema")]
        lines += self._peers(names, _schema_of(database), is_idle=True)
        show(f"nothing to do in {count:,} schemas of one database", lines, count)
        database.drop()

    def schemas(self, count: int) -> None:
        """Schemas of one database that have none; the peers get schemas of their own."""
        database = self._server.create_database()
        names = [f"s{n}" for n in range(count)]
        peers = [f"p{n}" for n in range(4 * self._sample)]
        for name in (*names, *peers):
            database.execute(f"CREATE SCHEMA {name}")
        lines = [self._fleet(database, names, "schema")]
        lines += self._peers(peers, _schema_of(database), total=count)
        show(f"{FILES} migrations each in {count:,} schemas of one database", lines, count)
        database.drop()

    def databases(self, count: int) -> None:
        """Databases, each with one schema."""
        databases = [self._server.create_database() for _ in range(count)]
        peers = [self._server.create_database() for _ in range(4 * min(self._sample, count))]
        names = [each.name for each in databases]
        lines = [self._fleet(databases[0], names, "dbname")]
        lines += self._peers([each.name for each in peers], self._server.url, total=count)
        show(f"{FILES} migrations each in {count:,} databases", lines, count)
        idle = [self._fleet(databases[0], names, "dbname")]
        theirs = [each.name for each in peers[-min(self._sample, count) :]]
        idle += self._peers(names, self._server.url, is_idle=True, of_goose=theirs)
        show(f"nothing to do in {count:,} databases", idle, count)
        for each in (*databases, *peers):
            each.drop()

    def _fleet(self, database: Database, names: Sequence[str], column: str) -> Line:
        targets = self._scratch / "targets.csv"
        targets.write_text(f"name,{column}\n" + "".join(f"{n},{n}\n" for n in names))
        ours = str(Path(sys.executable).with_name("dbmigrate"))
        words = ["-path", str(self._scratch / "small"), "-database", database.url]
        found = measure([ours, *words, "fleet", "up", "-targets", str(targets)])
        return Line(OURS, found.seconds, found.cpu_seconds, found.megabytes, len(names))

    def _peers(
        self,
        names: Sequence[str],
        url: Address,
        *,
        total: int = 0,
        is_idle: bool = False,
        of_goose: Sequence[str] = (),
    ) -> list[Line]:
        """Each peer on as many targets as are in the sample: the same ones where there is nothing
        to do, else some of its own. `of_goose`: those that have goose's history already."""
        size = min(self._sample, len(names) if is_idle else len(names) // 4)
        total = total or len(names)
        programs = {
            LOOP: (1, f"{self._migrate} -path {self._scratch}/small -database $1 up"),
            XARGS: (8, f"{self._migrate} -path {self._scratch}/small -database $1 up"),
            "goose 3.27.3 in a loop": (
                1, f"{self._goose} -dir {self._scratch}/goose postgres $1 up"),
            "goose 3.27.3 under xargs -P 8": (
                8, f"{self._goose} -dir {self._scratch}/goose postgres $1 up"),
        }  # fmt: skip
        lines = []
        for index, (name, (at_a_time, command)) in enumerate(programs.items()):
            own = names[index * size : (index + 1) * size]
            if is_idle:
                own = (of_goose or names if "goose" in name else names)[-size:]
            urls = self._scratch / "urls"
            urls.write_text("".join(f"{url(each)}\n" for each in own))
            script = f"xargs -P {at_a_time} -I@ sh -c '{command}' sh '@' <{urls}"
            if is_idle and "goose" in name:
                measure(["sh", "-c", script])  # it has a history of its own
            found: Figure = measure(["sh", "-c", script])
            factor = total / size
            lines.append(Line(name, found.seconds * factor, found.cpu_seconds * factor, 0, size))
        return lines


def _schema_of(database: Database) -> Address:
    return lambda name: f"{database.url}&search_path={name}"


def show(title: str, lines: Sequence[Line], count: int) -> None:
    """A table in Markdown."""
    print(f"\n### {title}\n")
    print("| program | seconds | a target | CPU of the client, a target | times dbmigrate |"
          " peak MB | measured on |")  # fmt: skip
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    ours = lines[0].seconds
    for line in lines:
        each, cpu = 1000 * line.seconds / count, 1000 * line.cpu / count
        cells = [
            line.name,
            f"{line.seconds:.1f}",
            f"{each:.2f} ms",
            f"{cpu:.2f} ms",
            f"{line.seconds / ours:.1f}",
            f"{line.megabytes:.0f}" if line.megabytes else "-",
            f"{line.measured:,}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
