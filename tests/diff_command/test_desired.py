"""What is desired, in each way that people say it, made in a database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import ConnectionTarget, parse_target
from dbmigrate.postgres.schema.catalog import Catalog, compare, read_catalog
from dbmigrate.report import Reason
from dbmigrate.runner.diffing.build import make_desired
from dbmigrate.runner.diffing.desired import SchemaProgram, SqlFiles, find_beside, read_desired
from dbmigrate.runner.diffing.schema_scripts import SchemaScript, run_scripts
from dbmigrate.runner.request import Request
from dbmigrate.runner.scratch.database import ScratchSpace, open_session
from dbmigrate.runner.stop import Stop
from dbmigrate.sources.migration import Source
from tests.database import Database, Server

pytestmark = pytest.mark.database


@pytest.fixture
def space(server: Server) -> ScratchSpace:
    return ScratchSpace(parse_target(server.url("postgres"), {}), is_ours=True)


@pytest.fixture
def scratch(space: ScratchSpace, database: Database) -> Iterator[ConnectionTarget]:
    with space.database(parse_target(database.url, {}), "test") as target:
        yield target


def make(scratch: ConnectionTarget, space: ScratchSpace, *places: str | Path) -> Catalog:
    desired = tuple(read_desired(str(place), {}) for place in places)
    make_desired(scratch, desired, Request("diff", scratch), space)
    with open_session(scratch, "test") as session:
        return read_catalog(session, without=scratch.history)


def names(catalog: Catalog) -> set[str]:
    return {str(name) for name in catalog if name.kind in {"table", "view", "function", "policy"}}


def test_a_directory_of_files_needs_no_order(
    tmp_path: Path, scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    files = {
        "a_view.sql": "CREATE VIEW v AS SELECT f(id) AS x FROM t;",
        "b.sql": "SET search_path = app; CREATE TABLE u (id int REFERENCES public.t);"
        "CREATE INDEX CONCURRENTLY i ON u (id);",
        "deep/c.sql": "CREATE TABLE t (id int PRIMARY KEY); CREATE SCHEMA app;",
        "deep/d.sql": "BEGIN; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS"
        " 'SELECT count(*)::int FROM nowhere'; COMMIT;",
    }
    (tmp_path / "deep").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert names(make(scratch, space, tmp_path)) == {
        "table public.t",
        "table app.u",
        "view public.v",
        "function public.f(integer)",
    }


def test_what_never_comes_is_shown_with_its_place(
    tmp_path: Path, scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    (tmp_path / "a.sql").write_text(
        "CREATE TABLE t (id int);\nCREATE VIEW v AS\n  SELECT * FROM x;"
    )
    with pytest.raises(
        MigrationError, match=r"can't be made: relation .x. does not exist"
    ) as caught:
        make(scratch, space, tmp_path)
    assert caught.value.location is not None
    assert (caught.value.location.line, caught.value.location.column) == (3, 17)


def test_the_dump_of_a_database_is_a_schema_with_its_roles(
    database: Database, tmp_path: Path, scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    role = database.create_role()
    database.execute(
        f"CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT ON t TO {role};"
        f"ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t TO {role} USING (id > 1)"
    )
    file = tmp_path / "schema.sql"
    dumped = database.dump_schema().replace(role, f"{role}_gone")
    file.write_text(
        f"\\restrict abc\n{dumped}\n\\unrestrict abc\nINSERT INTO public.t VALUES (1);\n"
    )
    catalog = make(scratch, space, file)
    assert names(catalog) == {"table public.t", "policy public.t.p"}


def test_on_a_server_of_others_no_role_is_made(
    tmp_path: Path, scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    file = tmp_path / "schema.sql"
    file.write_text("CREATE TABLE t (id int);\nGRANT SELECT ON t TO nobody_there;")
    theirs = ScratchSpace(space.server, is_ours=False)
    with pytest.raises(MigrationError, match="nobody_there") as caught:
        make(scratch, theirs, file)
    assert caught.value.hint == "make the role on the server of -dev-url"


def test_a_live_database_is_copied_without_its_rows_and_owners(
    database: Database,
    scratch: ConnectionTarget,
    space: ScratchSpace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, b text DEFAULT 'x'); INSERT INTO t VALUES (1);"
        "CREATE VIEW v AS SELECT b FROM t; COMMENT ON TABLE t IS 'c'"
    )
    catalog = make(scratch, space, database.url)
    with open_session(parse_target(database.url, {}), "test") as session:
        assert list(compare(read_catalog(session), catalog)) == []
    with open_session(scratch, "test") as session:
        assert session.query("SELECT * FROM public.t") == [[]]


def test_an_old_pg_dump_on_the_path_does_not_keep_a_newer_one_from_a_database(
    database: Database,
    scratch: ConnectionTarget,
    space: ScratchSpace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    database.execute("CREATE TABLE t (id int PRIMARY KEY)")
    assert "table public.t" in names(make(scratch, space, database.url))


def test_a_program_prints_the_schema(scratch: ConnectionTarget, space: ScratchSpace) -> None:
    command = f"exec:{sys.executable} -c \"print('CREATE TABLE t (id int);')\""
    assert names(make(scratch, space, command)) == {"table public.t"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; print('no models', file=sys.stderr); sys.exit(7)", "ended with code 7"),
        ("import os; os.kill(os.getpid(), 9)", "ended with signal 9"),
        ("print(chr(0))", "a NUL byte"),
    ],
)
def test_a_program_that_fails_is_told(
    scratch: ConnectionTarget, space: ScratchSpace, code: str, said: str
) -> None:
    with pytest.raises(MigrationError, match=said) as caught:
        make(scratch, space, f'exec:{sys.executable} -c "{code}"')
    assert caught.value.reason is Reason.SOURCE_INVALID
    assert caught.value.detail in (None, "no models")


def test_an_error_names_the_output_of_a_program_and_not_the_program(
    scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    """The line is one of what it printed."""
    code = "print('CREATE TABLE a (s text);'); print('CREATE TABLE b (é nosuch);')"
    with pytest.raises(MigrationError) as caught:
        make(scratch, space, f'exec:{sys.executable} -c "{code}"')
    place = caught.value.location
    assert place is not None
    assert (place.file, place.line, place.column) == (f"output of {sys.executable}", 2, 19)


def test_a_program_gets_no_shell_and_one_that_is_not_there_is_told(
    scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    with pytest.raises(MigrationError, match="nothing-like-this; can't be run: no such file"):
        make(scratch, space, "exec:nothing-like-this; echo 'SELECT 1;'")
    assert read_desired("exec:a 'b c' $d", {}) == SchemaProgram(("a", "b c", "$d"))


def test_migrations_are_run_and_several_descriptions_add_up(
    tmp_path: Path, scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "1_t.up.sql").write_text("CREATE TABLE t (id int); GRANT ALL ON t TO made_up")
    (tmp_path / "more.sql").write_text("CREATE TABLE u (id int);")
    assert isinstance(read_desired(str(tmp_path / "m"), {}), Source)
    found = make(scratch, space, tmp_path / "m", tmp_path / "more.sql")
    assert names(found) == {"table public.t", "table public.u"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nowhere.sql", "no such file"),
        ("exec:", "names no program"),
        ("exec:'x", "no closing quotation"),
        ("empty", "holds neither migrations nor"),
    ],
)
def test_a_description_that_means_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MigrationError, match=said):
        read_desired(text, {})


def test_the_schema_beside_the_migrations_is_found(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    assert find_beside(str(tmp_path / "migrations")) is None
    (tmp_path / "schema.sql").touch()
    assert find_beside(str(tmp_path / "migrations")) == str(tmp_path / "schema.sql")
    assert isinstance(read_desired(str(tmp_path / "schema.sql"), {}), SqlFiles)


def test_a_script_that_would_roll_back_is_refused(
    tmp_path: Path, scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    (tmp_path / "a.sql").write_text("BEGIN;\nCREATE TABLE t (id int);\nROLLBACK;")
    with pytest.raises(MigrationError, match=r"a.sql: line 3: .* can't roll back"):
        make(scratch, space, tmp_path / "a.sql")


def test_what_a_newer_pg_dump_sets_is_passed_over(
    tmp_path: Path, scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    (tmp_path / "a.sql").write_text("SET of_the_future = 1;\nCREATE TABLE t (id int);")
    assert names(make(scratch, space, tmp_path / "a.sql")) == {"table public.t"}


def test_an_extension_that_the_server_lacks_is_told_with_the_way_out(
    tmp_path: Path, scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    (tmp_path / "a.sql").write_text("CREATE EXTENSION not_to_be_had;")
    with pytest.raises(MigrationError, match="not_to_be_had") as caught:
        make(scratch, space, tmp_path / "a.sql")
    assert caught.value.hint == "name a server that has the extension with -dev-url"


def test_many_statements_go_in_few_messages_and_the_one_that_fails_is_found(
    scratch: ConnectionTarget,
) -> None:
    tables = [f"CREATE TABLE t{number} (id int);" for number in range(500)]
    tables[250] = "CREATE INDEX CONCURRENTLY i ON t1 (id);"
    with open_session(scratch, "test") as session:
        script = SchemaScript("a.sql", "\n".join([*tables, "ALTER TABLE t2 ADD id text;"]).encode())
        with pytest.raises(MigrationError, match=r"column .id. .* already exists") as caught:
            run_scripts(session, [script], may_make_roles=False, stop=Stop())
        assert caught.value.location is not None
        assert caught.value.location.line == 501
        assert session.round_trips < 20
        [[(count,)]] = session.query("SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]'")
    assert count == "499"


def test_what_waits_for_another_file_finds_the_settings_of_its_own(
    tmp_path: Path, scratch: ConnectionTarget, space: ScratchSpace
) -> None:
    (tmp_path / "a.sql").write_text(
        "CREATE SCHEMA app; SELECT set_config('search_path', 'app', false);"
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS"
        " $$ SELECT set_config('search_path', 'x', true) $$;"
        "CREATE VIEW v AS SELECT * FROM public.t;"
    )
    (tmp_path / "b.sql").write_text("CREATE TABLE t (id int);")
    found = names(make(scratch, space, tmp_path))
    assert found == {"function app.f()", "view app.v", "table public.t"}
