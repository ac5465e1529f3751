"""`diff` beside migra and pg-delta: the same two schemas, and whether the plan holds.

The tools get two databases; `diff` gets a migration and a file of SQL, makes both databases
itself, proves its plan up and down, and writes files. So it does more in its time: the
proof and the loading are in its figure. Each plan is judged in the same way: applied to a
copy of the first database, does our catalog find a difference to the second one?

A line is printed as soon as it is measured. A program that is not done in time is ended,
and its line says so.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Figure, TooSlow, measure
from dbmigrate.postgres.connection.target import HistoryTable, parse_target
from dbmigrate.postgres.schema.catalog import compare, read_catalog
from dbmigrate.runner.scratch.database import open_session
from tests.database.server import Database, Server
from tests.diff_command.peers import find_peers

OURS = str(Path(sys.executable).with_name("dbmigrate"))
SHOWN = {"migra": "@pgkit/migra 0.6.1", "pg-delta": "pg-delta 1.0.0-alpha.34"}

DEADLINE = 600.0
"""Seconds that a program gets for one plan."""
FILES = 10
"""Indexes on tables in use, each of which has a file of its own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run took, and how far its plan was from the goal."""

    figure: Figure | None
    differences: int | None
    """None: the plan could not be applied."""
    problem: str = ""
    """Why there is no figure, or no difference could be counted."""
    is_late: bool = False


def write_schema(tables: int, *, is_later: bool) -> str:
    """So many tables in families of five; in the later one each tenth is changed, and more."""
    parts = []
    for number in range(tables):
        parent = number - number % 5
        changed = is_later and number % 10 == 0
        columns = [
            "id bigint PRIMARY KEY",
            "name text NOT NULL",
            "created timestamptz DEFAULT now()",
        ]
        columns.append(f"amount numeric({12 if changed else 10}, 2) CHECK (amount >= 0)")
        if number != parent:
            columns.append(f"parent_id bigint REFERENCES t{parent}")
        if changed:
            columns += ["note text DEFAULT 'none'", "tags text[]"]
        parts.append(f"CREATE TABLE t{number} ({', '.join(columns)});")
        parts.append(f"CREATE INDEX t{number}_name ON t{number} (name);")
        if number % 20 == 0:
            where = " WHERE amount > 0" if is_later else ""
            parts.append(f"CREATE VIEW v{number} AS SELECT id, name FROM t{number}{where};")
        if changed and number < FILES * 50 and number % 50 == 0:
            parts.append(f"CREATE INDEX t{number}_note ON t{number} (note);")
            parts.append(f"COMMENT ON TABLE t{number} IS 'changed';")
    if is_later:
        parts += [
            f"CREATE TABLE n{n} (id int PRIMARY KEY, of bigint);" for n in range(tables // 20)
        ]
    return "\n".join(parts)


def bench_diff(server: Server, sizes: tuple[int, ...]) -> None:
    """One table of figures for each size."""
    home = find_peers()
    for tables in sizes:
        before, after = (write_schema(tables, is_later=each) for each in (False, True))
        print(f"\n### diff of {tables:,} tables\n")
        print(
            "| program | seconds | ratio to dbmigrate | peak MB | objects that differ afterwards |"
        )
        print("| --- | ---: | ---: | ---: | ---: |", flush=True)
        ours = run_ours(server, before, after)
        show("dbmigrate", ours, ours.figure)
        for tool, title in SHOWN.items():
            show(title, run_peer(server, home, tool, before, after), ours.figure)


def bench_rehearse(server: Server, steps: int, directory: Path) -> None:
    """`rehearse` of so many steps, on a server that is there."""
    words = ["-path", str(directory), "rehearse", "-dev-url", server.url("postgres")]
    figure = measure([OURS, *words])
    print(f"\n### rehearse {steps} steps: up, down and up again\n")
    print("| seconds | a step | peak MB |\n| ---: | ---: | ---: |")
    print(f"| {figure.seconds:.1f} | {figure.seconds / steps:.3f} | {figure.megabytes:.0f} |")


def run_ours(server: Server, before: str, after: str) -> Outcome:
    """The command line, from files to files; then the files on a database."""
    with TemporaryDirectory() as scratch:
        migrations, goal = Path(scratch) / "migrations", Path(scratch) / "schema.sql"
        migrations.mkdir()
        (migrations / "000001_start.up.sql").write_text(before)
        goal.write_text(after)
        base = [OURS, "-path", str(migrations)]
        try:
            figure = measure(
                [*base, "diff", "-dev-url", server.url("postgres"), "-no-renames", "change"],
                deadline=DEADLINE,
            )
        except (RuntimeError, TooSlow) as error:
            return _failed(error)
        database = server.create_database()
        try:
            measure([*base, "-database", database.url, "up"])
            return Outcome(figure, count_differences(server, database, after))
        except RuntimeError as error:
            return Outcome(figure, None, str(error)[-200:])
        finally:
            database.drop()


def run_peer(server: Server, home: Path, tool: str, before: str, after: str) -> Outcome:
    """The tool on two databases that are there; then its statements on the first."""
    start, goal = server.create_database(), server.create_database()
    try:
        load(start, before)
        load(goal, after)
        with TemporaryDirectory() as scratch:
            plan = Path(scratch) / "plan.sql"
            service = Path(__file__).with_name("ask_peer.mjs")
            command = ["node", "--max-old-space-size=8192", str(service), str(home), tool]
            try:
                figure = measure([*command, start.url, goal.url, str(plan)], deadline=DEADLINE)
            except (RuntimeError, TooSlow) as error:
                return _failed(error)
            try:
                load(start, plan.read_text())
            except subprocess.CalledProcessError as error:
                return Outcome(figure, None, error.stderr.strip()[-200:])
        return Outcome(figure, count_differences(server, start, after, goal))
    finally:
        start.drop()
        goal.drop()


def load(database: Database, sql: str) -> None:
    """By psql, statement by statement. Raises CalledProcessError."""
    psql = [str(database.server.bin_dir / "psql"), "-q", "-v", "ON_ERROR_STOP=1", database.url]
    subprocess.run(psql, input=sql, text=True, check=True, capture_output=True)


def count_differences(
    server: Server, database: Database, after: str, goal: Database | None = None
) -> int:
    """How many objects are not as they should be."""
    made = goal or server.create_database()
    if goal is None:
        load(made, after)
    catalogs = []
    for each in (made, database):
        with open_session(parse_target(each.url, {}), "bench") as session:
            catalogs.append(read_catalog(session, without=HistoryTable()))
    if goal is None:
        made.drop()
    return len(list(compare(catalogs[0], catalogs[1])))


def _failed(error: RuntimeError | TooSlow) -> Outcome:
    return Outcome(None, None, str(error)[-200:], is_late=isinstance(error, TooSlow))


def show(title: str, outcome: Outcome, base: Figure | None) -> None:
    """A line in Markdown."""
    figure, differences = outcome.figure, outcome.differences
    row = [title, "failed", "-", "-", "-" if differences is None else str(differences)]
    if outcome.is_late:
        row[1] = f"not done in {DEADLINE:.0f}"
    elif figure is not None:
        ratio = f"{figure.seconds / base.seconds:.2f}" if base else "-"
        row[1:4] = [f"{figure.seconds:.1f}", ratio, f"{figure.megabytes:.0f}"]
        if differences is None:
            row[4] = "plan fails"
    print(f"| {' | '.join(row)} |", flush=True)
    if outcome.problem:
        print(f"<!-- {title}: {' '.join(outcome.problem.split())} -->", file=sys.stderr)
