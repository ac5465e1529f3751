"""`approve`, `retry`, `force`, `rollback`, `repair`: a MigrationAction, made and followed."""

from __future__ import annotations

from dbmigrate.api.action import ActionKind
from dbmigrate.kubectl.asking import ask_about
from dbmigrate.kubectl.order import NotDone, Order, follow, place
from dbmigrate.kubectl.requests import OrderRequest
from dbmigrate.kubectl.resource import Resource, find_resource
from dbmigrate.kubectl.session import CommandContext
from dbmigrate.kubectl.text.advice import advised
from dbmigrate.kubectl.text.plans import NoPlan, describe_plan, find_plan


def give_order(session: CommandContext, request: OrderRequest) -> None:
    """Run the command. Raises ClusterError, NotDone."""
    resource = find_resource(session.kubectl, request.name)
    plan_hash = None
    if request.kind is ActionKind.APPROVE:
        plan_hash = _read_plan(session, request, resource)
        if plan_hash is None:
            return
        question: str | None = f"approve plan {plan_hash} of {resource.name}?"
    else:
        question = ask_about(request.kind, resource, request.version)
    if question is not None and not request.is_agreed and not session.screen.confirm(question):
        raise NotDone("nothing was ordered: the answer was not y")
    order = Order(request.kind, request.name, request.version, plan_hash, request.reason)
    created = place(session.kubectl, session.screen, order)
    if request.is_followed:
        session.screen.say(follow(session.kubectl, session.screen, created, request.timeout))
        if request.kind is ActionKind.APPROVE:
            session.screen.note(f"follow the run with: {advised('wait', resource)}")


def _read_plan(session: CommandContext, request: OrderRequest, resource: Resource) -> str | None:
    """Show the plan; returns the hash of what was shown. None: it is approved already."""
    plan = find_plan(resource)
    if request.plan_hash is not None and request.plan_hash != plan.hash:
        raise NoPlan(f"the plan of {resource.name} is {plan.hash} now, not {request.plan_hash}")
    session.screen.show(describe_plan(resource, plan, session.clock()))
    if resource.is_approved:
        session.screen.note(f"plan {plan.hash} is approved already")
        return None
    return plan.hash
