"""kubectl as a program: what it is asked, and a watch that ends in every way.

A script stands in for kubectl, to say what a real API server says only rarely.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.kubectl import collection as module
from dbmigrate.kubectl.access import (
    ClusterOptions,
    explain_no_context,
    find_pod_namespace,
    find_program,
)
from dbmigrate.kubectl.client import Kubectl
from dbmigrate.kubectl.collection import Collection, CollectionSnapshot, compare, list_all, observe
from dbmigrate.kubectl.problems import RequestFailed, Unreachable

pytestmark = pytest.mark.quick

SCRIPT = """\
#!/bin/sh
cd {directory}
n=$(cat count 2>/dev/null || echo 0)
n=$((n + 1))
echo $n > count
echo "$@" >> asked
cat out.$n 2>/dev/null
cat err.$n >&2 2>/dev/null && exit 1
exit 0
"""
DBM = Collection("databasemigrations", "team")
PATH = "/apis/dbmigrate.dev/v1alpha1/namespaces/team/databasemigrations"


class Script:
    """A stand-in for kubectl: its n-th call says what it was given n-th."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._given = 0
        program = directory / "kubectl"
        program.write_text(SCRIPT.format(directory=directory))
        program.chmod(0o755)
        self.environ = {"PATH": f"{directory}:{os.environ['PATH']}"}

    def say(self, *documents: dict[str, Any], error: str | None = None) -> None:
        """What the next call is to print, and to fail with."""
        self._given += 1
        lines = "".join(json.dumps(document) + "\n" for document in documents)
        (self._directory / f"out.{self._given}").write_text(lines)
        if error is not None:
            (self._directory / f"err.{self._given}").write_text(error)

    def asked(self) -> list[str]:
        """The arguments of all calls so far."""
        return (self._directory / "asked").read_text().splitlines()


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK", 0.01)


def make_object(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "team", "name": name, "resourceVersion": version}}


def make_page(*objects: dict[str, Any], more: str = "", version: str = "9") -> dict[str, Any]:
    return {"items": list(objects), "metadata": {"resourceVersion": version, "continue": more}}


def names(sight: CollectionSnapshot) -> list[str]:
    return sorted(name for _, name in sight.objects)


def test_a_collection_is_read_in_pages(script: Script) -> None:
    script.say(make_page(make_object("a", "1"), more="x/y"))
    script.say(make_page(make_object("b", "2"), version="10"))
    options = ("--context", "c")
    listing = list_all(Kubectl(ClusterOptions("k", "team", options), script.environ), DBM)
    assert sorted(listing.objects) == [("team", "a"), ("team", "b")]
    assert listing.version == "10"
    start = "--kubeconfig k --context c get --request-timeout=30s --raw"
    assert script.asked() == [
        f"{start} {PATH}?limit=500",
        f"{start} {PATH}?limit=500&continue=x%2Fy",
    ]


@pytest.mark.usefixtures("quick")
def test_an_expired_watch_and_a_server_that_is_away_are_outlived(script: Script) -> None:
    script.say(make_page(make_object("a", "1"), make_object("b", "2")))
    script.say(
        {"type": "MODIFIED", "object": make_object("a", "3")},
        {"type": "DELETED", "object": make_object("b", "4")},
        {"type": "ERROR", "object": {"code": 410}},
    )
    script.say(error="The connection to the server was refused\n")
    script.say(make_page(make_object("a", "3"), make_object("c", "6"), version="12"))
    script.say({"type": "ADDED", "object": make_object("d", "13")})
    sights = list(islice(_changes(Kubectl(ClusterOptions(), script.environ)), 6))
    assert [(names(s), sorted(n for _, n in s.changed)) for s in sights] == [
        (["a", "b"], ["a", "b"]),
        (["a", "b"], ["a"]),
        (["a"], ["b"]),
        (["a"], []),
        (["a", "c"], ["c"]),
        (["a", "c", "d"], ["d"]),
    ]
    assert [s.problem is not None for s in sights] == [False, False, False, True, False, False]
    assert "resourceVersion=9&watch=true" in script.asked()[1]
    assert "resourceVersion=12&watch=true" in script.asked()[4]


@pytest.mark.usefixtures("quick")
def test_a_watch_that_is_refused_is_an_error_and_a_broken_one_is_not(script: Script) -> None:
    script.say(make_page(make_object("a", "1")))
    script.say(error="error: unexpected EOF\n")
    script.say(make_page(make_object("a", "1")))
    script.say(error="Error from server (Forbidden): no watch for you\n")
    sights = _changes(Kubectl(ClusterOptions(), script.environ))
    next(sights)
    with pytest.raises(RequestFailed, match="no watch for you"):
        list(sights)
    assert len(script.asked()) == 4


def test_an_answer_that_is_no_object_is_an_error(script: Script) -> None:
    with pytest.raises(RequestFailed, match="is there a proxy"):
        Kubectl(ClusterOptions(), script.environ).get("/x")


def test_the_first_look_must_succeed(script: Script) -> None:
    script.say(error="Unable to connect to the server: EOF\n")
    with pytest.raises(Unreachable, match="EOF"):
        next(observe(Kubectl(ClusterOptions(), script.environ), DBM))


def test_what_a_login_says_goes_on_to_the_person(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    script.say(error="Open https://login.example and enter X\nerror: You must be logged in\n")
    with pytest.raises(RequestFailed, match=r"^You must be logged in$"):
        Kubectl(ClusterOptions(), script.environ).get("/x")
    assert capfd.readouterr().err == "Open https://login.example and enter X\n"


def test_the_namespace_is_the_named_one_or_the_kubeconfigs(script: Script, tmp_path: Path) -> None:
    assert Kubectl(ClusterOptions(namespace="team"), script.environ).namespace == "team"
    assert not (tmp_path / "asked").exists()
    assert Kubectl(ClusterOptions(), script.environ).namespace == "default"
    assert "config view --minify" in script.asked()[0]


def test_what_changed_is_found_by_the_versions() -> None:
    before = {("t", name): make_object(name, "1") for name in "abc"}
    after = {("t", "a"): make_object("a", "1"), ("t", "b"): make_object("b", "2")}
    after[("t", "d")] = make_object("d", "3")
    assert compare(before, after) == {("t", "b"), ("t", "c"), ("t", "d")}


def test_a_program_in_kubectls_place_may_have_words_of_its_own(script: Script) -> None:
    environ = {**script.environ, "DBMIGRATE_KUBECTL": "kubectl --flag"}
    program, *words = find_program(environ)
    assert program.endswith("/kubectl")
    assert words == ["--flag"]
    with pytest.raises(RequestFailed, match="'nothing-such', which is not on PATH"):
        find_program({"PATH": "", "DBMIGRATE_KUBECTL": "nothing-such"})
    with pytest.raises(RequestFailed, match="kubectl is not on PATH"):
        find_program({"PATH": ""})


def test_a_missing_kubeconfig_is_told_from_one_without_a_context(tmp_path: Path) -> None:
    there = tmp_path / "config"
    there.write_text("")
    missing = str(tmp_path / "missing")
    said = str(explain_no_context(ClusterOptions(missing), {}))
    assert said.startswith(f"no cluster is configured: {missing} not found; set KUBECONFIG")
    said = str(explain_no_context(ClusterOptions(), {"KUBECONFIG": f"{missing}:{there}"}))
    assert said.startswith(f"no cluster is chosen: {missing}, {there} has no current context")


def test_in_a_pod_the_namespace_is_the_pods(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("team\n")
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert find_pod_namespace(inside, tmp_path) == "team"
    assert find_pod_namespace({}, tmp_path) is None
    assert find_pod_namespace(inside, tmp_path / "nothing") is None


def _changes(kubectl: Kubectl) -> Iterator[CollectionSnapshot]:
    """What is observed, without the ticks."""
    for sight in observe(kubectl, DBM):
        if sight.changed or sight.problem:
            yield sight
