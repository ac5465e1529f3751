"""A hash of what the Pods of a set are made from besides their order: see `jobs.template`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.resource import SetResource
from dbmigrate.api.spec import JobOptions, Rehearse
from dbmigrate.controller.fleet.view import FleetOrder
from dbmigrate.controller.jobs.template import hash_body

Build = Callable[[SetResource, FleetOrder], Document]
"""Makes the Job of an order."""


def hash_set_template(resource: SetResource, build: Build) -> str:
    """The hash: the same for every order. `resource` has its options with the defaults."""
    has_server = resource.spec.template.rehearse is not Rehearse.NEVER
    order = FleetOrder("", 0, 0, rehearsed_on="0" if has_server else None)
    return hash_body(build(resource, order))


def with_job_options(resource: SetResource, options: JobOptions) -> SetResource:
    """The set with these options of its Jobs."""
    template = replace(resource.spec.template, job=options)
    return replace(resource, spec=replace(resource.spec, template=template))
