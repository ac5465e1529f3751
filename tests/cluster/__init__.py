"""A real Kubernetes for tests: a control plane of its own, and a node that runs Pods as processes.

Start with `Cluster` (cluster.py); README.md says what is real and what is not.
"""

from tests.cluster.api import Api, ApiError
from tests.cluster.cluster import Cluster
from tests.cluster.namespace import Namespace
from tests.cluster.unavailable import ClusterUnavailable

__all__ = ["Api", "ApiError", "Cluster", "ClusterUnavailable", "Namespace"]
