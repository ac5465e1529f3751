"""wait: until the database has the version that an application needs.

For init containers and readiness probes: needs to read the history and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import Flag, is_given, is_set, one_of
from dbmigrate.cli.arguments.numbers import read_duration
from dbmigrate.cli.arguments.operands import check_version, version_for
from dbmigrate.cli.arguments.usage import WAIT
from dbmigrate.cli.command import HELP, ArgumentError, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.postgres.connection.target import ConnectionTarget
    from dbmigrate.postgres.history.orm_history import Orm
    from dbmigrate.runner.commands.read_only.wait import OrmMigration
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result, VersionState
    from dbmigrate.versions import Version

TOOLS = ("alembic", "django", "rails", "prisma")


FLAGS = (
    HELP,
    Flag("version", "The version to wait for, or a later one", kind="version"),
    Flag("latest", "Wait for the newest version in the source (default)", kind=""),
    Flag("once", "Check once; fail only if the database is known to be behind", kind=""),
    Flag(
        "history",
        "Wait for a migration of alembic, django, rails or prisma, by its own name",
        check=one_of(TOOLS),
        kind="tool",
    ),
    Flag(
        "timeout",
        "How long to wait: 5m, 90s; none waits without limit (default none)",
        check=read_duration,
        kind="duration",
    ),
)


EXCLUSIVE = (("version", "latest"), ("history", "latest"), ("once", "timeout"))
PLAIN = "golang-migrate"


def run(invocation: Invocation) -> int:
    """Wait for it."""
    values = invocation.values
    given = {flag.name for flag in FLAGS if is_given(flag, values)}
    for one, other in EXCLUSIVE:
        if {one, other} <= given:
            raise ArgumentError(f"-{one} and -{other} are mutually exclusive")
    tool = values.get("history")
    text = values.get("version")
    if tool is not None and not text:
        raise ArgumentError("-history needs -version with the name of a migration")
    if tool == "django" and text and not all(text.split(".")):
        raise ArgumentError("-version of a migration of Django's is APP.NAME, or NAME alone")
    if text is not None and tool is None:
        check_version(text, invocation.options)
    if tool is not None:
        # The table is that tool's, whatever the files of this one look like.
        options = invocation.options._replace(format=PLAIN)
        invocation = invocation._replace(options=options)
    is_probe = is_set(values, "once")
    timeout = read_duration(values.get("timeout", "none"))
    from dbmigrate.cli.run import FileUse, run_use_case

    def use_case(request: Request) -> Result[VersionState]:
        from dataclasses import replace

        from dbmigrate.runner.commands.read_only.wait import OrmMigration, wait

        wanted: Version | OrmMigration | None
        if tool is not None and text is not None:
            from dbmigrate.postgres.history.orm_history import Orm

            orm = Orm(tool)
            wanted = OrmMigration(orm, text)
            request = replace(request, target=_with_table(request.target, orm))
        else:
            wanted = version_for(request, text)
        return wait(request, version=wanted, timeout=timeout, is_probe=is_probe)

    return run_use_case(
        invocation,
        use_case,
        files=FileUse.REQUIRED if text is None else FileUse.NONE,
        show=lambda *_: 0,
    )


def _with_table(target: ConnectionTarget, orm: Orm) -> ConnectionTarget:
    """The ORM's own table, unless another name was given."""
    from dataclasses import replace

    from dbmigrate.postgres.connection.target import DEFAULT_TABLE

    history = target.history
    name = orm.table if history.name == DEFAULT_TABLE else history.name
    return replace(target, history=replace(history, name=name))


COMMAND = Command(
    "wait",
    WAIT,
    run,
    flags=FLAGS,
    twins=tuple(flag.name for flag in FLAGS if flag is not HELP),
    exclusive=EXCLUSIVE,
)
