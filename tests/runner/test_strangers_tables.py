"""A history that others have laid out is refused before anything in it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from psycopg.errors import LockNotAvailable

from dbmigrate.policies import Transactions
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.history.relations import History
from dbmigrate.report import Reason
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from tests.database import Database
from tests.database.plants import MARK
from tests.runner.arrange import Witness, migration, request, source, table, tables, version_row

pytestmark = pytest.mark.database

FUNCTIONS = f"""
CREATE FUNCTION trap(anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN RAISE LOG '{MARK}: trap'; RETURN true; END $$;
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN RAISE LOG '{MARK}: trap'; RETURN NEW; END $$;
"""
TABLE = (
    "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)"
)
TRAPS = {
    "trigger": f"{TABLE}; CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON schema_migrations"
    " FOR EACH STATEMENT EXECUTE FUNCTION trap()",
    "rule": f"{TABLE}; CREATE RULE t AS ON INSERT TO schema_migrations DO ALSO SELECT trap(1)",
    "row-security policy": f"{TABLE}; ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY,"
    " FORCE ROW LEVEL SECURITY; CREATE POLICY t ON schema_migrations USING (trap(version))",
    "check constraint": f"{TABLE}; ALTER TABLE schema_migrations ADD CONSTRAINT t"
    " CHECK (trap(version))",
    "type of column": "CREATE DOMAIN t AS boolean CHECK (trap(VALUE));"
    f"{TABLE}; ALTER TABLE schema_migrations ADD t t",
    "default": f"{TABLE}; ALTER TABLE schema_migrations ADD t boolean DEFAULT trap(1)",
    "generated column": f"{TABLE}; ALTER TABLE schema_migrations"
    " ADD t boolean GENERATED ALWAYS AS (trap(version)) STORED",
    "index": f"{TABLE}; CREATE INDEX t ON schema_migrations (trap(1), trap(version))",
    "extended statistics": f"{TABLE}; CREATE STATISTICS t ON (trap(1) AND trap(version)), dirty"
    " FROM schema_migrations",
    "child": f"{TABLE}; CREATE TABLE t () INHERITS (schema_migrations)",
    "parent": "CREATE TABLE t (version bigint NOT NULL);"
    "CREATE TABLE schema_migrations (dirty boolean NOT NULL) INHERITS (t)",
    "a view": "CREATE VIEW schema_migrations AS SELECT bigint '1' AS version, trap(1) AS dirty",
    "a partitioned table": "CREATE TABLE schema_migrations (version bigint, dirty boolean)"
    " PARTITION BY LIST (trap(version))",
}
CHANGES = {kind: sql.partition("; ")[2] for kind, sql in TRAPS.items() if sql.startswith(TABLE)} | {
    "type of column": "CREATE DOMAIN t AS boolean CHECK (trap(VALUE));"
    " ALTER TABLE schema_migrations ADD t t",
    "type of an old column": "CREATE DOMAIN t AS boolean; ALTER TABLE schema_migrations ALTER dirty"
    " TYPE t; ALTER DOMAIN t ADD CHECK (trap(VALUE)) NOT VALID",
    "parent": "CREATE TABLE t (); ALTER TABLE schema_migrations INHERIT t",
    "partition": "CREATE TABLE t (version bigint NOT NULL, dirty boolean NOT NULL) PARTITION BY"
    " LIST ((trap(version))); ALTER TABLE t ATTACH PARTITION schema_migrations DEFAULT",
    "check that is not validated": "ALTER TABLE schema_migrations ADD CHECK (trap(1)) NOT VALID",
    "partial index": "CREATE INDEX ON schema_migrations (version) WHERE trap(version)",
    "default of the log": "ALTER TABLE schema_migrations_log ALTER executed_by"
    " SET DEFAULT trap(1)::text",
    "hidden cast": "CREATE TYPE t AS ENUM ('a'); CREATE FUNCTION hidden(timestamptz) RETURNS t"
    f" LANGUAGE plpgsql AS $$ BEGIN RAISE LOG '{MARK}: hidden'; RETURN 'a'; END $$;"
    " CREATE CAST (timestamptz AS t) WITH FUNCTION hidden(timestamptz) AS ASSIGNMENT;"
    " ALTER TABLE schema_migrations_log ADD t t; ALTER TABLE schema_migrations_log"
    " ALTER t SET DEFAULT now()",
}
"""What may come while a step runs."""
HIDDEN = {
    "a function of a cast": "CREATE TYPE t AS ENUM ('a'); CREATE FUNCTION cast_it(timestamptz)"
    " RETURNS t LANGUAGE sql AS $$ SELECT 'a'::t $$; CREATE CAST (timestamptz AS t) WITH FUNCTION"
    " cast_it(timestamptz) AS ASSIGNMENT; ALTER TABLE {0} ADD t t DEFAULT now()",
    "a function of a cast from a type": "CREATE TYPE t AS ENUM ('a'); CREATE FUNCTION cast_it(t)"
    " RETURNS text LANGUAGE sql AS $$ SELECT '' $$; CREATE CAST (t AS text) WITH FUNCTION"
    " cast_it(t) AS ASSIGNMENT; ALTER TABLE {0} ADD t text DEFAULT 'a'::t",
    "the check of a domain": "CREATE DOMAIN t AS text CHECK (trap(VALUE)); ALTER TABLE {0} ADD t"
    " text DEFAULT CURRENT_USER::t",
    "the check of a constant's domain": "CREATE DOMAIN t AS text CHECK (trap(VALUE));"
    " ALTER TABLE {0} ADD t text DEFAULT '1'::t",
    "the check of an array's domain": "CREATE DOMAIN t AS int[] CHECK (trap(VALUE));"
    " ALTER TABLE {0} ADD t int[] DEFAULT '{{}}'::t",
    "a composite type": "CREATE DOMAIN d AS int CHECK (trap(VALUE)); CREATE TYPE t AS (a d);"
    " ALTER TABLE {0} ADD t text DEFAULT '(1)'::t",
}
"""Defaults that call code of others; of a cast or a domain the text alone shows nothing."""
COMMANDS: tuple[Callable[[Request], Result[Any]], ...] = (
    version,
    status,
    preview,
    verify,
    lambda asked: wait(asked, 1, timeout=60),
    up,
    lambda asked: force(asked, 1),
)


@pytest.fixture
def stranger(database: Database) -> Iterator[str]:
    """A role that may create objects in `public`, and no more."""
    name = database.create_role(password="p")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {name}")
    yield name
    database.execute(f"DROP OWNED BY {name} CASCADE")


def refusals(database: Database, url: str | None = None) -> set[str]:
    """What each command says, which refuses the history and runs nothing of it."""
    since = len(database.server.log)
    errors = [command(request(url or database, tables(1, 2))).error for command in COMMANDS]
    assert MARK not in database.server.log[since:]
    assert {error and error.reason for error in errors} == {Reason.FOREIGN_HISTORY}
    return {error.message for error in errors if error}


@pytest.mark.parametrize("kind", TRAPS)
def test_what_runs_in_a_table_is_named_whoever_owns_it(
    kind: str, database: Database, stranger: str
) -> None:
    database.execute(f"{FUNCTIONS}; SET ROLE {stranger}; {TRAPS[kind]}")
    (message,) = refusals(database)
    if kind.startswith("a "):
        assert message == f"public.schema_migrations is {kind}: it can't hold the history"
        return
    assert message.startswith(f"public.schema_migrations belongs to role {stranger}, ")
    database.execute("ALTER TABLE schema_migrations OWNER TO postgres")
    (message,) = refusals(database)
    article = "an" if kind.startswith(("e", "i")) else "a"
    assert message.startswith(f"public.schema_migrations has {article} {kind} t: "), message


def test_the_other_tables_of_a_history_are_looked_at_as_well(
    database: Database, stranger: str
) -> None:
    database.execute(f"SET ROLE {stranger}; CREATE TABLE schema_migrations_batches (id int)")
    (message,) = refusals(database)
    assert message.startswith(f"public.schema_migrations_batches belongs to role {stranger}, ")


def test_defaults_that_tools_and_people_have_are_no_obstacle(database: Database) -> None:
    database.execute(
        f"{TABLE}; CREATE TYPE mood AS ENUM ('good'); ALTER TABLE schema_migrations"
        " ADD a timestamptz DEFAULT now(), ADD b serial, ADD c text DEFAULT CURRENT_USER,"
        " ADD d timestamp DEFAULT (now() AT TIME ZONE 'utc'), ADD e int DEFAULT -1,"
        " ADD f varchar(9) DEFAULT 'it''s', ADD g uuid DEFAULT gen_random_uuid(),"
        " ADD h timestamp DEFAULT timezone('utc', now()), ADD i numeric(5, 2) DEFAULT 1.5,"
        " ADD j boolean DEFAULT false, ADD k jsonb DEFAULT '{}', ADD l int[] DEFAULT '{}',"
        " ADD m mood, ADD n date DEFAULT CURRENT_DATE, ADD o text DEFAULT NULL::text,"
        " ADD q bigint GENERATED ALWAYS AS IDENTITY,"
        " ADD r regclass DEFAULT 'schema_migrations'"
    )
    up(request(database, tables(1, 2))).unwrap()
    assert version_row(database) == [(2, False)]


@pytest.mark.parametrize(
    "default",
    [
        "query_to_xml('SELECT 1', true, true, '')::text",
        "current_setting('application_name')",
        "set_config('application_name', 'x', false)",
        "concat(now(), pg_sleep(0))",
        "'a' || 'b'",
    ],
)
def test_other_functions_of_the_servers_own_may_run_anything(
    database: Database, default: str
) -> None:
    database.execute(f"{TABLE}; ALTER TABLE schema_migrations ADD t text DEFAULT {default}")
    (message,) = refusals(database)
    assert message.startswith("public.schema_migrations has a default t: ")


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("table", ["schema_migrations", "schema_migrations_log"])
def test_a_default_may_call_what_its_text_does_not_show(
    database: Database, hidden: str, table: str
) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute(f"{FUNCTIONS}; {HIDDEN[hidden].format(table)}")
    (message,) = refusals(database)
    assert message.startswith(f"public.{table} has a default t: ")


def test_a_history_may_belong_to_who_is_trusted_anyway(database: Database, stranger: str) -> None:
    """The database's owner, roles that the run's own is a member of, and superusers."""
    runner = database.create_role(password="p")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {runner}")
    url = database.url_for(runner, "p")
    up(request(database, tables(1, 2))).unwrap()
    database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {runner}")
    version(request(url)).unwrap()
    for name in ("schema_migrations", "schema_migrations_log"):
        database.execute(f"ALTER TABLE {name} OWNER TO {stranger}")
    assert refusals(database)
    assert refusals(database, url)
    database.execute(f"GRANT {stranger} TO {runner}")
    version(request(url)).unwrap()
    assert refusals(database)
    database.execute(f"REVOKE {stranger} FROM {runner}; GRANT {runner} TO {stranger}")
    version(request(url)).unwrap()
    database.execute(f"REVOKE {runner} FROM {stranger}")
    assert refusals(database, url)
    database.execute(f"ALTER DATABASE {database.name} OWNER TO {stranger}")
    version(request(url)).unwrap()
    up(request(database, tables(1, 2, 3))).unwrap()
    database.execute(f"ALTER DATABASE {database.name} OWNER TO postgres; DROP OWNED BY {runner}")


def replace_table(database: Database, stranger: str) -> None:
    """What the owner of a schema can do at any time."""
    database.execute(
        f"DROP TABLE schema_migrations; {FUNCTIONS}; SET ROLE {stranger}; {TRAPS['trigger']};"
        f"GRANT ALL ON schema_migrations TO PUBLIC"
    )


def test_a_table_that_is_replaced_after_the_look_is_not_read(
    database: Database, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(request(database, tables(1))).unwrap()
    done = 0
    original = Session.query

    def replaced(self: Session, sql: str, *, before: str = "") -> list[list[Row]]:
        nonlocal done
        done += 1
        if done == 2:
            replace_table(database, stranger)
        return original(self, sql, before=before)

    monkeypatch.setattr(Session, "query", replaced)
    since = len(database.server.log)
    result = up(request(database, tables(1, 2)))
    assert result.error is not None
    assert MARK not in database.server.log[since:]
    assert version_row(database) == []


def test_a_table_that_is_replaced_before_a_step_is_not_written(
    database: Database, stranger: str
) -> None:
    up(request(database, tables(1))).unwrap()
    witness = Witness(on_start=lambda _: replace_table(database, stranger))
    since = len(database.server.log)
    result = up(request(database, tables(1, 2), observer=witness))
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY
    assert MARK not in database.server.log[since:]
    assert version_row(database) == []


@pytest.mark.parametrize("change", CHANGES)
def test_what_comes_between_two_steps_is_not_run(database: Database, change: str) -> None:
    """From anybody who may alter the tables, or has the TRIGGER privilege, during a long step."""
    up(request(database, tables(1))).unwrap()
    database.execute(FUNCTIONS)
    since = 0

    def on_start(_: object) -> None:
        nonlocal since
        database.execute(CHANGES[change])
        since = len(database.server.log)

    result = up(request(database, tables(1, 2), observer=Witness(on_start=on_start)))
    assert since
    assert MARK not in database.server.log[since:]
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY
    assert version_row(database) == [(1, False)]
    assert database.query("SELECT pg_catalog.to_regclass('t2')") == [(None,)]


ISOLATED = {
    "by default": "{wait};",
    "by the file": "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1; {wait};",
    "by a session that the file leaves": "SET default_transaction_isolation = 'serializable';"
    " SELECT 1; {wait};",
    "without a transaction": "-- dbmigrate:no-transaction\nCREATE TABLE a (); {wait};"
    " CREATE INDEX CONCURRENTLY ON t1 (id);",
    "in a transaction of the file": "-- dbmigrate:no-transaction\nBEGIN ISOLATION LEVEL REPEATABLE"
    " READ; SELECT 1; {wait}; COMMIT;",
    "in the second transaction": "-- dbmigrate:no-transaction\nBEGIN; COMMIT AND CHAIN; SELECT 1;"
    " {wait}; COMMIT;",
    "in batches": "-- dbmigrate:batched size=10 start=0\nUPDATE t1 SET a = 1 WHERE id IN (SELECT"
    " id FROM t1 WHERE id > :cursor AND ({wait})::text IS NOT NULL ORDER BY id LIMIT :batch_size)"
    " RETURNING id;",
}
"""Files of transactions whose snapshot is as old as their first query."""


@pytest.mark.parametrize("transactions", Transactions)
@pytest.mark.parametrize("kind", ISOLATED)
def test_what_a_transaction_does_not_see_any_more_is_not_run(
    database: Database, kind: str, transactions: Transactions
) -> None:
    """A trigger by a role with the privilege, made while a statement of a long file runs."""
    if transactions is Transactions.ALL and ISOLATED[kind].startswith("--"):
        pytest.skip("it can't be in one transaction with others")
    name = database.name
    database.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    up(request(database, tables(1))).unwrap()
    stranger = database.create_role(password="p")
    database.execute(
        f"ALTER TABLE t1 ADD PRIMARY KEY (id), ADD a int; INSERT INTO t1 SELECT 1;"
        f" {FUNCTIONS}; GRANT TRIGGER ON schema_migrations,"
        f" schema_migrations_log TO {stranger}; GRANT EXECUTE ON FUNCTION trap() TO {stranger}"
    )
    tried = []
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(1)")

        def plant() -> None:
            for history in ("schema_migrations", "schema_migrations_log"):
                with database.connect() as other, suppress(LockNotAvailable):
                    other.execute(
                        f"SET ROLE {stranger}; SET lock_timeout = 100;"
                        f" CREATE TRIGGER t BEFORE INSERT OR UPDATE ON {history}"
                        " FOR EACH STATEMENT EXECUTE FUNCTION trap()"
                    )
            tried.append(kind)
            holder.execute("SELECT pg_advisory_unlock(1)")

        text = ISOLATED[kind].format(wait="SELECT pg_advisory_xact_lock_shared(1)")
        options = Options(who="tester", transactions=transactions, statement_lock_timeout_ms=0)
        since = len(database.server.log)
        result = up(
            request(
                database,
                source(table(1), migration(2, text), migration(3, "SELECT 1")),
                options=options,
                observer=Witness(on_blocked=plant),
            )
        )
    assert tried == [kind], result.error
    assert MARK not in database.server.log[since:]


def test_a_trigger_that_a_file_makes_is_not_run(database: Database) -> None:
    database.execute(FUNCTIONS)
    files = source(migration(1, "SELECT 1"), migration(2, CHANGES["trigger"]))
    since = len(database.server.log)
    result = up(request(database, files))
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY
    assert MARK not in database.server.log[since:]
    assert version_row(database) == [(1, False)]


def test_what_runs_nothing_may_come_during_a_run(database: Database) -> None:
    """Columns, plain indexes, views, rights and statistics, by a file or by anybody."""
    changes = (
        "ALTER TABLE schema_migrations ADD at timestamptz DEFAULT now(),"
        " ADD who text DEFAULT CURRENT_USER, ADD n serial",
        "CREATE TYPE mood AS ENUM ('good'); ALTER TABLE schema_migrations ADD m mood",
        "CREATE INDEX ON schema_migrations (dirty); CREATE STATISTICS s ON version, dirty"
        " FROM schema_migrations",
        "CREATE VIEW v AS SELECT * FROM schema_migrations; GRANT SELECT ON v TO PUBLIC",
        "GRANT SELECT ON schema_migrations, schema_migrations_log TO PUBLIC;"
        " COMMENT ON TABLE schema_migrations IS 'x'; ANALYZE schema_migrations",
        "ALTER TABLE schema_migrations_log ALTER executed_by SET DEFAULT CURRENT_USER",
        "DROP VIEW v; ALTER TABLE schema_migrations DROP who, ALTER n TYPE bigint",
    )
    files = source(*(migration(n, sql) for n, sql in enumerate(changes, start=1)))
    up(request(database, files)).unwrap()
    assert version_row(database) == [(len(changes), False)]


def test_a_table_that_somebody_makes_before_we_do_is_not_used(
    database: Database, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbmigrate.postgres.history.tables import create_sql as original

    def create_sql(history: History) -> str:
        database.execute(f"{FUNCTIONS}; SET ROLE {stranger}; {TRAPS['trigger']}")
        return original(history)

    monkeypatch.setattr("dbmigrate.postgres.history.tables.create_sql", create_sql)
    since = len(database.server.log)
    result = up(request(database, tables(1)))
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY
    assert MARK not in database.server.log[since:]
