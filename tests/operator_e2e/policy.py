"""An admission policy that refuses some statuses of one namespace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster import Namespace
from tests.cluster.waiting import eventually


@contextmanager
def refused_status(
    namespace: Namespace, resource: str, name: str, *, expression: str, probe: dict[str, Any]
) -> Iterator[str]:
    """Statuses of `resource` for which the expression is false are refused; the message of that.

    `name` is one of them that is there, and `probe` a status that is refused.
    """
    message = "this part is not kept here"
    title = f"refused-{resource}-{namespace.name}"
    rule = {
        "apiGroups": ["dbmigrate.dev"],
        "apiVersions": ["*"],
        "operations": ["UPDATE"],
        "resources": [f"{resource}/status"],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}}
    kinds = {
        "ValidatingAdmissionPolicy": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression, "message": message}],
        },
        "ValidatingAdmissionPolicyBinding": {
            "policyName": title,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": selector},
        },
    }
    cluster = namespace.cluster

    def is_in_force() -> bool:
        words = ["patch", resource, name, "--namespace", namespace.name, "--subresource=status"]
        words += ["--type=merge", f"--patch={json.dumps({'status': probe})}", "--dry-run=server"]
        return message in cluster.kubectl(*words, check=False)

    try:
        for kind, spec in kinds.items():
            body = {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": title},
                "spec": spec,
            }
            cluster.kubectl("apply", "--filename=-", stdin=json.dumps(body))
        eventually(is_in_force, what="the policy")
        yield message
    finally:
        for kind in kinds:
            cluster.kubectl("delete", "--ignore-not-found", kind, title)
