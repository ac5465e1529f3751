"""The one error that says: this machine has no cluster for the tests, and why."""

from __future__ import annotations


class ClusterUnavailable(Exception):
    """The tests cannot have a cluster here; the message says what is missing and what to do."""
