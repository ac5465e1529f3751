"""Statements, header comments and sums of Atlas's files, held against Atlas's own library."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

from dbmigrate.errors import MigrationError
from dbmigrate.sources.atlas.directives import file_directives
from dbmigrate.sources.atlas.statements import hash_statements, split
from dbmigrate.sources.listing import list_directory
from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum, verify_sum

PIECES = (
    *("SELECT 1", "CREATE TABLE t (a int, b text)", "INSERT INTO t VALUES ('x;y', 'it''s')"),
    *("DO $$ BEGIN PERFORM 1; END $$", "SELECT $fn$ a; b $fn$", 'SELECT ";" AS "a""b"'),
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
    *("BEGIN", "COMMIT", "BEGIN TRANSACTION", "BEGIN WORK; SELECT 3; END", "END", "begin\nend"),
    *("SELECT $1", "SELECT 'a' || $é$;$é$", "(SELECT (1;2))", "VALUES (\u00a0'é')", "x BEGIN y"),
    *("-- a comment\n", "-- two\n-- lines\n\n", "/* one; */", "/* a */\n\n", "\n\n", "\u0085", ";"),
    *("--; not the end\n", "SELECT 1 -- behind", "/* not\nclosed", "'", "(", ")", "$$", "`a;b`"),
    *("// ", "-- end\n", "\\n", "GO\n", "\r\n", "\t", "begin atomic begin", "ENDING;", "$a$"),
)
HEADERS = (
    *("-- atlas:txmode none\n\n", "-- atlas:txmode none\n", "-- atlas:checkpoint v1\n\n"),
    *("-- atlas:delimiter -- end\n", "-- atlas:delimiter \\n\\n\n", "-- atlas:delimiter //\n\n"),
    *(
        "-- hello\n-- atlas:txmode file\n\n",
        "# atlas:checkpoint\n \t\n",
        "--atlas:txmode  all \n\n",
    ),
    *("-- atlas:nolint\n-- atlas:txmode none\r\n\r\n", "-- atlas:delimiter\nSELECT 1", "-- only"),
)
ENDS = ("\n", "\n", "", " -- last", ";\n", "\n-- last comment\n")


def random_text(choose: random.Random) -> str:
    parts = [choose.choice(HEADERS)] if choose.random() < 0.4 else []
    for _ in range(choose.randint(0, 7)):
        parts += [choose.choice(PIECES), choose.choice((";\n", ";", "; ", "\n", "", "\n//\n", " "))]
    return "".join([*parts, choose.choice(ENDS)])


def judge(library: Path, *words: str) -> list[str]:
    done = subprocess.run([library, *words], capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n").split("\n")


def ours(text: str) -> tuple[list[str], list[str]] | None:
    try:
        found = split(text, "f.sql")
    except MigrationError:
        return None
    return [each.text for each in found], list(hash_statements(found))


def theirs(told: dict[str, Any]) -> tuple[list[str], list[str]] | None:
    if told["Problem"]:
        return None
    found = told["Statements"]
    return [each["Text"] for each in found], [each["Sum"] for each in found]


def test_statements_and_header_comments_are_those_of_atlas(
    tmp_path: Path, atlas_library: Path
) -> None:
    choose = random.Random(7)
    texts = [random_text(choose) for _ in range(1500)]
    for number, text in enumerate(texts):
        (tmp_path / f"{number:04}.sql").write_bytes(text.encode())
    files = [str(tmp_path / f"{number:04}.sql") for number in range(len(texts))]
    failed = 0
    for text, line in zip(texts, judge(atlas_library, "stmts", *files), strict=True):
        told = json.loads(line)
        assert ours(text) == theirs(told), repr(text)
        found = file_directives(text)
        modes = [each.value for each in found if each.name == "txmode"]
        assert modes == (told["TxMode"] or []), repr(text)
        assert any(each.name == "checkpoint" for each in found) == told["Checkpoint"], repr(text)
        failed += bool(told["Problem"])
    assert 0 < failed < len(texts) / 2


def test_many_blocks_are_read_in_a_moment() -> None:
    """Each BEGIN without its END would double the work of the one before."""
    text = "BEGIN TRANSACTION;\nSELECT 1;\nCOMMIT;\n" * 200
    assert len(split(text, "f.sql")) == 600


def test_a_quote_in_a_string_with_escapes_is_no_end() -> None:
    assert [each.text for each in split(r"SELECT E'\';', date'\'; x;", "f.sql")] == [
        r"SELECT E'\';', date'\';",
        "x;",
    ]


def random_directory(choose: random.Random, place: Path) -> None:
    place.mkdir()
    stems = ["1", "2_b", "20240101", "20240101120000_ä_x", "9.sql", "a_b", "B", "z z"]
    for stem in choose.sample(stems, choose.randint(0, 5)):
        head = choose.choice(("", "", "-- atlas:sum ignore\n", "--atlas:sum  ignore\r\n", "\ufeff"))
        (place / f"{stem}.sql").write_bytes(f"{head}SELECT '{stem}';\n".encode())
    (place / "notes.txt").write_text("not one of them")


def test_sums_are_those_of_atlas(tmp_path: Path, atlas_library: Path) -> None:
    choose = random.Random(11)
    for number in range(40):
        place = tmp_path / str(number)
        random_directory(choose, place)
        theirs = subprocess.run([atlas_library, "sum", place], capture_output=True, check=True)
        assert renew_sum(place, Format.ATLAS).read_bytes() == theirs.stdout


def spoil(choose: random.Random, place: Path) -> None:
    files = sorted(place.glob("*.sql"))
    kind = choose.randint(0, 6)
    sum_file = place / "atlas.sum"
    if kind == 0 and files:
        choose.choice(files).write_text("SELECT 'edited';")
    elif kind == 1 and files:
        choose.choice(files).unlink()
    elif kind == 2:
        (place / f"{choose.choice(('0', '2023', 'zz'))}_new.sql").write_text("SELECT 1;")
    elif kind == 3:
        sum_file.unlink()
    elif kind == 4:
        sum_file.write_bytes(sum_file.read_bytes() + b"what is this\n")
    elif kind == 5:
        sum_file.write_bytes(b"h1:" + sum_file.read_bytes()[4:])


def say(place: Path) -> str:
    try:
        verify_sum(list_directory(place), Format.ATLAS)
    except MigrationError as error:
        return error.message
    return "ok"


def test_what_does_not_agree_is_told_in_atlas_words(tmp_path: Path, atlas_library: Path) -> None:
    choose = random.Random(13)
    places = [tmp_path / str(number) for number in range(80)]
    for place in places:
        random_directory(choose, place)
        renew_sum(place, Format.ATLAS)
        spoil(choose, place)
    told = judge(atlas_library, "check", *map(str, places))
    for place, theirs in zip(places, told, strict=True):
        assert theirs in say(place), (theirs, sorted(place.iterdir()))
    assert len({each.rpartition(" ")[2] for each in told}) > 4
