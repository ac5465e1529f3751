"""Whether the custom resources are there, and of which schema.

Without them there is nothing to work on. The operator waits for them: after a deletion by mistake
they are applied again, and restarting the operator meanwhile would not help.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dbmigrate import early_exit
from dbmigrate.api.names import DEFINITIONS, SCHEMA_VERSION
from dbmigrate.controller.cluster import Cluster, Refused, Unavailable
from dbmigrate.controller.definitions.install import schema_of

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often the custom resources are looked for while they are not there."""


async def find_resources(cluster: Cluster) -> bool:
    """Wait until the custom resources exist; False if stopped before.

    Where they have been deleted their Jobs and MigrationActions are gone with them. A restart
    would not help, so this is logged once, and the operator waits.
    """
    if await serves_resources(cluster):
        return True
    log.warning(
        "the custom resources are not installed: waiting for them (helm upgrade, or kubectl apply"
        " -f crds/). If they were deleted, their resources, Jobs and MigrationActions are gone with"
        " them; what a run has done is in its database"
    )
    stopped = asyncio.Event()
    with _signals(stopped):
        while not stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), LOOK_SECONDS)
            if await serves_resources(cluster):
                log.info("the custom resources are there")
                return True
    return False


async def serves_resources(cluster: Cluster) -> bool:
    """Whether they exist; True if the API server does not answer."""
    try:
        return await cluster.serves_custom_resources()
    except Unavailable:
        return True


@contextmanager
def _signals(stopped: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        early_exit.install()


async def check_schema(cluster: Cluster) -> None:
    """Say where the definitions in the cluster are of another schema than the one known here."""
    for name in DEFINITIONS:
        try:
            definition = await cluster.find_definition(name)
        except Refused:
            return  # a Role of one namespace does not allow it
        if definition is None:
            continue
        there = schema_of(definition)
        if there < SCHEMA_VERSION:
            log.warning(
                "%s has schema %d, and this operator knows %d: fields that are new since are not"
                " stored; helm upgrade, or kubectl apply -f crds/, brings it up to date",
                name,
                there,
                SCHEMA_VERSION,
            )
        elif there > SCHEMA_VERSION:
            log.warning(
                "%s has schema %d, and this operator knows %d: a resource with a field that is"
                " not known here is not worked on (UnknownFields)",
                name,
                there,
                SCHEMA_VERSION,
            )
