"""Containers that the cluster puts into Pods, as a service mesh does: by an admission policy."""

from __future__ import annotations

import json
from typing import Any

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def make_policy(name: str, kind: str, container: dict[str, Any]) -> list[tuple[str, Any]]:
    """A policy, by path, that adds one container to each new Pod of the namespace `name`.

    `kind` is the list it goes to: `containers` or `initContainers`.
    """
    path, literal = f"/spec/{kind}", _as_cel(container, f"Object.spec.{kind}")
    more = f'JSONPatch{{op: "add", path: "{path}/-", value: {literal}}}'
    # A list with a container in it makes the API server (1.36) hang up: an empty one does not.
    first = f'JSONPatch{{op: "add", path: "{path}", value: []}}, {more}'
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    expression = f"has(object.spec.{kind}) ? [{more}] : [{first}]"
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    binding = {"policyName": name, "matchResources": {"namespaceSelector": selector}}
    metadata = {"metadata": {"name": name}}
    return [
        (f"{ADMISSION}/mutatingadmissionpolicies", {**metadata, "spec": spec}),
        (f"{ADMISSION}/mutatingadmissionpolicybindings", {**metadata, "spec": binding}),
    ]


def _as_cel(container: dict[str, Any], kind: str) -> str:
    """A container as a literal of the policy's language; it fits Pod Security `restricted`."""
    fields = [f"{name}: {json.dumps(value)}" for name, value in container.items()]
    security = f"{kind}.securityContext"
    fields.append(
        f"securityContext: {security}{{allowPrivilegeEscalation: false, runAsUser: 65532,"
        f' capabilities: {security}.capabilities{{drop: ["ALL"]}}}}'
    )
    return f"{kind}{{{', '.join(fields)}}}"
