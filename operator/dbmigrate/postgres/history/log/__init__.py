"""The log: one row for each step, beside the version table."""
