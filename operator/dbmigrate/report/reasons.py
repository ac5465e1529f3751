"""How a run ended, and why it failed."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a run ended."""

    APPLIED = "Applied"
    UP_TO_DATE = "UpToDate"
    ROLLED_BACK = "RolledBack"
    WAITING = "Waiting"
    FAILED = "Failed"


class Reason(StrEnum):
    """Why a run failed: a closed vocabulary, shared with the resource's status."""

    CONNECTION_REFUSED = "ConnectionRefused"
    HOST_NOT_FOUND = "HostNotFound"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    TLS_FAILED = "TlsFailed"
    CONNECTION_INVALID = "ConnectionInvalid"
    """The URL, or another setting of the connection, with which no login can work."""
    DATABASE_MISSING = "DatabaseMissing"
    LOCK_TIMEOUT = "LockTimeout"
    BLOCKED_BY_QUERY = "BlockedByQuery"
    STATEMENT_FAILED = "StatementFailed"
    DIRTY = "Dirty"
    DATABASE_CONFLICT = "DatabaseConflict"
    ROLLED_BACK = "RolledBack"
    MISSING_VERSION = "MissingVersion"
    OUT_OF_ORDER = "OutOfOrder"
    CHECKSUM_MISMATCH = "ChecksumMismatch"
    ROLLBACK_FORBIDDEN = "RollbackForbidden"
    IRREVERSIBLE_MIGRATION = "IrreversibleMigration"
    SOURCE_INVALID = "SourceInvalid"
    FOREIGN_HISTORY = "ForeignHistory"
    POOLER_UNSAFE = "PoolerUnsafe"
    INTERRUPTED = "Interrupted"
    CONNECTION_LOST = "ConnectionLost"
    BACKUP_FAILED = "BackupFailed"
    PLAN_CHANGED = "PlanChanged"
    ALREADY_DONE = "AlreadyDone"
    """An order that the database's log has as carried out."""
    LINT_REJECTED = "LintRejected"
    REHEARSAL_FAILED = "RehearsalFailed"
    REHEARSAL_UNAVAILABLE = "RehearsalUnavailable"
    RUNNER_OUTDATED = "RunnerOutdated"
    """The operator's word: the runner's image lacks what the resource asks for."""
    INTERNAL = "Internal"


RETRYABLE = frozenset(
    {
        Reason.CONNECTION_REFUSED,
        Reason.HOST_NOT_FOUND,
        Reason.CONNECTION_LOST,
        Reason.DATABASE_MISSING,
        Reason.LOCK_TIMEOUT,
        Reason.BLOCKED_BY_QUERY,
        Reason.INTERRUPTED,
        Reason.REHEARSAL_UNAVAILABLE,
    }
)
"""Reasons that may go away by themselves: trying again can help."""
