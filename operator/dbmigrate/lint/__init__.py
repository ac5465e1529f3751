"""Lint: what may go wrong with a migration that runs without error on an empty database."""
