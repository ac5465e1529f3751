"""The log: stable keys, one line an event."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from dbmigrate.api.migration import Identity
from dbmigrate.controller.logs import JsonFormatter, TextFormatter, configure_logs
from dbmigrate.controller.writing.event_writer import log_fields
from dbmigrate.controller.writing.status_writer import OF_MIGRATIONS, OF_SETS
from tests.unit.controller.resources import NOW


def record(**extra: object) -> logging.LogRecord:
    made = logging.LogRecord("dbmigrate.x", logging.INFO, "x.py", 1, "job %s", ("a",), None)
    made.__dict__.update(extra)
    return made


@pytest.fixture
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_one_json_object_with_stable_keys() -> None:
    made = record(namespace="shop", migration="users", job="users-1", unknown="x")
    line = json.loads(JsonFormatter().format(made))
    assert line.pop("time").endswith("Z")
    assert line == {
        "severity": "info",
        "logger": "dbmigrate.x",
        "message": "job a",
        "namespace": "shop",
        "migration": "users",
        "job": "users-1",
    }


def test_a_traceback_stays_on_the_line() -> None:
    try:
        raise ValueError("no")
    except ValueError as error:
        made = record(exc_info=(type(error), error, error.__traceback__))
    text = JsonFormatter().format(made)
    assert "\n" not in text
    assert "ValueError: no" in json.loads(text)["traceback"]


def test_text_is_for_people() -> None:
    line = TextFormatter().format(record(namespace="shop", migration="users"))
    assert line.endswith("info    job a namespace=shop migration=users")


@pytest.mark.usefixtures("restored_logging")
def test_kopfs_news_of_success_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    logging.getLogger("kopf.objects").info("Handler 'x' succeeded.")
    logging.getLogger("kopf.objects").warning("a warning")
    logging.getLogger("dbmigrate.x").info("ours", extra={"namespace": "shop"})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in lines] == ["a warning", "ours"]


def test_a_line_about_a_resource_of_either_kind_names_it() -> None:
    for form in (OF_MIGRATIONS, OF_SETS):
        fields = log_fields(form.kind, Identity("shop", "users", "uid", 1, NOW), job="users-1")
        line = json.loads(JsonFormatter().format(record(**fields)))
        assert {key: line[key] for key in fields} == fields
