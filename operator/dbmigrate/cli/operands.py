"""Reads what follows a command and its flags, with golang-migrate's texts."""

from __future__ import annotations

from collections.abc import Sequence

from dbmigrate.cli.command import ArgumentError
from dbmigrate.cli.numbers import read_decimal, read_version

LATEST = "latest"


def read_limit(operands: Sequence[str]) -> int | None:
    """N of `up N` and `down N`; None without it. Raises ArgumentError, as do all below."""
    if not operands:
        return None
    try:
        return read_decimal(operands[0])
    except ValueError:
        raise ArgumentError("can't read limit argument N") from None


def read_target(operands: Sequence[str]) -> int | None:
    """V of `goto V`; None for `latest`."""
    text = the_version(operands)
    if text == LATEST:
        return None
    try:
        return read_version(text)
    except ValueError:
        raise ArgumentError("can't read version argument V") from None


def the_version(operands: Sequence[str]) -> str:
    """V as it was typed."""
    if not operands:
        raise ArgumentError("please specify version argument V")
    return operands[0]
