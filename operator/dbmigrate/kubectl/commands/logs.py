"""`logs`: the log of the newest run.

Checks of the database are skipped while there is another run. With -f a run that has
not started yet is waited for.
"""

from __future__ import annotations

from dbmigrate.kubectl.collection import list_all, observe
from dbmigrate.kubectl.pods import RunPod, choose_pod, pods_of
from dbmigrate.kubectl.problems import RequestFailed
from dbmigrate.kubectl.requests import LogsRequest
from dbmigrate.kubectl.resource import Resource, find_resource
from dbmigrate.kubectl.session import CommandContext
from dbmigrate.printable import lines


def show_logs(session: CommandContext, request: LogsRequest) -> None:
    """Run the command. Raises ClusterError, also when there is no log."""
    resource = find_resource(session.kubectl, request.name)
    pod = _wait_for_pod(session, request, resource)
    if pod is None:
        raise RequestFailed(_explain_no_pod(resource, request.job))
    if not pod.has_log:
        raise RequestFailed(f"Pod {pod.name} of Job {pod.job} has no log yet: {pod.waiting}")
    session.screen.note(f"Job {pod.job} ({pod.command}), Pod {pod.name}: {pod.phase}")
    session.kubectl.show_logs(pod.namespace, pod.name, pod.container, follow=request.is_following)


def _wait_for_pod(
    session: CommandContext, request: LogsRequest, resource: Resource
) -> RunPod | None:
    identity = resource.identity
    collection = pods_of(identity.namespace, identity.uid)
    if not request.is_following:
        return choose_pod(list_all(session.kubectl, collection).objects.values(), request.job)
    told = ""
    for sight in observe(session.kubectl, collection):
        pod = choose_pod(sight.objects.values(), request.job)
        if pod is not None and pod.has_log:
            return pod
        said = f"waiting for a run of {resource.name}"
        if pod is not None:
            said = f"waiting for Pod {pod.name}: {pod.waiting}"
        if said != told:
            session.screen.note(said)
            told = said
    return None


def _explain_no_pod(resource: Resource, job: str | None) -> str:
    if job is not None:
        return f"{resource.name} has no Pod of a Job {job}"
    last = resource.status.last_run
    if last is None:
        return f"{resource.name} has had no run yet; -f waits for one"
    outcome = last.outcome.value if last.outcome is not None else "not known to have ended"
    said = f": {last.error.message}" if last.error is not None else ""
    return lines(
        f"no Pod of {resource.name} is left; its last run, Job {last.job}, was {outcome}{said}"
    )
