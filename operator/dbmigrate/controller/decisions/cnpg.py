"""Whether a cluster of CloudNativePG's, and a database in it, can be migrated. Pure.

Read are the status that CloudNativePG writes, and nothing else of its objects. A cluster counts
as ready with its condition Ready, or while its primary is healthy and no other instance is to
take its place: a replica that is missing keeps no migration waiting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dbmigrate.api.conditions import shorten
from dbmigrate.api.fields import Document

_SAID = 200
"""Characters of what CloudNativePG says."""


def judge_cluster(cluster: Document) -> str | None:
    """Why the Cluster is not ready; None: it is."""
    status = _mapping(cluster.get("status"))
    conditions = status.get("conditions")
    for each in conditions if isinstance(conditions, list) else ():
        if _mapping(each).get("type") == "Ready" and each.get("status") == "True":
            return None
    primary, wanted = status.get("currentPrimary"), status.get("targetPrimary")
    healthy = _mapping(status.get("instancesStatus")).get("healthy")
    if primary and primary == wanted and isinstance(healthy, list) and primary in healthy:
        return None
    said = _say(status.get("phase"), status.get("phaseReason"))
    return f"CloudNativePG's Cluster {_name(cluster)} is not ready{said}"


def judge_database(databases: Iterable[Document], cluster: str, name: str) -> str | None:
    """Why the database is not there yet; None: it is, or no Database object describes it."""
    for each in databases:
        spec, status = _mapping(each.get("spec")), _mapping(each.get("status"))
        if spec.get("name") != name or _mapping(spec.get("cluster")).get("name") != cluster:
            continue
        generation = _mapping(each.get("metadata")).get("generation")
        if status.get("applied") is True and status.get("observedGeneration") == generation:
            continue
        return f"CloudNativePG's Database {_name(each)} is not applied{_say(status.get('message'))}"
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _name(body: Document) -> str:
    return str(_mapping(body.get("metadata")).get("name"))


def _say(*texts: Any) -> str:
    said = ": ".join(text for text in texts if isinstance(text, str) and text)
    return f": {shorten(said, _SAID)}" if said else ""
