"""Reads migration files into Migration objects; one module a format."""
