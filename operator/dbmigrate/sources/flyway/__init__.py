"""Flyway's format."""
