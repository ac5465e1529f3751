"""What this node honours of a Pod, field by field; all else it refuses.

These are lists of what is known, so that a field of a later Kubernetes is refused,
too. A test on this node never passes because something was silently left out. Fields
marked as without effect are those whose effect cannot be seen by the container's
program, or which README.md lists as not enforced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.cluster.api import Document

POD = frozenset(
    """activeDeadlineSeconds automountServiceAccountToken containers hostAliases hostname
    initContainers nodeName nodeSelector restartPolicy securityContext serviceAccount
    serviceAccountName terminationGracePeriodSeconds volumes""".split()
)
POD_WITHOUT_EFFECT = frozenset(
    """dnsPolicy enableServiceLinks imagePullSecrets os preemptionPolicy priority
    priorityClassName schedulerName schedulingGates tolerations""".split()
)
CONTAINER = frozenset(
    """args command env envFrom image name securityContext terminationMessagePath
    terminationMessagePolicy volumeMounts workingDir""".split()
)
CONTAINER_WITHOUT_EFFECT = frozenset("imagePullPolicy ports resources".split())
VOLUMES = frozenset(
    "configMap downwardAPI emptyDir image persistentVolumeClaim projected secret".split()
)
SOURCES = frozenset("configMap downwardAPI secret serviceAccountToken".split())
"""Of a projected volume."""
VALUES = frozenset("configMapKeyRef fieldRef secretKeyRef".split())
"""Where an environment variable may come from."""
ITEM = frozenset("fieldRef mode path".split())
"""Of a downward API volume."""
MOUNT = frozenset("mountPath name readOnly recursiveReadOnly subPath".split())
POD_SECURITY = frozenset(
    "fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seccompProfile".split()
)
CONTAINER_SECURITY = frozenset(
    """allowPrivilegeEscalation capabilities readOnlyRootFilesystem runAsGroup runAsNonRoot
    runAsUser seccompProfile""".split()
)


def find_refusal(pod: Document) -> str | None:
    """The first thing that cannot be honoured, as `field: why`, or None."""
    return next(_refusals(pod["spec"]), None)


def _refusals(spec: Document) -> Iterator[str]:
    yield from _unknown("spec", spec, POD | POD_WITHOUT_EFFECT)
    yield from _security("spec.securityContext", spec.get("securityContext"), POD_SECURITY)
    for volume in spec.get("volumes", []):
        yield from _volume(f"spec.volumes[{volume['name']}]", volume)
    for kind, fields in (("initContainers", {"restartPolicy"}), ("containers", set())):
        for container in spec.get(kind, []):
            yield from _container(f"spec.{kind}[{container['name']}]", container, fields)


def _volume(where: str, volume: Document) -> Iterator[str]:
    yield from _unknown(where, volume, VOLUMES | {"name"})
    sources = (volume.get("projected") or {}).get("sources") or []
    for number, source in enumerate(sources):
        yield from _unknown(f"{where}.projected.sources[{number}]", source, SOURCES)
    for source in [volume, *sources]:
        for item in (source.get("downwardAPI") or {}).get("items", []):
            yield from _unknown(f"{where}.downwardAPI[{item['path']}]", item, ITEM)


def _container(where: str, container: Document, more: set[str]) -> Iterator[str]:
    yield from _unknown(where, container, CONTAINER | CONTAINER_WITHOUT_EFFECT | more)
    if container.get("restartPolicy", "Always") != "Always":
        yield f"{where}.restartPolicy: an init container is a sidecar (Always), or has none"
    security = container.get("securityContext")
    yield from _security(f"{where}.securityContext", security, CONTAINER_SECURITY)
    for mount in container.get("volumeMounts", []):
        yield from _unknown(f"{where}.volumeMounts[{mount['name']}]", mount, MOUNT)
    for variable in container.get("env", []):
        yield from _unknown(
            f"{where}.env[{variable['name']}].valueFrom", variable.get("valueFrom") or {}, VALUES
        )
    for number, port in enumerate(container.get("ports", [])):
        if port.get("hostPort"):
            yield f"{where}.ports[{number}].hostPort: all Pods share the machine's network"


def _security(where: str, context: Document | None, known: Iterable[str]) -> Iterator[str]:
    context = context or {}
    yield from _unknown(where, context, known)
    if added := context.get("capabilities", {}).get("add"):
        yield f"{where}.capabilities.add: {added}"
    profile = context.get("seccompProfile", {}).get("type", "RuntimeDefault")
    if profile == "Localhost":
        yield f"{where}.seccompProfile: profiles of the node"


def _unknown(where: str, document: Document, known: Iterable[str]) -> Iterator[str]:
    for name in sorted(set(document) - set(known)):
        if document[name] not in (False, None, [], {}, ""):
            yield f"{where}.{name}: this field"
