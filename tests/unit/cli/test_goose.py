"""goose's command lines in ours."""

from __future__ import annotations

import pytest

from dbmigrate.cli.flags import UsageError
from dbmigrate.cli.goose import translate

pytestmark = pytest.mark.quick

WHERE = ["-path", "m", "-format", "goose", "-database", "user=app"]
GIVEN = ["-dir", "m", "postgres", "user=app"]


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("up", [["up"]]),
        ("up-by-one", [["up", "1"]]),
        ("up-to 0003", [["-rollback", "forbid", "goto", "3"]]),
        ("down", [["down", "1"]]),
        ("down-to 2", [["-rollback", "allow", "goto", "2"]]),
        ("down-to 0", [["down", "-all"]]),
        ("redo", [["down", "1"], ["up", "1"]]),
        ("reset", [["down", "-all"]]),
        ("status", [["status"]]),
        ("version", [["version"]]),
    ],
)
def test_a_command_has_its_counterpart(command: str, lines: list[list[str]]) -> None:
    assert translate([*GIVEN, *command.split()], {}) == [[*WHERE, *line] for line in lines]


def test_flags_stand_anywhere() -> None:
    line = ["postgres", "user=app", "-allow-missing", "up", "--dir=m", "-table", "s.t", "-v"]
    assert translate(line, {}) == [
        [*WHERE, "-history-table", "s.t", "-out-of-order", "apply", "-verbose", "up"]
    ]


def test_the_environment_is_gooses_and_a_flag_wins() -> None:
    environ = {
        "GOOSE_DRIVER": "pgx",
        "GOOSE_DBSTRING": "user=app",
        "GOOSE_MIGRATION_DIR": "other",
        "GOOSE_TABLE": "t",
    }
    assert translate(["-dir", "m", "up"], environ) == [[*WHERE, "-history-table", "t", "up"]]


@pytest.mark.parametrize("database", [[], ["postgres", "user=app"], ["postgres"]])
def test_a_file_is_made_without_a_database(database: list[str]) -> None:
    (line,) = translate(["-dir", "m", "-s", *database, "create", "add_phone", "sql"], {})
    assert line[4:] == ["create", "-ext", "sql", "-dir", "m", "-seq", "-digits", "5", "add_phone"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mysql x up", "driver mysql"),
        ("up", "driver not named"),
        ("postgres user=a", "no command"),
        ("postgres", "no connection string"),
        ("postgres user=a up-to", "needs a version"),
        ("postgres user=a up 3", "takes no arguments"),
        ("postgres user=a fix", "has no counterpart"),
        ("-no-versioning postgres user=a up", "use psql"),
        ("-env .env postgres user=a up", "in the environment"),
        ("-colour postgres user=a up", "no flag -colour"),
        ("create x", "create x sql"),
        ("-dir", "needs an argument"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_name(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        translate(line.split(), {})
