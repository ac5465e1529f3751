"""The same command lines to golang-migrate's own binary and to ours.

Exit code, standard output and standard error have to be the same, times aside.
Where they are not, the difference stands in DIFFERENCES with its reason; each
of them is in docs/golang-migrate.md as well. What the commands do to the
database is compared elsewhere, with random sequences of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.program import Ran, run, write_scripts
from tests.database.server import Database, Server

PATH = "-path=@ -database=DATABASE"

SAME = """
force -help
force -h
create -help
create -h
create -seq -ext sql -dir new -digits 3 first ; create -seq -ext sql -dir new -digits 3 second
goto -1
PATH up
PATH up ; PATH up
PATH up 1 ; PATH up 1 ; PATH version
PATH up 0
PATH up -- 1
PATH --prefetch=0 -lock-timeout 0x10 up 2
PATH version
PATH up ; PATH version
PATH goto 2 ; PATH goto 2 ; PATH goto 1 ; PATH version
PATH up ; PATH down -all
PATH down -all
PATH down 0
PATH down -all 3
PATH up ; PATH down
PATH up ; PATH down <y
PATH up ; PATH down <Y
PATH up ; PATH down <yes
PATH up ; PATH drop
PATH up ; PATH drop <y
PATH up ; PATH drop -f ; PATH version
PATH drop -f
PATH force 7 ; PATH version ; PATH force -- -1 ; PATH version
PATH force -- -2
PATH force 2 ; PATH up
PATH -verbose version
PATH up ; PATH -verbose force 2
PATH -verbose up 1
PATH up ; PATH -verbose up
PATH up ; PATH -verbose down 1
PATH -verbose goto 1
PATH force 9223372036854775807 ; PATH version
-path=@empty -database=DATABASE version
-path=@ -database=DATABASE&x-migrations-table=other up ; -path=@ -database=DATABASE version
-source=file://@ -database=DATABASE up 1
-source=file:@ -database=DATABASE up 1
-path=ignored -source=file://@ -database=DATABASE up 1
"""


class Difference(NamedTuple):
    """A script of command lines that end differently, and why they should."""

    script: str
    why: str
    theirs: str
    """A regular expression of what golang-migrate prints at the last line."""
    ours: str
    codes: tuple[int, int] = (1, 1)
    """golang-migrate's exit code of the last line, and ours."""


DIFFERENCES = (
    Difference(
        "",
        "prints the error above the usage",
        r"Usage: .*",
        r"no command given\nUsage: .*",
        (2, 2),
    ),
    *(
        Difference(
            script,
            "a mistyped option, value or command is reported in one line",
            rf"{theirs}Usage: .*",
            rf"{theirs or ours}run `dbmigrate -h` for .*\n",
            (2, 2),
        )
        for script, theirs, ours in (
            ("ups", "", r"unknown command ups \(did you mean up\?\)\n"),
            ("-x up", r"flag provided but not defined: -x\n", ""),
            ("---x up", r"bad flag syntax: ---x\n", ""),
            ("-=x up", r"bad flag syntax: -=x\n", ""),
            ("-path", r"flag needs an argument: -path\n", ""),
        )
    ),
    *(
        Difference(
            script,
            "a mistyped option, value or command is reported in one line",
            rf"{problem}: parse error\nUsage: .*",
            rf"{problem}: parse error: expected {expected}.*\nrun `dbmigrate -h` for .*\n",
            (2, 2),
        )
        for script, problem, expected in (
            ("-lock-timeout soon up", 'invalid value "soon" for flag -lock-timeout', "a duration"),
            ("-prefetch -1 up", 'invalid value "-1" for flag -prefetch', "a number"),
            ("-prefetch ten up", 'invalid value "ten" for flag -prefetch', "a number"),
            ("-verbose=maybe up", 'invalid boolean value "maybe" for -verbose', "true or false"),
        )
    ),
    Difference(
        "create -ext sql -digits x name",
        "says what is expected",
        r'invalid value "x" for flag -digits: parse error\nUsage of create:.*',
        r'invalid value "x" for flag -digits: parse error: expected a number\nUsage of create:.*',
        (2, 2),
    ),
    *(
        Difference(
            script,
            "extra arguments are refused by name",
            theirs,
            rf"error: too many arguments: {surplus}\n  hint: .*\n",
            (code, 1),
        )
        for script, theirs, surplus, code in (
            ("PATH up 1 2", r"1/u users \(TIME\)\n", "2", 0),
            ("PATH goto 2 junk", r"1/u users \(TIME\)\n2/u phone \(TIME\)\n", "junk", 0),
            ("PATH goto 1 -verbose", r"1/u users \(TIME\)\n", "-verbose", 0),
            ("PATH version x", r"error: no migration\n", "x", 1),
            ("PATH down 1 2", r"error: too many arguments\n", "2", 1),
            ("create name -ext sql", r"error: -ext flag must be specified\n", "-ext sql", 1),
        )
    ),
    *(
        Difference(script, "says what is expected", rf"{error}\n", rf"{error}\n  hint: .*\n")
        for script, error in (
            ("create", "error: please specify name"),
            ("create -ext sql", "error: please specify name"),
            ("create name", "error: -ext flag must be specified"),
            ("PATH goto", "error: please specify version argument V"),
            ("PATH force", "error: please specify version argument V"),
            ("PATH goto x", "error: can't read version argument V"),
            ("PATH -verbose goto x", ".*error: can't read version argument V"),
            ("PATH force x", "error: can't read version argument V"),
            ("PATH force 1.5", "error: can't read version argument V"),
            ("PATH force 9223372036854775808", "error: can't read version argument V"),
            ("PATH up x", "error: can't read limit argument N"),
            ("PATH down x", "error: can't read limit argument N"),
        )
    ),
    *(
        Difference(script, "says why", rf"{error}\n", rf"{error}\n  hint: .*\n")
        for script, error in (
            ("PATH up 99", r".*3/u orders \(TIME\)\nerror: limit 96 short"),
            ("PATH up ; PATH up 1", "error: file does not exist"),
            ("PATH up ; PATH down -all ; PATH down 1", "error: file does not exist"),
            ("-path=@ -database=shop up", ".*: no scheme"),
            ("-path=@ -database=mysql://db/shop up", r".*unknown driver mysql \(forgotten .*"),
            ("-source=m -database=DATABASE up", ".*: no scheme"),
            ("-source=ftp://db/m -database=DATABASE up", ".*unknown driver 'ftp' .*"),
        )
    ),
    Difference(
        "PATH force 3 ; PATH force -1",
        "-1 is a version, not a flag",
        r"flag provided but not defined: -1\nUsage of force:.*",
        r"",
        (2, 0),
    ),
    Difference(
        "-database=DATABASE version",
        "commands that read no files need no source",
        r"error: failed to parse scheme from source URL: URL cannot be empty\n",
        r"error: no migration\n",
    ),
    Difference(
        "-database=DATABASE force 3",
        "commands that read no files need no source",
        r"error: failed to parse scheme from source URL: URL cannot be empty\n",
        r"",
        (1, 0),
    ),
    Difference(
        "goto x",
        "a command's arguments are checked before anything is opened",
        r"error: failed to parse scheme from source URL: URL cannot be empty\n",
        r"error: can't read version argument V\n  hint: .*\n",
    ),
    *(
        Difference(
            script,
            "reported once, with what to do",
            rf"error: {text}error: {text}\n",
            rf"error: {text}\n  hint: .*\n",
        )
        for script, text in (
            ("PATH goto 7", "no migration found for version 7: .* file does not exist"),
            ("PATH goto 0", "no migration found for version 0: .* file does not exist"),
            ("PATH up ; PATH force 7 ; PATH up", "no migration found for version 7: .* not exist"),
            (
                "PATH up ; PATH force 7 ; PATH down 1",
                "no migration found for version 7: .* not exist",
            ),
        )
    ),
    Difference(
        "-path=@ up",
        "the same, with the flag and the variables that set it",
        r"error: failed to parse scheme from database URL: URL cannot be empty\n",
        r"error: failed to parse scheme from database URL: URL cannot be empty\n  hint: .*\n",
    ),
    Difference(
        "-database=DATABASE up",
        "the same, with the flag and the variables that set it",
        r"error: failed to parse scheme from source URL: URL cannot be empty\n",
        r"error: failed to parse scheme from source URL: URL cannot be empty\n  hint: .*\n",
    ),
    Difference(
        "-path=@empty -database=DATABASE up",
        "the directory is named",
        r"error: first \.: file does not exist\n",
        r"error: first \.: file does not exist\n  hint: \S+ holds no migration files: .*\n",
    ),
    Difference(
        "-path=@twice -database=DATABASE up",
        "both files are named",
        r'error: failed to open source, "\S+": duplicate migration file: 1_a.up.sql\n',
        r'error: failed to open source, "\S+": duplicate migration file: 1_a.up.sql and'
        r" 01_b.up.sql are both .*\n",
    ),
    Difference(
        "-path=@ -database=DATABASE&search_path=nowhere up",
        "says what is missing",
        r"error: failed to open database: no schema\n",
        r"error: no schema: the search path names no schema that exists\n  hint: .*\n",
    ),
    Difference(
        "-path=@ -database=postgres://127.0.0.1:1/shop?sslmode=disable up",
        "names host and database, in libpq's words",
        r"error: failed to open database: dial tcp .*: connect: connection refused\n",
        r"error: can't connect to 127.0.0.1:1/shop: .*Connection refused\n  hint: .*\n",
    ),
    Difference(
        "PATH goto 18446744073709551615",
        "a number of more than 63 bits is not read as a negative one",
        r"no change\n",
        r"error: can't read version argument V\n  hint: .*\n",
        (0, 1),
    ),
    Difference(
        "PATH up 18446744073709551615",
        "a number of more than 63 bits is not read as a negative one",
        r"1/u users .*3/u orders \(TIME\)\n",
        r"1/u users .*3/u orders \(TIME\)\nerror: limit 18446744073709551612 short\n  hint: .*\n",
        (0, 1),
    ),
    Difference(
        "-path=@nowhere -database=DATABASE up",
        "the directory is named",
        r'error: failed to open source, "file://\S+": open \.: no such file or directory\n',
        r'error: failed to open source, "file://\S+": .*\n',
    ),
    Difference(
        "-path=@broken -database=DATABASE up",
        "the error shows the place instead of the whole file",
        r"error: migration failed: syntax error .* in line 2: .*\(details: .*\)\n",
        r"error: migration failed: syntax error .*\n  at 1_broken.up.sql:2:\d+\n    .*\n *\^\n",
    ),
    Difference(
        "-path=@broken -database=DATABASE up ; -path=@broken -database=DATABASE version",
        "a failed file is rolled back and leaves nothing dirty",
        r"1 \(dirty\)\n",
        r"error: no migration\n",
        (0, 1),
    ),
    Difference(
        "-path=@ -database=DATABASE&x-statement-timeout=soon up",
        "the parameter is named, and its value is not shown",
        r'error: failed to open database: strconv\.Atoi: parsing "soon": invalid syntax\n',
        r"error: failed to open database: unable to parse option x-statement-timeout:"
        r" strconv\.Atoi: invalid syntax: expected a number\n",
    ),
    Difference(
        "-path=@ -database=DATABASE&x-migrations-table=a&x-migrations-table-quoted=1 up",
        "the value of a URL parameter is never shown, because it may be a part of a password",
        r"error: failed to open database: x-migrations-table must .*: a\n",
        r"error: failed to open database: x-migrations-table must [^:]*\n",
    ),
    Difference(
        '-path=@ -database=DATABASE&x-migrations-table="a"."b"."c"&x-migrations-table-quoted=1 up',
        "the value of a URL parameter is never shown, because it may be a part of a password",
        r'error: failed to open database: ""a"."b"."c"" MigrationsTable contains .*\n',
        r"error: failed to open database: [^:]*\n",
    ),
    Difference(
        "-path=@ -database=postgres://u:s3cr3t%zz@127.0.0.1:1/shop version",
        "a password need not be escaped where the URL is unambiguous, and is never shown",
        r'error: failed to open database: parse "postgres://u:s3cr3t.*\n',
        r"error: (?!.*s3cr3t)can't connect to 127\.0\.0\.1:1/shop: .*\n",
    ),
    Difference(
        "-path=@one-way -database=DATABASE up",
        "names that look like a mistake cause a warning",
        r"1/u up \(TIME\)\n2/u <empty> \(TIME\)\n",
        r"warning: 2_down.down.sql has no up script: .*\n"
        r"1/u up \(TIME\)\n2/u <empty> \(TIME\)\n",
        (0, 0),
    ),
    Difference(
        "up -path m",
        "explains where options go",
        r"flag provided but not defined: -path\nUsage of up:\n.*information\n",
        r"flag provided but not defined: -path\nUsage of up:\n.*information\n.*"
        r"options go before the command: dbmigrate OPTIONS up\n",
        (2, 2),
    ),
    *(
        Difference(line, "`up` and `down` accept `-to`", theirs, r".*-to.*", (code, code))
        for line, theirs, code in (
            ("up -help", r"up \[N\] .*-help.*", 0),
            ("down -help", r"down \[N\] .*-help.*", 0),
            ("up -h", "Usage of up:.*", 0),
            ("down -h", "Usage of down:.*", 0),
            ("up -x", r"flag provided but not defined: -x\nUsage of up:.*", 2),
            ("up -all=x", r"flag provided but not defined: -all\nUsage of up:.*", 2),
            ("down -all=maybe", r"invalid boolean value .*\nUsage of down:.*", 2),
            ("down -1", r"flag provided but not defined: -1\nUsage of down:.*", 2),
        )
    ),
    Difference(
        "drop -help",
        "nothing is dropped without `-cascade`",
        r"drop \[-f\]    Drop everything inside database\n.*",
        r"drop \[-f\] \[-cascade\]    Drop everything inside database\n.*-cascade.*",
        (0, 0),
    ),
    Difference(
        "goto -help",
        "goto accepts `latest`",
        r"goto V       Migrate to version V\n  -help\n.*",
        r"goto V       Migrate to version V\n\tUse latest .*\n  -help\n.*",
        (0, 0),
    ),
    *(
        Difference(
            line,
            "lower case, as in golang-migrate's next release",
            f"error: {a}\n",
            f"error: {b}\n",
        )
        for line, a, b in (
            (
                "create -ext sql -digits 0 -seq name",
                "Digits must be positive",
                "digits must be positive",
            ),
            (
                "create -ext sql -seq -format unix name",
                "The seq and format options are mutually exclusive",
                "the seq and format options are mutually exclusive",
            ),
            (
                "-path=@ -database=DATABASE&x-multi-statement=2 up",
                "failed to open database: Unable to parse option x-multi-statement: .*",
                "failed to open database: unable to parse option x-multi-statement: .*",
            ),
            (
                "-path=@ -database=DATABASE&x-migrations-table-quoted=2 up",
                "failed to open database: Unable to parse option x-migrations-table-quoted: .*",
                "failed to open database: unable to parse option x-migrations-table-quoted: .*",
            ),
            (
                "create -ext sql -format= name",
                "Time format may not be empty",
                "time format may not be empty",
            ),
        )
    ),
    Difference(
        "create -ext sql -tz Nowhere name",
        "begins with `error:` like every error",
        r"unknown time zone Nowhere\n",
        r"error: unknown time zone Nowhere\n",
    ),
)

USAGE = re.compile(r"Usage: (db)?migrate OPTIONS.*", re.DOTALL)
TIMES = re.compile(r"\b(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?(?:ns|µs|ms|s)\b")
STAMPS = re.compile(r"(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")


class Side:
    """One tool with a directory of its own, and a database if it comes to that."""

    def __init__(self, program: Path, server: Server, directory: Path) -> None:
        self.program = program
        self.directory = directory
        self._server = server
        self._database: Database | None = None

    @property
    def url(self) -> str:
        """The URL of the database, which is made when it is first asked for."""
        if self._database is None:
            self._database = self._server.create_database()
        return self._database.url

    def close(self) -> None:
        """Remove the database."""
        if self._database is not None:
            self._database.drop()

    def run(self, script: str) -> list[Ran]:
        """Run the lines of a script one after the other."""
        return [self._run(line.strip()) for line in script.split(";")]

    def _run(self, line: str) -> Ran:
        line, _, answers = line.partition("<")
        migrations = self.directory / "migrations"
        line = line.replace("PATH", PATH).replace("@", f"{migrations}/")
        # A bare address stands for itself, not for the directory.
        line = line.replace(f"{migrations}/127.0.0.1", "@127.0.0.1")
        if "DATABASE" in line:
            line = line.replace("DATABASE", self.url)
        args = line.split()
        done = run(*args, program=self.program, answers=answers, cwd=self.directory)
        return Ran(done.code, self.plain(done.stdout), self.plain(done.stderr))

    def plain(self, text: str) -> str:
        """The text without times and without what differs between the two sides."""
        text = text.replace(str(self.directory), "HERE")
        text = USAGE.sub("Usage: migrate OPTIONS\n", text)
        return STAMPS.sub("STAMP ", TIMES.sub("TIME", text))


def write_all(directory: Path) -> None:
    migrations = write_scripts(directory / "migrations")
    write_scripts(migrations / "broken", {"1_broken.up.sql": "SELECT 1;\nSELCT 2;\n"})
    write_scripts(migrations / "empty", {})
    write_scripts(migrations / "twice", {"1_a.up.sql": "", "01_b.up.sql": ""})
    write_scripts(
        migrations / "one-way",
        {"1_up.up.sql": "CREATE TABLE a ();", "2_down.down.sql": "DROP TABLE a;"},
    )


@pytest.fixture
def sides(server: Server, migrate_oracle: Path, tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    """golang-migrate's side and ours."""
    from tests.cli.program import PROGRAM

    made = []
    for name, program in (("theirs", migrate_oracle), ("ours", PROGRAM)):
        directory = tmp_path / name
        directory.mkdir()
        write_all(directory)
        made.append(Side(program, server, directory))
    yield made[0], made[1]
    for side in made:
        side.close()


@pytest.mark.parametrize("script", [line for line in SAME.splitlines() if line])
def test_both_say_the_same(sides: tuple[Side, Side], script: str) -> None:
    theirs, ours = (side.run(script) for side in sides)
    assert ours == theirs


@pytest.mark.parametrize("case", DIFFERENCES, ids=lambda case: case.script or "nothing")
def test_a_difference_is_the_one_that_is_listed(sides: tuple[Side, Side], case: Difference) -> None:
    theirs, ours = (side.run(case.script)[-1] for side in sides)
    assert re.fullmatch(case.theirs, theirs.stderr, re.DOTALL), theirs.stderr
    assert re.fullmatch(case.ours, ours.stderr, re.DOTALL), ours.stderr
    assert (theirs.code, ours.code) == case.codes


@pytest.mark.parametrize("why", sorted({case.why for case in DIFFERENCES}))
def test_each_difference_is_in_the_documentation(why: str) -> None:
    page = Path(__file__).parents[2] / "docs" / "golang-migrate.md"
    assert why.replace("`", "") in page.read_text().replace("`", "")
