"""`make demo`: the whole of it, on a real API server and a real PostgreSQL; with NODE=real in Pods.

It does what a team would do by hand, with kubectl: install the operator, apply a
Secret, the migration files and a DatabaseMigration, look at the result; then ship a
migration that fails, see what the status says of it, and correct it. Each step is
checked, and the first that does not hold ends the demo with exit code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import ClusterUnavailable, Namespace
from tests.cluster.clients import find_kubectl
from tests.database import Database
from tests.database.programs import PostgresUnavailable, find_programs
from tests.demo_stage import Stage, real, simulated
from tests.image.build import ImageUnavailable
from tests.node_e2e.programs import NodeUnavailable

ROOT = Path(__file__).parents[1]
NODES = {"simulated": simulated, "real": real}
BROKEN = """\
CREATE TABLE orders (
    id bigserial PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users (id),
    total numeric(10, 2) NOT NULL,
    placed_at timestampz NOT NULL DEFAULT now()
);
"""
CORRECTED = BROKEN.replace("timestampz", "timestamptz")


PROVEN: list[str] = []
"""What has held so far, in order."""
STARTED = time.monotonic()


class DoesNotHold(Exception):
    """A step of the demo did not do what it was to show."""


def main() -> int:
    """Run the demo; the exit code."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C")
    parser.add_argument("--node", choices=NODES, default="simulated", help="what runs the Pods")
    options = parser.parse_args()
    try:
        print("the first run builds the control plane, which takes some minutes", flush=True)
        title(f"PostgreSQL, a Kubernetes control plane, a {options.node} node, and the operator")
        with NODES[options.node]() as stage:
            tell(stage)
            if options.keep:
                wait_for_interrupt(stage)
    except (NodeUnavailable, ImageUnavailable, ClusterUnavailable, PostgresUnavailable) as problem:
        print(f"\nno {options.node} node can run here: {problem}", file=sys.stderr)
        if options.node != "simulated":
            print("`make demo` without NODE shows the same on a simulated one", file=sys.stderr)
        return 1
    except DoesNotHold as problem:
        print(f"\nthe demo does not hold: {problem}", file=sys.stderr)
        return 1
    print(f"\n== Proven, on a real API server, a real PostgreSQL and a {options.node} node:")
    for fact in PROVEN:
        print(f"  {fact}")
    print(f"in {time.monotonic() - STARTED:.0f} s. Everything is gone again.")
    return 0


def tell(stage: Stage) -> None:
    """The story, from an empty database to a corrected migration."""
    print(f"PostgreSQL {stage.database.query('SHOW server_version')[0][0]} is up")
    print(stage.way_in)
    with printed_events(stage.namespace):
        migrate(stage)
        fail_and_correct(stage)
    show(stage.namespace, "get", "pods", "--all-namespaces", "-o", "wide")


def migrate(stage: Stage) -> None:
    """What a team does once."""
    namespace, database = stage.namespace, stage.database
    title("a Secret, a ConfigMap with the files of migrations/, and a DatabaseMigration")
    apply(namespace, example(stage.url))
    wait_for(namespace, is_ready("2"), "version 2, Ready")
    show(namespace, "get", "databasemigration", "-o", "wide")
    run("psql", str(find_programs() / "psql"), database.url, "-c", r"\d users")
    wanted = {("users", name) for name in ("id", "email", "password_hash", "phone")}
    hold(columns(database) >= wanted, "a DatabaseMigration brought the database to version 2")


def fail_and_correct(stage: Stage) -> None:
    """What a team does now and then."""
    namespace, database = stage.namespace, stage.database
    title("a third migration, with a mistake in it")
    before = columns(database)
    apply(namespace, files({**read_migrations(), "000003_create_orders_table.up.sql": BROKEN}))
    wait_for(namespace, is_stalled, "Stalled, with the error in the status")
    error = namespace.get("dbm", "users")["status"]["lastRun"]["error"]
    print(f"\n{error['file']}:{error['line']}:{error['column']}: {error['message']}")
    print(error["excerpt"])
    show(namespace, "get", "databasemigration", "-o", "wide")
    hold(
        error["file"] == "000003_create_orders_table.up.sql",
        "a failed migration's file is named in the status",
    )
    hold(
        error["line"] == 5 and "^" in error["excerpt"],
        "its line is named too, with a caret below the mistake",
    )
    hold(columns(database) == before, "the failure left the tables as they were")
    hold(history(database) == [(2, False)], "the failure left version 2, and it is not dirty")

    title("the same migration, corrected: nothing else to do, no force, no clean-up")
    apply(namespace, files({**read_migrations(), "000003_create_orders_table.up.sql": CORRECTED}))
    wait_for(namespace, is_ready("3"), "version 3, Ready")
    show(namespace, "get", "databasemigration", "-o", "wide")
    hold(
        history(database) == [(3, False)],
        "the corrected file was applied without a force or a clean-up: version 3",
    )


@contextlib.contextmanager
def printed_events(namespace: Namespace) -> Iterator[None]:
    """Print the events of the namespace as they come."""
    columns_of = "custom-columns=A:.type,B:.reason,C:.involvedObject.kind,D:.message"
    command = [find_kubectl(), "--kubeconfig", str(namespace.cluster.kubeconfig)]
    command += ["--namespace", namespace.name, "get", "events", "--watch", "--no-headers"]
    process = subprocess.Popen([*command, "-o", columns_of], stdout=subprocess.PIPE, text=True)
    thread = threading.Thread(target=print_lines, args=(process,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        thread.join()


def print_lines(process: subprocess.Popen[str]) -> None:
    """Each line of its output, marked as an event."""
    for line in process.stdout or ():
        print(f"  event  {line.rstrip()}", flush=True)


def example(url: str) -> str:
    """The example's manifests, with another database than their own."""
    read = yaml.safe_load_all((ROOT / "examples" / "users-database.yaml").read_text())
    documents = [each for each in read if each["kind"] not in {"Deployment", "Service"}]
    for document in documents:
        if document["kind"] == "Secret":
            document["stringData"] = {"url": url}
    return yaml.safe_dump_all(documents)


def files(migrations: dict[str, str]) -> str:
    """The ConfigMap of the example with other files in it."""
    metadata = {"name": "users-migrations"}
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": migrations}
    return yaml.safe_dump(document)


def read_migrations() -> dict[str, str]:
    """The files of migrations/ by name."""
    return {path.name: path.read_text() for path in sorted((ROOT / "migrations").glob("*.sql"))}


def apply(namespace: Namespace, manifests: str) -> None:
    """kubectl apply, and what it says."""
    print(namespace.kubectl("apply", "-f", "-", stdin=manifests).rstrip(), flush=True)


def show(namespace: Namespace, *arguments: str) -> None:
    """A kubectl command and its output."""
    print(f"\n$ kubectl {' '.join(arguments)}")
    print(namespace.kubectl(*arguments).rstrip(), flush=True)


def run(name: str, *command: str) -> None:
    """A program and its output."""
    print(f"\n$ {name} {' '.join(command[2:])}")
    print(subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip())


def wait_for(namespace: Namespace, accept: Callable[[Any], bool], what: str) -> None:
    """Wait until the resource is as it should be."""
    try:
        namespace.wait("dbm", "users", accept)
    except TimeoutError as problem:
        raise DoesNotHold(f"{what}: {problem}") from None


def is_ready(version: str) -> Callable[[Any], bool]:
    """Whether the resource is Ready at that version, clean."""

    def accept(resource: Any) -> bool:
        status = resource["status"]
        return (
            condition(resource, "Ready") == "True"
            and status["observedGeneration"] == resource["metadata"]["generation"]
            and (status.get("version"), status.get("dirty")) == (version, False)
        )

    return accept


def is_stalled(resource: Any) -> bool:
    """Whether the resource waits for a person."""
    return condition(resource, "Stalled") == "True"


def condition(resource: Any, kind: str) -> str | None:
    """The status of one of its conditions."""
    conditions = resource.get("status", {}).get("conditions", [])
    return next((c["status"] for c in conditions if c["type"] == kind), None)


def columns(database: Database) -> set[tuple[str, str]]:
    """The columns of all tables, each with its table's name."""
    rows = database.query(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public'"
    )
    return {(str(table), str(column)) for table, column in rows}


def history(database: Database) -> list[tuple[Any, ...]]:
    """The rows of schema_migrations."""
    return database.query("SELECT version, dirty FROM schema_migrations")


def hold(is_so: bool, what: str) -> None:
    """Say that something holds, or end the demo."""
    if not is_so:
        raise DoesNotHold(f"not so: {what}")
    PROVEN.append(what)
    print(f"  holds  {what}", flush=True)


def title(text: str) -> None:
    """The heading of a step."""
    print(f"\n== {time.monotonic() - STARTED:3.0f} s: {text}", flush=True)


def wait_for_interrupt(stage: Stage) -> None:
    """Leave everything running until Ctrl-C."""
    print("\nIt stays up until you press Ctrl-C. In another terminal:", flush=True)
    print(stage.way_in, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
