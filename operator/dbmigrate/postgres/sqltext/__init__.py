"""SQL as text: tokens, statements, positions, and what a statement needs. Pure functions."""
