"""Requests as an identity, and the search for what must not be shown."""

from __future__ import annotations

import os
from dataclasses import replace

from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.postgres.identity.identity import parse_identity
from dbmigrate.runner.request import Options, Request
from tests.database import Database
from tests.runner.arrange import Witness, tables


def request_to(url: str, identity: str, observer: Witness | None = None) -> Request:
    """Three migrations on that database."""
    return Request(
        command="test",
        target=replace(parse_target(url, os.environ), identity=parse_identity(identity)),
        source=tables(1, 2, 3),
        options=Options(who="tester"),
        observer=observer or Witness(),
    )


def nothing_is_shown(database: Database, text: str) -> None:
    """Neither in what is printed nor in what is stored."""
    if database.query("SELECT to_regclass('schema_migrations_log') IS NOT NULL")[0][0]:
        text += str(database.query("SELECT l::text FROM schema_migrations_log l"))
    for word in ("X-Amz", "s3cr3t", "session-", "eyJ", "Signature", "ya29"):
        assert word not in text, word
