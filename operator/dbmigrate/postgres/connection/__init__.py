"""Connections: targets and URLs, opening, sessions, poolers, server errors."""
