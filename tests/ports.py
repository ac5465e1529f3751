"""Free TCP ports on the loopback."""

from __future__ import annotations

import random
import socket

FIRST, LAST = 20_000, 32_000
"""Below the range from which the kernel picks ports for outgoing connections: a part that
is stopped and started again finds its port still free."""


def free_port() -> int:
    """A port that nothing listens on now."""
    for _ in range(200):
        port = random.randrange(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port between {FIRST} and {LAST}")
