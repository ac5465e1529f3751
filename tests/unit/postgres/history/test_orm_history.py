"""What the rows of an ORM's table mean, without a database."""

from __future__ import annotations

import hashlib

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.orm_history import Orm, PrismaMigration, read_history
from dbmigrate.report import Reason

pytestmark = pytest.mark.quick

UNIX, WINDOWS = b"SELECT 1;\nSELECT 2;\n", b"SELECT 1;\r\nSELECT 2;\r\n"


def digest(script: bytes) -> str:
    return hashlib.sha256(script).hexdigest()


@pytest.mark.parametrize("applied", [UNIX, WINDOWS])
@pytest.mark.parametrize("file", [UNIX, WINDOWS])
def test_line_ends_do_not_count_in_prismas_checksum(applied: bytes, file: bytes) -> None:
    assert PrismaMigration("1_a", digest(applied)).matches(file)
    assert not PrismaMigration("1_a", digest(applied)).matches(file + b"\n")


def test_the_zeros_that_an_old_engine_left_out_do_not_count() -> None:
    scripts = (b"%d" % number for number in range(99))
    script = next(each for each in scripts if "0" in digest(each)[::2])
    old = "".join(f"{byte:x}" for byte in hashlib.sha256(script).digest())
    assert len(old) < 64
    assert PrismaMigration("1_a", old).matches(script)


def test_a_byte_order_mark_was_hashed_and_is_not_in_the_script() -> None:
    assert PrismaMigration("1_a", digest(b"\xef\xbb\xbf" + UNIX)).matches(UNIX)


def test_a_migration_that_failed_and_was_applied_later_is_applied() -> None:
    rows = [("1_a", "x", "f", "t"), ("1_a", "y", "t", "f")]
    found = read_history(Orm.PRISMA, "public.p", rows, None)
    assert found.migrations == (PrismaMigration("1_a", "y"),)


@pytest.mark.parametrize(
    ("orm", "rows", "reason", "said"),
    [
        (Orm.PRISMA, [("1_a", "x", "f", "f")], Reason.DIRTY, "still runs: 1_a"),
        (Orm.PRISMA, [("1_a", "x", "f", "t")], Reason.FOREIGN_HISTORY, "was rolled back"),
        (Orm.RAILS, [("7",), ("x7",)], Reason.FOREIGN_HISTORY, "holds 'x7'"),
        (Orm.ALEMBIC, [("b",), ("a",)], Reason.FOREIGN_HISTORY, "several heads: a, b"),
        (Orm.DJANGO, [], Reason.FOREIGN_HISTORY, "public.p is empty"),
    ],
)
def test_what_is_no_place_to_go_on_from_is_refused(
    orm: Orm, rows: list[tuple[str | None, ...]], reason: Reason, said: str
) -> None:
    with pytest.raises(MigrationError, match=said) as raised:
        read_history(orm, "public.p", rows, None)
    assert raised.value.reason is reason
