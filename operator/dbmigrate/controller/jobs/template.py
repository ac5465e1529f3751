"""What a run's Pod is made from besides its order: the resource, and the settings of the operator.

The spec's generation and the intent say whether the resource has changed since a Job was made.
Nothing of the resource says that the operator's own settings have (the runner's image, the
defaults of Jobs): a hash of a Pod template does, in an annotation of the Job.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

from dbmigrate.api.drift import SchemaDrift
from dbmigrate.api.fields import Document
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.names import TEMPLATE_ANNOTATION
from dbmigrate.api.spec import JobOptions, Rehearse
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.decisions.runs import RunCommand
from dbmigrate.controller.jobs.body import RunOrder

Build = Callable[[MigrationResource, RunOrder], Document]
"""Makes the Job of an order."""


def hash_template(migration: MigrationResource, build: Build) -> str:
    """The hash: of a template that is the same for every order and state of the resource.

    `migration` has the options of its Jobs with the defaults filled in.
    """
    spec = migration.spec
    has_server = spec.rehearse is not Rehearse.NEVER or spec.drift.schema is not SchemaDrift.OFF
    order = RunOrder(RunCommand.GOTO, "", 0, 0, rehearsed_on="0" if has_server else None)
    body = build(replace(migration, status=MigrationStatus()), order)
    return hash_body(body)


def hash_body(body: Document) -> str:
    """The hash of a Job's specification."""
    text = json.dumps(body["spec"], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def with_options(migration: MigrationResource, options: JobOptions) -> MigrationResource:
    """The resource with these options of its Jobs."""
    return replace(migration, spec=replace(migration.spec, job=options))


def note_template(body: Document, template: str) -> Document:
    """The Job with that hash."""
    metadata = body["metadata"]
    annotations = {**metadata["annotations"], TEMPLATE_ANNOTATION: template}
    return {**body, "metadata": {**metadata, "annotations": annotations}}
