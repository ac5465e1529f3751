"""Commands that make or judge migration files."""
