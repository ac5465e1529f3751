"""The linter, without a database."""
