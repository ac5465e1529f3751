"""Statuses that the API server refuses: a smaller one is written, of migrations and of sets."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from dbmigrate.api.conditions import Condition, ConditionType, Truth
from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.status import SetStatus, TargetFailure, parse_set_status
from dbmigrate.api.migration import Identity
from dbmigrate.api.status import HistoryEntry, MigrationStatus
from dbmigrate.controller.cluster import Refused
from dbmigrate.controller.fleet.triggers import retry_due
from dbmigrate.controller.writing.status_patch import reduce_set_status
from dbmigrate.controller.writing.status_writer import OF_MIGRATIONS, OF_SETS, StatusWriter, Write
from dbmigrate.report import Reason
from tests.unit.controller.fleet.world import World, make_set, settle
from tests.unit.controller.resources import NOW

pytestmark = pytest.mark.quick

IDENTITY = Identity("team", "one", "uid", 1, NOW)
LONG = "x" * 1000
BODY: Document = {"metadata": {"resourceVersion": "7"}}


def ready(message: str) -> tuple[Condition, ...]:
    return (Condition(ConditionType.READY, Truth.FALSE, "Failed", message, 1, NOW),)


def failures(count: int) -> tuple[TargetFailure, ...]:
    reasons = (Reason.STATEMENT_FAILED, Reason.CONNECTION_LOST)
    return tuple(
        TargetFailure(f"t{n}", "all", "failed", reasons[n % 2], LONG, "1_a.up.sql", n)
        for n in range(count)
    )


@dataclass
class Server:
    """An API server that refuses statuses that are larger than this."""

    most: int
    is_final: bool = True
    requests: list[Document] = field(default_factory=list)

    async def patch(self, namespace: str, name: str, patch: Document) -> Document | None:
        assert (namespace, name) == ("team", "one")
        self.requests.append(patch)
        if len(str(patch)) > self.most:
            raise Refused("too large for us", is_final=self.is_final)
        return patch


def history(count: int) -> tuple[HistoryEntry, ...]:
    return tuple(HistoryEntry(str(n), LONG, "up", NOW, 1) for n in range(count))


def write_status(writer: StatusWriter[Any], status: Any) -> Write:
    return asyncio.run(writer.write(BODY, IDENTITY, status))


KINDS = pytest.mark.parametrize(
    ("form", "status"),
    [
        (
            OF_MIGRATIONS,
            MigrationStatus(1, history=history(50), conditions=ready(LONG)),
        ),
        (OF_SETS, SetStatus(1, failures=failures(50), conditions=ready(LONG))),
    ],
    ids=["migration", "set"],
)


@KINDS
def test_a_refused_status_is_written_smaller_and_with_the_reason(
    form: Any, status: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(len(str(status.to_dict())) // 2)
    writer = StatusWriter(form, server.patch)
    caplog.set_level(logging.WARNING)
    assert write_status(writer, status) is Write.DONE
    (condition,) = server.requests[-1]["status"]["conditions"]
    assert "the API server refused it: too large for us" in condition["message"]
    (line,) = [each for each in caplog.records if "refused the status" in each.message]
    assert getattr(line, form.kind) == "one"
    # It is logged once of each subject.
    write_status(writer, status)
    assert len([each for each in caplog.records if "refused" in each.message]) == 1


@KINDS
def test_where_no_status_is_taken_that_is_told_once_by_an_event(form: Any, status: Any) -> None:
    server = Server(0)
    writer = StatusWriter(form, server.patch)
    assert write_status(writer, status) is Write.REFUSED
    assert write_status(writer, status) is Write.NEEDLESS
    server.most = 10**6
    assert write_status(writer, status) is Write.DONE


@KINDS
def test_a_refusal_that_may_pass_is_tried_again(form: Any, status: Any) -> None:
    server = Server(0, is_final=False)
    with pytest.raises(Refused):
        write_status(StatusWriter(form, server.patch), status)
    assert len(server.requests) == 1


def test_a_set_whose_status_is_smaller_is_decided_upon_alike() -> None:
    """Whether and when it is tried again depends on the reasons of its failures."""
    world = World(make_set(), {"canary": 30, "rest": 970}, {"rest": 2})
    settle(world)
    for reason in (Reason.STATEMENT_FAILED, Reason.CONNECTION_LOST, Reason.AUTHENTICATION_FAILED):
        status = world.resource.status
        told = tuple(replace(each, message=LONG) for each in status.failures[1:])
        first = replace(status.failures[0], reason=reason, message=LONG)
        status = replace(status, failures=(first, *told))
        smaller = parse_set_status(reduce_set_status(status).to_dict())
        assert len(str(smaller.to_dict())) < len(str(status.to_dict())) / 3
        due = [
            retry_due(replace(world.view(), resource=replace(world.resource, status=each)), each)
            for each in (status, smaller)
        ]
        assert due[0] == due[1]
        assert (due[0] is not None) is (reason is Reason.CONNECTION_LOST)
