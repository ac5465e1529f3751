"""How wrong the clock is, by an answer's Date."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.identity.clock import describe_skew, measure_skew
from tests.cloud.endpoints import Answer, Endpoint


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (0, None),
        (40, None),
        (-40, None),
        (600, "10 min behind that of 127.0.0.1"),
        (-600, "10 min ahead of that of 127.0.0.1"),
        (86400, "24 h behind that of 127.0.0.1"),
    ],
)
def test_a_difference_is_told_in_its_direction(ahead: float, said: str | None) -> None:
    endpoint = Endpoint(lambda _: Answer())
    endpoint.ahead = ahead
    found = describe_skew(endpoint.url)
    endpoint.close()
    assert (found is None) if said is None else (found is not None and said in found)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "nonsense", "", "http://[", "file:///dev/null"]
)
def test_where_nobody_answers_nothing_is_known(url: str) -> None:
    assert measure_skew(url) is None
