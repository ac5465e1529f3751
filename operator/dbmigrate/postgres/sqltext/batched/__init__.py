"""The text of a migration that runs in batches: its directive, its loop, its checks."""
