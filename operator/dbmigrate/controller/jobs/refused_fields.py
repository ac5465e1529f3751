"""A refusal of the API server, in the words of the resource. Pure.

The API server judges a Job and names the fields of the Job. Where a resource has put such a
field there, the refusal names the resource's own: that is the one to be corrected.
"""

from __future__ import annotations

import re
from typing import Any

from dbmigrate.api.fields import Document
from dbmigrate.api.names import RUNNER_CONTAINER
from dbmigrate.api.spec import JobOptions

_POD = r"(?:spec\.template\.)?spec\."
_ITEM = re.compile(rf"\b{_POD}(initContainers|volumes|hostAliases|tolerations)\[(\d+)\]")
_RUNNERS = re.compile(rf"\b{_POD}containers\[(\d+)\]\.(volumeMounts|env)\[(\d+)\]")
_RUNNERS_PART = re.compile(rf"\b{_POD}containers\[(\d+)\]\.(resources|securityContext|image)\b")
_PART = re.compile(
    # Without a number it is the list: a value of the wrong type is refused before it is counted.
    rf"\b{_POD}(initContainers|volumes|hostAliases|tolerations|dnsConfig|runtimeClassName"
    r"|affinity|nodeSelector|priorityClassName|imagePullSecrets|serviceAccountName"
    r"|securityContext)\b(?!\[)"
)
_META = re.compile(r"\b(?:spec\.template\.)?metadata\.(labels|annotations)\b")
_FIELDS = {
    "tolerations": "tolerations",
    "initContainers": "init_containers",
    "volumes": "volumes",
    "hostAliases": "host_aliases",
    "volumeMounts": "volume_mounts",
    "env": "env",
}
"""The lists of a Pod, by the options that they come from."""
_OTHER_NAMES = {"securityContext": "podSecurityContext"}
STRICT = ("init_containers", "volumes", "volume_mounts", "host_aliases", "dns_config")
"""Options in which an unknown field is refused: `restartPolcy` would make a proxy a container
that has to end before the runner begins. In the older ones it has always been dropped."""


def needs_strictness(options: JobOptions) -> bool:
    """Whether the API server is to refuse unknown fields of the Job."""
    return any(getattr(options, name) for name in STRICT)


def name_fields(message: str, job: Document, options: JobOptions) -> str:
    """The refusal of that Job, with the resource's fields in the place of the Job's."""
    pod: Document = job["spec"]["template"]["spec"]
    runner = next(i for i, c in enumerate(pod["containers"]) if c["name"] == RUNNER_CONTAINER)

    def item(match: re.Match[str]) -> str:
        return _find_item(match[0], match[1], pod.get(match[1]), int(match[2]), options)

    def of_runner(match: re.Match[str]) -> str:
        if int(match[1]) != runner:
            return match[0]
        listed = pod["containers"][runner].get(match[2])
        return _find_item(match[0], match[2], listed, int(match[3]), options)

    def part_of_runner(match: re.Match[str]) -> str:
        return f"spec.job.{match[2]}" if int(match[1]) == runner else match[0]

    def part(match: re.Match[str]) -> str:
        return f"spec.job.{_OTHER_NAMES.get(match[1], match[1])}"

    message = _ITEM.sub(item, message)
    message = _RUNNERS.sub(of_runner, message)
    message = _RUNNERS_PART.sub(part_of_runner, message)
    message = _PART.sub(part, message)
    return _META.sub(lambda match: f"spec.job.{match[1]}", message)


def _find_item(said: str, name: str, listed: Any, index: int, options: JobOptions) -> str:
    """The place of the item in the resource; what was said, where it is not the resource's."""
    if not isinstance(listed, list) or index >= len(listed):
        return said
    own: list[Document] = getattr(options, _FIELDS[name])
    place = next((i for i, each in enumerate(own) if each is listed[index]), None)
    return said if place is None else f"spec.job.{name}[{place}]"
