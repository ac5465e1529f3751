"""A real PostgreSQL for tests: a server of its own, and a database for each test."""

from tests.database.server import Database, Server

__all__ = ["Database", "Server"]
