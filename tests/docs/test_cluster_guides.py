"""The pages' commands for a cluster, in the order of a first day, on a real control plane.

`sh` blocks of the pages are pasted as they stand, by a person with kubectl, helm and the plugin on
PATH. Replaced are only the placeholders of a database (`postgres:5432`) and of names that the pages
do not make (a resource, a namespace). Blocks for other tools are listed with what runs them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.charts.helm import ROOT, Values
from tests.charts.test_release import IMAGE, make_values
from tests.cluster import Cluster, Namespace
from tests.cluster.clients import find_helm, find_kubectl
from tests.database import Database
from tests.docs.guide import read_blocks, read_commands

DOCS = ROOT / "docs"
EXAMPLE_URL = "postgres://app:change-me@postgres:5432/app?sslmode=disable"
GUIDE_URL = "postgres://app:secret@postgres:5432/app?sslmode=disable"

HERE = (
    "helm install ",
    "helm test ",
    "kubectl create ",
    "kubectl apply ",
    "kubectl wait ",
    "kubectl get clusterroles ",
)
"""The beginning of each command that is pasted here."""
ELSEWHERE = {
    "helm rollback ": "tests/charts/test_release.py",
    "kubectl dbmigrate ": "tests/operator_e2e/test_kubectl.py",
    "hash=$(kubectl dbmigrate plan ": "tests/operator_e2e/test_kubectl.py",
    "kubectl get dbmset": "tests/operator_e2e/test_sets.py",
    "pipx install dbmigrate": "tests/delivery",
    "docker compose ": "tests/delivery/test_compose.py",
    "dbmigrate ": "tests/cli",
    "psql ": "tests/cli",
    "DJANGO_SETTINGS_MODULE=": "tests/cli",
}
"""The beginning of each other command of an `sh` block, and what runs its like."""
NOT_RUN = (
    "docker build ",
    "cosign ",
    "aws ",
    "az ",
    "gcloud ",
    "vault ",
    "curl -O ",
    "kubectl -n shop annotate ",
    "kubectl -n shop create configmap ",
)
"""For what the reader alone has: a mirror, a release, a cloud account and its files, a Vault
server."""


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_each_command_that_is_not_run_with_its_page_is_run_by_a_test(page: Path) -> None:
    for found in read_blocks(page.read_text()):
        if found.kind != "sh":
            continue
        for command in found.body.replace("\\\n", " ").splitlines():
            places = [place for start, place in ELSEWHERE.items() if command.startswith(start)]
            assert places or command.startswith((*HERE, *NOT_RUN)), (
                f"{page.name}:{found.line}: {command}"
            )
            assert all((ROOT / place).exists() for place in places)


@dataclass(frozen=True)
class Person:
    """Someone with a shell, the repository as the working directory, and rights on the cluster."""

    directory: Path
    environment: dict[str, str]

    def paste(self, script: str, *, namespace: str = "default") -> str:
        """Run it; each question is answered with y. Its output."""
        with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as yes:
            done = subprocess.run(
                ["bash", "-euc", script],
                cwd=self.directory,
                env={**self.environment, "IN_NAMESPACE": namespace},
                stdin=yes.stdout,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=300,
            )
            yes.kill()
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout


@pytest.fixture
def person(cluster: Cluster, database: Database, tmp_path: Path) -> Iterator[Person]:
    """The administrator of the cluster, in a copy of what the commands read."""
    programs = Path(sys.executable).parent
    images = {name: [str(programs / name)] for name in ("dbmigrate", "dbmigrate-operator")}
    cluster.node.images.register(IMAGE, commands={**images, "python3": [sys.executable]})
    directory = tmp_path / "repository"
    shutil.copytree(ROOT / "charts", directory / "charts")
    shutil.copytree(ROOT / "migrations", directory / "migrations")
    example = (ROOT / "examples" / "users-database.yaml").read_text()
    assert EXAMPLE_URL in example
    (directory / "examples").mkdir()
    # The node of this harness has no DNS and no image of PostgreSQL: its Service is not reached.
    example = example.replace(EXAMPLE_URL, database.url)
    example = example.replace(
        "  name: postgres\nspec:\n  selector:\n    matchLabels",
        "  name: postgres\nspec:\n  replicas: 0\n  selector:\n    matchLabels",
    )
    assert "replicas: 0" in example
    (directory / "examples" / "users-database.yaml").write_text(example)
    (directory / "values.yaml").write_text(yaml.safe_dump(nested(make_values())))
    bin_directory = directory / "bin"
    bin_directory.mkdir()
    write_program(bin_directory / "kubectl", f'exec {find_kubectl()} -n "$IN_NAMESPACE" "$@"')
    write_program(
        bin_directory / "helm",
        f'case $1 in install) set -- "$@" --values {directory}/values.yaml --take-ownership'
        f' --force-conflicts;; esac\nexec {find_helm()} "$@"',
    )
    environment = {
        "PATH": f"{bin_directory}:{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(cluster.kubeconfig),
    }
    made = Person(directory, environment)
    yield made
    for release in ("dbmigrate-system", "team-a", "team-b"):
        made.paste(f"helm uninstall dbmigrate --namespace {release} --wait --ignore-not-found")
        made.paste(f"kubectl delete namespace {release} --ignore-not-found --wait=false")


@pytest.mark.cluster
@pytest.mark.database
@pytest.mark.timeout(600)
def test_the_commands_for_a_cluster_do_what_the_pages_say(
    person: Person, namespace: Namespace, database: Database
) -> None:
    here = namespace.name
    commands = read_commands((ROOT / "README.md").read_text())
    install, apply = (c for c in commands if c.script.startswith(("helm install", "kubectl apply")))
    person.paste(install.script)
    assert "Succeeded" in person.paste(block("helm.md", "helm test").splitlines()[-1])
    assert "PodSecurity" not in person.paste(apply.script, namespace=here)
    person.paste("kubectl wait dbm/users --for=condition=Ready --timeout=60s", namespace=here)
    assert "Applied" in person.paste("kubectl get dbm", namespace=here)

    person.paste(
        "kubectl delete -f examples/users-database.yaml --cascade=foreground", namespace=here
    )
    database.execute(
        "DROP TABLE users; DROP TABLE schema_migrations; DROP TABLE schema_migrations_log"
    )
    page = (DOCS / "first-migration.md").read_text()
    manifest = next(b.body for b in read_blocks(page) if b.kind == "yaml")
    (person.directory / "users.yaml").write_text(manifest)
    script = block("first-migration.md", "kubectl create secret")
    assert GUIDE_URL in script
    person.paste(script.replace(GUIDE_URL, database.url), namespace=here)

    bind_as_the_pages_say(person, here)
    person.paste(
        block("helm.md", "helm install dbmigrate charts/dbmigrate-operator --namespace team-a")
    )


def bind_as_the_pages_say(person: Person, here: str) -> None:
    """The roles that kubectl.md and rbac.md name are there, and give the rights that they say."""
    person.paste(block("kubectl.md", "kubectl create rolebinding").replace("team ", f"{here} "))
    page = (DOCS / "rbac.md").read_text()
    (binding,) = [b.body for b in read_blocks(page) if "kind: RoleBinding" in b.body]
    (person.directory / "binding.yaml").write_text(binding.replace("namespace: shop", ""))
    person.paste("kubectl apply -f binding.yaml", namespace=here)
    for group in ("team-leads", "database-owners"):
        asked = "kubectl auth can-i create migrationactions.dbmigrate.dev --as alice --as-group"
        assert "yes" in person.paste(f"{asked} {group}", namespace=here)
    listed = person.paste(block("rbac.md", "kubectl get clusterroles"))
    for ending in ("view", "edit", "actions"):
        assert f"dbmigrate-system.dbmigrate-dbmigrate-operator-{ending}" in listed


def block(page: str, start: str) -> str:
    """The `sh` block of a page that starts so."""
    blocks = [b.body for b in read_blocks((DOCS / page).read_text()) if b.kind == "sh"]
    (found,) = [body for body in blocks if body.startswith(start) or f"\n{start}" in body]
    return found


def nested(values: Values) -> dict[str, object]:
    """Values by dotted path, as a file has them."""
    made: dict[str, dict[str, object]] = {}
    for path, value in values.items():
        first, _, rest = path.partition(".")
        made.setdefault(first, {})[rest] = value
    return dict(made)


def write_program(path: Path, script: str) -> None:
    """A small program on PATH."""
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)
