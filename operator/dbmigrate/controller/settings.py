"""kopf's settings, every one that matters, each with its reason."""

from __future__ import annotations

import kopf

from dbmigrate.api.names import GROUP, MIGRATIONS, VERSION
from dbmigrate.controller.cluster import OURS, PAGE
from dbmigrate.controller.no_storage import NoDiffBaseStorage, NoProgressStorage


def configure(settings: kopf.OperatorSettings, *, selector: str = "") -> kopf.OperatorSettings:
    """Set up kopf as the watcher that we need, and as nothing else.

    `selector` is the label selector of the DatabaseMigrations that are ours; empty: all.
    """
    if selector:
        settings.watching.label_selectors[GROUP, VERSION, MIGRATIONS] = selector
    # Of Jobs and Pods the server sends us our own only.
    settings.watching.label_selectors["batch", "v1", "jobs"] = OURS
    settings.watching.label_selectors["", "v1", "pods"] = OURS
    # A big cluster's first listing comes in pieces that fit into memory.
    settings.watching.chunk_size = PAGE
    # Streams are renewed before a load balancer drops them without a word
    # (kopf issues 204, 585, 698); bookmarks watch over the time in between.
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    # The defaults fit a batch job; a controller must notice that a request hangs.
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.enforce_retry_after = True
    # An API server that is away is asked again for ever, at most every 21 s.
    settings.networking.error_backoffs = [1, 1, 2, 3, 5, 8, 13, 21] + [21] * 1000
    # We post events ourselves: kopf's have random names and can't be told once.
    settings.posting.enabled = False
    # Discovery at run time needs rights on all CRDs and namespaces; ours is fixed.
    settings.scanning.disabled = True
    # Nothing is kept on the resources: these two would only appear with other
    # kinds of handlers, and then under our own name.
    settings.persistence.finalizer = f"{GROUP}/finalizer"
    settings.persistence.diffbase_storage = NoDiffBaseStorage()
    settings.persistence.progress_storage = NoProgressStorage()
    # On the way out a look may end its writes; the Pod's grace period is 30 s.
    settings.queueing.exit_timeout = 10
    settings.process.ultimate_exiting_timeout = 25
    return settings
