"""Pods of runs, as far as decisions need them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

OVERDUE = timedelta(seconds=30)
"""How long after its deadline a Pod may still exist without its node counting as lost."""
NEEDS_CP = (
    " (spec.source.image.mode Copy needs the program cp in the image; mode Volume needs none, on"
    " Kubernetes 1.35 and newer)"
)
"""The message about a copying container that the container runtime could not start."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container of a Pod does not start."""

    reason: str
    message: str
    container: str = ""
    """Its name; empty where the Pod as a whole waits."""


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """How a container of a Pod ended."""

    container: str
    exit_code: int
    reason: str
    """The kubelet's word: Completed, Error, OOMKilled, ..."""
    message: str
    """The termination message: a report, or the last lines of the log."""
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pod:
    """A Pod of a run."""

    namespace: str
    name: str
    uid: str
    migration_uid: str
    job: str
    phase: str
    is_gone: bool = False
    """It has been deleted; its last state is kept as long as its Job exists."""
    node: str | None = None
    started_at: datetime | None = None
    waiting: Waiting | None = None
    has_started: bool = False
    """Whether the runner's container has ever run."""
    held_by: str | None = None
    """What an init container still has to do, which runs and lets the runner wait."""
    ended: ContainerEnd | None = None
    """How the runner's container ended."""
    failed: ContainerEnd | None = None
    """Another container that failed, the first one."""
    disrupted: str | None = None
    """Set when the cluster took the Pod away: the message of DisruptionTarget."""
    status_reason: str | None = None
    """The Pod's own reason, such as Evicted."""
    is_cut_off: bool = False
    """Whether its node has stopped to report: what its containers do is not known."""
    gone_by: datetime | None = None
    """When it must be gone, once its deletion has been asked for."""

    @property
    def has_ended(self) -> bool:
        """Whether all of its containers have."""
        return self.phase in {"Succeeded", "Failed"}

    @property
    def may_be_running(self) -> bool:
        """Whether the runner may be at work in it, or may still start."""
        is_over = self.ended is not None or self.has_ended
        return not self.is_gone and not is_over

    @property
    def has_told(self) -> bool:
        """Whether it shows how the run ended."""
        return self.ended is not None or self.failed is not None

    def has_lost_node(self, now: datetime) -> bool:
        """Whether its node does not answer, as far as is visible."""
        is_overdue = self.gone_by is not None and now > self.gone_by + OVERDUE
        return self.may_be_running and (self.is_cut_off or is_overdue)
