"""When a run that failed for a temporary reason is tried again.

The delay doubles from attempt to attempt, up to a limit. Its jitter is a hash of
what is retried, not a random number: two operators, or one that has restarted,
compute the same time.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from dbmigrate.api.spec import Retry

ENVIRONMENT = Retry(initial_delay=timedelta(seconds=30), max_delay=timedelta(minutes=5))
"""For what a person corrects outside of the resource (a Secret, a certificate, a policy): soon
enough to be noticed within a minute, and rare enough to spare the server."""
JITTER = 0.25
"""The part of a delay that the jitter may take away."""


def retry_delay(retry: Retry, *, attempt: int, seed: str) -> timedelta:
    """The delay after an attempt; attempts are counted from 1."""
    # Beyond 2^32 times the first delay any limit is reached; a float stays finite.
    doubled = retry.initial_delay * float(2 ** min(attempt - 1, 32))
    return min(doubled, retry.max_delay) * (1 - JITTER * hash_fraction(f"{seed}/{attempt}"))


def hash_fraction(seed: str) -> float:
    """A number in [0, 1) that depends on the text only."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6], "big") / 2**48
