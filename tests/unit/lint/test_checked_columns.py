"""SET NOT NULL behind a validated check looks at no row: the rule's own remedy earns no warning."""

from __future__ import annotations

import pytest

from dbmigrate.lint.source import lint
from dbmigrate.sources.migration import Direction, Migration, Script, Source

pytestmark = pytest.mark.quick

CHECK = "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID"
VALIDATE = "ALTER TABLE t VALIDATE CONSTRAINT c"
SET = "ALTER TABLE t ALTER COLUMN a SET NOT NULL"


def scans(*files: str, latest: int | None = None) -> set[str]:
    """The files in which a scan for NOT NULL is told."""

    def script(number: int, text: str, direction: Direction = Direction.UP) -> Script:
        return Script(f"{number}.{direction.value}.sql", direction, text.encode)

    source = Source(
        "m",
        tuple(
            Migration(number, str(number), script(number, text), script(number, "", Direction.DOWN))
            for number, text in enumerate(files, 1)
        ),
    )
    found = lint(source, latest=latest)
    return {each.file for each in found if each.rule.name == "not-null-scans"}


@pytest.mark.parametrize(
    "files",
    [
        (CHECK, VALIDATE, SET),
        (CHECK, VALIDATE, f"{SET}; ALTER TABLE t DROP CONSTRAINT c"),
        ("ALTER TABLE public.t ADD CHECK (a IS NOT NULL)", 'ALTER TABLE "t" ALTER a SET NOT NULL'),
        (
            "ALTER TABLE t ADD CHECK ((A IS NOT NULL)) NOT VALID",
            "ALTER TABLE t VALIDATE CONSTRAINT t_a_check",
            SET,
        ),
        (CHECK, "SELECT 1; DROP VIEW v", VALIDATE, SET),
    ],
)
@pytest.mark.parametrize("latest", [None, 1])
def test_a_validated_check_proves_it(files: tuple[str, ...], latest: int | None) -> None:
    assert scans(*files, latest=latest) == set()


@pytest.mark.parametrize(
    "files",
    [
        (SET,),
        (CHECK, SET),
        (CHECK, VALIDATE, "ALTER TABLE t ALTER COLUMN b SET NOT NULL"),
        (CHECK, VALIDATE, "ALTER TABLE o ALTER COLUMN a SET NOT NULL"),
        (CHECK, VALIDATE, f"{SET}, ALTER COLUMN b SET NOT NULL"),
        (CHECK, VALIDATE, "ALTER TABLE t DROP CONSTRAINT IF EXISTS c", SET),
        (CHECK, VALIDATE, f"{SET}, DROP CONSTRAINT c"),
        (CHECK, f"{VALIDATE}, ALTER COLUMN a SET NOT NULL"),
        (CHECK, VALIDATE, "ALTER TABLE t RENAME a TO b", SET),
        (CHECK, VALIDATE, "DROP TABLE t", SET),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL OR b > 0)", SET),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT ENFORCED", SET),
    ],
)
@pytest.mark.parametrize("latest", [None, 1])
def test_anything_less_does_not(files: tuple[str, ...], latest: int | None) -> None:
    assert scans(*files, latest=latest) == {f"{len(files)}.up.sql"}
