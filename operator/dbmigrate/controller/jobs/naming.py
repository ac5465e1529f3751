"""Names of the objects that the operator makes: the same purpose has the same name.

This makes a repeated create harmless, after a crash as well as between two
operators: the second one receives AlreadyExists and adopts the existing object.
"""

from __future__ import annotations

import hashlib

LABEL_LIMIT = 63
"""Characters of a label's value, and of a Job's name (Kubernetes puts it into a label)."""


def job_name(resource: str, *, uid: str, command: str, generation: int, intent: str, n: int) -> str:
    """The name of the Job for the n-th attempt at an intent."""
    return _with_hash(resource, "-", [uid, command, str(generation), intent, str(n)])


def event_name(resource: str, *parts: str) -> str:
    """The name of an event: the same transition has the same name, and is posted once."""
    return _with_hash(resource, ".", list(parts))


def label_value(name: str) -> str:
    """The name as a label's value: itself, or shortened and made unique by a hash."""
    return name if len(name) <= LABEL_LIMIT else _with_hash(name, "-", [name])


def _with_hash(name: str, separator: str, parts: list[str]) -> str:
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]
    head = name[: LABEL_LIMIT - len(separator) - len(digest)].rstrip("-._")
    return f"{head}{separator}{digest}"
