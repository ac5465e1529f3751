"""The whole program, up to where a database would be needed: texts, exit codes, reports."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate import __version__
from dbmigrate.cli.arguments.options import twin_of
from dbmigrate.cli.arguments.usage import COMMANDS
from dbmigrate.cli.main import Program, find_command
from tests.cli.program import run_here


class Ran(NamedTuple):
    code: int
    stdout: str
    stderr: str


def ran(*args: str, environ: Mapping[str, str] | None = None, answers: str | TextIO = "") -> Ran:
    output, messages = io.StringIO(), io.StringIO()
    program = Program(
        name="dbmigrate",
        environ=environ or {},
        answers=io.StringIO(answers) if isinstance(answers, str) else answers,
        output=output,
        messages=messages,
        started_ns=0,
    )
    code = program.run(args)
    return Ran(code, output.getvalue(), messages.getvalue())


@pytest.mark.parametrize("flag", ["-version", "--version", "-version=true"])
def test_the_version_goes_to_stderr(flag: str) -> None:
    assert ran(flag) == (0, "", f"{__version__}\n")


@pytest.mark.parametrize("flag", ["-help", "--help", "-h"])
def test_help_is_usage_and_exit_code_0(flag: str) -> None:
    done = ran(flag)
    assert (done.code, done.stdout) == (0, "")
    assert done.stderr.startswith("Usage: dbmigrate OPTIONS COMMAND [arg...]\n")
    assert all(f"\n  {command} " in done.stderr for command in COMMANDS)


def test_the_alias_shows_in_the_usage() -> None:
    messages = io.StringIO()
    program = Program(
        name="migrate",
        environ={},
        answers=io.StringIO(),
        output=io.StringIO(),
        messages=messages,
        started_ns=0,
    )
    assert program.run(["-help"]) == 0
    assert messages.getvalue().startswith("Usage: migrate OPTIONS")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["-help", "-h"])
def test_every_command_has_help(command: str, flag: str) -> None:
    done = ran(command, flag)
    assert (done.code, done.stdout) == (0, "")
    assert "  -help\n    \tPrint help information\n" in done.stderr
    start = "Usage of " if flag == "-h" else ""
    assert done.stderr.startswith(f"{start}{command}")


def test_the_help_of_create_is_golang_migrates() -> None:
    stderr = ran("create", "-help").stderr
    assert stderr == (
        "create [-ext E] [-dir D] [-seq] [-digits N] [-format] [-tz] NAME\n"
        "\t   Create a set of timestamped up/down migrations titled NAME, in directory D with"
        " extension E.\n"
        "\t   Use -seq option to generate sequential up/down migrations with N digits.\n"
        "\t   Use -format option to specify a Go time format string. Note: migrations with the"
        ' same time cause "duplicate migration version" error.\n'
        "           Use -tz option to specify the timezone that will be used when generating"
        " non-sequential migrations (defaults: UTC).\n\n"
        "  -digits int\n"
        "    \tThe number of digits to use in sequences (default: 6) (default 6)\n"
        "  -dir string\n"
        "    \tDirectory to place file in (default: current working directory)\n"
        "  -ext string\n    \tFile extension\n"
        "  -format string\n"
        '    \tThe Go time format string to use. If the string "unix" or "unixNano" is specified,'
        " then the seconds or nanoseconds since January 1, 1970 UTC respectively will be used."
        " Caution, due to the behavior of time.Time.Format(), invalid format strings will not"
        ' error (default "20060102150405")\n'
        "  -help\n    \tPrint help information\n"
        "  -seq\n    \tUse sequential numbers instead of timestamps (default: false)\n"
        "  -tz string\n"
        "    \tThe timezone that will be used for generating timestamps (default: utc)"
        ' (default "UTC")\n'
    )


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["ups"], "unknown command ups (did you mean up?)"),
        (["xyzzy"], "unknown command xyzzy"),
        (["goos", "up"], "unknown command goos (did you mean goose?)"),
        (["-x", "up"], "flag provided but not defined: -x"),
        (["-lnit", "warn", "up"], "flag provided but not defined: -lnit (did you mean -lint?)"),
        (["-path"], "flag needs an argument: -path"),
        (["-lock-timeout", "soon", "up"],
         'invalid value "soon" for flag -lock-timeout: parse error: expected a duration'
         " such as 15s or 1m30s, or none"),
        (["-prefetch", "-1", "up"],
         'invalid value "-1" for flag -prefetch: parse error: expected a number'),
        (["-rollback", "no", "up"],
         'invalid value "no" for flag -rollback: expected allow or forbid'),
        (["-lint", "rejct", "up"],
         'invalid value "rejct" for flag -lint: expected reject, warn or off'
         " (did you mean reject?)"),
        (["-format", "Goose", "up"],
         'invalid value "Goose" for flag -format: expected auto, golang-migrate, goose,'
         " dbmate, atlas or flyway (did you mean goose?)"),
    ],
)  # fmt: skip
def test_a_mistyped_option_or_command_is_told_in_a_line_and_ends_with_2(
    args: list[str], problem: str
) -> None:
    assert ran(*args) == (2, "", f"{problem}\nrun `dbmigrate -h` for the commands and options\n")


def test_a_mistyped_twin_is_told_in_a_line_too() -> None:
    assert ran("up", environ={"DBMIGRATE_LINT": "wran"}) == (
        2,
        "",
        'invalid value "wran" for DBMIGRATE_LINT: expected reject, warn or off'
        " (did you mean warn?)\nrun `dbmigrate -h` for the commands and options\n",
    )


@pytest.mark.parametrize(
    ("args", "first"),
    [
        ([], "no command given"),
        (["-path", "m"], "no command given"),
        (["status", "-exitcode"],
         "flag provided but not defined: -exitcode (did you mean -exit-code?)"),
        (["up", "-1"], "flag provided but not defined: -1"),
        (["goto", "-1"], "flag provided but not defined: -1"),
        (["down", "-all=x"],
         'invalid boolean value "x" for -all: parse error: expected true or false'),
    ],
)  # fmt: skip
def test_without_a_command_or_with_a_bad_flag_of_one_its_usage_follows(
    args: list[str], first: str
) -> None:
    done = ran(*args)
    assert (done.code, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0] == first
    assert lines[1].startswith("Usage")


def test_an_option_behind_the_command_gets_a_hint() -> None:
    assert ran("up", "-path", "m").stderr == (
        "flag provided but not defined: -path\n"
        "Usage of up:\n  -help\n    \tPrint help information\n"
        "  -to version\n    \tApply those up to that version (which need not exist)\n"
        "options go before the command: dbmigrate OPTIONS up\n"
    )


def test_a_url_in_the_place_of_the_command_is_not_shown() -> None:
    done = ran("postgres://u:s3cr3t@db/shop", "up")
    assert done.code == 2
    assert "s3cr3t" not in done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["goto"], "please specify version argument V"),
        (["goto", "x"], "can't read version argument V"),
        (["-format", "goose", "goto", "99999999999999999999"], "can't read version argument V"),
        (["up", "x"], "can't read limit argument N"),
        (["up", "1_0"], "can't read limit argument N"),
        (["down", "x"], "can't read limit argument N"),
        (["down", "1", "2"], "too many arguments: 2"),
        (["down", "-all", "3"], "-all cannot be used with other arguments"),
        (["force"], "please specify version argument V"),
        (["force", "x"], "can't read version argument V"),
        (["force", "-2"], "argument V must be >= -1"),
        (["force", "--", "-2"], "argument V must be >= -1"),
        (["baseline"], "please specify version argument V"),
        (["baseline", "latest"], "can't read version argument V"),
        (["plan", "x"], "can't read version argument V"),
        (["wait", "-version", "1", "-latest"], "-version and -latest are mutually exclusive"),
        (["wait", "3"], "too many arguments: 3"),
        (["-source", "m", "up"], "failed to parse scheme from source URL: no scheme"),
        (["-database", "shop", "version"], "failed to parse scheme from database URL: no scheme"),
        (
            ["-database", "mysql://u:s3cr3t@db/shop", "version"],
            "failed to open database: database driver: unknown driver mysql (forgotten import?)",
        ),
        (
            ["-database", "postgres://db", "-history-table", "a.b.c", "version"],
            "history table 'a.b.c': expected table or schema.table",
        ),
    ],
)
def test_a_command_that_cannot_be_done_ends_with_1_and_its_first_line_is_golang_migrates(
    args: list[str], message: str
) -> None:
    code, output, said = ran(*args)
    first, *rest = said.splitlines()
    assert (code, output, first) == (1, "", f"error: {message}")
    assert all(line.startswith("  hint: ") for line in rest)
    assert len(rest) <= 1


@pytest.mark.parametrize(
    ("args", "message", "named"),
    [
        (["up"], "failed to parse scheme from source URL", ["-path DIR", "DBMIGRATE_PATH"]),
        (["force", "1"], "failed to parse scheme from database URL", ["-database", "DATABASE_URL"]),
        (["version"], "failed to parse scheme from database URL", ["-database", "PGHOST"]),
    ],
)
def test_what_was_not_named_can_be_named_in_these_ways(
    args: list[str], message: str, named: list[str]
) -> None:
    code, _, said = ran(*args)
    first, hint = said.splitlines()
    assert (code, first) == (1, f"error: {message}: URL cannot be empty")
    assert hint.startswith("  hint: ")
    assert all(word in hint for word in named)


@pytest.mark.parametrize("answers", ["", "n\n", "\n", "yes\n"])
@pytest.mark.parametrize(
    ("command", "text"),
    [
        (
            "down",
            "Are you sure you want to apply all down migrations? [y/N]\n"
            "Not applying all down migrations\n",
        ),
        (
            "drop",
            "Are you sure you want to drop the entire database schema? [y/N]\n"
            "Aborted dropping the entire database schema\n",
        ),
    ],
)
def test_what_cannot_be_undone_is_not_done_without_a_yes(
    command: str, text: str, answers: str
) -> None:
    assert ran(command, answers=answers) == (1, "", text)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["down"], "Applying all down migrations\n"),
        (["drop"], "Dropping the entire database schema\n"),
        (["drop", "-f"], ""),
        (["down", "-all"], ""),
        (["down", "1"], ""),
    ],
)
def test_with_a_yes_or_a_flag_it_goes_on(args: list[str], text: str) -> None:
    done = ran(*args, answers="y\n")
    assert done.code == 1
    before, _, error = done.stderr.rpartition("error: ")
    assert before.endswith(text)
    assert "URL cannot be empty" in error


def report(*args: str, path: Path, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    ran("-report", str(path), *args, environ=environ)
    document: dict[str, Any] = json.loads(path.read_text())
    return document


@pytest.mark.parametrize(
    ("args", "reason", "message"),
    [
        (["-x", "up"], "Internal", "flag provided but not defined: -x"),
        ([], "Internal", "no command given"),
        (["ups"], "Internal", "unknown command ups (did you mean up?)"),
        (["up", "-x"], "Internal", "flag provided but not defined: -x"),
        (["goto"], "Internal", "please specify version argument V"),
        (["drop"], "Internal", "Aborted dropping the entire database schema"),
        (
            ["up"],
            "SourceInvalid",
            "failed to parse scheme from source URL: URL cannot be empty",
        ),
        (
            ["-database", "mysql://u:s3cr3t@db", "version"],
            "ConnectionInvalid",
            "failed to open database: database driver: unknown driver mysql (forgotten import?)",
        ),
    ],
)
def test_every_failure_leaves_a_report(
    tmp_path: Path, args: list[str], reason: str, message: str
) -> None:
    found = report(*args, path=tmp_path / "report")
    assert found["outcome"] == "Failed"
    assert (found["version"], found["dirty"]) == (None, None)
    error = {name: value for name, value in found["error"].items() if name != "hint"}
    assert error == {"reason": reason, "message": message, "retryable": False}


def test_the_twin_of_report_is_heeded_too(tmp_path: Path) -> None:
    path = tmp_path / "report"
    ran("-x", environ={"DBMIGRATE_REPORT": str(path)})
    assert json.loads(path.read_text())["error"]["reason"] == "Internal"


def test_json_puts_one_document_on_stdout_also_for_a_failure() -> None:
    done = ran("-json", "goto", "x")
    assert done.code == 1
    document = json.loads(done.stdout)
    assert document["command"] == "goto"
    assert document["error"]["message"] == "can't read version argument V"
    assert document["error"]["hint"] == (
        'V is the version that a migration file\'s name begins with, not "x"'
    )
    assert done.stderr.startswith("error: can't read version argument V\n  hint: V is ")


def test_a_report_that_cannot_be_written_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "report"
    done = ran("-report", str(path), "version", environ={"PGHOST": "db"})
    assert done == (1, "", f"error: report file {path}: there is no directory {path.parent}\n")


def test_a_defect_is_told_with_its_place_and_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgres://app:s3cr3t@db/shop"

    def fail(*_: object) -> None:
        raise KeyError(f"{url} s3cr3t")

    monkeypatch.setattr("dbmigrate.cli.run._read_options", fail)
    path = tmp_path / "report"
    done = ran("-database", url, "-report", str(path), "version")
    assert done.code == 1
    assert done.stderr.startswith("error: internal error at dbmigrate/cli/run.py:")
    assert done.stderr.endswith(
        ": KeyError: its text is not shown, because it may contain a password\n"
    )
    assert "s3cr3t" not in path.read_text()
    assert json.loads(path.read_text())["error"]["reason"] == "Internal"


class Impatient(io.StringIO):
    """Somebody who presses Ctrl-C instead of answering."""

    def readline(self, _size: int = -1, /) -> str:  # type: ignore[override]
        raise KeyboardInterrupt


def test_ctrl_c_at_a_prompt_is_an_interruption() -> None:
    done = ran("drop", answers=Impatient())
    assert done.code == 1
    assert done.stderr.endswith("error: interrupted\n")


def test_a_flag_that_a_command_does_not_know_is_in_the_document_too() -> None:
    done = ran("-json", "up", "-x")
    assert done.code == 2
    assert json.loads(done.stdout)["error"]["message"] == "flag provided but not defined: -x"


@pytest.mark.parametrize(
    ("environ", "url", "is_shown"),
    [
        ({}, "postgres://app:p@db/shop", True),
        ({"PGPASSWORD": "no port at all"}, "postgres://app@db/shop", False),
        ({}, "postgres://app:no%20port@db/shop", False),
        ({}, "host=db password='x port y'", False),
        ({}, "postgres://app:other@db/shop", True),
    ],
)
def test_a_defect_is_told_in_full_where_it_holds_no_part_of_a_password(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], url: str, is_shown: bool
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no port")

    monkeypatch.setattr("dbmigrate.cli.run._read_options", fail)
    done = ran("-database", url, "version", environ=environ)
    assert ("ValueError: no port" in done.stderr) is is_shown


def test_a_commands_own_flag_has_a_twin_too(tmp_path: Path) -> None:
    environ = {"DBMIGRATE_CREATE_EXT": "sql", "DBMIGRATE_CREATE_DIR": str(tmp_path)}
    assert ran("create", "-seq", "users", environ=environ).code == 0
    assert len(list(tmp_path.iterdir())) == 2
    assert ran("wait", environ={"DBMIGRATE_WAIT_TIMEOUT": "soon"}).stderr.startswith(
        'invalid value "soon" for DBMIGRATE_WAIT_TIMEOUT: parse error: expected a duration'
    )


WAITS = find_command("wait").exclusive
NOWHERE = "postgres://nobody@127.0.0.1:1/none?sslmode=disable&connect_timeout=2"


@pytest.mark.parametrize("command", ["create", "wait", "status"])
def test_each_option_of_these_commands_has_the_twin_that_the_page_promises(command: str) -> None:
    found = find_command(command)
    flags = [flag for flag in found.flags if flag.usage and flag.name != "help"]
    assert {flag.name for flag in flags} == set(found.twins)
    for flag in flags:
        if flag.is_boolean or flag.check is not str:
            name = twin_of(flag.name, command)
            refused = ran(command, environ={name: "no such value"})
            assert refused.code == 2
            assert f'invalid value "no such value" for {name}: ' in refused.stderr


@pytest.mark.parametrize(
    ("option", "twin"), [pair for each in WAITS for pair in (each, each[::-1])]
)
def test_an_option_wins_over_a_twin_that_contradicts_it(option: str, twin: str) -> None:
    values = {"version": "0", "history": "django", "timeout": "0"}

    def said(*options: str, **twins: str) -> str:
        environ = {twin_of(name, "wait"): value for name, value in twins.items()}
        words = [f"-{name}={values.get(name, 'true')}" for name in options]
        if {"once", "timeout"}.isdisjoint({option, twin}):
            words.append("-timeout=0")
        return ran("-database", NOWHERE, "wait", *words, environ=environ).stderr

    both = f"-{option} and -{twin} are mutually exclusive"
    swapped = f"-{twin} and -{option} are mutually exclusive"
    given = said(option, twin)
    assert both in given or swapped in given
    assert "exclusive" not in said(option, **{twin: values.get(twin, "true")})


@pytest.mark.parametrize("command", COMMANDS)
def test_no_twin_answers_a_prompt(command: str) -> None:
    assert not {"f", "all", "help"} & set(find_command(command).twins)


WORDS = [
    *COMMANDS,
    "-path",
    "-database=mysql://x",
    "-json",
    "-1",
    "3",
    "--",
    "-",
    "-x",
    "-all",
    "-f",
]


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=6))
def test_no_command_line_is_a_defect(args: list[str]) -> None:
    if "create" in args:
        return  # it would write files
    done = ran(*args)
    assert done.code in (0, 1, 2)
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("line", ["migrate wobble", "migrate apply", "migrate apply --nosuch x"])
def test_a_mistake_on_atlass_command_line_ends_with_1_as_atlas(line: str) -> None:
    assert run_here("atlas", *line.split()).code == 1
