"""The commands of the README: run here, or known to be run by another test."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from dbmigrate.api.migration import parse_migration
from tests.database import Database
from tests.docs.guide import DATABASE_URL, read_blocks, read_commands

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

ELSEWHERE = {
    "helm install dbmigrate charts/dbmigrate-operator": "tests/docs/test_cluster_guides.py",
    "kubectl apply -f examples/users-database.yaml": "tests/docs/test_cluster_guides.py",
    "make demo": "Makefile",
    "make test": ".ci/run",
    "pip install '.[all]'": "tests/delivery/test_action.py",
    "export DATABASE_URL=": "tests/docs/test_readme.py",
}
"""The beginning of each command that is not run here, and what runs it."""


@pytest.mark.database
def test_the_commands_of_the_readme_print_what_it_says(database: Database) -> None:
    ran = 0
    for command in read_commands(README.read_text()):
        known = [place for start, place in ELSEWHERE.items() if command.script.startswith(start)]
        if known:
            assert (ROOT / known[0]).exists()
            continue
        done = subprocess.run(
            ["bash", "-euc", command.script],
            cwd=ROOT,
            env={
                "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                "DATABASE_URL": database.url,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert plain(done.stdout) == plain(command.expected or ""), command.script
        ran += 1
    assert ran == 3
    assert DATABASE_URL in README.read_text()


def plain(text: str) -> list[str]:
    """Without durations."""
    return [re.sub(r"\(.*s\)", "", line).strip() for line in text.splitlines()]


def test_the_resource_of_the_readme_is_one_and_its_file_exists() -> None:
    (block,) = [b for b in read_blocks(README.read_text()) if b.kind == "yaml"]
    body = yaml.safe_load(block.body)
    metadata = {"namespace": "n", "uid": "u", "generation": 1, **body["metadata"]}
    metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
    assert parse_migration({**body, "metadata": metadata}).spec.target == "latest"
    documents = yaml.safe_load_all((ROOT / "examples" / "users-database.yaml").read_text())
    assert body["spec"] in [document.get("spec") for document in documents]


def test_the_url_of_the_example_is_that_of_its_own_postgresql() -> None:
    """Nothing has to be edited first: host, port, name, user and password fit together."""
    read = yaml.safe_load_all((ROOT / "examples" / "users-database.yaml").read_text())
    documents = {document["kind"]: document for document in read}
    secret, service = documents["Secret"], documents["Service"]
    url = urlsplit(secret["stringData"]["url"])
    assert (url.hostname, url.port) == (
        service["metadata"]["name"],
        service["spec"]["ports"][0]["port"],
    )
    template = documents["Deployment"]["spec"]["template"]
    (server,) = template["spec"]["containers"]
    assert service["spec"]["selector"] == template["metadata"]["labels"]
    assert {"name": "postgres", "containerPort": url.port} in server["ports"]
    env = {each["name"]: each.get("value", each.get("valueFrom")) for each in server["env"]}
    assert (url.username, url.path) == (env["POSTGRES_USER"], f"/{env['POSTGRES_USER']}")
    key = env["POSTGRES_PASSWORD"]["secretKeyRef"]
    assert key["name"] == secret["metadata"]["name"]
    assert secret["stringData"][key["key"]] == url.password
    reference = documents["DatabaseMigration"]["spec"]["database"]["urlFrom"]["secretKeyRef"]
    assert reference == {"name": secret["metadata"]["name"], "key": "url"}
