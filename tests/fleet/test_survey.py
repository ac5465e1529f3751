"""`fleet survey`, and what a set's Job asks of `fleet up`: -waves, -plans, -tolerate-failures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import run_here, write_scripts
from tests.database.server import Database
from tests.fleet.arrange import FIRST, SECOND, applied, documents, fleet, make_schemas, write_list

pytestmark = pytest.mark.database

WAVES = {"waves": [{"name": "canary", "selector": {"tier": "internal"}}, {"name": "rest"}]}


def arrange(database: Database, tmp_path: Path, count: int) -> tuple[list[str], Path, Path]:
    names = [f"s{n}" for n in range(count)]
    make_schemas(database, names)
    rows = [{"name": name, "schema": name} for name in names]
    rows[0]["label.tier"] = "internal"
    targets = write_list(tmp_path / "targets.json", rows)
    (tmp_path / "waves.json").write_text(json.dumps(WAVES))
    return names, write_scripts(tmp_path / "files", FIRST), targets


def test_a_survey_counts_the_waves_and_asks_nobody(tmp_path: Path, database: Database) -> None:
    _, files, targets = arrange(database, tmp_path, 5)
    args = ("-targets", str(targets), "-waves", str(tmp_path / "waves.json"), "-json")
    ran = fleet(database, files, "survey", *args)
    assert ran.code == 0
    (report,) = documents(ran)
    assert report["fleet"]["counts"]["total"] == 5
    assert report["fleet"]["waves"] == [
        {"name": "canary", "targets": 1},
        {"name": "rest", "targets": 4},
    ]
    # The waves of the command line stand in the place of the list's own.
    ran = fleet(database, files, "up", *args, "-wave", "canary")
    assert documents(ran)[-1]["fleet"]["counts"]["total"] == 1


def test_samples_have_a_plan_for_each_version_and_hold_the_targets_to_them(
    tmp_path: Path, database: Database
) -> None:
    names, files, targets = arrange(database, tmp_path, 6)
    args = ("-targets", str(targets))
    fleet(database, files, "up", *args, "-shard", "0/2")
    behind = [name for name in names if (name, 1) not in applied_now(database, names)]
    assert 0 < len(behind) < 6
    write_scripts(files, SECOND)
    (report,) = documents(fleet(database, files, "survey", *args, "-samples", "-json"))
    versions = {each["version"]: each for each in report["fleet"]["versions"]}
    assert {version: each["targets"] for version, each in versions.items()} == {
        "": len(behind),
        "1": 6 - len(behind),
    }
    assert [step["version"] for step in report["steps"]] == ["1", "2"]
    one = versions["1"]["checksum"]
    ran = fleet(database, files, "up", *args, "-plans", one, "-json", "-tolerate-failures")
    assert ran.code == 0
    counts = documents(ran)[-1]["fleet"]["counts"]
    assert (counts["current"], counts["failed"]) == (6 - len(behind), len(behind))
    failures = documents(ran)[-1]["fleet"]["failures"]
    assert {each["reason"] for each in failures} == {"PlanChanged"}
    both = f"{one},{versions['']['checksum']}"
    assert fleet(database, files, "up", *args, "-plans", both).code == 0
    assert set(applied(database, names).values()) == {1}
    # Nothing is behind: there is no sample.
    (report,) = documents(fleet(database, files, "survey", *args, "-samples", "-json"))
    assert "versions" not in report["fleet"]
    assert report["outcome"] == "UpToDate"


def applied_now(database: Database, names: list[str]) -> set[tuple[str, int]]:
    """Of the schemas that have a log already."""
    made = [
        name
        for name in names
        if database.query(f"SELECT to_regclass('{name}.schema_migrations_log')")[0][0]
    ]
    return set(applied(database, made)) if made else set()


def test_what_lint_finds_on_a_sample_is_the_surveys_error(
    tmp_path: Path, database: Database
) -> None:
    _, files, targets = arrange(database, tmp_path, 1)
    fleet(database, files, "up", "-targets", str(targets))
    rows = "SELECT g, repeat('x', 100) FROM generate_series(1, 150000) g"
    database.execute(f"INSERT INTO s0.items {rows}; ANALYZE s0.items")
    write_scripts(files, {"2_index.up.sql": "CREATE INDEX items_name ON items (name);"})
    words = ("-path", str(files), "-database", database.url, "-lint", "reject")
    ran = run_here(*words, "fleet", "survey", "-targets", str(targets), "-samples", "-json")
    (report,) = documents(ran)
    assert ran.code == 1
    assert report["error"]["reason"] == "LintRejected"
    assert "on target s" in report["error"]["message"]


def test_a_shard_of_a_job_ends_well_when_each_target_was_tried_and_apart_when_too_many_failed(
    tmp_path: Path, database: Database
) -> None:
    names, files, targets = arrange(database, tmp_path, 5)
    database.execute("CREATE TABLE s0.items (id int); CREATE TABLE s1.items (id int)")
    args = ("-targets", str(targets), "-json")
    assert fleet(database, files, "up", *args).code == 1
    tolerant = fleet(database, files, "up", *args, "-tolerate-failures")
    assert tolerant.code == 0
    assert documents(tolerant)[-1]["fleet"]["counts"]["failed"] == 2
    strict = fleet(database, files, "up", *args, "-tolerate-failures", "-max-failures", "1")
    assert strict.code == 4
    assert len(names) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status", "-samples"), "-samples is for fleet survey"),
        (("status", "-plans", "a" * 64), "-plans is for fleet up"),
        (("up", "-plans", "x"), "checksums of plans"),
    ],
)
def test_flags_of_other_verbs_are_refused(
    tmp_path: Path, database: Database, words: tuple[str, ...], said: str
) -> None:
    _, files, targets = arrange(database, tmp_path, 1)
    ran = fleet(database, files, *words, "-targets", str(targets))
    assert ran.code in {1, 2}
    assert said in ran.stderr


def test_a_file_of_waves_has_no_targets(tmp_path: Path, database: Database) -> None:
    _, files, targets = arrange(database, tmp_path, 1)
    ran = fleet(database, files, "survey", "-targets", str(targets), "-waves", str(targets))
    assert ran.code == 1
    assert "a file of waves has waves alone" in ran.stderr
