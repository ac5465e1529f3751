"""A refusal of the API server, in the words of the resource. Pure.

The API server judges a Job and names the fields of the Job. Where a resource has put such a
field there, the refusal names the resource's own field, which must be corrected.
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


def name_fields(
    message: str, job: Document, options: JobOptions, *, within: str = "spec.job"
) -> str:
    """The refusal of that Job, with the Job's fields replaced by the resource's (`within`)."""
    pod: Document = job["spec"]["template"]["spec"]
    runner = next(i for i, c in enumerate(pod["containers"]) if c["name"] == RUNNER_CONTAINER)

    def item(match: re.Match[str]) -> str:
        place = _find_place(match[1], pod.get(match[1]), int(match[2]), options)
        return match[0] if place is None else f"{within}.{place}"

    def of_runner(match: re.Match[str]) -> str:
        if int(match[1]) != runner:
            return match[0]
        listed = pod["containers"][runner].get(match[2])
        place = _find_place(match[2], listed, int(match[3]), options)
        return match[0] if place is None else f"{within}.{place}"

    def part_of_runner(match: re.Match[str]) -> str:
        return f"{within}.{match[2]}" if int(match[1]) == runner else match[0]

    def part(match: re.Match[str]) -> str:
        return f"{within}.{_OTHER_NAMES.get(match[1], match[1])}"

    message = _ITEM.sub(item, message)
    message = _RUNNERS.sub(of_runner, message)
    message = _RUNNERS_PART.sub(part_of_runner, message)
    message = _PART.sub(part, message)
    return _META.sub(lambda match: f"{within}.{match[1]}", message)


def _find_place(name: str, listed: Any, index: int, options: JobOptions) -> str | None:
    """The item of that list in the resource; None where it is not the resource's."""
    if not isinstance(listed, list) or index >= len(listed):
        return None
    own: list[Document] = getattr(options, _FIELDS[name])
    place = next((i for i, each in enumerate(own) if each is listed[index]), None)
    return None if place is None else f"{name}[{place}]"
