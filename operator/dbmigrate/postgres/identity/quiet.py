"""The providers' libraries log what they also raise: once is enough."""

from __future__ import annotations

import logging


def silence(*names: str) -> None:
    """Keep what these libraries log from the standard error."""
    for name in names:
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
