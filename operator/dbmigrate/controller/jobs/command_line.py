"""The runner's command line in a Job: one that a person could type.

The operator and the runner meet in two places: here, and in the report. Everything
here is a list of arguments; no shell reads it.
"""

from __future__ import annotations

from math import ceil

from dbmigrate.api.database import DEFAULT_HISTORY_TABLE
from dbmigrate.api.durations import format_duration
from dbmigrate.api.fields import Document
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.source import SourceFormat
from dbmigrate.api.spec import (
    BackupOptions,
    MigrationSpec,
)
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.decisions.runs import CHANGING, MENDING, MOVING, RunCommand
from dbmigrate.policies import ChangedFiles, LintPolicy, OutOfOrder, Rollback

PROGRAM = "dbmigrate"
MOUNT_PATH = "/migrations"
"""Where a run finds the volume of its source."""
TERMINATION_MESSAGE_PATH = "/dev/termination-log"
BACKUP_PATH = "/backups"
REHEARSAL_PATH = "/rehearsal"
REHEARSAL_WAIT = 60
"""Seconds until the scratch server must have come up."""
LINT_VARIABLE = "DBMIGRATE_LINT"
CONFINED_VARIABLE = "DBMIGRATE_CONFINED_TO"
GRACE_VARIABLE = "DBMIGRATE_GRACE_PERIOD"
GRACE_SECONDS = 60
"""From SIGTERM to SIGKILL: the runner rolls the step back, or lets a short one end."""
CONNECT_WAIT_VARIABLE = "DBMIGRATE_CONNECT_WAIT"
CONNECT_WAIT_SECONDS = 60
"""How long a run waits until a proxy in its Pod listens."""
FORMAT_VARIABLE = "DBMIGRATE_FORMAT"
OWNER_VARIABLE = "DBMIGRATE_OWNER"
TAKE_OVER_VARIABLE = "DBMIGRATE_TAKE_OVER"
EXPECT_VARIABLE = "DBMIGRATE_EXPECT_DATABASE"
INTENT_VARIABLE = "DBMIGRATE_INTENT"
ORDER_VARIABLE = "DBMIGRATE_ORDER"
ORDER_ID_VARIABLE = "DBMIGRATE_ORDER_ID"
LINTED = frozenset({RunCommand.GOTO, RunCommand.PLAN})


def run_arguments(
    spec: MigrationSpec,
    command: RunCommand,
    *,
    path: str,
    operands: tuple[str, ...] = (),
    plan_checksum: str | None = None,
    is_rehearsed: bool = False,
) -> list[str]:
    """What follows the program's name. `operands` follow the command."""
    arguments = shared_arguments(spec, path=path)
    is_ordered = command is RunCommand.ROLLBACK
    arguments += _policies(spec, Rollback.ALLOW if is_ordered else spec.rollback)
    if spec.backup is not None and command in CHANGING:
        arguments += ["-backup-to", backup_directory(spec.backup)]
        if spec.backup.keep is not None:
            arguments += ["-backup-keep", str(spec.backup.keep)]
    if spec.lint is LintPolicy.REJECT and command in LINTED:
        arguments += ["-lint", "reject"]
    if is_rehearsed:
        arguments += ["-rehearse-on", rehearsal_address()]
    if plan_checksum is not None:
        arguments += ["-plan-checksum", plan_checksum]
    if command in {RunCommand.GOTO, RunCommand.PLAN} and not operands:
        operands = (spec.target,)
    if command is RunCommand.DRIFT:
        # Drift is an answer: the Job has not failed.
        operands = ("-exit-zero", *(f"-ignore={each}" for each in spec.drift.ignore))
    verb = RunCommand.GOTO if is_ordered else command
    return [literal(argument) for argument in (*arguments, verb.value, *operands)]


def shared_arguments(spec: MigrationSpec, *, path: str) -> list[str]:
    """The arguments of every command of a resource, before the command's own."""
    timeouts = spec.timeouts
    arguments = ["-path", path, "--report", TERMINATION_MESSAGE_PATH]
    if spec.source_format is not SourceFormat.AUTO:
        arguments += ["-format", spec.source_format.value]
    if spec.database.history_table != DEFAULT_HISTORY_TABLE:
        arguments += ["-history-table", spec.database.history_table]
    if spec.database.cloud_login is not None:
        arguments += ["-identity", spec.database.cloud_login.argument]
    if spec.database.role is not None:
        arguments += ["-role", spec.database.role]
    # golang-migrate's flag takes whole seconds.
    arguments += ["-lock-timeout", str(ceil(timeouts.lock.total_seconds()))]
    if timeouts.lock_acquisition is None:
        arguments += ["-statement-lock-timeout", "none"]
    else:
        arguments += ["-statement-lock-timeout", format_duration(timeouts.lock_acquisition)]
    if timeouts.statement is not None:
        arguments += ["-statement-timeout", format_duration(timeouts.statement)]
    return arguments


def run_environment(spec: MigrationSpec, command: RunCommand) -> list[Document]:
    """The runner's settings as environment variables.

    Warn is the default of every resource and only advisory: a runner of spec.job.image that is too
    old to know lint would reject an option, and ignores a variable. The same holds for the grace
    period, for the directory that the source's links must not leave, and for the time in which a
    proxy in the Pod has to answer.
    """
    env = shared_environment()
    if spec.lint is LintPolicy.WARN and command in LINTED:
        env.insert(0, {"name": LINT_VARIABLE, "value": "warn"})
    if spec.job.has_sidecars:
        env.append({"name": CONNECT_WAIT_VARIABLE, "value": f"{CONNECT_WAIT_SECONDS}s"})
    return env


def rehearsal_address() -> str:
    """The address of the scratch server in the Pod."""
    server = f"host={REHEARSAL_PATH} user=postgres dbname=postgres"
    return f"{server} connect_timeout={REHEARSAL_WAIT}"


def shared_environment() -> list[Document]:
    """The variables of every run."""
    confined = {"name": CONFINED_VARIABLE, "value": MOUNT_PATH}
    grace = {"name": GRACE_VARIABLE, "value": f"{GRACE_SECONDS}s"}
    return [grace, confined]


def format_environment(spec: MigrationSpec, status: MigrationStatus) -> list[Document]:
    """The format that `auto` has once led to: what the files look like later does not change it.

    Another one is an order, in spec.source.format.
    """
    if spec.source_format is not SourceFormat.AUTO or status.format not in set(SourceFormat):
        return []
    return [{"name": FORMAT_VARIABLE, "value": status.format}]


def ownership_environment(
    migration: MigrationResource,
    command: RunCommand,
    *,
    cluster: str,
    intent: str,
    ordered_by: str | None,
    order_id: str | None,
    take_over: str | None,
) -> list[Document]:
    """For whom a run is that changes the database, and what it serves.

    Every resource has these, and a runner of spec.job.image that is too old to know of them
    works as before. Without an intent nothing is held back: a person has ordered the run.
    """
    if command not in MOVING | MENDING:
        return []
    identity, is_rollback = migration.identity, command is RunCommand.ROLLBACK
    is_own = command is RunCommand.GOTO and ordered_by is None
    known, database = migration.status.database, migration.spec.database
    has_changed = known is not None and known.reached_by != database.checksum
    variables = {
        OWNER_VARIABLE: f"{cluster}/{identity.namespace}/{identity.name}#{identity.uid}",
        TAKE_OVER_VARIABLE: take_over or migration.spec.take_over,
        EXPECT_VARIABLE: known.id if known is not None and has_changed else None,
        INTENT_VARIABLE: intent if is_rollback or is_own else None,
        ORDER_VARIABLE: ordered_by if is_rollback else None,
        ORDER_ID_VARIABLE: order_id,
    }
    return [{"name": name, "value": literal(value)} for name, value in variables.items() if value]


def backup_directory(backup: BackupOptions) -> str:
    """The directory for backups."""
    return f"{BACKUP_PATH}/{backup.claim.path}" if backup.claim.path else BACKUP_PATH


def literal(text: str) -> str:
    """The text, escaped for a Pod: the kubelet replaces `$(NAME)` by the variable's value.

    A path that names a variable would otherwise show a Secret's value in an error.
    """
    return text.replace("$", "$$")


def _policies(spec: MigrationSpec, rollback: Rollback) -> list[str]:
    """Only what differs from the runner's own defaults, to keep the lines short."""
    arguments = ["-rollback", rollback.value]
    if spec.out_of_order is not OutOfOrder.REJECT:
        arguments += ["-out-of-order", spec.out_of_order.value]
    if spec.changed_files is not ChangedFiles.REJECT:
        arguments += ["-changed-files", spec.changed_files.value]
    return arguments
