"""`plan`: the plan that waits for approval, as the resource's status holds it."""

from __future__ import annotations

import json

from dbmigrate.kubectl.requests import Output, PlanRequest
from dbmigrate.kubectl.resource import find_resource
from dbmigrate.kubectl.session import CommandContext
from dbmigrate.kubectl.text.plans import describe_plan, find_plan


def show_plan(session: CommandContext, request: PlanRequest) -> None:
    """Run the command. Raises ClusterError, also where there is no plan."""
    resource = find_resource(session.kubectl, request.name)
    plan = find_plan(resource)
    if request.output is Output.JSON:
        session.screen.document(json.dumps(resource.body["status"]["plan"], indent=2))
    else:
        session.screen.show(describe_plan(resource, plan, session.clock()))
