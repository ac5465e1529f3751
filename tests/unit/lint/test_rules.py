"""Each rule speaks where it has to, and is silent where nothing can happen."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dbmigrate.lint.finding import Severity
from dbmigrate.lint.rules import RULES
from dbmigrate.lint.script import judge_script
from dbmigrate.lint.source import lint
from dbmigrate.sources.migration import Direction, Migration, Script, Source
from dbmigrate.versions import Role
from tests.unit.lint.examples import EXAMPLES

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[3]


HARMLESS = [
    "CREATE TABLE t (a int); CREATE INDEX i ON t (a); ALTER TABLE t ALTER a TYPE bigint",
    'CREATE TABLE "T" (a int); CREATE INDEX i ON "T" (a)',
    "CREATE INDEX CONCURRENTLY i ON t (a)",
    "DROP INDEX CONCURRENTLY i",
    "ALTER TABLE t ADD a int",
    "ALTER TABLE t ADD a int NOT NULL DEFAULT 5",
    "ALTER TABLE t ADD a timestamptz DEFAULT now()",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID",
    "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o (id) NOT VALID",
    "ALTER TABLE t VALIDATE CONSTRAINT c",
    "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i",
    "ALTER TABLE t RENAME CONSTRAINT a TO b",
    "ALTER TABLE t ALTER a DROP DEFAULT",
    "CREATE TABLE p (a int); ALTER TABLE t ATTACH PARTITION p FOR VALUES FROM (1) TO (2)",
    "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
    "DROP VIEW v; CREATE VIEW v AS SELECT 1",
    "CREATE POLICY p ON t USING (true); ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID",
    "CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0)",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE o VALIDATE CONSTRAINT c",
    "ALTER DOMAIN d RENAME CONSTRAINT a TO b",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
    "UPDATE t SET a = 1 WHERE id = 3; DELETE FROM t WHERE id = 4",
    "INSERT INTO t VALUES ('DROP TABLE t'); -- ALTER TABLE t DROP a",
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM t $$",
    "COMMENT ON TABLE t IS 'x'",
    "ALTER TABLE t ALTER COLUMN type SET DEFAULT 'x'",
    "ALTER TABLE t ADD COLUMN serial varchar(20), ADD exclude boolean",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (serial IS NOT NULL AND type = 'x') NOT VALID",
    "ALTER TABLE t ADD a int REFERENCES o (id) ON DELETE SET DEFAULT",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT ENFORCED",
    "ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID",
    "ALTER TABLE t ADD PRIMARY KEY USING INDEX i",
    "ALTER TABLE t ADD a int GENERATED ALWAYS AS (b + 1)",
    "ALTER TABLE t ADD a timestamp DEFAULT timezone('utc'::text, now()) NOT NULL",
    "CREATE INDEX i ON ONLY t (a)",
    "VACUUM (FULL false) t",
    "LOCK TABLE t IN ROW EXCLUSIVE MODE",
    'CREATE TABLE "public"."t" (a int); CREATE INDEX i ON t (a); ALTER TABLE "t" ALTER a TYPE text',
    "SELECT * INTO t FROM o; CREATE INDEX i ON t (a)",
    "CREATE TABLE n (a int); ALTER TABLE n RENAME TO t; CREATE INDEX i ON t (a)",
    "CREATE TABLE n (a int); ALTER TABLE t ADD b int; INSERT INTO n VALUES (1), (2)",
    "-- dbmigrate:ignore table-dropped, cascades it is empty\nDROP TABLE t CASCADE",
    "-- dbmigrate:ignore-file column-dropped\nALTER TABLE t DROP a;\nALTER TABLE t DROP b",
]


HARMLESS += [
    "CREATE TABLE t (a int REFERENCES o); CREATE INDEX i ON t (a)",
    "CREATE TABLE t (a int PRIMARY KEY REFERENCES o)",
    "CREATE TABLE t (a int, b int, UNIQUE (b, a), FOREIGN KEY (a, b) REFERENCES o)",
    "CREATE TABLE t (a jsonb)",
    f"CREATE TABLE \"{'é' * 31}\" (a int); SELECT '{'x' * 99}'",
    "BEGIN; SELECT 1; COMMIT",
    "ALTER TABLE t RENAME TO n; CREATE VIEW t AS SELECT * FROM n",
    "DROP TABLE t; CREATE VIEW t AS SELECT * FROM n",
    "ALTER TABLE t RENAME TO n; ALTER TABLE n RENAME a TO b;"
    " CREATE VIEW t AS SELECT id, b AS a FROM n",
    "ALTER TABLE t DROP a; CREATE VIEW v AS SELECT t.id, o.a FROM t JOIN o USING (id)",
]


def names(sql: str, *, has_down: bool = True) -> list[str]:
    findings = judge_script(sql.encode(), "1_x.up.sql", has_down=has_down)
    return [finding.rule.name for finding in findings]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('CREATE TABLE "orders" (a int); DROP TABLE "Orders"', ["table-dropped"]),
        ("CREATE TABLE archive.t (a int); DROP TABLE t", ["table-dropped"]),
        ("CREATE TABLE a (a int); DROP TABLE a, t", ["table-dropped"]),
        ("CREATE TABLE a (a int); TRUNCATE a, t", ["data-destroyed"]),
        ("UPDATE t SET a = (SELECT b FROM o WHERE o.id = t.id)", ["every-row"]),
        ("WITH o AS (SELECT 1 WHERE true) UPDATE t SET a = 1", ["every-row"]),
        ("WITH o AS (DELETE FROM t RETURNING *) INSERT INTO n SELECT * FROM o", ["every-row"]),
        ("ALTER TABLE t DROP identity", ["column-dropped"]),
        ("ALTER TABLE t ADD exclude boolean NOT NULL", ["required-column"]),
        ("ALTER TABLE t ADD a int NOT NULL UNIQUE", ["required-column", "unique-builds-index"]),
        ("ALTER TABLE t ALTER type TYPE bigint", ["type-rewrites"]),
        ("ALTER TABLE t ADD CONSTRAINT n NOT NULL a", ["not-null-scans"]),
        ("DROP SCHEMA s", ["object-dropped"]),
        ("ALTER TABLE t DROP a CASCADE", ["cascades", "column-dropped"]),
        ("ALTER TABLE t DROP CONSTRAINT c CASCADE", ["cascades", "constraint-dropped"]),
        ("ALTER TYPE c DROP ATTRIBUTE x CASCADE", ["attribute-dropped", "cascades"]),
        ("ALTER TABLE t DROP a; CREATE VIEW t AS SELECT b FROM t2", ["column-dropped"]),
        ("DROP TABLE t; CREATE VIEW o AS SELECT 1", ["table-dropped"]),
        ("EXPLAIN ANALYZE DELETE FROM t", ["data-destroyed", "every-row"]),
        ("COPY (DELETE FROM t RETURNING a) TO STDOUT", ["every-row"]),
        (
            "CREATE TABLE t (a int REFERENCES o); CREATE INDEX i ON t (b, a)",
            ["foreign-key-unindexed"],
        ),
        ("ALTER TABLE t ADD a int; INSERT INTO n SELECT * FROM t", ["data-under-lock"]),
        (
            "CREATE TABLE n (a int); ALTER TABLE n RENAME TO t; DROP TABLE n",
            ["table-dropped"],
        ),
    ],
)
def test_what_looks_harmless_is_not_passed_over(sql: str, expected: list[str]) -> None:
    assert names(sql) == expected


TYPES = [
    ("varchar(10)", "varchar(20)", True),
    ("varchar(10)", "text", True),
    ("varchar(10)", "varchar", True),
    ("varchar", "text", True),
    ("text", "varchar", True),
    ("numeric(10,2)", "numeric(12,2)", True),
    ("numeric(10,2)", "numeric", True),
    ("varbit(3)", "varbit(5)", True),
    ("timestamp(3)", "timestamp(6)", True),
    ("timestamptz(3)", "timestamptz", True),
    ("int", "integer", True),
    ("varchar(20)", "varchar(10)", False),
    ("text", "varchar(10)", False),
    ("char(5)", "char(6)", False),
    ("numeric(10,2)", "numeric(12,3)", False),
    ("numeric", "numeric(10,2)", False),
    ("int", "bigint", False),
    ("timestamp(6)", "timestamp(3)", False),
    ("text", "text[]", False),
]


@pytest.mark.parametrize(("old", "new", "is_free"), TYPES)
def test_a_type_that_is_only_widened_is_passed_over(old: str, new: str, is_free: bool) -> None:
    def script(number: int, text: str) -> Script:
        return Script(f"{number}.up.sql", Direction.UP, text.encode)

    files = [f"CREATE TABLE t (a {old})", f"ALTER TABLE t ALTER a TYPE {new}"]
    source = Source(
        "m",
        tuple(
            Migration(number, "x", script(number, text), script(number, ""))
            for number, text in enumerate(files, 1)
        ),
    )
    for latest in (None, 1):
        found = {each.rule.name for each in lint(source, latest=latest)}
        assert found == (set() if is_free else {"type-rewrites"})


@pytest.mark.parametrize(
    ("columns", "said"), [("a int, b int NOT NULL", True), ("a int NOT NULL, b serial", False)]
)
def test_a_primary_key_of_nullable_columns_looks_at_the_rows(columns: str, said: bool) -> None:
    def made(number: int, text: str) -> Migration:
        script = Script(f"{number}.sql", Direction.UP, text.encode)
        return Migration(number, "x", script, script)

    files = [
        f"CREATE TABLE t ({columns})",
        "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
        "ALTER TABLE t ADD PRIMARY KEY USING INDEX i",
    ]
    source = Source("m", tuple(made(number, text) for number, text in enumerate(files, 1)))
    assert ("primary-key-scans" in {each.rule.name for each in lint(source)}) is said


def test_an_index_in_a_later_file_serves_a_foreign_key() -> None:
    def made(number: int, text: str) -> Migration:
        script = Script(f"{number}.sql", Direction.UP, text.encode)
        return Migration(number, "x", script, script)

    table = made(1, "CREATE TABLE t (a int REFERENCES o)")
    index = made(2, "CREATE INDEX CONCURRENTLY i ON t (a)")
    assert [each.rule.name for each in lint(Source("m", (table,)))] == ["foreign-key-unindexed"]
    assert list(lint(Source("m", (table, index)))) == []


BLOCK = """DO $do$
DECLARE n int;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'x') THEN
    CREATE TYPE x AS ENUM ('a');
  ELSE
    -- dbmigrate:ignore table-dropped nobody uses it
    DROP TABLE a;
    DROP TABLE b;
  END IF;
  FOR n IN SELECT 1 LOOP
    UPDATE t SET a = 1;
  END LOOP;
  EXECUTE 'ALTER TABLE t DROP a';
END $do$;
DROP TABLE c;
"""


def test_the_statements_of_a_block_are_looked_at_where_they_stand() -> None:
    found = [(each.line, each.rule.name) for each in judge_script(BLOCK.encode(), "f")]
    assert found == [
        (9, "table-dropped"),
        (12, "every-row"),
        (14, "column-dropped"),
        (16, "table-dropped"),
    ]


def test_an_ignore_comment_above_a_block_speaks_for_all_of_it() -> None:
    sql = "-- dbmigrate:ignore table-dropped, every-row, column-dropped\n" + BLOCK
    found = [(each.line, each.rule.name) for each in judge_script(sql.encode(), "f")]
    assert found == [(8, "ignore-unused"), (17, "table-dropped")]


@pytest.mark.parametrize(
    "sql",
    [
        "DO $$ BEGIN CREATE TYPE x AS ENUM ('a'); EXCEPTION WHEN others THEN NULL; END $$",
        "DO LANGUAGE plpython3u $$ DROP TABLE t; $$",
        "DO $$ BEGIN RAISE NOTICE 'DROP TABLE t'; END $$",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN DROP TABLE t; END $$",
    ],
)
def test_a_block_without_harm_is_passed_over(sql: str) -> None:
    assert names(sql) == []


def test_every_rule_has_an_example() -> None:
    assert set(EXAMPLES) | {"no-down-script", "primary-key-scans"} == set(RULES)


@pytest.mark.parametrize(("rule", "sql"), EXAMPLES.items())
def test_a_rule_speaks(rule: str, sql: str) -> None:
    assert rule in names(sql)


@pytest.mark.parametrize("sql", HARMLESS)
def test_what_is_harmless_is_passed_over(sql: str) -> None:
    assert names(sql) == []


@pytest.mark.parametrize(
    "before",
    ["CREATE FUNCTION t() RETURNS int", "CREATE SCHEMA t", "CREATE PUBLICATION p FOR TABLE t"],
)
def test_what_only_has_the_name_of_a_table_excuses_nothing(before: str) -> None:
    assert "table-dropped" in names(f"{before}; DROP TABLE t")


def test_a_missing_down_script_is_said_and_can_be_meant() -> None:
    assert names("SELECT 1", has_down=False) == ["no-down-script"]
    assert names("-- dbmigrate:ignore-file no-down-script\nSELECT 1", has_down=False) == []


def test_an_ignore_comment_speaks_for_the_next_statement_alone() -> None:
    sql = "-- dbmigrate:ignore table-dropped\nDROP TABLE a;\nDROP TABLE b;"
    (finding,) = [f for f in judge_script(sql.encode(), "f") if f.rule.name == "table-dropped"]
    assert (finding.line, finding.table) == (3, "b")


def test_an_ignore_comment_with_a_wrong_name_is_told() -> None:
    (finding,) = judge_script(b"-- dbmigrate:ignore table-droped\nSELECT 1", "f")
    assert finding.rule.name == "ignore-unused"
    assert "table-droped" in finding.message


def test_a_finding_says_where_what_and_what_instead() -> None:
    (finding,) = judge_script(b"SELECT 1;\n\nDROP TABLE shop.t;", "2_x.up.sql")
    assert (finding.file, finding.line, finding.table) == ("2_x.up.sql", 3, "shop.t")
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("shop.t: DROP TABLE deletes the table's rows")
    assert all(rule.reason and rule.remedy for rule in RULES.values())


def test_the_page_has_every_rule() -> None:
    page = (ROOT / "docs" / "lint.md").read_text()
    render = runpy.run_path(str(ROOT / "docs" / "build_lint_rules.py"))["render"]
    assert render(page) == page, "run `python docs/build_lint_rules.py`"


def test_the_page_beside_other_linters_is_made_from_the_examples() -> None:
    render = runpy.run_path(str(ROOT / "docs" / "build_lint_compared.py"))["render"]
    page = (ROOT / "docs" / "lint-compared.md").read_text()
    assert render(EXAMPLES) == page, "run `python docs/build_lint_compared.py`"


def test_a_repeatable_migration_is_looked_at_and_needs_no_down_script() -> None:
    def script(sql: str) -> Script:
        return Script("R__views.sql", Direction.UP, sql.encode)

    def made(role: Role) -> Migration:
        return Migration(1, "views", up=script("DROP TABLE t"), role=role)

    source = Source("m", (), repeatables=(made(Role.REPEATABLE),))
    assert [each.rule.name for each in lint(source, above=7)] == ["table-dropped"]
    checkpoint = Source("m", (), checkpoints=(made(Role.CHECKPOINT),))
    assert list(lint(checkpoint)) == []


def calls(work: Callable[[], object]) -> int:
    """How many calls the work takes: what a clock would say without its noise."""
    count = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    ("head", "part", "tail"),
    [
        ("", "DO $$ BEGIN UPDATE t SET a = 1; EXECUTE 'DROP TABLE t'; END $$;\n", ""),
        ("DO $$ BEGIN\n", "UPDATE t SET a = 1;\nEXECUTE 'DROP TABLE t';\n", "END $$"),
        ("", "-- dbmigrate:ignore table-dropped\nDROP TABLE t;\n", ""),
        ("DO $$ BEGIN\n", "-- dbmigrate:ignore table-dropped\nDROP TABLE t;\n", "END $$"),
        ("", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);\n", ""),
    ],
)
def test_the_work_grows_as_the_script_does(head: str, part: str, tail: str) -> None:
    def work(times: int) -> int:
        return calls(lambda: judge_script(f"{head}{part * times}{tail}".encode(), "f"))

    work(1)
    assert work(400) < 4.5 * work(100)
