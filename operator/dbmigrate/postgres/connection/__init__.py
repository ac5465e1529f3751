"""Connections: targets and URLs, opening, sessions, poolers, errors of the server."""
