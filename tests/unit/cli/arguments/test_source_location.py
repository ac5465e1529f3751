"""Where the migrations are, with golang-migrate's texts for what is wrong."""

from __future__ import annotations

import os

import pytest

from dbmigrate.cli.arguments.options import parse_options
from dbmigrate.cli.arguments.source_location import find_directory, has_source
from dbmigrate.errors import MigrationError


@pytest.mark.parametrize(
    ("args", "directory"),
    [
        (["-path", "migrations"], "migrations"),
        (["-path", "/a%20b#c?d"], "/a%20b#c?d"),
        (["-source", "file:///a/b"], "/a/b"),
        (["-source", "file://a/b"], "a/b"),
        (["-source", "file://./a"], "./a"),
        (["-source", "file:a"], "a"),
        (["-source", "file:///a%20b"], "/a b"),
        (["-source", "file:///a?x-y=z"], "/a"),
        (["-source", "file://"], os.getcwd()),
        (["-source", "file://s", "-path", "p"], "s"),
    ],
)
def test_a_source_is_a_directory(args: list[str], directory: str) -> None:
    options, _ = parse_options(args, {})
    assert has_source(options)
    assert find_directory(options) == directory


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "failed to parse scheme from source URL: URL cannot be empty"),
        (["-source", "migrations"], "failed to parse scheme from source URL: no scheme"),
        (
            ["-source", "s3://bucket/migrations"],
            'failed to open source, "s3://bucket/migrations": source driver: unknown driver'
            " 's3' (forgotten import?)",
        ),
        (
            ["-source", "github://me:token@owner/repo"],
            'failed to open source, "github://owner/repo": source driver: unknown driver'
            " 'github' (forgotten import?)",
        ),
    ],
)
def test_a_bad_source_is_refused(args: list[str], message: str) -> None:
    options, _ = parse_options(args, {})
    with pytest.raises(MigrationError) as caught:
        find_directory(options)
    assert caught.value.message == message
