"""The list of targets where it is in a ConfigMap: whether it is there, and a digest of it.

The Pods read the list. The digest alone says that it has changed, so that another rollout begins;
it is no part of the intent, because what is wanted of each target stays the same.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.targets import ConfigMapTargets, Targets


@dataclass(frozen=True, slots=True)
class TargetList:
    """What the operator knows of the list."""

    digest: str | None = None
    """None: it is in no ConfigMap, or is missing."""
    missing: str | None = None
    """What is not there: it may come by itself."""


NOT_IN_CONFIG_MAP = TargetList()


def read_target_list(targets: Targets, config_map: Document | None) -> TargetList:
    """The list, given the ConfigMap that it is in (None: missing)."""
    if not isinstance(targets, ConfigMapTargets):
        return NOT_IN_CONFIG_MAP
    if config_map is None:
        return TargetList(missing=f"ConfigMap {targets.name} does not exist yet")
    parts = [config_map.get(part) or {} for part in ("data", "binaryData")]
    found = [part[targets.key] for part in parts if targets.key in part]
    if not found:
        return TargetList(missing=f"ConfigMap {targets.name} has no key {targets.key} yet")
    return TargetList(digest=hashlib.sha256(json.dumps(found).encode()).hexdigest()[:20])
