"""Which part of a fleet a target belongs to: by a hash of its name, and of nothing else.

A target that is added or removed moves no other one. The hash is the first eight bytes of the
name's SHA-256, most significant byte first, so that any program can compute it. A shard is taken by
the remainder, a share by the size: the two are independent of each other.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_SIZE = 2**64
_SHARD = re.compile(r"([0-9]{1,7})/([0-9]{1,7})", re.ASCII)


def hash_name(name: str) -> int:
    """The hash of a target's name: 0 to 2**64 - 1."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def position_of(name: str) -> float:
    """Where the name stands in the fleet: from 0 to less than 1."""
    return min(hash_name(name) / _SIZE, 1 - 2**-53)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts."""

    index: int
    """Counted from 0, as the index of a Job is."""
    count: int

    def has(self, name: str) -> bool:
        """Whether the target of that name is in it."""
        return hash_name(name) % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Read `3/200`. Raises ValueError."""
    match = _SHARD.fullmatch(text)
    if match is None:
        raise ValueError("expected INDEX/COUNT, such as 3/200")
    shard = Shard(int(match[1]), int(match[2]))
    if not shard.count:
        raise ValueError("expected INDEX/COUNT, such as 3/200, of at least one shard")
    if shard.index >= shard.count:
        raise ValueError(f"shards are counted from 0, so the index is less than {shard.count}")
    return shard
