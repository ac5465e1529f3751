"""The runner takes every command line and environment that the operator makes of a spec.

What the runner would refuse is found before a Job is made, and named by its field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from dbmigrate.api.fields import SpecError
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.spec import parse_spec
from dbmigrate.api.status import PlanStatus
from dbmigrate.cli.arguments.flags import parse_flags
from dbmigrate.cli.arguments.operands import read_version
from dbmigrate.cli.arguments.options import parse_options, read_twins
from dbmigrate.cli.main import find_command
from dbmigrate.controller.decisions.runs import RunCommand
from dbmigrate.controller.jobs.body import Images, RunOrder, build_job
from dbmigrate.postgres.connection.target import parse_history_table, parse_target
from tests.unit.controller.resources import NOW, make_migration
from tests.unit.hostile.schema import Drawer, schema_of
from tests.unit.hostile.test_resources import one_of_each, seeds, thorough

pytestmark = pytest.mark.quick

SPEC = schema_of("databasemigrations")["properties"]["spec"]
IMAGES = Images("runner:1", "postgres:{major}")
URL = {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}
MAPS = {"configMaps": [{"name": "files"}]}
FORMATS = ["auto", "golang-migrate", "goose", "dbmate", "flyway", "atlas"]
TEXTS = [
    *("", " ", "0", "1", "1.0", "1e5", "-1", "-2", "+1", "1_000", "0x10", "9" * 19, "9" * 25),
    *("latest", "v2", "2024-x", "a b", "$(PATH)", "$$(PATH)", "$PATH", "${PATH}", "a,b", ",", "-h"),
    *("a\nb", "\x1b[0m", "\x00", "\x7f", "é", "\u202e", "u:p@h", "a/b", "/run/pg", "@abstract"),
    *("::1", "fe80::1%eth0", "[::1]", "none", "0s", "0ms", "1ms", "99d", "0.001ms", "1h1s", "a.b"),
    *("a.b.c", '"a"', "host=x", "postgres://u:p@h/d", "-path", "--report=/x", "true", "x" * 63),
]
TIMEOUTS = ("lock", "lockAcquisition", "statement", "deadline")
VARIABLES = (
    *("DBMIGRATE_CONCURRENT_LOCK_TIMEOUT", "DBMIGRATE_HISTORY_OWNER", "DBMIGRATE_VERBOSE"),
    *(
        "DBMIGRATE_ARCHIVE",
        "DBMIGRATE_LINT",
        "DBMIGRATE_GOTO_HELP",
        "DBMIGRATE_PREFETCH",
        "DATABASE_URL",
        "PGHOSTADDR",
    ),
)


def _timeout(name: str, text: str, _: str) -> dict[str, Any]:
    return {"timeouts": {name: text}}


def _variable(name: str, text: str, _: str) -> dict[str, Any]:
    return {"job": {"env": [{"name": name, "value": text}]}}


PLACES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "target": lambda text, form: {"target": text, "source": {**MAPS, "format": form}},
    "host": lambda text, _: {"database": {"connection": {"host": text, "dbname": "d"}}},
    "dbname": lambda text, _: {"database": {"connection": {"host": "h", "dbname": text}}},
    "user": lambda text, _: {
        "database": {"connection": {"host": "h", "dbname": "d", "user": text}}
    },
    "historyTable": lambda text, _: {"database": {**URL, "historyTable": text}},
    "path": lambda text, _: {"source": {"image": {"reference": "a:1", "path": f"/{text}"}}},
    "backup": lambda text, _: {
        "backup": {"persistentVolumeClaim": {"claimName": "c", "path": f"/{text}"}, "keep": 10_000}
    },
    **{f"timeouts.{name}": partial(_timeout, name) for name in TIMEOUTS},
    **{f"env.{name}": partial(_variable, name) for name in VARIABLES},
}


@pytest.mark.parametrize("place", PLACES)
def test_what_a_field_may_hold_is_refused_by_name_or_taken_by_the_runner(place: str) -> None:
    for form in FORMATS if place == "target" else ["auto"]:
        for text in TEXTS:
            spec = {"database": URL, "source": MAPS, **PLACES[place](text, form)}
            try:
                parse_spec(spec)
            except SpecError:
                continue
            run_every_command(make_migration(**spec), form)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"target": "1.0"}, "spec.target"),
        ({"target": "1e5"}, "spec.target"),
        ({"target": "9" * 25}, "spec.target"),
        ({"database": {"connection": {"host": "$(PATH)", "dbname": "d"}}}, "connection.host"),
        ({"database": {"connection": {"host": "a\nb", "dbname": "d"}}}, "connection.host"),
        ({"database": {"connection": {"host": "u:p@h", "dbname": "d"}}}, "connection.host"),
        ({"database": {"connection": {"host": "h", "dbname": "a\0"}}}, "connection.dbname"),
        ({"timeouts": {"deadline": "0s"}}, "spec.timeouts.deadline"),
        ({"timeouts": {"deadline": "999ms"}}, "spec.timeouts.deadline"),
        ({"job": {"env": [{"name": "DBMIGRATE_LINT", "value": "x"}]}}, "spec.job.env[0].name"),
        (
            {"job": {"env": [{"name": "DBMIGRATE_VERBOSE", "value": "maybe"}]}},
            "spec.job.env[0].value",
        ),
        *(
            ({"job": {"env": [{"name": "DBMIGRATE_ARCHIVE", "value": text}]}}, "env[0].value")
            for text in ("", "/run/secrets", "../secrets", "a/../../b", "$(PGPASSWORD)", "a//b")
        ),
    ],
)
def test_a_value_that_the_runner_would_refuse_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec({"database": URL, "source": MAPS, **fields})
    assert caught.value.path.endswith(path)


@settings(thorough, max_examples=200)
@given(seeds)
def test_the_runner_takes_what_the_schema_and_the_parser_let_in(seed: int) -> None:
    random = Random(seed)
    spec = one_of_each(Drawer(random).value(SPEC))
    try:
        parse_spec(spec)
    except SpecError:
        return
    run_every_command(make_migration(**spec), spec["source"].get("format", "auto"))


def run_every_command(migration: MigrationResource, form: str) -> None:
    plan = PlanStatus("p" * 64, "i", (), NOW, checksum="0" * 64)
    for command in RunCommand:
        operands = ("7",) if command in (RunCommand.FORCE, RunCommand.ROLLBACK) else ()
        plain = RunOrder(command, "i", 1, 1, operands)
        for order in (plain, replace(plain, plan=plan, rehearsed_on="17")):
            job = build_job(migration, order, images=IMAGES, server_version=(1, 36))
            container = job["spec"]["template"]["spec"]["containers"][0]
            read_as_the_runner(container, "golang-migrate" if form == "auto" else form)


def read_as_the_runner(container: dict[str, Any], form: str) -> None:
    """Read arguments and environment as cli/main.py does. Raises where it ends with an error."""
    environ = {
        each["name"]: expand(each["value"]) if "value" in each else "postgres://h/d"
        for each in container["env"]
    }
    assert not any("\0" in text for text in (*container["args"], *environ.values()))
    options, rest = parse_options([expand(each) for each in container["args"]], environ)
    command = find_command(rest[0])
    _, operands = parse_flags(
        command.flags, rest[1:], numbers_are_operands=command.numbers_are_operands
    )
    assert not command.find_surplus(operands)
    read_twins([f for f in command.flags if f.name in command.twins], environ, rest[0])
    for operand in operands:
        if operand not in ("latest", "-1"):
            read_version(operand, form)
    parse_target(options.database, environ)
    if options.rehearse_on:
        parse_target(options.rehearse_on, {})
    if options.history_table:
        parse_history_table(options.history_table)


def expand(text: str) -> str:
    """As the kubelet: `$$` is `$`, and no variable may be named."""
    assert not re.search(r"(?<!\$)(?:\$\$)*\$\(", text)
    return text.replace("$$", "$")
