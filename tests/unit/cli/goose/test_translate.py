"""goose's command lines in ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from dbmigrate.cli.arguments.flags import UsageError
from dbmigrate.cli.goose.translate import snake_case
from dbmigrate.cli.goose.translate import translate as translated

pytestmark = pytest.mark.quick

WHERE = ["-path", "m", "-format", "goose", "-database", "user=app"]


def translate(args: Sequence[str], environ: Mapping[str, str]) -> Sequence[str]:
    return translated(args, environ).line


GIVEN = ["-dir", "m", "postgres", "user=app"]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("up", ["up"]),
        ("up-by-one", ["up", "1"]),
        ("up-to 0003", ["up", "-to", "3"]),
        ("up-to 0", ["up", "0"]),
        ("down", ["down", "1"]),
        ("down-to 2", ["down", "-to", "2"]),
        ("down-to 0", ["down", "-all"]),
        ("redo", ["redo"]),
        ("reset", ["down", "-all"]),
        ("status", ["status"]),
        ("version", ["version"]),
    ],
)
def test_a_command_has_its_counterpart(command: str, line: list[str]) -> None:
    assert translate([*GIVEN, *command.split()], {}) == [*WHERE, *line]


def test_flags_stand_anywhere() -> None:
    line = ["postgres", "user=app", "-allow-missing", "up", "--dir=m", "-table", "s.t", "-v"]
    assert translate(line, {}) == [
        *(*WHERE, "-history-table", "s.t", "-out-of-order", "apply", "-verbose", "up")
    ]


def test_the_environment_is_gooses_and_a_flag_wins() -> None:
    environ = {
        "GOOSE_DRIVER": "pgx",
        "GOOSE_DBSTRING": "user=app",
        "GOOSE_MIGRATION_DIR": "other",
        "GOOSE_TABLE": "t",
    }
    assert translate(["-dir", "m", "up"], environ) == [*WHERE, "-history-table", "t", "up"]


@pytest.mark.parametrize("database", [[], ["postgres", "user=app"], ["postgres"]])
def test_a_file_is_made_without_a_database(database: list[str]) -> None:
    line = translate(["-dir", "m", "-s", *database, "create", "Add phone", "sql"], {})
    assert line[4:-2] == ["create", "-ext", "sql", "-dir", "m", "-seq", "-digits", "5"]
    assert line[-2:] == ["--", "add_phone"]


def test_a_flag_may_say_false() -> None:
    line = [*GIVEN, "-allow-missing=false", "-no-versioning=false", "-v=0", "up"]
    assert translate(line, {}) == [*WHERE, "up"]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Add Phone", "add_phone"),
        ("--x", "x"),
        ("a__b..c", "a_b_c"),
        ("end_", "end_"),
        ("end__", "end"),
        ("Grün 2", "grün_2"),
    ],
)
def test_a_name_is_written_as_goose_writes_it(name: str, written: str) -> None:
    assert snake_case(name) == written


def test_a_table_is_named_as_postgres_reads_it_without_quotes() -> None:
    line = translate([*GIVEN, "-table", "App.Versions", "up"], {})
    assert line[line.index("-history-table") + 1] == "app.versions"


def test_variables_come_from_a_file_unless_they_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        'export GOOSE_DRIVER=postgres # ours\nGOOSE_DBSTRING="user=app"\nGOOSE_TABLE=t\n'
    )
    monkeypatch.chdir(tmp_path)
    done = translated(["-dir", "m", "up"], {"GOOSE_TABLE": "other"})
    assert done.line == [*WHERE, "-history-table", "other", "up"]
    assert done.environ["GOOSE_DBSTRING"] == "user=app"  # for ENVSUB as well
    with pytest.raises(UsageError, match="no driver: `goose"):
        translate(["-env", "none", "up"], {})
    with pytest.raises(UsageError, match="-env missing can't be read: no such file"):
        translate(["-env", "missing", "up"], {})
    (tmp_path / "bad").write_text("A='never closed\n")
    with pytest.raises(UsageError, match="-env bad can't be read: line 1: a quote is never closed"):
        translate(["-env", "bad", "up"], {})
    (tmp_path / ".env").write_text("!\n")
    with pytest.raises(UsageError, match="no driver: `goose"):  # as goose: then there is no file
        translate(["up"], {})


@pytest.mark.parametrize("line", ["-h", "--help", "up -h", "postgres user=a -help", "-h=true"])
def test_help_is_asked_for_anywhere(line: str) -> None:
    assert translated(line.split(), {}).is_help


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mysql x up", "mysql is not a command"),
        ("up", "no driver: `goose postgres"),
        ("postgres user=a", "no command"),
        ("postgres", "no connection string"),
        ("postgres user=a up-to", "needs a version"),
        ("postgres user=a up 3", "takes no arguments"),
        ("postgres user=a wobble", "has no command wobble"),
        ("postgres user=a stauts", "did you mean status"),
        ("init", "create the directory"),
        ("env", "may contain a password"),
        ("-timeout 1h postgres user=a up", "DBMIGRATE_STATEMENT_TIMEOUT"),
        ("-certfile c postgres user=a up", "sslrootcert"),
        ("-no-versioning postgres user=a up", "use psql"),
        ("-no-colour postgres user=a up", "not defined: -no-colour .did you mean -no-color.."),
        ("create x", "in Go unless told otherwise: say `create x sql`"),
        ("create x go", "migrations in Go can't be run here: say `create x sql`"),
        ("-dir", "needs an argument"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_name(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        translate(line.split(), {})
