"""The database's side of steps in batches: queries, state, replication lag."""
