"""Histories that other formats, other tools or another schema keep in the same database."""
