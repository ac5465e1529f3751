"""A database, files in several formats, and the acts of people on both, drawn at random.

A person does not know the histories. They know which migrations the database has had, because each
leaves a row, and follow what a refusal says, with the version that is true. What must hold after
each act: no migration has left two rows, none is left out below another one, and after a refusal
one of the ways that it names leads on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import HistoryKind, HistoryTable, parse_history_table
from dbmigrate.postgres.history.log.notes import Owner
from dbmigrate.report import Reason
from dbmigrate.runner.commands.adopt import adopt, examine
from dbmigrate.runner.commands.backup import backup
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.prune import prune
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.redo import redo
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.restore import RestoreOrder, restore
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Format, Source
from dbmigrate.sources.sums import renew_sum
from dbmigrate.versions import Version, reader_of
from tests.database import Database
from tests.runner.arrange import Witness, request

MOST = 8
IN_STATEMENTS = (2, 3, 5, 7)
"""Those that can't be one transaction, and fail in trouble after their first statement."""
MARKED = (HistoryKind.GOLANG_MIGRATE, HistoryKind.GOOSE, HistoryKind.DBMATE)
WITHOUT_DOWN = (HistoryKind.ATLAS,)
NO_WAY_BACK = "DO 'BEGIN RAISE EXCEPTION ''a squashed migration has no way back''; END';\n"
ROUNDS = 12
"""Refusals in a row that a person follows."""

Act = Callable[[], None]


def write(place: Path, kind: HistoryKind, last: int, squashed: int = 0) -> Source:
    """The files up to a version; those up to `squashed` as one file."""
    place.mkdir(parents=True)
    for version in range(squashed or 1, last + 1):
        rows = range(1, version + 1) if version == squashed else (version,)
        values = ", ".join(f"({each})" for each in rows)
        head = f"-- dbmigrate:replaces 1-{version}\n-- dbmigrate:replaced 1-{version}\n"
        head = head if version == squashed else ""
        ups = f"INSERT INTO fx.effects VALUES {values};\n"
        if version in IN_STATEMENTS and version != squashed:
            index = f"CREATE INDEX CONCURRENTLY IF NOT EXISTS i{version} ON fx.effects (v)"
            ups += f"SELECT fx.stop_in_trouble();\n{index};\n"
        downs = f"DELETE FROM fx.effects WHERE v = {version};\n"
        files = {
            HistoryKind.GOLANG_MIGRATE: {"{0}_m.up.sql": head + ups, "{0}_m.down.sql": downs},
            HistoryKind.GOOSE: {"0{0}_m.sql": _both(head, "+goose ", "Up", ups, "Down", downs)},
            HistoryKind.DBMATE: {"0{0}_m.sql": _both(head, "migrate:", "up", ups, "down", downs)},
            HistoryKind.FLYWAY: {"V{0}__m.sql": ups, "U{0}__m.sql": downs},
            HistoryKind.ATLAS: {"{0}_m.sql": ups},
        }[kind]
        if version == squashed:  # as `squash` writes it
            files.pop("{0}_m.down.sql", None)
            files = {name: text.split("-- +goose Down")[0] for name, text in files.items()}
            files = {name: text.replace(downs, NO_WAY_BACK) for name, text in files.items()}
        for name, text in files.items():
            (place / name.format(version)).write_text(text)
    if kind is HistoryKind.ATLAS:
        renew_sum(place, Format.ATLAS)
    return read_source(place, Format(kind), {})


def _both(head: str, mark: str, up_: str, ups: str, down_: str, downs: str) -> str:
    return f"{head}-- {mark}{up_}\n{ups}-- {mark}{down_}\n{downs}"


@dataclass
class Operators:
    """The people, and what they work on."""

    database: Database
    directory: Path
    random: Random
    kinds: tuple[HistoryKind, ...]
    kind: HistoryKind
    """Whose files are in use."""
    last: int = 2
    """The newest version that there is."""
    squashed: int = 0
    has_archive: bool = False
    owner: str | None = None
    take_over: str | None = None
    tables: dict[HistoryKind, HistoryTable] = field(default_factory=dict)
    """Those that are not under their tool's name."""
    backups: list[str] = field(default_factory=list)
    moved: list[Database] = field(default_factory=list)
    """Databases that were made meanwhile."""
    story: list[str] = field(default_factory=list)
    """What was done, for a failure."""

    def begin(self) -> None:
        self.database.execute(
            "CREATE SCHEMA fx; CREATE TABLE fx.effects (v int NOT NULL);"
            " CREATE TABLE fx.trouble (n int); CREATE FUNCTION fx.stop_in_trouble() RETURNS void"
            " LANGUAGE plpgsql AS $$BEGIN IF EXISTS (SELECT FROM fx.trouble) THEN"
            " RAISE 'trouble'; END IF; END$$"
        )

    # What is true.

    @property
    def had(self) -> list[int]:
        """The migrations that the database has had."""
        return [v for (v,) in self.database.query("SELECT v FROM fx.effects ORDER BY v")]

    def check(self) -> None:
        had = self.had
        assert had == list(range(1, len(had) + 1)), str(self)

    def __str__(self) -> str:
        return "\n".join((f"{self.kinds}, now {self.kind}: {self.had}", *self.story))

    __repr__ = __str__

    # What they use.

    def source(self, kind: HistoryKind) -> Source:
        squashed = self.squashed if kind in MARKED else 0
        found = self._files(kind, self.last, squashed)
        if squashed and self.has_archive:
            return replace(found, archive=self._files(kind, squashed, 0))
        return found

    def _files(self, kind: HistoryKind, last: int, squashed: int) -> Source:
        place = self.directory / f"{kind}-{last}-{squashed}"
        if place.exists():
            return read_source(place, Format(kind), {})
        return write(place, kind, last, squashed)

    def on(self, kind: HistoryKind | None = None) -> Request:
        kind = kind or self.kind
        options = Options(
            who="tester",
            owner=Owner.parse(self.owner) if self.owner else None,
            take_over=Owner.parse(self.take_over) if self.take_over else None,
        )
        plain = request(self.database, self.source(kind), options=options)
        history = self.tables.get(kind) or plain.target.history.of(kind)
        return replace(plain, target=replace(plain.target, history=history))

    def version(self, kind: HistoryKind, number: int) -> Version:
        return reader_of(kind)(str(number))

    def table(self, kind: HistoryKind | None = None) -> tuple[str, str]:
        """The table and its log."""
        kind = kind or self.kind
        history = self.tables.get(kind)
        schema = (history.schema if history else None) or kind.default_schema or "public"
        return f"{schema}.{kind.default_table}", f"{schema}.{kind.default_table}_log"

    def exists(self, *tables: str) -> bool:
        found = (self.database.query("SELECT to_regclass(%s)", each)[0][0] for each in tables)
        return None not in list(found)

    # What they do.

    def act(self) -> None:
        """One of the acts that are possible at present."""
        acts = [
            *(self.up,) * 4,
            self.up_by_others,
            *(self.release,) * 3,
            self.down,
            self.down,
            self.goto,
            self.redo,
            self.force,
            self.baseline_other,
            self.prune,
            self.change_owner,
            self.adopt,
            self.squash,
            self.back_up,
            self.restore,
            self.look,
            self.truncate_table,
            self.truncate_log,
            self.truncate_both,
            self.drop_table,
            self.drop_log,
            self.rename_log,
            self.rename_schema,
            self.change_type,
            self.trouble,
            self.trouble,
            self.move,
        ]
        act = self.random.choice(acts)
        self.story.append(f"{act.__name__}:")
        act()
        self.check()

    def tell(self, text: str) -> None:
        self.story.append(f"    {text}; has {self.had}")

    def up(self) -> None:
        """To the newest version, on whatever ways the refusals name."""
        for _ in range(ROUNDS):
            before, witness = self.had, Witness()
            done = up(replace(self.on(), observer=witness))
            left = [each for each in witness.notices if " was left at" in each.message]
            if done.error is None and not left:
                self.tell(f"up of {self.kind}: {done.report.outcome}")
                assert self.had == list(range(1, max(self.last, len(before)) + 1)), str(self)
                return
            # An older image with nothing to run is only warned: its files are not in use.
            error = done.error or self._refusal(down(self.on(), 1))
            self.tell(f"up of {self.kind}: {error.reason}: {error}; {error.hint}")
            assert self.had == before, str(self)
            self.follow(error)
            self.check()
        raise AssertionError(f"no way leads on\n{self}")

    def _refusal(self, done: Result[Any]) -> MigrationError:
        assert done.error is not None, str(self)
        return done.error

    def up_by_others(self) -> None:
        """An older image, or another branch."""
        before, kind = self.had, self.random.choice(self.kinds)
        done = up(self.on(kind))
        self.tell(f"up of {kind}: {done.error or done.report.outcome}")
        if self._has_failed(done):
            self.kind = kind
        elif done.error is not None:
            assert self.had == before, str(self)
            assert done.error.hint, str(self)

    def _has_failed(self, done: Result[Any]) -> bool:
        """Whether a file has failed, perhaps after its first statement."""
        return done.error is not None and done.error.reason is Reason.STATEMENT_FAILED

    def release(self) -> None:
        self.last = min(self.last + 1, MOST)
        self.tell(f"{self.last}")

    def down(self) -> None:
        before = self.had
        self._moved("down 1", before, down(self.on(), 1), len(before) - 1)

    def goto(self) -> None:
        before, wanted = self.had, self.random.randint(1, self.last)
        done = goto(self.on(), self.version(self.kind, wanted))
        self._moved(f"goto {wanted}", before, done, wanted)

    def redo(self) -> None:
        before = self.had
        self._moved("redo", before, redo(self.on()), len(before))

    def _moved(self, name: str, before: list[int], done: Result[Any], wanted: int) -> None:
        self.tell(f"{name} of {self.kind}: {done.error or done.report.outcome}")
        if done.error is None:
            assert len(self.had) == wanted, str(self)
        elif not self._has_failed(done):
            assert self.had == before, str(self)
            assert done.error.hint or done.error.reason is not Reason.FOREIGN_HISTORY, str(self)

    def force(self) -> None:
        """By files that were perhaps not in use: they are from here on."""
        self._set(self.random.choice(self.kinds), force, "force")

    def baseline_other(self) -> None:
        kind = self.random.choice(self.kinds)
        if self.had:
            self._set(kind, baseline, "baseline")

    def _set(self, kind: HistoryKind, how: Callable[..., Result[None]], name: str) -> None:
        """To the version that is true."""
        number = len(self.had)
        if number > self.last or (0 < number < self.squashed and kind in MARKED):
            return
        done = how(self.on(kind), self.version(kind, number) if number else None)
        self.tell(f"{name} {number} of {kind}: {done.error or 'done'}")
        if done.error is None:
            self.kind = kind
        else:
            assert done.error.hint, str(self)

    def trouble(self) -> None:
        """A step stops between two statements, and others come before it is repaired."""
        self.execute("INSERT INTO fx.trouble VALUES (1)")
        done = up(self.on())
        self.tell(f"up of {self.kind}: {done.error or done.report.outcome}")
        self.check()
        for _ in range(self.random.randint(0, 2)):
            others = (self.up_by_others, self.down, self.goto, self.redo, self.prune, self.look)
            self.random.choice(others)()
            self.check()
        self.execute("DELETE FROM fx.trouble")
        self.up()

    def move(self) -> None:
        """To a new database, by a backup."""
        if not self.backups:
            return
        number = self.random.randrange(len(self.backups))
        old, self.database = self.database, self.database.server.create_database()
        self.moved.append(self.database)
        done = restore(self.on(), RestoreOrder(self.backups[number]))
        self.tell(f"by backup {number + 1}: {done.error or 'done'}")
        if done.error is not None:
            self.database = old

    def prune(self) -> None:
        done = prune(self.on(), self.random.randint(0, 3))
        self.tell(f"prune of {self.kind}: {done.error or 'done'}")

    def look(self) -> None:
        status(self.on(self.random.choice(self.kinds)))
        preview(self.on(self.random.choice(self.kinds)))

    def change_owner(self) -> None:
        self.owner, self.take_over = self.random.choice((None, "ci", "job")), None
        self.tell(f"{self.owner}")

    def adopt(self) -> None:
        """golang-migrate's files in the place of others."""
        theirs, ours = self.kind, HistoryKind.GOLANG_MIGRATE
        if theirs is ours or ours not in self.kinds or len(self.had) > self.last or self.squashed:
            return
        wanted, into = self.on(theirs), self.on(ours).target.history
        numbers: dict[Version, Version] = {
            n: self.version(theirs, n) for n in range(1, self.last + 1)
        }
        plain = replace(wanted, source=self.source(ours))
        found = examine(plain, into, numbers)
        if found.error is None and found.value is not None:
            done = adopt(plain, into, numbers, found.value)
            self.tell(f"adopt of {theirs}: {done.error or 'done'}")
            if done.error is None:
                self.kind = ours
        else:
            self.tell(f"adopt of {theirs}: {found.error}")

    def squash(self) -> None:
        if self.last - 1 > self.squashed:
            self.squashed = self.random.randint(max(2, self.squashed + 1), self.last)
            self.has_archive = self.random.random() < 0.3
            self.tell(f"1-{self.squashed}{', with the archive' if self.has_archive else ''}")

    def back_up(self) -> None:
        file = str(self.directory / f"{len(self.story)}.dump")
        done = backup(self.on(), file)
        if done.error is None:
            self.backups.append(file)
        self.tell(f"{len(self.backups)}: {done.error or 'done'}")

    def restore(self) -> None:
        if not self.backups:
            return
        file = self.random.choice(self.backups)
        for _ in range(ROUNDS):
            done = restore(self.on(), RestoreOrder(file, may_replace=True))
            self.tell(f"{self.backups.index(file) + 1}: {done.error or 'done'}")
            if done.error is None:
                return
            if "restore into a new database; or drop what is in the way" in (done.error.hint or ""):
                return
            self.execute(self._statement(done.error))
        raise AssertionError(f"no way leads on\n{self}")

    # What happens to them.

    def truncate_table(self) -> None:
        table, log = self.table()
        if self.exists(table, log):
            self.execute(f"TRUNCATE {table}")

    def drop_table(self) -> None:
        table, log = self.table()
        if self.exists(table, log):
            self.execute(f"DROP TABLE {table}")

    def truncate_log(self) -> None:
        _, log = self.table()
        if self.exists(log):
            self.execute(f"TRUNCATE {log}{self.random.choice(('', ' RESTART IDENTITY'))}")

    def truncate_both(self) -> None:
        if self.exists(*self.table()):
            self.execute(f"TRUNCATE {', '.join(self.table())}")

    def _has_version(self) -> bool:
        done = status(replace(self.on(), source=None))
        return done.error is None and done.report.version not in (None, "0")

    def drop_log(self) -> None:
        """Where the table knows the version; else nothing does."""
        _, log = self.table()
        if self.exists(*self.table()) and self._has_version():
            self.execute(f"DROP TABLE {log}")

    def rename_log(self) -> None:
        _, log = self.table()
        if self.exists(*self.table()) and self._has_version():
            self.execute(f"ALTER TABLE {log} RENAME TO aside{len(self.story)}")

    def rename_schema(self) -> None:
        table, _ = self.table(HistoryKind.ATLAS)
        if HistoryKind.ATLAS not in self.tables and self.exists(table):
            self.execute(f"ALTER SCHEMA {table.split('.')[0]} RENAME TO s{len(self.story)}")

    def change_type(self) -> None:
        table, _ = self.table()
        column, kind = {
            HistoryKind.GOLANG_MIGRATE: ("dirty", "integer"),
            HistoryKind.GOOSE: ("version_id", "numeric"),
            HistoryKind.DBMATE: ("version", "text"),
            HistoryKind.FLYWAY: ("script", "text"),
            HistoryKind.ATLAS: ("hash", "text"),
        }[self.kind]
        if self.exists(table):
            change = f"ALTER {column} TYPE {kind} USING {column}::{kind}"
            self.execute(f"ALTER TABLE {table} {change}")

    def execute(self, statement: str) -> None:
        self.database.execute(statement)
        self.tell(statement)

    # What they read.

    def _statement(self, error: MigrationError) -> str:
        match = re.search(r"(?:DROP|ALTER) TABLE [^;`]+", error.hint or "")
        assert match is not None, f"{error}; {error.hint}\n{self}"
        return match[0]

    def follow(self, error: MigrationError) -> None:
        """One of the ways that a refusal names."""
        hint = error.hint or ""
        number, ways = len(self.had), dict[str, Act]()
        if "`dbmigrate baseline V`" in hint and number:
            ways["baseline"] = lambda: self._way(baseline, number)
        if re.search(r"`dbmigrate force [V0-9]", hint) and number:
            ways["force"] = lambda: self._way(force, number)
        if "`dbmigrate force -1`" in hint and not number:
            ways["force -1"] = lambda: self._way(force, None)
        if "`dbmigrate repair`" in hint:
            ways["repair"] = self._repair
        if "-archive DIR" in hint and not self.has_archive:
            ways["-archive"] = self._give_archive
        for statement in re.findall(r"ALTER (?:TABLE|SCHEMA) [^;`]+", hint):
            ways[statement] = partial(self.execute, statement)
        match = re.search(r"`dbmigrate -format ([a-z-]+) force V`", hint)
        if match is not None and HistoryKind(match[1]) in self.kinds and number:
            kind = HistoryKind(match[1])
            ways[f"force of {kind}"] = partial(self._force_other, kind, number)
        match = re.search(r"\(-format ([a-z-]+)|: -format ([a-z-]+) ", hint)
        if match is not None and HistoryKind(match[1] or match[2]) in self.kinds:
            kind = HistoryKind(match[1] or match[2])
            named = re.search(r"-history-table (\S+?)[;,]? ", hint)
            ways[f"-format {kind}"] = lambda: self._switch(kind, named and named[1])
        elif match is None and (named := re.search(r"-history-table (\S+?)[;,]? ", hint)):
            ways[f"-history-table {named[1]}"] = lambda: self._switch(self.kind, named[1])
        match = re.search(r"-take-over (\S+)", hint)
        if match is not None:
            owner = match[1]
            ways["-take-over"] = lambda: setattr(self, "take_over", owner)
        assert ways, f"no way on that can be followed: {error}; {hint}\n{self}"
        name = self.random.choice(sorted(ways))
        self.tell(f"follows {name}")
        ways[name]()

    def _way(self, how: Callable[..., Result[None]], number: int | None) -> None:
        version = None if number is None else self.version(self.kind, number)
        done = how(self.on(), version)
        self.tell(f"{self.kind} at {number}: {done.error or 'done'}")
        if done.error is not None:
            self.follow(done.error)

    def _force_other(self, kind: HistoryKind, number: int) -> None:
        self.kind = kind
        self._way(force, number)

    def _repair(self) -> None:
        done = repair(self.on())
        self.tell(f"repair: {done.error or 'done'}")
        if done.error is not None:
            self.follow(done.error)

    def _give_archive(self) -> None:
        self.has_archive = True

    def _switch(self, kind: HistoryKind, table: str | None) -> None:
        self.kind = kind
        if table is not None:
            given = parse_history_table(table)
            self.tables[kind] = HistoryTable(given.schema, given.name, kind)
