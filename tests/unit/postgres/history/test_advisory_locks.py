"""golang-migrate's lock ids, from its own tests and from its code."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.history.advisory_locks import lock_id, lock_ids, try_lock_sql


@pytest.mark.parametrize(
    ("database", "expected"),
    [("/postgres", 3280485947), ("postgres", 143310882), ("/app", 1726534663), ("app", 1787120056)],
)
def test_ids_are_golang_migrates(database: str, expected: int) -> None:
    assert lock_id("public", "schema_migrations", database) == expected


def test_golang_migrates_own_vector() -> None:
    """database/util_test.go hashes other names in the same way."""
    assert lock_id("schema_name_1", "schema_name_2", "database_name") == 3743845847


def test_a_database_has_the_id_with_the_slash_and_the_one_without() -> None:
    both = (1726534663, 1787120056)
    assert lock_ids("public", "schema_migrations", "app", "/app") == both
    assert lock_ids("public", "schema_migrations", "app", None) == both


def test_an_alias_in_the_url_adds_an_id() -> None:
    ids = lock_ids("public", "schema_migrations", "app", "/alias")
    assert ids[1:] == (1726534663, 1787120056)
    assert len(ids) == 3


def test_a_lock_that_is_not_had_gives_the_earlier_ones_back() -> None:
    assert try_lock_sql((1, 2)) == (
        "SELECT CASE WHEN pg_catalog.pg_try_advisory_lock(1)"
        " THEN CASE WHEN pg_catalog.pg_try_advisory_lock(2) THEN true"
        " ELSE NOT (pg_catalog.pg_advisory_unlock(1)) END ELSE false END"
    )
