"""Scratch servers, and the roles and grants that a scratch database needs."""
