"""An event loop whose clock moves on by itself when there is nothing to do but wait."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Selector(selectors.DefaultSelector):
    """It does not wait: it notes how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("nothing is left to wait for")
        self.passed += max(timeout, 0.0)
        return super().select(0)


class VirtualTime(asyncio.SelectorEventLoop):
    """Its clock begins at 0 and stands still while tasks work."""

    def __init__(self) -> None:
        self._own = _Selector()
        super().__init__(self._own)

    def time(self) -> float:
        return self._own.passed


def run_virtually(scenario: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine, whose waiting takes no time."""
    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        return runner.run(scenario)
