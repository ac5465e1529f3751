"""The relations of a history: the tool's table, the log and the table of batches."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.postgres.history import log_shape
from dbmigrate.postgres.history.inspection import READING, WRITING, guard
from dbmigrate.postgres.history.log_shape import (
    CURRENT,
    LogShape,
    had_rows_sql,
    upgrade_sql,
)
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.versions import REPEATABLE, Version, are_numbers, reader_of, repeatable

LOG_SUFFIX = "_log"
BATCHES_SUFFIX = "_batches"
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class History:
    """All tables by their exact names, and which of them exist."""

    schema: str
    table: str
    has_version_table: bool = False
    has_log_table: bool = False
    may_read_log: bool = True
    """False for a role that may read schema_migrations alone."""
    has_batches_table: bool = False
    may_read_batches: bool = True
    kind: HistoryKind = HistoryKind.GOLANG_MIGRATE
    has_schema: bool = True
    """False where the tool makes its own schema, and it is not there yet."""
    log_shape: LogShape = CURRENT
    oids: tuple[tuple[str, int], ...] = ()
    """The tables that were looked at, by name, and which ones they were."""
    parts: tuple[int, ...] = ()
    """What those tables had then, by oid (dbmigrate.postgres.history.inspection.PARTS)."""

    def guarded(self, sql: str) -> str:
        """Statements that write to the history, preceded by a check that it was not replaced, and
        by a comment that the log has rows where it does not say so yet."""
        return "; ".join((*self._writing(self.table, log_name(self.table)), sql))

    def guarded_shape(self, sql: str) -> str:
        """The same for statements that change its tables, and write no row."""
        return "; ".join((*self.guard_of_step, sql))

    @property
    def guard_of_step(self) -> tuple[str, ...]:
        """What precedes them: a lock, and the check under it."""
        return self._guard(WRITING, self.table, log_name(self.table))

    @property
    def lock_sql(self) -> str:
        """The lock alone; empty where there is no table yet.

        It comes before the first statement of a file that runs in the same transaction. In a
        repeatable-read transaction the check sees what the catalogs held at that statement, and
        with the lock nothing can come after it: a trigger needs a lock that conflicts.
        """
        return next(iter(self.guard_of_step), "")

    def guarded_reading(self, sql: str) -> str:
        """The same for statements that read what the role may read."""
        hidden = {
            log_name(self.table): not self.may_read_log,
            batches_name(self.table): not self.may_read_batches,
        }
        names = (name for name in self._names if not hidden.get(name))
        return "; ".join((*self._guard(READING, *names), sql))

    @property
    def has_own_name(self) -> bool:
        """Whether its table has another name than its tool's: then it is meant to be another one
        than the histories beside it."""
        return self.table != self.kind.default_table

    @property
    def guard_of_batches(self) -> tuple[str, ...]:
        """What precedes statements that write to the table of batches as well."""
        return self._writing(*self._names)

    @property
    def _names(self) -> tuple[str, str, str]:
        return self.table, log_name(self.table), batches_name(self.table)

    @property
    def with_rows(self) -> History:
        """As it is once a row of the log was committed."""
        return replace(self, log_shape=replace(self.log_shape, had_rows=True))

    @property
    def remark_of_rows(self) -> tuple[str, ...]:
        """The comment that the log has rows, before statements that write one."""
        if not self.has_log_table:
            return ()
        said = had_rows_sql(self.log_table, log_name(self.table), self.log_shape)
        return (said,) if said else ()

    def owner_sql(self, owner: str) -> str:
        """The statement that says who migrates the database; empty where that is said."""
        return (
            log_shape.owner_sql(self.log_table, owner, self.log_shape) if self.has_log_table else ""
        )

    def with_owner(self, owner: str) -> History:
        """As it is once that was committed."""
        return replace(self, log_shape=replace(self.log_shape, owner=owner))

    def _writing(self, *names: str) -> tuple[str, ...]:
        return (*self._guard(WRITING, *names), *self.remark_of_rows)

    def _guard(self, mode: str, *names: str) -> tuple[str, ...]:
        schema = identifier(self.schema)
        oids = dict(self.oids)
        tables = ((f"{schema}.{identifier(n)}", oids[n]) for n in names if n in oids)
        return guard(tables, mode, self.parts)

    def read_version(self, text: str | None, name: str = "") -> Version | None:
        """The version that a row of the log has as this text, `name` being its migration's."""
        if text is None:
            return None
        if text == REPEATABLE:
            return repeatable(name)
        return int(text) if are_numbers(self.kind) else reader_of(self.kind)(text)

    @property
    def version_type(self) -> str:
        """The type of the log's columns that hold versions."""
        return "bigint" if are_numbers(self.kind) else "text"

    @property
    def upgrade_sql(self) -> str:
        """What brings the log's table up to date; empty where it is."""
        if not self.has_log_table:
            return ""
        return upgrade_sql(self.log_table, self.log_shape, self.version_type)

    def require_log(self) -> None:
        """Raise MigrationError (ForeignHistory) where the log is of no shape that we know."""
        if self.log_shape.problem is not None:
            raise self.log_shape.problem

    @property
    def knows_log(self) -> bool:
        """Whether the log exists, has a known shape, and may be read."""
        return self.has_log_table and self.may_read_log and self.log_shape.problem is None

    @property
    def knows_batches(self) -> bool:
        """Whether the table of batches exists and may be read."""
        return self.has_batches_table and self.may_read_batches

    @property
    def name(self) -> str:
        """The version table in a sentence."""
        return f"{self.schema}.{self.table}"

    @property
    def version_table(self) -> str:
        """Quoted and with its schema, for SQL."""
        return f"{identifier(self.schema)}.{identifier(self.table)}"

    @property
    def log_table(self) -> str:
        """Quoted and with its schema, for SQL."""
        return f"{identifier(self.schema)}.{identifier(log_name(self.table))}"

    @property
    def batches_table(self) -> str:
        """Quoted and with its schema, for SQL."""
        return f"{identifier(self.schema)}.{identifier(batches_name(self.table))}"


def log_name(table: str) -> str:
    """The log's name; shortened so that it stays distinct within PostgreSQL's 63 bytes."""
    return _with_suffix(table, LOG_SUFFIX)


def batches_name(table: str) -> str:
    """The name of the table of batches, likewise."""
    return _with_suffix(table, BATCHES_SUFFIX)


def own_relations(table: str) -> tuple[str, ...]:
    """The names of a history's tables, and of the sequences that belong to them."""
    log = log_name(table)
    return table, f"{table}_id_seq", log, f"{log}_id_seq", batches_name(table)


def _with_suffix(table: str, suffix: str) -> str:
    raw = table.encode()
    return raw[: _LONGEST_NAME - len(suffix)].decode(errors="ignore") + suffix
