"""`wait`: until a migration is Ready for its current spec.

It ends with a reason as soon as a person must act, instead of at the timeout.
"""

from __future__ import annotations

import time

from dbmigrate.api.conditions import ConditionType
from dbmigrate.api.version import is_at_least
from dbmigrate.kubectl.collection import observe
from dbmigrate.kubectl.order import NotDone
from dbmigrate.kubectl.requests import WaitRequest
from dbmigrate.kubectl.resource import Resource, explain_missing, migrations, read_resource
from dbmigrate.kubectl.session import CommandContext


def wait_until_ready(session: CommandContext, request: WaitRequest) -> None:
    """Run the command. Raises ClusterError, NotDone."""
    kubectl, screen = session.kubectl, session.screen
    collection = migrations(kubectl.namespace).only(request.name)
    began = time.monotonic()
    told, known = "", False
    for sight in observe(kubectl, collection):
        body = next(iter(sight.objects.values()), None)
        if body is None and known:
            raise NotDone(f"{request.name} was deleted")
        if body is None:
            raise explain_missing(kubectl, request.name)
        known = True
        resource = read_resource(body)
        if has_arrived(resource, request.version):
            version = resource.status.version or "none"
            screen.say(f"{request.name} is ready: the database is at version {version}")
            return
        if resource.is_stalled:
            raise NotDone(f"{request.name} needs a person: {describe_standing(resource)}")
        said = sight.problem or describe_standing(resource)
        if resource.is_ready:
            said += f"; version {request.version} is waited for"
        if said != told:
            screen.note(said)
            told = said
        if request.timeout is not None and time.monotonic() - began >= request.timeout:
            raise NotDone(f"{request.name} was not ready in time: {said}")


def has_arrived(resource: Resource, version: str | None) -> bool:
    """Whether it is Ready, and at that version or above where one is requested."""
    if not resource.is_ready:
        return False
    if version is None:
        return True
    at = resource.status.version
    return at is not None and is_at_least(at, version, resource.form)


def describe_standing(resource: Resource) -> str:
    """The reason and the message, and where they come from."""
    ready = resource.ready
    if ready is None:
        return "no operator has reconciled it yet"
    if not resource.is_observed:
        return f"the operator has not seen generation {resource.identity.generation} yet"
    stalled = resource.status.condition(ConditionType.STALLED)
    reason = stalled.reason if stalled is not None and resource.is_stalled else ready.reason
    message = ready.message.removeprefix(f"{reason}: ")
    return f"{reason}: {message}"
