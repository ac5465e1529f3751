"""Each guide does what it says, from its own code blocks, on a real PostgreSQL."""

import sys
from pathlib import Path

import pytest

from tests.database.programs import find_programs
from tests.database.server import Database, Server
from tests.docs import drift_check
from tests.docs.guide import read_blocks, run_guide
from tests.formats.flyway_oracle import write_program

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PROGRAMS = Path(sys.executable).parent

ALONE = [
    "first-migration.md",
    "dirty-database.md",
    "rollback.md",
    "switching-from-auto-migrate.md",
    "switching-from-an-orm.md",
    "backup.md",
    "ci.md",
    "diff.md",
    "lint.md",
    "data-migrations.md",
    "squash.md",
    "fleets.md",
]
"""Guides that need PostgreSQL and nothing else."""
UNCHECKED = {"dirty-database.md", "fleets.md"}
"""Their schemas are not compared: rows of the one have to be corrected by hand, and the other has
many databases."""


@pytest.mark.database
@pytest.mark.parametrize("page", ALONE)
def test_a_guide_does_what_it_says(
    page: str, database: Database, tmp_path: Path, programs: Path
) -> None:
    run_guide(DOCS / page, url=database.url, path=[programs, find_programs()], home=tmp_path)
    is_checked = any(found.startswith("0 ") for found in drift_check.read_checks(programs))
    assert is_checked == (page not in UNCHECKED)
    assert find_drift(programs) == []


@pytest.mark.database
def test_rehearsing_works_beside_a_second_server(
    database: Database, tmp_path: Path, programs: Path
) -> None:
    with Server.start() as scratch:
        run_guide(
            DOCS / "rehearse.md",
            url=database.url,
            path=[programs, find_programs()],
            home=tmp_path,
            scratch_url=scratch.url("postgres"),
        )
    assert find_drift(programs) == []


@pytest.mark.database
def test_switching_from_golang_migrate_works_with_its_own_binary(
    database: Database, tmp_path: Path, programs: Path, migrate_oracle: Path
) -> None:
    run_guide(
        DOCS / "switching-from-golang-migrate.md",
        url=database.url,
        path=[programs, migrate_oracle.parent, find_programs()],
        home=tmp_path,
    )
    assert find_drift(programs) == []


@pytest.mark.database
def test_going_on_after_other_tools_works_with_their_own_programs(
    database: Database, tmp_path: Path, programs: Path, goose_oracle: Path, flyway_oracle: Path
) -> None:
    write_program(flyway_oracle, programs)
    run_guide(
        DOCS / "formats.md",
        url=database.url,
        path=[programs, goose_oracle.parent, find_programs()],
        home=tmp_path,
    )


@pytest.mark.database
def test_taking_turns_with_atlas_works_with_its_own_binary(
    database: Database, tmp_path: Path, programs: Path, atlas_oracle: Path
) -> None:
    run_guide(
        DOCS / "atlas.md",
        url=database.url,
        path=[programs, atlas_oracle.parent, find_programs()],
        home=tmp_path,
    )


@pytest.fixture
def programs(tmp_path: Path, server: Server) -> Path:
    """A directory with `dbmigrate` alone: nothing else of the environment is promised."""
    directory = tmp_path / "bin"
    directory.mkdir()
    drift_check.write_program(directory, PROGRAMS / "dbmigrate", server.url("postgres"))
    return directory


def find_drift(programs: Path) -> list[str]:
    """What the checks behind the steps of a guide have found."""
    return [found for found in drift_check.read_checks(programs) if found.startswith("3 ")]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_commands_stand_in_blocks_that_say_whether_they_are_run(page: Path) -> None:
    kinds = {"bash", "console", "yaml", "sql", "text", "json", "sh", "lua", "promql", "python"}
    for block in read_blocks(page.read_text()):
        assert block.kind in kinds, f"{page.name}:{block.line} has a block of kind {block.kind!r}"
