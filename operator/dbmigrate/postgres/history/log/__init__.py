"""The log: one row for each step, in addition to the version table."""
