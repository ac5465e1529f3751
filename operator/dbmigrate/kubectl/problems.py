"""Errors of the cluster, read from kubectl's messages, and what to do about them.

kubectl ends with 1 for every error; its messages differ. Only this module reads them:

    ClusterError
        Missing        the object does not exist
        Unreachable    no answer now: the same request may succeed later

A refusal names the verb, the resource and the ClusterRole that has the right.
"""

from __future__ import annotations

import re

from dbmigrate.api.names import ACTIONS, GROUP, MIGRATIONS
from dbmigrate.printable import lines


class RequestFailed(Exception):
    """The cluster did not do what was requested; the message says why and what to do."""


class Missing(RequestFailed):
    """There is no such object."""


class Unreachable(RequestFailed):
    """The API server does not answer, or asks to try later."""


VIEW, ACT = "dbmigrate-view", "dbmigrate-actions"
"""The ClusterRoles of deploy/; the chart's begin with the release's name."""
ROLES = {
    ("create", ACTIONS): ACT,
    ("get", ACTIONS): VIEW,
    ("list", ACTIONS): VIEW,
    ("watch", ACTIONS): VIEW,
    ("get", MIGRATIONS): VIEW,
    ("list", MIGRATIONS): VIEW,
    ("watch", MIGRATIONS): VIEW,
}
KUBERNETES_ROLE = "view"
"""Has the Pods and their logs."""

_STATUS = re.compile(r"^(?:error: )?error from server \((?P<reason>\w+)\): ", re.IGNORECASE)
_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]+)")?'
)
_LATER = frozenset({"ServiceUnavailable", "InternalError", "Timeout", "TooManyRequests"})
_SILENT = ("The connection to the server", "Unable to connect to the server")
_ERROR_LINE = re.compile(
    r"^(error from server|error:|The connection to the server|Unable to connect to the server"
    r'|The \w+ ".*" is invalid)',
    re.IGNORECASE,
)


def begins_error(line: str) -> bool:
    """Whether kubectl's error begins here; what is before may be a login's prompt."""
    return _ERROR_LINE.match(line) is not None


def is_answer(said: str) -> bool:
    """Whether the API server reported this error, and not a failed connection to it."""
    return _STATUS.match(said) is not None


def translate(said: str) -> RequestFailed:
    """The error for kubectl's message on standard error."""
    text = lines(said).strip()
    found = _STATUS.match(text)
    if found is None:
        if text.startswith(_SILENT):
            return Unreachable(f"the API server does not answer: {text}")
        plain = text.removeprefix("error: ") or "kubectl failed and did not say why"
        return RequestFailed(plain)
    reason, message = found["reason"], text[found.end() :]
    if reason == "NotFound":
        return _translate_missing(message)
    if reason == "Forbidden":
        return RequestFailed(_explain_forbidden(message))
    if reason in _LATER:
        return Unreachable(f"the API server can't answer now: {message}")
    return RequestFailed(message)


def _translate_missing(message: str) -> RequestFailed:
    if "could not find the requested resource" in message:
        return RequestFailed(
            f"this cluster does not know DatabaseMigration ({MIGRATIONS}.{GROUP}): install the "
            "operator (kubectl apply -k deploy, or the Helm chart), or choose another --context"
        )
    return Missing(message)


def _explain_forbidden(message: str) -> str:
    found = _FORBIDDEN.search(message)
    if found is None:
        return f"forbidden: {message}"
    verb, resource, namespace = found["verb"], found["resource"], found["namespace"]
    full = f"{resource}.{found['group']}" if found["group"] else resource
    where = f"in namespace {namespace}" if namespace else "in all namespaces"
    said = f"forbidden: {found['user']} may not {verb} {full} {where}"
    role = ROLES.get((verb, resource))
    if role is None:
        return f"{said}\nKubernetes' own ClusterRole {KUBERNETES_ROLE} allows it"
    return (
        f"{said}\nthe ClusterRole {role} allows it (where the Helm chart installed the operator, "
        f"the one whose name ends in {role.removeprefix('dbmigrate')})"
    )
