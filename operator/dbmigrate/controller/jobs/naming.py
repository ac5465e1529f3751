"""Names of the objects that the operator makes: the same purpose has the same name.

This makes a repeated create harmless, after a crash as well as between two
operators: the second one receives AlreadyExists and adopts the existing object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

LABEL_LIMIT = 63
"""Characters of a label's value, and of a Job's name (Kubernetes puts it into a label)."""
INDEXED_LIMIT = LABEL_LIMIT - len("-999999")
"""Of the name of an Indexed Job, whose Pods are hosts: name and index are one label of DNS."""


def job_name(resource: str, *, uid: str, command: str, generation: int, intent: str, n: int) -> str:
    """The name of the Job for the n-th attempt at an intent."""
    return _with_hash(resource, "-", [uid, command, str(generation), intent, str(n)])


def set_job_name(name: str, *, uid: str, words: Iterable[str]) -> str:
    """The name of the Job of a set for these words: a label of DNS, with room for an index.

    It has no dots, which the name of a set may have.
    """
    return _with_hash(name.replace(".", "-"), "-", [uid, *words], limit=INDEXED_LIMIT)


def event_name(resource: str, *parts: str) -> str:
    """The name of an event: the same transition has the same name, and is posted once."""
    return _with_hash(resource, ".", list(parts))


def label_value(name: str) -> str:
    """The name as a label's value: itself, or shortened and made unique by a hash."""
    return name if len(name) <= LABEL_LIMIT else _with_hash(name, "-", [name])


def _with_hash(name: str, separator: str, parts: list[str], *, limit: int = LABEL_LIMIT) -> str:
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]
    head = name[: limit - len(separator) - len(digest)].rstrip("-._")
    return f"{head}{separator}{digest}"
