"""Sessions in the way, as messages name them."""

from __future__ import annotations

from dbmigrate.postgres.connection.other_sessions import read_sessions


def test_a_statement_of_another_session_is_shown_without_its_constants() -> None:
    secret = "S3cr3t"
    for statement in (
        f"ALTER ROLE app PASSWORD '{secret}'",
        f"SELECT E'it\\'s {secret}', 'o''{secret}'",
        f"DO $x$ {secret} $x$",
        f"UPDATE t SET note = '{secret} cut off",
        f"SELECT $$ {secret} cut off",
    ):
        row = ("7", "psql", "app", None, "1.0", "active", statement)
        (session,) = read_sessions([row])
        assert secret not in str(session)
        assert statement.split()[0] in str(session)
