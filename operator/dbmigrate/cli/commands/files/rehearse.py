"""rehearse: every step up, down and up again, in a scratch database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbmigrate.cli.arguments.flags import Flag, is_set
from dbmigrate.cli.arguments.usage import REHEARSE
from dbmigrate.cli.command import HELP, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.answers import Rehearsal, RehearsedStep
    from dbmigrate.runner.request import Request
    from dbmigrate.runner.result import Result

NOWHERE = "host=scratch dbname=scratch"
"""Stands for the target where none is needed; no connection to it is made."""

FLAGS = (
    HELP,
    Flag(
        "dev-url", "A server on which a scratch database may be created (default a temporary one)"
    ),
    Flag("copy", "Start with the schema and the version of the database, not its data", kind=""),
)


def run(invocation: Invocation) -> int:
    """Rehearse; 1 if a step fails, or its down script does not undo it."""
    from dbmigrate.cli.run import FileUse, run_use_case

    dev_url = invocation.values.get("dev-url", "")
    copies = is_set(invocation.values, "copy")

    def use_case(request: Request) -> Result[Rehearsal]:
        from dbmigrate.postgres.connection.target import parse_target
        from dbmigrate.runner.commands.rehearse import RehearsalOrder, rehearse

        server = parse_target(dev_url, {}) if dev_url else None
        return rehearse(request, RehearsalOrder(server, copies))

    return run_use_case(
        invocation,
        use_case,
        files=FileUse.REQUIRED,
        show=_show,
        extra=_document,
        database=None if copies else NOWHERE,
    )


def _show(invocation: Invocation, rehearsal: Rehearsal) -> int:
    count = len(rehearsal.steps)
    final = sum(step.down_milliseconds is None for step in rehearsal.steps)
    if not count:
        invocation.terminal.line("nothing is pending")
        return 0
    for line in _footprint(rehearsal.steps):
        invocation.terminal.line(line)
    text = f"{count - final} of {count} steps went up, down and up again, and nothing was left"
    invocation.terminal.line(text if count > final else "no step has a down script")
    return 0


def _footprint(steps: Sequence[RehearsedStep]) -> Iterator[str]:
    """What the steps would do to tables in use: all rewrites, and the lock that is held longest
    among those of the strongest mode."""
    for step in steps:
        for table in step.rewritten:
            yield f"version {step.version} ({step.name}) rewrites the table {table}"
    held = [
        (lock.strength, step.up_milliseconds, step, lock) for step in steps for lock in step.locks
    ]
    if held:
        _, milliseconds, step, lock = max(held, key=lambda each: each[:2])
        yield (
            f"strongest lock: {lock.mode} on {lock.table}, held for up to {milliseconds} ms by"
            f" version {step.version} ({step.name})"
        )


def _document(rehearsal: Rehearsal) -> Mapping[str, Any]:
    return {"rehearsal": [_describe(step) for step in rehearsal.steps]}


def _describe(step: RehearsedStep) -> Mapping[str, Any]:
    return {
        "version": str(step.version),
        "name": step.name,
        "up": step.up_milliseconds,
        "down": step.down_milliseconds,
        "again": step.again_milliseconds,
        "locks": [{"table": lock.table, "mode": lock.mode} for lock in step.locks],
        "rewritten": list(step.rewritten),
        "left": list(step.left),
    }


COMMAND = Command("rehearse", REHEARSE, run, flags=FLAGS, twins=("dev-url",))
