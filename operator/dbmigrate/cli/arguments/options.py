"""The options before the command, and their environment variables.

golang-migrate's own come first, with its names and defaults. Each `-some-flag`
can also be set as DBMIGRATE_SOME_FLAG; an option wins over its variable, and an empty
variable counts as unset. The database is also taken from DATABASE_URL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dbmigrate.cli.arguments.flags import (
    FALSE,
    TRUE,
    Flag,
    UsageError,
    each_value,
    is_set,
    no_address,
    one_of,
    parse_flags,
    present,
    quote,
)
from dbmigrate.cli.arguments.numbers import read_duration, read_seconds, read_unsigned
from dbmigrate.policies import OWNER_LIMIT
from dbmigrate.secret_variables import HIDDEN, secret_variables

DEFAULT_LOCK_TIMEOUT = 15.0
DEFAULT_STATEMENT_LOCK_TIMEOUT = 5.0
ROLE_LIMIT = 63
"""PostgreSQL cuts longer names."""


class GlobalOptions(NamedTuple):
    """All options before the command, read and checked."""

    database: str
    """A URL or a keyword string, as given; empty: the PG* variables. May hold a password."""
    source: str
    """A URL (file://...) or empty. Wins over the path."""
    path: str
    """A directory, or empty."""
    lock_timeout: float | None
    """Seconds to wait for the migration lock; None: no limit."""
    statement_lock_timeout: float | None
    """Seconds a statement may wait for a lock on a table; None: no limit."""
    connect_wait: float | None
    """Seconds in which a server that refuses the first connection may come up; None: no limit."""
    concurrent_lock_timeout: float | None
    """The same for CREATE INDEX CONCURRENTLY and others that block no other session."""
    statement_timeout: float | None
    """Seconds a statement may run; None: what the URL or the server says."""
    format: str
    """The format of the migration files; auto: the one that they have."""
    history_table: str
    """`table` or `schema.table`; empty: what the URL says."""
    history_owner: str
    """A role that may own the history's tables, or empty."""
    identity: str
    """The identity of a cloud provider that logs in, as given, or empty."""
    role: str
    """The role that the run acts as after its login, or empty."""
    may_roll_back: bool | None
    """Whether `goto` and `down` may run down scripts; None: not said, as with golang-migrate."""
    out_of_order: str | None
    """reject, apply or ignore: what to do with a file below the version that was never applied;
    None: not said, which is reject unless the files' own settings say otherwise."""
    changed_files: str | None
    """reject or warn: what to do with a file that was edited after it was applied; None: as
    above."""
    backup_to: str
    """The directory for a backup before the first step, or empty."""
    backup_keep: int | None
    """How many backups of the database stay there; None: all."""
    plan_checksum: str
    """The plan that the run must match, or empty."""
    owner: str
    """For whom the run is, or empty."""
    take_over: str
    """The owner whose place that one takes, or empty."""
    expect_database: str
    """The database that the owner has migrated before, or empty."""
    intent: str
    """A resource's intent, as a word, or empty."""
    order: str
    """The person's order that is carried out, or empty."""
    order_id: str
    """What tells it from other orders, or empty."""
    lint: str
    """reject, warn or off: how to handle lint's findings in the pending files."""
    rehearse_on: str
    """A scratch server on which the steps are rehearsed first, or empty."""
    archives: tuple[str, ...]
    """The directory of the files that a squashed one has replaced, or empty."""
    confined_to: str
    """The directory that no file of the source may lie outside of, or empty."""
    verbose: bool
    json: bool
    grace_period: float | None
    """Seconds from SIGTERM to SIGKILL; None: not known."""
    report: str
    """The file that the report is written to, or empty."""
    show_version: bool
    show_help: bool


def _checksum(text: str) -> object:
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise ValueError("expected the 64 characters of planChecksum, as `plan -json` has it")
    return text


def _owner(text: str) -> object:
    if not text or len(text) > OWNER_LIMIT or not text.isprintable() or " " in text:
        raise ValueError(f"expected a word of at most {OWNER_LIMIT} characters")
    return text


def _database_id(text: str) -> object:
    if re.fullmatch(r"[0-9]{1,20}-[0-9]{1,10}", text, re.ASCII) is None:
        raise ValueError("expected a system identifier and an oid: 7412345678901234567-16384")
    return text


def _identity(text: str) -> object:
    from dbmigrate.postgres.identity.identity import parse_identity

    return parse_identity(text)


def _role(text: str) -> object:
    if not text or len(text) > ROLE_LIMIT or re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError(f"expected the name of a role, of at most {ROLE_LIMIT} characters")
    return no_address(text)


def _line(text: str) -> object:
    if not text or len(text) > OWNER_LIMIT or not text.isprintable():
        raise ValueError(f"expected a line of at most {OWNER_LIMIT} characters")
    return text


FLAGS = (
    Flag("source"),
    Flag("path"),
    Flag("database"),
    Flag("prefetch", check=read_unsigned, kind="uint"),
    Flag("lock-timeout", check=read_seconds, kind="uint"),
    Flag("verbose", kind=""),
    Flag("version", kind=""),
    Flag("help", kind=""),
    Flag("format", check=one_of(("auto", "golang-migrate", "goose", "dbmate", "atlas", "flyway"))),
    Flag("history-table", check=no_address),
    Flag("history-owner"),
    Flag("identity", check=_identity),
    Flag("role", check=_role),
    Flag("statement-lock-timeout", check=read_duration, kind="duration"),
    Flag("connect-wait", check=read_duration, kind="duration"),
    Flag("concurrent-lock-timeout", check=read_duration, kind="duration"),
    Flag("statement-timeout", check=read_duration, kind="duration"),
    Flag("rollback", check=one_of(("allow", "forbid"))),
    Flag("out-of-order", check=one_of(("reject", "apply", "ignore"))),
    Flag("changed-files", check=one_of(("reject", "warn"))),
    Flag("backup-to", check=no_address),
    Flag("backup-keep", check=read_unsigned, kind="uint"),
    Flag("plan-checksum", check=_checksum),
    Flag("owner", check=_owner),
    Flag("take-over", check=_owner),
    Flag("expect-database", check=_database_id),
    Flag("intent", check=_owner),
    Flag("order", check=_line),
    Flag("order-id", check=_line),
    Flag("lint", check=one_of(("reject", "warn", "off"))),
    Flag("rehearse-on"),
    Flag("archive", check=no_address, is_repeated=True),
    Flag("confined-to", check=no_address),
    Flag("grace-period", check=read_duration, kind="duration"),
    Flag("json", kind=""),
    Flag("report", check=no_address),
)
NAMES = frozenset(flag.name for flag in FLAGS)
_WITHOUT_TWIN = frozenset(("version", "help"))


def parse_options(
    args: Sequence[str], environ: Mapping[str, str]
) -> tuple[GlobalOptions, list[str]]:
    """The options, and the command with all that follows it.

    Raises UsageError for an invalid option or variable, which it names.
    """
    given, rest = parse_flags(FLAGS, args)
    values = _twins(environ) | given
    if "path" in given and "source" not in given:
        values.pop("source", None)  # a variable does not replace a flag
    return (
        GlobalOptions(
            database=values.get("database") or environ.get("DATABASE_URL", ""),
            source=values.get("source", ""),
            path=values.get("path", ""),
            lock_timeout=_lock_timeout(values),
            statement_lock_timeout=_limit(
                values.get("statement-lock-timeout"), DEFAULT_STATEMENT_LOCK_TIMEOUT
            ),
            connect_wait=_limit(values.get("connect-wait"), 0.0),
            concurrent_lock_timeout=_limit(values.get("concurrent-lock-timeout"), None),
            statement_timeout=_limit(values.get("statement-timeout"), None),
            grace_period=_limit(values.get("grace-period"), None),
            format=values.get("format", "auto"),
            history_table=values.get("history-table", ""),
            history_owner=values.get("history-owner", ""),
            identity=values.get("identity", ""),
            role=values.get("role", ""),
            may_roll_back=values["rollback"] == "allow" if "rollback" in values else None,
            out_of_order=values.get("out-of-order"),
            changed_files=values.get("changed-files"),
            backup_to=values.get("backup-to", ""),
            backup_keep=read_unsigned(values["backup-keep"]) or None
            if "backup-keep" in values
            else None,
            plan_checksum=values.get("plan-checksum", ""),
            owner=values.get("owner", ""),
            take_over=values.get("take-over", ""),
            expect_database=values.get("expect-database", ""),
            intent=values.get("intent", ""),
            order=values.get("order", ""),
            order_id=values.get("order-id", ""),
            lint=values.get("lint", "off"),
            rehearse_on=values.get("rehearse-on", ""),
            archives=each_value(values, "archive"),
            confined_to=values.get("confined-to", ""),
            verbose=is_set(values, "verbose"),
            json=is_set(values, "json"),
            report=values.get("report", ""),
            show_version=is_set(values, "version"),
            show_help=is_set(values, "help"),
        ),
        rest,
    )


def find_report_file(args: Sequence[str], environ: Mapping[str, str]) -> str:
    """The file of -report, even if the command line is invalid elsewhere; empty if none.

    The value may be what is invalid: the address of a database is no file, and not shown.
    """
    path = environ.get(twin_of("report"), "")
    for index, argument in enumerate(args):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name == "report":
            path = value if equals else "".join(args[index + 1 : index + 2])
            break
    return path if present(path) == path else ""


def twin_of(name: str, command: str = "") -> str:
    """The environment variable with the flag's meaning."""
    return "_".join(filter(None, ("DBMIGRATE", command, name))).upper().replace("-", "_")


def read_twins(
    flags: Sequence[Flag], environ: Mapping[str, str], command: str = ""
) -> dict[str, str]:
    """The values of the flags' variables that are set. Raises UsageError, naming the variable."""
    values = {}
    for flag in flags:
        name = twin_of(flag.name, command)
        value = environ.get(name, "")
        if not value:
            continue
        try:
            if flag.is_boolean and value not in TRUE | FALSE:
                raise ValueError("expected true or false")
            if not flag.is_boolean:
                flag.check(value)
        except ValueError as error:
            if name in secret_variables(environ):
                raise UsageError(f"invalid value for {name} {HIDDEN}") from None
            problem = f"invalid value {quote(present(value))} for {name}: "
            raise UsageError(problem + present(str(error))) from None
        values[flag.name] = value
    return values


def _twins(environ: Mapping[str, str]) -> dict[str, str]:
    return read_twins([flag for flag in FLAGS if flag.name not in _WITHOUT_TWIN], environ)


def _lock_timeout(values: Mapping[str, str]) -> float | None:
    text = values.get("lock-timeout")
    return DEFAULT_LOCK_TIMEOUT if text is None else read_seconds(text)


def _limit(text: str | None, default: float | None) -> float | None:
    """Seconds; zero means no limit, as it does for PostgreSQL's own settings."""
    return default if text is None else read_duration(text) or 0.0
