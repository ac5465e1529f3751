"""What the API server lets in, and the words with which it refuses the rest."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.cluster import ApiError, Namespace

pytestmark = pytest.mark.cluster

URL = {"urlFrom": {"secretKeyRef": {"name": "users-database", "key": "url"}}}
CONNECTION = {"host": "db", "dbname": "app"}
CONFIG_MAPS = {"configMaps": [{"name": "users-migrations"}]}
FILE = {"000001_a.up.sql": "SELECT 1"}


def migration(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "dbmigrate.dev/v1alpha1",
        "kind": "DatabaseMigration",
        "metadata": {"name": "users"},
        "spec": {"database": URL, "source": CONFIG_MAPS, **spec},
    }


def action(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "dbmigrate.dev/v1alpha1",
        "kind": "MigrationAction",
        "metadata": {"name": "order"},
        "spec": {"migration": "users", **spec},
    }


def fleet(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "dbmigrate.dev/v1alpha1",
        "kind": "DatabaseMigrationSet",
        "metadata": {"name": "tenants"},
        "spec": {
            "template": {"source": CONFIG_MAPS},
            "database": URL,
            "targets": {"query": {"sql": "SELECT 1 AS name"}},
            **spec,
        },
    }


REFUSED = {
    "a set without a list": (
        fleet(targets={}),
        "exactly one of query, configMap and items must be set",
    ),
    "a set with two lists": (
        fleet(targets={"query": {"sql": "x"}, "items": [{"name": "a"}]}),
        "exactly one of query, configMap and items must be set",
    ),
    "a set without a database": (
        fleet(database={}),
        "exactly one of urlFrom, connection and cnpg must be set",
    ),
    "a last wave that leaves targets out": (
        fleet(waves=[{"name": "canary", "share": "1%"}]),
        "the last wave takes all targets that are left",
    ),
    "a pause that is none": (
        fleet(waves=[{"name": "all", "pause": "later"}]),
        "spec.waves[0].pause",
    ),
    "failures that are no number": (
        fleet(waves=[{"name": "all", "maxFailures": "few"}]),
        "spec.waves[0].maxFailures",
    ),
    "failures below none": (
        fleet(waves=[{"name": "all", "maxFailures": -1}]),
        "spec.waves[0].maxFailures",
    ),
    "a list of a kind that nobody reads": (
        fleet(targets={"configMap": {"name": "a", "key": "list.txt"}}),
        "the key must end in .yaml, .yml, .json or .csv",
    ),
    "a target twice": (
        fleet(targets={"items": [{"name": "a"}, {"name": "a"}]}),
        "Duplicate value",
    ),
    "an order for nobody": (
        {**action(action="Retry"), "spec": {"action": "Retry"}},
        "exactly one of migration and set must be set",
    ),
    "a repair of a set": (
        {**action(), "spec": {"set": "tenants", "action": "Repair"}},
        "a set accepts Retry, Continue, Approve and Rollback",
    ),
    "a rollback of a set to nowhere": (
        {**action(), "spec": {"set": "tenants", "action": "Rollback"}},
        "Rollback needs version",
    ),
    "a set with a target that is no version": (
        fleet(template={"source": CONFIG_MAPS, "target": "one"}),
        "spec.template.target must be latest or a version in quotes",
    ),
    "a set with backups": (
        fleet(template={"source": CONFIG_MAPS, "backup": {"persistentVolumeClaim": {}}}),
        "a set makes no backups before its runs",
    ),
    "a migration that is to continue": (
        action(action="Continue"),
        "a set accepts Retry, Continue, Approve and Rollback",
    ),
    "no database": (
        migration(database={}),
        "exactly one of urlFrom, connection and cnpg must be set",
    ),
    "two databases": (
        migration(database={**URL, "connection": CONNECTION}),
        "exactly one of urlFrom, connection and cnpg must be set",
    ),
    "two users": (
        migration(database={"connection": {**CONNECTION, "user": "a", "userFrom": URL["urlFrom"]}}),
        "at most one of user and userFrom may be set",
    ),
    "an empty certificate": (
        migration(database={"connection": {**CONNECTION, "rootCertificateFrom": {}}}),
        "exactly one of secretKeyRef, configMapKeyRef and system must be set",
    ),
    "a URL and a cluster": (
        migration(database={**URL, "cnpg": {"cluster": "pg"}}),
        "exactly one of urlFrom, connection and cnpg must be set",
    ),
    "no provider": (
        migration(database={**URL, "identity": {}}),
        "exactly one of aws, gcp and azure must be set",
    ),
    "two providers": (
        migration(database={**URL, "identity": {"aws": {}, "gcp": {}}}),
        "exactly one of aws, gcp and azure must be set",
    ),
    "an identity and a cluster": (
        migration(database={"cnpg": {"cluster": "pg"}, "identity": {"gcp": {}}}),
        "identity must not be set together with cnpg",
    ),
    "an identity and a password": (
        migration(
            database={
                "connection": {
                    **CONNECTION,
                    "sslmode": "verify-full",
                    "passwordFrom": URL["urlFrom"],
                },
                "identity": {"aws": {}},
            }
        ),
        "identity must not be set together with a password of the connection",
    ),
    "an identity without TLS": (
        migration(database={"connection": CONNECTION, "identity": {"azure": {}}}),
        "identity needs connection.sslmode require, verify-ca or verify-full",
    ),
    "an identity with TLS where it is to be had": (
        migration(
            database={
                "connection": {**CONNECTION, "sslmode": "prefer"},
                "identity": {"azure": {"clientId": "1-2"}},
            }
        ),
        "identity needs connection.sslmode require, verify-ca or verify-full",
    ),
    "a region that is none": (
        migration(database={**URL, "identity": {"aws": {"region": "Frankfurt"}}}),
        "spec.database.identity.aws.region",
    ),
    "two passwords": (
        migration(
            database={
                "connection": {**CONNECTION, "passwordFile": "/p", "passwordFrom": URL["urlFrom"]}
            }
        ),
        "at most one of passwordFrom and passwordFile may be set",
    ),
    "a password's file without a directory": (
        migration(database={"connection": {**CONNECTION, "passwordFile": "password"}}),
        "spec.database.connection.passwordFile",
    ),
    "the system's authorities and less than verify-full": (
        migration(
            database={
                "connection": {
                    **CONNECTION,
                    "sslmode": "require",
                    "rootCertificateFrom": {"system": {}},
                }
            }
        ),
        "with rootCertificateFrom.system, sslmode must be verify-full or unset",
    ),
    "a cluster with a name that CloudNativePG refuses": (
        migration(database={"cnpg": {"cluster": "1pg"}}),
        "spec.database.cnpg.cluster",
    ),
    "no source": (
        migration(source={}),
        "exactly one of configMaps, image, persistentVolumeClaim and inline must be set",
    ),
    "two sources": (
        migration(source={**CONFIG_MAPS, "inline": FILE}),
        "exactly one of configMaps, image, persistentVolumeClaim and inline must be set",
    ),
    "a path that climbs": (
        migration(source={"image": {"reference": "app:1", "path": "/a/../../etc"}}),
        "path must start with a slash and must not contain ..",
    ),
    "a relative path": (
        migration(source={"persistentVolumeClaim": {"claimName": "a", "path": "a"}}),
        "path must start with a slash and must not contain ..",
    ),
    "an inline file of another name": (
        migration(source={"inline": {"users.sql": "SELECT 1"}}),
        "the names of inline files must look like 000001_create_users_table.up.sql",
    ),
    "inline files of two formats": (
        migration(source={"inline": {**FILE, "00002_b.sql": "-- +goose Up"}}),
        "the names of inline files must look like 000001_create_users_table.up.sql",
    ),
    "a format that nobody knows": (
        migration(source={**CONFIG_MAPS, "format": "sqitch"}),
        "spec.source.format",
    ),
    "a lint policy that nobody knows": (
        migration(source={**CONFIG_MAPS, "lint": "Maybe"}),
        'supported values: "Reject", "Warn", "Off"',
    ),
    "a rehearsal at another time": (
        migration(rehearse="AfterApply"),
        'supported values: "Never", "BeforeApply"',
    ),
    "a scratch server's image with a blank": (
        migration(job={"rehearsal": {"image": "a b"}}),
        "spec.job.rehearsal.image",
    ),
    "an inline file in another directory": (
        migration(source={"inline": {"1_../../etc/x.up.sql": "SELECT 1"}}),
        "the names of inline files must look like 000001_create_users_table.up.sql",
    ),
    "a target that is no version": (migration(target="two"), "spec.target"),
    "an action for the latest version": (
        action(action="Rollback", version="latest"),
        "version must be a specific version",
    ),
    "a word as a target of others' files": (
        migration(source={**CONFIG_MAPS, "format": "goose"}, target="two"),
        "a number, unless source.format is flyway",
    ),
    "a target that looks like a flag": (migration(target="-all"), "spec.target"),
    "a target with a space": (migration(target="1 2"), "spec.target"),
    "a target that is a number": (migration(target=2), "spec.target"),
    "a duration without a unit": (migration(timeouts={"lock": "15"}), "spec.timeouts.lock"),
    "a lock that waits for ever": (migration(timeouts={"lock": "none"}), "spec.timeouts.lock"),
    "an unknown policy": (migration(rollback="Maybe"), 'supported values: "Forbid", "Allow"'),
    "a Secret's name that is a path": (
        migration(database={"urlFrom": {"secretKeyRef": {"name": "../a", "key": "url"}}}),
        "spec.database.urlFrom.secretKeyRef.name",
    ),
    "a history table with a quote": (
        migration(database={**URL, "historyTable": 'a"; drop table users; --'}),
        "spec.database.historyTable",
    ),
    "an image with a blank": (migration(job={"image": "a b"}), "spec.job.image"),
    "approval without a plan": (
        action(action="Approve"),
        "Approve needs planHash, the hash of the plan in the migration's status",
    ),
    "force without a version": (
        action(action="Force"),
        "Force needs version, the actual version of the database",
    ),
    "a rollback without a version": (
        action(action="Rollback"),
        "Rollback needs version, the version to go back to",
    ),
    "a retry with a version": (
        action(action="Retry", version="1"),
        "only Force and Rollback accept version",
    ),
    "an unknown action": (action(action="Drop"), "spec.action"),
}


@pytest.mark.parametrize(("manifest", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_broken_rule_is_refused_in_words(
    namespace: Namespace, manifest: dict[str, Any], words: str
) -> None:
    with pytest.raises(ApiError) as refusal:
        namespace.create(manifest)
    assert words in str(refusal.value)


ACCEPTED = {
    "url and ConfigMap": migration(),
    "connection": migration(
        database={
            "connection": {
                **CONNECTION,
                "port": 6432,
                "userFrom": URL["urlFrom"],
                "passwordFrom": URL["urlFrom"],
                "sslmode": "verify-full",
                "rootCertificateFrom": {"configMapKeyRef": {"name": "ca", "key": "ca.crt"}},
            },
            "historyTable": "billing.schema_migrations",
        }
    ),
    "several hosts": migration(
        database={
            "connection": {
                **CONNECTION,
                "host": "one.example,two.example,/cloudsql/team:europe-west1:shop",
                "targetSessionAttrs": "read-write",
                "passwordFile": "/vault/secrets/password",
                "rootCertificateFrom": {"system": {}},
            },
            "clientCertificateFrom": {"secretRef": {"name": "client"}},
        }
    ),
    "an identity of AWS": migration(
        database={
            "connection": {**CONNECTION, "sslmode": "require", "user": "migrator"},
            "identity": {
                "aws": {
                    "region": "us-gov-west-1",
                    "host": "shop.c1.us-gov-west-1.rds.amazonaws.com",
                    "port": 5432,
                }
            },
            "role": "shop owner",
        }
    ),
    "an identity of Google": migration(
        database={
            "connection": {**CONNECTION, "rootCertificateFrom": {"system": {}}},
            "identity": {"gcp": {}},
        }
    ),
    "an identity of Azure": migration(
        database={
            **URL,
            "identity": {"azure": {"clientId": "11111111-2222-3333-4444-555555555555"}},
        }
    ),
    "a cluster of CloudNativePG's": migration(
        database={"cnpg": {"cluster": "pg", "database": "shop", "role": "dante"}}
    ),
    "inline": migration(source={"inline": FILE}),
    "inline in another format": migration(
        source={"inline": {"00001_a.sql": "-- +goose Up\nSELECT 1;"}, "format": "goose"}
    ),
    "inline of flyway": migration(
        source={
            "inline": {
                "V1.2__a.sql": "SELECT 1;",
                "U1.2__a.sql": "SELECT 1;",
                "B1_2__a.sql": "SELECT 1;",
                "R__b.sql": "SELECT 1;",
                "V1.2__a.sql.conf": "executeInTransaction=false",
                "flyway.conf": "flyway.placeholders.a=b",
            },
            "format": "flyway",
        },
        target="1.2",
    ),
    "a word of Atlas's": migration(source={**CONFIG_MAPS, "format": "atlas"}, target="v2-users"),
    "image": migration(source={"image": {"reference": "reg.example/app@sha256:" + "0" * 64}}),
    "claim": migration(source={"persistentVolumeClaim": {"claimName": "files", "path": "/sql"}}),
    "policies": migration(
        target="20240101120000",
        rollback="Allow",
        outOfOrder="Ignore",
        changedFiles="Warn",
        approval="Manual",
        suspend=True,
        timeouts={
            "lock": "500ms",
            "lockAcquisition": "none",
            "statement": "1h30m",
            "deadline": "2h",
        },
        retry={"limit": 0, "initialDelay": "1s", "maxDelay": "1m"},
        history={"successful": 0, "failed": 10},
    ),
    "force": action(action="Force", version="-1", reason="restored from a dump"),
    "a version that is a word": action(action="Force", version="v2-users", reason="mended"),
    "a dotted version": action(action="Rollback", version="1.2.3"),
    "approval": action(action="Approve", planHash="0123abcd"),
}


@pytest.mark.parametrize("manifest", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_good_manifest_is_taken_as_it_is(namespace: Namespace, manifest: dict[str, Any]) -> None:
    created = namespace.create(manifest)
    assert contains(created["spec"], manifest["spec"])


def contains(whole: Any, part: Any) -> bool:
    """Whether everything that was asked for is there: nothing was pruned."""
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    return bool(whole == part)


@pytest.mark.quick
def test_a_new_resource_has_its_defaults_and_is_unobserved(namespace: Namespace) -> None:
    created = namespace.create(migration())
    assert created["status"] == {"observedGeneration": -1}
    assert created["spec"]["target"] == "latest"
    assert created["spec"]["timeouts"]["deadline"] == "1h"
    assert created["spec"]["retry"] == {"limit": 10, "initialDelay": "5s", "maxDelay": "5m"}


SECRET = {"secretKeyRef": {"name": "a", "key": "b"}}
PARTS: dict[str, Any] = {"host": "db", "dbname": "shop", "sslmode": "require"}
REACHED_OTHERWISE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another Secret": (
        {"urlFrom": SECRET},
        {"urlFrom": {"secretKeyRef": {"name": "c", "key": "b"}}},
    ),
    "another key": ({"urlFrom": SECRET}, {"urlFrom": {"secretKeyRef": {"name": "a", "key": "c"}}}),
    "a client certificate": (
        {"urlFrom": SECRET},
        {"urlFrom": SECRET, "clientCertificateFrom": {"secretRef": {"name": "team"}}},
    ),
    "an identity": ({"urlFrom": SECRET}, {"urlFrom": SECRET, "identity": {"gcp": {}}}),
    "a role": ({"urlFrom": SECRET}, {"urlFrom": SECRET, "role": "owner"}),
    "a password's file": (
        {"connection": {**PARTS, "passwordFrom": SECRET}},
        {"connection": {**PARTS, "passwordFrom": None, "passwordFile": "/vault/password"}},
    ),
    "a user and a host": (
        {"connection": {**PARTS, "user": "a"}},
        {"connection": {**PARTS, "user": "b", "host": "127.0.0.1", "port": 6432}},
    ),
    "another role of a cluster": ({"cnpg": {"cluster": "c"}}, {"cnpg": {"role": "migrator"}}),
    "a connection for a URL": ({"urlFrom": SECRET}, {"urlFrom": None, "connection": PARTS}),
    "a cluster for a connection": (
        {"connection": PARTS},
        {"connection": None, "cnpg": {"cluster": "c"}},
    ),
}
ANOTHER_DATABASE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another name": ({"connection": PARTS}, {"connection": {"dbname": "other"}}),
    "another cluster": ({"cnpg": {"cluster": "c"}}, {"cnpg": {"cluster": "d"}}),
    "a name in a cluster": ({"cnpg": {"cluster": "c"}}, {"cnpg": {"database": "d"}}),
    "another name in a cluster": (
        {"cnpg": {"cluster": "c", "database": "d"}},
        {"cnpg": {"database": "e"}},
    ),
    "no name in a cluster": (
        {"cnpg": {"cluster": "c", "database": "d"}},
        {"cnpg": {"database": None}},
    ),
    "another history": ({"urlFrom": SECRET}, {"historyTable": "other"}),
    "a history with a schema": ({"urlFrom": SECRET}, {"historyTable": "public.schema_migrations"}),
}


@pytest.mark.parametrize("change", REACHED_OTHERWISE)
def test_how_a_database_is_reached_can_be_changed(namespace: Namespace, change: str) -> None:
    before, after = REACHED_OTHERWISE[change]
    created = namespace.create(migration(database=before))
    changed = namespace.patch("dbm", "users", {"spec": {"database": after}})
    assert changed["metadata"]["generation"] == created["metadata"]["generation"] + 1


@pytest.mark.parametrize("change", ANOTHER_DATABASE)
def test_which_database_is_meant_can_not_be_changed(namespace: Namespace, change: str) -> None:
    before, after = ANOTHER_DATABASE[change]
    namespace.create(migration(database=before))
    with pytest.raises(ApiError, match=r"can't be changed .*create another DatabaseMigration"):
        namespace.patch("dbm", "users", {"spec": {"database": after}})


def test_an_action_is_immutable(namespace: Namespace) -> None:
    namespace.create(action(action="Retry"))
    with pytest.raises(ApiError, match="an action can't be changed"):
        namespace.patch("dbma", "order", {"spec": {"reason": "another"}})


def test_everything_but_the_database_can_be_changed(namespace: Namespace) -> None:
    created = namespace.create(migration())
    changed = deepcopy(created["spec"])
    changed["source"] = {"configMaps": None, "inline": FILE}
    changed |= {"target": "1", "suspend": True, "rollback": "Allow"}
    again = namespace.patch("dbm", "users", {"spec": changed})
    assert again["metadata"]["generation"] == 2
