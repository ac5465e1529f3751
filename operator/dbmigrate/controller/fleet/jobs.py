"""The Jobs of a set and their Pods, as far as decisions need them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.runs import RunState


@dataclass(frozen=True, slots=True)
class FleetJob:
    """A Job of a set: the survey, or a wave with a Pod for each shard."""

    namespace: str
    name: str
    uid: str
    set_uid: str
    owner_uid: str | None
    wave: str | None
    """None: the survey."""
    intent: str
    attempt: int
    state: RunState
    created_at: datetime
    generation: int = 0
    """Of the spec that it was made from."""
    template: str = ""
    """The hash of what its Pods were made from besides the order; empty: an older operator has made
    it."""
    ended: int = 0
    """The Pods of it that have ended, by Kubernetes' count."""
    image: str = ""
    shards: int = 1
    is_deleting: bool = False
    is_suspended: bool = False
    """As of a run: it has no Pod until it is resumed."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure_reason: str | None = None
    failure_message: str = ""

    @property
    def runs_since(self) -> datetime:
        """From when on it is to have a Pod: its creation, or when it was resumed."""
        return self.started_at or self.created_at

    @property
    def is_active(self) -> bool:
        """Whether it has not ended yet."""
        return self.state is RunState.ACTIVE


@dataclass(frozen=True, slots=True)
class ShardPod:
    """A Pod of a set's Job."""

    pod: Pod
    shard: int | None
    """The completion index; None: the survey's."""


def has_begun(job: FleetJob, pods: Iterable[ShardPod]) -> bool:
    """Whether the runner has ever started in one of its Pods, so that a database may have been
    reached; also if it may have in a Pod that is gone and that this operator has not seen."""
    known = [each.pod for each in pods if each.pod.job == job.name]
    is_seen = job.ended <= sum(not pod.may_be_running for pod in known)
    return not is_seen or any(pod.has_started for pod in known)
