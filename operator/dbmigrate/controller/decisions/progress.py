"""What a run that is under way is doing, or waiting for.

A Pod that can't start says why in its container's waiting reason. The kubelet
tries again by itself, so a Secret that appears heals it; our part is to say what
is missing instead of waiting in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from dbmigrate.controller.decisions.runs import JobRun, Pod, Waiting
from dbmigrate.controller.decisions.verdict import Verdict, VerdictReason, on_its_way

SLOW_START = timedelta(minutes=1)
"""From here on a Pod that is not running yet is worth a word."""

_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
_CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError"})


def describe_progress(run: JobRun, pods: Iterable[Pod], now: datetime) -> Verdict:
    """The verdict for a run of the present intent that has not ended."""
    label = f"Job {run.name} (attempt {run.attempt})"
    # One sentence from the Job's creation to its end: each other one would be a write.
    at_work = on_its_way(VerdictReason.RUNNING, f"{label} is at work")
    pod = next((p for p in pods if p.job == run.name and not p.is_gone), None)
    if run.is_deleting:
        return on_its_way(VerdictReason.WAITING_FOR_RUN, f"{label} is being deleted")
    if pod is None:
        if now - run.created_at > SLOW_START:
            text = f"{label} has no Pod yet: see kubectl describe job {run.name}"
            return on_its_way(VerdictReason.POD_NOT_STARTING, text)
        return at_work
    if pod.waiting is not None:
        return _describe_waiting(label, pod, pod.waiting, now - run.created_at) or at_work
    return at_work


def _describe_waiting(label: str, pod: Pod, waiting: Waiting, age: timedelta) -> Verdict | None:
    """What the Pod waits for; None: for nothing out of the ordinary."""
    said = f"{label} waits: {waiting.message or waiting.reason}"
    if waiting.reason in _IMAGE_REASONS:
        return on_its_way(VerdictReason.IMAGE_PULL_FAILED, said)
    if waiting.reason in _CONFIG_REASONS:
        if "secret" in waiting.message.lower():
            return on_its_way(VerdictReason.SECRET_MISSING, said)
        return on_its_way(VerdictReason.POD_NOT_STARTING, said)
    if waiting.reason == "ContainerCreating":
        if age <= SLOW_START:
            return None
        text = f"{label} waits for its volumes or network: see kubectl describe pod {pod.name}"
        return on_its_way(VerdictReason.POD_NOT_STARTING, text)
    return on_its_way(VerdictReason.POD_NOT_STARTING, said)
