"""A server that always sends something: limits and requests to stop hold all the same.

Nobody falls silent here, so that nothing may hang on a silence: neither in a statement that tells
its progress, nor before a server that never comes to the point.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import ConnectionBroken
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner import database as opened
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.stop import Stop
from tests.cli.program import PROGRAM, environment, run, start, write_scripts
from tests.database import Database
from tests.database.drip import Drip, DrippingServer
from tests.runner.arrange import Witness, migration, request, source, table, version_row

pytestmark = [pytest.mark.database, pytest.mark.timeout(90)]

TALKS = (
    "DO $$ BEGIN LOOP RAISE WARNING 'progress %', clock_timestamp();"
    " PERFORM pg_sleep(0.02); END LOOP; END $$;"
)
PACES = {"a little at a time": 0.05, "as fast as it goes": 0.0}


class Listener(Witness):
    """Does something at the n-th notice of the server."""

    def __init__(self, at: int, do: Callable[[], object]) -> None:
        super().__init__()
        self._at = at
        self._do = do

    def notice(self, notice: Notice) -> None:
        super().notice(notice)
        if len(self.notices) == self._at:
            self._do()


@pytest.mark.parametrize("script", [TALKS, f"{TALKS} VACUUM"], ids=["transaction", "none"])
def test_an_urgent_stop_cancels_a_statement_that_talks(database: Database, script: str) -> None:
    stop = Stop()

    def ask_twice() -> None:
        stop.request()
        stop.request()

    files = source(table(1), migration(2, script))
    result = up(request(database, files, stop=stop, observer=Listener(5, ask_twice)))
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED
    assert result.error.is_retryable
    assert version_row(database)[0][0] in {1, 2}


def test_progress_is_told_while_a_statement_talks(
    database: Database,
) -> None:
    talk = TALKS.replace("LOOP RAISE", "FOR i IN 1..100 LOOP RAISE", 1)
    witness = Witness()
    assert up(request(database, source(migration(1, talk)), observer=witness)).error is None
    assert witness.progresses


@pytest.mark.parametrize("options", [[], ["-grace-period", "1s"]], ids=["two signals", "grace"])
def test_signals_end_a_statement_that_talks(
    database: Database, tmp_path: Path, options: list[str]
) -> None:
    report = tmp_path / "report"
    path = write_scripts(tmp_path / "m", {"1_talk.up.sql": TALKS})
    line = ["-path", str(path), "-database", database.url, *options, "-report", str(report), "up"]
    with start(line) as process:
        assert process.stderr is not None
        try:
            assert "progress" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            for said in process.stderr:
                if said.startswith("Stopping after") and not options:
                    process.send_signal(signal.SIGTERM)
        except BaseException:
            process.kill()
            raise
    assert process.returncode == 1
    error = json.loads(report.read_text())["error"]
    assert (error["reason"], error["retryable"]) == ("Interrupted", True)
    assert run("-database", database.url, "version").stderr == "error: no migration\n"


COMMANDS: dict[str, Callable[[Request], Result[Any]]] = {
    "version": version,
    "status": status,
    "up": up,
}
CASES = [
    *((drip, pace, "version") for drip in Drip for pace in PACES),
    *((Drip.NOTICES, "a little at a time", command) for command in ("status", "up")),
]


@pytest.mark.parametrize(("drip", "pace", "command"), CASES)
def test_the_limit_of_an_answer_holds_whatever_arrives(
    monkeypatch: pytest.MonkeyPatch, drip: Drip, pace: str, command: str
) -> None:
    monkeypatch.setattr(opened, "ANSWER_SECONDS", 0.1)
    with closing(DrippingServer(drip, every=PACES[pace])) as server:
        options = Options(lock_timeout=0.2)
        result = COMMANDS[command](request(server.url, source(table(1)), options=options))
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_LOST
    assert "has not answered" in result.error.message


@pytest.mark.parametrize("drip", Drip)
def test_a_stop_ends_a_run_that_is_not_open_yet(drip: Drip) -> None:
    stop = Stop()
    with closing(DrippingServer(drip)) as server:
        server.on_drip = stop.request
        options = Options(lock_timeout=10_000)
        result = up(request(server.url, source(table(1)), options=options, stop=stop))
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED


@pytest.mark.parametrize("drip", [Drip.NOTICES, Drip.PARAMETERS, Drip.ONE_MESSAGE])
def test_wait_keeps_its_timeout_whatever_arrives(drip: Drip) -> None:
    with closing(DrippingServer(drip)) as server:
        result = wait(request(server.url, source(table(1))), timeout=0.5)
    assert result.error is not None
    assert result.report.outcome is Outcome.WAITING
    assert "has not answered" in result.error.message


@pytest.mark.parametrize("command", ["version", "wait"])
def test_the_command_line_ends_with_its_exit_code(command: str) -> None:
    line = ["version"] if command == "version" else ["wait", "-version", "1", "-timeout", "1s"]
    with closing(DrippingServer(Drip.NOTICES)) as server:
        done = run("-database", server.url, "-lock-timeout", "0", *line)
    assert done.code == 1
    assert "has not answered" in done.stderr


@pytest.mark.parametrize("drip", Drip)
def test_what_is_sent_is_waited_for_by_the_clock_too(drip: Drip) -> None:
    """The server reads nothing, so that the query never leaves."""

    def give_up(_: float) -> None:
        raise ConnectionBroken("told")

    for pace in PACES.values():
        with closing(DrippingServer(drip, every=pace)) as server:
            session = connect(parse_target(server.url, {}))
            with pytest.raises(ConnectionBroken, match="told"):
                session.execute(b"-" * (64 << 20), rows=[b"x\n" * (8 << 20)], on_tick=give_up)


@pytest.mark.parametrize("drip", [Drip.NOTICES, Drip.PARAMETERS, Drip.ONE_MESSAGE])
def test_a_login_ends_by_connect_timeout_whatever_arrives(drip: Drip) -> None:
    with closing(DrippingServer(drip, in_login=True)) as server:
        url = f"{server.url}&connect_timeout=2"
        with pytest.raises(MigrationError, match="timeout expired") as caught:
            connect(parse_target(url, {}))
    assert caught.value.reason is Reason.CONNECTION_REFUSED


@pytest.mark.parametrize("drip", [Drip.NOTICES, Drip.PARAMETERS, Drip.NOTIFICATIONS])
def test_a_login_ends_when_a_server_sends_too_much(drip: Drip) -> None:
    with closing(DrippingServer(drip, in_login=True, every=0)) as server:
        with pytest.raises(MigrationError, match="the login is not over after") as caught:
            connect(parse_target(f"{server.url}&connect_timeout=3600", {}))
    assert caught.value.reason is Reason.CONNECTION_REFUSED


@pytest.mark.parametrize("ending", ["", "; VACUUM"], ids=["transaction", "none"])
def test_rows_that_a_file_selects_are_not_held(
    database: Database, tmp_path: Path, ending: str
) -> None:
    """They are 600 MB, and the process may have far less."""
    many = f"SELECT repeat('x', 2000) FROM generate_series(1, 300000){ending}"
    path = write_scripts(tmp_path / "m", {"1_many.up.sql": many})
    line = [str(PROGRAM), "-path", str(path), "-database", database.url, "up"]
    limited = ["sh", "-c", 'ulimit -v 500000 && exec "$@"', "sh", *line]
    done = subprocess.run(
        limited, env=environment(), capture_output=True, text=True, check=False, timeout=80
    )
    assert done.returncode == 0, done.stderr
    assert version_row(database) == [(1, False)]
