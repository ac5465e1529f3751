"""No field of the schema is declared and unread: each one changes what is decided or built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbmigrate.api.spec import parse_spec
from dbmigrate.controller.decisions.runs import RunCommand
from dbmigrate.controller.jobs.body import Images, RunOrder, build_job
from tests.unit.controller.resources import make_migration

pytestmark = pytest.mark.quick

CRD = Path(__file__).parents[3] / "crds" / "databasemigrations.yaml"

IMAGES = Images("runner:1", "postgres:{major}")
URL = {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}
HOST = {"host": "h", "dbname": "d"}
MAPS = {"configMaps": [{"name": "files"}]}
SECRET = {"secretKeyRef": {"name": "n", "key": "k"}}

CONNECTION = "database.connection"
JOB = "job"

SAMPLES: dict[str, dict[str, Any]] = {
    "database.urlFrom.secretKeyRef.name": {
        "database": {"urlFrom": {"secretKeyRef": {"name": "other", "key": "url"}}}
    },
    "database.urlFrom.secretKeyRef.key": {
        "database": {"urlFrom": {"secretKeyRef": {"name": "db", "key": "other"}}}
    },
    f"{CONNECTION}.host": {"database": {"connection": {"host": "other", "dbname": "d"}}},
    f"{CONNECTION}.dbname": {"database": {"connection": {"host": "h", "dbname": "other"}}},
    f"{CONNECTION}.port": {"database": {"connection": {**HOST, "port": 5433}}},
    f"{CONNECTION}.user": {"database": {"connection": {**HOST, "user": "u"}}},
    f"{CONNECTION}.userFrom": {"database": {"connection": {**HOST, "userFrom": SECRET}}},
    f"{CONNECTION}.passwordFrom": {"database": {"connection": {**HOST, "passwordFrom": SECRET}}},
    f"{CONNECTION}.sslmode": {"database": {"connection": {**HOST, "sslmode": "require"}}},
    f"{CONNECTION}.rootCertificateFrom": {
        "database": {"connection": {**HOST, "rootCertificateFrom": SECRET}}
    },
    "database.historyTable": {"database": {**URL, "historyTable": "a.b"}},
    "source.format": {"source": {**MAPS, "format": "goose"}},
    "source.lint": {"source": {**MAPS, "lint": "Reject"}},
    "source.configMaps": {"source": {"configMaps": [{"name": "other"}]}},
    "source.image.reference": {"source": {"image": {"reference": "other:1"}}},
    "source.image.path": {"source": {"image": {"reference": "app:1", "path": "/sql"}}},
    "source.image.pullPolicy": {"source": {"image": {"reference": "app:1", "pullPolicy": "Never"}}},
    "source.image.mode": {"source": {"image": {"reference": "app:1", "mode": "Copy"}}},
    "source.persistentVolumeClaim.claimName": {
        "source": {"persistentVolumeClaim": {"claimName": "other"}}
    },
    "source.persistentVolumeClaim.path": {
        "source": {"persistentVolumeClaim": {"claimName": "c", "path": "/sql"}}
    },
    "source.inline": {"source": {"inline": {"1_a.up.sql": "SELECT 1"}}},
    "target": {"target": "7"},
    "rollback": {"rollback": "Allow"},
    "outOfOrder": {"outOfOrder": "Apply"},
    "changedFiles": {"changedFiles": "Warn"},
    "takeOver": {"takeOver": "here/team/other"},
    "approval": {"approval": "Manual"},
    "suspend": {"suspend": True},
    "rehearse": {"rehearse": "BeforeApply"},
    "backup.persistentVolumeClaim.claimName": {
        "backup": {"persistentVolumeClaim": {"claimName": "other"}}
    },
    "backup.persistentVolumeClaim.path": {
        "backup": {"persistentVolumeClaim": {"claimName": "c", "path": "/x"}}
    },
    "backup.keep": {"backup": {"persistentVolumeClaim": {"claimName": "c"}, "keep": 3}},
    "timeouts.lock": {"timeouts": {"lock": "1s"}},
    "timeouts.lockAcquisition": {"timeouts": {"lockAcquisition": "1s"}},
    "timeouts.statement": {"timeouts": {"statement": "1s"}},
    "timeouts.deadline": {"timeouts": {"deadline": "1s"}},
    "retry.limit": {"retry": {"limit": 1}},
    "retry.initialDelay": {"retry": {"initialDelay": "1s"}},
    "retry.maxDelay": {"retry": {"maxDelay": "1s"}},
    "history.successful": {"history": {"successful": 1}},
    "checkInterval": {"checkInterval": "1h"},
    "history.failed": {"history": {"failed": 1}},
    "history.actions": {"history": {"actions": 1}},
    "job.image": {"job": {"image": "own:1"}},
    "job.serviceAccountName": {"job": {"serviceAccountName": "own"}},
    "job.resources": {"job": {"resources": {"limits": {"memory": "1Gi"}}}},
    "job.nodeSelector": {"job": {"nodeSelector": {"a": "b"}}},
    "job.tolerations": {"job": {"tolerations": [{"operator": "Exists"}]}},
    "job.affinity": {"job": {"affinity": {"nodeAffinity": {}}}},
    "job.priorityClassName": {"job": {"priorityClassName": "high"}},
    "job.imagePullSecrets": {"job": {"imagePullSecrets": [{"name": "r"}]}},
    "job.labels": {"job": {"labels": {"a": "b"}}},
    "job.annotations": {"job": {"annotations": {"a": "b"}}},
    "job.env": {"job": {"env": [{"name": "A", "value": "b"}]}},
    "job.rehearsal.image": {"job": {"rehearsal": {"image": "own:{major}"}}},
    "job.rehearsal.resources": {"job": {"rehearsal": {"resources": {"limits": {"memory": "9Gi"}}}}},
    "job.podSecurityContext": {"job": {"podSecurityContext": {"runAsUser": 5}}},
    "job.securityContext": {"job": {"securityContext": {"runAsUser": 5}}},
}
"""For each field a spec that sets it to something of its own."""

OUR_OWN = {
    "approval",
    "suspend",
    "rehearse",
    "checkInterval",
    "retry.limit",
    "retry.initialDelay",
    "retry.maxDelay",
    "history.successful",
    "history.failed",
    "history.actions",
}
"""Fields that the operator itself obeys; test_reconcile.py, test_orders.py and test_rehearsal.py
show how."""

REFERENCES = {"secretKeyRef", "configMapKeyRef"}
PLAIN_CONNECTION = {"database": {"connection": HOST}}
PLAIN_IMAGE = {"source": {"image": {"reference": "app:1"}}}
PLAIN_BACKUP = {"backup": {"persistentVolumeClaim": {"claimName": "c"}}}
PLAIN_CLAIM = {"source": {"persistentVolumeClaim": {"claimName": "c"}}}


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    properties = schema.get("properties")
    is_reference = properties and set(properties) <= REFERENCES and path.startswith(CONNECTION)
    if not properties or is_reference:
        yield path
        return
    for name, field in properties.items():
        yield from leaves(field, f"{path}.{name}" if path else name)


def declared() -> set[str]:
    versions = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    schema = versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return set(leaves(schema))


def plain(path: str) -> dict[str, Any]:
    """A spec that differs from the sample in this field alone."""
    if path.startswith(CONNECTION):
        return PLAIN_CONNECTION
    if path.startswith("source.image"):
        return PLAIN_IMAGE
    if path.startswith("backup"):
        return PLAIN_BACKUP
    if path.startswith("source.persistentVolumeClaim"):
        return PLAIN_CLAIM
    return {}


def build(spec: dict[str, Any]) -> dict[str, Any]:
    order = RunOrder(RunCommand.GOTO, intent="same", attempt=1, generation=1, rehearsed_on="17")
    return build_job(make_migration(**spec), order, images=IMAGES, server_version=(1, 36))


def test_every_declared_field_has_a_sample_and_no_other() -> None:
    assert declared() == set(SAMPLES)


@pytest.mark.parametrize("path", sorted(SAMPLES))
def test_a_field_is_read(path: str) -> None:
    spec = {"database": URL, "source": MAPS}
    assert parse_spec({**spec, **SAMPLES[path]}) != parse_spec({**spec, **plain(path)})


@pytest.mark.parametrize("path", sorted(set(SAMPLES) - OUR_OWN))
def test_a_field_reaches_the_job(path: str) -> None:
    assert build(SAMPLES[path]) != build(plain(path))
