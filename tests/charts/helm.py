"""Real helm, as the chart's tests call it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import Cluster
from tests.cluster.clients import find_helm

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "dbmigrate-operator"

Document = dict[str, Any]
Values = Mapping[str, Any]
"""By dotted path: {"image.tag": "2"}."""


class HelmFailed(Exception):
    """helm said no; the message is what it said."""


def run_helm(*arguments: str, kubeconfig: Path | None = None) -> str:
    """Its standard output. Raises HelmFailed."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig or os.devnull)}
    run = subprocess.run(
        [find_helm(), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise HelmFailed(f"helm {' '.join(arguments)}: {run.stderr}{run.stdout}")
    return run.stdout


def set_values(values: Values) -> list[str]:
    """The flags that set these values."""
    return [f"--set-json={path}={json.dumps(value)}" for path, value in values.items()]


def render(
    values: Values | None = None,
    *,
    chart: Path = CHART,
    release: str = "shop",
    namespace: str = "system",
) -> list[Document]:
    """What the chart makes of the values for that release."""
    words = ["template", release, str(chart), "--namespace", namespace, *set_values(values or {})]
    return [document for document in yaml.safe_load_all(run_helm(*words)) if document]


def install(
    cluster: Cluster, namespace: str, release: str, chart: Path, values: Values, *, deadline: int
) -> str:
    """`helm upgrade --install --wait`: returns when helm holds it for ready.

    The CRDs may be another test's, kept after its release: they are taken over.
    """
    words = ["upgrade", "--install", release, str(chart), "--namespace", namespace, "--wait"]
    words += ["--take-ownership", "--force-conflicts"]
    words += [f"--timeout={deadline}s", *set_values(values)]
    return run_helm(*words, kubeconfig=cluster.kubeconfig)
