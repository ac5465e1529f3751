"""The main job on a real node: each way in which files reach the runner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.node_e2e.claims import claim_directory
from tests.node_e2e.images import POSTGRES, make_files_image
from tests.node_e2e.node import RealCluster
from tests.node_e2e.postgres import PodServer
from tests.operator_e2e.shop import FILES, Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

FILES_IMAGE = "localhost/shop:1"
RANDOM_USER = 1000690000


@pytest.fixture(scope="module")
def files_image(real: RealCluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An application's image that holds the migration files, and no program."""
    files = {f"migrations/{name}": text for name, text in FILES.items()}
    place = tmp_path_factory.mktemp("shop")
    real.node.import_image(make_files_image(place, FILES_IMAGE, files))
    return FILES_IMAGE


def by_config_map(shop: Shop, image: str, place: Path) -> dict[str, Any]:
    del image, place
    shop.write_files(FILES)
    return {"configMaps": [{"name": "shop-migrations"}]}


def by_image_volume(shop: Shop, image: str, place: Path) -> dict[str, Any]:
    del shop, place
    return {"image": {"reference": image, "path": "/migrations", "pullPolicy": "Never"}}


def by_copy(shop: Shop, image: str, place: Path) -> dict[str, Any]:
    """The image of PostgreSQL holds the files, and `cp`, as an application's would."""
    del shop, image, place
    reference = {"reference": POSTGRES, "path": "/migrations", "pullPolicy": "Never"}
    return {"image": {**reference, "mode": "Copy"}}


def by_claim(shop: Shop, image: str, place: Path) -> dict[str, Any]:
    del image
    place.chmod(0o755)
    (place / "sql").mkdir()
    for name, text in FILES.items():
        (place / "sql" / name).write_text(text)
    claim_directory(shop.namespace, "files", place)
    return {"persistentVolumeClaim": {"claimName": "files", "path": "/sql"}}


def inline(shop: Shop, image: str, place: Path) -> dict[str, Any]:
    del shop, image, place
    return {"inline": dict(FILES)}


@pytest.mark.parametrize("source", [by_config_map, by_image_volume, by_copy, by_claim, inline])
def test_the_files_are_applied_and_the_status_says_so(
    source: Callable[[Shop, str, Path], dict[str, Any]],
    shop: Shop,
    files_image: str,
    tmp_path: Path,
) -> None:
    shop.prepare()
    shop.order(source=source(shop, files_image, tmp_path))
    status = shop.wait_ready()["status"]
    assert (status["version"], status["dirty"]) == ("2", False)
    assert shop.applied() == [1, 2]


def test_a_copy_out_of_an_image_without_cp_says_what_it_needs(shop: Shop, files_image: str) -> None:
    shop.prepare()
    reference = {"reference": files_image, "path": "/migrations", "pullPolicy": "Never"}
    shop.order(source={"image": {**reference, "mode": "Copy"}})
    message = condition(shop.wait_for_reason("SourceInvalid"), "Ready")["message"]
    assert "needs the program cp in the image" in message
    shop.order(source={"image": {**reference, "mode": "Volume"}})
    assert shop.wait_ready()["status"]["version"] == "2"


def test_a_user_id_of_the_clusters_own_choice_is_enough(shop: Shop) -> None:
    """OpenShift gives each namespace a range of user ids that no image knows."""
    shop.prepare()
    context = {"runAsUser": RANDOM_USER, "fsGroup": RANDOM_USER}
    shop.order(job={"podSecurityContext": context})
    assert shop.wait_ready()["status"]["version"] == "2"
    (pod,) = shop.namespace.list("pod")
    assert pod["spec"]["securityContext"]["runAsUser"] == RANDOM_USER


def test_the_database_is_found_by_the_name_of_its_service(shop: Shop, postgres: PodServer) -> None:
    shop.prepare()
    shop.namespace.secret("shop-db", url=postgres.url(shop.database.name, host=postgres.host))
    shop.order()
    assert shop.wait_ready()["status"]["version"] == "2"
