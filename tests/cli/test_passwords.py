"""No command shows a part of a password, or looks one up, however its address is written.

The passwords are made of letters that no message of ours has in a row, and of what means
something in a URL or a keyword string. Nothing is resolved in these tests.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dbmigrate.cli.arguments.flags import Flag
from dbmigrate.cli.arguments.options import FLAGS
from dbmigrate.postgres.connection.parameters import DRIVER_SETTINGS, KNOWN
from tests.cli.program import run_here
from tests.database.listening import accepted

HOST = "db.example.test"
LETTERS = "QXZJKVW"
PASSWORDS = st.text(alphabet=f"{LETTERS}{LETTERS}@:/?#%&=[],. '\\+;$^|\"\t\n", min_size=3)

COMMANDS = [
    "version",
    "up",
    "status",
    "plan",
    "verify",
    "wait -timeout 1ms",
    "force 1",
    "drop -f",
    "down 1",
    "goto 1",
    "repair",
    "baseline 1",
    "backup",
    "adopt -from goose -f",
    "rehearse -copy",
    "lint -sizes",
]
WAYS = [
    "-database {text} {command}",
    "DATABASE_URL {command}",
    "-path {path} diff -check -to {text}",
    "goose -dir {path} postgres {text} up",
    "goose -dir {path} postgres up {text}",
    "atlas migrate status --dir file://{path} --url {text}",
    "atlas migrate apply --dir file://{path} --url {text}",
    "{command} {text}",
    "{text}",
    "-path {text} up",
    "-source {text} up",
    "-database{text} version",
    "-lock-timeout {text} version",
    "-database x -history-table {text} version",
]


def plain(password: str) -> str:
    """For the middle of a URL where nothing but a part that is escaped twice can go wrong."""
    return quote(password, safe="")


FORMS = [
    lambda p: f"postgres://app:{p}@{HOST}/shop",
    lambda p: f"postgres://app:{p}@{HOST}:5432/shop?sslmode=disable",
    lambda p: f"postgres://app:{plain(p)}@{HOST}/shop",
    lambda p: f"postgres:/app:{p}@{HOST}/shop",
    lambda p: f"postgres:app:{p}@{HOST}/shop",
    lambda p: f"postgres:///app:{p}@{HOST}/shop",
    lambda p: f"postgress://app:{p}@{HOST}/shop",
    lambda p: f"//app:{p}@{HOST}/shop",
    lambda p: f"app:{p}@{HOST}/shop",
    lambda p: f"{p}@{HOST}/shop",
    lambda p: f"{p}://{HOST}/shop",
    lambda p: f"postgres://{HOST}/app:{p}@shop",
    lambda p: f"postgres://app%3A{plain(p)}%40{HOST}/shop",
    lambda p: f"postgres://{HOST}/shop?user=app&password={p}",
    lambda p: f"postgres://{HOST}/shop?password={p}&sslmode=disable",
    lambda p: f"postgres://{HOST}/shop?password={plain(p)}",
    lambda p: f"postgres://app:{p}@{HOST}:54x/shop",
    lambda p: f"postgres://app:{p}@{HOST}/shop#x",
    lambda p: f"postgres://app:{p}@{HOST}/shop?application_name=a@b",
    lambda p: f"postgres://app:{p} @ {HOST}/shop",
    lambda p: f"host={HOST} user=app password={p} dbname=shop",
    lambda p: f"host={HOST} password='{p}' dbname=shop",
    lambda p: f"password={p} host={HOST}",
    lambda p: f"host={HOST} password = {p}",
    lambda p: f"host=app:{p}@{HOST} dbname=shop",
    lambda p: f"host={HOST} dbname=postgres://app:{p}@{HOST}/shop",
    lambda p: f"dbname='password={p}' host={HOST}",
    lambda p: f"user='app:{p}' host={HOST}",
]
ENVIRONMENTS = [
    lambda p: {"PGHOST": HOST, "PGPASSWORD": p},
    lambda p: {"PGHOST": f"app:{p}@{HOST}", "PGPASSWORD": p},
    lambda p: {"PGHOST": HOST, "PGDATABASE": f"postgres://app:{p}@{HOST}/shop"},
    lambda p: {"PGHOST": HOST, "PGUSER": f"app:{p}"},
    lambda p: {"PGHOST": HOST, "DBMIGRATE_DATABASE": f"postgres://app:{p}@{HOST}/shop"},
]


@pytest.fixture(scope="module")
def lookups() -> Iterator[list[str]]:
    """The names that were to be resolved."""
    names: list[str] = []

    def resolve(host: object, *_: object, **__: object) -> None:
        names.append(str(host))
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        yield names


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("migrations")
    (directory / "1_a.up.sql").write_text("SELECT 1;")
    return directory


def shown_parts(password: str, text: str) -> list[str]:
    """Three characters in a row that are in the password and the text, two of them letters."""
    parts = {password[start : start + 3] for start in range(len(password) - 2)}
    telling = {part for part in parts if sum(letter in LETTERS for letter in part) > 1}
    return [part for part in telling if part in text]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    password=PASSWORDS,
    form=st.sampled_from(FORMS),
    way=st.sampled_from(WAYS),
    command=st.sampled_from(COMMANDS),
    as_json=st.booleans(),
)
def test_no_output_has_a_part_of_a_password_and_no_lookup_does(
    password: str,
    form: object,
    way: str,
    command: str,
    as_json: bool,
    lookups: list[str],
    path: Path,
) -> None:
    assert callable(form)
    # A line feed is between two values of -to, each of which may be a file.
    assume("\n" not in password or "-to" not in way)
    text = form(password)
    lookups.clear()
    report = path.with_name("report.json")
    report.unlink(missing_ok=True)
    environ = {"DATABASE_URL": text} if way.startswith("DATABASE_URL") else {}
    words = []
    for word in way.removeprefix("DATABASE_URL ").split():
        if word == "{command}":
            words += ["-report", str(report), *(["-json"] if as_json else []), "-path", str(path)]
            words += command.split()
        else:
            words.append(word.replace("{text}", text).replace("{path}", str(path)))
    ran = run_here(*words, environ=environ)
    written = report.read_text() if report.exists() else ""
    shown = f"{ran.stdout}\n{ran.stderr}\n{written}"
    assert ran.code != 0 or "no difference" in shown
    assert shown_parts(password, shown) == [], shown
    assert set(lookups) <= {HOST, "shop", "x"}


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(password=PASSWORDS, make=st.sampled_from(ENVIRONMENTS), command=st.sampled_from(COMMANDS))
def test_nor_does_the_environment(
    password: str, make: object, command: str, lookups: list[str], path: Path
) -> None:
    assert callable(make)
    lookups.clear()
    with pytest.MonkeyPatch.context() as patch:
        environ = make(password)
        for name, value in environ.items():
            patch.setenv(name, value)
        ran = run_here("-path", str(path), *command.split(), environ=environ)
    assert ran.code != 0
    assert shown_parts(password, f"{ran.stdout}\n{ran.stderr}") == []
    assert set(lookups) <= {HOST}


@pytest.mark.parametrize("command", ["up", "plan"])
def test_a_scratch_server_is_named_no_more_openly(
    command: str, lookups: list[str], path: Path
) -> None:
    lookups.clear()
    server = f"postgres://u:QXZ@VKJ/x@{HOST}/d"
    ran = run_here("-path", str(path), "-rehearse-on", server, "-database", "x", command)
    assert ran.code == 1
    assert not shown_parts("QXZ@VKJ/x", ran.stderr)
    assert lookups == []


PARAMETERS = sorted(
    {*(name for name in KNOWN if not name.startswith("x-")), "unknown_one"}
    - DRIVER_SETTINGS
    - {"host", "hostaddr", "dbname", "user", "service", "servicefile", "socket"}
)


class PlainServer:
    """Refuses each login with what PostgreSQL says of a parameter; agrees to TLS, and leaves."""

    def __init__(self, words: str) -> None:
        self._words = words.encode()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for client in accepted(self._socket):
            with client:
                size, code = struct.unpack("!II", client.recv(8))
                if code == 80877103:
                    client.sendall(b"S" if size == 8 else b"N")
                elif size > 8:
                    client.recv(size - 8)
                    body = b"SFATAL\0VFATAL\0C22023\0M" + self._words + b"\0\0"
                    client.sendall(b"E" + struct.pack("!I", len(body) + 4) + body)

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("value", ["QXZJKVW", "require,QXZJKVW"])
def test_no_value_of_a_parameter_is_shown(name: str, value: str, tmp_path: Path) -> None:
    text = f'invalid value for parameter "{name}": "{value}"'
    for words in (text, text.replace('"', "\u00bb").replace("invalid", "ung\u00fcltig")):
        server = PlainServer(words)
        try:
            at = f"127.0.0.1:{server.port}"
            urls = [f"postgres://{at}/shop?{name}={value}"]
            if name not in ("sslmode", "port"):
                urls.append(f"postgres://{at}/shop?sslmode=disable&{name}={value}")
            for url in urls:
                ran = run_here("-database", url, "version", environ={"HOME": str(tmp_path)})
                assert ran.code == 1, url
                assert not shown_parts(value, ran.stdout + ran.stderr), ran.stderr
                assert "internal error" not in ran.stderr
        finally:
            server.close()


@pytest.mark.parametrize(
    "name", ["PGUSER", "PGDATABASE", "PGHOST", "PGPORT", "PGSSLMODE", "PGSERVICE"]
)
def test_no_value_of_a_secret_is_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = "QXZJKVW"
    server = PlainServer(f'role "{value}" does not exist')
    environ = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), name: value}
    environ["DBMIGRATE_SECRET_VARIABLES"] = f"OTHER,{name}"
    for key, text in environ.items():
        monkeypatch.setenv(key, text)
    try:
        ran = run_here("version", environ=environ)
    finally:
        server.close()
    assert ran.code == 1
    assert not shown_parts(value, ran.stdout + ran.stderr), ran.stderr


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag.kind])
def test_no_option_shows_its_value_out_of_a_secret(
    flag: Flag, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # -report writes a file of that name
    twin = f"DBMIGRATE_{flag.name.upper().replace('-', '_')}"
    environ = {twin: "QXZJKVW", "DBMIGRATE_SECRET_VARIABLES": twin, "DATABASE_URL": "postgres:///"}
    report = tmp_path / "report.json"
    for more in ([], ["-path", str(path)], ["-report", str(report)]):
        ran = run_here(*more, "up", environ=environ)
        assert ran.code != 0
        written = report.read_text() if report.exists() else ""
        assert not shown_parts("QXZJKVW", f"{ran.stdout}{ran.stderr}{written}"), ran.stderr


@pytest.mark.parametrize(
    "name",
    "PGPASSWORD passwd pass PWD db_password dbpass client_secret auth_token PASSWORD".split(),
)
@pytest.mark.parametrize("form", ["host=127.0.0.1 port={port} {name}={value} dbname=x", "url"])
def test_a_password_by_another_name_is_refused_and_not_sent(name: str, form: str) -> None:
    server = PlainServer("too late")
    url = "postgres://127.0.0.1:{port}/x?sslmode=disable&{name}={value}"
    text = (url if form == "url" else form).format(port=server.port, name=name, value="QXZJKVW")
    try:
        ran = run_here("-database", text, "version")
    finally:
        server.close()
    assert ran.code == 1
    assert "write password" in ran.stderr
    assert "too late" not in ran.stderr
    assert not shown_parts("QXZJKVW", ran.stdout + ran.stderr), ran.stderr


VARIABLES = (
    "PGSSLMODE PGSSLNEGOTIATION PGCONNECT_TIMEOUT PGPORT PGTZ PGDATESTYLE PGAPPNAME PGOPTIONS"
    " PGCHANNELBINDING PGTARGETSESSIONATTRS PGGSSENCMODE PGREQUIREAUTH PGSSLROOTCERT"
    " PGLOADBALANCEHOSTS PGSSLMINPROTOCOLVERSION PGUSER PGDATABASE"
).split()


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_is_shown_as_a_url_s_parameter_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "QXZJKVW" if name == "PGOPTIONS" else "QXZ JKVW"
    server = PlainServer(f'invalid value for parameter "x": "{value}"')
    given = f"-c search_path={value}" if name == "PGOPTIONS" else value
    environ = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "HOME": str(tmp_path)}
    environ |= {"PGSSLMODE": "disable", name: given}
    for key, text in environ.items():
        monkeypatch.setenv(key, text)
    try:
        ran = run_here("version", environ=environ)
    finally:
        server.close()
    assert ran.code == 1
    assert "internal error" not in ran.stderr
    assert not shown_parts("QXZJKVW", ran.stdout + ran.stderr), ran.stderr


SERVICE = ("sslmode", "user", "dbname", "options", "target_session_attrs", "gssencmode")


@pytest.mark.parametrize("name", SERVICE)
@pytest.mark.parametrize("way", ["variable", "url"])
def test_a_service_file_s_value_is_shown_as_a_url_s_parameter_is(
    name: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "QXZ:JKVW"
    given = f"-c search_path={value}" if name == "options" else value
    server = PlainServer(f'role "{value}" does not exist, invalid value: "{value}"')
    file = tmp_path / "services"
    mode = "" if name == "sslmode" else "sslmode=disable\n"
    file.write_text(f"[prod]\nhost=127.0.0.1\nport={server.port}\n{mode}{name}={given}\n")
    environ = {"PGSERVICEFILE": str(file), "HOME": str(tmp_path)}
    environ |= {"PGSERVICE": "prod"} if way == "variable" else {}
    for key, text in environ.items():
        monkeypatch.setenv(key, text)
    words = ("version",) if way == "variable" else ("-database", "service=prod", "version")
    try:
        ran = run_here(*words, environ=environ)
    finally:
        server.close()
    assert ran.code == 1
    assert not shown_parts("QXZJKVW", ran.stdout + ran.stderr), ran.stderr
    assert not shown_parts("JKVW", ran.stdout + ran.stderr), ran.stderr
