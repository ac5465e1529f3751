"""`drift`: how the live schema differs from what the migrations make, as the status holds it."""

from __future__ import annotations

import json

from dbmigrate.kubectl.requests import DriftRequest, Output
from dbmigrate.kubectl.resource import find_resource
from dbmigrate.kubectl.session import CommandContext
from dbmigrate.kubectl.text.drift import describe_drift, find_drift


def show_drift(session: CommandContext, request: DriftRequest) -> None:
    """Run the command. Raises ClusterError, also where nothing was compared."""
    resource = find_resource(session.kubectl, request.name)
    found = find_drift(resource)
    if request.output is Output.JSON:
        session.screen.document(json.dumps(resource.body["status"]["drift"], indent=2))
    else:
        session.screen.show(describe_drift(resource, found, session.clock()))
