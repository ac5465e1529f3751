"""What an active run is doing, or waiting for.

A Pod that cannot start has the reason in its container's waiting state, and a Job without
a Pod has it in its events. Kubernetes tries again by itself, so it is enough that a missing
Secret appears; the operator reports what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from dbmigrate.api.names import COPY_CONTAINER, REHEARSAL_CONTAINER
from dbmigrate.controller.decisions.pods import NEEDS_CP, Pod, Waiting
from dbmigrate.controller.decisions.runs import JobRun
from dbmigrate.controller.decisions.verdict import Verdict, VerdictReason, in_progress
from dbmigrate.timestamps import format_timestamp

LOOK_INTERVAL = timedelta(seconds=60)
"""How often a resource is looked at that waits for something: a watch event may be lost."""
SLOW_START = timedelta(minutes=1)
"""After this time, a Pod that is not running yet is reported, whatever the reason."""
WITHOUT_POD = tuple(timedelta(seconds=age) for age in (5, 20))
"""The ages of a Job at which it is looked at while it has no Pod: nothing but its events tell why.
They count from its start time, which the Job controller writes when it has tried to make the Pod.
Before that it has no events, and a thousand Jobs at once keep the Job controller busy for a minute.
A Pod tells by itself what it waits for."""
CREATING = (timedelta(seconds=20),)
"""The same while its Pod's container is being created: of a volume only the Pod's events tell."""

SUSPENDED = "is suspended, by a queue such as Kueue or by a policy: it starts when it is resumed"
_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
_START_REASONS = frozenset({"CreateContainerError", "RunContainerError"})
_CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError"})


class ActiveJob(Protocol):
    """A Job, of a resource or of a set."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def runs_since(self) -> datetime: ...
    @property
    def is_active(self) -> bool: ...
    @property
    def is_deleting(self) -> bool: ...
    @property
    def is_suspended(self) -> bool: ...


def describe_progress(
    run: JobRun, pods: Iterable[Pod], troubles: Mapping[str, str], now: datetime
) -> Verdict:
    """The verdict for an active run of the present intent."""
    label = f"Job {run.name} (attempt {run.attempt})"
    # One sentence from the Job's creation to its end: each change of it would be a write.
    at_work = in_progress(VerdictReason.RUNNING, f"{label} is at work")
    pod = _find_pod(run, pods)
    if pod is not None and pod.has_lost_node(now):
        return describe_lost_node(pod, run.deadline_at, now)
    if run.is_deleting:
        return in_progress(VerdictReason.WAITING_FOR_RUN, f"{label} is being deleted")
    if run.is_suspended:
        return in_progress(VerdictReason.JOB_SUSPENDED, f"{label} {SUSPENDED}")
    if pod is not None and pod.has_started and not _waits_for_scratch_server(pod):
        return at_work
    trouble, is_slow = troubles.get(run.name), now - run.runs_since > SLOW_START
    if pod is None:
        if trouble is None and not is_slow:
            return at_work
        text = f"has no Pod: {trouble}" if trouble else "has no Pod yet: see its events"
        return in_progress(VerdictReason.POD_NOT_STARTING, f"{label} {text}")
    if pod.waiting is None:
        if pod.held_by is None or not is_slow:
            return at_work
        text = f"{label} waits: {pod.held_by}"
        return in_progress(VerdictReason.POD_NOT_STARTING, text)
    return describe_waiting(label, pod, pod.waiting, trouble, is_slow=is_slow) or at_work


def describe_lost_node(pod: Pod, deadline_at: datetime | None, now: datetime) -> Verdict:
    """The node of a Pod has stopped reporting, so whether its runner is at work is unknown."""
    text = (
        f"node {pod.node} does not answer, so whether Pod {pod.name} on it is still at work is not"
        " known: nothing is started until the node is back or the Pod is gone"
    )
    if deadline_at is not None:
        tense = "was" if now >= deadline_at else "is"
        text += f" (the run's deadline {tense} {format_timestamp(deadline_at)})"
    return in_progress(VerdictReason.NODE_LOST, text)


def needs_events(run: ActiveJob, pods: Iterable[Pod], now: datetime) -> str | None:
    """The uid of the object whose events may say why a run does not start; None: not needed."""
    pod = _find_pod(run, pods)
    ages = _ages_of_interest(run, pod)
    if not run.is_active or run.is_deleting or run.is_suspended:
        return None
    if not ages or now - run.runs_since < ages[0]:
        return None
    return pod.uid if pod is not None else run.uid


def next_look(run: ActiveJob, pods: Iterable[Pod], now: datetime) -> datetime:
    """When to look at an active run again if no event arrives before."""
    if run.is_suspended:
        return now + LOOK_INTERVAL
    age = now - run.runs_since
    ahead = [each - age for each in _ages_of_interest(run, _find_pod(run, pods)) if each > age]
    return now + min([*ahead, LOOK_INTERVAL])


def _find_pod(run: ActiveJob, pods: Iterable[Pod]) -> Pod | None:
    return next((pod for pod in pods if pod.job == run.name and not pod.is_gone), None)


def _waits_for_scratch_server(pod: Pod) -> bool:
    """Whether the runner is ready and its scratch server is not; other sidecars do not matter."""
    return pod.waiting is not None and pod.waiting.container == REHEARSAL_CONTAINER


def _ages_of_interest(run: ActiveJob, pod: Pod | None) -> tuple[timedelta, ...]:
    if pod is None:
        return WITHOUT_POD if run.started_at is not None else ()
    is_creating = pod.waiting is not None and pod.waiting.reason == "ContainerCreating"
    return CREATING if is_creating and not pod.has_started else ()


def describe_waiting(
    label: str, pod: Pod, waiting: Waiting, trouble: str | None, *, is_slow: bool
) -> Verdict | None:
    """What the Pod waits for; None: nothing unusual."""
    said = f"{label} waits: {waiting.message or waiting.reason}"
    if waiting.reason in _IMAGE_REASONS:
        return in_progress(VerdictReason.IMAGE_PULL_FAILED, said)
    if waiting.reason in _START_REASONS and waiting.container == COPY_CONTAINER:
        said += NEEDS_CP
    if waiting.reason in _CONFIG_REASONS:
        if "secret" in waiting.message.lower():
            return in_progress(VerdictReason.SECRET_MISSING, said)
        return in_progress(VerdictReason.POD_NOT_STARTING, said)
    if waiting.reason == "ContainerCreating":
        if trouble is None and not is_slow:
            return None
        why = trouble or f"see kubectl describe pod {pod.name}"
        text = f"{label} waits for its volumes or network: {why}"
        return in_progress(VerdictReason.POD_NOT_STARTING, text)
    return in_progress(VerdictReason.POD_NOT_STARTING, said)
