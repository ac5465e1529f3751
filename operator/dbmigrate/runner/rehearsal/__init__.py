"""Rehearsals: a plan is run up, down and up again in a scratch database."""
