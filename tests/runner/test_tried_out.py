"""Steps in batches are rehearsed as others are, also when one of them is under way already."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbmigrate.policies import LintPolicy
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options
from tests.database import Database, Server
from tests.runner.arrange import request, version_row
from tests.runner.batches import ROWS, files, stop_in_batch, touched

pytestmark = pytest.mark.database


@pytest.fixture(scope="module")
def scratch() -> Iterator[Server]:
    """A server beside that of the database."""
    with Server.start(settings={"max_connections": "20"}) as started:
        yield started


@pytest.fixture
def options(scratch: Server, monkeypatch: pytest.MonkeyPatch) -> Options:
    """What the steps are rehearsed with."""
    monkeypatch.setenv("PATH", str(scratch.bin_dir))
    where = parse_target(scratch.url("postgres"), {})
    return Options(who="tester", lint=LintPolicy.REJECT, rehearsal_server=where)


def test_a_step_in_batches_is_rehearsed_without_a_row(database: Database, options: Options) -> None:
    result = up(request(database, files(), options=options))
    result.unwrap()
    assert result.report.rehearsal is not None
    assert (result.report.rehearsal.steps, result.report.rehearsal.without_down) == (3, 0)
    assert touched(database) == {1: ROWS}


def test_one_that_is_under_way_is_gone_on_with(database: Database, options: Options) -> None:
    stopped = stop_in_batch(database, 2)
    assert stopped.error is not None
    assert stopped.error.reason is Reason.INTERRUPTED
    result = up(request(database, files(), options=options))
    result.unwrap()
    assert result.report.rehearsal is not None
    assert touched(database) == {1: ROWS}
    assert version_row(database) == [(3, False)]
