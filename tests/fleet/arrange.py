"""Fleets of schemas and databases, and what SQL says of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cli.program import Ran, run_here
from tests.database.server import Database

FIRST = {
    "1_items.up.sql": "CREATE TABLE items (id int, name text);",
    "1_items.down.sql": "DROP TABLE items;",
}
SECOND = {
    "2_name.up.sql": "ALTER TABLE items ALTER name SET NOT NULL;",
    "2_name.down.sql": "ALTER TABLE items ALTER name DROP NOT NULL;",
}


def make_schemas(database: Database, names: Sequence[str]) -> None:
    """In one round trip."""
    database.execute("; ".join(f'CREATE SCHEMA "{name}"' for name in names))


def write_list(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """As JSON."""
    path.write_text(json.dumps(list(rows)))
    return path


def fleet(database: Database | str, files: Path, verb: str, *args: str) -> Ran:
    """Run one command line."""
    url = database if isinstance(database, str) else database.url
    return run_here("-path", str(files), "-database", url, "fleet", verb, *args)


def documents(ran: Ran) -> list[dict[str, Any]]:
    """The lines of JSON; the last one is the report."""
    return [json.loads(line) for line in ran.stdout.splitlines()]


def applied(database: Database, schemas: Sequence[str]) -> Counter[tuple[str, int]]:
    """How often each version was applied in each schema, by the schemas' own logs."""
    union = " UNION ALL ".join(
        f"SELECT '{schema}', version FROM \"{schema}\".schema_migrations_log"
        " WHERE direction = 'up' AND outcome = 'applied'"
        for schema in schemas
    )
    return Counter((schema, version) for schema, version in database.query(union))
