"""What a program that we start gets of our environment, and how it ends with us."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dbmigrate
from dbmigrate import child_process
from dbmigrate.child_process import Child, Stopped, TimedOut, Until, environment, run
from dbmigrate.errors import MigrationError

PACKAGE = Path(dbmigrate.__file__).parent
STARTERS = {"subprocess", "pty", "multiprocessing", "_posixsubprocess"}
"""Modules that start programs."""
CALLS = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"}
PREFIXES = ("exec", "spawn", "create_subprocess_")
SECRETS = {
    "DATABASE_URL": "postgres://u:canary@h/d",
    "PGPASSWORD": "canary",
    "PGPASSFILE": "/canary",
    "DBMIGRATE_DATABASE": "canary",
    "DBMIGRATE_REHEARSE_ON": "canary",
    "GOOSE_DBSTRING": "canary",
    "FLYWAY_PASSWORD": "canary",
    "AWS_SECRET_ACCESS_KEY": "canary",
    "GITHUB_TOKEN": "canary",
    "KUBECONFIG": "canary",
    "SECRET_KEY": "canary",
}
MAY_KNOW = {
    Child.CLIENT: {"PGPASSWORD", "PGPASSFILE"},
    Child.KUBECTL: {"AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "KUBECONFIG", "SECRET_KEY"},
}


def starts(tree: ast.AST) -> Iterator[str]:
    """What a module has that could start a program."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{each.name}" for each in node.names)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            of = owner.id if isinstance(owner, ast.Name) else ""
            if of in ("os", "asyncio") and (
                node.func.attr in CALLS or node.func.attr.startswith(PREFIXES)
            ):
                yield f"{of}.{node.func.attr}"
        for name in names:
            first, _, rest = name.partition(".")
            is_of_os = first == "os" and (rest in CALLS or rest.startswith(PREFIXES))
            if first in STARTERS or is_of_os:
                yield f"import {name}"


def test_one_module_starts_programs() -> None:
    found = {
        str(path.relative_to(PACKAGE)): places
        for path in PACKAGE.rglob("*.py")
        if (places := list(starts(ast.parse(path.read_text()))))
    }
    assert set(found) == {"child_process.py"}, found


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess",
        "import subprocess as s",
        "from subprocess import run",
        "import multiprocessing.pool",
        "from os import system",
        "os.execve('a', [], {})",
        "os.posix_spawn('a', [], {})",
        "asyncio.create_subprocess_exec('a')",
    ],
)
def test_the_search_sees_each_way_to_start_a_program(code: str) -> None:
    assert list(starts(ast.parse(code)))


def test_every_call_in_that_module_makes_the_environment_of_its_child() -> None:
    tree = ast.parse(Path(child_process.__file__).read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name | ast.Attribute)
        and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr)
        in ("Process", "Popen", "run", "call", "check_call", "check_output")
    ]
    assert calls
    for call in calls:
        env = next(keyword.value for keyword in call.keywords if keyword.arg == "env")
        assert ast.unparse(env).startswith("environment(")


@pytest.mark.parametrize("child", Child)
def test_a_child_knows_no_secret_but_its_own(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    told = run(child, ["env"]).output.decode().splitlines()
    known = {line.partition("=")[0] for line in told}
    assert known & set(SECRETS) == MAY_KNOW.get(child, set())
    assert "PATH" in known


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True), st.just("x")))
def test_a_server_is_given_a_few_names_and_no_other(environ: dict[str, str]) -> None:
    known = environment(Child.SERVER, environ)
    assert set(known) <= {"PATH", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "LC_ALL"}


def test_a_program_of_the_users_gets_what_the_user_names() -> None:
    environ = {"SECRET_KEY": "a", "OTHER": "b", "PYTHONPATH": "c"}
    assert set(environment(Child.PROGRAM, environ)) == {"PYTHONPATH"}
    named = environ | {"DBMIGRATE_PROGRAM_ENV": "SECRET_KEY, OTH*"}
    assert set(environment(Child.PROGRAM, named)) == {"SECRET_KEY", "OTHER", "PYTHONPATH"}
    assert "SECRET_KEY" not in environment(Child.SERVER, named)


READ = """
import sys
from dbmigrate.child_process import Child, run
ended = run(Child[sys.argv[1]], ["sh", "-c", "cat /proc/$PPID/environ /proc/$PPID/mem"])
sys.stdout.buffer.write(ended.output)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="root's programs read everything: needs a user")
@pytest.mark.parametrize(("child", "is_seen"), [("SERVER", 0), ("PROGRAM", 0), ("LINTER", 1)])
def test_what_runs_code_of_others_cannot_read_our_environment(child: str, is_seen: int) -> None:
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip("there is no Python that every user may run")
    with tempfile.TemporaryDirectory() as directory:
        package = Path(directory) / "dbmigrate"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
        for place in (package.parent, *(each for each in package.rglob("*") if each.is_dir())):
            place.chmod(0o755)
        package.chmod(0o755)
        done = subprocess.run(
            [python, "-c", READ, child],
            env={"PATH": os.environ["PATH"], "PGPASSWORD": "canary"},
            capture_output=True,
            check=True,
            user=65534,
            group=65534,
            extra_groups=(),
            cwd=directory,
        )
    assert done.stdout.count(b"PGPASSWORD=canary") == is_seen


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_has_no_group_of_ours() -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        told = run(Child.SERVER, ["id"], cwd=directory, user=65534).output.decode()
    assert told.split()[:2] == ["uid=65534(nobody)", "gid=65534(nogroup)"]
    assert "root" not in told


FAMILY = "trap '' TERM; sleep 300 & echo $! > {file}; wait; sleep 300"
"""A program that is deaf to SIGTERM and has a child."""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_stop_ends_a_program_with_all_that_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "GRACE_SECONDS", 0.1)
    file = tmp_path / "pid"

    def should_stop() -> bool:
        return file.exists() and file.read_text().endswith("\n")

    with pytest.raises(Stopped, match="stopped while sh ran"):
        run(Child.PROGRAM, ["sh", "-c", FAMILY.format(file=file)], Until(should_stop))
    while is_alive(int(file.read_text())):
        """It has its SIGKILL, and is no child of ours to wait for."""


def test_a_program_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TimedOut, match=r"sleep was ended: it did not finish within 0.1 s"):
        run(Child.GIT, ["sleep", "300"], Until(seconds=0.1))
    monkeypatch.setenv("DBMIGRATE_PROGRAM_TIMEOUT", "0.1")
    with pytest.raises(TimedOut):
        run(Child.LINTER, ["sleep", "300"])
    monkeypatch.setenv("DBMIGRATE_PROGRAM_TIMEOUT", "soon")
    with pytest.raises(MigrationError, match="DBMIGRATE_PROGRAM_TIMEOUT is no number"):
        run(Child.LINTER, ["true"])


TERMINATED = """
import signal
import sys
from dbmigrate.child_process import Child, run
# A shell ignores SIGINT for what it starts in the background, and that is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
run(Child.PROGRAM, ["sh", "-c", "echo $$ > " + sys.argv[1] + "; exec sleep 300"])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_for_us_ends_the_program(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "pid"
    with subprocess.Popen(
        [sys.executable, "-c", TERMINATED, file], stderr=subprocess.PIPE, text=True
    ) as ours:
        while not (file.exists() and file.read_text().endswith("\n")):
            assert ours.poll() is None
        ours.send_signal(number)
        assert ours.stderr is not None
        said = ours.stderr.read()
    assert ours.returncode != 0
    assert "stopped while sh ran" in said
    assert not is_alive(int(file.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's kernel")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_child_ends_with_us_where_we_are_killed(threads: int) -> None:
    """Not where another thread runs: the kernel would mean the thread that has started it."""
    program = (
        "import sys, threading\nfrom dbmigrate.child_process import Child, Until, run\n"
        f"if {threads} > 1: threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "run(Child.PROGRAM, ['sh', '-c', 'echo begun >&2; exec cat'], Until(seconds=None),"
        " stdin=open(sys.argv[1], 'rb'), stdout=open(sys.argv[2], 'wb'))\n"
    )
    with tempfile.TemporaryDirectory() as directory:
        inlet, outlet = f"{directory}/in", f"{directory}/out"
        os.mkfifo(inlet)
        os.mkfifo(outlet)
        us = subprocess.Popen([sys.executable, "-c", program, inlet, outlet])
        with open(inlet, "wb") as writer, open(outlet, "rb") as reader:
            writer.write(b"x")
            writer.flush()
            assert reader.read(1) == b"x"  # the child works
            us.kill()
            us.wait()
            if threads == 1:
                assert reader.read() == b""  # its end of the pipe was closed while ours is open
            else:
                writer.write(b"y")
                writer.flush()
                assert reader.read(1) == b"y"
