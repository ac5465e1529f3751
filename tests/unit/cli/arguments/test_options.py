"""Options and their twins in the environment."""

from __future__ import annotations

import pytest

from dbmigrate.cli.arguments.flags import UsageError
from dbmigrate.cli.arguments.options import FLAGS, find_report_file, parse_options, twin_of


def test_golang_migrates_defaults_and_ours() -> None:
    options, rest = parse_options(["up", "2"], {})
    assert rest == ["up", "2"]
    assert options.lock_timeout == 15
    assert options.statement_lock_timeout == 5
    assert options.concurrent_lock_timeout is None
    assert options.statement_timeout is None
    assert options.may_roll_back is None
    assert (options.out_of_order, options.changed_files) == (None, None)
    assert (options.database, options.source, options.path, options.report) == ("", "", "", "")


def test_the_options_of_a_job_are_understood() -> None:
    line = (
        "-path /m --report /dev/termination-log -history-table app.versions -lock-timeout 20"
        " -statement-lock-timeout none -statement-timeout 30m -rollback forbid"
        " -out-of-order apply -changed-files warn goto latest"
    )
    options, rest = parse_options(line.split(), {"DATABASE_URL": "postgres://db/shop"})
    assert rest == ["goto", "latest"]
    assert options.path == "/m"
    assert options.report == "/dev/termination-log"
    assert options.history_table == "app.versions"
    assert options.lock_timeout == 20
    assert options.statement_lock_timeout == 0
    assert options.statement_timeout == 1800
    assert options.may_roll_back is False
    assert (options.out_of_order, options.changed_files) == ("apply", "warn")
    assert options.database == "postgres://db/shop"


TWINS = {
    "source": "file://m",
    "path": "m",
    "database": "postgres://db",
    "prefetch": "3",
    "lock-timeout": "20",
    "verbose": "true",
    "format": "goose",
    "history-table": "a.b",
    "history-owner": "team",
    "identity": "aws:region=eu-west-1",
    "role": "app",
    "statement-lock-timeout": "1s",
    "connect-wait": "60s",
    "concurrent-lock-timeout": "10m",
    "statement-timeout": "2m",
    "rollback": "forbid",
    "out-of-order": "ignore",
    "changed-files": "warn",
    "backup-to": "d",
    "archive": "old",
    "backup-keep": "2",
    "owner": "here/shop/users#1",
    "take-over": "there/shop/users",
    "expect-database": "7412345678901234567-16384",
    "intent": "0f0f",
    "order": "MigrationAction back",
    "order-id": "MigrationAction team/back: rollback 1",
    "plan-checksum": "0f" * 32,
    "lint": "reject",
    "rehearse-on": "host=/scratch",
    "confined-to": "m",
    "grace-period": "60s",
    "json": "1",
    "report": "f",
}


def test_every_option_has_a_twin_that_is_listed_here() -> None:
    assert set(TWINS) == {flag.name for flag in FLAGS} - {"version", "help"}


@pytest.mark.parametrize(("name", "value"), TWINS.items())
def test_a_twin_says_the_same_as_its_option(name: str, value: str) -> None:
    by_option, _ = parse_options([f"-{name}={value}"], {})
    by_twin, _ = parse_options([], {twin_of(name): value})
    assert by_option == by_twin
    nothing, _ = parse_options([], {})
    assert (by_twin == nothing) is (name == "prefetch")


@pytest.mark.parametrize(("name", "value"), TWINS.items())
def test_an_option_wins_over_its_twin_and_an_empty_twin_is_none(name: str, value: str) -> None:
    assert parse_options([f"-{name}={value}"], {twin_of(name): ""}) == parse_options(
        [f"-{name}={value}"], {}
    )
    assert parse_options([], {twin_of(name): ""}) == parse_options([], {})


def test_an_option_of_the_same_name_wins() -> None:
    environ = {"DBMIGRATE_LOCK_TIMEOUT": "7", "DBMIGRATE_VERBOSE": "true"}
    options, _ = parse_options(["-lock-timeout", "8", "-verbose=false"], environ)
    assert options.lock_timeout == 8
    assert not options.verbose


def test_the_databases_own_variable_wins_over_the_common_one() -> None:
    environ = {"DBMIGRATE_DATABASE": "postgres://a", "DATABASE_URL": "postgres://b"}
    assert parse_options([], environ)[0].database == "postgres://a"
    assert parse_options(["-database", "postgres://c"], environ)[0].database == "postgres://c"


def test_a_given_path_is_not_pushed_aside_by_the_sources_twin() -> None:
    environ = {"DBMIGRATE_SOURCE": "file://other", "DBMIGRATE_PATH": "third"}
    options, _ = parse_options(["-path", "mine"], environ)
    assert (options.path, options.source) == ("mine", "")
    options, _ = parse_options(["-path", "mine", "-source", "file://s"], environ)
    assert options.source == "file://s"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"DBMIGRATE_LOCK_TIMEOUT": "soon"},
            'invalid value "soon" for DBMIGRATE_LOCK_TIMEOUT: parse error: expected a duration'
            " such as 15s or 1m30s, or none",
        ),
        (
            {"DBMIGRATE_ROLLBACK": "maybe"},
            'invalid value "maybe" for DBMIGRATE_ROLLBACK: expected allow or forbid',
        ),
        (
            {"DBMIGRATE_VERBOSE": "yes"},
            'invalid value "yes" for DBMIGRATE_VERBOSE: expected true or false',
        ),
    ],
)
def test_a_bad_twin_is_named(environ: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_options([], environ)
    assert str(caught.value) == message


def test_variables_that_kubernetes_sets_for_a_service_are_no_twins() -> None:
    environ = {"DBMIGRATE_PORT": "tcp://10.0.0.1:80", "DBMIGRATE_SERVICE_HOST": "10.0.0.1"}
    assert parse_options([], environ) == parse_options([], {})


@pytest.mark.parametrize(
    ("args", "environ", "path"),
    [
        (["-x", "-report", "f", "up"], {}, "f"),
        (["-x", "--report=f", "up"], {}, "f"),
        (["-report"], {}, ""),
        (["-x"], {"DBMIGRATE_REPORT": "f"}, "f"),
        (["-x"], {}, ""),
        (["report", "f"], {}, ""),
    ],
)
def test_the_report_file_is_found_on_a_line_that_is_wrong_elsewhere(
    args: list[str], environ: dict[str, str], path: str
) -> None:
    assert find_report_file(args, environ) == path


def test_zero_means_no_limit_for_statements_and_one_try_for_the_lock() -> None:
    args = ["-lock-timeout", "0", "-statement-timeout", "0", "-statement-lock-timeout", "0"]
    options, _ = parse_options(args, {})
    assert options.lock_timeout == 0
    assert options.statement_timeout == 0
    assert options.statement_lock_timeout == 0


@pytest.mark.parametrize("value", ["", "a b", "a\nb", "\x1b", "x" * 701])
@pytest.mark.parametrize("name", ["owner", "take-over", "intent"])
def test_an_owner_is_a_word(name: str, value: str) -> None:
    with pytest.raises(UsageError):
        parse_options([f"-{name}={value}"], {})
