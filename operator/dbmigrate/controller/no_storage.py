"""Storages for kopf that read and write nothing.

kopf reads its own annotations from each object before any handler runs, and an annotation
that it cannot parse prevents the handlers of that object from running. A user who may write
a resource may write its annotations. This operator keeps its state in the status alone.
"""

from __future__ import annotations

from typing import Any

import kopf


class NoDiffBaseStorage(kopf.DiffBaseStorage):
    """Knows no earlier state of an object and stores none."""

    def build(self, **_: Any) -> Any:
        """No copy of the object is compared."""
        return {}

    def fetch(self, **_: Any) -> None:
        """None, whatever an annotation says."""

    def store(self, **_: Any) -> None:
        """Nothing is stored."""


class NoProgressStorage(kopf.ProgressStorage):
    """Knows no progress of handlers and stores none."""

    def fetch(self, **_: Any) -> None:
        """None, whatever an annotation or the status says."""

    def store(self, **_: Any) -> None:
        """Nothing is stored."""

    def purge(self, **_: Any) -> None:
        """There is nothing to remove."""

    def touch(self, **_: Any) -> None:
        """No annotation is written to provoke an event."""

    def clear(self, *, essence: Any) -> Any:
        """It contains nothing to remove."""
        return essence
