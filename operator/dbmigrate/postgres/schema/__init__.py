"""The catalog of a database, read for comparison."""
