"""The small pure parts: backoff, files, status patches, events, what a Pod says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dbmigrate.api.source import ConfigMapsSource, InlineSource
from dbmigrate.api.spec import Retry
from dbmigrate.controller.config import read_config
from dbmigrate.controller.decisions.backoff import retry_delay
from dbmigrate.controller.decisions.files import (
    SourceFiles,
    looks_like_migrations,
    read_config_map,
    resolve_files,
)
from dbmigrate.controller.decisions.pods import Waiting
from dbmigrate.controller.decisions.progress import describe_progress
from dbmigrate.controller.decisions.verdict import VerdictReason
from dbmigrate.controller.jobs.pod_object import parse_pod
from dbmigrate.controller.writing.status_patch import status_patch
from tests.unit.controller.resources import UID, make_migration, make_run

pytestmark = pytest.mark.quick


def test_delays_double_up_to_the_limit_and_never_exceed_it() -> None:
    retry = Retry(limit=10, initial_delay=timedelta(seconds=5), max_delay=timedelta(minutes=5))
    for attempt in (1, 2, 3, 7, 50, 1000):
        full = min(5 * 2 ** min(attempt - 1, 30), 300)
        delay = retry_delay(retry, attempt=attempt, seed="x").total_seconds()
        assert 0.75 * full <= delay <= full


def test_the_jitter_is_the_same_for_everyone_who_asks() -> None:
    retry = Retry()
    first, second = (retry_delay(retry, attempt=3, seed="a") for _ in range(2))
    assert first == second
    assert retry_delay(retry, attempt=3, seed="b") != first


def test_the_digest_follows_names_and_content() -> None:
    source = ConfigMapsSource(("a",))
    digests = {
        resolve_files(source, {"a": read_config_map({"data": data})}).digest
        for data in ({"1_a.up.sql": "x"}, {"1_b.up.sql": "x"}, {"1_a.up.sql": "y"})
    }
    assert len(digests) == 3
    same = [read_config_map({"data": {"1_a.up.sql": "x"}, "metadata": {"v": n}}) for n in (1, 2)]
    assert same[0] == same[1]


def test_a_missing_config_map_and_a_file_in_two_of_them_are_told_apart() -> None:
    source = ConfigMapsSource(("a", "b"))
    one = read_config_map({"data": {"1_a.up.sql": "x"}})
    assert resolve_files(source, {"a": one}) == SourceFiles(missing="b")
    invalid = resolve_files(source, {"a": one, "b": one}).invalid
    assert invalid is not None
    assert "1_a.up.sql" in invalid


def test_inline_files_have_a_digest_of_their_own() -> None:
    assert resolve_files(InlineSource({"a": "1"}), {}) != resolve_files(
        InlineSource({"a": "2"}), {}
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [(["000001_a.up.sql"], True), (["1_a.down.sql"], True), (["ca.crt"], False), ([], False)],
)
def test_only_config_maps_with_migration_files_are_hashed(keys: list[str], expected: bool) -> None:
    assert looks_like_migrations({"data": dict.fromkeys(keys, "")}) is expected


@pytest.mark.parametrize(
    ("current", "wanted", "patch"),
    [
        ({"version": "1"}, {"version": "1"}, {}),
        ({"version": "1"}, {"version": "2"}, {"version": "2"}),
        ({"nextRetryAt": "x"}, {}, {"nextRetryAt": None}),
        ({"lastRun": {"a": 1, "b": 2}}, {"lastRun": {"a": 1}}, {"lastRun": {"b": None}}),
        ({"conditions": [1]}, {"conditions": [1, 2]}, {"conditions": [1, 2]}),
        ({"ofANewerOperator": 1}, {}, {}),
        ({}, {"history": []}, {}),
        ({"backup": {"name": "a"}}, {"backup": {"name": "a"}}, {}),
        ({"serverVersion": "17.9"}, {"serverVersion": "17.10"}, {"serverVersion": "17.10"}),
    ],
)
def test_a_patch_holds_the_difference_and_nothing_else(
    current: dict[str, Any], wanted: dict[str, Any], patch: dict[str, Any]
) -> None:
    assert status_patch(current, wanted) == patch


def pod_body(status: dict[str, Any]) -> dict[str, Any]:
    labels = {"dbmigrate.dev/migration-uid": UID, "batch.kubernetes.io/job-name": "shop-1"}
    metadata = {"name": "p", "namespace": "team", "uid": "u", "labels": labels}
    return {"metadata": metadata, "status": status}


def test_a_pod_says_what_its_container_waits_for() -> None:
    message = 'secret "shop-db" not found'
    waiting = {"reason": "CreateContainerConfigError", "message": message}
    status = {"containerStatuses": [{"name": "dbmigrate", "state": {"waiting": waiting}}]}
    pod = parse_pod(pod_body(status))
    assert pod.waiting == Waiting("CreateContainerConfigError", message, "dbmigrate")
    assert pod.may_be_running


def test_an_init_container_that_failed_decides() -> None:
    failed = {"terminated": {"exitCode": 1, "message": "cp: no such file"}}
    initializing = {"waiting": {"reason": "PodInitializing"}}
    status = {
        "phase": "Failed",
        "initContainerStatuses": [{"name": "copy-migrations", "state": failed}],
        "containerStatuses": [{"name": "dbmigrate", "state": initializing}],
    }
    pod = parse_pod(pod_body(status))
    assert pod.failed is not None
    assert pod.failed.container == "copy-migrations"
    assert not pod.may_be_running


RUNNING = {"running": {"startedAt": "2026-11-24T12:00:00Z"}}
DONE = {"terminated": {"exitCode": 0}}


@pytest.mark.parametrize(
    ("statuses", "held_by"),
    [
        ([], None),
        ([("fetch", RUNNING, False)], "init container fetch has not ended"),
        ([("fetch", DONE, False), ("proxy", RUNNING, True)], None),
        ([("fetch", DONE, False), ("proxy", RUNNING, False)], "proxy has not started"),
        ([("proxy", RUNNING, True), ("fetch", RUNNING, False)], "fetch has not ended"),
    ],
)
def test_an_init_container_that_lets_the_runner_wait_is_told(
    statuses: list[tuple[str, dict[str, Any], bool]], held_by: str | None
) -> None:
    body = pod_body(
        {
            "initContainerStatuses": [
                {"name": name, "state": state, "started": started}
                for name, state, started in statuses
            ]
        }
    )
    body["spec"] = {
        "initContainers": [{"name": "fetch"}, {"name": "proxy", "restartPolicy": "Always"}]
    }
    pod = parse_pod(body)
    assert (pod.held_by or "").find(held_by or "") >= 0
    assert (pod.held_by is None) is (held_by is None)
    run = make_run(make_migration(), name="shop-1")
    for age, is_told in ((30, False), (61, held_by is not None)):
        verdict = describe_progress(run, [pod], {}, run.created_at + timedelta(seconds=age))
        assert (verdict.reason == VerdictReason.POD_NOT_STARTING) is is_told
        assert (held_by is not None and held_by in verdict.message) is is_told


def test_a_sidecar_has_no_word_in_how_the_run_ended() -> None:
    killed = {"terminated": {"exitCode": 137, "reason": "Error"}}
    done = {"terminated": {"exitCode": 0, "message": "{}"}}
    status = {
        "phase": "Succeeded",
        "initContainerStatuses": [{"name": "rehearsal", "state": killed}],
        "containerStatuses": [{"name": "dbmigrate", "state": done}],
    }
    pod = parse_pod(pod_body(status))
    assert pod.ended is not None
    assert (pod.ended.container, pod.ended.exit_code) == ("dbmigrate", 0)
    del status["containerStatuses"]
    assert parse_pod(pod_body(status)).ended is None


def test_flags_win_over_the_environment_and_bad_values_are_refused() -> None:
    environ = {"DBMIGRATE_RUNNER_IMAGE": "from-env", "DBMIGRATE_NAMESPACE": "a,b"}
    assert read_config(["run"], environ).runner_image == "from-env"
    twin = {"DBMIGRATE_REHEARSAL_IMAGE": "own:{major}"}
    assert read_config(["run"], twin).rehearsal_image == "own:{major}"
    assert read_config(["run"], {}).rehearsal_image == "docker.io/library/postgres:{major}"
    assert read_config(["run"], environ).namespaces == ("a", "b")
    assert read_config(["run", "--namespace", "c"], environ).namespaces == ("c",)
    assert read_config(["run", "--runner-image", "x"], environ).runner_image == "x"
    assert read_config(["run", "--resync", "0"], environ).resync is None
    with pytest.raises(SystemExit):
        read_config(["run", "--resync", "soon"], environ)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", None),
        (":8080", ("", 8080)),
        ("0.0.0.0:8080", ("0.0.0.0", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::]:8080", ("::", 8080)),
        ("[fe80::1%eth0]:8080", ("fe80::1%eth0", 8080)),
    ],
)
def test_an_address_is_of_either_family(text: str, address: tuple[str, int] | None) -> None:
    assert read_config(["run"], {"DBMIGRATE_HEALTH": text}).health == address
    assert read_config(["run", f"--metrics={text}"], {}).metrics == address


@pytest.mark.parametrize(
    "variable",
    [
        *(f"DBMIGRATE_HEALTH={bad}" for bad in ("8080", "::1:8080", "::", "[::1]", "[:8080")),
        *(f"DBMIGRATE_METRICS={bad}" for bad in ("x:65536", "x:-1", "x:\u0663", "a b:1", "[]:1")),
        "DBMIGRATE_JOB_USER_IDS=none",
        "DBMIGRATE_LOG_LEVEL=loud",
        "DBMIGRATE_LOG_FORMAT=xml",
        "DBMIGRATE_WORKERS=0",
        "DBMIGRATE_ORDER_MAX_AGE=long",
    ],
)
def test_a_bad_variable_is_refused_with_its_value(
    variable: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, _, value = variable.partition("=")
    with pytest.raises(SystemExit):
        read_config(["run"], {name: value})
    said = capsys.readouterr().err
    assert f"argument --{name.removeprefix('DBMIGRATE_').lower().replace('_', '-')}: " in said
    assert repr(value) in said
