"""How an error looks to people."""

from __future__ import annotations

from dbmigrate.cli.output.problem import draw
from dbmigrate.errors import Location, MigrationError
from dbmigrate.report import Reason


def test_an_error_without_a_place_is_one_line() -> None:
    assert draw(MigrationError(Reason.DIRTY, "dirty")) == "dirty"


def test_an_error_shows_where_it_is_and_what_the_server_adds() -> None:
    error = MigrationError(
        Reason.STATEMENT_FAILED,
        "migration failed: no",
        location=Location("1_a.up.sql", 3, 8, "SELECT nope;\n       ^"),
        sqlstate="42703",
        detail="first\nsecond",
        hint="look",
    )
    assert draw(error) == (
        "migration failed: no (SQLSTATE 42703)\n"
        "  at 1_a.up.sql:3:8\n"
        "    SELECT nope;\n"
        "           ^\n"
        "  detail: first\n"
        "    second\n"
        "  hint: look"
    )


def test_a_place_may_be_a_file_alone() -> None:
    error = MigrationError(Reason.SOURCE_INVALID, "bad", location=Location("1_a.up.sql"))
    assert draw(error) == "bad\n  at 1_a.up.sql"
