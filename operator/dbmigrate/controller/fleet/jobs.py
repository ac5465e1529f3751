"""The Jobs of a set and their Pods, as far as decisions need them."""

from __future__ import annotations

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
    image: str = ""
    shards: int = 1
    is_deleting: bool = False
    finished_at: datetime | None = None
    failure_reason: str | None = None
    failure_message: str = ""

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
