"""A MigrationAction: creating one, and following it to its end.

The order is in force once it is created: interrupting the command does not stop it.
Only the operator writes its status; an order without a status is reported after a
while, because there may be no operator.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from dbmigrate.api.action import ENDED, Action, ActionKind, ActionPhase, parse_action
from dbmigrate.api.fields import Document
from dbmigrate.api.names import ACTION_KIND, ACTIONS, API_VERSION, GROUP
from dbmigrate.kubectl.client import Kubectl
from dbmigrate.kubectl.collection import Collection, ResourceList, key_of, observe
from dbmigrate.kubectl.problems import RequestFailed
from dbmigrate.kubectl.resource import find_resource
from dbmigrate.kubectl.screen import Screen
from dbmigrate.printable import lines

NAME_PREFIX = 58
"""Characters of generateName that the API server keeps; more than 253 it refuses."""
PATIENCE = 10.0
"""Seconds after which an order that no operator has started is reported."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is ordered."""

    kind: ActionKind
    migration: str
    """The name of the resource that it is for."""
    version: str | None = None
    plan_hash: str | None = None
    reason: str = ""
    is_for_set: bool = False

    def _prefix(self) -> str:
        """The prefix of its generated name: the server keeps 58 characters, the kind among them."""
        tail = f"-{self.kind.value.lower()}-"
        return self.migration[: NAME_PREFIX - len(tail)].rstrip("-.") + tail

    def to_dict(self, namespace: str) -> Document:
        """The MigrationAction, as a document for the API server."""
        spec = {
            "set" if self.is_for_set else "migration": self.migration,
            "action": self.kind.value,
            "version": self.version,
            "planHash": self.plan_hash,
            "reason": self.reason or None,
        }
        return {
            "apiVersion": API_VERSION,
            "kind": ACTION_KIND,
            "metadata": {
                "generateName": self._prefix(),
                "namespace": namespace,
            },
            "spec": {name: value for name, value in spec.items() if value is not None},
        }


class NotDone(Exception):
    """The order was refused, failed, or has not ended in time; the message says which and why."""


def place(kubectl: Kubectl, screen: Screen, order: Order) -> Document:
    """Create the MigrationAction. Raises ClusterError when it was not accepted."""
    collection = Collection(ACTIONS, kubectl.namespace)
    created = kubectl.create(collection.path, order.to_dict(kubectl.namespace))
    screen.say(f"migrationaction.{GROUP}/{created['metadata']['name']} created")
    return created


def follow(kubectl: Kubectl, screen: Screen, created: Document, timeout: float | None) -> str:
    """Wait for the end of an order; returns its success message. `timeout` is in seconds.

    Raises NotDone, ClusterError.
    """
    key = key_of(created)
    metadata = created["metadata"]
    collection = Collection(ACTIONS, kubectl.namespace).only(metadata["name"])
    start = ResourceList({key: created}, metadata["resourceVersion"])
    began = time.monotonic()
    told, has_hinted = "", False
    for sight in observe(kubectl, collection, start):
        body = sight.objects.get(key)
        if body is None:
            raise NotDone(f"MigrationAction {key[1]} has been deleted before it ended")
        action = parse_action(body)
        if action.phase in ENDED:
            return _conclude(action)
        waited = time.monotonic() - began
        said = sight.problem or describe_phase(action)
        if said != told and (sight.problem or action.is_acknowledged):
            screen.note(said)
            told = said
        if not action.is_acknowledged and waited >= PATIENCE and not has_hinted:
            screen.note(_explain_silence(kubectl, action))
            has_hinted = True
        if timeout is not None and waited >= timeout:
            raise NotDone(_explain_delay(kubectl, action))
    raise AssertionError("an observer never ends by itself")


def describe_phase(action: Action) -> str:
    """Its progress, in a line."""
    message = lines(action.message)
    return f"{action.phase.value}: {message}" if message else action.phase.value


def _conclude(action: Action) -> str:
    if action.phase is ActionPhase.SUCCEEDED:
        return describe_phase(action)
    what = f"{action.kind} of {action.migration}"
    outcome = "was refused" if action.phase is ActionPhase.REFUSED else "failed"
    raise NotDone(f"{what} {outcome}: {lines(action.message)}")


def _explain_delay(kubectl: Kubectl, action: Action) -> str:
    """Why the command stops waiting for an order, and how to follow it further."""
    said = describe_phase(action)
    if not action.is_acknowledged:
        said = _explain_silence(kubectl, action)
    return (
        f"MigrationAction {action.name} has not ended in time: {said}\n"
        f"it stays ordered: kubectl get -n {action.namespace} dbma {action.name}"
    )


def _explain_silence(kubectl: Kubectl, action: Action) -> str:
    """Why an order may be waiting: a run comes first, or there is no operator."""
    try:
        ready = find_resource(kubectl, action.migration).ready
    except RequestFailed:
        ready = None
    doing = f"; {action.migration} says {ready.reason}: {ready.message}" if ready else ""
    return (
        f"MigrationAction {action.name} has not been taken up yet: a run that is under way comes "
        f"first, or no operator runs for namespace {action.namespace}{lines(doing)}"
    )
