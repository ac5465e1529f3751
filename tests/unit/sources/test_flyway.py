"""Flyway's files: names, settings, placeholders."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.sources.flyway.names import (
    FlywayFileName,
    is_callback,
    looks_mistaken,
    parse_file_name,
)
from dbmigrate.sources.flyway.script import checksum
from dbmigrate.sources.flyway.settings import read_settings
from dbmigrate.sources.formats import find_format, read_source
from dbmigrate.sources.migration import DatabaseFacts, Format, Source
from dbmigrate.sources.new_files import DEFAULT_TIME_FORMAT, create_flyway_files
from dbmigrate.versions import dotted

pytestmark = pytest.mark.quick

FACTS = DatabaseFacts("shop", "ann", "public", "flyway_schema_history")


def lay(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return directory


def read(directory: Path, **environ: str) -> Source:
    source = read_source(directory, Format.FLYWAY, environ)
    assert source.learn is not None
    source.learn(FACTS)
    return source


def script(source: Source, index: int = 0) -> str:
    up = source.migrations[index].up
    assert up is not None
    return up.load().decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("V1__a_b.sql", FlywayFileName("V", dotted("1"), "a_b", True)),
        ("V1.2_3__a.SQL", FlywayFileName("V", dotted("1.2.3"), "a", True)),
        ("V1__a__b.sql", FlywayFileName("V", dotted("1"), "a__b", True)),
        ("V1___a.sql", FlywayFileName("V", dotted("1"), "_a", True)),
        ("V1.sql", FlywayFileName("V", dotted("1"), "", True)),
        ("U1__a.sql", FlywayFileName("U", dotted("1"), "a", True)),
        ("B1__a.sql", FlywayFileName("B", dotted("1"), "a", True)),
        ("R__views.sql", FlywayFileName("R", None, "views", True)),
        ("V1__a.sh", FlywayFileName("V", dotted("1"), "a", False)),
        ("R1__views.sql", None),
        ("R_views.sql", None),
        ("v1__a.sql", None),
        ("V1_a.sql", None),
        ("V1.__a.sql", None),
        ("V__a.sql", None),
        ("1__a.sql", None),
        ("V1__a.sql.bak", None),
        ("V1__a.sql.conf", None),
    ],
)
def test_a_name_is_taken_apart_as_flyway_does(text: str, expected: FlywayFileName | None) -> None:
    assert parse_file_name(text) == expected


@pytest.mark.parametrize(
    ("text", "mistaken", "callback"),
    [
        ("v1__a.sql", True, False),
        ("V1_a.sql", True, False),
        ("seed.sql", True, False),
        ("beforeMigrate.sql", False, True),
        ("afterEachMigrate__grants.sql", False, True),
        ("createSchema.sql", False, True),
        ("afterInfo.sql", False, False),
        ("README.md", False, False),
        ("flyway.conf", False, False),
        ("V1__a.sql.conf", False, False),
    ],
)
def test_other_names_are_told_apart(text: str, mistaken: bool, callback: bool) -> None:
    assert (looks_mistaken(text), is_callback(text)) == (mistaken, callback)


def test_files_of_all_kinds_become_a_source(tmp_path: Path) -> None:
    files = {
        "V2__b.sql": "two",
        "sub/deep/V1.10__a_b.sql": "ten",
        "sub/V1.9__a.sql": "nine",
        "undo/U1.10__a_b.sql": "back",
        "B1.10__all.sql": "all",
        "R__z.sql": "z",
        "R__a b.sql": "a",
        ".hidden/V9__x.sql": "no",
    }
    source = read(lay(tmp_path, files))
    assert [str(version) for version in source.versions] == ["1.9", "1.10", "2"]
    assert [m.name for m in source.repeatables] == ["a b", "z"]
    assert [str(m.version) for m in source.checkpoints] == ["1.10"]
    ten = source.migrations[1]
    assert (ten.name, ten.description, ten.text) == ("a_b", "a b", "1.10")
    assert ten.up is not None
    assert ten.down is not None
    assert (ten.up.path, ten.down.load()) == ("sub/deep/V1.10__a_b.sql", b"back")
    assert source.warnings == ()


@pytest.mark.parametrize(
    "files",
    [
        {"V1__a.sql": "", "sub/V1.0__b.sql": ""},
        {"R__a_b.sql": "", "sub/R__a b.sql": ""},
        {"B1__a.sql": "", "sub/B1__a.sql": ""},
        {f"V{'1' * 51}__a.sql": ""},
    ],
)
def test_what_flyway_would_refuse_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(MigrationError, match="failed to open source"):
        read(lay(tmp_path, files))


def test_mistakes_are_warned_of(tmp_path: Path) -> None:
    source = read(lay(tmp_path, {"V1_a.sql": "", "U3__x.sql": "", "V1__a.sql": ""}))
    assert len(source.warnings) == 2
    assert source.warnings[0].startswith("V1_a.sql is ignored")
    assert source.warnings[1] == "U3__x.sql undoes version 3, which has no V file"


def test_a_callback_stops_every_run_and_a_shell_script_its_own(tmp_path: Path) -> None:
    source = read(lay(tmp_path, {"V1__a.sql": "", "V2__b.sh": ""}))
    problems = [m.up.problem if m.up else "" for m in source.migrations]
    assert problems[0] == ""
    assert "V2__b.sh is a script that only Flyway can run" in problems[1]
    source = read(lay(tmp_path, {"sub/beforeMigrate.sql": ""}))
    problems = [m.up.problem if m.up else "" for m in source.migrations]
    assert "beforeMigrate.sql is a Flyway callback" in problems[0]
    assert "nothing runs" in source.warnings[0]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"V1__a.sql": ""}, Format.FLYWAY),
        ({"R__a.sql": ""}, Format.FLYWAY),
        ({"sql/2024/V1__a.sql": ""}, Format.FLYWAY),
        ({"1_a.up.sql": "", "sql/V1__a.sql": ""}, Format.GOLANG_MIGRATE),
        ({"00001_a.sql": "-- +goose Up"}, Format.GOOSE),
        ({"docs/readme.sql": ""}, Format.GOLANG_MIGRATE),
        ({"1_a.sql": "-- a note\n\n-- +goose Down\nDROP TABLE t;"}, Format.GOOSE),
        ({"1_a.sql": "\ufeff-- migrate:up\n-- migrate:down"}, Format.DBMATE),
        ({"1_a.sql": "SELECT '\n-- migrate:down\n-- +goose Up\n';"}, Format.GOLANG_MIGRATE),
    ],
)
def test_the_format_is_found_by_the_names_and_by_what_stands_above_the_sql(
    tmp_path: Path, files: dict[str, str], expected: Format
) -> None:
    assert find_format(lay(tmp_path, files)) is expected


def test_files_of_two_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match=r"V1__a.sql is flyway's"):
        find_format(lay(tmp_path, {"V1__a.sql": "", "1_a.up.sql": ""}))


def test_a_checksum_counts_neither_ends_of_lines_nor_a_byte_order_mark(tmp_path: Path) -> None:
    assert checksum(b"a\r\nb\rc\n") == checksum(b"abc") == zlib.crc32(b"abc")
    assert checksum(b"") == 0
    assert checksum(b"create index concurrently i on a(id);") == -1181816700
    source = read(lay(tmp_path, {"V1__a.sql": "\ufeffabc"}))
    up = source.migrations[0].up
    assert up is not None
    assert up.tool_checksums is not None
    assert up.tool_checksums() == (zlib.crc32(b"abc"),)


def test_placeholders_have_values_of_the_environment_and_of_flyway(tmp_path: Path) -> None:
    text = "${Colour} ${flyway:database} ${FLYWAY:user} ${flyway:filename} -- ${colour}"
    source = read(lay(tmp_path, {"V1__a.sql": text}), FLYWAY_PLACEHOLDERS_COLOUR="red")
    assert script(source) == "red shop ann V1__a.sql -- red"
    up = source.migrations[0].up
    assert up is not None
    assert up.is_template
    assert up.show().decode() == text
    assert up.tool_checksums is not None
    assert up.tool_checksums() == (checksum(text.encode()),)


@pytest.mark.parametrize("name", ["colour", "flyway:other"])
def test_a_placeholder_without_a_value_is_an_error_with_its_line(tmp_path: Path, name: str) -> None:
    source = read(lay(tmp_path, {"sub/V1__a.sql": f"SELECT 1;\n-- ${{{name}}}"}))
    with pytest.raises(MigrationError, match=r"sub/V1__a.sql: line 2: no value") as refused:
        script(source)
    assert refused.value.hint is not None


def test_a_placeholder_that_is_never_closed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="is never closed"):
        script(read(lay(tmp_path, {"V1__a.sql": "${a"})))


def test_settings_come_from_files_and_the_environment_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (here / "flyway.conf").write_text("flyway.placeholders.a=1\nflyway.placeholders.b=1\n# c\n")
    more = {
        "V1__a.sql": "${a}${b}${c}",
        "flyway.toml": '[flyway.placeholders]\nb = "2"\nc = "${env.OTHER}"\n',
    }
    directory = lay(tmp_path / "m", more)
    assert script(read(directory, OTHER="x")) == "12x"
    assert script(read(directory, FLYWAY_PLACEHOLDERS_B="3", OTHER="x")) == "13x"
    named = tmp_path / "more.conf"
    named.write_text("flyway.placeholders.c=${OTHER}!\n")
    assert script(read(directory, FLYWAY_CONFIG_FILES=str(named), OTHER="y")) == "12y!"
    with pytest.raises(MigrationError, match="which is not a file"):
        read(directory, FLYWAY_CONFIG_FILES="missing.conf")


def test_placeholders_can_look_otherwise_or_be_switched_off(tmp_path: Path) -> None:
    directory = lay(tmp_path, {"V1__a.sql": "@{a}@ ${a}"})
    marks = {"FLYWAY_PLACEHOLDER_PREFIX": "@{", "FLYWAY_PLACEHOLDER_SUFFIX": "}@"}
    assert script(read(directory, FLYWAY_PLACEHOLDERS_A="1", **marks)) == "1 ${a}"
    assert script(read(directory, FLYWAY_PLACEHOLDER_REPLACEMENT="false")) == "@{a}@ ${a}"


@pytest.mark.parametrize(
    "environ",
    [
        {"FLYWAY_VALIDATE_ON_MIGRATE": "no"},
        {"FLYWAY_OUT_OF_ORDER": "1"},
        {"FLYWAY_SQL_MIGRATION_PREFIX": "X"},
        {"FLYWAY_SQL_MIGRATION_SUFFIXES": ".sql,.pkg"},
    ],
)
def test_settings_that_would_change_which_files_count_are_refused(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with pytest.raises(MigrationError, match=r"dbmigrate knows|set true or false"):
        read(lay(tmp_path, {"V1__a.sql": ""}), **environ)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("INIT_SQL", "SET role app", "ALTER ROLE"),
        ("CHERRY_PICK", "2.1", "up -to V"),
        ("SKIP_EXECUTING_MIGRATIONS", "true", "force V"),
        ("DRY_RUN_OUTPUT", "x.sql", "plan"),
        ("CALLBACKS", "com.example.Audit", "only Flyway can run"),
        ("CALLBACK_LOCATIONS", "filesystem:callbacks", "convert them to migrations"),
        ("IGNORE_MIGRATION_PATTERNS", "*:gone", "not a pattern of Flyway"),
    ],
)
def test_settings_that_would_run_something_else_are_refused_with_the_way_out(
    tmp_path: Path, name: str, value: str, remedy: str
) -> None:
    with pytest.raises(MigrationError, match=remedy):
        read(lay(tmp_path, {"V1__a.sql": ""}), **{f"FLYWAY_{name}": value})


def test_settings_that_are_passed_over_are_warned_of(tmp_path: Path) -> None:
    toml = """
        [flyway]
        group = true
        locations = ["filesystem:a", "filesystem:b"]
    """
    source = read(lay(tmp_path, {"V1__a.sql": "", "flyway.toml": toml}))
    assert [warning.split(":")[0] for warning in source.warnings] == [
        "flyway.group is ignored",
        "flyway.locations names 2 places",
    ]


def test_an_environment_of_flyways_own_file_counts_before_what_holds_for_all(
    tmp_path: Path,
) -> None:
    toml = """
        [flyway]
        environment = "prod"
        outOfOrder = false
        ignoreMigrationPatterns = ["repeatable:missing", "*:*"]
        [flyway.placeholders]
        colour = "red"
        [environments.prod]
        url = "jdbc:postgresql://db/shop"
        schemas = ["app", "other"]
        [environments.prod.flyway]
        outOfOrder = true
        [environments.prod.flyway.placeholders]
        colour = "blue"
        [environments.dev]
        schemas = ["dev"]
    """
    lay(tmp_path, {"flyway.toml": toml})
    found = read_settings(tmp_path, {})
    assert (found.schema, found.out_of_order) == ("app", True)
    assert found.placeholders == {"colour": "blue"}
    every = tuple(("*", state) for state in ("missing", "future", "pending", "ignored"))
    assert found.ignored == (("repeatable", "missing"), *every)
    dev = read_settings(tmp_path, {"FLYWAY_ENVIRONMENT": "dev", "FLYWAY_OUT_OF_ORDER": "true"})
    assert (dev.schema, dev.out_of_order, dev.placeholders["colour"]) == ("dev", True, "red")


def test_callbacks_in_other_languages_are_callbacks_too(tmp_path: Path) -> None:
    source = read(lay(tmp_path, {"V1__a.sql": "", "beforeMigrate.sh": "", "afterInfo.sql": ""}))
    up = source.migrations[0].up
    assert up is not None
    assert "beforeMigrate.sh is a Flyway callback" in up.problem
    assert [warning.split(":")[0] for warning in source.warnings] == [
        "afterInfo.sql is a callback of a command that dbmigrate implements itself",
        "beforeMigrate.sh is a callback",
    ]


def test_a_file_beside_a_script_says_how_it_runs(tmp_path: Path) -> None:
    files = {
        "V1__a.sql": "${a}",
        "V1__a.sql.conf": "# a comment\nexecuteInTransaction=false\nplaceholderReplacement=false",
        "V2__b.sql": "",
        "V2__b.sql.conf": "shouldExecute=${x}==1",
        "V3__c.sql": "",
        "V3__c.sql.conf": "retries=3",
    }
    source = read(lay(tmp_path, files))
    one, two, three = (migration.up for migration in source.migrations)
    assert one is not None
    assert two is not None
    assert three is not None
    assert (one.is_transactional, one.is_template, one.load()) == (False, False, b"${a}")
    assert "does not support shouldExecute" in two.problem
    assert three.problem == "V3__c.sql.conf: retries is no setting of a script"


def test_a_repeatable_script_has_changed_when_a_value_has(tmp_path: Path) -> None:
    directory = lay(tmp_path, {"R__a.sql": "${a}"})
    source = read(directory, FLYWAY_PLACEHOLDERS_A="1")
    up = source.repeatables[0].up
    assert up is not None
    assert up.tool_checksums is not None
    assert up.tool_checksums() == (checksum(b"1"), checksum(b"${a}"))


def create(directory: Path, name: str, *, seq: bool = False) -> list[str]:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    made = create_flyway_files(
        directory, name, seq=seq, time_format=DEFAULT_TIME_FORMAT, tz="UTC", now=moment
    )
    return [path.name for path in made]


def test_new_files_are_a_v_and_a_u(tmp_path: Path) -> None:
    assert create(tmp_path / "m", "add_phone") == [
        "V20260102030405__add_phone.sql",
        "U20260102030405__add_phone.sql",
    ]
    lay(tmp_path / "n", {"sub/V3.7__x.sql": ""})
    assert create(tmp_path / "n", "y", seq=True) == ["V4__y.sql", "U4__y.sql"]
    with pytest.raises(MigrationError, match="duplicate migration version"):
        create(tmp_path / "m", "other")
    with pytest.raises(MigrationError, match="malformed"):
        create(tmp_path / "m", "a/b")


def test_a_link_to_the_directory_itself_is_not_entered(tmp_path: Path) -> None:
    directory = lay(tmp_path, {"V1__a.sql": "", "sub/V2__b.sql": ""})
    (directory / "sub" / "up").symlink_to("..")
    assert [str(version) for version in read(directory).versions] == ["1", "2"]


@pytest.mark.parametrize("text", ["-- +goose Up\nSELECT 1;", "-- migrate:up\n-- migrate:down"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_file_in_utf_16_is_named_where_no_format_can_be_seen(
    tmp_path: Path, text: str, encoding: str
) -> None:
    (tmp_path / "1_a.sql").write_bytes(text.encode(encoding))
    with pytest.raises(MigrationError, match=r"1_a.sql: line 1: .*saved as UTF-8"):
        find_format(tmp_path)
    (tmp_path / "1_a.up.sql").touch()
    assert find_format(tmp_path) is Format.GOLANG_MIGRATE


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("FLYWAY_GROUP", "group"),
        ("FLYWAY_INSTALLED_BY", "installedby"),
        ("FLYWAY_BASELINE_DESCRIPTION", "baselinedescription"),
    ],
)
def test_a_setting_without_an_effect_is_named(tmp_path: Path, variable: str, name: str) -> None:
    (tmp_path / "V1__a.sql").write_text("SELECT 1;")
    for value, is_named in (("true", True), ("false", False), ("", False)):
        warnings = " ".join(read_source(tmp_path, None, {variable: value}).warnings)
        assert (f"flyway.{name} is ignored: " in warnings) is is_named


def test_names_are_validated_where_flyway_would(tmp_path: Path) -> None:
    files = lay(tmp_path, {"V1__a.sql": "", "V2_b.sql": ""})
    assert len(read(files).warnings) == 1
    with pytest.raises(MigrationError, match=r"invalid SQL filenames found: V2_b.sql: V<version>"):
        read(files, FLYWAY_VALIDATE_MIGRATION_NAMING="true")
