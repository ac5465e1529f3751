"""The runner's command line in a Pod of a set: `fleet survey`, or `fleet up` on one shard."""

from __future__ import annotations

from dbmigrate.api.action import ActionKind
from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.resource import SetResource
from dbmigrate.api.fleet.targets import ConfigMapTargets, QueryTargets
from dbmigrate.api.spec import LATEST, Approval, Rehearse
from dbmigrate.controller.decisions.orders import name_order
from dbmigrate.controller.fleet.view import FleetOrder
from dbmigrate.controller.jobs.command_line import (
    INTENT_VARIABLE,
    LINT_VARIABLE,
    ORDER_ID_VARIABLE,
    ORDER_VARIABLE,
    OWNER_VARIABLE,
    TAKE_OVER_VARIABLE,
    literal,
    rehearsal_address,
    shared_arguments,
    shared_environment,
)
from dbmigrate.policies import ChangedFiles, LintPolicy, OutOfOrder, Rollback

LIST_DIRECTORY = "/targets"
"""Where a Pod finds the list of targets and the waves."""
ITEMS_FILE, WAVES_FILE = "items.json", "waves.json"
CATALOG_VARIABLE = "DBMIGRATE_FLEET_CATALOG"
INDEX = "$(JOB_COMPLETION_INDEX)"
"""Kubernetes replaces it by the number of the Pod's shard."""


def fleet_arguments(resource: SetResource, order: FleetOrder, *, path: str) -> list[str]:
    """What follows the program's name."""
    spec = resource.spec
    template, targets = spec.template, spec.targets
    arguments = shared_arguments(template, path=path)
    policy = template.rollback if order.rollback is None else Rollback.ALLOW
    arguments += ["-rollback", policy.value]
    if template.out_of_order is not OutOfOrder.REJECT:
        arguments += ["-out-of-order", template.out_of_order.value]
    if template.changed_files is not ChangedFiles.REJECT:
        arguments += ["-changed-files", template.changed_files.value]
    if template.lint is LintPolicy.REJECT:
        arguments += ["-lint", "reject"]
    if order.rehearsed_on is not None:
        arguments += ["-rehearse-on", rehearsal_address()]
    version = template.target if order.rollback is None else order.rollback.version
    if order.wave is not None:
        arguments += ["fleet", "goto", version]
    else:
        arguments += ["fleet", "survey", *([version] if version != LATEST else [])]
    if isinstance(targets, QueryTargets):
        arguments += ["-targets-query", targets.sql]
    elif isinstance(targets, ConfigMapTargets):
        arguments += ["-targets", f"{LIST_DIRECTORY}/{targets.key}"]
    else:
        arguments += ["-targets", f"{LIST_DIRECTORY}/{ITEMS_FILE}"]
    arguments += ["-waves", f"{LIST_DIRECTORY}/{WAVES_FILE}"]
    if order.wave is None and needs_samples(resource, order):
        arguments.append("-samples")
    found = [literal(argument) for argument in arguments]
    return found if order.wave is None else [*found, *_wave_arguments(resource, order)]


def needs_samples(resource: SetResource, order: FleetOrder) -> bool:
    """Whether one target of each version is looked at before the first wave."""
    template = resource.spec.template
    is_shown = template.approval is Approval.MANUAL or template.rehearse is Rehearse.BEFORE_APPLY
    return is_shown or order.rollback is not None


def _wave_arguments(resource: SetResource, order: FleetOrder) -> list[str]:
    wave = order.wave
    if wave is None:
        return []
    arguments = ["-wave", literal(wave.name), "-shard", f"{INDEX}/{order.shards}"]
    arguments += ["-concurrency", str(wave.concurrency), "-tolerate-failures"]
    if order.allowed_failures is not None:
        arguments += ["-max-failures", str(order.allowed_failures)]
    if order.plans:
        arguments += ["-plans", ",".join(order.plans)]
    if resource.spec.results is not None:
        arguments += ["-results", literal(resource.spec.results)]
    return arguments


def fleet_environment(resource: SetResource, order: FleetOrder, *, cluster: str) -> list[Document]:
    """The variables of a Pod, except those that say where the database is."""
    spec, identity = resource.spec, resource.identity
    owner = f"{cluster}/{identity.namespace}/{identity.name}#{identity.uid}"
    variables = {OWNER_VARIABLE: owner, TAKE_OVER_VARIABLE: spec.template.take_over}
    if order.wave is not None:
        variables[INTENT_VARIABLE] = order.held_intent
    back = order.rollback
    if back is not None and (order.wave is not None or order.is_new):
        variables[ORDER_ID_VARIABLE] = name_order(
            identity.namespace, back.action, ActionKind.ROLLBACK, back.version
        )
    if order.wave is not None and back is not None:
        variables[ORDER_VARIABLE] = f"MigrationAction {back.action}"
    if spec.template.lint is LintPolicy.WARN:
        variables[LINT_VARIABLE] = "warn"
    found: list[Document] = [
        {"name": name, "value": literal(value)} for name, value in variables.items() if value
    ]
    if spec.catalog is not None:
        source = {spec.catalog.field: {"name": spec.catalog.name, "key": spec.catalog.key}}
        found.append({"name": CATALOG_VARIABLE, "valueFrom": source})
    return [*shared_environment(), *found]
