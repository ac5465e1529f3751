"""The request of a use case: the database, the files and the policies.

A command line (or any other caller) fills a Request once and passes it to one use
case: `up(request, limit=2)`. All of it is plain data, except for the observer and the
stop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbmigrate.policies import ChangedFiles, LintPolicy, OutOfOrder, Rollback, Transactions
from dbmigrate.runner.observer import SILENT, Observer
from dbmigrate.runner.stop import Stop

if TYPE_CHECKING:
    from dbmigrate.postgres.connection.target import ConnectionTarget
    from dbmigrate.postgres.history.log.notes import Owner
    from dbmigrate.sources.migration import Source
    from dbmigrate.versions import Version


@dataclass(frozen=True, slots=True)
class BackupOrder:
    """A backup that is to be made before a run changes anything."""

    directory: str
    keep: int | None = None
    """How many of this database's backups stay there, this one included; None: all."""


@dataclass(frozen=True, slots=True)
class Goal:
    """How far up Flyway's setting `target` lets a run go."""

    version: Version | None = None
    """None: to the first pending version (`next`), or nowhere (`current`)."""
    is_next: bool = False
    must_exist: bool = True
    """Whether there has to be a file of the version."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a run behaves; the defaults are the command line's."""

    connect_wait: float = 0.0
    """Seconds in which a server that refuses the first connection is tried again."""
    lock_timeout: float = 15.0
    """Seconds to wait for the migration lock, and for blocked statements; 0: try once."""
    statement_lock_timeout_ms: int | None = 5000
    """Milliseconds one try of a statement waits for a lock in the database; 0: no limit; None:
    what the URL or the server says."""
    concurrent_lock_timeout_ms: int | None = None
    """The same for a statement that blocks no other session itself, such as CREATE INDEX
    CONCURRENTLY, whose work is lost when it gives up; None: no limit."""
    statement_timeout_ms: int | None = None
    """Milliseconds a statement may take; 0: no limit; None: what the URL or the server says."""
    rollback: Rollback | None = None
    """None: as golang-migrate, which goes down, and where there is no down script moves
    the version alone."""
    out_of_order: OutOfOrder = OutOfOrder.REJECT
    changed_files: ChangedFiles = ChangedFiles.REJECT
    transactions: Transactions = Transactions.FILE
    goal: Goal | None = None
    """How far `up` goes by the files' own settings; None: they do not say."""
    baseline: Version | None = None
    """Where Flyway's history begins in a database that holds something; None: nowhere."""
    ignored: frozenset[str] = frozenset()
    """The kinds of findings that `verify` passes over by the files' own settings."""
    who: str = ""
    """The host, Job or person that runs this, for the history's log."""
    backup: BackupOrder | None = None
    """None: no backup before the steps."""
    plan_checksum: str | None = None
    """The plan that the run must match; None: any plan is run."""
    owner: Owner | None = None
    """For whom the run is, where the log is to know it; None: a person at a command line."""
    take_over: Owner | None = None
    """The owner whose place this one takes."""
    expected_database: str | None = None
    """The database that the owner has migrated before, as the report names it; None: whichever."""
    intent: str | None = None
    """A resource's intent, as a word: what a person had undone under it is not applied again."""
    order: str | None = None
    """The person's order that the run carries out; what it leads down stays down."""
    order_id: str | None = None
    """What tells that order from any other: the log says whether it has been carried out before."""
    lint: LintPolicy = LintPolicy.OFF
    rehearsal_server: ConnectionTarget | None = None
    """A scratch server on which the pending steps are rehearsed first; None: no rehearsal."""

    def on_scratch(self) -> Options:
        """Those of a run of the same files on a scratch database: the limits alone."""
        return Options(
            lock_timeout=self.lock_timeout,
            statement_lock_timeout_ms=self.statement_lock_timeout_ms,
            statement_timeout_ms=self.statement_timeout_ms,
            out_of_order=OutOfOrder.IGNORE,
            who=self.who,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """The input of a use case."""

    command: str
    """As it was typed, for the report: `goto 3`. Never holds the URL."""
    target: ConnectionTarget
    source: Source | None = None
    """None where a command does not need the files: force, version, drop."""
    options: Options = Options()
    observer: Observer = SILENT
    stop: Stop = field(default_factory=Stop)
