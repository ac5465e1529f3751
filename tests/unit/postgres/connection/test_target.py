"""What a connection URL is read into."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import conninfo as libpq

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import (
    HistoryTable,
    parse_history_table,
    parse_target,
)
from dbmigrate.report import Reason

UTF8 = {"client_encoding": "UTF8"}


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "pgx", "pgx4", "pgx5"])
def test_each_scheme_of_golang_migrate_reads_the_same(scheme: str) -> None:
    target = parse_target(f"{scheme}://app:secret@db:5433/shop?sslmode=disable", {})
    assert target.conninfo == UTF8 | {
        "user": "app",
        "password": "secret",
        "host": "db",
        "port": "5433",
        "dbname": "shop",
        "sslmode": "disable",
    }
    assert target.url_database == "/shop"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://db", {"host": "db"}),
        ("postgres://db/", {"host": "db"}),
        ("postgres:///shop", {"dbname": "shop"}),
        ("postgres://", {}),
        ("postgres://app@/shop?host=/run/pg", {"user": "app", "dbname": "shop", "host": "/run/pg"}),
        ("postgres://%2Frun%2Fpg/shop", {"host": "/run/pg", "dbname": "shop"}),
        ("postgres://[::1]:5433/shop", {"host": "::1", "port": "5433", "dbname": "shop"}),
        ("postgres://[fe80::1%25eth0]/shop", {"host": "fe80::1%eth0", "dbname": "shop"}),
        ("postgres://a:1,b:2/shop", {"host": "a,b", "port": "1,2", "dbname": "shop"}),
        ("postgres://a,[::1]:2/shop", {"host": "a,::1", "port": ",2", "dbname": "shop"}),
        ("postgres://db/my%20shop", {"host": "db", "dbname": "my shop"}),
        ("postgres://db/shop?user=a+b%40c", {"host": "db", "dbname": "shop", "user": "a b@c"}),
        ("postgres://u@db/shop?user=v&user=w", {"host": "db", "dbname": "shop", "user": "v"}),
        ("postgres://db/shop?application_name=me@here", {"application_name": "me@here"}),
        ("postgres://db/shop?", {"host": "db", "dbname": "shop"}),
        ("  postgres://db/shop\r\n", {"host": "db", "dbname": "shop"}),
        ("postgres://db?dbname=shop", {"host": "db", "dbname": "shop"}),
        ("postgres://db/shop?default_query_exec_mode=exec", {"host": "db", "dbname": "shop"}),
    ],
)
def test_a_url_is_taken_apart(url: str, expected: dict[str, str]) -> None:
    conninfo = parse_target(url, {}).conninfo
    assert {key: conninfo.get(key) for key in expected} == expected
    if "application_name" not in expected:
        assert conninfo == UTF8 | expected


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("postgres://db/shop", "/shop"),
        ("postgres://db/my%20shop", "/my shop"),
        ("postgres://db/", "/"),
        ("postgres://db", None),
        ("postgres://db?dbname=shop", None),
        ("postgres://db/shop?dbname=other", "/shop"),
        ("host=db dbname=shop", None),
    ],
)
def test_the_lock_hashes_the_path_as_golang_migrate_does(url: str, database: str | None) -> None:
    assert parse_target(url, {}).url_database == database


@pytest.mark.parametrize(
    "password",
    [
        "p@ss/w#rd?",
        "p@ss",
        "a/b",
        "a#b",
        "a?b",
        "a:b",
        "100%",
        "%zz",
        "a b",
        "@",
        "a@b@c",
        "?a",
        "a&b=c",
        "[x]",
        "\u00e9\u4e2d",
        "",
    ],
)
@pytest.mark.parametrize("rest", ["db.example:5432/shop", "db/shop?sslmode=disable", "db"])
def test_a_password_may_be_written_as_it_is(password: str, rest: str) -> None:
    conninfo = parse_target(f"postgres://app:{password}@{rest}", {}).conninfo
    assert conninfo["password"] == password
    assert conninfo["user"] == "app"
    assert conninfo["host"].startswith("db")


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:s@cret/x@host",
        "postgres://u:s@cret/x@host:5432/db?sslmode=disable",
        "postgres://u:se@cret?x=1@host/db",
        "postgres://u:se@cret?application_name=x@host/db",
        "postgres://u:5432/secret@host/db",
        "postgres://u:/secret@host/db",
        "postgres:///u:secret@host/db",
        "postgres://host/u:secret@db",
        "postgres://u%3Asecret%40host/db",
        "postgres://host/db?password=sec&ret=x",
        "postgres://host/db?host=u:secret@host",
        "host=u:secret@host dbname=db",
        "host=db password=sec ret=x",
        "host=db password=secret etc=x junk",
        "secret@host/db",
        "secret:x@host/db",
        "u:secret@host/db",
    ],
)
def test_what_can_be_read_in_several_ways_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(MigrationError) as caught:
        parse_target(url, {})
    shown = f"{caught.value.message} {caught.value.hint}"
    assert not [part for part in ("secret", "cret", "sec", "etc", "ret=") if part in shown]


def test_a_host_that_holds_a_password_is_refused_in_the_environment_too() -> None:
    with pytest.raises(MigrationError, match=r"PGHOST is no host's name .* not shown"):
        parse_target("", {"PGHOST": "u:secret@host"})


def test_an_error_says_how_to_write_a_password() -> None:
    with pytest.raises(MigrationError, match=r"more than one @ may end .* %40 .* %2F"):
        parse_target("postgres://u:s@cret/x@host", {})


def test_an_unescaped_password_keeps_the_at_sign_of_a_parameter() -> None:
    conninfo = parse_target("postgres://u:p/w@db/shop?application_name=me@laptop", {}).conninfo
    assert conninfo["password"] == "p/w"
    assert conninfo["application_name"] == "me@laptop"


@given(user=st.text(min_size=1), password=st.text(), database=st.text(min_size=1))
def test_everything_that_is_escaped_comes_back(user: str, password: str, database: str) -> None:
    def escape(text: str) -> str:
        return "".join(f"%{byte:02X}" for byte in text.encode())

    url = f"postgres://{escape(user)}:{escape(password)}@db/{escape(database)}"
    if "\0" in user + password + database:
        with pytest.raises(MigrationError, match="NUL"):
            parse_target(url, {})
        return
    conninfo = parse_target(url, {}).conninfo
    assert (conninfo["user"], conninfo["password"], conninfo["dbname"]) == (
        user,
        password,
        database,
    )


@given(st.text(alphabet="pw@:/?#%&=[],. ", max_size=12))
def test_no_error_and_no_display_shows_a_password(text: str) -> None:
    secret = f"s3cr3t{text}s3cr3t"
    try:
        shown = repr(parse_target(f"postgres://app:{secret}@db/shop", {}))
    except MigrationError as error:
        shown = error.message
    assert "s3cr3t" not in shown


@given(
    st.dictionaries(
        st.sampled_from(["dbname", "user", "password", "application_name"]),
        st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    ),
    st.sampled_from([{}, {"host": "db"}, {"host": "/run/p g'"}, {"host": "::1,a-b.c"}]),
)
def test_keyword_strings_read_as_libpq_reads_them(
    others: dict[str, str], host: dict[str, str]
) -> None:
    params = others | host
    text = libpq.make_conninfo("", **params)
    if not text.strip():
        return
    expected = {key: str(value) for key, value in libpq.conninfo_to_dict(text).items()}
    assert parse_target(text, {}).conninfo == UTF8 | expected


@pytest.mark.parametrize(
    "text",
    [
        "host=db port = 5433 dbname='my shop' password='it\\'s \\\\ here'",
        "service=shop",
        r"password=a\ b host=db",
        "host=db password='' user=u",
        "host=db password= user=u",
        "host=db\tuser=u\n",
    ],
)
def test_handwritten_keyword_strings_read_as_libpq_reads_them(text: str) -> None:
    expected = {key: str(value) for key, value in libpq.conninfo_to_dict(text).items()}
    assert parse_target(text, {}).conninfo == UTF8 | expected


def test_a_keyword_string_may_hold_golang_migrates_parameters() -> None:
    target = parse_target("host=db x-migrations-table=versions", {})
    assert target.history == HistoryTable(None, "versions")
    assert target.conninfo == UTF8 | {"host": "db"}


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("search_path=app,public", "-c search_path=app,public"),
        ("lock_timeout=5s&statement_timeout=1min", "-c lock_timeout=5s -c statement_timeout=1min"),
        ("search_path=%22My%20Schema%22", '-c search_path="My\\ Schema"'),
        ("app.name=a%5Cb", "-c app.name=a\\\\b"),
        ("options=-c%20work_mem%3D1MB&role=owner", "-c work_mem=1MB -c role=owner"),
    ],
)
def test_run_time_parameters_become_options(query: str, options: str) -> None:
    assert parse_target(f"postgres://db/shop?{query}", {}).conninfo["options"] == options


def test_run_time_parameters_do_not_push_pgoptions_aside() -> None:
    environ = {"PGOPTIONS": "-c work_mem=1MB"}
    conninfo = parse_target("postgres://db/shop?role=owner", environ).conninfo
    assert conninfo["options"] == "-c work_mem=1MB -c role=owner"
    assert "options" not in parse_target("postgres://db/shop", environ).conninfo


@pytest.mark.parametrize(
    ("query", "history"),
    [
        ("", HistoryTable(None, "schema_migrations")),
        ("x-migrations-table=versions", HistoryTable(None, "versions")),
        ("x-migrations-table=foo.bar", HistoryTable(None, "foo.bar")),
        ('x-migrations-table="a"."b"&x-migrations-table-quoted=1', HistoryTable("a", "b")),
        ('x-migrations-table="b"&x-migrations-table-quoted=true', HistoryTable(None, "b")),
        ("x-migrations-table=%22a.b%22&x-migrations-table-quoted=T", HistoryTable(None, "a.b")),
        ("x-migrations-table-quoted=true", HistoryTable(None, "schema_migrations")),
    ],
)
def test_the_history_table_is_named_as_in_golang_migrate(query: str, history: HistoryTable) -> None:
    assert parse_target(f"postgres://db/shop?{query}", {}).history == history


def test_statement_parameters_are_read() -> None:
    target = parse_target(
        "pgx5://db/shop?x-statement-timeout=1500&x-multi-statement=true"
        "&x-multi-statement-max-size=1024",
        {},
    )
    assert target.statement_timeout_ms == 1500
    assert target.multi_statement
    assert target.multi_statement_max_size == 1024
    assert target.conninfo == UTF8 | {"host": "db", "dbname": "shop"}


def test_statement_parameters_have_golang_migrates_defaults() -> None:
    target = parse_target("pgx5://db/shop?x-multi-statement-max-size=-1", {})
    assert target.statement_timeout_ms is None
    assert not target.multi_statement
    assert target.multi_statement_max_size == 10 * 1 << 20


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "failed to parse scheme from database URL: URL cannot be empty"),
        ("shop", "failed to parse scheme from database URL: no scheme"),
        ("://db", "failed to parse scheme from database URL: no scheme"),
        (
            "mysql://db/shop",
            "failed to open database: database driver: unknown driver mysql (forgotten import?)",
        ),
        (
            "pgx5://db/shop?x-migrations-table-quoted=maybe",
            "failed to open database: unable to parse option x-migrations-table-quoted:"
            " strconv.ParseBool: invalid syntax: expected true or false",
        ),
        (
            "pgx5://db/shop?x-migrations-table=a&x-migrations-table-quoted=1",
            "failed to open database: x-migrations-table must be quoted (for instance"
            ' \'"migrate"."schema_migrations"\') when x-migrations-table-quoted is enabled',
        ),
        (
            'pgx5://db/shop?x-migrations-table="a"."b"."c"&x-migrations-table-quoted=1',
            "failed to open database: x-migrations-table contains too many dot characters",
        ),
        (
            "pgx5://db/shop?x-multi-statement=2",
            "failed to open database: unable to parse option x-multi-statement:"
            " strconv.ParseBool: invalid syntax: expected true or false",
        ),
        (
            "pgx5://db/shop?x-statement-timeout=1s",
            "failed to open database: unable to parse option x-statement-timeout:"
            " strconv.Atoi: invalid syntax: expected a number",
        ),
        (
            "pgx5://db/shop?x-multi-statement-max-size=99999999999999999999",
            "failed to open database: unable to parse option x-multi-statement-max-size:"
            " strconv.Atoi: value out of range: expected a number",
        ),
        (
            "pgx4://db/shop?x-lock-strategy=row",
            "failed to open database: unknown lock strategy: x-lock-strategy is advisory",
        ),
        (
            "postgres://db/shop?client_encoding=latin1",
            "failed to open database: client_encoding must be absent or 'UTF8'",
        ),
    ],
)
def test_a_bad_url_is_refused_with_golang_migrates_text(url: str, message: str) -> None:
    with pytest.raises(MigrationError) as caught:
        parse_target(url, {})
    assert caught.value.message == message
    assert caught.value.reason is Reason.CONNECTION_INVALID
    assert not caught.value.is_retryable


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "jdbc:postgresql://db/shop",
        "postgresql+psycopg2://db/shop",
        "postgres//db/shop",
        "'postgres://db/shop'",
        "mysql://db/shop",
        "https://db/shop",
        "postgres://db/shop?schema=public",
        "postgres://db:port/shop",
        "host=db dbname='shop",
        "host=db port=none",
        "postgres://db/shop?client_encoding=latin1",
        "REPLACE_ME",
    ],
)
def test_what_a_secret_holds_in_the_place_of_a_url_has_a_reason_of_its_own(url: str) -> None:
    with pytest.raises(MigrationError) as caught:
        parse_target(url, {})
    assert caught.value.reason is Reason.CONNECTION_INVALID


@pytest.mark.parametrize(
    "url",
    [
        "postgres:db",
        "postgres:/db",
        "postgres://u:s3cr3t@db:54x/shop",
        "postgres://u:s3cr3t@db/shop#x",
        "postgres://u:s3cr3t@db/shop?sslinline=true",
        "pgx4://u:s3cr3t@db/shop?x-lock-strategy=table",
        "host='db",
        "host=db password=s3cr3t junk",
        "host=db password='s3cr3t",
        "postgres://u:s3cr3t@db/shop?x-statement-timeout=-1",
        'pgx5://u:s3cr3t@db/shop?x-migrations-table="""&x-migrations-table-quoted=1',
    ],
)
def test_an_unreadable_one_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(MigrationError, match=r"^failed to open database: ") as caught:
        parse_target(url, {})
    assert "s3cr3t" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("DATABASE_URL=postgres://u:s3cr3t@db/shop", "begins with a variable's name"),
        ("export DATABASE_URL='postgres://u:s3cr3t@db/shop'", "begins with a variable's name"),
        ("url: postgres://u:s3cr3t@db/shop", "begins with a variable's name"),
        ("'postgres://u:s3cr3t@db/shop'", "begins with a quotation mark"),
        ("Server=db;Database=shop;User Id=u;Password=s3cr3t;", "connection string of .NET"),
        ("host=db;port=5432;username=u;password=s3cr3t", "connection string of .NET"),
        ("Driver={PostgreSQL Unicode};Server=db;Uid=u;Pwd=s3cr3t", "connection string of .NET"),
        ("jdbc:postgresql://db/shop?user=u&password=s3cr3t", "a JDBC URL: leave out jdbc:"),
        ("postgresql+psycopg2://u:s3cr3t@db/shop", "a URL of SQLAlchemy"),
        ("psql postgres://u:s3cr3t@db/shop", "a command, not a URL"),
        ('{"url": "postgres://u:s3cr3t@db/shop"}', "a document, not a URL"),
        ("Password=s3cr3t", "write password"),
        ("postgres://db/shop?Password=s3cr3t", "write password"),
        ("postgres://db/shop?schema=s3cr3t", "write search_path"),
    ],
)
def test_what_is_no_url_is_named_by_its_kind_and_not_shown(text: str, kind: str) -> None:
    with pytest.raises(MigrationError) as caught:
        parse_target(text, {})
    assert kind in caught.value.message
    assert "s3cr3t" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "password=a;b host=db",
        "host=db password='x;password=y;'",
        "dbname=postgres://db/shop",
    ],
)
def test_what_looks_like_one_but_is_a_keyword_string_is_read(text: str) -> None:
    expected = {key: str(value) for key, value in libpq.conninfo_to_dict(text).items()}
    if text.startswith("dbname"):
        expected = {"dbname": "postgres://db/shop"}
    assert parse_target(text, {}).conninfo == UTF8 | expected


@pytest.mark.parametrize("bad", ["%ff", "%C3%28", "%ED%A0%80", "\udcff"])
@pytest.mark.parametrize(
    "form",
    [
        "postgres://u{}:p@db/shop",
        "postgres://u:p{}@db/shop",
        "postgres://u:p@db/shop{}",
        "postgres://db{}/shop",
        "postgres://db/shop?sslmode={}",
        "postgres://db/shop?work_mem={}",
        "postgres://db/shop?x-migrations-table={}",
        "postgres://db/shop?{}=1",
        "host=db password={}",
    ],
)
def test_bytes_that_are_not_utf8_are_a_fault_of_the_url(form: str, bad: str) -> None:
    text = form.format(bad)
    if "%" in bad and (text.startswith("host=") or "?%" in text):
        return  # percent-encoding means nothing there
    with pytest.raises(MigrationError, match=r"^failed to open database: .*(UTF-8|can't read)"):
        parse_target(text, {})
    with pytest.raises(MigrationError, match="PGUSER holds bytes that are not UTF-8"):
        parse_target("", {"PGHOST": "db", "PGUSER": "\udcff"})
    with pytest.raises(MigrationError, match="not UTF-8"):
        parse_history_table("a.\udcff")


@pytest.mark.parametrize("scheme", ["postgres", "pgx5"])
def test_lock_strategies_are_ignored_where_golang_migrate_ignores_them(scheme: str) -> None:
    target = parse_target(f"{scheme}://db/shop?x-lock-strategy=table&x-lock-table=l", {})
    assert target.conninfo == UTF8 | {"host": "db", "dbname": "shop"}


@pytest.mark.parametrize("name", ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGUSER", "PGSERVICE"])
def test_libpqs_variables_suffice_without_a_url(name: str) -> None:
    target = parse_target("", {name: "x"})
    assert target.conninfo == UTF8
    assert target.url_database is None


@pytest.mark.parametrize(
    ("url", "environ", "display"),
    [
        ("postgres://u:p@db:5433/shop", {}, "db:5433/shop"),
        ("postgres://u:p@[::1]:5433/shop", {}, "[::1]:5433/shop"),
        ("postgres://a:1,b:2/shop", {}, "a:1,b:2/shop"),
        ("postgres://a,b:2/shop", {}, "a,b:2/shop"),
        ("host=a,::1 port=5433 dbname=shop", {}, "a:5433,[::1]:5433/shop"),
        ("postgres://u@/shop?socket=/run/pg", {}, "/run/pg/shop"),
        ("postgres:///shop?host=/run/pg&port=1", {}, "/run/pg/shop"),
        ("", {"PGHOST": "db", "PGPORT": "1", "PGDATABASE": "shop"}, "db:1/shop"),
        ("", {"PGSERVICE": "shop"}, "service shop"),
        ("postgres://", {}, "(default host)/(default database)"),
        ("host=db dbname='password=p host=x'", {}, "db/(not shown)"),
        ("postgres://db/shop:s3cr3t", {}, "db/(not shown)"),
        ("host=db port=5432 service='a b'", {}, "db:5432/(default database)"),
        ("service='a b'", {}, "service (not shown)"),
        (
            "",
            {"PGHOST": "db", "PGDATABASE": "x", "DBMIGRATE_SECRET_VARIABLES": "A,PGDATABASE"},
            "db/(not shown)",
        ),
    ],
)
def test_the_display_names_host_and_database(
    url: str, environ: dict[str, str], display: str
) -> None:
    assert str(parse_target(url, environ)) == display


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("versions", HistoryTable(None, "versions")),
        ("app.versions", HistoryTable("app", "versions")),
        ('"My App"."my.versions"', HistoryTable("My App", "my.versions")),
        ('app."say ""hi"""', HistoryTable("app", 'say "hi"')),
        ("Versions", HistoryTable(None, "Versions")),
    ],
)
def test_a_history_table_may_be_qualified(text: str, table: HistoryTable) -> None:
    assert parse_history_table(text) == table


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a.b.c", '"a', 'a"b', '""', '"a"b'])
def test_a_malformed_history_table_is_refused(text: str) -> None:
    with pytest.raises(MigrationError, match=r"expected table or schema\.table"):
        parse_history_table(text)


def test_reading_a_url_does_not_import_psycopg() -> None:
    code = (
        "import sys; from dbmigrate.postgres.connection.target import parse_target;"
        " parse_target('host=a', {}); print('psycopg.pq' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_cloud_sqls_socket_directory_is_shown_and_no_other_path_with_a_colon() -> None:
    place = "/cloudsql/team:europe-west1:shop"
    target = parse_target(f"postgres://app@/shop?host={place}", {})
    assert target.conninfo["host"] == place
    assert target.display == f"{place}/shop"
    assert "s3cr3t" not in parse_target("postgres://app@/shop?host=/x:s3cr3t", {}).display
