"""Running a step in batches, and resuming it."""
