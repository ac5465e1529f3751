"""What happens to a database that a resource migrates, and that goes back or is below its files."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import PROGRAM
from tests.cluster import Cluster
from tests.database.programs import find_programs
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, THIRD, Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.database]


def test_a_database_below_a_squashed_file_gets_the_old_ones_from_the_archive(
    shop: Shop, operator: Operator, installed: Cluster, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    files = tree / "migrations"
    (files / "archive-3").mkdir(parents=True)
    for name, text in FILES.items():
        (files / name).write_text(text)
    installed.node.images.register("shop:squashed", tree=tree)
    source = {"image": {"reference": "shop:squashed", "path": "/migrations"}}
    shop.prepare()
    shop.order(source=source)
    assert shop.wait_ready()["status"]["version"] == "2"
    for name, text in {**FILES, **THIRD}.items():
        (files / name).unlink(missing_ok=True)
        (files / "archive-3" / name).write_text(text)
    (files / "000003_squash.up.sql").write_text(
        "-- dbmigrate:replaces 1-3\n-- dbmigrate:replaced 1-3\nCREATE TABLE never ();\n"
    )
    shop.order(source=source, target="3")
    refused = shop.wait_for_reason("MissingVersion")
    assert "replaced by 000003_squash.up.sql" in condition(refused, "Ready")["message"]
    archive = {"name": "DBMIGRATE_ARCHIVE", "value": "archive-3"}
    shop.order(source=source, target="3", job={"env": [archive]})
    shop.wait(lambda resource: resource["status"].get("version") == "3")
    assert shop.applied() == [1, 2, 3]
    assert operator.is_running


def test_a_restored_database_is_told_by_its_backup(
    shop: Shop, make_operator: Any, tmp_path: Path
) -> None:
    make_operator(resync="3s").start()
    shop.prepare()
    shop.order(target="1")
    shop.wait_ready()
    file = tmp_path / "before-2.dump"
    run(shop, "backup", str(file))
    shop.order()
    shop.wait(lambda resource: resource["status"].get("version") == "2")
    shop.wait_ready()
    run(shop, "restore", "-clean", str(file))
    drifted = shop.wait_for_reason("Drifted")
    said = condition(drifted, "Ready")["message"]
    assert "the backup before-2.dump has been restored, and the database is at version 1" in said
    assert "another tool or person" not in said
    assert condition(drifted, "Stalled")["status"] == "True"


def run(shop: Shop, *words: str) -> None:
    """The command line on the resource's database, with the server's programs."""
    environment = {"PATH": str(find_programs())}
    command = [str(PROGRAM), "-database", shop.database.url, *words]
    subprocess.run(command, env=environment, check=True)
