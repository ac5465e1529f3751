"""Files of every tool in a DatabaseMigration: named by source.format, and found by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum
from tests.database import Database
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.database]

GOOSE = "-- +goose Up\nCREATE TABLE t{n} (id int);\n-- +goose Down\nDROP TABLE t{n};\n"
DBMATE = "-- migrate:up\nCREATE TABLE t{n} (id int);\n-- migrate:down\nDROP TABLE t{n};\n"
PLAIN = "CREATE TABLE t{n} (id int);\n"
WRITTEN = {
    "golang-migrate": ("00000{n}_x.up.sql", PLAIN),
    "goose": ("0000{n}_x.sql", GOOSE),
    "dbmate": ("2024010{n}_x.sql", DBMATE),
    "atlas": ("2024010{n}_x.sql", PLAIN),
    "flyway": ("V1.{n}__x.sql", PLAIN),
}
"""The name and the text of a file of each tool."""
READ = {
    "golang-migrate": ("2", "SELECT version FROM schema_migrations", [(2,)]),
    "goose": ("2", "SELECT version_id FROM goose_db_version ORDER BY id", [(0,), (1,), (2,)]),
    "dbmate": (
        "20240102",
        "SELECT version FROM schema_migrations ORDER BY 1",
        [("20240101",), ("20240102",)],
    ),
    "atlas": (
        "20240102",
        "SELECT version, applied FROM atlas_schema_revisions.atlas_schema_revisions ORDER BY 1",
        [("20240101", 1), ("20240102", 1)],
    ),
    "flyway": (
        "1.2",
        "SELECT version, success FROM flyway_schema_history ORDER BY installed_rank",
        [("1.1", True), ("1.2", True)],
    ),
}
"""status.version, and what stands in the tool's own table."""


def write(tool: str, directory: Path) -> dict[str, str]:
    """Two migrations of that tool, with what it keeps beside them."""
    name, text = WRITTEN[tool]
    files = {name.format(n=n): text.format(n=n) for n in (1, 2)}
    if tool == "atlas":
        directory.mkdir()
        for each, content in files.items():
            (directory / each).write_text(content)
        total = renew_sum(directory, Format.ATLAS)
        files[total.name] = total.read_text()
    return files


@contextmanager
def ordered(
    shop: Shop, name: str, files: Mapping[str, str], source_format: str
) -> Iterator[Database]:
    """A resource with a database and files of its own."""
    database = shop.database.server.create_database()
    shop.namespace.secret(f"{name}-db", url=database.url)
    shop.write_files(files, name=f"{name}-files")
    reference = {"secretKeyRef": {"name": f"{name}-db", "key": "url"}}
    source = {"configMaps": [{"name": f"{name}-files"}], "format": source_format}
    shop.order(name, database={"urlFrom": reference}, source=source)
    try:
        yield database
    finally:
        database.drop()


def test_files_are_read_as_their_tool_does_named_or_not(
    shop: Shop, operator: Operator, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        made = {}
        for tool in WRITTEN:
            files = write(tool, tmp_path / tool)
            for name, source_format in ((f"{tool}-named", tool), (f"{tool}-found", "auto")):
                order = ordered(shop, name, files, source_format)
                made[name] = (tool, stack.enter_context(order))
        for name, (tool, database) in made.items():
            version, query, rows = READ[tool]
            status = shop.wait_ready(name=name)["status"]
            assert (status["version"], status["target"], status["pending"]) == (version, version, 0)
            assert [step["name"] for step in status["history"]] == ["x", "x"]
            assert status["history"][0]["version"] == version
            assert status["lastRun"]["outcome"] == "Applied"
            assert database.query(query) == rows, name
    assert operator.is_running


def test_files_of_two_tools_in_one_directory_are_for_a_person_to_sort_out(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare({**FILES, "00003_x.sql": GOOSE.format(n=3)})
    shop.order()
    mixed = shop.wait_for_reason("SourceInvalid")
    assert condition(mixed, "Stalled")["status"] == "True"
    message = condition(mixed, "Ready")["message"]
    assert "golang-migrate" in message
    assert "goose" in message
    assert mixed["status"]["lastRun"]["error"]["retryable"] is False
    assert shop.applied() == []
    shop.write_files(FILES)
    assert shop.wait_ready()["status"]["version"] == "2"
    assert operator.is_running
