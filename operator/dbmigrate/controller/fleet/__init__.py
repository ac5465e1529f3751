"""Sets of databases and schemas: waves, shards, and what their Pods report."""
