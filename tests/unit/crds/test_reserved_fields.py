"""Of every field of the resources it is decided whether the chart's policy reserves it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
POLICY = ROOT / "charts" / "dbmigrate-operator" / "templates" / "reserved-fields.yaml"

DATABASE = """which server, login and role: who may write a resource may name any Secret of the
namespace, for a server of their own as well, and a plan logs in before it is approved"""
FILES = "the files are part of the plan that is approved"
PLANNED = "the plan that is approved depends on it"
REPORTED = "what is compared and told; nothing of the database changes"
TIMING = "when and how long, not what"
SCHEDULING = "where the Pod runs and what it may use, not what it does"
DATA = "a copy of data that the login, which the author may use, can read anyway"
TARGETS = "each target is held to an approved plan"
ORDERED = "an action needs the rights on migrationactions"

FREE: dict[str, dict[str, str]] = {
    "DatabaseMigration": {
        "database.urlFrom": DATABASE,
        "database.connection.host": DATABASE,
        "database.connection.port": DATABASE,
        "database.connection.dbname": DATABASE,
        "database.connection.user": DATABASE,
        "database.connection.userFrom": DATABASE,
        "database.connection.passwordFrom": DATABASE,
        "database.connection.passwordFile": DATABASE,
        "database.connection.targetSessionAttrs": DATABASE,
        "database.connection.sslmode": DATABASE,
        "database.connection.rootCertificateFrom": DATABASE,
        "database.cnpg.cluster": DATABASE,
        "database.cnpg.database": DATABASE,
        "database.cnpg.role": DATABASE,
        "database.clientCertificateFrom.secretRef": DATABASE,
        "database.identity.aws": DATABASE,
        "database.identity.gcp": DATABASE,
        "database.identity.azure": DATABASE,
        "database.role": DATABASE,
        "database.historyTable": DATABASE,
        "source.format": FILES,
        "source.lint": FILES,
        "source.configMaps": FILES,
        "source.image.reference": FILES,
        "source.image.path": FILES,
        "source.image.pullPolicy": FILES,
        "source.image.mode": FILES,
        "source.persistentVolumeClaim.claimName": FILES,
        "source.persistentVolumeClaim.path": FILES,
        "source.inline": FILES,
        "target": PLANNED,
        "rollback": PLANNED,
        "outOfOrder": PLANNED,
        "changedFiles": PLANNED,
        "takeOver": PLANNED,
        "suspend": TIMING,
        "rehearse": "a scratch server runs the files in a container of its own, without a login",
        "backup.persistentVolumeClaim.claimName": DATA,
        "backup.persistentVolumeClaim.path": DATA,
        "backup.keep": DATA,
        "timeouts.lock": TIMING,
        "timeouts.lockAcquisition": TIMING,
        "timeouts.statement": TIMING,
        "timeouts.deadline": TIMING,
        "retry.limit": TIMING,
        "retry.initialDelay": TIMING,
        "retry.maxDelay": TIMING,
        "checkInterval": TIMING,
        "drift.schema": REPORTED,
        "drift.interval": TIMING,
        "drift.ignore": REPORTED,
        "history.successful": TIMING,
        "history.failed": TIMING,
        "history.actions": TIMING,
        "job.resources": SCHEDULING,
        "job.nodeSelector": SCHEDULING,
        "job.tolerations": SCHEDULING,
        "job.affinity": SCHEDULING,
        "job.priorityClassName": SCHEDULING,
        "job.imagePullSecrets": "the kubelet alone sends them, to the registry that they are for",
        "job.rehearsal.resources": SCHEDULING,
    },
    "DatabaseMigrationSet": {
        "catalog.urlFrom": DATABASE,
        "targets.configMap.name": TARGETS,
        "targets.configMap.key": TARGETS,
        "targets.items": TARGETS,
        "waves.name": TIMING,
        "waves.selector": TIMING,
        "waves.share": TIMING,
        "waves.parallelism": TIMING,
        "waves.concurrency": TIMING,
        "waves.maxFailures": TIMING,
        "waves.pause": TIMING,
        "shardSize": TIMING,
        "checkInterval": TIMING,
        "suspend": TIMING,
        "results.table": "rows about the targets, in a table of the runner's own shape",
    },
    "MigrationAction": dict.fromkeys(
        ("migration", "set", "action", "version", "planHash", "reason"), ORDERED
    ),
}
"""Fields that are not reserved, and why. One that stands for all below it is a reference, a Pod's
part that the API server knows, or a list of one sort."""


def reserved() -> dict[str, str]:
    """The fields that the policy names, with their verbs."""
    text = POLICY.read_text()
    listed = re.findall(r'\(dict "path" "([\w.]+)" .*"verb" "([\w-]+)"', text)
    single = re.findall(
        r'message: "(?:\{\{ \$in \}\}|spec)\.([\w.]+): .*verb ([\w-]+) on \{\{', text
    )
    return dict([*listed, *single])


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The paths of all fields, those of a list's items as if they were the list's own."""
    inner = schema.get("items") if schema.get("type") == "array" else schema
    properties = (inner or {}).get("properties") or {}
    if not properties:
        yield path
    for name, each in properties.items():
        yield from leaves(each, f"{path}.{name}" if path else name)


def spec_of(kind: str) -> dict[str, Any]:
    """The schema of a kind's spec."""
    documents = (
        document
        for file in sorted((ROOT / "crds").glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
    )
    crd = next(each for each in documents if each["spec"]["names"]["kind"] == kind)
    (version,) = crd["spec"]["versions"]
    spec: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return spec


def decided(kind: str) -> set[str]:
    """The fields of a kind with a decision."""
    if kind == "DatabaseMigrationSet":
        shared = {path for path in FREE["DatabaseMigration"] if path.startswith("database.")}
        return {*FREE[kind], *shared, "targets.query"}
    if kind == "MigrationAction":
        return {*FREE[kind]}
    return {*FREE[kind], *(path for path in reserved() if path != "targets.query")}


def covers(above: str, path: str) -> bool:
    return path == above or path.startswith(f"{above}.")


@pytest.mark.parametrize("kind", FREE)
def test_every_field_is_reserved_or_there_is_a_reason(kind: str) -> None:
    spec = spec_of(kind)
    spec["properties"].pop("template", None)
    fields, known = set(leaves(spec)), decided(kind)
    undecided = {each for each in fields if not any(covers(above, each) for above in known)}
    assert not undecided
    stale = {each for each in known if not any(covers(each, field) for field in fields)}
    assert not stale


def test_a_sets_template_has_the_fields_of_a_migration() -> None:
    """They are reserved by the same rules, below spec.template; a backup is refused by its name."""
    template = spec_of("DatabaseMigrationSet")["properties"]["template"]
    refused = template["properties"].pop("backup")
    assert not refused.get("properties")
    known = decided("DatabaseMigration")
    assert all(any(covers(above, path) for above in known) for path in leaves(template))


def test_nothing_is_both() -> None:
    free = set().union(*FREE.values())
    assert not [(a, b) for a in reserved() for b in free if covers(a, b) or covers(b, a)]


def test_the_page_about_rights_names_every_reserved_field_and_its_verb() -> None:
    page = (ROOT / "docs" / "rbac.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `spec.")]
    for path, verb in reserved().items():
        (row,) = [row for row in rows if f"`spec.{path}`" in row]
        assert f"| `{verb}` |" in row
