"""kubectl's own words, as a real API server had it say them, and what we make of them."""

from __future__ import annotations

import pytest

from dbmigrate.kubectl.problems import (
    Missing,
    RequestFailed,
    Unreachable,
    begins_error,
    translate,
)

pytestmark = pytest.mark.quick

WATCHER = 'User "bob" cannot watch resource "databasemigrations" in API group "dbmigrate.dev"'
SAID: list[tuple[str, type[RequestFailed], str]] = [
    (
        "Error from server (NotFound): the server could not find the requested resource",
        RequestFailed,
        "this cluster does not know DatabaseMigration (databasemigrations.dbmigrate.dev): install",
    ),
    (
        'Error from server (NotFound): databasemigrations.dbmigrate.dev "x" not found',
        Missing,
        'databasemigrations.dbmigrate.dev "x" not found',
    ),
    (
        'error: error from server (NotFound): pods "x" not found in namespace "y"',
        Missing,
        'pods "x" not found',
    ),
    (
        "Error from server (Forbidden): databasemigrations.dbmigrate.dev is forbidden: "
        f"{WATCHER} at the cluster scope",
        RequestFailed,
        "forbidden: bob may not watch databasemigrations.dbmigrate.dev in all namespaces\n"
        "the ClusterRole dbmigrate-view allows it",
    ),
    (
        'Error from server (Forbidden): migrationactions.dbmigrate.dev is forbidden: User "bob" '
        'cannot create resource "migrationactions" in API group "dbmigrate.dev" in the namespace '
        '"team"',
        RequestFailed,
        "forbidden: bob may not create migrationactions.dbmigrate.dev in namespace team\n"
        "the ClusterRole dbmigrate-actions allows it",
    ),
    (
        'Error from server (Forbidden): pods "p" is forbidden: User "bob" cannot get resource '
        '"pods/log" in API group "" in the namespace "team"',
        RequestFailed,
        "forbidden: bob may not get pods/log in namespace team\nKubernetes' own ClusterRole view",
    ),
    (
        "Error from server (Forbidden): admission webhook says no",
        RequestFailed,
        "forbidden: admission webhook says no",
    ),
    (
        "The connection to the server 127.0.0.1:1 was refused - did you specify the right host?",
        Unreachable,
        "the API server does not answer: The connection to the server 127.0.0.1:1 was refused",
    ),
    (
        "Unable to connect to the server: dial tcp: lookup nowhere: no such host",
        Unreachable,
        "no such host",
    ),
    (
        "Error from server (ServiceUnavailable): apiserver is shutting down",
        Unreachable,
        "can't answer now: apiserver is shutting down",
    ),
    ("Error from server (Timeout): the request timed out", Unreachable, "the request timed out"),
    (
        'The MigrationAction "a-5xh2b" is invalid: spec: Invalid value: Force needs version',
        RequestFailed,
        "Force needs version",
    ),
    (
        "error: You must be logged in to the server (Unauthorized)",
        RequestFailed,
        "You must be logged in",
    ),
    ("", RequestFailed, "kubectl failed and did not say why"),
]


@pytest.mark.parametrize(("said", "kind", "text"), SAID, ids=[said[:60] for said, _, _ in SAID])
def test_what_kubectl_says_is_understood(said: str, kind: type[RequestFailed], text: str) -> None:
    problem = translate(said + "\n")
    assert type(problem) is kind
    assert text in str(problem)


@pytest.mark.parametrize("said", [said for said, _, _ in SAID if said])
def test_a_complaint_is_told_from_what_stands_above_it(said: str) -> None:
    assert begins_error(said)


@pytest.mark.parametrize(
    "line", ["Warning: v1alpha1 is deprecated", "Open https://login and enter"]
)
def test_a_warning_and_a_logins_prompt_are_no_complaint(line: str) -> None:
    assert not begins_error(line)
