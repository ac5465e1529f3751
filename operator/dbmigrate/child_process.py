"""Starts other programs. No other module does, so that each child gets only what it needs.

The environment of a child is made here from an allow-list for its kind. DATABASE_URL, the
PG* variables and DBMIGRATE_* hold passwords; only PostgreSQL's own client programs get the
PG* variables. A child that runs other authors' code (a scratch server runs migrations, and
`COPY ... FROM PROGRAM` is a part of SQL) also cannot read the environment of this process
through /proc.

A child ends with the run: a stop and a time limit send SIGTERM to it and to all processes of
its session, and SIGKILL after GRACE_SECONDS. Where this process is killed, Linux ends it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from dbmigrate.early_exit import end_at_once
from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason

LOOK_SECONDS = 0.1
"""How soon a stop is noticed while a program runs."""
GRACE_SECONDS = 5.0
"""From SIGTERM to SIGKILL."""
DEFAULT_LIMIT = 600.0
"""Seconds that a program may take. Copies of data (backup, restore) have no limit."""
PASSED_ON = "DBMIGRATE_PROGRAM_ENV"
"""Names of further variables for programs that the user names, separated by commas."""
LIMIT = "DBMIGRATE_PROGRAM_TIMEOUT"
"""Seconds in the place of DEFAULT_LIMIT; 0: no limit."""

_PLACES = ("PATH", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
_PERSON = (*_PLACES, "HOME", "USER", "LOGNAME")
_LANGUAGE = ("LANG", "LANGUAGE", "LC_*")
_TOOLCHAINS = """
PYTHONPATH PYTHONHOME PYTHONWARNINGS PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE PYTHONUTF8
VIRTUAL_ENV CONDA_PREFIX DJANGO_SETTINGS_MODULE DJANGO_CONFIGURATION FLASK_APP
GOPATH GOROOT GOCACHE GOMODCACHE GOFLAGS GOTOOLCHAIN GOOS GOARCH CGO_ENABLED
NODE_PATH NODE_ENV NODE_OPTIONS NVM_DIR JAVA_HOME JAVA_TOOL_OPTIONS GRADLE_USER_HOME
RUBYLIB RUBYOPT GEM_HOME GEM_PATH BUNDLE_GEMFILE BUNDLE_PATH RAILS_ENV RACK_ENV
DOTNET_ROOT CARGO_HOME RUSTUP_HOME XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME
""".split()
_ENGLISH = {"LC_ALL": "C"}
"""What a program says is read by us, whatever the user's language is."""


DEVNULL = subprocess.DEVNULL
PIPE = subprocess.PIPE
Process = subprocess.Popen


class Child(Enum):
    """The kind of a child, which decides what it may know."""

    SERVER = "server"
    """initdb and postgres: they run the SQL of migrations."""
    CLIENT = "client"
    """pg_dump and pg_restore: with the connection, as libpq reads it."""
    PROGRAM = "program"
    """A program that the user names, which prints SQL or a value."""
    LINTER = "linter"
    """squawk."""
    GIT = "git"
    """git, with its own settings."""
    KUBECTL = "kubectl"
    """The user's own kubectl: its login plugins read variables of any name."""


_ALLOWED: Mapping[Child, tuple[str, ...]] = {
    Child.SERVER: _PLACES,
    Child.CLIENT: (*_PERSON, "PG*", "KRB5*", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF"),
    Child.PROGRAM: (*_PERSON, *_LANGUAGE, *_TOOLCHAINS),
    Child.LINTER: _PLACES,
    Child.GIT: (*_PERSON, "GIT_*", "XDG_CONFIG_HOME"),
    Child.KUBECTL: ("*",),
}
"""Names of variables; a name that ends with * stands for all that begin so."""
_NOT_FOR_KUBECTL = re.compile(r"DATABASE_URL|PG.*|DBMIGRATE_.*|GOOSE_.*|FLYWAY_.*")
"""kubectl has no use for a database."""
_TERM = signal.SIGTERM
_AT_ONCE = (signal.SIG_DFL, signal.default_int_handler, end_at_once)
"""Handlers of signals that know nothing of a child."""
_RUN_FOREIGN_CODE = frozenset((Child.SERVER, Child.PROGRAM))
_SPEAK_THE_USERS_LANGUAGE = frozenset((Child.PROGRAM, Child.KUBECTL))


class Ended(NamedTuple):
    """How a program ended, and its output."""

    code: int
    """Its exit code; the negative number of the signal that ended it."""
    output: bytes
    """Empty where the standard output went elsewhere."""
    complaint: bytes
    """The standard error."""


class Until(NamedTuple):
    """The request or limit that ended a program."""

    should_stop: Callable[[], bool] = lambda: False
    seconds: float | None = DEFAULT_LIMIT
    """None: no limit. DBMIGRATE_PROGRAM_TIMEOUT replaces the default one."""


IN_TIME = Until()


class Stopped(MigrationError):
    """The run was asked to stop: the program was ended before it was done (Interrupted)."""


class TimedOut(MigrationError):
    """The program was ended at its time limit (Interrupted)."""


def environment(child: Child, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The part of `environ` that a child of that kind gets; None: of this process's environment."""
    environ = os.environ if environ is None else environ
    allowed = _ALLOWED[child]
    if child is Child.PROGRAM:
        allowed += tuple(name.strip() for name in environ.get(PASSED_ON, "").split(","))
    kept = {
        name: value
        for name, value in environ.items()
        if any(map(partial(_matches, name), allowed))
        and not (child is Child.KUBECTL and _NOT_FOR_KUBECTL.fullmatch(name))
    }
    return kept if child in _SPEAK_THE_USERS_LANGUAGE else kept | _ENGLISH


def _matches(name: str, allowed: str) -> bool:
    return name.startswith(allowed[:-1]) if allowed.endswith("*") else name == allowed


def run(  # noqa: PLR0913
    child: Child,
    words: Sequence[str],
    until: Until = IN_TIME,
    *,
    variables: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
    cwd: str | Path | None = None,
    user: int | None = None,
    descriptors: Sequence[int] = (),
) -> Ended:
    """Run a program to its end, without a shell and with no input but `stdin`.

    `variables` are added to its environment; it inherits `descriptors`. `user` is the user and
    the group that it runs as, with no other group. Raises Stopped, TimedOut, and OSError if it
    can't be started.
    """
    name = os.path.basename(words[0])
    seconds = _read_limit() if until.seconds == DEFAULT_LIMIT else until.seconds
    with _stop_on_signal(until.should_stop) as is_stopped:
        process = _start(
            child,
            words,
            variables=variables,
            stdin=DEVNULL if stdin is None else stdin,
            stdout=PIPE if stdout is None else stdout,
            stderr=PIPE,
            cwd=cwd,
            user=user,
            pass_fds=descriptors,
        )
        with process:
            try:
                output, complaint = _listen(process, name, is_stopped, seconds)
            except BaseException:
                end(process)
                raise
    return Ended(process.returncode, output or b"", complaint or b"")


def start(
    child: Child,
    words: Sequence[str],
    *,
    stdout: IO[bytes] | int,
    cwd: str | Path | None = None,
    user: int | None = None,
) -> Process[bytes]:
    """Start a program that runs for a while; both its outputs go to `stdout`.

    The caller ends it. Raises OSError.
    """
    return _start(
        child,
        words,
        stdin=DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        user=user,
    )


def start_kubectl(words: Sequence[str], *, stdin: int | None, stdout: int) -> Process[str]:
    """Start kubectl with text in its pipes; without an input it shares this process's.

    It stays in this session, because a login may ask at the terminal. Raises OSError.
    """
    return Process(
        words,
        stdin=stdin,
        stdout=stdout,
        stderr=PIPE,
        encoding="utf-8",
        errors="replace",
        env=environment(Child.KUBECTL),
    )


def _start(
    child: Child,
    words: Sequence[str],
    *,
    variables: Mapping[str, str] | None = None,
    user: int | None = None,
    **streams: Any,
) -> Process[bytes]:
    if child in _RUN_FOREIGN_CODE:
        _hide_this_process()
    person: dict[str, Any] = {}
    if threading.active_count() == 1:
        person["preexec_fn"] = _end_with_us(signal.SIGQUIT if child is Child.SERVER else _TERM)
    if user is not None:
        person |= {"user": user, "group": user, "extra_groups": ()}
    return Process(
        list(words),
        env=environment(child) | dict(variables or {}),
        # Ctrl-C is for this process, which then ends the child and its session.
        start_new_session=True,
        **person,
        **streams,
    )


def end(process: Process[Any]) -> None:
    """End a process and all of its session: SIGTERM first, SIGKILL after GRACE_SECONDS."""
    for number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def _listen(
    process: Process[bytes],
    name: str,
    is_stopped: Callable[[], bool],
    seconds: float | None,
) -> tuple[bytes | None, bytes | None]:
    """The text of both outputs, once it has ended. A Pod has no place for a file."""
    looks = 0
    while True:
        try:
            return process.communicate(timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            looks += 1
        if is_stopped():
            raise Stopped(Reason.INTERRUPTED, f"stopped while {name} ran")
        if seconds is not None and looks * LOOK_SECONDS >= seconds:
            raise TimedOut(
                Reason.INTERRUPTED,
                f"{name} was ended: it did not finish within {seconds:g} s",
                hint=f"if it needs longer, set {LIMIT} to more seconds",
            )


@contextmanager
def _stop_on_signal(should_stop: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """Also stop on SIGTERM and SIGINT where no handler of the program is installed.

    They would end this process without the child, even before its id is known.
    """
    is_main = threading.current_thread() is threading.main_thread()
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    ours = [number for number, handler in former.items() if handler in _AT_ONCE]
    if not is_main or not ours:
        yield should_stop
        return
    came: list[int] = []
    for number in ours:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield lambda: bool(came) or should_stop()
    finally:
        for number in ours:
            signal.signal(number, former[number])


def _read_limit() -> float | None:
    text = os.environ.get(LIMIT, "")
    try:
        seconds = float(text or DEFAULT_LIMIT)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise MigrationError(Reason.INTERNAL, f"{LIMIT} is no number of seconds")
    return seconds or None


def _end_with_us(number: int) -> Callable[[], None] | None:
    """What a child does before it becomes the program: ask for that signal when we are gone
    (Linux: PR_SET_PDEATHSIG). After a SIGKILL no process of ours can end it.

    The kernel means the thread that has started it, and Python code between fork and exec is
    safe in a process of one thread: where there are more, nothing is asked.
    """
    if sys.platform != "linux":
        return None
    import ctypes

    prctl, us = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(1, number, 0, 0, 0)
        if os.getppid() != us:
            os.kill(os.getpid(), number)

    return ask


def _hide_this_process() -> None:
    """Let no process of the same user read this environment and memory (Linux: PR_SET_DUMPABLE)."""
    import ctypes

    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
