"""Schemas whose histories have lost something: in a fleet as in a run on each alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import run_here, write_scripts
from tests.database.server import Database
from tests.fleet.arrange import FIRST, SECOND, documents, fleet, make_schemas, write_list

pytestmark = pytest.mark.database

LOG = "{0}.schema_migrations_log"
LEFT = {
    "kept": "SELECT",
    "dropped": f"DROP TABLE {LOG}",
    "emptied": f"TRUNCATE {LOG}",
    "anew": f"TRUNCATE {LOG} RESTART IDENTITY",
    "renamed": f"ALTER TABLE {LOG} RENAME TO aside",
    "cut": f"DELETE FROM {LOG} WHERE direction = 'takeover' OR id = 1",
}
EMPTIED = {"all_gone": "TRUNCATE {0}.schema_migrations, " + LOG}
SOUND = {"sound": "SELECT", "mine": f"DROP TABLE {LOG}", "later": "SELECT"}


@pytest.mark.parametrize("verb", ["up", "plan", "verify", "status"])
def test_each_schema_gets_the_verdict_that_it_would_get_alone(
    database: Database, tmp_path: Path, verb: str
) -> None:
    changes = {**LEFT, **EMPTIED, **SOUND}
    make_schemas(database, [*changes])
    files = write_scripts(tmp_path / "files", FIRST)
    goose = tmp_path / "goose"
    goose.mkdir()
    (goose / "00001_items.sql").write_text("-- +goose Up\nSELECT 1;\n")
    targets = write_list(tmp_path / "t.json", [{"name": n, "schema": n} for n in changes])
    assert fleet(database, files, "up", "-targets", str(targets)).code == 0
    for name in LEFT:
        url = f"{database.url}&search_path={name}"
        ran = run_here("-path", str(goose), "-format", "goose", "-database", url, "baseline", "1")
        assert ran.code == 0, ran
    for name, change in changes.items():
        database.execute(change.format(name))
    write_scripts(files, SECOND)
    ran = run_here(
        *("-path", str(files), "-database", database.url),
        *("fleet", verb, "-targets", str(targets), "-json"),
    )
    told = {line["target"]: line for line in documents(ran)[:-1]}
    assert set(told) == set(changes)
    for name in changes:
        url = f"{database.url}&search_path={name}"
        alone = run_here("-path", str(files), "-database", url, verb)
        is_refused = told[name]["error"] is not None
        if verb == "verify":  # the others are behind, or have a version without a log
            assert is_refused or name in SOUND, told[name]
        elif verb != "status":
            assert is_refused == (name not in SOUND), told[name]
        if is_refused and name not in SOUND:
            assert told[name]["error"]["reason"] == "ForeignHistory", told[name]
            left = "counts in its place" if verb == "verify" else "was left at version 1"
            said = "had rows" if name in EMPTIED else left
            assert said in told[name]["error"]["message"]
            assert said in alone.stderr + alone.stdout
        columns = database.query(
            "SELECT attnotnull FROM pg_attribute"
            f" WHERE attrelid = '{name}.items'::regclass AND attname = 'name'"
        )
        assert columns == [(name in SOUND and verb == "up",)]
