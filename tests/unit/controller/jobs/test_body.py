"""The Job is built so that Kubernetes takes it, runs it once, and gives it nothing to steal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dbmigrate.api.fields import SpecError
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.names import MANAGED_BY_LABEL, MIGRATION_LABEL, UID_LABEL
from dbmigrate.api.spec import CONTAINER_NAMES, VOLUME_NAMES
from dbmigrate.api.status import MigratedDatabase, MigrationStatus
from dbmigrate.controller.decisions.runs import RunCommand, RunState
from dbmigrate.controller.jobs.body import Images, RunOrder, build_job
from dbmigrate.controller.jobs.job_object import parse_run
from dbmigrate.controller.jobs.naming import event_name, job_name, label_value
from tests.unit.controller.resources import UID, make_migration

pytestmark = pytest.mark.quick

IMAGES = Images("runner:1", "registry/postgres:{major}-slim")
ORDER = RunOrder(RunCommand.GOTO, intent="abc", attempt=1, generation=3)


def build(
    migration: MigrationResource, order: RunOrder = ORDER, *, names_ids: bool = True
) -> dict[str, Any]:
    return build_job(migration, order, images=IMAGES, server_version=(1, 36), names_ids=names_ids)


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


def runner_of(job: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = pod_of(job)["containers"][0]
    return container


def env_of(job: dict[str, Any]) -> dict[str, Any]:
    return {
        item["name"]: item.get("value", item.get("valueFrom")) for item in runner_of(job)["env"]
    }


def test_kubernetes_never_starts_a_second_pod_by_itself() -> None:
    job = build(make_migration(timeouts={"deadline": "90s"}))
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["podReplacementPolicy"] == "Failed"
    assert job["spec"]["activeDeadlineSeconds"] == 90
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    assert pod_of(job)["restartPolicy"] == "Never"
    assert pod_of(job)["terminationGracePeriodSeconds"] > 0


def test_the_pod_satisfies_the_restricted_standard_and_has_no_token() -> None:
    job = build(make_migration(source={"image": {"reference": "app:1", "mode": "Copy"}}))
    pod = pod_of(job)
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod["containers"], *pod["initContainers"]]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]


def test_a_job_can_be_read_back_into_the_run_that_it_is() -> None:
    job = build(make_migration())
    job["metadata"] |= {"uid": "job-uid", "creationTimestamp": "2026-11-24T12:00:00Z"}
    run = parse_run(job)
    assert (run.command, run.intent, run.attempt, run.generation) == (RunCommand.GOTO, "abc", 1, 3)
    assert (run.migration_uid, run.owner_uid, run.state) == (UID, UID, RunState.ACTIVE)


def test_the_command_line_is_a_list_that_a_person_could_type() -> None:
    job = build(
        make_migration(
            target="7",
            rollback="Allow",
            timeouts={"lock": "30s", "lockAcquisition": "500ms", "statement": "10m"},
        )
    )
    assert runner_of(job)["command"] == ["dbmigrate"]
    line = " ".join(runner_of(job)["args"])
    assert line == (
        "-path /migrations --report /dev/termination-log -lock-timeout 30 "
        "-statement-lock-timeout 500ms -statement-timeout 10m -rollback allow goto 7"
    )


def test_a_url_goes_by_reference_from_the_secret_to_the_pod() -> None:
    job = build(make_migration())
    reference = {"secretKeyRef": {"name": "shop-db", "key": "url"}}
    assert env_of(job) == {
        "DBMIGRATE_LINT": "warn",
        "DBMIGRATE_GRACE_PERIOD": "60s",
        "DBMIGRATE_CONFINED_TO": "/migrations",
        "DBMIGRATE_OWNER": f"unknown/team/shop#{UID}",
        "DBMIGRATE_INTENT": "abc",
        "DBMIGRATE_DATABASE": reference,
        "DBMIGRATE_SECRET_VARIABLES": "DBMIGRATE_DATABASE",
    }


def test_a_run_is_told_which_database_it_is_once_the_way_to_it_has_changed() -> None:
    migration = make_migration()
    known = MigratedDatabase("7412-16384", migration.spec.database.checksum)

    def expected(last: MigratedDatabase | None, **spec: Any) -> Any:
        changed = make_migration(status=MigrationStatus(database=last), **spec)
        return env_of(build(changed)).get("DBMIGRATE_EXPECT_DATABASE")

    assert expected(None) is None
    assert expected(known) is None
    assert expected(known, target="1", suspend=True) is None
    assert expected(replace(known, reached_by="")) == "7412-16384"
    changes: tuple[dict[str, Any], ...] = (
        {"urlFrom": {"secretKeyRef": {"name": "other", "key": "url"}}},
        {"urlFrom": {"secretKeyRef": {"name": "shop-db", "key": "url"}}, "role": "owner"},
        {"connection": {"host": "db", "dbname": "shop"}},
        {"cnpg": {"cluster": "shop"}},
    )
    for change in changes:
        assert expected(known, database=change) == "7412-16384"


def test_a_connection_becomes_libpqs_environment() -> None:
    connection = {
        "host": "db.example",
        "dbname": "shop",
        "user": "owner",
        "passwordFrom": {"secretKeyRef": {"name": "shop-db", "key": "password"}},
        "sslmode": "verify-full",
        "rootCertificateFrom": {"configMapKeyRef": {"name": "ca", "key": "ca.crt"}},
    }
    job = build(make_migration(database={"connection": connection}))
    env = env_of(job)
    assert env["PGHOST"] == "db.example"
    assert env["PGPORT"] == "5432"
    assert env["PGPASSWORD"] == {"secretKeyRef": {"name": "shop-db", "key": "password"}}
    assert env["PGSSLMODE"] == "verify-full"
    directory, _, file = env["PGSSLROOTCERT"].rpartition("/")
    volume = pod_of(job)["volumes"][1]
    assert volume["configMap"]["items"] == [{"key": "ca.crt", "path": file}]
    assert runner_of(job)["volumeMounts"][1]["mountPath"] == directory


def test_a_cluster_of_cloudnativepg_stands_for_its_secrets_its_authority_and_its_service() -> None:
    job = build(make_migration(database={"cnpg": {"cluster": "pg"}}))
    env = env_of(job)
    assert (env["PGHOST"], env["PGPORT"], env["PGSSLMODE"]) == ("pg-rw", "5432", "verify-full")
    for name, key in (("PGUSER", "username"), ("PGPASSWORD", "password"), ("PGDATABASE", "dbname")):
        assert env[name] == {"secretKeyRef": {"name": "pg-app", "key": key}}
    # The authority's Secret holds its private key as well, which no run needs.
    volume = pod_of(job)["volumes"][1]["secret"]
    assert volume == {"secretName": "pg-ca", "items": [{"key": "ca.crt", "path": "root.crt"}]}
    # The name of the database may be told, that of the role as little as any other of a Secret.
    assert env["DBMIGRATE_SECRET_VARIABLES"] == "PGPASSWORD,PGUSER"
    other = {"cluster": "pg", "database": "shop", "role": "dante"}
    env = env_of(build(make_migration(database={"cnpg": other})))
    assert env["PGDATABASE"] == "shop"
    assert env["PGPASSWORD"] == {"secretKeyRef": {"name": "pg-dante", "key": "password"}}


@pytest.mark.parametrize(
    "access",
    [
        {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
        {"connection": {"host": "h", "dbname": "d"}},
        {"cnpg": {"cluster": "pg"}},
    ],
)
@pytest.mark.parametrize("names_ids", [True, False])
def test_a_client_certificate_can_be_read_by_any_user(
    access: dict[str, Any], names_ids: bool
) -> None:
    database = {**access, "clientCertificateFrom": {"secretRef": {"name": "client"}}}
    plain = build(make_migration(database=access), names_ids=names_ids)
    job = build(make_migration(database=database), names_ids=names_ids)
    (volume,) = (v for v in pod_of(job)["volumes"] if v not in pod_of(plain)["volumes"])
    assert [item["key"] for item in volume["secret"]["items"]] == ["tls.crt", "tls.key"]
    assert volume["secret"]["defaultMode"] == 0o444
    (mount,) = (m for m in runner_of(job)["volumeMounts"] if m["name"] == volume["name"])
    assert env_of(job)["DBMIGRATE_CLIENT_CERTIFICATE"] == mount["mountPath"]
    assert pod_of(job)["securityContext"] == pod_of(plain)["securityContext"]


EXTRAS: dict[str, Any] = {
    "initContainers": [{"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}],
    "volumes": [{"name": "config", "configMap": {"name": "config"}}],
    "volumeMounts": [{"name": "config", "mountPath": "/config"}],
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}],
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "runtimeClassName": "gvisor",
}


def test_parts_of_the_pod_are_passed_on_unchanged_behind_our_own() -> None:
    copy = {"image": {"reference": "app:1", "mode": "Copy"}}
    plain = build(make_migration(source=copy))
    job = build(make_migration(source=copy, job=EXTRAS))
    for name in ("initContainers", "volumes"):
        assert pod_of(job)[name] == [*pod_of(plain)[name], *EXTRAS[name]]
    mounts = runner_of(job)["volumeMounts"]
    assert mounts == [*runner_of(plain)["volumeMounts"], *EXTRAS["volumeMounts"]]
    for name in ("hostAliases", "dnsConfig", "runtimeClassName"):
        assert pod_of(job)[name] == EXTRAS[name]


def test_a_run_waits_for_a_proxy_beside_it_and_for_no_other_container() -> None:
    assert env_of(build(make_migration(job=EXTRAS)))["DBMIGRATE_CONNECT_WAIT"] == "60s"
    before = [{"name": "fetch", "image": "fetch:1"}]
    job = build(make_migration(job={"initContainers": before}))
    assert "DBMIGRATE_CONNECT_WAIT" not in env_of(job)


@pytest.mark.parametrize(
    ("field", "name"),
    [
        *(("initContainers", name) for name in sorted(CONTAINER_NAMES)),
        *(("volumes", name) for name in sorted(VOLUME_NAMES)),
    ],
)
def test_names_of_our_own_parts_are_taken(field: str, name: str) -> None:
    with pytest.raises(SpecError, match=rf"spec\.job\.{field}\[0\]\.name: is the name of a part"):
        make_migration(job={field: [{"name": name}]})


def test_no_part_of_our_own_has_a_name_that_a_resource_may_take() -> None:
    certificate = {"secretKeyRef": {"name": "ca", "key": "ca.crt"}}
    connection = {"host": "h", "dbname": "d", "rootCertificateFrom": certificate}
    database = {
        "connection": connection,
        "clientCertificateFrom": {"secretRef": {"name": "client"}},
    }
    copy = {"image": {"reference": "app:1", "mode": "Copy"}}
    backup = {"persistentVolumeClaim": {"claimName": "c"}}
    migration = make_migration(database=database, source=copy, backup=backup)
    pod = pod_of(build(migration, replace(ORDER, rehearsed_on="17")))
    assert {volume["name"] for volume in pod["volumes"]} == VOLUME_NAMES - {"targets"}
    containers = [*pod["containers"], *pod["initContainers"]]
    assert {container["name"] for container in containers} == CONTAINER_NAMES


def test_the_systems_authorities_need_verify_full() -> None:
    connection = {"host": "h", "dbname": "d", "rootCertificateFrom": {"system": {}}}
    env = env_of(build(make_migration(database={"connection": connection})))
    assert (env["PGSSLMODE"], env["PGSSLROOTCERT"]) == ("verify-full", "system")
    with pytest.raises(SpecError, match="sslmode: must be verify-full"):
        make_migration(database={"connection": {**connection, "sslmode": "require"}})


@pytest.mark.parametrize(
    ("database", "intent"),
    [
        ({"urlFrom": {"secretKeyRef": {"name": "n", "key": "k"}}}, "10d4152205d76d23e52c"),
        ({"connection": {"host": "h", "dbname": "d"}}, "56b9133afca5d719fedc"),
        (
            {
                "connection": {
                    "host": "h",
                    "dbname": "d",
                    "port": 5433,
                    "user": "u",
                    "passwordFrom": {"secretKeyRef": {"name": "n", "key": "k"}},
                    "sslmode": "verify-full",
                    "rootCertificateFrom": {"configMapKeyRef": {"name": "a", "key": "b"}},
                },
                "historyTable": "x.y",
            },
            "6ab73b7f922755fcc098",
        ),
    ],
)
def test_fields_that_a_resource_does_not_have_leave_its_intent(
    database: dict[str, Any], intent: str
) -> None:
    """Another intent would make a run, after an update of the operator."""
    assert make_migration(database=database).spec.intent("one") == intent


def test_variables_of_the_resource_can_not_replace_ours() -> None:
    for name in ("DBMIGRATE_DATABASE", "DATABASE_URL", "PGHOSTADDR", "PGSERVICE"):
        with pytest.raises(SpecError, match=rf"spec\.job\.env\[0\]\.name: {name} can't be set"):
            make_migration(job={"env": [{"name": name, "value": "postgres://elsewhere"}]})
    mine = {"name": "PGHOST", "value": "elsewhere"}
    connection = {"host": "db", "dbname": "d"}
    job = build(make_migration(job={"env": [mine]}, database={"connection": connection}))
    assert env_of(job)["PGHOST"] == "db"


def test_the_runner_is_told_which_variables_come_from_secrets() -> None:
    secret = {"secretKeyRef": {"name": "s", "key": "k"}}
    connection = {"host": "h", "dbname": "d", "userFrom": secret, "passwordFrom": secret}
    env = [
        {"name": "A", "valueFrom": secret},
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "PGUSER", "value": "x"},
    ]
    job = build(make_migration(job={"env": env}, database={"connection": connection}))
    assert env_of(job)["DBMIGRATE_SECRET_VARIABLES"] == "A,PGPASSWORD,PGUSER"
    assert env_of(build(make_migration()))["DBMIGRATE_SECRET_VARIABLES"] == "DBMIGRATE_DATABASE"


@pytest.mark.parametrize("command", RunCommand)
def test_a_resource_can_not_let_its_source_lead_out_of_the_volume(command: RunCommand) -> None:
    with pytest.raises(SpecError, match="DBMIGRATE_CONFINED_TO can't be set"):
        make_migration(job={"env": [{"name": "DBMIGRATE_CONFINED_TO", "value": "/"}]})
    job = build(make_migration(), replace(ORDER, command=command))
    mounted = runner_of(job)["volumeMounts"][0]["mountPath"]
    assert env_of(job)["DBMIGRATE_CONFINED_TO"] == mounted == "/migrations"


@pytest.mark.parametrize("mode", ["Volume", "Copy"])
def test_a_path_can_not_make_the_kubelet_show_a_secret(mode: str) -> None:
    image = {"reference": "app:1", "path": "/$(DBMIGRATE_DATABASE)", "mode": mode}
    job = build(make_migration(source={"image": image}))
    pod = pod_of(job)
    words = [*runner_of(job)["args"]]
    words += [w for c in pod.get("initContainers", []) for w in c["command"]]
    assert not [w for w in words if "$(" in w.replace("$$", "")]
    assert [w for w in words if "$$(DBMIGRATE_DATABASE)" in w]


def test_config_maps_are_laid_together_in_one_volume() -> None:
    job = build(make_migration(source={"configMaps": [{"name": "a"}, {"name": "b"}]}))
    projected = pod_of(job)["volumes"][0]["projected"]["sources"]
    assert projected == [{"configMap": {"name": "a"}}, {"configMap": {"name": "b"}}]


def test_inline_files_travel_with_the_pod_as_they_are() -> None:
    files = {"000001_a.up.sql": "SELECT 'it''s';\n", "000001_a.down.sql": "SELECT 2;"}
    job = build(make_migration(source={"inline": files}))
    annotations = job["spec"]["template"]["metadata"]["annotations"]
    shown = {}
    for item in pod_of(job)["volumes"][0]["downwardAPI"]["items"]:
        path = item["fieldRef"]["fieldPath"]
        key = path.removeprefix("metadata.annotations['").removesuffix("']")
        shown[item["path"]] = annotations[key]
    assert shown == files


@pytest.mark.parametrize(("version", "kind"), [((1, 34), "emptyDir"), ((1, 35), "image")])
def test_an_image_is_a_volume_where_the_server_has_it_and_a_copy_elsewhere(
    version: tuple[int, int], kind: str
) -> None:
    migration = make_migration(source={"image": {"reference": "app:1", "path": "/db/sql"}})
    job = build_job(migration, ORDER, images=IMAGES, server_version=version)
    assert kind in pod_of(job)["volumes"][0]
    path = runner_of(job)["args"][1]
    if kind == "image":
        assert path == "/migrations/db/sql"
        assert "initContainers" not in pod_of(job)
    else:
        assert path == "/migrations"
        copy = pod_of(job)["initContainers"][0]
        assert copy["command"] == ["cp", "-R", "/db/sql/.", "/dbmigrate-copy"]
        assert {"name": "migrations", "mountPath": "/dbmigrate-copy"} in copy["volumeMounts"]
        assert copy["securityContext"]["runAsUser"] != 0


def test_a_claim_is_mounted_read_only() -> None:
    claim = {"persistentVolumeClaim": {"claimName": "files", "path": "sql"}}
    job = build(make_migration(source=claim))
    volume = pod_of(job)["volumes"][0]["persistentVolumeClaim"]
    assert volume == {"claimName": "files", "readOnly": True}
    assert runner_of(job)["args"][1] == "/migrations/sql"


def test_all_job_options_reach_the_pod() -> None:
    options = {
        "image": "own:2",
        "serviceAccountName": "migrator",
        "resources": {"limits": {"memory": "1Gi"}},
        "nodeSelector": {"zone": "a"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "imagePullSecrets": [{"name": "registry"}],
        "labels": {"team": "shop", MANAGED_BY_LABEL: "someone"},
        "annotations": {"sidecar.istio.io/inject": "false"},
        "env": [{"name": "PGOPTIONS", "value": "-c role=owner"}],
        "podSecurityContext": {"runAsUser": 1000},
        "securityContext": {"readOnlyRootFilesystem": False},
    }
    job = build(make_migration(job=options))
    pod, runner = pod_of(job), runner_of(job)
    for field in ("serviceAccountName", "tolerations", "affinity"):
        assert pod[field] == options[field]
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", "zone": "a"}
    assert pod["priorityClassName"] == "high"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert runner["image"] == "own:2"
    assert runner["resources"] == {"limits": {"memory": "1Gi"}}
    assert runner["securityContext"]["readOnlyRootFilesystem"] is False
    assert env_of(job)["PGOPTIONS"] == "-c role=owner"
    template = job["spec"]["template"]["metadata"]
    assert template["labels"]["team"] == "shop"
    assert template["labels"][MANAGED_BY_LABEL] == "dbmigrate"
    assert template["annotations"]["sidecar.istio.io/inject"] == "false"
    assert job["metadata"]["labels"][MIGRATION_LABEL] == "shop"
    assert job["metadata"]["labels"][UID_LABEL] == UID


@pytest.mark.parametrize(
    ("options", "group"),
    [
        ({}, 65532),
        ({"podSecurityContext": {"fsGroup": 7}}, 65532),
        ({"podSecurityContext": {"runAsGroup": 7}}, None),
        ({"podSecurityContext": {"runAsUser": 7}}, None),
        ({"securityContext": {"runAsUser": 7}}, None),
        ({"securityContext": {"runAsGroup": 7}}, 7),
    ],
)
def test_the_runner_has_the_images_group_unless_the_resource_names_its_own(
    options: dict[str, Any], group: int | None
) -> None:
    job = build(make_migration(job=options))
    assert runner_of(job)["securityContext"].get("runAsGroup") == group


def test_there_is_a_place_for_temporary_files() -> None:
    job = build(make_migration())
    (mount,) = [m for m in runner_of(job)["volumeMounts"] if m["mountPath"] == "/tmp"]
    (volume,) = [v for v in pod_of(job)["volumes"] if v["name"] == mount["name"]]
    assert volume["emptyDir"] == {}


REHEARSED = replace(ORDER, rehearsed_on="17")


def test_the_scratch_server_stands_beside_the_runner_and_is_as_restricted() -> None:
    source = {"image": {"reference": "app:1", "mode": "Copy"}}
    job = build(make_migration(source=source, rehearse="BeforeApply"), REHEARSED)
    pod = pod_of(job)
    copy, beside = pod["initContainers"]
    assert copy["name"] == "copy-migrations"
    assert (beside["name"], beside["restartPolicy"]) == ("rehearsal", "Always")
    assert beside["image"] == "registry/postgres:17-slim"
    assert beside["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "runAsUser": 65532,
    }
    assert beside["resources"]["limits"]["memory"] == "512Mi"
    assert "env" not in beside
    script = beside["command"][-1]
    assert "-c listen_addresses= -c" in script
    assert "shop" not in script
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["rehearsal"]["emptyDir"] == {"sizeLimit": "1Gi"}
    mounts = {mount["name"]: mount for mount in runner_of(job)["volumeMounts"]}
    assert mounts["rehearsal"] == {
        "name": "rehearsal", "mountPath": "/rehearsal", "readOnly": True,
    }  # fmt: skip
    words = runner_of(job)["args"]
    server = words[words.index("-rehearse-on") + 1]
    assert server == "host=/rehearsal user=postgres dbname=postgres connect_timeout=60"


@pytest.mark.parametrize(
    ("options", "user"),
    [
        ({}, 65532),
        ({"podSecurityContext": {"runAsUser": 1000}}, 1000),
        ({"podSecurityContext": {"runAsUser": 1000}, "securityContext": {"runAsUser": 7}}, 7),
    ],
)
def test_the_scratch_server_knows_what_its_user_is_called(
    options: dict[str, Any], user: int
) -> None:
    job = build(make_migration(job=options), REHEARSED)
    (beside,) = pod_of(job)["initContainers"]
    security = pod_of(job)["securityContext"] | beside["securityContext"]
    assert security["runAsUser"] == user
    annotations = job["spec"]["template"]["metadata"]["annotations"]
    passwd = annotations["dbmigrate.dev/rehearsal-passwd"].splitlines()
    assert passwd[1].startswith(f"postgres:x:{user}:")
    (mount,) = [m for m in beside["volumeMounts"] if m["mountPath"] == "/etc/passwd"]
    volume = next(v for v in pod_of(job)["volumes"] if v["name"] == mount["name"])
    (item,) = volume["downwardAPI"]["items"]
    assert item["path"] == mount["subPath"]
    assert "dbmigrate.dev/rehearsal-passwd" in item["fieldRef"]["fieldPath"]


def test_without_a_rehearsal_nothing_stands_beside_the_runner() -> None:
    job = build(make_migration())
    assert "initContainers" not in pod_of(job)
    assert "-rehearse-on" not in runner_of(job)["args"]


@pytest.mark.parametrize(
    ("policy", "command", "option", "twin"),
    [
        ("Reject", RunCommand.GOTO, ["-lint", "reject"], None),
        ("Reject", RunCommand.PLAN, ["-lint", "reject"], None),
        ("Reject", RunCommand.STATUS, [], None),
        ("Reject", RunCommand.ROLLBACK, [], None),
        ("Warn", RunCommand.GOTO, [], "warn"),
        ("Warn", RunCommand.REPAIR, [], None),
        ("Off", RunCommand.GOTO, [], None),
    ],
)
def test_lint_is_asked_for_where_the_way_leads_up(
    policy: str, command: RunCommand, option: list[str], twin: str | None
) -> None:
    source = {"configMaps": [{"name": "files"}], "lint": policy}
    job = build(make_migration(source=source), replace(ORDER, command=command))
    words = runner_of(job)["args"]
    found = words[words.index("-lint") :][:2] if "-lint" in words else []
    assert found == option
    # An old runner does not mind a variable that it does not know.
    assert env_of(job).get("DBMIGRATE_LINT") == twin


def test_a_job_has_one_name_for_one_purpose() -> None:
    def name(**changes: Any) -> str:
        parts: dict[str, Any] = {"uid": UID, "command": "goto", "generation": 1, "intent": "i"}
        return job_name("shop", n=1, **(parts | changes))

    names = {
        name(),
        name(uid="other"),
        name(command="status"),
        name(generation=2),
        name(intent="j"),
    }
    assert len(names) == 5
    assert name() == name()


@pytest.mark.parametrize("resource", ["a" * 253, "a" * 51 + "." + "b" * 100, "short"])
def test_names_fit_into_labels_whatever_the_resource_is_called(resource: str) -> None:
    name = job_name(resource, uid=UID, command="goto", generation=1, intent="i", n=1)
    assert len(name) <= 63
    assert name[0].isalnum()
    assert name[-1].isalnum()
    assert ".-" not in name
    assert len(label_value(resource)) <= 63
    assert len(event_name(resource, "x")) <= 63


BACKUP = {"persistentVolumeClaim": {"claimName": "backups"}}
COPIED = {"image": {"reference": "app:1", "mode": "Copy"}}


@pytest.mark.parametrize("source", [COPIED, {"configMaps": [{"name": "files"}]}])
@pytest.mark.parametrize("rehearsed_on", [None, "17"])
@pytest.mark.parametrize("own", [{}, {"podSecurityContext": {"runAsUser": 1234, "fsGroup": 5}}])
def test_where_the_cluster_assigns_ids_only_the_resource_names_any(
    source: dict[str, Any], rehearsed_on: str | None, own: dict[str, Any]
) -> None:
    """OpenShift's restricted-v2 refuses a user and a group outside of its namespace's range."""
    migration = make_migration(source=source, backup=BACKUP, job=own)
    order = replace(ORDER, rehearsed_on=rehearsed_on)
    pod = pod_of(build(migration, order, names_ids=False))
    named = own.get("podSecurityContext", {})
    assert ids_in(pod["securityContext"]) == named
    assert [ids_in(each["securityContext"]) for each in containers_of(pod)] == [{}] * len(
        containers_of(pod)
    )
    has_entry = any(volume["name"] == "rehearsal-passwd" for volume in pod["volumes"])
    assert has_entry is bool(rehearsed_on and named)
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in containers_of(pod):
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    assert ids_in(pod_of(build(migration, order))["securityContext"]) != {}


def containers_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["containers"], *pod.get("initContainers", [])]


def ids_in(security: dict[str, Any]) -> dict[str, Any]:
    """Users and groups: all that a range of a namespace is about."""
    names = {"runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"}
    return {name: value for name, value in security.items() if name in names}


@pytest.mark.parametrize(
    ("source", "known", "wanted"),
    [
        ({}, None, None),
        ({}, "goose", "goose"),
        ({}, "golang-migrate", "golang-migrate"),
        ({"format": "auto"}, "goose", "goose"),
        ({"format": "dbmate"}, "goose", None),
        ({}, "of a newer operator", None),
    ],
)
def test_auto_means_the_format_of_the_first_run_from_then_on(
    source: dict[str, Any], known: str | None, wanted: str | None
) -> None:
    migration = make_migration(source={"configMaps": [{"name": "files"}], **source})
    migration = replace(migration, status=replace(migration.status, format=known))
    assert env_of(build(migration)).get("DBMIGRATE_FORMAT") == wanted
