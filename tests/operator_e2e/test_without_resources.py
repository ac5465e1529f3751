"""The custom resources deleted under the operator: said once, waited for, and gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dbmigrate.api.names import DEFINITIONS
from tests.cluster import Cluster
from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.process import ROOT
from tests.operator_e2e.shop import GATED, THIRD, Shop

pytestmark = [pytest.mark.cluster, pytest.mark.database]


def test_definitions_that_are_deleted_are_waited_for(
    installed: Cluster, shop: Shop, make_operator: StartOperator
) -> None:
    operator = make_operator().start()
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    pid = operator.pid
    try:
        installed.kubectl("delete", "crd", *DEFINITIONS, "--wait=false")
        eventually(lambda: "waiting for them" in operator.read_log(), what="a word about it")
        shop.open_gate()
        eventually(lambda: not find_definitions(installed), what="the end of the definitions")
    finally:
        installed.install_crds(ROOT / "crds")
    shop.order()
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    shop.write_files({**GATED, **THIRD})
    shop.wait(lambda resource: resource["status"].get("version") == "3")
    assert (operator.is_running, operator.pid) == (True, pid)
    log = operator.read_log()
    assert log.count("waiting for them") == 1
    assert "Traceback" not in log
    assert operator.stop() == 0


def test_an_operator_that_waits_for_the_definitions_can_be_stopped(
    installed: Cluster, make_operator: StartOperator, tmp_path: Path
) -> None:
    config = yaml.safe_load(installed.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] += "/nowhere"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(yaml.safe_dump(config))
    operator = make_operator(elsewhere).start()
    eventually(lambda: "waiting for them" in operator.read_log(), what="a word about it")
    assert operator.stop() == 0


def find_definitions(cluster: Cluster) -> str:
    """Those that are there."""
    return cluster.kubectl("get", "crd", *DEFINITIONS, "--ignore-not-found", "-o", "name")
