"""The program stopped or killed at messages all over a run, one run for each.

The signal comes while the message is on its way. SIGTERM and SIGINT let the step
end; two of them cancel it; SIGKILL asks nobody.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.database import Server
from tests.database.proxy import Message, Proxy
from tests.runner.truth import FILES, check_next_run, check_truth

pytestmark = pytest.mark.database

STRIDE = 7
"""Every so many messages; a process for each takes its time."""


class Signaller:
    """A hook that sends signals to a process once, before one message goes on."""

    def __init__(self, number: int, signals: tuple[signal.Signals, ...]) -> None:
        self._number = number
        self._signals = signals
        self.process: subprocess.Popen[str] | None = None
        self.what: str | None = None

    def __call__(self, message: Message) -> None:
        if message.number == self._number and self.process is not None:
            self.what = f"{message.side} {message.kind}"
            for each in self._signals:
                os.kill(self.process.pid, each)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "signals",
    [
        (signal.SIGTERM,),
        (signal.SIGINT,),
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGKILL,),
    ],
    ids=["SIGTERM", "SIGINT", "SIGTERM twice", "SIGKILL"],
)
def test_whenever_a_signal_comes_the_truth_is_kept(
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    signals: tuple[signal.Signals, ...],
) -> None:
    for each in FILES.migrations:
        for script in (each.up, each.down):
            if script is not None:
                (tmp_path / script.file).write_bytes(script.load())
    tried, number = 0, 1
    while True:
        signaller = Signaller(number, signals)
        database = server.create_database()
        with Proxy(server.host, server.port, hook=signaller) as proxy:
            command = [str(Path(sys.executable).with_name("dbmigrate")), "-path", str(tmp_path)]
            signaller.process = subprocess.Popen(
                [*command, "-database", proxy.divert(database.url), "up"],
                stderr=subprocess.PIPE,
                text=True,
            )
            _, told = signaller.process.communicate(timeout=60)
            code = signaller.process.returncode
        what = f"{signals} before message {number}, {signaller.what}: {code}, {told}"
        if signaller.what is None:
            assert code == 0, what
            database.drop()
            break
        expected = {0, 1, -signals[0]} if signals[0] is not signal.SIGKILL else {-signal.SIGKILL, 0}
        assert code in expected, what
        state = check_truth(database, what)
        if signals in {(signal.SIGTERM,), (signal.SIGINT,)}:
            assert not state.dirty, what
        check_next_run(database, state, what)
        database.drop()
        tried += 1
        number += STRIDE
    with capsys.disabled():
        print(f"\n{tried} moments of {'+'.join(each.name for each in signals)} tried")
    assert tried > 10
