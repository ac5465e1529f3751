"""`fleet` on a real PostgreSQL: every good target current, every bad one named, nothing twice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from dbmigrate.report import TERMINATION_MESSAGE_LIMIT
from tests.cli.program import run_here, write_scripts
from tests.database.server import Database, Server
from tests.fleet.arrange import FIRST, SECOND, applied, documents, fleet, make_schemas, write_list
from tests.ports import free_port

pytestmark = pytest.mark.database

SCHEMAS = 500
DATABASES = 20
BAD = 5
"""Schemas of each kind that is broken."""


def test_500_schemas_and_20_databases_with_failures_of_five_kinds(
    server: Server, database: Database, tmp_path: Path
) -> None:
    names = [f"tenant_{n}" for n in range(SCHEMAS)]
    make_schemas(database, names)
    others = [server.create_database() for _ in range(DATABASES)]
    role = database.create_role(password="right")
    (tmp_path / "wrong").write_text("ganzfalsch")
    rows = [{"name": name, "schema": name} for name in names]
    rows += [{"name": other.name, "dbname": other.name} for other in others]
    broken = [
        {"name": "down", "port": str(free_port()), "dbname": "gone"},
        {"name": "locked out", "user": role, "dbname": others[0].name, "schema": "x",
         "password_file": "wrong"},
    ]  # fmt: skip
    files = write_scripts(tmp_path / "files", FIRST)
    targets = write_list(tmp_path / "targets.json", rows)
    args = ("-targets", str(targets), "-results", "results")

    assert fleet(database, files, "up", *args).code == 0
    dirty, drifted, refused = (names[at : at + BAD] for at in (0, BAD, 2 * BAD))
    for name in dirty:
        database.execute(f"UPDATE {name}.schema_migrations SET dirty = true")
    for name in drifted:
        database.execute(f"UPDATE {name}.schema_migrations_log SET checksum = 'other'")
    for name in refused:
        database.execute(f"INSERT INTO {name}.items VALUES (1, NULL)")
    write_scripts(files, SECOND)
    write_list(targets, [*rows, *broken])
    ran = fleet(database, files, "up", *args, "-json")

    assert ran.code == 1
    *lines, report = documents(ran)
    counts = Counter(line["outcome"] for line in lines)
    good = SCHEMAS + DATABASES - 3 * BAD
    assert counts == {"migrated": good, "dirty": BAD, "failed": 2 * BAD, "unreachable": 2}
    reasons = {line["target"]: line["error"]["reason"] for line in lines if line["error"]}
    assert reasons == {
        **dict.fromkeys(dirty, "Dirty"),
        **dict.fromkeys(drifted, "ChecksumMismatch"),
        **dict.fromkeys(refused, "StatementFailed"),
        "down": "ConnectionRefused",
        "locked out": "AuthenticationFailed",
    }
    # The counts of the report, of the table of results and of the histories are the same.
    told = report["fleet"]["counts"]
    assert told["current"] == good
    in_table = dict(database.query("SELECT outcome, count(*) FROM results GROUP BY 1"))
    expected = {k: told[k] for k in ("current", "dirty", "failed", "unreachable")}
    assert in_table == expected
    assert Counter(applied(database, names).values()) == {1: 2 * SCHEMAS - 3 * BAD}
    for other in others:
        assert other.query("SELECT version, dirty FROM schema_migrations") == [(2, False)]
    assert database.query("SELECT reason, file, line FROM results WHERE name = %s", refused[0]) == [
        ("StatementFailed", "2_name.up.sql", 1)
    ]
    # People get the errors in groups, and nobody gets a password.
    assert f"{BAD} x StatementFailed" in ran.stderr
    assert "ganzfalsch" not in ran.stderr + ran.stdout
    assert f"{len(rows) + 2:,} targets: {good:,} current" in ran.stderr

    status = fleet(database, files, "status", *args[:2], "-json")
    assert status.code == 1
    by_status = documents(status)[-1]["fleet"]["counts"]
    assert by_status["current"] == good
    # A row that is not null can't be seen before it is tried.
    assert (by_status["pending"], by_status["failed"], by_status["dirty"]) == (BAD, BAD, BAD)
    for other in others:
        other.drop()


def test_a_report_of_many_failures_fits_and_names_the_first(
    database: Database, tmp_path: Path
) -> None:
    rows = [{"name": f"customer number {n}", "schema": f"missing_{n}"} for n in range(80)]
    targets = write_list(tmp_path / "targets.json", rows)
    files = write_scripts(tmp_path / "files", FIRST)
    report = tmp_path / "report.json"
    ran = run_here(
        "-path", str(files), "-database", database.url, "-report", str(report),
        "fleet", "up", "-targets", str(targets),
    )  # fmt: skip
    assert ran.code == 1
    text = report.read_text()
    assert len(text.encode()) <= TERMINATION_MESSAGE_LIMIT
    document = json.loads(text)
    assert document["fleet"]["counts"]["failed"] == 80
    assert document["fleet"]["failures"][0]["reason"] == "DatabaseMissing"
    assert document["error"]["message"].startswith("80 of 80 targets: ")
    assert "80 x DatabaseMissing" in ran.stderr


def test_the_number_of_failures_can_be_limited(database: Database, tmp_path: Path) -> None:
    rows = [{"name": f"t{n}", "schema": f"missing_{n}"} for n in range(60)]
    targets = write_list(tmp_path / "targets.json", rows)
    files = write_scripts(tmp_path / "files", FIRST)
    args = ("-targets", str(targets), "-max-failures", "5%", "-concurrency", "2", "-json")
    ran = fleet(database, files, "up", *args)
    counts = documents(ran)[-1]["fleet"]["counts"]
    assert ran.code == 1
    assert 4 <= counts["failed"] <= 5
    assert counts["failed"] + counts["skipped"] == 60
    assert "no further target was begun" in ran.stderr


def test_a_query_on_the_catalog_gives_the_targets(database: Database, tmp_path: Path) -> None:
    make_schemas(database, ["a", "b", 'odd "c"'.replace('"', '""')])
    database.execute(
        "CREATE TABLE tenants (customer text, place text, tier text);"
        "INSERT INTO tenants VALUES ('A', 'a', 'free'), ('B', 'b', 'paid'),"
        " ('C', 'odd \"c\"', 'paid')"
    )
    files = write_scripts(tmp_path / "files", FIRST)
    query = (
        "SELECT customer AS name, place AS schema, json_build_object('wave', tier) AS labels"
        " FROM tenants"
    )
    paid = fleet(database, files, "up", "-targets-query", query, "-wave", "paid")
    assert paid.code == 0, paid.stderr
    assert "2 targets: 2 current (2 of them migrated" in paid.stderr
    status = fleet(database, files, "status", "-targets-query", query)
    assert status.code == 3
    assert "A: pending at no version, 1 step: 1" in status.stderr
    assert "3 targets: 2 current, 1 pending" in status.stderr
    shards = [
        fleet(database, files, "up", "-targets-query", query, "-shard", f"{n}/3", "-json")
        for n in range(3)
    ]
    totals = [documents(each)[-1]["fleet"]["counts"]["total"] for each in shards]
    assert sum(totals) == 3
    assert fleet(database, files, "verify", "-targets-query", query).code == 0
    assert fleet(database, files, "wait", "-targets-query", query, "-timeout", "1s").code == 0
    write = "WITH x AS (DELETE FROM tenants RETURNING 1) SELECT 'a' AS name"
    changed = fleet(database, files, "status", "-targets-query", write)
    assert changed.code == 1
    assert "it changes data: its WITH holds DELETE" in changed.stderr


def test_what_holds_for_one_target_holds_for_each(database: Database, tmp_path: Path) -> None:
    """A history of a stranger's, and one with code on it, are refused; the neighbours go on."""
    names = ["good", "foreign_one", "planted", "other"]
    make_schemas(database, names)
    stranger, role = database.create_role(), database.create_role(password="mine")
    database.execute(
        "".join(f"GRANT ALL ON SCHEMA {name} TO {role}, {stranger};" for name in names)
        + f"SET ROLE {stranger};"
        "CREATE TABLE foreign_one.schema_migrations"
        " (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
        "INSERT INTO foreign_one.schema_migrations VALUES (1, false);"
        f"GRANT SELECT ON foreign_one.schema_migrations TO {role};"
        f"SET ROLE {role};"
        "CREATE TABLE planted.schema_migrations"
        " (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
        "INSERT INTO planted.schema_migrations VALUES (1, false);"
        "RESET ROLE;"
        "CREATE FUNCTION public.evil() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'ran'; END $$;"
        "CREATE TRIGGER t BEFORE UPDATE ON planted.schema_migrations"
        " FOR EACH ROW EXECUTE FUNCTION public.evil()"
    )
    rows = [{"name": name, "schema": name} for name in names]
    targets = write_list(tmp_path / "targets.json", rows)
    files = write_scripts(tmp_path / "files", FIRST)
    for verb in ("status", "up", "status"):
        ran = fleet(database.url_for(role, "mine"), files, verb, "-targets", str(targets), "-json")
        reasons = {d["target"]: d["error"] and d["error"]["reason"] for d in documents(ran)[:-1]}
        assert reasons == {
            "good": None, "other": None,
            "foreign_one": "ForeignHistory", "planted": "ForeignHistory",
        }  # fmt: skip
    assert applied(database, ["good", "other"]) == {("good", 1): 1, ("other", 1): 1}


def test_files_of_a_tool_that_locks_the_whole_database_wait_for_no_neighbour(
    database: Database, tmp_path: Path
) -> None:
    names = [f"g{n}" for n in range(12)]
    make_schemas(database, names)
    files = write_scripts(
        tmp_path / "files",
        {"1_a.sql": "-- +goose Up\nSELECT pg_sleep(0.05);\nCREATE TABLE items (id int);\n"},
    )
    targets = write_list(tmp_path / "t.json", [{"name": n, "schema": n} for n in names])
    ran = fleet(database, files, "up", "-targets", str(targets), "-concurrency", "6")
    ran_again = fleet(database, files, "up", "-targets", str(targets))
    assert (ran.code, ran_again.code) == (0, 0), ran.stderr
    assert "12 of them migrated" in ran.stderr
    assert "12 targets: 12 current\n" in ran_again.stderr


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("fleet",), 1, "please say what to do"),
        (("fleet", "down", "-targets", "x.csv"), 1, "fleet down is not known"),
        (("fleet", "up"), 1, "either -targets FILE or -targets-query SQL"),
        (("fleet", "up", "-targets", "missing.csv"), 1, "no such file"),
        (("fleet", "up", "-targets", "x.csv", "-shard", "3/3"), 2, "counted from 0"),
        (("fleet", "up", "-targets", "x.csv", "-concurrency", "0"), 2, "from 1 to 1000"),
        (("fleet", "up", "-targets", "x.csv", "-max-failures", "x"), 2, "such as 5%"),
        (("fleet", "up", "-targets", "x.csv", "-timeout", "1s"), 1, "for fleet wait"),
        (("fleet", "up", "-targets", "postgres://u:se@h/x"), 1, "not shown"),
        (("fleet", "up", "-targets-query", "SELECT 1", "x"), 1, "too many arguments"),
        (("fleet", "up", "-targets-query", "SELECT 1"), 1, "no column name"),
        (("fleet", "up", "-targets-query", "SELEC 1"), 1, "it begins with SELEC"),
        (("fleet", "up", "-targets-query", "SELECT x"), 1, "the query for the targets failed"),
        (("fleet", "up", "-targets-query", "SELECT 1;SELECT 2"), 1, "than one statement"),
    ],
)
def test_a_mistake_on_the_command_line_is_told(
    database: Database, tmp_path: Path, args: tuple[str, ...], code: int, said: str
) -> None:
    files = write_scripts(tmp_path / "files", FIRST)
    ran = run_here("-path", str(files), "-database", database.url, *args)
    assert ran.code == code, ran.stderr
    assert said in ran.stderr
