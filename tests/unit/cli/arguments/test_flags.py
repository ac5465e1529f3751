"""The command line is parsed as Go's flag package does it; the texts are golang-migrate's."""

from __future__ import annotations

import pytest

from dbmigrate.cli.arguments.flags import (
    Flag,
    HelpRequested,
    UsageError,
    describe_flags,
    is_set,
    no_address,
    parse_flags,
    quote,
)
from dbmigrate.cli.arguments.numbers import read_signed, read_unsigned

FLAGS = (
    Flag("path"),
    Flag("n", check=read_unsigned, kind="uint"),
    Flag("i", check=read_signed, kind="int"),
    Flag("all", kind=""),
)


@pytest.mark.parametrize(
    ("args", "values", "operands"),
    [
        ([], {}, []),
        (["up"], {}, ["up"]),
        (["-path", "d", "up"], {"path": "d"}, ["up"]),
        (["--path", "d", "up"], {"path": "d"}, ["up"]),
        (["-path=d", "up"], {"path": "d"}, ["up"]),
        (["--path=d", "up"], {"path": "d"}, ["up"]),
        (["-path=", "up"], {"path": ""}, ["up"]),
        (["-path", "", "up"], {"path": ""}, ["up"]),
        (["-path=a=b"], {"path": "a=b"}, []),
        (["-path", "-all"], {"path": "-all"}, []),
        (["-path", "a", "-path", "b"], {"path": "b"}, []),
        (["-all", "3"], {"all": "true"}, ["3"]),
        (["-all=F", "3"], {"all": "F"}, ["3"]),
        (["up", "-path", "d"], {}, ["up", "-path", "d"]),
        (["--", "-all"], {}, ["-all"]),
        (["-", "-all"], {}, ["-", "-all"]),
        (["", "-all"], {}, ["", "-all"]),
        (["-n", "0x10"], {"n": "0x10"}, []),
        (["-i", "-5"], {"i": "-5"}, []),
    ],
)
def test_flags_end_at_the_first_operand(
    args: list[str], values: dict[str, str], operands: list[str]
) -> None:
    assert parse_flags(FLAGS, args) == (values, operands)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-x"], "flag provided but not defined: -x"),
        (["--x=1"], "flag provided but not defined: -x"),
        (["-1"], "flag provided but not defined: -1"),
        (["---x"], "bad flag syntax: ---x"),
        (["-=x"], "bad flag syntax: -=x"),
        (["--=x"], "bad flag syntax: --=x"),
        (["-path"], "flag needs an argument: -path"),
        (["-n", "ten"], 'invalid value "ten" for flag -n: parse error: expected a number'),
        (["-n", "-1"], 'invalid value "-1" for flag -n: parse error: expected a number'),
        (["-n=99999999999999999999"],
         'invalid value "99999999999999999999" for flag -n: value out of range: expected a number'
         " from 0 to 18446744073709551615"),
        (["-i", "1.5"], 'invalid value "1.5" for flag -i: parse error: expected a number'),
        (["-all=maybe"],
         'invalid boolean value "maybe" for -all: parse error: expected true or false'),
        (["-all="], 'invalid boolean value "" for -all: parse error: expected true or false'),
    ],
)  # fmt: skip
def test_mistakes_have_gos_texts(args: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_flags(FLAGS, args)
    assert str(caught.value) == message


@pytest.mark.parametrize("args", [["-h"], ["-help"], ["--help"], ["-path", "d", "--h"]])
def test_help_is_asked_for_where_no_flag_of_that_name_exists(args: list[str]) -> None:
    with pytest.raises(HelpRequested):
        parse_flags(FLAGS, args)


def test_a_negative_number_is_an_operand_where_a_command_wants_it() -> None:
    assert parse_flags(FLAGS, ["-all", "-1"], numbers_are_operands=True) == (
        {"all": "true"},
        ["-1"],
    )
    with pytest.raises(UsageError, match="-1x"):
        parse_flags(FLAGS, ["-1x"], numbers_are_operands=True)


def test_a_boolean_that_was_given_as_false_is_not_set() -> None:
    assert is_set({"all": "true"}, "all")
    assert not is_set({"all": "0"}, "all")
    assert not is_set({}, "all")


def test_help_lists_flags_as_go_does() -> None:
    flags = (
        Flag("help", "Print help information", kind=""),
        Flag("f", "Force it", kind=""),
        Flag("format", "The format", default="2006"),
        Flag("digits", "How many\nat most", kind="int", default="6"),
        Flag("n", "A number", kind="int"),
    )
    assert describe_flags(flags) == (
        "  -digits int\n    \tHow many\n    \tat most (default 6)\n"
        "  -f\tForce it\n"
        '  -format string\n    \tThe format (default "2006")\n'
        "  -help\n    \tPrint help information\n"
        "  -n int\n    \tA number\n"
    )


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a", '"a"'),
        ('a"b\\c', r'"a\"b\\c"'),
        ("a\nb\tc\x00\x7f", r'"a\nb\tc\x00\x7f"'),
        ("\u00e9", '"\u00e9"'),
        ("\u200b\udcff", r'"\u200b\xff"'),
        ("\U000e0001", r'"\U000e0001"'),
    ],
)
def test_texts_are_quoted_as_go_does(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@pytest.mark.parametrize(
    "text", ["postgres://u:S3cr3t@h/d", "host=h password=S3cr3t", "pgx5://u:S3cr3t@h"]
)
def test_an_address_in_the_place_of_a_file_is_refused_and_not_shown(text: str) -> None:
    flags = (Flag("report", check=no_address),)
    with pytest.raises(UsageError) as refused:
        parse_flags(flags, ["-report", text])
    assert "it is the address of a database" in str(refused.value)
    assert "S3cr3t" not in str(refused.value)
    assert no_address("back ups/nightly@home") == "back ups/nightly@home"
