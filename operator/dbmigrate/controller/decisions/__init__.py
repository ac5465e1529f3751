"""Decisions: pure functions from what was read to status, Jobs and events."""
