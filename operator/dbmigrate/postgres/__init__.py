"""Everything that speaks SQL: connecting, locking, history, executing, diagnosing."""
