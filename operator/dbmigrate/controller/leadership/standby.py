"""Working while holding the Lease, and waiting while another operator holds it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from dbmigrate.controller.leadership.elector import Elector

log = logging.getLogger(__name__)


async def work_as_leader(
    elector: Elector,
    work: Callable[[], Awaitable[None]],
    *,
    on_change: Callable[[bool], None],
) -> None:
    """Do the work, which ends when it is cancelled or fails, whenever the Lease is ours.

    `on_change` is called before the work begins, and after it has ended. Runs until
    cancelled, and gives up the Lease then. Raises what the work raises.
    """
    log.info("standing by")
    while True:
        await elector.acquire()
        log.info("leading")
        tasks = {
            asyncio.ensure_future(elector.hold()),
            asyncio.ensure_future(_call(work)),
        }
        on_change(True)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            on_change(False)
            # All work has ended, or can no longer be written.
            await elector.release()
        for task in done:
            task.result()
        log.warning("the lease was lost; standing by")


async def _call(work: Callable[[], Awaitable[None]]) -> None:
    await work()
