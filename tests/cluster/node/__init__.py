"""The node of the tests: takes the cluster's Pods and runs them as local processes.

What a program in a Pod sees is made from the real Pod spec: its command,
environment, volumes and images, its user, its read-only root, signals and grace
periods. What cannot be honoured is refused, never left out (honour.py).
"""

from tests.cluster.node.images import Image, Images
from tests.cluster.node.node import Node

__all__ = ["Image", "Images", "Node"]
