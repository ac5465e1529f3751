"""The operator is killed at each of its API calls in turn, through a whole life of a resource.

The calls are counted at a proxy. A write is let through and the operator killed
before it hears of it, which is the worst moment; a read is cut off before it is
made. What was done must be found again by the next operator, and done once.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.process import Operator
from tests.operator_e2e.proxy import Call, Fault, Judge, Proxy, let_through
from tests.operator_e2e.shop import FILES, THIRD, Shop, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]


def live(shop: Shop, name: str) -> None:
    """A whole life: created and migrated, then changed and migrated again."""
    shop.wait_ready(name=name)
    shop.write_files({**FILES, **THIRD}, name=f"{name}-migrations")
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3", name=name)


MARGIN = 4


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
    )
    return own


def die(shop: Shop, name: str) -> None:
    """Its end, so that it is no part of the next life."""
    shop.namespace.delete("dbm", name)
    shop.namespace.wait_until_gone("dbm", name)
    shop.namespace.delete("configmap", f"{name}-migrations")
    shop.database.drop()


@pytest.mark.timeout(1200)
def test_killed_at_each_api_call_in_turn(
    shop: Shop, proxy: Proxy, proxied: Path, make_operator: StartOperator
) -> None:
    calm = make_operator(proxied).start()
    first = be_born(shop, "calm")
    live(first, "calm")
    calm.kill()
    die(first, "calm")
    count = len(proxy.calls)
    print(f"a life takes {count} calls:")
    for number in range(1, count + 1):
        call = survive_a_kill_at(number, shop, proxy, proxied, make_operator)
        if call is None:
            # Looks that fell together: one life takes a call or two less than another.
            assert number > count - MARGIN
            break
        print(f"  killed at {number:2}: {call.method:5} {call.path.split('/namespaces/')[1]}")


def survive_a_kill_at(
    number: int, shop: Shop, proxy: Proxy, proxied: Path, make_operator: StartOperator
) -> Call | None:
    """The call that the operator was killed at; None if its life had fewer calls."""
    name = f"life-{number}"
    own = be_born(shop, name)
    proxy.calls.clear()
    victim = make_operator(proxied)
    proxy.judge = kill_at(number, victim)
    victim.start()
    try:
        eventually(lambda: not victim.is_running or is_ready(own.namespace.get("dbm", name)))
        if victim.is_running:
            own.write_files({**FILES, **THIRD}, name=f"{name}-migrations")
            with suppress(TimeoutError):
                eventually(lambda: not victim.is_running or own.applied() == [1, 2, 3])
                eventually(lambda: not victim.is_running, deadline=15)
        call = proxy.calls[number - 1] if len(proxy.calls) >= number else None
    finally:
        victim.kill()
        proxy.judge = let_through
    successor = make_operator().start()
    live(own, name)
    status = own.namespace.get("dbm", name)["status"]
    assert (status["version"], status["dirty"]) == ("3", False), call
    assert own.applied() == [1, 2, 3], call
    assert own.database.query("SELECT version, dirty FROM schema_migrations") == [(3, False)]
    jobs = [j["metadata"]["labels"]["dbmigrate.dev/migration"] for j in own.jobs()]
    assert jobs.count(name) <= 2, call
    successor.kill()
    die(own, name)
    return call


def kill_at(number: int, victim: Operator) -> Judge:
    def judge(call: Call) -> Fault | None:
        if call.number != number:
            return None
        return Fault(after=victim.kill) if call.is_write else Fault(before=victim.kill)

    return judge
