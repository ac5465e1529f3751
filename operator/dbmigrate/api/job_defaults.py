"""Defaults for all runs of an operator, for fields that a resource does not set in spec.job."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from dbmigrate.api.documents import decode
from dbmigrate.api.fields import Fields, SpecError
from dbmigrate.api.spec import JobOptions, parse_job_options

ALLOWED = frozenset(
    {
        "affinity",
        "annotations",
        "dnsConfig",
        "env",
        "hostAliases",
        "imagePullSecrets",
        "initContainers",
        "labels",
        "nodeSelector",
        "podSecurityContext",
        "priorityClassName",
        "resources",
        "runtimeClassName",
        "securityContext",
        "serviceAccountName",
        "tolerations",
        "volumeMounts",
        "volumes",
    }
)
"""The fields of spec.job that may have a default; images have settings of their own."""
MERGED = frozenset({"annotations", "labels", "pod_security_context", "security_context"})
"""Maps that are filled in key by key. Of other fields the resource's own is taken whole."""


def read_job_defaults(text: str) -> JobOptions:
    """The defaults of a JSON object in the form of spec.job; empty: none. Raises SpecError."""
    if not text.strip():
        return JobOptions()
    try:
        document = decode(text)
    except ValueError as problem:
        raise SpecError("job defaults", f"not valid JSON: {problem}") from None
    if not isinstance(document, dict):
        raise SpecError("job defaults", "must be a JSON object")
    unknown = sorted(set(document) - ALLOWED)
    if unknown:
        known = ", ".join(sorted(ALLOWED))
        raise SpecError("job defaults", f"unknown field {unknown[0]!r}; these are known: {known}")
    return parse_job_options(Fields(document, "job defaults"))


def fill_in(own: JobOptions, defaults: JobOptions) -> JobOptions:
    """A resource's own options, with the defaults where it has none."""
    filled: dict[str, Any] = {}
    for name in (each.name for each in fields(JobOptions)):
        mine, default = getattr(own, name), getattr(defaults, name)
        if name in MERGED:
            filled[name] = {**default, **mine}
        elif name == "env":
            named = {variable["name"] for variable in mine}
            filled[name] = [*(each for each in default if each["name"] not in named), *mine]
        elif not mine and name != "rehearsal":
            filled[name] = default
    return replace(own, **filled)
