"""The test harness: a real PostgreSQL and a real Kubernetes control plane, as fixtures."""

from hypothesis import settings

pytest_plugins = [
    "tests.cluster.plugin",
    "tests.database.plugin",
    "tests.scheduling",
    "tests.tallies",
]

# A deadline would be a timed assertion, which fails where the machine is busy.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
