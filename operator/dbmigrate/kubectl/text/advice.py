"""What a person can do next about a resource, as commands to paste."""

from __future__ import annotations

from dbmigrate.kubectl.resource import Resource
from dbmigrate.report import Reason

ELSEWHERE = frozenset({"DatabaseConflict", "InvalidSpec", "SourceInvalid", "SourceMissing"})
"""Reasons that only a change of the manifests can correct: the operator sees it by itself."""

MENDED_IN_FILES = frozenset(
    {Reason.STATEMENT_FAILED, Reason.LINT_REJECTED, Reason.REHEARSAL_FAILED}
)


def advise(resource: Resource) -> tuple[str, ...]:
    """The commands; none where there is nothing to do but wait."""
    reason = resource.reason
    if resource.is_ready and resource.has_drifted:
        return (advised("drift", resource),)
    if resource.is_ready or reason in ELSEWHERE:
        return ()
    if reason == "AwaitingApproval":
        return advised("approve", resource), advised("plan", resource)
    if resource.status.unfinished is not None:
        return _advise_on_batches(resource)
    if resource.status.dirty:
        return (
            advised("logs", resource),
            f"{advised('repair', resource)}  (cleans up what the failed step left behind)",
            f"{advised('force', resource, 'VERSION')}  (once you have fixed the database by hand)",
        )
    if reason == "RolledBack":
        return (f"{advised('retry', resource)}  (migrates to the target again)",)
    if resource.is_stalled and reason in MENDED_IN_FILES:
        return (
            advised("logs", resource),
            f"{advised('retry', resource)}  (changed files start a run automatically)",
        )
    if resource.is_stalled:
        return advised("logs", resource), advised("retry", resource)
    return ()


def _advise_on_batches(resource: Resource) -> tuple[str, ...]:
    """The next run continues after the last batch: no repair is needed."""
    if not resource.is_stalled:
        return ()
    return (
        advised("logs", resource),
        f"{advised('retry', resource)}  (continues after the last batch)",
    )


def advised(verb: str, resource: Resource, *operands: str) -> str:
    """A command on that resource, independent of the current namespace."""
    identity = resource.identity
    words = ["kubectl dbmigrate", verb, "-n", identity.namespace, identity.name, *operands]
    return " ".join(words)
