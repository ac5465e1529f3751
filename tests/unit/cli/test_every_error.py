"""Every command with what a person may type wrong, up to where a database would be needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dbmigrate.cli.arguments.flags import Flag
from dbmigrate.cli.arguments.options import FLAGS as OPTIONS
from dbmigrate.cli.arguments.options import twin_of
from dbmigrate.cli.arguments.usage import COMMANDS
from dbmigrate.cli.main import find_command
from tests.cli.errors import SECRET, check_error
from tests.cli.program import Ran, run_here

OPERAND = {
    "N": "1",
    "V": "2",
    "NAME": "name",
    "DIR": "new",
    "FILE": "file.dump",
    "": "",
}
URL = f"postgres://app:{SECRET}@db/shop"
WRONG = "wrong!"


def whole(command: str) -> list[str]:
    """The command with the operand that it takes."""
    found = find_command(command)
    return list(filter(None, (command, "goto" * found.has_verb, OPERAND[found.operand])))


def own_flags(command: str) -> Iterator[Flag]:
    return (flag for flag in find_command(command).flags if flag.name not in ("help",))


def refused_value(flag: Flag) -> str | None:
    """A value that its check refuses; None where any text will do."""
    if flag.is_boolean:
        return "maybe"
    try:
        flag.check(WRONG)
    except ValueError:
        return WRONG
    return None


@pytest.mark.parametrize("command", COMMANDS)
def test_extra_arguments_are_refused_by_name(command: str, tmp_path: Path) -> None:
    done = run_here("-path", str(tmp_path), *whole(command), "surplus", "more")
    check_error(done, codes=(1,), named="error: too many arguments: surplus more\n  hint: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [c for c in COMMANDS if find_command(c).operand])
def test_a_flag_behind_the_argument_is_told_where_flags_go(command: str) -> None:
    name = next((flag.name for flag in own_flags(command) if flag.usage), "help")
    done = run_here(*whole(command), f"-{name}=1")
    if not find_command(command).has_verb:  # its flags stand behind the verb
        check_error(done, codes=(1,), named="hint: flags go before the argument: ")
        done = run_here(*whole(command), "-verbose")
        check_error(done, codes=(1,), named="hint: options go before the command: ")


def test_an_address_among_the_arguments_is_not_shown() -> None:
    check_error(run_here("version", URL), codes=(1,), named="too many arguments: (not shown")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_flag_that_is_mistyped_lacks_its_value_or_has_a_wrong_one_is_named(command: str) -> None:
    check_error(run_here(command, "-nosuch"), codes=(2,), named="not defined: -nosuch")
    for flag in own_flags(command):
        if refused_value(flag) is not None:
            wrong = run_here(command, f"-{flag.name}={refused_value(flag)}")
            check_error(wrong, codes=(2,), named=f"-{flag.name}: ")
            expected = "template" if flag.name == "as-atlas" else "expected "
            check_error(wrong, codes=(2,), named=expected)
        if not flag.is_boolean:
            done = run_here(command, f"-{flag.name}")
            check_error(done, codes=(2,), named=f"flag needs an argument: -{flag.name}")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: f"-{option.name}")
def test_an_option_or_its_variable_with_a_wrong_value_is_named_with_what_is_expected(
    option: Flag,
) -> None:
    wrong = refused_value(option)
    if wrong is not None:
        done = run_here(f"-{option.name}={wrong}", "up")
        check_error(done, codes=(2,), named=f"-{option.name}: ")
        assert "expected " in done.stderr
        if option.name not in ("version", "help"):
            name = twin_of(option.name)
            check_error(run_here("up", environ={name: wrong}), codes=(2,), named=f"{name}: ")
    if not option.is_boolean:
        check_error(run_here(f"-{option.name}"), codes=(2,), named=f"-{option.name}")
        check_error(run_here(f"-{option.name}", URL, "version", "x"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_variable_of_a_command_with_a_wrong_value_is_named(command: str) -> None:
    for flag in own_flags(command):
        if flag.name in find_command(command).twins and refused_value(flag) is not None:
            name = twin_of(flag.name, command)
            done = run_here(*whole(command), environ={name: refused_value(flag) or ""})
            check_error(done, codes=(2,), named=f"{name}: ")


def of_files(command: str, *options: str) -> Ran:
    required = {
        "adopt": ["-from=goose"],
        "prune": ["-keep=5"],
        "squash": ["-to=2"],
        "create": ["-ext=sql"],
        "drop": ["-f"],
        "down": ["-all"],
        "diff": ["-to=schema.sql"],
    }
    if command == "fleet":
        return run_here(*options, "fleet", "up", "-targets=targets.csv")
    name, *operand = whole(command)
    operand = [] if command in ("down", "up", "apply") else operand
    return run_here(*options, name, *required.get(command, []), *operand)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_was_not_named_is_said_with_how_to_name_it(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema.sql").write_text("")
    if command == "create":  # writes into the working directory
        return
    done = of_files(command)
    check_error(done, codes=(1,), named="URL cannot be empty\n  hint: name the ")


@pytest.mark.parametrize(
    "source",
    ["-source=s3://bucket", "-source=migrations", "-path=nowhere", "-path=file", "-source=" + URL],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_source_that_is_none_is_named(
    command: str, source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "schema.sql").write_text("")
    if command in ("drop", "version", "backup", "restore", "force"):
        return  # read no files
    if command == "create" and source == "-path=nowhere":
        return  # makes the directory
    done = of_files(command, source, "-database=postgres://nobody@127.0.0.1:1/none")
    check_error(done, codes=(1,), named="")
    assert "directory" in done.stderr


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("shop", "hint: name a database of PostgreSQL: postgres://"),
        (f"mysql://app:{SECRET}@db/shop", "hint: name a database of PostgreSQL: postgres://"),
        (f"app:{SECRET}@db/shop", "a URL begins with postgres://"),
        (f"jdbc:postgresql://db/shop?user=app&password={SECRET}", "leave out jdbc:"),
        (f"postgresql+psycopg2://app:{SECRET}@db/shop", "SQLAlchemy"),
        (f"postgres://app:{SECRET}@db:port/shop", "expected user:password@host:port"),
        ("host=db nosuch", "can't read the keyword string"),
    ],
)
def test_the_address_of_a_database_that_is_none_is_answered_with_one(url: str, named: str) -> None:
    for command in ("version", "force", "drop", "backup"):
        check_error(of_files(command, f"-database={url}"), codes=(1,), named=named)


@pytest.mark.parametrize(
    "line",
    [
        *("goose wobble", "goose postgres", "goose postgres DB", "goose postgres DB wobble"),
        *("goose mysql x up", "goose postgres DB up surplus", "goose postgres DB up-to x"),
        *("goose create", "goose create x go", "goose create x sql surplus", "goose -nosuch"),
        *("atlas wobble", "atlas migrate wobble", "atlas migrate apply --nosuch"),
        *("atlas migrate apply", "atlas migrate apply --url DB --tx-mode x"),
        *("atlas migrate apply --url DB --dir nowhere", "atlas migrate apply 1 2 --url DB"),
        *("atlas migrate status x --url DB", "atlas migrate hash x", "atlas migrate new a b"),
    ],
)
def test_another_tools_command_line_is_refused_in_its_words(line: str) -> None:
    check_error(run_here(*line.replace("DB", URL).split()))
