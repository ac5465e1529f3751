"""No field of the schema is declared and unread: each one changes what is decided or built."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbmigrate.api.drift import SchemaDrift
from dbmigrate.api.spec import Approval, Rehearse, parse_spec
from dbmigrate.controller.decisions.runs import RunCommand
from dbmigrate.controller.jobs.body import Images, RunOrder, build_job
from tests.unit.controller.resources import make_migration

pytestmark = pytest.mark.quick

CRD = Path(__file__).parents[3] / "crds" / "databasemigrations.yaml"

IMAGES = Images("runner:1", "postgres:{major}")
URL = {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}
HOST = {"host": "h", "dbname": "d"}
CNPG = {"cluster": "pg"}
MAPS = {"configMaps": [{"name": "files"}]}
SECRET = {"secretKeyRef": {"name": "n", "key": "k"}}

REGION = "eu-central-1"

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
    f"{CONNECTION}.passwordFile": {"database": {"connection": {**HOST, "passwordFile": "/p/w"}}},
    f"{CONNECTION}.targetSessionAttrs": {
        "database": {"connection": {**HOST, "targetSessionAttrs": "primary"}}
    },
    "database.cnpg.cluster": {"database": {"cnpg": {"cluster": "other"}}},
    "database.cnpg.database": {"database": {"cnpg": {**CNPG, "database": "other"}}},
    "database.cnpg.role": {"database": {"cnpg": {**CNPG, "role": "dante"}}},
    "database.clientCertificateFrom.secretRef.name": {
        "database": {**URL, "clientCertificateFrom": {"secretRef": {"name": "client"}}}
    },
    "database.identity.aws.region": {"database": {**URL, "identity": {"aws": {"region": REGION}}}},
    "database.identity.aws.host": {"database": {**URL, "identity": {"aws": {"host": "own"}}}},
    "database.identity.aws.port": {"database": {**URL, "identity": {"aws": {"port": 5433}}}},
    "database.identity.gcp": {"database": {**URL, "identity": {"gcp": {}}}},
    "database.identity.azure.clientId": {
        "database": {**URL, "identity": {"azure": {"clientId": "c-1"}}}
    },
    "database.role": {"database": {**URL, "role": "team $(A)"}},
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
    "drift.schema": {"drift": {"schema": "Report"}},
    "drift.interval": {"drift": {"interval": "1h"}},
    "drift.ignore": {"drift": {"ignore": ["partman.*"]}},
    "history.failed": {"history": {"failed": 1}},
    "history.actions": {"history": {"actions": 1}},
    "job.image": {"job": {"image": "own:1"}},
    "job.serviceAccountName": {"job": {"serviceAccountName": "own"}},
    "job.resources": {"job": {"resources": {"limits": {"memory": "1Gi"}}}},
    "job.nodeSelector": {"job": {"nodeSelector": {"a": "b"}}},
    "job.tolerations": {"job": {"tolerations": [{"operator": "Exists"}]}},
    "job.affinity": {"job": {"affinity": {"nodeAffinity": {"weight": 7}}}},
    "job.priorityClassName": {"job": {"priorityClassName": "high"}},
    "job.imagePullSecrets": {"job": {"imagePullSecrets": [{"name": "r"}]}},
    "job.labels": {"job": {"labels": {"a": "b"}}},
    "job.annotations": {"job": {"annotations": {"a": "b"}}},
    "job.env": {"job": {"env": [{"name": "A", "value": "b"}]}},
    "job.rehearsal.image": {"job": {"rehearsal": {"image": "own:{major}"}}},
    "job.rehearsal.resources": {"job": {"rehearsal": {"resources": {"limits": {"memory": "9Gi"}}}}},
    "job.podSecurityContext": {"job": {"podSecurityContext": {"runAsUser": 5}}},
    "job.securityContext": {"job": {"securityContext": {"runAsUser": 5}}},
    "job.initContainers": {"job": {"initContainers": [{"name": "proxy", "image": "proxy:1"}]}},
    "job.volumes": {"job": {"volumes": [{"name": "v", "configMap": {"name": "config"}}]}},
    "job.volumeMounts": {"job": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}},
    "job.hostAliases": {"job": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}]}},
    "job.dnsConfig": {"job": {"dnsConfig": {"nameservers": ["10.0.0.1"]}}},
    "job.runtimeClassName": {"job": {"runtimeClassName": "gvisor"}},
}
"""For each field a spec that sets it to something of its own."""

OWN_VALUES = {
    "approval": Approval.MANUAL,
    "suspend": True,
    "rehearse": Rehearse.BEFORE_APPLY,
    "checkInterval": timedelta(hours=1),
    "drift.schema": SchemaDrift.REPORT,
    "drift.interval": timedelta(hours=1),
    "drift.ignore": ("partman.*",),
    "retry.limit": 1,
    "retry.initialDelay": timedelta(seconds=1),
    "retry.maxDelay": timedelta(seconds=1),
    "history.successful": 1,
    "history.failed": 1,
    "history.actions": 1,
    "takeOver": "here/team/other",
}
"""Fields that the operator itself obeys, as they are read; test_reconcile.py, test_orders.py and
test_rehearsal.py and test_drift.py show how."""

IN_THE_JOB = {
    "backup.keep": "-backup-keep 3",
    "backup.persistentVolumeClaim.claimName": "claimName: other",
    "backup.persistentVolumeClaim.path": "-backup-to /backups/x",
    "changedFiles": "-changed-files warn",
    "takeOver": "DBMIGRATE_TAKE_OVER=here/team/other",
    f"{CONNECTION}.dbname": "PGDATABASE=other",
    f"{CONNECTION}.host": "PGHOST=other",
    f"{CONNECTION}.passwordFrom": "PGPASSWORD=n/k",
    f"{CONNECTION}.passwordFile": "DBMIGRATE_PASSWORD_FILE=/p/w",
    f"{CONNECTION}.port": "PGPORT=5433",
    f"{CONNECTION}.rootCertificateFrom": "secretName: n",
    f"{CONNECTION}.sslmode": "PGSSLMODE=require",
    f"{CONNECTION}.targetSessionAttrs": "PGTARGETSESSIONATTRS=primary",
    f"{CONNECTION}.user": "PGUSER=u",
    f"{CONNECTION}.userFrom": "PGUSER=n/k",
    "database.clientCertificateFrom.secretRef.name": "secretName: client",
    "database.cnpg.cluster": "PGHOST=other-rw",
    "database.cnpg.database": "PGDATABASE=other",
    "database.cnpg.role": "PGUSER=pg-dante/username",
    "database.identity.aws.region": f"-identity aws:region={REGION}",
    "database.identity.aws.host": "-identity aws:host=own",
    "database.identity.aws.port": "-identity aws:port=5433",
    "database.identity.gcp": "-identity gcp",
    "database.identity.azure.clientId": "-identity azure:client-id=c-1",
    "database.role": "-role team $$(A)",
    "database.historyTable": "-history-table a.b",
    "database.urlFrom.secretKeyRef.key": "DBMIGRATE_DATABASE=db/other",
    "database.urlFrom.secretKeyRef.name": "DBMIGRATE_DATABASE=other/url",
    "job.affinity": "weight: 7",
    "job.dnsConfig": "nameservers: 10.0.0.1",
    "job.hostAliases": "ip: 10.0.0.1",
    "job.initContainers": "image: proxy:1",
    "job.runtimeClassName": "runtimeClassName: gvisor",
    "job.volumeMounts": "mountPath: /v",
    "job.volumes": "name: config",
    "job.annotations": "a: b",
    "job.env": "A=b",
    "job.image": "image: own:1",
    "job.imagePullSecrets": "name: r",
    "job.labels": "a: b",
    "job.nodeSelector": "a: b",
    "job.podSecurityContext": "runAsUser: 5",
    "job.priorityClassName": "priorityClassName: high",
    "job.rehearsal.image": "image: own:17",
    "job.rehearsal.resources": "memory: 9Gi",
    "job.resources": "memory: 1Gi",
    "job.securityContext": "runAsUser: 5",
    "job.serviceAccountName": "serviceAccountName: own",
    "job.tolerations": "operator: Exists",
    "outOfOrder": "-out-of-order apply",
    "rollback": "-rollback allow",
    "source.configMaps": "name: other",
    "source.format": "-format goose",
    "source.image.mode": "name: copy-migrations",
    "source.image.path": "-path /migrations/sql",
    "source.image.pullPolicy": "pullPolicy: Never",
    "source.image.reference": "reference: other:1",
    "source.inline": "inline.dbmigrate.dev/0: SELECT 1",
    "source.lint": "-lint reject",
    "source.persistentVolumeClaim.claimName": "claimName: other",
    "source.persistentVolumeClaim.path": "-path /migrations/sql",
    "target": "goto 7",
    "timeouts.deadline": "activeDeadlineSeconds: 1",
    "timeouts.lock": "-lock-timeout 1",
    "timeouts.lockAcquisition": "-statement-lock-timeout 1s",
    "timeouts.statement": "-statement-timeout 1s",
}
"""What each of the others adds to the Job, in the words of `said`."""

REFERENCES = {"secretKeyRef", "configMapKeyRef", "system"}
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
    if path.startswith("database.cnpg"):
        return {"database": {"cnpg": CNPG}}
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


def said(part: Any, key: str = "") -> Iterator[str]:
    """What a Job says: arguments in pairs, variables, references and plain fields."""
    match part:
        case {"name": str(name), "value": value}:
            yield f"{name}={value}"
        case {"name": str(name), "valueFrom": source}:
            (reference,) = source.values()
            yield f"{name}={reference.get('name')}/{reference.get('key')}"
        case dict():
            for name, value in part.items():
                yield from said(value, name)
        case list() if key == "args":
            yield from (f"{flag} {value}" for flag, value in pairwise(part))
        case list():
            for item in part:
                yield from said(item, key)
        case _:
            yield f"{key}: {part}"


def test_every_declared_field_has_a_sample_and_no_other() -> None:
    assert declared() == set(SAMPLES) == {*OWN_VALUES, *IN_THE_JOB}


@pytest.mark.parametrize("path", OWN_VALUES)
def test_a_field_of_the_operators_own_is_read(path: str) -> None:
    attribute = attrgetter(re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", path))
    spec = {"database": URL, "source": MAPS}
    assert attribute(parse_spec({**spec, **SAMPLES[path]})) == OWN_VALUES[path]
    assert attribute(parse_spec({**spec, **plain(path)})) != OWN_VALUES[path]


@pytest.mark.parametrize("path", IN_THE_JOB)
def test_a_field_reaches_the_job(path: str) -> None:
    added = Counter(said(build(SAMPLES[path]))) - Counter(said(build(plain(path))))
    assert IN_THE_JOB[path] in added
