"""`fleet goto V`: every target at one version, up or down, and what an ordered way down leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import Ran, run_here, write_scripts
from tests.database.server import Database, Server
from tests.fleet.arrange import FIRST, SECOND, documents, fleet, make_schemas, write_list

pytestmark = pytest.mark.database

NAMES = [f"s{number}" for number in range(6)]


@pytest.fixture
def listed(database: Database, tmp_path: Path) -> Path:
    """Schemas at 2, except for the last two: one is at 1, and one at none."""
    make_schemas(database, NAMES)
    files = write_scripts(tmp_path / "files", {**FIRST, **SECOND})
    rows = [{"name": name, "schema": name} for name in NAMES]
    first = write_scripts(tmp_path / "first", FIRST)
    some = write_list(tmp_path / "some.json", rows[:4])
    assert fleet(database, files, "up", "-targets", str(some)).code == 0
    one = write_list(tmp_path / "one.json", rows[4:5])
    assert fleet(database, first, "up", "-targets", str(one)).code == 0
    return write_list(tmp_path / "targets.json", rows)


def versions(database: Database) -> list[int]:
    union = " UNION ALL ".join(f'SELECT version FROM "{n}".schema_migrations' for n in NAMES)
    return sorted(version for (version,) in database.query(union))


def ordered(database: Database, files: Path, order: str, intent: str, *args: str) -> Ran:
    """As the Job of a set runs it, for a person or by itself."""
    owner = {"DBMIGRATE_OWNER": "here/team/tenants#uid", "DBMIGRATE_INTENT": intent}
    environ = owner | ({"DBMIGRATE_ORDER": order} if order else {})
    words = ("-path", str(files), "-database", database.url, "-rollback", "allow")
    return run_here(*words, "fleet", *args, environ=environ)


def test_all_go_to_one_version_up_or_down(database: Database, tmp_path: Path, listed: Path) -> None:
    files = tmp_path / "files"
    plan = fleet(database, files, "plan", "1", "-targets", str(listed), "-json")
    found = {each["target"]: each for each in documents(plan)[:-1]}
    assert {name for name, each in found.items() if each["outcome"] == "pending"} == {
        *NAMES[:4],
        "s5",
    }
    assert plan.code == 0
    ran = fleet(database, files, "goto", "1", "-targets", str(listed), "-json")
    assert ran.code == 0, ran.stderr
    counts = documents(ran)[-1]["fleet"]["counts"]
    assert (counts["current"], counts["migrated"]) == (6, 5)
    assert versions(database) == [1] * 6
    again = fleet(database, files, "goto", "-targets", str(listed), "-json", "1")
    assert documents(again)[-1]["fleet"]["counts"]["migrated"] == 0
    status = fleet(database, files, "status", "1", "-targets", str(listed))
    assert status.code == 0
    assert fleet(database, files, "goto", "latest", "-targets", str(listed)).code == 0
    assert versions(database) == [2] * 6


def test_a_way_down_that_is_forbidden_is_gone_by_no_target(
    database: Database, tmp_path: Path, listed: Path
) -> None:
    words = ("-path", str(tmp_path / "files"), "-database", database.url, "-rollback", "forbid")
    ran = run_here(*words, "fleet", "goto", "1", "-targets", str(listed), "-json")
    assert ran.code == 1
    reasons = [each["error"]["reason"] for each in documents(ran)[:-1] if each["error"]]
    assert reasons == ["RollbackForbidden"] * 4
    assert versions(database) == [1, 1, 2, 2, 2, 2]


def test_the_samples_of_a_way_down_have_its_plans(
    database: Database, tmp_path: Path, listed: Path
) -> None:
    files = tmp_path / "files"
    write_scripts(files, {"3_more.up.sql": "SELECT 3;", "3_more.down.sql": "SELECT -3;"})
    one = write_list(tmp_path / "one.json", [{"name": "s0", "schema": "s0"}])
    assert fleet(database, files, "up", "-targets", str(one)).code == 0
    # The way up of the new one is longer; what is undone is what a person has to see.
    survey = fleet(database, files, "survey", "2", "-samples", "-targets", str(listed), "-json")
    assert "1 target at version 3, such as s0: 1 step\n" in survey.stderr
    assert survey.code == 0, survey.stderr
    (report,) = documents(survey)
    assert {(v["version"], v["targets"]) for v in report["fleet"]["versions"]} == {
        ("3", 1),
        ("1", 1),
        ("", 1),
    }
    assert [(each["direction"], each["version"]) for each in report["steps"]] == [("down", "3")]
    plans = ",".join(v["checksum"] for v in report["fleet"]["versions"])
    other = "0" * 64
    args = ("2", "-targets", str(listed), "-json")
    refused = fleet(database, files, "goto", *args, "-plans", other)
    errors = {each["error"]["reason"] for each in documents(refused)[:-1] if each["error"]}
    assert errors == {"PlanChanged"}
    assert fleet(database, files, "goto", *args, "-plans", plans).code == 0
    assert versions(database) == [2] * 6


def test_a_version_that_nobody_knows_is_found_by_the_survey(
    database: Database, tmp_path: Path, listed: Path
) -> None:
    files, targets = tmp_path / "files", ("-targets", str(listed), "-json")
    survey = fleet(database, files, "survey", "9", "-samples", *targets)
    assert survey.code == 1
    (report,) = documents(survey)
    assert report["error"]["reason"] == "MissingVersion"
    assert report["error"]["message"].startswith("on target s")
    assert fleet(database, files, "survey", "1", "-samples", *targets).code == 0


def test_what_a_person_has_rolled_back_stays_so_until_somebody_wants_something_else(
    database: Database, tmp_path: Path, listed: Path
) -> None:
    files, targets = tmp_path / "files", ("-targets", str(listed), "-json")
    ran = ordered(database, files, "MigrationAction back", "intent-1", "goto", "1", *targets)
    assert ran.code == 0, ran.stderr
    held = ordered(database, files, "", "intent-1", "goto", "latest", *targets)
    found = {each["target"]: each for each in documents(held)[:-1]}
    assert held.code == 1
    # Those that went down wait for a person; the others were never rolled back.
    assert {name for name in NAMES if found[name]["error"]} == {*NAMES[:4]}
    assert {found[name]["outcome"] for name in NAMES[:4]} == {"pending"}
    assert {found[name]["error"]["reason"] for name in NAMES[:4]} == {"RolledBack"}
    report = json.loads(held.stdout.splitlines()[-1])
    assert report["fleet"]["counts"]["failed"] == 0
    assert {each["reason"] for each in report["fleet"]["failures"]} == {"RolledBack"}
    assert versions(database) == [1, 1, 1, 1, 2, 2]
    assert ordered(database, files, "", "intent-2", "goto", "latest", *targets).code == 0
    assert versions(database) == [2] * 6


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("down", "1", "-targets", "x"), "fleet goto V goes back to a version"),
        (("goto", "-targets", "x"), "please specify version argument V"),
        (("goto", "one!", "-targets", "x"), "can't read version argument V"),
        (("up", "1", "-targets", "x"), "too many arguments: 1"),
        (("plan", "1", "2", "-targets", "x"), "too many arguments: 2"),
        (("plan", "-plans", "0" * 64, "-targets", "x"), "-plans is for fleet up and goto"),
    ],
)
def test_a_version_is_for_the_verbs_that_go_somewhere(
    database: Database, tmp_path: Path, args: tuple[str, ...], said: str
) -> None:
    ran = fleet(database, tmp_path, *args)
    assert ran.code != 0
    assert said in ran.stderr


ORDER = "MigrationAction team/back: rollback 1"


def by_order(database: Database, files: Path, *args: str) -> Ran:
    """As the Job of a set runs it for that order."""
    words = ["-path", str(files), "-database", database.url, "-rollback", "allow"]
    words += ["-owner", "here/team/tenants#uid", "-order", "MigrationAction back"]
    return run_here(*words, "-order-id", ORDER, "fleet", *args)


def noted(database: Database) -> dict[str, int]:
    """The schemas whose logs have the order as carried out, and how often."""
    union = " UNION ALL ".join(
        f"SELECT '{name}', count(*) FROM \"{name}\".schema_migrations_log"
        f" WHERE outcome = 'noted' AND direction = 'order' AND name = '{ORDER}'"
        for name in NAMES
    )
    return {name: count for name, count in database.query(union) if count}


def test_an_order_is_carried_out_once_by_each_target(
    database: Database, tmp_path: Path, listed: Path
) -> None:
    files, targets = tmp_path / "files", ("-targets", str(listed), "-json")
    assert by_order(database, files, "survey", "1", "-samples", *targets).code == 0
    some = write_list(tmp_path / "some.json", [{"name": n, "schema": n} for n in NAMES[1:]])
    assert by_order(database, files, "goto", "1", "-targets", str(some)).code == 0
    # Whatever was there already has carried it out as well.
    assert noted(database) == dict.fromkeys(NAMES[1:], 1)
    # It is continued where it has not been carried out, as long as all others stayed.
    assert by_order(database, files, "survey", "1", "-samples", *targets).code == 0
    ran = by_order(database, files, "goto", "1", *targets)
    assert (ran.code, documents(ran)[-1]["fleet"]["counts"]["migrated"]) == (0, 1)
    assert noted(database) == dict.fromkeys(NAMES, 1)
    assert versions(database) == [1] * 6
    # Nothing of it is done again, and what was migrated since stays where it is.
    moved = write_list(tmp_path / "moved.json", [{"name": n, "schema": n} for n in NAMES[:2]])
    assert fleet(database, files, "goto", "2", "-targets", str(moved)).code == 0
    ran = by_order(database, files, "goto", "1", *targets)
    found = {each["target"]: each for each in documents(ran)[:-1]}
    assert ran.code == 1
    assert versions(database) == [1, 1, 1, 1, 2, 2]
    assert {found[name]["outcome"] for name in NAMES[:2]} == {"pending"}
    assert {found[name]["error"]["reason"] for name in NAMES[:2]} == {"AlreadyDone"}
    assert {found[name]["outcome"] for name in NAMES[2:]} == {"current"}
    (*_, report) = documents(ran)
    assert {each["name"] for each in report["fleet"]["failures"]} == {*NAMES[:2]}
    assert report["fleet"]["counts"]["failed"] == 0


def test_an_old_order_that_is_created_again_is_refused_by_the_survey(
    database: Database, tmp_path: Path, listed: Path
) -> None:
    files, targets = tmp_path / "files", ("-targets", str(listed), "-json")
    some = write_list(tmp_path / "some.json", [{"name": n, "schema": n} for n in NAMES[:3]])
    assert by_order(database, files, "goto", "1", "-targets", str(some)).code == 0
    assert fleet(database, files, "goto", "2", "-targets", str(listed)).code == 0
    survey = by_order(database, files, "survey", "1", "-samples", *targets)
    (report,) = documents(survey)
    assert survey.code == 1
    assert report["error"]["reason"] == "AlreadyDone"
    assert "has been carried out at 20" in report["error"]["message"]
    assert "3 targets at version 2" in survey.stderr
    assert {each["targets"] for each in report["fleet"]["versions"]} == {3}


@pytest.mark.parametrize("column", ["schema", "dbname"])
def test_a_target_of_another_owner_is_left_alone(
    server: Server, database: Database, tmp_path: Path, column: str
) -> None:
    """Those that no other target is read with as well."""
    files = write_scripts(tmp_path / "files", FIRST)
    own = server.create_database()
    make_schemas(database, ["s0"])
    rows = [{"name": "one", column: own.name if column == "dbname" else "s0"}]
    targets = write_list(tmp_path / "t.json", rows)
    words = ("-path", str(files), "-database", database.url, "fleet", "goto", "latest")
    first = run_here("-owner", "here/team/one#1", *words, "-targets", str(targets))
    assert first.code == 0, first.stderr
    write_scripts(files, SECOND)
    other = run_here("-owner", "here/team/two#2", *words, "-targets", str(targets), "-json")
    assert documents(other)[0]["error"]["reason"] == "DatabaseConflict"
    again = run_here("-owner", "here/team/one#1", *words, "-targets", str(targets))
    assert again.code == 0, again.stderr
    own.drop()
