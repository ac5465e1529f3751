"""The input and the output of a decision about a set. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dbmigrate.api.action import Action
from dbmigrate.api.fleet.resource import SetResource
from dbmigrate.api.fleet.status import SetRollback, SetStatus
from dbmigrate.api.fleet.waves import WaveSpec
from dbmigrate.controller.decisions.files import SourceFiles
from dbmigrate.controller.decisions.verdict import Verdict
from dbmigrate.controller.decisions.view import ActionUpdate, Rejection
from dbmigrate.controller.fleet.jobs import FleetJob, ShardPod
from dbmigrate.controller.fleet.target_list import NOT_IN_CONFIG_MAP, TargetList
from dbmigrate.controller.jobs.naming import set_job_name


@dataclass(frozen=True, slots=True)
class FleetOrder:
    """A Job that is to be created."""

    intent: str
    attempt: int
    generation: int
    wave: WaveSpec | None = None
    """None: the survey."""
    shards: int = 1
    allowed_failures: int | None = None
    plans: tuple[str, ...] = ()
    """The checksums of the plans that a wave is held to."""
    rollback: SetRollback | None = None
    """None: the targets go to the template's version."""
    is_new: bool = False
    """Of a survey: whether that order may be an old one, which the targets' logs know."""
    held_intent: str | None = None
    """What the template wants, by which a run knows whether a rollback of before still holds; None:
    a person has ended that."""
    rehearsed_on: str | None = None
    """Of a survey that rehearses: the major version of the scratch server."""

    @property
    def purpose(self) -> str:
        """What the Job is for, as its label says it."""
        if self.wave is not None:
            return "wave"
        return "survey" if self.rehearsed_on is None else "rehearsal"

    def name_for(self, resource: SetResource) -> str:
        """The name of the Job."""
        identity = resource.identity
        purpose = self.purpose if self.wave is None else f"wave/{self.wave.name}"
        if self.rollback is not None:
            purpose += f"/rollback/{self.rollback.version}"
        words = (purpose, str(self.generation), self.intent, str(self.attempt))
        return set_job_name(identity.name, uid=identity.uid, words=words)


@dataclass(frozen=True, slots=True)
class SetView:
    """One set and what belongs to it, at one moment."""

    resource: SetResource
    files: SourceFiles
    jobs: tuple[FleetJob, ...] = ()
    pods: tuple[ShardPod, ...] = ()
    actions: tuple[Action, ...] = ()
    rejection: Rejection | None = None
    resync: timedelta | None = None
    """The operator's own interval; None: never."""
    targets: TargetList = NOT_IN_CONFIG_MAP
    template: str | None = None
    """As in a ResourceView: what a Job's hash of that name would be now; None: no Job differs."""
    since: datetime | None = None
    """When this operator began to work."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """Why the Pods of a Job are missing or do not start, by the Job's name."""
    order_age: timedelta | None = None
    """As in a ResourceView; None: orders of any age are carried out."""

    @property
    def template_intent(self) -> str:
        """A hash of what is wanted of each target."""
        return self.resource.spec.template.intent(self.files.digest)

    def find_job(self, name: str | None) -> FleetJob | None:
        """The Job of that name."""
        return next((job for job in self.jobs if job.name == name), None)

    def pods_of(self, job: FleetJob) -> tuple[ShardPod, ...]:
        """Its Pods."""
        return tuple(each for each in self.pods if each.pod.job == job.name)


@dataclass(frozen=True, slots=True)
class SetConclusion:
    """What is decided besides the status."""

    verdict: Verdict
    order: FleetOrder | None = None
    look_at: datetime | None = None
    withdraw: FleetJob | None = None
    """A Job that never started, and is not wanted any more."""


@dataclass(frozen=True, slots=True)
class SetDecision:
    """The status to write, the Job to create before, and when to look again."""

    status: SetStatus
    order: FleetOrder | None = None
    look_at: datetime | None = None
    discard: tuple[str, ...] = ()
    """Jobs of earlier rollouts."""
    withdraw: tuple[str, ...] = ()
    """Jobs that never started, or that are ended: their Pods begin no further target."""
    updates: tuple[ActionUpdate, ...] = ()
    adopt: tuple[Action, ...] = ()
    """Orders that get the set as their owner, with which they go."""
    expired: tuple[Action, ...] = ()
    rests_on_absence: bool = False
    """Something was not in the view. Only a view fresh from the API server can be acted upon."""
