"""Events are logged by their gravity, and one that cannot be posted changes nothing."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from dbmigrate.api.fields import Document
from dbmigrate.controller.cluster import Cluster, Unavailable
from dbmigrate.controller.writing.event_writer import EventWriter
from tests.unit.controller.resources import make_migration

pytestmark = pytest.mark.quick


class Events:
    """Takes events, or is away."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.is_away = is_away
        self.posted: list[Document] = []

    async def create_event(self, body: Document) -> None:
        if self.is_away:
            raise Unavailable("POST events: the API server is away")
        self.posted.append(body)


def post(events: Events, event: Document | None) -> None:
    writer = EventWriter(cast(Cluster, events), "migration")
    asyncio.run(writer.post(make_migration().identity, event))


@pytest.mark.parametrize(("kind", "level"), [("Warning", "WARNING"), ("Normal", "INFO")])
def test_a_failure_is_logged_as_a_warning(
    kind: str, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    events, event = Events(), {"type": kind, "reason": "SqlError", "message": "so it is"}
    with caplog.at_level("INFO"):
        post(events, event)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [(level, "so it is")]
    assert vars(caplog.records[0])["migration"] == "shop"
    assert events.posted == [event]


def test_no_event_is_neither_logged_nor_posted(caplog: pytest.LogCaptureFixture) -> None:
    events = Events()
    with caplog.at_level("INFO"):
        post(events, None)
    assert (caplog.records, events.posted) == ([], [])


def test_an_event_that_cannot_be_posted_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        post(Events(is_away=True), {"type": "Normal", "reason": "Ready", "message": "so it is"})
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert "the API server is away" in caplog.records[1].getMessage()
