"""kopf's settings: each one that matters, with its reason."""

from __future__ import annotations

import kopf

from dbmigrate.api.names import GROUP, MIGRATIONS, VERSION
from dbmigrate.controller.cluster import OURS, PAGE
from dbmigrate.controller.no_storage import NoDiffBaseStorage, NoProgressStorage


def configure(settings: kopf.OperatorSettings, *, selector: str = "") -> kopf.OperatorSettings:
    """Configure kopf as a watcher only.

    `selector` is the label selector of the DatabaseMigrations to watch; empty: all.
    """
    if selector:
        settings.watching.label_selectors[GROUP, VERSION, MIGRATIONS] = selector
    # Of Jobs and Pods the API server sends only the operator's own.
    settings.watching.label_selectors["batch", "v1", "jobs"] = OURS
    settings.watching.label_selectors["", "v1", "pods"] = OURS
    # The first listing of a large cluster arrives in pages that fit into memory.
    settings.watching.chunk_size = PAGE
    # Streams are renewed before a load balancer drops them silently
    # (kopf issues 204, 585, 698); bookmarks cover the time in between.
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    # The defaults suit a batch job; a controller must notice that a request hangs.
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.enforce_retry_after = True
    # A stream on which not even a bookmark arrives (one a minute) is opened again.
    settings.watching.inactivity_timeout = 150
    # An API server that is away is retried without end, at most every 21 s.
    settings.networking.error_backoffs = [1, 1, 2, 3, 5, 8, 13, 21] + [21] * 1000
    # The operator posts its events itself: kopf's have random names and would repeat.
    settings.posting.enabled = False
    # Discovery at run time needs rights on all CRDs and namespaces; the kinds are fixed.
    settings.scanning.disabled = True
    # Nothing is stored on the resources: these two would only appear with other
    # kinds of handlers, and then under the operator's own name.
    settings.persistence.finalizer = f"{GROUP}/finalizer"
    settings.persistence.diffbase_storage = NoDiffBaseStorage()
    settings.persistence.progress_storage = NoProgressStorage()
    # At the end a look may finish its writes; the Pod's grace period is 30 s.
    settings.queueing.exit_timeout = 10
    # Each object that is shown has a task, which keeps its body for this time. At the start
    # these are all objects; the default of 5 s means all bodies at a time.
    settings.queueing.idle_timeout = 0.2
    settings.process.ultimate_exiting_timeout = 25
    return settings
