"""`python -m tests.operator_e2e.bench`: what the operator costs at scale, as a table.

The control plane is real; the Pods are replaced by instant ones, which leave a
report and are done, so that the figures are the operator's (and Kubernetes' Job
controller's) alone. Times differ from machine to machine; requests do not.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import urllib3

from dbmigrate.controller.cluster import PAGE
from tests.cluster import ApiError, Cluster, Namespace
from tests.cluster.api import MERGE
from tests.operator_e2e.conftest import grant_rights
from tests.operator_e2e.process import ROOT, Operator

REPORT = json.dumps(
    {
        "schemaVersion": 1,
        "command": "goto latest",
        "outcome": "Applied",
        "version": "2",
        "dirty": False,
        "target": "2",
        "pending": 0,
        "steps": [{"version": "2", "name": "x", "direction": "up", "milliseconds": 1}],
        "stepsTotal": 1,
    }
)
ENDED = {
    "phase": "Succeeded",
    "containerStatuses": [
        {
            "name": "dbmigrate",
            "image": "x",
            "imageID": "x",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "reason": "Completed", "message": REPORT}},
        }
    ],
}


def main() -> None:
    """Run both parts and print their tables."""
    parser = argparse.ArgumentParser(prog="make bench-operator")
    parser.add_argument("--burst", type=int, default=1000, help="resources created at once")
    parser.add_argument("--idle", type=int, default=10000, help="resources that are at rest")
    parser.add_argument("--lease", action="store_true", help="as the chart starts it")
    options = parser.parse_args()
    with Cluster.start() as cluster:
        cluster.install_crds(ROOT / "crds")
        cluster.node.hold()
        namespace = cluster.namespace("bench", labels={})
        namespace.config_map("files", {"000001_x.up.sql": "SELECT 1;"})
        kubeconfig = grant_rights(namespace)
        log = Path(tempfile.mkstemp(prefix="dbmigrate-bench-", suffix=".log")[1])
        flags = ("--lease", f"{namespace.name}/dbmigrate-operator") if options.lease else ()
        operator = Operator(kubeconfig, namespace.name, log, image="runner:bench", flags=flags)
        try:
            measure_burst(cluster, namespace, operator, options.burst)
            measure_idle(cluster, namespace, operator, options.burst, options.idle)
        finally:
            operator.kill()
            print(f"the operator's log: {log}")


def measure_burst(cluster: Cluster, namespace: Namespace, operator: Operator, count: int) -> None:
    """All at once, and from nothing to Ready."""
    finisher = threading.Thread(target=finish_pods, args=(cluster, namespace), daemon=True)
    finisher.start()
    operator.start()
    mark = cluster.audit.mark()
    started = time.monotonic()
    create_all(cluster, namespace, range(count))
    created = time.monotonic() - started
    while (ready := count_ready(namespace)) < count:
        time.sleep(1)
        if time.monotonic() - started > 1200:
            raise SystemExit(f"only {ready} of {count} are Ready after 20 minutes")
    total = time.monotonic() - started
    requests = cluster.audit.requests(since=mark, user=account_of(namespace))
    print(f"\nburst of {count}: created in {created:.1f} s, all Ready after {total:.1f} s")
    show_requests(Counter((r.verb, r.resource, r.code) for r in requests), count)
    writes = sum(request.is_write for request in requests)
    reads = len(requests) - writes
    print(f"each: {writes / count:.1f} writes, {reads / count:.1f} reads")
    print(f"resident memory: {resident(operator)} MiB, CPU: {cpu_seconds(operator):.1f} s")


def measure_idle(
    cluster: Cluster, namespace: Namespace, operator: Operator, before: int, count: int
) -> None:
    """Many that are Ready already: what they cost at rest, and at a restart."""
    operator.stop()
    resource = namespace.get("dbm", "m-0")
    create_all(cluster, namespace, range(before, count))
    with ThreadPoolExecutor(16) as pool:
        for _ in pool.map(lambda n: make_ready(namespace, n, resource), range(before, count)):
            pass
    mark, pages = cluster.audit.mark(), math.ceil(count / PAGE)
    started = time.monotonic()
    operator.start()
    looked = conclude(operator, lambda: count_lists(cluster, namespace, mark) >= 3 * pages)
    looked -= started
    requests = cluster.audit.requests(since=mark, user=account_of(namespace))
    writes = Counter(f"{r.verb} {r.resource}" for r in requests if r.is_write)
    print(f"\n{count} idle: looked at all after {looked:.1f} s, writes {dict(writes)}")
    print(f"requests: {dict(Counter(f'{r.verb} {r.resource}' for r in requests))}")
    print(f"resident memory: {resident(operator)} MiB, CPU: {cpu_seconds(operator):.1f} s")
    mark, used, started = cluster.audit.mark(), cpu_seconds(operator), time.monotonic()
    time.sleep(60)
    span = time.monotonic() - started
    share = 100 * (cpu_seconds(operator) - used) / span
    requests = cluster.audit.requests(since=mark, user=account_of(namespace))
    print(f"at rest: {share:.2f} % of a core, {len(requests) * 60 / span:.1f} requests a minute")


def create_all(cluster: Cluster, namespace: Namespace, numbers: range) -> None:
    """Resources with a database of their own each."""
    path = namespace.path("dbm")

    def create(number: int) -> None:
        reference = {"secretKeyRef": {"name": f"db-{number}", "key": "url"}}
        body = {
            "apiVersion": "dbmigrate.dev/v1alpha1",
            "kind": "DatabaseMigration",
            "metadata": {"name": f"m-{number}"},
            "spec": {
                "database": {"urlFrom": reference},
                "source": {"configMaps": [{"name": "files"}]},
            },
        }
        cluster.api.post(path, body)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(create, numbers))


def make_ready(namespace: Namespace, number: int, like: dict[str, Any]) -> None:
    """Give it the status that a run of its own would have left."""
    name = f"m-{number}"
    own = namespace.get("dbm", name)
    status = json.loads(json.dumps(like["status"]))
    status["lastRun"]["intent"] = intent_of(own)
    namespace.cluster.api.patch(namespace.path("dbm", name) + "/status", {"status": status})


def intent_of(body: dict[str, Any]) -> str:
    """What the operator will compute for it."""
    from dbmigrate.api.migration import parse_migration
    from dbmigrate.controller.decisions.files import read_config_map, resolve_files

    migration = parse_migration(body)
    files = {"files": read_config_map({"data": {"000001_x.up.sql": "SELECT 1;"}})}
    return migration.spec.intent(resolve_files(migration.spec.source, files).digest)


def finish_pods(cluster: Cluster, namespace: Namespace) -> None:
    """Every Pod has a report and is done as soon as it is there."""
    path = namespace.path("pod")
    with ThreadPoolExecutor(8) as pool:
        while True:
            try:
                for event in cluster.api.watch(path, resourceVersion="0"):
                    if event["type"] == "ADDED":
                        pool.submit(
                            finish, cluster, f"{path}/{event['object']['metadata']['name']}"
                        )
            except (ApiError, OSError, urllib3.exceptions.HTTPError):
                return  # the control plane has been stopped


def finish(cluster: Cluster, path: str) -> None:
    """End one Pod well, unless it has ended."""
    try:
        cluster.api.patch(f"{path}/status", {"status": ENDED}, MERGE)
    except ApiError:
        return


def count_ready(namespace: Namespace) -> int:
    """How many are Ready."""
    return sum(
        c["type"] == "Ready" and c["status"] == "True"
        for item in namespace.list("dbm")
        for c in item["status"].get("conditions", [])
    )


def show_requests(counts: Counter[tuple[str, str, int]], resources: int) -> None:
    """A line for each kind of request, in all and for each resource."""
    for (verb, resource, code), number in sorted(counts.items(), key=lambda kv: -kv[1]):
        if number >= resources / 100:
            print(f"  {verb:7} {resource:30} {code} {number:7} {number / resources:6.2f} each")


def account_of(namespace: Namespace) -> str:
    """The name under which the audit log knows the operator."""
    return f"system:serviceaccount:{namespace.name}:dbmigrate-operator"


def count_lists(cluster: Cluster, namespace: Namespace, mark: int) -> int:
    """The pages of resources that the operator has listed. It lists all of them three times: to
    know what there is, to look at each, and as the beginning of its stream."""
    requests = cluster.audit.requests(since=mark, user=account_of(namespace))
    return sum((r.verb, r.resource) == ("list", "databasemigrations") for r in requests)


def conclude(operator: Operator, has_listed: Callable[[], bool]) -> float:
    """Wait until it has listed all, and hardly used the CPU for ten seconds; when those began."""
    since, used = time.monotonic(), cpu_seconds(operator)
    while time.monotonic() - since < 10 or not has_listed():
        time.sleep(1)
        now = cpu_seconds(operator)
        if now - used >= 0.05:
            since = time.monotonic()
        used = now
    return since


def resident(operator: Operator) -> int:
    """MiB of memory in use."""
    text = Path(f"/proc/{operator.pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def cpu_seconds(operator: Operator) -> float:
    """Seconds of CPU that its process has used."""
    fields = Path(f"/proc/{operator.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
