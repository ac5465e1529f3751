"""A container's environment, and `$(VARIABLE)` references to it, as the kubelet makes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.cluster.api import Document
from tests.cluster.node.lookup import Lookup, Missing
from tests.cluster.node.pod import read_field
from tests.cluster.node.problems import MissingConfig, Refused

REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; `$$` is a dollar sign, and an unknown reference stays as it is."""

    def replace(found: re.Match[str]) -> str:
        if found[1] == "$":
            return "$"
        return variables.get(found[2], found[0])

    return REFERENCE.sub(replace, text)


def build_environment(pod: Document, container: Document, lookup: Lookup) -> dict[str, str]:
    """envFrom, then env in its order. MissingConfig names what is not there."""
    variables: dict[str, str] = {}
    for source in container.get("envFrom", []):
        variables |= _take_all(source, lookup)
    for entry in container.get("env", []):
        if "valueFrom" in entry:
            value = _take_one(pod, entry["valueFrom"], lookup)
            if value is not None:
                variables[entry["name"]] = value
        else:
            variables[entry["name"]] = expand(entry.get("value", ""), variables)
    return variables


def _take_all(source: Document, lookup: Lookup) -> dict[str, str]:
    prefix = source.get("prefix", "")
    reference = source.get("secretRef") or source.get("configMapRef")
    if reference is None:
        raise Refused(f"envFrom of {sorted(source)} is not known to this node")
    read = lookup.secret if "secretRef" in source else lookup.config_map
    try:
        values = read(reference["name"])
    except Missing as problem:
        if reference.get("optional"):
            return {}
        raise MissingConfig(str(problem)) from None
    return {f"{prefix}{key}": value.decode() for key, value in values.items()}


def _take_one(pod: Document, source: Document, lookup: Lookup) -> str | None:
    """The value, or None for an optional reference to nothing."""
    if reference := source.get("fieldRef"):
        return read_field(pod, reference["fieldPath"])
    if reference := source.get("secretKeyRef"):
        return _take_key(reference, lookup, "Secret")
    if reference := source.get("configMapKeyRef"):
        return _take_key(reference, lookup, "ConfigMap")
    raise Refused(f"env valueFrom {sorted(source)} is not known to this node")


def _take_key(reference: Document, lookup: Lookup, kind: str) -> str | None:
    name, key = reference["name"], reference["key"]
    try:
        values = lookup.secret(name) if kind == "Secret" else lookup.config_map(name)
    except Missing as problem:
        if reference.get("optional"):
            return None
        raise MissingConfig(str(problem)) from None
    if key in values:
        return values[key].decode()
    if reference.get("optional"):
        return None
    raise MissingConfig(f"couldn't find key {key} in {kind} {lookup.namespace}/{name}")
