"""What a command needs: cluster, screen and clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dbmigrate.kubectl.client import Kubectl
from dbmigrate.kubectl.screen import Screen


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The cluster, the screen, and the time."""

    kubectl: Kubectl
    screen: Screen
    clock: Callable[[], datetime]
