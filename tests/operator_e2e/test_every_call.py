"""The operator is killed at each kind of API call that it makes in a whole life of a resource.

The calls are seen at a proxy. A write is let through and the operator killed before it
hears of it, which is the worst moment; a read is cut off before it is made. The next
operator takes over, and is killed at the first kind of call that none was killed at yet:
so some die amid the recovery of what others have left. There are as many lives as it
takes until one goes by without a death. What was done is found again, and done once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.process import Operator
from tests.operator_e2e.proxy import Call, Fault, Proxy, let_through
from tests.operator_e2e.shop import FILES, THIRD, Shop, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]

EXPECTED = {
    f"{what} {version}"
    for version in ("2", "3")
    for what in (
        "POST jobs goto",
        "PATCH databasemigrations status Running",
        "POST events Running",
        "PATCH databasemigrations status Applied",
        "POST events Applied",
    )
} | {"GET databasemigrations", "GET migrationactions", "GET jobs", "GET pods", "DELETE jobs 3"}
"""What a life can't do without: an operator's start, and the way to each version."""
LIVES = 10
"""More than are needed: two or three."""


class Fate:
    """Which kinds of calls were met with a death, and at which one the present operator dies."""

    def __init__(self, proxy: Proxy) -> None:
        self.met: list[str] = []
        self.seen: set[str] = set()
        """Kinds of calls that the present operator has made."""
        self._proxy = proxy

    @contextmanager
    def over(self, victim: Operator, version: str) -> Iterator[None]:
        """Let it live until its first call of a new kind on the way to that version."""
        self.seen = set()
        has_struck = False

        def judge(call: Call) -> Fault | None:
            nonlocal has_struck
            kind = describe(call, version)
            self.seen.add(kind)
            if has_struck or kind in self.met:
                return None
            has_struck = True
            self.met.append(kind)
            return Fault(after=victim.kill) if call.is_write else Fault(before=victim.kill)

        self._proxy.judge = judge
        try:
            yield
        finally:
            self._proxy.judge = let_through


def describe(call: Call, version: str) -> str:
    """A kind of call: what is done, to what, what a write says, and on the way to which version.

    The lists are an operator's first calls, whatever there is to do.
    """
    resource, *rest = call.path.split("/namespaces/")[1].split("/")[1:]
    name, *part = rest or [""]
    words = [call.method, resource, *part]
    body = json.loads(call.body) if call.body else {}
    if call.method == "POST":
        labels = body["metadata"].get("labels", {})
        words.append(body.get("reason") or labels["dbmigrate.dev/command"])
    if call.method == "PATCH":
        conditions = body["status"].get("conditions", [])
        words += [c["reason"] for c in conditions if c["type"] == "Ready"]
    if call.method == "GET":
        return " ".join([*words, "by name", version] if name else words)
    return " ".join([*words, version])


def be_born(shop: Shop, name: str) -> Shop:
    """A resource with a database, a Secret and files of its own."""
    database = shop.database.server.create_database()
    own = Shop(shop.namespace, database)
    own.namespace.secret(f"{name}-db", url=database.url)
    own.write_files(FILES, name=f"{name}-migrations")
    reference = {"secretKeyRef": {"name": f"{name}-db", "key": "url"}}
    own.order(
        name,
        database={"urlFrom": reference},
        source={"configMaps": [{"name": f"{name}-migrations"}]},
        history={"successful": 1},
    )
    return own


def die(shop: Shop, name: str) -> None:
    """Its end, so that it is no part of the next life."""
    shop.namespace.delete("dbm", name)
    shop.namespace.wait_until_gone("dbm", name)
    shop.namespace.delete("configmap", f"{name}-migrations")
    eventually(lambda: not shop.jobs(), what="the end of its Jobs")
    shop.database.drop()


@pytest.mark.timeout(900)
def test_killed_at_each_kind_of_call_in_turn(
    shop: Shop, proxy: Proxy, proxied: Path, make_operator: StartOperator
) -> None:
    fate = Fate(proxy)
    for number in range(LIVES):
        name, before = f"life-{number}", len(fate.met)
        own = be_born(shop, name)
        come_to(own, name, "2", fate, lambda: make_operator(proxied))
        first = [job["metadata"]["uid"] for job in own.jobs()]
        own.write_files({**FILES, **THIRD}, name=f"{name}-migrations")
        come_to(own, name, "3", fate, lambda: make_operator(proxied))
        status = own.namespace.get("dbm", name)["status"]
        assert (status["version"], status["dirty"]) == ("3", False)
        assert own.applied() == [1, 2, 3]
        assert own.database.query("SELECT version, dirty FROM schema_migrations") == [(3, False)]
        assert len(first) == 1
        assert len(own.jobs()) == 1
        die(own, name)
        print(f"life {number + 1}: killed at {fate.met[before:]}")
        if len(fate.met) == before:
            break
    else:
        pytest.fail(f"after {LIVES} lives there are still new kinds of calls: {fate.met}")
    print(f"{len(fate.met)} kinds of calls in {number + 1} lives")
    assert set(fate.met) >= EXPECTED


def come_to(own: Shop, name: str, version: str, fate: Fate, make: StartOperator) -> None:
    """One operator after the other, until one has brought the resource there and lives."""

    def is_there() -> bool:
        resource = own.namespace.get("dbm", name)
        return (
            is_ready(resource)
            and resource["status"]["version"] == version
            and len(own.jobs()) == 1
            # The event comes after the status, from the one who has written that.
            and (
                f"PATCH databasemigrations status Applied {version}" not in fate.seen
                or f"POST events Applied {version}" in fate.seen
            )
        )

    def is_over(victim: Operator) -> bool:
        return not victim.is_running or is_there()

    while True:
        victim = make()
        with fate.over(victim, version):
            victim.start()
            eventually(partial(is_over, victim), what=f"version {version}")
            is_alive = victim.is_running
            # What it has begun is not to fall to the next one's lot.
            victim.kill()
        if is_alive:
            return
