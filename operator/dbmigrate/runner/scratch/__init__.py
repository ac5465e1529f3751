"""Scratch databases, and schema dumps into and out of them."""
