"""The policies of a run, shared by the command line, the runner and the resources.

The values are the command line's words; a resource has them with a capital letter.
"""

from __future__ import annotations

from enum import StrEnum

OWNER_LIMIT = 700
"""Characters of an owner: a cluster, a namespace, a name and a uid."""


class Rollback(StrEnum):
    """Whether a run may go below the version of the database."""

    FORBID = "forbid"
    """No: RollbackForbidden."""
    ALLOW = "allow"
    """Yes; `goto` only if every version on the way has a down script, else
    IrreversibleMigration. Who types `down` wants just that."""


class OutOfOrder(StrEnum):
    """What to do about a version below the database's that was never applied."""

    REJECT = "reject"
    APPLY = "apply"
    IGNORE = "ignore"


class ChangedFiles(StrEnum):
    """What to do about an up file that was edited after it was applied."""

    REJECT = "reject"
    WARN = "warn"


class Transactions(StrEnum):
    """What is one transaction, where the files leave the choice; Atlas's words."""

    FILE = "file"
    """Each file, if its statements can be in one."""
    NONE = "none"
    """Nothing: files run statement by statement."""
    ALL = "all"
    """All files of a run: if one fails, none was applied."""


class LintPolicy(StrEnum):
    """What to do about lint's findings in the pending up scripts."""

    REJECT = "reject"
    """An error of lint stops the run before it has changed anything: LintRejected."""
    WARN = "warn"
    OFF = "off"
    """Not even look."""


def resource_word(policy: StrEnum) -> str:
    """The resource's word for a policy."""
    return policy.value.capitalize()
