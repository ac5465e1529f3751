"""The test harness: a real PostgreSQL and a real Kubernetes control plane, as fixtures."""

pytest_plugins = ["tests.cluster.plugin", "tests.database.plugin", "tests.tallies"]
