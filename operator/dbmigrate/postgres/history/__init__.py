"""History tables: ours and those of other tools, one module a table."""
