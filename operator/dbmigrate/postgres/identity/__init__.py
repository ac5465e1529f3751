"""Logging in as an identity of a cloud provider: a token in the place of a password."""
