"""The two releases, in both orders."""

from __future__ import annotations

import pytest

from tests.toolchain import say
from tests.upgrade.release import HEAD, Release, ReleaseUnavailable, find_previous


@pytest.fixture(scope="session")
def previous() -> Release:
    """The release before this one; skipped loudly where it can't be had."""
    try:
        return find_previous()
    except ReleaseUnavailable as problem:
        say(f"NOT TESTED, tests/upgrade: {problem}")
        pytest.skip(f"NOT TESTED: {problem}")


@pytest.fixture(params=["upgrade", "rollback"])
def turns(request: pytest.FixtureRequest, previous: Release) -> tuple[Release, Release]:
    """The one that begins, and the one that goes on."""
    return (previous, HEAD) if request.param == "upgrade" else (HEAD, previous)
