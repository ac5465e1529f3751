"""The checksum of a plan: what a person has approved, in 64 characters.

It is a chain from the last step to the first. After an interrupted run, the steps
that remain, preceded by the steps that the log has recorded since, have the same
checksum, so the run may continue the same plan. Any other change (another version,
another direction, an edited script) results in another checksum.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.report import Reason
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.sources.migration import Direction
from dbmigrate.versions import Version

_END = hashlib.sha256(b"dbmigrate plan").hexdigest()


def checksum_of(steps: Sequence[PlannedStep]) -> str:
    """SHA-256 over all steps, in hexadecimal. Reads their scripts.

    Raises MigrationError (SourceInvalid) for a script that can't be read.
    """
    link = _END
    for step in reversed(steps):
        checksum = step.script.checksum() if step.script else None
        link = _put_before(link, step.version, step.direction, checksum)
    return link


def require_plan(wanted: str, steps: Sequence[PlannedStep], log: Iterable[LogRow]) -> None:
    """Check that the steps are those of the plan, or its remaining ones.

    `wanted` may be several checksums with commas between: of a fleet's targets each has one of
    the plans that were agreed to.
    `log` are the rows that changed something, the newest first; no more of them are taken than
    one plan can have left: no plan runs a script twice.

    Raises MigrationError: PlanChanged, SourceInvalid.
    """
    link = found = checksum_of(steps)
    accepted = wanted.split(",")
    if link in accepted:
        return
    seen = {(str(step.version), step.name, step.direction.value) for step in steps}
    for row in log:
        key = (str(row.version), row.name, row.direction)
        if row.version is None or row.direction not in set(Direction) or key in seen:
            break  # the version was moved without a step: earlier rows do not belong to the plan
        seen.add(key)
        link = _put_before(link, row.version, row.direction, row.checksum)
        if link in accepted:
            return
    count = f"{len(steps)} step{'' if len(steps) == 1 else 's'}"
    raise MigrationError(
        Reason.PLAN_CHANGED,
        f"the plan has changed: it has {count} and the checksum {found} now, not {wanted}",
        hint="look at `dbmigrate plan` again, and agree to what it says now",
    )


def _put_before(link: str, version: Version, direction: str, checksum: str | None) -> str:
    step = f"{direction} {version} {checksum or '-'}\n{link}"
    return hashlib.sha256(step.encode()).hexdigest()
