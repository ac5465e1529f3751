"""A stream that has shown something since a moment has lost nothing from before."""

from __future__ import annotations

import pytest

from dbmigrate.controller.cluster import ResourceKind
from dbmigrate.controller.watches.streams import AWAITED, Streams

pytestmark = pytest.mark.quick

KEY = ("team", "shop")


@pytest.mark.parametrize("namespace", [None, "team"])
def test_all_streams_of_a_resource_must_have_shown_something(namespace: str | None) -> None:
    clock = [1.0]
    streams = Streams(monotonic=lambda: clock[-1])
    for kind in AWAITED:
        assert not streams.have_shown(KEY, 1)
        streams.hear(kind.path(namespace))
    assert streams.have_shown(KEY, 1)
    assert not streams.have_shown(KEY, 1.5)
    clock.append(2.0)
    streams.hear(ResourceKind.JOBS.path(namespace))
    assert not streams.have_shown(KEY, 1.5)


def test_the_streams_of_another_namespace_do_not_count() -> None:
    streams = Streams(monotonic=lambda: 1.0)
    for kind in AWAITED:
        streams.hear(kind.path("other"))
    assert not streams.have_shown(KEY, 1)
    assert streams.have_shown(("other", "shop"), 1)
