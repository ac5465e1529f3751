"""The list of targets: the same in each notation, and an error names its place and the remedy."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import HistoryTable, parse_target
from dbmigrate.runner.fleet.addresses import Addresses, PasswordFiles
from dbmigrate.runner.fleet.list_file import read_list
from dbmigrate.runner.fleet.selection import Selection, select
from dbmigrate.runner.fleet.shards import Shard
from dbmigrate.runner.fleet.target import FleetTarget
from dbmigrate.runner.fleet.waves import Wave

URL = "postgres://app:secret@db:5432/app?sslmode=disable"
PLAIN = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20
).filter(lambda text: text.strip() == text and text)


def addresses(url: str = URL, passwords: PasswordFiles | None = None) -> Addresses:
    return Addresses(parse_target(url, {}), {}, passwords or PasswordFiles("."))


def choose(
    path: Path,
    *,
    url: str = URL,
    wave: str | None = None,
    shard: Shard | None = None,
    passwords: PasswordFiles | None = None,
) -> Selection:
    waves: list[Wave] = []
    identify = addresses(url, passwords).identify
    rows = read_list(str(path), waves)
    return select(rows, waves, identify=identify, shard=shard, wave=wave, source="list")


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text)
    return path


@settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(PLAIN, PLAIN), min_size=1, max_size=5, unique_by=lambda row: row[0]))
def test_each_notation_gives_the_same_targets(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    objects = [{"name": name, "dbname": f"db{n}", "label.x": x} for n, (name, x) in enumerate(rows)]
    table = io.StringIO()
    writer = csv.DictWriter(table, ["name", "dbname", "label.x"])
    writer.writeheader()
    writer.writerows(objects)
    expected = tuple(
        FleetTarget(each["name"], dbname=each["dbname"], labels={"x": each["label.x"]})
        for each in objects
    )
    for name, text in (
        ("a.json", json.dumps(objects)),
        ("b.json", json.dumps({"targets": objects}, ensure_ascii=False, indent=2)),
        ("a.yaml", yaml.safe_dump(objects, allow_unicode=True)),
        ("b.yml", yaml.safe_dump({"targets": objects}, default_style='"')),
        ("a.csv", table.getvalue()),
    ):
        (tmp_path / name).write_text(text, newline="")
        assert choose(tmp_path / name).targets == expected, name


def test_a_name_that_yaml_takes_for_something_else_stays_a_name(tmp_path: Path) -> None:
    names = ["no", "0123", "1_000", "12:30:45", "1.0", "2026-11-30", "yes"]
    path = write(tmp_path, "t.yaml", "".join(f"- name: {n}\n  schema: s{n}\n" for n in names))
    assert [target.name for target in choose(path).targets] == names


@pytest.mark.parametrize(
    ("name", "text", "place", "remedy"),
    [
        ("t.csv", "name,schema\na,x\nb,x\n", "line 3: it is the same database", "remove one"),
        ("t.csv", "name,schema\na,x\na,y\n", "line 3: its name is also that of", "remove one"),
        ("t.csv", "", "t.csv: the list of targets is empty", "name the columns"),
        ("t.csv", "name,Name\na,b\n", "line 2: name is given twice", "remove one"),
        ("t.csv", "nam,schema\na,x\n", "line 1: the head has no column name", "name the columns"),
        ("t.csv", "name,schema\na,x,y\n", "line 2: 3 values for 2 columns", "double quotes"),
        ("t.csv", 'name,schema\na,"x\n', "line 2: this is no CSV", "RFC 4180"),
        ("t.csv", "name,schemas\na,x\n", "column schemas is not known", "the columns are name"),
        ("t.csv", "name,password\na,x\n", "would put a password", "password_file"),
        (
            "t.csv",
            "name,url\na,postgres://h/x\n",
            "url is not a column",
            "write host, port, dbname",
        ),
        ("t.json", '[{"name": "a", "database-url": "x"}]', "is not a column", "password_file"),
        ("t.csv", "name,port\na,70000\n", "port 70000 is no port", "1 to 65535"),
        ("t.csv", "name,host\na,u:p@h\n", "line 2: host is no host's name", "alone"),
        ("t.csv", f"name,schema\na,{'x' * 64}\n", "64 bytes", "as the server has it"),
        ("t.csv", "name,schema,search_path\na,x,public\n", "does not begin with", "search_path"),
        ("t.csv", "name,history_table\na,x.y.z\n", "history table", "schema.table"),
        ("t.json", '[{"name": "a"},\n {"name": true}]', "line 2: the value of name", "quotes"),
        ("t.json", '[{"name": "a"}\n {"name": "b"}]', "line 2: this is no JSON", "brackets"),
        ("t.json", '{"hosts": []}', "hosts is not known", "targets, and waves"),
        ("t.json", "[" * 100_000, "nested too deeply", "what wrote it"),
        ("t.json", "[[1]]", "a target is no object", "name"),
        ("t.json", "[] []", "this is no JSON", "brackets"),
        ("t.yaml", "- name: a\n- name: *b\n", "line 2: ", ""),
        ("t.yaml", "- &a {name: a}\n- *a\n", "anchors and aliases", "write each target out"),
        ("t.yaml", "- name: a\n  name: b\n", "line 2: name is given twice", "remove one"),
        ("t.yaml", "- name: a\n - b", "this is no YAML", "indentation"),
        ("t.yaml", "- name: a\n---\n- name: b\n", "second document", "into one"),
        ("t.yaml", "- name: [a]\n", "line 1: the value of name is no text", "quotes"),
        ("t.txt", "name\na\n", "whether it is YAML, JSON or CSV", ".yaml"),
    ],
)
def test_an_error_says_where_it_is_and_what_to_do(
    tmp_path: Path, name: str, text: str, place: str, remedy: str
) -> None:
    with pytest.raises(MigrationError) as raised:
        choose(write(tmp_path, name, text))
    assert place in raised.value.message
    assert remedy in (raised.value.hint or "")
    assert name in raised.value.message


def test_one_database_under_two_spellings_of_its_address_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", "name,host,port,dbname\na,DB,,x\nb,db,5432,x\n")
    with pytest.raises(MigrationError, match="the same database and schema as target a"):
        choose(path)


def test_two_histories_in_one_schema_are_two_targets_but_not_one_history_of_two(
    tmp_path: Path,
) -> None:
    two = write(tmp_path, "t.csv", "name,schema,history_table\na,x,one\nb,x,two\n")
    assert len(choose(two).targets) == 2
    one = write(tmp_path, "u.csv", "name,schema,history_table\na,x,h.one\nb,y,h.one\n")
    with pytest.raises(MigrationError, match="the same database"):
        choose(one)


def test_a_schema_has_its_own_search_path_and_history(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", 'name,schema,dbname\na,"Odd ""one""",other\n')
    (target,) = choose(path).targets
    found = addresses().database(target)
    assert found.history == HistoryTable('Odd "one"')
    assert found.conninfo["options"] == '-c search_path="Odd\\ ""one"""'
    assert found.conninfo["dbname"] == "other"
    assert found.url_database is None
    assert "options" not in addresses().database(target, with_search_path=False).conninfo


def test_a_password_file_is_read_when_it_is_needed_and_lies_in_its_directory(
    tmp_path: Path,
) -> None:
    """Whatever names it: whoever writes the list may write the host that gets the password."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "deep").mkdir(parents=True)
    write(inside, "a", "geheim\n")
    write(inside / "deep", "b", "geheim")
    write(tmp_path, "out", "token")
    (inside / "link").symlink_to(outside)
    (inside / "own").symlink_to("deep/b")
    (inside / "up").symlink_to("..")
    os.mkfifo(inside / "pipe")
    found = addresses(passwords=PasswordFiles(str(inside)))
    for name in ("a", "./a", "deep/b", "own"):
        row = FleetTarget("a", password_file=name)
        found.identify(row, "row 1")
        assert found.database(row).conninfo["password"] == "geheim"
    outer = (
        "../out",
        "deep/../../out",
        "..",
        str(outside),
        str(inside / "a"),
        "/proc/self/environ",
    )
    for name in outer:
        with pytest.raises(MigrationError, match="row 1: password_file leads out") as refused:
            found.identify(FleetTarget("a", password_file=name), "row 1")
        assert name not in refused.value.message
    for name in ("../out", str(outside), "link", "up/out", "pipe", "deep", "missing"):
        with pytest.raises(MigrationError, match="password file can't be used") as raised:
            found.database(FleetTarget("a", password_file=name))
        assert "token" not in raised.value.message
    none = addresses(passwords=PasswordFiles(None))
    row = FleetTarget("a", password_file="a")
    with pytest.raises(MigrationError, match="may not name a password file"):
        none.identify(row, "row 1")
    with pytest.raises(MigrationError, match="password file can't be used"):
        none.database(row)


SAME = "postgres://app:secret@db:5432/app?sslmode=disable"


@pytest.mark.parametrize(
    ("url", "row", "is_protected"),
    [
        (SAME, {"host": "elsewhere"}, True),
        (SAME, {"port": "5433"}, True),
        (SAME, {"host": "db", "port": "5433"}, True),
        (SAME, {"host": "db,elsewhere"}, True),
        (SAME, {"host": "/tmp"}, True),
        # The URL's own server, however it is named.
        (SAME, {"host": "db", "port": "5432"}, False),
        (SAME, {"dbname": "b", "user": "b", "schema": "b"}, False),
        # An address that the URL gives for its host is a part of the server.
        (f"{SAME}&hostaddr=10.0.0.1", {"host": "db"}, True),
        # What is not written may be another one, of a service file for example.
        ("postgres://app@db/app?service=x", {"port": "5432"}, True),
        # Only a certificate with the server's own name tells whose it is.
        (SAME.replace("disable", "require"), {"host": "elsewhere"}, True),
        (SAME.replace("disable", "verify-ca"), {"host": "elsewhere"}, True),
        (SAME.replace("disable", "verify-ca"), {"port": "5433"}, True),
        (SAME.replace("disable", "verify-full"), {"host": "elsewhere", "port": "1"}, False),
        (SAME.replace("disable", "verify-full"), {"host": "elsewhere,/tmp"}, True),
        (SAME.replace("disable", "verify-full"), {"host": "@abstract"}, True),
        (f"{SAME}&require_auth=", {"port": "5433"}, True),
    ],
)
def test_another_server_that_a_query_names_is_told_no_password_in_clear_text(
    url: str, row: dict[str, Any], is_protected: bool
) -> None:
    target, where = FleetTarget("a", **row), parse_target(url, {})
    found = Addresses(where, {}, PasswordFiles(None), trusts_servers=False)
    required = found.database(target).conninfo.get("require_auth")
    assert required == ("!password" if is_protected else None)
    of_a_file = Addresses(where, {}, PasswordFiles("."), trusts_servers=True)
    assert of_a_file.database(target).conninfo.get("require_auth") != "!password"


def test_what_the_url_or_the_environment_requires_of_a_server_stays() -> None:
    row = FleetTarget("a", port="5433")
    for url, environ, expected in (
        (f"{SAME}&require_auth=scram-sha-256", {}, "scram-sha-256"),
        (SAME, {"PGREQUIREAUTH": "scram-sha-256"}, None),
    ):
        found = Addresses(parse_target(url, {}), environ, PasswordFiles(None), trusts_servers=False)
        assert found.database(row).conninfo.get("require_auth") == expected


def test_waves_and_shards_cut_the_list(tmp_path: Path) -> None:
    text = json.dumps(
        {
            "targets": [{"name": f"t{n}", "schema": f"t{n}"} for n in range(400)],
            "waves": [{"name": "canary", "share": "10%"}, {"name": "rest"}],
        }
    )
    path = write(tmp_path, "t.json", text)
    canary, rest = (choose(path, wave=name).targets for name in ("canary", "rest"))
    assert len(canary) + len(rest) == 400
    assert 15 < len(canary) < 70
    shards = [choose(path, wave="rest", shard=Shard(n, 3)).targets for n in range(3)]
    assert sorted(t.name for part in shards for t in part) == sorted(t.name for t in rest)
    with pytest.raises(MigrationError, match="no wave gold"):
        choose(path, wave="gold")


def test_without_waves_in_the_list_a_label_says_which_one(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", "name,schema,label.wave\na,a,canary\nb,b,rest\n")
    assert [target.name for target in choose(path, wave="canary").targets] == ["a"]
    with pytest.raises(MigrationError, match="no wave gold"):
        choose(path, wave="gold")
