"""From files, history and target to a plan. Pure functions."""
