"""A token that can't be one is refused by name, and no message is garbled by it."""

from __future__ import annotations

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.identity import tokens
from dbmigrate.postgres.identity.answers import Answers
from dbmigrate.postgres.identity.identity import CloudIdentity, Login, Provider
from dbmigrate.postgres.identity.passwords import TokenPasswords
from dbmigrate.report import Reason


class Library:
    """A provider that answers with that token."""

    def __init__(self, token: str) -> None:
        self.answers = Answers()
        self._token = token

    def issue(self, login: Login) -> str:
        del login
        return self._token

    def is_unreachable(self, error: Exception) -> bool:
        del error
        return False

    def clock(self) -> str:
        return ""

    def advice(self, login: Login | None) -> str:
        return f"{login}"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "what was answered is empty"),
        ("x" * 65537, "what was answered has 65537 characters"),
        ("a\0b", "what was answered holds a NUL character"),
    ],
)
@pytest.mark.parametrize("provider", Provider)
def test_a_token_that_is_none_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, provider: Provider, token: str, said: str
) -> None:
    identity = CloudIdentity(provider)
    monkeypatch.setitem(tokens._providers, identity, Library(token))
    passwords = TokenPasswords(identity, {"sslmode": "require"}, {})
    with pytest.raises(MigrationError) as caught:
        passwords({"host": "h", "user": "u", "port": "5432"})
    assert caught.value.message == f"no token of {provider}: {said}" + (
        ", more than 65536" if len(token) > 65536 else ""
    )
    assert caught.value.reason is Reason.AUTHENTICATION_FAILED
    assert caught.value.hint
    assert passwords.hide("text") == "text"
